(ns damo.ops.linalg.build
  "Matrices made of blocks, of diagonals, of powers."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]))

(set! *warn-on-reflection* true)

;; ## Blocks

(defn- block-shape
  "The shape of an argument as matrices: a number as 1 × 1, a vector as a row."
  [shape]
  (case (count shape) 0 [1 1], 1 (into [1] shape), shape))

(defn- blocks-type [_ types]
  (when (empty? types)
    (fail! :damo.op.linalg/no-blocks "takes at least one matrix; got none" {}))
  (let [shapes (mapv (comp block-shape type/shape-of) types)
        lead (apply type/broadcast-shapes (map #(pop (pop %)) shapes))
        total (fn [k] (apply type/dim+ (map #(nth (vec (take-last 2 %)) k) shapes)))]
    [(ffirst types) (conj lead (total 0) (total 1))]))

(defn- extents [types k]
  (mapv #(nth (vec (take-last 2 (block-shape (type/shape-of %)))) k) types))

(defn- blocks-template [{:keys [types], [dtype shape] :type}]
  (let [lead (pop (pop shape)), rank (count shape)
        columns (extents types 1), rows (extents types 0)
        zeros (fn [m n] (typing/filled dtype (conj lead m n) 0))
        sum (fn [ds] (apply type/dim+ 0 ds))
        block (fn [k] [:broadcast-to {:shape (conj lead (rows k) (columns k))}
                       [:reshape {:shape (block-shape (type/shape-of (types k)))}
                        (symbol (str "?" k))]])
        row (fn [k]
              (let [before (sum (take k columns)), after (sum (drop (inc k) columns))
                    parts (cond-> []
                            (not= 0 before) (conj (zeros (rows k) before))
                            true (conj (block k))
                            (not= 0 after) (conj (zeros (rows k) after)))]
                (if (= 1 (count parts))
                  (first parts)
                  (into [:concatenate {:axis (dec rank)}] parts))))
        all (mapv row (range (count types)))]
    (if (= 1 (count all)) (first all) (into [:concatenate {:axis (- rank 2)}] all))))

(defn- blocks-value [_ & arrays]
  (let [types (mapv array/type-of arrays), [dtype shape] (blocks-type nil types)
        starts (fn [k] (vec (reductions + 0 (extents types k))))
        rows (starts 0), columns (starts 1)
        wide (mapv #(array/reshape % (block-shape (:shape %))) arrays)
        own (fn [{:keys [shape] :as x} lead i j]
              (let [from (drop-last 2 shape)]
                (array/at x (-> (mapv #(if (= 1 %2) 0 %1) (take-last (count from) lead) from)
                                (conj i j)))))]
    (array/from-indices
     dtype shape
     (fn [at]
       (let [[i j] (take-last 2 at), lead (drop-last 2 at)]
         (or (first (for [k (range (count wide))
                          :when (and (<= (rows k) i) (< i (rows (inc k)))
                                     (<= (columns k) j) (< j (columns (inc k))))]
                      (own (wide k) lead (- i (rows k)) (- j (columns k)))))
             0))))))

(defop block-diag
  "The matrices side by side along the diagonal of a matrix of zeros, SciPy's block_diag: of
  matrices [… m n], [… p q] … an array [… m+p+… n+q+…]; leading axes broadcast. A vector counts as a
  row, a number as a matrix of one element."
  {:kind :composite, :args :variadic, :attrs {}, :coerce :all
   :type blocks-type, :eval blocks-value, :expand blocks-template
   :gen (gens/on-shapes (fn [n] [[{} [n 2] [3 n]] [{} [2 n n] [1 2]] [{} [n] [2 2] []] [{} [n n]]
                                 [{} [2 1 n 2] [3 1 n]]]))
   :examples [[[:block-diag 1.0 [:add 2.0 [:iota {:shape [2]}]]] [[1.0 0.0 0.0] [0.0 2.0 3.0]]]]})

;; ## Constant diagonals

(defn- toeplitz-type [_ [[dtype c] [_ r]]]
  (when (or (empty? c) (empty? r))
    (fail! :damo.op.linalg/no-vector
           (str "takes the first column and the first row, vectors; their shapes are " (pr-str c)
                " and " (pr-str r))
           {:column c, :row r}))
  [dtype (conj (type/broadcast-shapes (pop c) (pop r)) (peek c) (peek r))])

(defn- toeplitz-template [{[[_ c] [_ r]] :types, [_ shape] :type}]
  (let [[m n] (take-last 2 shape), lead (pop (pop shape)), axis (count lead)
        off [:sub [:iota {:shape [m 1], :axis 0}] [:iota {:shape [1 n], :axis 1}]]
        picked (fn [x d t] [:take {:axis axis} [:broadcast-to {:shape (conj lead d)} x]
                            [:maximum 0 t]])]
    [:where [:ge off 0] (picked '?c (peek c) off) (picked '?r (peek r) [:neg off])]))

(defop toeplitz-of
  "The matrices [… m n] with first column c [… m] and first row r [… n], constant along diagonals;
  element 0 is that of c."
  {:kind :composite, :args [?c ?r], :attrs {}, :coerce [0 1]
   :internal "la/toeplitz"
   :type toeplitz-type
   :eval (fn [_ c r]
           (let [[dtype shape] (toeplitz-type nil (mapv array/type-of [c r]))
                 read (fn [{:keys [shape] :as x} lead k]
                        (array/at x (conj (mapv #(if (= 1 %2) 0 %1)
                                                (take-last (dec (count shape)) lead) shape) k)))]
             (array/from-indices dtype shape
                                 (fn [at]
                                   (let [[i j] (take-last 2 at), lead (drop-last 2 at)]
                                     (if (<= j i)
                                       (read c lead (- i j))
                                       (read r lead (- j i))))))))
   :expand toeplitz-template
   :gen (gens/on-shapes (fn [n] [[{} [n] [3]] [{} [n] [n]] [{} [2 n] [n]] [{} [2 1 3] [3 n]]]))
   :examples [[[:toeplitz-of [:iota {:shape [2], :axis 0}] [:mul 5 [:iota {:shape [3], :axis 0}]]]
               [[0 5 10] [1 0 5]]]]})

(defn call-toeplitz
  "The matrix with first column c [… m] and first row r [… n], constant along its diagonals, SciPy's
  toeplitz: [… m n]. Without r the row is the column: a symmetric matrix. Element 0 is that of c;
  leading axes broadcast."
  ([c] (call-toeplitz c c))
  ([c r] (op/node :toeplitz-of {} [c r])))

;; ## Powers

(defn- power-template
  "The template of t to the power n ≥ 1, by squaring."
  [t n]
  (cond (= 1 n) t
        (even? n) (let [half (power-template t (quot n 2))] [:matmul half half])
        :else [:matmul (power-template t (dec n)) t]))

(defn- power-value [{:keys [n]} {:keys [shape] :as x}]
  (let [k (peek shape)]
    (first (base/each (fn [a _ _] [(reduce (fn [p _] (base/times p k k a k)) (base/identity k)
                                           (range n))])
                      [[k k]] x))))

(defop matrix-power
  "Square matrices [… n n] to an integer power :n, by squaring: of 0 the identity, of a negative one
  the power of the inverse."
  {:kind :composite, :args [?a], :matrices #{0}
   :attrs {:n {:is :integer, :doc "the power, an integer"}}
   :type (fn [_ [[_ shape :as type]]] (forms/check-square type) type)
   :expand (fn [{{:keys [n]} :attrs, [[dtype shape]] :types}]
             (cond (zero? n) [:add [:mul 0 ?a] (forms/unit dtype (peek shape))]
                   (neg? n) (power-template [:inv ?a] (-' n))
                   :else (power-template ?a n)))
   :gen (forms/of-matrices forms/random-matrices
                           (fn [n] [[{:n 2} [n n]] [{:n 3} [2 n n]] [{:n 1} [n n]] [{:n 0} [n n]]
                                    [{:n 5} [n 2 2]]]))
   :examples [[[:matrix-power {:n 3} [:diag [:add 1.0 [:iota {:shape [2]}]]]]
               [[1.0 0.0] [0.0 8.0]]]]})
