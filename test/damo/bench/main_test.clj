(ns damo.bench.main-test
  "The benchmark as a whole: options, running programs cell by cell with fake ones, JSON lines, and
  that Damo's own training steps meet the check values."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.bench.main :as main]
            [damo.bench.step :as step]
            [damo.bench.task :as task]
            [damo.cli :as cli])
  (:import [damo.lib Blas]
           [java.io File StringWriter]))

(set! *warn-on-reflection* true)

(defn- bench
  "Runs the benchmark with these arguments; {:status n, :out text, :err text}."
  [& args]
  (let [out (StringWriter.), err (StringWriter.)
        status (binding [*out* out, *err* err] (cli/run "bench" #(#'main/main args)))]
    {:status status, :out (str out), :err (str err)}))

(deftest options-are-checked
  (doseq [[args status message] [[["--tasks" "nlp"] 2 #"one of logreg, mlp, deep"]
                                 [["--batches" "0"] 2 #"from 1 to 6000"]
                                 [["compile" "--fast"] 2 #"no option --fast"]
                                 [["rnn" "--tasks" "rnn:10"] 2 #"the name of a loop, such as rnn:"]
                                 [["rnn" "--tasks" "mlp"] 2 #"the name of a loop"]
                                 [["--peers" "none.txt"] 1 #"none\.txt"]]]
    (testing (pr-str args)
      (let [result (apply bench args)]
        (is (= status (:status result)))
        (is (re-find message (:err result))))))
  (is (str/includes? (:out (bench "--help")) "--rounds N"))
  (is (str/includes? (:out (bench "rnn" "--help")) "--windows LIST")))

(def ^:private fakes
  [{:name "damo", :command "echo {task} {threads} {batch} 100"}
   {:name "half", :threads #{1}, :command "echo {task} {threads} {batch} 50"}
   {:name "broken", :threads #{1 2}, :command "echo no such thing >&2; exit 1"}
   {:name "other", :kinds #{"rnn10"}, :command "echo {task} {threads} {batch} 7"}])

(defn- run-fakes [out]
  (binding [*err* (StringWriter.)]
    (#'main/run-all! fakes {:tasks ["mlp"], :threads [1 2], :batches [10], :rounds 2
                            :seconds 0.1, :out out})))

(deftest programs-are-interleaved-and-failed-ones-dropped
  (let [file (File/createTempFile "bench" ".jsonl")
        rows (run-fakes (str file))
        lines (str/split-lines (slurp file))]
    (.delete file)
    (is (= [["damo" 1 0 100.0] ["half" 1 0 50.0] ["broken" 1 0 nil] ["damo" 2 0 100.0]
            ["damo" 1 1 100.0] ["half" 1 1 50.0] ["damo" 2 1 100.0]]
           (map (juxt :program :threads :round :rate) rows)))
    (is (= (count rows) (count lines)))
    (is (every? #(re-find #"^\{\"batch\":10,.*\"task\":\"mlp\",\"threads\":[12]\}$" %) lines))
    (is (str/includes? (first lines) "\"examples_per_s\":100.0,"))))

(deftest programs-run-what-they-are-made-for
  (let [rows (binding [*err* (StringWriter.)]
               (#'main/run-all! fakes {:tasks ["rnn:50:10" "rnn:50:100"], :threads [1]
                                       :batches [1], :rounds 1, :seconds 0.1}))]
    (is (= [["damo" "rnn:50:10"] ["half" "rnn:50:10"] ["broken" "rnn:50:10"]
            ["other" "rnn:50:10"] ["damo" "rnn:50:100"] ["half" "rnn:50:100"]]
           (map (juxt :program :task) rows)))))

(deftest a-line-for-peers
  (let [threads (.threads (Blas/get))
        {:keys [status out err]} (bench "--line" "--tasks" "logreg" "--threads" "1"
                                        "--batches" "60" "--seconds" "0.01")]
    (.setThreads (Blas/get) threads)
    (is (= 0 status))
    (is (re-find #"(?m)^logreg 1 60 [0-9.]+  # damo best [0-9.]+ reps 5$" out))
    (is (re-find #"check logreg batch 60 damo loss 3\.008\d+ ok" err))))

(deftest training-steps-meet-the-check-values
  (doseq [[task batch] [["logreg" 1] ["logreg" 10] ["mlp" 10] ["mlp" 60]]]
    (let [step! (step/stepper task batch)
          loss (/ (reduce + (map step! (range 100))) 100.0)]
      (is (task/loss-ok? task batch loss) (str task " " batch " " loss)))))
