(ns damo.bench.main
  "`bin/damo bench`: measures training steps of Damo, and beside it those of other programs, each
  cell in a process of its own; prints a table and writes JSON lines. `bin/damo bench compile`
  measures what making functions takes, stage by stage."
  (:require [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [damo.bench.peers :as peers]
            [damo.bench.stats :as stats]
            [damo.bench.task :as task]
            [damo.cli :as cli]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [java.lang.management ManagementFactory]))

(set! *warn-on-reflection* true)

(def ^:private options
  [["--tasks" {:key :tasks, :read (cli/each-of (apply cli/one-of task/tasks)), :hint "LIST"
               :default task/tasks, :doc "what to train"}]
   ["--batches" {:key :batches, :read (cli/each-of (cli/whole 1 task/examples)), :hint "LIST"
                 :default [1 10 60], :doc "examples a step"}]
   ["--threads" {:key :threads, :read (cli/each-of (cli/whole 1 1024)), :hint "LIST"
                 :default [1 2], :doc "threads of the library and of loops"}]
   ["--seconds" {:key :seconds, :read (cli/positive), :hint "S"
                 :default 1.5, :doc "to measure a cell, at least"}]
   ["--rounds" {:key :rounds, :read (cli/whole 1 1000), :hint "N"
                :default 1, :doc "how often every program runs every cell"}]
   ["--peers" {:key :peers, :read (cli/path), :hint "FILE"
               :doc "other programs to run, as bench/peers.txt tells"}]
   ["--out" {:key :out, :read (cli/path), :hint "FILE", :doc "where JSON lines go"}]
   ["--line" {:key :line, :doc "measure one cell here and print the line that peers print"}]])

(def ^:private intro
  "usage: bin/damo bench [OPTION...]      training steps, in examples/s
       bin/damo bench compile          from expressions to machine code, stage by stage")

;; ## One cell, in this process

(defn- measure-here!
  "Measures the one cell of the options in this process; prints the check on standard error and
  the line of a peer on standard output."
  [{:keys [tasks threads batches seconds]}]
  (let [[task threads batch :as cell] [(first tasks) (first threads) (first batches)]
        measure-step (requiring-resolve 'damo.bench.cell/measure)
        {:keys [loss rate best reps ok?]} (measure-step cell seconds)]
    (binding [*out* *err*]
      (println (format "check %s batch %d damo loss %.6f%s" task batch loss
                       (if ok? " ok" (str " MISMATCH expected " (task/expected-loss task batch))))))
    (println (format "%s %d %d %.1f  # damo best %.1f reps %d%s" task threads batch rate best reps
                     (if ok? "" " MISMATCH")))))

;; ## All cells, each in a process

(defn- quoted [argument]
  (str "'" (str/replace argument "'" "'\\''") "'"))

(defn- self
  "Damo as a peer: this program again, for one cell."
  []
  (let [jvm (.getInputArguments (ManagementFactory/getRuntimeMXBean))
        java (str (System/getProperty "java.home") "/bin/java")
        class-path (System/getProperty "java.class.path")]
    {:name "damo"
     :command (str (str/join " " (map quoted (concat [java] jvm ["-cp" class-path])))
                   " clojure.main -m damo.bench.main --line --tasks {task} --threads {threads}"
                   " --batches {batch} --seconds {secs}")}))

(defn- print-row [{:keys [program task threads batch rate other mismatch failed]}]
  (binding [*out* *err*]
    (println (str (format "%-6s %d thread(s) batch %2d  %-14s " task threads batch program)
                  (if failed (str "cannot run: " failed) (format "%,12.0f examples/s" rate))
                  (when mismatch "  wrong check value, left out")
                  (when (and other (< 0.12 other)) (format "  (others used %.2f cores)" other))))))

(defn- run-cell!
  "The rows of one cell in one round; a program that failed before is not run again."
  [programs failed [_ threads _ :as cell] round {:keys [seconds]}]
  (vec (for [{:keys [name] :as program} programs
             :when (and (not (@failed name)) ((:threads program #{threads}) threads))]
         (let [row (assoc (peers/run-peer program cell seconds) :round round)]
           (when (:failed row) (swap! failed conj name))
           (print-row row)
           row))))

(defn- write-rows! [file rows]
  (with-open [out (io/writer file :append true)]
    (doseq [row rows]
      (.write out (str (stats/json-line (set/rename-keys row {:rate :examples_per_s})) "\n")))))

(defn- run-all! [programs {:keys [tasks threads batches rounds out] :as opts}]
  (let [failed (atom #{})]
    (vec (for [round (range rounds), task tasks, n threads, batch batches
               :let [rows (run-cell! programs failed [task n batch] round opts)]
               _ [(when out (write-rows! out rows))]
               row rows]
           row))))

(defn- measure-all! [{:keys [peers out] :as opts}]
  (let [programs (into [(self)] (when peers (peers/read-peers peers)))]
    (when out (spit out ""))
    (let [rows (run-all! programs opts)]
      (println (str "examples/s" (when peers " (in brackets: Damo's over it)") "\n"))
      (println (stats/table rows "damo"))
      (when-let [row (first (filter #(and (= "damo" (:program %)) (or (:failed %) (:mismatch %)))
                                    rows))]
        (fail! ::not-measured (str "Damo did not do " (str/join " " (stats/cell-of row)) ": "
                                   (:failed row "its check value is wrong"))
               {:row row})))))

(defn- print-stages [stages]
  (doseq [[stage {:keys [ms mb]}] (sort-by (comp - :ms val) stages)]
    (println (format "  %-46s %9.1f %9.1f" stage (double ms) (double mb)))))

(defn- measure-build!
  "Measures with nothing kept of what was compiled before: the second time would take less."
  [arguments]
  (cli/parse [] arguments)
  (System/setProperty "damo.code-cache" "off")
  (let [measure-build (requiring-resolve 'damo.bench.build/measure)]
    (doseq [[what :as graph] @(requiring-resolve 'damo.bench.build/graphs)
            :let [{first-ms :first, warm-ms :warm, :keys [stages]} (measure-build graph)]]
      (println (format "%s: first %.0f ms, warm %.0f ms\n  %-46s %9s %9s" what first-ms warm-ms
                       "stage, warm" "CPU ms" "MB"))
      (print-stages stages)
      (flush))))

(defn- main [[job & more :as args]]
  (if (= job "compile")
    (measure-build! more)
    (let [{:keys [help line] :as opts} (cli/parse options args)]
      (cond help (println (cli/help intro options))
            line (measure-here! opts)
            :else (measure-all! opts)))))

(defn -main
  "Runs the benchmark that the arguments ask for and ends the process; see --help."
  [& args]
  (let [status (cli/run "bin/damo bench" #(main args))]
    (shutdown-agents)
    (System/exit status)))
