(ns damo.rule.fold
  "What a node of constants comes to. In: a node of a builder whose arguments are constants. Out:
  the elements of its value, by the reference interpreter.
  (values b :add {} [3 4] [:f64 [2]]) = [3.0 5.0]"
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
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

(defn- foldable? [b op args [_ shape]]
  (and (constants? b args)
       (not (#{:leaf :generate} (op/kind op)))
       (not (:kernel (op/entry op)))
       (not= op :broadcast-to)
       (every? integer? shape)
       (<= (long (type/size shape)) (long max-folded))))

(defn values
  "The elements of the value of the node (op attrs args) of that type, or nil where it is not to be
  folded. A failure, such as an index out of range or whatever the code of a user's op throws, is
  left for the call, which reports it with the place in the user's code."
  [b op attrs args type]
  (when (foldable? b op args type)
    (try (array/values (eval/constant op attrs (mapv #(constant-array b %) args)))
         (catch Exception _)
         (catch StackOverflowError _))))
