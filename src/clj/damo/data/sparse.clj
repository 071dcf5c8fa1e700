(ns damo.data.sparse
  "Sparse matrices as users hold them, values and expressions alike: a format, three arrays and a
  shape. In the format :csr `data` [nnz] are the stored elements row by row, `indices` [nnz] their
  columns, `starts` [m+1] where rows begin and the last one ends; :csc has these of the transpose.
  (:data s), (:shape s) and the like read the parts."
  (:require [clojure.string :as str]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.later :as later]
            [damo.data.type :as type])
  (:import [clojure.lang ILookup]
           [damo.tensor DType Tensor]
           [java.lang AutoCloseable]))

(set! *warn-on-reflection* true)

(declare text)

;; No map: what walks maps and options must not take a matrix apart. `more` is a map: of a leaf its
;; :leaf, :input or :shared, and :name, and :extents, an array without elements whose shape tells
;; the matrix's; of other expressions :dense, the same as an array.
(deftype Sparse [format data indices starts shape more]
  ILookup
  (valAt [this k] (.valAt this k nil))
  (valAt [_ k default]
    (case k
      :format format, :data data, :indices indices, :starts starts, :shape shape
      (get more k default)))
  AutoCloseable
  (close [_] (run! #(.close ^AutoCloseable %) [data indices starts]))
  Object
  (toString [this] (text this)))

(defn sparse?
  "Is x a sparse matrix, a value or an expression?"
  [x]
  (instance? Sparse x))

(defn among?
  "Is there a sparse matrix among these arguments?"
  [args]
  (loop [args (seq args)]
    (and args (or (sparse? (first args)) (recur (next args))))))

(defn value?
  "Is x a sparse matrix of tensors?"
  [x]
  (and (sparse? x) (instance? Tensor (:data x))))

(defn symbolic?
  "Is x a sparse matrix of expressions?"
  [x]
  (and (sparse? x) (expr/expr? (:data x))))

(defn dtype-of
  "The dtype of the stored elements."
  [{:keys [data]}]
  (if (expr/expr? data)
    (type/dtype-of (expr/type-of data))
    (keyword (.label ^DType (.dtype ^Tensor data)))))

(defn type-of
  "[dtype [m n]], the type of the same matrix as an array."
  [s]
  [(dtype-of s) (:shape s)])

(defn lines
  "[lines width]: in :csr the numbers of rows and columns, in :csc those of columns and rows."
  [{[m n] :shape, :keys [format]}]
  (if (= :csr format) [m n] [n m]))

(defn of-format
  "The format, when it is one; else fails."
  [format]
  (fail/check-name! {:kind :damo.sparse/unknown-format, :what "format", :of " of sparse matrices"
                     :key :format}
                    [:csr :csc] format)
  format)

(defn parts
  "What the parts of a leaf of that format and name are called, as symbols: :data, :indices, :starts
  and :extents."
  [format leaf-name]
  (let [[indices starts] (if (= :csr format) ["columns" "row-starts"] ["rows" "column-starts"])]
    (update-vals {:data "data", :indices indices, :starts starts, :extents "shape"}
                 #(symbol (str leaf-name "." %)))))

(defn part-types
  "The types of these parts for a matrix of that dtype and shape with integers of the dtype `index`
  and `nnz` stored elements, a dim."
  [format [dtype shape] index nnz]
  (let [[lines] (lines {:format format, :shape shape})]
    {:data [dtype [nnz]], :indices [index [nnz]], :starts [index [(type/dim+ lines 1)]]
     :extents [:bool (conj shape 0)]}))

(defn- stored-text [s]
  (str (first (if (value? s) (vec (.shape ^Tensor (:data s))) (expr/shape-of (:data s))))))

(defn text
  "A sparse matrix as one line."
  [s]
  (str "#damo/sparse " (str/join " " (cond->> [(:format s) (pr-str (type-of s)) (stored-text s)
                                               "stored"]
                                       (:name s) (cons (:name s))))))

(defmethod print-method Sparse [s ^java.io.Writer w]
  (.write w ^String (text s)))

(when-let [dispatch (some-> (find-ns 'clojure.pprint) (ns-resolve 'simple-dispatch) deref)]
  (.addMethod ^clojure.lang.MultiFn dispatch Sparse pr))

;; ## The arrays that a matrix is, as results of functions

(defn- width-of
  "The expression of the number of elements of a line, where that is no integer."
  [s]
  (let [[_ width] (lines s)]
    (when-not (integer? width)
      (expr/->Expr :dim {:dim width} [] [:i64 []] nil nil))))

(defn arrays
  "The expressions that a matrix of expressions is, by what they are: :data, :indices, :starts, and
  :width where only a call tells how long lines are."
  [{:keys [data indices starts] :as s}]
  (let [width (width-of s)]
    (cond-> (array-map :data data, :indices indices, :starts starts)
      width (assoc :width width))))

(defn- shape-of-values [{:keys [format shape]} {:keys [starts width]}]
  (let [[m n] shape
        lines (dec (aget (.shape ^Tensor starts) 0))
        width (when width (long (.get ^Tensor width)))
        [rows columns] (if (= :csr format) [lines width] [width lines])]
    [(if (integer? m) m rows) (if (integer? n) n columns)]))

(defn put-together
  "The matrix of {:format :shape} and its `arrays`, expressions or tensors; of types of arrays the
  format and the type."
  [{:keys [format shape] :as form} {:keys [data indices starts] :as arrays}]
  (cond (expr/expr? data) (Sparse. format data indices starts shape nil)
        (instance? Tensor data)
        (Sparse. format data indices starts (shape-of-values form arrays) nil)
        :else [format [(first data) shape]]))

(defn check-sparse!
  "Fails unless x is a sparse matrix."
  [x]
  (when-not (sparse? x)
    (fail! :damo.sparse/not-sparse
           (str "a sparse matrix is needed; got " (expr/describe x))
           {:given x, :try (str "(sp/to-csr x) of an array, or (sp/csr {:data … :indices …"
                                " :starts … :shape [m n]}) of its parts")}))
  x)

(def ^{:arglists '([op given])
       :doc "What the function of an op gives for arguments among which there is a sparse matrix."}
  call
  (later/of 'damo.face.sparse.calls/call))
