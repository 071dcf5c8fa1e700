(ns damo.array
  "Reference arrays, plain data for the reference interpreter:
  {:dtype :f32 :shape [2 3] :data doubles}, row-major. Floats live in a double-array (rounded to
  single precision when the dtype is :f32), integers and booleans (0, 1) in a long-array.
  Simple before fast, but linear. (nested (of :i64 [2 2] [1 2 3 4])) = [[1 2] [3 4]]."
  (:refer-clojure :exclude [cast])
  (:require [damo.fail :as fail :refer [fail!]]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

;; ## Elements

(defn- wrap
  "The integer n as two's complement of that dtype holds it."
  ^long [dtype ^long n]
  (case dtype
    :i64 n
    :i32 (unchecked-int n)
    :i8 (unchecked-byte n)
    :u8 (bit-and n 255)))

(defn- truncate
  "A float made an integer: towards zero, NaN to 0, beyond the range to its nearest end."
  ^long [dtype ^double x]
  (let [{:keys [lo hi]} (type/dtypes dtype)]
    (cond (Double/isNaN x) 0
          (<= x (double lo)) lo
          (>= x (double hi)) hi
          :else (long x))))

(defn convert
  "The number or boolean x as an element of `dtype`: a double, a long or a boolean. Floats become
  integers by truncation (NaN gives 0, saturating), wide integers wrap, everything but 0 is true;
  :f32 rounds once."
  [dtype x]
  (let [n (cond (true? x) 1, (false? x) 0, :else x)]
    (case (:kind (type/dtypes dtype))
      :float (if (= dtype :f32) (double (unchecked-float (double n))) (double n))
      :int (if (float? n) (truncate dtype n) (wrap dtype (long n)))
      :bool (not (zero? n)))))

;; ## Making and reading arrays

(defn size
  "The number of elements of a shape of integers."
  ^long [shape]
  (reduce * 1 shape))

(defn array
  "The array of that dtype and shape over `data`, a double-array (floats) or long-array (else),
  which is not copied."
  [dtype shape data]
  {:dtype dtype, :shape (vec shape), :data data})

(defn type-of
  "The type [dtype shape] of an array."
  [{:keys [dtype shape]}]
  [dtype shape])

(defn element
  "Element i (row-major) of an array: a double, a long or a boolean."
  [{:keys [dtype data]} ^long i]
  (case (:kind (type/dtypes dtype))
    :float (aget ^doubles data i)
    :int (aget ^longs data i)
    :bool (= 1 (aget ^longs data i))))

(defn build
  "The array of that dtype and shape whose element i (row-major) is (f i), converted to the dtype."
  [dtype shape f]
  (let [n (size shape)]
    (if (type/float-dtype? dtype)
      (let [data (double-array n)]
        (dotimes [i n] (aset data i (double (convert dtype (f i)))))
        (array dtype shape data))
      (let [data (long-array n), bool? (= dtype :bool)]
        (dotimes [i n]
          (let [x (convert dtype (f i))]
            (aset data i (if bool? (if x 1 0) (long x)))))
        (array dtype shape data)))))

(defn of
  "The array of that dtype and shape with these values, a sequence in row-major order; fails when
  their number is wrong."
  [dtype shape values]
  (let [values (object-array values)]
    (when-not (= (alength values) (size shape))
      (fail! ::wrong-size (str "an array of shape " (pr-str (vec shape)) " has " (size shape)
                               " elements, given " (alength values))
             {:shape shape, :given (alength values)}))
    (build dtype shape #(aget values %))))

(defn full
  "An array with the same value everywhere."
  [dtype shape value]
  (build dtype shape (constantly value)))

(defn values
  "The elements of an array as a vector, row-major."
  [{:keys [shape] :as a}]
  (mapv #(element a %) (range (size shape))))

(defn nested
  "The value of an array: a number or boolean (0-d) or nested vectors."
  [{:keys [shape] :as a}]
  (if (empty? shape)
    (element a 0)
    (reduce (fn [flat d] (if (zero? (long d)) [] (mapv vec (partition d flat))))
            (if (zero? (size shape)) [] (values a))
            (reverse (rest shape)))))

(defn- nested-shape [x]
  (loop [shape [], x x]
    (if (sequential? x) (recur (conj shape (count x)) (first x)) shape)))

(defn from-nested
  "The array of that dtype for a number, a boolean or nested vectors; fails when these are ragged."
  [dtype x]
  (let [shape (nested-shape x)
        level (fn [xs d] (when-not (every? #(and (sequential? %) (= d (count %))) xs)
                           (fail! ::ragged (str "nested vectors of different lengths: " (pr-str x))
                                  {:given x}))
                (into [] cat xs))]
    (of dtype shape (reduce level [x] shape))))

;; ## Addresses

(defn strides
  "The distance in elements between neighbours along each axis of a dense row-major array."
  [shape]
  (vec (rest (reverse (reductions * 1 (reverse shape))))))

(defn addresses
  "A long-array of the positions of all elements, in row-major order, of a shape that is laid out
  with these strides from offset."
  ^longs [shape strides offset]
  (reduce (fn [^longs starts [^long extent ^long stride]]
            (let [out (long-array (* (alength starts) extent))]
              (dotimes [s (alength starts)]
                (dotimes [i extent]
                  (aset out (+ (* s extent) i) (+ (aget starts s) (* i stride)))))
              out))
          (long-array [offset])
          (map vector shape strides)))

(defn indices
  "The index vectors of a shape in row-major order: [2 2] gives [0 0] [0 1] [1 0] [1 1]."
  [shape]
  (reduce (fn [prefixes extent] (for [p prefixes, i (range extent)] (conj p i))) [[]] shape))

(defn from-indices
  "The array of that dtype and shape whose element at an index vector is (f index)."
  [dtype shape f]
  (of dtype shape (map f (indices shape))))

(defn at
  "The element of an array at an index vector."
  [{:keys [shape] :as a} index]
  (element a (reduce + (map * index (strides shape)))))

(defn- broadcast-addresses [shape operand-shape]
  (let [missing (- (count shape) (count operand-shape))
        own (map (fn [d s] (if (= d 1) 0 s)) operand-shape (strides operand-shape))]
    (addresses shape (concat (repeat missing 0) own) 0)))

;; ## Whole-array operations

(defn map-elements
  "The array of `dtype` whose elements are (f x y …) of the elements of the arrays, broadcast as NumPy does."
  [dtype f arrays]
  (let [shape (apply type/broadcast-shapes (map :shape arrays))
        readers (mapv (fn [a] (let [^longs where (broadcast-addresses shape (:shape a))]
                                #(element a (aget where %))))
                      arrays)]
    (build dtype shape
           (case (count readers)
             1 (let [[x] readers] (fn [i] (f (x i))))
             2 (let [[x y] readers] (fn [i] (f (x i) (y i))))
             (fn [i] (apply f (map #(% i) readers)))))))

(defn reduced-shape
  "The shape left of `shape` when these axes are reduced: kept with extent 1, or dropped."
  [shape axes keepdims]
  (let [reduced? (set axes)]
    (vec (keep-indexed (fn [i d] (cond (not (reduced? i)) d, keepdims 1)) shape))))

(defn- reduced-addresses
  "For every element of `shape` the position of its group in the result of reducing these axes."
  [shape axes]
  (let [kept (strides (reduced-shape shape axes true)), reduced? (set axes)]
    (addresses shape (map-indexed (fn [i s] (if (reduced? i) 0 s)) kept) 0)))

(defn reduce-axes
  "The array of `dtype` that f folds from `init` over these axes of the array, in row-major order:
  (f accumulated x). Rounding to the dtype happens once, at the end."
  [dtype f init {:keys [shape] :as a} axes keepdims]
  (let [out (object-array (repeat (size (reduced-shape shape axes false)) init))
        ^longs where (reduced-addresses shape axes)]
    (dotimes [i (alength where)]
      (let [j (aget where i)]
        (aset out j (f (aget out j) (element a i)))))
    (build dtype (reduced-shape shape axes keepdims) #(aget out %))))

(defn reshape
  "The same elements under another shape of the same size, data shared."
  [a shape]
  (assoc a :shape (vec shape)))

(defn cast
  "The array converted to another dtype."
  [dtype {:keys [shape] :as a}]
  (if (= dtype (:dtype a)) a (build dtype shape #(element a %))))
