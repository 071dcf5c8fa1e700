(ns damo.dev.image
  "Builds what bin/damo runs: target/image/<stamp>/, where <stamp> names the state of the sources.
  It holds damo.jar (the Java core and the compiled Clojure namespaces) and a java argument file a
  job. An image is written beside its place and renamed into it, and never changed afterwards, so
  a job that is running keeps its image while the next one is built."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.dev.compile :as compile])
  (:import [java.io File]
           [java.nio.channels FileChannel]
           [java.nio.file Files OpenOption StandardCopyOption StandardOpenOption]
           [java.util.jar JarOutputStream]
           [java.util.zip Deflater ZipEntry]))

(set! *warn-on-reflection* true)

(defn- say [& words]
  (binding [*out* *err*] (println (str "bin/damo: " (str/join " " words)))))

(defn- with-lock
  "Calls f while no other process builds here; waits for one that does. The operating system
  releases the lock of a process that dies."
  [f]
  (with-open [channel (FileChannel/open (.toPath (io/file "target/build.lock"))
                                        (into-array OpenOption [StandardOpenOption/CREATE
                                                                StandardOpenOption/WRITE]))]
    (when-not (.tryLock channel)
      (say "waiting for another build in this folder")
      (.lock channel))
    (f)))

;; ## The jar

(def ^:private source-roots ["src/clj" "demo" "bench"])

(defn- write-entry [^JarOutputStream out root ^File file millis]
  (let [path (str (.relativize (.toPath (io/file root)) (.toPath file)))
        entry (doto (ZipEntry. (str/replace path File/separator "/")) (.setTime millis))]
    (.putNextEntry out entry)
    (io/copy file out)
    (.closeEntry out)))

(defn- write-jar
  "Packs the class files and the resources. Their time is a little ahead: Clojure takes a class for
  outdated when its source is newer, and the times in a jar are cut to even seconds."
  [file]
  (let [millis (+ 4000 (System/currentTimeMillis))]
    (with-open [out (JarOutputStream. (io/output-stream file))]
      (.setLevel out Deflater/NO_COMPRESSION)
      (doseq [root ["target/classes" "target/aot" "resources"]
              ^File f (sort (file-seq (io/file root)))
              :when (.isFile f)]
        (write-entry out root f millis)))))

;; ## Argument files

(defn- quoted [arg]
  (str \" (str/escape arg {\\ "\\\\" \" "\\\""}) \"))

(defn- class-path
  "The class path of a job: the image and the jars of all jobs first, in one order, because the
  archive of classes is good for jobs whose class path begins like its own; then what is the job's
  own, and the folders, in which a namespace that did not compile is found as source."
  [jar shared {:keys [jars folders]}]
  (str/join File/pathSeparator (concat [jar] shared (remove (set shared) jars) folders)))

(defn- core-class-path
  "The class path of the Java core alone: its classes, the resources and the native libraries."
  [{:keys [jobs]}]
  (str/join File/pathSeparator
            (concat (map #(.getAbsolutePath (io/file %)) ["target/classes" "resources"])
                    (filter #(str/includes? % "bytedeco") (get-in jobs [:script :jars])))))

(defn- write-arg-file [file args]
  (spit file (str/join "\n" (map quoted args))))

(defn- write-args
  "Writes JOB.args for each job, java.args, for the core alone, and archive.args: the class path
  that all jobs have in common. The JVM archives no classes when there is a folder on it."
  [dir jar {:keys [jobs] :as resolved}]
  (let [shared (get-in jobs [:script :jars])
        properties [(str "-Ddamo.root=" (.getAbsolutePath (io/file "")))
                    (str "-Ddamo.image=" (.getParent (io/file jar)))]]
    (doseq [[job {:keys [jvm-opts main-opts] :as spec}] jobs
            :let [class-path (class-path jar shared spec)]]
      (write-arg-file (io/file dir (str (name job) ".args"))
                      (concat jvm-opts properties ["-cp" class-path "clojure.main"] main-opts)))
    (write-arg-file (io/file dir "java.args")
                    (concat (get-in jobs [:script :jvm-opts]) ["-cp" (core-class-path resolved)]))
    (write-arg-file (io/file dir "archive.args")
                    (concat (get-in jobs [:script :jvm-opts]) properties
                            ["-cp" (class-path jar shared {}) "clojure.main"]))))

;; ## The image

(def ^:private images "target/image")
(def ^:private images-kept 3)

(defn- prune!
  "Deletes the drafts of interrupted builds and all but the newest images."
  []
  (let [folders (filter #(.isDirectory ^File %) (.listFiles (io/file images)))
        draft? #(str/ends-with? (.getName ^File %) ".draft")
        old (drop images-kept (sort-by #(- (.lastModified ^File %)) (remove draft? folders)))]
    (run! compile/delete-tree (concat (filter draft? folders) old))))

(defn- report
  "What the structure tests want to know: {:warnings {ns [text]}, :errors {ns text}}."
  [results]
  {:warnings (into (sorted-map) (for [[name {:keys [warnings]}] results :when (seq warnings)]
                                  [name warnings]))
   :errors (into (sorted-map) (for [[name {:keys [error]}] results :when error] [name error]))})

(defn- write-image [stamp resolved results]
  (let [draft (io/file images (str stamp ".draft"))
        place (io/file images stamp)]
    (.mkdirs draft)
    (write-jar (io/file draft "damo.jar"))
    (write-args draft (.getAbsolutePath (io/file place "damo.jar")) resolved)
    (spit (io/file draft "core.cp") (core-class-path resolved))
    (spit (io/file draft "report.edn") (pr-str (report results)))
    (Files/move (.toPath draft) (.toPath place)
                (into-array [StandardCopyOption/ATOMIC_MOVE]))))

(defn- build! [deps-dir stamp]
  (prune!)
  (let [resolved (edn/read-string (slurp (io/file deps-dir "resolved.edn")))
        java (or (compile/java! (:javac-opts resolved))
                 (do (say "src/java does not compile; see above") (System/exit 1)))
        roots (filter #(.isDirectory (io/file %)) source-roots)
        results (compile/clojure! roots (str deps-dir) java)]
    (doseq [[name {:keys [error because]}] results :when (and error (not because))
            :let [above (sort (keep (fn [[n r]] (when (= name (:because r)) n)) results))]]
      (say (str name " does not compile: " error))
      (when (seq above) (say "left as source, because they need it:" (str/join ", " above))))
    (write-image stamp resolved results)))

(defn -main
  "Builds the image `stamp` from the libraries resolved in `deps-dir`, unless it is there by now."
  [deps-dir stamp]
  (with-lock
    (fn []
      (when-not (.exists (io/file images stamp))
        (build! deps-dir stamp))))
  (shutdown-agents))
