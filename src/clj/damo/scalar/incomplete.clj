(ns damo.scalar.incomplete
  "The meaning of the incomplete gamma functions on single elements, for the :eval of their ops:
  doubles in, doubles out. Series, a continued fraction and Temme's expansion of the Digital
  Library of Mathematical Functions (DLMF), chapter 8, apart from what the compiled code does.
  (gammainc 1.0 2.0) = 1 - e^-2."
  (:require [damo.scalar.erf :as error-scalar]
            [damo.scalar.gamma :as scalar-gamma]))

(set! *warn-on-reflection* true)

(defn log-excess
  "m - log(1 + m) for m > -1, without cancellation: 2r³/3 + 2r⁵/5 + … is taken from m - 2r, r =
  m/(2 + m)."
  ^double [^double m]
  (if (< -0.5 m 1.0)
    (let [r (/ m (+ 2.0 m)), z (* r r)]
      (- (* r m) (* 2.0 r z (double (reduce (fn [sum k] (+ (* z (double sum)) (/ 1.0 (double k))))
                                            0.0 (range 81 1 -2))))))
    (- m (Math/log1p m))))

(defn- density
  "x^a e^-x / Γ(a); for large a as √(a/2π) e^(-a (m - log(1+m))) over what Stirling's formula is
  off."
  ^double [^double a ^double x]
  (if (< a 15.0)
    (let [x (Math/min x 800.0)]                 ; where e^-x has vanished, but x^a is finite
      (/ (* (Math/pow x a) (Math/exp (- x))) (double (scalar-gamma/gamma a))))
    (let [m (/ (- x a) a)
          excess (if (< m -0.5) (- m (Math/log (/ x a))) (log-excess m))]
      (* (Math/sqrt (/ a 2.0 Math/PI))
         (Math/exp (- (- (* a excess)) (scalar-gamma/stirling-rest a)))))))

(defn- lower-series
  "P(a, x) / density: Σ x^k / (a (a+1) … (a+k)) (DLMF 8.7.1)."
  ^double [^double a ^double x]
  (loop [term (/ 1.0 a), sum 0.0, k 1.0]
    (if (< term (* 1e-18 sum)) sum (recur (* term (/ x (+ a k))) (+ sum term) (+ k 1.0)))))

(defn- upper-fraction
  "Q(a, x) / density: the continued fraction 1/(x+1-a- 1(1-a)/(x+3-a- …)) (DLMF 8.9.2), by Lentz's
  algorithm."
  ^double [^double a ^double x]
  (loop [b (- (+ x 1.0) a), c 1e300, d (/ 1.0 b), f d, k 1.0]
    (let [an (* k (- a k)), b (+ b 2.0)
          d (/ 1.0 (+ b (* an d))), c (+ b (/ an c)), step (* c d), f (* f step)]
      (if (or (< (Math/abs (- step 1.0)) 1e-16) (> k 1e6)) f (recur b c d f (+ k 1.0))))))

(defn- temme
  "Q(a, x) for a > 10^6 and x near a: erfc(η √(a/2))/2 and the first terms of its remainder, those
  that such an a leaves (DLMF 8.12.4, 8.12.7); P for -η."
  ^double [^double a ^double eta ^double sign]
  (let [at (fn [cs] (reduce (fn [sum c] (+ (* eta (double sum)) (double c))) 0.0 (reverse cs)))
        r (+ (double (at [-1/3 1/12 -2/135 1/864 1/2835 -139/777600]))
             (/ (double (at [-1/540 -1/288 1/378])) a))]
    (+ (* 0.5 (double (error-scalar/erfc (* sign eta (Math/sqrt (* 0.5 a))))))
       (* sign r (/ (Math/exp (* -0.5 a eta eta)) (Math/sqrt (* 2.0 Math/PI a)))))))

(defn- small-upper
  "Q(a, x) for x < 3/2: -expm1(log(x^a / Γ(1+a))) less the rest of the series (DLMF 8.7.3), so that
  nothing cancels for small a."
  ^double [^double a ^double x]
  (let [front (- (* a (Math/log x)) (double (scalar-gamma/gammaln-1p a)))
        rest (loop [term (- x), sum 0.0, k 1.0]
               (if (< (Math/abs term) 1e-20)
                 sum
                 (recur (* term (/ (- x) (+ k 1.0))) (+ sum (/ term (+ a k))) (+ k 1.0))))]
    (- (- (Math/expm1 front)) (* (Math/exp front) a rest))))

(defn- inside
  "[P Q] for finite a, x > 0."
  [^double a ^double x]
  (let [m (/ (- x a) a), both (fn [lower? ^double v] (if lower? [v (- 1.0 v)] [(- 1.0 v) v]))]
    (cond (and (> a 1e6) (< (Math/abs m) 0.01))
          (let [eta (Math/copySign (Math/sqrt (* 2.0 (log-excess m))) m)]
            [(temme a eta -1.0) (temme a eta 1.0)])
          (and (< x 1.5) (< a 3.0)) [(* (density a x) (lower-series a x)) (small-upper a x)]
          (< x (+ a 1.0)) (both true (* (density a x) (lower-series a x)))
          :else (both false (* (density a x) (upper-fraction a x))))))

(defn- incomplete [position at-zero ^double a ^double x]
  (cond (or (Double/isNaN a) (Double/isNaN x) (neg? a) (neg? x) (and (zero? a) (zero? x))
            (and (Double/isInfinite a) (Double/isInfinite x)))
        ##NaN
        (or (zero? x) (Double/isInfinite a)) at-zero
        (or (zero? a) (Double/isInfinite x)) (- 1.0 (double at-zero))
        :else (nth (inside a x) position)))

(defn gammainc
  "P(a, x), the integral of t^(a-1) e^-t from 0 to x over Γ(a): the power series (DLMF 8.7.1), the
  continued fraction of Q (8.9.2), or beyond 10^6 Temme's expansion (8.12). NaN for negative
  arguments and where both are 0 or infinite."
  [a x]
  (incomplete 0 0.0 a x))

(defn gammaincc
  "Q(a, x) = 1 - P(a, x), as `gammainc`, without cancellation where it is small."
  [a x]
  (incomplete 1 1.0 a x))
