(ns damo.ops.move.step
  "A step along what is added at indices, which rules alone insert: x plus a multiple of sums that
  lie at few places, and nothing but these places is touched. [:step-at {:axis [0]} w i v s] is w +
  s · inc-at(0, i, v)."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.op :as op :refer [defop]]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]
            [damo.ops.move.write :as write]))

(set! *warn-on-reflection* true)

(defn- written-types
  "The types of the arguments that inc-at would have."
  [types]
  (vec (butlast types)))

(defn- step-type [attrs [[dtype :as x] & _ :as types]]
  (typing/check-dtype :float dtype)
  (when-not (= [dtype []] (last types))
    (fail! :damo.op.step/bad-factor
           (str "step-at multiplies by a number of the dtype of the array, " dtype "; got "
                (pr-str (last types)))
           {:expected [dtype []], :given (last types)}))
  ((:type (op/entry :inc-at)) attrs (into [x] (rest (written-types types)))))

(defn- at-indices
  "A template: the op with the indices of the node between these arguments."
  [op {:keys [attrs types]} x more]
  (-> [op attrs x] (into (indexing/names 1 (- (count types) 3))) (into more)))

(defn- named
  "The names in templates of what is written and of the factor, with that prefix."
  [prefix types]
  (map #(symbol (str prefix (- (count types) %))) [2 1]))

(defn- scattered
  "The template of a value at the indices of a node, nothing elsewhere."
  [{[[dtype shape]] :types :as node} v]
  (at-indices :inc-at node (typing/filled dtype shape 0) [v]))

(defop step-at
  "x plus s times what inc-at makes of nothing but the values at the indices: the step of a table of
  which few rows have a gradient. s has no axes. Inserted by rules, see damo.rules.steps."
  {:internal true
   :kind :scatter, :args :variadic, :write :step
   :attrs {:axis {:default 0, :doc "the axis to index, or a vector with one for each index array"}}
   :normalize (fn [attrs types]
                ((:normalize (op/entry :inc-at)) attrs (written-types types)))
   :type step-type
   :eval (fn [attrs {:keys [dtype shape] :as x} & more]
           (let [[v s] (take-last 2 more), wide (array/full :f64 shape 0.0)
                 written (conj (vec (drop-last 2 more)) (array/cast :f64 v))
                 sums (apply (:eval (op/entry :inc-at)) attrs wide written)]
             (array/map-elements dtype (fn [a b] (+ a (* (array/element s 0) b))) [x sums])))
   :lop (fn [{:keys [types] :as node}]
          (let [[v s] (named "?" types)]
            (-> [?g] (into (repeat (- (count types) 3) 0))
                (conj [:mul s (at-indices :take node ?g [])]
                      [:sum [:mul ?g (scattered node v)]]))))
   :rop (fn [{:keys [types] :as node}]
          (let [[v s] (named "?" types), [dv ds] (named "?d" types)]
            [:add [:add '?d0 [:mul s (scattered node dv)]] [:mul ds (scattered node v)]]))
   :batch (fn [{:keys [types] :as node}]
            (let [[v s] (named "?" types)]
              [:add '?0 [:mul s (scattered node v)]]))
   :gen (fn [{:keys [dtype] :as ctx}]
          (update (write/random-write ctx) :args conj (array/of dtype [] [0.5])))
   :examples [[[:step-at [:ones {:shape [3]}] [:zeros {:shape [2], :dtype :i64}]
                [:ones {:shape [2]}] [:cast {:dtype :f32} 2.0]]
               [5.0 1.0 1.0]]]})
