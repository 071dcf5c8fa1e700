(ns damo.laws.regions
  "Random parts of graphs put into the nodes of their results: a graph with :apply nodes, some of
  them in others, that means what it did. (outlined g 7) of a graph; (graph recipe) and (gradients
  recipe) as damo.laws.graphs has them."
  (:require [damo.data.graph :as graph]
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

(defn- part
  "Some of the nodes that node `root` needs, itself the last: each argument with a chance of 2 in
  3."
  [g root ^Random random]
  (let [found (doto (TreeSet.) (.add root))]
    (loop [id root]
      (when id
        (doseq [a (graph/args-at g id) :when (and (movable? g a) (< (.nextInt random 3) 2))]
          (.add found a))
        (recur (.lower found id))))
    (set found)))

(defn- body-of
  "The body of node `root`, over `outside`, the nodes that it mentions besides `inside`."
  [g root inside outside]
  (let [b (graph/builder), place (zipmap outside (range))
        emit! (fn [ids id]
                (let [[op attrs & args] (graph/node-at g id), type (graph/type-of g id)
                      node (if-let [at (place id)]
                             (body/param at type)
                             (into [op attrs] (map ids) args))]
                  (assoc ids id (graph/add-node! b node type nil))))
        ids (reduce emit! {} (sort (concat inside outside)))]
    (:body (body/closed (graph/finish b [(ids root)])))))

(defn- with-leaves
  "A builder with the leaves of a graph: one that nothing needs may yet tell a dimension."
  [{:keys [nodes types]}]
  (let [b (graph/builder)]
    (doseq [[node type] (map vector nodes types) :when (#{:input :shared} (graph/op-of node))]
      (graph/add-node! b node type nil))
    b))

(defn outlined-at
  "The graph with the node `root` and these nodes below it in one :apply node."
  [g root inside]
  (let [outside (vec (sort (remove inside (distinct (mapcat #(graph/args-at g %) inside)))))
        body (body-of g root inside outside), b (with-leaves g), now (volatile! {})
        ids (graph/sweep! g (fn [id node args type note]
                              (let [new-id (if (= id root)
                                             (graph/add-node! b (into [:apply {:body body}]
                                                                      (map @now) outside)
                                                              type note)
                                             (graph/keep-node! b node args type note))]
                                (vswap! now assoc id new-id)
                                new-id)))]
    (graph/finish b (mapv ids (:outputs g)) (mapv ids (:keep g)))))

(defn outlined
  "The graph with three random parts of it, one after the other, in nodes."
  [g seed]
  (let [random (Random. seed)]
    (nth (iterate (fn [g]
                    (let [roots (filterv #(seq (graph/args-at g %)) (graph/live g))]
                      (if (empty? roots)
                        g
                        (let [root (nth roots (.nextInt random (count roots)))]
                          (outlined-at g root (part g root random))))))
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
