(ns damo.compile.lower.hoist-test
  "Checks and values that a loop does not change stand before it; what it changes stays."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.hoist :as hoist]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(deftest what-moves-test
  (is (= '[[:for i n
            [:let v [:load 2 i]]
            [:index x v m 0]
            [:for j 4 [:store 0 [:+ [:* 4 x] j] [:load 1 j]]]]]
         (hoist/hoist '[[:for i n
                         [:let v [:load 2 i]]
                         [:for j 4
                          [:index x v m 0]
                          [:store 0 [:+ [:* 4 x] j] [:load 1 j]]]]])))
  (testing "as far out as may be, in order"
    (is (= '[[:let v [:load 1 0]] [:index x v m 0] [:for i n [:for j m [:store 0 j [:load 2 x]]]]]
           (hoist/hoist '[[:for i n [:for j m [:let v [:load 1 0]] [:index x v m 0]
                                     [:store 0 j [:load 2 x]]]]])))))

(deftest what-stays-test
  (doseq [body '[[[:for i n [:index x [:load 1 i] m 0] [:store 0 x [:load 2 x]]]]
                 [[:for i n [:let v [:load 0 0]] [:store 0 i v]]]
                 [[:var s [:const :i64 0]]
                  [:for i n [:let v s] [:store 0 i v] [:set s [:add v v]]]]
                 [[:var s [:const :i64 0]]
                  [:for i n [:let v s] [:store 0 i v] [:for j n [:acc :add s v]]]]
                 [[:for i n [:local t :f32 4] [:store t 0 [:load 1 i]] [:let v [:load t 0]]
                   [:store 0 i v]]]
                 [[:for i n [:if b [:let v [:load 1 0]] [:store 0 i v]]]]]]
    (is (= body (hoist/hoist body)))))

(deftest rows-at-indices-test
  (let [x (d/input 'x [:f32 ['m 'w]]), i (d/input 'i [:i64 ['k]]), v (d/input 'v [:f32 ['k 'w]])
        f (d/function [x i v] [(d/inc-at x i v) (d/take x i :axis 0)])
        run (fn [w indices]
              (f (d/tensor (repeat 3 (repeat w 1)) :f32) (d/tensor indices :i64)
                 (d/tensor (for [k (range (count indices))] (repeat w (inc k))) :f32)))]
    (is (= [[[6.0 6.0] [1.0 1.0] [2.0 2.0]] [[1.0 1.0] [1.0 1.0] [1.0 1.0]]]
           (map deref (run 2 [2 0 -3]))))
    (testing "a wrong index fails, of rows without elements too"
      (doseq [w [0 1 5]]
        (is (thrown-with-msg? clojure.lang.ExceptionInfo #"index 3 is not in -3 … 2"
                              (run w [0 3])) w)))))
