(ns damo.matrix.solving
  "The meaning of factors and systems of equations: elimination with pivots, substitution,
  Cholesky."
  (:require [damo.matrix.base :as base]))

(set! *warn-on-reflection* true)

;; ## Elimination

(defn- pivot
  "The row from k on whose element in column k is the largest, the first of them."
  [a n k]
  (reduce (fn [best i] (if (< (abs (base/at a n best k)) (abs (base/at a n i k))) i best))
          k (range k n)))

(defn- swap-rows! [^doubles a n i j]
  (dotimes [k n]
    (let [p (+ (* (long i) (long n)) k), q (+ (* (long j) (long n)) k), x (aget a p)]
      (aset a p (aget a q))
      (aset a q x))))

(defn- eliminate! [^doubles a n k]
  (let [n (long n), k (long k), d (base/at a n k k)]
    (doseq [i (range (inc k) n) :let [i (long i), f (/ (base/at a n i k) d)]]
      (base/put! a n i k f)
      (loop [j (inc k)]
        (when (< j n)
          (base/put! a n i j (- (base/at a n i j) (* f (base/at a n k j))))
          (recur (inc j)))))))

(defn lu
  "[packed pivots report] of an n × n matrix with rows exchanged: the upper factor and below the
  diagonal the lower one, whose diagonal is 1; the row, from 1 on, with which each was exchanged in
  turn; 0 or the first of the upper factor's diagonal that is 0, from 1 on. -1 where there is NaN."
  [x n]
  (let [a (aclone ^doubles x)
        pivots (mapv (fn [k]
                       (let [p (pivot a n k)]
                         (swap-rows! a n k p)
                         (when-not (zero? (base/at a n k k)) (eliminate! a n k))
                         (inc (long p))))
                     (range n))
        zero (first (filter #(zero? (base/at a n % %)) (range n)))]
    (if (base/any-nan? x)
      [(base/nan (* (long n) (long n))) (double-array (range 1 (inc (long n)))) -1]
      [a (double-array pivots) (if zero (inc (long zero)) 0)])))

(defn order
  "The rows of a matrix of n in the order in which exchanges leave them."
  [pivots n]
  (reduce (fn [p [k q]] (let [q (dec (long q))] (assoc p k (p q) q (p k))))
          (vec (range n)) (map-indexed vector pivots)))

;; ## Substitution

(defn triangular
  "The x [n r] with t·x = b for the lower, or upper, triangle t of an n × n matrix, of which with
  `unit` the diagonal counts as 1."
  [a n b r lower unit]
  (let [n (long n), r (long r), x (aclone ^doubles b)]
    (doseq [i (if lower (range n) (reverse (range n))), j (range r)]
      (let [others (if lower (range i) (range (inc (long i)) n))
            sum (reduce (fn [^double s k] (- s (* (base/at a n i k) (base/at x r k j))))
                        (base/at x r i j) others)]
        (base/put! x r i j (if unit sum (/ (double sum) (base/at a n i i))))))
    x))

(defn solve
  "[x report] for a·x = b of an n × n matrix and [n r]; NaN where the matrix has one or is
  singular."
  [a n b r]
  (let [[packed pivots report] (lu a n)]
    (if (zero? (long report))
      (let [p (order pivots n), permuted (base/filled n r (fn [i j] (base/at b r (p i) j)))]
        [(triangular packed n (triangular packed n permuted r true true) r false false) 0])
      [(base/nan (* (long n) (long r))) report])))

;; ## Cholesky

(defn- less-others
  "Element [i j] of a, less the products of the columns before j of rows i and j of l."
  [a l n i j]
  (reduce (fn [^double s k] (- s (* (base/at l n i k) (base/at l n j k)))) (base/at a n i j)
          (range j)))

(defn- minor!
  "Fills l column by column; nil, or the first leading minor that is not positive, from 1 on."
  [a ^doubles l n]
  (loop [j 0]
    (when (< j (long n))
      (let [d (double (less-others a l n j j))]
        (if-not (pos? d)
          (inc j)
          (do (base/put! l n j j (Math/sqrt d))
              (doseq [i (range (inc j) n)]
                (base/put! l n i j (/ (double (less-others a l n i j)) (Math/sqrt d))))
              (recur (inc j))))))))

(defn cholesky
  "[l report] of the n × n matrix whose lower triangle is that of a: l·lᵀ with l lower, zeros above;
  0, or the first leading minor that is not positive, from 1 on, and NaN; -1 where there is NaN."
  [a n]
  (let [n (long n), l (double-array (* n n)), bad (minor! a l n)
        read (for [i (range n), j (range (inc (long i)))] (base/at a n i j))]
    (cond (some #(Double/isNaN %) read) [(base/nan (* n n)) -1]
          bad [(base/nan (* n n)) bad]
          :else [l 0])))
