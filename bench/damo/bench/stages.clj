(ns damo.bench.stages
  "Where the time from expressions to machine code goes: CPU time and allocated bytes of each stage
  of the compiler. The vars of `watched` are wrapped while something is measured; what runs in one
  of them counts for the innermost. Of a machine with other work these numbers tell more than a
  clock does.
  (measured #(d/function [x] (d/exp x))) = {\"schedule\" {:ms 0.8, :mb 0.3} …}"
  (:require [damo.bench.stats :as stats]
            [damo.compile.pipeline :as pipeline]
            [damo.core]
            [damo.face.function :as function])
  (:import [com.sun.management ThreadMXBean]
           [damo.codegen Codegen]
           [damo.program Programs]
           [java.lang.management ManagementFactory]
           [java.util ArrayDeque]))

(set! *warn-on-reflection* true)

;; ## The clock

(def ^:private ^ThreadMXBean threads (ManagementFactory/getThreadMXBean))

(defn- workers
  "The threads that count: this one, and those on which LLVM compiles parts side by side."
  ^longs []
  (let [own (.threadId (Thread/currentThread))]
    (long-array (for [^java.lang.management.ThreadInfo t
                      (.getThreadInfo threads (.getAllThreadIds threads))
                      :when (and t (or (= own (.getThreadId t))
                                       (.startsWith (.getThreadName t) "ForkJoinPool.common")))]
                  (.getThreadId t)))))

(defn- own-now
  "[nanoseconds bytes] that this thread has used."
  []
  [(.getCurrentThreadCpuTime threads) (.getCurrentThreadAllocatedBytes threads)])

(defn- all-now
  "Nanoseconds that all `workers` have used."
  []
  (reduce + (remove neg? (seq (.getThreadCpuTime threads (workers))))))

;; ## What is watched

(defn- sweep-name [[_ [{:keys [name]}] {:keys [fold]}]]
  (str "rules: " (clojure.core/name name) (when (false? fold) ", not folding")))

(def ^:private watched
  "[var, its stage or a function from the arguments to it], of those vars that there are."
  (for [[v stage] '[[damo.core/grad "gradient"]
                    [damo.core/function "function: checks, whole graph"]
                    [damo.rule.engine/run :sweep]
                    [damo.compile.pass/expand "expand"]
                    [damo.compile.pass/prepare "prepare"]
                    [damo.compile.plan/program "plan: memory, steps, notes"]
                    [damo.compile.schedule/schedule "schedule"]
                    [damo.compile.plan.update/arrange "place updates"]
                    [damo.compile.plan.steps/unit-steps "lower"]
                    [damo.compile.pipeline/program-text "text"]
                    [damo.compile.pipeline/compiled "LLVM, link"]]
        :let [found (requiring-resolve v)] :when found]
    [found (if (= stage :sweep) sweep-name (constantly stage))]))

(defn- charge! [{:keys [^ArrayDeque stack last-seen sums]}]
  (let [[ns bytes] (own-now), [ns-before bytes-before] @last-seen]
    (vswap! sums update (.peek stack)
            (fn [[n b]] [(+ (or n 0) (- ns ns-before)) (+ (or b 0) (- bytes bytes-before))]))
    (vreset! last-seen [ns bytes])))

(defn- wrapped [{:keys [^ArrayDeque stack] :as meter} stage-of f]
  (fn [& args]
    (charge! meter)
    (.push stack (stage-of args))
    (try (apply f args)
         (finally (charge! meter)
                  (.pop stack)))))

(defn- watching
  "What (f) returns, with the `watched` vars charged to the meter."
  [meter f]
  (let [roots (mapv (fn [[v]] [v @v]) watched)]
    (try
      (doseq [[v stage-of] watched] (alter-var-root v #(wrapped meter stage-of %)))
      (f)
      (finally (doseq [[v root] roots] (alter-var-root v (constantly root)))))))

;; ## The stages of the core, run once more

(defn- timed [f]
  (let [[ns bytes] (own-now), result (f), [ns' bytes'] (own-now)]
    [result [(- ns' ns) (- bytes' bytes)]]))

(defn- core-stages
  "{stage [ns bytes]} of reading a program and of writing its LLVM text."
  [program]
  (let [text (pipeline/program-text program)
        [p read] (timed #(Programs/read text))
        [_ codegen] (timed #(Codegen/module p 512))]
    {"read, verify" read, "LLVM text" codegen}))

(defn- with-core
  "The stages with those of the core apart; `others` is what other threads used for LLVM."
  [stages core others]
  (let [in-core (apply map + (vals core))]
    (-> stages
        (update "LLVM, link" (fn [used] (mapv + [others 0] (mapv - used in-core))))
        (merge core))))

(defn measured
  "{stage {:ms :mb}} of what `build` does, which returns a function; all of them under \"all\"."
  [build]
  (let [meter {:stack (doto (ArrayDeque.) (.push "expressions")), :sums (volatile! {})
               :last-seen (volatile! (own-now))}
        own (first (own-now)), before (all-now)
        f (watching meter build)
        _ (charge! meter)
        others (max 0 (- (all-now) before (- (first (own-now)) own)))
        stages (with-core @(:sums meter) (core-stages (:program (function/info f))) others)]
    (.close ^java.lang.AutoCloseable f)
    (update-vals (assoc stages "all" (apply mapv + (vals stages)))
                 (fn [[ns bytes]] {:ms (/ ns 1e6), :mb (/ bytes 1e6)}))))

(defn medians
  "The medians of several measurements, stage by stage."
  [measurements]
  (into {} (for [stage (distinct (mapcat keys measurements))]
             [stage (into {} (for [k [:ms :mb]]
                               [k (stats/median (keep #(get-in % [stage k]) measurements))]))])))
