(ns damo.math.error
  "The error function and its kin on decimals, with at least forty right digits, for
  `damo.math.decimal`: erf below 4 by the series of Abramowitz and Stegun 7.1.6, beyond by the
  continued fraction 7.1.14. What they are made of is given: (functions {:exp f :log h :exact g :pi
  x})."
  (:require [damo.math.digits :refer [add digits div exact mul root]])
  (:import (java.math BigDecimal)))

(set! *warn-on-reflection* true)

(defn- series
  "sum of 2^n x^(2n+1) / (2n+1)!!, which is e^(x^2) erf x sqrt(pi)/2."
  [x]
  (let [z (mul 2 (mul x x))]
    (loop [sum x, term x, n 1]
      (let [term (div (mul term z) (inc (* 2 n)))
            more (add sum term)]
        (if (= more sum) sum (recur more term (inc n)))))))

(defn- fraction
  "x + (1/2)/(x + 1/(x + (3/2)/(x + …))), which is 1/(erfcx x sqrt(pi)); for x >= 4."
  [x]
  (reduce (fn [tail k] (add x (div (/ (bigdec k) 2M) tail))) x (range 140 0 -1)))

(defn- start
  "The y with erfc y = target, right to two digits: Winitzki's formula."
  [target]
  (let [t (double target)
        w (- (Math/log (* t (- 2 t))))
        u (- (/ 2 Math/PI 0.147) (/ w 2))]
    (bigdec (Math/sqrt (- (Math/sqrt (+ (* u u) (/ w 0.147))) u)))))

(defn- inverse
  "The y with erfc y = target, 0 < target < 1, by Newton's method; `slope` is -erfc'."
  [erfc slope target]
  (loop [y (start target), k 0]
    (let [step (div (add (erfc y) (- target)) (slope y)), y (add y step)]
      (if (or (< (abs step) (* 1e-20M y)) (= k 12)) y (recur y (inc k))))))

(defn- errors
  "The error functions and their inverses by keyword, on BigDecimals."
  [exp ^BigDecimal pi]
  (let [root (.sqrt pi digits)
        scale (div 2 root)
        bell #(exp (- (mul % %)))
        slope #(mul scale (bell %))
        tail #(div 1 (mul root (fraction %)))]
    (letfn [(erf [x]
              (cond (neg? x) (- (erf (- x)))
                    (< x 1e-30M) (mul scale x)
                    (< x 4) (mul scale (mul (bell x) (series x)))
                    :else (add 1 (- (erfc x)))))
            (erfc [x] (if (< x 4) (add 1 (- (erf x))) (mul (bell x) (tail x))))
            (erfcx [x]
              (cond (neg? x) (add (mul 2 (exp (mul x x))) (- (erfcx (- x))))
                    (< x 4) (mul (exp (mul x x)) (erfc x))
                    :else (tail x)))
            (erfinv [x]
              (cond (neg? x) (- (erfinv (- x)))
                    (< x 1e-6M) (div (add x (div (mul (div pi 4) (mul x (mul x x))) 3)) scale)
                    :else (inverse erfc slope (- 1M x))))]
      {:erf erf, :erfc erfc, :erfcx erfcx, :erfinv erfinv, :slope slope})))

(defn- erfcx-slope
  "2x erfcx(x) - 2/√π; from 30 on the series of what is left when the leading terms cancel."
  [{:keys [erfcx]} pi x]
  (let [scale (div 2 (.sqrt ^BigDecimal pi digits))]
    (if (< x 30M)
      (add (mul 2 (mul x (erfcx x))) (- scale))
      (let [z (div -1 (mul 2 (mul x x)))]
        (loop [sum 0M, term z, k 1]
          (let [more (add sum term)]
            (if (or (= more sum) (= k 60))
              (mul scale more)
              (recur more (mul term (mul z (inc (* 2 k)))) (inc k)))))))))

(defn- erfcinv [{:keys [erfc erfinv slope] :as known} x]
  (cond (zero? x) 1e400M
        (< 1M x) (- (erfcinv known (- 2M x)))
        (< 0.5M x) (if (== 1M x) 0M (erfinv (- 1M x)))
        :else (inverse erfc slope x)))

(defn- log-ndtr
  "log(erfc(-x/√2)/2), by erfcx for x < 0."
  [{:keys [erfc erfcx]} log x]
  (let [y (div x (.sqrt 2M digits)), t (div (erfc (abs y)) 2)]
    (cond (neg? x) (add (log (div (erfcx (- y)) 2)) (- (mul y y)))
          (< t 1e-20M) (- (mul t (add 1 (div t 2))))
          :else (log (add 1 (- t))))))

(defn functions
  "The functions by their keywords, given e^x, log x, pi, and what makes a number a BigDecimal
  without rounding. erfinv takes 0 < |x| < 1, erfcinv 0 ≤ x ≤ 2."
  [{:keys [exp log exact pi]}]
  (let [{:keys [erfc erfinv] :as known} (errors exp pi)]
    (update-vals (assoc (dissoc known :slope)
                        :erfcinv #(erfcinv known %)
                        :ndtr #(div (erfc (div (- %) (.sqrt 2M digits))) 2)
                        :erfcx-slope #(erfcx-slope known pi %)
                        :log-ndtr #(log-ndtr known log %)
                        :erfinv-slope (fn [w]
                                        (let [x (.sqrt (add 1 (- (exp (- w)))) digits)]
                                          (div (erfinv x) x))))
                 (fn [f] #(f (exact %))))))
