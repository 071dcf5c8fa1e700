(ns damo.ops.sparse.csr-test
  "Tests of the ops on compressed rows that the laws over the registry do not make: matrices without
  rows, columns or elements, and parts that do not belong together."
  (:require [clojure.test :refer [are deftest is]]
            [damo.core :as d]
            [damo.op :as op]))

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
