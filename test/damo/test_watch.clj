(ns damo.test-watch
  "Runs test namespaces in a JVM of their own, so that one that ends its JVM, or hangs, costs the
  run its own results only: it counts as one failed test, what was running is named, and a new JVM
  goes on with the namespaces after it. The other JVM writes a journal, a line of EDN an event:
  {:begins namespace}, {:test var}, {:result {:name :passed :failed :ms}}, {:ends true}."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str])
  (:import [java.io File]
           [java.lang ProcessBuilder$Redirect ProcessHandle]
           [java.lang.management ManagementFactory]
           [java.util List]
           [java.util.concurrent TimeUnit]))

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

(defn- start ^Process [command]
  (let [builder (ProcessBuilder. ^List command)]
    (.redirectOutput builder ProcessBuilder$Redirect/INHERIT)
    (.redirectError builder ProcessBuilder$Redirect/INHERIT)
    (.start builder)))

(defn- print-main-thread
  "Prints where the main thread of the process is."
  [^Process process]
  (let [jstack (str (io/file (System/getProperty "java.home") "bin" "jstack"))
        ^List command [jstack (str (.pid process))]
        dump (slurp (.getInputStream (.start (ProcessBuilder. command))))]
    (some->> (str/split dump #"\n\n") (filter #(str/starts-with? % "\"main\"")) first println)))

(defn- outcome
  "Waits for the process: its exit status, or :hung when the journal stood still for `limit` ms; a
  process that hangs is ended, after its main thread is shown."
  [^Process process ^File journal limit]
  (loop [size -1, since (System/currentTimeMillis)]
    (let [now (System/currentTimeMillis), written (.length journal)]
      (cond
        (.waitFor process 200 TimeUnit/MILLISECONDS) (.exitValue process)
        (not= size written) (recur written now)
        (< (- now since) (long limit)) (recur size since)
        :else (do (print-main-thread process) (.waitFor (.destroyForcibly process)) :hung)))))

(defn- lost
  "Tells that the JVM ended; the result of the namespace in which it did."
  [events status]
  (let [name (or (last (keep :begins events)) 'nothing)
        test (last (keep :test (drop-while #(not= name (:begins %)) events)))]
    (println "\nERROR in" (str name ":")
             (if (= :hung status) "it hung, and its JVM was ended"
                 (str "its JVM ended with exit status " status))
             (if test (str "while " test " ran") "while it was loaded"))
    (flush)
    {:name name, :ms 0, :passed 0, :failed 1}))

(defn run
  "The results [{:name :passed :failed :ms} …] of the namespaces. (command journal names) gives the
  command that runs namespaces and writes that journal; `limit` is how many ms a single test may
  take."
  [names command limit]
  (loop [names names, results []]
    (if (empty? names)
      results
      (let [journal (File/createTempFile "damo-tests" ".edn")
            status (outcome (start (command (str journal) names)) journal limit)
            told (events journal), finished (into results (keep :result) told)]
        (.delete journal)
        (if (:ends (peek told))
          finished
          (let [{:keys [name] :as result} (lost told status)]
            (recur (rest (drop-while #(not= name %) names)) (conj finished result))))))))
