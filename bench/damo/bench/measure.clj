(ns damo.bench.measure
  "Times training steps: the loop that every program of the comparison has.
  In: a function (run from n) that performs the n steps from number `from` on and returns the sum of
  their losses; steps come in order from 0. Out: examples/s, and the check value."
  (:require [damo.bench.stats :as stats]))

(set! *warn-on-reflection* true)

(def ^:private unit-seconds
  "What one repetition takes, about: with some room above the 0.25 s that it must take." 0.3)
(def ^:private repetitions "How many repetitions there are at least." 5)
(def ^:private most-steps "Of one repetition." 200000)

(defn each
  "The function to measure of (step! i), which performs step i and returns its loss."
  [step!]
  (fn [^long from ^long n]
    (loop [i from, sum 0.0]
      (if (< i (+ from n))
        (recur (inc i) (+ sum (double (step! i))))
        sum))))

(defn- seconds-of
  "The time that `n` steps from `from` on take."
  ^double [run ^long from ^long n]
  (let [start (System/nanoTime)]
    (run from n)
    (* 1e-9 (- (System/nanoTime) start))))

(defn- steps-a-unit ^long [^double seconds ^long n]
  (long (max 1 (min most-steps (Math/ceil (/ unit-seconds (/ seconds n)))))))

(defn- warm-up
  "Runs until the JVM has compiled what it will; returns [next step, steps a repetition]."
  [run from]
  (loop [round 0, from (long from), n 20]
    (let [seconds (seconds-of run from n)
          next-n (steps-a-unit seconds n)]
      (if (< round 3)
        (recur (inc round) (+ from n) next-n)
        [(+ from n) next-n]))))

(defn- repeated
  "The times of repetitions of `n` steps, for `seconds` in all and at least five of them."
  [run from n seconds]
  (loop [from (long from), times [], total 0.0]
    (if (or (< (count times) repetitions) (< total (double seconds)))
      (let [t (seconds-of run from n)]
        (recur (+ from (long n)) (conj times t) (+ total t)))
      times)))

(defn timer
  "A function of seconds: nanoseconds a unit of as many steps as take about so long. `run` does
  steps, (run from n), in order from step `at` on, each of so many units."
  [run at units]
  (let [at (volatile! at)
        steps! (fn [n] (let [t (seconds-of run @at n)] (vswap! at + n) t))
        nanoseconds (fn [t n] (/ (* 1e9 t) (* n units)))]
    (fn [seconds]
      (let [one (steps! 1)]
        (if (<= seconds one)
          (nanoseconds one 1)
          (let [n (long (/ seconds one)), tenth (quot n 10)
                n (if (< 20 n) (max 1 (long (/ (* seconds tenth) (steps! tenth)))) n)]
            (nanoseconds (steps! n) n)))))))

(defn measure
  "Checks and times a program: {:loss, :rate examples/s (median), :best examples/s, :reps n}, the
  loss a mean over the first steps. `seconds` is the least time of all repetitions together. The
  work is {:units examples a step, :check-steps how many first steps there are, :check-units how
  many losses are in their sum}."
  [run {:keys [units check-steps check-units]} seconds]
  (let [loss (/ (double (run 0 check-steps)) check-units)
        [from n] (warm-up run check-steps)
        times (repeated run from n seconds)
        rate #(/ (* (double units) n) (double %))]
    {:loss loss
     :rate (rate (stats/median times))
     :best (rate (apply min times))
     :reps (count times)}))
