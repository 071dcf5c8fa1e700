(ns damo.laws.extents-test
  "Every op and its gradient with symbolic dimensions, called where one of them is 0 or 1: what the
  compiled function gives is what the reference interpreter gives, with and without rules, or both
  refuse, in words of the user's world. The cases are those of the ops' generators at an extent of
  3, whose arrays are cut."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.modes :as modes]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(def ^:private no-derivative
  #{:damo.diff/undefined :damo.diff/not-implemented :damo.diff/disconnected})

(defn- with-gradients
  "The graph with the gradients of the sum of its output as further outputs, where there are any."
  [{[out] :outputs :as g}]
  (if (type/float-dtype? (type/dtype-of (graph/type-of g out)))
    (try
      (let [b (graph/builder)
            [out] (map (graph/load-graph! b g) (:outputs g))
            cost (op/instantiate! (op/emitter b nil) {'?x out} [:sum '?x])
            wrt (modes/floats-of g)
            {:keys [graph grads]} (diff/grad (graph/finish b [out]) cost wrt
                                             {:disconnected :ignore})]
        (assoc graph :outputs (into [out] grads)))
      (catch clojure.lang.ExceptionInfo e
        (if (no-derivative (:damo/error (ex-data e))) g (throw e))))
    g))

(defn- renamed
  "The case with the names of its inputs made different from those of other cases."
  [k {:keys [graph env] :as c}]
  (let [rename #(symbol (str "c" k "." %))]
    (assoc c :env (update-keys env rename)
           :graph (update graph :nodes (partial mapv (fn [[o :as node]]
                                                       (cond-> node
                                                         (= o :input)
                                                         (update-in [1 :name] rename))))))))

(defn- cases-of
  "The cases of an op for an extent: every other variant of its generator, so that both extents
  together have all; elementwise ops, which differ in what they compute alone, have one, without
  gradients, which are elementwise too."
  [extent op]
  (let [{:keys [gen kind]} (op/entry op), elementwise? (= kind :elementwise)]
    (when (or gen elementwise?)
      (for [seed (range extent (if elementwise? 1 6) 2)
            :let [c (some #(gens/case op % 3 seed) [:f64 :i64 :bool])
                  made (when c (gens/seen-graph c true))]
            :when (and made (some symbol? (mapcat #(second (:type (second %)))
                                                  (:nodes (:graph made)))))]
        (-> (if elementwise? made (update made :graph with-gradients))
            (assoc :call [op seed]))))))

(defn- cut
  "The environment with arrays cut where the dimension n3 is an axis."
  [{:keys [graph env]} extent]
  (into {} (for [[op {:keys [name type]}] (:nodes graph)
                 :when (and (= op :input) (env name))
                 :let [x (env name), dims (type/shape-of type)]]
             [name (array/from-indices (:dtype x)
                                       (mapv #(if (= 'n3 %1) extent %2) dims (:shape x))
                                       #(array/at x %))])))

(defn- together [cases]
  (let [b (graph/builder)
        ids (mapv (fn [{:keys [graph]}] (mapv (graph/load-graph! b graph) (:outputs graph))) cases)]
    {:graph (graph/finish b (into [] cat ids)), :env (into {} (map :env) cases)}))

(defn- inputs-of [{:keys [nodes]}]
  (distinct (for [[op {:keys [name type]}] nodes :when (= op :input)] [name type])))

(defn- compiled [{:keys [graph env]} rules]
  (running/outcome
   #(let [c (running/compile graph {:rules rules, :inputs (inputs-of graph)})]
      (try (running/call! c env) (finally (running/close! c))))))

(defn- agree? [x y]
  (and (= (array/type-of x) (array/type-of y))
       (every? true? (map (fn [a b] (or (and (float? a) (not (Double/isFinite a)))
                                        (running/element-close? 1e-9 1.0 a b)))
                          (array/values x) (array/values y)))))

(def ^:private of-the-core #"kernel \d|statement \d|buffer \d|step \d|Java|null")

(defn- problems
  "What is wrong with the compiled cases, [call rules expected got] each."
  [cases rules]
  (let [{got :values} (compiled (together cases) rules)
        groups (when got
                 (loop [got got, [{:keys [expected]} & more :as left] cases, out []]
                   (if (empty? left)
                     out
                     (recur (drop (count expected) got) more
                            (conj out (take (count expected) got))))))]
    (if got
      (for [[{:keys [call expected]} got] (map vector cases groups)
            :when (not-every? true? (map agree? expected got))]
        [call rules (map array/values expected) (map array/values got)])
      (if (next cases)
        (mapcat #(problems [%] rules) cases)
        [[(:call (first cases)) rules (:fails (compiled (first cases) rules))]]))))

(defn- refusals
  "What is wrong with how a case is refused that the reference refuses."
  [{:keys [call] :as c} rules]
  (let [{:keys [fails]} (compiled c rules)]
    (when (and fails (re-find of-the-core (first (str/split-lines fails)))) [[call rules fails]])))

(defn- checked [extent k ops]
  (let [cases (for [[i c] (map-indexed vector (mapcat #(cases-of extent %) ops))
                    :let [c (renamed i (assoc c :env (cut c extent)))]]
                (assoc c :expected (:values (running/outcome #(eval/run (:graph c) (:env c))))))
        {valid true, refused false} (group-by (comp some? :expected) cases)
        rules (even? (+ extent (long k)))]
    (concat (when (seq valid) (problems valid rules))
            (mapcat #(refusals % rules) (vals (into {} (map (juxt (comp first :call) identity))
                                                    refused))))))

(deftest ops-at-the-smallest-extents
  (let [ops (sort (for [[op {:keys [kind]}] @op/registry :when (not (#{:leaf :part} kind))] op))]
    (doseq [extent [0 1]
            found (pmap (fn [[k ops]] (doall (checked extent k ops)))
                        (map-indexed vector (partition-all 8 ops)))
            problem found]
      (is (nil? problem) (str "at the extent " extent)))))
