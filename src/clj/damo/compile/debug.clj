(ns damo.compile.debug
  "The mode :debug: each call computes everything again by the reference interpreter and names the
  first thing that is wrong: the rule that changed a value, the op whose machine code disagrees with
  its meaning, the fusion or update in place that lost something, an input that was written to. In:
  a graph and what it was compiled for. Out: a function that is run around each call.
  ((checks graph spec) call inputs states) is (call), or a failure that names the culprit."
  (:require [clojure.string :as str]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan :as plan]
            [damo.compile.plan.note :as note]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.transfer :as transfer]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.rule.trace :as trace])
  (:import [damo.runtime Function State]
           [damo.tensor DType Tensor]))

(set! *warn-on-reflection* true)

;; ## Which elements differ

(def ^:private bounds
  "How far values of a dtype may lie apart, relative to the largest that took part: after a rule,
  which rounds elsewhere, and after the machine code of one op."
  {:f64 {:rule 1e-7, :op 1e-11}, :f32 {:rule 1e-2, :op 1e-4}
   :f16 {:rule 2e-1, :op 2e-2}, :bf16 {:rule 5e-1, :op 5e-2}})

(defn- floats?
  "Is it an array of floats? Then its :data is a double[]."
  [{:keys [dtype]}]
  (type/float-dtype? dtype))

