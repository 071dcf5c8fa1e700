(ns damo.rule.oracle-test
  "The left sides of Damo's rules match what core.match says, and bind the same."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.data.graph :as graph]
            [damo.laws.rules.examples :as examples]
            [damo.rule :as rule]
            [damo.rule.oracle :as oracle]
            [damo.rule.pattern :as pattern]))

(set! *warn-on-reflection* true)

(defn- example-nodes
  "A builder with the nodes of both sides of all examples of these rules."
  [rules]
  (let [b (graph/builder)]
    (doseq [{:keys [types] rows :examples} rules, [left _ right] rows, form [left right]
            :when (vector? form)]
      (graph/load-graph! b (examples/example-graph types (examples/names-in form) form)))
    b))

(defn- bindings
  "What the names of a left side stand for at a node, or nil."
  [variants root]
  (some->> (some #(pattern/match % root) variants)
           (filter (comp symbol? key))
           (into {})))

(defn- disagreements
  "[lhs node damo's core.match's] where the two disagree, and how often they matched."
  [b lhs ids]
  (let [expected (oracle/matcher lhs), variants (pattern/variants lhs)
        found (for [id ids]
                [lhs (graph/node b id) (bindings variants (rule/view b id))
                 (expected (oracle/node b id))])]
    {:different (remove (fn [[_ _ x y]] (= x y)) found), :matched (count (keep peek found))}))

(deftest left-sides-mean-what-core-match-says
  (let [rules (filter (comp vector? :lhs) (modes/rules)), b (example-nodes rules)
        by-op (group-by #(graph/op-of (graph/node b %)) (range (graph/node-count b)))
        results (mapv #(disagreements b % (by-op (first %))) (distinct (map :lhs rules)))]
    (is (empty? (take 3 (mapcat :different results))))
    (testing "and nearly all of them match something here"
      (is (< 800 (reduce + (map :matched results))))
      (is (< 0.9 (/ (count (filter (comp pos? :matched) results)) (count results)))))))
