(ns damo.ops.nn.loss-test
  "Tests of losses at their edges: sure answers, targets of 0, labels out of range, kinks."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.nn.loss :as loss]))

(set! *warn-on-reflection* true)

(defn- value [e] @(d/eval e))

(deftest targets-of-zero-count-as-zero
  (let [p (d/input 'p [:f64 [2]])
        f (d/categorical-cross-entropy p [1.0 0.0])
        g (d/function [p] [f (d/grad f p)] {:mode :fast-compile})]
    (is (= [0.0 [-1.0 0.0]] (mapv deref (g [1.0 0.0])))))
  (is (= 0.0 (value (d/soft-cross-entropy [0.0 ##-Inf] [1.0 0.0])))))

(deftest both-forms-of-targets-agree
  (let [p [[0.25 0.75] [0.5 0.5]]]
    (is (= (value (d/categorical-cross-entropy p (d/tensor [1 0])))
           (value (d/categorical-cross-entropy p [[0.0 1.0] [1.0 0.0]]))))))

(deftest misuse-of-losses
  (are [error form] (= error (try form nil (catch clojure.lang.ExceptionInfo e
                                             (:damo/error (ex-data e)))))
    :damo.op.loss/rank-mismatch (d/soft-cross-entropy 1.0 1.0)
    :damo.type/shape-mismatch (d/soft-cross-entropy [[1.0 2.0]] [[1.0 2.0 3.0]])
    :damo.type/shape-mismatch (d/categorical-cross-entropy [[0.5 0.5]] (d/tensor [0 1])))
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"an index must lie between 0 and"
                        (d/eval (d/categorical-cross-entropy [[0.5 0.5]] (d/tensor [2]))))))

(deftest a-small-logistic-loss-is-not-lost
  (is (= (float (Math/exp -50.0))
         (float (value (d/sigmoid-cross-entropy (d/tensor 50.0 :f32) (d/tensor 1.0 :f32)))))))

(deftest hubers-loss-is-smooth-at-its-kinks
  (let [x (d/input 'x [:f64 [5]]), loss (d/huber x 0.0)
        f (d/function [x] [loss (d/grad (d/sum loss) x)])]
    (is (= [[2.5 0.5 0.0 0.5 ##Inf] [-1.0 -1.0 0.0 1.0 1.0]]
           (mapv deref (f [-3.0 -1.0 0.0 1.0 ##Inf]))))))
