(ns damo.compile.pass
  "Whole-graph passes between the rules and the schedule: composites expanded, indices checked,
  copies where a view cannot address its elements. Graph in, graph out. After `prepare` every node
  is a primitive that the schedule knows."
  (:require [damo.compile.pass.layout :as layout]
            [damo.compile.pass.parts :as parts]
            [damo.data.graph :as graph]
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
  [{:keys [axis]}]
  [1 (inc (count axis))])

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
                (let [checked (with-checked-indices! b attrs (indexed-range attrs) args note)]
                  (graph/keep-node! b node checked type note)))))

(defn prepare
  "A graph of primitives, ready for the schedule; see the namespace."
  [graph]
  (-> graph counted/keep-binders expand parts/alone widen check-indices parts/united
      layout/materialize))
