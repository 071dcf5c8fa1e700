(ns damo.bench.profile.steps-test
  "Programs cut after each step: what is left of them, what their steps must do, and that all steps
  of a function are told."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.profile.main :as main]
            [damo.bench.profile.steps :as steps]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn- step-function []
  (let [x (d/input 'x [:f32 ['n 20]]), w (d/shared 'w (d/full [20 3] 0.5 :f32))
        h (d/tanh (d/dot x w)), loss (d/mean (d/sqr h))]
    (d/function [x] [loss (d/sum h :axis 0)]
                {:updates {w (d/sub w (d/mul 0.1 (d/grad loss w)))}})))

(deftest a-program-cut-after-its-last-step-is-itself
  (let [program (d/program (step-function)), n (count (:steps program))]
    (is (= program (steps/cut program n)))
    (testing "and before its first step it returns nothing"
      (let [none (steps/cut program 0)]
        (is (= [[] []] ((juxt :steps :outputs) none)))
        (is (not-any? #(= :output (:kind %)) (:buffers none)))))))

(deftest sizes-and-work
  (is (= 26 (steps/size '{n 5} '[:+ [:* 4 n] [:max 6 [:quot n 2]]])))
  (let [program {:buffers '[{:dtype :f32, :size [:* 2 n]} {:dtype :f64, :size 3}]}]
    (is (= {:bytes (+ (* 4 10) (* 8 3))}
           (steps/work program '{n 5} {:do :kernel, :kernel 0, :args [0 1 0]})))
    (is (= {:bytes (* 4 (+ 10 20 16)), :flops 80}
           (steps/work program '{n 5} '{:do :gemm, :dtype :f32, :m 2, :n 4, :k n, :beta 1.0
                                        :alpha 1.0})))))

(deftest every-step-is-told-with-its-time
  (let [f (step-function), x (d/full [7 20] 0.1 :f32)
        found (steps/profile f [x] {:dims {'n 7}, :rounds 3})]
    (is (= "call" (:step (first found))))
    (is (= (map #(steps/text (d/program f) %) (:steps (d/program f))) (map :step (rest found))))
    (is (every? #(<= 0 (:ns %)) found))
    (is (every? #(pos? (:bytes %)) (rest found)))
    (is (seq (f x)) "the function can be called as before")))

(deftest a-table-of-steps
  (is (= (str "| step |    time | share |  limit | lost |\n"
              "|------|---------|-------|--------|------|\n"
              "| call |  200 ns |  20 % |      - |    - |\n"
              "| gemm |  800 ns |  80 % | 400 ns | 40 % |\n"
              "| all  | 1.00 us | 100 % | 400 ns | 60 % |")
         (main/table [{:step "call", :ns 200} {:step "gemm", :ns 800, :limit 400.0}]))))
