(ns damo.rules.steps
  "Steps of tables along gradients that lie at few rows: of w - 0.1 · inc-at(0, i, v) only the rows
  at i are read and written, with the very sums of the written form. Run last, as those of
  damo.rules.blas do."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- number [{:keys [type]} x] (typing/const (type/dtype-of type) x))

(defn- scaled
  "[factor id] of a node that is a multiple of another one, which nothing else reads, by a number;
  of others 1 and the node."
  [{:keys [builder] :as m} id]
  (let [[op _ p q] (graph/node builder id), shape #(type/shape-of (graph/node-type builder %))]
    (cond (not= op :mul) [(number m 1.0) id]
          (and (empty? (shape p)) (rule/sole? m q)) [(rule/argument p) q]
          (and (empty? (shape q)) (rule/sole? m p)) [(rule/argument q) p]
          :else [(number m 1.0) id])))

(defn- onto-nothing?
  "Does a node add at indices to zeros, and is it of the type of the root, of floats?"
  [{:keys [builder type]} id]
  (let [[op _ x] (graph/node builder id)]
    (and (= op :inc-at) (= type (graph/node-type builder id))
         (type/float-dtype? (type/dtype-of type))
         (let [zero (rule/uniform builder x)] (and (number? zero) (zero? zero))))))

(defn- step
  "The template of ?x ± what is added at indices, or a multiple of that; nil of others."
  [{:keys [builder type] :as m} ?x sign ?g]
  (let [[s id] (scaled m (m ?g))]
    (when (and (= type (rule/type-of m ?x)) (rule/sole? m (m ?g)) (onto-nothing? m id))
      (let [[_ attrs & args] (graph/node builder id)
            {:keys [indices value]} (indexing/in-nest attrs args)]
        (-> [:step-at attrs ?x]
            (into (map rule/argument) indices)
            (conj (rule/argument value) (if (= sign -) [:neg s] s)))))))

(defrules rules
  "Sums with values at few indices."
  {:name :step-off, :lhs [:sub ?x ?g], :share :asked, :keeps :drops-nan, :except [:zero-sign]
   :rhs (fn [m] (step m ?x - ?g)), :failures :kept
   :why "Only the rows that are written to are read."
   :types {i [:i64 [2]], y [:f64 [2 3]], s [:f64 []]}, :gen {i [0 1]}
   :examples [[[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
               => [:step-at x i y [:neg 1.0]]]
              [[:sub x [:mul s [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]
               => [:step-at x i y [:neg s]]]]
   :refuses [[[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 1.0] i y]]]
             [[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]] {x [:f64 [3]]}]
             [[:sub x [:mul z [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]
              {z [:f64 [2 3]]}]]}
  {:name :step-on, :lhs [:add ?x ?g], :share :asked, :keeps :drops-nan, :except [:zero-sign]
   :rhs (fn [m] (step m ?x + ?g)), :failures :kept
   :why "Only the rows that are written to are read."
   :types {i [:i64 [2]], y [:f64 [2 3]], s [:f64 []]}, :gen {i [0 1]}
   :examples [[[:add x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
               => [:step-at x i y 1.0]]
              [[:add x [:mul s [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]
               => [:step-at x i y s]]]
   :refuses [[[:add x [:inc-at [:broadcast-to {:shape [2 3]} 1.0] i y]]]
             [[:add x [:mul z [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]
              {z [:f64 [2 3]]}]]})
