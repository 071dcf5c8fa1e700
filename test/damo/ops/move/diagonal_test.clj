(ns damo.ops.move.diagonal-test
  "Tests of diagonals and triangles, against what NumPy gives."
  (:require [clojure.test :refer [are deftest is]]
            [damo.core :as d]
            [damo.ops.move.diagonal :as diagonal]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (:damo/error (ex-data e#)))))

(def ^:private m [[0 1 2] [3 4 5]])
(def ^:private cube (d/reshape (d/iota :shape [24]) :shape [2 3 4]))

(deftest diagonals-and-triangles
  (are [e expected] (= expected @(d/eval e))
    (d/diagonal m) [0 4]
    (d/diagonal m :offset 1) [1 5]
    (d/diagonal m :offset -1) [3]
    (d/diagonal m :offset 9) []
    (d/diagonal cube :offset 1 :axis1 2 :axis2 0) [[12] [16] [20]]
    (d/trace m :offset 1) 6
    (d/tril m :k -1) [[0 0 0] [3 0 0]]
    (d/triu m :k 1) [[0 1 2] [0 0 5]]
    (d/tri :n 2 :m 3 :k 1) [[1.0 1.0 0.0] [1.0 1.0 1.0]]
    (d/diag [1 2] :k -1) [[0 0 0] [1 0 0] [0 2 0]]
    (d/diag m) [0 4]
    (d/fill-diagonal m 9 :offset 1) [[0 9 2] [3 4 9]]
    (d/fill-diagonal (d/zeros [2 2 2] :i32) 1) [[[1 0] [0 0]] [[0 0] [0 1]]])
  (are [e kind] (= kind (error e))
    (d/diagonal [1 2]) :damo.op.diagonal/no-matrix
    (d/diagonal m :axis1 1 :axis2 -1) :damo.op.diagonal/bad-axis
    (d/diagonal m :offset 0.5) :damo.attribute/bad-value
    (d/diag cube) :damo.op.diagonal/no-matrix
    (d/tril [1 2]) :damo.op.diagonal/no-matrix
    (d/fill-diagonal cube 1) :damo.op.diagonal/no-matrix
    (d/fill-diagonal m [1 2]) :damo.op.diagonal/not-a-scalar))

(deftest symbolic-extents
  (let [x (d/input 'x [:f64 ['n 'n]])
        f (d/function [x] [(d/diagonal x :offset 2) (d/trace x) (d/grad (d/trace x) x)])]
    (is (= [[3.0] 15.0 [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]]
           (map deref (f [[1 2 3] [4 5 6] [7 8 9]]))))
    (is (= [[] 1.0 [[1.0]]] (map deref (f [[1]]))))))
