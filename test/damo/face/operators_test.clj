(ns damo.face.operators-test
  "Clojure's operators inside of `math`: Damo's beside expressions, Clojure's for numbers; and the
  namespace that can be referred whole."
  (:require [clojure.test :refer [are deftest is]]
            [damo.core :as d]
            [damo.math :as math]))

(set! *warn-on-reflection* true)

(def x (d/input 'x [:f32 ['n]]))

(defn- at [e] @(d/eval e {x [1 -2 3]}))

(deftest operators-on-expressions
  (are [v e] (= v (at e))
    [2.5 -0.5 4.5] (d/math (+ x 1 0.5))
    [-1.0 2.0 -3.0] (d/math (- x))
    [-2.0 -5.0 0.0] (d/math (- x 1 2))
    [0.5 -1.0 1.5] (d/math (/ x 2))
    [1.0 -0.5 (float 1/3)] (d/math (/ x))
    [1.0 -2.0 3.0] (d/math (* x))
    [true false false] (d/math (< 0 x 2))
    [false true true] (d/math (not (<= 0 x 2)))
    [true false false] (d/math (= x 1))
    [false true true] (d/math (not= x 1))
    [1.0 0.0 2.0] (d/math (min 2 (max x 0)))
    [1.0 2.0 3.0] (d/math (abs x))
    [2.0 -1.0 4.0] (d/math (inc x))
    [false true false] (d/math (neg? x))
    [1.0 0.0 1.0] (d/math (mod x 2))
    [12.0 12.0 12.0] (d/math (let [f (fn [a & more] (reduce * a more))]
                               (-> x (* 0) (+ (f 2 3 2)))))
    [3.0 0.0 5.0] (d/math (->> [x 1 1] (apply +) (+ 0)))
    [1.0 1.0 1.0] (d/math (reduce (fn [y k] (if (< k 2) (* y k) (/ y y))) (+ x 1) [1 2])))
  (is (= :f32 (d/dtype (d/math (* x (- 0.1) (/ 3) (+ [1] 2))))) "numbers stay weak")
  (is (= [2.0 -4.0 6.0] (at (d/math (d/grad (d/sum (* x x)) x)))))
  (is (= [[2 3]] (d/math (for [k [1]] (mapv #(+ k %) [1 2]))))))

(deftest operators-on-numbers-are-clojures
  (are [v e] (= v e)
    6 (d/math (+ 1 2 3)), 0 (d/math (+)), 1/2 (d/math (/ 2)), true (d/math (< 1 2 3))
    true (d/math (= [1] [1])), false (d/math (not= :a :a)), 2 (d/math (max 1 2)), -1 (d/math (- 1))
    false (d/math (not 1)), 1 (d/math (mod 7 3)), [1 2] (d/math (mapv inc [0 1]))))

(deftest the-namespace-to-refer
  (let [names (set (keys (ns-publics 'damo.math)))]
    (is (empty? (filter names (keys (ns-publics 'clojure.core)))))
    (is (< 180 (count names)))
    (is (every? names '[grad sum function input tanh math defop])))
  (is (= [2.0 -4.0 6.0] (at (math/math (math/grad (math/sum (* x x)) x))))))
