(ns damo.bench.micro.measure
  "Measures one row of `bin/damo bench micro`: Damo by call and by call-into, and the programs of a
  server of bench/micro_peer.py, in turns. (measured (row \"add-1e6\") servers rates options) =>
  {:row \"add-1e6\", :call-ns 284000.0, :into-ns 127200.0, :numpy-ns …, :ratio 1.04 …}."
  (:require [clojure.string :as str]
            [damo.bench.limits :as limits]
            [damo.bench.micro.data :as data]
            [damo.bench.micro.rows :as rows]
            [damo.bench.rounds :as rounds]
            [damo.bench.server :as server]
            [damo.bench.stats :as stats]
            [damo.core :as d])
  (:import (damo.tensor Tensor)))

(set! *warn-on-reflection* true)

;; ## Damo

(defn- nanoseconds
  "The time of one of n calls of f."
  ^double [f ^long n]
  (let [start (System/nanoTime)]
    (dotimes [_ n] (f))
    (/ (double (- (System/nanoTime) start)) n)))

(defn- least
  "Nanoseconds a call of f: the least of batches of a quarter of the time, at least two of them."
  [f seconds]
  (let [one (nanoseconds f 1)
        again (nanoseconds f (if (< 1e5 one) 1 20))
        n (long (max 1 (min 100000 (/ (* 1e9 seconds 0.25) again))))
        stop (+ (System/nanoTime) (* 1e9 seconds))]
    (loop [best ##Inf, batches 0]
      (if (and (<= 2 batches) (< stop (System/nanoTime)))
        best
        (recur (min best (nanoseconds f n)) (inc batches))))))

(defn- caller
  "A function without arguments that calls f with these; calls of up to four arguments are direct."
  [f args]
  (let [[a b c e] args]
    (case (count args)
      1 #(f a)
      2 #(f a b)
      3 #(f a b c)
      4 #(f a b c e)
      #(apply f args))))

(defn arguments-of
  "The tensors that a row is computed on."
  [row]
  (vec (map-indexed data/argument (rows/arguments row))))

(defn function-of
  "The compiled function of a row, of one output or a vector."
  [row]
  (let [[inputs outputs] (rows/expression row)]
    (d/function inputs (if (= 1 (count outputs)) (first outputs) outputs)
                {:name (:name row), :on-unused-input :ignore})))

(defn prepared
  "Of a row, {:call :into}, functions that compute it once, and :check, that of the results."
  [row]
  (let [f (function-of row)
        args (arguments-of row)
        call (caller f args)
        results (call)
        buffers (if (vector? results) results [results])]
    {:call call
     :into (caller d/call-into (into [f buffers] args))
     :check (data/check buffers)}))

(def ^:private rotation
  "Bytes of results after which their memory is that of results before, dropped and found by the
  garbage collector: what a program that runs for longer than moments has."
  3e8)

(defn- rotate!
  "Calls f until the memory of its results goes round, at most a second."
  [f]
  (let [results (f)
        bytes (reduce + (map #(.byteSize ^Tensor %) (if (vector? results) results [results])))
        stop (+ (System/nanoTime) 1e9)]
    (loop [left (if (< bytes 1024) 0 (/ rotation bytes))]
      (when (and (pos? left) (< (System/nanoTime) stop))
        (f)
        (recur (dec left))))))

(defn- warm!
  "Calls f until the JVM has compiled what it will of it: short calls, where that counts, longer."
  [f]
  (let [seconds (if (< (nanoseconds f 2) 2e4) 0.1 0.02)
        stop (+ (System/nanoTime) (* 1e9 seconds))]
    (loop [n 0]
      (when (and (< n 50000) (< (System/nanoTime) stop))
        (f)
        (recur (inc n))))))

;; ## Beside peers

(def ours "How Damo is measured." [:call :into])

(defn- peers
  "[[program (fn [] ns)] …] of the server, of those that compute the row, and names of those whose
  results are others."
  [server {:keys [kernel dtype] :as row} check seconds]
  (let [question (str/join " " (list* "make" kernel (map data/argument-text (rows/arguments row))))
        checks (some-> server (server/ask! question) server/pairs)
        fits? #(data/agree? dtype check (map parse-double (str/split % #"/")))]
    {:measurements (vec (for [[program text] (sort checks) :when (fits? text)]
                          [program #(if-let [answer (server/ask! server (str "time " (name program)
                                                                             " " seconds))]
                                      (parse-double answer)
                                      ##Inf)]))
     :wrong (vec (for [[program text] (sort checks) :when (not (fits? text))] (name program)))}))

(defn- limit-ns
  "The least time of a row on so many cores, where f is the rate of flops of one."
  [{:keys [threads]} work flops]
  (some-> (limits/least-seconds work {:copy (* threads (limits/copy-rate (:bytes work)))
                                      :flops (* threads flops)})
          (* 1e9)))

(defn summary
  "The flat map of a row: medians in ns of all programs, the best peer and its :ratio with :low and
  :high, the ratio of the least times, the limit and the :share of it that Damo reaches."
  [row work limit samples]
  (let [[program {:keys [median low high]}] (rounds/best samples ours)
        own (stats/median (apply map min (map samples ours)))]
    (merge {:suite "micro", :row (:name row), :threads (:threads row), :dtype (name (:dtype row))
            :bytes (:bytes work), :flops (:flops work), :rounds (count (samples :into))
            :limit-ns limit, :share (when limit (/ limit own))}
           (into {} (for [[k times] samples]
                      [(keyword (str (name k) "-ns")) (stats/median times)]))
           (into {} (for [[k times] samples]
                      [(keyword (str (name k) "-least-ns")) (apply min times)]))
           (when program
             {:best (name program), :ratio median, :low low, :high high
              :least-ratio (rounds/least-ratio samples ours)}))))

(defn measured
  "The `summary` of a row, measured with the options of `rounds/take-turns` and :batch, the seconds
  of one measurement; :wrong names peers that computed something else. `flops` is the rate of a
  core, by dtype."
  [row server flops {:keys [batch] :as options}]
  (let [{:keys [call into check]} (prepared row)
        work (rows/work row)
        {:keys [measurements wrong]} (peers server row check batch)]
    (run! warm! [call into])
    (rotate! call)
    (let [own [[:into #(least into batch)] [:call #(least call batch)]]
          samples (rounds/take-turns (vec (concat own measurements)) ours options)
          limit (limit-ns row work (flops (if (= :f64 (:dtype row)) :f64 :f32)))]
      (cond-> (summary row work limit samples)
        (seq wrong) (assoc :wrong (str/join ", " wrong))))))
