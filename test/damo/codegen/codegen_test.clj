(ns damo.codegen.codegen-test
  "Programs whose kernels are long together: they lie in modules of their own, and compute the
  same."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.pipeline :as run]
            [damo.core :as d])
  (:import (damo.codegen Codegen LlvmModule)
           (damo.program Programs)))

(set! *warn-on-reflection* true)

(defn- waves
  "n sums of tanh(sin(k x) e^(x/k)), k = 1 … n: many nodes, in many kernels."
  [x n]
  (vec (for [k (range 1 (inc n))]
         (d/sum (d/tanh (d/mul (d/sin (d/mul k x)) (d/exp (d/div x k))))))))

(deftest parts-test
  (let [x (d/input 'x [:f64 ['n]]), n 120
        f (d/function [x] (waves x n))
        ^LlvmModule module (Codegen/module (Programs/read (run/program-text (d/program f))) 256)
        points [-0.5 0.25 1.5]
        expected (for [k (range 1 (inc n))]
                   (reduce + (for [p points]
                               (Math/tanh (* (Math/sin (* k p)) (Math/exp (/ p k)))))))]
    (testing "every part defines what it uses, and the first text declares the kernels"
      (is (< 2 (count (.texts module))))
      (is (str/includes? (.text module) "declare hidden"))
      (is (every? #(str/includes? % "define hidden") (.parts module))))
    (is (every? #(< (Math/abs (double %)) 1e-12) (map - (map deref (f points)) expected)))))
