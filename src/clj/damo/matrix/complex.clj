(ns damo.matrix.complex
  "The meaning of eigenvalues of general matrices: the shifted QR algorithm on complex numbers.
  A matrix is [re im], two row-major double-arrays."
  (:require [damo.matrix.base :as base]))

(set! *warn-on-reflection* true)

;; ## Numbers, [re im]

(defn- c+ [[a b] [c d]] [(+ (double a) (double c)) (+ (double b) (double d))])
(defn- c- [[a b] [c d]] [(- (double a) (double c)) (- (double b) (double d))])

(defn- c* [[a b] [c d]]
  (let [a (double a), b (double b), c (double c), d (double d)]
    [(- (* a c) (* b d)) (+ (* a d) (* b c))]))

(defn- size [[a b]] (Math/hypot a b))

(defn- c-div [[a b] [c d]]
  (let [k (size [c d]), c (/ (double c) k), d (/ (double d) k), a (double a), b (double b)]
    [(/ (+ (* a c) (* b d)) k) (/ (- (* b c) (* a d)) k)]))

(defn- root
  "The square root whose real part is not negative."
  [[a b :as z]]
  (let [r (size z), x (Math/sqrt (max 0.0 (/ (+ r (double a)) 2)))
        y (Math/sqrt (max 0.0 (/ (- r (double a)) 2)))]
    [x (Math/copySign y (double b))]))

(defn- at [[re im] n i j] [(base/at re n i j) (base/at im n i j)])

(defn- put! [[re im] n i j [x y]]
  (base/put! re n i j x)
  (base/put! im n i j y))

;; ## Rotations

(defn- rotation
  "[c [sr si]] with c real and [[c s] [-s̄ c]]·(x, y) = (r, 0)."
  [x y]
  (let [a (size x), b (size y), r (Math/hypot a b)]
    (cond (zero? b) [1.0 [0.0 0.0]]
          (zero? a) (let [[p q] (c-div y [b 0.0])] [0.0 [p (- (double q))]])
          :else (let [[yr yi] y, unit (c-div x [a 0.0])]
                  [(/ a r) (c* unit [(/ (double yr) r) (- (/ (double yi) r))])]))))

(defn- combine!
  "The elements at positions p and q become c·x + s·y and c·y - s̄·x."
  [[^doubles re ^doubles im] p q c [sr si]]
  (let [p (int p), q (int q), c (double c), sr (double sr), si (double si)
        xr (aget re p), xi (aget im p), yr (aget re q), yi (aget im q)]
    (aset re p (+ (* c xr) (- (* sr yr) (* si yi))))
    (aset im p (+ (* c xi) (+ (* sr yi) (* si yr))))
    (aset re q (- (* c yr) (+ (* sr xr) (* si xi))))
    (aset im q (- (* c yi) (- (* sr xi) (* si xr))))))

(defn- rotate-rows! [a n p q [c s]]
  (dotimes [j n] (combine! a (+ (* (long p) (long n)) j) (+ (* (long q) (long n)) j) c s)))

(defn- rotate-columns! [a n p q [c [sr si]]]
  (dotimes [i n]
    (combine! a (+ (* i (long n)) (long p)) (+ (* i (long n)) (long q)) c
              [sr (- (double si))])))

(defn- similar!
  "Rotates rows p and q of a matrix, and its columns to match; the columns of z as well."
  [a z n p q by]
  (rotate-rows! a n p q by)
  (rotate-columns! a n p q by)
  (rotate-columns! z n p q by))

;; ## The triangular form of Schur

(defn- hessenberg!
  "Makes zero what is below the first subdiagonal, by similar matrices."
  [a z n]
  (doseq [k (range (- (long n) 2)), i (range (+ (long k) 2) n)]
    (similar! a z n (inc (long k)) i (rotation (at a n (inc (long k)) k) (at a n i k)))
    (put! a n i k [0.0 0.0])))

(defn- small?
  "Is element [k, k - 1] nothing beside its neighbours on the diagonal?"
  [a n k]
  (let [k (long k)]
    (<= (double (size (at a n k (dec k))))
        (* 1e-16 (+ (double (size (at a n k k))) (double (size (at a n (dec k) (dec k)))))))))

