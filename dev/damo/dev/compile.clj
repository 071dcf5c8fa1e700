(ns damo.dev.compile
  "Compiles the Java core into target/classes and the project's Clojure namespaces into target/aot,
  and only what has changed: a namespace is compiled again when its text, a namespace that it
  requires, or a Java class or resource that it mentions has changed. Contents count, not times.
  The record of what was compiled from what is target/aot.edn."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.dev.source :as source])
  (:import [java.io File StringWriter]
           [java.nio.file Files Path StandardCopyOption]
           [java.security MessageDigest]
           [java.util HexFormat]
           [javax.tools ToolProvider]))

(set! *warn-on-reflection* true)

(def ^:private record-file "target/aot.edn")
(def ^:private aot-dir "target/aot")
(def ^:private scratch-dir "target/aot.scratch")
(def ^:private class-dir "target/classes")

(defn- fingerprint
  "The SHA-256 of the paths and contents of `files`, as hex."
  [files]
  (let [digest (MessageDigest/getInstance "SHA-256")]
    (doseq [^File f files]
      (.update digest (.getBytes (str f)))
      (.update digest (Files/readAllBytes (.toPath f))))
    (.formatHex (HexFormat/of) (.digest digest))))

(defn delete-tree
  "Deletes a file, or a folder and all that is in it; does nothing when there is none."
  [file]
  (doseq [^File f (reverse (file-seq (io/file file)))]
    (Files/deleteIfExists (.toPath f))))

(defn- read-record []
  (let [f (io/file record-file)]
    (if (.exists f) (edn/read-string (slurp f)) {})))

(defn- write-record [record]
  (let [draft (io/file (str record-file ".new"))]
    (spit draft (pr-str record))
    (Files/move (.toPath draft) (.toPath (io/file record-file))
                (into-array [StandardCopyOption/ATOMIC_MOVE StandardCopyOption/REPLACE_EXISTING]))))

;; ## Java

(defn- run-javac
  "Compiles `sources` into `dir`; returns true when javac had nothing to object to. The class path
  is the folder itself: the core uses no library, and so cannot come to need one unnoticed."
  [javac-opts dir sources]
  (let [args (concat javac-opts ["-d" dir "-cp" dir] (map str sources))]
    (.mkdirs (io/file dir))
    (zero? (.run (ToolProvider/getSystemJavaCompiler) nil System/err System/err
                 (into-array String args)))))

(defn java!
  "Compiles src/java into target/classes when a source or an option differs from the last time.
  Returns the fingerprint of the sources, or nil when they do not compile (javac has said why)."
  [javac-opts]
  (let [sources (source/files "src/java" ".java")
        stamp (str (fingerprint sources) " " (str/join " " javac-opts) " "
                   (System/getProperty "java.vm.version"))
        record (read-record)
        fresh (str class-dir ".new")]
    (if (= stamp (:java record))
      stamp
      (do (delete-tree fresh)
          (when (run-javac javac-opts fresh sources)
            (write-record (dissoc record :java))
            (delete-tree class-dir)
            (.renameTo (io/file fresh) (io/file class-dir))
            (write-record (assoc record :java stamp))
            stamp)))))

;; ## Clojure

(defn- java-packages []
  (distinct (for [^File f (source/files "src/java" ".java")]
              (-> (.relativize (.toPath (io/file "src/java")) (.toPath (.getParentFile f)))
                  str (str/replace File/separator ".")))))

