;; For users of Leiningen. Libraries, folders, JVM options and javac options are declared once, in
;; deps.edn; this file translates them: an alias there is a profile of the same name here.
(def ^:private deps-edn
  (-> (clojure.java.io/file (.getParent (clojure.java.io/file *file*)) "deps.edn")
      slurp
      read-string))

(defn- lein-deps [deps]
  (vec (for [[lib {:mvn/keys [version] :keys [exclusions]}] deps
             :let [[_ artifact classifier] (re-matches #"([^$]+)\$?(.*)" (name lib))]]
         (cond-> [(symbol (namespace lib) artifact) version]
           (seq classifier) (conj :classifier classifier)
           exclusions (conj :exclusions (vec exclusions))))))

(defn- lein-profile [{:keys [deps extra-deps extra-paths]}]
  {:dependencies (if deps (with-meta (lein-deps deps) {:replace true}) (lein-deps extra-deps))
   :source-paths (vec extra-paths)})

;; Leiningen runs on any JDK; the project's own JVMs need 25. $JAVA_CMD wins, then $JAVA_HOME,
;; then what is installed.
(defn- jdk-version [home]
  (let [release (clojure.java.io/file home "release")]
    (if (and (.exists release) (.exists (clojure.java.io/file home "bin" "javac")))
      (Long/parseLong (or (second (re-find #"JAVA_VERSION=\"(\d+)" (slurp release))) "0"))
      0)))

(def ^:private java-cmd
  (or (System/getenv "JAVA_CMD")
      (first (for [home (list* (System/getenv "JAVA_HOME") (System/getProperty "java.home")
                               (.listFiles (clojure.java.io/file "/usr/lib/jvm")))
                   :when (and home (<= 25 (jdk-version home)))]
               (str (clojure.java.io/file home "bin" "java"))))))

(defproject damo "0.1.0-SNAPSHOT"
  :description "A graph compiler for array mathematics on the JVM"
  :license {:name "Apache-2.0"}
  :dependencies ~(lein-deps (:deps deps-edn))
  :source-paths ["src/clj"]
  :java-source-paths ["src/java"]
  :resource-paths ["resources"]
  :test-paths ["test"]
  :target-path "target/lein"
  :java-cmd ~java-cmd
  :javac-options ~(-> deps-edn :aliases :javac-opts)
  :jvm-opts ~(-> deps-edn :aliases :jvm :jvm-opts)
  :main ^:skip-aot damo.demo.main
  ;; The runner of bin/damo test: fixed seeds, and the same last line.
  :aliases {"test" ["run" "-m" "damo.test-runner"]
            "bench" ["run" "-m" "damo.bench.main"]}
  ;; Leiningen's own :base profile adds an nREPL to every JVM and slows it down: left to the REPL.
  :profiles ~(merge {:default [:system :user :provided :dev]
                     :dev [:test]
                     :repl [:base]}
                    (into {} (for [k [:test :demo :bench :build :neanderthal :criterium :clerk]]
                               [k (lein-profile (-> deps-edn :aliases k))]))))
