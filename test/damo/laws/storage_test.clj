(ns damo.laws.storage-test
  "Derivatives of every op in the storage dtypes :f16 and :bf16: they have the dtypes of what they
  belong to, compile, and are near those computed in :f64."
  (:require [clojure.test :refer [deftest is]]
            [clojure.walk :as walk]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.modes :as modes]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- with-derivatives
  "The graph of one output with, as outputs, its gradients for the new input u by the float inputs;
  nil when it has none, or an extent that depends on values."
  [{:keys [nodes outputs] :as g}]
  (let [b (graph/builder), _ (graph/load-graph! b g), type (graph/type-of g (first outputs))
        {:keys [no-gradient]} (op/entry (first (nodes (first outputs))))
        floats (filterv #(and (= :input (first (nodes %))) (not (contains? no-gradient %))
                              (type/float-dtype? (first (graph/type-of g %))))
                        (range (count nodes)))
        u (op/emit! b :input {:name 'u, :type type} [] nil)]
    (when (and (seq floats) (type/float-dtype? (first type)) (every? integer? (second type)))
      (let [{:keys [graph grads]} (diff/lop (graph/finish b outputs) outputs [u] floats
                                            {:disconnected :ignore})]
        (assoc graph :outputs grads)))))

(defn- as-doubles
  "A call with its arrays of floats as :f64, in graphs that its attributes hold too."
  [{:keys [op] :as c}]
  (let [graphs (for [[k {:keys [is]}] (:attrs (op/entry op)) :when (= :graph is)] k)
        wide (partial walk/postwalk-replace {:f16 :f64, :bf16 :f64})]
    (-> (update c :args (partial mapv #(if (type/float-dtype? (:dtype %)) (array/cast :f64 %) %)))
        (update :attrs #(reduce (fn [attrs k] (update attrs k wide)) % graphs)))))

(defn- gradients-of
  "{:graph :env} of the gradients of a call, for random gradients of its value; nil when none."
  [c seed]
  (let [{:keys [graph env]} (gens/seen-graph c)]
    (when-let [g (with-derivatives graph)]
      (let [[dtype shape] (graph/type-of graph (first (:outputs graph)))
            u (array/cast :bf16 (modes/random-values (Random. seed) shape))]
        {:graph g, :env (assoc env 'u (array/cast dtype u))}))))

(defn- near?
  "Is each element within 8 units of the largest one? Those near the end of the range of the dtype
  do not count: something on their way may have overflown."
  [dtype wide narrow]
  (let [counts? #(<= (abs %) (/ (:hi (type/dtypes dtype)) 64))
        scale (reduce max 1.0 (filter counts? (map abs (array/values wide))))]
    (every? true? (map (fn [x y] (or (not (counts? x))
                                     (<= (abs (- x y)) (* 8 scale (array/unit dtype 1.0)))))
                       (array/values wide) (array/values narrow)))))

(defn- compiled [{:keys [graph env]}]
  (let [c (running/compile graph {:rules true})]
    (try (running/call! c env) (finally (running/close! c)))))

(defn- problem
  "What is wrong with the gradients of a call in a storage dtype, or nil. Only some are compiled."
  [dtype c seed]
  (when-let [{:keys [graph env] :as narrow} (gradients-of c seed)]
    (let [wide (gradients-of (as-doubles c) seed)
          expected (eval/run (:graph wide) (:env wide))
          types (mapv #(graph/type-of graph %) (:outputs graph))
          {:keys [no-gradient]} (op/entry (:op c))
          floats (keep-indexed (fn [i {:keys [dtype] :as a}]
                                 (when-not (or (contains? no-gradient i)
                                               (not (type/float-dtype? dtype)))
                                   (array/type-of a)))
                               (:args c))]
      (cond (not= types floats) [:types types]
            (not (every? true? (map (partial near? dtype) expected (eval/run graph env))))
            [:reference (update-vals env array/nested)
             (mapv array/nested expected) (mapv array/nested (eval/run graph env))]
            (and (pos? seed)
                 (not (every? true? (map (partial near? dtype) expected (compiled narrow)))))
            [:compiled (update-vals env array/nested)
             (mapv array/nested expected) (mapv array/nested (compiled narrow))]))))

(defn- calls [{:keys [name kind gen]} dtype]
  (for [seed (if (= dtype :f16) [0] [2])
        :let [c (when (or gen (= kind :elementwise)) (gens/case name dtype 3 seed))]
        :when (and c (= dtype (first (:type c))))]
    [seed c]))

(deftest gradients-of-every-op-in-storage-dtypes
  (doseq [{:keys [name] :as entry} (sort-by :name (filter modes/differentiable?
                                                          (vals @op/registry)))
          dtype [:f16 :bf16], [seed c] (calls entry dtype)]
    (is (nil? (problem dtype c seed)) (str (list `gens/case name dtype 3 seed)))))
