(ns damo.face.sparse.value
  "Sparse matrices of tensors: made of their parts, checked, turned into the other format, into
  arrays and back. (compressed :csr {:data [5 6] :indices [1 0] :starts [0 1 2] :shape [2 2]}) is
  [[0 5] [6 0]]."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.type :as type]
            [damo.face.sparse.order :as order]
            [damo.face.tensors :as tensors])
  (:import [damo.data.sparse Sparse]
           [damo.tensor Tensor]
           [java.lang.reflect Array]))

(set! *warn-on-reflection* true)

;; ## Parts

(defn- bad! [what data] (fail! :damo.sparse/bad-matrix what data))

(defn- vector-part
  "A part as a tensor of one axis; `dtype` is that of an empty one."
  ^Tensor [what dtype x]
  (let [t (cond (and (sequential? x) (empty? x)) (tensors/zeros [0] dtype)
                (expr/expr? x) (bad! (str what " is data, not an expression; got "
                                          (expr/describe x))
                                     {:given x, :try (str "(sp/input 'a :csr [:f32 ['m 'n]]) for a"
                                                          " matrix that is given later")})
                :else (tensors/tensor x))]
    (when-not (= 1 (count (tensors/shape t)))
      (bad! (str what " is a vector; its shape is " (tensors/shape t)) {:shape (tensors/shape t)}))
    t))

