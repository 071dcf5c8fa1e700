(ns damo.bench.loops-test
  "The loops that are measured meet the check values of the other programs, and need the memory that
  they should."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.cell :as cell]
            [damo.bench.language-model :as language-model]
            [damo.bench.loop-task :as loop-task]
            [damo.bench.recurrent :as recurrent]
            [damo.bench.task :as task]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(deftest names-of-loops
  (is (= ["lstm-grad" [128 32 100]] (loop-task/parse "lstm-grad:128:32:100")))
  (is (= ["rnn10" "rnn100" "loops"] (map loop-task/kind ["rnn:50:10" "rnn:10:100" "scalar:10"])))
  (is (every? loop-task/known? (into (loop-task/models [10 1000] [10 100]) loop-task/others)))
  (is (not-any? loop-task/known? ["rnn:10" "rnn:0:10" "rnn:x:10" "lstm:1:2" "mlp" "" "rnn:1:2:3"]))
  (is (= 0.6428571428571429 (loop-task/expected "scalar:10000")))
  (is (= 1.0614837429401063 (loop-task/expected "tanh-grad:50:1000"))))

(deftest language-models-meet-the-check-values
  (doseq [how [:calls :native], window [10 100]
          :let [name (str "rnn:10:" window), step! (language-model/stepper name how)
                windows (quot loop-task/check-elements window)
                total (if (= how :native)
                        (+ (step! 0 3) (step! 3 (- windows 3)))
                        (reduce + (map step! (range windows))))]]
    (testing (str name " " how)
      (is (task/near? (loop-task/expected name) (/ total loop-task/check-elements))))))

(deftest other-loops-meet-the-check-values
  (doseq [name ["scalar:10000" "tanh:50:1000" "tanh-grad:50:1000" "lstm:128:1:100"]]
    (testing name
      (is (task/near? (loop-task/expected name) ((recurrent/runner name)))))))

(deftest a-loop-that-is-read-at-its-end-needs-no-memory-a-step
  (let [f (recurrent/scalar-loop)]
    (is (every? (fn [{:keys [size]}] (or (nil? size) (integer? size)))
                (:buffers (d/program f))))))

(deftest nested-loops-compile
  (is (= [4] (d/shape ((recurrent/nested 2) [0.1 0.2 0.3 0.4] [1 2 3 4])))))
