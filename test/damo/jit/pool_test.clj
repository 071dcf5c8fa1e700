(ns damo.jit.pool-test
  "The pool of threads: each chunk runs once, whoever calls, how many, inside of what."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen LlvmModule LlvmModule$Kind LlvmModule$Text Parallel)
           (damo.jit NativeCode Pool)
           (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private ir
  "A call with dims [chunks threads rounds inner] and buffers [counts]: chunk i of the outer loop
  turns `rounds` times around nothing, then runs `inner` chunks, each of which adds 1 to counts[i];
  with `inner` 0 it adds 1 itself. A context is the table of buffers, the dims and the chunk."
  "
declare void @damo.parallel(ptr, ptr, i64, i64)

define internal void @add(ptr %context, i64 %chunk) {
  %counts = load ptr, ptr %context
  %place = getelementptr i64, ptr %context, i64 2
  %i = load i64, ptr %place
  %address = getelementptr i64, ptr %counts, i64 %i
  %old = atomicrmw add ptr %address, i64 1 monotonic, align 8
  ret void
}

define internal void @chunk(ptr %context, i64 %chunk) {
entry:
  %own = alloca [3 x ptr]
  %counts = load ptr, ptr %context
  store ptr %counts, ptr %own
  %place = getelementptr i64, ptr %own, i64 2
  store i64 %chunk, ptr %place
  %dims.at = getelementptr ptr, ptr %context, i64 1
  %dims = load ptr, ptr %dims.at
  %rounds.at = getelementptr i64, ptr %dims, i64 2
  %rounds = load i64, ptr %rounds.at
  %inner.at = getelementptr i64, ptr %dims, i64 3
  %inner = load i64, ptr %inner.at
  br label %turn
turn:
  %i = phi i64 [ 0, %entry ], [ %next, %again ]
  %more = icmp slt i64 %i, %rounds
  br i1 %more, label %again, label %work
again:
  %word = load volatile i64, ptr %rounds.at
  %next = add i64 %i, 1
  br label %turn
work:
  %flat = icmp eq i64 %inner, 0
  br i1 %flat, label %one, label %many
one:
  call void @add(ptr %own, i64 0)
  ret void
many:
  call void @damo.parallel(ptr @add, ptr %own, i64 %inner, i64 4)
  ret void
}

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) {
  %context = alloca [3 x ptr]
  %counts = load ptr, ptr %buffers
  store ptr %counts, ptr %context
  %dims.at = getelementptr ptr, ptr %context, i64 1
  store ptr %dims, ptr %dims.at
  %chunks = load i64, ptr %dims
  %threads.at = getelementptr i64, ptr %dims, i64 1
  %threads = load i64, ptr %threads.at
  call void @damo.parallel(ptr @chunk, ptr %context, i64 %chunks, i64 %threads)
  ret i32 0
}

define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) {
  ret i32 1
}
")

(defn- code ^NativeCode []
  (NativeCode/compile
   (LlvmModule. [(LlvmModule$Text. ir LlvmModule$Kind/LOOPS)] {}
                {Parallel/NAME (Parallel/module 256)})))

(defn- job
  "Runs one loop and gives the counts of its chunks."
  [^NativeCode code chunks threads rounds inner]
  (calling/with-memory [:i64] [chunks threads rounds inner] [(vec (repeat (max 1 chunks) 0))]
    (fn [table dims failure [^java.lang.foreign.MemorySegment counts]]
      (calling/invoke (.entry code) table dims failure 1)
      (vec (take chunks (.toArray counts
                                  ^java.lang.foreign.ValueLayout$OfLong
                                  java.lang.foreign.ValueLayout/JAVA_LONG))))))

(defn- caller
  "Runs jobs of random sizes; those that went wrong. Each has code of its own, freed after some."
  [seed jobs]
  (let [random (Random. seed)]
    (loop [left (long jobs), wrong []]
      (if (zero? left)
        wrong
        (let [some (min left 25)]
          (recur (- left some)
                 (with-open [code (code)]
                   (into wrong
                         (keep (fn [_]
                                 (let [chunks (.nextInt random 40)
                                       threads (inc (.nextInt random 6))
                                       rounds (bit-shift-left 1 (.nextInt random 15))
                                       inner (if (zero? (.nextInt random 4)) (.nextInt random 6) 0)
                                       counts (job code chunks threads rounds inner)]
                                   (when-not (= counts (repeat chunks (max 1 inner)))
                                     [chunks threads rounds inner counts]))))
                         (range some)))))))))

(defn- workers []
  (filter #(str/starts-with? (.getName ^Thread %) "damo-worker-")
          (keys (Thread/getAllStackTraces))))

(deftest each-chunk-once-test
  (Pool/need 4)
  (is (<= 3 (Pool/workers) (count (workers))))
  (is (every? #(.isDaemon ^Thread %) (workers)))
  (testing "one caller"
    (is (= [] (caller 1 300))))
  (testing "more callers than processors, and than threads of the pool"
    (is (= [] (into [] (mapcat deref)
                    (mapv #(future (caller % 150)) (range 2 12)))))))

(deftest more-threads-than-ranges-test
  (Pool/need 3)
  (with-open [code (code)]
    (doseq [[chunks threads] [[1000 40] [33 33] [31 1000] [2 1000] [65 32] [1 2] [0 2]]]
      (is (= (repeat chunks 1) (job code chunks threads 200 0)) [chunks threads]))))

(deftest more-callers-than-jobs-test
  (Pool/need 3)
  (with-open [code (code)]
    (let [callers (mapv (fn [_] (future (job code 4 3 100000 0))) (range 100))]
      (is (every? #(= [1 1 1 1] @%) callers)))))

(defn- cpu-nanos
  "The processor time of this process so far, of all threads."
  []
  (.getProcessCpuTime ^com.sun.management.OperatingSystemMXBean
                      (java.lang.management.ManagementFactory/getOperatingSystemMXBean)))

(deftest idle-threads-sleep-test
  (Pool/need 4)
  (with-open [code (code)] (job code 8 4 1000 0))
  (testing "of a quarter of a second of idle threads, at least one is without a tenth of it"
    (is (some (fn [_]
                (let [before (cpu-nanos)]
                  (Thread/sleep 250)
                  (< (- (cpu-nanos) before) 100e6)))
              (range 20)))))
