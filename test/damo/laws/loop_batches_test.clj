(ns damo.laws.loop-batches-test
  "Random graphs with loops and branches on a batch: every element gives what the graph gives for it
  alone. Where the graph counts dims, elements that differ in them may be refused when it runs."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.diff.batch :as batch]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.laws.unrolled :as unrolled]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private elements 2)

(defn- leaves [{:keys [nodes]}]
  (for [[id [op {:keys [name type]}]] (map-indexed vector nodes) :when (#{:input :shared} op)]
    [name id type]))

(defn- on-batch
  "The graph of what the outputs of g give when every third leaf is a batch, which is an input named
  after it; nil where an op does not know what to do."
  [g k]
  (let [b (graph/builder), ids (graph/load-graph! b g)
        chosen (keep-indexed (fn [i leaf] (when (zero? (mod (+ i (long k)) 3)) leaf)) (leaves g))
        seeds (into {} (for [[name id [dtype shape]] chosen]
                         [(ids id) (op/emit! b :input {:name [:batch name]
                                                       :type [dtype (into [elements] shape)]}
                                             [] nil)]))]
    (try {:graph (graph/finish b (batch/batched b (mapv ids (:outputs g)) seeds elements))
          :names (map first chosen)}
         (catch clojure.lang.ExceptionInfo e
           (when-not (= :damo.diff/not-implemented (:damo/error (ex-data e))) (throw e))))))

(defn- stacked [{:keys [dtype shape] :as a} b]
  (array/of dtype (into [elements] shape) (concat (array/values a) (array/values b))))

(defn- element-of [{:keys [dtype shape] :as a} i]
  (let [shape (subvec shape 1), n (array/size shape)]
    (array/of dtype shape (take n (drop (* i n) (array/values a))))))

(defn- near? [a b]
  (and (= (array/type-of a) (array/type-of b))
       (every? true? (map #(or (= %1 %2)
                               (and (number? %1)
                                    (or (and (NaN? (double %1)) (NaN? (double %2)))
                                        (< (abs (- %1 %2)) (* 1e-2 (+ 1 (abs %1) (abs %2)))))))
                          (array/values a) (array/values b)))))

(defn- alone
  "What the graph gives for each element of the batch, or nil where that fails."
  [g envs]
  (let [found (map (fn [env] (:values (running/outcome #(eval/run g env)))) envs)]
    (when (every? some? found) (vec found))))

(deftest loops-on-a-batch
  (let [compared (atom 0)]
    (doseq [[k recipe] (map-indexed vector (graphs/recipes 70 31))
            :let [{g :graph} (graphs/graph (assoc recipe :holders true))
                  g (update g :outputs (partial filterv #(not (tuple/type? (graph/type-of g %)))))
                  batched (when (pos? (unrolled/loops g)) (on-batch g k))]
            dims (when batched '[{n 3, m 2} {n 0, m 3} {n 1, m 1}])
            :let [envs [(graphs/env k dims) (graphs/env (+ 1000 k) dims)]
                  [env other] envs, second-env (merge env (select-keys other (:names batched)))
                  wanted (alone g [env second-env])]
            :when wanted]
      (testing (pr-str k dims)
        (let [env (into env (for [name (:names batched)]
                              [[:batch name] (stacked (env name) (other name))]))
              {:keys [values] :as outcome} (running/outcome #(eval/run (:graph batched) env))]
          (when (or values (is (seq (counted/binders g)) (pr-str outcome)))
            (swap! compared inc)
            (doseq [i (when values (range elements))]
              (is (every? true? (map near? (map #(element-of % i) values) (wanted i)))
                  (str "element " i)))))))
    (is (< 60 @compared))))
