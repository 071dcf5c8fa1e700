(ns damo.matrix.orthogonal
  "The meaning of QR factorisations: Householder's reflections, with the signs that LAPACK has: a
  reflection maps a column to minus the sign of its first element times its norm, and what has one
  element is left as it is."
  (:require [damo.matrix.base :as base]))

(set! *warn-on-reflection* true)

(defn- reflection
  "[v tau beta] of the reflection I - tau v vᵀ that makes rows k … of column k beta, 0, 0, …"
  [a m n k]
  (let [m (long m), k (long k), alpha (base/at a n k k), rest (base/column-norm a m n k (inc k))
        v (double-array m)]
    (aset v k 1.0)
    (if (zero? (double rest))
      [v 0.0 alpha]
      (let [norm (Math/hypot alpha (double rest)), beta (- (Math/copySign norm alpha))]
        (doseq [i (range (inc k) m)] (aset v (int i) (/ (base/at a n i k) (- alpha beta))))
        [v (/ (- beta alpha) beta) beta]))))

(defn- reflect!
  "Applies I - tau v vᵀ to the columns `columns` of an [m n] matrix."
  [^doubles a m n [^doubles v tau] columns]
  (let [m (long m), n (long n), tau (double tau)]
    (doseq [j columns :let [j (long j)]]
      (let [sum (loop [i 0, s 0.0]
                  (if (< i m) (recur (inc i) (+ s (* (aget v i) (aget a (+ (* i n) j))))) s))
            by (* tau sum)]
        (dotimes [i m]
          (let [o (+ (* i n) j)] (aset a o (- (aget a o) (* by (aget v i))))))))))

(defn packed
  "[r tau] of an [m n] matrix, as LAPACK has them: on and above the diagonal of r the triangle,
  below it the reflections I - tau v vᵀ, whose v are 1 on the diagonal, and their factors."
  [^doubles x m n]
  (let [m (long m), n (long n), r (aclone x)]
    [r (double-array
        (for [k (range (min m n))]
          (let [[^doubles v tau beta :as h] (reflection r m n k)]
            (reflect! r m n h (range (inc (long k)) n))
            (base/put! r n k k beta)
            (doseq [i (range (inc (long k)) m)] (base/put! r n i k (aget v (int i))))
            tau)))]))

(defn unpacked
  "The first `columns` columns of the product of reflections that lie below the diagonal of an [m n]
  matrix, of as many as there are factors tau."
  ([r tau m n] (unpacked r tau m n n))
  ([r ^doubles tau m n columns]
   (let [q (base/filled m columns (fn [i j] (if (= i j) 1.0 0.0)))
         v (fn [k] (double-array (map #(cond (< (long %) (long k)) 0.0
                                             (= % k) 1.0
                                             :else (base/at r n % k))
                                      (range m))))]
     (doseq [k (reverse (range (alength tau)))]
       (reflect! q m columns [(v k) (aget tau (int k))] (range columns)))
     q)))

(defn complete
  "[q r] of an [m n] matrix, [m m] and [m n]: q is orthogonal, r is zero below its diagonal."
  [x m n]
  (let [[r tau] (packed x m n)]
    [(unpacked r tau m n m)
     (base/filled m n (fn [i j] (if (< (long j) (long i)) 0.0 (base/at r n i j))))]))

(defn qr
  "[q r] of an [m n] matrix in one of the modes :reduced, [m k] and [k n] for k the smaller of m and
  n, or :complete, [m m] and [m n]. NaN in the matrix makes all NaN."
  [x m n mode]
  (let [k (if (= mode :complete) m (min (long m) (long n)))
        [q r] (complete x m n)]
    (if (base/any-nan? x)
      [(base/nan (* (long m) (long k))) (base/nan (* (long k) (long n)))]
      [(base/part q m [0 m] [0 k]) (base/part r n [0 k] [0 n])])))
