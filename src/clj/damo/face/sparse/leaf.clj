(ns damo.face.sparse.leaf
  "Sparse inputs and shared variables, as their parts. (input 'a :csr [:f32 ['m 'n]]) is a matrix of
  the inputs a.data, a.columns, a.row-starts and a.shape."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.type :as type]
            [damo.face.sparse.value :as value]
            [damo.face.tensors :as tensors]
            [damo.op :as op])
  (:import [damo.data.sparse Sparse]
           [damo.runtime State]
           [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn- check-name! [what x]
  (when-not (symbol? x)
    (fail! :damo.core/bad-name (str "the name of " what " is a symbol, 'a; got " (pr-str x))
           {:name x})))

(def ^:private input-options
  {:index {:default :i64, :is #{:i64 :i32}}})

(defn input
  "A sparse matrix given at each call, named by a symbol, of a format :csr or :csc and of the type
  [dtype [m n]], dims being integers or symbols. :index is the dtype of its integers, :i64 unless
  given, or :i32. It is called with a value of either format; elsewhere, as in Java, with its parts,
  the arrays name.data, name.columns (:csc: name.rows), name.row-starts (name.column-starts) and
  name.shape, which has the shape [m n 0] and no elements."
  [input-name format type & options]
  (check-name! "an input" input-name)
  (sparse/of-format format)
  (let [{:keys [index]} (attribute/options input-options [] options)
        [dtype shape :as type] (type/check type)]
    (when-not (and (= 2 (count shape)) (not= :bool dtype))
      (fail! :damo.sparse/bad-matrix
             (str "the type of a sparse matrix has a dtype of numbers and two dims, [:f32 ['m 'n]];"
                  " got " (pr-str type))
             {:type type}))
    (let [names (sparse/parts format input-name)
          types (sparse/part-types format type index (symbol (str input-name ".nnz")))
          made-of [input-name format type :index index]
          part (fn [n t] (expr/noted (op/node :input {:name n, :type t} []) {:sparse made-of}))
          parts (merge-with part names types)
          {:keys [data indices starts extents]} parts]
      (Sparse. format data indices starts shape
               {:leaf :input, :name input-name, :extents extents, :index index}))))

;; ## Shared variables

(defn- shared-part [part-name type ^Tensor t free]
  (expr/->Expr :shared {:name part-name, :type type} [] type (fail/source-position)
               (State/of (str part-name) t (boolean-array free))))

(defn shared
  "A shared variable that is a sparse matrix, with that value. It keeps its format, its shape and
  its dtypes; how many elements are stored may change."
  [shared-name {:keys [format shape] :as value}]
  (check-name! "a shared variable" shared-name)
  (let [names (sparse/parts format shared-name)
        types (sparse/part-types format (sparse/type-of value) (tensors/dtype (:indices value))
                                 (gensym (str shared-name ".nnz.")))
        part (fn [k free] (shared-part (names k) (types k) (get value k) free))]
    (Sparse. format (part :data [true]) (part :indices [true]) (part :starts [false]) shape
             {:leaf :shared, :name shared-name})))

(defn- states [s]
  (when-not (= :shared (:leaf s))
    (fail! :damo.core/not-shared (str "a shared variable is needed; got " s) {:given s}))
  (mapv #(expr/state-of (get s %)) [:data :indices :starts]))

(defn value
  "The value of a sparse shared variable."
  [{:keys [format shape] :as s}]
  (let [[data indices starts] (mapv #(.value ^State %) (states s))]
    (value/matrix format data indices starts shape)))

(defn fitting
  "What was given for a sparse matrix of that format and shape, in which dims may be symbols, as a
  value of the format; fails when it is none of that shape."
  [{:keys [format shape] :as s} x]
  (let [v (cond (sparse/value? x) x
                (sparse/sparse? x)
                (fail! :damo.sparse/not-a-value
                       (str "the value of a sparse matrix is needed; got the expression " x)
                       {:given x})
                :else (fail! :damo.sparse/not-sparse
                             (str (or (:name s) "what is given") " is a sparse matrix of the shape "
                                  (pr-str shape) "; got " (expr/describe x))
                             {:given x, :try "(sp/to-csr x) of a matrix x"}))]
    (when-not (every? true? (map #(or (not (integer? %1)) (= %1 %2)) shape (:shape v)))
      (fail! :damo/shape-mismatch
             (str "the matrix " (or (:name s) "") " has the shape " (pr-str shape) "; given "
                  (:shape v))
             {:expected shape, :given (:shape v)}))
    (value/of-format format v)))

(defn set-value!
  "Sets a sparse shared variable to a value of its shape; returns it. The parts are set one after
  the other: no other thread may be calling functions of it meanwhile."
  [s x]
  (let [states (states s), v (fitting s x)
        index (.dtype ^Tensor (.value ^State (nth states 1)))
        parts [(tensors/tensor (:data v) (sparse/dtype-of s))
               (Tensor/of (:indices v) index true) (Tensor/of (:starts v) index true)]]
    (run! (fn [[^State state t]] (.set state t)) (map vector states parts))
    s))
