(ns damo.ops.math.erf-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.scalar.erf :as error-scalar]))

(set! *warn-on-reflection* true)

(defn- near? [expected got]
  (<= (abs (- (double expected) (double got))) (* 1e-14 (abs (double expected)))))

(def ^:private published
  "[x erf(x) erfc(x) erfcx(x)], from the tables of Abramowitz and Stegun, chapter 7, and of NIST's
  handbook, extended to seventeen digits."
  [[0.5 0.5204998778130465 0.4795001221869535 0.6156903441929259]
   [1.0 0.8427007929497149 0.15729920705028513 0.427583576155807]
   [2.0 0.9953222650189527 0.004677734981047266 0.25539567631050574]
   [5.0 0.9999999999984626 1.5374597944280349e-12 0.11070463773306863]
   [10.0 1.0 2.088487583762545e-45 0.05614099274382259]])

(deftest published-values
  (doseq [[x & values] published
          [f value] (map vector [error-scalar/erf error-scalar/erfc error-scalar/erfcx] values)]
    (is (near? value (f x)) (str x))))

(deftest the-inverse-undoes-erf
  (doseq [x [1e-300 1e-9 1e-3 0.2 0.47 0.5 1.0 2.5 3.0 -0.7 -3.5]]
    (let [y (error-scalar/erf x), slope (* 1.1283791670955126 (Math/exp (- (* x x))))]
      (is (<= (abs (- x (error-scalar/erfinv y)))
              (+ (* 1e-15 (abs x)) (/ (* 1.2e-16 (abs y)) slope)))    ; the rounding of y
          (str x)))))

(deftest logarithm-of-erfc-far-out
  (let [x (d/input 'x [:f64 ['n]]), y (d/log (d/erfc x))
        [values slopes] ((d/function [x] [y (d/grad (d/sum y) x)]) [10.0 27.0 30.0])]
    (testing "where erfc vanishes its logarithm goes on"
      (is (= ["-102.87989" "-732.86889" "-903.97412"] (map #(format "%.5f" %) @values))))
    (testing "and so does the derivative, near -2x"
      (is (= ["-20.09902" "-54.03699" "-60.03330"] (map #(format "%.5f" %) @slopes))))))

(deftest complements-keep-their-digits
  (let [x (d/input 'x [:f64 []])
        [tail near-0] ((d/function [x] [(d/sub 1 (d/erf x)) (d/sub 1 (d/erfc x))]) 9.0)]
    (is (near? 4.13703174651381e-37 @tail))
    (is (= 1.0 @near-0))))

(defn- compiled [f xs]
  (let [x (d/input 'x [:f64 ['n]])] @((d/function [x] (f x)) xs)))

(deftest normal-distribution
  (testing "published values, Abramowitz and Stegun 26.1 and 26.2.12"
    (is (near? 0.9772498680518208 (first (compiled d/ndtr [2.0]))))
    (is (near? 7.619853024160527e-24 (first (compiled d/ndtr [-10.0]))))
    (is (near? -203.9171553710973 (first (compiled d/log-ndtr [-20.0]))))
    (is (near? -5e17 (first (compiled d/log-ndtr [-1e9])))))
  (testing "ndtri undoes ndtr, in the tail too"
    (doseq [x [-37.0 -20.0 -6.0 -1.0 -0.1 0.5 1.0]]
      (is (near? x (first (compiled #(d/ndtri (d/ndtr %)) [x])))))))

(deftest erfcinv-undoes-erfc
  (doseq [y [0.3 0.47 1.0 3.0 5.7 5.9 8.0 12.5 20.0 26.0 -0.5]]
    (is (near? y (first (compiled #(d/erfcinv (d/erfc %)) [y]))) (str y))
    (is (near? y (error-scalar/erfcinv (error-scalar/erfc y))) (str "reference " y))))

(deftest derivative-of-log-ndtr-far-out
  (let [x (d/input 'x [:f64 []]), slope (d/function [x] (d/grad (d/log-ndtr x) x))]
    (is (near? 100.0099980009992 @(slope -100.0)) "φ/Φ, where both vanish")
    (is (= 0.0 @(slope 60.0)))))
