(ns damo.ops.math.bessel-test
  "Bessel functions: the reference against decimals, orders against their recurrence, derivatives."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.math.decimal-bessel :as decimal-bessel]
            [damo.scalar.bessel :as scalar-bessel]))

(set! *warn-on-reflection* true)

(def ^:private points [1e-300 0.3 0.99 1.01 -2.5 7.9 8.1 13.0 24.9 -25.1 29.9 30.1 99.0 150.0])

(deftest the-reference-is-accurate
  (doseq [n [0 1], x points]
    (is (< (abs (- (double (scalar-bessel/j n x)) (double (decimal-bessel/j n x))))
           (* 2e-14 (min 1.0 (/ 1 (Math/sqrt (abs (double x)))))))
        (str "J " n " " x))
    (doseq [[f oracle] {scalar-bessel/ie decimal-bessel/ie, scalar-bessel/i decimal-bessel/i}
            :let [exact (double (oracle n x))]]
      (is (< (abs (- (double (f n x)) exact)) (* 5e-15 (abs exact))) (str "I " n " " x)))))

(defn- compiled
  "The values of a function of expressions at numbers."
  [f xs]
  (let [x (d/input 'x [:f64 ['n]])] @((d/function [x] (f x)) (vec xs))))

(defn- near? [tolerance a b]
  (<= (abs (- (double a) (double b))) (* tolerance (max (abs (double a)) (abs (double b))))))

(deftest orders-agree-with-their-definition
  (let [xs [0.0 -0.1 0.7 3.9 4.1 -7.9 8.2 20.0 29.9 30.1 -55.0 ##Inf ##NaN]
        same? (fn [tolerance a b] (or (near? tolerance a b) (== a b)
                                      (and (Double/isNaN a) (Double/isNaN b))))]
    (doseq [n [0 1 2 5 8]]
      (is (every? true? (map #(or (same? 0 %1 %2) (< (abs (- %1 %2)) 2e-14))
                             (compiled #(d/jv % :n n) xs) (map #(scalar-bessel/j n %) xs)))
          (str "J " n))
      (doseq [[op f] {d/iv scalar-bessel/i, d/ive scalar-bessel/ie}]
        (is (every? true? (map (partial same? 1e-14) (compiled #(op % :n n) xs)
                               (map #(f n %) xs)))
            (str "I " n))))))

(defn- derivative [n f]
  (fn [x] (nth (iterate #(d/grad (d/sum %) x) (f x)) n)))

(deftest derivatives-of-several-orders
  (testing "x² f'' + x f' + (± x² - n²) f = 0, in f64"
    (doseq [[op n sign] [[d/j0 0 1] [d/j1 1 1] [d/i0 0 -1] [d/i1 1 -1] [#(d/jv % :n 3) 3 1]
                         [#(d/iv % :n 2) 2 -1]]
            :let [xs [0.2 1.7 5.0 11.0]]
            [x f f' f''] (map vector xs (compiled op xs) (compiled (derivative 1 op) xs)
                              (compiled (derivative 2 op) xs))]
      (is (< (abs (+ (* x x f'') (* x f') (* (- (* sign x x) (* n n)) f)))
             (* 1e-13 (+ 1 (abs (* x x f'')) (abs (* x x f)))))
          [n sign x])))
  (testing "at 0, where a quotient by x would fail: J_1 = x/2 - x³/16 + …"
    (is (= [0.5] (compiled (derivative 1 d/j1) [0.0])))
    (is (= [-0.375] (compiled (derivative 3 d/j1) [0.0])))
    (is (= [0.375] (compiled (derivative 4 d/i0) [0.0])))))

(deftest orders-out-of-range-are-refused
  (let [x (d/input 'x [:f64 []])
        failure (fn [f] (try (f) nil (catch clojure.lang.ExceptionInfo e (ex-message e))))]
    (doseq [n [-1 9 0.5]]
      (is (re-find #"an integer from 0 to 8" (failure #(d/jv x :n n)))))
    (is (re-find #"orders above 8 are not implemented" (failure #(d/grad (d/iv x :n 8) x))))))
