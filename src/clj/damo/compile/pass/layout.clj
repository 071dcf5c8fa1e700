(ns damo.compile.pass.layout
  "Where the elements of nodes lie: a view's in the memory of another node, by an offset and
  strides.
  And the pass that puts copies where a view cannot address its elements. (layouts g) by id,
  (materialize g) is a graph again."
  (:require [damo.compile.pass.products :as products]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

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

(defn- own-layout
  "The layout of a node that holds its elements, dense unless `strided`, {:offset :strides}."
  [id shape strided]
  (merge {:base id, :offset 0, :strides (array/strides shape), :map (vec (range (count shape)))}
         strided))

(defn- layout-through
  "The layout of a view node of that shape, given the one of its argument, of the shape `in`."
  [op attrs in shape {own :map, :as layout}]
  (let [step (when own (view-map op attrs in shape))]
    (assoc (merge layout (view-layout op attrs in shape layout))
           :map (when step (mapv #(when % (nth step %)) own)))))

(defn layouts
  "For each node, by id, {:base id, :offset dim, :strides [dim …], :map [position …]}; nil for those
  of several results. A view's base is the node that holds its elements. The map says, for simple
  views alone, which dim of the node each dim of the base is; nil for dims of extent 1. The nodes of
  :strided, {id {:offset :strides}}, do not lie densely."
  [{:keys [nodes strided] :as graph}]
  (let [found (object-array (count nodes))]
    (doseq [id (graph/live graph)
            :let [type (graph/type-of graph id)] :when (not (tuple/type? type))
            :let [[op attrs a] (nth nodes id), shape (type/shape-of type)]]
      (aset found (int id)
            (if (= :view (op/kind op))
              (layout-through op attrs (graph/shape-at graph a) shape (aget found (int a)))
              (own-layout id shape (get strided id)))))
    (vec found)))

;; ## Copies where a view cannot do
;; A writer {:b builder, :layouts volatile} remembers the layout of each node it adds, with its
;; :base. Its :scope is that of nodes that are added, 0 but inside of loops and branches; :scope-of,
;; a volatile, has those of nodes in others than 0, and :outer, a function of the scope and a node,
;; says where a copy of it is made.

(defn writer
  "A writer into the builder, in scope 0."
  [b]
  {:b b, :layouts (volatile! {}), :scope 0, :scope-of (volatile! {}), :outer (fn [scope _] scope)})

(defn- dense
  "The layout of a node in memory of its own; nil of one with several results, whose parts have
  that."
  [b id]
  (let [[_ shape :as type] (graph/node-type b id)]
    (when-not (tuple/type? type) {:offset 0, :strides (array/strides shape)})))

(defn- anywhere?
  "Is a node the same in all scopes? Leaves are, and what is computed where it is read."
  [[op]]
  (and (contains? #{:leaf :generate} (op/kind op)) (not= op :param)))

(defn add-laid-out!
  "Adds a node with that layout, dense when nil; returns its id."
  [{:keys [b layouts scope scope-of]} [op attrs :as node] args type note layout]
  (let [scope (if (anywhere? node) 0 scope)
        id (graph/add-scoped-node! b scope (into [op attrs] args) type note)
        layout (or layout (dense b id))]
    (when-not (zero? (long scope)) (vswap! scope-of assoc id scope))
    (vswap! layouts assoc id (when layout (merge {:base id} layout)))
    id))

(defn copied!
  "A copy of the node, in memory of its own."
  [{:keys [b scope outer] :as writer} id note]
  (add-laid-out! (assoc writer :scope (outer scope id)) [:copy {}] [id] (graph/node-type b id) note
                 nil))

(defn generated?
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

(defn dense!
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
      (let [of (@layouts a)]
        (some-> (view-layout op attrs in out of) (assoc :base (:base of)))))))

(defn- add-view! [writer [op attrs :as node] args type note]
  (let [out (type/shape-of type)]
    (if-let [layout (layout-of-view writer op attrs args out)]
      (add-laid-out! writer node args type note layout)
      (let [copy [(copied! writer (first args) note)]]
        (add-laid-out! writer node copy type note (layout-of-view writer op attrs copy out))))))

(defn- matrix-ok?
  "Does a product read a matrix of that shape and these strides where it lies? One of the last two
  is 1, or there is one row or column alone, and none is negative. Of others a copy and a product of
  that take less time, measured."
  [shape strides]
  (and (not-any? type/negative? strides)
       (boolean (some #{1} (concat (take-last 2 shape) (take-last 2 strides))))))

(defn- unwidened!
  "What a matrix is converted from, when a product takes that: the same views of it. Else nil."
  [{:keys [b] :as writer} id note]
  (let [[op attrs & args] (graph/node b id)
        type (graph/node-type b id)
        from (when (= 1 (count args)) (graph/node-type b (first args)))]
    (cond (and (= :cast op) (products/widens? (type/dtype-of type) (type/dtype-of from)))
          (first args)
          (= :view (op/kind op))
          (when-let [source (unwidened! writer (first args) note)]
            (add-view! writer [op attrs] [source]
                       [(type/dtype-of (graph/node-type b source)) (type/shape-of type)] note)))))

(defn- product-operands
  "The arguments of a product, copied where it cannot take them: matrices by their strides; factors
  and the addend where they do not lie densely from the beginning of their memory. Elements of
  smaller dtypes are widened by the product."
  [{:keys [b layouts] :as writer} args note]
  (let [leaf? #(= :leaf (op/kind (graph/op-of (graph/node b %))))
        usable? #(and (matrix-ok? (type/shape-of (graph/node-type b %)) (:strides (@layouts %)))
                      (not (generated? b %)))
        stored (fn [id] (let [from (unwidened! writer id note)]
                          (if (and from (usable? from)) from id)))]
    (into (mapv #(if (leaf? %) % (dense! writer % note)) (drop-last 2 args))
          (map #(if (usable? %) % (copied! writer % note)))
          (map stored (take-last 2 args)))))

(defn add-materialized!
  "Adds a node, its arguments copied where it could not read them; returns its id."
  [writer [op :as node] args type note]
  (case (op/kind op)
    :view (add-view! writer node args type note)
    :contract (add-laid-out! writer node
                             (if (apply products/step? type (map #(graph/node-type (:b writer) %)
                                                                 args))
                               (product-operands writer args note)
                               args)
                             type note nil)
    :gather (add-laid-out! writer node (update args 0 #(in-memory! writer % note)) type note nil)
    (add-laid-out! writer node (if (or (op/on-host? op) (= :routine (op/kind op)))
                                (mapv #(dense! writer % note) args)
                                args)
                   type note nil)))

(defn- requires?
  "Does a view, or one that it shows, require something of dims? It must stay to be checked."
  [b id]
  (let [[op attrs a] (graph/node b id)]
    (and (= :view (op/kind op))
         (or (seq (failing/requirements op attrs [(graph/node-type b a)])) (recur b a)))))

(defn- shown
  "The node of whose memory an output is another view of all, in its order; nil where it is none."
  [{:keys [b layouts]} id]
  (let [{:keys [base] :as layout} (@layouts id), [_ shape] (graph/node-type b id)]
    (when (and base (not (requires? b id))
               (= (dense b id) (select-keys layout [:offset :strides]))
               (= (type/size shape) (type/size (type/shape-of (graph/node-type b base)))))
      base)))

(defn- own-outputs
  "The outputs, each in memory of its own: an output that shows all of what is computed in another
  shape is that, behind other views, leaves and repeated outputs comes a copy."
  [{:keys [b] :as writer} outputs]
  (let [kind #(op/kind (graph/op-of (graph/node b %)))
        own? #(not (#{:view :leaf :generate} (kind %)))
        taken? (fn [done id] (some #{id} done))]
    (reduce (fn [done id]
              (let [base (when-not (own? id) (shown writer id))]
                (conj done (cond (and (own? id) (not (taken? done id))) id
                                 (and base (own? base) (not= :part (kind base))
                                      (not (taken? (into done outputs) base))) base
                                 :else (graph/add-node! b [:copy {:output (count done)} id]
                                                        (graph/node-type b id)
                                                        (graph/note b id))))))
            [] outputs)))

(defn- types-shown
  "{position type} of the outputs whose nodes have another one."
  [b outputs nodes]
  (into {} (keep-indexed (fn [k [id node]]
                           (let [type (graph/node-type b id)]
                             (when (not= type (graph/node-type b node)) [k type])))
                         (map vector outputs nodes))))

(defn materialize
  "The graph with a :copy before every view that cannot address its elements (a reshape of a
  transposed matrix), before operands of products whose strides BLAS cannot take, before generated
  values that are gathered from, and behind outputs that are leaves, views or output twice. What
  lies in graphs that nodes hold is left to damo.compile.pass.flat."
  [graph]
  (let [{:keys [b] :as writer} (writer (graph/builder))
        ids (graph/sweep! graph (fn [_ node args type note]
                                  (add-materialized! writer node args type note)))
        outputs (mapv ids (:outputs graph)), own (own-outputs writer outputs)
        shown (not-empty (merge (types-shown b outputs own) (:shown graph)))
        {done :graph} (graph/swept b graph ids own)]
    (cond-> done (not= shown (:shown done)) (assoc :shown shown))))
