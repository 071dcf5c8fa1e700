(ns damo.bench.server
  "Programs that wait for questions on a pipe, one a line, and answer each with a line: so their
  repetitions and ours can take turns. (ask! server \"time numpy 0.004\") => \"1092.9\"."
  (:require [clojure.string :as str]
            [damo.bench.machine :as machine]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [java.io BufferedReader IOException Writer]
           [java.lang ProcessBuilder$Redirect ProcessHandle]
           [java.util List]
           [java.util.concurrent TimeUnit]))

(set! *warn-on-reflection* true)

(def ^:private memory-settings
  "Results reuse memory: where a page that is touched for the first time is dear, a process that
  gave back what it frees would be measured by that alone."
  {"MALLOC_MMAP_THRESHOLD_" "1073741824", "MALLOC_TRIM_THRESHOLD_" "4294967296"
   "MALLOC_TOP_PAD_" "67108864"})

(def ^:private thread-settings ["OMP_NUM_THREADS" "MKL_NUM_THREADS" "OPENBLAS_NUM_THREADS"])

(defn- ended! [name]
  (fail! ::ended (str name " ended before it answered; what it said last is above") {:name name}))

(defn- line! [{:keys [^BufferedReader in name]}]
  (or (.readLine in) (ended! name)))

(defn- say! [{:keys [^Writer out name]} line]
  (try (.write out (str line "\n"))
       (.flush out)
       (catch IOException _ (ended! name))))

(defn ask!
  "The answer of a server to a line; nil when it begins with error, which is told on standard
  error."
  [{:keys [name] :as server} question]
  (say! server question)
  (let [answer (line! server)]
    (if (str/starts-with? answer "error")
      (binding [*out* *err*] (println (str name ": " question ": " answer)))
      answer)))

(defn start!
  "A server of a command, a vector of texts: {:name :process :in :out :ready}, the last being what
  it said first. It runs on the processors of the calling thread, with so many threads, and
  sees an environment without what would cripple it."
  [name command threads]
  (let [builder (machine/clean (ProcessBuilder. ^List command))]
    (doseq [k thread-settings] (.put (.environment builder) k (str threads)))
    (doseq [[k v] memory-settings] (.put (.environment builder) k v))
    (.redirectError builder ProcessBuilder$Redirect/INHERIT)
    (let [process (.start builder)
          server {:name name, :process process, :in (.inputReader process)
                  :out (.outputWriter process)}
          ready (line! server)]
      (when (str/starts-with? ready "error") (fail! ::error ready {:name name}))
      (assoc server :ready ready))))

(defn- end! [^Process process]
  (run! #(.destroy ^ProcessHandle %) (iterator-seq (.iterator (.descendants (.toHandle process)))))
  (.destroy process))

(defn stop!
  "Ends a server: closes its input, and after two seconds the process and what it started."
  [{:keys [^Process process ^Writer out]}]
  (try (.close out) (catch IOException _))
  (when-not (.waitFor process 2 TimeUnit/SECONDS)
    (end! process)))
(defn pairs
  "The words K=V of an answer as a map of keyword to text."
  [answer]
  (into {} (for [[_ k v] (re-seq #"(\S+?)=(\S+)" answer)] [(keyword k) v])))
