(ns damo.compile.pass
  "Whole-graph passes between the rules and the schedule: composites expanded, indices checked,
  copies where a view cannot address its elements. Graph in, graph out. After `prepare` every node
  is a primitive that the schedule knows."
  (:require [damo.compile.pass.parts :as parts]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

;; ## Composites

(declare expand-node!)

(defn- expanding-emit [b note]
  (fn [op attrs args]
    (let [ctx (op/builder-context b note)
          make (fn [op attrs args type]
                 (op/->Id (expand-node! b op attrs (mapv op/id-of args) type note)))]
      (op/id-of (op/construct (assoc ctx :make make) op attrs args)))))

(defn- expand-node! [b op attrs args type note]
  (let [types (mapv #(graph/node-type b %) args)]
    (if-let [template (op/expansion op attrs types type)]
      (op/instantiate-over! (expanding-emit b (update note :part-of #(or % op)))
                            (op/bindings op args) template)
      (or (when (= :part (op/kind op)) (whole/of-tuple b attrs args))
          (graph/add-node! b (into [op attrs] args) type note)))))

(defn- keeping-arrays
  "The graph with what counts among the results of kept tuples kept in their place."
  [{kept :keep :as g}]
  (let [tuple? #(= :tuple (op/kind (graph/op-at g %)))]
    (if (some tuple? kept)
      (graph/prune (update (counted/keep-binders g) :keep #(filterv (complement tuple?) %)))
      g)))

(defn expand
  "The graph with every composite op replaced by the ops that define it; their notes have the op
  that they are :part-of."
  [graph]
  (keeping-arrays
   (body/sweep graph
               (fn [g id] (let [{:keys [expand kind]} (op/entry (graph/op-at g id))]
                            (or expand (= :part kind))))
               (fn [b [op attrs] args type note] (expand-node! b op attrs args type note)))))

;; ## Graphs in nodes

(defn inlines?
  "Has the graph a node that `inline` replaces?"
  [graph]
  (whole/inlines? graph (constantly true)))

(defn inline
  "The graph with the body of each node of the kind :region in its place."
  [graph]
  (graph/prune (:graph (whole/inlined graph (constantly true)))))

(defn inline-unlasting
  "The same for those nodes that do not last while the rules run."
  [graph]
  (let [wanted? #(not (:lasts (op/entry %)))]
    (if (whole/inlines? graph wanted?)
      (graph/prune (:graph (whole/inlined graph wanted?)))
      graph)))

;; ## Storage dtypes

(defn widen
  "The graph with products and additions at indices of storage dtypes computed in :f32: the library
  has no other floats, and sums of many terms need more digits."
  [graph]
  (body/sweep graph
              (fn [g id] (and (#{:contract :scatter} (op/kind (graph/op-at g id)))
                              (some #(type/storage-dtype? (type/dtype-of (graph/type-of g %)))
                                    (graph/args-at g id))))
              (fn [b [op attrs] args type note]
                (->> (op/widened op attrs (mapv #(graph/node-type b %) args) type)
                     (op/instantiate-over! (op/emitter b note) (op/bindings op args))))))

;; ## Indices

(defn- indexed-range
  "The arguments of a gather or scatter that are indices, [from to)."
  [op args]
  (case (op/kind op)
    :gather [1 (count args)]
    :scatter [1 (dec (count args))]))

(defn- check-template [extent]
  [:check-index {:extent extent}
   [:where [:lt '?i 0] [:add '?i [:dim {:dim extent}]] '?i]])

(defn- checked-index!
  "The index array `i`, counted from the front and checked against the extent."
  [b note i extent]
  (if (= :check (op/kind (graph/op-of (graph/node b i))))
    i
    (op/instantiate-over! (op/emitter b note) {'?i i} (check-template extent))))

(defn- with-checked-indices! [b {:keys [axis]} [from to] args note]
  (let [shape (type/shape-of (graph/node-type b (first args)))]
    (into [] (map-indexed (fn [k a]
                            (if (< (dec from) k to)
                              (checked-index! b note a (nth shape (axis (- k from))))
                              a)))
          args)))

(defn check-indices
  "The graph with every index operand of gathers and scatters wrapped: negative ones count from the
  end, then a check."
  [graph]
  (body/sweep graph
              (fn [g id] (#{:gather :scatter} (op/kind (graph/op-at g id))))
              (fn [b [op attrs :as node] args type note]
                (let [checked (with-checked-indices! b attrs (indexed-range op args) args note)]
                  (graph/keep-node! b node checked type note)))))

;; ## Layouts

(defn view-layout
  "The layout {:offset dim :strides [dim …]} of a view node over the layout of its argument; nil
  when it has none."
  [op attrs in-shape out-shape layout]
  ((:view (op/entry op)) attrs in-shape out-shape layout))

;; A view is simple when it only permutes, adds, drops or stretches dims. Its map gives, for each
;; dim of the argument, the position of that dim in the view, or nil for a dim of extent 1. Probing
;; the layout function with symbolic strides finds it for any view op.

(defn- dim-position [out strides d stride]
  (when (not= d 1)
    (first (keep-indexed (fn [k s] (when (and (= s stride) (= d (nth out k))) k)) strides))))

(defn view-map
  "The map of a simple view (see above); nil when the view is not simple."
  [op attrs in out]
  (let [probe (mapv #(symbol "damo.stride" (str %)) (range (count in)))
        {:keys [offset strides]} (view-layout op attrs in out {:offset 0, :strides probe})]
    (when (and strides (= 0 offset))
      (let [positions (mapv #(dim-position out strides %1 %2) in probe)]
        (when (every? true? (map #(or (= 1 %1) (some? %2)) in positions))
          positions)))))

(defn- own-layout [id shape]
  {:base id, :offset 0, :strides (array/strides shape), :map (vec (range (count shape)))})

(defn- layout-through
  "The layout of a view node of that shape, given the one of its argument, of the shape `in`."
  [op attrs in shape {own :map, :as layout}]
  (let [step (when own (view-map op attrs in shape))]
    (assoc (merge layout (view-layout op attrs in shape layout))
           :map (when step (mapv #(when % (nth step %)) own)))))

(defn layouts
  "For each node, by id, {:base id, :offset dim, :strides [dim …], :map [position …]}; nil for those
  of several results. A view's base is the node that holds its elements. The map says, for simple
  views alone, which dim of the node each dim of the base is; nil for dims of extent 1."
  [{:keys [nodes] :as graph}]
  (let [found (object-array (count nodes))]
    (doseq [id (graph/live graph)
            :let [type (graph/type-of graph id)] :when (not (tuple/type? type))
            :let [[op attrs a] (nth nodes id), shape (type/shape-of type)]]
      (aset found (int id)
            (if (= :view (op/kind op))
              (layout-through op attrs (graph/shape-at graph a) shape (aget found (int a)))
              (own-layout id shape))))
    (vec found)))

;; ## Copies where a view cannot do
;; A writer {:b builder, :layouts volatile} remembers the layout of each node it adds.

(defn- dense
  "The layout of a node in memory of its own; nil of one with several results, whose parts have
  that."
  [b id]
  (let [[_ shape :as type] (graph/node-type b id)]
    (when-not (tuple/type? type) {:offset 0, :strides (array/strides shape)})))

(defn- add-laid-out!
  "Adds a node with that layout, dense when nil; returns its id."
  [{:keys [b layouts]} node args type note layout]
  (let [id (graph/keep-node! b node args type note)]
    (vswap! layouts assoc id (or layout (dense b id)))
    id))

(defn- copied! [{:keys [b layouts]} id note]
  (let [copy (op/emit! b :copy {} [(op/->Id id)] note)]
    (vswap! layouts assoc copy (dense b copy))
    copy))

(defn- generated?
  "Does a chain of views end in a node that is computed where it is read?"
  [b id]
  (let [[op attrs a] (graph/node b id)]
    (case (op/kind op)
      :view (recur b a)
      :generate true
      :leaf (and (= op :const) (= [] (type/shape-of (:type attrs))))
      false)))

(defn- in-memory!
  "The node, or a copy of it when it is computed where it is read: a gather addresses memory."
  [{:keys [b] :as writer} id note]
  (if (generated? b id) (copied! writer id note) id))

(defn- dense!
  "The node, or a copy of it when its elements do not lie one after the other from the beginning of
  its memory, as kernels of the application have them."
  [{:keys [b layouts] :as writer} id note]
  (if (and (not (generated? b id)) (= (dense b id) (select-keys (@layouts id) [:offset :strides])))
    id
    (copied! writer id note)))

(defn- layout-of-view
  "The layout of a view about to be made; nil when its argument must be copied first."
  [{:keys [b layouts]} op attrs [a] out]
  (let [in (type/shape-of (graph/node-type b a))]
    (when (or (not (generated? b a)) (view-map op attrs in out))
      (view-layout op attrs in out (@layouts a)))))

(defn- add-view! [writer [op attrs :as node] args type note]
  (let [out (type/shape-of type)]
    (if-let [layout (layout-of-view writer op attrs args out)]
      (add-laid-out! writer node args type note layout)
      (let [copy [(copied! writer (first args) note)]]
        (add-laid-out! writer node copy type note (layout-of-view writer op attrs copy out))))))

(defn- matrix-ok?
  "Can BLAS take a matrix with these strides? One of the last two must be 1, none of them 0, and
  none negative."
  [strides]
  (let [last-two (take-last 2 strides)]
    (and (some #{1} last-two) (not-any? #{0} last-two) (not-any? type/negative? strides))))

(defn- product-operands
  "The arguments of a product, copied where BLAS cannot take them: factors by their strides; the
  addend and the factor of an accumulating product when they are views."
  [{:keys [b layouts] :as writer} args note]
  (let [view? #(= :view (op/kind (graph/op-of (graph/node b %))))
        usable? #(and (matrix-ok? (:strides (@layouts %))) (not (generated? b %)))]
    (into (mapv #(if (view? %) (copied! writer % note) %) (drop-last 2 args))
          (map #(if (usable? %) % (copied! writer % note)))
          (take-last 2 args))))

(defn- add-materialized! [writer [op :as node] args type note]
  (case (op/kind op)
    :view (add-view! writer node args type note)
    :contract (add-laid-out! writer node (product-operands writer args note) type note nil)
    :gather (add-laid-out! writer node (update args 0 #(in-memory! writer % note)) type note nil)
    (add-laid-out! writer node (if (op/on-host? op) (mapv #(dense! writer % note) args) args)
                   type note nil)))

(defn- own-outputs
  "The outputs, each in memory of its own: behind leaves, views and repeated outputs comes a copy."
  [b outputs]
  (let [own? #(not (#{:view :leaf :generate} (op/kind (graph/op-of (graph/node b %)))))]
    (reduce (fn [done id]
              (conj done (if (and (own? id) (not (some #{id} done)))
                           id
                           (graph/add-node! b [:copy {:output (count done)} id]
                                            (graph/node-type b id) (graph/note b id)))))
            [] outputs)))

(defn materialize
  "The graph with a :copy before every view that cannot address its elements (a reshape of a
  transposed matrix), before operands of products whose strides BLAS cannot take, before generated
  values that are gathered from, and behind outputs that are leaves, views or output twice."
  [graph]
  (let [{:keys [b] :as writer} {:b (graph/builder), :layouts (volatile! {})}
        ids (graph/sweep! graph (fn [_ node args type note]
                                  (add-materialized! writer node args type note)))]
    (:graph (graph/swept b graph ids (own-outputs b (map ids (:outputs graph)))))))

(defn prepare
  "A graph of primitives, ready for the schedule; see the namespace."
  [graph]
  (-> graph counted/keep-binders expand parts/alone widen check-indices parts/united materialize))
