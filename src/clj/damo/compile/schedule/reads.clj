(ns damo.compile.schedule.reads
  "What the nodes of a prepared graph are to the schedule, which dims they iterate over, and what
  they read, through views or not. (domain g id) = [n 3]; (reading g layouts id) = {:base id :map
  [1 0]}."
  (:require [damo.compile.pass.products :as products]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.indexing :as indexing]))

(set! *warn-on-reflection* true)

(defn kind "The kind of a node's op." [g id] (op/kind (graph/op-at g id)))

(defn role
  "What a node is to the schedule: :inline (computed where it is read), :view, :memory (a leaf),
  :loop, :call, :own, :host (run by a kernel of the application), :routine (of a library), :part (of
  a node of several results), or :region (a node whose body is in the same table)."
  [g id]
  (case (if (op/on-host? (graph/op-at g id)) :host (kind g id))
    :host :host
    :routine :routine
    (:elementwise :reduce :arg-reduce :check :guard :require :gather) :loop
    :view :view
    :part :part
    (:loop :branch) :region
    :generate :inline
    :leaf (if (and (= :const (graph/op-at g id)) (empty? (graph/shape-at g id))) :inline :memory)
    :contract (if (products/call? g id) :call :own)
    :own))

(defn domain
  "The dims that a loop node iterates over: those of its argument for reductions, of itself
  otherwise."
  [g id]
  (graph/shape-at g (if (#{:reduce :arg-reduce} (kind g id)) (first (graph/args-at g id)) id)))

;; ## Reading through views
;; A reading says how the dims of the node that holds the elements follow from the dims of the node
;; that is read: a vector with a position, or nil for a dim of extent 1. It exists when the views
;; between only permute, add, drop or stretch dims.

(defn reading
  "{:base id :map [position …]} for reading node `id`, through simple views; the base is `id` itself
  when there are none. When a view is not simple the :map is nil: the elements of its base must lie
  in memory."
  [g layouts id]
  (or (nth layouts id) {:base id, :map (vec (range (count (graph/shape-at g id))))}))

(defn- aligned
  "Positions in a domain of that rank for each dim of an operand, right-aligned as broadcasting has
  it; nil for stretched dims."
  [operand-shape domain-shape]
  (let [shift (- (count domain-shape) (count operand-shape))]
    (vec (map-indexed (fn [k d]
                       (when-not (and (= d 1) (not= 1 (nth domain-shape (+ k shift)))) (+ k shift)))
                      operand-shape))))

(defn index-rank
  "The number of axes that the index arrays of a gather broadcast to."
  [g id]
  (let [[_ _ _ & indices] (graph/node-at g id)]
    (reduce max (map #(count (graph/shape-at g %)) indices))))

(defn- index-positions
  "Positions in the domain of a gather for each dim of an index array of that shape."
  [g id own]
  (let [{:keys [axis]} (graph/attrs-at g id), rank (index-rank g id)
        at (indexing/place axis)]
    (mapv #(when % (+ at %)) (aligned own (subvec (domain g id) at (+ at rank))))))

(defn operand-positions
  "For each argument of a loop node: the positions in its domain of the argument's dims, or nil when
  it is read at random."
  [g id]
  (let [[_ _ & args] (graph/node-at g id)
        dom (domain g id)]
    (case (kind g id)
      :part [(vec (range (count dom)))]
      (:elementwise :check :guard :require) (mapv #(aligned (graph/shape-at g %) dom) args)
      (:reduce :arg-reduce) [(vec (range (count dom)))]
      :gather (into [nil] (map #(index-positions g id (graph/shape-at g %))) (rest args)))))

(defn reads
  "What a loop node reads: a seq of {:base id :map positions-in-domain-or-nil}."
  [g {:keys [layouts roles positions]} id]
  (map (fn [a positions]
         (if (= :part (nth roles id))
           {:base a, :map positions}
           (let [{:keys [base map]} (reading g layouts a)]
             {:base base
              :map (when (and map positions) (mapv #(when % (nth positions %)) map))})))
       (graph/args-at g id)
       (nth positions id)))
