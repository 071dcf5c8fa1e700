(ns damo.bench.main
  "`bin/damo bench`: measures training steps of Damo, and beside it those of other programs, each
  cell in a process of its own; prints a table and writes JSON lines. `bin/damo bench rnn` does so
  with loops. `bin/damo bench compile` measures what making functions takes, stage by stage;
  `bin/damo bench micro` kernels (damo.bench.micro.main), `bin/damo bench paper` training steps in
  turns with other programs (damo.bench.paper.main), `models` larger ones; `bin/damo bench page`
  writes what is kept of them into docs/performance.md."
  (:require [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [damo.bench.loop-task :as loop-task]
            [damo.bench.machine :as machine]
            [damo.bench.peers :as peers]
            [damo.bench.stats :as stats]
            [damo.bench.task :as task]
            [damo.cli :as cli]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [java.lang.management ManagementFactory]))

(set! *warn-on-reflection* true)

(def ^:private common-options
  [["--seconds" {:key :seconds, :read (cli/positive), :hint "S"
                 :default 1.5, :doc "to measure a cell, at least"}]
   ["--rounds" {:key :rounds, :read (cli/whole 1 1000), :hint "N"
                :default 1, :doc "how often every program runs every cell"}]
   ["--peers" {:key :peers, :read (cli/path), :hint "FILE"
               :doc "other programs to run, as bench/peers.txt tells"}]
   ["--out" {:key :out, :read (cli/path), :hint "FILE", :doc "where JSON lines go"}]
   ["--line" {:key :line, :doc "measure one cell here and print the line that peers print"}]])

(def ^:private options
  (into [["--tasks" {:key :tasks, :read (cli/each-of (apply cli/one-of task/tasks)), :hint "LIST"
                     :default task/tasks, :doc "what to train"}]
         ["--batches" {:key :batches, :read (cli/each-of (cli/whole 1 task/examples))
                       :hint "LIST", :default [1 10 60], :doc "examples a step"}]
         ["--threads" {:key :threads, :read (cli/each-of (cli/whole 1 1024)), :hint "LIST"
                       :default [1 2], :doc "threads of the library and of loops"}]
         ["--keep" {:key :suite, :read (cli/one-of "steps" "jvm"), :hint "NAME"
                    :doc "keep the results of this machine: steps, or jvm beside its libraries"}]]
        common-options))

(def ^:private loop-name
  {:expects "the name of a loop, such as rnn:50:10, scalar:10000, tanh-grad:50:1000, lstm:128:1:100"
   :value #(when (loop-task/known? %) %)})

(def ^:private loop-options
  (into [["--tasks" {:key :tasks, :read (cli/each-of loop-name), :hint "LIST"
                     :doc "loops by name, as rnn:N:T (default: all that peers have)"}]
         ["--sizes" {:key :sizes, :read (cli/each-of (cli/whole 1 100000)), :hint "LIST"
                     :default [10 50 100 200 500 1000], :doc "N of the language models"}]
         ["--windows" {:key :windows, :read (cli/each-of (cli/whole 1 1000)), :hint "LIST"
                       :default [10 100], :doc "T of the language models"}]
         ["--keep" {:key :keep, :doc "keep the results and write docs/performance.md"}]
         ["--native" {:key :native, :doc "with --line: many windows in one call"}]]
        common-options))

(def ^:private intro
  "usage: bin/damo bench [OPTION...]      training steps, in examples/s
       bin/damo bench rnn [OPTION...]  loops: language models and others, in elements/s
       bin/damo bench paper [OPTION...]  the same in turns with other programs, call and loop
       bin/damo bench models [OPTION...] a step of larger models, beside JAX and PyTorch
       bin/damo bench micro [OPTION...]  kernels, beside NumPy, JAX and PyTorch
       bin/damo bench compile          from expressions to machine code, stage by stage
       bin/damo bench profile [OPTION...] where the time of a step goes
       bin/damo bench page             docs/performance.md, of the results that are kept")

(def ^:private loop-intro
  "usage: bin/damo bench rnn [OPTION...]
Trains simple recurrent language models, N inputs, hidden units and outputs, batch 1, windows of T
elements, one call a window (damo) or all windows in one call (damo-native), and runs a scalar loop,
h <- tanh(h W + x), and an LSTM, forward and with gradient; on one thread, in elements or steps/s.")

;; ## One cell, in this process

(defn- print-cell
  "Prints the check of a measured cell on standard error and a peer's line on standard output."
  [[task threads batch] {:keys [loss rate best reps ok?]} expected]
  (binding [*out* *err*]
    (println (format "check %s batch %d damo loss %.6f%s" task batch loss
                     (if ok? " ok" (str " MISMATCH expected " expected)))))
  (println (format "%s %d %d %.1f  # damo best %.1f reps %d%s" task threads batch rate best reps
                   (if ok? "" " MISMATCH"))))

(defn- measure-here!
  "Measures the one cell of the options in this process."
  [{:keys [tasks threads batches seconds]}]
  (let [[task _ batch :as cell] [(first tasks) (first threads) (first batches)]
        measure-step (requiring-resolve 'damo.bench.cell/measure)]
    (print-cell cell (measure-step cell seconds) (task/expected-loss task batch))))

(defn- measure-loop-here! [{:keys [tasks native seconds]}]
  (let [measure-loop (requiring-resolve 'damo.bench.cell/measure-loop)
        task (first tasks)]
    (print-cell [task 1 1] (measure-loop task (if native :native :calls) seconds)
                (loop-task/expected task))))

;; ## All cells, each in a process

(defn- quoted [argument]
  (str "'" (str/replace argument "'" "'\\''") "'"))

(defn- self
  "This program again as a peer of that name, for one cell; `arguments` are those of its line."
  [name arguments]
  (let [jvm (.getInputArguments (ManagementFactory/getRuntimeMXBean))
        java (str (System/getProperty "java.home") "/bin/java")
        class-path (System/getProperty "java.class.path")]
    {:name name
     :command (str (str/join " " (map quoted (concat [java] jvm ["-cp" class-path])))
                   " clojure.main -m damo.bench.main " arguments
                   " --line --tasks {task} --seconds {secs}")}))

(defn- print-row [{:keys [program task threads batch rate other mismatch failed]}]
  (binding [*out* *err*]
    (println (str (format "%-6s %d thread(s) batch %2d  %-14s " task threads batch program)
                  (if failed (str "cannot run: " failed) (format "%,12.0f /s" rate))
                  (when mismatch "  wrong check value, left out")
                  (when (and other (< 0.12 other)) (format "  (others used %.2f cores)" other))))))

(defn- kind-of [[task]]
  (if (some #{task} task/tasks) "mlp" (loop-task/kind task)))

(defn- run-cell!
  "The rows of one cell in one round; a program that failed before is not run again."
  [programs failed [_ n _ :as cell] round {:keys [seconds]}]
  (vec (for [{:keys [name kinds threads] :as program} programs
             :when (and (not (@failed name))
                        (or (nil? threads) (threads n))
                        (or (nil? kinds) (kinds (kind-of cell))))]
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

(defn- measure-all!
  "Runs `own` programs and peers on all cells, and prints their table; `unit` is what is counted."
  [own unit {:keys [peers out suite] :as opts}]
  (let [programs (into own (when peers (peers/read-peers peers)))]
    (when out (spit out ""))
    (let [load (machine/load-average), rows (run-all! programs opts)]
      (println (str unit "/s" (when peers " (in brackets: Damo's over it)") "\n"))
      (println (stats/table rows "damo"))
      (when-let [row (first (filter #(and (= "damo" (:program %)) (or (:failed %) (:mismatch %)))
                                    rows))]
        (fail! ::not-measured (str "Damo did not do " (str/join " " (stats/cell-of row)) ": "
                                   (:failed row "its check value is wrong"))
               {:row row}))
      (when suite
        ((requiring-resolve 'damo.bench.keep/keep!) suite {} load
                                                    (stats/summaries suite rows "damo"))))))

(defn- measure-loops! [{:keys [tasks sizes windows keep] :as opts}]
  (let [tasks (or tasks (into (vec (loop-task/models sizes windows)) loop-task/others))
        model-kinds (set (map loop-task/kind (filter loop-task/model? tasks)))]
    (measure-all! [(self "damo" "rnn") (assoc (self "damo-native" "rnn --native")
                                              :kinds model-kinds)]
                  "elements" (merge opts {:suite (when keep "rnn"), :tasks tasks
                                          :threads [1], :batches [1]}))))

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
  (case job
    "compile" (measure-build! more)
    "paper" ((requiring-resolve 'damo.bench.paper.main/main) more)
    "models" ((requiring-resolve 'damo.bench.models.main/main) more)
    "profile" ((requiring-resolve 'damo.bench.profile.main/main) more)
    "page" (run! println ((requiring-resolve 'damo.bench.page/write!)))
    "micro" ((requiring-resolve 'damo.bench.micro.main/main) more)
    "rnn" (let [{:keys [help line] :as opts} (cli/parse loop-options more)]
            (cond help (println (cli/help loop-intro loop-options))
                  line (measure-loop-here! opts)
                  :else (measure-loops! opts)))
    (let [{:keys [help line] :as opts} (cli/parse options args)]
      (cond help (println (cli/help intro options))
            line (measure-here! opts)
            :else (measure-all! [(self "damo" "--threads {threads} --batches {batch}")]
                                "examples" opts)))))

(defn -main
  "Runs the benchmark that the arguments ask for and ends the process; see --help."
  [& args]
  (let [status (cli/run "bin/damo bench" #(main args))]
    (shutdown-agents)
    (System/exit status)))
