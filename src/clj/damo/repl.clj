(ns damo.repl
  "What bin/damo repl runs: Clojure's REPL, in which Ctrl-C ends what is being evaluated or printed
  and not the process. (-main) reads from standard input until its end."
  (:require [clojure.main :as main]
            [damo.data.fail :refer [fail!]])
  (:import [java.io FilterWriter Writer]
           [sun.misc Signal SignalHandler]))

(set! *warn-on-reflection* true)

(defn- say [& words]
  (binding [*out* *err*] (println (apply str words)) (flush)))

(defn- pressed!
  "What Ctrl-C does, given {:thread what-evaluates-or-nil, :presses how-often-meanwhile}."
  [{:keys [^Thread thread presses]}]
  (cond (nil? thread) (say "\nnothing is running; Ctrl-D ends the REPL")
        (= 1 presses) (.interrupt thread)
        (= 2 presses) (do (.interrupt thread)
                          (say "\nwhat is running does not look for interrupts; Ctrl-C once more"
                               " ends the process, and all work in it"))
        :else (System/exit 130)))

(defn- told!
  "Prints what went wrong: of a failure of Damo its message alone, which says what it is about and
  where; of others what Clojure's own REPL prints."
  [e]
  (let [cause (last (take-while some? (iterate ex-cause e)))]
    (if (:damo/error (ex-data cause))
      (say (ex-message cause))
      (main/repl-caught e))))

(def ^:private nobody {:thread nil, :presses 0})

(defn- running
  "Calls f, its thread being known to Ctrl-C meanwhile. No interrupt is left over: one that comes at
  the very end must not meet the next form."
  [state f]
  (reset! state {:thread (Thread/currentThread), :presses 0})
  (try (f)
       (finally (reset! state nobody)
                (Thread/interrupted))))

(defn- stopping-writer
  "A writer that fails when its thread is interrupted: what is printed may have no end."
  ^Writer [^Writer out]
  (let [check #(when (Thread/interrupted)
                 (.flush out)
                 (fail! ::interrupted "the printing was interrupted" {}))]
    (proxy [FilterWriter] [out]
      (write
        ([x] (check) (if (string? x) (.write out ^String x) (.write out (int x))))
        ([x from n] (check) (if (string? x)
                              (.write out ^String x (int from) (int n))
                              (.write out ^chars x (int from) (int n))))))))

(defn -main
  "Runs the REPL until the end of the input; *command-line-args* has the arguments."
  [& _]
  (let [state (atom nobody)]
    (Signal/handle (Signal. "INT")
                   (reify SignalHandler
                     (handle [_ _] (pressed! (swap! state update :presses inc)))))
    (println "Clojure" (clojure-version))
    (main/repl :init #(apply require main/repl-requires)
               :caught told!
               :eval (fn [form] (running state #(eval form)))
               :print (fn [value]
                        (running state #(binding [*out* (stopping-writer *out*)] (prn value)))))
    (prn)
    (System/exit 0)))
