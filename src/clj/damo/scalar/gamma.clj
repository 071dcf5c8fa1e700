(ns damo.scalar.gamma
  "The meaning of the gamma function and its kin on single elements, for the :eval of their ops:
  doubles in, doubles out. Series and asymptotic expansions of the Digital Library of Mathematical
  Functions (DLMF), chapter 5, apart from what the compiled code does. (gamma 5.0) = 24.0.")

(set! *warn-on-reflection* true)

(def ^:private euler 0.5772156649015329)

(def ^:private bernoulli
  "B_2, B_4, … B_20."
  [1/6 -1/30 1/42 -1/30 5/66 -691/2730 7/6 -3617/510 43867/798 -174611/330])

;; ## The sine of multiples of pi

(defn- half-turn
  "r with |r| ≤ 1/2 and sin(πr) = sin(πx); all steps are exact."
  ^double [^double x]
  (let [e (- x (* 2.0 (Math/rint (* 0.5 x))))]
    (if (> (Math/abs e) 0.5) (- (Math/copySign 1.0 e) e) e)))

(defn sinpi
  "sin(πx), exactly 0 with the sign of x at integers; NaN at infinities."
  ^double [^double x]
  (let [r (half-turn x)]
    (if (zero? r) (Math/copySign 0.0 x) (Math/sin (* Math/PI r)))))

(defn cospi
  "cos(πx), exactly 0 halfway between integers; NaN at infinities."
  ^double [^double x]
  (let [e (Math/abs (- x (* 2.0 (Math/rint (* 0.5 x)))))]
    (Math/sin (* Math/PI (- 0.5 e)))))

(defn pole?
  "Is x a negative integer, or -Inf?"
  [^double x]
  (and (neg? x) (== x (Math/floor x))))

;; ## log gamma

(def ^:private zeta-less-1
  "ζ(k) - 1 for k = 2 … 30: the sum of n^-k up to 59, and the rest by Euler and Maclaurin."
  (mapv (fn [k]
          (let [k (double k), n 60.0
                c1 (/ k n), c3 (/ (* c1 (+ k 1) (+ k 2)) n n), c5 (/ (* c3 (+ k 3) (+ k 4)) n n)]
            (+ (reduce + (map #(Math/pow % (- k)) (range 59 1 -1)))
               (* (Math/pow n (- k))
                  (+ (/ n (- k 1)) 0.5 (/ c1 12) (/ c3 -720) (/ c5 30240))))))
        (range 2 31)))

(defn- near-2
  "log Γ(2 + t), |t| ≤ 1/2; relatively accurate near the root t = 0 (DLMF 5.7.3)."
  ^double [^double t]
  (* t (loop [sum 0.0, k 30]
         (if (= k 1)
           (+ (- 1.0 euler) sum)
           (let [c (/ (double (zeta-less-1 (- k 2))) k)]
             (recur (* t (+ sum (if (even? k) c (- c)))) (dec k)))))))

(defn stirling-rest
  "log Γ(x) - ((x - 1/2) log x - x + log √(2π)) for x ≥ 15 (DLMF 5.11.1)."
  ^double [^double x]
  (let [w (/ 1.0 x x)]
    (loop [sum 0.0, k 10]
      (if (zero? k)
        (/ sum x)
        (recur (+ (* sum w) (/ (double (bernoulli (dec k))) (* 2 k (dec (* 2 k))))) (dec k))))))

(def ^:private half-log-2pi (* 0.5 (Math/log (* 2.0 Math/PI))))

(defn- factors
  "The product of x - 1, x - 2, … down to the last that is at least 3/2; 1 for x < 5/2."
  ^double [^double x]
  (loop [p 1.0, y (- x 1.0)] (if (< y 1.5) p (recur (* p y) (- y 1.0)))))

(defn- positive-gammaln ^double [^double x]
  (cond (>= x 15.0) (if (Double/isInfinite x)
                      x
                      (+ (* (- x 0.5) (- (Math/log x) 1.0)) (- half-log-2pi 0.5) (stirling-rest x)))
        (< x 0.5) (- (near-2 x) (Math/log x) (Math/log1p x))
        (< x 1.5) (- (near-2 (- x 1.0)) (Math/log1p (- x 1.0)))
        :else (+ (near-2 (- x (Math/floor (+ x 0.5)))) (Math/log (factors x)))))

(defn gammaln
  "log |Γ(x)|: Stirling's series from 15 on (DLMF 5.11.1), below the series about 2 (5.7.3) and the
  recurrence; the reflection (5.5.3) below 0. Relatively accurate near the roots 1 and 2, absolutely
  near the negative ones. +Inf at 0, negative integers and infinities, as C99 has it."
  [^double x]
  (cond (Double/isNaN x) x
        (or (zero? x) (pole? x)) ##Inf
        (pos? x) (positive-gammaln x)
        (< x -0.5) (- (Math/log (/ Math/PI (- x) (Math/abs (sinpi x)))) (positive-gammaln (- x)))
        :else (- (near-2 x) (Math/log (- x)) (Math/log1p x))))

(defn gammaln-1p
  "log Γ(1 + t) for t ≥ 0, also for tiny t."
  [^double t]
  (if (< t 0.5) (- (near-2 t) (Math/log1p t)) (positive-gammaln (+ 1.0 t))))

;; ## gamma

(defn- positive-gamma
  "Γ(x) for x > 0 as two factors, against overflow."
  [^double x]
  (let [x (Math/min x 200.0)]
    (if (< x 15.0)
      [(if (< x 1.5)
         (/ (Math/exp (near-2 (if (< x 0.5) x (- x 1.0)))) (if (< x 0.5) (* x (+ x 1.0)) x))
         (* (Math/exp (near-2 (- x (Math/floor (+ x 0.5))))) (factors x)))
       1.0]
      (let [v (Math/pow x (- (* 0.5 x) 0.25))]
        [(* v (Math/exp (- x)) (Math/sqrt (* 2.0 Math/PI)) (Math/exp (stirling-rest x))) v]))))

(defn gamma
  "Γ(x): from 15 on Stirling's formula (DLMF 5.11.3), below the exponential of `gammaln` about 2 and
  the recurrence; the reflection (5.5.3) below 0. ±Inf at ±0, NaN at negative integers and -Inf."
  [^double x]
  (cond (Double/isNaN x) x
        (pole? x) ##NaN
        (< (Math/abs x) 1e-20) (/ 1.0 x)
        (pos? x) (let [[^double p ^double q] (positive-gamma x)] (* p q))
        :else (let [[^double p ^double q] (positive-gamma (- x))]
                (/ Math/PI x (sinpi (- x)) p q))))

;; ## psi and its derivatives

(def ^:private root 1.4616321449683623)
(def ^:private root-rest 9.549995429965697e-17)

(def ^:private psi-coefficients
  "c_k of ψ(x) ~ log x - 1/(2x) - Σ c_k / x^2k (DLMF 5.11.2), k = 10 … 1."
  (vec (reverse (map (fn [b k] (double (/ b (* 2 k)))) bernoulli (rest (range))))))

(defn- psi-tail
  "log x - 1/(2x) - ψ(x) for x ≥ 15."
  ^double [^double x]
  (let [w (/ 1.0 x x)]
    (* w (double (reduce (fn [^double sum ^double c] (+ (* sum w) c)) psi-coefficients)))))

(defn- tail-slope
  "(tail x - tail y) / (1/x² - 1/y²) of `psi-tail`: Horner's rule for the divided difference."
  ^double [^double x ^double y]
  (let [v (/ 1.0 x x), w (/ 1.0 y y)]
    (first (reduce (fn [[^double slope ^double sum] ^double c]
                     [(+ (* slope w) sum) (+ (* sum v) c)])
                   [0.0 0.0] (conj psi-coefficients 0.0)))))

(defn- psi-near-root
  "ψ(x) - ψ(root), as a sum of terms with the factor x - root (DLMF 5.7.6): the first 20, and the
  difference of the asymptotic expansions of the rest."
  ^double [^double x]
  (let [h (- (- x root) root-rest), z (+ x 20.0), z0 (+ root 20.0)
        first-terms (double (reduce + (map (fn [^long n] (/ 1.0 (+ x n) (+ root n))) (range 20))))]
    (+ (Math/log1p (/ h z0))
       (* h (+ first-terms
               (/ 0.5 z z0)
               (/ (* (+ z z0) (tail-slope z0 z)) (* z z z0 z0)))))))

(defn- positive-psi ^double [^double x]
  (if (< (Math/abs (- x root)) 0.3)
    (psi-near-root x)
    (loop [x x, sum 0.0]
      (if (< x 15.0)
        (recur (+ x 1.0) (+ sum (/ 1.0 x)))
        (- (Math/log x) (/ 0.5 x) (psi-tail x) sum)))))

(defn psi
  "ψ(x) = Γ'(x)/Γ(x): the asymptotic expansion (DLMF 5.11.2) after the recurrence up to 15; the
  reflection (5.5.4) below 0. Relatively accurate near the positive root, absolutely near the
  negative ones. ∓Inf at ±0, NaN at negative integers and -Inf."
  [^double x]
  (cond (or (Double/isNaN x) (== x ##Inf)) x
        (pole? x) ##NaN
        (zero? x) (/ -1.0 x)
        (pos? x) (positive-psi x)
        :else (+ (positive-psi (- 1.0 x)) (* (cospi x) (/ Math/PI (sinpi (- x)))))))

(def cot-polynomials
  "Coefficients, lowest first, of Q_n, n = 0, 1, …: the n-th derivative of cot(πx) is
  π^n Q_n(cot πx); Q_0(c) = c, Q_n+1 = -(1 + c²) Q_n'. Integers."
  (iterate (fn [q]
             (let [d (mapv *' (rest q) (rest (range)))]
               (mapv (fn [a b] (-' (+' a b))) (concat d [0 0]) (concat [0 0] d))))
           [0 1]))

(defn asymptotic-coefficients
  "c_1 … c_10 of (-1)^(n+1) ψ^(n)(x) ~ (n-1)!/x^n + n!/(2 x^(n+1)) + Σ c_k / x^(2k+n) (DLMF
  5.15.8), exact."
  [n]
  (let [factorial #(reduce *' (range 1 (inc %)))]
    (map (fn [k b] (/ (*' b (factorial (+ (* 2 k) n -1))) (factorial (* 2 k))))
         (rest (range)) bernoulli)))

(defn factorial "n! as a double." [n] (double (reduce *' (range 1 (inc n)))))

(defn- over-power
  "c / x^n by single steps, so that only the result overflows."
  ^double [^double c ^double x ^long n]
  (loop [c c, n n] (if (zero? n) c (recur (/ c x) (dec n)))))

(defn- far-polygamma ^double [^long n ^double x]
  (let [w (/ 1.0 x x)
        tail (reduce (fn [sum c] (+ (double c) (* w (double sum)))) 0.0
                     (reverse (asymptotic-coefficients n)))]
    (+ (over-power (factorial (dec n)) x n)
       (over-power (/ (factorial n) 2) x (inc n))
       (over-power tail x (+ n 2)))))

(defn- positive-polygamma
  "|ψ^(n)(x)| for n ≥ 1, x > 0."
  ^double [^long n ^double x]
  (let [top (+ 15.0 n)]
    (loop [y x, sum 0.0]
      (if (< y top)
        (recur (+ y 1.0) (+ sum (over-power (factorial n) y (inc n))))
        (+ sum (far-polygamma n y))))))

(defn- reflected-polygamma
  "ψ^(n)(x) for x < 0 and not an integer (DLMF 5.15.6)."
  ^double [^long n ^double x]
  (let [c (/ (cospi x) (sinpi x))
        q (reduce (fn [sum a] (+ (double a) (* c (double sum)))) 0.0
                  (reverse (nth cot-polynomials n)))
        other (positive-polygamma n (- 1.0 x))]
    (- (- other) (* (Math/pow Math/PI (inc n)) (double q)))))

(defn polygamma
  "ψ^(n)(x), the n-th derivative of ψ, n ≥ 1: the asymptotic expansion (DLMF 5.15.8) after the
  recurrence up to 15 + n; the reflection (5.15.6) below 0. Infinite at 0; at negative integers
  +Inf for odd n, NaN for even n, where the two sides differ."
  [^long n ^double x]
  (let [sign (if (odd? n) 1.0 -1.0)]
    (cond (Double/isNaN x) x
          (pole? x) (if (and (odd? n) (> x ##-Inf)) ##Inf ##NaN)
          (== x ##Inf) (* sign 0.0)
          (zero? x) (* sign (/ 1.0 (if (odd? n) (Math/abs x) x)))
          (pos? x) (* sign (positive-polygamma n x))
          :else (reflected-polygamma n x))))