(defn- mentions
  "What a namespace's text may depend on besides Clojure: [:java] when it names a package of the
  core, [:resources] when it reads one. The fingerprint of those goes into its own."
  [^String text packages]
  (cond-> []
    (some #(str/includes? text %) packages) (conj :java)
    (str/includes? text "resource") (conj :resources)))

(defn- stamps-of
  "{ns fingerprint} for the namespaces of `graph`, from their text and from what they mention."
  [graph world]
  (let [packages (java-packages)]
    (update-vals graph (fn [{:keys [file]}]
                         (str/join " " (cons (fingerprint [file])
                                             (map world (mentions (slurp file) packages))))))))

(defn- stale-in
  "The names in `graph` that must be compiled: changed, new, or above one that is."
  [graph stamps recorded]
  (source/with-dependents
   graph
   (for [name (keys graph) :when (not= (stamps name) (:stamp (recorded name)))] name)))

(defn- relative-files [dir]
  (let [root (.toPath (io/file dir))]
    (vec (for [^File f (file-seq (io/file dir)) :when (.isFile f)]
           (str (.relativize root (.toPath f)))))))

(defn- sweep!
  "Deletes from target/aot what no namespace of the record owns, as after an interrupted build."
  [recorded]
  (let [owned (into #{} (mapcat :files) (vals recorded))]
    (doseq [path (relative-files aot-dir) :when (not (owned path))]
      (Files/deleteIfExists (.toPath (io/file aot-dir path))))))

(defn- freshen!
  "Makes the classes of kept namespaces newer than their sources. Clojure goes by times: it would
  load a source that was only touched, and compile it again into the files of whoever requires it."
  [graph kept]
  (doseq [[name {:keys [files]}] kept
          :let [^File source (:file (graph name))], :when source
          path files :when (str/ends-with? path "__init.class")
          :let [^File init (io/file aot-dir path)]
          :when (<= (.lastModified init) (.lastModified source))]
    (.setLastModified init (max (System/currentTimeMillis) (+ 1000 (.lastModified source))))))

(defn- adopt!
  "Moves the class files of the scratch folder into target/aot and returns their relative paths."
  []
  (let [paths (relative-files scratch-dir)]
    (doseq [path paths :let [target (io/file aot-dir path)]]
      (io/make-parents target)
      (Files/move (.toPath (io/file scratch-dir path)) (.toPath target)
                  (into-array [StandardCopyOption/REPLACE_EXISTING])))
    paths))

(defn- message-of [^Throwable e]
  (str/join ": " (distinct (keep #(.getMessage ^Throwable %)
                                 (take-while some? (iterate #(.getCause ^Throwable %) e))))))

(defn- warnings-of
  "The compiler's warnings in what it said: reflection, and names of clojure.core replaced."
  [text]
  (filterv #(re-find #"(?i)^(reflection )?warning" %) (str/split-lines text)))

(defn- compile-one
  "Compiles the namespace `name`. Returns {:files :warnings}, or {:error message} when it does not
  compile; its class files are then left out, and whoever requires it meets the error again."
  [name]
  (delete-tree scratch-dir)
  (.mkdirs (io/file scratch-dir))
  (let [said (StringWriter.)]
    (try
      (binding [*compile-path* scratch-dir, *err* said, *warn-on-reflection* true]
        (compile name))
      {:files (adopt!) :warnings (warnings-of (str said))}
      (catch Throwable e
        {:error (message-of e)})
      (finally
        (when-not (str/blank? (str said)) (binding [*out* *err*] (print (str said)) (flush)))))))

(defn- compile-all
  "Compiles `order` one by one; a namespace above a failed one is not tried: {ns result}, where the
  result of such a one is {:error :because}, with the name of the failed one."
  [graph order]
  (reduce (fn [results name]
            (let [broken (first (filter (comp :error results) (:requires (graph name))))
                  root (:because (results broken) broken)]
              (assoc results name
                     (if broken
                       {:error (str "requires " root ", which does not compile") :because root}
                       (compile-one name)))))
          {} order))

(defn- libraries
  "The namespaces outside the project that it requires and that come without classes, as core.match
  does: without this each start would compile them in memory."
  [graph]
  (into {} (for [lib (sort (distinct (mapcat :requires (vals graph))))
                 :let [path (-> (str lib) (str/replace "-" "_") (str/replace "." "/"))]
                 :when (and (not (graph lib))
                            (io/resource (str path ".clj"))
                            (not (some-> (io/resource (str path "__init.class")) .getProtocol
                                         (= "jar"))))]
             [lib {:library true :requires #{}}])))

(defn clojure!
  "Compiles the stale namespaces under the folders `roots`. `key` names the libraries in use and
  `java` the Java core; a new key compiles everything. Returns {ns {:files :warnings :error}} for
  all namespaces, compiled now or before."
  [roots key java]
  (let [old (read-record)
        project (source/namespaces roots)
        libs (libraries project)
        graph (merge libs project)
        world {:java java, :resources (fingerprint (source/files "resources" ""))}
        stamps (merge (update-vals libs (constantly "library")) (stamps-of project world))
        usable (if (= key (:key old)) (select-keys (:namespaces old) (keys graph)) {})
        stale (stale-in graph stamps usable)
        kept (reduce dissoc usable stale)]
    (write-record (assoc old :key key :namespaces kept))
    (sweep! kept)
    (freshen! graph kept)
    (let [results (compile-all graph (filter stale (source/in-order graph)))
          done (into kept (for [[name result] results :when (not (:error result))]
                            [name (assoc result :stamp (stamps name))]))]
      (write-record (assoc old :key key :namespaces done))
      (merge done results))))
