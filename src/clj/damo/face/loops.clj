(ns damo.face.loops
  "Loops of which a condition decides how many rounds they make.
  (while-loop 1.0 (fn [x] (lt x 100)) (fn [x] (mul 2 x))) = 128.0."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.tree :as tree]
            [damo.face.calls :as calls]
            [damo.face.scan :as scan]
            [damo.face.scan.build :as build]
            [damo.face.scan.spec :as spec]
            [damo.face.scan.steps :as steps]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(def ^:private schemas
  (merge spec/of-loops {:on-limit {:default :fail, :is #{:fail :stop}}}))

(defn- states-of
  "The states of a loop as build/looped wants them, and the :skeleton that they form."
  [init]
  (let [{:keys [leaves skeleton]} (tree/taken-apart init)]
    {:skeleton skeleton
     :states (mapv (fn [leaf path]
                     {:leaf (expr/whole leaf), :taps [-1], :depth 1
                      :label (if (empty? path) "state" (spec/label path))})
                   leaves (tree/paths skeleton))}))

(defn- goes-on
  "Whether a loop goes on at a state, an expression."
  [condition state]
  (scan/condition "the condition of the loop"
                  (calls/of {:kind :damo.scan/wrong-arity, :what "the condition of the loop"
                             :takes "a function of the state, (fn [state] …)"}
                            condition [state])))

(defn- ends [condition state] (op/node :logical-not {} [(goes-on condition state)]))

(defn- round
  "A round: the next state, and whether it is the last."
  [skeleton condition body]
  (fn [_ rows fitted]
    (let [given (calls/of {:kind :damo.scan/wrong-arity, :what "the body of the loop"
                           :takes "a function of the state, (fn [state] …)"}
                          body [(tree/put-together skeleton (mapv first rows))])
          nexts (fitted (vec (tree/parts "the next state" skeleton given)))]
      {:next nexts, :outputs []
       :until (ends condition (tree/put-together skeleton nexts))})))

(defn- limited
  "The last states, which a call gives only where the condition does not hold any more."
  [leaves skeleton condition max-steps]
  (let [ended (ends condition (tree/put-together skeleton leaves))
        message (str "the loop has made :max-steps " (if (expr/expr? max-steps)
                                                       (expr/text max-steps)
                                                       (pr-str max-steps))
                     " steps, and its condition is true still")]
    (mapv #(op/node :assert {:message message} [% ended]) leaves)))

(defn while-loop
  "The state for which the condition is false first: init, (body init), (body (body init)) … The
  state is one array, or a map or vector of them, nested or not; condition and body are functions of
  it, to a truth value and to the next state. (while-loop {:i 0, :x 1.0} (fn [{:keys [i]}] (lt i
  10)) (fn [{:keys [i x]}] {:i (add i 1), :x (mul x x)})). A number as first value has the dtype
  that the body keeps. It is differentiated in both modes, whatever the number of steps.
  :max-steps k – a loop whose condition is true still after k steps fails;
  :on-limit :stop – it gives the state that it has come to;
  :checkpoints k, :checkpoint-every k, :memory-budget bytes, :truncate-gradient k: see
  docs/loops.md; :name for messages."
  [init condition-fn user-fn & options]
  (let [{:keys [max-steps on-limit unroll] :as options}
        (spec/check-options! (attribute/options schemas [] options))
        {:keys [states skeleton]} (states-of init)
        _ (when (empty? states)
            (fail! :damo.scan/wrong-form "the state of a loop has at least one array"
                   {:given init}))
        {:keys [traces]}
        (build/looped (merge {:steps nil, :needs []}
                             (when max-steps (steps/wanted ":max-steps" max-steps nil))
                             {:called (symbol (name (or (:name options) 'while-loop)))
                              :sequences [], :states states
                              :round (round skeleton condition-fn user-fn)
                              :unless #(ends condition-fn (tree/put-together skeleton %))
                              :grad (spec/grad-of options), :unroll unroll}))
        leaves (mapv scan/last-row traces)]
    (tree/put-together skeleton (if (and max-steps (= :fail on-limit))
                                  (limited leaves skeleton condition-fn max-steps)
                                  leaves))))
