(ns damo.op.arguments
  "What a user's call of an op function gives to its entry: arguments and attributes.
  (split entry [x 1 :keepdims true]) = [[x] {:axis 1 :keepdims true}] for the entry of sum."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- split-options
  "[positional options]: the values before the first keyword, and what follows, or the map at the
  end. A dtype in front of an odd number of options is a value: (cast x :f32)."
  [given]
  (let [[positional [k :as options]] (split-with (complement keyword?) given)]
    (cond (and (odd? (count options)) (type/dtype? k)) [(concat positional [k]) (rest options)]
          (and (empty? options) (map? (last positional)))
          [(butlast positional) (mapcat identity (last positional))]
          :else [positional options])))

(defn- by-position
  "[arguments attributes] where values after the last argument, which are no expressions, are those
  of attributes: first those without default, then the others, in the order of the entry:
  (topk x 3), (sum x 0)."
  [{:keys [args attrs]} positional]
  (if (or (= args :variadic) (<= (count positional) (count args)))
    [positional {}]
    (let [[own more] (split-at (count args) positional)
          {optional true, needed false} (group-by #(contains? (attrs %) :default) (keys attrs))]
      (if (and (<= (count more) (count attrs)) (not-any? expr/expr? more))
        [own (zipmap (concat needed optional) more)]
        [positional {}]))))

(defn- with-attributes
  "[arguments attributes] of a call with other things than arguments, or another number of them."
  [{:keys [name args] :as entry} given]
  (let [[positional options] (split-options given)
        [positional placed] (by-position entry positional)]
    (when (odd? (count options))
      (fail! :damo.op/missing-value
             (str "there is no value after the attribute " (last options))
             {:op name, :attribute (last options)}))
    [(if (and (= args :variadic) (sequential? (first positional)) (= 1 (count positional)))
       (first positional)
       positional)
     (apply hash-map (concat (mapcat identity placed) options))]))

(defn split
  "[arguments attributes] of a call of an op function: arguments first, then attributes without
  default by position, then keywords and values."
  [{:keys [args] :as entry} given]
  (if (and (sequential? args) (= (count args) (count given))
           (not-any? #(or (keyword? %) (map? %)) given))
    [given {}]
    (with-attributes entry given)))
