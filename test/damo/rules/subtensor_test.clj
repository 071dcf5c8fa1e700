(ns damo.rules.subtensor-test
  "Tests of rules of parts of arrays where extents are symbolic and nodes may fail; the laws test
  the rules on their own examples."
  (:require [clojure.edn :as edn]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f64 [n 3]]))
(def ^:private y (d/input 'y '[:f64 [m 3]]))
(def ^:private i (d/input 'i '[:i64 [k]]))

(defn- canonical
  "The form of an expression after the rules of canonicalize."
  [e]
  (let [{:keys [graph]} (engine/run (d/graph e) [canonicalize/rules])]
    (edn/read-string (pr-str (expr/form (first (expr/from-graph graph {} {})) 9)))))

(deftest symbolic-extents
  (are [e expected] (= expected (canonical e))
    (d/index x [1 nil] [1 nil]) '(slice (slice x :axis 0 :start [:min 1 n] :step 1 :stop n)
                                        :axis 1 :start 1 :step 1 :stop 3)
    (d/index (d/index x [1 nil]) [2 nil]) '(slice x :axis 0 :start [:min 3 n] :step 1 :stop n)
    (d/index (d/index x [nil nil -1]) [nil nil -1]) 'x
    (d/index (d/concatenate [x y]) ['n nil]) 'y
    (d/set-at (d/set-at x [1 3] 7) [1 3] 5)
    '(set-slice x (broadcast-to 5.0 :shape [[:min 2 [:max 0 [:- n 1]]] 3])
                :start [[:min 1 n] 0] :step [1 1] :stop [[:min 3 n] 3])))

(deftest what-may-fail-stays
  (testing "an index that may be out of range, where its value does not matter"
    (doseq [e [(d/mul 0 (d/take x i)) (d/sub (d/take x i) (d/take x i))
               (d/pow (d/take x i) 0) (d/inc-at x i 0)
               (d/index (d/concatenate [(d/take x i) y]) ['k nil])
               (d/where false (d/take x i) 1)]]
      (is (some #{'take 'inc-at} (flatten [(canonical e)])) (pr-str (canonical e)))))
  (testing "a slice that may not lie inside"
    (is (= '(slice (slice x :axis 0 :start 0 :step 1 :stop [:+ k 2]) :axis 0 :start 0 :step 1
                   :stop k)
           (canonical (d/index (d/index x [0 [:+ 'k 2]]) [0 'k])))))
  (testing "known indices may go"
    (is (= '(broadcast-to 0.0 :shape [3])
           (canonical (d/mul 0 (d/take (d/input 'z [:f64 [5 3]]) 4))))))
  (testing "the call fails, with all rules"
    (let [f (d/function [x i] (d/mul 0 (d/sum (d/take x i))))]
      (is (= 0.0 @(f [[1 2 3]] [0])))
      (is (= :damo/index-out-of-bounds
             (try (f [[1 2 3]] [1]) (catch clojure.lang.ExceptionInfo e
                                      (:damo/error (ex-data e)))))))))

(deftest gradients-of-parts-are-added-in-place
  (let [v (d/input 'v [:f64 [9]])
        cost (d/add (d/sum (d/sqr (d/index v [1 4]))) (d/sum (d/exp (d/index v [3 8]))))
        g (d/grad cost v)]
    (is (= '[inc-slice set-slice] (filterv '#{inc-slice set-slice add concatenate}
                                           (flatten [(canonical g)]))))
    (testing "with two contributions at index 3"
      (is (= [0.0 2.0 2.0 1.0 1.0 1.0 1.0 1.0 0.0] @(d/eval g {v [0 1 1 0 0 0 0 0 0]}))))))
