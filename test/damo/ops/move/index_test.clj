(ns damo.ops.move.index-test
  "Tests of joining, of reading and writing at indices, and of arrays made from shapes."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.ops.all]
            [damo.ops.make.create :as create]
            [damo.ops.move.index :as index]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#))
                                              (first (re-seq #".*" (ex-message e#)))])))

(defn- of-shape
  ([shape] (of-shape :f32 shape))
  ([dtype shape] (expr/->Expr :input {:name 'x, :type [dtype shape]} [] [dtype shape] nil nil)))

(defn- value
  "The nested value of an expression without inputs."
  [e]
  (array/nested (first (eval/run (:graph (expr/to-graph [e])) {}))))

;; ## Joining

(deftest arrays-are-joined
  (is (= [[1 2] [3 4] [5 6]] (value (index/concatenate [[[1 2]] [[3 4] [5 6]]]))))
  (is (= [[1 2 5] [3 4 6]] (value (index/concatenate [[[1 2] [3 4]] [[5] [6]]] :axis -1))))
  (is (= [1.0 2.0 0.5] (value (index/concatenate [[1 2] [0.5]]))))
  (is (= [[1 3] [2 4]] (value (index/stack [[1 2] [3 4]] :axis 1))))
  (is (= '[:f32 [[:+ n 4] k]]
         (expr/type-of (index/concatenate [(of-shape '[n k]) (of-shape '[4 k])]))))
  (are [e kind message] (= [kind message] (error e))
    (index/concatenate []) :damo.op.index/no-arguments
    "concatenate: takes a vector of at least one array: (concatenate [x y] :axis 0)"
    (index/concatenate [[[1]] [1]]) :damo.op.index/rank-mismatch
    "concatenate: the arrays must have one rank: [1 1] and [1]"
    (index/concatenate [(of-shape '[n 2]) (of-shape '[n 3])]) :damo.type/shape-mismatch
    "concatenate: extents along axis 1 must agree: 2 and 3 differ"
    (index/stack [(of-shape '[n]) (of-shape '[m])]) :damo.type/shape-mismatch
    "stack: the arrays must have one shape, axis 0: n and m differ"))

;; ## Indices

(deftest slices-are-taken
  (let [x [[1 2] [3 4] [5 6]]]
    (are [indices axis expected] (= expected (value (index/take x indices :axis axis)))
      [2 0] 0 [[5 6] [1 2]]
      -1 0 [5 6]
      [[0 0]] 1 [[[1 1]] [[3 3]] [[5 5]]]))
  (is (= '[:f32 [n 2 7 k]]
         (expr/type-of (index/take (of-shape '[n m k]) [[0 0 0 0 0 0 0] [0 0 0 0 0 0 0]] :axis 1))))
  (testing "an index out of range fails, in both directions"
    (is (= :damo.array/index-out-of-range (first (error (value (index/take [1 2 3] [0 3]))))))
    (is (= :damo.array/index-out-of-range (first (error (value (index/take [1 2 3] -4)))))))
  (is (= [:damo.op.typing/bad-dtype "take: takes integers; got :f64"]
         (error (index/take [1 2] 0.5)))))

(deftest indices-are-checked
  (is (= [2 0] (value (index/check-index [2 0] :extent 3))))
  (is (= '[:i64 [n]] (expr/type-of (index/check-index (of-shape :u8 '[n]) :extent 'c))))
  (testing "negative ones are out of range"
    (is (= :damo.array/index-out-of-range
           (first (error (value (index/check-index [-1] :extent 3))))))))

;; ## Arrays from shapes

(deftest arrays-from-shapes
  (are [e expected] (= expected (value e))
    (create/iota :shape [2 3] :axis 1) [[0 1 2] [0 1 2]]
    (create/arange :stop 4) [0 1 2 3]
    (create/arange :start -3 :stop 4 :step 3 :dtype :f32) [-3.0 0.0 3.0]
    (create/arange :start 4 :stop 1) []
    (create/eye :n 2 :m 3 :k 1 :dtype :i32) [[0 1 0] [0 0 1]]
    (create/full 7 :shape [2]) [7 7]
    (create/one-hot [1 0] :classes 3 :dtype :i8) [[0 1 0] [1 0 0]]
    (create/zeros-like [1.5 2.5]) [0.0 0.0]
    (create/size-of [[1 2 3] [4 5 6]] -1) 3)
  (are [e type] (= type (expr/type-of e))
    (create/zeros :shape '[n 3]) '[:f32 [n 3]]
    (create/arange :start 'k :stop 'n) '[:i64 [[:- n k]]]
    (create/size-of (of-shape '[n 3]) 0) [:i64 []]
    (create/full-like (of-shape '[n]) 1) '[:f32 [n]])
  (is (= :damo.array/index-out-of-range (first (error (value (create/one-hot [3] :classes 3))))))
  (is (= [:damo.op.create/not-a-scalar "full: the value must be 0-d; its shape is [2]"]
         (error (create/full [1 2] :shape [2])))))
