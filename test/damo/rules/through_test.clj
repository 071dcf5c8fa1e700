(ns damo.rules.through-test
  "Formulas that overflow as they are written, with views, casts and joins between their parts:
  value and both derivatives are those of the stable op, in compiled functions."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 [2 3]]))
(def ^:private point [[800 -800 0] [1 2 1e30]])

(defn- numbers [v] (flatten (if (sequential? v) v [v])))

(defn- derivatives
  "e, the gradient of a weighted sum of it, and the gradient of a weighted sum of that."
  [e]
  (let [n (reduce * (second (d/type-of e))), shape (second (d/type-of e))
        g (d/grad (d/sum (d/mul e (d/reshape (d/add 1 (d/iota :shape [n])) shape))) x)]
    [e g (d/grad (d/sum (d/mul g (d/sqr x))) x)]))

(defn- values [e] (mapv (comp vec numbers deref) ((d/function [x] (derivatives e)) point)))

(defn- close? [a b]
  (or (= a b) (<= (Math/abs (- (double a) (double b))) (* 1e-9 (max 1.0 (Math/abs (double b)))))))

(def ^:private e (d/exp x))
(def ^:private largest (d/max x :axis 1 :keepdims true))
(def ^:private shifted (d/exp (d/sub x largest)))
(def ^:private rows (d/softmax x :axis 1))
(def ^:private log-rows (d/log-softmax x :axis 1))
(def ^:private labels [[0 1] [2 0]])

(defn- at-labels [p] (d/take p (first labels) (second labels) :axis [0 1]))

(def ^:private formulas
  "[what written stable]"
  [["softmax of all, flat" (d/div e (d/sum e))
    (d/reshape (d/softmax (d/flatten x) :axis 0) [2 3])]
   ["softmax of columns brought to rows" (d/div (d/exp (d/transpose x)) (d/sum e :axis 1))
    (d/transpose rows)]
   ["a sum that was transposed before" (d/div (d/exp (d/transpose x))
                                              (d/sum (d/transpose e) :axis 0))
    (d/transpose rows)]
   ["log of a shifted softmax" (d/log (d/div shifted (d/sum shifted :axis 1 :keepdims true)))
    log-rows]
   ["log of a sum, shifted, axes dropped" (d/add (d/squeeze largest :axis 1)
                                                 (d/log (d/sum shifted :axis 1)))
    (d/logsumexp x :axis 1)]
   ["log of a mean" (d/log (d/mean e :axis 1)) (d/sub (d/logsumexp x :axis 1) (Math/log 3))]
   ["the loss at labels, written out"
    (d/neg (d/mean (d/log (at-labels (d/div e (d/sum e :axis 1 :keepdims true))))))
    (d/neg (d/mean (at-labels log-rows)))]
   ["parts of both" (d/log (d/div (at-labels e) (d/sum e :axis 1))) (at-labels log-rows)]
   ["labels as one-hot rows"
    (d/log (d/sum (d/mul (d/one-hot (second labels) :classes 3) rows) :axis 1))
    (at-labels log-rows)]
   ["along an axis" (d/log (d/take-along-axis rows [[2] [0]] :axis 1))
    (d/take-along-axis log-rows [[2] [0]] :axis 1)]
   ["1 - σ, cut" (d/log (d/index (d/sub 1 (d/sigmoid x)) 0)) (d/neg (d/softplus (d/index x 0)))]
   ["a join" (d/log (d/add 1 (d/concatenate [e (d/exp (d/neg x))] :axis 0)))
    (d/concatenate [(d/softplus x) (d/softplus (d/neg x))] :axis 0)]
   ["a join with something else" (d/log (d/add 1 (d/stack [e (d/abs x)])))
    (d/stack [(d/softplus x) (d/log1p (d/abs x))])]
   ["rounded between" (d/log (d/cast rows :dtype :f32)) (d/cast log-rows :dtype :f32)]
   ["√ of a view of a square" (d/sqrt (d/transpose (d/sqr x))) (d/transpose (d/abs x))]])

(deftest formulas-behind-views
  (doseq [[what written stable] formulas]
    (testing what
      (doseq [[order as bs] (map vector (range) (values written) (values stable))]
        (is (every? true? (map close? as bs)) (pr-str order as bs))))))

(deftest declared-derivatives-stay
  (testing "what is held constant is not looked into"
    (is (= [[0.0 0.0 0.0] [0.0 0.0 0.0]]
           @(d/eval (d/grad (d/sum (d/log (d/softmax (d/zero-grad x)))) x) {x point}))))
  (testing "a gradient by an inner expression is that of what was written"
    (let [p (d/softmax x)]
      (is (= [[1.0 1.0 1.0] [1.0 1.0 1.0]]
             @(d/eval (d/mul p (d/grad (d/sum (d/log p)) p)) {x [[0 0 0] [0 0 0]]}))))))
