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
