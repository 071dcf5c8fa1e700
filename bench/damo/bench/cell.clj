(ns damo.bench.cell
  "Measures one cell of the benchmark, a task with a number of threads and a batch size, in this
  process. (measure [\"mlp\" 1 60] 1.5) => {:rate 93000.0, :loss 2.614944, :ok? true, …}."
  (:require [damo.bench.language-model :as language-model]
            [damo.bench.loop-task :as loop-task]
            [damo.bench.measure :as measure]
            [damo.bench.recurrent :as recurrent]
            [damo.bench.step :as step]
            [damo.bench.task :as task]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn measure
  "{:rate examples/s (median), :best, :reps, :loss mean of the first 100 steps, :ok? is the loss the
  expected one} of a cell [task threads batch], measured for `seconds` at least."
  [[task threads batch] seconds]
  (d/set-threads! threads)
  (let [work {:units batch, :check-steps task/check-steps, :check-units task/check-steps}
        {:keys [loss] :as measured} (measure/measure (measure/each (step/stepper task batch))
                                                     work seconds)]
    (assoc measured :ok? (task/loss-ok? task batch loss))))

(defn- prepared
  "[run, work] of a loop, as damo.bench.measure has them."
  [task how]
  (let [length (loop-task/length task)]
    (if (loop-task/model? task)
      (let [f (language-model/stepper task how)]
        [(if (= how :native) f (measure/each f))
         {:units length, :check-steps (quot loop-task/check-elements length)
          :check-units loop-task/check-elements}])
      (let [f (recurrent/runner task)]
        [(measure/each (fn [_] (f))) {:units length, :check-steps 1, :check-units 1}]))))

(defn measure-loop
  "The same of a loop of damo.bench.loop-task, in elements or steps/s, on one thread; `how` is
  :calls, one call a window of a language model, or :native, many windows in a call."
  [task how seconds]
  (d/set-threads! 1)
  (let [[run work] (prepared task how)
        {:keys [loss] :as measured} (measure/measure run work seconds)]
    (assoc measured :ok? (task/near? (loop-task/expected task) loss))))
