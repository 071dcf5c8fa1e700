(ns damo.op.body
  "Graphs as values. A body is a closed graph in an attribute of a node, {:nodes :types :outputs}:
  its leaves are [:param {:at k :type t}], which stand for the arguments of that node, and what
  needs nothing; what it mentions besides is an argument more. It is canonical, live nodes in the
  order in which the outputs need them, and has no notes: bodies that differ in names and in the
  order of writing alone are equal, and so are the nodes that hold them. Where its nodes come from
  stands in the note of the node that holds it, {:inner {[attribute …] {id note}}}.
  (:body (closed g)) makes one of a graph; (apply! body nil [3 5] emit!) puts it on two nodes."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.op.entry :as entry])
  (:import [java.util ArrayDeque]))

(set! *warn-on-reflection* true)

;; ## Parameters

(defn param
  "The node of the parameter at a position, of that type."
  [at type]
  [:param {:at at, :type type}])

(defn param?
  "Is a node a parameter?"
  [node]
  (= :param (graph/op-of node)))

(defn params
  "The types of the parameters that a body mentions, {position type}."
  [{:keys [nodes]}]
  (into (sorted-map) (comp (filter param?) (map graph/attrs-of) (map (juxt :at :type))) nodes))

(defn repositioned
  "The body with its parameters at other positions, a function of those they have."
  [body position]
  (update body :nodes
          (partial mapv #(if (param? %) (update-in % [1 :at] position) %))))

;; ## Closing

(defn- visit-order
  "The ids that the outputs of a graph and what is kept need, arguments first, in the order of the
  first mention."
  [{:keys [nodes outputs] kept :keep}]
  (let [seen (boolean-array (count nodes)), stack (ArrayDeque.), order (java.util.ArrayList.)]
    (doseq [id (rseq (into (vec outputs) kept))] (.push stack id))
    (while (not (.isEmpty stack))
      (let [id (.peek stack)
            todo (when-not (aget seen (int id))
                   (remove #(aget seen (int %)) (graph/args-of (nth nodes id))))]
        (cond (aget seen (int id)) (.pop stack)
              (seq todo) (doseq [a (reverse todo)] (.push stack a))
              :else (do (aset seen (int id) true) (.add order (.pop stack))))))
    (vec order)))

(defn closed
  "{:body :notes :now}: the canonical body of a graph whose leaves are parameters, the notes of its
  nodes, {id note}, and {id id'}, the number of each node now. Nodes that count dims and that only
  these need stand under :keep, as in other graphs."
  [{:keys [nodes types outputs notes] kept :keep :as graph}]
  (let [order (visit-order graph), now (zipmap order (range))]
    {:body (cond-> {:nodes (mapv (fn [id] (let [[op attrs & args] (nth nodes id)]
                                            (into [op attrs] (map now) args)))
                                 order)
                    :types (mapv #(get types %) order)
                    :outputs (mapv now outputs)}
             (seq kept) (assoc :keep (vec (sort (distinct (map now kept))))))
     :notes (into {} (keep (fn [id] (when-let [n (get notes id)] [(now id) n]))) order)
     :now now}))

(defn opened
  "The body as a graph with these notes, {id note}."
  [body notes]
  (assoc body :notes (or notes {})))

(defn check
  "The body, canonical; fails unless it is a closed graph."
  [body]
  (let [{:keys [nodes] :as graph} (graph/check body)]
    (when-let [leaf (first (filter #(#{:input :shared} (graph/op-of %)) nodes))]
      (fail! :damo.body/not-closed
             (str "a graph in an attribute mentions nothing from outside but its parameters; it has"
                  " the node " (pr-str leaf))
             {:node leaf}))
    (:body (closed graph))))

;; ## Types

(defn output-type
  "The type of what a body gives: that of its output, or of several."
  [{:keys [types outputs]}]
  (let [found (mapv types outputs)]
    (if (= 1 (count found)) (first found) (tuple/of found))))

(defn result-type
  "The type of what a body gives for arguments of these types; fails when they do not fit its
  parameters."
  [body arg-types]
  (doseq [[at type] (params body)]
    (when-not (= type (get arg-types at))
      (fail! :damo.body/wrong-argument
             (str "the body takes an argument " at " of type " (pr-str type) "; "
                  (if (< at (count arg-types))
                    (str "given is " (pr-str (nth arg-types at)))
                    (str "there are " (count arg-types) " arguments")))
             {:position at, :expected type, :given (get arg-types at)})))
  (output-type body))

;; ## Applying

(defn applied!
  "{:outputs :kept}, the ids of the outputs of a body and of what it keeps, as `apply!` has them."
  [body notes argument emit!]
  (let [ids (graph/sweep! (opened body notes)
                          (fn [_ node args type note]
                            (or (when (param? node) (argument (:at (graph/attrs-of node))))
                                (emit! node args type note))))]
    {:outputs (mapv ids (:outputs body)), :kept (mapv ids (:keep body))}))

(defn apply!
  "The ids of the outputs of a body, with these notes of its nodes, on arguments, a function from
  positions to ids: (emit! node argument-ids type note) gives the id of every other node, and of a
  parameter that has no argument."
  [body notes argument emit!]
  (:outputs (applied! body notes argument emit!)))

;; ## The graphs that a node holds

(defn- held [attrs k]
  (let [x (get attrs k)]
    (cond (map? x) [[[k] x]]
          (vector? x) (keep-indexed (fn [i g] (when (map? g) [[k i] g])) x))))

(defn graphs
  "The graphs in the attributes of a node of an op, [[path graph] …], a path being that of get-in;
  nil for most ops."
  [op attrs]
  (when-let [ks (:graphs (get @entry/registry op))]
    (mapcat #(held attrs %) ks)))

(defn run-graphs
  "Of `graphs` those that run when the node does; a derivative that is declared does not."
  [op attrs]
  (when-let [{:keys [graphs] schemas :attrs} (get @entry/registry op)]
    (mapcat #(when-not (:aside (schemas %)) (map second (held attrs %))) graphs)))

(defn with-graphs
  "The attributes of a node of an op with (f path graph) in the place of each graph in them."
  [op attrs f]
  (reduce (fn [attrs [path g]] (assoc-in attrs path (f path g))) attrs (graphs op attrs)))

(defn case-notes
  "The notes of the graphs in the :cases of a node, under :inner of its own; of what `closed` gave
  for each."
  [cases]
  (into {} (keep-indexed (fn [k {:keys [notes]}] (when (seq notes) [[:cases k] notes]))) cases))

;; ## Sweeps

(defn- with-swept
  "A node and its note, the graphs in it replaced by (f graph), which has their notes."
  [f [op attrs :as node] note]
  (reduce (fn [[node note] [path g]]
            (let [{:keys [body notes]} (closed (f (opened g (get-in note [:inner path]))))]
              [(assoc-in node (into [1] path) body)
               (if (seq notes) (assoc-in note [:inner path] notes) note)]))
          [node note] (graphs op attrs)))

(defn inside
  "The graph with the graphs in its nodes replaced by (f graph), the graph itself where that changes
  none."
  [f {:keys [nodes notes] :as graph}]
  (let [holders (filterv #(:graphs (get @entry/registry (graph/op-at graph %))) (graph/live graph))]
    (reduce (fn [g id]
              (let [[node note] (with-swept f (nodes id) (get notes id))]
                (if (= node (nodes id)) g (-> g (assoc-in [:nodes id] node)
                                              (assoc-in [:notes id] note)))))
            graph holders)))

(defn sweep
  "As graph/sweep, of the graph and of the graphs in its nodes, these first."
  [graph changes? change!]
  (graph/sweep graph changes? change!
               (partial inside (memoize #(sweep % changes? change!)))))

(defn way
  "The path in the attributes of a node that a step in a path of graphs stands for."
  [step]
  (if (vector? step) step [step]))

(defn step
  "The step for a path in the attributes of a node."
  [path]
  (if (= 1 (count path)) (first path) path))

(defn at
  "The graph that a path leads to from another one, [holder key …]: to the graph under a key of a
  node, or under [key position], and on in that."
  [graph path]
  (reduce (fn [g [holder step]]
            (let [k (way step), [op attrs] (get-in g [:nodes holder])]
              (or (some (fn [[path inner]] (when (= path k) inner)) (when op (graphs op attrs)))
                  (fail! :damo.body/no-such-graph
                         (str "the node " (pr-str holder) " holds no graph under " (pr-str step))
                         {:path path}))))
          graph (partition-all 2 path)))

(defn node-count
  "The number of nodes of a graph, those of the graphs in it included."
  [{:keys [nodes]}]
  (reduce (fn [n [op attrs]] (reduce + (inc n) (map (comp node-count second) (graphs op attrs))))
          0 nodes))
