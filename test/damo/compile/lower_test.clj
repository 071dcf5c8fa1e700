(ns damo.compile.lower-test
  "Kernels: what is loaded, computed and stored where, pinned on small graphs."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.plan :as plan]
            [damo.face.parse :as parse]
            [damo.ops.all]
            [damo.ops.linear.blas]))

(set! *warn-on-reflection* true)

(defn- kernels
  "The bodies of the kernels of an expression of the inputs."
  [inputs expression]
  (let [g (pass/prepare (parse/parse {:inputs inputs, :outputs {'out expression}}))]
    (:kernels (plan/program g {:name "k", :inputs (vec inputs), :state [], :outputs ["out"]
                               :updates {}}))))

(defn- body [inputs expression] (:body (first (kernels inputs expression))))

(defn- forms
  "All forms of a body that begin with that keyword."
  [head body]
  (filter #(and (vector? %) (= head (first %))) (tree-seq coll? seq body)))

(deftest a-dense-chain-is-one-loop
  (is (= '[[:for i.0 [:* 3 n]
            [:let v.2 [:load 0 i.0]]
            [:let v.3 [:exp v.2]]
            [:let v.4 [:mul v.3 v.2]]
            [:store 1 i.0 v.4]]]
         (body '{x [:f64 [n 3]]} '[:mul [:exp x] x]))))

(deftest an-element-is-loaded-once
  (is (= 1 (count (forms :load (body '{x [:f64 [n]]} '[:add [:mul x x] [:exp x]]))))))

(deftest sums-of-singles-run-in-double
  (is (= '[[:var a.1 [:const :f64 0]]
           [:for i.0 n [:let v.2 [:load 0 i.0]] [:acc :add a.1 [:cast :f64 v.2]]]
           [:let v.3 [:cast :f32 a.1]]
           [:store 1 0 v.3]]
         (body '{x [:f32 [n]]} '[:sum x]))))

(deftest a-sum-over-outer-axes-adds-in-memory
  (let [{:keys [params body]} (first (kernels '{x [:f64 [n 99]]} '[:sum {:axis 0} x]))]
    (is (= '[[:for 99] [:for [:quot n 4]] [:for [:mod n 4]]]
           (map (fn [[f _ extent]] [f extent]) body))
        "zeros, then sums, of four rows at once")
    (is (= [:in :inout] (map second params)))))

(deftest broadcast-operands-keep-their-loops
  (let [loops (forms :for (body '{x [:f64 [n m]], r [:f64 [m]]} '[:add x r]))]
    (is (= '[n m] (map #(nth % 2) loops)))))

(deftest math-is-kept-for-a-later-slot-and-cheap-work-is-done-again
  (let [times (fn [head expression] (count (forms head (kernels '{x [:f64 [n 99]]} expression))))
        low '[:sub x [:max {:axis 1 :keepdims true} x]]]
    (is (= 1 (times :exp '[:softmax x])) "one exponential an element")
    (is (= 2 (times :sub [:div low [:sum {:axis 1 :keepdims true} low]])))))

(deftest choosing-from-an-empty-axis-is-checked-before-anything-runs
  (let [checked #(forms :require (body '{x [:f64 [n m]], y [:f64 [n 3]]} %))]
    (is (= '[[:require [:gt [:size [:* m n]] [:const :i64 0]] 0]] (checked '[:max x])))
    (is (= '[[:require [:or [:gt [:size m] [:const :i64 0]] [:eq [:size n] [:const :i64 0]]] 0]]
           (checked '[:argmax {:axis 1} x])))
    (testing "not where the extents promise an element"
      (is (empty? (checked '[:max {:axis 1} y])))
      (is (empty? (checked '[:argmin {:axis 1} y]))))))

(deftest indices-pass-a-check
  (let [found (forms :index (body '{x [:f64 [m 3]], i [:i64 [n]]} '[:take x i]))]
    (is (= ['m] (map #(nth % 3) found)))))
