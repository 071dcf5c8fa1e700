(ns damo.compile.debug
  "The mode :debug: each call computes everything again by the reference interpreter and names the
  first thing that is wrong: the rule that changed a value, the op whose machine code disagrees with
  its meaning, the fusion or update in place that lost something, an input that was written to. In:
  a graph and what it was compiled for. Out: a function that is run around each call.
  ((checks graph spec) call inputs states) is (call), or a failure that names the culprit."
  (:require [clojure.string :as str]
            [damo.compile.debug.inside :as inside]
            [damo.compile.debug.unlike :refer [arrays blame! difference finite?]]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan :as plan]
            [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.transfer :as transfer]
            [damo.data.tuple :as tuple]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.rule.trace :as trace])
  (:import [damo.runtime Function State]
           [damo.tensor DType Tensor]))

(set! *warn-on-reflection* true)

;; ## The reference

(defn- values-of
  "The values of the nodes of a graph; those that several have in common are computed once by what
  they `remember`."
  [g env dims remember]
  (eval/all-values g env {} (fn [_ _ value] value) remember dims))

;; ## Rules: the graph before and after each sweep

(defn- rule-text
  "What changed a value: the rules that fired, with what they replaced, or the whole sweep."
  [firings what]
  (if (empty? firings)
    (str what " changed a value")
    (apply str "the rule " (str/join ", then " (map :rule firings)) " changed a value"
           (for [{:keys [rule before after]} firings]
             (str "\n  " rule ": " (pr-str before) " => " (pr-str after))))))

(declare check-stage!)

(defn- firings
  "The rules that gave node `id`, or what it is a result of, or fired in a graph in that."
  [{:keys [graph fired]} id]
  (when id
    (let [[op _ a] (graph/node-at graph id)]
      (cond->> (trace/of-node fired id)
        (= :part (op/kind op)) (into (trace/of-node fired a))))))

(defn- below
  "The entries of a trace of what fired in the graph in node `id` that a step leads to."
  [fired id step]
  (for [{:keys [path] :as entry} fired :when (= [id step] (take 2 path))]
    (assoc entry :path (vec (drop 2 path)))))

(defn- same-place?
  "Is all that two nodes say of the graphs in them equal, but for the one that a path leads to?"
  [a b path]
  (= (assoc-in (graph/attrs-of a) path nil) (assoc-in (graph/attrs-of b) path nil)))

(defn- check-run!
  "Fails when a rule changed a value in a graph that the old node `h` ran, now that of node `now`."
  [{:keys [dims]} {:keys [deeper fired] :as to} h now {:keys [step body env]}]
  (let [values #(values-of % env dims (eval/remembering))
        after (inside/noted (:graph to) now (body/way step))]
    (check-stage! {:graph body, :dims dims, :values (values body)}
                  (merge to (select-keys (deeper h step) [:ids :deeper])
                         {:graph after, :values (values after)
                          :fired (below fired now step)}))))

