(ns damo.ops.move.grid-test
  "Tests of coordinates and sizes as values."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.move.grid :as grid]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (:damo/error (ex-data e#)))))

(defn- values [es] (mapv #(deref (d/eval %)) es))

(deftest coordinates
  (is (= [[[1 2 3] [1 2 3]] [[4 4 4] [5 5 5]]] (values (d/meshgrid [[1 2 3] [4 5]]))))
  (is (= [[[1 1] [2 2] [3 3]] [[4 5] [4 5] [4 5]]]
         (values (d/meshgrid [[1 2 3] [4 5]] :indexing :ij))))
  (is (= [[1 2]] (values (d/meshgrid [[1 2]]))))
  (is (= [[[0 0] [1 1]] [[0 1] [0 1]]] @(d/eval (d/indices [2 2]))))
  (is (= [2.0 2.2 2.4 2.6 2.8]
         (mapv #(/ (Math/rint (* 1e12 (double %))) 1e12)
               @(d/eval (d/linspace 2.0 3.0 :num 5 :endpoint false)))))
  (testing "both ends are exact"
    (is (= [0.1 0.7] (let [xs @(d/eval (d/linspace 0.1 0.7 :num 50))] [(first xs) (peek xs)]))))
  (is (= :damo.attribute/bad-value (error (d/meshgrid [[1]] :indexing :yx))))
  (is (= :damo.op.grid/no-vector (error (d/meshgrid [[[1]]])))))

(deftest flat-positions
  (is (= [[0 1 1] [0 1 2]] (values (d/unravel-index [0 4 5] [2 3]))))
  (is (= [0 4 5] @(d/eval (d/ravel-multi-index [[0 1 1] [0 1 2]] [2 3]))))
  (is (= :damo/index-out-of-bounds (error (values (d/unravel-index [6] [2 3])))))
  (is (= :damo/index-out-of-bounds (error (d/eval (d/ravel-multi-index [[0] [3]] [2 3])))))
  (is (= :damo.op.grid/rank-mismatch (error (d/ravel-multi-index [[0]] [2 3])))))

(deftest sizes-as-values
  (let [x (d/input 'x [:f32 ['n 3]])]
    (is (= [2 3 [2 3]]
           (map deref ((d/function [x] [(d/shape-i x 0) (d/shape-i x -1) (d/shape-vector x)])
                       (d/zeros [2 3] :f32))))))
  (is (= [] @(d/eval (d/shape-vector 1.5)))))

(deftest arrays-of-symbolic-shapes
  (let [x (d/input 'x [:f32 ['n]])
        f (d/function [x] [(d/arange 'n) (d/arange 1 'n 2 :f32) (d/zeros ['n 2] :i32)
                           (d/full ['n] 1.5 :f32) (d/eye 'n :f32)])]
    (is (= [[0 1 2] [1.0] [[0 0] [0 0] [0 0]] [1.5 1.5 1.5]
            [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]]
           (map deref (f (d/zeros [3] :f32))))))
  (testing "known ones are tensors"
    (is (= [0 1 2] @(d/arange 3)))
    (is (= [0.0 0.5] @(d/arange 0 1 0.5)))))
