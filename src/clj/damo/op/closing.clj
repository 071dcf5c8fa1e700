(ns damo.op.closing
  "From expressions to bodies: what a function of expressions gave for stand-ins becomes a graph of
  its own. It is cut where it mentions the stand-ins, and at the largest expressions that do not
  depend on them and are known only outside: those are captured, arguments more.
  (closed [(mul s (exp w))] [s]) = {:body … :captured [(exp w)]}. Of bodies of which one will run,
  what one alone needs is inside of it."
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

(defn- body-of
  "{:body :notes} of nodes `ids` of a graph, in order, its outputs `roots`, those at a `place` its
  parameters."
  [{:keys [notes] :as g} roots place ids]
  (let [b (graph/builder)
        emit! (fn [m id]
                (let [[op attrs & args] (graph/node-at g id), type (graph/type-of g id)]
                  (assoc m id (if-let [at (place id)]
                                (graph/add-node! b (body/param at type) type nil)
                                (graph/add-node! b (into [op attrs] (map m) args) type
                                                 (get notes id))))))
        emitted (reduce emit! {} ids)]
    (body/closed (graph/finish b (mapv emitted roots)))))

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
        place (into place (map-indexed (fn [k id] [id (+ k (count cuts))])) captured)]
    (assoc (body-of g roots place ids) :captured (mapv exprs captured))))

(defn leaf-besides
  "The first input, shared variable or parameter below an expression that is not below one for which
  (allowed? e), or nil."
  [allowed? e]
  (loop [todo [e], seen #{}]
    (when-let [x (peek todo)]
      (cond (or (seen x) (allowed? x)) (recur (pop todo) seen)
            (#{:input :shared :param} (expr/op-of x)) x
            :else (recur (into (pop todo) (expr/args-of x)) (conj seen x))))))

(defn- common
  "The ids that all the sets have."
  [sets]
  (let [[fewest & more] (sort-by count sets)]
    (into #{} (filter (fn [id] (every? #(contains? % id) more))) fewest)))

(defn cases
  "{:cases [{:body :notes} …] :captured}: for each of `results`, vectors of expressions of which one
  will be wanted, the body of these over what is captured, [expression …]. What all of them need is
  computed outside, and so is what `beside`, an expression, needs; everything else is inside, down
  to inputs, shared variables and parameters."
  [results beside]
  (let [{g :graph, :keys [id-of exprs]} (expr/to-graph (conj (into [] cat results) beside))
        roots (mapv #(mapv id-of %) results)
        below (fn [ids] (set (needed g ids (constantly false))))
        anyway (into (common (map below roots)) (below [(id-of beside)]))
        found (dependence g {})
        outside? (fn [id]
                   (let [[op _ of] (graph/node-at g id)]
                     (and (found id) (or (anyway id) (#{:input :shared :param} op)
                                         ;; arrays alone are arguments, no nodes of several results
                                         (and (= :part op) (anyway of))))))
        ids (mapv #(needed g % outside?) roots)
        captured (vec (sort (into #{} (comp cat (filter outside?)) ids)))
        place (zipmap captured (range))]
    {:cases (mapv #(body-of g %1 place %2) roots ids), :captured (mapv exprs captured)}))
