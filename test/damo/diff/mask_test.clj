(ns damo.diff.mask-test
  "The gradient with respect to what is not read is 0, however large the slopes there are: behind
  choices, slices, indices and orders, in each other and in sums, before rules and after."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(defn- gradients
  "The gradient of the sum of (f x) at these numbers, by the reference before rules, and compiled."
  [f xs]
  (let [x (d/input 'x [:f64 ['n]]), g (d/grad (d/sum (f x)) x)
        before (:graph (expr/to-graph [g]))]
    [(array/nested (first (eval/run before {'x (array/of :f64 [(count xs)] xs)})))
     @((d/function [x] g) xs)]))

(defn- rest-of [x] (d/slice x :start 1))

(def ^:private read-in-part
  "[what f xs gradient]"
  [[:slice #(rest-of (d/sqrt %)) [0.0 1.0] [0.0 0.5]]
   [:slices #(let [s (d/sqrt %)] (d/add (rest-of s) (d/sqr (rest-of s)))) [0.0 1.0] [0.0 1.5]]
   [:products #(let [s (d/sqrt %)] (d/mul (rest-of s) (rest-of (d/mul s s)))) [0.0 1.0] [0.0 1.5]]
   [:indices #(d/take (d/sqrt %) [1 1]) [0.0 1.0] [0.0 1.0]]
   [:index #(d/take (d/sqrt %) 1) [0.0 1.0] [0.0 0.5]]
   [:flipped #(d/flip (d/slice (d/flip (d/sqrt %)) :stop 1)) [0.0 1.0] [0.0 0.5]]
   [:deep #(rest-of (d/mul (d/log %) 2.0)) [0.0 1.0] [0.0 2.0]]
   [:slice-in-slice #(d/take (d/sqrt (rest-of (d/sqrt %))) 1) [0.0 0.0 16.0]
    [0.0 0.0 (/ 1.0 32)]]
   [:choice-of-slices #(d/where (d/lt (rest-of %) 2.0) (rest-of (d/sqrt %)) 3.0) [0.0 1.0 4.0]
    [0.0 0.5 0.0]]
   [:slice-of-choice #(rest-of (d/where (d/lt % 2.0) (d/sqrt %) 3.0)) [0.0 1.0 4.0] [0.0 0.5 0.0]]
   [:sorted #(rest-of (d/sort (d/sqrt %))) [0.0 4.0] [0.0 0.25]]
   [:largest #(d/topk (d/sqrt %) 1) [0.0 4.0] [0.0 0.25]]
   [:along #(d/take-along-axis (d/sqrt %) (d/tensor [1])) [0.0 4.0] [0.0 0.25]]
   [:joined #(rest-of (d/concatenate [(d/sqrt %) %])) [0.0 4.0] [1.0 1.25]]
   [:row #(d/take (d/sum (d/exp (d/mul (d/reshape % [-1 2]) 1.0)) :axis 1) 1)
    [1000.0 0.0 0.0 0.0] [0.0 0.0 1.0 1.0]]
   [:diagonal #(d/diagonal (d/sqrt (d/reshape % [-1 2]))) [1.0 0.0 0.0 1.0] [0.5 0.0 0.0 0.5]]
   [:choice #(let [e (d/exp %)] (d/where (d/lt % 5.0) (d/mul (d/sin e) (d/cos e)) 1.0))
    [0.0 1000.0] [(Math/cos 2.0) 0.0]]
   [:larger #(d/maximum (d/sqrt %) 1.0) [0.0 4.0] [0.0 0.25]]
   [:clipped #(d/clip (d/sqrt %) 1.0 3.0) [0.0 4.0] [0.0 0.25]]
   [:branch #(d/ifelse (d/lt (d/sum %) 1.0) (d/sqrt %) (d/mul 2.0 %)) [0.0 4.0] [2.0 2.0]]
   [:curvature #(d/grad (d/sum (d/take (d/sqrt %) [1])) %) [0.0 1.0] [0.0 -0.25]]])

(defn- near? [xs ys] (every? true? (map #(< (abs (- (double %1) (double %2))) 1e-12) xs ys)))

(deftest what-is-not-read-has-no-slope
  (doseq [[what f xs expected] read-in-part, got (gradients f xs)]
    (is (near? expected got) (str what got))))

(deftest forward-mode-agrees
  (doseq [[what f xs expected] read-in-part
          :let [x (d/input 'x [:f64 ['n]])
                along (fn [k] (d/tensor (assoc (vec (repeat (count xs) 0.0)) k 1.0)))
                tangent (fn [k] @((d/function [x] (d/sum (d/rop (f x) x (along k)))) xs))]]
    (is (near? expected (map tangent (range (count xs)))) (str what))))
