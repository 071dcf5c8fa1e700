(ns damo.bench.paper.cells-test
  "Cells of the training steps beside a fake server: which peers a form has, check values, results;
  what a step must do; and all steps in one call."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.bench.paper.cells :as cells]
            [damo.bench.paper.main :as main]
            [damo.bench.seats :as seats]
            [damo.bench.step :as step]
            [damo.bench.task :as task])
  (:import [java.io StringWriter]))

(set! *warn-on-reflection* true)

(deftest work-of-a-step
  (testing "logistic regression: two products, nothing is propagated"
    (is (= {:flops (* 2 60 2 7840), :bytes (+ (* 8 7850) (* 60 (+ 3136 8)))
            :memory (+ (* 4 7850) (* 60 (+ 3136 8)))}
           (cells/work "logreg" 60))))
  (is (= (* 2 (+ (* 2 (+ 392000 5000)) 5000)) (:flops (cells/work "mlp" 1)))))

(defn- fake
  "A peer whose server says this loss and these times."
  [name kinds loss ns]
  {:name name, :kinds kinds, :threads #{1}
   :command (str "echo ready; while read -r word rest; do case $word in make) echo made " loss
                 ";; time) echo " ns ";; esac; done")})

(defn- measured [cell form peers]
  (let [places (seats/places), err (StringWriter.)]
    [(binding [*err* err]
       (cells/measured cell form peers places 1e11
                       {:least 3, :most 3, :bound 0.1, :seconds 0.01, :batch-seconds 0.001}))
     (str err)
     (do (seats/leave! places) @(:failed places))]))

(deftest a-cell-beside-fake-servers
  (let [peers [(fake "slow" #{"step-call"} 3.341928 1e9)
               (fake "wrong" #{"step-call"} 3.5 1e9)
               (fake "other" #{"step-loop"} 3.341928 1e9)
               (fake "single" #{"step-call-1"} 3.341928 2e9)
               (assoc (fake "cell" #{"step-call"} 3.341928 1e9) :command "echo {task}")
               {:name "broken", :kinds #{"step-call"}, :threads #{1}, :command "false"}]
        [rows err failed] (measured ["logreg" 1 1] "call" peers)
        [damo slow] (sort-by #(.indexOf ["damo" "slow" "single"] (:program %)) rows)]
    (is (= #{"damo" "slow" "single"} (set (map :program rows))))
    (is (= #{"broken" "cell"} failed))
    (is (str/includes? err "wrong logreg 1: loss 3.5, left out"))
    (is (= [1.0 3 "call"] (map slow [:rate :rounds :form])))
    (is (<= (:low slow) (:ratio slow) (:high slow)))
    (is (< 100.0 (:rate damo)))
    (is (nil? (:mismatch damo)))
    (is (re-find #"^logreg batch  1 1t call  damo .* of the limit, 3 rounds\)  slow 1 "
                 (main/line rows)))))

(deftest all-steps-in-one-call-meet-the-check-values
  (doseq [[task batch] [["logreg" 60] ["mlp" 10]]]
    (let [run (step/looper task batch)
          loss (/ (+ (run 0 30) (run 30 70)) 100.0)]
      (is (task/loss-ok? task batch loss) (str task " " batch " " loss)))))

(deftest a-loop-begins-again-with-the-first-batch
  (let [batch 3000, run (step/looper "logreg" batch), step! (step/stepper "logreg" batch)
        expected (reduce + (map step! (range 5)))]
    (is (< (abs (- expected (run 0 5))) (* 1e-4 expected)))))
