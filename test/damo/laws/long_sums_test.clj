(ns damo.laws.long-sums-test
  "Reductions of long arrays of singles are as accurate as their result can be: right to 1e-6,
  where a single running sum of ten million terms would be off by percents."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private tenth "0.1 as a single." (double (float 0.1)))
(def ^:private few 1e-6)

(defn- off
  "The relative distance of what was got from a number."
  [got wanted]
  (/ (abs (- (double got) wanted)) wanted))

(deftest ten-million-equal-terms
  (let [n 10000000
        x (d/input 'x [:f32 ['n]])
        [sum mean norm squares norm-1 sd dot]
        ((d/function [x] [(d/sum x) (d/mean x) (d/norm x) (d/sum (d/sqr x)) (d/norm x :ord 1)
                          (d/std x) (d/dot x x)])
         (d/full [n] 0.1 :f32))]
    (is (< (off @sum (* n tenth)) few))
    (is (< (off @mean tenth) few))
    (is (< (off @norm (* (Math/sqrt n) tenth)) few))
    (is (< (off @squares (* n tenth tenth)) few))
    (is (< (off @dot (* n tenth tenth)) few))
    (is (< (off @norm-1 (* n tenth)) few))
    (is (< @sd (* few tenth)))))

(deftest long-columns-and-many-rows
  (let [n 500000
        x (d/input 'x [:f32 ['n 3]])
        [down mean norm across all] ((d/function [x] [(d/sum x :axis 0) (d/mean x :axis 0)
                                                      (d/norm x :axis 0)
                                                      (d/sum (d/sum x :axis 1)) (d/sum x)])
                                     (d/full [n 3] 0.1 :f32))]
    (testing "over the outer axis"
      (is (every? #(< (off % (* n tenth)) few) @down))
      (is (every? #(< (off % tenth) few) @mean))
      (is (every? #(< (off % (* (Math/sqrt n) tenth)) few) @norm)))
    (testing "over all axes, at once and one after the other"
      (is (< (off @across (* 3 n tenth)) few))
      (is (< (off @all (* 3 n tenth)) few)))))

(defn- noisy
  "n singles about 1000 with a deviation of 1, the same at each call."
  ^floats [n]
  (let [random (java.util.Random. 7), xs (float-array n)]
    (dotimes [i n] (aset xs i (float (+ 1000.0 (.nextGaussian random)))))
    xs))

(deftest variance-of-large-numbers
  (testing "the mean is taken off before squaring, and both sums are wide"
    (let [n 1000000, xs (noisy n), x (d/input 'x [:f32 ['n]])
          mean (/ (areduce xs i s 0.0 (+ s (aget xs i))) n)
          var (/ (areduce xs i s 0.0 (let [z (- (aget xs i) mean)] (+ s (* z z)))) n)
          [m v] ((d/function [x] [(d/mean x) (d/var x)]) (d/tensor xs))]
      (is (< (off @m mean) few))
      (is (< (off @v var) few)))))
