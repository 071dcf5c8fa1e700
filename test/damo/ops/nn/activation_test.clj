(ns damo.ops.nn.activation-test
  "Tests of activation functions at infinities and kinks, and of normalization."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.nn.normalize :as normalize]))

(set! *warn-on-reflection* true)

(def ^:private points [##-Inf -1000.0 -1.0 0.0 1.0 1000.0 ##Inf])

(defn- values-and-slopes
  "[values gradients] of an activation function at the points, compiled without rules."
  [f]
  (let [x (d/input 'x [:f64 [7]])
        run (d/function [x] [(f x) (d/grad (d/sum (f x)) x)] {:mode :fast-compile})]
    (mapv deref (run points))))

(defn- near? [a b]
  (or (= (double a) (double b)) (< (Math/abs (- (double a) (double b))) 1e-12)))

(deftest activations-at-infinities-and-kinks
  (are [f values slopes] (let [[v s] (values-and-slopes f)]
                           (and (every? true? (map near? values v))
                                (every? true? (map near? slopes s))))
    d/leaky-relu [##-Inf -10.0 -0.01 0 1 1000 ##Inf] [0.01 0.01 0.01 0.01 1 1 1]
    d/elu [-1 -1 (Math/expm1 -1.0) 0 1 1000 ##Inf] [0 0 (Math/exp -1.0) 1 1 1 1]
    d/hard-sigmoid [0 0 0.3 0.5 0.7 1 1] [0 0 0.2 0.2 0.2 0 0]
    d/softsign [-1 (/ -1000 1001.0) -0.5 0 0.5 (/ 1000 1001.0) 1]
    [0 (/ 1 1002001.0) 0.25 1 0.25 (/ 1 1002001.0) 0]
    d/relu [0 0 0 0 1 1000 ##Inf] [0 0 0 0 1 1 1]
    d/gelu [0 0 -0.15865525393145707 0 0.8413447460685429 1000 ##Inf]
    [0 0 -0.08331547058768632 0.5 1.0833154705876864 1 1]
    #(d/gelu % :approximate :tanh)
    [0 0 -0.15880800939172324 0 0.8411919906082768 1000 ##Inf]
    [0 0 -0.08296408384578255 0.5 1.0829640838457826 1 1])
  (testing "those that are products with a sigmoid vanish at -∞"
    (doseq [f [d/silu d/swish d/mish] :let [[v s] (values-and-slopes f)]]
      (is (every? true? (map near? [0 0] v)))
      (is (every? true? (map near? [0 0] s)))
      (is (= [1000.0 ##Inf] (subvec v 5)))
      (is (near? 1 (s 5)))))
  (testing "selu keeps mean and variance: its values at -∞ and 1"
    (let [[v] (values-and-slopes d/selu)]
      (is (near? -1.7580993408473766 (v 0)))
      (is (near? 1.0507009873554805 (v 4))))))

;; ## Normalization

(defn- about? [expected got]
  (let [flat #(if (sequential? %) (clojure.core/flatten %) [%])]
    (every? true? (map #(< (Math/abs (- (double %1) (double %2))) 1e-9)
                       (flat expected) (flat got)))))

(deftest layer-norm-works-along-the-last-axis
  (is (about? [[-1 1] [-1 1]] @(d/eval (d/layer-norm [[1.0 3.0] [10.0 30.0]] :epsilon 1e-12))))
  (is (about? [[3 7]] @(d/eval (d/layer-norm [[1.0 3.0]] :epsilon 1e-12 :scale [2.0 2.0]
                                             :shift 5.0)))))

(deftest batch-norm-in-training
  (let [x (d/input 'x '[:f64 [n 2]])
        {:keys [out mean var new-mean new-var]}
        (d/batch-norm-train x [1.0 2.0] [0.0 5.0] :epsilon 1e-12 :momentum 0.5
                            :running-mean [0.0 0.0] :running-var [1.0 1.0])
        f (d/function [x] {:out out, :mean mean, :var var, :new-mean new-mean, :new-var new-var})
        result (update-vals (f [[1 10] [3 30]]) deref)]
    (is (about? [[-1 3] [1 7]] (:out result)))
    (is (about? [2 20] (:mean result)))
    (is (about? [1 100] (:var result)))
    (is (about? [1 10] (:new-mean result)))
    (is (about? [1.5 100.5] (:new-var result)) "the variance of the batch as an estimate")))

(deftest batch-norm-of-images-normalizes-channels
  (let [x (d/input 'x '[:f32 [n 3 h w]]), g (d/input 'g [:f32 [3]]), b (d/input 'b [:f32 [3]])
        {:keys [out mean]} (d/batch-norm-train x g b)]
    (is (= '[:f32 [n 3 h w]] (d/type-of out)))
    (is (= '[:f32 [3]] (d/type-of mean)))
    (is (= '[:f32 [n 3 h w]] (d/type-of (d/batch-norm-test x g b mean (d/sqr mean)))))))

(deftest batch-norm-with-known-moments
  (is (about? [[7 5]] @(d/eval (d/batch-norm-test [[3.0 1.0]] [1.0 1.0] [5.0 5.0] [1.0 1.0]
                                                  [1.0 1.0] :epsilon 1e-12)))))

(deftest parameters-of-the-wrong-rank-are-refused
  (is (= :damo.op.normalize/rank-mismatch
         (try (d/batch-norm-train (d/input 'x '[:f32 [n 3 4 4]]) (d/input 'g '[:f32 [3 4]]) 0.0)
              nil
              (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))))
