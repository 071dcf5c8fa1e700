(ns damo.bench.measure
  "Times training steps: the loop that every program of the comparison has.
  In: a function (step! i) that performs step i and returns its loss; steps come in order from 0.
  Out: examples/s, and the check value."
  (:require [damo.bench.stats :as stats]
            [damo.bench.task :as task]))

(set! *warn-on-reflection* true)

(def ^:private unit-seconds
  "What one repetition takes, about: with some room above the 0.25 s that it must take." 0.3)
(def ^:private repetitions "How many repetitions there are at least." 5)
(def ^:private most-steps "Of one repetition." 200000)

(defn- run-steps
  "Performs `n` steps from `from` on and returns the sum of their losses."
  ^double [step! ^long from ^long n]
  (loop [i from, sum 0.0]
    (if (< i (+ from n))
      (recur (inc i) (+ sum (double (step! i))))
      sum)))

(defn- seconds-of
  "The time that `n` steps from `from` on take."
  ^double [step! ^long from ^long n]
  (let [start (System/nanoTime)]
    (run-steps step! from n)
    (* 1e-9 (- (System/nanoTime) start))))

(defn- steps-a-unit ^long [^double seconds ^long n]
  (long (max 1 (min most-steps (Math/ceil (/ unit-seconds (/ seconds n)))))))

(defn- warm-up
  "Runs until the JVM has compiled what it will; returns [next step, steps a repetition]."
  [step! from]
  (loop [round 0, from (long from), n 20]
    (let [seconds (seconds-of step! from n)
          next-n (steps-a-unit seconds n)]
      (if (< round 3)
        (recur (inc round) (+ from n) next-n)
        [(+ from n) next-n]))))

(defn- repeated
  "The times of repetitions of `n` steps, for `seconds` in all and at least five of them."
  [step! from n seconds]
  (loop [from (long from), times [], total 0.0]
    (if (or (< (count times) repetitions) (< total (double seconds)))
      (let [t (seconds-of step! from n)]
        (recur (+ from (long n)) (conj times t) (+ total t)))
      times)))

(defn measure
  "Checks and times a program: {:loss mean of the first 100 steps, :rate examples/s (median), :best
  examples/s, :reps n}. `seconds` is the least time of all repetitions together."
  [step! batch seconds]
  (let [loss (/ (run-steps step! 0 task/check-steps) task/check-steps)
        [from n] (warm-up step! task/check-steps)
        times (repeated step! from n seconds)
        rate #(/ (* (double batch) n) (double %))]
    {:loss loss
     :rate (rate (stats/median times))
     :best (rate (apply min times))
     :reps (count times)}))
