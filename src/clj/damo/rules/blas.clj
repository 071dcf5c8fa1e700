(ns damo.rules.blas
  "Matrix products that scale and accumulate by themselves, instead of products and loops over what
  they make: w - 0.1 xᵀd touches w once, x·w + h·v needs no second array. Runs last, on expanded
  graphs, arguments first: factors go into products, products onto what they are added to."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.typing :as typing]
            [damo.ops.all]
            [damo.ops.linear.blas]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.steps :as steps]))

(set! *warn-on-reflection* true)

;; ## What may be one product

(defn- matrices?
  "Are both stacks of matrices of a float dtype?"
  [m ?x ?y]
  (and (rule/float? m ?x) (<= 2 (rule/rank-of m ?x)) (<= 2 (rule/rank-of m ?y))))

(defn- number
  "A number as a factor of the root."
  [{:keys [type]} x]
  (typing/const (type/dtype-of type) x))

(defn- inverse [m ?s] [:div (number m 1.0) ?s])

(defrules factors
  "Factors and other shapes of products."
  {:name :scaled-product, :lhs [:mul ?s [:matmul ?x ?y]]
   :rhs (fn [m] [:scaled-matmul {:shape (type/shape-of (:type m))} ?s ?x ?y])
   :when #(and (rule/scalar? % ?s) (matrices? % ?x ?y)), :share :sole, :keeps :value
   :except [:overflow :underflow]
   :why "A product scales for nothing.", :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:mul s [:matmul x y]] => [:scaled-matmul {:shape [2 4]} s x y]]]
   :refuses [[[:mul z [:matmul x y]] {z [:f64 [2 4]]}]
             [[:mul i [:matmul j k]] {i [:i64 []], j [:i64 [2 3]], k [:i64 [3 4]]}]]}
  {:name :divided-product, :lhs [:div [:matmul ?x ?y] ?s]
   :rhs (fn [m] [:scaled-matmul {:shape (type/shape-of (:type m))} (inverse m ?s) ?x ?y])
   :when #(and (rule/scalar? % ?s) (matrices? % ?x ?y)), :share :sole, :keeps :value
   :except [:overflow :underflow]
   :why "A product scales for nothing.", :types {s [:f64 []], y [:f64 [3 4]]}, :gen {s [1 2]}
   :examples [[[:div [:matmul x y] s] => [:scaled-matmul {:shape [2 4]} [:div 1.0 s] x y]]]
   :refuses [[[:div [:matmul x y] z] {z [:f64 [2 4]]}] [[:div [:matmul x y] s] {y [:f64 [3]]}]]}
  {:name :negated-product, :lhs [:neg [:matmul ?x ?y]]
   :rhs (fn [m] [:scaled-matmul {:shape (type/shape-of (:type m))} (number m -1.0) ?x ?y])
   :when #(matrices? % ?x ?y), :share :sole, :keeps :value
   :why "A product scales for nothing.", :types {y [:f64 [3 4]]}
   :examples [[[:neg [:matmul x y]] => [:scaled-matmul {:shape [2 4]} -1.0 x y]]]
   :refuses [[[:neg [:matmul j k]] {j [:i64 [2 3]], k [:i64 [3 4]]}]]}
  {:name :negated-scaled-product, :lhs [:neg [:scaled-matmul {:shape ?d} ?s ?x ?y]]
   :rhs [:scaled-matmul {:shape ?d} [:neg ?s] ?x ?y], :share :sole, :keeps :value
   :why "One number is negated.", :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:neg [:scaled-matmul {:shape [2 4]} s x y]]
               => [:scaled-matmul {:shape [2 4]} [:neg s] x y]]]}
  {:name :reshaped-product, :lhs [:reshape {:shape ?d} [:matmul ?x ?y]]
   :rhs (fn [m] [:scaled-matmul {:shape (m ?d)} (number m 1.0) ?x ?y])
   :when #(matrices? % ?x ?y), :share :sole, :keeps :value
   :why "A product lies as it is told to; no view has to be copied.", :types {y [:f64 [3 4]]}
   :examples [[[:reshape {:shape [8]} [:matmul x y]] => [:scaled-matmul {:shape [8]} 1.0 x y]]]
   :refuses [[[:reshape {:shape [8]} [:matmul j k]] {j [:i64 [2 3]], k [:i64 [3 4]]}]]}
  {:name :reshaped-scaled-product, :lhs [:reshape {:shape ?d} [:scaled-matmul ?s ?x ?y]]
   :rhs [:scaled-matmul {:shape ?d} ?s ?x ?y], :share :sole, :keeps :bits
   :why "A product lies as it is told to; no view has to be copied."
   :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:reshape {:shape [8]} [:scaled-matmul {:shape [2 4]} s x y]]
               => [:scaled-matmul {:shape [8]} s x y]]]}
  {:name :scaled-reshaped-product, :lhs [:mul ?s [:scaled-matmul {:shape ?d} 1 ?x ?y]]
   :rhs [:scaled-matmul {:shape ?d} ?s ?x ?y], :when #(rule/scalar? % ?s), :share :sole
   :keeps :value, :except [:overflow :underflow]
   :why "A product scales for nothing.", :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:mul s [:scaled-matmul {:shape [8]} 1.0 x y]]
               => [:scaled-matmul {:shape [8]} s x y]]]
   :refuses [[[:mul z [:scaled-matmul {:shape [8]} 1.0 x y]] {z [:f64 [8]]}]]})

