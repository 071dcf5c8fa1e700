(ns damo.compile.pass.twins
  "Results of sparse matrices without what they are beside: a sparse-twin becomes its first argument
  before any rule looks at it, and what nobody computes is no longer there. Graph in, graph out."
  (:require [damo.data.graph :as graph]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- twin? [g id] (= :sparse-twin (graph/op-at g id)))

(defn- holds-twins?
  "Is a twin among the nodes of the graph, or of the graphs in them?"
  [{:keys [nodes]}]
  (some (fn [[op attrs]]
          (or (= :sparse-twin op) (some (comp holds-twins? second) (body/graphs op attrs))))
        nodes))

(defn without
  "The graph, and those in its nodes, with the first argument of each twin in its place; itself
  where there are none."
  [graph]
  (if (holds-twins? graph)
    (body/sweep graph twin? (fn [_ _ [fast] _ _] fast))
    graph))
