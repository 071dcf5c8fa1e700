(ns damo.ops.move.along-test
  "Tests of indices beside an array and of choices between arrays."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.move.along :as along]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (:damo/error (ex-data e#)))))

(def ^:private m [[10 20 30] [40 50 60]])

(deftest elements-along-an-axis
  (are [e expected] (= expected @(d/eval e))
    (d/take-along-axis m [[2] [0]]) [[30] [40]]
    (d/take-along-axis m [[1 0 -1]] :axis 0) [[40 20 60]]
    (d/put-along-axis m [[2] [0]] 9) [[10 20 9] [9 50 60]]
    (d/put-along-axis m [[0 0] [1 1]] [[1 2] [3 4]]) [[2 20 30] [40 4 60]]
    (d/choose [0 1 2 1] 5 [1 2 3 4] (d/tensor 7)) [5 2 7 4]
    (d/choose [[1] [0]] [1 2] [3 4]) [[3 4] [1 2]]
    (d/choose [0 0] [1.5 2.5]) [1.5 2.5])
  (are [e kind] (= kind (error e))
    (d/take-along-axis m [0]) :damo.op.along/rank-mismatch
    (d/take-along-axis m [[0] [0] [0]]) :damo.type/shape-mismatch
    (d/put-along-axis m [[0] [1]] [1 2 3]) :damo.op.along/shape-mismatch
    (d/put-along-axis (d/tensor m) [[0] [1]] 0.5) :damo.op.along/dtype-mismatch
    (d/choose [0]) :damo.op.along/no-choices)
  (testing "out of range"
    (let [i (d/input 'i [:i64 [1]])]
      (doseq [e [(d/choose i [1] [2]) (d/take-along-axis [1 2] i)
                 (d/put-along-axis [1 2] i 0)]
              at [2 -3]]
        (is (= :damo/index-out-of-bounds (error (d/eval e {i [at]}))) (str e))))))