;; ## Products onto what they are added to

(defn- multiple-of-state
  "[template of its factor, id] of a shared variable, or of a multiple of one; else nil."
  [{:keys [builder] :as m} id]
  (let [shared? #(= :shared (first (graph/node builder %)))
        scalar? #(empty? (type/shape-of (graph/node-type builder %)))
        [op _ p q] (graph/node builder id)]
    (case op
      :shared [(number m 1.0) id]
      :neg (when (shared? p) [(number m -1.0) p])
      :mul (cond (and (scalar? p) (shared? q)) [(rule/argument p) q]
                 (and (scalar? q) (shared? p)) [(rule/argument q) p])
      nil)))

(defn- as-long?
  "Have arrays of a shape as many elements as the root?"
  [{[_ to] :type} shape]
  (= (type/size to) (type/size shape)))

(defn- product-shape [m ?x ?y]
  (type/shape-of (op/result-type (op/entry :matmul) {} [(rule/type-of m ?x) (rule/type-of m ?y)])))

(defn- in-state?
  "Is ?c a shared variable of the type of the root, or a multiple of one? Where the state has a new
  value, that is written over the old one."
  [m ?c]
  (and (= (:type m) (rule/type-of m ?c)) (some? (multiple-of-state m (m ?c)))))

(defn- onto-state
  "The template of ± ?c + s · ?x ?y, of `sign` ?c."
  [m sign ?c s ?x ?y]
  (let [[beta c] (multiple-of-state m (m ?c))]
    [:gemm (rule/argument c) (if (= sign -) [:neg beta] beta) s ?x ?y]))

