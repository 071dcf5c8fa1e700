(ns damo.compile.plan.product-test
  "Matrix products as steps: operands through their layouts, leading axes as loops."
  (:require [clojure.test :refer [are deftest]]
            [damo.compile.pass :as pass]
            [damo.compile.plan :as plan]
            [damo.face.parse :as parse]
            [damo.ops.all]
            [damo.ops.linear.blas]))

(set! *warn-on-reflection* true)

(def ^:private inputs
  '{x [:f64 [n 3]], y [:f64 [3 5]], t [:f64 [2 n 3]], b [:f64 [7 1 n 3]], s [:f64 [2 n m 3]]
    r [:f64 [2 3 5]]})

(defn- product
  "The product step of an expression: sizes, and of each operand offset and strides."
  [expression]
  (let [g (pass/prepare (parse/parse {:inputs inputs, :outputs {'out expression}}))
        {:keys [steps]} (plan/program g {:name "p", :inputs (vec inputs), :state []
                                         :outputs ["out"], :updates {}})
        {:keys [m n k a b c batch]} (first (filter #(= :gemm (:do %)) steps))]
    (cond-> [[m n k] (map (juxt :offset :strides) [a b c])] batch (conj batch))))

(deftest products-as-steps
  (are [expected expression] (= expected (product expression))
    '[[n 5 3] ([0 [3 1]] [0 [5 1]] [0 [5 1]])]
    '[:matmul x y]
    '[[3 3 n] ([0 [1 3]] [0 [3 1]] [0 [3 1]])]
    '[:matmul [:transpose x] x]
    '[[[:- n 1] 5 3] ([3 [3 1]] [0 [5 1]] [0 [5 1]])]
    '[:matmul [:slice {:axis 0 :start 1} x] y]
    '[[n 2 3] ([0 [3 1]] [1 [5 1]] [0 [2 1]])]
    '[:matmul x [:slice {:axis 1 :start 1 :stop 3} y]]
    '[[[:* 2 n] 5 3] ([0 [3 1]] [0 [5 1]] [0 [5 1]])]
    '[:matmul t y]
    '[[n 5 3] ([0 [3 1]] [0 [5 1]] [0 [5 1]]) [{:extent 2 :a [:* 3 n] :b 15 :c [:* 5 n]}]]
    '[:matmul t r]
    '[[[:* 2 m n] 5 3] ([0 [3 1]] [0 [5 1]] [0 [5 1]])]
    '[:matmul s y]
    '[[m 5 3] ([0 [3 1]] [0 [5 1]] [0 [5 1]])
      [{:extent [:* 2 n] :a [:* 6 m] :b 0 :c [:* 5 m]}]]
    '[:matmul [:slice {:axis 2 :stop m} [:concatenate {:axis 2} s s]] y]
    '[[n n 3] ([0 [3 1]] [0 [1 3]] [0 [n 1]])
      [{:extent 7 :a [:* 3 n] :b 0 :c [:* 2 n n]} {:extent 2 :a 0 :b [:* 3 n] :c [:* n n]}]]
    '[:matmul b [:transpose {:axes [0 2 1]} t]]))
