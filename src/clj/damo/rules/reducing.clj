(ns damo.rules.reducing
  "Reductions merged or dropped; a reshape puts kept axes back: Σ over axes of extent 1 → reshape."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op.typing :as typing]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- merged-axes
  "The axes of the operand that two reductions reduce, the inner one without :keepdims."
  [outer inner rank]
  (let [left (vec (remove (set inner) (range rank)))]
    (vec (sort (concat inner (map left outer))))))

(defn- known-extent-one? [{:keys [attrs args builder]}]
  (let [shape (type/shape-of (graph/node-type builder (first args)))]
    (every? #(= 1 (nth shape %)) (:axis attrs))))

(defn- positive-dim? [d]
  (or (and (integer? d) (pos? d))
      (and (vector? d) (= :max (first d)) (boolean (some positive-dim? (rest d))))))

(defn- nonzero-divisor? [b id]
  (let [[op {:keys [dim]} arg] (graph/node b id)]
    (case op
      :dim (positive-dim? dim)
      :cast (recur b arg)
      (let [x (rule/uniform b id)] (and (number? x) (not (zero? x)))))))

(defn- divides-by-zero?
  "May the 0-d node be infinite because a divisor is 0, such as a number of elements?"
  [b id]
  (let [[op _ x y] (graph/node b id)]
    (case op
      :div (or (not (nonzero-divisor? b y)) (recur b x))
      (:mul :add :sub) (or (divides-by-zero? b x) (recur b y))
      (:neg :cast) (recur b x)
      false)))

(defn safe-outside?
  "May ?s stand in front of a sum over these dims? A sum of nothing is 0, whatever the factor; an
  infinite one in front would make it NaN."
  [m ?s dims]
  (or (every? positive-dim? dims) (not (divides-by-zero? (:builder m) (m ?s)))))

(defn- summed-dims
  "The dims that a reduction takes together."
  [{:keys [builder args attrs]}]
  (map (type/shape-of (graph/node-type builder (first args))) (:axis attrs)))

(defn- times-extent
  "The template of a sum over axes along which everything is the 0-d x; a sum of nothing is 0 though
  x be infinite."
  [m]
  (let [dims (summed-dims m), n [:dim {:dim (apply type/dim* dims)}]
        dtype (type/dtype-of (:type m)), wide (type/computed dtype)
        product [:mul [:cast {:dtype wide} n] (typing/as-dtype wide dtype '?x)]]
    (typing/as-dtype dtype wide (if (every? positive-dim? dims)
                                  product
                                  [:where [:gt n 0] product 0]))))

(defrules reducing
  "Reductions merged or dropped; a reshape puts kept axes back, so that a sum is computed once."
  {:name :drop-keepdims, :lhs :reduce, :keeps :bits
   :rhs (fn [{:keys [op attrs type]}]
          (when (:keepdims attrs)
            [:reshape {:shape (type/shape-of type)} [op (assoc attrs :keepdims false) '?x]]))
   :why "The same reduction with and without its axes is computed once."
   :examples [[[:sum {:axis 0 :keepdims true} x] => [:reshape {:shape [1 3]} [:sum {:axis 0} x]]]]}
  {:name :reduce-nothing, :lhs :reduce, :keeps :bits
   :rhs (fn [{:keys [attrs type] :as m}]
          (when (and (not (:keepdims attrs)) (known-extent-one? m))
            [:reshape {:shape (type/shape-of type)} '?x]))
   :why "Axes of extent 1 need no loop.", :types {x [:f64 [2 1]]}
   :examples [[[:sum {:axis 1} x] => [:reshape {:shape [2]} x]] [[:max {:axis []} x] => x]]}
  {:name :sum-sum, :lhs [:sum {:axis ?a :keepdims false} [:sum {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:sum {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :value, :except [:overflow], :why "One loop instead of two."
   :types {x [:f64 [2 3 4]]}
   :examples [[[:sum {:axis 1} [:sum {:axis 0} x]] => [:sum {:axis [0 2]} x]]]}
  {:name :max-max, :lhs [:max {:axis ?a :keepdims false} [:max {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:max {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :bits, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:max {:axis 0} [:max {:axis 2} x]] => [:max {:axis [0 2]} x]]]}
  {:name :min-min, :lhs [:min {:axis ?a :keepdims false} [:min {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:min {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :bits, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:min {:axis 0} [:min {:axis 2} x]] => [:min {:axis [0 2]} x]]]}
  {:name :prod-prod, :lhs [:prod {:axis ?a :keepdims false} [:prod {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:prod {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :regroup, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:prod {:axis 0} [:prod {:axis 2} x]] => [:prod {:axis [0 2]} x]]]}
  {:name :all-all, :lhs [:all {:axis ?a :keepdims false} [:all {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:all {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :bits, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:all {:axis 0} [:all {:axis 2} x]] => [:all {:axis [0 2]} x]]]}
  {:name :sum-neg, :lhs [:sum {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:sum {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value, :except [:zero-sign]
   :why "Negation moves out, where there is less of it."
   :examples [[[:sum {:axis 1} [:neg x]] => [:neg [:sum {:axis 1} x]]]]
   :refuses [[[:sum {:axis 1} [:neg x]] {x [:i64 [2 3]]}]]}
  {:name :max-neg, :lhs [:max {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:min {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value
   :why "Negation moves out, where there is less of it."
   :examples [[[:max {:axis 1} [:neg x]] => [:neg [:min {:axis 1} x]]]
              [[:neg [:max {:axis 1} [:neg x]]] => [:min {:axis 1} x]]]
   :refuses [[[:max {:axis 1} [:neg x]] {x [:i64 [2 3]]}]]}
  {:name :min-neg, :lhs [:min {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:max {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value
   :why "Negation moves out, where there is less of it."
   :examples [[[:min {:axis 1} [:neg x]] => [:neg [:max {:axis 1} x]]]]
   :refuses [[[:min {:axis 1} [:neg x]] {x [:i64 [2 3]]}]]}
  {:name :sum-broadcast, :lhs [:sum {:axis ?a :keepdims false} [:broadcast-to ?x]]
   :rhs times-extent, :keeps :value
   :when #(and (rule/scalar? % ?x) (rule/float? % ?x))
   :why "A product instead of a loop.", :types {x [:f64 []]}
   :examples [[[:sum {:axis 0} [:broadcast-to {:shape [2 3]} x]]
               => [:broadcast-to {:shape [3]} [:mul 2.0 x]]]]
   :refuses [[[:sum {:axis 0} [:broadcast-to {:shape [2 3]} r]] {r [:f64 [3]]}]
             [[:sum {:axis 0} [:broadcast-to {:shape [2 3]} i]] {i [:i64 []]}]]})
