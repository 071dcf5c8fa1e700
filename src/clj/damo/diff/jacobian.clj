(ns damo.diff.jacobian
  "Jacobians of graphs: one derivative, in reverse or forward mode, for a vector that is not known
  yet, then batched over the rows of an identity matrix. In: a graph and ids. Out: as damo.diff, the
  graph with the nodes added and the ids of the Jacobians.
  (jacobian g 5 [0] {}) for node 5 of shape [3] and node 0 of [n 2] is one node of shape [3 n 2]."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.diff.batch :as batch]
            [damo.diff.node :as node]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

;; ## Parts of both modes

(defn- with-placeholder
  "[graph' id]: the graph with a parameter added that stands for a vector in the place of node
  `id`."
  [graph id]
  (let [b (graph/builder), ids (graph/load-graph! b graph), id (ids id)
        type (node/gradient-type b id), at (symbol "damo.diff" (str "vector-of-" id))
        vector-id (graph/add-node! b (body/param at type) type nil)]
    [(graph/finish b (mapv ids (:outputs graph))) vector-id]))

(defn- identity-batch!
  "The unit vectors of that type, [n …] for n elements."
  [b from [dtype shape]]
  (let [n (type/size shape)]
    (node/emit-template! b from {}
                         [:reshape {:shape (into [n] shape)} [:eye {:n n, :dtype dtype}]])))

(defn- batched
  "[graph' ids]: the `results` of a graph, which are linear in the placeholder `at`, for each unit
  vector in its place; `n` of them, in front."
  [graph results at]
  (let [b (graph/builder), ids (graph/load-graph! b graph)
        results (mapv ids results), at (ids at)
        [_ shape :as type] (graph/node-type b at)
        rows (batch/batched b results {at (identity-batch! b at type)} (type/size shape))]
    [(graph/finish b (mapv ids (:outputs graph))) rows]))

(defn- emitted
  "[graph' ids]: the graph with a template added for each id, which it knows as ?x."
  [graph ids template-of]
  (let [b (graph/builder), moved (graph/load-graph! b graph)
        added (mapv (fn [k id]
                      (node/emit-template! b (moved id) {'?x (moved id)} (template-of k id)))
                    (range) ids)]
    [(graph/finish b (mapv moved (:outputs graph))) added]))

;; ## The modes

(defn- by-rows
  "[graph' ids]: gradients for each element of e, whose axes then replace the batch axis."
  [graph e wrt opts]
  (let [[graph at] (with-placeholder graph e)
        {:keys [graph grads]} (diff/lop graph [e] [at] wrt opts)
        [graph rows] (batched graph grads at)]
    (emitted graph rows
             (fn [k _]
               [:reshape {:shape (into (graph/shape-at graph e)
                                       (graph/shape-at graph (wrt k)))} '?x]))))

(defn- by-columns
  "[graph' ids]: tangents for each element of one wrt, whose axes go to the end."
  [graph e wrt opts]
  (let [[graph at] (with-placeholder graph wrt)
        {:keys [graph grads]} (diff/rop graph [e] [wrt] [at] opts)
        [graph columns] (batched graph grads at)
        order (conj (vec (range 1 (inc (count (graph/shape-at graph e))))) 0)
        dtype (type/dtype-of (graph/type-of graph at))]
    (emitted graph columns
             (fn [_ _] [:cast {:dtype dtype}
                        [:reshape {:shape (into (graph/shape-at graph e)
                                                (graph/shape-at graph wrt))}
                         [:transpose {:axes order} '?x]]]))))

;; ## Which mode

(defn- estimate
  "The number of elements of a shape; 64 stands for the extents that have names."
  [shape]
  (let [dim (type/size shape)]
    (type/dim-value (zipmap (type/dim-symbols dim) (repeat 64)) dim)))

(defn- mode-for [graph e wrt]
  (if (< (reduce + (map #(estimate (graph/shape-at graph %)) wrt))
         (estimate (graph/shape-at graph e)))
    :forward
    :reverse))

(defn jacobian
  "{:graph g' :grads [id …]}: the Jacobians of node e with respect to the nodes `wrt`, of the shape
  of e followed by that of the wrt. Options: :mode :reverse (one gradient an element of e) or
  :forward (one tangent an element of the wrts), by default the one with fewer;
  :consider-constant and :disconnected as in `damo.diff/grad`. Fails as that does."
  [graph e wrt {:keys [mode] :as opts}]
  (case (or mode (mode-for graph e wrt))
    :reverse (let [[graph ids] (by-rows graph e wrt opts)] {:graph graph, :grads ids})
    :forward (reduce (fn [{:keys [graph grads]} w]
                       (let [[graph [id]] (by-columns graph e w opts)]
                         {:graph graph, :grads (conj grads id)}))
                     {:graph graph, :grads []} wrt)
    (fail! ::bad-mode (str "the :mode of a Jacobian is :reverse or :forward; got " (pr-str mode))
           {:given mode})))
