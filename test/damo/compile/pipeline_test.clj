(ns damo.compile.pipeline-test
  "Modes, and the way from a graph to a program."
  (:require [clojure.edn :as edn]
            [clojure.test :refer [are deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan.order :as order]
            [damo.core :as d]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph]
            [damo.data.thrown :as thrown])
  (:import [damo DamoException]))

(set! *warn-on-reflection* true)

(defn- fired [mode]
  (let [x (d/input 'x [:f64 []])
        g (d/graph (d/mul (d/log (d/add 1 (d/exp x))) 1))]
    (set (map :rule (:trace (pipeline/optimized g mode))))))

(deftest modes-say-which-rules-run
  (is (contains? (fired :fast-run) :mul-one))
  (is (= (fired nil) (fired :fast-run)))
  (testing "in every mode values are as good"
    (is (seq (fired :fast-compile))))
  (testing "rules can be left out by name and by promise"
    (is (not (contains? (fired {:exclude #{:mul-one}}) :mul-one)))
    (is (empty? (fired {:include #{}})))
    (is (= #{:mul-one} (fired {:include #{:mul-one}})))))

(deftest sums-are-regrouped-when-a-mode-asks-for-it
  (let [x (d/input 'x [:f32 []]), b (d/input 'b [:f32 []])
        rest-of (fn [mode] @((d/function [x b] (d/sub (d/add x b) x) {:mode mode}) 1e8 1.25))]
    (is (= 0.0 (rest-of :fast-run) (rest-of {:mode :fast-run, :regroup false})))
    (is (= 1.25 (rest-of {:mode :fast-run, :regroup true})
           (rest-of {:mode :debug, :regroup true})))
    (is (= :damo.run/bad-mode (try (rest-of {:mode :fast-run, :regroup 1})
                               (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e))))))))

(deftest what-is-rewritten-is-told-after-passes-before-the-rules
  (let [x (d/input 'x [:f64 [3]]), [biggest] (d/max-and-argmax x)
        f (d/with-derivative d/exp {:lop (fn [_ out g] (d/mul g out))})]
    (doseq [e [(d/mul biggest 1) (d/mul (f x) 1)]
            :let [{:keys [graph trace]} (:rewritten (pipeline/optimized (d/graph e) :fast-run))]]
      (is (= [:mul-one] (map :rule trace)))
      (is (= 2 (count (:nodes graph)))))))

(deftest unknown-modes-are-refused
  (are [mode] (= :damo.run/unknown-mode (try (modes/options mode) nil
                                         (catch clojure.lang.ExceptionInfo e
                                           (:damo/error (ex-data e)))))
    :fast, {:mode :slow}, "fast-run"))

(deftest a-program-is-text
  (let [x (d/input 'x [:f32 ['n 2]])
        f (d/function [x] [(d/tanh x) (d/sum x) (d/mul x ##NaN) (d/max x :axis 1)])]
    (is (= (pr-str (d/program f))
           (pr-str (order/ordered (edn/read-string (pipeline/program-text (d/program f)))))))
    (testing "whatever the printer is set to"
      (is (= (pipeline/program-text (d/program f))
             (binding [*print-length* 1, *print-level* 1, *print-namespace-maps* true
                       *print-readably* false]
               (pipeline/program-text (d/program f))))))))

(deftest exceptions-of-the-core-become-ex-infos
  (let [e (thrown/as-ex-info (DamoException. "shape-mismatch" "two by three" {"input" "x"}))]
    (is (= ["two by three" {:damo/error :damo/shape-mismatch, :input 'x}]
           [(fail/what e) (dissoc (ex-data e) :try)]))
    (is (instance? DamoException (first (.getSuppressed ^Throwable e))))))

(defn- tables-made
  "How many tables of nodes (f) makes."
  [f]
  (let [made (atom 0), finish graph/finish, renumbered @#'graph/renumbered]
    (with-redefs-fn {#'graph/finish (fn ([b outputs] (swap! made inc) (finish b outputs nil))
                                        ([b outputs kept]
                                         (swap! made inc)
                                         (finish b outputs kept)))
                     #'graph/renumbered (fn [g ids] (swap! made inc) (renumbered g ids))}
      f)
    @made))

(deftest tables-are-not-made-for-nothing
  (let [x (d/input 'x [:f32 ['n 784]]), y (d/input 'y [:i64 ['n]])
        w (d/shared 'w (d/zeros [784 10] :f32))
        loss (d/mean (d/cross-entropy (d/dot x w) y))]
    (testing "one for the gradient, one of what is asked for, and one a pass that changes something"
      (is (>= 8 (tables-made #(d/function [x y] (d/grad loss w))))))))
