(ns damo.laws.loop-slopes-test
  "Derivatives of random graphs with loops and branches: those of the same graphs with the loops
  written out, in both modes and over each other; ⟨Lop u, v⟩ = ⟨u, Rop v⟩; slopes by differences."
  (:require [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.laws.unrolled :as unrolled]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(def ^:private extents '[{n 3, m 2} {n 0, m 3} {n 1, m 1}])

(def ^:private no-derivative
  #{:damo.diff/undefined :damo.diff/not-implemented :damo.diff/disconnected})

(defn- float-leaves
  "The names of the leaves of :f64 that a graph needs."
  [g]
  (for [id (graph/live g) :let [[op {:keys [name]}] (graph/node-at g id)]
        :when (and (#{:input :shared} op) (= :f64 (first (graph/type-of g id))))]
    name))

(defn- ids-of [{:keys [nodes]} names]
  (let [at (into {} (map-indexed (fn [id [_ {:keys [name]}]] [name id])) nodes)]
    (mapv at names)))

(def ^:private options {:disconnected :ignore})

(defn- reverse-mode [g out wrt] (diff/lop g [out] [out] wrt options))

(defn- forward-mode [g out wrt] (diff/rop g [out] wrt wrt options))

(defn- over
  "The derivative `outer` of a derivative of the first result of `inner`."
  [outer inner]
  (fn [g out wrt]
    (let [{:keys [graph grads]} (inner g out wrt)] (outer graph (first grads) wrt))))

(def ^:private modes
  [reverse-mode forward-mode (over reverse-mode reverse-mode) (over forward-mode reverse-mode)
   (over reverse-mode forward-mode)])

(defn- derived
  "The graph of a derivative of the last output of a graph by its leaves of these names, or nil."
  [g names derive]
  (try (let [{:keys [graph grads]} (derive g (last (:outputs g)) (ids-of g names))
             {:keys [graph ids]} (counted/tied graph grads)]
         (assoc graph :outputs ids))
       (catch clojure.lang.ExceptionInfo e
         (when-not (no-derivative (:damo/error (ex-data e))) (throw e)))))

(defn- magnitude [arrays]
  (transduce (comp (mapcat array/values) (map abs) (filter #(< % ##Inf))) max 1.0 arrays))

(defn- alike? [xs ys]
  (let [scale (magnitude xs)] (every? true? (map #(running/close? 1e-8 scale %1 %2) xs ys))))

(defn- behind-loops
  "The nodes of :f64 that need a loop."
  [{:keys [nodes types] :as g}]
  (let [needs (reduce (fn [found [op _ & args]]
                        (conj found (boolean (or (= :loop op) (some found args)))))
                      [] nodes)]
    (filterv #(and (needs %) (= :f64 (first (types %)))) (range (count nodes)))))

(defn- cases
  "[k recipe graph] of graphs with one output, of :f64, that needs a loop."
  [times seed]
  (for [[k recipe] (map-indexed vector (graphs/recipes times seed))
        :let [recipe (assoc recipe :holders true, :smooth true, :single false)
              {g :graph} (graphs/graph recipe), found (behind-loops g)]
        :when (seq found)]
    [k recipe (assoc g :outputs [(nth found (mod (* 7 k) (count found)))])]))

(deftest derivatives-of-loops-are-those-of-loops-written-out
  (let [compared (atom 0)]
    (doseq [[k recipe g] (cases 40 20261202)
            :let [dims (nth extents (mod k 3)), env (graphs/env k dims :fractions true)
                  names (float-leaves g)
                  {h :values} (running/outcome #(unrolled/unrolled g dims))]
            :when (and h (:values (running/outcome #(eval/run g env))))
            [i derive] (map-indexed vector modes)
            :let [dg (derived g names derive), dh (derived h names derive)]]
      (is (= (nil? dg) (nil? dh)) (pr-str i recipe))
      (when (and dg dh)
        (let [{xs :values, fails :fails} (running/outcome #(eval/run dh env))
              {ys :values, failed :fails} (running/outcome #(eval/run dg env))]
          (swap! compared inc)
          (is (= (some? fails) (some? failed)) (pr-str i fails failed recipe))
          (is (or fails failed (alike? xs ys)) (pr-str i recipe)))))
    (is (< 150 @compared))))
