(ns damo.compile.pipeline
  "From a graph to a function that runs: the passes in order, the program, and the Java core that
  compiles it. (compiled graph spec) → {:function damo.runtime.Function, :program map, :graph
  rewritten-graph, :trace rules-that-fired}."
  (:require [damo.compile.host :as host]
            [damo.compile.pass :as pass]
            [damo.compile.pass.guard :as guard]
            [damo.compile.plan :as plan]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.thrown :as thrown]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.rule :as rule]
            [damo.rule.engine :as rewrite]
            [damo.rules.blas :as blas]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [damo.program Programs]
           [damo.runtime Function]
           [java.util Map]))

(set! *warn-on-reflection* true)

(def modes
  "What each mode does: the sweeps of rules before and after composites are expanded, as pairs
  [rule-set options]. The first one folds no constants: log(1 + exp(800)) must be recognised before
  exp(800) becomes infinite."
  (let [stable-first [stabilize/rules {:fold false}]
        fast-run {:before [stable-first [canonicalize/rules] [stabilize/rules] [specialize/rules]]
                  :after [[canonicalize/rules] [specialize/rules] [blas/rules]]}]
    {:fast-run fast-run
     :fast-compile {:before [stable-first], :after []}
     :none {:before [], :after []}
     :sync fast-run                          ; calls on the processor end when their work is done
     :nan-guard (assoc fast-run :guard guard/options)
     :debug fast-run}))

(defn rules
  "The rules of all modes."
  []
  (mapcat :rules [stabilize/rules canonicalize/rules specialize/rules blas/rules]))

(def ^:private rule-names
  "What :include and :exclude may hold: the names of the rules and their promises."
  (delay (into (set (keys rule/promises)) (map :name) (rules))))

(defn- check-names!
  "Fails unless :include or :exclude of a mode, under `k`, is a collection of known names."
  [k given]
  (when-not (or (nil? given) (set? given) (sequential? given))
    (fail! :damo.run/bad-mode (str k " of a mode is a set of names of rules and promises; got "
                               (pr-str given))
           {:option k, :given given}))
  (doseq [rule given]
    (fail/check-name! {:kind :damo.run/unknown-rule, :what "rule or promise", :key :rule
                       :data {:option k}}
                      @rule-names rule)))

(def rule-options
  "The keys of the map of a mode that say which rules run, see rule/wanted."
  [:include :exclude :regroup])

(defn- check-regroup! [given]
  (when-not (contains? #{nil true false} given)
    (fail! :damo.run/bad-mode (str ":regroup of a mode is true or false; got " (pr-str given))
           {:option :regroup, :given given})))

(defn- check-mode!
  "Fails unless the map of a mode has keys that this mode knows, with values that they may have."
  [base options]
  (let [known (into (set (cons :mode rule-options))
                    (when (= base :nan-guard) (keys guard/options)))]
    (fail/check-name! {:kind :damo.run/unknown-mode, :what "mode", :key :mode} (keys modes) base)
    (doseq [k (keys options)]
      (fail/check-name! {:kind :damo.run/unknown-option, :what "option"
                         :of (str " of the mode " base), :key :option, :data {:mode base}}
                        known k))
    (doseq [k [:include :exclude]] (check-names! k (k options)))
    (check-regroup! (:regroup options))))

(defn mode-options
  "The options of a mode: a keyword of `modes`, or a map {:mode keyword, :include …, :exclude …} of
  rule names and promises, with :regroup true for rules that regroup sums and products of floats.
  Fails on unknown ones with the nearest names."
  [mode]
  (let [{base :mode :or {base :fast-run} :as options}
        (if (map? mode) mode {:mode (or mode :fast-run)})]
    (check-mode! base options)
    (cond-> (merge (modes base) (dissoc options :mode))
      (:include options) (update :include set)
      (:exclude options) (update :exclude set)
      (= base :nan-guard) (assoc :guard (guard/check-options options)))))

(defn- swept
  "The stages with the one that these rules make of the last of them."
  [options stages [rules own-options]]
  (let [{:keys [graph] :as stage} (peek stages), earlier (select-keys stage [:trace :settled])
        next-stage (rewrite/run graph [rules] (merge own-options options earlier))]
    (conj stages (assoc next-stage
                   :what (str "the rules " (name (:name rules)))
                   :fired (subvec (:trace next-stage) (count (:trace earlier)))))))

(defn- passed
  "The stages with the one that a pass makes of the last of them; the trace begins anew."
  [stages what pass]
  (let [{:keys [graph settled]} (peek stages)]
    (conj stages {:what what, :trace [], :begins true, :settled settled, :graph (pass graph)})))

(defn- rewritten
  "The stages of the rules before composites are expanded. Where nodes hold graphs that take their
  places, the rules run with these first, then without. Constants are folded then, for what a rule
  would recognise may lie on both sides."
  [stages options before]
  (let [sweeps #(reduce (partial swept %2) %1 before)]
    (if (pass/inlines? (:graph (peek stages)))
      (-> (sweeps stages (assoc options :fold false))
          (passed "graphs in the places of the nodes that hold them"
                  (comp counted/keep-binders pass/inline))
          (sweeps options))
      (sweeps stages options))))

(defn stages
  "What a mode makes of a graph, step by step: [{:what text, :graph g, :trace [firing …]} …]. The
  first is what the user wrote; a sweep of rules has besides the :ids old-id → id or nil, and what
  :fired in it. :trace is what fired since the last stage with :begins true, with the ids of this
  graph."
  [graph mode]
  (let [{:keys [before after] :as options} (mode-options mode)
        options (select-keys options rule-options)
        written [{:what "the user", :graph (counted/keep-binders graph), :trace []}]]
    (reduce (partial swept options)
            (passed (rewritten written options before) "the expansion of composite ops" pass/expand)
            after)))

(defn optimized
  "{:graph g' :trace [firing …]}: a graph after the rules of a mode, composites expanded.
  `:rewritten` is the same after the first rules, before anything takes the place of a node that
  holds it or stands for it."
  [graph mode]
  (let [stages (stages graph mode)
        lasts (keep (fn [[a b]] (when (or (nil? b) (:begins b)) (select-keys a [:graph :trace])))
                    (partition-all 2 1 stages))]
    {:graph (:graph (last lasts))
     :trace (into [] (mapcat :trace) lasts)
     :rewritten (first lasts)}))

(defn program-of
  "{:program map, :graph g, :trace …, :rewritten …} of a graph; `spec` as damo.compile.plan/program
  takes it, and :mode."
  [graph {:keys [mode] :as spec}]
  (let [{:keys [graph] :as result} (optimized graph mode)
        {:keys [guard]} (mode-options mode)
        prepared (pass/prepare (if guard (guard/inserted graph guard) graph))]
    (assoc result :program (plan/program prepared spec), :graph prepared)))

(defn program-text
  "A program as EDN text."
  ^String [program]
  (binding [*print-length* nil, *print-level* nil, *print-meta* false, *print-namespace-maps* false
            *print-readably* true]             ; println unsets it, also for what is lazy inside
    (pr-str program)))

(defn compiled
  "{:function Function, :program …, :graph …, :trace …} of a graph. `spec` as `program-of` takes it,
  with :states {name State} and :allow-downcast."
  [graph {:keys [states allow-downcast] :as spec}]
  (let [{:keys [program] :as result} (program-of graph spec)
        ^Map by-name (into {} (map (fn [[k v]] [(str k) v])) states)]
    (thrown/translating
     (assoc result :function (Function/compile (Programs/read (program-text program)) by-name
                                               (boolean allow-downcast) (host/kernels) true)))))
