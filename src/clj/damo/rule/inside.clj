(ns damo.rule.inside
  "Graphs in nodes, rewritten: by the same rules and with the same fuel as the graph around them,
  equal ones once. What fires in one stands in the trace with the :path to it, [holder key …].
  (rewritten (rewriter sweep) :apply {:body g} note fuel) = {:attrs {:body g'} :note …}"
  (:require [damo.data.graph :as graph]
            [damo.op.body :as body]
            [damo.rule.trace :as trace])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

(defn rewriter
  "A function that rewrites a graph with these notes by (sweep graph fuel), which gives {:graph :ids
  :trace :fuel}: the same with a canonical :body and its :notes; `fuel` is a volatile."
  [sweep]
  (let [known (HashMap.)]
    (fn [g notes fuel]
      (or (.get known [g notes])
          (let [{:keys [graph ids trace] :as result} (sweep (body/opened g notes) @fuel)
                {:keys [now] :as closed} (body/closed graph)
                result (assoc result :body (:body closed), :notes (:notes closed)
                              :ids #(some-> (ids %) now)
                              :trace (trace/renumbered trace now nil))]
            (vreset! fuel (:fuel result))
            (.put known [g notes] result)
            result)))))

(defn rewritten
  "{:attrs :note :entries}: the attributes and the note of a node with the graphs in it rewritten,
  and a function from the id of the node to the entries of the trace of what fired in them."
  [rewrite op attrs note fuel]
  (let [found (mapv (fn [[path g]] [path (rewrite g (get-in note [:inner path]) fuel)])
                    (body/graphs op attrs))
        inner (into {} (for [[path {:keys [notes]}] found :when (seq notes)] [path notes]))]
    {:attrs (reduce (fn [m [path {:keys [body]}]] (assoc-in m path body)) attrs found)
     :note (cond-> (dissoc note :inner) (seq inner) (assoc :inner inner))
     :entries (fn [id]
                (vec (for [[path {:keys [trace]}] found, entry trace]
                       (update entry :path #(into [id (body/step path)] %)))))}))

(defn known
  "A function from the holder of a graph in `graph`, and the step to it, to what the rewriter made
  of that."
  [rewrite graph fuel]
  (fn [holder step]
    (let [path (body/way step)]
      (rewrite (get-in (graph/attrs-at graph holder) path)
               (get-in graph [:notes holder :inner path]) fuel))))