(defn- check-inside!
  "Fails when, in a graph that gave the old node, which was run by a loop or a branch, a rule
  changed a value. Where the node became another one, that is not asked."
  [{old :graph, :keys [values dims] :as from} {:keys [ids deeper] new-graph :graph, :as to} id]
  (let [h (inside/holder old id), now (some-> h ids)]
    (when (and now deeper)
      (doseq [{:keys [step] :as run} (inside/runs old h values dims)
              :when (same-place? (graph/node-at old h) (graph/node-at new-graph now)
                                 (body/way step))]
        (inside/telling old h run #(check-run! from to h now run))))))

(defn- check-node!
  "Fails when the value of an old node is not that of the node it became, unless infinities or NaN
  took part: rules may keep finite values only. Returns whether they did."
  [{old :graph, old-values :values, :as from} {:keys [ids values what] :as to} tainted id]
  (let [args (graph/args-of (nth (:nodes old) id)), x (old-values id), y (values (ids id))
        near (mapcat arrays (keep old-values args))
        unsafe? (or (some tainted args) (not-every? finite? (concat (arrays x) near)))]
    (when-let [d (and (not unsafe?) y (not (vector? x)) (difference :rule x y near))]
      (check-inside! from to id)
      (let [fired (firings to (ids id))]
        (blame! :damo.debug/wrong-rule (rule-text fired what) old id d
                {:rules (mapv :rule fired), :firings fired}
                (if (seq fired)
                  (str "{:mode {:mode :fast-run :exclude " (set (map :rule fired)) "}}")
                  "{:mode :fast-compile}"))))
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

(declare check-ops!)

(defn- check-runs!
  "Fails when the machine code of a node in a graph that a loop or a branch ran gives another value
  than its meaning, compiled by itself."
  [g id values dims spec]
  (doseq [{:keys [body env] :as run} (inside/runs g id values dims)
          :let [alone (inside/alone body dims), env (update-keys env inside/input)
                machine (node-machine alone (assoc spec :state [], :inputs (inside/inputs alone)))]]
    (inside/telling g id run #(check-ops! alone env (machine env) {} spec))))

(defn- bound-of
  "How close the machine code of a node must come: rounding grows from round to round."
  [holder]
  (if holder :rule :op))

(defn- check-ops!
  "Fails when the machine code of a node gives another value than its meaning does on the same
  arguments."
  [g env machine-values dims spec]
  (let [values (eval/all-values g env machine-values)
        value-of #(or (machine-values %) (values %))]
    (doseq [id (sort (keys machine-values))
            :let [near (mapcat arrays (keep values (graph/args-at g id)))
                  holder (inside/holder g id)
                  d (difference (bound-of holder) (values id) (machine-values id) near)]
            :when d]
      (when holder (check-runs! g holder value-of (inside/dims g values dims) spec))
      (blame! :damo.debug/wrong-op
              (str "the machine code of the op " (name (graph/op-at g (or holder id))) " is wrong")
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

(defn- check-deterministic!
  "Programs are equal as nodes of graphs are: NaN is NaN, 0.0 is not -0.0."
  [g spec]
  (let [[p q :as programs] (repeatedly 2 #(:program (pipeline/program-of g spec)))]
    (when-not (.equals ^Object p q)
      (fail! :damo.debug/not-deterministic "debug: compiling the same graph twice gave two programs"
             {:programs (vec programs)}))))

(defn- check-unchanged! [env inputs tensors]
  (doseq [[[input] t] (map vector inputs tensors)
          :when (and (instance? Tensor t) (difference :op (env input) (transfer/->array t) []))]
    (fail! :damo.debug/input-written
           (str "debug: the call wrote to its input " input) {:input input})))

(defn- evaluated
  "The stages with the :values of their nodes and the :dims; those in common are computed once."
  [stages env]
  (let [remember (eval/remembering)]
    (mapv (fn [{:keys [graph] :as stage}]
            (let [values (values-of graph env {} remember)]
              (assoc stage :values values, :dims (inside/dims graph values {}))))
          stages)))

(defn- check-call!
  "Checks one call; `env` has the inputs and the old states, `new-states` is asked afterwards."
  [{:keys [stages machine spec]} env returned results new-states]
  (let [stages (evaluated stages env), g (:graph (peek stages))
        machine-values (machine env)
        value-of #(or (machine-values %) ((:values (peek stages)) %))]
    (run! (partial apply check-stage!) (partition 2 1 stages))
    (check-ops! g env machine-values {} spec)
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
        parts {:stages steps, :spec spec, :machine (node-machine (:graph (peek steps)) spec)}
        updated (map key (sort-by val updates))
        now (fn [] (update-vals states (fn [^State s] (transfer/->array (.value s)))))]
    (fn [call tensors]
      (let [env (into (now) (map (fn [[input] t] [input (transfer/->array t)]) inputs tensors))
            results (call)]
        (check-call! parts env (count outputs) (map transfer/->array results)
                     #(map (now) updated))
        (check-unchanged! env inputs tensors)
        results))))
