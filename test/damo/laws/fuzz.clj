(ns damo.laws.fuzz
  "Compiled graphs against the reference interpreter: (check-graph g seed ways) is nil, or the first
  disagreement as EDN; (shrunk f) makes it small, (replay f) checks it again. A graph is {:graph
  :updates :inputs :states} as damo.laws.graphs gives it. Values are compared as closely as rounding
  allows (damo.laws.rounding)."
  (:require [clojure.string :as str]
            [damo.compile.pass :as pass]
            [damo.compile.pass.control :as control]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.graphs :as graphs]
            [damo.laws.rounding :as rounding]
            [damo.laws.running :as running]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]
            [damo.op.whole :as whole]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def extents
  "What one compiled function is called with, in turn; 0 and 1 are the awkward ones."
  '[{n 3, m 2} {n 1, m 4} {n 5, m 1} {n 0, m 3} {n 2, m 0} {n 3, m 3} {n 0, m 0} {n 9, m 17}])

(def modes
  "The modes of damo.compile.pipeline, and :fast-run with more and with fewer promises."
  [:none :fast-run :fast-compile :nan-guard
   {:mode :fast-run, :exclude #{:drops-nan :stabilizes}} {:mode :fast-run, :include #{:bits}}
   {:mode :fast-run, :regroup true}])

(defn without-rules
  "The mode :fast-run without one in three of its rules and passes, chosen by the seed."
  [seed]
  (let [names (sort (map :name (concat (mapcat :rules [stabilize/rules canonicalize/rules
                                                       specialize/rules])
                                       control/passes)))]
    {:mode :fast-run
     :exclude (set (filter #(zero? (mod (hash [seed %]) 3)) names))}))

;; ## What is compared

(defn- finite? [x] (and (float? x) (< ##-Inf x ##Inf)))

(defn- tainted
  "The live nodes that a NaN or infinity took part in; rules may change what comes of those."
  [g values]
  (reduce (fn [found id]
            (let [value (nth values id)]
              (if (or (some found (graph/args-of (nth (:nodes g) id)))
                      (and (type/float-dtype? (:dtype value))
                           (not-every? finite? (array/values value))))
                (conj found id)
                found)))
          #{} (graph/live g)))

(def ^:private units
  "The least distance that is told from rounding, relative to the element."
  {:f64 1e-13, :f32 1e-5, :f16 4e-3, :bf16 3e-2})

(defn- near?
  "Does an element got agree with the one expected, which rounding moves by `spread`? `empty`: with
  rules and axes of no elements NaN may come of a value that was never needed, times nothing."
  [dtype empty x y spread]
  (cond (= spread ##Inf) true
        (not (float? x)) (= x y)
        (and empty (NaN? y)) true
        (Double/isNaN x) (Double/isNaN y)
        (== x y) true
        :else (<= (abs (- x y)) (+ (* 64 (double spread))
                                   (* (double (units dtype)) (abs x)) Double/MIN_NORMAL))))

(defn- unlike
  "Nil when the arrays agree, else [expected got]."
  [spread empty x y]
  (when-not (and (= (array/type-of x) (array/type-of y))
                 (every? true? (map (partial near? (:dtype x) empty)
                                    (array/values x) (array/values y) spread)))
    [x y]))

;; ## One call

(defn- results
  "[[what id got] …] of a call that went well: the outputs, and the states that are updated."
  [{:keys [graph updates]} got after]
  (concat (map vector (range) (:outputs graph) got)
          (for [[s position] updates] [s (nth (:outputs graph) position) (after s)])))

(defn- kept
  "What differs of states that a call must leave as they were."
  [env after names]
  (for [s names :let [d (unlike (repeat 0.0) false (env s) (after s))] :when d] (into [s] d)))

(defn- may-pass?
  "May a call succeed where the interpreter fails with that message? Rules may drop what fails, and
  so may expansions, such as those of ops that only ask for a shape; a slice beyond the end of an
  axis is not noticed when none of its elements is read."
  [graph mode env message]
  (or (not= mode :none)
      (re-find #"the slice from|a dimension must lie between" message)
      (:values (running/outcome #(eval/run (pass/expand (counted/keep-binders graph)) env)))))

(defn- some-empty? [values]
  (some (fn [v] (and v (some zero? (:shape v)))) values))

(defn- may-overflow?
  "May infinities arise inside the ops of a graph? A mean over nothing divides by 0."
  [graph values]
  (or (seq (tainted graph values)) (some-empty? values)))

(defn- value-differences [{:keys [graph updates] :as g} mode env {:keys [values spread]} got after]
  (let [free (if (= mode :none) #{} (tainted graph values))
        empty (and (not= mode :none) (some-empty? values))]
    (concat (for [[what id y] (results g got after) :when (not (free id))
                  :let [d (unlike (spread id) empty (nth values id) y)] :when d]
              (into [what] d))
            (kept env after (remove (set (keys updates)) (keys after))))))

(defn- compared
  "What differs between `reference`, with so many moved runs, and what a call gave."
  [{:keys [graph] :as g} mode env runs {got :values, failed :fails} after]
  (let [{:keys [fails decided values] :as expected} (rounding/reference graph env runs)]
    (cond (and fails failed) (kept env after (keys after))
          (not decided) nil
          fails (when-not (may-pass? graph mode env fails) [[:failure fails got]])
          failed (when-not (and (= mode :nan-guard) (may-overflow? graph values))
                   [[:failure nil failed]])
          :else (value-differences g mode env expected got after))))

(defn- differences
  "What differs between a call and the reference, a seq of [what expected got]; once more with many
  moved runs when something seems to."
  [g compiled mode env]
  (let [outcome (running/outcome #(running/call! compiled env))
        after (running/state-values compiled)]
    (when (seq (compared g mode env 2 outcome after))
      (compared g mode env 40 outcome after))))

(defn rewritten-differences
  "What differs between a graph and another one that a mode made of it, both run by the interpreter,
  as `differences` has it."
  [{:keys [graph] :as g} rewritten mode env]
  (let [outcome (running/outcome #(eval/run rewritten env)), g (assoc g :updates {})]
    (when (seq (compared g mode env 2 outcome {}))
      (compared g mode env 40 outcome {}))))

(defn- shown [x]
  (cond (:dtype x) [(array/type-of x) (array/nested x)]
        (vector? x) (mapv shown x)
        :else x))

(defn- shown-env [{:keys [inputs states]} env]
  (into {} (for [[s] (concat inputs states)] [s (shown (env s))])))

;; ## One graph

(defn thrown
  "An exception as text, with the places of Damo that it came through."
  [^Throwable e]
  (str (.getSimpleName (class e)) " " (ex-message e) " at "
       (str/join ", " (take 4 (filter #(re-find #"^damo\.(?!array)" %)
                                      (map str (.getStackTrace e)))))))

(defn- check-calls [g mode compiled envs]
  (first (for [env envs
               :let [found (differences g compiled mode env)] :when (seq found)]
           {:env (shown-env g env), :different (mapv #(mapv shown %) found)})))

(defn- flat
  "The graph with what nodes hold in the places of these, and all its leaves: what the reference
  counts is rounding of single ops."
  [{:keys [nodes] :as graph}]
  (let [leaves (filterv #(#{:input :shared} (graph/op-of (nodes %))) (range (count nodes)))]
    (-> (whole/inlined (assoc graph :keep leaves) (constantly true)) :graph (dissoc :keep))))

(defn- verdict
  "Nil, or what is wrong with a compiled graph."
  [{:keys [graph] :as g} mode envs]
  (let [{compiled :values, fails :fails}
        (running/outcome #(running/compile graph (assoc g :mode mode)))]
    (if fails
      {:compiling fails}
      (try (check-calls (update g :graph flat) mode compiled envs)
           (finally (running/close! compiled))))))

(defn check
  "Nil when the graph, compiled in a mode, agrees with the reference on each environment, else the
  first disagreement: {:graph :updates :mode :env :different [[what expected got] …]}, or with
  :compiling or :threw, a message, in place of :different."
  [{:keys [graph updates] :as g} mode envs]
  (when-let [found (try (verdict g mode envs)
                        (catch Throwable e {:threw (thrown e)}))]
    (merge {:graph graph, :updates updates, :mode mode, :env (shown-env g (first envs))}
           found)))

(defn leaves
  "The graph {:graph :updates} with the :inputs and :states of its leaves."
  [{:keys [graph updates] :as g}]
  (let [of (fn [kind] (vec (for [[op {:keys [name type]}] (:nodes graph) :when (= op kind)]
                             [name type])))]
    (assoc g :inputs (of :input) :states (of :shared) :updates (or updates {}))))

(defn- tellers
  "The leaves that tell the extents of dims which a graph mentions: one for each."
  [{:keys [nodes] :as g}]
  (let [wanted (into #{} (mapcat #(counted/mentions g %)) (graph/live g))
        leaf? #(#{:input :shared} (graph/op-of (nth nodes %)))]
    (vals (into {} (for [id (filter leaf? (range (count nodes)))
                         dim (type/shape-of (graph/type-of g id)) :when (wanted dim)]
                     [dim id])))))

(defn pruned
  "The graph {:graph :updates} without what nothing needs, positions and source lost."
  [{:keys [graph updates]}]
  (leaves {:updates updates
           :graph (-> (graph/prune (assoc graph :keep (tellers graph)))
                      (dissoc :keep)
                      (assoc :notes {}))}))

(defn environment
  "{name array} of what a disagreement shows under :env."
  [env]
  (into {} (for [[s [[dtype shape] nested]] env] [s (array/of dtype shape
                                                              (flatten [nested]))])))

(defn replay
  "Checks a disagreement that `check` gave, as EDN, again; nil, or what it is now."
  [{:keys [graph updates mode env]}]
  (check (leaves {:graph graph, :updates updates}) mode [(environment env)]))
