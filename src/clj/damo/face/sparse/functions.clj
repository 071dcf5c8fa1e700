(ns damo.face.sparse.functions
  "The functions of damo.sparse that make expressions: of the stored elements alone, rows, slices,
  matrices side by side, diagonals, and between formats. (structured d/exp s) is exp of what is
  stored."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.type :as type]
            [damo.face.sparse.calls :as calls]
            [damo.face.sparse.form :as form :refer [node]]
            [damo.face.sparse.merge :as merge]
            [damo.face.sparse.value :as value]
            [damo.face.tensors :as tensors]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- matrix [x] (form/symbolic (sparse/check-sparse! x)))

;; ## Between formats

(defn nnz
  "How many elements are stored, explicit zeros among them: an integer of a value, an expression,
  :i64, of an expression."
  [s]
  (if (sparse/value? (sparse/check-sparse! s))
    (first (tensors/shape (:data s)))
    (node :dim {:dim (form/nnz s)})))

(defn to-dense
  "The matrix as an array [m n]: of a value a tensor, of an expression an expression; an array as it
  is."
  [s]
  (cond (sparse/value? s) (value/to-dense s)
        (sparse/sparse? s) (form/to-dense s)
        :else s))

(defn to-csr
  "A sparse matrix or an array [m n] in compressed rows: of data a value, of an expression one. Of
  an array what is not 0 is stored; derivatives pass through that alone."
  [x]
  (form/as-format :csr x))

(defn to-csc
  "A sparse matrix or an array [m n] in compressed columns, as `to-csr` has it in rows."
  [x]
  (form/as-format :csc x))

(defn ensure-sorted
  "The matrix with the indices of each line in ascending order. They always are: values are checked
  when they are made, and what makes expressions keeps the order; here for who looks for it."
  [s]
  (sparse/check-sparse! s))

;; ## Stored elements alone

(defn- of-stored
  "The matrix with these elements in the places of those of s, of which its array is made: what
  passes through it is by what is stored, not by the whole."
  [s y]
  (form/with-data s (if (identical? y (:data s)) (form/twin y y) y) nil))

(defn structured
  "The matrix with f of each stored element, a function of an expression to one of its shape, such
  as d/exp. Where nothing is stored nothing is, whatever f of 0 is; its derivative has the pattern
  of s."
  [f s]
  (let [{:keys [data] :as s} (matrix s), y (f data)]
    (when-not (and (expr/expr? y) (= (expr/shape-of y) (expr/shape-of data)))
      (fail! :damo.sparse/not-elementwise
             (str "sp/structured takes a function of the stored elements, an expression "
                  (pr-str (expr/type-of data)) ", to one of their shape; it gave "
                  (expr/describe y))
             {:given y}))
    (of-stored s y)))

(defn structured-dot
  "a·b of a sparse matrix a and an array b, or the other way round. The derivative by the sparse one
  has its pattern."
  [a b]
  (let [as-stored #(if (sparse/sparse? %) (structured identity %) %)]
    (calls/call :dot [(as-stored a) (as-stored b)])))

(defn sampling-dot
  "p ∘ (x·yᵀ) for x [m k], y [n k] and a sparse p [m n]: of the pattern of p, and only there is the
  product computed."
  [x y p]
  (let [{:keys [format data indices starts] :as p} (matrix p), x (expr/whole x), y (expr/whole y)
        [m n] (:shape p)
        _ (dorun (map (fn [what [d & more :as shape] own]
                        (when-not (= 1 (count more))
                          (fail! :damo.sparse/bad-operand
                                 (str what " is a matrix; its shape is " (pr-str shape))
                                 {:shape shape}))
                        (type/unify-dims (str what " has a row for each line of the pattern") own
                                         d))
                      ["x" "y"] [(expr/shape-of x) (expr/shape-of y)] [m n]))
        [along across] (if (= :csr format) [x y] [y x])]
    (form/with-data p
      (node :mul {} data (node :sampled-dot {} indices starts along across))
      (node :mul {} (form/dense p) (node :dot {} x (node :transpose {} y))))))

(defn remove-zeros
  "The matrix without the stored elements that are 0."
  [s]
  (let [s (matrix s)] (merge/without-zeros s)))

;; ## Parts

(defn rows
  "The rows of s at the integers i, a vector, in which a row may come several times: a matrix in
  compressed rows."
  [s i]
  (merge/rows (matrix s) (expr/whole i)))

(defn slice
  "The rows and columns of s between bounds, [start stop] each, as slices of arrays have them: nil
  is an open end, negative numbers count from the end."
  ([s row-bounds] (slice s row-bounds [nil nil]))
  ([s row-bounds column-bounds] (merge/slice (matrix s) row-bounds column-bounds)))

(defn- all-of [what matrices]
  (when-not (and (sequential? matrices) (seq matrices))
    (fail! :damo.sparse/bad-operand
           (str what " takes a vector of sparse matrices, [a b]; got " (fail/value-text matrices))
           {:given matrices}))
  (mapv matrix matrices))

(defn hstack
  "The matrices, a vector, side by side, in the format of the first one."
  [matrices]
  (merge/stacked 1 (all-of "sp/hstack" matrices)))

(defn vstack
  "The matrices, a vector, one below the other, in the format of the first one."
  [matrices]
  (merge/stacked 0 (all-of "sp/vstack" matrices)))

;; ## Diagonals, and scales

(defn diagonal
  "The elements (i, i), a vector."
  [s]
  (let [{:keys [data] :as s} (matrix s), n (apply type/dim-min (:shape s))
        here (node :eq {} (form/rows s) (form/columns s))
        none (node :zeros {:shape [n], :dtype (sparse/dtype-of s)})]
    (form/twin (node :inc-at {:axis 0} none (node :where {} here (form/rows s) 0)
                     (node :where {} here data 0))
               (op/node :diagonal {} [(form/dense s)]))))

(defn diag
  "The square matrix, in compressed rows, with the vector v on its diagonal."
  [v]
  (let [v (expr/whole v), [n & more :as shape] (expr/shape-of v)
        counted #(node :iota {:shape [%], :axis 0})]
    (when-not (and n (empty? more))
      (fail! :damo.sparse/bad-operand (str "a diagonal is a vector; its shape is " (pr-str shape))
             {:shape shape}))
    (form/made :csr v (counted n) (counted (type/dim+ n 1)) [n n] (op/node :diag {} [v]))))

(defn scale-rows
  "diag(v)·s: each row of s [m n] times the element of v [m]."
  [s v]
  (let [v (expr/whole v)] (calls/call :mul [s (node :expand-dims {:axis [1]} v)])))

(defn scale-cols
  "s·diag(v): each column of s [m n] times the element of v [n]."
  [s v]
  (calls/call :mul [s (expr/whole v)]))
