(ns damo.laws.orders-test
  "Laws over the registry: second derivatives agree three ways and with finite differences,
  Jacobians agree by rows and by columns, derivatives keep narrow dtypes, and every op works on a
  batch."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.laws.modes :as modes]
            [damo.laws.orders :as orders]
            [damo.laws.precision :as precision]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- names [pred]
  (sort (map :name (filter #(and (not (#{:leaf :part} (:kind %))) (pred %)) (vals @op/registry)))))

(deftest second-derivatives-and-jacobians-of-every-op
  (doseq [op (names modes/differentiable?)]
    (is (empty? (orders/problems-of op)) (str op))))

(deftest derivatives-in-narrow-dtypes-of-every-op
  (doseq [op (names modes/differentiable?)]
    (is (empty? (precision/problems-of op)) (str op))))

(deftest every-op-on-a-batch
  (doseq [op (names any?)]
    (is (empty? (orders/batch-problems-of op 2)) (str op))))

(deftest most-ops-on-a-batch-of-any-size
  (is (empty? (take 1 (mapcat #(orders/batch-problems-of % 'b)
                              [:add :where :sum :matmul :dot :take :inc-at :concatenate :slice
                               :reshape :transpose :broadcast-to :softmax :var])))))

(deftest the-laws-notice
  (testing "a wrong second derivative, a wrong way on a batch"
    (let [wrong (fn [op change check]
                  (let [entry (op/entry op)]
                    (try (op/register! (change entry)) (doall (check))
                         (finally (op/register! entry)))))
          {:keys [graph env]} (gens/graph (gens/case :tanh :f64 3 1))]
      (is (seq (wrong :tanh #(assoc % :partials [[:sub 1 [:zero-grad [:sqr '?out]]]])
                      #(orders/second-order-disagreements graph env 1))))
      (is (seq (wrong :expand-dims #(assoc-in % [:attrs :axis :is] :data)
                      #(orders/batch-problems-of :expand-dims 2)))))))
