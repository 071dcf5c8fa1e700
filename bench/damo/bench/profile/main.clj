(ns damo.bench.profile.main
  "`bin/damo bench profile`: the steps of the compiled training steps, what each takes, what its
  bytes and flops allow, and what is left between both."
  (:require [damo.bench.limits :as limits]
            [damo.bench.machine :as machine]
            [damo.bench.models.nets :as nets]
            [damo.bench.profile.steps :as steps]
            [damo.bench.stats :as stats]
            [damo.bench.step :as step]
            [damo.bench.tables :as tables]
            [damo.bench.task :as task]
            [damo.cli :as cli]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def options
  "The options of `bin/damo bench profile`."
  [["--tasks" {:key :tasks, :read (cli/each-of (apply cli/one-of task/tasks)), :hint "LIST"
               :doc "training steps to cut"}]
   ["--batches" {:key :batches, :read (cli/each-of (cli/whole 1 task/examples)), :hint "LIST"
                 :default [60], :doc "examples a step of the tasks"}]
   ["--models" {:key :models, :read (cli/each-of (apply cli/one-of nets/names)), :hint "LIST"
                :doc "models of `bench models` to cut"}]
   ["--threads" {:key :threads, :read (cli/whole 1 1024), :hint "N", :default 1
                 :doc "threads, each on a processor of its own"}]
   ["--rounds" {:key :rounds, :read (cli/whole 1 100000), :hint "N", :default 100
                :doc "calls of every cut program, of which the least counts"}]])

(def ^:private intro
  "usage: bin/damo bench profile --tasks LIST | --models LIST [OPTION...]
Cuts the compiled program after each of its steps and calls what comes out in turns: a step takes by
how much the program with it takes longer. The limit is what its bytes and flops take at the rates
of a copy and of multiply-adds; 'lost' is the rest, as a share of the whole call.")

(defn limited
  "Steps with the time that their work takes at least, :limit, in ns."
  [steps threads flops]
  (for [{:keys [bytes] :as s} steps]
    (assoc s :limit (when (and bytes (pos? bytes))
                      (* 1e9 (limits/least-seconds s {:copy (* threads (limits/copy-rate bytes))
                                                      :flops (* threads flops)}))))))

(defn table
  "Steps with their limits as a Markdown table, in order, and their sum."
  [steps]
  (let [whole (reduce + (map :ns steps)), least (reduce + (keep :limit steps))
        share #(format "%.0f %%" (* 100.0 (/ % (max 1 whole))))
        line (fn [text ns limit]
               [text (tables/time-text ns) (share ns) (tables/time-text limit)
                (if limit (share (max 0.0 (- ns limit))) "-")])]
    (stats/markdown (concat [["step" "time" "share" "limit" "lost"]]
                            (for [{:keys [step ns limit]} steps] (line step ns limit))
                            [(line "all" whole least)]))))

(defn- task-arguments [batch]
  [(.slice (step/image-data) 0 batch) (.slice (step/label-data) 0 batch)])

(defn- chosen
  "[title function arguments dims] of what is to be cut."
  [{:keys [tasks batches models]}]
  (concat (for [task tasks, batch batches]
            [(str task ", batch " batch) #(step/training-step task) (task-arguments batch)
             {'n batch}])
          (for [model models]
            [model #(nets/training-step model)
             (map nets/input-value (:inputs (nets/models model))) {}])))

(defn- profile-all! [{:keys [threads rounds] :as opts}]
  (machine/clean!)
  (machine/pin! (machine/chosen threads))
  (d/set-threads! threads)
  (let [flops (limits/flops :f32)]
    (doseq [[title make arguments dims] (chosen opts)]
      (println (str title ", " threads " thread(s)\n"
                    (table (limited (steps/profile (make) arguments {:dims dims, :rounds rounds})
                                    threads flops))
                    "\n"))
      (flush))))

(defn main
  "Does what the arguments after `profile` ask for."
  [args]
  (let [{:keys [help tasks models] :as opts} (cli/parse options args)]
    (if (or help (not (or tasks models)))
      (println (cli/help intro options))
      (profile-all! opts))))
