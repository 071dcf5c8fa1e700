(ns damo.ops.move.shape-test
  "Tests of views, slices and indexing: symbolic shapes, NumPy's bounds, layouts, messages."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.move.shape :as shape]
            [damo.ops.move.slice :as slice]
            [damo.ops.move.view :as view]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#))
                                              (first (re-seq #".*" (ex-message e#)))])))

(defn- of-shape [shape]
  (expr/->Expr :input {:name 'x, :type [:f32 shape]} [] [:f32 shape] nil nil))

(defn- shape-of [e] (type/shape-of (expr/type-of e)))

(defn- value
  "The nested value of an expression without inputs."
  [e]
  (array/nested (first (eval/run (:graph (expr/to-graph [e])) {}))))

;; ## Views

(deftest reshapes-with-symbols
  (are [from to expected] (= expected (shape-of (view/reshape (of-shape from) :shape to)))
    '[n 784] '[n 28 28] '[n 28 28]
    '[n 28 28] '[n -1] '[n 784]
    '[n 784] [-1] '[[:* 784 n]]
    '[n m] '[m -1] '[m n]
    '[n 6] [-1 3] '[[:* 2 n] 3]
    '[n 10] [-1 4] '[[:/ [:* 5 n] 2] 4]
    '[n 6] '[b t 4 -1] '[b t 4 [:/ [:* 3 n] [:* 2 b t]]]
    '[n [:/ c 4]] '[-1 c] '[[:/ n 4] c]
    [] [1 1] [1 1]
    [0 3] [0 7] [0 7])
  (are [from to kind message] (= [kind message]
                                 (error (view/reshape (of-shape from) :shape to)))
    '[n 784] '[n 10] :damo.op.view/shape-mismatch
    (str "reshape: the numbers of elements must agree: [n 784] has [:* 784 n], [n 10] has "
         "[:* 10 n]; give -1 for one extent to have it computed")
    [3 5] '[-1 4] :damo.op.view/shape-mismatch
    (str "reshape: cannot find the extent for -1: [3 5] has 15 elements, the other axes of "
         "[-1 4] take 4, which does not divide it")
    [6] [-1 -1] :damo.op.view/bad-shape
    "reshape: only one extent may be -1; the shape is [-1 -1]"
    [0] [-1 0] :damo.op.view/shape-mismatch
    (str "reshape: cannot find the extent for -1: [0] has 0 elements, the other axes of [-1 0] "
         "take 0, which does not divide it")))

(deftest transposes
  (is (= '[3 n] (shape-of (view/transpose (of-shape '[n 3])))))
  (is (= '[k n m] (shape-of (view/transpose (of-shape '[n m k]) :axes [-1 0 1]))))
  (is (= [:damo.op.view/bad-axis
          "transpose: the axes [0 0] are no reordering of the 2 axes of [n 3]"]
         (error (view/transpose (of-shape '[n 3]) :axes [0 0]))))
  (is (= '[m n] (shape-of (shape/swapaxes (of-shape '[n m]) :axis1 0 :axis2 -1))))
  (is (= '[m k n] (shape-of (shape/moveaxis (of-shape '[n m k]) :source 0 :destination -1)))))

(deftest axes-of-one
  (is (= '[1 n 1] (shape-of (view/expand-dims (of-shape '[n]) :axis [0 -1]))))
  (is (= '[n] (shape-of (view/squeeze (of-shape '[1 n 1])))))
  (is (= [:damo.op.view/shape-mismatch
          "squeeze: axis 0 of [n] has the extent n; only axes of extent 1 can be dropped"]
         (error (view/squeeze (of-shape '[n]) :axis 0)))))

(deftest stretching
  (is (= '[m n 3] (shape-of (view/broadcast-to (of-shape '[n 1]) :shape '[m n 3]))))
  (is (= [:damo.op.view/shape-mismatch
          (str "broadcast-to: [n] does not broadcast to [m]: "
               "aligned at the last axis, every extent must be equal or 1")]
         (error (view/broadcast-to (of-shape '[n]) :shape '[m]))))
  (testing "and the way back"
    (is (= '[n 1] (shape-of (shape/sum-to (of-shape '[m n 3]) :shape '[n 1]))))
    (is (= :damo.op.shape/shape-mismatch
           (first (error (shape/sum-to (of-shape '[n]) :shape '[m])))))))

(deftest layouts-of-views
  (are [op attrs from to layout expected]
       (= expected ((:view (op/entry op)) attrs from to layout))
    :transpose {:axes [1 0]} '[n 3] '[3 n] {:offset 0, :strides [3 1]} {:offset 0, :strides [1 3]}
    :slice {:axis 1, :start 'k, :stop 9, :step 2} '[n m] nil {:offset 5, :strides '[m 1]}
    {:offset '[:+ k 5], :strides '[m 2]}
    :broadcast-to {} '[n 1] '[7 n 3] {:offset 0, :strides [1 1]} {:offset 0, :strides [0 1 0]}
    :reshape {} '[n 784] '[n 28 28] {:offset 2, :strides [784 1]} {:offset 2, :strides [784 28 1]}
    :reshape {} '[n 3] '[n 1 3] {:offset 0, :strides '[1 n]} {:offset 0, :strides '[1 0 n]})
  (testing "a transposed array cannot be reshaped in place"
    (is (nil? ((:view (op/entry :reshape)) {} '[n 3] '[[:* 3 n]] {:offset 0, :strides '[1 n]})))))

;; ## Slices

(deftest slices-with-known-extents-clip-as-numpy
  (are [attrs expected] (= expected (value (op/node :slice attrs [[0 1 2 3 4 5]])))
    {:start 2} [2 3 4 5]
    {:stop -1} [0 1 2 3 4]
    {:start -2} [4 5]
    {:start 1, :stop 99, :step 2} [1 3 5]
    {:start -99, :stop 2} [0 1]
    {:start 4, :stop 2} []
    {:start 9} []))

(deftest slices-with-symbolic-extents
  (are [attrs expected] (= [expected] (shape-of (op/node :slice attrs [(of-shape '[n])])))
    {:start 1} '[:- n 1]
    {:stop -1} '[:- n 1]
    {:start -1} 1
    {:start 'k, :stop '[:+ k 5]} 5
    {:step 2} '[:quot [:+ n 1] 2])
  (testing "bounds beyond the extent are found when it is known"
    (let [g (:graph (expr/to-graph [(op/node :slice {:stop 5} [(of-shape '[n])])]))]
      (is (= :damo.op.slice/out-of-bounds
             (first (error (eval/run g {'x (array/full :f32 [3] 0)})))))))
  (is (= [:damo.op.slice/bad-step "slice: the step of a slice is an integer of at least 1; got 0"]
         (error (slice/slice (of-shape '[n]) :step 0)))))
