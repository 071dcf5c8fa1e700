(ns damo.rules.book-test
  "The rule book, book.edn: what a compiler of this kind is expected to rewrite. Each entry is run:
  its expressions become what it says, by the rules that it names."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.modes :as modes]
            [damo.compile.pipeline :as pipeline]
            [damo.laws.rules.examples :as examples]
            [damo.laws.rules.forms :as forms]
            [damo.rule.engine :as engine]
            [damo.rules.programs :as programs]))

(set! *warn-on-reflection* true)

(def ^:private book (edn/read-string (slurp (io/resource "damo/rules/book.edn"))))

(def ^:private entries (mapcat book [:canonical :stable :special :programs]))

(defn- graph-of [types form]
  (examples/example-graph types (examples/names-in form) form))

(defn- mode [{:keys [regroup]}] (if regroup {:mode :fast-run, :regroup true} :fast-run))

(defn- program
  "The program of an expression, and the :trace of its rules."
  [form {:keys [types] :as options}]
  (let [types (merge (:types book) types), ports (for [s (examples/names-in form)] [s (types s)])]
    (pipeline/program-of (graph-of types form)
                         {:name "book", :inputs ports, :state [], :outputs ["out"], :updates {}
                          :mode (mode options)})))

(defn- rewritten
  "The graph of an expression after the rules, and their :trace."
  [form {:keys [types] :as options}]
  (pipeline/optimized (graph-of (merge (:types book) types) form) (mode options)))

(defn- stated [form {:keys [types]}]
  (:graph (engine/run (graph-of (merge (:types book) types) form) [])))

(defn- shown
  "What an example of an entry is, [found expected trace]."
  [[form _ expected options]]
  (if (map? expected)
    (let [{:keys [program trace]} (program form options)]
      [(programs/steps program) (:steps expected) trace])
    (let [{:keys [trace] :as result} (rewritten form options)]
      [(forms/structure (:graph (:rewritten result))) (forms/structure (stated expected options))
       trace])))

(deftest what-the-book-says-is-done
  (doseq [{:keys [says by shows]} entries]
    (let [fired (into #{} (mapcat (fn [[form :as example]]
                                    (let [[found expected trace] (shown example)]
                                      (testing (str says ": " (pr-str form))
                                        (is (= expected found)))
                                      (map :rule trace))))
                      shows)]
      (testing says
        (is (seq shows))
        (is (= #{} (set/difference (set (filter keyword? by)) fired))
            "rules that are named fire")))))

(deftest the-book-names-rules-that-are
  (let [known (into #{} (map :name) (modes/rules))]
    (is (= [] (remove known (filter keyword? (mapcat :by entries)))))
    (is (every? #(or (seq (:by %)) (:not %)) entries))
    (is (every? (comp #{:A :B :C} :value) entries))))
