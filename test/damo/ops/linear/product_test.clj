(ns damo.ops.linear.product-test
  "Tests of matrix products: shapes of all ranks, values against NumPy's rules, messages."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.ops.all]
            [damo.ops.linear.product :as product]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#))
                                              (first (re-seq #".*" (ex-message e#)))])))

(defn- of-shape [shape]
  (expr/->Expr :input {:name 'x, :type [:f32 shape]} [] [:f32 shape] nil nil))

(defn- shape-of [f x y] (type/shape-of (expr/type-of (f (of-shape x) (of-shape y)))))

(deftest shapes-of-products
  (are [x y matmul dot] (= [matmul dot] [(shape-of product/matmul x y) (shape-of product/dot x y)])
    '[n 784] '[784 10] '[n 10] '[n 10]
    '[k] '[k] [] []
    '[k] '[k n] '[n] '[n]
    '[m k] '[k] '[m] '[m]
    '[b m k] '[k n] '[b m n] '[b m n]
    '[k] '[b k n] '[b n] '[b n]
    '[b m k] '[b k n] '[b m n] '[b m b n]
    '[2 1 m k] '[3 k n] '[2 3 m n] '[2 1 m 3 n]
    [0 3] [3 0] [0 0] [0 0])
  (are [x y expected] (= expected (shape-of product/dot x y))
    '[] '[n] '[n], '[n m] [] '[n m], [] [] [])
  (is (= '[[:* 2 n] m] (shape-of product/outer '[n 2] '[m]))))

(deftest misfits-name-the-dimension
  (are [f x y kind message] (= [kind message] (error (shape-of f x y)))
    product/matmul [3 4] [5 6] :damo.op.linear/shape-mismatch
    "matmul: the inner dimension must agree: x is [3 4], with 4; y is [5 6], with 5"
    product/dot '[n 784] '[m 10] :damo.op.linear/shape-mismatch
    "dot: the inner dimension must agree: x is [n 784], with 784; y is [m 10], with m"
    product/matmul [] [3] :damo.op.linear/scalar-operand
    "matmul: takes operands with at least one axis; x is [], y is [3]"
    product/matmul [2 3 4] [3 4 5] :damo.type/shape-mismatch
    "matmul: axis 0 does not broadcast: 2 and 3 differ"))

(defn- product [op x y]
  (array/nested (eval/constant op {} [(array/from-nested :i64 x) (array/from-nested :i64 y)])))

(deftest products-of-integers
  (are [op x y expected] (= expected (product op x y))
    :matmul [[1 2] [3 4]] [[5 6] [7 8]] [[19 22] [43 50]]
    :matmul [1 2] [[5 6] [7 8]] [19 22]
    :matmul [[1 2] [3 4]] [5 6] [17 39]
    :matmul [[[1 2]] [[3 4]]] [[1] [10]] [[[21]] [[43]]]
    :dot 3 [1 2] [3 6]
    :dot [[1 2] [3 4]] [[[1 2] [3 4]] [[5 6] [7 8]]] [[[7 10] [19 22]] [[15 22] [43 50]]]
    :outer [1 2] [3 4 5] [[3 4 5] [6 8 10]]))

(deftest a-product-over-nothing-is-zero
  (is (= [[0.0 0.0]] (array/nested (eval/constant :matmul {} [(array/full :f32 [1 0] 1)
                                                              (array/full :f32 [0 2] 1)])))))

(deftest booleans-are-refused
  (testing "rather than counted"
    (is (= :damo.op.typing/bad-dtype (first (error (product/matmul [true] [false])))))))
