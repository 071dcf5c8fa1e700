(ns damo.sparse
  "Sparse matrices, in compressed rows or columns: values, inputs, and what the functions of
  damo.core, which take sparse matrices as well, do not say.
  (def a (sp/input 'a :csr [:f32 ['m 'n]])) (def y (d/dot a x))."
  (:require [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.face.parameters :as parameters]
            [damo.face.sparse.functions :as functions]
            [damo.face.sparse.leaf :as leaf]
            [damo.face.sparse.value :as value]
            [damo.io.market :as market]
            [damo.op.home :as home]))

(set! *warn-on-reflection* true)

(home/export-ops)

(defmacro ^:private export
  "Functions under their own names here, their failures in the words of the call."
  [& functions]
  `(do ~@(for [f functions, :let [{:keys [doc arglists]} (meta (resolve f))]]
           `(def ~(with-meta (symbol (name f)) {:doc doc, :arglists `'~arglists})
              (explain/explained ~(keyword (name f)) ~f)))))

(defn csr
  "A sparse matrix in compressed rows, of a map of vectors, Java arrays or tensors: :data, the
  stored elements row by row; :indices, their columns, ascending in each row; :starts, where each
  row begins and the last one ends; :shape [m n]. Disorder, repetition and what is out of range fail
  and are named with their place; :canonical true sorts, and adds up what is stored twice."
  [parts]
  (value/compressed :csr parts))

(defn csc
  "A sparse matrix in compressed columns: as `csr`, with the columns and rows changed about."
  [parts]
  (value/compressed :csc parts))

(defn coo
  "A sparse matrix of elements in any order: a map of :data, :rows, :cols and :shape [m n]. Those of
  one place add up. In compressed rows, or with :format :csc in columns."
  [parts]
  (value/coo parts))

(export leaf/input functions/nnz functions/to-dense functions/to-csr functions/to-csc
        functions/ensure-sorted functions/structured functions/structured-dot
        functions/sampling-dot functions/remove-zeros functions/rows functions/slice
        functions/hstack functions/vstack functions/diagonal functions/diag functions/scale-rows
        functions/scale-cols)

;; ## Files

(defn read-matrix-market
  "The matrix in a Matrix Market file, gzipped or not: of coordinates a sparse one, in compressed
  rows, of an array a tensor. Fields real (:f64), integer (:i64) and pattern (ones, :f64); general,
  symmetric and skew-symmetric ones. What is wrong is named with its line."
  [file]
  (let [{:keys [format] :as entries} (market/read-entries file)
        matrix (value/coo (dissoc entries :format))]
    (if (= format "array") (value/to-dense matrix) matrix)))

(defn write-matrix-market
  "Writes a sparse matrix, a value, as a Matrix Market file of coordinates, whole or not at all;
  returns the file."
  [file s]
  (when-not (sparse/value? s)
    (fail! ::not-a-value
           (str "write-matrix-market: what is written is the value of a sparse matrix; got "
                (expr/describe s))
           {:given s, :try "(d/eval s {…}) of an expression, (sp/to-csr x) of an array"}))
  (let [{:keys [rows cols data]} (value/triples s)]
    (market/write-entries! file (:shape s) (sparse/dtype-of s) rows cols data)))

(parameters/guard! *ns*)
