(ns damo.data.graph
  "The graph: a flat table of interned nodes, plain EDN.
  {:nodes [[op attrs & argument-ids] …], :types [type …], :outputs [id …], :notes {id {:src …}}};
  arguments lie to the left, the types are those of the nodes, in their order, and notes tell where
  a node comes from: :name, :src, :part-of. A builder collects nodes inside one function; equal
  nodes get equal ids, so common subexpressions are found for free."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.file :as file])
  (:import [java.io PushbackReader]
           [java.util ArrayList HashMap]))

(set! *warn-on-reflection* true)

(defn op-of "The op of a node, a keyword." [node] (nth node 0))
(defn attrs-of "The attributes of a node, a map." [node] (nth node 1))
(defn args-of "The ids of the arguments of a node." [node] (subvec node 2))

(defn node-at
  "Node `id` of a graph."
  [graph id]
  (nth (:nodes graph) id))

(defn op-at "The op of node `id` of a graph." [graph id] (op-of (node-at graph id)))
(defn attrs-at "The attributes of node `id` of a graph." [graph id] (attrs-of (node-at graph id)))
(defn args-at "The ids of the arguments of node `id` of a graph." [graph id]
  (args-of (node-at graph id)))

(defn type-of
  "The type of node `id` of a graph."
  [graph id]
  (get (:types graph) id))

(defn shape-at
  "The shape of node `id` of a graph."
  [graph id]
  (nth (type-of graph id) 1))

