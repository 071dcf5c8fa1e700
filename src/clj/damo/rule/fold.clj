(ns damo.rule.fold
  "What a node of constants comes to. In: a node of a builder whose arguments are constants. Out:
  the elements of its value, by the reference interpreter.
  (values b :add {} [3 4] [:f64 [2]]) = [3.0 5.0]"
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private max-folded
  "The largest number of elements of a constant that folding makes."
  256)

(defn- constant-array [b id]
  (let [{:keys [value] [dtype shape] :type} (graph/attrs-of (graph/node b id))]
    (array/of dtype shape (if (vector? value) value [value]))))

(defn- constants? [b args]
  (and (seq args) (every? #(= :const (graph/op-of (graph/node b %))) args)))

(defn- small? [[_ shape :as type]]
  (and (not (tuple/type? type)) (every? integer? shape)
       (<= (long (type/size shape)) (long max-folded))))

(defn- foldable? [b op args]
  (and (constants? b args)
       (not (#{:leaf :generate :loop} (op/kind op)))
       (not-any? (op/entry op) [:kernel :counts :matrices])
       (not= op :broadcast-to)))

(defn- value
  "The value of the node (op attrs args), nil where it is not to be folded: of a part, a result of
  the node that it is a part of."
  [b op attrs args]
  (if (= :part (op/kind op))
    (let [[of of-attrs & of-args] (graph/node b (first args))]
      (some-> (value b of of-attrs (vec of-args)) (nth (:at attrs))))
    (when (foldable? b op args)
      (eval/constant op attrs (mapv #(constant-array b %) args)))))

(defn values
  "The elements of the value of the node (op attrs args) of that type, or nil where it is not to be
  folded. A failure, such as an index out of range or whatever the code of a user's op throws, is
  left for the call, which reports it with the place in the user's code."
  [b op attrs args type]
  (when (small? type)
    (try (some-> (value b op attrs args) array/values)
         (catch Exception _)
         (catch StackOverflowError _))))
