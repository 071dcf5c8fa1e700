(ns damo.pass
  "Whole-graph passes between the rules and the schedule: composites expanded, indices checked, copies where a view cannot
  address its elements. Graph in, graph out. After `prepare` every node is a primitive that the schedule knows."
  (:require [damo.graph :as graph]
            [damo.op :as op]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn sweep
  "A graph made anew, node by node: (emit-node b id node arg-ids note) returns the new id of each live node."
  [{:keys [nodes outputs notes] :as graph} emit-node]
  (let [b (graph/builder)
        ids (reduce (fn [ids id]
                      (let [node (nodes id)]
                        (assoc ids id (emit-node b id node (mapv ids (graph/args-of node)) (notes id)))))
                    {} (graph/live graph))]
    (graph/prune (graph/finish b (mapv ids outputs)))))

(defn- keep-node! [b node args note]
  (graph/add-node! b (into [(graph/op-of node) (graph/attrs-of node)] args) note))

;; ## Composites

(defn expansion
  "The template that replaces a node before scheduling, or nil when the node is a primitive."
  [op attrs types type]
  (when-let [expand (:expand (op/entry op))]
    (expand {:attrs attrs, :types types, :type type})))

(declare expand-node!)

(defn- expanding-emit [b note]
  (fn [op attrs args]
    (let [ctx (op/builder-context b note)
          make (fn [op attrs args type]
                 (op/->Id (expand-node! b op attrs (mapv op/id-of args) (assoc note :type type))))]
      (op/id-of (op/construct (assoc ctx :make make) op attrs args)))))

(defn- expand-node! [b op attrs args {:keys [type] :as note}]
  (let [types (mapv #(graph/node-type b %) args)]
    (if-let [template (expansion op attrs types type)]
      (op/instantiate! (expanding-emit b (dissoc note :type)) (op/bindings op args) template)
      (graph/add-node! b (into [op attrs] args) note))))

(defn expand
  "The graph with every composite op replaced by the ops that define it."
  [graph]
  (sweep graph (fn [b _ [op attrs] args note] (expand-node! b op attrs args note))))

;; ## Indices

(defn- checked-index [{:keys [axis]} [x-shape _]]
  (let [extent (nth x-shape axis)]
    [:check-index {:extent extent}
     [:where [:lt (quote ?i) 0] [:add (quote ?i) [:dim {:dim extent}]] (quote ?i)]]))

(defn check-indices
  "The graph with the index operand of every gather and scatter wrapped: negative ones count from the end, then a check."
  [graph]
  (sweep graph
         (fn [b _ [op attrs :as node] [x i & more :as args] note]
           (if (and (#{:gather :scatter} (op/kind op))
                    (not= :check (op/kind (graph/op-of (graph/node b i)))))
             (let [shapes (mapv #(type/shape-of (graph/node-type b %)) args)
                   template (checked-index attrs shapes)
                   i (op/instantiate! (op/emitter b (dissoc note :type)) {'?i i} template)]
               (keep-node! b node (into [x i] more) note))
             (keep-node! b node args note)))))

;; ## Layouts

(defn row-major
  "The strides, in elements, of a dense row-major array of that shape."
  [shape]
  (vec (reverse (butlast (reductions type/dim* 1 (reverse shape))))))

(defn view-layout
  "The layout {:offset dim :strides [dim …]} of a view node over the layout of its argument; nil when it has none."
  [op attrs in-shape out-shape layout]
  ((:view (op/entry op)) attrs in-shape out-shape layout))

;; A view is simple when it only permutes, adds, drops or stretches dims. Its map gives, for each dim of the argument, the position
;; of that dim in the view, or nil for a dim of extent 1. Probing the layout function with symbolic strides finds it for
;; any view op.

(defn- dim-position [out strides d stride]
  (when (not= d 1)
    (first (keep-indexed (fn [k s] (when (and (= s stride) (= d (nth out k))) k)) strides))))

(defn view-map
  "The map of a simple view (see above); nil when the view is not simple."
  [op attrs in out]
  (let [probe (mapv #(symbol (str "stride." %)) (range (count in)))
        {:keys [offset strides]} (view-layout op attrs in out {:offset 0, :strides probe})]
    (when (and strides (= 0 offset))
      (let [positions (mapv #(dim-position out strides %1 %2) in probe)]
        (when (every? true? (map #(or (= 1 %1) (some? %2)) in positions))
          positions)))))

(defn layouts
  "A map from id to {:base id, :offset dim, :strides [dim …]} for each node: a view's base is the node that holds its elements."
  [{:keys [nodes] :as graph}]
  (reduce (fn [m id]
            (let [[op attrs a] (nodes id), shape (type/shape-of (graph/type-of graph id))]
              (assoc m id (if (= :view (op/kind op))
                            (let [parent (m a)]
                              (merge parent
                                     (view-layout op attrs (type/shape-of (graph/type-of graph a)) shape parent)))
                            {:base id, :offset 0, :strides (row-major shape)}))))
          {} (graph/live graph)))

(defn- copy! [b id note]
  (op/emit! b :copy {} [(op/->Id id)] (dissoc note :type)))

(defn- matrix-ok?
  "Can BLAS take a matrix with these strides? One of the last two must be 1, and none 0."
  [strides]
  (let [last-two (take-last 2 strides)]
    (and (some #{1} last-two) (not-any? #{0} last-two))))

(defn- generated?
  "Does a chain of views end in a node that is computed where it is read?"
  [b id]
  (let [[op attrs a] (graph/node b id)]
    (case (op/kind op)
      :view (recur b a)
      :generate true
      :leaf (= [] (type/shape-of (:type attrs)))
      false)))

(defn- view-of-new
  "The layout of a view about to be made; nil when its argument must be copied first."
  [b layouts op attrs [a] out]
  (let [in (type/shape-of (graph/node-type b a))]
    (when (or (not (generated? b a)) (view-map op attrs in out))
      (view-layout op attrs in out (layouts a)))))

(defn- product-operands
  "The arguments of a product, copied where BLAS cannot take them: factors by their strides; the addend and the factor of an
  accumulating product when they are views."
  [b layouts args copied!]
  (let [view? #(= :view (op/kind (graph/op-of (graph/node b %))))
        usable? #(and (matrix-ok? (:strides (layouts %))) (not (generated? b %)))]
    (into (mapv #(if (view? %) (copied! %) %) (drop-last 2 args))
          (map #(if (usable? %) % (copied! %)))
          (take-last 2 args))))

(defn materialize
  "The graph with a :copy before every view that cannot address its elements (a reshape of a transposed matrix), before
  operands of products whose strides BLAS cannot take, and behind outputs that are leaves, views or output twice."
  [graph]
  (let [b (graph/builder)
        layouts (volatile! {})
        layout! (fn [id layout] (vswap! layouts assoc id layout) id)
        dense #(hash-map :offset 0 :strides (row-major (type/shape-of (graph/node-type b %))))
        copied! (fn [id note] (let [c (copy! b id note)] (layout! c (dense c))))
        add! (fn [[op :as node] args note layout]
               (let [id (keep-node! b node args note)] (layout! id (or layout (dense id)))))
        node! (fn [[op attrs :as node] args {:keys [type] :as note}]
                (case (op/kind op)
                  :view (if-let [layout (view-of-new b @layouts op attrs args (type/shape-of type))]
                          (add! node args note layout)
                          (let [c (copied! (first args) note)]
                            (add! node [c] note (view-of-new b @layouts op attrs [c] (type/shape-of type)))))
                  :contract (add! node (product-operands b @layouts args #(copied! % note)) note nil)
                  (add! node args note nil)))
        ids (reduce (fn [ids id]
                      (let [node ((:nodes graph) id)]
                        (assoc ids id (node! node (mapv ids (graph/args-of node)) ((:notes graph) id)))))
                    {} (graph/live graph))
        own? #(not (#{:view :leaf :generate} (op/kind (graph/op-of (graph/node b %)))))
        outputs (reduce (fn [outs id]
                          (conj outs (if (and (own? id) (not (some #{id} outs)))
                                       id
                                       (graph/add-node! b [:copy {:output (count outs)} id] (graph/note b id)))))
                        [] (map ids (:outputs graph)))]
    (graph/prune (graph/finish b outputs))))

(defn prepare
  "A graph of primitives, ready for the schedule; see the namespace."
  [graph]
  (-> graph expand check-indices materialize))
