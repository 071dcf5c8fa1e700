(ns damo.compile.lower.nonempty
  "What kernels ask before their loops: that reductions which must choose an element have one."
  (:require [damo.compile.schedule.reads :as reads]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn checks
  "The statements for a kernel unit: reductions that must choose an element have one, or no result,
  as the maxima of no rows."
  [{:keys [g note-of]} {:keys [nodes]}]
  (for [id nodes :when (:nonempty (op/entry (graph/op-at g id)))
        :let [number (failing/reduced-count (graph/attrs-at g id) (reads/domain g id))
              results (type/size (type/shape-of (first (tuple/types (graph/type-of g id)))))
              some? [:gt [:size number] [:const :i64 0]]
              none? [:eq [:size results] [:const :i64 0]]]
        :when (not (failing/nonempty? (:bounds g) number))]
    [:require (if (failing/nonempty? (:bounds g) results) some? [:or some? none?]) (note-of id)]))
