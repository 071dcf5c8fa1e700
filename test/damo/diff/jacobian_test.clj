(ns damo.diff.jacobian-test
  "Jacobians and Hessians: shapes, both modes, symbolic dimensions, options; batches."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.diff.batch :as batch]
            [damo.diff.jacobian :as jacobian]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(def ^:private x (d/input 'x [:f64 ['n 2]]))
(def ^:private w (d/input 'w [:f64 [2 3]]))
(def ^:private values {x [[1 2] [3 4]], w [[0.1 0.2 0.3] [0.4 0.5 0.6]]})
(defn- at [e] @(d/eval e values))

(deftest shapes
  (let [y (d/tanh (d/dot x w))]
    (is (= [:f64 ['n 3 2 3]] (d/type-of (d/jacobian y w))))
    (is (= [[:f64 ['n 3 'n 2]] [:f64 ['n 3 2 3]]] (map d/type-of (d/jacobian y [x w]))))
    (is (= [:f64 ['n 2]] (d/type-of (d/jacobian (d/sum y) x))))
    (is (= [:f64 ['n 2 'n 2]] (d/type-of (d/hessian (d/sum y) x))))
    (is (= [[[:f64 ['n 2 'n 2]] [:f64 ['n 2 2 3]]] [[:f64 [2 3 'n 2]] [:f64 [2 3 2 3]]]]
           (mapv #(mapv d/type-of %) (d/hessian (d/sum y) [x w]))))
    (testing "the dtype is that of what it is with respect to"
      (let [s (d/input 's [:f32 []]), i (d/input 'i [:i64 [4]])]
        (is (= [[:f32 ['n 2]] [:f64 ['n 2 4]]]
               (map d/type-of (d/jacobian (d/mul x s (d/sum (d/exp i))) [s i]))))))))

(deftest values-of-jacobians
  (testing "by rows and by columns"
    (let [y (d/tanh (d/dot x w))]
      (doseq [wrt [x w]]
        (is (= (at (d/jacobian y wrt {:mode :reverse}))
               (at (d/jacobian y wrt {:mode :forward})))))))
  (testing "an elementwise one is diagonal"
    (let [v (d/input 'v [:f64 ['n]])]
      (is (= [[2.0 0.0 0.0] [0.0 4.0 0.0] [0.0 0.0 6.0]]
             @(d/eval (d/jacobian (d/sqr v) v) {v [1 2 3]})))
      (is (= [[6.0 0.0] [0.0 12.0]] @(d/eval (d/hessian (d/sum (d/mul v v v)) v) {v [1 2]})))))
  (testing "of a quadratic form the Hessian is A + Aᵀ"
    (let [a (d/input 'a [:f64 ['n 'n]]), v (d/input 'v [:f64 ['n]])]
      (is (= [[2.0 5.0] [5.0 8.0]]
             @(d/eval (d/hessian (d/dot v (d/dot a v)) v) {a [[1 2] [3 4]], v [5 6]})))))
  (testing "blocks of a Hessian are each other's transposes"
    (let [[[_ xw] [wx _]] (d/hessian (d/sum (d/tanh (d/dot x w))) [x w])]
      (is (< (at (d/max (d/abs (d/sub (d/transpose xw :axes [2 3 0 1]) wx)))) 1e-15))))
  (testing "a linear cost has the Hessian 0, and hvp 0"
    (is (= [0.0 0.0] @(d/eval (d/sum (d/hessian (d/sum x) x) :axis [0 1 2]) values)))
    (is (= [[0.0 0.0] [0.0 0.0]] (at (d/hvp (d/sum x) x x)))))
  (testing "third derivatives: x⁴ at 2"
    (let [s (d/input 's [:f64 []])]
      (is (= 48.0 @(d/eval (d/jacobian (d/hessian (d/pow s 4) s) s) {s 2.0}))))
    (let [v (d/input 'v [:f64 ['n]])]
      (is (= [6.0 6.0]
             @(d/eval (d/sum (d/jacobian (d/hessian (d/sum (d/mul v v v)) v) v) :axis [0 1])
                      {v [1 2]}))))))

(deftest options
  (let [y (d/mul x (d/sum w))]
    (is (= ::diff/disconnected (error-of #(d/jacobian x w))))
    (is (= [:f64 ['n 2 2 3]] (d/type-of (d/jacobian x w {:disconnected :ignore}))))
    (is (= 0.0 (at (d/sum (d/jacobian x w {:disconnected :ignore})))))
    (is (= ::diff/disconnected (error-of #(d/jacobian y w {:consider-constant [(d/sum w)]}))))
    (is (= :damo.attribute/bad-value (error-of #(d/jacobian y w {:mode :sideways}))))
    (is (= ::diff/integer-derivative (error-of #(d/jacobian (d/argmax x) x))))))

(deftest empty-arrays
  (let [v (d/input 'v [:f64 ['n]])]
    (is (= [] @(d/eval (d/jacobian (d/exp v) v) {v []})))))

;; ## Batches

(deftest ops-without-a-way-go-one-by-one
  (let [name :jacobian-test-opaque]
    (try
      (op/register! {:name name, :kind :host, :args ['?x], :type (fn [_ [t]] t), :eval (fn [_ x] x)
                     :linear-in #{0}, :transpose ['?g]})
      (let [b (graph/builder), emit (op/emitter b nil)
            x (emit :input {:name 'x :type [:f64 [3]]} [])
            y (emit name {} [(op/->Id x)])
            seed (fn [n] (emit :input {:name 'b :type [:f64 [n 3]]} []))
            [z] (batch/batched b [y] {x (seed 2)} 2)]
        (is (= [:f64 [2 3]] (graph/node-type b z)))
        (is (= ::diff/not-implemented (error-of #(batch/batched b [y] {x (seed 'n)} 'n)))))
      (finally (swap! op/registry dissoc name)))))
