(ns damo.data.later-sample
  "A namespace that only damo.data.later-test loads, later.")

(set! *warn-on-reflection* true)

(def ^:private at-loading [*unchecked-math* *print-length*])

(defn bound
  "What was bound while this was loaded."
  []
  at-loading)
