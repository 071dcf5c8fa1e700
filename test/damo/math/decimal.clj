(ns damo.math.decimal
  "The math functions on decimals of sixty digits: the oracle of `damo.math-test`. Takes numbers
  inside the function's domain (BigDecimal, or anything that `bigdec` takes exactly), gives a
  BigDecimal with at least thirty right digits. Example: (exp 1) => 2.71828182845904523536M…"
  (:require [damo.math.digits :refer [add digits div exact mul root sub]]
            [damo.math.error :as error])
  (:import (java.math BigDecimal BigInteger MathContext RoundingMode)))

(set! *warn-on-reflection* true)

;; Enough to reduce 1e308 by multiples of pi/2 and keep sixty digits.
(def ^:private ^MathContext many (MathContext. 400))

(defn- tiny? [x] (< (abs (exact x)) 1e-20M))
(defn- negative? [x] (neg? (.signum (exact x))))

(defn- series
  "The sum of `term` and its successors, (next-term term k) for k = 1, 2, …, until they vanish."
  [next-term term context]
  (loop [sum term, term term, k 1]
    (let [term (next-term term k)
          more (.add ^BigDecimal sum ^BigDecimal term context)]
      (if (= more sum) sum (recur more term (inc k))))))

(defn- inverse-atan
  "atan(1/n), or atanh(1/n) when `sign` is 1, to the digits of `context`."
  [n sign ^MathContext context]
  (let [power (atom (.divide 1M (bigdec n) context))]
    (series (fn [_ k]
              (swap! power #(.divide ^BigDecimal % (bigdec (* sign n n)) context))
              (.divide ^BigDecimal @power (bigdec (inc (* 2 k))) context))
            @power context)))

(def ^:private ln2 (mul 2 (inverse-atan 3 1 digits)))

;; Machin's formula.
(def ^:private ^BigDecimal long-pi
  (* 4M (- (* 4M (inverse-atan 5 -1 many)) (inverse-atan 239 -1 many))))

(def pi "Pi to sixty digits." (.round long-pi digits))

(defn- nearest [^BigDecimal x] (.toBigInteger (.setScale x 0 RoundingMode/HALF_EVEN)))

(defn- power-of-two [n] (.pow 2M (int n) digits))

(defn exp
  "e^x, by squaring e^(r/256) eight times; beyond 100000 that of 100000, far outside all floats."
  [x]
  (let [x (max -1e5M (min 1e5M (exact x)))
        n (nearest (div x ln2))
        r (div (sub x (mul (bigdec n) ln2)) 256)
        e (series (fn [term k] (div (mul term r) k)) 1M digits)]
    (mul (power-of-two n) (nth (iterate #(mul % %) e) 8))))

(defn log
  "The natural logarithm: the double's, corrected by 2 atanh d with d near 1e-16."
  [x]
  (if (< 1e300M (exact x))
    (add (log (div x 1024)) (mul 10 ln2))
    (let [y (StrictMath/log (.doubleValue (exact x)))
          e (exp y)
          d (div (sub x e) (add x e))]
      (add y (mul 2 (add d (div (mul d (mul d d)) 3)))))))

(defn expm1 "e^x - 1." [x] (if (tiny? x) (exact x) (sub (exp x) 1)))
(defn log1p "log(1 + x)." [x] (if (tiny? x) (exact x) (log (add 1 x))))

(defn- quarter-turns
  "[n r] with x = n pi/2 + r, |r| <= pi/4, n an integer."
  [x]
  (let [half (.divide long-pi 2M many)
        n (nearest (.divide (exact x) half many))]
    [n (sub (.subtract (exact x) (.multiply half (bigdec n) many) many) 0)]))

(defn- sine-series
  "The sum of ± r^k/k! over the k of the parity of `k0`, beginning with `term` at k0."
  [r term k0]
  (let [z (mul r r)]
    (series (fn [t k] (let [m (+ k0 (* 2 k))] (div (mul t z) (- (* m (- m 1))))))
            term digits)))

(defn- sine [x shift]
  (let [[^BigInteger n r] (quarter-turns x)
        q (mod (+ (bigint n) shift) 4)
        y (if (even? q) (sine-series r r 1) (sine-series r 1M 0))]
    (if (< q 2) y (- y))))

(defn sin "The sine of x radians, for every x." [x] (if (tiny? x) (exact x) (sine x 0)))
(defn cos "The cosine of x radians, for every x." [x] (sine x 1))
(defn tan "sin x / cos x." [x] (div (sin x) (cos x)))

(defn- near-atan
  "atan x for 1e-20 <= x <= 1: the double's, corrected by atan d with d near 1e-16."
  [x]
  (let [y (StrictMath/atan (.doubleValue (exact x)))
        s (sin y), c (cos y)
        d (div (sub (mul x c) s) (add c (mul x s)))]
    (add y (sub d (div (mul d (mul d d)) 3)))))

(defn atan
  "The arc tangent, in (-pi/2, pi/2)."
  [x]
  (cond (negative? x) (- (atan (- (exact x))))
        (tiny? x) (exact x)
        (< 1 (exact x)) (sub (div pi 2) (atan (div 1 x)))
        :else (near-atan x)))

(defn atan2
  "The angle of the point (x, y), in (-pi, pi]; x and y are not both 0."
  [y x]
  (cond (negative? y) (- (atan2 (- (exact y)) x))
        (negative? x) (sub pi (atan2 y (- (exact x))))
        (<= (exact y) (exact x)) (atan (div y x))
        :else (sub (div pi 2) (atan (div x y)))))

(defn- halves [x combine] (div (combine (exp x) (exp (- (exact x)))) 2))

(defn- odd
  "An odd function from its values at numbers that are positive and not tiny."
  [f]
  (fn [x] (cond (tiny? x) (exact x) (negative? x) (- (f (- (exact x)))) :else (f x))))

(def sinh "(e^x - e^-x)/2." (odd #(halves % sub)))
(defn cosh "(e^x + e^-x)/2." [x] (halves x add))
(def tanh "sinh x / cosh x." (odd #(let [e (exp (mul 2 %))] (div (sub e 1) (add e 1)))))
(def asinh "log(x + sqrt(x^2 + 1))." (odd #(log (add % (root (add 1 (mul % %)))))))
(defn acosh "log(x + sqrt(x^2 - 1))." [x] (log (add x (root (sub (mul x x) 1)))))
(def atanh "log((1 + x)/(1 - x))/2." (odd #(div (log (div (add 1 %) (sub 1 %))) 2)))
(defn- cosine-of-asin [x] (root (mul (sub 1 x) (add 1 x))))
(def asin "The arc sine." (odd #(atan2 % (cosine-of-asin %))))
(defn acos "The arc cosine." [x] (atan2 (cosine-of-asin x) x))
(defn sigmoid "1/(1 + e^-x)." [x] (div 1 (add 1 (exp (- (exact x))))))
(defn softplus "log(1 + e^x)." [x] (add (max 0M (exact x)) (log1p (exp (- (abs (exact x)))))))

(defn pow
  "x^y, x not 0; for x < 0 y is a whole number."
  [x y]
  (if (negative? x)
    (* (if (zero? (.remainder (exact y) 2M)) 1 -1) (pow (- (exact x)) y))
    (exp (mul y (log x)))))

(def functions
  "The oracle of each math function, by its keyword."
  (merge
   (error/functions {:exp exp, :log log, :exact exact, :pi pi})
   {:exp exp, :exp2 #(exp (mul % ln2)), :expm1 expm1, :log log, :log2 #(div (log %) ln2)
    :log10 #(div (log %) (log 10)), :log1p log1p, :pow pow
    :sin sin, :cos cos, :tan tan, :asin asin, :acos acos, :atan atan, :atan2 atan2
    :sinh sinh, :cosh cosh, :tanh tanh, :asinh asinh, :acosh acosh, :atanh atanh
    :sigmoid sigmoid, :softplus softplus
    :circular (fn [x q t] (cond (not (zero? t)) (div (sine x (long q)) (sine x (inc (long q))))
                                (and (zero? q) (tiny? x)) (exact x)
                                :else (sine x (long q))))
    :log1p-sum (fn [x l] (log1p (+ (exact x) (exact l))))
    :pi (constantly pi)}))
