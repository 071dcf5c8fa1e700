(ns damo.laws.modes
  "Both modes of differentiation against each other and against finite differences, by random
  projection: ⟨Lop u, v⟩ = ⟨u, Rop v⟩ = the slope of ⟨u, f⟩ along v. (problems-of :tanh) is empty."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.sampling :refer [problem]]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn random-values
  "An :f64 array of that shape with values in [-0.5 0.5)."
  [^Random random shape]
  (array/of :f64 shape (repeatedly (array/size shape) #(- (.nextDouble random) 0.5))))

(defn- inner ^double [x y]
  (reduce + 0.0 (map * (array/values x) (array/values y))))

(defn- moved
  "The environment with step · direction added to the inputs that have directions."
  [env directions step]
  (reduce-kv (fn [env s v]
               (update env s #(array/map-elements :f64 (fn [a d] (+ a (* step d))) [% v])))
             env directions))

(defn closed-positions
  "The positions of the arguments in which an op declares that it has no partial derivative."
  [op]
  (let [{:keys [partials]} (op/entry op)]
    (if (vector? partials)
      (set (keep-indexed (fn [i p] (when (nil? p) i)) partials))
      #{})))

(defn floats-of
  "The ids of the inputs that the outputs of a graph can be differentiated by: those of floating
  dtypes, but for arguments at closed positions."
  [{:keys [nodes] :as g}]
  (let [closed (set (for [[op _ & args] nodes, i (closed-positions op)] (nth args i)))]
    (filterv #(and (= :input (first (nodes %))) (not (closed %))
                   (type/float-dtype? (type/dtype-of (graph/type-of g %))))
             (range (count nodes)))))

(defn- mirrored
  "The matrices in the last two axes of an array, made symmetric."
  [{:keys [dtype shape] :as x}]
  (let [turn (fn [at] (into (vec (drop-last 2 at)) (rseq (vec (take-last 2 at)))))]
    (array/from-indices dtype shape #(* 0.5 (+ (array/at x %) (array/at x (turn %)))))))

(defn- symmetric-positions
  "The positions of the arguments that a node takes as symmetric matrices."
  [op attrs]
  (let [{:keys [symmetric]} (op/entry op)] (if (fn? symmetric) (symmetric attrs) symmetric)))

(defn direction
  "A random direction for input `id` of a graph at a value of that shape: a symmetric one where an
  op takes the input as symmetric matrices."
  [{:keys [nodes]} id random shape]
  (let [symmetric? (some (fn [[op attrs & args]]
                           (some #(= id (nth args %)) (symmetric-positions op attrs))) nodes)]
    (cond-> (random-values random shape) symmetric? mirrored)))

(defn- with-both-modes
  "The graph of one output with, as outputs: itself, its lop for the new input u, its rop for the
  new inputs dx …; :floats are the names of the inputs x …, those that are differentiated by."
  [{:keys [nodes outputs] :as g}]
  (let [b (graph/builder), _ (graph/load-graph! b g)
        floats (floats-of g)
        input (fn [s type] (op/emit! b :input {:name s :type type} [] nil))
        u (input 'u (graph/type-of g (first outputs)))
        name-of #(:name (second (nodes %)))
        tangents (mapv #(input (symbol (str "d" (name-of %))) (graph/type-of g %)) floats)
        g (graph/finish b outputs)
        lop (diff/lop g outputs [u] floats {:disconnected :ignore})
        rop (diff/rop (:graph lop) outputs floats tangents {:disconnected :ignore})]
    (assoc (:graph rop) :outputs (vec (concat outputs (:grads lop) (:grads rop)))
           :floats (mapv name-of floats))))

(defn- difference
  "The slope of ⟨u, graph⟩ along the directions, by a central difference."
  [graph env directions u]
  (let [at (fn [step] (inner u (first (eval/run graph (moved env directions step)))))]
    (/ (- (at 1e-6) (at -1e-6)) 2e-6)))

(defn disagreements
  "What the modes disagree about for a graph of one :f64 output at `env`, for random u and v: a
  sequence of sentences. Where the derivative is declared (`surrogate`, the reason), it need not be
  the slope."
  ([graph env seed] (disagreements graph env seed nil))
  ([graph env seed surrogate]
   (let [{:keys [floats] :as both} (with-both-modes graph)
         random (Random. seed)
         ids (zipmap floats (floats-of graph))
         directions (into {} (map (fn [s] [s (direction graph (ids s) random (:shape (env s)))]))
                          floats)
         u (random-values random (:shape (first (eval/run graph env))))
         tangents (into {} (map (fn [[s v]] [(symbol (str "d" s)) v])) directions)
         results (eval/run both (merge env {'u u} tangents))
         forward (inner u (peek results))
         backward (reduce + 0.0 (map #(inner %1 (directions %2)) (rest results) floats))
         slope (difference graph env directions u)
         near? (fn [x bound] (< (Math/abs (- forward (double x)))
                                (* (double bound) (+ 1.0 (Math/abs forward)))))]
     (cond-> []
       (not (near? backward 1e-10))
       (conj (str "⟨Lop u, v⟩ is " backward " but ⟨u, Rop v⟩ is " forward))
       (not (or surrogate (near? slope 1e-7)))
       (conj (str "⟨u, Rop v⟩ is " forward " but the finite difference is " slope))))))

(defn differentiable?
  "Has the op of this entry a derivative?"
  [{:keys [kind no-gradient]}]
  (not (or (= kind :leaf) (string? no-gradient) (:undefined no-gradient))))

(defn problems-of
  "The disagreements of both modes of an op, on generated :f64 calls."
  [op]
  (for [size [1 3], seed (range 8)
        :let [{:keys [gen kind]} (op/entry op)
              c (when (or gen (= kind :elementwise)) (gens/case op :f64 size seed))]
        :when (and c (= :f64 (first (:type c))))
        :let [{:keys [graph env]} (gens/seen-graph c (odd? seed))], :when graph
        why (disagreements graph env seed (:surrogate (op/entry op)))]
    (problem :both-modes (list `gens/case op :f64 size seed) why)))
