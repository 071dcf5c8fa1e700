(ns damo.diff.loop.bodies
  "Bodies of loops of which the parameters are known by names until all are there: tokens, such as
  [:sum 2], in the places of positions. In: a builder with such parameters. Out: a body with
  positions, and which token each position is.
  (closed b [9] {} [0 1] (constantly nil)) = {:body … :notes … :tokens [0 1 [:sum 2]]}."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

(defn opened!
  "Adds the nodes of a body, with their notes, to a builder; returns the ids of its outputs."
  [b body notes]
  (mapv (graph/load-graph! b (body/opened body notes)) (:outputs body)))

(defn- same
  "The token, equal numbers being equal to Java too."
  [token]
  (if (integer? token) (long token) token))

(defn param!
  "The id of the parameter with that token, of that type, in a builder."
  [b token type]
  (graph/add-node! b (body/param (same token) type) type nil))

(defn params
  "{token id} of the parameters of a builder."
  [b]
  (into {} (keep (fn [id] (let [[_ {:keys [at]} :as own] (graph/node b id)]
                            (when (body/param? own) [at id]))))
        (range (graph/node-count b))))

(defn- positioned!
  "The id of the parameter for a token in builder `to`, at the next position where it is new."
  [to ^HashMap positions token type]
  (let [at (or (.get positions (same token))
               (let [n (long (.size positions))] (.put positions (same token) n) n))]
    (graph/add-node! to (body/param at type) type nil)))

(defn- of-loop?
  "Is a node a result of a loop?"
  [b id]
  (let [[op _ from] (graph/node b id)]
    (and (= :part (op/kind op)) (= :loop (op/kind (graph/op-of (graph/node b from)))))))

(defn- least-of
  "The template of the least that is computed for ?y, node `id`, to be: of rows of a loop the last,
  so that the others need no memory."
  [b id]
  (let [[rows] (type/shape-of (graph/node-type b id))]
    (if (and rows (of-loop? b id) (type/at-most? 1 rows))
      [:slice {:axis 0, :start (type/dim- rows 1), :stop rows} '?y]
      '?y)))

(defn- waiting!
  "The id of node `id` once what counts a dim has been computed."
  [b id counting]
  (let [own (least-of b counting)
        template (if (= :bool (type/dtype-of (graph/node-type b counting))) own [:ne own 0])]
    (op/instantiate! (op/emitter b nil) {'?x id, '?y counting} [:after '?x [:any template]])))

(defn- cut-off
  "The graph of the nodes `outputs` of a builder with parameters in the places of `cuts`, and with
  the nodes that count what it mentions."
  [b outputs cuts]
  (let [g (graph/finish b (range (graph/node-count b)))
        cut (reduce (fn [g [id token]]
                      (assoc-in g [:nodes id] (body/param token (graph/type-of g id))))
                    g cuts)
        {:keys [graph ids]} (counted/tied cut outputs waiting!)]
    (assoc graph :outputs ids)))

(defn closed
  "{:body :notes :tokens}: the body of the nodes `outputs` of a builder, a vector, {id note} of its
  nodes, and the tokens of its parameters by position, those of `known` first. `cuts`, {id token},
  are nodes that become parameters; (instead! b param! token) gives the id of what stands for a
  parameter, or nil, where (param! token type) is a parameter of the body."
  [b outputs cuts known instead!]
  (let [to (graph/builder), positions (HashMap. ^java.util.Map (zipmap known (range)))
        own! (partial positioned! to positions)
        {:keys [outputs] :as g} (cut-off b outputs cuts)
        ids (graph/sweep! g (fn [_ [_ {:keys [at]} :as node] args type note]
                              (if (body/param? node)
                                (or (instead! to own! at) (own! at type))
                                (graph/keep-node! to node args type note))))
        tokens (into {} (map (fn [[token at]] [at token])) positions)]
    (-> (body/closed (graph/finish to (mapv ids outputs)))
        (dissoc :now)
        (assoc :tokens (mapv tokens (range (count tokens)))))))

;; ## The node

(defn with-argument
  "[position args']: that of an id among the arguments of a node, a vector of ids, which it joins
  where it is new."
  [args id]
  (let [at (long (.indexOf ^java.util.List args id))]
    (if (neg? at) [(long (count args)) (conj args id)] [at args])))

(defn with-arguments
  "[positions args'] of several."
  [args ids]
  (reduce (fn [[positions args] id]
            (let [[at args] (with-argument args id)] [(conj positions at) args]))
          [[] args] ids))

(defn emit!
  "The id of a loop like node `id` of a builder with these attributes, arguments and what `closed`
  gave for its body."
  [b id attrs args {:keys [body notes]}]
  (op/emit! b (graph/op-of (graph/node b id)) (assoc attrs :body body) (mapv op/->Id args)
            (cond-> (select-keys (graph/note b id) [:src])
              (seq notes) (assoc :inner {[:body] notes}))))
