(ns build
  "Tasks of tools.build: what bin/damo runs when deps.edn has changed, and what the Clojure CLI's
  users run by hand. `clojure -T:build javac` compiles the Java core into target/classes, so that
  `clojure -M:test` and `clojure -M:demo` find it; `clojure -T:build clean` removes target/."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.tools.build.api :as b])
  (:import [java.io File]
           [java.nio.file Files Path StandardCopyOption]))

(set! *warn-on-reflection* true)

(defn- basis [& aliases]
  (b/create-basis {:user nil :aliases (vec aliases)}))

(defn clean
  "Removes everything that was built. Takes and ignores the options of a tool."
  [_]
  (b/delete {:path "target"}))

(defn javac
  "Compiles src/java into target/classes with the :javac-opts of deps.edn."
  [_]
  (b/delete {:path "target/classes"})
  (let [basis (basis)]
    (b/javac {:src-dirs ["src/java"]
              :class-dir "target/classes"
              :basis basis
              :javac-opts (-> basis :aliases :javac-opts)})))

;; ## Resolving for bin/damo

(defn- absolute [path]
  (.getAbsolutePath (.getCanonicalFile (io/file path))))

(defn- job-of
  "The JVM options, main options, folders and jars of one job, all paths absolute."
  [job]
  (let [{:keys [argmap classpath-roots]} (basis :jvm job)
        paths (map absolute classpath-roots)]
    {:jvm-opts (vec (:jvm-opts argmap))
     :main-opts (vec (:main-opts argmap))
     :folders (vec (remove #(str/ends-with? % ".jar") paths))
     :jars (filterv #(str/ends-with? % ".jar") paths)}))

(defn- resolved
  "The resolved form of deps.edn: every job, and the options of javac."
  []
  (let [{:keys [aliases]} (basis)]
    {:javac-opts (:javac-opts aliases)
     :jobs (into {} (for [[job {:keys [main-opts]}] aliases :when main-opts]
                      [job (job-of job)]))}))

(defn- spit-atomically
  "Writes `text` to `file` so that a reader sees all of it or none."
  [file text]
  (let [target ^Path (.toPath (io/file file))
        draft ^Path (Files/createTempFile (.getParent target) "draft" nil
                                          (make-array java.nio.file.attribute.FileAttribute 0))]
    (spit (.toFile draft) text)
    (Files/move draft target (into-array [StandardCopyOption/ATOMIC_MOVE]))))

(defn- quoted [arg]
  (str \" (str/escape arg {\\ "\\\\" \" "\\\""}) \"))

(defn -main
  "Resolves deps.edn into the folder `out`: resolved.edn for the compiler of the image (see
  damo.dev.image), compile.args, the java arguments that start it, and jars, one path a line."
  [out]
  (let [{:keys [jobs] :as result} (resolved)
        jars (distinct (mapcat :jars (vals jobs)))
        folders (distinct (concat ["target/classes" "target/aot" "dev"]
                                  (mapcat :folders (vals jobs))))
        class-path (str/join File/pathSeparator (map absolute (concat folders jars)))]
    (io/make-parents (io/file out "jars"))
    (spit-atomically (io/file out "resolved.edn") (pr-str result))
    (spit-atomically (io/file out "compile.args")
                     (str/join "\n" ["-XX:+UseSerialGC" "-XX:TieredStopAtLevel=1"
                                     "-cp" (quoted class-path) "clojure.main" "-m"]))
    ;; Last: the launcher takes this file as the sign that the other two are there.
    (spit-atomically (io/file out "jars") (str (str/join "\n" jars) "\n"))
    (shutdown-agents)))
