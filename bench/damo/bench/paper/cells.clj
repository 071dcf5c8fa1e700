(ns damo.bench.paper.cells
  "`bin/damo bench paper`: the training steps of the benchmark, one call a step and all steps in one
  call, each beside the other programs' same form, in turns on the same processors.
  A cell is [task threads batch], a form \"call\" or \"loop\"; a result is a flat map,
  {:suite \"paper\", :task \"mlp\", :threads 1, :batch 60, :form \"call\", :program \"jax-step\",
   :rate examples/s, :ratio Damo's rate over it, :low, :high, :rounds}."
  (:require [damo.bench.limits :as limits]
            [damo.bench.measure :as measure]
            [damo.bench.rounds :as rounds]
            [damo.bench.seats :as seats]
            [damo.bench.stats :as stats]
            [damo.bench.step :as step]
            [damo.bench.task :as task]))

(set! *warn-on-reflection* true)

(def forms "How steps are asked for: one call a step, or all in one call." ["call" "loop"])

;; ## What a step must do

(defn work
  "{:bytes :flops :memory} of a step of a task: the products of the forward pass, of the gradients
  of weights and of what is propagated back, which is nothing behind the images; every parameter is
  read and written once, in place, and the batch is read. :memory are the bytes of all of it."
  [task batch]
  (let [layers (partition 2 1 (task/sizes task))
        weights (map #(apply * %) layers)
        parameters (+ (reduce + weights) (reduce + (map second layers)))
        read (* batch (+ (* 4 task/inputs) 8))]
    {:flops (* 2 batch (+ (* 2 (reduce + weights)) (reduce + (rest weights))))
     :bytes (+ (* 8 parameters) read)
     :memory (+ (* 4 parameters) read)}))

(defn- limit
  "The examples/s that the work of a cell allows, with the peak `flops` of a core."
  [[task threads batch] flops]
  (let [{:keys [memory] :as work} (work task batch)
        seconds (limits/least-seconds work {:copy (* threads (limits/copy-rate memory))
                                            :flops (* threads flops)})]
    (/ batch seconds)))

;; ## Damo

(defn- damo
  "{:time (fn [seconds] ns an example), :loss} of Damo in a form, warm."
  [[task _ batch] form]
  (let [run (if (= form "loop") (step/looper task batch) (measure/each (step/stepper task batch)))
        loss (/ (run 0 task/check-steps) task/check-steps)
        time (measure/timer run task/check-steps batch)]
    (dotimes [_ 3] (time 0.1))
    {:time time, :loss loss}))

;; ## Beside other programs

(defn kind
  "What a file of peers calls this form of a cell's: step-call, step-loop; step-loop-1 beside it for
  batches of one."
  [[_ _ batch] form]
  (cond-> #{(str "step-" form)} (= 1 batch) (conj (str "step-" form "-1"))))

(defn- fits? [{:keys [kinds threads]} [_ n _ :as cell] form]
  (and (threads n) (some (kind cell form) kinds)))

(defn rows
  "The results of a cell and form, of {program [ns an example, a round …]} with Damo as :damo, and
  the rate that bytes and flops allow."
  [[task threads batch] form samples limit]
  (for [[program times] (sort-by key samples)
        :let [{:keys [median low high]} (rounds/ratio samples program [:damo])
              rate (/ 1e9 (stats/median times))]]
    (cond-> {:suite "paper", :task task, :threads threads, :batch batch, :form form
             :program (name program), :rate rate, :rounds (count times)}
      (= :damo program) (assoc :limit limit, :share (/ rate limit))
      (not= :damo program) (assoc :ratio median, :low low, :high high))))

(defn measured
  "The results of a cell in a form: `peers` are those of a file, places and options those of
  `seats/samples`; `flops` is the peak of a core."
  [[task _ batch :as cell] form peers places flops options]
  (let [{:keys [time loss]} (damo cell form)
        samples (seats/samples (filter #(fits? % cell form) peers) time
                               {:cell cell, :question (str task " " batch)
                                :ok? #(task/loss-ok? task batch %)}
                               places options)]
    (cond->> (rows cell form samples (limit cell flops))
      (not (task/loss-ok? task batch loss)) (map #(assoc % :mismatch loss)))))
