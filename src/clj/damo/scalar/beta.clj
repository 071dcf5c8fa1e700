(ns damo.scalar.beta
  "The meaning of the beta function and its incomplete integral on single elements, for the :eval of
  their ops: doubles in, doubles out. Series, a continued fraction and the uniform expansion of the
  Digital Library of Mathematical Functions (DLMF), sections 5.11, 5.12 and 8.17 to 8.18, apart from
  what the compiled code does. (betainc 1.0 2.0 0.5) = 0.75."
  (:require [damo.scalar.erf :as error-scalar]
            [damo.scalar.gamma :as scalar-gamma]
            [damo.scalar.incomplete :as scalar-incomplete]))

(set! *warn-on-reflection* true)

;; ## B(a, b)

(defn- log-beta
  "log B(a, b) for finite a, b > 0; with the larger one from 15 on by Stirling's series (DLMF
  5.11.1), of which the large terms are taken together."
  ^double [^double a ^double b]
  (let [m (Math/min a b), k (Math/max a b), s (+ a b)]
    (if (< k 15.0)
      (- (+ (double (scalar-gamma/gammaln m)) (double (scalar-gamma/gammaln k)))
         (double (scalar-gamma/gammaln s)))
      (let [rests (- (double (scalar-gamma/stirling-rest k))
                     (double (scalar-gamma/stirling-rest s)))
            log1p (Math/log1p (/ m k))]
        (if (< m 15.0)
          (+ (- (double (scalar-gamma/gammaln m)) (* (- k 0.5) log1p) (* m (- (Math/log s) 1.0)))
             rests)
          (+ (- (* 0.5 (+ log1p (Math/log (/ (* 2.0 Math/PI) m)))) (* k log1p)
                (* m (Math/log1p (/ k m))))
             rests (double (scalar-gamma/stirling-rest m))))))))

