(ns damo.math.error
  "The error function and its kin on decimals, with at least forty right digits, for
  `damo.math.decimal`: erf below 4 by the series of Abramowitz and Stegun 7.1.6, beyond by the
  continued fraction 7.1.14. What they are made of is given: (functions {:exp f :exact g :pi x})."
  (:import (java.math BigDecimal MathContext)))

(set! *warn-on-reflection* true)

(def ^:private ^MathContext digits (MathContext. 60))

(defn- mul ^BigDecimal [x y] (.multiply (bigdec x) (bigdec y) digits))
(defn- div ^BigDecimal [x y] (.divide (bigdec x) (bigdec y) digits))
(defn- add ^BigDecimal [x y] (.add (bigdec x) (bigdec y) digits))

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

(defn functions
  "{:erf :erfc :erfcx :erfinv}, given e^x, pi, and what makes a number a BigDecimal without
  rounding. erfinv takes 0 < |x| < 1."
  [{:keys [exp exact ^BigDecimal pi]}]
  (let [root (.sqrt pi digits)
        scale (div 2 root)
        bell #(exp (- (mul % %)))
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
                    :else (inverse erfc #(mul scale (bell %)) (- 1M x))))]
      (update-vals {:erf erf, :erfc erfc, :erfcx erfcx, :erfinv erfinv}
                   (fn [f] #(f (exact %)))))))
