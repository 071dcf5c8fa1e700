(ns damo.face.tensors
  "Tensors on the host: made of data, of a number and a shape; their parts, shapes and dtypes.
  (tensor [[1 2]] :f32), (zeros [2 3]), (part t 0 [1 nil])."
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all])
  (:import [damo.tensor DType Tensor]
           [java.lang.reflect Array]))

(set! *warn-on-reflection* true)

(defn- dtype-named ^DType [dtype]
  (fail/check-name! {:kind :damo.tensors/unknown-dtype, :what "dtype", :key :dtype}
                    (keys type/dtypes) dtype)
  (DType/of (name dtype)))

(def ^:private schemas
  {:allow-downcast {:default false, :is :flag}, :shape {:default nil, :is :extents}})

(defn- reshaped ^Tensor [^Tensor t shape]
  (if shape (thrown/translating (.reshape t (long-array (type/as-shape shape)))) t))

(defn tensor
  "A tensor of a number, nested vectors, a Java array or a tensor. Without a dtype: :f64 for
  doubles, :f32 for floats, :i64 for integers (of arrays their own), :bool for booleans. Numbers are
  rounded to a float dtype; arrays and tensors of wider floats only with :allow-downcast true.
  :shape gives the elements another shape: (tensor (range 6) :f32 :shape [2 3])."
  [data & dtype-and-options]
  (let [dtype (when (type/dtype? (first dtype-and-options)) (first dtype-and-options))
        named? (or (nil? (first dtype-and-options)) (map? (first dtype-and-options))
                   (schemas (first dtype-and-options)))
        _ (when-not (or dtype named? (empty? dtype-and-options))
            (dtype-named (first dtype-and-options)))
        {:keys [allow-downcast shape]} (attribute/options schemas []
                                                          (cond-> dtype-and-options dtype rest))]
    (reshaped (thrown/translating
               (cond dtype (Tensor/of data (dtype-named dtype) (boolean allow-downcast))
                     (instance? Tensor data) data
                     :else (Tensor/of data)))
              shape)))

