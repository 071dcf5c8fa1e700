(ns damo.laws.shrinking
  "Smaller graphs that fail in the same way: first parts of the recipe that a graph was made of,
  then, of the graph itself, single outputs, nodes that become inputs with the values they had, and
  simpler loops and branches (damo.laws.simpler).
  (of-recipe recipe found fails deadline) and (of-graph found deadline) give the smallest
  disagreement found by a time."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.laws.fuzz :as fuzz]
            [damo.laws.running :as running]
            [damo.laws.simpler :as simpler]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(defn- in-time? [deadline] (< (System/nanoTime) (long deadline)))

(defn- like
  "What kind of disagreement it is; a smaller graph must show the same."
  [{:keys [compiling threw different]}]
  (cond compiling (subs compiling 0 (min 12 (count compiling)))
        threw :threw
        (= :failure (ffirst different)) :failure
        :else :different))

(defn- descend
  "The smallest x, with what `fails` says of it, that steps of `smaller` lead to in time."
  [x found smaller fails deadline]
  (loop [x x, found found]
    (if-let [[y f] (first (for [y (smaller x) :while (in-time? deadline)
                                :let [f (fails y)] :when (and f (= (like f) (like found)))]
                            [y f]))]
      (recur y f)
      [x found])))

;; ## Recipes

(defn- without-chunks
  "The vector without each of its chunks, large ones first."
  [v]
  (for [size (take-while pos? (iterate #(quot % 2) (count v)))
        start (range 0 (count v) size)]
    (into (subvec v 0 start) (drop (+ start size)) v)))

(defn- smaller-recipes [recipe]
  (for [part [:updates :outputs :steps], v (without-chunks (part recipe))] (assoc recipe part v)))

(defn of-recipe
  "The disagreement `found` of a recipe, made smaller by leaving out steps, outputs and updates:
  (fails recipe) is what disagrees."
  [recipe found fails deadline]
  (peek (descend recipe found smaller-recipes fails deadline)))

;; ## Graphs

(defn- fewer-outputs
  "With one of the outputs, or where there is one with what it is made of, what needs least first."
  [{:keys [graph updates] :as f}]
  (let [{:keys [outputs]} graph
        below (fn [o] (remove #(tuple/type? (graph/type-of graph %)) (pop (graph/live graph [o]))))]
    (concat (for [o (if (next outputs) outputs (below (first outputs)))]
              (assoc f :graph (assoc graph :outputs [o]) :updates {}))
            (when (seq updates)
              [(assoc f :updates {})]))))

(defn- cut
  "The disagreement with node `id` an input instead, whose value it is given."
  [{:keys [graph env] :as f} id value]
  (let [type (graph/type-of graph id), s (symbol (str "x" id))]
    (assoc f
           :graph (assoc-in graph [:nodes id] [:input {:name s, :type type}])
           :env (assoc env s [(array/type-of value) (array/nested value)]))))

(defn- cuts [{:keys [graph env] :as f}]
  (let [values (:values (running/outcome #(eval/all-values graph (fuzz/environment env))))]
    (for [id (reverse (graph/live graph))
          :let [[op & _ :as node] (nth (:nodes graph) id), value (when values (nth values id))]
          :when (and (:dtype value) (not (#{:input :shared :const} op)) (< 2 (count node)))]
      (cut f id value))))

(defn- tidy [{:keys [graph updates] :as f}]
  (let [{:keys [graph]} (fuzz/pruned {:graph graph, :updates updates})
        named (set (for [[op {:keys [name]}] (:nodes graph) :when (#{:input :shared} op)] name))]
    (assoc f :graph graph :env (select-keys (:env f) named))))

(defn- fewer-exclusions [{:keys [mode] :as f}]
  (when (map? mode)
    (for [names (without-chunks (vec (sort (:exclude mode))))]
      (assoc-in f [:mode :exclude] (set names)))))

(defn- simpler-nodes [f]
  (for [g (simpler/graphs (:graph f))] (assoc f :graph g)))

(defn- smaller-graphs [f]
  (concat (map tidy (concat (fewer-outputs f) (cuts f) (simpler-nodes f))) (fewer-exclusions f)))

(defn of-graph
  "The disagreement made smaller by cutting its graph; {:env …} has the inputs that took the places
  of nodes."
  [found deadline]
  (let [f (tidy found), again (fuzz/replay f)]
    (if (and again (= (like again) (like found)))
      (peek (descend f again smaller-graphs fuzz/replay deadline))
      found)))
