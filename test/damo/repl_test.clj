(ns damo.repl-test
  "The REPL of bin/damo as its users meet it: a process at a prompt, and kill -INT for Ctrl-C."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]])
  (:import (java.io BufferedWriter Reader)
           (java.util List)
           (java.util.concurrent TimeUnit)))

(set! *warn-on-reflection* true)

(defn- start
  "A REPL in a process of its own: {:process :say! (fn [form]) :seen (fn []) all output so far}."
  []
  (let [java (str (System/getProperty "java.home") "/bin/java")
        ^List command [java "-Xlog:disable" "--enable-native-access=ALL-UNNAMED" "-cp"
                       (System/getProperty "java.class.path") "clojure.main" "-m" "damo.repl"]
        process (.start (.redirectErrorStream (ProcessBuilder. command) true))
        seen (StringBuffer.)
        ^Reader from (io/reader (.getInputStream process))
        ^BufferedWriter to (io/writer (.getOutputStream process))]
    (.start (Thread. #(try (loop [] (let [c (.read from)]
                                      (when (<= 0 c) (.append seen (char c)) (recur))))
                           (catch java.io.IOException _ nil))))
    {:process process
     :say! (fn [form] (.write to (str (pr-str form) "\n")) (.flush to))
     :seen #(str seen)}))

(defn- shows?
  "Does the output show that text within a minute and a half?"
  [{:keys [seen]} text]
  (loop [tries 900]
    (cond (str/includes? (seen) text) true
          (zero? tries) (is (nil? (str "no " (pr-str text) " in: " (seen))))
          :else (do (Thread/sleep 100) (recur (dec tries))))))

(defn- interrupt! [{:keys [^Process process]}]
  (.waitFor (.exec (Runtime/getRuntime)
                   ^"[Ljava.lang.String;" (into-array ["kill" "-INT" (str (.pid process))]))))

(deftest interrupting-at-the-prompt
  (let [{:keys [say! ^Process process] :as repl} (start)
        say-then-interrupt (fn [form]
                             (say! (list 'do '(println (str "beg" "un")) '(flush) form))
                             (shows? repl "begun")
                             (Thread/sleep 300)
                             (interrupt! repl))]
    (try
      (say! '(do (require '[damo.core :as d])
                 (def w (d/shared 'w (d/zeros [3])))
                 (def x (d/input 'x [:f64 ['n]]))
                 (def f (d/function [x] (d/sum (d/exp (d/mul (d/reshape x [1 'n])
                                                             (d/reshape x ['n 1]))))
                                    {:mode :fast-compile
                                     :updates {w (d/add w (d/sum x))}}))
                 (println (str "re" "ady"))))
      (when (shows? repl "ready")
        (testing "with nothing running"
          (interrupt! repl)
          (is (shows? repl "nothing is running")))
        (testing "in a call"
          (say-then-interrupt '(f (d/ones [1000000])))
          (is (shows? repl "in function: the call was interrupted")))
        (testing "the REPL goes on, with the state as it was"
          (say! '(println (str "w is " (vec @(d/eval w)))))
          (is (shows? repl "w is [0.0 0.0 0.0]"))
          (say! '(println (str "then " @(f [0.0]))))
          (is (shows? repl "then 1.0")))
        (testing "while an endless sequence is printed"
          (say! '(range))
          (is (shows? repl " 100000 "))
          (interrupt! repl)
          (is (shows? repl "printing was interrupted")))
        (testing "and once more"
          (say! '(println (str "still " "here")))
          (is (shows? repl "still here"))
          (.close (.getOutputStream process))
          (is (.waitFor process 60 TimeUnit/SECONDS))
          (is (zero? (.exitValue process)))))
      (finally (.destroyForcibly process)))))
