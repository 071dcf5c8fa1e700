(ns damo.math.decimal-bessel
  "Bessel functions of integer order on decimals: the oracle of `damo.math-test`. Takes finite
  numbers, gives a BigDecimal with at least thirty right digits of the amplitude. The power series
  in 160 digits up to 100, Hankel's expansion beyond. Example: (j 0 0) => 1M"
  (:require [damo.math.decimal :as decimal]
            [damo.math.digits :refer [add digits div exact mul root sub]])
  (:import (java.math BigDecimal MathContext)))

(set! *warn-on-reflection* true)

;; The largest term of the series at 100 has 42 digits more than the sum.
(def ^:private ^MathContext many (MathContext. 160))

(defn- series
  "Σ sign^k (x/2)^(2k+n) / (k! (n+k)!)."
  [n x sign]
  (let [half (.divide (exact x) 2M many)
        z (.multiply (.multiply half half many) (bigdec sign) many)]
    (loop [k 0
           term (reduce (fn [^BigDecimal p j] (.divide (.multiply p half many) (bigdec j) many))
                        1M (range 1 (inc n)))
           sum 0M]
      (let [more (.add ^BigDecimal sum ^BigDecimal term many), k (inc k)]
        (if (= more sum)
          sum
          (recur k (.divide (.multiply ^BigDecimal term z many) (bigdec (* k (+ n k))) many)
                 more))))))

(defn- hankel
  "The terms a_k(n) / x^k of Hankel's expansion, while they are not tiny and not growing."
  [n x]
  (->> (iterate (fn [[term k]]
                  (let [odd (dec (* 2 k))]
                    [(div (mul term (- (* 4 n n) (* odd odd))) (mul (* 8 k) x)) (inc k)]))
                [1M 1])
       (map first)
       (take 100)
       (take-while #(< 1e-50M (abs %)))))

(defn- alternating [terms] (reduce + (map * (cycle [1M -1M]) terms)))

(defn- far-j
  "√(2/(πx)) (P cos(x - (2n+1)π/4) - Q sin(x - (2n+1)π/4)), n = 0 or 1."
  [n x]
  (let [terms (hankel n x)
        p (alternating (take-nth 2 terms)), q (alternating (take-nth 2 (rest terms)))
        s (decimal/sin x), c (decimal/cos x)
        [sine cosine] (if (zero? n) [(- s c) (+ s c)] [(- (+ s c)) (- s c)])]
    (div (- (mul p cosine) (mul q sine)) (root (mul decimal/pi x)))))

(defn- odd-part [n x y] (if (and (= n 1) (neg? (.signum (exact x)))) (- ^BigDecimal y) y))

(defn j
  "J_n(x), n = 0 or 1."
  [n x]
  (let [a (abs (exact x))]
    (odd-part n x (if (< a 100M) (.round ^BigDecimal (series n a -1) digits) (far-j n a)))))

(defn ie
  "e^-|x| I_n(x), n = 0 or 1."
  [n x]
  (let [a (abs (exact x))]
    (odd-part n x (if (< a 100M)
                    (mul (series n a 1) (decimal/exp (- a)))
                    (div (alternating (hankel n a)) (root (mul 2 (mul decimal/pi a))))))))

(defn i
  "I_n(x), n = 0 or 1; a huge number beyond ±750."
  [n x]
  (if (< 750M (abs (exact x)))
    (odd-part n x 1e400M)
    (mul (ie n x) (decimal/exp (abs (exact x))))))

;; ## Slopes of the scaled ones
;; Far out the leading terms of what is subtracted are equal, so that the terms are subtracted.

(defn- scaled-series
  "Σ (-1)^k t_k / √(2πx) for the terms t."
  [terms x]
  (div (alternating terms) (root (mul 2 (mul decimal/pi x)))))

;; The first three whatever their size: the leading ones are equal.
(defn- padded [n x]
  (let [a (mul 8 x), n2 (* 4 n n)
        first-terms [1M (div (- n2 1) a) (div (* (- n2 1) (- n2 9)) (mul 2 (mul a a)))]]
    (take 60 (concat first-terms (drop 3 (hankel n x)) (repeat 0M)))))

(defn i0e-slope
  "The derivative of e^-|x| I_0(x), x ≠ 0."
  [x]
  (let [a (abs (exact x)), s (.signum (exact x))]
    (mul s (if (< a 100M)
             (sub (ie 1 a) (ie 0 a))
             (scaled-series (map - (padded 1 a) (padded 0 a)) a)))))

(defn i1e-slope
  "The derivative of e^-|x| I_1(x), x ≠ 0."
  [x]
  (let [a (abs (exact x))]
    (sub (if (< a 100M)
           (sub (ie 0 a) (ie 1 a))
           (scaled-series (map - (padded 0 a) (padded 1 a)) a))
         (div (ie 1 a) a))))

(defn j-slope
  "The derivative of J_n(x), |x| < 100."
  [n x]
  (let [below (if (zero? n) (mul -1 (series 1 x -1)) (series (dec n) x -1))]
    (div (sub below (series (inc n) x -1)) 2)))

(defn i-slope
  "The derivative of I_n(x), |x| < 100."
  [n x]
  (div (add (series (abs (dec n)) x 1) (series (inc n) x 1)) 2))

(defn ie-slope
  "The derivative of e^-|x| I_n(x), 0 < |x| < 100."
  [n x]
  (mul (sub (i-slope n x) (mul (.signum (exact x)) (series n x 1)))
       (decimal/exp (- (abs (exact x))))))

(defn- below-100
  "The function of an order and x, a pole beyond 100, where the series takes too long."
  [f]
  (fn [n x] (if (< (abs (exact x)) 100M) (f (long n) x) (div 1 0))))

(def functions
  "The oracle of each math function, by its keyword, and of the slopes of some."
  {:i0e-slope i0e-slope, :i1e-slope i1e-slope
   :jv (below-100 #(series %1 %2 -1)), :j-slope (below-100 j-slope), :i-slope (below-100 i-slope)
   :ie-slope (below-100 ie-slope)
   :j0 #(j 0 %), :j1 #(j 1 %), :i0 #(i 0 %), :i1 #(i 1 %), :i0e #(ie 0 %), :i1e #(ie 1 %)})

(defn amplitude
  "√(2/(π|x|)) from 8 on, what the errors of :j0 and :j1 are relative to; else nil."
  [f x]
  (when (and (#{:j0 :j1} f) (<= 8M (abs (exact x))))
    (root (div 2 (mul decimal/pi (abs (exact x)))))))
