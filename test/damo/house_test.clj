(ns damo.house-test
  "Tests of the project as a house: its structure, layout, documentation and declarations."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :as test :refer [deftest is testing]]
            [damo.dev.format :as format]
            [damo.dev.javadoc :as javadoc]
            [damo.dev.levels :as levels]
            [damo.dev.mutants :as mutants]
            [damo.dev.packages :as packages]
            [damo.dev.source :as source]))

(set! *warn-on-reflection* true)

(def ^:private root (System/getProperty "damo.root" "."))

(defn- in-root [path] (io/file root path))

(defn- none?
  "Asserts that there is nothing in `found`; each finding is a line of the report."
  [found]
  (test/do-report (if (empty? found)
                    {:type :pass}
                    {:type :fail :expected 'none, :actual (count found)
                     :message (str "\n" (str/join "\n" found))})))

;; ## Structure

(deftest namespaces-require-only-lower-levels
  (none? (levels/violations (source/namespaces (map in-root ["src/clj" "demo" "bench"])))))

(deftest java-packages-do-not-use-themselves-by-way-of-others
  (let [graph (packages/graph "damo" (in-root "src/java"))]
    (is (< 8 (count graph)))
    (none? (map #(str/join " → " %) (packages/cycles graph)))))

(deftest layout-of-all-files
  (none? (map format/text-of (format/offences root (format/files root)))))

;; ## Documentation

(defn- generated? [name]
  (re-find #"^(map)?->[A-Z]" (str name)))

(defn- undocumented
  "The public vars of a namespace without a docstring, as lines of a report."
  [name]
  (try
    (require name)
    (for [[sym v] (sort-by key (ns-publics name))
          :when (not (or (:doc (meta v)) (:no-doc (meta v)) (generated? sym)))]
      (str (symbol v) " (" (:file (meta v)) ":" (:line (meta v)) ") has no docstring"))
    (catch Exception e [(str name " cannot be loaded: " (ex-message e))])))

(deftest public-vars-have-docstrings
  (none? (mapcat undocumented (source/in-order (source/namespaces
                                                (map in-root ["src/clj" "demo" "bench" "dev"]))))))

(deftest java-is-documented-and-methods-are-short
  (none? (map format/text-of (javadoc/offences root "src/java"))))

(deftest readme-and-changelog
  (let [readme (slurp (in-root "README.md"))]
    (doseq [command ["bin/damo demo" "bin/damo test"]]
      (is (str/includes? readme command))))
  (is (re-find #"(?m)^## " (slurp (in-root "CHANGELOG.md")))))

;; ## Mutants

(deftest mutants-fit-the-sources
  (none? (mutants/faults root (mutants/mutants root))))

;; ## What must not be in any file

(defn- lines-with [pattern]
  (for [path (format/files root)
        [n line] (map-indexed vector (str/split-lines (slurp (in-root path))))
        :when (re-find pattern line)]
    (str path ":" (inc n) ": " (str/trim line))))

(deftest todos-name-an-issue
  ;; Written in two pieces, or this line would be found.
  (none? (lines-with (re-pattern (str "\\b(TO" "DO|FIX" "ME)\\b(?!\\(#\\d+\\))")))))

(def ^:private registries
  (map #(str/join "." %) [["clojars" "org"] ["maven" "org"] ["sonatype" "com"] ["sonatype" "org"]
                          ["mvnrepository" "com"] ["npmjs" "org"] ["pypi" "org"] ["crates" "io"]
                          ["docker" "io"] ["debian" "org"] ["ubuntu" "com"]]))

(deftest no-registry-is-named
  (none? (lines-with (re-pattern (str/join "|" (map #(java.util.regex.Pattern/quote %)
                                                    registries))))))

;; ## The build

(deftest compiles-without-warnings
  (if-let [image (System/getProperty "damo.image")]
    (let [{:keys [warnings errors]} (edn/read-string (slurp (io/file image "report.edn")))]
      (none? (mapcat val warnings))
      (none? (map (fn [[name error]] (str name " does not compile: " error)) errors)))
    (println "not run through bin/damo: the compiler's warnings are not checked")))

(deftest reflection-warnings-are-on
  (none? (for [[name {:keys [file]}] (source/namespaces (map in-root ["src/clj" "demo" "bench"
                                                                      "dev"]))
               :when (not (str/includes? (slurp file) "(set! *warn-on-reflection* true)"))]
           (str name " does not turn reflection warnings on"))))

;; ## deps.edn and project.clj

(def ^:private deps (edn/read-string (slurp (in-root "deps.edn"))))

(defn- evaluated
  "The value of a part of a defproject form, in which ~ marks what is to be evaluated."
  [form]
  (cond (and (seq? form) (= 'clojure.core/unquote (first form))) (eval (second form))
        (map? form) (update-vals form evaluated)
        :else form))

(defn- project
  "The options of project.clj as a map, read as Leiningen reads them."
  []
  (let [file (in-root "project.clj")
        forms (read-string (str "[" (slurp file) "\n]"))]
    (binding [*ns* (create-ns 'damo.house-test.project), *file* (str file)]
      (refer-clojure)
      (run! eval (butlast forms))
      (update-vals (apply hash-map (drop 3 (last forms))) evaluated))))

(defn- coordinates
  "The libraries of a deps.edn map as a set of [group/artifact version classifier]."
  [libs]
  (set (for [[lib {:mvn/keys [version]}] libs
             :let [[artifact classifier] (str/split (str lib) #"\$")]]
         [artifact version classifier])))

(defn- lein-coordinates [dependencies]
  (set (for [[lib version & {:keys [classifier]}] dependencies]
         [(str lib) version classifier])))

(deftest project-clj-agrees-with-deps-edn
  (let [{:keys [dependencies javac-options jvm-opts profiles source-paths resource-paths]}
        (project)
        aliases (:aliases deps)]
    (is (= (coordinates (:deps deps)) (lein-coordinates dependencies)))
    (is (= (:javac-opts aliases) javac-options))
    (is (= (-> aliases :jvm :jvm-opts) jvm-opts))
    (is (= (set (:paths deps)) (into #{"target/classes"} (concat source-paths resource-paths))))
    (testing "an alias with libraries of its own is a profile"
      (doseq [[alias {:keys [deps extra-deps extra-paths]}] aliases
              :when (or deps extra-deps)]
        (is (= (coordinates (or deps extra-deps))
               (lein-coordinates (:dependencies (profiles alias))))
            alias)
        (is (set/subset? (set extra-paths) (set (:source-paths (profiles alias)))) alias)))))
