(ns damo.matrix.base
  "Matrices of doubles for the meanings of linear algebra: row-major double-arrays, whose extents go
  beside them. Simple before fast; what LAPACK computes in compiled functions is compared with it.
  (vec (times (double-array [1 2 3 4]) 2 2 (double-array [1 1]) 1)) = [3.0 7.0]."
  (:refer-clojure :exclude [identity])
  (:require [damo.data.array :as array])
  (:import [java.util Arrays]))

(set! *warn-on-reflection* true)

(defn filled
  "The [m n] matrix of the elements (f i j)."
  ^doubles [m n f]
  (let [m (long m), n (long n), out (double-array (* m n))]
    (dotimes [i m]
      (dotimes [j n] (aset out (+ (* i n) j) (double (f i j)))))
    out))

(defn identity
  "The n × n identity."
  ^doubles [n]
  (filled n n (fn [i j] (if (= i j) 1.0 0.0))))

(defn at
  "Element [i j] of a matrix of n columns."
  ^double [^doubles a ^long n ^long i ^long j]
  (aget a (+ (* i n) j)))

(defn put!
  "Sets element [i j] of a matrix of n columns."
  [^doubles a n i j x]
  (aset a (+ (* (long i) (long n)) (long j)) (double x)))

(defn transposed
  "The transpose, [n m], of an [m n] matrix."
  ^doubles [a m n]
  (filled n m (fn [i j] (at a n j i))))

(defn times
  "The product of an [m k] and a [k n] matrix."
  ^doubles [^doubles a m k ^doubles b n]
  (let [m (long m), k (long k), n (long n), out (double-array (* m n))]
    (dotimes [i m]
      (dotimes [l k]
        (let [x (aget a (+ (* i k) l))]
          (dotimes [j n]
            (let [o (+ (* i n) j)]
              (aset out o (+ (aget out o) (* x (aget b (+ (* l n) j))))))))))
    out))

(defn part
  "Rows [r0 r1) and columns [c0 c1) of a matrix of n columns."
  ^doubles [a n [r0 r1] [c0 c1]]
  (filled (- (long r1) (long r0)) (- (long c1) (long c0))
          (fn [i j] (at a n (+ (long r0) (long i)) (+ (long c0) (long j))))))

(defn picked
  "The columns of an [m n] matrix in that order, a sequence of their numbers."
  ^doubles [a m n order]
  (let [order (vec order)] (filled m (count order) (fn [i j] (at a n i (nth order j))))))

(defn column-norm
  "The Euclidean norm of column j of an [m n] matrix, its rows from `from` on."
  [^doubles a m n j from]
  (let [n (long n), j (long j)
        largest (reduce (fn [^double x i] (Math/max x (Math/abs (at a n i j)))) 0.0 (range from m))]
    (if (or (zero? (double largest)) (Double/isInfinite (double largest))
            (Double/isNaN (double largest)))
      largest
      (* (double largest)
         (Math/sqrt (reduce (fn [^double x i] (let [y (/ (at a n i j) (double largest))]
                                                (+ x (* y y))))
                            0.0 (range from m)))))))

(defn any-nan?
  "Has a matrix an element that is NaN?"
  [^doubles a]
  (boolean (some #(Double/isNaN (double %)) a)))

(defn nan
  "Of that many elements, NaN all."
  ^doubles [n]
  (double-array n ##NaN))

;; ## Batches

(defn matrices
  "The matrices that an array holds in its last two axes, in order."
  [{:keys [shape ^doubles data]}]
  (let [size (array/size (take-last 2 shape))]
    (mapv #(Arrays/copyOfRange data (int (* size (long %))) (int (* size (inc (long %)))))
          (range (array/size (drop-last 2 shape))))))

(defn assembled
  "The array of that dtype whose leading axes are `lead` and whose parts, of the shape `own`, are
  these double-arrays, in order."
  [dtype lead own parts]
  (let [all (double-array (* (array/size lead) (array/size own)))]
    (doseq [[k ^doubles p] (map-indexed vector parts)]
      (System/arraycopy p 0 all (* (long k) (alength p)) (alength p)))
    (array/build dtype (into (vec lead) own) #(aget all %))))

(defn each
  "What (f a m n) gives for each matrix of an array, a vector of double-arrays: a vector of as many
  arrays of its dtype and leading axes, whose last axes are `shapes`."
  [f shapes {:keys [dtype shape] :as x}]
  (let [[m n] (take-last 2 shape), results (mapv #(f % m n) (matrices x))]
    (vec (map-indexed (fn [k own] (assembled dtype (vec (drop-last 2 shape)) own
                                             (map #(nth % k) results)))
                      shapes))))
