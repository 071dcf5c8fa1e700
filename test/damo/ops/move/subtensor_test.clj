(ns damo.ops.move.subtensor-test
  "Tests of reading and writing parts of arrays, against what NumPy gives."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.meaning.eval :as eval]
            [damo.ops.move.subtensor :as subtensor]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil (catch clojure.lang.ExceptionInfo e# (:damo/error (ex-data e#)))))

(defn- value
  "The nested value of an expression without inputs, by the reference interpreter."
  [e]
  (array/nested (first (eval/run (:graph (expr/to-graph [e])) {}))))

(def ^:private x [[0 1 2 3] [4 5 6 7] [8 9 10 11]])
(defn- longs-of [& xs] (long-array xs))
(def ^:private cube (d/reshape (d/iota :shape [24]) :shape [2 3 4]))

(deftest parts-are-read
  (are [specs expected] (= expected (value (apply d/index x specs)))
    [1] [4 5 6 7]
    [-1 -1] 11
    [:all 0] [0 4 8]
    [0 [1 nil]] [1 2 3]
    [[nil nil] [nil nil 2]] [[0 2] [4 6] [8 10]]
    [[-2 nil] [1 -1]] [[5 6] [9 10]]
    [[1 99]] [[4 5 6 7] [8 9 10 11]]
    [:new 1] [[4 5 6 7]]
    [1 :new [nil 1]] [[4]]
    [:ellipsis 3] [3 7 11]
    [1 :ellipsis] [4 5 6 7]
    [] x
    [(d/tensor 1)] [4 5 6 7]
    [{:start (d/tensor 1), :size 2} 0] [4 8]
    [{:start (d/tensor -1), :size 1} {:start (d/tensor 1), :size 2}] [[9 10]]))

(deftest slices-run-backwards
  (are [specs expected] (= expected (value (apply d/index x specs)))
    [[nil nil -1]] (vec (reverse x))
    [:all [nil nil -2]] [[3 1] [7 5] [11 9]]
    [0 [2 0 -1]] [2 1]
    [0 [2 nil -1]] [2 1 0]
    [0 [-1 -4 -2]] [3 1]
    [0 [0 2 -1]] []
    [0 [99 1 -1]] [3 2]
    [[nil nil -1] [1 3]] [[9 10] [5 6] [1 2]])
  (testing "with a symbolic extent, empty arrays included"
    (let [v (d/input 'v [:i64 ['n]])
          f (d/function [v] [(d/index v [nil nil -1]) (d/index v [nil nil -2])])]
      (is (= [[3 2 1] [3 1]] (map deref (f [1 2 3]))))
      (is (= [[] []] (map deref (f (d/zeros [0] :i64))))))
    (let [v (d/input 'v [:i64 ['n]])]
      (is (= [3 2] @(d/eval (d/index v [2 0 -1]) {v [1 2 3 4]}))))))

(deftest index-arrays-stand-where-numpy-has-them
  (are [specs shape] (= shape (second (d/type-of (apply d/index cube specs))))
    [(longs-of 1 0)] [2 3 4]
    [:all (longs-of 1 0 1 1 1)] [2 5 4]
    [:all (longs-of 1 0 1 1 1) (longs-of 0 0 0 0 0)] [2 5]
    [(longs-of 0 0 0 0 0) :all (longs-of 1 0 1 1 1)] [5 3]
    [0 :all (longs-of 1 0 1 1 1)] [5 3]
    [0 (longs-of 1 0 1 1 1)] [5 4]
    [(longs-of 0) :new (longs-of 1 0 1 1 1)] [5 1 4]
    [(d/tensor [[0] [1]]) (longs-of 0 1 2)] [2 3 4]
    [:all [1 3] (longs-of 0 0 0)] [2 2 3]
    [:ellipsis (d/tensor [[0 1]])] [2 3 1 2])
  (are [specs expected] (= expected (value (apply d/index x specs)))
    [(longs-of 2 0)] [[8 9 10 11] [0 1 2 3]]
    [(longs-of 2 0) (longs-of 1 -1)] [9 3]
    [1 (longs-of 3 1)] [7 5]
    [(d/tensor [[0] [2]]) (longs-of 1 3)] [[1 3] [9 11]]
    [[nil nil -1] (longs-of 0 0)] [[8 8] [4 4] [0 0]]))

