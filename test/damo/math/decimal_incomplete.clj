(ns damo.math.decimal-incomplete
  "The incomplete gamma functions on decimals: an oracle of `damo.math-test`. Takes positive
  numbers, gives a BigDecimal with at least thirty right digits where a lies below 1000, and above
  1e-20 if x is below 1, and x below 3000; elsewhere the reference's double. The power series of P
  near and below a, the continued fraction of Q above. Example: (upper 1 2) => 0.1353…M"
  (:require [damo.math.decimal :as decimal]
            [damo.math.decimal-gamma :as decimal-gamma]
            [damo.math.digits :refer [add div exact mul sub]]
            [damo.scalar.incomplete :as scalar-incomplete]))

(set! *warn-on-reflection* true)

(defn density
  "x^a e^-x / Γ(a)."
  [a x]
  (decimal/exp (sub (sub (mul a (decimal/log x)) x) (decimal-gamma/gammaln a))))

(defn decay
  "exp(-(d w + x (e^w - 1 - w)))."
  [d x w]
  (decimal/exp (- (add (mul d w) (mul x (sub (decimal/expm1 w) w))))))

(defn- lower-series [a x]
  (loop [term (div 1 a), sum 0M, k 1]
    (let [more (add sum term)]
      (if (= more sum) sum (recur (mul term (div x (add a k))) more (inc k))))))

(defn- upper-fraction
  "1/(x+1-a- 1(1-a)/(x+3-a- …)), by Lentz's algorithm."
  [a x]
  (let [start (sub (add x 1) a)]
    (loop [b start, c nil, d (div 1 start), f (div 1 start), k 1]
      (let [an (mul k (sub a k)), b (add b 2)
            d (div 1 (add b (mul an d))), c (if c (add b (div an c)) b)
            step (mul c d), f (mul f step)]
        (if (or (< (abs (sub step 1)) 1e-40M) (< 3000 k)) f (recur b c d f (inc k)))))))

(defn- tiny? [a] (< (exact a) 1e-20M))

(defn- known? [a x]
  (and (< (exact a) 1000M) (< (exact x) 3000M) (or (not (tiny? a)) (< 1M (exact x)))))

(defn- far? [a x]
  (or (tiny? a) (< (+ 10 (double a) (* 3 (Math/sqrt (double a)))) (double x))))

(defn lower
  "P(a, x)."
  [a x]
  (cond (not (known? a x)) (exact (scalar-incomplete/gammainc (double a) (double x)))
        (far? a x) (sub 1 (mul (density a x) (upper-fraction a x)))
        :else (mul (density a x) (lower-series a x))))

(defn upper
  "Q(a, x)."
  [a x]
  (cond (not (known? a x)) (exact (scalar-incomplete/gammaincc (double a) (double x)))
        (far? a x) (mul (density a x) (upper-fraction a x))
        :else (sub 1 (mul (density a x) (lower-series a x)))))

(defn- excess
  "(n/a)^a e^(a - n)."
  [a n]
  (decimal/exp (add (mul a (decimal/log (div n a))) (sub a n))))

(defn- stirling
  "Γ(a) / (√(2π/a) (a/e)^a)."
  [a]
  (decimal/exp (sub (decimal-gamma/gammaln a)
                    (add (mul a (sub (decimal/log a) 1))
                         (div (decimal/log (div (mul 2 decimal/pi) a)) 2)))))

(defn- front
  "n^a e^-n / Γ(1 + a), without e^-n when c is 0."
  [a n c]
  (div (decimal/exp (sub (sub (mul a (decimal/log n)) (mul c n)) (decimal-gamma/gammaln a))) a))

(def functions
  "The oracle of each math function, by its keyword."
  {:gammainc lower, :gammaincc upper, :gamma-decay decay
   :exp-excess (fn [a n nl _ _] (excess a (add n nl))), :stirling stirling
   :gamma-front (fn [a n nl _ _ c] (front a (add n nl) (if (< (exact a) 4M) c 1)))
   :incomplete-gamma (fn [a x c] (if (zero? c) (lower a x) (upper a x)))})
