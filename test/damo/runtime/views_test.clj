(ns damo.runtime.views-test
  "Arguments that are small views which begin anywhere: they are copied for the length of a call to
  memory that the call before used, and nobody sees it."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d])
  (:import (damo.tensor DType Tensor)))

(set! *warn-on-reflection* true)

(def ^:private n 37)

(defn- views
  "Views of one element each of 0 … n-1."
  [dtype]
  (let [all (Tensor/of (long-array (range n)) ^DType dtype true)]
    (mapv #(.slice all (long %) (inc (long %))) (range n))))

(defn- sum-of-two []
  (let [a (d/input 'a [:i64 ['k]]), b (d/input 'b [:f32 ['k]])]
    (d/function [a b] (d/add (d/cast a :dtype :f32) (d/mul 100 b)))))

(deftest every-argument-has-a-copy-of-its-own
  (let [f (sum-of-two), as (views DType/I64), bs (views DType/F32)]
    (doseq [i (range n), j [0 1 5 (- n 1)]]
      (is (= [(+ i (* 100.0 j))] @(f (as i) (bs j)))))
    (is (= [305.0] @(d/call-n f 3 (as 5) (bs 3))))
    (let [to (d/zeros [1] :f32)]
      (d/call-into f [to] (as 7) (bs 9))
      (is (= [907.0] @to)))))

(deftest calls-of-many-threads-do-not-meet
  (let [f (sum-of-two), as (views DType/I64), bs (views DType/F32)
        runs (doall (for [t (range 4)]
                      (future (every? true? (for [k (range 300), :let [i (mod (+ k t) n)
                                                                       j (mod (* k (inc t)) n)]]
                                              (= [(+ i (* 100.0 j))] @(f (as i) (bs j))))))))]
    (is (every? deref runs))))

(deftest a-view-is-no-place-for-the-result
  (let [x (d/input 'x [:f32 ['k]]), f (d/function [x] (d/mul x 2))
        all (Tensor/of (long-array (range 8)) DType/F32 true)
        view (.slice all 3 5)]
    (is (thrown-with-msg? Exception #"shares memory" (d/call-into f [(.slice all 4 6)] view)))
    (is (= [6.0 8.0] @(f view)))
    (is (= (range 8) (map long @all)))))
