(ns damo.bench.models.main
  "`bin/damo bench models`: a training step of larger models beside JAX and PyTorch, in turns on the
  same processors; a result is {:suite \"models\", :task \"block\", :threads 1, :program \"jax\",
  :ns a step, :ratio its time over Damo's, :low, :high}."
  (:require [clojure.string :as str]
            [damo.bench.keep :as keep]
            [damo.bench.limits :as limits]
            [damo.bench.machine :as machine]
            [damo.bench.measure :as measure]
            [damo.bench.models.nets :as nets]
            [damo.bench.peers :as peers]
            [damo.bench.rounds :as rounds]
            [damo.bench.seats :as seats]
            [damo.bench.stats :as stats]
            [damo.bench.tables :as tables]
            [damo.bench.task :as task]
            [damo.cli :as cli]
            [damo.core :as d])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(def options
  "The options of `bin/damo bench models`."
  [["--models" {:key :models, :read (cli/each-of (apply cli/one-of nets/names)), :hint "LIST"
                :default nets/names, :doc "what to train"}]
   ["--threads" {:key :threads, :read (cli/each-of (cli/whole 1 1024)), :hint "LIST"
                 :default [1 2], :doc "threads, each on a processor of its own"}]
   ["--peers" {:key :peers, :read (cli/path), :hint "FILE", :default "bench/peers.txt"
               :doc "servers to run beside Damo, of kind models"}]
   ["--seconds" {:key :seconds, :read (cli/positive), :hint "S", :default 5.0
                 :doc "for the rounds of a model, about"}]
   ["--least" {:key :least, :read (cli/whole 1 1000), :hint "N", :default 3
               :doc "rounds at least"}]
   ["--most" {:key :most, :read (cli/whole 1 1000), :hint "N", :default 15, :doc "rounds at most"}]
   ["--spread" {:key :bound, :read (cli/positive), :hint "X", :default 0.03
                :doc "of the middle half of ratios to the best peer that ends a model"}]
   ["--keep" {:key :keep, :doc "keep the results of this machine and write docs/performance.md"}]])

(def ^:private intro
  "usage: bin/damo bench models [OPTION...]
Times a training step (forward, backward, gradient descent) of an attention layer on one sequence,
a transformer block, twelve blocks, an autoencoder, a wide perceptron and LeNet, beside JAX and
PyTorch, whose losses must be Damo's. In brackets: Damo's speed over the program's, median and
range.")

(defn damo
  "{:time (fn [seconds] ns a step), :loss} of Damo's step of a model, warm."
  [model]
  (let [f (nets/training-step model), inputs (map nets/input-value (:inputs (nets/models model)))
        [x y] inputs
        step! (if y #(f x y) #(f x))
        run (measure/each (fn [_] (.doubleValue ^Tensor (step!))))
        loss (/ (run 0 nets/check-steps) nets/check-steps)
        time (measure/timer run nets/check-steps 1)]
    (time 0.2)
    {:time time, :loss loss}))

(defn- limit-ns [model threads flops]
  (let [{:keys [memory] :as work} (nets/work model)]
    (* 1e9 (limits/least-seconds work {:copy (* threads (limits/copy-rate memory))
                                       :flops (* threads flops)}))))

(defn rows
  "The results of a model, of {program [ns a step, a round …]} with Damo as :damo, and the least
  time that its work takes."
  [model threads samples limit]
  (for [[program times] (sort-by key samples)
        :let [{:keys [median low high]} (rounds/ratio samples program [:damo])
              ns (stats/median times)]]
    (cond-> {:suite "models", :task model, :threads threads, :program (name program), :ns ns
             :rounds (count times)}
      (= :damo program) (assoc :limit-ns limit, :share (/ limit ns))
      (not= :damo program) (assoc :ratio median, :low low, :high high))))

(defn measured
  "The results of a model; peers, places and options are those of `seats/samples`."
  [model threads peers places flops options]
  (let [{:keys [time loss]} (damo model), expected (nets/expected-losses model)
        peers (filter #(and ((:kinds %) "models") ((:threads %) threads)) peers)
        samples (seats/samples peers time {:cell [model threads 1], :question model
                                           :ok? #(task/near? expected %)}
                               places options)]
    (cond->> (rows model threads samples (limit-ns model threads flops))
      (not (task/near? expected loss)) (map #(assoc % :mismatch loss)))))

(defn line
  "The results of a model as a line of text."
  [[{:keys [task threads]} :as rows]]
  (let [ours (first (filter #(= "damo" (:program %)) rows))]
    (str (format "%-11s %dt  damo %s (%.0f %% of the limit, %d rounds)  " task threads
                 (tables/time-text (:ns ours)) (* 100.0 (:share ours)) (:rounds ours))
         (when (:mismatch ours) (str "WRONG LOSS " (:mismatch ours) "  "))
         (str/join "  " (for [{:keys [program ns] :as row} (remove #{ours} rows)]
                          (str program " " (tables/time-text ns) " " (tables/ratio-text row)))))))

(defn- measure-threads! [threads peers flops {:keys [models] :as opts}]
  (machine/pin! (machine/chosen threads))
  (d/set-threads! threads)
  (let [places (seats/places)
        opts (assoc opts :batch-seconds 0.1, :pause (when (< 1 threads) rounds/restless))]
    (try
      {:rows (vec (for [model models
                        :let [rows (measured model threads peers places flops opts)
                              _ [(println (line rows)) (flush)]]
                        row rows]
                    row))
       :versions (seats/versions places)}
      (finally (seats/leave! places)))))

(defn- measure-all! [{:keys [threads peers] :as opts}]
  (machine/clean!)
  (let [load (machine/load-average), flops (limits/flops :f32), peers (peers/read-peers peers)
        groups (mapv #(measure-threads! % peers flops opts) (sort > threads))
        in-table (juxt #(.indexOf ^java.util.List nets/names (:task %)) :threads)
        rows (vec (sort-by in-table (mapcat :rows groups)))]
    (println (str "\n" (tables/models rows)))
    (when (:keep opts) (keep/keep! "models" (into {} (map :versions) groups) load rows))))

(defn main
  "Does what the arguments after `models` ask for."
  [args]
  (let [opts (cli/parse options args)]
    (if (:help opts)
      (println (cli/help intro options))
      (measure-all! opts))))