(defn- integers
  "A part of integers as a tensor of :i64 or :i32."
  ^Tensor [what x]
  (let [t (vector-part what :i64 x), dtype (tensors/dtype t)]
    (when-not (type/int-dtype? dtype)
      (bad! (str what " has integers; its dtype is " dtype) {:dtype dtype}))
    (if (#{:i64 :i32} dtype) t (tensors/tensor t :i64))))

(defn- elements ^Tensor [x]
  (let [t (vector-part "data" :f64 x), dtype (tensors/dtype t)]
    (when (= :bool dtype)
      (bad! "data has numbers; its dtype is :bool" {:dtype dtype, :try "(d/tensor data :f32)"}))
    t))

(defn- check-shape! [shape]
  (when-not (and (sequential? shape) (= 2 (count shape)) (every? #(and (int? %) (<= 0 %)) shape))
    (bad! (str "the shape of a sparse matrix is two integers [rows columns]; got "
               (fail/value-text shape))
          {:shape shape}))
  (vec shape))

(defn matrix
  "The value of parts that are known to be in order."
  [format data indices starts shape]
  (Sparse. format data indices starts shape nil))

(defn- array-tensor [xs dtype] (tensors/tensor xs dtype :allow-downcast true))

(defn- of-arrays
  "The value of Java arrays, as `order/ordered` has them, with elements and integers of these
  dtypes."
  [format shape {:keys [data indices starts]} dtype index]
  (matrix format (array-tensor data dtype) (tensors/tensor indices index)
          (tensors/tensor starts index) shape))

(defn- names [format] (if (= :csr format) ["row" "column"] ["column" "row"]))

;; ## Values of compressed lines

(def ^:private compressed-keys
  {:data {:doc "the stored elements"}, :indices {:doc "their columns, in :csc rows"}
   :starts {:doc "where each row, in :csc column, begins"}, :shape {:doc "[rows columns]"}
   :canonical {:default false, :is :flag}})

(def ^:private triple-keys
  {:data {:doc "the elements"}, :rows {:doc "their rows"}, :cols {:doc "their columns"}
   :shape {:doc "[rows columns]"}, :format {:default :csr}, :canonical {:default true, :is :flag}})

(defn- parts-of [what schemas m]
  (when-not (map? m)
    (bad! (str what " takes a map of its parts, with the keys " (vec (keys schemas)) "; got "
               (expr/describe m))
          {:given m}))
  (attribute/options schemas [] [m]))

(defn- check-lengths! [^Tensor data what ^Tensor t]
  (when-not (= (tensors/shape data) (tensors/shape t))
    (bad! (str "there is one of " what " for each element of data, " (first (tensors/shape data))
               "; there are " (first (tensors/shape t)))
          {:expected (first (tensors/shape data)), :given (first (tensors/shape t))})))

(defn compressed
  "The value of compressed lines, from a map of its parts; fails where they are in disorder, unless
  :canonical is true."
  [format m]
  (let [{:keys [data indices starts shape canonical]} (parts-of (str "sp/" (name format))
                                                                compressed-keys m)
        shape (check-shape! shape), [lines width] (sparse/lines {:format format, :shape shape})
        names (names format)
        data (elements data), indices (integers "indices" indices)
        starts (integers "starts" starts)
        _ (check-lengths! data "indices" indices)
        index-array (order/longs-of indices), start-array (order/longs-of starts)]
    (order/check-starts! names lines start-array (alength index-array))
    (order/check-range! index-array width (second names))
    (if canonical
      (of-arrays format shape
                 (order/ordered lines (order/lines-of start-array) index-array
                                (order/numbers-of data))
                 (tensors/dtype data) (tensors/dtype indices))
      (do (order/check-sorted! names start-array index-array)
          (matrix format data indices (tensors/tensor starts (tensors/dtype indices)) shape)))))

(defn coo
  "The value, in compressed rows, of elements with a row and a column for each; those of one place
  add up."
  [m]
  (let [{:keys [data rows cols shape format canonical]} (parts-of "sp/coo" triple-keys m)
        shape (check-shape! shape), format (sparse/of-format format)
        data (elements data), rows (integers "rows" rows), cols (integers "cols" cols)
        _ (check-lengths! data "rows" rows)
        _ (check-lengths! data "cols" cols)
        at-rows (order/longs-of rows), at-cols (order/longs-of cols)
        [line index] (if (= :csr format) [at-rows at-cols] [at-cols at-rows])]
    (order/check-range! at-rows (first shape) "row")
    (order/check-range! at-cols (second shape) "column")
    (of-arrays format shape
               (order/ordered (first (sparse/lines {:format format, :shape shape})) line index
                              (order/numbers-of data))
               (tensors/dtype data)
               (if (= :i32 (tensors/dtype rows) (tensors/dtype cols)) :i32 :i64))))

;; ## Other formats

(defn triples
  "{:rows :cols :data} of a value, Java arrays."
  [{:keys [format data indices starts]}]
  (let [line (order/lines-of (order/longs-of starts)), index (order/longs-of indices)
        [rows cols] (if (= :csr format) [line index] [index line])]
    {:rows rows, :cols cols, :data (order/numbers-of data)}))

(defn of-format
  "The value in the format."
  [format {:keys [shape indices] :as s}]
  (if (= format (:format s))
    s
    (let [{:keys [rows cols data]} (triples s)
          [line index] (if (= :csr format) [rows cols] [cols rows])]
      (of-arrays format shape
                 (order/ordered (first (sparse/lines {:format format, :shape shape}))
                                line index data)
                 (sparse/dtype-of s) (tensors/dtype indices)))))

(defn to-dense
  "The value as a tensor [m n]."
  [{[m n] :shape :as s}]
  (let [{:keys [rows cols data]} (triples s), ^longs rows rows, ^longs cols cols, n (long n)
        out (Array/newInstance (.getComponentType (class data)) (int (* (long m) n)))]
    (if (instance? (Class/forName "[D") data)
      (let [^doubles data data, ^doubles out out]
        (dotimes [k (alength rows)]
          (aset out (+ (* n (aget rows k)) (aget cols k)) (aget data k))))
      (let [^longs data data, ^longs out out]
        (dotimes [k (alength rows)]
          (aset out (+ (* n (aget rows k)) (aget cols k)) (aget data k)))))
    (tensors/tensor out (sparse/dtype-of s) :allow-downcast true, :shape [m n])))

(defn of-dense
  "The value, in a format, of a matrix of numbers, of the elements that are not 0."
  [format x]
  (let [^Tensor t (tensors/tensor x), shape (tensors/shape t), dtype (tensors/dtype t)]
    (when-not (and (= 2 (count shape)) (not= :bool dtype))
      (bad! (str "a sparse matrix is made of a matrix of numbers; got " [dtype shape])
            {:type [dtype shape]}))
    (let [numbers (order/numbers-of t), n (long (second shape))
          stored (long-array (filter #(not (zero? (Array/get numbers %)))
                                     (range (Array/getLength numbers))))
          pick (fn [f] (long-array (map f stored)))
          [lines] (sparse/lines {:format format, :shape shape})
          rows (pick #(quot % n)), cols (pick #(rem % n))
          [line index] (if (= :csr format) [rows cols] [cols rows])]
      (of-arrays format shape
                 (order/ordered lines line index
                                (if (type/float-dtype? dtype)
                                  (double-array (map #(Array/getDouble numbers %) stored))
                                  (pick #(Array/getLong numbers %))))
                 dtype :i64))))