(defn- largest
  "The largest finite magnitude of an array of floats, at least 1."
  [{:keys [^doubles data]}]
  (areduce data i m 1.0
           (let [x (Math/abs (aget data i))] (if (< m x ##Inf) x m))))

(defn- finite? [{:keys [data] :as a}]
  (or (not (floats? a))
      (let [^doubles data data, n (alength data)]
        (loop [i 0] (or (= i n) (and (Double/isFinite (aget data i)) (recur (inc i))))))))

(defn- first-apart
  "The first element at which two arrays of floats are further apart than `far`; NaN is NaN."
  [{^doubles xs :data} {^doubles ys :data} far]
  (let [n (alength xs), far (double far)]
    (loop [i 0]
      (when (< i n)
        (let [x (aget xs i), y (aget ys i)]
          (if (or (== x y) (<= (Math/abs (- x y)) far) (and (Double/isNaN x) (Double/isNaN y)))
            (recur (inc i))
            i))))))

(defn- first-different
  "The first element in which two arrays that are not of floats differ."
  [x y]
  (first (remove #(= (array/element x %) (array/element y %)) (range (array/size (:shape x))))))

(defn- arrays
  "The arrays of a value: itself, or those of a node of several results, whose parts are compared."
  [value]
  (if (vector? value) value [value]))

(defn- difference
  "{:element :expected :given} of the first element in which two arrays differ by more than the
  bound, or nil. `near` are arrays whose magnitude counts."
  [kind expected given near]
  (cond (identical? expected given) nil
        (not= (array/type-of expected) (array/type-of given))
        {:element 0, :expected (array/type-of expected), :given (array/type-of given)}
        :else
        (when-let [i (if (floats? expected)
                       (let [scale (reduce max (map largest (filter floats? (list* expected given
                                                                                   near))))]
                         (first-apart expected given
                                      (* (get-in bounds [(:dtype expected) kind]) scale)))
                       (first-different expected given))]
          {:element i, :expected (array/element expected i), :given (array/element given i)})))

;; ## Saying what is wrong

(defn- blame!
  "Fails: node `id` of a graph has a wrong value."
  [kind what g id {:keys [element expected given]} data advice]
  (let [facts (note/facts g id)]
    (fail! kind
           (str "debug: " what "\n  element " element " (row-major) of " (pr-str (:type facts))
                " should be " (pr-str expected) ", is " (pr-str given) (fail/facts-text facts))
           (merge facts {:element element, :expected expected, :given given, :try advice} data))))

;; ## Rules: the graph before and after each sweep

(defn- rule-text
  "What changed a value: the rules that fired, with what they replaced, or the whole sweep."
  [firings what]
  (if (empty? firings)
    (str what " changed a value")
    (apply str "the rule " (str/join ", then " (map :rule firings)) " changed a value"
           (for [{:keys [rule before after]} firings]
             (str "\n  " rule ": " (pr-str before) " => " (pr-str after))))))

(defn- check-node!
  "Fails when the value of an old node is not that of the node it became, unless infinities or NaN
  took part: rules may keep finite values only. Returns whether they did."
  [{old :graph, old-values :values} {:keys [ids fired values what]} tainted id]
  (let [args (graph/args-of (nth (:nodes old) id)), x (old-values id), y (values (ids id))
        near (mapcat arrays (keep old-values args))
        unsafe? (or (some tainted args) (not-every? finite? (concat (arrays x) near)))
        firings (trace/of-node fired (ids id))]
    (when-let [d (and (not unsafe?) y (not (vector? x)) (difference :rule x y near))]
      (blame! :damo.debug/wrong-rule (rule-text firings what) old id d
              {:rules (mapv :rule firings), :firings firings}
              (if (seq firings)
                (str "{:mode {:mode :fast-run :exclude " (set (map :rule firings)) "}}")
                "{:mode :fast-compile}")))
    unsafe?))

(defn- check-stage! [from {:keys [ids graph values] :as to}]
  (if ids
    (reduce (fn [tainted id]
              (if (and (ids id) (check-node! from to tainted id)) (conj tainted id) tainted))
            #{} (graph/live (:graph from)))
    (doseq [[a b] (map vector (:outputs (:graph from)) (:outputs graph))
            :let [x ((:values from) a), d (difference :rule x (values b) [])]
            :when (and d (finite? x))]
      (blame! :damo.debug/wrong-expansion (str (:what to) " changed an output") graph b d {}
              "d/eval of its parts, to find the composite op"))))

;; ## Machine code, op by op

(defn- every-node
  "The graph with all its live values as outputs."
  [g]
  (assoc g :outputs (filterv #(not (or (= :leaf (op/kind (graph/op-at g %)))
                                       (tuple/type? (graph/type-of g %))))
                             (graph/live g))))

(defn- zero-states [state]
  (into {} (for [[s [dtype shape]] state]
             [s (State/of (str s) (Tensor/zeros (DType/of (name dtype)) (long-array shape))
                          (boolean-array 0))])))

(defn- node-machine
  "A function from {name array} to {id array} of all nodes of a graph, each computed by machine
  code and kept in memory."
  [g {:keys [inputs state] :as spec}]
  (let [{:keys [outputs] :as g} (every-node g)
        cells (zero-states state)
        {:keys [^Function function]}
        (pipeline/compiled g (assoc spec :mode :none, :states cells, :updates {}
                               :outputs (mapv str outputs)))]
    (fn [env]
      (doseq [[s ^State cell] cells] (.set cell (transfer/->tensor (env s))))
      (zipmap outputs
              (map transfer/->array
                   (.call function (to-array (map (comp transfer/->tensor env first) inputs))))))))

(defn- check-ops!
  "Fails when the machine code of a node gives another value than its meaning does on the same
  arguments."
  [g env machine-values]
  (let [values (eval/all-values g env machine-values)]
    (doseq [id (sort (keys machine-values))
            :let [near (mapcat arrays (keep values (graph/args-at g id)))
                  d (difference :op (values id) (machine-values id) near)]
            :when d]
      (blame! :damo.debug/wrong-op (str "the machine code of the op "
                                    (name (graph/op-of (nth (:nodes g) id))) " is wrong")
              g id d {:arguments (mapv array/type-of near)} "report it with this message"))))

(defn- check-results! [g ids what machine-values results]
  (doseq [[id result] (map vector ids results)
          :let [x (machine-values id)
                d (when x (difference :rule x result []))]
          :when (and d (finite? x))]
    (blame! :damo.debug/wrong-fusion
            (str what " differs from its value computed op by op: the fusion of loops, the order of"
                 " steps or an update in place is at fault")
            g id d {} "report it with this message")))

;; ## Around a call

(defn- check-deterministic! [g spec]
  (let [programs (repeatedly 2 #(:program (pipeline/program-of g spec)))]
    (when-not (apply = programs)
      (fail! :damo.debug/not-deterministic "debug: compiling the same graph twice gave two programs"
             {:programs (vec programs)}))))

(defn- check-unchanged! [env inputs tensors]
  (doseq [[[input] t] (map vector inputs tensors)
          :when (and (instance? Tensor t) (difference :op (env input) (transfer/->array t) []))]
    (fail! :damo.debug/input-written
           (str "debug: the call wrote to its input " input) {:input input})))

(defn- evaluated
  "The stages with the :values of their nodes; those in common are computed once."
  [stages env]
  (let [remember (eval/remembering), as-it-is (fn [_ _ value] value)]
    (mapv #(assoc % :values (eval/all-values (:graph %) env {} as-it-is remember)) stages)))

(defn- check-call!
  "Checks one call; `env` has the inputs and the old states, `new-states` is asked afterwards."
  [{:keys [stages machine]} env returned results new-states]
  (let [stages (evaluated stages env), g (:graph (peek stages))
        machine-values (machine env)
        value-of #(or (machine-values %) ((:values (peek stages)) %))]
    (run! (partial apply check-stage!) (partition 2 1 stages))
    (check-ops! g env machine-values)
    (let [[outputs updates] (split-at returned (:outputs g))]
      (check-results! g outputs "an output" value-of results)
      (check-results! g updates "the new value of a state" value-of (new-states)))))

(defn checks
  "A function (fn [call tensors] …) to run around each call of a compiled graph: `tensors` are the
  arguments in the order of the inputs, (call) gives the output tensors. `spec` is as
  damo.compile.pipeline takes it, with the :states of the function."
  [g {:keys [inputs state outputs updates states mode] :as spec}]
  (check-deterministic! g spec)
  (let [whole #(-> % (plan/with-leaves :input inputs) (plan/with-leaves :shared state))
        steps (mapv #(update % :graph whole) (pipeline/stages g mode))
        parts {:stages steps, :machine (node-machine (:graph (peek steps)) spec)}
        updated (map key (sort-by val updates))
        now (fn [] (update-vals states (fn [^State s] (transfer/->array (.value s)))))]
    (fn [call tensors]
      (let [env (into (now) (map (fn [[input] t] [input (transfer/->array t)]) inputs tensors))
            results (call)]
        (check-call! parts env (count outputs) (map transfer/->array results)
                     #(map (now) updated))
        (check-unchanged! env inputs tensors)
        results))))
