(ns damo.math.decimal-bessel
  "Bessel functions of integer order on decimals: the oracle of `damo.math-test`. Takes finite
  numbers, gives a BigDecimal with at least thirty right digits of the amplitude. The power series
  in 160 digits up to 100, Hankel's expansion beyond. Example: (j 0 0) => 1M"
  (:require [damo.math.decimal :as decimal]
            [damo.math.digits :refer [add digits div exact mul root]])
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

(def functions
  "The oracle of each math function, by its keyword."
  {:j0 #(j 0 %), :j1 #(j 1 %), :i0 #(i 0 %), :i1 #(i 1 %), :i0e #(ie 0 %), :i1e #(ie 1 %)})

(defn amplitude
  "√(2/(π|x|)) from 8 on, what the errors of :j0 and :j1 are relative to; else nil."
  [f x]
  (when (and (#{:j0 :j1} f) (<= 8M (abs (exact x))))
    (root (div 2 (mul decimal/pi (abs (exact x)))))))
