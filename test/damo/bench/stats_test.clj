(ns damo.bench.stats-test
  "Medians, ratios and tables of benchmark rows."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.bench.stats :as stats]))

(defn- row [program rate & more]
  (merge {:program program, :task "mlp", :threads 1, :batch 60, :round 0, :rate rate}
         (apply hash-map more)))

(deftest medians
  (doseq [[numbers expected] [[[] nil] [[3] 3] [[9 1 5] 5] [[4 1 2 3] 2.5] [[1.0 1.0] 1.0]]]
    (testing (pr-str numbers)
      (is (= expected (stats/median numbers))))))

(deftest rates-are-medians-over-the-rounds
  (let [rows [(row "damo" 10.0) (row "damo" 30.0 :round 1) (row "damo" 20.0 :round 2)
              (row "damo" 5.0 :batch 1) (row "jax" 7.0 :mismatch true)
              (row "torch" nil :failed "not here")]]
    (is (= {["damo" ["mlp" 1 60]] 20.0, ["damo" ["mlp" 1 1]] 5.0} (stats/rates rows)))))

(deftest ratios-pair-what-ran-in-the-same-round
  (let [rows [(row "damo" 10.0) (row "c" 5.0)
              (row "damo" 40.0 :round 1) (row "c" 10.0 :round 1)
              (row "damo" 30.0 :round 2) (row "c" 10.0 :round 2)]]
    (testing "the median of 2, 4 and 3"
      (is (= {["c" ["mlp" 1 60]] 3.0} (stats/ratios rows "damo"))))
    (testing "a round without Damo, or with a wrong check value, gives no ratio"
      (is (= {} (stats/ratios [(row "c" 5.0) (row "damo" 10.0 :round 1)] "damo")))
      (is (= {} (stats/ratios [(row "c" 5.0) (row "damo" 10.0 :mismatch true)] "damo"))))))

(deftest a-table-has-a-line-a-cell-and-a-column-a-program
  (let [lines (str/split-lines (stats/table [(row "damo" 123456.0) (row "c" 61728.0)
                                             (row "damo" 5e6 :batch 1) (row "c" nil :batch 1)
                                             (row "jax" nil :failed "not here")]
                                            "damo"))]
    (is (= ["| task | threads | batch |  damo |            c |"
            "|------|---------|-------|-------|--------------|"
            "| mlp  |       1 |    60 |  123k | 61.7k (2.00) |"
            "| mlp  |       1 |     1 | 5.00M |            - |"]
           lines))))

(deftest lines-of-json
  (is (= "{\"batch\":60,\"failed\":\"a \\\"b\\\"\\nc\",\"ok\":true,\"other\":null,\"rate\":1.5}"
         (stats/json-line {:rate 1.5, :batch 60, :ok true, :other ##NaN
                           :failed "a \"b\"\nc"}))))

(deftest summaries-of-all-rounds
  (let [row (fn [program round rate] {:program program, :task "t", :threads 1, :batch 1
                                      :round round, :rate rate})
        rows [(row "damo" 0 10.0) (row "x" 0 5.0) (row "damo" 1 30.0) (row "x" 1 10.0)
              (assoc (row "y" 1 1.0) :mismatch true)]]
    (is (= [{:suite "s", :program "damo", :task "t", :threads 1, :batch 1, :rate 20.0, :rounds 2}
            {:suite "s", :program "x", :task "t", :threads 1, :batch 1, :rate 7.5, :rounds 2
             :ratio 2.5, :low 2.0, :high 3.0}]
           (stats/summaries "s" rows "damo")))))