(defn- shift
  "The eigenvalue of the last 2 × 2 block, up to row k, that is nearer to its last element."
  [a n k]
  (let [k (long k), p (at a n (dec k) (dec k)), q (at a n (dec k) k), r (at a n k (dec k))
        s (at a n k k), half (c* [0.5 0.0] (c- p s)), d (root (c+ (c* half half) (c* q r)))
        [x y] (map #(c+ (c+ s half) %) [d (c- [0.0 0.0] d)])]
    (if (< (double (size (c- x s))) (double (size (c- y s)))) x y)))

(defn- step!
  "One step of QR with that shift on the rows and columns lo … hi of a Hessenberg matrix."
  [a z n lo hi mu]
  (dotimes [i n] (put! a n i i (c- (at a n i i) mu)))
  (let [turns (mapv (fn [k]
                      (let [by (rotation (at a n k k) (at a n (inc (long k)) k))]
                        (rotate-rows! a n k (inc (long k)) by)
                        by))
                    (range lo hi))]
    (doseq [[k by] (map vector (range lo hi) turns)]
      (rotate-columns! a n k (inc (long k)) by)
      (rotate-columns! z n k (inc (long k)) by)))
  (dotimes [i n] (put! a n i i (c+ (at a n i i) mu))))

(defn- schur!
  "Makes a triangular, by steps of QR from its end on."
  [a z n]
  (hessenberg! a z n)
  (loop [hi (dec (long n)), turn 0]
    (when (and (pos? hi) (< turn 200))
      (doseq [k (range 1 (inc hi)) :when (small? a n k)] (put! a n k (dec (long k)) [0.0 0.0]))
      (let [split? (fn [k] (zero? (double (size (at a n k (dec (long k)))))))
            lo (or (first (filter #(or (zero? (long %)) (split? %)) (range hi -1 -1))) 0)]
        (if (= lo hi)
          (recur (dec hi) 0)
          (let [odd? (pos? (rem turn 10))
                mu (if (or odd? (zero? turn))
                     (shift a n hi)
                     (c+ (at a n hi hi) [(size (at a n hi (dec hi))) 0]))]
            (step! a z n lo hi mu)
            (recur hi (inc turn))))))))

;; ## Eigenvectors

(defn- back-substituted
  "The eigenvector of the triangular matrix t for its element k of the diagonal, of n numbers."
  [t n k scale]
  (let [least [(max Double/MIN_NORMAL (* 1e-16 (double scale))) 0.0], own (at t n k k)]
    (loop [i (dec (long k))
           v (into (vec (repeat k nil)) (cons [1.0 0.0]
                                         (repeat (dec (- (long n) (long k))) [0.0 0.0])))]
      (if (neg? i)
        v
        (let [sum (reduce c+ [0.0 0.0] (map #(c* (at t n i %) (v %))
                                            (range (inc i) (inc (long k)))))
              d (c- own (at t n i i)), d (if (< (double (size d)) (double (first least))) least d)]
          (recur (dec i) (assoc v i (c-div sum d))))))))

(defn- unit
  "The vector of norm 1 in its direction whose largest element is real."
  [v]
  (let [norm (Math/sqrt (reduce + (map #(let [s (double (size %))] (* s s)) v)))
        [a b :as largest] (apply max-key size v), s (* norm (double (size largest)))]
    (mapv #(c* % [(/ (double a) s) (- (/ (double b) s))]) v)))

(defn- image [z n v]
  (mapv (fn [i] (reduce c+ [0.0 0.0] (map #(c* (at z n i %) (v %)) (range n)))) (range n)))

(defn- real-part
  "An eigenvalue and its vector; an imaginary part that is nothing beside the matrix is 0."
  [scale [[a b :as w] v]]
  (if (< (Math/abs (double b)) (* 1e-13 (double scale)))
    [[a 0.0] (mapv (fn [[x _]] [x 0.0]) v)]
    [w v]))

(defn- with-conjugates
  "Pairs of an eigenvalue and its vector, sorted by real and imaginary part; behind each with a
  positive imaginary part its conjugate, in the place of those with a negative one."
  [pairs]
  (let [conjugate (fn [[a b]] [a (- (double b))])]
    (vec (mapcat (fn [[[_ b :as w] v]]
                   (if (zero? (double b)) [[w v]] [[w v] [(conjugate w) (mapv conjugate v)]]))
                 (sort-by first (remove (fn [[[_ b]]] (neg? (double b))) pairs))))))

(defn eig
  "[re im vre vim] of an n × n matrix of reals: the eigenvalues, sorted by real and imaginary part,
  of a pair of complex ones that with the positive imaginary part first; and as columns the
  eigenvectors, of norm 1 and with a real largest element. NaN makes all NaN."
  [x n]
  (let [n (long n), a [(aclone ^doubles x) (double-array (* n n))]
        z [(base/identity n) (double-array (* n n))], scale (reduce + (map abs x))]
    (if (base/any-nan? x)
      [(base/nan n) (base/nan n) (base/nan (* n n)) (base/nan (* n n))]
      (do
        (schur! a z n)
        (let [pairs (with-conjugates
                      (map (fn [k]
                             (let [v (back-substituted a n k scale)]
                               (real-part scale [(at a n k k) (unit (image z n v))])))
                           (range n)))
              part (fn [k] (base/filled n n (fn [i j] (nth (nth (second (pairs j)) i) k))))]
          [(double-array (map ffirst pairs)) (double-array (map (comp second first) pairs))
           (part 0) (part 1)])))))

(defn packed
  "[re im v] of an n × n matrix of reals, as LAPACK has them: the eigenvalues, and as rows of v the
  eigenvectors, those of a pair as the real and the imaginary part of the first's."
  [x n]
  (let [[re ^doubles im vr vi] (eig x n)]
    [re im (base/filled n n (fn [j i] (if (neg? (aget im (int j)))
                                        (- (base/at vi n i j))
                                        (base/at vr n i j))))]))
