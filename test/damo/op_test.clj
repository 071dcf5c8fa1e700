(ns damo.op-test
  "Tests of what an op is: construction, conversion of arguments, messages, templates."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.entry :as entry]
            [damo.op.whole :as whole]
            [damo.ops.all]
            [damo.ops.fold.reduce :as reduce]
            [damo.ops.math.arith :as arith]
            [damo.ops.math.compare :as compare]
            [damo.ops.math.exp :as exp]
            [damo.ops.move.index :as index]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#)) (fail/what e#)])))

(defn- input [name type]
  (expr/->Expr :input {:name name, :type type} [] type nil nil))

(def ^:private x (input 'x '[:f32 [n 10]]))
(def ^:private i (input 'i '[:i64 [n 1]]))
(def ^:private b (input 'b [:bool [10]]))

;; ## Arguments

(deftest arguments-are-brought-to-one-dtype
  (are [e text] (= text (str (pr-str (expr/type-of e)) " " (expr/text e)))
    (arith/mul 0.1 x) "[:f32 [n 10]] (mul 0.10000000149011612 x)"
    (arith/mul 2 i) "[:i64 [n 1]] (mul 2 i)"
    (arith/mul 0.5 i) "[:f64 [n 1]] (mul 0.5 (cast i :dtype :f64))"
    (arith/add x i) "[:f64 [n 10]] (add (cast x :dtype :f64) (cast i :dtype :f64))"
    (arith/add b 1) "[:i64 [10]] (add (cast b :dtype :i64) 1)"
    (arith/mul b x) "[:f32 [n 10]] (mul (cast b :dtype :f32) x)"
    (arith/div i 2) "[:f64 [n 1]] (div (cast i :dtype :f64) 2.0)"
    (exp/exp i) "[:f64 [n 1]] (exp (cast i :dtype :f64))"
    (compare/lt x i) "[:bool [n 10]] (lt (cast x :dtype :f64) (cast i :dtype :f64))"
    (compare/where b x 0) "[:f32 [n 10]] (where b x 0.0)"
    (arith/add 1 2) "[:i64 []] (add 1 2)"
    (arith/add 1 2.5) "[:f64 []] (add 1.0 2.5)"))

(deftest calls-with-many-arguments
  (is (= "(add (add x 1.0) 2.0)" (expr/text (arith/add x 1 2))))
  (testing "ops of any number of arguments take a vector or the arguments one by one"
    (is (= '[:f32 [[:* 2 n] 10]]
           (expr/type-of (index/concatenate [x x] :axis 0))
           (expr/type-of (index/concatenate x x))))))

(deftest failed-calls-say-what-was-given
  (are [kind text call] (let [[k message] (error call)]
                          (and (= k kind) (str/starts-with? (str message) text)))
    ::op/unknown-op "there is no op :logsofmax"
    (op/node :logsofmax {} [x])
    ::op/unknown-op "there is no op \"add\"" (op/node "add" {} [x])
    ::op/wrong-arity "add: takes 2 arguments [?x ?y], given 1" (arith/add x)
    ::op/unknown-attribute "sum: there is no attribute :axes; there are :acc-dtype, :axis"
    (reduce/sum x :axes 1)
    ::op/unknown-attribute "exp: there is no attribute :axis; there is none"
    (exp/exp x :axis 1)
    ::op/missing-attribute "cast: the attribute :dtype is needed" (arith/cast x)
    ::op/missing-value "sum: there is no value after the attribute :axis"
    (reduce/sum x :axis)
    :damo.op.typing/bad-dtype "add: takes numbers; convert booleans with cast first" (arith/add b b)
    :damo.type/shape-mismatch "add: axis 1 does not broadcast: 10 and 3 differ"
    (arith/add x [1 2 3])))

(deftest failures-show-arguments-and-positions
  (let [y (exp/exp x), [_ message] (error (arith/add y [1 2 3]))]
    (is (re-matches #"(?s)add: axis 1 does not broadcast: 10 and 3 differ
  argument 0: \(exp x\) \[:f32 \[n 10\]\], written at op_test.clj:\d+
  argument 1: #const \[:i64 \[3\]\] \[:i64 \[3\]\]
  expression: \(add \(exp x\) #const \[:i64 \[3\]\]\)
  written at: op_test.clj:\d+" message))))

;; ## Builders and templates

(defn- built
  "The nodes of a builder in which f made something of the input x, of id 0."
  [f]
  (let [b (graph/builder)]
    (graph/add-node! b '[:input {:name x}] '[:f32 [n]] nil)
    (f b)
    (:nodes (graph/finish b []))))

(deftest templates-become-nodes
  (is (= '[[:input {:name x}] [:const {:type [:f32 []], :value 1.0}] [:add {} 1 0]
           [:sum {:axis [0], :keepdims true} 2]]
         (built (fn [b] (op/instantiate! (op/emitter b nil) '{?x 0, ?k true}
                                         '[:sum {:keepdims ?k} [:add 1 ?x]])))))
  (testing "a name or a number is itself"
    (built (fn [b]
             (is (= 0 (op/instantiate! (op/emitter b nil) '{?x 0} '?x)))
             (is (= 7 (op/instantiate! (op/emitter b nil) {} 7))))))
  (is (= [::op/unbound-template-name "the template names ?y, which is not bound"]
         (error (built (fn [b] (op/instantiate! (op/emitter b nil) '{?x 0} '[:exp ?y])))))))

(deftest arguments-have-names-in-templates
  (is (= '{?x 3, ?y 5} (op/bindings :add [3 5])))
  (is (= '{?0 3, ?1 5, ?2 7} (op/bindings :concatenate [3 5 7]))))

(deftest new-nodes-carry-the-note
  (let [b (graph/builder)
        id (op/emit! b :iota {:shape [3]} [] {:src {:file "m.clj", :line 4}})]
    (is (= {:src {:file "m.clj", :line 4}} (graph/note b id)))
    (is (= [:i64 [3]] (graph/node-type b id)))))

;; ## Types of whole graphs

(deftest types-are-derived-anew
  (let [g {:nodes '[[:input {:name x, :type [:f32 [n 10]]}] [:sum {:axis [1]} 0]], :outputs [1]}]
    (is (= '[:f32 [n]] (graph/type-of (whole/check-types g) 1)))
    (are [change kind text] (let [[k message] (error (whole/check-types (change g)))]
                              (and (= k kind) (str/includes? (str message) text)))
      #(assoc-in % [:types 1] [:f32 []]) ::op/wrong-note
      "node 1, [:sum {:axis [1]} 0] is said to be [:f32 []] but is [:f32 [n]]"
      #(assoc-in % [:nodes 1] [:sum {:axis [2]} 0]) :damo.type/bad-axis
      "node 1, [:sum {:axis [2]} 0]"
      #(assoc-in % [:nodes 1] [:sum {:axes [1]} 0]) ::op/unknown-attribute ":axes"
      #(assoc-in % [:nodes 1] [:sum {} 0 0]) ::op/wrong-arity "given 2"
      #(assoc-in % [:nodes 1] [:summ {} 0]) ::op/unknown-op "there is no op :summ"
      #(assoc-in % [:nodes 0] [:input {:name 'x, :type [:f8 []]}]) :damo.type/bad-type ":f8")))

;; ## Definition

(deftest entries-are-registered
  (let [before @op/registry]
    (try
      (eval '(do (require '[damo.op :refer [defop]])
                 (defop twice-for-the-test
                   "2x."
                   {:kind :elementwise, :args [?x], :type :same, :eval (fn [x] (* 2 x))
                    :partials [2], :scalar [:add ?x ?x]})))
      (is (= '[:add ?x ?x] (:scalar (op/entry :twice-for-the-test))))
      (is (= :elementwise (op/kind :twice-for-the-test)))
      (finally (reset! op/registry before))))
  (is (= [:damo.entry/incomplete "the op :half lacks :eval or :expand, what it means"]
         (error (op/register! {:name :half, :kind :elementwise, :args [], :type :same})))))

(deftest names-of-ops-are-taken-once
  (let [before @op/registry
        half '{:name :half-for-the-test, :ns my.ops, :kind :elementwise, :args [?x], :type :float}
        half (assoc half :eval (fn [x] (/ x 2.0)))]
    (try
      (op/register! half)
      (testing "again from the same namespace, as when a file is loaded anew"
        (is (= :half-for-the-test (op/register! half))))
      (is (= [:damo.entry/redefined
              (str "the op :half-for-the-test is defined in my.ops already; choose another name, or"
                   " remove that one first with (remove-op! :half-for-the-test)")]
             (error (op/register! (assoc half :ns 'other.ops)))))
      (is (= [:damo.entry/redefined "the op :add is one of Damo's own; choose another name"]
             (error (op/register! (assoc half :name :add)))))
      (is (= [:damo.entry/redefined "the op :add is one of Damo's own; it cannot be removed"]
             (error (op/remove! :add))))
      (is (= :half-for-the-test (op/remove! :half-for-the-test)))
      (is (= [:damo.entry/not-defined "there is no op :half-for-the-test to remove"]
             (error (op/remove! :half-for-the-test))))
      (finally (reset! op/registry before)))))

(deftest attributes-by-position
  (let [x (expr/->Expr :input {:name 'x, :type [:f32 [2 3]]} [] [:f32 [2 3]] nil nil)
        attrs (fn [op & more] (expr/attrs-of (op/call op (cons x more))))]
    (is (= {:dtype :f64} (attrs :cast :f64)))
    (is (= [3 2] (:shape (attrs :reshape [3 2]))))
    (is (= (attrs :sum :axis 1 :keepdims true) (attrs :sum 1 true) (attrs :sum 1 :keepdims true)))
    (is (= (attrs :swapaxes :axis1 0 :axis2 1) (attrs :swapaxes 0 1)))
    (testing "what is no attribute is still an argument too many"
      (is (= ::op/wrong-arity
             (:damo/error (ex-data (try (op/call :tanh [x 1]) (catch Exception e e))))))
      (is (= ::op/wrong-arity
             (:damo/error (ex-data (try (op/call :sum [x x]) (catch Exception e e))))))
      (is (= ::op/missing-value
             (:damo/error (ex-data (try (op/call :sum [x :axis]) (catch Exception e e)))))))))
