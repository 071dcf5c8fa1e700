(ns damo.op.gens-test
  "Tests of generated calls: they are reproducible, cover shapes, and keep to what an op accepts."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.data.array :as array]
            [damo.op.gens :as gens]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- shapes [op dtype size]
  (set (map #(mapv :shape (:args (gens/case op dtype size %))) (range 12))))

(deftest equal-arguments-give-equal-cases
  (let [values (fn [seed] (map array/values (:args (gens/case :add :f64 13 seed))))]
    (is (= (values 3) (values 3)))
    (is (not= (values 3) (values 10)))))

(deftest seeds-go-through-all-shapes
  (is (= #{[[5] [5]] [[3 5] [5]] [[5] []] [[5 1] [1 5]] [[2 5 3] [5 1]] [[] [5]] [[1] [5]]}
         (shapes :add :f32 5)))
  (is (contains? (shapes :matmul :f32 0) [[0 3] [3 0]])))

(deftest values-stay-in-their-range
  (doseq [seed (range 20), x (array/values (first (:args (gens/case :log1p :f32 13 seed))))]
    (is (<= -0.9 x 10)))
  (doseq [seed (range 20), x (array/values (second (:args (gens/case :take :f32 3 seed))))]
    (is (<= -5 x 4)))
  (testing "and in that of the dtype"
    (doseq [x (mapcat array/values (:args (gens/case :add :u8 13 0)))] (is (<= 0 x 3)))))

(deftest what-an-op-does-not-take-has-no-case
  (are [op dtype size] (nil? (gens/case op dtype size 0))
    :add :bool 3, :exp :i64 3, :bit-and :f32 3
    :max :f32 0, :softmax :f64 0, :cross-entropy :i64 3))

(deftest special-values-come-in-all-combinations
  (let [{:keys [args]} (gens/special-case :add :f32)
        pairs (set (map vector (array/values (first args)) (array/values (second args))))]
    (is (= 196 (count (array/values (first args)))))
    (testing "zeros of both signs too"
      (is (some #(= "[0.0 -0.0]" (pr-str %)) (map vector (array/values (first args))
                                                  (array/values (second args))))))
    (is (contains? pairs [##Inf ##-Inf])))
  (is (= #{[true true] [true false] [false true] [false false]}
         (set (apply map vector (map array/values (:args (gens/special-case :eq :bool)))))))
  (is (nil? (gens/special-case :sum :f32))))

(deftest cases-become-graphs
  (let [c (gens/case :matmul :f32 13 0)]
    (is (= '{:nodes [[:input {:name x0, :type [:f32 [13 3]]}]
                     [:input {:name x1, :type [:f32 [3 13]]}]
                     [:matmul {} 0 1]]
             :types [[:f32 [13 3]] [:f32 [3 13]] [:f32 [13 13]]]
             :outputs [2]
             :notes {}}
           (:graph (gens/graph c))))
    (is (= '[:f32 [n13 n3]] (first (:types (:graph (gens/graph c true))))))
    (is (= (zipmap '[x0 x1] (:args c)) (:env (gens/graph c true)))))
  (testing "an op that must know its extents has no graph with named ones"
    (is (nil? (gens/graph (gens/case :reshape :f32 3 0) true)))))
