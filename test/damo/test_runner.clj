(ns damo.test-runner
  "Runs every namespace under test/ whose file ends in _test.clj; arguments name the ones to run
  instead. The unit is the test: one deftest or defspec, passed when none of its assertions failed
  and it threw nothing. A namespace that cannot be loaded, or in which the JVM ends or hangs, counts
  as one failed test (damo.test-watch). The last line of the output is `N passed, N failed`; the
  exit status is 0 when tests ran and none failed. With --fuzz MINUTES random graphs run instead
  (damo.laws.random), and the unit is the graph.

  Random tests repeat: properties of test.check start from one seed, which is printed and can be
  set with the environment variable DAMO_SEED (a defspec with a :seed of its own keeps it)."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :as t]
            [clojure.test.check.clojure-test :as check]
            [damo.cli :as cli]
            [damo.test-watch :as watch])
  (:import [java.io File]
           [java.util.concurrent LinkedBlockingQueue]))

(set! *warn-on-reflection* true)

(def ^:private default-seed 20260727)

(def ^:private slow-ms
  "Namespaces that take longer than this are listed at the end, in milliseconds."
  2000)

(defn- seed
  "The seed of this run: DAMO_SEED, or the same one always."
  []
  (if-let [text (System/getenv "DAMO_SEED")]
    (or (parse-long text)
        (throw (ex-info (str "DAMO_SEED must be a whole number, and is " (pr-str text)) {})))
    default-seed))

