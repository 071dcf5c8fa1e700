(ns damo.rules.faults-test
  "Values that rules once got wrong, with and without rules: cycles, zeros with a part written,
  comparisons of a value with itself, signs of zeros, constants folded out of range, scalars out of
  sums."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private modes
  [:fast-run :none :debug {:mode :fast-run :exclude #{:stabilizes}}])

(defn- compiled
  "The value of (f input …) for these values, in a mode; a number, or nested vectors."
  [mode types f values]
  (let [inputs (map-indexed (fn [i type] (d/input (symbol (str "x" i)) type)) types)
        v @(apply (d/function (vec inputs) (apply f inputs) {:mode mode}) values)]
    v))

(defn- in-all-modes
  "Is the value of (f input …) the expected one, to the bit, in each mode?"
  [expected types f & values]
  (doseq [mode modes]
    (testing (pr-str mode)
      (is (= (pr-str expected) (pr-str (compiled mode types f values)))))))

(def ^:private v3 [:f64 [3]])
(def ^:private s [:f64 []])
(def ^:private s32 [:f32 []])

(deftest rules-that-undid-each-other
  (in-all-modes [-1.0 -0.5 -0.25] [v3] #(d/div (d/neg 1.0) %) [1 2 4])
  (in-all-modes [-1.0 -2.0 -4.0] [v3] #(d/mul 1.5 (d/grad (d/neg (d/mean (d/sqr %))) %)) [1 2 4])
  (in-all-modes [-1.0 -0.5 -0.25] [v3] #(d/mul 3.0 (d/grad (d/neg (d/mean (d/log %))) %)) [1 2 4])
  (in-all-modes 10.0 [] #(nth (iterate (fn [e] (d/add e 1)) (d/tensor 0.0)) 10))
  (in-all-modes 3.0 [s] #(nth (iterate (fn [e] (d/mul (d/neg -1.0) e)) %) 10) 3.0))

(deftest many-writes-in-a-row-are-differentiated
  (let [n 130, x (d/input 'x [:f64 [(+ n 2)]])
        y (reduce (fn [e k] (d/set-at e k (d/mul (d/index x k) (d/index e (inc k)))))
                  (d/sqr x) (range n))
        slope @((d/function [x] (d/grad (d/sum y) x)) (repeat (+ n 2) 1.0))]
    (is (= [1.0 3.0 3.0] (take 3 slope)))))

(deftest zeros-with-a-part-written-broadcast
  (let [zeros #(d/broadcast-to 0.0 :shape %), m [:f64 [2 3]]]
    (in-all-modes [[1.0 102.0 3.0] [4.0 105.0 6.0]] [m]
                  #(d/add % (d/set-at (zeros [1 3]) :all 1 100.0)) [[1 2 3] [4 5 6]])
    (in-all-modes [[1.0 102.0 3.0] [4.0 105.0 6.0]] [m]
                  #(d/add (d/inc-at (zeros [3]) 1 100.0) %) [[1 2 3] [4 5 6]])
    (in-all-modes [[11.0 12.0 13.0] [4.0 5.0 6.0]] [m]
                  #(d/add % (d/set-at (zeros [2 1]) 0 10.0)) [[1 2 3] [4 5 6]])
    (in-all-modes [[1.5 2.0] [1.5 2.0]] [[:i64 [2]]]
                  #(d/add % (d/set-at (zeros [2 2]) :all 0 0.5)) [1 2])))

(deftest a-value-may-differ-from-itself
  (in-all-modes true [] #(d/ne ##NaN ##NaN))
  (in-all-modes [true false false] [v3] #(d/ne % %) [##NaN 1.0 ##Inf])
  (in-all-modes [0.0 1.0 ##-Inf] [v3] #(d/where (d/ne % %) 0.0 %) [##NaN 1.0 ##-Inf])
  (in-all-modes [false true true] [v3] #(d/eq % %) [##NaN 1.0 ##Inf])
  (in-all-modes [false true true] [v3] #(d/le % %) [##NaN 1.0 ##Inf])
  (in-all-modes [false false] [[:i64 [2]]] #(d/ne % %) [1 2]))

(deftest zeros-keep-their-signs
  (in-all-modes Math/PI [s] #(d/atan2 (d/sub 0.0 %) -1.0) 0.0)
  (in-all-modes ##Inf [s] #(d/div 1.0 (d/add % 0.0)) -0.0)
  (in-all-modes ##Inf [s] #(d/div 1.0 (d/sub % -0.0)) -0.0)
  (in-all-modes ##-Inf [s] #(d/div 1.0 (d/add % -0.0)) -0.0)
  (in-all-modes ##-Inf [s s] #(d/div 1.0 (d/neg (d/sub %1 %2))) 2.0 2.0)
  (in-all-modes ##Inf [v3] #(d/div 1.0 (d/index (d/inc-at % 1 0.0) 1)) [1.0 -0.0 1.0])
  (in-all-modes ##-Inf [s] #(d/div 1.0 (d/neg (d/where (d/lt % 1) 0.0 %))) 0.0)
  (testing "where no one sees the sign, nothing is computed for it"
    (let [x (d/input 'x s), f (d/function [x] (d/exp (d/sub 0 x)))]
      (is (re-find #"neg" (pr-str (:kernels (d/program f))))))))

(defn- as-written-in-all-modes
  "The same with what is computed without rules as the expected value, which is finite and not 0."
  [types f & values]
  (let [written (apply compiled :none types f [values])]
    (is (< 0 (abs written) ##Inf))
    (apply in-all-modes written types f values)))

(deftest constants-are-not-folded-out-of-range
  (as-written-in-all-modes [s32] #(d/mul 1e-25 (d/mul 1e-25 %)) 1e30)
  (as-written-in-all-modes [s] #(d/mul 1e200 (d/div 1e200 %)) 1e250)
  (as-written-in-all-modes [s] #(d/mul 1e-200 (d/mul 1e-200 %)) 1e300)
  (as-written-in-all-modes [s] #(d/div (d/div % 1e200) 1e200) 1e300)
  (as-written-in-all-modes [[:f16 []]] #(d/mul (d/mul % 1000.0) 1000.0) 0.01)
  (as-written-in-all-modes [[:f16 []]] #(d/div (d/div % 1000.0) 1000.0) 30000.0))

(deftest sums-are-as-written
  (in-all-modes (double (float 1.25)) [s32 s32] #(d/sub (d/add %1 %2) %1) 0.0 1.25)
  (in-all-modes 1.25 [s32 s32] #(d/sub %2 (d/sub (d/add %1 %2) %1)) 1e8 1.25)
  (in-all-modes 2e108 [[:f64 [2]]] #(d/sum (d/mul 1e-200 %)) [1e308 1e308])
  (in-all-modes 0.0 [s [:f64 ['n]]] #(d/sum (d/mul %1 %2)) ##Inf []))

(deftest quotients-are-not-products
  (in-all-modes [1.0 3.0 7.0] [v3] #(d/floor (d/div % 49.0)) [49.0 147.0 343.0])
  (in-all-modes [1.0 3.0 7.0] [[:f32 [3]]] #(d/floor (d/div % 49.0)) [49.0 147.0 343.0])
  (in-all-modes [0.25 0.5 1.0] [v3] #(d/div % 4.0) [1.0 2.0 4.0]))
