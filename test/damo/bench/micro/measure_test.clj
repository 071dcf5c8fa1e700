(ns damo.bench.micro.measure-test
  "The benchmark of kernels as a whole, with a fake peer: a shell program on the other end of the
  pipe; what is printed; data and checks."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.bench.micro.data :as data]
            [damo.bench.micro.main :as micro]
            [damo.bench.micro.measure :as measure]
            [damo.bench.micro.rows :as rows]
            [damo.bench.server :as server]
            [damo.cli :as cli]
            [damo.core :as d])
  (:import [java.io StringWriter]))

(set! *warn-on-reflection* true)

(def ^:private row (first (filter #(= "add-1e4" (:name %)) rows/rows)))

(deftest arguments-as-text-and-numbers
  (is (= ["f32:10000:-1:1" "f32:10000:-1:1"] (map data/argument-text (rows/arguments row))))
  (is (= "f32::-1:1" (data/argument-text {:dtype :f32, :shape [], :lo -1, :hi 1})))
  (testing "numbers of one position are the same in all dtypes, and lie in their range"
    (let [numbers #(flatten [@(data/argument 1 {:dtype %, :shape [3 4], :lo 2, :hi 5})])]
      (is (every? #(and (<= 2 %) (< % 5)) (mapcat numbers [:f64 :f32 :i64 :i32])))
      (is (= (numbers :i64) (numbers :i32)))
      (is (= (map float (numbers :f64)) (map float (numbers :f32))))
      (is (< 1 (count (set (numbers :i64))))))))

(deftest checks-tell-results-apart
  (let [check #(data/check [(d/tensor % :f64)])]
    (is (= [(+ 1.0 4.0 -9.0) 14.0] (check [1.0 2.0 -3.0])))
    (is (= [1.0 1.0] (data/check [(d/tensor [true false])])))
    (is (data/agree? :f32 (check [1.0 2.0 -3.0]) (check [1.0 2.0 -3.00001])))
    (is (data/agree? :bf16 (check [1.0 2.0 -3.0]) (check [1.0 2.0 -3.01])))
    (is (not (data/agree? :f32 (check [1.0 2.0 -3.0]) (check [1.0 2.0 -3.01]))))
    (is (not (data/agree? :f32 (check [1.0 2.0]) (check [2.0 1.0]))))
    (is (not (data/agree? :f32 (check [1.0 2.0]) [##NaN ##NaN])))))

;; ## A fake peer

(defn- fake
  "A server that says of every kernel: `slow` has this check and takes so many ns, `wrong` has
  another check."
  [check ns]
  (server/start! "fake" ["sh" "-c" (str "echo ready slow=1; while read -r word rest; do"
                                        " case $word in make) echo made slow=" check
                                        " wrong=1/1;;"
                                        " time) echo " ns ";; *) echo error what;; esac; done")]
                 1))

(def ^:private quick {:least 2, :most 2, :bound 0.1, :seconds 0.01, :batch 0.0002})

(deftest a-row-beside-a-fake-peer
  (let [text (str/join "/" (:check (measure/prepared row))), peer (fake text "1e9")]
    (try
      (is (= {:slow "1"} (server/pairs (:ready peer))))
      (let [measured (measure/measured row peer {:f32 1e11, :f64 1e11} quick)]
        (is (= ["add-1e4" "slow" "wrong" 120000 2 1e9]
               (map measured [:row :best :wrong :bytes :rounds :slow-ns])))
        (is (< 1.0 (:low measured) (:high measured)))
        (is (= (:ratio measured) (/ (+ (:low measured) (:high measured)) 2)) "of two rounds")
        (is (< 0.0 (:share measured) 2.0))
        (is (re-find #"^add-1e4 .* slow \(.* % +other results: wrong$" (micro/line measured))))
      (binding [*err* (StringWriter.)]
        (is (nil? (server/ask! peer "nonsense"))))
      (finally (server/stop! peer)))))

(deftest a-server-that-ends-is-told
  (is (thrown-with-msg? Exception #"fake ended" (server/start! "fake" ["true"] 1)))
  (is (thrown-with-msg? Exception #"fake ended"
                        (server/ask! (server/start! "fake" ["echo" "ready"] 1) "make"))))

(deftest a-row-alone
  (let [measured (measure/measured row nil {:f32 1e11, :f64 1e11} quick)]
    (is (nil? (:ratio measured)))
    (is (str/includes? (micro/line measured) " - "))))

(deftest what-is-said-at-the-end
  (is (= "3 rows; beside the best peer, 1 of 2 under 0.95: b 0.50"
         (micro/closing [{:row "a" :ratio 1.0} {:row "b" :ratio 0.5} {:row "c"}])))
  (is (= "1 rows" (micro/closing [{:row "c"}]))))

(deftest options-choose-rows
  (let [chosen #(map :name (mapcat val (micro/chosen-rows (cli/parse micro/options %))))]
    (is (= (count rows/rows) (count (chosen []))))
    (is (= ["sum-1e6-2t" "sum-1e6" "sum-1e6-f64" "sum-1e6-bf16"] (chosen ["--rows" "^sum-1e6"])))
    (is (= ["sum-1e6-2t"] (chosen ["--rows" "^sum-1e6" "--threads" "2"]))))
  (is (thrown-with-msg? Exception #"a regular expression" (cli/parse micro/options
                                                                     ["--rows" "("]))))
