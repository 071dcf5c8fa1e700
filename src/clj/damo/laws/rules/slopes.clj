(ns damo.laws.rules.slopes
  "Whether both sides of a rule have the same derivatives, at operands of moderate size: a graph may
  be differentiated before its rules ran, or after.
  (different rule) is empty for a rule that keeps them."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.rules.examples :as examples]
            [damo.laws.rules.instances :as instances]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- float-inputs [{:keys [nodes]}]
  (for [[op {:keys [name], [dtype :as type] :type}] nodes
        :when (and (#{:input :shared} op) (type/float-dtype? dtype))]
    [name type]))

(defn- gradients
  "The graph of the gradients of the sum of a graph's output by these inputs, zeros by those that it
  does not have; nil where there is no derivative."
  [g inputs]
  (try
    (let [b (graph/builder), emit (op/emitter b nil), ids (graph/load-graph! b g)
          cost (op/instantiate! emit {'?y (ids (first (:outputs g)))} [:sum '?y])
          wrt (mapv (fn [[name type]] (emit :input {:name name, :type type} [])) inputs)
          {:keys [graph grads]} (diff/grad (graph/finish b []) cost wrt {:disconnected :ignore})]
      (assoc graph :outputs grads))
    (catch clojure.lang.ExceptionInfo _)))

(defn- apart? [x y]
  (and (examples/finite? x) (examples/finite? y)
       (< (* 1e-6 (+ 1.0 (abs (double x)))) (abs (- (double x) (double y))))))

(defn- differences
  "[input of-written of-made] where the gradients of the sides of an instance differ."
  [{:keys [written made] {:keys [gen]} :rule} ^Random random]
  (let [inputs (float-inputs written), [g h] (map #(gradients % inputs) [written made])]
    (when (and (seq inputs) g h (type/float-dtype? (first (first (examples/output-types written)))))
      (let [env (examples/environment written gen random false)]
        (for [[[name] x y] (map vector inputs (eval/run g env) (eval/run h env))
              [a b] (map vector (array/values x) (array/values y)) :when (apart? a b)]
          [name a b])))))

(defn different
  "Examples of a rule whose two sides have different derivatives, as texts."
  [{:keys [types examples] :as rule}]
  (for [[left] examples
        instance (instances/instances rule types left)
        seed (range 3)
        [name a b] (take 1 (differences instance (Random. seed)))]
    (str "the derivative of " (pr-str left) " by " name " is " a ", of what it becomes " b)))
