(ns damo.laws.broadcast-test
  "Rules keep types and values when operands broadcast against each other: every input of every
  example with fewer axes, with more, and with extents of 1, and the extents in attributes
  likewise."
  (:require [clojure.test :refer [deftest is]]
            [clojure.walk :as walk]
            [damo.data.array :as array]
            [damo.laws.rules.examples :as examples]
            [damo.meaning.eval :as eval]
            [damo.ops.all]
            [damo.rule.engine :as engine]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private rules
  (vals (into (sorted-map) (map (juxt :name identity))
              (mapcat :rules [stabilize/rules specialize/rules blas/rules]))))

;; ## Variants of an example

(defn- shapes
  "The shape, and such that broadcast against it."
  [shape]
  (let [n (count shape)]
    (distinct (concat [shape]
                      (map #(vec (take-last % shape)) (range n))
                      (for [i (range n)] (assoc shape i 1))
                      [(vec (repeat n 1)) (into [4] shape) (into [1] shape)]))))

(defn- with-shape [[dtype shape :as type] to]
  (if (= :shared dtype) [:shared (assoc shape 1 to)] (assoc type 1 to)))

(defn- shape-of [[dtype shape]] (if (= :shared dtype) (second shape) shape))

(defn- shrunk
  "The form with 1 in the place of the extent n in the vectors of its attributes."
  [form n]
  (walk/postwalk #(if (map? %)
                    (update-vals % (fn [v] (if (vector? v) (mapv (fn [d] (if (= d n) 1 d)) v) v)))
                    %)
                 form))

(defn- variants
  "[types form] of an example: each input varied alone, all of them at random, attributes shrunk."
  [types form ^Random random]
  (let [names (examples/names-in form)
        types (into {} (map (fn [s] [s (get types s [:f64 [2 3]])])) names)
        any-shape (fn [type] (let [all (shapes (shape-of type))]
                               (with-shape type (nth all (.nextInt random (count all))))))]
    (for [form [form (shrunk form 2) (shrunk form 3)]
          types (concat (for [s names, shape (shapes (shape-of (types s)))]
                          (update types s with-shape shape))
                        (repeatedly 12 #(update-vals types any-shape)))]
      [types form])))

;; ## What is compared

(defn- graph-of [[types form]]
  (try (examples/example-graph types (examples/names-in form) form)
       (catch clojure.lang.ExceptionInfo _)))

(defn- near? [x y]
  (or (= x y)
      (and (float? x)
           (or (not (examples/finite? x))
               (<= (abs (- (double x) (double y))) (* 1e-9 (+ 1 (abs (double x)))))))))

(defn- problem
  "What is wrong with a rewritten graph, nil when nothing is."
  [g result gen seed]
  (if (not= (examples/output-types g) (examples/output-types result))
    [(examples/output-types g) (examples/output-types result)]
    (let [env (examples/environment g gen (Random. seed) false)
          written (try (eval/run g env) (catch clojure.lang.ExceptionInfo _))]
      (when written
        (let [pairs (map vector (array/values (first written))
                         (array/values (first (eval/run result env))))]
          (first (remove (fn [[x y]] (near? x y)) pairs)))))))

(defn- rewritten
  "The graph after the rule alone; where that needs the forms that others make, after all; nil when
  it is not applied."
  [{:keys [name] :as rule} g]
  (some (fn [sets]
          (let [{:keys [graph trace]} (engine/run g sets examples/all-promises)]
            (when (some #(= name (:rule %)) trace) graph)))
        [(examples/alone rule) [stabilize/rules] [specialize/rules]]))

(defn- tried
  "[problem] of a variant that the rule rewrites, nil when it does not."
  [{:keys [gen] :as rule} variant]
  (when-let [g (graph-of variant)]
    (try (when-let [result (rewritten rule g)] [(problem g result gen 7)])
         (catch clojure.lang.ExceptionInfo e [(ex-message e)]))))

(defn broadcast-problems
  "What is wrong with the variants of a rule's examples, with how many of them it rewrote: {:tried n
  :problems [[types form problem] …]}."
  [{:keys [types examples] :as rule}]
  (let [random (Random. 3)
        found (for [[left] examples, [types form :as variant] (variants types left random)
                    :let [problem (tried rule variant)] :when problem]
                [types form (first problem)])]
    {:tried (count found), :problems (filterv peek found)}))

(deftest rules-keep-values-of-operands-that-broadcast
  (doseq [rule rules :let [{:keys [tried problems]} (broadcast-problems rule)]]
    (is (pos? tried) (str (:name rule) " is tried"))
    (is (= [] (take 2 problems)) (str (:name rule)))))
