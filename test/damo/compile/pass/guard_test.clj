(ns damo.compile.pass.guard-test
  "The mode :nan-guard: where a NaN, an infinity or a large value arises is named, with its place in
  the source, and state stays as it was; what is finite comes out as it does without."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass.guard :as guard]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn- failure [f] (try (f) nil (catch clojure.lang.ExceptionInfo e e)))

(def ^:private x (d/input 'x [:f32 ['n 3]]))
(def ^:private w (d/shared 'w (d/tensor [[1 2] [3 4] [5 6]] :f32)))
(def ^:private product (d/dot x w))
(def ^:private logs (d/log product))        ; written on line 16

(deftest nan-is-named-where-it-arises
  (let [f (d/function [x] (d/sum (d/sqr logs))
                      {:mode :nan-guard, :name "loss", :updates {w (d/add w 1)}})
        before @(d/value w)
        e (failure #(f [[1 2 3] [-3 -4 -5]]))]
    (testing "the log is blamed, not the square or the sum that its NaN spreads to"
      (is (= (str "in loss: log gave NaN at element 2 (row-major) of [:f32 [n 2]]\n"
                  "  argument 0: (matmul x w) [:f32 [n 2]]\n"
                  "  expression: (log (matmul x w))\n"
                  "  written at: guard_test.clj:16\n"
                  "  try: keep its arguments where it is finite, by clip or where")
             (ex-message e)))
      (is (= {:damo/error :damo/not-finite, :op :log, :element 2, :function "loss"
              :type '[:f32 [n 2]], :expr "(log (matmul x w))"
              :arguments ["(matmul x w) [:f32 [n 2]]"], :file "guard_test.clj", :line 16}
             (dissoc (ex-data e) :value :try)))
      (is (Double/isNaN (:value (ex-data e)))))
    (is (= before @(d/value w)) "a call that failed changes nothing")
    (is (= @((d/function [x] (d/sum (d/sqr logs))) [[1 2 3]]) @(f [[1 2 3]])))
    (is (= [[2.0 3.0] [4.0 5.0] [6.0 7.0]] @(d/value w)))
    (d/set-value! w before)))

(deftest inputs-are-guarded-too
  (let [f (d/function [x] product {:mode :nan-guard})]
    (is (str/starts-with? (ex-message (failure #(f [[1 2 3] [4 ##-Inf 6]])))
                          "in function: the input x has -Infinity at element 4 (row-major)"))))

(deftest a-mode-says-what-is-refused
  (let [y (d/input 'y [:f64 ['n]])
        run (fn [options v] (let [f (d/function [y] (d/div 1.0 y) {:mode options})]
                              (:value (ex-data (failure #(f [v]))))))]
    (are [refused options v] (= refused (run options v))
      ##Inf :nan-guard 0.0
      nil {:mode :nan-guard, :inf false} 0.0
      1e6 {:mode :nan-guard, :inf false, :big 1e5} 1e-6
      nil {:mode :nan-guard, :inf false, :big 1e5} 0.0
      nil {:mode :nan-guard, :big 1e7} 1e-6
      ##Inf {:mode :nan-guard, :nan false} 0.0
      nil {:mode :nan-guard, :nan false} ##NaN
      nil {:mode :nan-guard, :nan false, :inf false} ##Inf)
    (is (Double/isNaN (run {:mode :nan-guard, :inf false, :big 2.0} ##NaN)))
    (is (= :damo.guard/bad-guard
           (:damo/error (ex-data (failure #(run {:mode :nan-guard, :big -1} 1.0))))))))

(deftest reductions-products-and-narrow-floats
  (let [h (d/input 'h [:bf16 ['n]]), v (d/input 'v [:f64 ['n 'n]])
        blamed (fn [input e data]
                 (:op (ex-data (failure #((d/function [input] e {:mode :nan-guard}) data)))))]
    (is (= :mul (blamed h (d/sum (d/mul h 3e38)) [1 2])))
    (is (= :sum (blamed v (d/exp (d/neg (d/sum v))) [[1.7e308 1.7e308] [0 0]])))
    (is (= :matmul (blamed v (d/tanh (d/dot v v)) [[1e300 1e300] [1e300 0]])))
    (is (nil? (blamed v (d/max v :axis 0) [[1 2] [3 4]])))
    (is (nil? (blamed v (d/mean v) [[1e-320 0.0] [-0.0 4]])))))
