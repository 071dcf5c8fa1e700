(ns damo.ops.math.gamma-test
  "The gamma function and its kin: identities, derivatives of every order, refusals."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.math.decimal-gamma :as decimal-gamma]
            [damo.scalar.gamma :as scalar-gamma]))

(set! *warn-on-reflection* true)

(defn- relative [x exact]
  (let [exact (double exact)] (/ (abs (- (double x) exact)) (abs exact))))

(def ^:private points
  [0.001 0.3 0.7 1.0 1.25 1.75 2.5 3.7 7.99 8.5 14.9 15.1 40.3 -0.2 -0.6 -1.5 -3.3 -7.8 -20.7])

(deftest the-reference-is-accurate
  (doseq [[f oracle] {scalar-gamma/gamma decimal-gamma/gamma
                      scalar-gamma/gammaln decimal-gamma/gammaln
                      scalar-gamma/psi decimal-gamma/psi
                      #(scalar-gamma/polygamma 1 %) decimal-gamma/trigamma}
          x points :when (not (zero? (.signum ^BigDecimal (oracle x))))]
    (is (< (relative (f x) (oracle x)) 3e-15) (str x)))
  (testing "near roots, too"
    (doseq [x [(Math/nextUp 1.0) 1.0000001 1.9999999]]
      (is (< (relative (scalar-gamma/gammaln x) (decimal-gamma/gammaln x)) 1e-15)))
    (doseq [x [1.4616321449683623 1.4616321 1.46]]
      (is (< (relative (scalar-gamma/psi x) (decimal-gamma/psi x)) 1e-15)))))

(defn- compiled
  "The values of a function of expressions at numbers."
  [f xs]
  (let [x (d/input 'x [:f64 ['n]])] @((d/function [x] (f x)) (vec xs))))

(deftest orders-of-polygamma-agree-with-their-recurrence
  (testing "ψ^(n)(x + 1) = ψ^(n)(x) + (-1)^n n! / x^(n+1), on both sides of 0"
    (doseq [n [0 1 2 3 8 20]
            :let [xs [0.25 0.9 2.3 6.6 11.0 27.9 28.1 -0.75 -1.6 -4.3]
                  step #(/ (* (if (even? n) 1 -1) (scalar-gamma/factorial n)) (Math/pow % (inc n)))
                  lower (compiled #(d/polygamma % :n n) xs)
                  upper (compiled #(d/polygamma % :n n) (map inc xs))]
            [x a b] (map vector xs lower upper)]
      (is (< (abs (- b a (step x))) (* 1e-14 (+ (abs (step x)) (abs b))))
          (str n " at " x)))))

(deftest polygamma-at-its-poles
  (is (= [##-Inf ##Inf] (compiled #(d/polygamma % :n 2) [0.0 -0.0])))
  (is (= [##Inf ##Inf ##Inf] (compiled #(d/polygamma % :n 3) [0.0 -0.0 -2.0])))
  (is (every? #(Double/isNaN %) (compiled #(d/polygamma % :n 2) [-1.0 ##-Inf ##NaN]))))

(defn- derivative [n f]
  (fn [x] (nth (iterate #(d/grad (d/sum %) x) (f x)) n)))

(deftest derivatives-of-every-order
  (doseq [n [1 2 3 6]]
    (is (every? #(< % 1e-14)
                (map relative (compiled (derivative n d/gammaln) [0.3 2.5 9.0 -1.3])
                     (map #(if (= n 1) (scalar-gamma/psi %) (scalar-gamma/polygamma (dec n) %))
                          [0.3 2.5 9.0 -1.3])))
        (str n)))
  (testing "Γ'' = Γ (ψ² + ψ')"
    (is (< (relative (first (compiled (derivative 2 d/gamma) [1.0]))
                     (+ (* Math/PI Math/PI 1/6) (Math/pow 0.5772156649015329 2)))
           1e-14))))

(deftest orders-out-of-range-are-refused
  (let [x (d/input 'x [:f64 []])
        failure (fn [f] (try (f) nil (catch clojure.lang.ExceptionInfo e (ex-message e))))]
    (doseq [n [-1 21 2.0 nil]]
      (is (re-find #"an integer from 0 \(psi\) to 20" (failure #(d/polygamma x :n n)))))
    (is (re-find #"orders above 20 are not implemented"
                 (failure #(d/grad (d/polygamma x :n 20) x))))))

(deftest digamma-is-psi
  (is (= d/psi d/digamma)))
