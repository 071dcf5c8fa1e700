(ns damo.laws.rules-test
  "Laws over all rules, from their own data: examples fire and give the stated form, types and
  values are kept as each rule promises, no set loops on random graphs."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.laws.rules.examples :as examples]
            [damo.laws.rules.forms :as forms]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.all]
            [damo.rule :as rule]
            [damo.rule.engine :as engine]
            [damo.rule.trace :as trace]
            [damo.rules.blas :as blas]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private sets [canonicalize/rules stabilize/rules specialize/rules blas/rules])

(def ^:private own-rules
  "[set rule] pairs, each rule once, with the set that it was written for."
  (for [{:keys [name rules] :as set} sets
        {owner :set, :as rule} rules
        :when (or (nil? owner) (= owner name))]
    [set rule]))

(deftest rules-have-names-of-their-own-and-reasons
  (is (<= 40 (count own-rules)))
  (is (apply distinct? (map (comp :name second) own-rules)))
  (doseq [[_ {:keys [name why keeps]}] own-rules]
    (testing (str name)
      (is (re-find #"\.$" why))
      (is (rule/promises keeps)))))

(defn- hold
  "Asserts that a law, a function of a set and a rule, finds nothing wrong with any rule."
  [law]
  (doseq [[set {:keys [name] :as rule}] own-rules]
    (is (= [] (law set rule)) (str name))))

(deftest examples-fire (hold forms/unfired))

(deftest examples-give-the-stated-form (hold forms/other-forms))

(deftest types-are-kept (hold forms/other-types))

(deftest values-are-kept-as-promised
  (hold (fn [_ rule] (examples/changed-values rule))))

(deftest integers-are-kept (hold forms/changed-integers))

;; ## Random graphs

(def ^:private templates
  "What random graphs are made of, by the shapes of the arguments, [2 3] and []."
  '{:array [[:add ?x ?y] [:sub ?x ?y] [:mul ?x ?y] [:div ?x ?y] [:neg ?x] [:exp ?x] [:log ?x]
            [:sqr ?x] [:sqrt ?x] [:abs ?x] [:tanh ?x] [:sigmoid ?x] [:add 1 ?x] [:mul 2 ?x]
            [:mul ?s ?x] [:div ?x ?s] [:sub 1 ?x] [:mul 0 ?x] [:pow ?x 2] [:reciprocal ?x]
            [:maximum ?x ?y] [:softmax ?x]
            [:where [:lt ?x ?y] 0 ?x] [:where [:lt ?x 0] ?x ?y] [:transpose [:transpose ?x]]
            [:cast {:dtype :f64} [:cast {:dtype :f32} ?x]]
            [:sub ?x [:max {:axis 1 :keepdims true} ?x]]
            [:div [:exp ?x] [:sum {:axis 1 :keepdims true} [:exp ?x]]]
            [:reshape {:shape [2 3]} [:flatten ?x]] [:broadcast-to {:shape [2 3]} ?s]
            [:matmul [:matmul ?x [:transpose ?y]] ?x] [:transpose [:mul ?s [:transpose ?x]]]
            [:sub ?x 3] [:mul [:mul 2 [:sqr 3.0]] ?x] [:neg [:mul 5 ?x]] [:sub ?x [:mul -1.5 ?y]]
            [:div [:div -3 ?x] ?y] [:add [:exp 2.0] [:add 1 ?x]] [:div [:neg 1.0] ?x]
            [:mul [:neg [:neg 2.0]] ?x] [:neg [:div 3 ?x]] [:sub [:neg 1.0] ?x] [:div ?x [:neg 2.0]]
            [:div [:neg ?x] [:neg ?y]] [:sub ?x [:mean ?y]] [:div ?x [:neg [:mean ?y]]]]
    :scalar [[:sum ?x] [:mean ?x] [:max ?x] [:logsumexp ?x] [:add ?s ?t] [:mul ?s ?t] [:neg ?s]
             [:sum {:axis 0} [:sum {:axis 1} ?x]] [:log [:sum [:exp ?x]]] [:div 1 ?s]
             [:sub ?s ?t] [:neg [:mean ?x]] [:neg [:mean [:sqr ?x]]] [:div [:neg 1.0] ?s]
             [:div ?s [:neg 2.0]] [:mul [:neg 1.0] [:mean ?x]] [:add [:neg 1.0] ?s] [:neg 2.0]]})

(defn- random-graph [^long seed ^long size]
  (let [random (Random. seed), b (graph/builder), emit (op/emitter b nil)
        pick (fn [xs] (nth xs (.nextInt random (count xs))))]
    (loop [k 0
           arrays [(examples/leaf! b 'x [:f64 [2 3]]) (examples/leaf! b 'y [:f64 [2 3]])]
           scalars [(examples/leaf! b 's [:f64 []])]]
      (if (= k size)
        (graph/finish b [(peek arrays) (peek scalars)])
        (let [kind (if (zero? (.nextInt random 4)) :scalar :array)
              ids {'?x (pick arrays) '?y (pick arrays) '?s (pick scalars) '?t (pick scalars)}
              id (op/instantiate! emit ids (pick (templates kind)))]
          (if (= kind :array)
            (recur (inc k) (conj arrays id) scalars)
            (recur (inc k) arrays (conj scalars id))))))))

(defn- derived
  "The outputs of a random graph and the gradients of their sum by its leaves."
  [g]
  (let [b (graph/builder), ids (graph/load-graph! b g), outputs (map ids (:outputs g))
        cost (op/instantiate! (op/emitter b nil) (zipmap '[?x ?s] outputs) [:add [:sum '?x] '?s])
        {:keys [graph grads]} (diff/grad (graph/finish b []) cost [0 1 2] {:disconnected :ignore})]
    (assoc graph :outputs (into (vec outputs) grads))))

(defn- through
  "[graph stops]: a graph after sweeps of these sets, and the rules that these did not apply because
  they would never end."
  [g sets opts]
  (reduce (fn [[g stops] set]
            (let [{:keys [graph trace]} (engine/run g [set] opts)]
              [graph (into stops (map trace/stop-text) (filter :stopped trace))]))
          [g []] sets))

(deftest random-graphs-and-their-gradients-come-to-rest-and-keep-their-types
  (doseq [seed (range 60), opts [{} {:fold false} {:regroup true, :fold (even? seed)}]]
    (testing (str "seed " seed ", " opts)
      (let [g (cond-> (random-graph seed 40) (pos? (mod seed 3)) derived)
            [result stops] (through g sets opts)]
        (is (= [] stops))
        (is (= (examples/output-types g) (examples/output-types result)))
        (is (= (:nodes result) (:nodes (whole/check-types result))))))))

(deftest a-second-sweep-finds-nothing
  (doseq [seed (range 30), set [canonicalize/rules stabilize/rules]]
    (testing (str (:name set) ", seed " seed)
      (let [once (:graph (engine/run (random-graph seed 20) [set]))]
        (is (= [] (map (juxt :rule :before :after) (:trace (engine/run once [set])))))))))

(defn- all-values [g env]
  (mapcat array/values (eval/run g env)))

(deftest random-graphs-keep-finite-values
  (doseq [seed (range 40)]
    (testing (str "seed " seed)
      (let [g (random-graph seed 8), [result] (through g sets {})
            env (examples/environment g {} (Random. seed) false)]
        (doseq [[x y] (map vector (all-values g env) (all-values result env))
                :when (examples/finite? x)]
          (is (<= (Math/abs (- (double x) (double y))) (* 1e-8 (+ 1.0 (Math/abs (double x)))))))))))
