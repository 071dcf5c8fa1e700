(ns damo.bench.micro.rows-test
  "Rows of the benchmark of kernels: names, sizes, work; and that every kernel, compiled at small
  sizes, gives what the interpreter gives."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.micro.kernels :as kernels]
            [damo.bench.micro.measure :as measure]
            [damo.bench.micro.rows :as rows]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(def ^:private by-name (into {} (map (juxt :name identity)) rows/rows))

(deftest rows-have-names-of-their-own
  (is (= (count rows/rows) (count by-name)))
  (is (= (set (keys kernels/kernels)) (set (map :kernel rows/rows))) "no kernel without a row")
  (is (= '{n 1000000} (:sizes (by-name "add-1e6"))))
  (is (= '{m 60, n 500, k 784} (:sizes (by-name "gemm-60x500x784"))))
  (is (= [:f64 2] (map #(% (by-name "gemm-60x500x784-2t") (by-name "exp-1e6-f64"))
                       [#(:dtype %2) (fn [row _] (:threads row))]))))

(deftest work-of-rows
  (doseq [[name bytes flops] [["add-1e6" 12000000 1000000]
                              ["sum-1e6-f64" 8000008 1000000]
                              ["argmax1-1000x1000" 4008000 1000000]
                              ["cast64-1e4" 120000 10000]
                              ["gemm-60x500x784" (* 4 (+ (* 60 784) (* 784 500) (* 60 500)))
                               (* 2 60 500 784)]
                              ["vecmat-500x500x784" (* 4 (+ 784 (* 784 500) 500)) (* 2 784 500)]
                              ["batched-32x128x64x128" (* 4 32 128 (+ 128 64 64))
                               (* 2 32 128 64 128)]
                              ["take-100000x64x100000" (+ (* 2 4 6400000) 800000) 0]
                              ["outeradd-1000x1000" 4008000 1000000]
                              ["add-1e6-bf16" 6000000 1000000]]]
    (testing name
      (is (= {:bytes bytes, :flops flops} (rows/work (by-name name))))))
  (doseq [row rows/rows]
    (testing (:name row)
      (is (pos? (:bytes (rows/work row)))))))

;; ## What they compute

(defn- small
  "A row of the kernel of another at small sizes."
  [row]
  (assoc row :sizes (select-keys '{n 11, m 3, k 5, b 2} (keys (:sizes row)))))

(defn- array-of [tensor]
  (let [values @tensor]
    (array/of (d/dtype tensor) (d/shape tensor)
              (if (sequential? values) (flatten values) [values]))))

(defn- near? [tolerance x y]
  (if (boolean? x)
    (= x y)
    (<= (abs (- (double x) (double y))) (* tolerance (+ 1.0 (abs (double y)))))))

(deftest kernels-give-what-the-interpreter-gives
  (doseq [[[_ dtype] [row]] (group-by (juxt :kernel :dtype) rows/rows)
          :let [row (small row), [inputs outputs] (rows/expression row)
                args (measure/arguments-of row)
                given (flatten [(apply (measure/function-of row) args)])
                env (zipmap (map #(:name (expr/attrs-of %)) inputs) (map array-of args))
                expected (eval/run (:graph (expr/to-graph outputs)) env)
                tolerance ({:f64 1e-12, :bf16 1e-2, :f16 2e-3} dtype 1e-5)]]
    (testing (:name row)
      (is (= (map :shape expected) (map d/shape given)))
      (is (every? true? (mapcat (fn [e g] (map #(near? tolerance %1 %2)
                                               (array/values (array-of g)) (array/values e)))
                                expected given))))))
