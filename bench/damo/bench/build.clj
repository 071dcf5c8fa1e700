(ns damo.bench.build
  "How long it takes from expressions to machine code: building, differentiating, rewriting and
  compiling the training step of a task, the first time in a process and when all is warm."
  (:require [damo.bench.stats :as stats]
            [damo.bench.step :as step]))

(set! *warn-on-reflection* true)

(def ^:private warm-up 10)
(def ^:private repetitions 21)

(defn- milliseconds [f]
  (let [start (System/nanoTime)]
    (f)
    (/ (- (System/nanoTime) start) 1e6)))

(defn measure
  "{:first ms, :warm ms (median of 21)} to make the training step of a task; :first holds only in a
  process that has compiled nothing before."
  [task]
  (let [build #(milliseconds (fn [] (step/training-step task)))
        first-time (build)]
    (dotimes [_ warm-up] (build))
    {:first first-time
     :warm (stats/median (repeatedly repetitions build))}))