(defn types-at
  "The types of the arguments of node `id` of a graph, and its own."
  [graph id]
  (conj (mapv #(type-of graph %) (args-at graph id)) (type-of graph id)))

;; ## Building

(deftype Builder [^ArrayList nodes ^HashMap ids ^ArrayList types ^ArrayList notes])

(defn builder
  "A new, empty builder; mutable, for use inside one function."
  ^damo.data.graph.Builder []
  (->Builder (ArrayList.) (HashMap.) (ArrayList.) (ArrayList.)))

(defn- interned!
  "The id of what lies under the key in the builder, a node, new or not."
  [^Builder b key node type note]
  (let [^HashMap ids (.ids b)]
    (if-some [id (.get ids key)]
      (long id)
      (let [id (.size ^ArrayList (.nodes b))]
        (.put ids key id)
        (.add ^ArrayList (.nodes b) node)
        (.add ^ArrayList (.types b) type)
        (.add ^ArrayList (.notes b) note)
        id))))

(defn add-node!
  "The id of the node [op attrs & args], of that type, in the builder, new or not; `note` is kept
  for a new one."
  ^long [^Builder b node type note]
  (long (interned! b node node type note)))

(defn add-scoped-node!
  "As `add-node!`, of a node that is equal to those of its scope alone, a number; 0 is that of
  `add-node!`."
  [^Builder b scope node type note]
  (interned! b (if (zero? (long scope)) node [scope node]) node type note))

(defn node "Node `id` of a builder." [^Builder b id] (.get ^ArrayList (.nodes b) (int id)))

(defn note "The note of node `id` of a builder." [^Builder b id]
  (.get ^ArrayList (.notes b) (int id)))

(defn add-note!
  "Merges more into the note of a node of a builder; what is there already stays."
  [^Builder b id more]
  (.set ^ArrayList (.notes b) (int id) (merge more (note b id))))

(defn node-type "The type of node `id` of a builder." [^Builder b id]
  (.get ^ArrayList (.types b) (int id)))

(defn node-count "The number of nodes of a builder." ^long [^Builder b]
  (.size ^ArrayList (.nodes b)))

(defn finish
  "The graph of a builder with these outputs, a vector of ids, and these ids under :keep."
  ([b outputs] (finish b outputs nil))
  ([^Builder b outputs kept]
   (cond-> {:nodes (vec (.nodes b))
            :types (vec (.types b))
            :outputs (vec outputs)
            :notes (into {} (keep-indexed (fn [id note] (when (seq note) [id note]))) (.notes b))}
     (seq kept) (assoc :keep (vec kept)))))

(defn structure-hash
  "A number that is equal for nodes of equal structure, of one or of several builders, whatever is
  told of their dims; linear in the nodes before `id`."
  [^Builder b id]
  (peek (reduce (fn [hashes [op attrs & args]]
                  (conj hashes (if (:told attrs)
                                 (hashes (first args))
                                 (hash [op attrs (map hashes args)]))))
                [] (.subList ^ArrayList (.nodes b) 0 (inc (int id))))))

(defn load-graph!
  "Adds every node of `graph` to the builder; returns the vector old id → new id."
  [b {:keys [nodes types notes]}]
  (reduce-kv (fn [ids id [op attrs & args]]
               (->> (add-node! b (into [op attrs] (map ids) args) (get types id) (get notes id))
                    (conj ids)))
             [] nodes))

;; ## Walking

(defn live
  "A sorted vector of the ids that the outputs need, themselves and those of :keep included. Linear,
  without recursion."
  ([graph] (live graph (concat (:outputs graph) (:keep graph))))
  ([{:keys [nodes]} roots]
   (let [seen (boolean-array (count nodes))]
     (doseq [r roots] (aset seen (int r) true))
     (loop [id (dec (count nodes))]
       (when (>= id 0)
         (when (aget seen id)
           (doseq [a (args-of (nth nodes id))] (aset seen (int a) true)))
         (recur (dec id))))
     (filterv #(aget seen (int %)) (range (count nodes))))))

(defn- renumbered
  "The graph of these ids alone, which are numbered anew, in their order."
  [{:keys [nodes types outputs notes] kept :keep} ids]
  (let [new-ids (int-array (count nodes))
        renumber #(long (aget new-ids (int %)))
        moved (fn [node] (into [(op-of node) (attrs-of node)] (map renumber) (args-of node)))]
    (dotimes [i (count ids)] (aset new-ids (int (nth ids i)) (int i)))
    (cond-> {:nodes (mapv #(moved (nth nodes %)) ids)
             :types (mapv #(get types %) ids)
             :outputs (mapv renumber outputs)
             :notes (into {} (keep (fn [id] (when-let [n (get notes id)] [(renumber id) n]))) ids)}
      (seq kept) (assoc :keep (mapv renumber kept)))))

(defn pruned
  "{:graph g' :now (fn [id] id')}: the graph without the nodes that neither an output nor :keep
  needs, numbered anew in their order, and the number of each now, nil for those left out. The graph
  itself where all are needed."
  [graph]
  (let [ids (live graph)]
    (if (= (count ids) (count (:nodes graph)))
      {:graph graph, :now identity}
      (let [now (delay (zipmap ids (range)))]
        {:graph (renumbered graph ids), :now #(@now %)}))))

(defn prune
  "The graph without the nodes that neither an output nor :keep needs, as `pruned` has it."
  [graph]
  (:graph (pruned graph)))

;; ## Sweeps
;; Every pass over a graph is one: its live nodes are emitted into a builder, arguments first.

(defn sweep!
  "The vector of what becomes of the nodes of a graph, ids in a builder, nil for those that nothing
  needs: (emit! id node argument-ids type note) gives the new id of each, arguments first."
  [{:keys [nodes types notes] :as graph} emit!]
  (let [ids (object-array (count nodes))]
    (doseq [id (live graph)]
      (let [node (nth nodes id)]
        (aset ids (int id) (emit! id node (mapv #(aget ids (int %)) (args-of node))
                                  (get types id) (get notes id)))))
    (vec ids)))

(defn- unchanged?
  "Did a sweep emit each node of the graph as it was, and nothing else?"
  [b {:keys [nodes]} ids]
  (and (= (count nodes) (node-count b))
       (every? #(and (= % (nth ids %)) (= (nth nodes %) (node b %))) (range (count nodes)))))

(defn swept
  "{:graph g' :now (fn [id] id')}: the graph of a builder after a sweep, `pruned`, with these
  outputs and what became of :keep; `graph` itself where the sweep changed nothing."
  ([b graph ids] (swept b graph ids (mapv ids (:outputs graph))))
  ([b graph ids outputs]
   (let [kept (mapv ids (:keep graph))]
     (if (and (= outputs (:outputs graph))
              (= kept (vec (:keep graph)))
              (unchanged? b graph ids))
       {:graph graph, :now identity}
       (pruned (finish b outputs kept))))))

(defn keep-node!
  "Emits a node of a sweep into a builder as it is, on new arguments; returns its id."
  [b [op attrs] args type note]
  (add-node! b (into [op attrs] args) type note))

(defn sweep
  "The graph with what (change! b node argument-ids type note) gives, an id, in the place of each
  node for which (changes? graph id) holds, without what nothing needs; the graph itself where
  nothing changes. (inside graph) is the graph with what changes in attributes, ids as they are."
  ([graph changes? change!] (sweep graph changes? change! identity))
  ([graph changes? change! inside]
   (let [graph' (inside graph), changing (into #{} (filter #(changes? graph' %)) (live graph'))]
     (if (and (empty? changing) (identical? graph graph'))
       (prune graph)
       (let [b (builder)]
         (->> (fn [id node args type note]
                ((if (changing id) change! keep-node!) b node args type note))
              (sweep! graph')
              (swept b graph')
              :graph))))))

(defn users
  "A map from id to the vector of ids of live nodes that take it as an argument (once for each
  use)."
  [{:keys [nodes] :as graph}]
  (reduce (fn [m id] (reduce (fn [m a] (update m a (fnil conj []) id)) m (args-of (nth nodes id))))
          {} (live graph)))

;; ## Checking

(defn- window [nodes id]
  (vec (for [i (range (max 0 (- id 2)) (min (count nodes) (+ id 3)))] [i (nth nodes i)])))

(defn- node-problem [nodes id]
  (let [node (nth nodes id)]
    (cond
      (not (and (vector? node) (<= 2 (count node)))) "is not a vector [op attrs & argument-ids]"
      (not (keyword? (op-of node))) "has no op keyword in front"
      (not (map? (attrs-of node))) "has no attribute map in second place"
      :else (when-let [a (first (remove #(and (integer? %) (<= 0 %) (< % id)) (args-of node)))]
              (if (and (integer? a) (<= id a))
                (str "refers forward to " a " (to itself, or in a cycle)")
                (str "has the argument " (pr-str a) ", which is no id to its left"))))))

(defn- types-from-notes
  "A graph as it was written before types were a column, with those of its notes under :types."
  [{:keys [nodes types notes] :as graph}]
  (if (and (vector? nodes) (nil? types) (map? notes) (some :type (filter map? (vals notes))))
    (assoc graph
           :types (mapv #(get-in notes [% :type]) (range (count nodes)))
           :notes (into {} (keep (fn [[id note]] (when-let [n (not-empty (dissoc note :type))]
                                                   [id n])))
                        notes))
    graph))

(defn check
  "The graph itself, or one written before types were a column as graphs are now; fails on the first
  node that is malformed or refers forward, with its neighbours in :window. Types are checked by
  damo.op.whole/check-types, which knows the ops."
  [{:keys [nodes types outputs notes] :as graph}]
  (when-not (and (map? graph) (vector? nodes) (vector? outputs) (or (nil? notes) (map? notes)))
    (fail! :damo.graph/bad-graph
           "a graph is a map with the vectors :nodes and :outputs, and a map :notes"
      {:given (type graph)}))
  (when-not (or (nil? types) (and (vector? types) (= (count types) (count nodes))))
    (fail! :damo.graph/bad-graph
           (str "the :types of a graph are a vector with one for each node; there are "
                (count nodes) " nodes")
           {:given (type types)}))
  (dotimes [id (count nodes)]
    (when-let [problem (node-problem nodes id)]
      (fail! :damo.graph/bad-node
             (str "node " id " " problem ": " (pr-str (nth nodes id)) "; around it: "
              (pr-str (window nodes id)))
             {:id id, :node (nth nodes id), :window (window nodes id)})))
  (doseq [o outputs]
    (when-not (and (integer? o) (< -1 o (count nodes)))
      (fail! :damo.graph/bad-output
             (str "the output " (pr-str o) " is no node: there are " (count nodes))
        {:output o})))
  (types-from-notes graph))

;; ## Files

(defn write-graph
  "Writes a graph as EDN text to `file`, whole or not at all; returns the file."
  [file graph]
  (check graph)
  (file/write-whole! file
                     (fn [out]
                       (let [w (io/writer out)]
                         (binding [*out* w, *print-length* nil, *print-level* nil, *print-meta*
                                   false, *print-namespace-maps* false]
                           (prn graph))
                         (.flush w)))))

(defn read-edn
  "The one EDN form of a file; never evaluates anything. Fails with the file's name when it is not
  exactly one form."
  [file]
  (with-open [r (PushbackReader. (try (io/reader file)
                                      (catch java.io.IOException e
                                        (file/failed! file "read" e))))]
    (let [opts {:eof ::eof}
          [form more] (try [(edn/read opts r) (edn/read opts r)]
                           (catch RuntimeException e
                             (fail! :damo.graph/not-edn (str file " is not EDN: " (ex-message e))
                               {:file (str file)} e)))]
      (when-not (and (= more ::eof) (not= form ::eof))
        (fail! :damo.graph/not-edn (str file " must hold exactly one EDN form") {:file (str file)}))
      form)))

(defn read-graph
  "The graph in `file`, checked for form; never evaluates anything."
  [file]
  (check (read-edn file)))
