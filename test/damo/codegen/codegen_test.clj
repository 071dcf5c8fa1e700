(ns damo.codegen.codegen-test
  "Which texts a program becomes: kernels lie in texts of their own, which are equal where kernels
  are."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.pipeline :as pipeline]
            [damo.core :as d]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen LlvmModule LlvmModule$Kind LlvmModule$Text)
           (damo.program Programs)))

(set! *warn-on-reflection* true)

(defn- waves
  "n sums of tanh(sin(k x) e^(x/k)), k = 1 … n: many nodes, in many kernels."
  [x n]
  (vec (for [k (range 1 (inc n))]
         (d/sum (d/tanh (d/mul (d/sin (d/mul k x)) (d/exp (d/div x k))))))))

(defn- loops? [^LlvmModule$Text text]
  (= LlvmModule$Kind/LOOPS (.kind text)))

(deftest parts-test
  (let [x (d/input 'x [:f64 ['n]]), n 120
        f (d/function [x] (waves x n))
        text (pipeline/program-text (d/program f))
        ^LlvmModule module (Codegen/module (Programs/read text) 256)
        by-loops (group-by loops? (.texts module))
        kernels (map #(.ir ^LlvmModule$Text %) (by-loops true))
        steps (str/join (map #(.ir ^LlvmModule$Text %) (by-loops false)))
        points [-0.5 0.25 1.5]
        expected (for [k (range 1 (inc n))]
                   (reduce + (for [p points]
                               (Math/tanh (* (Math/sin (* k p)) (Math/exp (/ p k)))))))]
    (testing "every text of kernels defines what it uses, and that of the steps declares them"
      (is (< 2 (count kernels)))
      (is (every? #(str/includes? % "define hidden") kernels))
      (is (str/includes? steps "declare hidden"))
      (is (not (str/includes? steps "define hidden"))))
    (is (every? #(< (Math/abs (double %)) 1e-12) (map - (map deref (f points)) expected)))))

(defn- adding
  "A program that adds these constants to n elements, by a kernel each, in that order."
  [constants]
  (calling/program '[n] '[[:f64 :inout n]] nil
                   :kernels (vec (for [c constants]
                                   {:name "k" :params [[:f64 :inout]]
                                    :body [[:for 'i 'n [:store 0 'i [:add [:load 0 'i]
                                                                     [:const :f64 c]]]]]}))
                   :steps (vec (for [k (range (count constants))]
                                 {:do :kernel :kernel k :args [0]}))))

(defn- kernel-texts [constants]
  (let [^LlvmModule m (Codegen/module (calling/read-program (adding constants)) 256)]
    (into #{} (comp (filter loops?) (map #(.ir ^LlvmModule$Text %)))
          (.texts m))))

(deftest equal-kernels-have-equal-texts
  (testing "wherever they stand, and twice in a program"
    (let [texts (kernel-texts [1.0 2.0 3.0])]
      (is (= 3 (count texts)))
      (is (= (kernel-texts [3.0 1.0 2.0 1.0]) texts))
      (is (= 2 (count (set/intersection texts (kernel-texts [1.0 2.5 3.0])))))))
  (testing "in long programs some kernels share a text, and a change is felt in one or two"
    (let [many (mapv double (range 400)), changed (assoc many 200 0.5)
          [a b] (map kernel-texts [many changed])]
      (is (< 20 (count a) 120))
      (is (<= (count (set/difference b a)) 2))
      (is (= (repeat 2 (reduce + many))
             (first (:buffers (calling/call (adding many) [2] [[0.0 0.0] [0 0]]))))))))

(deftest quick-code-computes-the-same
  (let [x (d/input 'x [:f64 ['n]]), data (vec (range -2 2 0.01))
        ys (conj (waves x 3) (d/tanh (d/mul x 0.3)) (d/sort x) (d/cumsum x))
        [quick full] (for [mode [:fast-compile :fast-run]]
                       (let [f (d/function [x] ys {:mode mode})]
                         (vec (flatten (map deref (f data))))))]
    (is (every? #(< (Math/abs (double %)) 1e-9) (map - quick full)))))
