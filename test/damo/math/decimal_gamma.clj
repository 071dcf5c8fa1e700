(ns damo.math.decimal-gamma
  "The gamma function and its kin on decimals of sixty digits: the oracle of `damo.math-test`. Takes
  numbers that are no poles, gives a BigDecimal with at least thirty right digits, near roots, too.
  Stirling's series and its derivatives after the recurrence up to 40; reflection below 0.
  Example: (gamma 5) => 24.000…M"
  (:require [damo.math.decimal :as decimal]
            [damo.math.digits :refer [add digits div exact mul sub]])
  (:import (java.math BigDecimal)))

(set! *warn-on-reflection* true)

(defn- power ^BigDecimal [x n] (.pow (exact x) (int n) digits))

(def ^:private bernoulli
  "B_2, B_4, … B_60, from their recurrence: the sum over j ≤ m of C(m+1, j) B_j is 0."
  (let [all (reduce (fn [bs m]
                      (let [row (reductions #(/ (* %1 (- (+ m 2) %2)) %2) 1 (range 1 (inc m)))]
                        (conj bs (/ (reduce + (map * row bs)) (- (inc m))))))
                    [1] (range 1 61))]
    (take-nth 2 (drop 2 all))))

(defn- as-decimal [ratio]
  (if (ratio? ratio) (div (bigdec (numerator ratio)) (bigdec (denominator ratio))) (bigdec ratio)))

(defn- asymptotic
  "The sum of (coefficient B_2k k) / y^(2k + shift) over k ≥ 1."
  [y shift coefficient]
  (reduce add (map (fn [b k] (div (as-decimal (coefficient b k)) (power y (+ (* 2 k) shift))))
                   bernoulli (rest (range)))))

(defn- raised
  "[y steps]: x moved up by steps of 1 to y ≥ 40, and the numbers passed."
  [x]
  (let [x (exact x), n (if (<= 40M x) 0 (- 40 (long x)))]
    [(if (zero? n) x (+ x n)) (map #(+ x %) (range n))]))

(def ^:private half-log-2pi (div (decimal/log (mul 2 decimal/pi)) 2))

(defn- positive-gammaln [x]
  (let [[y steps] (raised x)
        stirling (add (add (mul (add y -0.5M) (decimal/log y)) (- ^BigDecimal y)) half-log-2pi)]
    (add (add stirling (asymptotic y -1 (fn [b k] (/ b (* 2 k (dec (* 2 k)))))))
         (- (decimal/log (reduce mul 1M steps))))))

(defn- negative? [x] (neg? (.signum (exact x))))
(defn- mirror [x] (- 1M (exact x)))

(defn- turn
  "πr and the parity of n for x = n + r, |r| ≤ 1/2."
  [x]
  (let [n (.setScale (exact x) 0 java.math.RoundingMode/HALF_EVEN)]
    [(mul decimal/pi (- (exact x) n)) (odd? (bigint n))]))

(defn sinpi "sin(πx)." [x] (let [[r odd] (turn x), s (decimal/sin r)] (if odd (- s) s)))

(defn cospi
  "cos(πx)."
  [x]
  (let [[r odd] (turn x), c (decimal/cos r)]
    (cond (== 0.5M (rem (abs (exact x)) 1M)) 0M, odd (- c), :else c)))

(defn gammaln
  "log |Γ(x)|."
  [x]
  (cond (#{1.0 2.0} (double x)) 0M
        (negative? x) (add (decimal/log (div decimal/pi (abs (sinpi x))))
                           (- ^BigDecimal (positive-gammaln (mirror x))))
        :else (positive-gammaln x)))

(defn gamma
  "Γ(x); a huge number for x > 180, 0 for x < -190."
  [x]
  (cond (< 180M (exact x)) 1e400M
        (< (exact x) -190M) 0M
        (negative? x) (div decimal/pi (mul (sinpi x) (decimal/exp (positive-gammaln (mirror x)))))
        :else (decimal/exp (positive-gammaln x))))

(defn- positive-psi [x]
  (let [[y steps] (raised x)]
    (add (add (decimal/log y) (- (div 0.5M y)))
         (- (add (asymptotic y 0 (fn [b k] (/ b (* 2 k))))
                 (reduce add 0M (map #(div 1 %) steps)))))))

(defn psi
  "ψ(x) = Γ'(x)/Γ(x)."
  [x]
  (if (negative? x)
    (add (positive-psi (mirror x)) (- (div (mul decimal/pi (cospi x)) (sinpi x))))
    (positive-psi x)))

(defn trigamma
  "ψ'(x)."
  [x]
  (if (negative? x)
    (add (power (div decimal/pi (sinpi x)) 2) (- ^BigDecimal (trigamma (mirror x))))
    (let [[y steps] (raised x)]
      (add (add (add (div 1 y) (div 0.5M (power y 2))) (asymptotic y 1 (fn [b _] b)))
           (reduce add 0M (map #(div 1 (mul % %)) steps))))))

(defn tetragamma
  "ψ''(x), the derivative of trigamma."
  [x]
  (if (negative? x)
    (add (tetragamma (mirror x))
         (- (div (mul 2 (mul (power decimal/pi 3) (cospi x))) (power (sinpi x) 3))))
    (let [[y steps] (raised x)]
      (- (add (add (add (div 1 (power y 2)) (div 1 (power y 3)))
                   (asymptotic y 2 (fn [b k] (* b (inc (* 2 k))))))
              (mul 2 (reduce add 0M (map #(div 1 (power % 3)) steps))))))))

(defn psi-step
  "ψ(a + b) - ψ(a) for positive numbers, also where b is lost in a + b."
  [a b]
  (if (< (div b a) 1e-22M)
    (mul b (trigamma a))
    (sub (psi (add a b)) (psi a))))

(def functions
  "The oracle of each math function, by its keyword, and of the slopes of some."
  {:sinpi sinpi, :cospi cospi, :gamma gamma, :gammaln gammaln, :psi psi, :trigamma trigamma
   :polygamma (fn [n x] (([psi trigamma tetragamma] n) x)), :psi-step psi-step})

(defn larger-term
  "The larger of the terms that cancel near the negative roots of :gammaln and :psi, nil elsewhere:
  what the error there is relative to."
  [f x]
  (when (< (exact x) -0.5M)
    (case f
      :gammaln (max 1M (abs (positive-gammaln (- (exact x)))))
      :psi (abs (positive-psi (mirror x)))
      nil)))
