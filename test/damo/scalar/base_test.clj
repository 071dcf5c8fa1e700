(ns damo.scalar.base-test
  "Tests of the meaning of arithmetic at single elements, against exact values and identities."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.scalar.base :as scalar])
  (:import [java.math BigDecimal]))

(set! *warn-on-reflection* true)

(defn- same? [a b] (= (pr-str a) (pr-str b)))

(deftest remainders-have-the-sign-of-the-divisor
  (are [x y expected] (same? expected (scalar/floor-mod x y))
    7 3 1, -7 3 2, 7 -3 -2, -7 -3 -1, 5 0 0, Long/MIN_VALUE -1 0
    7.5 2.0 1.5, -7.5 2.0 0.5, 7.5 -2.0 -0.5, 6.0 -2.0 -0.0, -6.0 2.0 0.0
    5.0 ##Inf 5.0, -5.0 ##Inf ##Inf, 5.0 ##-Inf ##-Inf, 0.0 ##-Inf -0.0
    5.0 0.0 ##NaN, ##Inf 2.0 ##NaN, ##NaN 2.0 ##NaN, 1.0 ##NaN ##NaN
    1e308 1e-300 (.doubleValue (.remainder (BigDecimal. 1e308) (BigDecimal. 1e-300)))))

(deftest quotients-are-rounded-down
  (are [x y expected] (same? expected (scalar/floor-div x y))
    7 2 3, -7 2 -4, 7 -2 -4, 1 0 0, Long/MIN_VALUE -1 Long/MIN_VALUE
    7.5 2.0 3.0, -7.5 2.0 -4.0, 1.0 0.0 ##Inf, 0.0 0.0 ##NaN))

(deftest extremes-propagate-nan
  (are [x y greater less] (same? [greater less] [(scalar/maximum x y) (scalar/minimum x y)])
    1.0 2.0 2.0 1.0, 1.0 ##NaN ##NaN ##NaN, ##NaN 1.0 ##NaN ##NaN, -0.0 0.0 0.0 -0.0
    3 -3 3 -3, true false true false))

(deftest signs
  (are [x expected] (same? expected (scalar/sign x))
    -2.5 -1.0, 0.0 0.0, -0.0 0.0, ##Inf 1.0, ##NaN ##NaN, -7 -1, 0 0, Long/MAX_VALUE 1))

(deftest powers-follow-c99
  (are [x y expected] (same? expected (scalar/pow x y))
    2.0 10.0 1024.0, 0.0 0.0 1.0, ##NaN 0.0 1.0, 1.0 ##NaN 1.0, 1.0 ##Inf 1.0, -1.0 ##-Inf 1.0
    -8.0 (/ 1.0 3.0) ##NaN, -0.0 -3.0 ##-Inf, -2.0 3.0 -8.0, 0.5 ##Inf 0.0))

(defn- near? [expected actual]
  (<= (abs (- expected actual)) (* 4e-16 (abs expected))))

(deftest logarithms-to-base-2
  (testing "exact for powers of 2"
    (doseq [e (range -1022 1024)] (is (== e (scalar/log2 (Math/scalb 1.0 (int e)))))))
  (testing "accurate near 1"
    (let [x (+ 1.0 1e-10)]
      (is (near? (/ (Math/log1p (- x 1.0)) (Math/log 2.0)) (scalar/log2 x))))
    (is (neg? (scalar/log2 (Math/nextDown 1.0)))))
  (are [x expected] (same? expected (scalar/log2 x))
    0.0 ##-Inf, ##Inf ##Inf, -1.0 ##NaN, ##NaN ##NaN, Double/MIN_VALUE -1074.0))

(deftest inverse-hyperbolic-functions
  (testing "they undo their function"
    (doseq [x [1e-300 1e-9 0.1 0.9 3.0 20.0 300.0]]
      (is (near? x (scalar/asinh (Math/sinh x))) (str "asinh of sinh " x))
      (is (near? (- x) (scalar/asinh (Math/sinh (- x)))) (str "asinh of sinh -" x)))
    (doseq [x [0.1 0.9 3.0 20.0 300.0]]
      (is (<= (abs (- x (scalar/acosh (Math/cosh x)))) (* 1e-15 (max x (/ 0.1 x))))
          (str "acosh of cosh " x)))
    (doseq [x [1e-300 1e-9 0.1 0.9 2.0]]
      (is (<= (abs (- x (scalar/atanh (Math/tanh x)))) (* 3e-15 x)) (str "atanh of tanh " x))))
  (are [f x expected] (same? expected (f x))
    scalar/asinh -0.0 -0.0, scalar/asinh ##-Inf ##-Inf, scalar/asinh ##NaN ##NaN
    scalar/acosh 1.0 0.0, scalar/acosh 0.5 ##NaN, scalar/acosh ##Inf ##Inf
    scalar/atanh -0.0 -0.0, scalar/atanh 1.0 ##Inf, scalar/atanh -1.0 ##-Inf
    scalar/acosh ##NaN ##NaN, scalar/atanh 1.5 ##NaN)
  (is (near? (+ (Math/log 1e300) (Math/log 2.0)) (scalar/asinh 1e300))))

(defn- exact-log1p-exp
  "log(1 + e^x) for x ≤ -40, where it is e^x but for e^2x/2."
  [x]
  (Math/exp x))

(deftest stable-logistic-functions
  (are [f x expected] (same? expected (f x))
    scalar/sigmoid 0.0 0.5, scalar/sigmoid 800.0 1.0, scalar/sigmoid -800.0 0.0
    scalar/sigmoid ##-Inf 0.0, scalar/sigmoid ##NaN ##NaN
    scalar/softplus 800.0 800.0, scalar/softplus -800.0 0.0, scalar/softplus ##Inf ##Inf)
  (is (near? (exact-log1p-exp -50.0) (scalar/softplus -50.0)))
  (is (near? (Math/exp -700.0) (scalar/sigmoid -700.0)))
  (are [x y expected] (same? expected (scalar/logaddexp x y))
    1000.0 0.0 1000.0, ##-Inf ##-Inf ##-Inf, ##Inf ##Inf ##Inf, ##-Inf 3.0 3.0, ##NaN 1.0 ##NaN)
  (is (near? (+ 1000.0 (Math/log 2.0)) (scalar/logaddexp 1000.0 1000.0))))

(deftest truth-of-elements
  (are [x expected] (= expected (scalar/truth x))
    true true, 0 false, -0.0 false, ##NaN true, 7 true))
