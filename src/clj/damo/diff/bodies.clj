(ns damo.diff.bodies
  "Derivatives of bodies, as bodies: of the parameters of what is differentiated and, behind them,
  of the gradients of its outputs or the tangents of its parameters. Bodies and positions in, bodies
  out. (lop body [0] 2) is the gradient by parameter 0 for a gradient that is parameter 2."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- gradient-type [[dtype shape]] [(type/float-of dtype) shape])

(defn- with-params
  "[graph ids]: the graph with parameters at these positions, {position type}, and their ids, in
  order of positions."
  [g types]
  (let [b (graph/builder), _ (graph/load-graph! b g)
        ids (mapv (fn [[at type]] (graph/add-node! b (body/param at type) type nil)) (sort types))]
    [(graph/finish b (:outputs g)) ids]))

(defn- from
  "{position type}: these types at positions from `start` on."
  [start types]
  (zipmap (iterate inc start) types))

(defn- result [g ids] (:body (body/closed (assoc g :outputs ids, :notes {}))))

(defn lop
  "The body of the gradients by the parameters at the positions `wrt`, which the body mentions, for
  gradients of its outputs that are parameters from position `start` on. What does not depend on a
  parameter has the gradient 0."
  [{:keys [outputs] :as g} wrt start]
  (let [g (body/opened g nil), params (body/params g)
        [g by] (with-params g (select-keys params wrt))
        by (zipmap (sort wrt) by)
        [g seeds] (with-params g (from start (map #(gradient-type (graph/type-of g %)) outputs)))
        {g :graph, :keys [grads]} (diff/lop g outputs seeds (mapv by wrt) {:disconnected :ignore})]
    (result g grads)))

(defn rop
  "The body of the tangents of the outputs of a body, for tangents of its parameters at the
  positions `wrt`, which it mentions, that are parameters from position `start` on."
  [{:keys [outputs] :as g} wrt start]
  (let [g (body/opened g nil), params (body/params g)
        [g by] (with-params g (select-keys params wrt))
        by (zipmap (sort wrt) by)
        [g seeds] (with-params g (from start (map (comp gradient-type params) wrt)))
        {g :graph, :keys [grads]} (diff/rop g outputs (mapv by wrt) seeds {:disconnected :ignore})]
    (result g grads)))
