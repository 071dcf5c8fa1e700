(ns damo.bench.cell
  "Measures one cell of the benchmark, a task with a number of threads and a batch size, in this
  process. (measure [\"mlp\" 1 60] 1.5) => {:rate 93000.0, :loss 2.614944, :ok? true, …}."
  (:require [damo.bench.measure :as measure]
            [damo.bench.step :as step]
            [damo.bench.task :as task])
  (:import [damo.lib Blas]))

(set! *warn-on-reflection* true)

(defn measure
  "{:rate examples/s (median), :best, :reps, :loss mean of the first 100 steps, :ok? is the loss the
  expected one} of a cell [task threads batch], measured for `seconds` at least."
  [[task threads batch] seconds]
  (.setThreads (Blas/get) (int threads))
  (let [{:keys [loss] :as measured} (measure/measure (step/stepper task batch) batch seconds)]
    (assoc measured :ok? (task/loss-ok? task batch loss))))
