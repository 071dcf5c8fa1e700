(ns damo.laws.random
  "Random graphs, checked one after another. (check-recipes graphs/graph {:registry true} 40 7) is
  nil, or the first disagreement, made small."
  (:require [damo.laws.draws :as draws]
            [damo.laws.fuzz :as fuzz]
            [damo.laws.graphs :as graphs]
            [damo.laws.shrinking :as shrinking])
  (:import [java.io Writer]))

(set! *warn-on-reflection* true)

(def ^:private seconds-to-shrink 60)

(defn ops
  "All ops that compute something."
  []
  (draws/ops))

(defn- ways
  "[[mode positions-in-extents] …] of a graph by its number: two modes of all, without rules every
  third time, on some sizes each."
  [k]
  (let [mode-at #(nth fuzz/modes (mod % (count fuzz/modes)))
        calls (fn [from] (mapv #(mod (+ k from (* 3 %)) (count fuzz/extents)) (range 3)))]
    [[(if (zero? (mod k 5)) (fuzz/without-rules k) (mode-at k)) (calls 0)]
     [(mode-at (+ k 1 (quot k 6))) (calls 1)]]))

(defn- env-of [k call]
  (graphs/env (+ (* 100 (long k)) (long call)) (fuzz/extents call)))

(defn- failure
  "The first disagreement of the graph that `build` makes of a recipe, in these ways."
  [build k ways recipe]
  (try
    (let [g (build recipe)]
      (first (keep (fn [[mode calls]] (fuzz/check g mode (map #(env-of k %) calls))) ways)))
    (catch Throwable e
      {:building recipe, :threw (fuzz/thrown e)})))

(defn- deadline [seconds] (+ (System/nanoTime) (* (long seconds) 1000000000)))

(defn- shrunk [build k recipe found]
  (let [ways [[(:mode found) (range (count fuzz/extents))]]
        smaller (shrinking/of-recipe recipe found #(failure build k ways %)
                                     (deadline (quot seconds-to-shrink 2)))]
    (if (:graph smaller)
      (shrinking/of-graph smaller (deadline (quot seconds-to-shrink 2)))
      smaller)))

(defn check-recipe
  "Nil, or the disagreement, made small, of the graph that `build` makes of a recipe; `k` chooses
  modes, sizes and values. What graphs print is lost."
  [build k recipe]
  (binding [*out* (Writer/nullWriter)]
    (when-let [found (failure build k (ways k) recipe)]
      (shrunk build k recipe found))))

(defn check-recipes
  "Checks the graphs that `build` makes of `times` recipes from a seed; nil, or the first
  disagreement. `options` are added to every recipe."
  [build options times seed]
  (first (keep-indexed (fn [k recipe] (check-recipe build k (merge recipe options)))
                       (graphs/recipes times seed))))

(defn drawn
  "The set of ops in the graphs of `times` recipes of calls of all ops."
  [times seed]
  (binding [*out* (Writer/nullWriter)]
    (into #{} (mapcat #(map first (:nodes (:graph (graphs/graph (assoc % :registry true))))))
          (graphs/recipes times seed))))
