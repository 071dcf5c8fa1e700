(ns damo.dev.source
  "Reads the project's Clojure files as data: which namespace a file declares and which it requires.
  The builder orders compilation by it, and the structure tests check the levels with it.
  (requires '(ns a (:require [b.c :as c]))) => #{b.c}"
  (:require [clojure.java.io :as io]
            [clojure.string :as str])
  (:import [java.io File PushbackReader]))

(set! *warn-on-reflection* true)

(defn files
  "The files under the folder `root` whose names end in one of `endings`, sorted by path.
  A folder that does not exist has none."
  [root & endings]
  (sort (for [^File f (file-seq (io/file root))
              :when (and (.isFile f) (some #(str/ends-with? (.getName f) %) endings))]
          f)))

(defn ns-form
  "The ns form of a Clojure file, or nil when the file does not begin with one. Never evaluates."
  [file]
  (binding [*read-eval* false]
    (with-open [in (PushbackReader. (io/reader file))]
      (let [form (read {:eof nil :read-cond :allow :features #{:clj}} in)]
        (when (and (seq? form) (= 'ns (first form))) form)))))

(defn- libs-of
  "The namespaces of one libspec: a symbol, [a.b :as b], or the prefix list (a [b :as b] c)."
  [spec]
  (cond (symbol? spec) [spec]
        (and (sequential? spec) (or (nil? (second spec)) (keyword? (second spec)))) [(first spec)]
        (sequential? spec) (for [nested (rest spec), lib (libs-of nested)]
                             (symbol (str (first spec) "." lib)))))

(defn requires
  "The set of namespaces that an ns form requires or uses."
  [form]
  (set (for [clause (filter seq? form)
             :when (#{:require :use :require-macros} (first clause))
             spec (remove keyword? (rest clause))
             lib (libs-of spec)]
         lib)))

(defn namespaces
  "The namespaces declared under the folders `roots`: {ns {:file File, :requires #{ns}}}."
  [roots]
  (into {} (for [root roots
                 file (files root ".clj" ".cljc")
                 :let [form (ns-form file)]
                 :when form]
             [(second form) {:file file :requires (requires form)}])))

(defn in-order
  "The names of `graph`, a map as `namespaces` returns it, each after those that it requires.
  Throws when namespaces require each other in a circle."
  [graph]
  (letfn [(visit [{:keys [done path] :as state} name]
            (cond (done name) state
                  (path name) (throw (ex-info (str "namespaces require each other in a circle: "
                                                   (str/join ", " (sort path)))
                                              {:namespaces path}))
                  :else (-> (reduce visit (update state :path conj name)
                                    (sort (filter graph (:requires (graph name)))))
                            (update :path disj name)
                            (update :done conj name)
                            (update :order conj name))))]
    (:order (reduce visit {:done #{} :path #{} :order []} (sort (keys graph))))))

(defn with-dependents
  "The set of `names` and of all namespaces of `graph` that require one of them, however
  indirectly."
  [graph names]
  (reduce (fn [stale name]
            (if (some stale (:requires (graph name))) (conj stale name) stale))
          (set names)
          (in-order graph)))
