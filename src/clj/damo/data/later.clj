(ns damo.data.later
  "Functions of namespaces that are loaded when one is called first. Loading all of Damo from source
  takes seconds, of which rules and code generators are half; who only looks at expressions, or
  loads a saved program, waits for none of that.
  ((of 'damo.compile.pipeline/compiled) graph spec).")

(set! *warn-on-reflection* true)

(defn of
  "The function of that qualified name; the first call loads its namespace."
  [function-name]
  (let [found (delay (requiring-resolve function-name))]
    (fn [& args] (apply @@found args))))
