(ns damo.bench.results-test
  "Results that are kept: lines of JSON and back, files, tables, charts and the page, all of data."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [clojure.xml :as xml]
            [damo.bench.chart :as chart]
            [damo.bench.page :as page]
            [damo.bench.results :as results]
            [damo.bench.stats :as stats]
            [damo.bench.tables :as tables])
  (:import [java.io ByteArrayInputStream File]
           [java.nio.file Files]
           [java.nio.file.attribute FileAttribute]))

(set! *warn-on-reflection* true)

(deftest lines-of-json-and-back
  (doseq [m [{:a 1, :b -2.5e-7, :c "x"} {} {:text "a \"b\" \\ \n\t{c:1,d}", :n nil, :yes true}
             {:large 123456789012, :rate 1.2345678901234567e10}]]
    (is (= m (results/read-line-of (stats/json-line m)))))
  (doseq [bad ["" "[1]" "{\"a\":1" "{\"a\" 1}"]]
    (is (thrown-with-msg? Exception #"a flat map on one line" (results/read-line-of bad)))))

(def ^:private paper-rows
  (for [form ["call" "loop"], [program rate ratio] [["damo" 90000.0] ["jax" 60000.0 1.5]]]
    (cond-> {:suite "paper", :task "mlp", :threads 1, :batch 60, :form form, :program program
             :rate rate, :rounds 5}
      ratio (assoc :ratio ratio, :low 1.4, :high 1.6)
      (not ratio) (assoc :limit 120000.0, :share 0.75))))

(def ^:private micro-rows
  [{:row "add-1e6", :into-ns 1500.0, :call-ns 2.5e6, :numpy-ns 900.0, :best "numpy", :ratio 0.6
    :low 0.5, :high 0.7, :limit-ns 750.0, :share 0.5}
   {:row "sum-1e6", :into-ns 4e4, :call-ns 4e4, :limit-ns 2e4, :share 0.5}])

(deftest tables-of-results
  (is (= (str "| task | threads | batch |  damo | of the limit |          jax |\n"
              "|------|---------|-------|-------|--------------|--------------|\n"
              "| mlp  |       1 |    60 | 90.0k |         75 % | 60.0k (1.50) |")
         (tables/paper paper-rows "call")))
  (is (= "1 of 1 under 0.95: add-1e6 0.60" (tables/behind micro-rows 0.95)))
  (let [[_ _ add sum] (str/split-lines (tables/micro (reverse micro-rows)))]
    (is (re-find #"^\| add-1e6 \| +1.50 us \| +2.50 ms \| +900 ns \| +- \| +- \| +0.60 \(" add))
    (is (re-find #"^\| sum-1e6 \| .* - \| .*50 % \|$" sum)))
  (testing "what computed something else is not compared"
    (is (str/includes? (tables/models [{:task "block", :threads 1, :program "damo", :ns 2e6}
                                       {:task "block", :threads 1, :program "jax", :ns 1e6
                                        :mismatch 0.5}])
                       "| block |       1 | 2.00 ms |            - | wrong |"))))

(deftest charts-are-svg
  (let [text (chart/bars {:title "a < b", :number stats/rate-text
                          :groups [["x & y" [["damo" 2000.0] ["jax" 1000.0]]] ["none" []]
                                   ["z" [["jax" 1.0]]]]})
        parts (->> (ByteArrayInputStream. (.getBytes ^String text))
                   xml/parse
                   (tree-seq :content :content))
        rects (rest (filter #(= :rect (:tag %)) parts))
        texts (map (comp first :content) (filter #(= :text (:tag %)) parts))]
    (is (= ["a < b" "x & y" "damo" "2000" "jax" "1000" "z" "jax" "1"] texts))
    (testing "bars are scaled within their group, and a name has one colour"
      (is (= ["420.0" "210.0" "420.0"] (map (comp :width :attrs) rects)))
      (is (apply = (map (comp :fill :attrs) (rest rects))))
      (is (not= (:fill (:attrs (first rects))) (:fill (:attrs (second rects))))))))

(defn- in-folder [f]
  (let [folder (str (Files/createTempDirectory "results" (make-array FileAttribute 0)))]
    (try (f folder)
         (finally (run! #(.delete ^File %) (reverse (file-seq (io/file folder))))))))

(deftest results-are-kept-and-made-into-a-page
  (in-folder
   (fn [folder]
     (with-redefs [results/folder folder]
       (results/write! (results/about "paper" {:jax "0.1", :torch "2"}) paper-rows)
       (let [file (results/write! (results/about "micro" {}) micro-rows)]
         (is (= 3 (count (str/split-lines (slurp file)))))))
     (let [all (results/read-all folder), [machine suites] (first all), text (page/page all)]
       (is (= 1 (count all)))
       (is (= (set paper-rows) (set (:rows (suites "paper")))))
       (is (= micro-rows (:rows (suites "micro"))))
       (is (= "jax 0.1, torch 2" (:versions (:about (suites "paper")))))
       (doseq [part [(str "## " machine) "all steps in one call" (tables/paper paper-rows "loop")
                     (tables/micro micro-rows)]]
         (is (str/includes? text part)))
       (is (= #{(str "bench/results/" machine "/paper-call.svg")
                (str "bench/results/" machine "/paper-loop.svg")}
              (set (keys (page/charts machine suites)))))
       (is (= {} (page/charts machine (dissoc suites "paper"))))))))

(deftest a-page-of-nothing
  (is (str/includes? (page/page {}) "No results are kept yet.")))

(deftest the-page-is-that-of-the-results
  (let [root (System/getProperty "damo.root" ".")]
    (is (= (page/page (results/read-all (str (io/file root results/folder))))
           (slurp (io/file root "docs/performance.md")))
        "bin/damo bench page makes it anew")))