(defrules onto-states
  "Products that accumulate into state: momentum is μ·v + s·xᵀd in one pass."
  {:name :add-product, :lhs [:add ?c [:matmul ?x ?y]]
   :rhs (fn [m] (onto-state m + ?c (number m 1.0) ?x ?y))
   :when #(and (in-state? % ?c) (matrices? % ?x ?y) (as-long? % (product-shape % ?x ?y)))
   :share :sole, :keeps :drops-nan, :except [:zero-sign]
   :why "One pass over the state instead of two."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:add w [:matmul x y]] => [:gemm w 1.0 1.0 x y]]
              [[:add [:mul s w] [:matmul x y]] => [:gemm w s 1.0 x y]]
              [[:add [:neg w] [:matmul x y]] => [:gemm w -1.0 1.0 x y]]]
   :refuses [[[:add v [:matmul x y]] {v [:f64 [3 4]]}]
             [[:add w [:matmul x y]] {w [:shared [:i64 [3 4]]], x [:i64 [3 2]], y [:i64 [2 4]]}]
             [[:add w [:matmul x y]] {x [:f64 [1 2]]}]]}
  {:name :sub-product, :lhs [:sub ?c [:matmul ?x ?y]]
   :rhs (fn [m] (onto-state m + ?c (number m -1.0) ?x ?y))
   :when #(and (in-state? % ?c) (matrices? % ?x ?y) (as-long? % (product-shape % ?x ?y)))
   :share :sole, :keeps :drops-nan, :except [:zero-sign]
   :why "One pass over the state instead of two."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:sub w [:matmul x y]] => [:gemm w 1.0 -1.0 x y]]
              [[:sub [:mul s w] [:matmul x y]] => [:gemm w s -1.0 x y]]]
   :refuses [[[:sub v [:matmul x y]] {v [:f64 [3 4]]}]
             [[:sub w [:matmul x y]] {w [:shared [:i64 [3 4]]], x [:i64 [3 2]], y [:i64 [2 4]]}]
             [[:sub w [:matmul x y]] {x [:f64 [1 2]]}]]}
  {:name :product-less, :lhs [:sub [:matmul ?x ?y] ?c]
   :rhs (fn [m] (onto-state m - ?c (number m 1.0) ?x ?y))
   :when #(and (in-state? % ?c) (matrices? % ?x ?y) (as-long? % (product-shape % ?x ?y)))
   :share :sole, :keeps :drops-nan, :except [:zero-sign]
   :why "One pass over the state instead of two."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:sub [:matmul x y] w] => [:gemm w [:neg 1.0] 1.0 x y]]]
   :refuses [[[:sub [:matmul x y] v] {v [:f64 [3 4]]}]
             [[:sub [:matmul x y] w] {w [:shared [:i64 [3 4]]], x [:i64 [3 2]], y [:i64 [2 4]]}]
             [[:sub [:matmul x y] w] {x [:f64 [1 2]]}]]}
  {:name :add-scaled-product, :lhs [:add ?c [:scaled-matmul {:shape ?d} ?s ?x ?y]]
   :rhs (fn [m] (onto-state m + ?c ?s ?x ?y))
   :when #(and (in-state? % ?c) (as-long? % (% ?d)))
   :share :sole, :keeps :drops-nan, :except [:overflow :underflow :zero-sign]
   :why "One pass over the state instead of three."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:add w [:scaled-matmul {:shape [3 4]} 0.5 x y]] => [:gemm w 1.0 0.5 x y]]
              [[:add [:mul s w] [:scaled-matmul {:shape [3 4]} 0.5 x y]] => [:gemm w s 0.5 x y]]]
   :refuses [[[:add v [:scaled-matmul {:shape [3 4]} 0.5 x y]] {v [:f64 [3 4]]}]
             [[:add w [:scaled-matmul {:shape [1 4]} 0.5 x y]] {x [:f64 [1 2]]}]]}
  {:name :sub-scaled-product, :lhs [:sub ?c [:scaled-matmul {:shape ?d} ?s ?x ?y]]
   :rhs (fn [m] (onto-state m + ?c [:neg ?s] ?x ?y))
   :when #(and (in-state? % ?c) (as-long? % (% ?d)))
   :share :sole, :keeps :drops-nan, :except [:overflow :underflow :zero-sign]
   :why "One pass over the state instead of three."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:sub w [:scaled-matmul {:shape [3 4]} 0.5 x y]] => [:gemm w 1.0 -0.5 x y]]]
   :refuses [[[:sub v [:scaled-matmul {:shape [3 4]} 0.5 x y]] {v [:f64 [3 4]]}]
             [[:sub w [:scaled-matmul {:shape [1 4]} 0.5 x y]] {x [:f64 [1 2]]}]]}
  {:name :scaled-product-less, :lhs [:sub [:scaled-matmul {:shape ?d} ?s ?x ?y] ?c]
   :rhs (fn [m] (onto-state m - ?c ?s ?x ?y))
   :when #(and (in-state? % ?c) (as-long? % (% ?d)))
   :share :sole, :keeps :drops-nan, :except [:overflow :underflow :zero-sign]
   :why "One pass over the state instead of three."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], s [:f64 []]}
   :examples [[[:sub [:scaled-matmul {:shape [3 4]} 0.5 x y] w] => [:gemm w [:neg 1.0] 0.5 x y]]]
   :refuses [[[:sub [:scaled-matmul {:shape [3 4]} 0.5 x y] v] {v [:f64 [3 4]]}]
             [[:sub [:scaled-matmul {:shape [1 4]} 0.5 x y] w] {x [:f64 [1 2]]}]]})

;; ## Sums of products

(defn- in-own-memory?
  "Is the node one whose value lies in memory that its one reader may write on?"
  [b id]
  (contains? #{:contract :concat :cumulate :scatter :patch}
             (op/kind (graph/op-of (graph/node b id)))))

