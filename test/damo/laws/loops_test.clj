(ns damo.laws.loops-test
  "Laws of loops and branches on random graphs: the interpreter makes rounds as the decision about
  them says; written out they are what they were; files, passes, rules and compiled code keep
  values."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan :as plan]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.laws.fuzz :as fuzz]
            [damo.laws.graphs :as graphs]
            [damo.laws.rounds :as rounds]
            [damo.laws.running :as running]
            [damo.laws.unrolled :as unrolled]
            [damo.meaning.eval :as eval]
            [damo.op.whole :as whole])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private extents '[{n 3, m 2} {n 0, m 3} {n 1, m 1}])

(defn- recipes [times options]
  (map #(merge % {:holders true} options) (graphs/recipes times 20261201)))

(defn- values
  "The values that (f) gives as text, or that it fails."
  [f]
  (let [{:keys [values]} (running/outcome f)]
    (if values (pr-str (mapv (juxt array/type-of array/nested) values)) :fails)))

(deftest graphs-go-through-files
  (let [file (doto (File/createTempFile "damo" ".edn") .deleteOnExit)]
    (doseq [recipe (recipes 25 {:registry true})
            :let [{g :graph} (graphs/graph recipe)]]
      (is (= g (whole/check-types (graph/check g))))
      (graph/write-graph file g)
      (is (= g (whole/check-types (graph/read-graph file)))))))

(deftest the-interpreter-makes-rounds-as-the-decision-says
  (let [made (atom 0)]
    (doseq [[k recipe] (map-indexed vector (recipes 60 {}))
            :let [{g :graph} (graphs/graph recipe)], dims extents
            :let [env (graphs/env k dims), found (values #(eval/run g env))]]
      (when (string? found) (swap! made + (unrolled/loops g)))
      (is (= (values #(rounds/run g env)) found) (pr-str recipe dims)))
    (is (< 300 @made))))

(deftest loops-written-out-are-loops
  (doseq [[k recipe] (map-indexed vector (recipes 40 {}))
          :let [{g :graph} (graphs/graph recipe)], dims extents
          :let [env (graphs/env k dims), found (values #(eval/run g env))]
          :when (string? found)
          :let [{h :values} (running/outcome #(unrolled/unrolled g dims))] :when h]
    (is (= found (values #(eval/run h env))) (pr-str recipe dims))))

(defn- stages
  "[what graph] of all that a mode makes of a graph on its way to the plan."
  [{:keys [graph inputs states]} mode]
  (let [stages (pipeline/stages graph mode)
        with-leaves #(-> % (plan/with-leaves :input inputs) (plan/with-leaves :shared states))]
    (mapv (fn [[what g]] [what (with-leaves g)])
          (conj (mapv (juxt :what :graph) stages)
                ["what the plan takes" (pass/prepare (:graph (peek stages)))]))))

(deftest rules-and-passes-keep-values
  (doseq [[k recipe] (map-indexed vector (recipes 40 {:smooth false}))
          :let [g (graphs/graph recipe), mode (if (even? k) :fast-run (fuzz/without-rules k))
                env (graphs/env k (nth extents (mod k 3)))]
          [what h] (stages g mode)]
    (is (empty? (fuzz/rewritten-differences g h mode env)) (str what " " (pr-str recipe)))))
