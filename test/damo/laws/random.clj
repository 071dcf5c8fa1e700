(ns damo.laws.random
  "Random graphs, checked one after another. (check-recipes graphs/graph {:registry true} 40 7) is
  nil, or the first disagreement, made small; (fuzz! 10 7 println) goes on for ten minutes."
  (:require [damo.laws.draws :as draws]
            [damo.laws.fuzz :as fuzz]
            [damo.laws.graphs :as graphs]
            [damo.laws.regions :as regions]
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

;; ## For as long as one likes

(def ^:private builds
  "What graphs are made of, in turn: [build options]."
  [[graphs/graph {:registry true}] [graphs/graph {:registry true}]
   [graphs/gradients {:smooth true}] [graphs/graph {:registry true}] [graphs/graph {}]
   [graphs/graph {:holders true}] [graphs/graph {:holders true, :registry true}]
   [graphs/gradients {:holders true, :smooth true}] [regions/graph {:holders true}]
   [regions/graph {:registry true}] [regions/gradients {:smooth true}]])

(defn- checked
  "The disagreement of graph k of a seed, or nil."
  [k recipe]
  (let [[build options] (nth builds (mod k (count builds)))]
    (check-recipe build k (merge recipe options))))

(defn- edn [x]
  (binding [*print-length* nil, *print-level* nil, *print-namespace-maps* false]
    (pr-str x)))

(defn- tell
  "Reports a disagreement so that it can be pasted into a test."
  [say k found]
  (say (str "graph " k " fails. Again, in a test:\n(is (nil? (damo.laws.fuzz/replay '" (edn found)
            ")))")))

(defn fuzz!
  "Checks random graphs of a seed for so many minutes, or up to the first that fails, which is made
  small and reported. `say` is called with lines of text: progress four times a minute. Returns
  {:passed graphs :failed 0-or-1}."
  [minutes seed say]
  (let [start (System/nanoTime)
        seconds #(quot (- (System/nanoTime) start) 1000000000)]
    (loop [k 0, recipes (graphs/recipes Long/MAX_VALUE seed), told 0]
      (let [now (seconds), found (checked k (first recipes)), due (<= (+ told 15) now)]
        (when due (say (str now " s, " k " graphs agree")))
        (cond found (do (tell say k found) {:passed k, :failed 1})
              (<= (* 60 (double minutes)) (seconds)) {:passed (inc k), :failed 0}
              :else (recur (inc k) (rest recipes) (long (if due now told))))))))