(defn- onto-value
  "The template of beta·p + sign·q, written onto p, where q is a product and p lies in memory; both
  of the type of the root; beta is a number. nil where they are no such nodes."
  [{:keys [builder type] :as m} ?p beta ?q sign]
  (let [[op {:keys [shape]} & args] (graph/node builder (m ?q)), signed #(if (= sign -) [:neg %] %)
        [x y :as matrices] (map rule/argument (take-last 2 args))]
    (when (and (= type (rule/type-of m ?p) (rule/type-of m ?q)) (rule/float? m ?p)
               (in-own-memory? builder (m ?p)))
      (case op
        :matmul (when (every? #(<= 2 (count (type/shape-of (graph/node-type builder %)))) args)
                  [:gemm ?p (number m beta) (signed (number m 1.0)) x y])
        :scaled-matmul [:gemm ?p (number m beta)
                        (signed (rule/argument (first args))) x y]
        nil))))

(defrules sums
  "Sums of products, each onto the one before; and onto other values that lie in memory."
  {:name :sum-with-product, :lhs [:add ?p ?q]
   :rhs (fn [m] (onto-value m ?p 1.0 ?q +))
   :share :arguments, :keeps :value, :why "No second array, and no pass that adds."
   :types {y [:f64 [3 4]], u [:f64 [2 5]], v [:f64 [5 4]], s [:f64 []], z [:f64 [2 4]]}
   :examples [[[:add [:matmul x y] [:matmul u v]] => [:gemm [:matmul x y] 1.0 1.0 u v]]
              [[:add [:matmul x y] [:scaled-matmul {:shape [2 4]} s u v]]
               => [:gemm [:matmul x y] 1.0 s u v]]
              [[:add [:cumsum {:axis 0} z] [:matmul u v]]
               => [:gemm [:cumsum {:axis 0} z] 1.0 1.0 u v]]]}
  {:name :product-off-value, :lhs [:sub ?p ?q]
   :rhs (fn [m] (or (onto-value m ?p 1.0 ?q -)
                    (onto-value m ?q -1.0 ?p +)))
   :share :arguments, :keeps :value, :why "No second array, and no pass that subtracts."
   :types {y [:f64 [3 4]], u [:f64 [2 5]], v [:f64 [5 4]], s [:f64 []]}
   :examples [[[:sub [:matmul x y] [:matmul u v]] => [:gemm [:matmul x y] 1.0 [:neg 1.0] u v]]]}
  {:name :sum-onto-state, :lhs [:add ?c [:gemm ?p 1 ?s ?x ?y]]
   :rhs (fn [m] [:gemm [:add ?c ?p] (number m 1.0) ?s ?x ?y])
   :when #(and (in-state? % ?c) (as-long? % (product-shape % ?x ?y)))
   :share :sole, :keeps :regroup
   :why "One product after the other accumulates into the state."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], z [:f64 [3 4]]}
   :examples [[[:add w [:gemm z 1.0 0.5 x y]] => [:gemm [:add w z] 1.0 0.5 x y]]]
   :refuses [[[:add v [:gemm z 1.0 0.5 x y]] {v [:f64 [3 4]]}]
             [[:add w [:gemm z 1.0 0.5 x y]] {x [:f64 [1 2]], z [:f64 [1 4]]}]]}
  {:name :sum-off-state, :lhs [:sub ?c [:gemm ?p 1 ?s ?x ?y]]
   :rhs (fn [m] [:gemm [:sub ?c ?p] (number m 1.0) [:neg ?s] ?x ?y])
   :when #(and (in-state? % ?c) (as-long? % (product-shape % ?x ?y)))
   :share :sole, :keeps :regroup
   :why "One product after the other accumulates into the state."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]], z [:f64 [3 4]]}
   :examples [[[:sub w [:gemm z 1.0 0.5 x y]] => [:gemm [:sub w z] 1.0 -0.5 x y]]]
   :refuses [[[:sub v [:gemm z 1.0 0.5 x y]] {v [:f64 [3 4]]}]
             [[:sub w [:gemm z 1.0 0.5 x y]] {x [:f64 [1 2]], z [:f64 [1 4]]}]]}
  {:name :scaled-sum, :lhs [:mul ?t [:gemm ?p 1 ?s ?x ?y]]
   :rhs (fn [m] [:gemm [:mul ?t ?p] (number m 1.0) [:mul ?t ?s] ?x ?y])
   :when #(and (rule/scalar? % ?t) (in-own-memory? (:builder %) (% ?p)))
   :share :sole, :keeps :regroup, :why "Each product scales for nothing."
   :types {y [:f64 [3 4]], u [:f64 [2 5]], v [:f64 [5 4]], t [:f64 []]}
   :examples [[[:mul t [:gemm [:matmul x y] 1.0 0.5 u v]]
               => [:gemm [:scaled-matmul {:shape [2 4]} t x y] 1.0 [:mul t 0.5] u v]]]
   :refuses [[[:mul z [:gemm [:matmul x y] 1.0 0.5 u v]] {z [:f64 [2 4]]}]
             [[:mul t [:gemm z 1.0 0.5 u v]] {z [:f64 [2 4]]}]]})

(def rules
  "The set of these rules."
  (rule/union :blas "Products that scale and accumulate by themselves."
              [factors onto-states sums steps/rules]))
