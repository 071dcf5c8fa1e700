(ns damo.compile.pipeline
  "From a graph to a function that runs: the passes in order, the program, and the Java core that
  compiles it. (compiled graph spec) → {:function damo.runtime.Function, :program map, :graph
  rewritten-graph, :trace rules-that-fired}."
  (:require [clojure.string :as str]
            [damo.compile.host :as host]
            [damo.compile.modes :as modes]
            [damo.compile.pass :as pass]
            [damo.compile.pass.control :as control]
            [damo.compile.pass.guard :as guard]
            [damo.compile.pass.parts :as parts]
            [damo.compile.pass.twins :as twins]
            [damo.compile.plan :as plan]
            [damo.data.thrown :as thrown]
            [damo.meaning.counted :as counted]
            [damo.rule :as rule]
            [damo.rule.engine :as engine])
  (:import [damo.program Programs]
           [damo.runtime Function]
           [java.util Map]))

(set! *warn-on-reflection* true)

(defn- what-sweeps
  "Rule sets as a stage tells of them: \"the rules canonicalize, with my/rules\"."
  [rule-sets]
  (let [[own & more] (map rule/set-name (reverse rule-sets))]
    (str "the rules " own (when more (str ", with " (str/join ", " (reverse more)))))))

(defn- swept
  "The stages with the one that these rule sets make of the last of them."
  [options stages [rule-sets own-options]]
  (let [{:keys [graph] :as stage} (peek stages), earlier (select-keys stage [:trace :settled])
        next-stage (engine/run graph rule-sets (merge own-options options earlier))]
    (conj stages (assoc next-stage
                   :what (what-sweeps rule-sets)
                   :fired (subvec (:trace next-stage) (count (:trace earlier)))))))

(defn- passed
  "The stages with the one that a pass makes of the last of them; the trace begins anew."
  [stages what pass]
  (let [{:keys [graph settled]} (peek stages)]
    (conj stages {:what what, :trace [], :begins true, :settled settled, :graph (pass graph)})))

(defn- prepared
  "The stages with the one that a pass makes of the last of them before the rules, if it changes
  something."
  [stages what pass]
  (let [{:keys [graph]} (peek stages), after (pass graph)]
    (if (identical? graph after)
      stages
      (conj stages {:what what, :trace [], :graph (counted/keep-binders after)}))))

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

(defn- improved
  "The stages with the one that the passes of a phase make of the loops and branches of the last of
  them, if they change something; the trace begins anew, if there is one."
  [stages options phase]
  (let [{:keys [graph settled trace]} (peek stages)
        {after :graph, :keys [names]} (control/improved graph (assoc options :phase phase))]
    (if (empty? names)
      stages
      (conj stages (cond-> {:what (str "the passes " (str/join ", " (map name names)))
                            :trace [], :settled settled, :graph after}
                     (seq trace) (assoc :begins true))))))

(defn- rewritten-twice
  "The stages of the rules before composites are expanded, of the passes that change loops and
  branches then, and where these do, of the rules once more."
  [stages options before]
  (let [once (rewritten stages options before), more (improved once options :late)]
    (if (= (count once) (count more)) once (rewritten more options before))))

(defn stages
  "What a mode makes of a graph, step by step: [{:what text, :graph g, :trace [firing …]} …]. The
  first is what the user wrote; a sweep of rules has besides the :ids old-id → id or nil, and what
  :fired in it. :trace is what fired since the last stage with :begins true, with the ids of this
  graph."
  [graph mode]
  (let [{:keys [before after] :as options} (modes/options mode)
        options (select-keys options (conj modes/rule-options :control))
        begun (-> [{:what "the user", :graph graph, :trace []}]
                  (prepared "functions with derivatives of their own" pass/inline-unlasting)
                  (prepared "results of sparse matrices" twins/without)
                  (prepared "results that are used alone" parts/alone)
                  (prepared "wishes for derivatives" control/without-wishes)
                  (update-in [0 :graph] counted/keep-binders)
                  (improved options :early))]
    (reduce (partial swept options)
            (passed (rewritten-twice begun options before)
                    "the expansion of composite ops" pass/expand)
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
        {:keys [guard]} (modes/options mode)
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
  [graph {:keys [states allow-downcast mode] :as spec}]
  (let [{:keys [program] :as result} (program-of graph spec)
        quick (boolean (:quick (modes/options mode)))
        ^Map by-name (into {} (map (fn [[k v]] [(str k) v])) states)]
    (thrown/translating
     (assoc result :function (Function/compile (Programs/read (program-text program)) by-name
                                               (boolean allow-downcast) (host/kernels) true
                                               quick)))))