(defn- ends
  "The value of B or log B where an argument is 0 or infinite, or invalid; nil elsewhere."
  [^double a ^double b at-infinity]
  (let [lo (Math/min a b), hi (Math/max a b)]           ; NaN when either is
    (cond (or (Double/isNaN lo) (neg? lo) (and (zero? lo) (== hi ##Inf))) ##NaN
          (zero? lo) ##Inf
          (== hi ##Inf) at-infinity)))

(defn betaln
  "log B(a, b) for a, b ≥ 0: Inf where one is 0, -Inf where one is infinite, NaN elsewhere."
  [a b]
  (or (ends a b ##-Inf) (log-beta a b)))

(defn beta
  "B(a, b) = Γ(a) Γ(b) / Γ(a + b) for a, b ≥ 0: Inf where one is 0, 0 where one is infinite, NaN
  elsewhere."
  [a b]
  (or (ends a b 0.0) (Math/exp (log-beta a b))))

;; ## ψ(a + b) - ψ(a)

(def asymptotic-coefficients
  "B_2j/2j for j = 1, 2, …, of the asymptotic expansion of ψ (DLMF 5.11.2)."
  [(/ 1.0 12) (/ -1.0 120) (/ 1.0 252) (/ -1.0 240) (/ 1.0 132) (/ -691.0 32760) (/ 1.0 12)
   (/ -3617.0 8160)])

(defn- tail-of-step
  "Σ c_j (u^j - v^j)/(u - v)."
  ^double [^double u ^double v]
  (loop [sum 0.0, s 1.0, w 1.0, [c & more] asymptotic-coefficients]
    (if c
      (let [w' (* v w)] (recur (+ sum (* (double c) s)) (+ (* u s) w') w' more))
      sum)))

(defn psi-step
  "ψ(a + b) - ψ(a) for a, b ≥ 0: 0 where b is 0, Inf where a is 0 or b infinite; NaN elsewhere."
  [^double a ^double b]
  (cond (not (and (<= 0.0 a) (<= 0.0 b))) ##NaN
        (zero? b) 0.0
        (Double/isInfinite b) ##Inf
        :else
        (let [z (+ a 10.0), p (/ z), q (/ (+ z b))
              near (reduce + 0.0 (for [k (range 9 -1 -1) :let [x (+ a (double k))]]
                                   (/ (/ b (+ x b)) x)))]
          (+ near (Math/log1p (/ b z))
             (* b p q (+ 0.5 (* (+ p q) (tail-of-step (* p p) (* q q)))))))))

(defn beta-slope
  "The derivative of B(a, b) by a."
  [^double a ^double b]
  (let [value (double (beta a b))]
    (- (if (< b (* 1e-18 a))
         (* value b (double (scalar-gamma/polygamma 1 a)))
         (* value (double (psi-step a b)))))))

;; ## I_x(a, b)

(defn- distance
  "(a + b) x - a, rounded once, from the smaller one of x and y = 1 - x."
  ^double [^double a ^double b ^double x ^double y]
  (if (> x y)
    (- (double (distance b a y x)))
    (let [a (BigDecimal. a), x (BigDecimal. x)] (double (- (* x (+ a (BigDecimal. b))) a)))))

(defn- log-of
  "log x, where y = 1 - x."
  ^double [^double x ^double y]
  (if (< x 0.5) (Math/log x) (Math/log1p (- y))))

(defn- log-density
  "log(x^a y^b / B(a, b)), y = 1 - x; for large a and b as log √(ab / 2π(a + b)) - a (m - log(1 +
  m)) - b (n - log(1 + n)) and what Stirling's formula is off, with m = d/a, n = -d/b,
  d = (a + b) x - a."
  ^double [^double a ^double b ^double x ^double y]
  (if (or (< a 15.0) (< b 15.0))
    (- (+ (* a (log-of x y)) (* b (log-of y x))) (log-beta a b))
    (let [s (+ a b), d (distance a b x y)
          part (fn [^double c ^double d ^double x]
                 (let [m (/ d c)]
                   (* c (if (< m -0.5)
                          (- m (Math/log (* s (/ x c))))
                          (double (scalar-incomplete/log-excess m))))))]
      (- (+ (* 0.5 (Math/log (* (/ a s) (/ b 2.0 Math/PI))))
            (double (scalar-gamma/stirling-rest s)))
         (double (part a d x)) (double (part b (- d) y))
         (double (scalar-gamma/stirling-rest a)) (double (scalar-gamma/stirling-rest b))))))

(defn- fraction
  "The continued fraction of I_x(a, b) a B(a, b) / (x^a (1 - x)^b) (DLMF 8.17.22), by Lentz's
  algorithm; converges fast for x < (a + 1)/(a + b + 2)."
  ^double [^double a ^double b ^double x]
  (let [term (fn [^long j]
               (let [m (double (quot j 2)), a2 (+ a (* 2.0 m))]
                 (if (even? j)
                   (* (/ m (- a2 1.0)) (/ (- b m) a2) x)
                   (- (* (/ (+ a m) a2) (/ (+ a b m) (+ a2 1.0)) x)))))]
    (loop [j 1, c 1.0, d 0.0, f 1.0]
      (let [t (double (term j)), d (/ 1.0 (+ 1.0 (* t d))), c (+ 1.0 (/ t c)), step (* c d)
            f (* f step)]
        (if (or (< (Math/abs (- step 1.0)) 1e-16) (> j 10000000))
          (/ 1.0 f)
          (recur (inc j) c d f))))))

(defn- by-fraction ^double [^double a ^double b ^double x ^double y]
  (let [l (- (log-density a b x y) (Math/log a))]
    (if (< l -800.0) 0.0 (* (Math/exp l) (fraction a b x)))))

(defn- series
  "I_x(a, b), y = 1 - x, by the series of positive terms (DLMF 8.17.7 and 15.8.1)."
  ^double [^double a ^double b ^double x ^double y]
  (loop [term 1.0, sum 1.0, k 0.0]
    (let [term (* term x (/ (+ a b k) (+ a 1.0 k))), sum (+ sum term)]
      (if (< term (* 1e-18 sum))
        (* sum (Math/exp (- (log-density a b x y) (Math/log a))))
        (recur term sum (+ k 1.0))))))

(def ^:private gauss
  "Nodes and weights of Gauss and Legendre on [0, 1], five of them."
  (let [root (Math/sqrt (/ 10.0 7.0)), near (/ (Math/sqrt (- 5.0 (* 2.0 root))) 6.0)
        far (/ (Math/sqrt (+ 5.0 (* 2.0 root))) 6.0), r (* 13.0 (Math/sqrt 70.0))]
    [[0.5 (/ 64.0 225.0)]
     [(- 0.5 near) (/ (+ 322.0 r) 1800.0)] [(+ 0.5 near) (/ (+ 322.0 r) 1800.0)]
     [(- 0.5 far) (/ (- 322.0 r) 1800.0)] [(+ 0.5 far) (/ (- 322.0 r) 1800.0)]]))

(defn- gammaln-step
  "log Γ(a + b) - log Γ(a) for 0 < b < 1, relatively accurate: the integral of ψ from 15 on, and the
  recurrence."
  ^double [^double a ^double b]
  (let [n (long (Math/max 0.0 (Math/ceil (- 15.0 a)))), top (+ a (double n))]
    (- (* b (double (reduce (fn [^double sum [^double t ^double w]]
                              (+ sum (* w (double (scalar-gamma/psi (+ top (* b t)))))))
                            0.0 gauss)))
       (double (reduce (fn [^double sum ^long i] (+ sum (Math/log1p (/ b (+ a (double i))))))
                       0.0 (range n))))))

(defn- near-one
  "1 - I_y(b, a) for y < 1/20, b < 1 and a y < 3 by the series of I_y (DLMF 8.17.7), whose first
  term, y^b / (b B(a, b)), may be near 1."
  ^double [^double a ^double b ^double y]
  (let [front (- (+ (* b (Math/log y)) (gammaln-step a b)) (double (scalar-gamma/gammaln-1p b)))
        rest (loop [k 1.0, term 1.0, sum 0.0]
               (let [term (* term y (/ (- k a) k)), more (+ sum (/ term (+ b k)))]
                 (if (or (== more sum) (> k 500.0)) sum (recur (+ k 1.0) term more))))]
    (- (- (Math/expm1 front)) (* (Math/exp front) b rest))))

(defn- huge
  "I_x(a, b) for a, b > 10^10: erfc(-η √((a + b)/2))/2 and the first term of its remainder, of which
  two terms in x - a/(a + b) are left at such a, b (DLMF 8.18.9 to 8.18.11)."
  ^double [^double a ^double b ^double x ^double y]
  (let [scale (if (> (Math/max a b) 1e290) 1e-18 1.0), a (* a scale), b (* b scale)
        s (+ a b), p (/ a s), q (/ b s), sigma (Math/sqrt (* p q))
        d (distance a b x y), tau (/ d s sigma)
        excess (+ (* a (double (scalar-incomplete/log-excess (Math/max -0.999 (/ d a)))))
                  (* b (double (scalar-incomplete/log-excess (Math/max -0.999 (- (/ d b)))))))
        skew (/ (* 2.0 (- q p)) 3.0 sigma)
        c0 (+ (* 0.5 skew) (* tau (- (* 0.375 skew skew)
                                     (/ (- 1.0 (* 3.0 p q)) 4.0 (* p q)))))]
    (if (> excess 800.0)
      (if (pos? d) 1.0 0.0)
      (+ (* 0.5 (error-scalar/erfc (* (- (Math/signum d)) (Math/sqrt excess))))
         (* c0 (/ (Math/exp (- excess)) (Math/sqrt (* 2.0 Math/PI s))))))))

(defn- inside
  "I_x(a, b) for finite a, b > 0, 0 < x < 1, y = 1 - x."
  ^double [^double a ^double b ^double x ^double y]
  (cond (and (> a 1e10) (> b 1e10)) (huge a b x y)
        (and (< x 0.95) (< b 1.0)) (series a b x y)
        (< x (/ (+ a 1.0) (+ a b 2.0))) (by-fraction a b x y)
        (< b 1.0) (near-one a b y)
        :else (- 1.0 (by-fraction b a y x))))

(defn betainc
  "I_x(a, b), the integral of t^(a-1) (1-t)^(b-1) from 0 to x over B(a, b): a series, the continued
  fraction (DLMF 8.17.22) or, beyond 10^10, the uniform expansion (8.18). NaN for x outside [0, 1],
  for negative a or b and where both are 0 or infinite."
  [^double a ^double b ^double x]
  (cond (or (Double/isNaN a) (Double/isNaN b) (not (<= 0.0 x 1.0)) (neg? a) (neg? b)
            (and (zero? a) (zero? b)) (and (Double/isInfinite a) (Double/isInfinite b)))
        ##NaN
        (or (zero? x) (and (< x 1.0) (or (zero? b) (Double/isInfinite a)))) 0.0
        (or (== x 1.0) (zero? a) (Double/isInfinite b)) 1.0
        :else (inside a b x (- 1.0 x))))
