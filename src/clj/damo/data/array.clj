(ns damo.data.array
  "Reference arrays, plain data for the reference interpreter:
  {:dtype :f32 :shape [2 3] :data doubles}, row-major. Floats live in a double-array (rounded to
  what their dtype holds), integers and booleans (0, 1) in a long-array.
  Simple before fast, but linear. (nested (of :i64 [2 2] [1 2 3 4])) = [[1 2] [3 4]]."
  (:refer-clojure :exclude [cast])
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type])
  (:import [java.util ArrayList]))

(set! *warn-on-reflection* true)

;; ## Elements

(defn- wrap
  "The integer n as two's complement of that dtype holds it."
  ^long [dtype ^long n]
  (case dtype
    :i64 n
    :i32 (unchecked-int n)
    :i16 (unchecked-short n)
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

(defn unit
  "The distance between neighbouring values of a float dtype at x, for a finite x; subnormals share
  one. (unit :f16 1.0) = 2^-10."
  ^double [dtype ^double x]
  (let [{:keys [digits least]} (type/dtypes dtype)
        exponent (max (Math/getExponent x) (long least))]
    (Math/scalb 1.0 (int (- exponent (dec (long digits)))))))

(defn- rounded
  "The double x rounded once to a float dtype, ties to even; beyond its range infinite."
  ^double [dtype ^double x]
  (case dtype
    :f64 x
    :f32 (double (unchecked-float x))
    (let [one (unit dtype x), near (* one (Math/rint (/ x one)))]
      (if (< (double (:hi (type/dtypes dtype))) (Math/abs near))
        (Math/copySign ##Inf x)
        near))))

(defn convert
  "The number or boolean x as an element of `dtype`: a double, a long or a boolean. Floats become
  integers by truncation (NaN gives 0, saturating), wide integers wrap, everything but 0 is true;
  floats are rounded once."
  [dtype x]
  (let [n (cond (true? x) 1, (false? x) 0, :else x)]
    (case (:kind (type/dtypes dtype))
      :float (rounded dtype (double n))
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
  "The type [dtype shape] of an array; of a vector of arrays, the results of one node, the type of a
  tuple."
  [a]
  (if (vector? a) (tuple/of (mapv type-of a)) [(:dtype a) (:shape a)]))

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
      (fail! :damo.array/wrong-size
             (str "an array of shape " (pr-str (vec shape)) " has " (size shape)
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

(defn- nest [[extent & more] elements]
  (if extent
    (let [n (size more)]
      (mapv #(nest more (subvec elements (* % n) (* (inc %) n))) (range extent)))
    (first elements)))

(defn nested
  "The value of an array: a number or boolean (0-d) or nested vectors."
  [{:keys [shape] :as a}]
  (nest shape (values a)))

(defn- nested-shape [x]
  (loop [shape [], x x]
    (if (sequential? x) (recur (conj shape (count x)) (first x)) shape)))

(defn from-nested
  "The array of that dtype for a number, a boolean or nested vectors; fails when these are ragged."
  [dtype x]
  (let [shape (nested-shape x)
        level (fn [xs d] (when-not (every? #(and (sequential? %) (= d (count %))) xs)
                           (fail! :damo.array/ragged
                                  (str "nested vectors of different lengths: " (pr-str x))
                                  {:given x}))
                (into [] cat xs))]
    (of dtype shape (reduce level [x] shape))))

;; ## Addresses

(defn strides
  "The distance in elements between neighbours along each axis of a dense row-major array of that
  shape; dims may be symbolic."
  [shape]
  (vec (rest (reverse (reductions type/dim* 1 (reverse shape))))))

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
          ;; Where one axis is empty, the others may be longer than any array.
          (if (some zero? shape) [[0 0]] (map vector shape strides))))

(defn indices
  "The index vectors of a shape in row-major order: [2 2] gives [0 0] [0 1] [1 0] [1 1]."
  [shape]
  (reduce (fn [prefixes extent] (for [p prefixes, i (range extent)] (conj p i)))
          [[]] (if (some zero? shape) [0] shape)))

(defn from-indices
  "The array of that dtype and shape whose element at an index vector is (f index)."
  [dtype shape f]
  (of dtype shape (map f (indices shape))))

(defn at
  "The element of an array at an index vector."
  [{:keys [shape] :as a} index]
  (element a (reduce (fn [^long n [^long i ^long extent]] (+ (* n extent) i))
                     0 (map vector index shape))))

(defn broadcast-strides
  "The strides with which an operand of shape `own`, whose own strides are given, is read as one of
  `shape`: 0 on new and on stretched axes."
  [shape own own-strides]
  (into (vec (repeat (- (count shape) (count own)) 0))
        (map (fn [d e s] (if (and (= d 1) (not= e 1)) 0 s))
             own (take-last (count own) shape) own-strides)))

;; ## Whole-array operations

(defn- reader
  "A function from the position in `shape` to the element of the array broadcast to it."
  [shape {own :shape :as a}]
  (let [^longs where (addresses shape (broadcast-strides shape own (strides own)) 0)]
    (fn [i] (element a (aget where i)))))

(defn map-elements
  "The array of `dtype` whose elements are (f x y …) of the elements of the arrays, which broadcast
  as NumPy's do."
  [dtype f arrays]
  (let [shape (apply type/broadcast-shapes (map :shape arrays))
        [x y & more :as readers] (map (partial reader shape) arrays)]
    (build dtype shape
           (cond more (fn [i] (apply f (map #(% i) readers)))
                 y    (fn [i] (f (x i) (y i)))
                 :else (fn [i] (f (x i)))))))

(defn reduced-shape
  "The shape (dims may be symbolic) left when these axes are reduced: kept with extent 1, or
  dropped."
  [shape axes keepdims]
  (let [reduced? (set axes)]
    (vec (keep-indexed (fn [i d] (cond (not (reduced? i)) d, keepdims 1)) shape))))

(defn- groups
  "For each element left when these axes are reduced: the list of those that fall together in it."
  [{:keys [shape] :as a} axes]
  (let [reduced? (set axes)
        kept (map-indexed (fn [i s] (if (reduced? i) 0 s))
                          (strides (reduced-shape shape axes true)))
        ^longs where (addresses shape kept 0)
        lists (vec (repeatedly (size (reduced-shape shape axes false)) #(ArrayList.)))]
    (dotimes [i (alength where)]
      (.add ^ArrayList (lists (aget where i)) (element a i)))
    lists))

(defn reduce-axes
  "The array of `dtype` whose elements are (f xs) of the elements xs (row-major) that fall together
  when these axes are reduced."
  [dtype f {:keys [shape] :as a} axes keepdims]
  (let [lists (groups a axes)]
    (build dtype (reduced-shape shape axes keepdims) #(f (vec (lists %))))))

;; ## Lines along an axis

(defn- line-starts
  "The positions of the first elements of the lines along an axis."
  ^longs [shape axis]
  (addresses (assoc shape axis 1) (strides shape) 0))

(defn map-lines
  "The array of `dtype` and the shape of the arrays, which is one, whose lines along the axis are (f
  xs ys …) of the lines of the arrays, vectors of elements; f gives a sequence of as many."
  [dtype f arrays axis]
  (let [shape (:shape (first arrays)), n (nth shape axis), step (nth (strides shape) axis)
        out (object-array (size shape))]
    (when (pos? (long n))
      (doseq [start (line-starts shape axis)
              :let [at (mapv #(+ (long start) (* (long %) (long step))) (range n))]]
        (dorun (map (fn [i y] (aset out (int i) y))
                    at (apply f (map (fn [a] (mapv #(element a %) at)) arrays))))))
    (build dtype shape #(aget out %))))

;; ## Products

(defn- dot-doubles [^doubles x i di ^doubles y j dj k]
  (let [di (long di), dj (long dj), k (long k)]
    (loop [n 0, i (long i), j (long j), sum 0.0]
      (if (< n k)
        (recur (inc n) (+ i di) (+ j dj) (+ sum (* (aget x i) (aget y j))))
        sum))))

(defn- dot-longs [^longs x i di ^longs y j dj k]
  (let [di (long di), dj (long dj), k (long k)]
    (loop [n 0, i (long i), j (long j), sum 0]
      (if (< n k)
        (recur (inc n) (+ i di) (+ j dj)
               (unchecked-add sum (unchecked-multiply (aget x i) (aget y j))))
        sum))))

(defn dots
  "The array of that shape whose elements are inner products over k elements of the arrays x and
  y, of one dtype. Each operand is [array strides step]: where the elements of a product begin,
  for each axis of the result, and the distance between them."
  [shape k [x x-strides x-step] [y y-strides y-step]]
  (let [^longs i (addresses shape x-strides 0), ^longs j (addresses shape y-strides 0)
        inner (if (type/float-dtype? (:dtype x)) dot-doubles dot-longs)]
    (build (:dtype x) shape
           (fn [n] (inner (:data x) (aget i n) x-step (:data y) (aget j n) y-step k)))))

(defn reshape
  "The same elements under another shape of the same size, data shared."
  [a shape]
  (assoc a :shape (vec shape)))

(defn cast
  "The array converted to another dtype."
  [dtype {:keys [shape] :as a}]
  (if (= dtype (:dtype a)) a (build dtype shape #(element a %))))

(defn checked-indices
  "An array of integers as :i64, after a check that each lies in 0 … extent-1; fails on the first
  that does not."
  [indices extent]
  (let [wide (cast :i64 indices)]
    (when-let [i (first (remove #(< -1 (element wide %) extent) (range (size (:shape wide)))))]
      (fail! :damo.array/index-out-of-range
             (str "the index " (element wide i) " at position " i
                  " is out of range: the extent is " extent)
             {:index (element wide i), :position i, :extent extent}))
    wide))
