(ns damo.rules.contractions
  "Matrix products in cheaper orders and numbers: chains by the sizes of their matrices, one product
  for two that share a factor or that a sum over leading axes adds up, sums of rows before products.
  (AB)v → A(Bv); AB + AC → A(B + C); Σ_b X_b Y_b → one product."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- shape-at [{:keys [builder]} id] (type/shape-of (graph/node-type builder id)))

;; ## Chains

(def ^:private longest
  "The most matrices of one chain; longer ones are ordered in parts, since the work is cubic."
  12)

(defn- chain
  "The matrices of a product of products of matrices, ids in order; products with other users are
  one."
  [{:keys [builder] :as m} ids]
  (mapcat (fn [id]
            (let [[op _ & args] (graph/node builder id)]
              (if (and (= :matmul op) (rule/sole? m id)) (chain m args) [id])))
          ids))

(defn- from-one
  "A number of operations with each dim 1 more than it is: what is compared are sizes from 1 on."
  [d]
  (type/substitute (into {} (map (fn [s] [s [:+ s 1]])) (type/dim-symbols d)) d))

(defn- cheaper
  "The cheaper of two ways [operations template], the first where they cost the same; :unknown where
  neither is for all sizes."
  [[a :as x] [b :as y]]
  (cond (or (= :unknown x) (= :unknown y)) :unknown
        (type/at-most? (from-one a) (from-one b)) x
        (type/at-most? (from-one b) (from-one a)) y
        :else :unknown))

(defn- product-of
  "[operations template] of the product of two ways, matrices [p q] and [q r]."
  [x y p q r]
  (if (or (= :unknown x) (= :unknown y))
    :unknown
    [(type/dim+ (first x) (first y) (type/dim* p q r)) [:matmul (second x) (second y)]]))

(defn- best-orders
  "{[i j] way} of the chain of matrices i … j-1, whose extents are dims i … j."
  [ids dims]
  (reduce (fn [best [i j]]
            (assoc best [i j]
                   (reduce cheaper
                           (for [k (range (dec j) i -1)]
                             (product-of (best [i k]) (best [k j]) (dims i) (dims k) (dims j))))))
          (into {} (map-indexed (fn [i id] [[i (inc i)] [0 (rule/argument id)]])) ids)
          (for [n (range 2 (inc (count ids))), i (range (inc (- (count ids) n)))] [i (+ i n)])))

(defn- written
  "The template and the operations of a product as it is written."
  [{:keys [builder] :as m} ids id args]
  (if (and args (not-any? #{id} ids))
    (let [[x y] (map #(let [[op _ & more] (graph/node builder %)]
                        (written m ids % (when (= :matmul op) more)))
                     args)
          [p q] (shape-at m (first args)), r (peek (shape-at m (second args)))]
      (product-of x y p q r))
    [0 (rule/argument id)]))

(defn- reordered
  "The template of a chain of matrices in the order of the least operations; nil where that is the
  one that is written, or known for some sizes alone."
  [{:keys [args] :as m}]
  (let [ids (vec (chain m args))]
    (when (and (< 2 (count ids) (inc longest)) (every? #(= 2 (count (shape-at m %))) ids))
      (let [dims (into [(first (shape-at m (first ids)))] (map #(peek (shape-at m %))) ids)
            best (get (best-orders ids dims) [0 (count ids)])
            [operations] (written m ids nil args)]
        (when (and (not= :unknown best) (not= operations (first best))
                   (type/at-most? (from-one (first best)) (from-one operations)))
          (second best))))))

(defrules chains
  "Chains of matrix products in the order of the least operations."
  {:name :matrix-chain, :lhs [:matmul ?x ?y], :rhs reordered, :share :asked, :keeps :regroup
   :why "Products of small matrices first: (AB)v takes as many operations as AB, A(Bv) two vectors."
   :types {x [:f64 [4 5]], y [:f64 [5 6]], z [:f64 [6 1]], a [:f64 [1 4]]}
   :examples [[[:matmul [:matmul x y] z] => [:matmul x [:matmul y z]]]
              [[:matmul a [:matmul x y]] => [:matmul [:matmul a x] y]]
              [[:matmul [:matmul a [:matmul x y]] z] => [:matmul a [:matmul x [:matmul y z]]]]]})

;; ## Products with a common factor

(defn- same-types? [m ?x ?y] (= (rule/type-of m ?x) (rule/type-of m ?y)))

(defrules common-factors
  "One product for two that share a factor, with a sum of the others in its place."
  {:name :common-left-factor, :lhs [:add [:matmul ?a ?x] [:matmul ?a ?y]], :within :sum
   :rhs [:matmul ?a [:add ?x ?y]], :when #(same-types? % ?x ?y), :share :sole, :keeps :regroup
   :why "One product instead of two.", :types {a [:f64 [4 2]]}
   :examples [[[:add [:matmul a x] [:matmul a y]] => [:matmul a [:add x y]]]]
   :refuses [[[:add [:matmul a x] [:matmul a y]] {x [:f64 [2 3]], y [:f64 [2 1]]}]]}
  {:name :common-right-factor, :lhs [:add [:matmul ?x ?a] [:matmul ?y ?a]], :within :sum
   :rhs [:matmul [:add ?x ?y] ?a], :when #(same-types? % ?x ?y), :share :sole, :keeps :regroup
   :why "One product instead of two.", :types {a [:f64 [3 4]]}
   :examples [[[:add [:matmul x a] [:matmul y a]] => [:matmul [:add x y] a]]]
   :refuses [[[:add [:matmul x a] [:matmul y a]] {x [:f64 [2 3]], y [:f64 [1 3]]}]]}
  {:name :common-left-factor-of-difference, :lhs [:sub [:matmul ?a ?x] [:matmul ?a ?y]]
   :within :sum, :rhs [:matmul ?a [:sub ?x ?y]], :when #(same-types? % ?x ?y), :share :sole
   :keeps :regroup, :why "One product instead of two.", :types {a [:f64 [4 2]]}
   :examples [[[:sub [:matmul a x] [:matmul a y]] => [:matmul a [:sub x y]]]]
   :refuses [[[:sub [:matmul a x] [:matmul a y]] {x [:f64 [2 3]], y [:f64 [2 1]]}]]}
  {:name :common-right-factor-of-difference, :lhs [:sub [:matmul ?x ?a] [:matmul ?y ?a]]
   :within :sum, :rhs [:matmul [:sub ?x ?y] ?a], :when #(same-types? % ?x ?y), :share :sole
   :keeps :regroup, :why "One product instead of two.", :types {a [:f64 [3 4]]}
   :examples [[[:sub [:matmul x a] [:matmul y a]] => [:matmul [:sub x y] a]]]
   :refuses [[[:sub [:matmul x a] [:matmul y a]] {x [:f64 [2 3]], y [:f64 [1 3]]}]]})

;; ## Sums of products over leading axes

(defn- in-base
  "The axes of the array below the transposes of node `id` that its own axes are."
  [{:keys [builder] :as m} id]
  (let [[op {:keys [axes]} x] (graph/node builder id)]
    (if (= :transpose op)
      (mapv (in-base m x) axes)
      (vec (range (count (shape-at m id)))))))

(defn- together?
  "Do these axes of node `id`, in this order, lie one after the other in what it is a view of? Then
  they are one axis of another view."
  [m id axes]
  (let [own (map (in-base m id) axes)]
    (= own (range (first own) (+ (first own) (count own))))))

(defn- rows-first
  "The template of the stack of matrices `id`, in front the leading axes `left`, then the others,
  `summed`, and the axis `inner`, over which the product sums, as one, then the axis `outer`."
  [m id left summed inner outer]
  (let [shape (shape-at m id), at #(mapv shape %)]
    [:reshape {:shape (-> (at left)
                          (conj (apply type/dim* (shape inner) (at summed)) (shape outer)))}
     [:transpose {:axes (-> (vec left) (into summed) (conj inner outer))} (rule/argument id)]]))

(defn- one-product
  "The template of the sum of a stack of products over some of its leading axes, where that copies
  no more than the stack has elements."
  [{:keys [attrs builder args] :as m}]
  (let [[_ _ x y] (graph/node builder (first args)), rank (count (shape-at m (first args)))
        lead (- rank 2), summed (:axis attrs), left (vec (remove (set summed) (range lead)))
        [of-x of-y] (map #(shape-at m %) [x y]), [rows columns] [lead (inc lead)]
        cheap? (fn [id inner kept] (or (together? m id (conj summed inner))
                                       (type/at-most? (nth (shape-at m id) inner) kept)))]
    (when (and (seq summed) (every? #(< % lead) summed) (= rank (count of-x) (count of-y))
               (= (subvec of-x 0 lead) (subvec of-y 0 lead))
               (cheap? x columns (of-y columns)) (cheap? y rows (of-x rows)))
      [:matmul
       [:transpose {:axes (-> (vec (range (count left))) (conj (inc (count left)) (count left)))}
        (rows-first m x left summed columns rows)]
       (rows-first m y left summed rows columns)])))

(defrules stacks
  "Sums of products over leading axes as one product: the gradient of the weights of a batch."
  {:name :sum-of-products, :lhs [:sum {:keepdims false} [:matmul ?x ?y]], :rhs one-product
   :share :sole, :keeps :value, :except [:overflow :underflow :zero-sign]
   :why "One product with a long inner axis; no stack of products is stored."
   :types {x [:f64 [5 2 3]], y [:f64 [5 2 4]], z [:f64 [6 5 2 3]], u [:f64 [6 5 2 4]]}
   :examples [[[:sum {:axis 0} [:matmul [:transpose {:axes [0 2 1]} x] y]]
               => [:matmul [:transpose [:reshape {:shape [10 3]} x]]
                   [:reshape {:shape [10 4]} y]]]
              [[:sum {:axis 1} [:matmul [:transpose {:axes [0 1 3 2]} z] u]]
               => [:matmul [:transpose {:axes [0 2 1]} [:reshape {:shape [6 10 3]} z]]
                   [:reshape {:shape [6 10 4]} u]]]]})

;; ## Sums of rows and columns of products

(defn- matrices? [m & names] (every? #(= 2 (rule/rank-of m %)) names))

(defrules margins
  "Sums over the rows or columns of a product, of what it is made of."
  {:name :sum-of-rows-of-product, :lhs [:sum {:axis [0] :keepdims false} [:matmul ?x ?y]]
   :rhs (fn [m] [:reshape {:shape (type/shape-of (:type m))}
                 [:matmul [:reshape {:shape [1 (peek (rule/shape-of m ?x))]} [:sum {:axis [0]} ?x]]
                  ?y]])
   :when #(matrices? % ?x ?y), :share :sole, :keeps :regroup
   :why "A product with one row.", :types {y [:f64 [3 4]]}
   :examples [[[:sum {:axis 0} [:matmul x y]]
               => [:reshape {:shape [4]}
                   [:matmul [:reshape {:shape [1 3]} [:sum {:axis 0} x]] y]]]]
   :refuses [[[:sum {:axis 0} [:matmul x y]] {x [:f64 [2 2 3]]}]]}
  {:name :sum-of-columns-of-product, :lhs [:sum {:axis [1] :keepdims false} [:matmul ?x ?y]]
   :rhs (fn [m] [:reshape {:shape (type/shape-of (:type m))}
                 [:matmul ?x
                  [:reshape {:shape [(first (rule/shape-of m ?y)) 1]} [:sum {:axis [1]} ?y]]]])
   :when #(matrices? % ?x ?y), :share :sole, :keeps :regroup
   :why "A product with one column.", :types {y [:f64 [3 4]]}
   :examples [[[:sum {:axis 1} [:matmul x y]]
               => [:reshape {:shape [2]}
                   [:matmul x [:reshape {:shape [3 1]} [:sum {:axis 1} y]]]]]]
   :refuses [[[:sum {:axis 1} [:matmul x y]] {x [:f64 [2 2 3]]}]]}
  {:name :sum-of-product, :lhs [:sum {:axis [0 1] :keepdims false} [:matmul ?x ?y]]
   :rhs [:sum {:axis [0]} [:mul [:sum {:axis [0]} ?x] [:sum {:axis [1]} ?y]]]
   :when #(matrices? % ?x ?y), :share :sole, :keeps :regroup
   :why "No product of matrices at all.", :types {y [:f64 [3 4]]}
   :examples [[[:sum [:matmul x y]]
               => [:sum [:mul [:sum {:axis 0} x] [:sum {:axis 1} y]]]]]
   :refuses [[[:sum {:axis [0 1]} [:matmul x y]] {x [:f64 [2 2 3]]}]]})

(def families "The families of this namespace." [chains common-factors stacks margins])
