(ns damo.laws.regions
  "Random parts of graphs put into the nodes of their results: a graph with :apply nodes, some of
  them in others, that means what it did. (outlined g 7) of a graph; (graph recipe) and (gradients
  recipe) as damo.laws.graphs has them."
  (:require [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.laws.graphs :as graphs]
            [damo.meaning.counted :as counted]
            [damo.op.body :as body])
  (:import [java.util Random TreeSet]))

(set! *warn-on-reflection* true)

(defn- movable?
  "May the node stand in a body below others? What it counts may be mentioned outside."
  [g id]
  (and (not (#{:input :shared} (graph/op-at g id)))
       (empty? (counted/counted-by g id))))

(defn- array? [g id] (not (tuple/type? (graph/type-of g id))))

(defn- part
  "Some of the nodes that node `root` needs, itself the last: each argument with a chance of 2 in 3,
  parts of a node of several results with that node."
  [g root ^Random random]
  (let [found (doto (TreeSet.) (.add root))]
    (loop [id root]
      (when id
        (doseq [a (graph/args-at g id)
                :when (or (not (array? g a))
                          (and (movable? g a) (every? #(or (array? g %) (movable? g %))
                                                      (graph/args-at g a))
                               (< (.nextInt random 3) 2)))]
          (.add found a))
        (recur (.lower found id))))
    (set found)))

(defn- body-of
  "The body of the nodes `roots`, over `outside`, the nodes that it mentions besides `inside`."
  [g roots inside outside]
  (let [b (graph/builder), place (zipmap outside (range))
        emit! (fn [ids id]
                (let [[op attrs & args] (graph/node-at g id), type (graph/type-of g id)
                      node (if-let [at (place id)]
                             (body/param at type)
                             (into [op attrs] (map ids) args))]
                  (assoc ids id (graph/add-node! b node type nil))))
        ids (reduce emit! {} (sort (concat inside outside)))]
    (:body (body/closed (graph/finish b (mapv ids roots))))))

(defn- with-leaves
  "A builder with the leaves of a graph: one that nothing needs may yet tell a dimension."
  [{:keys [nodes types]}]
  (let [b (graph/builder)]
    (doseq [[node type] (map vector nodes types) :when (#{:input :shared} (graph/op-of node))]
      (graph/add-node! b node type nil))
    b))

(defn- holder!
  "{root id}: the ids of the results of a new node that holds a body, an array or parts of several."
  [b body roots args]
  (let [type (body/output-type body), node (into [:apply {:body body}] args)
        id (graph/add-node! b node type nil)]
    (if (= 1 (count roots))
      {(first roots) id}
      (into {} (map-indexed (fn [at root]
                              [root (graph/add-node! b [:part {:at at} id]
                                                     (nth (tuple/types type) at) nil)]))
            roots))))

(defn outlined-at
  "The graph with the node `root`, these nodes below it and, for whoever uses them later, `more` of
  them, as the results of one :apply node."
  [g root inside more]
  (let [outside (vec (sort (remove inside (distinct (mapcat #(graph/args-at g %) inside)))))
        roots (into [root] more), b (with-leaves g), now (volatile! {})
        body (body-of g roots inside outside)
        _ (graph/sweep! g (fn [id node _ type note]
                            (vswap! now merge
                                    (if (= id root)
                                      (holder! b body roots (map @now outside))
                                      {id (graph/keep-node! b node (map @now (graph/args-of node))
                                                            type note)}))
                            (@now id)))]
    (graph/finish b (mapv @now (:outputs g)) (mapv @now (:keep g)))))

(defn outlined
  "The graph with three random parts of it, one after the other, in nodes."
  [g seed]
  (let [random (Random. seed)]
    (nth (iterate (fn [g]
                    (let [roots (filterv #(and (seq (graph/args-at g %))
                                               (every? (partial array? g)
                                                       (cons % (graph/args-at g %))))
                                         (graph/live g))]
                      (if (empty? roots)
                        g
                        (let [root (nth roots (.nextInt random (count roots)))
                              inside (part g root random)
                              others (filterv #(array? g %) (sort (disj inside root)))]
                          (outlined-at g root inside (take (.nextInt random 3) others))))))
                  g)
         3)))

(defn- in-regions [{:keys [graph] :as made} recipe]
  (assoc made :graph (outlined graph (hash recipe))))

(defn graph
  "As graphs/graph, parts of it in nodes."
  [recipe]
  (in-regions (graphs/graph recipe) recipe))

(defn gradients
  "As graphs/gradients, parts of it, derivatives too, in nodes."
  [recipe]
  (in-regions (graphs/gradients recipe) recipe))

(defn held
  "How many nodes of a graph hold one, those in others included."
  [{:keys [nodes]}]
  (reduce + (for [[op attrs] nodes, [_ g] (body/graphs op attrs)] (inc (held g)))))
