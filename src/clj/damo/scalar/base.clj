(ns damo.scalar.base
  "The meaning of arithmetic on single elements, for the :eval of elementwise ops: doubles, longs
  and booleans in, one out. Right at NaN, infinities and signed zeros; independent of the compiled
  code. (floor-mod -7 3) = 2.")

(set! *warn-on-reflection* true)

(defn number
  "x as a number: false is 0, true is 1."
  [x]
  (cond (true? x) 1, (false? x) 0, :else x))

(defn truth
  "x as a boolean: everything but 0 is true, NaN too."
  [x]
  (if (boolean? x) x (not (zero? x))))

(defn by-kind
  "A function that applies `on-floats` when its first argument is a double, else `on-integers`."
  [on-floats on-integers]
  (fn
    ([x] (if (float? x) (on-floats x) (on-integers x)))
    ([x y] (if (float? x) (on-floats x y) (on-integers x y)))))

(defn- float-rem
  "x - y·trunc(x / y), exact, with the sign of x; for finite x and y ≠ 0."
  ^double [^double x ^double y]
  (let [r (Math/IEEEremainder (Math/abs x) (Math/abs y))]
    (Math/copySign (if (neg? r) (+ r (Math/abs y)) r) x)))

(defn- float-mod ^double [^double x ^double y]
  (let [r (if (or (zero? y) (Double/isInfinite x)) ##NaN (float-rem x y))]
    (cond (Double/isNaN r) r
          (zero? r) (Math/copySign 0.0 y)
          (= (neg? r) (neg? y)) r
          :else (+ r y))))

(defn- float-div
  "The whole number next to (x - x mod y) / y: what divides x without the remainder, where the
  rounded quotient x / y may already be the next whole number."
  ^double [^double x ^double y]
  (cond (zero? y) (/ x y)
        (Double/isInfinite y) (if (neg? (* x y)) (- (/ x y) 1.0) (/ x y))
        :else (Math/rint (/ (- x (float-mod x y)) y))))

(defn floor-div
  "x / y rounded down; integer division by zero gives 0."
  [x y]
  (cond (float? x) (float-div x y)
        (zero? y) 0
        :else (Math/floorDiv (long x) (long y))))

(defn floor-mod
  "The remainder of floor-div, with the sign of y; NaN for a float y of 0, 0 for an integer one."
  [x y]
  (cond (float? x) (float-mod x y)
        (zero? y) 0
        :else (Math/floorMod (long x) (long y))))

(defn sign
  "-1, 0 or 1 as x is negative, zero or positive; NaN for NaN."
  [x]
  (if (float? x)
    (cond (pos? x) 1.0, (neg? x) -1.0, (zero? x) 0.0, :else x)
    (Long/signum (long x))))

(defn trunc
  "The float x without its fraction, sign kept."
  [^double x]
  (Math/copySign (Math/floor (Math/abs x)) x))

(defn pow
  "x to the power y as C99 has it: 1 to any power is 1, -1 to an infinite one too."
  [^double x ^double y]
  (if (or (== x 1.0) (and (== x -1.0) (Double/isInfinite y)))
    1.0
    (Math/pow x y)))

(defn maximum
  "The larger of two; NaN when either is NaN."
  [x y]
  (if (float? x) (Math/max (double x) (double y)) (if (< (number x) (number y)) y x)))

(defn minimum
  "The smaller of two; NaN when either is NaN."
  [x y]
  (if (float? x) (Math/min (double x) (double y)) (if (< (number y) (number x)) y x)))

(defn comparison
  "The function of two elements that compares them with `f`, such as <, as numbers; false for NaN."
  [f]
  (fn [x y] (f (number x) (number y))))

(defn sigmoid
  "1 / (1 + e^-x), without overflow."
  [^double x]
  (if (neg? x)
    (let [e (Math/exp x)] (/ e (+ 1.0 e)))
    (/ 1.0 (+ 1.0 (Math/exp (- x))))))

(defn softplus
  "log(1 + e^x), without overflow."
  [^double x]
  (+ (Math/max x 0.0) (Math/log1p (Math/exp (- (Math/abs x))))))

(defn log2
  "The logarithm to base 2, exact for powers of 2 and accurate near 1."
  [^double x]
  (if (and (>= x Double/MIN_NORMAL) (< x ##Inf))
    (let [e (Math/getExponent (* x (Math/sqrt 2.0)))      ; x / 2^e lies between √½ and √2
          e (Math/min e (int Double/MAX_EXPONENT))]
      (+ (double e) (/ (Math/log (Math/scalb x (int (- e)))) (Math/log 2.0))))
    (/ (Math/log x) (Math/log 2.0))))

(defn asinh
  "The inverse of sinh; keeps the sign of zero, does not overflow."
  [^double x]
  (let [a (Math/abs x)]
    (Math/copySign (if (> a 1e150)
                     (+ (Math/log a) (Math/log 2.0))
                     (Math/log1p (+ a (/ (* a a) (+ 1.0 (Math/sqrt (+ 1.0 (* a a))))))))
                   x)))

(defn acosh
  "The inverse of cosh for x ≥ 1, NaN below."
  [^double x]
  (cond (> x 1e150) (+ (Math/log x) (Math/log 2.0))
        (< x 1.0) ##NaN
        :else (let [t (- x 1.0)]
                (Math/log1p (+ t (Math/sqrt (+ (* 2.0 t) (* t t))))))))

(defn atanh
  "The inverse of tanh on [-1, 1], NaN outside."
  [^double x]
  (let [a (Math/abs x)]
    (Math/copySign (* 0.5 (Math/log1p (/ (* 2.0 a) (- 1.0 a)))) x)))

(defn logaddexp
  "log(e^x + e^y), without overflow."
  [^double x ^double y]
  (if (== x y)
    (+ x (Math/log 2.0))
    (+ (Math/max x y) (Math/log1p (Math/exp (- (Math/abs (- x y))))))))

(defn xlogy
  "x log y, 0 where x is 0 (but NaN for y NaN)."
  [^double x ^double y]
  (cond (Double/isNaN y) y, (zero? x) 0.0, :else (* x (Math/log y))))

(defn xlog1py
  "x log(1 + y), 0 where x is 0 (but NaN for y NaN)."
  [^double x ^double y]
  (cond (Double/isNaN y) y, (zero? x) 0.0, :else (* x (Math/log1p y))))

(defn log1mexp
  "log(1 - e^x) for x ≤ 0, by the formula that keeps its digits (Mächler, \"Accurately computing
  log(1 - exp(-|a|))\", 2012, eq. 7)."
  [^double x]
  (if (< (- (Math/log 2.0)) x)
    (Math/log (- (Math/expm1 x)))
    (Math/log1p (- (Math/exp x)))))

(defn logit
  "log(p / (1 - p)); near 1/2 through the exact 2p - 1."
  [^double p]
  (if (<= 0.25 p 0.75)
    (* 2.0 (atanh (- (* 2.0 p) 1.0)))
    (if (< p 0.5) (Math/log (/ p (- 1.0 p))) (- (Math/log (/ (- 1.0 p) p))))))

(defn half-away
  "The nearest whole number, ties away from zero."
  [^double x]
  (let [a (Math/abs x), whole (Math/floor a)]
    (Math/copySign (if (<= 0.5 (- a whole)) (+ whole 1.0) whole) x)))

(defn shift-left
  "x·2^n; 0 for counts that are negative or beyond 63."
  [^long x ^long n]
  (if (<= 0 n 63) (bit-shift-left x n) 0))

(defn shift-right
  "x / 2^n rounded down; counts that are negative or beyond 63 leave the sign, 0 or -1."
  [^long x ^long n]
  (bit-shift-right x (if (<= 0 n 63) n 63)))
