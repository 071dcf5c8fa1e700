(ns damo.face.parameters-test
  "The first hour: what a newcomer types at the REPL, in every form that is meant to work."
  (:require [clojure.pprint :as pprint]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d])
  (:import [clojure.lang ExceptionInfo]
           [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(def x (d/input 'x [:f32 ['n 3]]))
(def z (d/input 'z [:f32 []]))

(defn- error [f] (try (f) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(defn- at
  "A result as numbers: tensors in maps and vectors are dereferenced."
  [v]
  (cond (instance? Tensor v) @v
        (map? v) (update-vals v at)
        (vector? v) (mapv at v)
        :else v))

(deftest inputs-go-by-name-and-by-expression
  (let [f (d/function [x z] (d/mul (d/sum x) z)), e (d/mul (d/sum x) z), data [[1 2 3]]]
    (doseq [given [{x data, z 2} {'x data, 'z 2} {:x data, :z 2} {"x" data, "z" 2} {x data, 'z 2}]]
      (is (= 12.0 @(f given)) (pr-str given))
      (is (= 12.0 @(d/eval e given)) (pr-str given)))
    (is (= {:both [12.0 {:z 2.0}]} (at (d/eval {:both [e {:z z}]} {'x data, 'z 2} :mode :debug))))
    (is (= :damo.function/no-such-input (error #(d/eval e {'y data, 'z 2}))))))

(deftest data-stand-for-expressions
  (testing "known gradients and weights, also of symbolic shape"
    (are [g] (= [[2.0 4.0 6.0]] @(d/eval g {x [[0 0 0]]}))
      (d/grad nil x {:known-grads {(d/mul x 2) [[1 2 3]]}})
      (d/grad nil x :known-grads {(d/mul x 2) (d/tensor [[1 2 3]] :f32)})
      (d/lop (d/mul x 2) x (into-array [(float-array [1 2 3])]))
      (d/rop (d/mul x 2) x [[1 2 3]])
      (:y (d/rop {:y (d/mul x 2)} {:x x} {:x [[1 2 3]]})))
    (is (= :damo/requirement-failed
           (error #(d/eval (d/lop (d/mul x 2) x [[1 2 3] [4 5 6]]) {x [[0 0 0]]})))))
  (testing "givens"
    (doseq [given [3.0 3 (d/tensor 3.0 :f32) (d/sqrt 9)]]
      (is (= 6.0 @((d/function [] (d/mul z 2) :givens {z given}))))))
  (is (= :damo/dtype-mismatch
         (error #(d/function [] z {:givens {z (d/tensor 0.1 :f64)}})))))

(deftest structures-of-outputs-parameters-and-updates
  (let [w (d/shared 'w (d/zeros 3 :f32)), b (d/shared 'b 0.5)
        params {:layer [w {:bias b}]}
        loss (d/add (d/sum (d/mul x w)) b)
        grads (d/grad loss params)]
    (is (= {:layer [[:f32 [3]] {:bias [:f64 []]}]}
           {:layer [(d/type-of (get-in grads [:layer 0]))
                    {:bias (d/type-of (get-in grads [:layer 1 :bias]))}]}))
    (let [f (d/function [x] {:loss loss, :grads grads, :all [[x] []]}
                        :updates {params {:layer [[1 2 3] {:bias (d/sub b 1)}]}})]
      (is (= {:loss 0.5, :grads {:layer [[1.0 2.0 3.0] {:bias 1.0}]}, :all [[[[1.0 2.0 3.0]]] []]}
             (at (f [[1 2 3]]))))
      (is (= [[1.0 2.0 3.0] -0.5] [@w @b]))
      (is (= {:grads {:layer [[1.0 2.0 3.0] {:bias 1.0}]}}
             (at (d/outputs-subset f [:grads] [[1 2 3]])))))
    (is (= :damo.tree/other-structure
           (error #(d/function [] [] {:updates {params {:layer [1 2 3]}}}))))
    (is (= :damo.tree/other-structure (error #(d/rop loss params {:layer [1]}))))))

(deftest values-and-texts
  (let [w (d/shared 'w [[1 2]])]
    (is (= [[1 2]] @w))
    (is (= :damo.expr/no-value (error #(deref x))))
    (is (= "(add (index x 0) 1.0)" (str (d/add (d/index x 0) 1))))
    (are [text e] (= text (pr-str e))
      "#damo/expr [:f32 [3]] (index x 0)" (d/index x 0)
      "#damo/expr [:f32 [2]] (index x 0 [1 nil])" (d/index x 0 [1 nil])
      "#damo/expr [:f32 [n 3]] (layer-norm x 1 0 :axis -1)" (d/layer-norm x 1 0 :axis -1)
      "#damo/expr [:i64 []] (shape-i x 0)" (d/shape-i x 0)
      "#damo/function loss (x [:f32 [n 3]]) -> {:sum [:f32 []]}"
      (d/function [x] {:sum (d/sum x)} :name "loss"))
    (is (str/includes? (with-out-str (pprint/pprint [x w])) "[") "pprint asks for no value")))

(deftest functions-describe-themselves
  (are [named text] (str/includes? (with-out-str (d/describe named)) text)
    :sum "sum ?x (reduce)"
    'sum "sum ?x (reduce)"
    'ravel "flatten ?x"
    'grad "(grad cost wrt & opts)"
    :index "(index x & specs)"
    'defop "(defop name doc entry) (a macro)")
  (doseq [s (keys (ns-publics 'damo.core))]
    (is (not= "" (with-out-str (d/describe s))) (str s)))
  (is (= :damo.op/unknown-op (error #(d/describe 'graad)))))

;; ## Tensors

(deftest tensors-of-data-and-a-shape
  (are [v t] (= v @t)
    [0.0 0.0 0.0] (d/zeros 3)
    [[0 1 2] [3 4 5]] (d/tensor (range 6) :shape [2 3])
    [[0.0 1.0] [2.0 3.0]] (d/tensor (range 4) :f32 {:shape [2 2]})
    [[1 2] [3 4]] (d/tensor (d/tensor [1 2 3 4]) :shape [2 2])
    [5 4 3] (d/part (d/tensor (range 6) :shape [2 3]) 1 [nil nil -1])
    [[1] [4]] (d/part (d/tensor (range 6) :shape [2 3]) :all [1 2])
    [] (d/part (d/tensor (range 6)) [7 9])
    5.0 (d/part (d/tensor [[4 5]] :bf16) -1 1)
    [true] (d/part (d/tensor [false true]) [1 nil]))
  (is (= [:u8 [2]] [(d/dtype (d/part (d/tensor [1 2 255] :u8) [1 nil])) [2]]))
  (are [f] (= :damo.tensors/bad-part (error f))
    #(d/part (d/tensor [1 2]) 2) #(d/part (d/tensor [1 2]) 0 0) #(d/part (d/tensor [1 2]) [0 1 0])))

(defn- flat [t] (d/->array (d/tensor t :shape [(reduce * (d/shape t))])))

(defn- mean [xs] (/ (reduce + xs) (count xs)))

(deftest random-tensors
  (let [t #(d/random %1 %2 (merge {:seed 7} %3))]
    (is (= @(t :normal [3 4] {}) @(t :normal [3 4] {})) "the same numbers for the same seed")
    (is (not= @(t :normal [3 4] {}) @(t :normal [3 4] {:seed 8})))
    (let [xs (flat (t :uniform [40 50] {:low -2, :high 4}))]
      (is (every? #(<= -2.0 % 4.0) xs))
      (is (< 0.8 (mean xs) 1.2)))
    (let [xs (flat (t :normal [40 50] {:mean 1, :std 3, :dtype :f32}))]
      (is (< 0.8 (mean xs) 1.2))
      (is (< 8 (mean (map #(* (- % 1.0) (- % 1.0)) xs)) 10)))
    (let [limit (Math/sqrt (/ 6.0 90)), xs (flat (t :glorot [40 50] {}))]
      (is (every? #(<= (- limit) % limit) xs))
      (is (< (* 0.95 limit) (reduce max xs))))
    (doseq [[rows columns] [[6 4] [4 6] [5 5]]]
      (let [q (t :orthogonal [rows columns] {:gain 2})
            near @(d/eval (if (< columns rows)
                           (d/dot (d/transpose q) q)
                           (d/dot q (d/transpose q))))]
        (is (every? true? (for [[i row] (map-indexed vector near), [j v] (map-indexed vector row)]
                            (< (Math/abs (- v (if (= i j) 4.0 0.0))) 1e-12))))))
    (are [kind f] (= kind (error f))
      :damo.attribute/missing #(d/random :normal [2])
      :damo.random/unknown-kind #(d/random :gauss [2] :seed 1)
      :damo.random/no-matrix #(t :orthogonal [3] {})
      :damo.random/not-random #(t :normal [3] {:dtype :i64}))))
