(ns damo.rule.oracle
  "Patterns as core.match has them: the meaning that damo.rule.pattern is held to. A left side is a
  match of one row for each order of the arguments of commutative ops; nodes are seen as nested
  lookups. ((matcher [:neg ?x]) (node b 3)) is {?x 2}, or nil."
  (:require [clojure.core.match :as match]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.rule.pattern :as pattern])
  (:import [clojure.lang ILookup]))

(set! *warn-on-reflection* true)

(defn- number-at
  "The constant that node `id` is, numbers as doubles; nil for other nodes."
  [b id]
  (let [x (pattern/uniform b id)]
    (cond (boolean? x) x
          (and x (== x (double x))) (double x))))

(declare node)

;; A node with its :op, :attrs, number of arguments :n, constant :number, and arguments :0 :1 :2.
(deftype Node [b id]
  ILookup
  (valAt [this k] (.valAt this k nil))
  (valAt [_ k default]
    (let [[op attrs & args] (graph/node b id)]
      (case k
        :op op, :attrs attrs, :n (count args)
        :number (if-some [x (number-at b id)] x default)
        (if-let [a (nth args (parse-long (name k)) nil)] (node b a) default))))
  Object
  (equals [_ other] (and (instance? Node other) (= id (.id ^Node other))))
  (hashCode [_] (hash id)))

(defn node "Node `id` of a builder as core.match looks at it." [b id] (->Node b id))

(declare node-pattern)

(defn- argument-pattern
  "[pattern of core.match, {symbol name}] of a pattern of an argument."
  [x]
  (cond (pattern/name? x) (let [s (gensym "arg")] [s {s x}])
        (vector? x) (node-pattern x)
        :else [{:number (if (number? x) (double x) x)} {}]))

(defn- attribute-pattern [x] (if (pattern/name? x) (argument-pattern x) [x {}]))

(defn- node-pattern [pattern]
  (let [[op attrs args] (pattern/parts pattern)
        found (map argument-pattern args), given (update-vals attrs attribute-pattern)]
    [(cond-> (into {:op op} (map-indexed (fn [i [p]] [(keyword (str i)) p])) found)
       (seq attrs) (assoc :attrs (update-vals given first))
       (= :variadic (:args (op/entry op))) (assoc :n (count args)))
     (into {} (mapcat second) (concat found (vals given)))]))

(defn- orders
  "The pattern with the arguments of commutative ops in every order."
  [x]
  (if-not (vector? x)
    [x]
    (let [[op attrs args] (pattern/parts x)
          each (reduce (fn [rows arg] (for [row rows, v (orders arg)] (conj row v))) [[]] args)
          swapped (when (:commutes (op/entry op)) (map (fn [[x y]] [y x]) each))]
      (map #(into [op attrs] %) (concat each swapped)))))

(defn- bound
  "{name value} of pairs, nodes by their ids; nil when a name would stand for two things."
  [pairs]
  (let [pairs (for [[k v] pairs] [k (if (instance? Node v) (.id ^Node v) v)])]
    (when (every? #(= 1 (count (set (map second (val %))))) (group-by first pairs))
      (into {} pairs))))

(defn- matcher-of-row [pattern]
  (let [v (gensym "node"), [p names] (node-pattern pattern)]
    (eval `(fn [~v] (match/match [~v]
                      [~p] ~(mapv (fn [[s k]] [`(quote ~k) s]) names)
                      :else nil)))))

(defn matcher
  "The function from a node to the bindings of the names of a left side, or nil."
  [lhs]
  (let [rows (mapv matcher-of-row (orders lhs))]
    (fn [v] (some #(some-> (% v) bound) rows))))
