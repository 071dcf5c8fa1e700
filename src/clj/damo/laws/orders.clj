(ns damo.laws.orders
  "Derivatives of higher order and of whole batches, op by op: H v three ways (forward over reverse,
  reverse over forward, reverse over reverse) and by finite differences; Jacobians by rows and by
  columns; ops on a batch against the op on each element. (problems-of :tanh) is empty."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.diff.batch :as batch]
            [damo.diff.jacobian :as jacobian]
            [damo.laws.modes :as modes]
            [damo.laws.sampling :refer [problem]]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- near? [bound x y]
  (let [size (reduce max 1.0 (map #(Math/abs (double %)) (array/values x)))]
    (and (= (array/type-of x) (array/type-of y))
         (every? true? (map (fn [a b] (<= (Math/abs (- (double a) (double b))) (* bound size)))
                            (array/values x) (array/values y))))))

(defn- inputs-of [{:keys [nodes]}]
  (filterv #(= :input (first (nodes %))) (range (count nodes))))

(defn- name-at [{:keys [nodes]} id] (:name (second (nodes id))))

;; ## Second derivatives

(defn- with-templates
  "[graph' ids]: the graph with templates added; they see the named ids."
  [g named templates]
  (let [b (graph/builder), ids (graph/load-graph! b g), named (update-vals named ids)
        new (mapv #(op/instantiate! (op/emitter b nil) named %) templates)]
    [(graph/finish b (mapv ids (:outputs g))) new]))

(defn- with-cost
  "[graph' cost tangents] of a graph of one output y: Σ (y + u)², u and the tangents v … inputs."
  [{:keys [outputs] :as g} floats]
  (let [y (first outputs)
        input (fn [s id] [:input {:name s, :type (graph/type-of g id)}])
        tangents (map-indexed (fn [k id] (input (symbol (str "v" k)) id)) floats)
        cost [:sum [:sqr [:add '?y (input 'u y)]]]
        [g [cost & vs]] (with-templates g {'?y y} (into [cost] tangents))]
    [g cost (vec vs)]))

(defn- inner-template [n]
  (reduce (fn [a b] [:add a b])
          (for [k (range n)] [:sum [:mul (symbol (str "?g" k)) (symbol (str "?v" k))]])))

(defn- inner-of
  "[graph' id] of Σ ⟨g, v⟩."
  [g gs vs]
  (let [named (fn [prefix ids] (zipmap (map #(symbol (str prefix %)) (range)) ids))
        [g [id]] (with-templates g (merge (named "?g" gs) (named "?v" vs))
                                 [(inner-template (count gs))])]
    [g id]))

(def ^:private ignoring {:disconnected :ignore})

(defn- three-ways
  "[graph' grads ways]: the ids of the gradient and of H v in each of three ways."
  [g floats]
  (let [[g cost vs] (with-cost g floats)
        {g :graph, gs :grads} (diff/grad g cost floats ignoring)
        {g :graph, forward-reverse :grads} (diff/rop g gs floats vs ignoring)
        {g :graph, [slope] :grads} (diff/rop g [cost] floats vs ignoring)
        {g :graph, reverse-forward :grads} (diff/grad g slope floats ignoring)
        [g product] (inner-of g gs vs)
        {g :graph, reverse-reverse :grads} (diff/grad g product floats ignoring)]
    [g gs {:forward-over-reverse forward-reverse, :reverse-over-forward reverse-forward
           :reverse-over-reverse reverse-reverse}]))

(defn- moved [env names vs step]
  (reduce (fn [env [s v]]
            (update env s #(array/map-elements :f64 (fn [x d] (+ x (* step d))) [% v])))
          env (map vector names vs)))

(defn- slopes
  "The central differences of the gradients along the tangents."
  [g gs env names vs]
  (let [h 1e-5, at (fn [step] (eval/run (assoc g :outputs gs) (moved env names vs step)))]
    (mapv #(array/map-elements :f64 (fn [a b] (/ (- a b) (* 2 h))) [%1 %2]) (at h) (at (- h)))))

(defn- with-random
  "The environment with values for u, like the output, and the tangents v …"
  [{:keys [outputs] :as g} env names seed]
  (let [random (Random. seed)
        [y] (eval/run (assoc g :outputs outputs) env)
        vs (mapv #(modes/direction g %1 random (:shape (env %2))) (modes/floats-of g) names)]
    [(merge env {'u (modes/random-values random (:shape y))}
            (zipmap (map #(symbol (str "v" %)) (range)) vs))
     vs]))

(defn second-order-disagreements
  "What three ways to H v and finite differences of the gradient disagree about, for Σ (y + u)² of a
  graph of one :f64 output y at `env`: a sequence of sentences."
  [g env seed]
  (let [floats (modes/floats-of g), names (mapv #(name-at g %) floats)
        [env vs] (with-random g env names seed)
        [g gs ways] (three-ways g floats)
        values (update-vals ways #(eval/run (assoc g :outputs %) env))
        reference (:forward-over-reverse values)]
    (concat
     (for [[way found] (dissoc values :forward-over-reverse)
           :when (not-every? true? (map (partial near? 1e-9) reference found))]
       (str (name way) " gives " (mapv array/nested found) ", forward-over-reverse "
            (mapv array/nested reference)))
     (let [differences (slopes g gs env names vs)]
       (when-not (every? true? (map (partial near? 1e-4) reference differences))
         [(str "forward-over-reverse gives " (mapv array/nested reference)
               ", finite differences of the gradient " (mapv array/nested differences))])))))

;; ## Jacobians

(defn jacobian-disagreements
  "Whether Jacobians by rows and by columns are equal: a sequence of sentences."
  [{:keys [outputs] :as g} env]
  (let [floats (modes/floats-of g), y (first outputs)
        both (for [mode [:reverse :forward]
                   :let [{j :graph, ids :grads} (jacobian/jacobian g y floats
                                                                   (assoc ignoring :mode mode))]]
               (eval/run (assoc j :outputs ids) env))]
    (when-not (every? true? (apply map (partial near? 1e-11) both))
      [(str "the Jacobian by rows is " (mapv array/nested (first both)) ", by columns "
            (mapv array/nested (second both)))])))

;; ## Batches

(defn- batched-graph
  "The graph with the node y computed on a batch of n in the inputs at `positions`, b0 …"
  [{:keys [outputs] :as g} positions n]
  (let [b (graph/builder), ids (graph/load-graph! b g), inputs (inputs-of g)
        seed (fn [k] (let [[dtype shape] (graph/type-of g (inputs k))]
                       [(ids (inputs k))
                        (op/emit! b :input {:name (symbol (str "b" k))
                                            :type [dtype (into [n] shape)]} [] nil)]))]
    (graph/finish b (batch/batched b (mapv ids outputs) (into {} (map seed) positions) n))))

(defn- stacked [arrays]
  (let [{:keys [dtype shape]} (first arrays)]
    (array/of dtype (into [(count arrays)] shape) (mapcat array/values arrays))))

(defn- smaller [{:keys [dtype] :as x}]
  (array/map-elements dtype #(* 0.9 %) [x]))

(defn batch-disagreements
  "Whether a graph of one output at `env` gives on a batch of n (2, or a name for it) in its float
  inputs at `positions` what it gives one by one."
  [g env positions n]
  (let [names (mapv #(name-at g %) (inputs-of g))
        other (reduce (fn [env k] (update env (names k) smaller)) env positions)
        expected (stacked (map #(first (eval/run g %)) [env other]))
        batches (into {} (for [k positions :let [s (names k)]]
                           [(symbol (str "b" k)) (stacked [(env s) (other s)])]))
        [got] (eval/run (batched-graph g positions n) (merge env batches))]
    (when-not (near? 1e-12 expected got)
      [(str "on a batch in the arguments " positions " it gives " (array/nested got)
            ", one by one " (array/nested expected))])))

;; ## Ops

(defn- cases-of [op sizes seeds]
  (for [size sizes, seed seeds
        :let [{:keys [gen kind]} (op/entry op)
              c (when (or gen (= kind :elementwise)) (gens/case op :f64 size seed))]
        :when (and c (= :f64 (first (:type c))))
        :let [{:keys [graph env]} (gens/seen-graph c (odd? seed))], :when graph]
    {:call (list `gens/case op :f64 size seed), :graph graph, :env env, :seed seed
     :fixed (:graph (gens/seen-graph c))}))

(defn- batches-of [g]
  (let [inputs (inputs-of g), floats (set (modes/floats-of g))
        positions (filterv #(floats (inputs %)) (range (count inputs)))]
    (distinct (cons positions (map vector positions)))))

(defn problems-of
  "What is wrong with higher derivatives and Jacobians of an op, on generated :f64 calls."
  [op]
  (let [{:keys [surrogate]} (op/entry op)]
    (for [{:keys [call graph env seed fixed]} (when-not surrogate (cases-of op [3] (range 8)))
          :when (seq (modes/floats-of graph))
          why (concat (second-order-disagreements graph env seed)
                      (jacobian-disagreements fixed env))]
      (problem :orders call why))))

(defn batch-problems-of
  "What is wrong with an op on a batch of n, 2 or the name of a dim, on generated :f64 calls."
  [op n]
  (for [{:keys [call graph env]} (cases-of op [3] (range 8))
        positions (batches-of graph), :when (seq positions)
        why (try (batch-disagreements graph env positions n)
                 (catch clojure.lang.ExceptionInfo e [(ex-message e)]))]
    (problem :batch call why)))
