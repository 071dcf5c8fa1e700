(ns damo.data.expr-test
  "Tests of expressions: printing, constants, conversion to graphs and back."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph]
            [damo.ops.all]
            [damo.ops.fold.reduce :as reduce]
            [damo.ops.math.arith :as arith]
            [damo.ops.math.exp :as exp])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#)) (fail/what e#)])))

(defn- input [name type]
  (expr/->Expr :input {:name name, :type type} [] type nil nil))

(defn- shared [name state]
  (expr/->Expr :shared {:name name, :type [:f32 []]} [] [:f32 []] nil state))

(def ^:private x (input 'x '[:f32 [n 10]]))

(deftest expressions-print-short
  (are [e text] (= text (pr-str e))
    x "#damo/expr [:f32 [n 10]] x"
    (arith/add x 1) "#damo/expr [:f32 [n 10]] (add x 1.0)"
    (reduce/sum x :axis 1) "#damo/expr [:f32 [n]] (sum x :axis [1])"
    (arith/add (exp/exp (exp/exp (exp/exp (exp/exp x)))) x)
    "#damo/expr [:f32 [n 10]] (add (exp (exp …)) x)")
  (testing "never more than 160 characters"
    (let [wide (input (symbol (apply str (repeat 300 "w"))) [:f32 []])]
      (is (= 160 (count (expr/text (arith/add wide 1))))))))

(deftest values-of-constants
  (are [dtype x expected] (= expected (expr/const-value dtype x))
    :f32 0.1 (double (float 0.1)), :f64 1 1.0, :i32 3.0 3, :i8 true 1
    :bool 2 true, :bool 0.0 false)
  (are [dtype x] (= :damo.expr/constant-out-of-range (first (error (expr/const-value dtype x))))
    :u8 256, :u8 -1, :i32 2147483648, :i64 0.5, :i64 1e30))

(deftest what-may-be-an-argument
  (are [x] (= x (expr/lift x)) 1, 0.5, true, x)
  (testing "nested vectors, Java arrays and tensors become constants"
    (are [x type value] (= [type value] ((juxt expr/type-of (comp :value expr/attrs-of))
                                         (expr/lift x)))
      [[1 2] [3 4]] [:i64 [2 2]] [1 2 3 4]
      (float-array [1.5 2.5]) [:f32 [2]] [1.5 2.5]
      (Tensor/of [true false]) [:bool [2]] [true false]))
  (are [x] (= :damo.expr/not-an-expression (first (error (expr/lift x)))) "a", nil, :x, {}))

(deftest graphs-share-equal-expressions
  (let [{:keys [graph id-of exprs]} (expr/to-graph [(arith/add (exp/exp x) (exp/exp x)) x])]
    (is (= '[[:input {:name x, :type [:f32 [n 10]]}] [:exp {} 0] [:add {} 1 1]] (:nodes graph)))
    (is (= [2 0] (:outputs graph)))
    (is (= '[:f32 [n 10]] (graph/type-of graph 2)))
    (is (= 0 (id-of x)))
    (is (identical? x (exprs 0)))))

(deftest graphs-become-expressions-again
  (let [g (:graph (expr/to-graph [(arith/mul (exp/exp x) 2)]))
        [e] (expr/from-graph g {} {})]
    (is (= g (:graph (expr/to-graph [e]))))
    (testing "known nodes are taken as they are"
      (let [y (input 'y '[:f32 [n 10]])
            [e] (expr/from-graph g {0 y} {})]
        (is (= "(mul (exp y) 2.0)" (expr/text e)))))))

(deftest deep-expressions-need-no-stack
  (let [deep (nth (iterate exp/exp x) 20000)]
    (is (= 20001 (count (:nodes (:graph (expr/to-graph [deep]))))))
    (is (str/starts-with? (expr/text deep) "(exp (exp"))))

(deftest names-of-inputs-and-shared-variables
  (testing "one name with two types is an error"
    (is (= [:damo.expr/two-inputs-of-one-name
            (str "two inputs of different types are called x\n  input: x [:f32 [n 10]]"
                 "\n  input: x [:f32 []]")]
           (error (expr/to-graph [x (input 'x [:f32 []])])))))
  (testing "different shared variables of one name get names of their own, equal ones do not"
    (let [a (Object.), b (Object.)
          {:keys [graph states]} (expr/to-graph [(shared 'w a) (shared 'w b) (shared 'w a)
                                                 (input 'w-2 [:f32 []])])]
      (is (= '[w w-3 w] (map #(:name (graph/attrs-of (nth (:nodes graph) %)))
                             (take 3 (:outputs graph)))))
      (is (= {'w a, 'w-3 b} states)))))

(deftest expressions-remember-where-they-were-written
  (let [e (arith/add x 1)]
    (is (= "expr_test.clj" (:file (expr/src-of e))))
    (is (= (str "(add x 1.0) [:f32 [n 10]], written at " (fail/position-text (expr/src-of e)))
           (expr/describe e)))
    (is (= (expr/src-of e) (get-in (expr/to-graph [e]) [:graph :notes 2 :src])))))
