(ns damo.data.later
  "Functions of namespaces that are loaded when one is called first. Loading all of Damo from source
  takes seconds, of which rules and code generators are half; who only looks at expressions, or
  loads a saved program, waits for none of that.
  ((of 'damo.compile.pipeline/compiled) graph spec).")

(set! *warn-on-reflection* true)

(defn- loaded
  "The var of that name, its namespace loaded as at the top of a program: what a user has bound for
  arithmetic and printing where the first call happens is not for Damo's sources."
  [function-name]
  (binding [*unchecked-math* false, *warn-on-reflection* false, *print-length* nil
            *print-level* nil, *print-meta* false, *print-namespace-maps* false]
    (requiring-resolve function-name)))

(defn of
  "The function of that qualified name; the first call loads its namespace."
  [function-name]
  (let [found (delay (loaded function-name))]
    (fn [& args] (apply @@found args))))
