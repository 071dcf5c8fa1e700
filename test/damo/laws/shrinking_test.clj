(ns damo.laws.shrinking-test
  "What is left of a graph with loops when something in a body of it is at fault."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.fuzz :as fuzz]
            [damo.laws.graphs :as graphs]
            [damo.laws.shrinking :as shrinking]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- inside
  "The ops in the graphs that nodes hold."
  [{:keys [nodes]}]
  (for [[holder attrs] nodes, [_ g] (body/graphs holder attrs)
        op (concat (map first (:nodes g)) (inside g))]
    op))

(defn- fails
  "As fuzz/replay, for a compiler that does wrong whatever has the op in a body."
  [op]
  (fn [{:keys [graph] :as f}]
    (when (some #{op} (inside graph)) (assoc f :different [[0 1 2]]))))

(defn- drawn
  "What fuzz/replay takes: a random graph with loops, and values."
  [recipe]
  (assoc (fuzz/pruned (graphs/graph (assoc recipe :holders true))) :updates {}, :mode :none
         :env (update-vals (graphs/env 1 '{n 3, m 2})
                           (fn [{:keys [dtype shape data]}] [[dtype shape] (vec data)]))))

(defn- shrunk
  "The first graph of a seed that has the op in a body, made small."
  [op seed]
  (with-redefs [fuzz/replay (fails op)]
    (let [found (first (keep (comp fuzz/replay drawn) (graphs/recipes 200 seed)))]
      (:graph (shrinking/of-graph found (+ (System/nanoTime) 20000000000))))))

(deftest what-is-at-fault-is-left
  (doseq [[op seed] [[:tanh 1] [:softplus 2] [:mean 3] [:concatenate 4] [:loop 5] [:matmul 6]]
          :let [{:keys [nodes] :as g} (shrunk op seed)]]
    (is (>= 5 (count (remove #(#{:part :const} (first %)) nodes))) (pr-str op g))
    (is (>= 7 (count (remove #{:const :part :param} (inside g)))) (pr-str op g))))
