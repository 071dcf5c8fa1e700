(ns damo.matrix.singular
  "The meaning of singular values: one-sided rotations of Jacobi, which make the columns of a matrix
  orthogonal; what they are too few for is completed by Householder's reflections."
  (:require [damo.matrix.base :as base]
            [damo.matrix.orthogonal :as orthogonal]
            [damo.matrix.symmetric :as symmetric]))

(set! *warn-on-reflection* true)

(defn- inner ^double [^doubles a m n [p q]]
  (let [m (long m), n (long n), p (long p), q (long q)]
    (loop [i 0, s 0.0]
      (if (< i m) (recur (inc i) (+ s (* (aget a (+ (* i n) p)) (aget a (+ (* i n) q))))) s))))

(defn- sweep! [a v m n]
  (let [n (long n), turned (volatile! false)]
    (doseq [p (range (dec n)), q (range (inc (long p)) n)
            :let [pp (inner a m n [p p]), pq (inner a m n [p q]), qq (inner a m n [q q])]
            :when (< (* 1e-16 (Math/sqrt (* pp qq))) (Math/abs pq))]
      (let [[c s] (symmetric/rotation pp pq qq)]
        (symmetric/rotate-columns! a m n p q c s)
        (symmetric/rotate-columns! v n n p q c s)
        (vreset! turned true)))
    @turned))

(defn- completed
  "An orthogonal [m m] matrix whose first columns are these, [m r], of an orthonormal set."
  [u m r]
  (let [[q] (orthogonal/complete u m r), m (long m), r (long r)]
    (base/filled m m (fn [i j] (if (< (long j) r) (base/at u r i j) (base/at q m i j))))))

(defn- tall
  "[u s v] of an [m n] matrix, m ≥ n: [m m], [n], [n n]."
  [x m n]
  (let [n (long n), a (aclone ^doubles x), v (base/identity n)]
    (loop [k 0] (when (and (< k 100) (sweep! a v m n)) (recur (inc k))))
    (let [norms (mapv #(base/column-norm a m n % 0) (range n))
          order (sort-by #(- (double (norms %))) (range n))
          s (mapv norms order), least (* 1e-15 (double (reduce max 0.0 s)))
          rank (count (take-while #(< least (double %)) s))
          u (base/filled m rank (fn [i j] (/ (base/at a n i (nth order j)) (double (s j)))))]
      [(completed u m rank) (double-array s) (base/picked v n n order)])))

(defn- not-a-number [m n full]
  (let [m (long m), n (long n), k (min m n)]
    [(base/nan (* m (if full m k))) (base/nan k) (base/nan (* (if full n k) n))]))

(defn svd
  "[u s vt] of an [m n] matrix with x = u·diag(s)·vt: the singular values, descending, k of them,
  for k the smaller of m and n; u [m k] and vt [k n], or [m m] and [n n] when `full`. NaN in the
  matrix makes all NaN."
  [x m n full]
  (let [m (long m), n (long n), k (min m n), keep-u (if full m k), keep-v (if full n k)]
    (if (base/any-nan? x)
      (not-a-number m n full)
      (let [[u s v] (if (< m n)
                      (let [[v s u] (tall (base/transposed x m n) n m)] [u s v])
                      (tall x m n))]
        [(base/part u m [0 m] [0 keep-u]) s
         (base/transposed (base/part v n [0 n] [0 keep-v]) n keep-v)]))))
