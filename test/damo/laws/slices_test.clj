(ns damo.laws.slices-test
  "Slices with bounds that are numbers, against NumPy's rules written out, for all small starts,
  stops and steps, also out of range: reading, writing and the gradient, of extents that are known
  and of symbolic ones."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(def ^:private bounds (into [nil] (range -7 8)))
(def ^:private steps [1 2 3 -1 -2])
(def ^:private specs (for [a bounds, b bounds, k steps] [a b k]))

(defn- numpy
  "The indices that x[a:b:k] reads of n elements."
  [n [a b k]]
  (let [[low high] (if (pos? k) [0 n] [-1 (dec n)])
        clip (fn [x open] (if (nil? x) open (-> (if (neg? x) (+ x n) x) (max low) (min high))))]
    (range (clip a (if (pos? k) 0 (dec n))) (clip b (if (pos? k) n -1)) k)))

(defn- expected
  "[read written gradient] of 0 … n-1 for a slice."
  [n spec]
  (let [at (numpy n spec), at? (set at)]
    [(mapv double at)
     (mapv #(if (at? %) 9.0 (double %)) (range n))
     (mapv #(if (at? %) (* 2.0 %) 0.0) (range n))]))

(defn- asked [x spec]
  (let [part (d/index x spec)]
    [part (d/set-at x spec 9.0) (d/grad (d/sum (d/sqr part)) x)]))

(deftest slices-are-those-of-numpy
  (testing "by the meaning of each op, of a symbolic extent"
    (let [g (d/graph (into [] (mapcat #(asked (d/input 'x '[:f64 [n]]) %)) specs))]
      (doseq [n (range 6)]
        (is (= (mapcat #(expected n %) specs)
               (map (comp vec array/values)
                    (eval/run g {'x (array/of :f64 [n] (range n))})))
            (str n " elements")))))
  (testing "compiled, known and symbolic"
    (doseq [dim '[n 0 1 2 5]
            :let [x (d/input 'x [:f64 [dim]])
                  some-specs (take-nth 11 specs)
                  f (d/function [x] (into [] (mapcat #(asked x %)) some-specs)
                                {:on-unused-input :ignore})]
            n (if (= 'n dim) (range 6) [dim])]
      (is (= (mapcat #(expected n %) some-specs) (map deref (f (vec (range n)))))
          (str n " of " dim)))))

(deftest the-last-of-what-is-counted
  (let [v (d/input 'v '[:f64 [n]]), kept (d/index v (d/gt v 1)), latest (d/index kept -1)
        f (d/function [v] {:latest latest, :set (d/set-at kept -1 9.0)
                           :gradient (d/grad (d/sqr latest) v)})]
    (is (= {:latest 3.0, :set [2.0 9.0], :gradient [0.0 0.0 6.0 0.0]}
           (update-vals (f [1 2 3 0]) deref)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"a (slice|block) must lie inside"
                          (f [0 1])))))