(deftest bad-indices-are-refused
  (are [specs kind] (= kind (error (apply d/index x specs)))
    [3] :damo.op.subtensor/out-of-bounds
    [-4] :damo.op.subtensor/out-of-bounds
    [0 0 0] :damo.op.subtensor/too-many-indices
    [:ellipsis :ellipsis] :damo.op.subtensor/too-many-indices
    [0.5] :damo.op.subtensor/bad-index
    [[1 2 3 4]] :damo.op.subtensor/bad-index
    [[(d/input 'i [:i64 []]) nil]] :damo.op.subtensor/bad-index
    [(d/tensor [0.5])] :damo.op.subtensor/bad-index
    [{:from 1}] :damo.op.subtensor/bad-index
    [{:start (d/tensor 0), :size 4}] :damo.op.slice/out-of-bounds
    [{:start (d/tensor [0]), :size 1}] :damo.op.slice/not-a-scalar
    [[0 2 0]] :damo.op.slice/bad-step)
  (testing "when the function runs"
    (let [i (d/input 'i [:i64 []])]
      (doseq [e [(d/index x i) (d/index x :all {:start i, :size 4}) (d/set-at x i 0)
                 (d/inc-at x :all {:start i, :size 4} 0)]
              at [5 -6]]
        (is (= :damo/index-out-of-bounds (error (d/eval e {i at}))) (str e " at " at))))))

(deftest parts-are-written
  (are [specs-and-v expected] (= expected (value (apply d/set-at x specs-and-v)))
    [1 0] [[0 1 2 3] [0 0 0 0] [8 9 10 11]]
    [[1 nil] [1 3] -1] [[0 1 2 3] [4 -1 -1 7] [8 -1 -1 11]]
    [:all 0 [7 8 9]] [[7 1 2 3] [8 5 6 7] [9 9 10 11]]
    [[nil nil -2] [[1 1 1 1] [2 2 2 2]]] [[2 2 2 2] [4 5 6 7] [1 1 1 1]]
    [1 [3 0 -1] [1 2 3]] [[0 1 2 3] [4 3 2 1] [8 9 10 11]]
    [:all :new 1 [[5] [6] [7]]] [[0 5 2 3] [4 6 6 7] [8 7 10 11]]
    [(longs-of 0 2) 0] [[0 0 0 0] [4 5 6 7] [0 0 0 0]]
    [(longs-of 0 2) (longs-of 1 -1) [100 200]] [[0 100 2 3] [4 5 6 7] [8 9 10 200]]
    [[1 3] (longs-of 0 0) [[1 2] [3 4]]] [[0 1 2 3] [2 5 6 7] [4 9 10 11]]
    [{:start (d/tensor 1), :size 2} [0 1] -1] [[0 1 2 3] [-1 5 6 7] [-1 9 10 11]]
    [x] x
    [7] [[7 7 7 7] [7 7 7 7] [7 7 7 7]])
  (testing "the last one wins where an index stands twice"
    (is (= [3 0 2] (value (d/set-at [9 0 9] (longs-of 0 2 0) [1 2 3])))))
  (testing "all count in additions"
    (is (= [13 0 11] (value (d/inc-at [9 0 9] (longs-of 0 2 0) [1 2 3]))))
    (is (= [[0 1 2 3] [4 5 6 7] [9 10 11 12]] (value (d/inc-at x -1 1)))))
  (are [args kind] (= kind (error (apply d/set-at args)))
    [x] :damo.op.subtensor/no-value
    [x 0 (d/tensor [1.5 2 3 4])] :damo.op.subtensor/dtype-mismatch
    [x 0 [1 2 3]] :damo.op.view/shape-mismatch
    [x 0 1.5] :damo.expr/constant-out-of-range))

(deftest integers-fit-into-floats
  (is (= [1.0 7.0] (value (d/set-at [1.0 2.0] 1 (d/tensor 7))))))

(deftest gradients-of-written-parts
  (let [x (d/input 'x [:f64 [4]]), y (d/input 'y [:f64 [3]])
        weights [1.0 2.0 3.0 4.0]
        grads (fn [e] (map deref ((d/function [x y] (d/grad (d/sum (d/mul weights e)) [x y])
                                              {:on-unused-input :ignore})
                                  [5 6 7 8] [10 20 30])))]
    (testing "nothing comes from what was written over, and only the last writer counts"
      (is (= [[0.0 2.0 0.0 4.0] [0.0 3.0 1.0]] (grads (d/set-at x (longs-of 0 2 0) y)))))
    (testing "every element added counts"
      (is (= [weights [1.0 3.0 1.0]] (grads (d/inc-at x (longs-of 0 2 0) y)))))
    (is (= [[1.0 0.0 0.0 0.0] [2.0 3.0 4.0]] (grads (d/set-at x [1 nil] y))))
    (is (= [[1.0 0.0 3.0 0.0] [4.0 0.0 2.0]]
           (grads (d/set-at x [nil nil -2] (d/index y [0 nil 2])))))))

(deftest masks
  (let [m (d/tensor [true false true]), mm (d/gt x 5)]
    (are [specs expected] (= expected @(d/eval (apply d/index x specs)))
      [m] [[0 1 2 3] [8 9 10 11]]
      [mm] [6 7 8 9 10 11]
      [:all (d/tensor [true false false true])] [[0 3] [4 7] [8 11]]
      [m 1] [1 9]
      [m [1 3]] [[1 2] [9 10]]
      [:new m 0] [[0 8]]
      [[nil nil -1] (d/tensor [false true false false])] [[9] [5] [1]])
    (are [e expected] (= expected @(d/eval e))
      (d/set-at x mm 0) [[0 1 2 3] [4 5 0 0] [0 0 0 0]]
      (d/inc-at x m 10) [[10 11 12 13] [4 5 6 7] [18 19 20 21]]
      (d/set-at x m [1 2 3 4]) [[1 2 3 4] [4 5 6 7] [1 2 3 4]]
      (d/set-at x mm (d/neg (d/index x mm))) [[0 1 2 3] [4 5 -6 -7] [-8 -9 -10 -11]]
      (d/set-at x m 1 -1) [[0 -1 2 3] [4 5 6 7] [8 -1 10 11]]))
  (is (= :damo.type/shape-mismatch (error (d/index x (d/tensor [true false])))))
  (testing "gradients"
    (let [x (d/input 'x [:f64 [4]]), m (d/gt x 2)]
      (is (= [0.0 0.0 6.0 8.0] @(d/eval (d/grad (d/sum (d/sqr (d/index x m))) x) {x [1 2 3 4]})))
      (is (= [1.0 1.0 0.0 0.0] @(d/eval (d/grad (d/sum (d/set-at x m 0)) x) {x [1 2 3 4]}))))))

(deftest updates-at-indices
  (let [w (d/shared 'w (d/zeros [4] :f64)), u (d/shared 'u (d/zeros [2 3] :f64))
        i (d/input 'i [:i64 [2]]), j (d/input 'j [:i64 [2]])
        f (d/function [i j] (d/sum w) {:updates {w (d/inc-at w i 1), u (d/set-at u j [1 2] 5)}})
        state (fn [] [@(d/value w) @(d/value u)])]
    (is (= 0.0 @(f [1 -1] [0 0])))
    (is (= [[0.0 1.0 0.0 1.0] [[0.0 5.0 0.0] [0.0 0.0 0.0]]] (state)))
    (testing "an index out of range, of either, leaves all as it was"
      (doseq [[i j] [[[0 4] [1 1]] [[0 0] [1 2]] [[-5 0] [1 1]]]]
        (is (= :damo/index-out-of-bounds (error (f i j))))
        (is (= [[0.0 1.0 0.0 1.0] [[0.0 5.0 0.0] [0.0 0.0 0.0]]] (state)))))
    (testing "a row written from itself"
      (let [g (d/function [] [] {:updates {w (d/set-at w 1 (d/mul 2 (d/index w 1)))}})]
        (g)
        (is (= [0.0 2.0 0.0 1.0] @(d/value w)))))))
