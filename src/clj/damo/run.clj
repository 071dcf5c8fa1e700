(ns damo.run
  "From a graph to a function that runs: the passes in order, the program, and the Java core that
  compiles it. (compiled graph spec) → {:function damo.runtime.Function, :program map, :graph
  rewritten-graph, :trace rules-that-fired}."
  (:require [damo.counted :as counted]
            [damo.fail :as fail :refer [fail!]]
            [damo.graph :as graph]
            [damo.guard :as guard]
            [damo.host :as host]
            [damo.op :as op]
            [damo.pass :as pass]
            [damo.plan :as plan]
            [damo.rewrite :as rewrite]
            [damo.rules.blas :as blas]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [damo DamoException]
           [damo.program Programs]
           [damo.runtime Function]
           [java.util List Map]))

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
     :nan-guard (assoc fast-run :guard guard/options)
     :debug fast-run}))

(defn mode-options
  "The options of a mode: a keyword of `modes`, or a map {:mode keyword, :include …, :exclude …} of
  rule names and promises."
  [mode]
  (let [{base :mode :or {base :fast-run} :as options}
        (if (map? mode) mode {:mode (or mode :fast-run)})]
    (when-not (contains? modes base)
      (fail! ::unknown-mode
        (str "there is no mode " (pr-str base) "; the modes are " (vec (sort (keys modes))))
        {:mode base}))
    (cond-> (merge (modes base) (dissoc options :mode))
      (= base :nan-guard) (assoc :guard (guard/check-options options)))))

(defn- rewritten [result sweeps options]
  (reduce (fn [{:keys [graph trace]} [rules own-options]]
            (rewrite/run graph [rules] (merge options own-options {:trace trace})))
          result sweeps))

(defn optimized
  "{:graph g' :trace [firing …]}: a graph after the rules of a mode, composites expanded.
  `:rewritten` is the same after the first rules, before composites are expanded."
  [graph mode]
  (let [{:keys [before after] :as options} (mode-options mode)
        options (select-keys options [:include :exclude])
        first-pass (rewritten {:graph (counted/keep-binders graph), :trace []} before options)
        second-pass (rewritten {:graph (pass/expand (:graph first-pass)), :trace []} after options)]
    {:graph (:graph second-pass)
     :trace (into (:trace first-pass) (:trace second-pass))
     :rewritten first-pass}))

(defn program-of
  "{:program map, :graph g, :trace …, :rewritten …} of a graph; `spec` as damo.plan/program takes
  it, and :mode."
  [graph {:keys [mode] :as spec}]
  (let [{:keys [graph] :as result} (optimized graph mode)
        {:keys [guard]} (mode-options mode)
        prepared (pass/prepare (if guard (guard/inserted graph guard) graph))]
    (assoc result :program (plan/program prepared spec), :graph prepared)))

(defn as-ex-info
  "The exception of the core as an ex-info: its kind as :damo/error :damo/<kind>, its data by
  keyword."
  [^DamoException e]
  (ex-info (.getMessage e)
           (into {:damo/error (keyword "damo" (.kind e))}
                 (map (fn [[k v]] [(keyword k) (if (instance? List v) (vec v) v)])) (.data e))
           e))

(defmacro translating
  "Runs the body; exceptions of the core come out as ex-infos."
  [& body]
  `(try ~@body (catch DamoException e# (throw (as-ex-info e#)))))

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
    (translating
     (assoc result :function (Function/compile (Programs/read (program-text program)) by-name
                                               (boolean allow-downcast) (host/kernels))))))
