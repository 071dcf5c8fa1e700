(ns damo.matrix.symmetric
  "The meaning of eigenvalues of symmetric matrices: Jacobi's rotations, sweep by sweep."
  (:require [damo.matrix.base :as base]))

(set! *warn-on-reflection* true)

(defn rotate-columns!
  "Columns p and q of an [m n] matrix become c p - s q and s p + c q."
  [^doubles a m n p q c s]
  (let [m (long m), n (long n), p (long p), q (long q), c (double c), s (double s)]
    (dotimes [i m]
      (let [ip (+ (* i n) p), iq (+ (* i n) q), x (aget a ip), y (aget a iq)]
        (aset a ip (- (* c x) (* s y)))
        (aset a iq (+ (* s x) (* c y)))))))

(defn- rotate-rows! [^doubles a n p q c s]
  (let [n (long n), p (long p), q (long q), c (double c), s (double s)]
    (dotimes [j n]
      (let [jp (+ (* p n) j), jq (+ (* q n) j), x (aget a jp), y (aget a jq)]
        (aset a jp (- (* c x) (* s y)))
        (aset a jq (+ (* s x) (* c y)))))))

(defn rotation
  "[c s] of the rotation that makes the symmetric [[app apq] [apq aqq]] diagonal, by the smaller
  angle."
  [app apq aqq]
  (let [theta (/ (- (double aqq) (double app)) (* 2.0 (double apq)))
        t (/ (if (neg? theta) -1.0 1.0) (+ (Math/abs theta) (Math/hypot theta 1.0)))
        c (/ 1.0 (Math/hypot t 1.0))]
    [c (* t c)]))

(defn- sweep!
  "Rotates each pair of axes that is not yet diagonal; returns whether there was one."
  [a v n]
  (let [n (long n), turned (volatile! false)]
    (doseq [p (range (dec n)), q (range (inc (long p)) n)
            :let [app (base/at a n p p), apq (base/at a n p q), aqq (base/at a n q q)]
            :when (< (* 1e-17 (Math/sqrt (Math/abs (* app aqq)))) (Math/abs apq))
            :when (< (* 1e-20 (+ (Math/abs app) (Math/abs aqq))) (Math/abs apq))]
      (let [[c s] (rotation app apq aqq)]
        (rotate-columns! a n n p q c s)
        (rotate-rows! a n p q c s)
        (base/put! a n p q 0.0)
        (base/put! a n q p 0.0)
        (rotate-columns! v n n p q c s)
        (vreset! turned true)))
    @turned))

(defn- largest
  "The largest element of column j of an [m n] matrix, the first of those that hardly differ."
  ^double [v m n j]
  (reduce (fn [^double x i]
            (let [y (base/at v n i j)] (if (< (+ 1e-9 (Math/abs x)) (Math/abs y)) y x)))
          0.0 (range m)))

(defn facing
  "The columns of an [m n] matrix, each with the sign that makes its largest element positive."
  [v m n]
  (let [signs (mapv #(if (neg? (largest v m n %)) -1.0 1.0) (range n))]
    (base/filled m n (fn [i j] (* (double (signs j)) (base/at v n i j))))))

(defn mirrored
  "The symmetric matrix whose lower triangle, or upper one, is that of an n × n matrix."
  [a n lower]
  (base/filled n n (fn [i j] (if (= lower (< (long i) (long j))) (base/at a n j i)
                                 (base/at a n i j)))))

(defn eigh
  "[values vectors] of the symmetric n × n matrix whose lower triangle, or upper one, is that of x:
  the eigenvalues, ascending, and the eigenvectors as columns. NaN in the triangle makes all NaN."
  [x n lower]
  (let [n (long n), a (mirrored x n lower), v (base/identity n)]
    (if (base/any-nan? a)
      [(base/nan n) (base/nan (* n n))]
      (do
        (loop [k 0] (when (and (< k 100) (sweep! a v n)) (recur (inc k))))
        (let [order (sort-by #(base/at a n % %) (range n))]
          [(double-array (map #(base/at a n % %) order))
           (facing (base/picked v n n order) n n)])))))
