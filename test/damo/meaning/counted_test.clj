(ns damo.meaning.counted-test
  "Which nodes count dims, those that hold graphs among them."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.meaning.counted :as counted]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))

(deftest what-a-node-counts-inside
  (let [kept #(d/index % (d/gt % 0)), binders #(counted/binders (d/graph %))
        dim (first (second (d/type-of (kept x))))]
    (is (= [dim] (map :dim (binders (kept x)))))
    (testing "is counted by the node that holds the graph, where the result shows it"
      (let [g (d/graph ((d/as-op kept) x))]
        (is (= [{:id (first (:outputs g)), :dim dim, :max 'n}] (counted/binders g)))))
    (testing "and is nobody's business where it does not"
      (is (empty? (binders ((d/as-op #(d/sum (kept %))) x)))))))
