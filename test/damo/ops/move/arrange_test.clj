(ns damo.ops.move.arrange-test
  "Tests of repeating, rolling, padding and cutting, against what NumPy gives."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.ops.move.arrange :as arrange]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (:damo/error (ex-data e#)))))

(def ^:private m [[0 1 2] [3 4 5]])

(deftest elements-arranged-anew
  (are [e expected] (= expected @(d/eval e))
    (d/tile [1 2] :reps 2) [1 2 1 2]
    (d/tile m :reps [1 2]) [[0 1 2 0 1 2] [3 4 5 3 4 5]]
    (d/repeat m :repeats 2) [0 0 1 1 2 2 3 3 4 4 5 5]
    (d/repeat m :repeats [1 2] :axis 0) [[0 1 2] [3 4 5] [3 4 5]]
    (d/roll m :shift 1) [[5 0 1] [2 3 4]]
    (d/roll m :shift [1 -1] :axis [0 1]) [[4 5 3] [1 2 0]]
    (d/roll [1 2 3] :shift [1 1] :axis [0 0]) [2 3 1]
    (d/pad m :width [[1 0] [0 2]] :value 9) [[9 9 9 9 9] [0 1 2 9 9] [3 4 5 9 9]]
    (d/pad [0 1 2] :width [4 5] :mode :edge) [0 0 0 0 0 1 2 2 2 2 2 2]
    (d/pad [0 1 2] :width [4 5] :mode :reflect) [0 1 2 1 0 1 2 1 0 1 2 1]
    (d/pad [0 1 2] :width [4 5] :mode :symmetric) [2 2 1 0 0 1 2 2 1 0 0 1]
    (d/pad [0 1 2] :width [4 5] :mode :wrap) [2 0 1 2 0 1 2 0 1 2 0 1]
    (d/pad [7] :width 2 :mode :reflect) [7 7 7 7 7])
  (are [e kind] (= kind (error e))
    (d/tile m :reps [-1]) :damo.attribute/bad-value
    (d/repeat m :repeats [1 2 3] :axis 0) :damo.op.arrange/bad-count
    (d/roll m :shift [1 2] :axis 0) :damo.op.arrange/bad-shift
    (d/pad m :width [1 2 3]) :damo.op.arrange/bad-width
    (d/pad m :width 1 :mode :mirror) :damo.op.arrange/bad-mode
    (d/pad (d/zeros [0]) :width 1 :mode :edge) :damo.op.arrange/nothing-to-pad-with))

(deftest symbolic-extents
  (let [x (d/input 'x [:f64 ['n]])
        f (d/function [x] [(d/roll x :shift 1) (d/tile x :reps 2) (d/repeat x :repeats 2)
                           (d/pad x :width 1 :mode :reflect) (d/flip x)])]
    (is (= [[3.0 1.0 2.0] [1.0 2.0 3.0 1.0 2.0 3.0] [1.0 1.0 2.0 2.0 3.0 3.0]
            [2.0 1.0 2.0 3.0 2.0] [3.0 2.0 1.0]]
           (map deref (f [1 2 3]))))
    (testing "there is nothing to pad with"
      (is (= :damo/index-out-of-bounds (error (f (d/zeros [0]))))))))

(deftest pieces
  (is (= [[[0 1 2]] [[3 4 5]]] (mapv #(deref (d/eval %)) (d/split m 2))))
  (is (= [[[0] [3]] [[1 2] [4 5]] [[] []]] (mapv #(deref (d/eval %)) (d/split m [1 3] :axis 1))))
  (is (= '[[:f32 [n]] [:f32 [n]]]
         (map d/type-of (d/split (d/input 'x '[:f32 [[:* 2 n]]]) 2))))
  (is (= :damo.op.arrange/bad-parts (error (d/split m 2 :axis 1)))))

(deftest rolled-along-any-extent-test
  (let [x (d/input 'x [:i64 ['m 'n]])]
    (doseq [shift [-7 -2 -1 0 1 3 12], axis [0 1 nil]
            :let [f (d/function [x] (d/roll x :shift shift :axis axis))
                  moved (fn [v] (let [n (count v)] (map #(nth v (mod (- % shift) n)) (range n))))]
            [m n] [[1 1] [1 2] [2 1] [3 4] [4 3] [5 0] [0 5]]
            :let [rows (mapv vec (partition-all (max 1 n) (range (* m n)))), all (flatten rows)]]
      (is (= (cond (nil? axis) (map vec (partition-all (max 1 n) (moved all)))
                   (zero? axis) (moved rows)
                   :else (map moved rows))
             (let [y @(f (if (zero? (* m n)) (d/zeros [m n] :i64) (d/tensor rows :i64)))]
               (if (zero? (* m n)) () y)))
          [shift axis m n]))))
