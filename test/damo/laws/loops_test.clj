(ns damo.laws.loops-test
  "Laws of loops and branches on random graphs: the interpreter makes rounds as the decision about
  them says; written out they are what they were; files, passes, rules and compiled code keep
  values."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.pass.loop.sample :as s]
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

(def ^:private doubled
  "A body that doubles a state of a number."
  (s/body '[h [:f64 []]] '[[:mul h 2.0]]))

(defn- loops
  "The graph of loops of two rounds at most from h, one for each of these attributes."
  [& attrs]
  (s/graph '{h [:f64 [1]], no [:bool []], yes [:bool []]}
           (vec (mapcat (fn [k more]
                          [(symbol (str "l" k))
                           [:loop (merge {:steps 2, :params [[:carry 0 0]], :carries [0]
                                          :results [[0 3]], :body doubled} more) 'h 'no 'yes]])
                        (range) attrs))
           (for [k (range (count attrs))] [:part {:at 0} (symbol (str "l" k))])))

(defn- doublings [g]
  (mapv array/values (eval/run g {'h (array/of :f64 [1] [1.0]), 'no (array/of :bool [] [false])
                                  'yes (array/of :bool [] [true])})))

(deftest results-have-the-rows-that-were-made
  (is (= [[1.0 2.0 4.0] [4.0] [2.0 4.0] [1.0 2.0 4.0]]
         (doublings (loops {} {:results [[0 1]]} {:results [[0 2]]} {:results [[0 9]]})))))

(deftest loops-that-begin-otherwise-are-two
  (let [g (loops {:unless 1, :as 'r, :results [[0 1]]} {:unless 2, :as 'r, :results [[0 1]]})]
    (is (= [[4.0] [1.0]] (doublings g)
           (doublings (:graph (peek (pipeline/stages g :fast-run))))))))

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

(defn- as-shown
  "A graph for the plan, whose outputs may show all of a node in another shape, with that said by
  nodes, as the interpreter wants it."
  [{:keys [shown outputs] :as g}]
  (reduce (fn [{:keys [nodes] :as g} [k [_ shape :as type]]]
            (-> (update g :nodes conj [:reshape {:shape shape} (outputs k)])
                (update :types conj type)
                (assoc-in [:outputs k] (count nodes))))
          g shown))

(defn- stages
  "[what graph] of all that a mode makes of a graph on its way to the plan."
  [{:keys [graph inputs states]} mode]
  (let [stages (pipeline/stages graph mode)
        with-leaves #(-> % (plan/with-leaves :input inputs) (plan/with-leaves :shared states))]
    (mapv (fn [[what g]] [what (with-leaves g)])
          (conj (mapv (juxt :what :graph) stages)
                ["what the plan takes" (as-shown (pass/prepare (:graph (peek stages))))]))))

(deftest rules-and-passes-keep-values
  (doseq [[k recipe] (map-indexed vector (recipes 40 {:smooth false}))
          :let [g (graphs/graph recipe), mode (if (even? k) :fast-run (fuzz/without-rules k))
                env (graphs/env k (nth extents (mod k 3)))]
          [what h] (stages g mode)]
    (is (empty? (fuzz/rewritten-differences g h mode env)) (str what " " (pr-str recipe)))))
