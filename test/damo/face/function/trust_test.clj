(ns damo.face.function.trust-test
  "Functions that trust their inputs: the same results, and the same refusals of what is no input."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d])
  (:import (damo.tensor DType Tensor)
           (java.lang.foreign Arena ValueLayout)))

(set! *warn-on-reflection* true)

(defn- error [f] (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest trusted-calls
  (let [x (d/input 'x [:f32 ['n]]), y (d/input 'y [:f32 ['n]])
        s (d/shared 's (d/tensor 0 :f32))
        made (fn [trust?] (d/function [x y] (d/add (d/mul x 2) y)
                            {:trust-input trust?, :updates {s (d/add s 1)}}))
        [f plain] (map made [true false])
        t (d/tensor [1 2 3] :f32), closed (d/tensor [1 2 3] :f32)
        long-one (d/tensor (range 70) :f32)]
    (.close ^Tensor closed)
    (dotimes [_ 3]
      (doseq [[a b] [[t t] [[1 2 3] t] [[4.0] [5.0]] [[] []]
                     [(.slice ^Tensor long-one 1 4) (.slice ^Tensor long-one 16 19)]]]
        (is (= @(plain a b) @(f a b))))
      (is (= @(plain t t) @(d/call-n f 2 t t)))
      (doseq [args [[t closed] [closed t] [t [1 2]] [t (d/tensor [1 2 3] :f64)] [t "x"] [t]]]
        (is (some? (error #(apply plain args))))
        (is (= (error #(apply plain args)) (error #(apply f args))) (pr-str args))))
    (with-open [arena (Arena/ofShared)]
      (let [w (Tensor/wrap (.allocateFrom arena ValueLayout/JAVA_FLOAT (float-array [7 8 9]))
                           DType/F32 (long-array [3]))]
        (is (= [15.0 18.0 21.0] @(f w (d/tensor [1 2 3] :f32))))))
    (is (= [1.0 2.0 3.0] @t) "an argument is still open")))
