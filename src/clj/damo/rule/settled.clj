(ns damo.rule.settled
  "What sweeps over a graph find out for later ones. A rule that was tried on a node need not be
  tried again while nothing of the node has changed, nor of what is below it: their ops, and how
  many users each of them has. Between sweeps a graph may go through other passes; its nodes are
  known again by their structure.
  (tried (start (record …) graph live) 3 [1 2]) = the names of the rules to be passed over."
  (:require [clojure.set :as set]
            [damo.data.graph :as graph])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; ## Between sweeps

;; Of the graph that a sweep gave: how many users each node had, and which of the `sets` of names of
;; rules were tried on it, a bit for each; the bits that all nodes have; whether the sweep changed
;; nothing, and whether it folded constants.
(deftype Record [graph ^ints uses ^ints tried sets all calm? folded?])

(def ^:private most-sets "How many sets of names are told apart." 30)

(defn- names-of
  "The names of the rules of these bits."
  [sets bits]
  (into #{} (comp (keep-indexed (fn [i names] (when (bit-test bits i) names))) cat) sets))

(defn nothing-to-do?
  "Would a sweep with the rules of these names leave the graph as it is?"
  [^Record record graph names fold]
  (boolean (and record
                (identical? graph (.graph record))
                (.calm? record)
                (or (.folded? record) (not (true? fold)))
                (set/subset? names (names-of (.sets record) (.all record))))))

;; ## In a sweep

;; `before` has for each node of the graph the one of the record that it was, or -1; `users` how
;; many nodes and outputs use it; `steady` tells of which nothing has changed up to now, and `kept`
;; which bits hold on.
(deftype Sweep [^Record record ^ints before ^ints users ^booleans steady ^ints kept])

(defn- user-counts
  "How many nodes and outputs of a graph use each of its nodes."
  ^ints [{:keys [nodes outputs]} live]
  (let [counts (int-array (count nodes))
        used! (fn [id] (aset counts (int id) (inc (aget counts (int id)))))]
    (run! used! outputs)
    (run! #(run! used! (graph/args-of (nth nodes %))) live)
    counts))

(defn- numbered
  "A map from the nodes of a graph, as they are, to their ids."
  ^HashMap [{:keys [nodes]}]
  (let [ids (HashMap.)]
    (reduce (fn [id node] (.put ids node id) (inc (long id))) 0 nodes)
    ids))

(defn- nodes-before
  "For each node of a graph the node of the record that it was, -1 for others."
  ^ints [^Record record {:keys [nodes] :as graph} live]
  (let [before (int-array (count nodes) -1)]
    (cond (nil? record) nil
          (identical? graph (.graph record)) (run! #(aset before (int %) (int %)) live)
          :else (let [ids (numbered (.graph record))]
                  (doseq [id live :let [node (nth nodes id)]]
                    (aset before (int id)
                          (int (.getOrDefault ids (into (subvec node 0 2)
                                                        (map #(long (aget before (int %))))
                                                        (graph/args-of node))
                                              -1))))))
    before))

(defn start
  "What the record of earlier sweeps, or nil, tells of a graph with these live nodes."
  ^Sweep [record graph live]
  (let [n (count (:nodes graph))]
    (->Sweep record (nodes-before record graph live) (user-counts graph live)
             (boolean-array n) (int-array n))))

(defn users
  "How many nodes and outputs use node `id` of the graph."
  ^long [^Sweep sweep id]
  (aget ^ints (.users sweep) (int id)))

(defn tried
  "The bits of the sets whose rules need not be tried on node `id` with the arguments `args`."
  ^long [^Sweep sweep id args]
  (let [^booleans steady (.steady sweep), before (aget ^ints (.before sweep) (int id))]
    (if (and (<= 0 before) (every? #(aget steady (int %)) args))
      (let [bits (aget ^ints (.tried ^Record (.record sweep)) before)]
        (aset ^ints (.kept sweep) (int id) bits)
        bits)
      0)))

(defn names-tried
  "The names of the rules of these bits."
  [^Sweep sweep bits]
  (names-of (.sets ^Record (.record sweep)) bits))

(defn emitted!
  "Keeps what became of node `id`, of which `tried` was asked: is it as it was?"
  [^Sweep sweep id as-it-was?]
  (let [^ints kept (.kept sweep), id (int id)]
    (if as-it-was?
      (aset ^booleans (.steady sweep) id
            (boolean (and (not (zero? (aget kept id)))
                          (= (aget ^ints (.users sweep) id)
                             (aget ^ints (.uses ^Record (.record sweep))
                                   (aget ^ints (.before sweep) id))))))
      (aset kept id (int 0)))))

;; ## After it

(defn- with-set
  "[sets place]: these names among the sets, and where; nil when there are too many."
  [sets names]
  (let [i (.indexOf ^java.util.List sets names)]
    (cond (<= 0 i) [sets i]
          (< (count sets) (long most-sets)) [(conj sets names) (count sets)])))

(defn record
  "The record of a sweep with the rules of these names that made `graph`, or nil when it tells
  nothing: (ids id) is what became of a live node, nil where nothing needs that. Options: :complete,
  whether no rule was held back; :calm, whether the graph is as it was; :folded, whether constants
  were folded."
  [^Sweep sweep live ids graph names {:keys [complete calm folded]}]
  (let [^Record before (.record sweep), n (count (:nodes graph))]
    (when-let [[sets place] (with-set (if before (.sets before) []) names)]
      (let [own (if complete (bit-shift-left 1 (long place)) 0)
            uses (int-array n), tried (int-array n own)]
        (doseq [id live :let [to (ids id)] :when to]
          (aset uses (int to) (int (+ (aget uses (int to)) (users sweep id))))
          (aset tried (int to) (int (bit-or (aget tried (int to))
                                            (aget ^ints (.kept sweep) (int id))))))
        (->Record graph uses tried sets (areduce tried i all -1 (bit-and all (aget tried i)))
                  calm folded)))))
