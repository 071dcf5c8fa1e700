(ns damo.op.closing
  "From expressions to bodies: what a function of expressions gave for stand-ins becomes a graph of
  its own. It is cut where it mentions the stand-ins, and at the largest expressions that do not
  depend on them and are known only outside: those are captured, arguments more.
  (closed [(mul s (exp w))] [s]) = {:body … :captured [(exp w)]}."
  (:require [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn- dependence
  "{id what} of the nodes of a graph: :inside for those above a cut, :outside for those that need
  something else from outside, nil for those that need nothing, such as constants."
  [{:keys [nodes]} cut?]
  (reduce (fn [found id]
            (let [[op _ & args] (nth nodes id), below (into #{} (keep found) args)]
              (cond (or (cut? id) (below :inside)) (assoc found id :inside)
                    (or (#{:input :shared :param} op) (below :outside)) (assoc found id :outside)
                    :else found)))
          {} (range (count nodes))))

(defn- needed
  "The ids that the roots need, down to those where `stop?` holds, in order."
  [{:keys [nodes]} roots stop?]
  (let [seen (java.util.TreeSet. ^java.util.Collection (vec roots))]
    (loop [id (when-not (.isEmpty seen) (.last seen))]
      (when id
        (when-not (stop? id) (.addAll seen ^java.util.Collection (graph/args-of (nth nodes id))))
        (recur (.lower seen id))))
    (vec seen)))

(defn closed
  "{:body :notes :captured}: the body of expressions, its outputs, over those of `cuts`, the first
  parameters in their order, and what is captured, [expression …], the parameters behind; the notes
  of its nodes."
  [results cuts]
  (let [{g :graph, :keys [id-of exprs]} (expr/to-graph (into (vec results) cuts))
        place (into {} (map-indexed (fn [at e] [(id-of e) at])) cuts)
        found (dependence g place), roots (mapv id-of results)
        outside? #(= :outside (found %))
        ids (needed g roots #(or (place %) (outside? %)))
        captured (filterv #(and (outside? %) (not (place %))) ids)
        place (into place (map-indexed (fn [k id] [id (+ k (count cuts))])) captured)
        b (graph/builder)
        emit! (fn [m id]
                (let [[op attrs & args] (graph/node-at g id), type (graph/type-of g id)]
                  (assoc m id (if-let [at (place id)]
                                (graph/add-node! b (body/param at type) type nil)
                                (graph/add-node! b (into [op attrs] (map m) args) type
                                                 (get-in g [:notes id]))))))
        emitted (reduce emit! {} ids)]
    (-> (body/closed (graph/finish b (mapv emitted roots)))
        (assoc :captured (mapv exprs captured)))))
