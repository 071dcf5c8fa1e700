(ns damo.laws.regressions-test
  "Graphs on which compiled code once disagreed with the reference interpreter, as
  `bin/damo test --fuzz` printed them."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.fuzz :as fuzz]))

(set! *warn-on-reflection* true)

(deftest rules-end-without-the-one-that-strips-broadcasts
  (is (nil? (fuzz/replay
             '{:graph {:nodes [[:input {:name q, :type [:f32 [m]]}]
                               [:const {:type [:f32 []], :value 1.0}]
                               [:const {:type [:f32 []], :value 0.5}]
                               [:expand-dims {:axis [0]} 1] [:broadcast-to {:shape [m]} 3]
                               [:mul {} 4 2] [:const {:type [:f32 []], :value 2.0}] [:mul {} 6 0]
                               [:mul {} 5 7]]
                       :outputs [8]
                       :types [[:f32 [m]] [:f32 []] [:f32 []] [:f32 [1]] [:f32 [m]] [:f32 [m]]
                               [:f32 []] [:f32 [m]] [:f32 [m]]]}
               :mode {:mode :fast-run, :exclude #{:strip-broadcast}}
               :env {q [[:f32 [2]] [-4.0 1.0]]}}))))

(deftest rules-end-for-a-negated-constant-that-is-broadcast
  (is (nil? (fuzz/replay
             '{:graph {:nodes [[:const {:type [:f64 []], :value 1.0}] [:broadcast-to {:shape []} 0]
                               [:neg {} 1] [:input {:name x, :type [:f64 []]}] [:add {} 2 3]]
                       :outputs [4]
                       :types [[:f64 []] [:f64 []] [:f64 []] [:f64 []] [:f64 []]]}
               :mode :fast-run, :env {x [[:f64 []] 6.0]}}))))

(deftest polygamma-of-whole-numbers-makes-no-infinity-on-the-way
  (is (nil? (fuzz/replay
             '{:graph {:nodes [[:input {:name x, :type [:f32 [n]]}] [:polygamma {:n 2} 0]]
                       :outputs [1], :types [[:f32 [n]] [:f32 [n]]]}
               :mode :nan-guard, :env {x [[:f32 [2]] [0.5 4.0]]}}))))

(deftest a-product-whose-rows-a-loop-counts
  (is (nil? (fuzz/replay
             '{:graph {:nodes [[:input {:name x, :type [:f64 [1 3]]}]
                               [:loop {:as r, :until true, :steps 3, :params [[:carry 0 0]]
                                       :carries [0], :results [[1 2]]
                                       :body {:nodes [[:param {:at 0, :type [:f64 [3]]}]
                                                      [:add {} 0 0]
                                                      [:const {:type [:bool []], :value false}]]
                                              :types [[:f64 [3]] [:f64 [3]] [:bool []]]
                                              :outputs [1 1 2]}}
                                0]
                               [:part {:at 0} 1] [:transpose {:axes [1 0]} 2] [:matmul {} 2 3]]
                       :outputs [4]
                       :types [[:f64 [1 3]] [:tuple [[:f64 [[:min 2 r] 3]]]] [:f64 [[:min 2 r] 3]]
                               [:f64 [3 [:min 2 r]]] [:f64 [[:min 2 r] [:min 2 r]]]]}
               :mode :none, :env {x [[:f64 [1 3]] [[1.0 2.0 3.0]]]}}))))
