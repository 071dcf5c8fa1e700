(ns damo.compile.pass.parts
  "Results of nodes that have several: such a node is left out where one result alone is used and an
  op gives that by itself, and made where several of its results are used, each by itself. The entry
  of its op says under :alone what its results are by themselves, a function of the node to a
  vector of templates, and the entry of one of those ops says under :beside which op has its result
  beside others. Graph in, graph out."
  (:require [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- part? [g id] (= :part (op/kind (graph/op-at g id))))

(defn parts
  "{id {at part-id}}: the live parts of the nodes of a graph that have several results."
  [g]
  (reduce (fn [m id]
            (let [[_ {:keys [at]} of] (graph/node-at g id)] (assoc-in m [of at] id)))
          {} (filter #(part? g %) (graph/live g))))

(defn- templates
  "What the results of a node of a builder, or one to be, are by themselves; nil where none is
  said."
  [b op attrs args]
  (when-let [alone (:alone (op/entry op))]
    (alone {:attrs attrs, :types (mapv #(graph/node-type b %) args)})))

;; ## One result alone

(defn- by-itself! [b [_ {:keys [at]} :as node] [of] type note]
  (let [[op attrs & args] (graph/node b of)]
    (if-let [template (get (templates b op attrs args) at)]
      (op/instantiate-over! (op/emitter b note) (op/bindings op args) template)
      (graph/keep-node! b node [of] type note))))

(defn alone
  "The graph, and those in its nodes, with the only part of a node that is used in the place of the
  node, where an op gives that result alone. A node that must stay, since it counts a dim, stays."
  [graph]
  (let [{kept :keep :as g} (body/inside alone graph)
        single (into #{} (for [[of by-place] (parts g)
                               :when (and (= 1 (count by-place)) (not (some #{of} kept)))]
                           (val (first by-place))))]
    (if (empty? single) g (graph/sweep g (fn [_ id] (single id)) by-itself!))))

;; ## Several results, each by itself

(defn- together
  "[op attrs args] of the node that has what node `id` of a graph is, or several results of it;
  nil."
  [g id]
  (let [[op attrs & args] (graph/node-at g id), {:keys [alone beside]} (op/entry op)]
    (cond alone [op attrs (vec args)]
          beside [beside attrs (vec args)])))

(defn- found
  "{id at} of the nodes of a graph that are results of this op by themselves; `b` holds the graph."
  [b live? [op attrs args]]
  (into {} (keep-indexed (fn [at template]
                           (when template
                             (let [id (op/instantiate-over! (op/emitter b nil)
                                                            (op/bindings op args) template)]
                               (when (and (live? id) (= args (graph/args-of (graph/node b id))))
                                [id at])))))
        (templates b op attrs args)))

(defn- plan
  "{id [[op attrs args] at]}: the nodes that become parts."
  [g]
  (let [b (graph/builder), live (graph/live g), parts (parts g)
        calls (into {} (keep (fn [id] (when-let [call (together g id)] [call id]))) live)]
    (when (seq calls)
      (graph/load-graph! b g)
      (into {} (for [[call id] calls
                     :let [singles (found b (set live) call)]
                     :when (< 1 (+ (count singles) (count (parts id))))
                     [single at] singles]
                 [single [call at]])))))

(defn united
  "The graph, and those in its nodes, with one node of several results in the place of those that
  compute one each."
  [graph]
  (let [g (body/inside united graph), planned (plan g)]
    (if (empty? planned)
      g
      (let [b (graph/builder)
            ids (graph/sweep!
                 g (fn [id node args type note]
                     (if-let [[[op attrs] at] (planned id)]
                       (let [both (op/emit! b op attrs (mapv op/->Id args) note)]
                         (op/emit! b :part {:at at} [(op/->Id both)] note))
                       (graph/keep-node! b node args type note))))]
        (:graph (graph/swept b g ids))))))