(defn full
  "A tensor of that shape, all of whose elements are x; dtype :f64 unless given. With symbolic dims
  in the shape an expression, here and in zeros, ones, arange and eye."
  ([shape x] (full shape x :f64))
  ([shape x dtype]
   (let [d (dtype-named dtype), shape (type/as-shape shape)
         x (if (and (= :bool dtype) (#{0 1} x)) (= 1 x) x)]
     (when-not (or (number? x) (boolean? x))
       (fail! :damo.tensors/not-a-number (str "full: the elements are a number or boolean; got "
                                          (expr/describe x))
              {:given x}))
     (if (every? integer? shape)
       (thrown/translating (Tensor/full x d (long-array shape)))
       (let [attrs {:type [dtype []], :value (expr/const-value dtype x)}]
         (op/node :full {:shape shape} [(op/node :const attrs [])]))))))

(defn zeros "A tensor of zeros of that shape; dtype :f64 unless given."
  ([shape] (zeros shape :f64))
  ([shape dtype] (full shape 0 dtype)))

(defn ones "A tensor of ones of that shape; dtype :f64 unless given."
  ([shape] (ones shape :f64))
  ([shape dtype] (full shape 1 dtype)))

(defn arange
  "The tensor [start, start+step, …) up to stop, exclusive; :i64 for integers, else :f64."
  ([stop] (arange 0 stop 1))
  ([start stop] (arange start stop 1))
  ([start stop step]
   (let [whole? #(or (integer? %) (not (number? %)))]
     (arange start stop step (if (every? whole? [start stop step]) :i64 :f64))))
  ([start stop step dtype]
   (let [d (dtype-named dtype)]
     (when-not (number? step)
       (fail! :damo.tensors/not-a-number
              (str "arange: the step is a number; got " (expr/describe step))
              {:given step}))
     (if (every? number? [start stop])
       (thrown/translating (Tensor/arange (double start) (double stop) (double step) d))
       (op/node :arange {:start start, :stop stop, :step step, :dtype dtype} [])))))

(defn eye "The identity matrix with so many rows as a tensor; dtype :f64 unless given."
  ([rows] (eye rows :f64))
  ([rows dtype]
   (let [d (dtype-named dtype), [n] (type/as-shape [rows])]
     (if (integer? n)
       (thrown/translating (Tensor/eye n n d))
       (op/node :eye {:n n, :dtype dtype} [])))))

(defn shape
  "The shape of a tensor, a vector of integers, or of an expression, a vector of dims."
  [x]
  (cond (expr/expr? x) (expr/shape-of x)
        (sparse/sparse? x) (:shape x)
        :else (vec (.shape ^Tensor (tensor x)))))

(defn dtype
  "The dtype of a tensor or an expression: :f32 …"
  [x]
  (cond (expr/expr? x) (type/dtype-of (expr/type-of x))
        (sparse/sparse? x) (sparse/dtype-of x)
        :else (keyword (.label ^DType (.dtype ^Tensor (tensor x))))))

(defn ->array
  "The elements of a tensor as a new Java array of its dtype, row-major: float[], long[] … ; float[]
  for :f16 and :bf16, int[] for :u8."
  [^Tensor t]
  (thrown/translating (.toJavaArray t)))

;; ## Parts

(defn- bounds
  "The indices of an axis that a spec names: an integer, [start stop step] or :all."
  [extent spec]
  (let [clip (fn [i] (-> (if (neg? i) (+ extent i) i) (max 0) (min extent)))
        bad! #(fail! :damo.tensors/bad-part
                     (str "part: an axis of " extent " elements is cut by an index, a slice [start"
                          " stop] or [start stop step], or :all; got " (fail/value-text spec))
                     {:given spec, :extent extent})]
    (cond (= spec :all) (range extent)
          (int? spec) (let [i (if (neg? spec) (+ extent spec) spec)]
                        (if (< -1 i extent) [i] (bad!)))
          (and (vector? spec) (<= 2 (count spec) 3) (every? #(or (nil? %) (int? %)) spec))
          (let [[start stop step] spec, step (or step 1)]
            (cond (pos? step) (range (clip (or start 0)) (if stop (clip stop) extent) step)
                  (neg? step) (range (min (dec extent) (if start (clip start) extent))
                                     (if stop (clip stop) -1) step)
                  :else (bad!)))
          :else (bad!))))

(defn part
  "A copy of the part of a tensor that the specs name, one an axis: an index, which drops the axis,
  a slice [start stop] or [start stop step], nil for an open end, or :all. Slices beyond the end are
  cut as NumPy cuts them: (part t [0 100] 0) are the first elements of the first hundred rows."
  [t & specs]
  (let [^Tensor t t, extents (vec (.shape t)), specs (vec (take 65 specs))
        _ (when (< (count extents) (count specs))
            (fail! :damo.tensors/bad-part (str "part: the tensor has " (count extents) " axes; got "
                                           (count specs) " specs")
                   {:given specs, :shape extents}))
        axes (map bounds extents (concat specs (repeat :all)))
        strides (array/strides extents)
        places (reduce (fn [places [indices stride]]
                         (for [p places, i indices] (+ p (* i stride))))
                       [0] (map vector axes strides))
        kept (keep-indexed #(when-not (int? (get specs %1)) (count %2)) axes)
        source (thrown/translating (.toJavaArray t))
        to (Array/newInstance (.getComponentType (class source)) (count places))]
    (dorun (map-indexed (fn [k p] (Array/set to k (Array/get source p))) places))
    (thrown/translating (.reshape (Tensor/of to (.dtype t) true) (long-array kept)))))

(defmethod print-method Tensor [t ^java.io.Writer w]
  (.write w (str t)))
