(ns damo.test-watch
  "Runs test namespaces in other JVMs, several at a time, so that one that ends its JVM, or hangs,
  costs the run its own results only: it counts as one failed test, what was running is named, and
  a new JVM goes on with the namespaces after it. A worker, such a JVM, reads the names of
  namespaces from its standard input, a line each, up to the end, and writes a journal, a line of
  EDN an event: {:begins namespace}, {:test var}, {:result {:name :passed :failed :ms}}. What it
  prints is shown when a namespace has ended, so that the lines of two do not mix."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str])
  (:import [java.io File IOException RandomAccessFile Writer]
           [java.lang ProcessBuilder$Redirect ProcessHandle]
           [java.lang.management ManagementFactory]
           [java.util Collection List Queue]
           [java.util.concurrent ConcurrentLinkedQueue TimeUnit]))

(set! *warn-on-reflection* true)

(defn journal-writer
  "A function that appends an event to the file, at once, so that it is there when the JVM dies."
  [path]
  (fn [event] (spit path (str (pr-str event) "\n") :append true)))

(defn events
  "The events of a journal; a last line that was cut short is left out."
  [path]
  (let [file (io/file path)]
    (if (.exists file)
      (into [] (keep #(try (edn/read-string %) (catch RuntimeException _)))
            (str/split-lines (slurp file)))
      [])))

(defn same-jvm
  "The command that starts the clojure.main of this JVM once more, with the arguments given."
  [& args]
  (let [java (.orElse (.command (.info (ProcessHandle/current))) "java")
        options (.getInputArguments (ManagementFactory/getRuntimeMXBean))]
    (-> [java] (into options) (into ["-cp" (System/getProperty "java.class.path") "clojure.main"])
        (into args))))

(defn- temporary ^File [suffix]
  (doto (File/createTempFile "damo-tests" suffix) (.deleteOnExit)))

(defn- start-worker
  "A worker, {:process :journal :log :shown}: :shown is how much of its log has been shown."
  [command]
  (let [journal (temporary ".edn"), log (temporary ".log")
        builder (ProcessBuilder. ^List (command (str journal)))]
    (.redirectErrorStream builder true)
    (.redirectOutput builder (ProcessBuilder$Redirect/to log))
    {:process (.start builder), :journal journal, :log log, :shown (atom 0)}))

(defn- send-name!
  "Gives the worker the name of a namespace; one that has ended takes none."
  [{:keys [^Process process]} name]
  (try (doto ^Writer (.outputWriter process) (.write (str name "\n")) (.flush))
       (catch IOException _)))

(defn- end-worker! [{:keys [^Process process ^File journal ^File log]}]
  (try (.close (.getOutputStream process)) (catch IOException _))
  (.waitFor process)
  (run! (fn [^File f] (.delete f)) [journal log]))

(defn- show!
  "Prints what the worker has printed since the last time."
  [{:keys [^File log shown]}]
  (with-open [file (RandomAccessFile. log "r")]
    (let [bytes (byte-array (- (.length file) (long @shown)))]
      (.seek file @shown)
      (.readFully file bytes)
      (swap! shown + (alength bytes))
      (print (String. bytes "UTF-8"))
      (flush))))

(defn- print-main-thread
  "Prints where the main thread of the process is."
  [^Process process]
  (let [jstack (str (io/file (System/getProperty "java.home") "bin" "jstack"))
        ^List command [jstack (str (.pid process))]
        dump (slurp (.getInputStream (.start (ProcessBuilder. command))))]
    (some->> (str/split dump #"\n\n") (filter #(str/starts-with? % "\"main\"")) first println)))

(defn- told
  "The result that the journal has for the namespace, if any."
  [journal name]
  (some #(when (= name (:name %)) %) (keep :result (events journal))))

(def ^:private start-ms
  "How long a worker may take until it runs something, in milliseconds."
  120000)

(defn- outcome
  "Waits for the result of a namespace: it, or the exit status of the worker, or :hung when its
  journal stood still for `limit` ms; a worker that hangs is ended, and its main thread returned
  as text."
  [{:keys [^Process process ^File journal]} name limit]
  (loop [size -1, since (System/currentTimeMillis)]
    (let [now (System/currentTimeMillis), written (.length journal)
          result (when (not= size written) (told journal name))]
      (cond
        result {:result result}
        (.waitFor process 50 TimeUnit/MILLISECONDS)
        (if-let [result (told journal name)] {:result result} {:status (.exitValue process)})
        (not= size written) (recur written now)
        (< (- now since) (if (zero? written) start-ms (long limit))) (recur size since)
        :else (let [at (with-out-str (print-main-thread process))]
                (.waitFor (.destroyForcibly process))
                {:status :hung, :at at})))))

(defn- lost
  "Tells that the JVM ended; the result of the namespace in which it did."
  [events name {:keys [status at]}]
  (let [test (last (keep :test (drop-while #(not= name (:begins %)) events)))]
    (some-> at print)
    (println "\nERROR in" (str name ":")
             (if (= :hung status) "it hung, and its JVM was ended"
                 (str "its JVM ended with exit status " status))
             (if test (str "while " test " ran") "while it was loaded"))
    (flush)
    {:name name, :ms 0, :passed 0, :failed 1}))

(defn- run-one
  "[result worker-or-nil] of a namespace that the worker runs: nil when the worker has ended."
  [{:keys [journal] :as worker} name limit printing]
  (send-name! worker name)
  (let [{:keys [result] :as found} (outcome worker name limit)]
    (locking printing
      (show! worker)
      (if result
        [result worker]
        (let [result (lost (events journal) name found)]
          (end-worker! worker)
          [result nil])))))

(defn- run-lane
  "The results of the namespaces that one worker after the other takes from the queue."
  [^Queue queue command limit printing]
  (loop [worker nil, results []]
    (if-let [name (.poll queue)]
      (let [[result worker] (run-one (or worker (start-worker command)) name limit printing)]
        (recur worker (conj results result)))
      (do (some-> worker end-worker!) results))))

(defn run
  "The results [{:name :passed :failed :ms} …] of the namespaces, in the order of `names`, of which
  `lanes` run at a time. (command journal) gives the command that starts a worker with that journal;
  `limit` is how many ms a single test may take."
  [names command limit lanes]
  (let [queue (ConcurrentLinkedQueue. ^Collection names), printing (Object.)
        results (into [] (mapcat deref)
                      (mapv (fn [_] (future (run-lane queue command limit printing)))
                            (range lanes)))]
    (vec (sort-by (comp (zipmap names (range)) :name) results))))
