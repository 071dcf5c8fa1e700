(ns damo.bench.micro.main
  "`bin/damo bench micro`: kernels, small and large, by call and by call-into, beside NumPy, JAX and
  PyTorch, all on the same processors in turns; and the time that bytes and flops imply."
  (:require [clojure.string :as str]
            [damo.bench.limits :as limits]
            [damo.bench.machine :as machine]
            [damo.bench.micro.measure :as measure]
            [damo.bench.micro.rows :as rows]
            [damo.bench.keep :as keep]
            [damo.bench.server :as server]
            [damo.bench.tables :as tables]
            [damo.cli :as cli]
            [damo.core :as d]
            [damo.data.fail :as fail :refer [fail!]]))

(set! *warn-on-reflection* true)

(def ^:private pattern
  {:expects "a regular expression"
   :value #(try (re-pattern %) (catch java.util.regex.PatternSyntaxException _ nil))})

(def options
  "The options of `bin/damo bench micro`."
  [["--rows" {:key :rows, :read pattern, :hint "REGEX", :default #"", :doc "rows by their names"}]
   ["--peers" {:key :peers, :doc "NumPy, JAX and PyTorch beside Damo"}]
   ["--python" {:key :python, :read (cli/path), :hint "FILE", :default "python3"
                :doc "the Python that has them"}]
   ["--threads" {:key :threads, :read (cli/each-of (cli/whole 1 1024)), :hint "LIST"
                 :default [1 2], :doc "rows of these numbers of threads"}]
   ["--seconds" {:key :seconds, :read (cli/positive), :hint "S", :default 0.6
                 :doc "for the rounds of a row, about"}]
   ["--least" {:key :least, :read (cli/whole 1 1000), :hint "N", :default 3
               :doc "rounds of a row at least"}]
   ["--most" {:key :most, :read (cli/whole 1 1000), :hint "N", :default 15
              :doc "rounds of a row at most"}]
   ["--spread" {:key :bound, :read (cli/positive), :hint "X", :default 0.04
                :doc "of the middle half of ratios that ends a row"}]
   ["--keep" {:key :keep, :doc "keep the results of this machine and write docs/performance.md"}]
   ["--list" {:key :list, :doc "names the rows and what they move and do"}]])

(def ^:private intro
  "usage: bin/damo bench micro [OPTION...]
Times kernels by call and by call-into. With --peers, the same kernels in NumPy, JAX and PyTorch: a
ratio is the time of the best of them over Damo's, above 1 where Damo is faster: the median of all
rounds, with its range, and that of the least times, which other work disturbs less. The limit is
the time that a copy of as many bytes, or as many flops at the core's peak, take in the same run.")

;; ## Text

(def ^:private columns
  "%-26s %10s %10s %10s %10s %10s  %-23s %5s %10s %6s  %s")

(def ^:private header
  (format columns "row" "into" "call" "numpy" "jax" "torch"
          "best peer / Damo" "least" "limit" "share" ""))

(defn line
  "A measured row as a line of text."
  [{:keys [row best ratio low high least-ratio limit-ns share wrong] :as measured}]
  (str/trimr
   (format columns row
           (tables/time-text (:into-ns measured)) (tables/time-text (:call-ns measured))
           (tables/time-text (:numpy-ns measured)) (tables/time-text (:jax-ns measured))
           (tables/time-text (:torch-ns measured))
           (if ratio (format "%5.2f %s (%.2f-%.2f)" ratio best low high) "-")
           (if least-ratio (format "%.2f" least-ratio) "-")
           (tables/time-text limit-ns) (if share (format "%.0f %%" (* 100 share)) "-")
           (str (when (and ratio (< ratio 0.95)) "<")
                (when wrong (str " other results: " wrong))))))

(defn closing
  "What is said after all rows: how many are slower than the best peer, and which."
  [measured]
  (str (count measured) " rows"
       (when (some :ratio measured)
         (str "; beside the best peer, " (tables/behind measured 0.95)))))

;; ## Running

(defn- start-peers! [{:keys [peers python]} threads]
  (when peers
    (try (let [processors (str/join "," (machine/chosen threads))]
           (server/start! "micro_peer.py" [python "bench/micro_peer.py" (str threads) processors]
                          threads))
         (catch java.io.IOException e
           (fail! ::no-python (str "cannot start " python ": " (ex-message e)
                                   "; --python names one that has NumPy, JAX and PyTorch")
                  {:python python})))))

(defn- measure-row! [row server flops opts]
  (try
    (let [pause (when (< 1 (:threads row)) 0.03)
          measured (measure/measured row server flops (assoc opts :batch 0.004, :pause pause))]
      (println (line measured))
      (flush)
      measured)
    (catch clojure.lang.ExceptionInfo e
      (println (format "%-26s cannot run: %s" (:name row) (ex-message e)))
      (when (= ::server/ended (:damo/error (ex-data e))) (throw e)))))

(defn- measure-group!
  "{:rows :versions} of the rows of so many threads, measured on as many processors."
  [threads rows flops opts]
  (machine/pin! (machine/chosen threads))
  (d/set-threads! threads)
  (let [server (start-peers! opts threads)]
    (try
      (when server (println (:ready server)))
      {:rows (vec (keep #(measure-row! % server flops opts) rows))
       :versions (some-> server :ready server/pairs)}
      (finally (when server (server/stop! server))))))

(defn chosen-rows
  "The rows whose names match, of those numbers of threads; those of most threads come first, as
  threads that start on one processor stay there."
  [{:keys [rows threads]}]
  (sort-by (comp - key) (group-by :threads (filter #(and (re-find rows (:name %))
                                                         (some #{(:threads %)} threads))
                                                   rows/rows))))

(defn- peak
  "The rates of flops of a core, by dtype."
  []
  (let [flops {:f32 (limits/flops :f32), :f64 (limits/flops :f64)}]
    (println (format "peak of a core: %.0f GFLOP/s in f32, %.0f in f64"
                     (/ (:f32 flops) 1e9) (/ (:f64 flops) 1e9)))
    flops))

(defn- measure-all! [opts]
  (let [cleaned (machine/clean!), load (machine/load-average)]
    (when (seq cleaned) (println "without" (str/join ", " cleaned)))
    (let [flops (peak)
          _ [(println header)]
          groups (mapv (fn [[n rows]] (measure-group! n rows flops opts)) (chosen-rows opts))
          measured (vec (mapcat :rows groups))]
      (println (closing measured))
      (when (:keep opts)
        (keep/keep! "micro" (into {} (map :versions) groups) load measured)))))

(defn- print-rows [opts]
  (doseq [[_ rows] (chosen-rows opts), row rows
          :let [{:keys [bytes flops]} (rows/work row)]]
    (println (format "%-26s %,14d bytes %,16d flops" (:name row) bytes flops))))

(defn main
  "Does what the arguments after `micro` ask for."
  [args]
  (let [opts (cli/parse options args)]
    (cond (:help opts) (println (cli/help intro options))
          (:list opts) (print-rows opts)
          :else (measure-all! opts))))
