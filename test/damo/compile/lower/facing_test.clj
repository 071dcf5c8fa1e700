(ns damo.compile.lower.facing-test
  "The order of the loops of copies, and permutations of axes of every shape and dtype size."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.facing :as facing]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private copy
  '[:for a l [:for b m [:for c n [:let v [:load 0 [:+ a [:* b l] [:* c l m]]]]
                        [:store 1 [:+ [:* a m n] [:* b n] c] v]]]])

(deftest loops-face-each-other-test
  (is (= '[[:for b m [:for a l [:for c n [:let v [:load 0 [:+ a [:* b l] [:* c l m]]]]
                                [:store 1 [:+ [:* a m n] [:* b n] c] v]]]]]
         (facing/facing [copy])))
  (testing "what already stands so, is read along the same loop, computes, or has loops that depend"
    (doseq [other ['[:for b m [:for a l [:for c n [:store 1 [:+ [:* a n] c] [:load 0 a]]]]]
                   '[:for a l [:for b m [:for c n [:store 1 c [:load 0 c]]]]]
                   '[:for a l [:for b m [:for c n [:store 1 c [:neg [:load 0 a]]]]]]
                   '[:for a l [:for b m [:for c n [:store 1 c [:load 1 a]]]]]
                   '[:for a l [:for b a [:for c n [:store 1 c [:load 0 a]]]]]
                   '[:for a l [:for b m [:for c n [:let v [:load 0 a]] [:let w v]
                                         [:store 1 c w]]]]]]
      (is (= [other] (facing/facing [other]))))))

(defn- permuted [x [k & more]]
  (let [[f extents] x, order (into [k] more)]
    (for [p (range (extents (order 0)))]
      (for [q (range (extents (order 1)))]
        (for [r (range (extents (order 2)))]
          (f (mapv (zipmap order [p q r]) [0 1 2])))))))

(deftest permutations-test
  (doseq [dtype [:f32 :f64 :u8], axes [[0 2 1] [1 0 2] [1 2 0] [2 0 1] [2 1 0]]
          :let [x (d/input 'x [dtype ['l 'm 'n]]), f (d/function [x] (d/transpose x :axes axes))]
          [l m n :as extents] [[0 2 3] [1 1 1] [2 3 5] [3 17 20] [20 3 17] [33 9 16] [16 8 4]]
          :let [at (fn [[i j k]] (mod (+ k (* n (+ j (* m i)))) 127))
                value (if (= :u8 dtype) at (comp double at))
                data (for [i (range l)] (for [j (range m)] (for [k (range n)] (at [i j k]))))]]
    (is (= (permuted [value extents] axes)
           @(f (if (zero? l) (d/zeros extents dtype) (d/tensor data dtype))))
        [dtype axes extents])))
