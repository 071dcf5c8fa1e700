(ns damo.compile.pass.flat
  "The graphs in loops and branches put into one table with the nodes around them. A node has a
  scope, a number, 0 outside of all bodies; a body's parameters are the arguments themselves, or
  rows that have places in the memory of others. (flattened g) = the graph itself where nothing
  holds a graph that is run, else g with more:
  :scope-of {id scope}, of those that are not in scope 0;
  :regions {scope-of-the-body region}, what damo.compile.pass.looped and branched say of each loop
  and branch, and :region-of {id region}, the same by its node;
  :memories {key memory}, what holds rows of several rounds, and :places {id place}: which nodes lie
  in it, or in rows of another node; :strided {id {:offset :strides}}, how, where not densely;
  :within {key id}, which memories lie where a node does."
  (:require [damo.compile.pass.branched :as branched]
            [damo.compile.pass.layout :as layout]
            [damo.compile.pass.looped :as looped]
            [damo.compile.pass.parts :as parts]
            [damo.compile.pass.scoped :as scoped]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- regions?
  "Does a node of the graph run a graph that it holds?"
  [g]
  (some #(contains? #{:loop :branch} (op/kind (graph/op-of %))) (:nodes g)))

(declare walk!)

(defn- emit!
  "The id of what becomes of a node of a graph, given `parts` of its nodes and the parameters."
  [writer {:keys [param parts] :as context} id [op attrs :as node] args type note]
  (let [region (fn [make!] (make! writer walk! {:node node, :args args, :type type, :note note
                                                :parts (set (keys (parts id)))}))]
    (case (op/kind op)
      :loop (region looped/loop!)
      :branch (region branched/branch!)
      :part (or (scoped/part! writer attrs args type note)
                (layout/add-laid-out! writer node args type note nil))
      (or (when (= :param op) (param (:at attrs)))
          (layout/add-materialized! writer node args type note)))))

(defn walk!
  "The vector of what becomes of the nodes of a graph that its outputs need, by id; `param` gives
  the ids of parameters."
  [writer g param]
  (let [context {:param param, :parts (parts/parts g)}, ids (object-array (count (:nodes g)))]
    (doseq [id (graph/live g) :let [node (graph/node-at g id)]]
      (aset ids (int id)
            (emit! writer context id node (mapv #(aget ids (int %)) (graph/args-of node))
                   (graph/type-of g id) (get-in g [:notes id]))))
    (scoped/keep! writer (map #(aget ids (int %)) (:keep g)))
    (vec ids)))

(defn flattened
  "The graph of one table; see the namespace."
  [{:keys [outputs dims bounds shown] :as g}]
  (if (regions? g)
    (let [writer (scoped/writer dims), ids (walk! writer g (constantly nil))
          outputs (scoped/own-outputs! writer (map ids outputs))]
      (assoc (scoped/finished writer outputs) :dims dims, :bounds bounds, :shown shown))
    g))
