(ns damo.demo.report-test
  "Predictions, confusion tables and their text; the line of progress."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.demo.progress :as progress]
            [damo.demo.report :as report]))

(defn- row [& pairs]
  (let [row (float-array 10)]
    (doseq [[i x] (partition 2 pairs)] (aset row (int i) (float x)))
    (seq row)))

(deftest the-largest-wins-and-the-first-of-equals
  (is (= [3 0 9] (report/predictions
                  (float-array (concat (row 3 0.9 4 0.1) (row 0 0.5 5 0.5) (row 9 1.0)))))))

(deftest confusion-counts-labels-against-predictions
  (let [table (report/confusion [1 1 2 9] [1 7 2 9])]
    (is (= 1 (get-in table [1 1])))
    (is (= 1 (get-in table [1 7])))
    (is (= 4 (reduce + (flatten table))))
    (is (= 0.75 (report/accuracy table)))))

(deftest an-empty-table-has-accuracy-zero
  (is (= 0.0 (report/accuracy (report/confusion [] [])))))

(deftest byte-labels-are-numbers-too
  (is (= [1] (report/misclassified (byte-array [3 4 5]) [3 5 5])))
  (is (= 1 (get-in (report/confusion (byte-array [3]) [8]) [3 8]))))

(deftest the-table-as-text
  (let [lines (str/split-lines (report/confusion-text (report/confusion [0 0 0 1] [0 0 4 1])))]
    (is (= 13 (count lines)))
    (is (= "     0 |    2    .    .    .    1    .    .    .    .    . |   66.7 %" (nth lines 3)))
    (testing "a label that does not occur has no accuracy"
      (is (str/ends-with? (nth lines 12) "|        -")))))

(deftest the-line-of-progress
  (let [state {:epoch 2, :epochs 10, :done 4000, :total 8000, :loss 0.25, :rate 52000.4}]
    (is (= "epoch  2/10 [===============               ] loss 0.2500    52,000 examples/s"
           (progress/line state)))
    (is (str/ends-with? (progress/line (assoc state :accuracy 0.9612)) "test accuracy 96.12 %"))))

(deftest only-the-end-of-an-epoch-is-printed-where-nothing-can-be-redrawn
  (let [state {:epoch 1, :epochs 1, :done 1, :total 2, :loss 1.0, :rate 1.0}
        said (fn [in-place?]
               (with-out-str
                 (let [report! (progress/reporter in-place?)]
                   (report! state)
                   (report! (assoc state :accuracy 0.5)))))]
    (is (= 1 (count (str/split-lines (said false)))))
    (is (= 2 (count (re-seq #"\r" (said true)))))))
