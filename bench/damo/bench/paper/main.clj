(ns damo.bench.paper.main
  "`bin/damo bench paper`: all cells of the training steps, beside the servers of a file of peers;
  prints them as they come, a table at the end, and keeps results where asked."
  (:require [clojure.string :as str]
            [damo.bench.keep :as keep]
            [damo.bench.limits :as limits]
            [damo.bench.machine :as machine]
            [damo.bench.paper.cells :as cells]
            [damo.bench.peers :as peers]
            [damo.bench.rounds :as rounds]
            [damo.bench.seats :as seats]
            [damo.bench.stats :as stats]
            [damo.bench.tables :as tables]
            [damo.bench.task :as task]
            [damo.cli :as cli]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def options
  "The options of `bin/damo bench paper`."
  [["--tasks" {:key :tasks, :read (cli/each-of (apply cli/one-of task/tasks)), :hint "LIST"
               :default task/tasks, :doc "what to train"}]
   ["--batches" {:key :batches, :read (cli/each-of (cli/whole 1 task/examples)), :hint "LIST"
                 :default [1 10 60], :doc "examples a step"}]
   ["--threads" {:key :threads, :read (cli/each-of (cli/whole 1 1024)), :hint "LIST"
                 :default [1 2], :doc "threads, each on a processor of its own"}]
   ["--forms" {:key :forms, :read (cli/each-of (apply cli/one-of cells/forms)), :hint "LIST"
               :default cells/forms, :doc "one call a step, or all steps in one call"}]
   ["--peers" {:key :peers, :read (cli/path), :hint "FILE", :default "bench/peers.txt"
               :doc "servers to run beside Damo"}]
   ["--only" {:key :only, :read (cli/each-of (cli/path)), :hint "LIST"
              :doc "of these peers those named"}]
   ["--seconds" {:key :seconds, :read (cli/positive), :hint "S", :default 4.0
                 :doc "for the rounds of a cell and form, about"}]
   ["--least" {:key :least, :read (cli/whole 1 1000), :hint "N", :default 5
               :doc "rounds at least"}]
   ["--most" {:key :most, :read (cli/whole 1 1000), :hint "N", :default 25
              :doc "rounds at most"}]
   ["--spread" {:key :bound, :read (cli/positive), :hint "X", :default 0.03
                :doc "of the middle half of ratios to the best peer that ends a cell"}]
   ["--keep" {:key :keep, :doc "keep the results of this machine and write docs/performance.md"}]])

(def ^:private intro
  "usage: bin/damo bench paper [OPTION...]
Trains the networks of the benchmark, one call a step (call) and all steps in one call (loop),
beside programs that do the same work in the same form and prove it by their losses. In brackets:
Damo's speed over the program's, median and range of the rounds.")

(defn line
  "The results of a cell and form as a line of text."
  [rows]
  (let [{:keys [task threads batch form rate share rounds mismatch]}
        (first (filter #(= "damo" (:program %)) rows))
        other (fn [{:keys [program rate] :as row}]
                (str program " " (stats/rate-text rate) " " (tables/ratio-text row)))]
    (str (format "%-6s batch %2d %dt %s  damo %s (%.0f %% of the limit, %d rounds)" task batch
                 threads form (stats/rate-text rate) (* 100.0 share) rounds)
         (when mismatch (str "  WRONG LOSS " mismatch))
         "  " (str/join "  " (map other (sort-by :ratio (remove #(= "damo" (:program %)) rows)))))))

(defn- measure-threads!
  "{:rows :versions} of all cells of so many threads."
  [threads peers flops {:keys [tasks batches forms] :as opts}]
  (machine/pin! (machine/chosen threads))
  (d/set-threads! threads)
  (let [places (seats/places)
        opts (assoc opts :batch-seconds 0.08, :pause (when (< 1 threads) rounds/restless))]
    (try
      {:rows (vec (for [task tasks, batch batches, form forms
                        :let [cell [task threads batch]
                              rows (cells/measured cell form peers places flops opts)
                              _ [(println (line rows)) (flush)]]
                        row rows]
                    row))
       :versions (seats/versions places)}
      (finally (seats/leave! places)))))

(defn- chosen-peers [{:keys [peers only]}]
  (filter #(or (nil? only) (some #{(:name %)} only)) (peers/read-peers peers)))

(defn- measure-all!
  "Those of most threads come first, as threads that start on one processor stay there."
  [{:keys [threads forms] :as opts}]
  (machine/clean!)
  (let [peers (chosen-peers opts), load (machine/load-average), flops (limits/flops :f32)
        groups (mapv #(measure-threads! % peers flops opts) (sort > threads))
        in-table (juxt #(.indexOf ^java.util.List task/tasks (:task %)) :threads :batch)
        rows (vec (sort-by in-table (mapcat :rows groups)))]
    (doseq [form forms]
      (println (str "\n" form ":\n" (tables/paper rows form))))
    (when (:keep opts) (keep/keep! "paper" (into {} (map :versions) groups) load rows))))

(defn main
  "Does what the arguments after `paper` ask for."
  [args]
  (let [opts (cli/parse options args)]
    (if (:help opts)
      (println (cli/help intro options))
      (measure-all! opts))))
