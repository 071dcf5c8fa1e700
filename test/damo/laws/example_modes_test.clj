(ns damo.laws.example-modes-test
  "The examples of all entries, compiled, in every mode: with their numbers as written, which rules
  may fold, and with them as inputs, which makes code of every op."
  (:require [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- example-graph [template]
  (let [b (graph/builder)]
    (graph/finish b [(op/instantiate! (op/emitter b nil) {} template)])))

(defn- with-inputs
  "{:graph :env}: the graph with its constants as inputs, called e<k>.0 …."
  [k {:keys [nodes] :as g}]
  (let [constants (keep-indexed (fn [id [o]] (when (= o :const) id)) nodes)
        input (fn [id] (symbol (str "e" k "." id)))]
    {:graph (reduce (fn [g id] (assoc-in g [:nodes id] [:input {:name (input id)
                                                                :type (graph/type-of g id)}]))
                    g constants)
     :env (into {} (for [id constants, :let [[o attrs] (nodes id)]]
                     [(input id) (eval/constant o attrs [])]))}))

(def ^:private watching "Ops that print what they see." #{:print :tap})

(defn- examples
  "[{:op :form :graph :env :value}] of all entries: the value is what the reference says."
  [as-inputs]
  (vec (for [[k [op form]] (map-indexed vector (for [[op {:keys [examples kind]}]
                                                     (sort-by key @op/registry)
                                                     :when (not (or (watching op)
                                                                    (#{:leaf :part} kind)))
                                                     [form] examples]
                                                 [op form]))
             :let [written (example-graph form)
                   {:keys [graph env] :as g} (if as-inputs
                                               (with-inputs k written)
                                               {:graph written, :env {}})]]
         (assoc g :op op, :form form, :value (first (eval/run graph env))))))

(defn- together [examples]
  (let [b (graph/builder)
        outputs (mapv (fn [{:keys [graph]}]
                        ((graph/load-graph! b graph) (first (:outputs graph))))
                      examples)]
    {:graph (graph/finish b outputs), :env (into {} (map :env) examples)}))

(defn- compiled-values [{:keys [graph env]} mode]
  (let [inputs (for [[o {:keys [name type]}] (:nodes graph) :when (= o :input)] [name type])
        c (running/compile graph {:mode mode, :inputs inputs})]
    (try (running/call! c env) (finally (running/close! c)))))

(def ^:private tolerance {:f64 4e-15, :f32 1e-6})

(defn- agrees? [value got]
  (running/close? (tolerance (:dtype value) 0.0) 0.0 value got))

(defn- finite?
  "Has an example, and all in it, no NaN and no infinity? :nan-guard stops at others, and at parts,
  which choose between forms of which the other may be infinite."
  [{:keys [graph env op]}]
  (and (not (:slope-part (op/entry op)))
       (every? (fn [x] (or (nil? x) (not (type/float-dtype? (:dtype x)))
                           (every? #(Double/isFinite (double %)) (array/values x))))
               (:values (running/outcome #(eval/all-values graph env))))))

(defn- counting?
  "Has a graph dimensions that it counts? Their names are those of equal graphs elsewhere."
  [{{:keys [types]} :graph}]
  (some #(some (complement integer?) (second %)) types))

(defn- problems
  "What differs in a mode: all examples are one function, but each that counts a function of its
  own."
  [examples mode]
  (let [chosen (if (= mode :nan-guard) (filter finite? examples) examples)
        {alone true, others false} (group-by (comp boolean counting?) chosen)]
    (for [group (cons others (map list alone))
          [{:keys [op form value]} got] (map vector group
                                             (compiled-values (together group) mode))
          :when (not (agrees? value got))]
      {:op op, :form form, :expected (array/nested value), :got (array/nested got)})))

(deftest examples-compile-to-their-values
  (doseq [[as-inputs modes] {true [:fast-run :none :fast-compile :nan-guard]
                             false [:fast-run]}
          :let [all (examples as-inputs)], mode modes]
    (is (= [] (problems all mode)) (str mode (when as-inputs " with inputs")))))
