(ns damo.rules.tails-test
  "Formulas whose parts overflow or vanish: values and derivatives of the first and second order, in
  both modes and all their orders, taken of what was written before any rule has seen it."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

;; ## What exact arithmetic gives

(defn- sigmoid [^double x] (/ 1.0 (+ 1.0 (Math/exp (- x)))))
(defn- variance [x] (* (sigmoid x) (sigmoid (- (double x)))))
(defn- log-sum [& xs] (let [m (apply max xs)]
                        (+ m (Math/log (reduce + (map #(Math/exp (- (double %) m)) xs))))))

(defn- moments
  "[mean variance] of the slopes k with weights e^x: those of log Σ e^x whose terms have slopes k."
  [ks xs]
  (let [total (apply log-sum xs), ps (map #(Math/exp (- (double %) (double total))) xs)
        mean (reduce + (map * ks ps))]
    [mean (reduce + (map #(* %2 (- (double %1) mean) (- (double %1) mean)) ks ps))]))

(defn- log-terms
  "The rows [value slope curvature] of log Σ e^(k·x + c) over the pairs [k c]."
  [pairs]
  (fn [x]
    (let [xs (map (fn [[k c]] (+ (* (double k) (double x)) (double c))) pairs)]
      (into [(apply log-sum xs)] (moments (map first pairs) xs)))))

(def ^:private formulas
  "[what formula [value slope curvature] of a point], of formulas that are smooth everywhere."
  [["e^-x·σ(x)" #(d/mul (d/exp (d/neg %)) (d/sigmoid %))
    (fn [x] [(sigmoid (- x)) (- (variance x)) (* (variance x) (- (sigmoid x) (sigmoid (- x))))])]
   ["(e^x·3)·σ(-x)" #(d/mul (d/mul (d/exp %) 3) (d/sigmoid (d/neg %)))
    (fn [x] [(* 3 (sigmoid x)) (* 3 (variance x))
             (* 3 (variance x) (- (sigmoid (- x)) (sigmoid x)))])]
   ["e^2x/(1 + e^2x)·½" #(d/mul (d/div (d/exp (d/mul 2 %)) (d/add 1 (d/exp (d/mul 2 %)))) 0.5)
    (fn [x] (let [y (* 2 x)]
              [(* 0.5 (sigmoid y)) (variance y)
               (* 2 (variance y) (- (sigmoid (- y)) (sigmoid y)))]))]
   ["log(1 - σ(x))" #(d/log (d/sub 1 (d/sigmoid %)))
    (fn [x] [(- (log-sum 0 x)) (- (sigmoid x)) (- (variance x))])]
   ["log σ(-x)" #(d/log (d/sigmoid (d/neg %)))
    (fn [x] [(- (log-sum 0 x)) (- (sigmoid x)) (- (variance x))])]
   ["log(e^x + e^2x + 1)" #(d/log (d/add (d/add (d/exp %) (d/exp (d/mul 2 %))) 1))
    (log-terms [[1 0] [2 0] [0 0]])]
   ["log(1 + (e^x + e^-x))" #(d/log (d/add 1 (d/add (d/exp %) (d/exp (d/neg %)))))
    (log-terms [[0 0] [1 0] [-1 0]])]
   ["log(2e^x + e^-x + e^(x/2) + 3)"
    #(d/log (d/add (d/add (d/mul 2 (d/exp %)) (d/exp (d/neg %)))
                   (d/add (d/exp (d/mul 0.5 %)) 3)))
    (log-terms [[1 (Math/log 2)] [-1 0] [0.5 0] [0 (Math/log 3)]])]
   ["e^x/(e^x + e^-x)" #(d/div (d/exp %) (d/add (d/exp %) (d/exp (d/neg %))))
    (fn [x] (let [y (* 2 x)]
              [(sigmoid y) (* 2 (variance y))
               (* 4 (variance y) (- (sigmoid (- y)) (sigmoid y)))]))]
   ["log √(1 + e^2x)" #(d/log (d/sqrt (d/add 1 (d/exp (d/mul 2 %)))))
    (fn [x] (mapv #(* 0.5 (double %)) ((log-terms [[0 0] [2 0]]) x)))]])

(def ^:private points
  "By dtype: ordinary ones, and beyond where e^x is infinite and e^-x nothing."
  {:f64 [0.0 0.25 -1.5 4.0 30.0 -30.0 300.0 800.0 -800.0 1e30 -1e30]
   :f32 [0.0 0.25 -1.5 4.0 12.0 -12.0 60.0 100.0 -100.0 1e30 -1e30]})

(defn- with-derivatives
  "The formula and, of it as written, the slopes and curvatures in both modes and all their orders."
  [f x one]
  (let [e (f x), g (d/grad (d/sum e) x), r (d/rop e x one)]
    [e g r (d/grad (d/sum g) x) (d/rop g x one) (d/grad (d/sum r) x) (d/rop r x one)]))

(defn- near? [tolerance expected given]
  (or (= expected given)
      (<= (abs (- (double expected) (double given)))
          (* (double tolerance) (max 1.0 (abs (double expected)))))))

(deftest tails-have-values-and-derivatives
  (doseq [[dtype tolerance] {:f64 2e-13, :f32 2e-6}]
    (let [xs (points dtype), x (d/input 'x [dtype [(count xs)]])
          one (d/ones [(count xs)] dtype)
          f (d/function [x] (vec (mapcat (fn [[_ f]] (with-derivatives f x one)) formulas)))
          rows (partition 7 (map deref (f xs)))]
      (doseq [[[what _ expected] row] (map vector formulas rows), [i at] (map-indexed vector xs)
              :let [[value slope curvature] (expected at)]]
        (testing (str what " of " dtype " at " at)
          (is (every? true? (map #(near? tolerance %1 (nth %2 i))
                                 (into [value slope slope] (repeat 4 curvature)) row))
              (pr-str [value slope curvature] (map #(nth % i) row))))))))

(deftest odds-are-an-exponential
  (let [x (d/input 'x [:f64 []])
        f (d/function [x] (with-derivatives #(d/div (d/sigmoid %) (d/sub 1 (d/sigmoid %))) x
                                            1.0))]
    (doseq [at [0.0 -3.0 40.0 700.0 -700.0 -800.0]]
      (is (every? #(near? 1e-13 1.0 (if (zero? (Math/exp at)) (inc (double %)) (/ % (Math/exp at))))
                  (map deref (f at)))
          (str at)))))

(deftest bells-over-their-tails
  (testing "values and slopes from 60 digits"
    (let [x (d/input 'x [:f64 []])
          bell #(d/exp (d/neg (d/mul % %)))
          f (d/function [x] (vec (mapcat #(take 3 (with-derivatives % x 1.0))
                                         [#(d/div (d/exp (d/mul (d/neg %) %)) (d/erfc %))
                                          #(d/div (d/mul 3 (bell %)) (d/mul 3 (d/erfc %)))
                                          #(d/mul (d/exp (d/sqr %)) (d/erfc %))])))]
      (doseq [[at value slope] [[1.0 2.338724066510006 1.494368703258975]
                                [27.0 47.88903232254585 1.771243150495]
                                [800.0 1417.964188506339 1.77245246619]]
              :let [[v s r w t u inverse] (map deref (f at))]]
        (is (every? #(near? 1e-14 value %) [v w]) (str at))
        (is (every? #(near? 1e-8 slope %) [s r t u]) (str at))
        (is (near? 1e-14 (/ value) inverse) (str at))))))

(deftest quotients-by-absolute-values-are-as-written
  (let [x (d/input 'x [:f64 []])
        f (d/function [x] (with-derivatives #(d/div (d/mul 4 %) (d/abs (d/mul 2 %))) x 1.0))]
    (is (= [2.0 0.0 0.0 0.0 0.0 0.0 0.0] (map deref (f 3.0))))
    (is (= [-2.0 0.0 0.0 0.0 0.0 0.0 0.0] (map #(+ 0.0 @%) (f -3.0))))
    (is (NaN? (double @(first (f 0.0)))))))

(deftest logarithms-of-products
  (let [x (d/input 'x [:f64 [4]])
        f (d/function [x] [(d/log (d/prod x)) (d/grad (d/log (d/prod x)) x)])
        tiny [1e-200 1e-200 3.0 4.0]]
    (is (near? 1e-14 (+ (* -400 (Math/log 10)) (Math/log 12)) @(first (f tiny))))
    (is (every? true? (map #(near? 1e-13 (/ (double %1)) %2) [1e200 2.0 3.0 4.0]
                           @(second (f [1e200 2.0 3.0 4.0])))))
    (is (near? 1e-14 (Math/log 24) @(first (f [-1.0 2.0 -3.0 4.0]))))
    (is (NaN? (double @(first (f [-1.0 2.0 3.0 4.0])))))
    (is (= ##-Inf @(first (f [0.0 2.0 3.0 4.0]))))))
