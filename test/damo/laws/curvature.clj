(ns damo.laws.curvature
  "Derivatives of elementwise graphs of any order, by any sequence of the two modes, at given
  points: (derivatives g [0 1] [[:reverse :forward]] points) is {[:reverse :forward] {[0 1] values
  …}} for a graph of one output over inputs x0, x1, …; values has one double for each point."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def first-orders "The modes, alone." [[:reverse] [:forward]])

(def second-orders
  "The four ways to second derivatives; the mode that is applied first stands first."
  [[:reverse :forward] [:forward :reverse] [:reverse :reverse] [:forward :forward]])

(def ^:private ignoring {:disconnected :ignore})

(defn- with-node
  "[graph' id]: the graph with a template added, in which ?0 is the node `id`."
  [g id template]
  (let [b (graph/builder), old (graph/load-graph! b g)
        new (op/instantiate! (op/emitter b nil) {'?0 (old id)} template)]
    [(graph/finish b (mapv old (:outputs g))) new]))

(defn- reverse-mode [g id wrt _]
  (let [[g cost] (with-node g id [:sum '?0])
        {g :graph, :keys [grads]} (diff/grad g cost wrt ignoring)]
    [g grads]))

(defn- forward-mode [g id wrt one]
  (reduce (fn [[g found] x]
            (let [{g :graph, [t] :grads} (diff/rop g [id] [x] [one] ignoring)] [g (conj found t)]))
          [g []] wrt))

(defn- differentiated
  "[graph' {key id}] for [graph {key id}]: each by each of the `wrt`, {position id}."
  [[g ids] mode wrt one]
  (reduce (fn [[g found] [key id]]
            (let [derive ({:reverse reverse-mode, :forward forward-mode} mode)
                  [g row] (derive g id (vals wrt) one)]
              [g (into found (zipmap (map #(conj key %) (keys wrt)) row))]))
          [g {}] ids))

(defn- input-of [{:keys [nodes]} k]
  (let [name (symbol (str "x" k))]
    (first (filter #(= name (:name (second (nodes %)))) (range (count nodes))))))

(defn derived
  "[graph' {modes {key id}}]: a graph with its derivatives by the inputs at the positions `wrt`, for
  each sequence of modes. Ones are the input `one`, which is added."
  [{:keys [outputs] :as g} wrt sequences]
  (let [y (first outputs), wrt (into (sorted-map) (map (fn [k] [k (input-of g k)])) wrt)
        [g one] (with-node g y [:input {:name 'one, :type (graph/type-of g y)}])]
    (reduce (fn [[g found] modes]
              (let [[g ids] (reduce #(differentiated %1 %2 wrt one) [g {[] y}] modes)]
                [g (assoc found modes ids)]))
            [g {}] sequences)))

(defn environment
  "The inputs of a graph, and ones, for points."
  [points]
  (let [n (count points), column (fn [xs] (array/of :f64 [n] xs))]
    (into {'one (column (repeat n 1.0))}
          (for [k (range (count (first points)))]
            [(symbol (str "x" k)) (column (map #(nth % k) points))]))))

(defn derivatives
  "{modes {key values}} of a graph at points; `run` evaluates a graph, by reference when not given."
  ([g wrt sequences points] (derivatives g wrt sequences points eval/run))
  ([g wrt sequences points run]
   (let [[g ways] (derived g wrt sequences)
         all (for [[way ids] ways, [key id] ids] [way key id])
         found (run (assoc g :outputs (mapv peek all)) (environment points))]
     (reduce (fn [m [[way key] x]] (assoc-in m [way key] (vec (array/values x))))
             {} (map vector all found)))))
