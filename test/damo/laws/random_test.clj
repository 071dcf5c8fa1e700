(ns damo.laws.random-test
  "The compiler against the reference interpreter on random graphs: every output and every updated
  state of a compiled function, with and without rules, called with several sizes, is what the
  interpreter says. A failure prints the smallest graph found, as EDN, with the extents and the seed
  of its values."
  (:require [clojure.test :refer [deftest is]]
            [damo.array :as array]
            [damo.eval :as eval]
            [damo.graph :as graph]
            [damo.laws.graphs :as graphs]
            [damo.check.running :as running]))

(set! *warn-on-reflection* true)

(def ^:private extents
  "What one compiled function is called with, in turn; 0 and 1 are the awkward ones."
  '[{n 3, m 2} {n 1, m 4} {n 5, m 1} {n 0, m 3} {n 2, m 0} {n 3, m 3} {n 0, m 0} {n 9, m 17}])

;; ## One call

(defn- finite? [x]
  (and (float? x) (not (Double/isNaN x)) (not (Double/isInfinite x))))

(defn- scale
  "The largest absolute value of any node: what rounding is relative to."
  [values]
  (transduce (comp (remove nil?) (mapcat array/values) (filter finite?) (map double) (map abs))
             max 1.0 values))

(defn- tolerance [{:keys [notes]}]
  (if (some #(= :f32 (first (:type %))) (vals notes)) 2e-5 1e-9))

(defn- expected
  "{:outputs arrays :states {name array} :scale x} by the reference, or {:fails message}."
  [{:keys [graph updates]} env]
  (let [{:keys [values fails]} (running/outcome #(eval/all-values graph env))
        results (when values (mapv values (:outputs graph)))]
    (if fails
      {:fails fails}
      {:outputs (subvec results 0 (- (count results) (count updates)))
       :states (update-vals updates results)
       :scale (scale values)})))

(defn- without-nan
  "What is compared when rules may change NaN and infinity: those of the expectation become the
  value got. With `empty`, NaN that was got counts as well: a mean over nothing divides by 0, and
  the factor 1/0 may have been moved out of a sum over nothing."
  [x y empty]
  (let [free? (fn [a b] (or (not (finite? a)) (and empty (not (finite? b)))))]
    (if (and (= (array/type-of x) (array/type-of y)) (contains? #{:f32 :f64} (:dtype x)))
      (array/of (:dtype x) (:shape x)
                (map (fn [a b] (if (free? a b) b a)) (array/values x) (array/values y)))
      x)))

(defn- may-pass?
  "May a call succeed where the interpreter fails with that message? A slice beyond the end of an
  axis is not noticed when none of its elements is read, for some other axis is empty or it was not
  needed."
  [message]
  (re-find #"the slice from|a dimension must lie between" message))

(defn- differences
  "What differs between an expectation and a call, as a seq of [what expected got]."
  [g compiled env rules empty]
  (let [{:keys [outputs states scale fails]} (expected g env)
        {got :values, failed :fails} (running/outcome #(running/call! compiled env))
        after (running/state-values compiled)
        same? (fn [x y]
                (let [x (if rules (without-nan x y empty) x)]
                  (running/close? (tolerance (:graph g)) scale x y)))]
    (cond (and fails (nil? failed)) (when-not (or rules (may-pass? fails)) [[:failure fails got]])
          (and failed (nil? fails)) [[:failure nil failed]]
          fails (for [[s x] after :when (not= (array/values x) (array/values (env s)))]
                  [s (env s) x])
          :else (concat (for [[k x y] (map vector (range) outputs got) :when (not (same? x y))]
                          [k x y])
                        (for [[s x] after :let [y (get states s (env s))] :when (not (same? y x))]
                          [s y x])))))

(defn- shown [x] (if (:dtype x) [(array/type-of x) (array/nested x)] x))

(def ^:private every-way
  "Every way in which a graph is compiled and called: {:rules bool :call position-in-extents}."
  (for [rules [false true], k (range (count extents))] {:rules rules, :call k}))

(defn check-graph
  "Nil when the compiled graph agrees with the reference in these ways (each graph is compiled once
  for all calls), else what differs first: {:graph EDN :rules bool :extents … :seed … :different
  [[output expected got] …]}."
  [{:keys [graph updates] :as g} seed ways]
  (first
   (for [[rules ways] (group-by :rules ways)
         :let [compiled (running/outcome #(running/compile graph (assoc g :rules rules)))]
         {:keys [call]} ways
         :let [case-seed (+ (* 100 seed) call)
               found (if-let [c (:values compiled)]
                       (differences g c (graphs/env case-seed (extents call)) rules
                                    (contains? (set (vals (extents call))) 0))
                       [[:compiling nil (:fails compiled)]])]
         :when (seq found)]
     {:graph (dissoc (graph/prune graph) :notes), :updates updates, :rules rules, :call call
      :extents (extents call), :seed case-seed, :different (mapv #(mapv shown %) found)})))

(defn- failure [build recipe seed ways]
  (let [g (build recipe)]
    (try (check-graph g seed ways)
         (catch Throwable e {:graph (dissoc (graph/prune (:graph g)) :notes), :updates (:updates g)
                             :threw (pr-str (class e) (ex-message e))}))))

;; ## Shrinking

(defn- without-chunks
  "The vector without each of its chunks, large ones first."
  [v]
  (for [size (take-while pos? (iterate #(quot % 2) (count v)))
        start (range 0 (count v) size)]
    (into (subvec v 0 start) (drop (+ start size)) v)))

(defn- smaller [recipe]
  (for [part [:updates :outputs :steps], v (without-chunks (part recipe))] (assoc recipe part v)))

(defn- shrunk
  "The failure of the smallest recipe found within some seconds that still fails in the same way."
  [build recipe seed found]
  (let [ways (if (:call found) [(select-keys found [:rules :call])] every-way)
        deadline (+ (System/nanoTime) (* 30 1000000000))]
    (loop [recipe recipe, found found]
      (if-let [[r f] (first (for [r (smaller recipe) :while (< (System/nanoTime) deadline)
                                  :let [f (failure build r seed ways)] :when f]
                              [r f]))]
        (recur r f)
        (assoc found :recipe recipe)))))

(defn check-random
  "Checks `times` random graphs that `build` makes of recipes from a seed; nil, or the first
  failure, shrunk. `options` are added to every recipe."
  [build options times seed]
  (first (for [[k recipe] (map-indexed vector (graphs/recipes times seed))
               :let [recipe (merge recipe options), found (failure build recipe k every-way)]
               :when found]
           (shrunk build recipe k found))))

(deftest compiled-graphs-agree-with-the-reference
  (is (nil? (check-random graphs/graph {} 60 20260727))))

(deftest compiled-gradients-agree-with-the-reference
  (is (nil? (check-random graphs/gradients {:smooth true} 20 20260728))))

;; ## Gradients against finite differences

(defn- moved
  "The environment with step · direction added to the leaves that have directions."
  [env directions step]
  (reduce-kv (fn [env s v]
               (update env s #(array/map-elements :f64 (fn [x d] (+ x (* step d))) [% v])))
             env directions))

(defn- cost-at [graph env]
  (first (array/values (first (eval/run (update graph :outputs subvec 0 1) env)))))

(defn- slopes
  "[by-gradient by-differences scale] of the cost of a graph of gradients along a random direction."
  [{:keys [graph wrt]} seed]
  (let [env (graphs/env seed '{n 3, m 2} :fractions true)
        directions (select-keys (graphs/env (inc seed) '{n 3, m 2} :fractions true) wrt)
        values (eval/all-values graph env)
        grads (map values (rest (:outputs graph)))
        inner (fn [x y] (reduce + (map * (array/values x) (array/values y))))
        step 1e-5]
    [(reduce + (map #(inner %1 (directions %2)) grads wrt))
     (/ (- (cost-at graph (moved env directions step))
           (cost-at graph (moved env directions (- step))))
        (* 2 step))
     (scale values)]))

(deftest gradients-are-slopes
  (doseq [[k recipe] (map-indexed vector (graphs/recipes 60 20260729))
          :let [g (graphs/gradients (assoc recipe :smooth true, :single false))
                {[by-gradient by-differences scale] :values} (running/outcome #(slopes g k))]
          :when scale]
    (is (< (abs (- by-gradient by-differences)) (* 1e-4 scale)) (pr-str recipe))))
