(ns damo.dev.install
  "Puts Damo into a local Maven repository, as other projects depend on it: a jar of the Java core's
  classes, the resources, the compiled namespaces and their sources, and a pom with the libraries
  of deps.edn.
  `bin/damo install [FOLDER]`; the folder is ~/.m2/repository unless given."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str])
  (:import [java.io File]
           [java.util.jar Attributes$Name JarEntry JarOutputStream Manifest]))

(set! *warn-on-reflection* true)

(defn version
  "The version of the project, as project.clj has it."
  []
  (second (re-find #"\(defproject damo \"([^\"]+)\"" (slurp "project.clj"))))

;; ## The pom

(defn- element [name & content] (str "<" name ">" (str/join content) "</" name ">"))

(defn- dependency [[lib {:mvn/keys [version] :keys [exclusions]}]]
  (let [[_ artifact classifier] (re-matches #"([^$]+)\$?(.*)" (name lib))]
    (str "    "
         (element "dependency"
                  (element "groupId" (namespace lib)) (element "artifactId" artifact)
                  (element "version" version)
                  (when (seq classifier) (element "classifier" classifier))
                  (when exclusions
                    (apply element "exclusions"
                           (for [e exclusions]
                             (element "exclusion" (element "groupId" (namespace e))
                                      (element "artifactId" (name e)))))))
         "\n")))

(defn pom
  "The text of the pom of that version with the dependencies `deps`, the :deps of deps.edn."
  [version deps]
  (str "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
       "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n"
       "  <modelVersion>4.0.0</modelVersion>\n"
       "  <groupId>damo</groupId>\n  <artifactId>damo</artifactId>\n"
       "  <version>" version "</version>\n  <name>Damo</name>\n"
       "  <description>A graph compiler for array mathematics on the JVM</description>\n"
       "  <licenses><license><name>Apache-2.0</name></license></licenses>\n"
       "  <dependencies>\n" (apply str (map dependency deps)) "  </dependencies>\n</project>\n"))

;; ## The jar

(defn- files-of
  "Pairs [path file] of the files below a folder, by path."
  [root]
  (for [^File f (sort (file-seq (io/file root))) :when (.isFile f)]
    [(str/replace (str (.relativize (.toPath (io/file root)) (.toPath f))) File/separator "/") f]))

(defn- own?
  "Is a compiled class of the library itself, not of its demo, benchmarks or tools?"
  [path]
  (and (str/starts-with? path "damo/") (not (re-find #"^damo/(demo|bench|dev)/" path))))

(defn write-jar
  "Writes the jar of {path content} to `file`. Compiled classes get a later time than all else:
  Clojure compiles what is no newer than its source."
  [file contents]
  (let [manifest (Manifest.), now (System/currentTimeMillis)]
    (.put (.getMainAttributes manifest) Attributes$Name/MANIFEST_VERSION "1.0")
    (with-open [out (JarOutputStream. (io/output-stream file) manifest)]
      (doseq [[^String path content] contents]
        (.putNextEntry out (doto (JarEntry. path)
                             (.setTime (if (str/ends-with? path ".class") (+ now 4000) now))))
        (io/copy content out)
        (.closeEntry out)))))

(defn -main
  "Writes the jar and the pom into the local repository at `folder`, and says where."
  ([] (-main (str (io/file (System/getProperty "user.home") ".m2" "repository"))))
  ([folder]
   (let [v (version), text (pom v (:deps (edn/read-string (slurp "deps.edn"))))
         place (io/file folder "damo" "damo" v), base (str "damo-" v)
         jar (io/file place (str base ".jar"))]
     (.mkdirs place)
     (write-jar jar (concat (mapcat files-of ["target/classes" "resources" "src/clj"])
                            (filter (comp own? first) (files-of "target/aot"))
                            {"META-INF/maven/damo/damo/pom.xml" text}))
     (spit (io/file place (str base ".pom")) text)
     (println (str "damo/damo " v " is in " folder)))))
