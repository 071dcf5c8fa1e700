(ns damo.bench.build-test
  "The graphs whose compilation is measured, made small: they compile, and compute finite numbers."
  (:require [clojure.test :refer [deftest is]]
            [damo.bench.build :as build]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private h (d/full [3 32] 0.5 :f32))

(deftest chain-test
  (let [product (#'build/chain 4 d/dot [:f32 [32 32]])
        elementwise (#'build/chain 4 d/mul [:f32 [32]])]
    (is (= [32 32] (d/shape (product h (d/full [32 32] 0.01 :f32)))))
    (is (every? pos? @(elementwise h (d/full [32] 0.01 :f32))))))

(deftest mixed-test
  (let [f (#'build/mixed 40)
        [last-value total] (f (d/full [3 16] 0.5 :f32) (d/full [16 16] 0.1 :f32))]
    (is (= [3 16] (d/shape last-value)))
    (is (< ##-Inf @total ##Inf))))

(deftest deep-test
  (is (< 0 @((#'build/deep 50) [0.5 0.25]) 2)))

(deftest measure-test
  (let [builds (atom 0)
        build (fn [] (swap! builds inc) (d/function [] 1.0))
        {:keys [first warm]} (build/measure ["counted" build 3])]
    (is (= 8 @builds) "the first, one to warm up, three for the time, three for the stages")
    (is (every? #(<= 0 %) [first warm]))))
