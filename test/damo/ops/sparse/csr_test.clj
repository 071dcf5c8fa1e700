(ns damo.ops.sparse.csr-test
  "Tests of the ops on compressed rows that the laws over the registry do not make: matrices without
  rows, columns or elements, and parts that do not belong together."
  (:require [clojure.test :refer [are deftest is]]
            [clojure.walk :as walk]
            [damo.core :as d]
            [damo.op :as op]
            [damo.runtime.programs :as programs]))

(set! *warn-on-reflection* true)

(defn- result
  "What the op gives for these arrays, as inputs of a function."
  [op attrs args]
  (let [tensors (mapv d/tensor args)
        inputs (map-indexed #(d/input (symbol (str "x" %1)) [(d/dtype %2) (d/shape %2)]) tensors)]
    (apply (d/function (vec inputs) (op/node op attrs inputs) {:on-unused-input :ignore}) tensors)))

(defn- value [op attrs & args] @(result op attrs args))

(def ^:private none (d/zeros [0] :i64))

(deftest matrices-of-nothing
  (are [expected op attrs args] (= expected (apply value op attrs args))
    [] :csr-rows {:nnz 0} [[0]]
    [] :csr-rows {:nnz 0} [[0 0 0]]
    [2 2] :csr-rows {:nnz 2} [[0 0 0 2 2]]
    [0.0 0.0] :csr-dot {} [(d/zeros [0]) none [0 0 0] [1.0 2.0]]
    [] :csr-dot {} [(d/zeros [0]) none [0] [1.0]]
    [0.0 0.0 0.0] :csr-tdot {:columns 3} [(d/zeros [0]) none [0] (d/zeros [0])]
    [] :csr-tdot {:columns 0} [(d/zeros [0]) none [0 0] [1.0]]
    [] :sampled-dot {} [none [0 0] [1.0] (d/zeros [0])]
    [[] []] :csr-dense {:columns 0} [(d/zeros [0]) none [0 0 0]]
    [0.0 3.0] :csr-sum {} [[1.0 2.0] [0 0 2]]))

(defn- error [op attrs & args]
  (try (result op attrs args) nil
       (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest parts-that-do-not-belong-together
  (are [kind op attrs args] (= kind (apply error op attrs args))
    :damo.type/shape-mismatch :csr-dot {} [[1.0 2.0] [0] [0 1] [1.0]]
    :damo.op.sparse/bad-part :csr-dot {} [[[1.0]] [0] [0 1] [1.0]]
    :damo.op.sparse/bad-operand :csr-dot {} [[1.0] [0] [0 1] 1.0]
    :damo.op.typing/bad-dtype :csr-dot {} [[1.0] [0.0] [0 1] [1.0]]
    :damo.type/shape-mismatch :csr-tdot {:columns 2} [[1.0] [0] [0 1] [1.0 2.0]])
  (is (some? (error :csr-dot {} [1.0] [1] [0 1] [1.0])) "an index beyond x")
  (is (some? (error :csr-tdot {:columns 1} [1.0] [1] [0 1] [1.0])))
  (is (some? (error :csr-rows {:nnz 1} [0 7])) "a start beyond the elements"))

(def ^:private checks
  "What fails when a check of a kernel does."
  #{:damo/requirement-failed :damo/index-out-of-bounds})

(deftest starts-are-checked
  (doseq [starts [[1 2 2] [0 2 1] [0 3 2] [0 -1 2] [0 1 3] [0 9223372036854775807 2]]]
    (is (checks (error :csr-sum {} [1.0 2.0] starts)) starts)
    (is (checks (error :csr-dot {} [1.0 2.0] [0 0] starts [1.0])) starts)
    (is (checks (error :csr-tdot {:columns 1} [1.0 2.0] [0 0] starts [1.0 1.0])))
    (is (checks (error :sampled-dot {} [0 0] starts [1.0 1.0] [1.0]))))
  (doseq [column [-1 1 9223372036854775807]]
    (is (checks (error :csr-dot {} [1.0 2.0] [0 column] [0 1 2] [1.0])) column)))

(defn- product-of
  "The function of data and others [k], indices, starts and x that multiplies a matrix with these
  elements by x."
  [elements]
  (let [[data others] (map #(d/input % [:f32 ['k]]) '[data others])
        [indices starts] (map #(d/input %1 [:i32 [%2]]) '[indices starts] '[k s])
        x (d/input 'x [:f32 ['n]])]
    (d/function [data others indices starts x]
                (op/node :csr-dot {} [(elements data others) indices starts x]))))

(deftest maps-of-the-elements-are-computed-in-the-product
  (let [f (product-of (fn [data others] (d/mul (d/sqr data) (d/add 1.0 others))))
        args (mapv d/tensor [(float-array [1 2 3]) (float-array [0 1 2]) (int-array [0 1 1])
                             (int-array [0 1 3]) (float-array [1 10])])]
    (is (= 1 (count (:kernels (d/program f)))))
    (is (= [1.0 350.0] @(apply f args)))))

(deftest programs-do-not-read-beyond-rows
  (let [{:keys [kernels] :as program} (d/program (product-of d/add))
        longer (walk/postwalk (fn [form] (if (and (vector? form) (= :- (first form))
                                                  (vector? (second form)))
                                           (second form)
                                           form))
                              kernels)]
    (is (not= kernels longer))
    (is (= "out-of-bounds"
           (first (programs/refusal
                   #(with-open [f (programs/compiled (assoc program :kernels longer))]
                      (programs/call f (float-array [1 2]) (float-array [1 2]) (int-array [0 0])
                                     (int-array [0 1 2]) (float-array [1])))))))))
