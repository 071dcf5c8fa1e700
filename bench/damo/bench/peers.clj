(ns damo.bench.peers
  "Runs programs that do the benchmark tasks, each cell in a process of its own.
  A file of peers holds one a line, `name | kinds | threads | command`, where kinds and threads are
  lists such as `mlp` and `1,2`, and the command is a shell line with {task} {threads} {batch}
  {secs}. A peer prints `task threads batch examples_per_s`; MISMATCH after it says that its check
  value was wrong."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [damo.bench.machine :as machine]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [java.io File]
           [java.lang ProcessBuilder$Redirect ProcessHandle]
           [java.nio.file Files Path]
           [java.util List]
           [java.util.concurrent TimeUnit]))

(set! *warn-on-reflection* true)

;; ## The file of peers

(defn- threads-of [text file line]
  (let [counts (map parse-long (str/split text #"\s*,\s*"))]
    (when-not (every? #(and % (pos? %)) counts)
      (fail! ::bad-line (str file ", line " line ": threads must be a list such as 1,2; got " text)
             {:file (str file), :line line}))
    (set counts)))

(defn- peer-of [file line text]
  (let [[name kinds threads command :as parts] (map str/trim (str/split text #"\|" 4))]
    (when-not (and (= 4 (count parts)) (not-any? str/blank? parts))
      (fail! ::bad-line (str file ", line " line ": expected `name | kinds | threads | command`,"
                             " got " (pr-str text))
             {:file (str file), :line line}))
    {:name name
     :kinds (set (str/split kinds #"\s*,\s*"))
     :threads (threads-of threads file line)
     :command command}))

(defn read-peers
  "The peers of a file, a vector of {:name :kinds :threads :command}; blank lines and lines that
  start with # are skipped. Fails with ::bad-line, naming the line."
  [file]
  (let [lines (str/split-lines (slurp (io/file file)))]
    (into [] (comp (map-indexed (fn [i text] [(inc i) (str/trim text)]))
                   (remove (fn [[_ text]] (or (str/blank? text) (str/starts-with? text "#"))))
                   (map (fn [[line text]] (peer-of file line text))))
          lines)))

(defn command-for
  "The shell line of a peer for a cell [task threads batch] and a time in seconds."
  [{:keys [command]} [task threads batch] seconds]
  (reduce (fn [line [k v]] (str/replace line (str "{" k "}") (str v)))
          command {"task" task, "threads" threads, "batch" batch, "secs" seconds}))

;; ## What a peer says

(defn parse-output
  "{:rate examples/s} of a peer's output for a cell, with :mismatch true when its check value was
  wrong; nil when no line of the output is about that cell."
  [text [task threads batch]]
  (when-let [line (first (filter #(str/starts-with? % (str task " " threads " " batch " "))
                                 (str/split-lines text)))]
    (when-let [[_ number] (re-find #"^\S+ \d+ \d+ ([0-9.]+(?:[eE][+-]?\d+)?)(?:\s|$)" line)]
      (when-let [rate (parse-double number)]
        (cond-> {:rate rate}
          (str/includes? text "MISMATCH") (assoc :mismatch true))))))

(defn cpu-seconds
  "The processor time that the shell's `times` printed for its children, in seconds: the last line
  of the text, `0m1.20s 0m0.10s`; nil when it is not there."
  [text]
  (when-let [[_ & parts] (re-find #"(\d+)m([0-9.]+)s\s+(\d+)m([0-9.]+)s\s*\z" text)]
    (let [[m s m2 s2] (map parse-double parts)]
      (+ (* 60.0 (+ m m2)) s s2))))

(defn- busy-seconds
  "The processor time that this machine has spent working since it started, in seconds, all cores
  together; nil where the system does not tell. The kernel counts in ticks of 1/100 s."
  []
  (let [file (Path/of "/proc/stat" (make-array String 0))]
    (when (Files/isReadable file)
      (let [[user nice system _ _ irq softirq steal]
            (map parse-long (re-seq #"\d+" (first (Files/readAllLines file))))]
        (/ (+ user nice system irq softirq (or steal 0)) 100.0)))))

;; ## Running

(def ^:private limit-seconds 240)
(def ^:private thread-settings ["OMP_NUM_THREADS" "MKL_NUM_THREADS" "OPENBLAS_NUM_THREADS"])

(defn- stop! [^Process process]
  (let [handle (.toHandle process)]
    (run! #(.destroyForcibly ^ProcessHandle %) (iterator-seq (.iterator (.descendants handle))))
    (.destroyForcibly process)))

(defn- shell
  "The command for a shell line; at its end the shell tells what processor time it took."
  [line]
  ["sh" "-c" (str line "\nstatus=$?; times >&2; exit $status")])

(defn- start! ^Process [line threads ^File out ^File err]
  (let [builder (machine/clean (ProcessBuilder. ^List (shell line)))
        environment (.environment builder)]
    (doseq [setting thread-settings] (.put environment setting (str threads)))
    (.redirectInput builder (ProcessBuilder$Redirect/from (io/file "/dev/null")))
    (.redirectOutput builder out)
    (.redirectError builder err)
    (.start builder)))

(defn- run-shell
  "Runs a shell line to its end; {:out text, :err text, :status n, :other share}, :status nil when
  it was stopped after four minutes. :other is how many cores other processes kept busy meanwhile."
  [line threads]
  (let [out (File/createTempFile "peer" ".out"), err (File/createTempFile "peer" ".err")
        busy (busy-seconds), start (System/nanoTime)]
    (try
      (let [process (start! line threads out err)
            ended? (.waitFor process limit-seconds TimeUnit/SECONDS)
            wall (* 1e-9 (- (System/nanoTime) start))]
        (when-not ended? (stop! process))
        (let [own (cpu-seconds (slurp err))]
          {:out (slurp out), :err (slurp err), :status (when ended? (.exitValue process))
           :other (when (and busy own) (max 0.0 (/ (- (busy-seconds) busy own) wall)))}))
      (finally (.delete out) (.delete err)))))

(defn- failure-text [{:keys [err status]}]
  (let [lines (remove #(re-find #"^\d+m[0-9.]+s" %) (remove str/blank? (str/split-lines err)))]
    (if status
      (str "exit status " status (when (seq lines) (str ": " (str/trim (last lines)))))
      (str "stopped after " limit-seconds " s"))))

(defn run-peer
  "Runs a peer on a cell; the row {:program :task :threads :batch :rate}, with :mismatch when its
  check value was wrong and :other, the cores that other processes kept busy; or with :failed, a
  message, when it printed no result."
  [{:keys [name] :as peer} [task threads batch :as cell] seconds]
  (let [{:keys [out other] :as result} (run-shell (command-for peer cell seconds) threads)
        row (cond-> {:program name, :task task, :threads threads, :batch batch}
              other (assoc :other other))]
    (if-let [measured (parse-output out cell)]
      (merge row measured)
      (assoc row :failed (failure-text result)))))
