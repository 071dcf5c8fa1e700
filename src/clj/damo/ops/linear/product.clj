(ns damo.ops.linear.product
  "Matrix products."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## Types

(defn- check-inner
  "Fails unless the extents kx of x and ky of y, over which a product sums, are equal."
  [x kx y ky]
  (when-not (= kx ky)
    (fail! :damo.op.linear/shape-mismatch
           (str "the inner dimension must agree: x is " (pr-str x) ", with " (pr-str kx)
                "; y is " (pr-str y) ", with " (pr-str ky))
           {:x x, :y y, :expected kx, :given ky})))

(defn- inner-axis
  "The axis of y that a product sums over: the last but one, or the only one."
  [y]
  (max 0 (- (count y) 2)))

(defn- without-axis [shape axis]
  (typing/replace-axis shape axis []))

(defn- check-operands [[dx x] [_ y]]
  (typing/check-dtype :num dx)
  (when (or (empty? x) (empty? y))
    (fail! :damo.op.linear/scalar-operand
           (str "takes operands with at least one axis; x is " (pr-str x)
            ", y is " (pr-str y))
           {:x x, :y y})))

(defn- batch-shape [x y]
  (let [lead (fn [s] (subvec s 0 (max 0 (- (count s) 2))))]
    (type/broadcast-shapes (lead x) (lead y))))

(defn- matmul-type [_ [[dtype x :as tx] [_ y :as ty]]]
  (check-operands tx ty)
  (check-inner x (peek x) y (nth y (inner-axis y)))
  [dtype (cond-> (batch-shape x y)
           (< 1 (count x)) (conj (nth x (- (count x) 2)))
           (< 1 (count y)) (conj (peek y)))])

;; ## matmul

(defn- as-matrix
  "The argument as an array of rank ≥ 2: x becomes a row, y a column."
  [{:keys [shape] :as a} side]
  (if (= 1 (count shape))
    (array/reshape a (if (= side :x) (into [1] shape) (conj shape 1)))
    a))

(defn- matrices-product [{x :shape :as a} {y :shape :as b}]
  (let [batch (batch-shape x y)
        lead (fn [s] (array/broadcast-strides batch (subvec s 0 (- (count s) 2))
                                              (drop-last 2 (array/strides s))))
        k (peek x), n (peek y)]
    (array/dots (conj batch (nth x (- (count x) 2)) n) k
                [a (conj (lead x) k 0) 1]
                [b (conj (lead y) 0 1) n])))

(defn- matmul-value [_ {x :shape :as a} {y :shape :as b}]
  (let [[_ shape] (matmul-type nil [(array/type-of a) (array/type-of b)])]
    (array/reshape (matrices-product (as-matrix a :x) (as-matrix b :y)) shape)))

(defn- matmul-expansion
  "With a vector: as a product of matrices. Of two vectors of floats: as a sum of products, which
  adds up more exactly than the library does, and in one loop with what makes them. Products of
  matrices stay."
  [{[[dtype x] [_ y]] :types, [_ shape] :type}]
  (cond
    (and (= 1 (count x) (count y)) (type/float-dtype? dtype)) [:sum {:axis [0]} [:mul '?x '?y]]
    (= 1 (min (count x) (count y)))
    [:reshape {:shape shape}
     [:matmul
      (if (= 1 (count x)) [:expand-dims {:axis [0]} '?x] '?x)
      (if (= 1 (count y)) [:expand-dims {:axis [1]} '?y] '?y)]]))

(defn- transposed [rank t]
  [:transpose {:axes (vec (concat (range (- rank 2)) [(dec rank) (- rank 2)]))} t])

(defn- summed-to [shape from t]
  (if (= shape from) t [:sum-to {:shape shape} t]))

(defn- matmul-transpose
  "Gradients by x and y of a product of matrices, g·yᵀ and xᵀ·g, summed over the axes along which
  the operand was broadcast; vectors count as matrices with one row or column."
  [{[[_ x] [_ y]] :types, [_ out] :type}]
  (let [x2 (if (= 1 (count x)) (into [1] x) x)
        y2 (if (= 1 (count y)) (conj y 1) y)
        batch (batch-shape x2 y2)
        g2 (conj batch (nth x2 (- (count x2) 2)) (peek y2))
        shaped (fn [from to t] (if (= from to) t [:reshape {:shape to} t]))
        g (shaped out g2 '?g)
        dx [:matmul g (transposed (count y2) (shaped y y2 '?y))]
        dy [:matmul (transposed (count x2) (shaped x x2 '?x)) g]]
    [(shaped x2 x (summed-to x2 (into batch (take-last 2 x2)) dx))
     (shaped y2 y (summed-to y2 (into batch (take-last 2 y2)) dy))]))

(defop matmul
  "The matrix product [… m k] × [… k n] → [… m n]; leading axes broadcast. A vector x is a row, a
  vector y a column, and that axis is dropped again."
  {:kind :contract, :args [?x ?y], :coerce [0 1], :type matmul-type
   :eval matmul-value, :expand matmul-expansion
   :linear-in #{0 1}, :transpose matmul-transpose
   :gen (gens/on-shapes
         (fn [n] [[{} [n 3] [3 n]] [{} [3 n] [n 2]] [{} [n n] [n n]] [{} [2 n 3] [3 n]]
                  [{} [2 1 n 2] [3 2 n]]
                  [{} [n] [n]] [{} [n] [n 3]] [{} [3 n] [n]] [{} [2 3 n] [n]] [{} [3] [2 3 n]]
                  [{} [1 n 2] [2 2 n]]]))
   :examples [[[:matmul [:iota {:shape [4], :axis 0}] [:iota {:shape [4], :axis 0}]] 14]]})

;; ## dot and outer

(defn- dot-type [_ [[dtype x] [_ y]]]
  (typing/check-dtype :num dtype)
  (if (or (empty? x) (empty? y))
    [dtype (into x y)]
    (do (check-inner x (peek x) y (nth y (inner-axis y)))
        [dtype (into (pop x) (without-axis y (inner-axis y)))])))

(defn- dot-value [_ {x :shape, dtype :dtype :as a} {y :shape :as b}]
  (if (or (empty? x) (empty? y))
    (array/map-elements dtype (if (type/float-dtype? dtype) * unchecked-multiply) [a b])
    (let [axis (inner-axis y)
          lead-x (pop x), rest-y (without-axis y axis)]
      (array/dots (into lead-x rest-y) (peek x)
                  [a (into (pop (array/strides x)) (map (constantly 0)) rest-y) 1]
                  [b (into (mapv (constantly 0) lead-x) (without-axis (array/strides y) axis))
                   (nth (array/strides y) axis)]))))

(defn- as-columns
  "The template of y [… k n] as a matrix [k …·n]."
  [y]
  (let [axis (inner-axis y)
        others (remove #{axis} (range (count y)))]
    [:reshape {:shape [(nth y axis) (apply type/dim* (without-axis y axis))]}
     [:transpose {:axes (into [axis] others)} '?y]]))

(defn- dot-expansion [{[[_ x] [_ y]] :types, [_ shape] :type}]
  (let [rows (fn [] [:reshape {:shape [(apply type/dim* (pop x)) (peek x)]} '?x])]
    (cond (or (empty? x) (empty? y)) [:mul '?x '?y]
          (or (= 1 (count x)) (and (= 2 (count x)) (<= (count y) 2))) [:matmul '?x '?y]
          (<= (count y) 2) [:reshape {:shape shape} [:matmul (rows) '?y]]
          :else [:reshape {:shape shape} [:matmul (rows) (as-columns y)]])))

(defop dot
  "NumPy's dot: the product of scalars, of vectors (a sum), of matrices; in general the sum over
  the last axis of x and the last but one of y (the last, when y is a vector), with the other axes
  of x, then of y."
  {:kind :composite, :args [?x ?y], :coerce [0 1], :type dot-type
   :eval dot-value, :expand dot-expansion
   :gen (gens/on-shapes
         (fn [n] [[{} [n 3] [3 n]] [{} [n] [n]] [{} [] [n]] [{} [n 2] []]
                  [{} [2 3 n] [n 2]] [{} [2 3 n] [n]]
                  [{} [n] [2 n 3]] [{} [3 n] [2 n 2]] [{} [2 3 n] [2 n 2]] [{} [] []]]))
   :examples [[[:dot 2.0 3.0] 6.0]]})

(defop outer
  "The products x_i · y_j of all elements of x and of y, each flattened first, [m] and [n] → [m n]."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (fn [_ [[dtype x] [_ y]]]
           (typing/check-dtype :num dtype)
           [dtype [(type/size x) (type/size y)]])
   :eval (fn [_ {x :shape, dtype :dtype :as a} {y :shape :as b}]
           (array/map-elements dtype (if (type/float-dtype? dtype) * unchecked-multiply)
                               [(array/reshape a [(array/size x) 1])
                                (array/reshape b [1 (array/size y)])]))
   :expand (fn [{[[_ x] [_ y]] :types}]
             [:mul
              [:reshape {:shape [(type/size x) 1]} ?x]
              [:reshape {:shape [1 (type/size y)]} ?y]])
   :gen (gens/on-shapes (fn [n] [[{} [n] [3]] [{} [3] [n]] [{} [2 n] [n]] [{} [] [n]]]))
   :examples [[[:sum [:outer [:iota {:shape [3] :axis 0}] [:iota {:shape [3] :axis 0}]]] 9]]})
