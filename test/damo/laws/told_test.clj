(ns damo.laws.told-test
  "Dims that are told to be equal: random expressions of inputs whose axes all have names of their
  own are those of inputs with common names, in type, value and both derivatives; and a call in
  which they are not equal is refused, whatever became of the expressions."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.told :as told]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op])
  (:import [java.io Writer]))

(set! *warn-on-reflection* true)

;; ## Graphs made again, of other inputs

(defn- leaves
  "[[name type] …] of the inputs and shared variables of a graph."
  [g]
  (for [id (graph/live g) :let [[op {:keys [name type]}] (graph/node-at g id)]
        :when (#{:input :shared} op)]
    [name type]))

(defn- own-names
  "{:types {name type} :told {own common}}: the leaves with a symbol of their own for each axis that
  has one."
  [leaves]
  (let [own (fn [name axis d] (if (symbol? d) (symbol (str name "." axis)) d))]
    {:types (into {} (for [[name [dtype shape]] leaves]
                       [name [dtype (vec (map-indexed #(own name %1 %2) shape))]]))
     :told (into (array-map)
                 (for [[name [_ shape]] leaves, [axis d] (map-indexed vector shape)
                       :when (symbol? d)]
                   [(own name axis d) d]))}))

(defn- made
  "The expressions of the outputs of a graph, made node by node as calls make them."
  [g types]
  (let [node (fn [exprs id]
               (let [[op {:keys [name] :as attrs} & args] (graph/node-at g id)]
                 (assoc exprs id (if (types name)
                                   (d/input name (types name))
                                   (op/node op attrs (mapv exprs args))))))]
    (mapv (reduce node {} (graph/live g)) (:outputs g))))

(defn- cost [es]
  (reduce d/add (for [e es :when (type/float-dtype? (first (d/type-of e)))]
                  (d/cast (d/sum e) :dtype :f64))))

(defn- derivatives
  "The gradient of the sum of the float outputs with respect to their float inputs, and its
  derivative along these; empty where there is none, or none is defined."
  [es]
  (let [floats (filter #(type/float-dtype? (first (d/type-of %))) es)
        inputs (when (seq floats)
                 (->> (vals (:exprs (expr/to-graph (vec floats))))
                      (filter #(and (= :input (expr/op-of %))
                                    (type/float-dtype? (first (d/type-of %)))))
                      (sort-by (comp str :name expr/attrs-of))))]
    (if (empty? inputs)
      []
      (try (let [c (cost floats)]
             (into (d/grad c (vec inputs)) [(d/rop c (vec inputs) (vec inputs))]))
           (catch clojure.lang.ExceptionInfo e
             (if (re-find #"^:damo.diff/" (str (:damo/error (ex-data e)))) [] (throw e)))))))

(defn- settled [es types]
  (told/settled (:graph (expr/to-graph es)) (seq types)))

(defn- same? [x y]
  (and (= (:dtype x) (:dtype y)) (running/close? 1e-9 1.0 x y)))

(deftest unlike-names-told-to-be-equal-are-like-names
  (doseq [[k recipe] (map-indexed vector (graphs/recipes 30 8))
          :let [{g :graph} (binding [*out* (Writer/nullWriter)]
                             (graphs/graph (assoc recipe :registry (odd? k))))
                {:keys [types told]} (own-names (leaves g))
                env (graphs/env k '{n 3, m 2})
                like (made g (into {} (leaves g)))
                like-all (into like (derivatives like))
                unlike (d/with-dims told (made g types))
                unlike-all (into unlike (d/with-dims told (derivatives unlike)))]]
    (testing (str "seed 8, graph " k)
      (is (= (map d/type-of like) (d/with-dims told (map d/type-of unlike))))
      (is (= (count like-all) (count unlike-all)))
      (let [{:keys [graph requires]} (settled unlike-all types)
            {expected :values} (running/outcome #(eval/run (:graph (expr/to-graph like-all)) env))
            {found :values} (running/outcome #(eval/run graph env))]
        (is (= (some? expected) (some? found)))
        (is (every? true? (map same? expected found)))
        (is (not-any? :told (map second (:nodes graph))) "it is a matter of the function now")
        (is (or (seq requires) (< (count (filter (comp #{'n} val) told)) 2)))))))

(defn- tensor [{:keys [dtype shape] :as a}]
  (d/tensor (array/values a) dtype :shape shape))

(deftest calls-that-contradict-what-is-told-are-refused
  (doseq [[k recipe] (map-indexed vector (graphs/recipes 60 21))
          :let [g (:graph (graphs/graph (update recipe :steps #(vec (take 16 %)))))
                {:keys [types told]} (own-names (leaves g))
                own (into {} (for [[s common] told] [s common]))
                mode (nth [:fast-run :fast-compile :debug] (mod k 3))
                env #(update-vals (graphs/env k %) tensor)
                right (env '{n 3, m 2}), wrong (env '{n 4, m 2})
                names (sort (keys types))
                used (set (for [id (graph/live g), a (graph/args-at g id)]
                            (:name (graph/attrs-at g a))))
                changed (filter #(some #{'n} (map own (second (types %)))) (filter used names))]
          :when (next changed)]
    (testing (str "seed 21, graph " k ", " mode)
      (let [f (d/function (mapv #(d/input % (types %)) names) (d/with-dims told (made g types))
                          {:mode mode, :on-unused-input :ignore})
            says #(str (:fails (running/outcome (fn [] (apply f (map % names))))))]
        (is (not (str/includes? (says right) "it is told that")))
        (is (str/includes? (says (assoc right (first changed) (wrong (first changed))))
                           "it is told that"))))))
