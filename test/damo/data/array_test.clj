(ns damo.data.array-test
  "Tests of reference arrays: conversion, layout, broadcasting, reduction."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.array :as array]))

(set! *warn-on-reflection* true)

(defn- failure [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest conversion-of-elements
  (testing "floats become integers by truncation, beyond the range its nearest end"
    (are [dtype x expected] (= expected (array/convert dtype x))
      :i32 2.9 2, :i32 -2.9 -2, :i32 ##NaN 0, :i32 ##Inf Integer/MAX_VALUE, :i8 -1e9 -128
      :u8 300.0 255, :u8 -1.0 0, :i64 ##Inf Long/MAX_VALUE, :i64 ##-Inf Long/MIN_VALUE))
  (testing "wide integers wrap"
    (are [dtype x expected] (= expected (array/convert dtype x))
      :u8 300 44, :u8 -1 255, :i8 200 -56, :i32 4294967297 1))
  (testing "everything but 0 is true"
    (are [x expected] (= expected (array/convert :bool x))
      0 false, 0.0 false, -0.0 false, ##NaN true, 2 true, 0.1 true, true true))
  (testing ":f32 rounds once, and true is 1"
    (is (= (double (float 0.1)) (array/convert :f32 0.1)))
    (is (= ##Inf (array/convert :f32 1e40)))
    (is (= 1.0 (array/convert :f64 true)))))

(deftest arrays-from-and-to-nested-vectors
  (are [dtype x] (= x (array/nested (array/from-nested dtype x)))
    :f64 1.5
    :i64 [[1 2 3] [4 5 6]]
    :bool [true false]
    :i32 []
    :i32 [[] []]
    :f64 [[[1.0] [2.0]]])
  (is (= [2 0] (:shape (array/from-nested :i32 [[] []]))))
  (is (= :damo.array/ragged (failure #(array/from-nested :i32 [[1 2] [3]]))))
  (is (= :damo.array/wrong-size (failure #(array/of :i32 [2 2] [1 2 3])))))

(deftest layout
  (is (= [6 3 1] (array/strides [4 2 3])))
  (is (= [] (array/strides [])))
  (is (= '[[:* 3 n] 3 1] (array/strides '[2 n 3])))
  (testing "addresses run in row-major order over any strides"
    (is (= [0 2 4 1 3 5] (vec (array/addresses [2 3] [1 2] 0))))
    (is (= [7 7 7] (vec (array/addresses [3] [0] 7))))
    (is (= [5] (vec (array/addresses [] [] 5))))
    (is (= [] (vec (array/addresses [2 0] [1 1] 0)))))
  (is (= [[0 0] [0 1] [1 0] [1 1]] (array/indices [2 2])))
  (is (= [0 0 1] (array/broadcast-strides [4 2 3] [1 3] [3 1])))
  (is (= 6 (array/at (array/from-nested :i32 [[1 2 3] [4 5 6]]) [1 2]))))

(deftest elements-broadcast
  (let [column (array/from-nested :i64 [[10] [20]]), row (array/from-nested :i64 [1 2 3])]
    (is (= [[11 12 13] [21 22 23]] (array/nested (array/map-elements :i64 + [column row]))))
    (is (= [[33 34 35] [43 44 45]]
           (array/nested (array/map-elements :i64 + [column row (array/full :i64 [] 22)]))))
    (is (= [-1 -2 -3] (array/nested (array/map-elements :i64 - [row])))))
  (is (= [0 3] (:shape (array/map-elements :f32 + [(array/full :f32 [0 1] 1)
                                                   (array/full :f32 [3] 1)])))))

(deftest reductions-over-axes
  (let [a (array/from-nested :i64 [[1 2 3] [4 5 6]]), sum #(reduce + %)]
    (are [axes keepdims expected]
         (= expected (array/nested (array/reduce-axes :i64 sum a axes keepdims)))
      [0] false [5 7 9]
      [1] false [6 15]
      [1] true [[6] [15]]
      [0 1] false 21
      [] false [[1 2 3] [4 5 6]]))
  (testing "the elements that fall together come in row-major order"
    (is (= [[1 3] [2 4]]
           (let [seen (atom [])]
             (array/reduce-axes :i64 (fn [xs] (swap! seen conj xs) 0)
                                (array/from-nested :i64 [[1 2] [3 4]]) [0] false)
             @seen))))
  (testing "nothing falls together over an empty axis"
    (let [empty (array/full :i64 [2 0] 1)]
      (is (= [0 0] (array/nested (array/reduce-axes :i64 count empty [1] false)))))))

(deftest inner-products
  (let [a (array/from-nested :f64 [[1.0 2.0] [3.0 4.0]])]
    (is (= [[7.0 10.0] [15.0 22.0]]
           (array/nested (array/dots [2 2] 2 [a [2 0] 1] [a [0 1] 2])))))
  (testing "integers wrap"
    (let [big (array/of :i32 [2] [Integer/MAX_VALUE Integer/MAX_VALUE])]
      (is (= 2 (array/element (array/dots [] 2 [big [] 1] [big [] 1]) 0))))))

(deftest indices-are-checked
  (is (= [:i64 [0 2]] ((juxt :dtype array/values)
                       (array/checked-indices (array/from-nested :i8 [0 2]) 3))))
  (are [indices] (= :damo.array/index-out-of-range
                    (failure #(array/checked-indices (array/from-nested :i64 indices) 3)))
    [0 3] [-1] [1 1 7]))
