(ns damo.laws.loop-slopes-test
  "Derivatives of random graphs with loops and branches, to second order and in both modes, are
  those of the graphs with their loops written out; and reverse mode is the transpose of forward
  mode, whatever ends a loop."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.laws.unrolled :as unrolled]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## What is differentiated

(defn- products!
  "The id of the sum of the products of all elements of pairs of nodes."
  [b pairs]
  (reduce (fn [sum [x y]]
            (op/instantiate! (op/emitter b nil) {'?s sum, '?x x, '?y y}
                             [:add '?s [:cast {:dtype :f64} [:sum [:mul '?x '?y]]]]))
          (op/emit! b :const {:type [:f64 []], :value 0.0} [] nil) pairs))

(defn- with-products
  "[graph id]: the graph with the sum of the products of pairs of nodes."
  [g pairs]
  (let [b (graph/builder), ids (graph/load-graph! b g)
        id (products! b (map (partial mapv ids) pairs))]
    [(graph/finish b [id]) id]))

(defn- cost-of
  "The graph of the sum of the squares of what the outputs of a graph of floats are."
  [{:keys [outputs] :as g}]
  (let [real? #(type/float-dtype? (first (graph/type-of g %)))]
    (graph/prune (first (with-products g (map #(vector % %) (distinct (filter real? outputs))))))))

(defn- float-leaves [{:keys [nodes]}]
  (for [[id [op {:keys [name type]}]] (map-indexed vector nodes)
        :when (and (#{:input :shared} op) (type/float-dtype? (first type)))]
    [name id]))

(defn- derived
  "The graph of the cost, the gradients by the leaves, and the same of gradients · leaves, once more
  in each mode: [cost tangent gradient … gradients·leaves tangent gradient …]."
  [{[cost] :outputs :as g}]
  (let [wrt (mapv second (float-leaves g)), ignoring {:disconnected :ignore}
        orders (fn [g y]
                 (let [{g :graph, :keys [grads]} (diff/grad g y wrt ignoring)
                       {g :graph, [t] :grads} (diff/rop g [y] wrt wrt ignoring)]
                   [g (into [y t] grads)]))
        [g [_ _ & grads :as firsts]] (orders g cost)
        [g y] (with-products g (map vector grads wrt))
        [g seconds] (orders g y)
        {g :graph, :keys [ids]} (counted/tied (assoc g :outputs (range (count (:nodes g))))
                                              (into firsts seconds))]
    (assoc g :outputs ids)))

;; ## Comparing

(defn- numbers [a] (map double (flatten [(array/nested a)])))

(defn- near? [tolerance a b]
  (let [a (numbers a), b (numbers b)]
    (and (= (count a) (count b))
         (every? true? (map #(or (= %1 %2) (and (NaN? %1) (NaN? %2))
                                 (< (abs (- %1 %2)) (* tolerance (+ 1 (abs %1) (abs %2)))))
                            a b)))))

(defn- transposed?
  "Is the tangent for the leaves as tangents the gradient times the leaves? Half precision rounds,
  and 0 · ∞ is masked in one mode only."
  [g [_ tangent & more]]
  (let [product (nth more (count (float-leaves g)))]
    (or (some NaN? (mapcat numbers [tangent product])) (near? 1e-2 tangent product))))

(def ^:private no-derivative #{:damo.diff/undefined :damo.diff/not-implemented})

(defn- derivative-of
  "The graph `derived`, nil where an op has no derivative."
  [g]
  (try (derived g)
       (catch clojure.lang.ExceptionInfo e
         (when-not (no-derivative (:damo/error (ex-data e))) (throw e)))))

(deftest derivatives-of-loops-are-those-of-loops-written-out
  (let [compared (atom 0)]
    (doseq [[k recipe] (map-indexed vector (graphs/recipes 60 78))
            :let [g (cost-of (:graph (graphs/graph (assoc recipe :holders true, :smooth true))))
                  derivative (when (and (pos? (unrolled/loops g)) (seq (float-leaves g)))
                               (derivative-of g))]
            dims (when derivative '[{n 3, m 2} {n 0, m 3} {n 1, m 1}])
            :let [env (graphs/env k dims :fractions true)]
            :when (:values (running/outcome #(eval/run g env)))]
      (testing (pr-str k dims)
        (let [{:keys [values] :as outcome} (running/outcome #(eval/run derivative env))]
          (is values (pr-str outcome))
          (is (transposed? g values))
          (when-let [h (:values (running/outcome #(unrolled/unrolled g dims)))]
            (when (= (map first (float-leaves g)) (map first (float-leaves h)))
              (swap! compared inc)
              (is (every? true? (map (partial near? 1e-3) values (eval/run (derived h) env)))))))))
    (is (< 40 @compared))))
