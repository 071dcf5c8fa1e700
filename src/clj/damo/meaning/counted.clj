(ns damo.meaning.counted
  "Counted dimensions: dims whose value an op finds while a call runs, such as the number of true
  elements of a mask. The entry of such an op has :counts with :dims, a function of a node that
  gives {dim largest-value}; the node's :as names the dim. Here: which nodes of a graph count, and
  an order of the nodes in which every dim is counted before it is mentioned.
  (binders g) = [{:id 3, :dim k, :max n}]"
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn names
  "The symbols of the dims that an op with these attributes counts."
  [{:keys [as]}]
  (filter symbol? (if (map? as) (vals as) [as])))

(declare binders)

(defn- without-inner
  "A bound d with the bound of a dim that a graph inside counts in the place of that dim; nil where
  none is known."
  [d {:keys [dim max]}]
  (let [more (when d (type/substitute {dim (type/dim+ dim 1)} d))]
    (cond (= d more) d
          (and max (type/at-most? d more)) (type/substitute {dim max} d)
          (type/at-most? more d) (type/substitute {dim 0} d))))

(defn counted-by
  "What node `id` counts, itself or, as axes of its result, in a graph that it runs: [{:id :dim
  :max} …], for most nodes empty. :as may also be a dim that is no symbol, such as 3, and then is
  only checked."
  [g id]
  (let [[op attrs & args] (graph/node-at g id), {:keys [counts graphs]} (op/entry op)
        inner (when graphs (mapcat binders (body/run-graphs op attrs)))]
    (concat (when counts
              (for [[dim largest] ((:dims counts) {:attrs attrs
                                                   :types (mapv #(graph/type-of g %) args)})
                    :when (symbol? dim)]
                {:id id, :dim dim, :max (reduce without-inner largest inner)}))
            (when graphs
              (for [binder inner
                    :when (some #(some #{(:dim binder)} (type/shape-of %))
                                (tuple/types (graph/type-of g id)))]
                (assoc binder :id id))))))

(defn binders
  "The live nodes that count, in order: [{:id :dim :max} …]."
  [g]
  (into [] (mapcat #(counted-by g %)) (graph/live g)))

(defn counts?
  "Does a node of a graph, or of a graph that it runs, count?"
  [{:keys [nodes]}]
  (boolean (some (fn [[op attrs]] (or (and (:counts (op/entry op)) (seq (names attrs)))
                                      (some counts? (body/run-graphs op attrs))))
                 nodes)))

(defn clashes
  "The dims that nodes of one graph count of different arguments, a set; those in the graphs that it
  runs included. Names of such dims are made of arguments, and parameters of different bodies may
  have one number."
  [g]
  (into (into #{} (for [[dim found] (group-by :dim (binders g))
                        :when (apply not= (map #(graph/args-at g (:id %)) found))]
                    dim))
        (mapcat (fn [id] (mapcat clashes (body/run-graphs (graph/op-at g id)
                                                          (graph/attrs-at g id)))))
        (graph/live g)))

(declare mentions)

(defn- mentioned-inside
  "The symbols of dims in a graph, but for those that it counts."
  [g]
  (reduce disj (into #{} (mapcat #(mentions g %)) (graph/live g)) (map :dim (binders g))))

(defn mentions
  "The symbols of dims in the type and the attributes of a node, graphs that it runs included; of a
  leaf in its type."
  [g id]
  (let [op (graph/op-at g id), attrs (graph/attrs-at g id)]
    (-> (type/symbols (graph/type-of g id))
        (into (mapcat type/dim-symbols) (op/dims-in op attrs (delay (graph/types-at g id))))
        (into (mapcat mentioned-inside) (body/run-graphs op attrs)))))

;; ## Order

(defn- cone
  "A binder with the :nodes that it needs, itself last, and the counted dims that these mention."
  [g counted {:keys [id] :as binder}]
  (let [nodes (graph/live g [id])]
    (assoc binder :nodes nodes
           :needs (into #{} (comp (remove #{id}) (mapcat #(mentions g %)) (filter counted))
                        nodes))))

(defn- sorted-cones
  "The binders in an order in which each needs only dims that those before it count."
  [g binders]
  (loop [waiting (map #(cone g (set (map :dim binders)) %) binders), done [], known #{}]
    (if (empty? waiting)
      done
      (let [{:keys [id] :as chosen} (first (filter #(every? known (:needs %)) waiting))
            of-node? #(= id (:id %))]
        (when-not chosen
          (fail! :damo.counted/circular-count
                 (str "the dimension " (:dim (first waiting)) " is needed before it is counted; "
                      "give the ops that count dimensions different names :as")
                 {:dims (mapv :dim waiting)}))
        (recur (remove of-node? waiting) (conj done chosen)
               (into known (comp (filter of-node?) (map :dim)) waiting))))))

(defn order
  "The live ids in an order in which arguments and counted dims come first; `graph/live` where
  nothing is counted."
  [g]
  (let [live (graph/live g), found (binders g)]
    (if (empty? found)
      live
      (vec (distinct (concat (mapcat :nodes (sorted-cones g found)) live))))))

(defn counting
  "{id {:dim :max}} of the nodes that bind a dim: of several that count one, the first; the others
  are checked against it. `known` are the dims that inputs tell."
  [g known]
  (reduce (fn [m {:keys [id dim] :as binder}]
            (if (or (known dim) (some #(= dim (:dim %)) (vals m)))
              m
              (assoc m id (select-keys binder [:dim :max]))))
          {} (mapcat #(counted-by g %) (order g))))

(defn needs
  "{id #{binder …}}: the nodes that must have counted before node `id` can run, besides its
  arguments; nil where nothing is counted."
  [g]
  (when (seq (binders g))
    (let [ids (order g)
          by-dim (into {} (map (juxt :dim :id)) (rseq (vec (mapcat #(counted-by g %) ids))))]
      (reduce (fn [m id]
                (assoc m id (disj (into (into #{} (keep by-dim) (mentions g id))
                                        (mapcat m) (graph/args-of (nth (:nodes g) id)))
                                  id)))
              {} ids))))

;; ## Dims that are values of inputs

(defn- input-below
  "The name of the input that a node is, converted or not; nil of others."
  [{:keys [nodes] :as g} id]
  (let [[op {:keys [name]} arg] (nth nodes id)]
    (cond (= :input op) name
          (and (= :cast op) (type/int-dtype? (type/dtype-of (graph/type-of g arg))))
          (recur g arg))))

(defn valued
  "{dim input}: the dims that nodes count and that are but the value of an input, named, which is
  known before anything is computed."
  [g]
  (into (sorted-map)
        (for [{:keys [id dim max]} (binders g)
              :let [[op _ & args] (graph/node-at g id)
                    {{:keys [value-of]} :counts} (op/entry op)
                    input (when (and value-of (nil? max)) (input-below g (nth args value-of)))]
              :when input]
          [dim input])))

;; ## Keeping binders alive
;; A rule may find that the elements of a mask are not needed, but only how many are true.

(defn keep-binders
  "The graph with every live node that counts under :keep, so that no pass drops it; so are the
  graphs in it."
  [g]
  (let [g (body/inside keep-binders g)]
    (if-let [found (seq (binders g))]
      (update g :keep (fn [kept] (vec (distinct (concat kept (map :id found))))))
      g)))

(defn- uncounted
  "The binders, of `found`, of the dims that the nodes below `id` mention and do not count."
  [g found id]
  (let [below (graph/live g [id])
        counted (into #{} (comp (mapcat #(counted-by g %)) (map :dim)) below)
        mentioned (into #{} (mapcat #(mentions g %)) below)]
    (vals (into {} (comp (remove (comp counted :dim)) (filter (comp mentioned :dim))
                         (map (juxt :dim identity)))
                (rseq found)))))

(defn tied
  "{:graph g' :ids ids'}: the nodes `ids` of a graph, each with the nodes that count the dims it
  mentions below it: a gradient of ones of the shape [k] needs no element of x[mask], and must yet
  be able to tell k. The ids of other nodes stay. (with! b id counting) ties them, by default by
  `counted-with`, of which only what counts is left, under :keep, and nothing in a body."
  ([g ids] (tied g ids (fn [b id counting]
                         (op/emit! b :counted-with {} [(op/->Id id) (op/->Id counting)] nil))))
  ([g ids with!]
   (let [found (binders g)]
     (if (empty? found)
       {:graph g, :ids ids}
       (let [b (graph/builder)
             array (fn [id] (if (tuple/type? (graph/node-type b id))
                              (op/emit! b :part {:at 0} [(op/->Id id)] nil)
                              id))
             tie (fn [id {binder :id}] (with! b id (array binder)))]
         (graph/load-graph! b g)
         (let [ids (mapv #(reduce tie % (uncounted g found %)) ids)]
           {:graph (graph/finish b (:outputs g) (:keep g)), :ids ids}))))))

(defn- kept-for
  "The ids of the nodes that count what the outputs of a graph need, besides what is `known`."
  [{:keys [outputs] :as g} known]
  (let [by-dim (group-by :dim (binders g))
        needed (fn [ids] (into #{} (comp (mapcat #(mentions g %)) (remove known)
                                         (keep #(:id (first (by-dim %)))))
                               (graph/live g ids)))]
    (loop [kept #{}]
      (let [more (into kept (needed (into (vec outputs) kept)))]
        (if (= more kept) (vec (sort kept)) (recur more))))))

(defn only-needed
  "The graph that keeps only the nodes that count what its outputs need, and so the graphs in it;
  `known` are the dims that inputs tell."
  [g known]
  (let [g (body/inside #(only-needed % known) g)]
    (cond-> g (seq (:keep g)) (assoc :keep (kept-for g known)))))
