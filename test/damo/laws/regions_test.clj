(ns damo.laws.regions-test
  "Laws of graphs in nodes: a part of a graph that is put into a node means what it did, for the
  interpreter, the rules, the compiler in its modes, and both modes of differentiation."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.pass.guard :as guard]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.laws.graphs :as graphs]
            [damo.laws.random :as random]
            [damo.laws.regions :as regions]
            [damo.laws.running :as running]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]
            [damo.op.body :as body]
            [damo.op.whole :as whole]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private seed 20261130)

(defn- recipes [times options]
  (map #(merge % options) (graphs/recipes times seed)))

(defn- flat [g] (:graph (whole/inlined g (constantly true))))

(defn- canonical
  "The live nodes of a graph, in an order that does not depend on that of the nodes."
  [g]
  (:body (body/closed g)))

(defn- values
  "The values that (f) gives as text, or the kind of its failure."
  [f]
  (try (pr-str (mapv (juxt array/type-of array/nested) (f)))
       (catch clojure.lang.ExceptionInfo e [:fails (:damo/error (ex-data e))])))

(deftest a-part-in-a-node-is-the-part
  (let [held (atom 0)]
    (doseq [recipe (recipes 25 {:registry true})
            :let [{g :graph} (graphs/graph recipe), {h :graph} (regions/graph recipe)
                  env (graphs/env 1 '{n 3, m 2})]]
      (swap! held + (regions/held h))
      (testing (pr-str recipe)
        (testing "types, as they are derived anew, and canonical bodies"
          (is (= h (whole/check-types (graph/check h)))))
        (testing "the interpreter runs the graph in the node"
          (is (= (values #(eval/run g env)) (values #(eval/run h env)))))
        (testing "back in its place it is the node that it was"
          (is (= (canonical (flat g)) (canonical (flat h)))))
        (testing "what counts"
          (is (= (set (map :dim (counted/binders (flat g))))
                 (set (map :dim (counted/binders (flat h)))))))))
    (is (< 50 @held) "nodes hold graphs, and these others")))

(deftest rules-look-into-graphs-in-nodes
  (let [inside (atom 0)]
    (doseq [recipe (recipes 15 {})
            :let [{g :graph} (regions/graph recipe), env (graphs/env 2 '{n 3, m 2})
                  {h :graph, :keys [trace ids]} (engine/run g [stabilize/rules] {:fold false})
                  again (engine/run h [canonicalize/rules] {:trace trace})]
            {:keys [path id made]} (:trace again) :when path]
      (swap! inside inc)
      (is (= h (whole/check-types (graph/check h))))
      (is (every? #(or (nil? (ids %)) (< (ids %) (count (:nodes h)))) (:outputs g)))
      (testing "the trace follows the nodes in them"
        (when (first path)
          (let [nodes (:nodes (body/at (:graph again) path))]
            (is (every? #(< -1 % (count nodes)) (remove nil? (cons id made)))))))
      (testing "values stay"
        (is (= (map :shape (:values (running/outcome #(eval/run g env))))
               (map :shape (:values (running/outcome #(eval/run (:graph again) env))))))))
    (is (< 5 @inside))))

(deftest compiled-graphs-with-graphs-in-nodes-agree-with-the-reference
  (is (nil? (random/check-recipes regions/graph {:registry true} 12 seed)))
  (is (nil? (random/check-recipes regions/gradients {:smooth true} 5 seed))))

(defn- derived
  "The values of a derivative of the last output of a graph by its float leaves."
  [g env derive]
  (values
   #(let [out (last (:outputs g))
          wrt (filterv (fn [id] (and (#{:input :shared} (graph/op-at g id))
                                     (= :f64 (first (graph/type-of g id)))))
                       (graph/live g))
          {:keys [graph grads]} (derive g out wrt)]
      (mapv (eval/all-values (assoc graph :outputs grads) env) grads))))

(deftest derivatives-of-what-is-in-nodes
  (doseq [recipe (recipes 20 {:smooth true})
          :let [{g :graph} (graphs/graph recipe), {h :graph} (regions/graph recipe)
                env (graphs/env 3 '{n 3, m 2} :fractions true)]
          :when (= :f64 (first (graph/type-of g (last (:outputs g)))))
          derive [(fn [g out wrt] (diff/lop g [out] [out] wrt {:disconnected :ignore}))
                  (fn [g out wrt] (diff/rop g [out] wrt wrt {:disconnected :ignore}))]]
    (is (= (derived g env derive) (derived h env derive)) (pr-str recipe))))

(def ^:private passes
  {:expand pass/expand, :widen pass/widen, :check-indices pass/check-indices
   :guard #(guard/inserted % guard/options), :inline pass/inline})

(deftest passes-see-into-nodes
  (doseq [recipe (recipes 10 {:registry true})
          :let [{g :graph} (graphs/graph recipe), {h :graph} (regions/graph recipe)]]
    (is (not (pass/inlines? (pass/inline h))))
    (doseq [[what pass] passes]
      (is (= (canonical (flat (pass g))) (canonical (flat (pass h)))) (str what " " recipe)))))
