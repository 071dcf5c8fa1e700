(ns damo.compile.sizes
  "Dims that are values, in terms of inputs: where a node binds a dim to arithmetic on dims and
  integer inputs, as it does when an expression has taken the place of an input, the dim is that,
  everywhere; the inputs are bound to dims of their own. (settled g) of [:bind-dim {:as k} [:mul 2
  m]] has [:* 2 m.value] in the place of k."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.move.bounds :as bounds]))

(set! *warn-on-reflection* true)

(defn- bound-value
  "The argument whose value the dim is that node `id` counts, nil of other nodes."
  [g id]
  (let [[op _ & args] (graph/node-at g id), {{:keys [value-of]} :counts} (op/entry op)]
    (when value-of (nth args value-of))))

(defn- with-inputs
  "The graph that keeps a node for each value of an input that a dim mentions and nothing counts."
  [{:keys [nodes] :as g} d binder]
  (let [counted (into #{} (map :dim) (counted/binders g))
        missing (for [[id [op attrs]] (map-indexed vector nodes) :when (= :input op)
                      :let [dim (bounds/value-dim attrs)]
                      :when (and dim (contains? (type/dim-symbols d) dim) (not (counted dim)))]
                  [binder {:as dim, :max nil} id])]
    (reduce (fn [g node]
              (-> g (update :keep (fnil conj []) (count (:nodes g)))
                  (update :nodes conj node) (update :types conj [:i64 []])))
            g missing)))

(defn- settle
  "The graph with the dim d in the place of the one that node `id` counts."
  [g {:keys [id dim]} d]
  (-> (whole/with-dims #(type/substitute {dim d} %) g)
      (assoc-in [:nodes id 1 :as] d)
      (with-inputs d (graph/op-at g id))))

(defn settled
  "The graph with the dims of inputs wherever a dim is arithmetic on these; see the namespace."
  [g]
  (let [found (filter #(and (nil? (:max %)) (bound-value g (:id %))) (counted/binders g))
        dims (when (seq found) (bounds/node-dims g))]
    (reduce (fn [g {:keys [id dim] :as binder}]
              (let [d (nth dims (bound-value g id))]
                (if (or (nil? d) (= d dim)) g (settle g binder d))))
            g found)))