(defn- test-namespaces
  "The names of all test namespaces under the folder `root`, sorted."
  [root]
  (let [root (io/file root)]
    (sort (for [^File f (file-seq root)
                :let [path (str (.relativize (.toPath root) (.toPath f)))]
                :when (str/ends-with? path "_test.clj")]
            (-> (subs path 0 (- (count path) 4))
                (str/replace #"[/\\]" ".") (str/replace "_" "-") symbol)))))

(def ^:private print-report
  "The reporter of clojure.test itself, also when the runner runs inside a test of its own."
  t/report)

(defn- counting-reporter
  "A reporter for clojure.test: reports as usual, tells `note` of each test that begins, and notes
  in the atom `failed` which tests failed. What fails outside a test, as in a fixture, counts as one
  more."
  [failed note]
  (fn [{:keys [type] :as event}]
    (when (= :begin-test-var type)
      (note {:test (symbol (:var event))}))
    (when (#{:fail :error} type)
      (swap! failed conj (or (last t/*testing-vars*) :outside)))
    ;; test.check reports every property it has finished; only failures are worth a line.
    (when-not (#{::check/complete :summary} type)
      (print-report event))))

(defn- run-loaded
  "Runs the tests of a loaded namespace; returns {:passed n :failed n}."
  [name note]
  (let [failed (atom #{})]
    (binding [t/report (counting-reporter failed note)]
      (let [{:keys [test]} (t/test-ns name)]
        {:passed (- test (count (disj @failed :outside)))
         :failed (count @failed)}))))

(defn- report-thrown
  "Tells of an exception that kept the tests of a namespace from running; counts as one failure."
  [name ^Throwable e]
  (println "\nERROR in" (str name ": its tests did not run"))
  (doseq [cause (take-while some? (iterate #(.getCause ^Throwable %) e))]
    (println "  " (str (.getSimpleName (class cause)) ":") (.getMessage ^Throwable cause)))
  {:passed 0 :failed 1})

(defn- run-namespace
  "Loads and runs one namespace: {:name :ms :passed :failed}, with the time for both together."
  [name note]
  (note {:begins name})
  (let [start (System/nanoTime)
        result (try (require name)
                    (run-loaded name note)
                    (catch Throwable e (report-thrown name e)))
        result (assoc result :name name :ms (quot (- (System/nanoTime) start) 1000000))]
    (note {:result result})
    result))

(defn run
  "Runs the test namespaces `names` from the seed given, tells `note` what happens as the journal of
  damo.test-watch has it, and returns a vector of {:name :passed :failed :ms}, counted in tests."
  ([names seed] (run names seed (fn [_])))
  ([names seed note]
   (binding [t/*test-out* *out*
             t/*testing-vars* (list)
             check/*default-opts* (assoc check/*default-opts* :seed seed)]
     (mapv #(run-namespace % note) names))))

(defn- print-slow [results]
  (doseq [{:keys [name ms]} (sort-by (comp - :ms) results) :when (< slow-ms ms)]
    (println (format "slow: %6.1f s  %s" (/ ms 1000.0) name))))

(defn totals
  "{:passed n :failed n} of results."
  [results]
  (apply merge-with + {:passed 0 :failed 0} (map #(select-keys % [:passed :failed]) results)))

(def ^:private limit-ms
  "How long one test may take before its JVM is ended, in milliseconds: four times the slowest on a
  busy machine."
  480000)

(defn- lanes
  "How many JVMs run that many namespaces: one a core, which most tests keep busy alone, but no more
  than four, which take 2 GB each."
  [n]
  (max 1 (min 4 n (.availableProcessors (Runtime/getRuntime)))))

(defn- run-watched
  "The totals of the namespaces, which other JVMs run."
  [names seed]
  (println "seed" seed)
  (flush)
  (let [command (fn [journal]
                  (watch/same-jvm "-m" "damo.test-runner" "--journal" journal (str seed)))
        results (watch/run names command limit-ms (lanes (count names)))]
    (print-slow results)
    (totals results)))

(defn- run-noting
  "Runs the namespaces whose names are read from the standard input in this JVM, one after the
  other, and writes the journal; ends with the input, also when who wrote it has ended."
  [journal seed]
  (let [note (watch/journal-writer journal), names (LinkedBlockingQueue.)]
    (future (doseq [name (line-seq (io/reader System/in))] (.put names name))
            (System/exit 0))
    (while true (run [(symbol (.take names))] seed note))))

(defn- refuse [message]
  (binding [*out* *err*] (println (str "bin/damo test: " message)))
  (System/exit 2))

(def ^:private options
  [["--fuzz" {:key :minutes, :read (cli/positive), :hint "MINUTES"
              :doc "checks random graphs for so long, or up to the first that fails"}]
   ["--seed" {:key :seed, :read (cli/whole 0 Long/MAX_VALUE), :hint "S"
              :doc "the seed of these graphs; default a new one"}]])

(defn- fuzz
  "Checks random graphs: {:passed graphs :failed 0-or-1}."
  [{:keys [minutes seed]}]
  (let [seed (or seed (mod (System/currentTimeMillis) 1000000000))
        say (fn [line] (println line) (flush))]
    (when-not minutes (refuse "--seed goes with --fuzz MINUTES"))
    (println "seed" seed)
    ((requiring-resolve 'damo.laws.random/fuzz!) minutes seed say)))

(defn- job
  "Does what the arguments ask for: {:passed n :failed n}."
  [args]
  (if (some #(str/starts-with? % "-") args)
    (let [{:keys [help] :as given} (try (cli/parse options args)
                                        (catch clojure.lang.ExceptionInfo e
                                          (refuse (ex-message e))))]
      (when help
        (println (cli/help "bin/damo test [NAMESPACE...] runs tests; or" options))
        (System/exit 0))
      (fuzz given))
    (run-watched (if (seq args) (map symbol args) (test-namespaces "test")) (seed))))

(defn- run-job [args]
  (let [{:keys [passed failed]} (job args)]
    (println)
    (println (str passed " passed, " failed " failed"))
    (flush)
    (shutdown-agents)
    (System/exit (if (and (pos? passed) (zero? failed)) 0 1))))

(defn -main
  "Runs all tests, or those of the namespaces named, or random graphs with --fuzz; exits with 0 when
  something was tested and all passed, 1 when one failed or nothing ran, 2 when the arguments make
  no sense. `--journal FILE SEED` is for damo.test-watch."
  [& [option journal seed :as args]]
  ;; What a run finds shall not depend on what earlier ones have compiled.
  (System/setProperty "damo.code-cache" "0")
  (if (= "--journal" option)
    (run-noting journal (parse-long seed))
    (run-job args)))
