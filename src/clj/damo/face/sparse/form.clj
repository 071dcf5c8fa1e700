(ns damo.face.sparse.form
  "Sparse matrices of expressions: how they are made, what they are as arrays, and the elements of
  arrays at their places. In: expressions of the parts. Out: matrices, and expressions of the form
  (sparse-twin fast dense), of which the second is what a derivative by the whole matrix is of."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.type :as type]
            [damo.face.sparse.value :as value]
            [damo.op :as op]
            [damo.ops.all])
  (:import [damo.data.sparse Sparse]))

(set! *warn-on-reflection* true)

(defn node
  "The expression (op attrs args), of what a user gives or of expressions."
  [op attrs & args]
  (op/node op attrs (vec args)))

(defn made
  "The matrix of these parts, expressions; `dense`, which may be nil, is the same as an array."
  [format data indices starts shape dense]
  (Sparse. format data indices starts shape (when dense {:dense dense})))

(defn with-data
  "The matrix with other elements in the places of those of s."
  [{:keys [format indices starts shape]} data dense]
  (made format data indices starts shape dense))

(defn symbolic
  "A sparse matrix as one of expressions, the parts of a value being constants."
  [{:keys [format data indices starts shape] :as s}]
  (if (sparse/symbolic? s)
    s
    (made format (expr/whole data) (expr/whole indices) (expr/whole starts) shape nil)))

(defn nnz
  "The dim of the number of elements that are stored."
  [{:keys [data]}]
  (first (expr/shape-of data)))

(defn- stored-dense [{:keys [format data indices starts] :as s}]
  (let [a (node :csr-dense {:columns (second (sparse/lines s))} data indices starts)]
    (if (= :csr format) a (node :transpose {} a))))

(defn dense
  "The matrix as an expression of an array, by which regular derivatives are taken."
  [s]
  (or (:dense s) (stored-dense s)))

(defn twin
  "The expression `fast`, which regular derivatives see as `dense`."
  [fast dense]
  (let [[dtype] (expr/type-of dense)]
    (node :sparse-twin {} (if (= dtype (type/dtype-of (expr/type-of fast)))
                            fast
                            (node :cast {:dtype dtype} fast))
          dense)))

(defn to-dense
  "The matrix as an expression of an array, computed of what is stored."
  [s]
  (if (:dense s) (twin (stored-dense s) (:dense s)) (stored-dense s)))

(defn line
  "The line, row or column, of each stored element."
  [{:keys [starts] :as s}]
  (node :csr-rows {:nnz (nnz s)} starts))

(defn rows
  "The row of each stored element."
  [{:keys [format indices] :as s}]
  (if (= :csr format) (line s) indices))

(defn columns
  "The column of each stored element."
  [{:keys [format indices] :as s}]
  (if (= :csr format) indices (line s)))

;; ## Elements of arrays at the stored places

(defn- outer!
  "Fails unless x, of at most two axes, broadcasts to the shape of s."
  [s x]
  (let [shape (expr/shape-of x), [m n] (:shape s)]
    (when (< 2 (count shape))
      (fail! :damo.sparse/bad-operand
             (str "an array beside a sparse matrix has at most two axes; its shape is "
                  (pr-str shape))
             {:shape shape}))
    (dorun (map (fn [own d] (when-not (= 1 d)
                              (type/unify-dims "the array broadcasts to the matrix" own d)))
                (take-last (count shape) [m n]) shape))))

(defn at
  "The elements of an array that broadcasts to the shape of s, at its stored places: a vector, or
  one number where the array is one."
  [s x]
  (outer! s x)
  (let [shape (expr/shape-of x), flat #(node :reshape {:shape [%]} x)
        [a b] (if (= 1 (count shape)) (cons 1 shape) shape)]
    (cond (every? #{1} shape) (node :reshape {:shape []} x)
          (= 1 a) (node :take {:axis 0} (flat b) (columns s))
          (= 1 b) (node :take {:axis 0} (flat a) (rows s))
          :else (node :take {:axis [0 1]} x (rows s) (columns s)))))

;; ## Formats

(defn transposed
  "The transpose, of the other format and with the same parts."
  [{:keys [format data indices starts shape] :as s}]
  (made (if (= :csr format) :csc :csr) data indices starts (vec (reverse shape))
        (node :transpose {} (dense s))))

(defn starts-in
  "Where so many lines begin in an ascending vector of the line of each element."
  [lines line]
  (let [from (node :iota {:shape [(type/dim+ lines 1)], :axis 0})]
    (node :searchsorted {:side :left} line from)))

(defn of-format
  "The matrix in the format, of the expressions of its parts."
  [format {:keys [data indices shape] :as s}]
  (if (= format (:format s))
    s
    (let [order (node :argsort {:axis 0} indices), [_ width] (sparse/lines s)
          in-order #(node :take {:axis 0} % order)]
      (made format (in-order data) (in-order (line s)) (starts-in width (in-order indices)) shape
            (dense s)))))

(defn of-dense
  "The matrix, in a format, of the elements of an expression of a matrix that are not 0."
  [format x]
  (let [{[m n :as shape] :shape} {:shape (expr/shape-of x)}]
    (when-not (= 2 (count shape))
      (fail! :damo.sparse/bad-matrix
             (str "a sparse matrix is made of a matrix; its type is " (pr-str (expr/type-of x)))
             {:type (expr/type-of x)}))
    (let [by-line (if (= :csr format) x (node :transpose {} x))
          [lines width] (if (= :csr format) [m n] [n m])
          flat (node :reshape {:shape [(type/dim* m n)]} by-line)
          places (node :flatnonzero {} (node :ne {} flat 0))
          extent (node :dim {:dim width})]
      (made format (node :take {:axis 0} flat places) (node :mod {} places extent)
            (starts-in lines (node :int-div {} places extent)) shape x))))

(defn matrix
  "x as a sparse matrix of expressions: a sparse one, or the one of an array, in compressed rows."
  [x]
  (cond (sparse/sparse? x) (symbolic x)
        :else (of-dense :csr (expr/whole x))))

(defn as-format
  "A sparse matrix or an array, value or expression, as a sparse matrix in the format; a value where
  x is data."
  [format x]
  (cond (sparse/value? x) (value/of-format format x)
        (sparse/sparse? x) (of-format format x)
        (expr/expr? x) (of-dense format x)
        :else (value/of-dense format x)))
