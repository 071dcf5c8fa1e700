(ns damo.dev.install-test
  "The pom and the jar that other projects get."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.test :refer [deftest is]]
            [clojure.xml :as xml]
            [damo.dev.install :as install])
  (:import [java.io ByteArrayInputStream File]
           [java.util.jar JarEntry JarFile]))

(set! *warn-on-reflection* true)

(def ^:private root (System/getProperty "damo.root" "."))

(defn- child [element tag] (first (filter #(= tag (:tag %)) (:content element))))

(defn- text [element tag] (first (:content (child element tag))))

(deftest the-pom-has-the-libraries-of-deps-edn
  (let [deps (:deps (edn/read-string (slurp (io/file root "deps.edn"))))
        ^String pom (install/pom "1.2" deps)
        project (xml/parse (ByteArrayInputStream. (.getBytes pom "UTF-8")))
        found (:content (child project :dependencies))]
    (is (= ["damo" "damo" "1.2"] (map #(text project %) [:groupId :artifactId :version])))
    (is (= (set (for [[lib {:mvn/keys [version]}] deps] [(namespace lib) version]))
           (set (map #(vector (text % :groupId) (text % :version)) found))))
    (is (= #{"linux-x86_64" "linux-x86_64-redist" nil} (set (map #(text % :classifier) found))))
    (is (every? #(= "javacpp" (text (child (child % :exclusions) :exclusion) :artifactId))
                (filter #(text % :classifier) found)))))

(deftest classes-in-the-jar-are-newer-than-sources
  (let [file (doto (File/createTempFile "damo" ".jar") .deleteOnExit)]
    (install/write-jar file {"a/b.clj" "(ns a.b)", "a/b__init.class" "x"})
    (with-open [jar (JarFile. file)]
      (let [time-of (fn [path] (.getTime ^JarEntry (.getEntry jar path)))]
        (is (< (time-of "a/b.clj") (time-of "a/b__init.class")))))))
