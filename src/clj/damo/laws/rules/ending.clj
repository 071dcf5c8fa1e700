(ns damo.laws.rules.ending
  "Whether sweeps come to rest, whatever stands below and above the sides of rules: constants folded
  or not yet, negations, quotients. (stops g [rule-sets options]) has what the engine had to stop."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.rules.examples :as examples]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as engine]
            [damo.rule.trace :as trace])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn stops
  "What a sweep [rule-sets options] of a graph did not apply, as texts."
  [g [rule-sets opts]]
  (map trace/stop-text (filter :stopped (:trace (engine/run g rule-sets opts)))))

;; ## What stands in the place of names

(def ^:private constants
  "Forms of a 0-d constant c, most of them not folded yet."
  '[c [:neg c] [:neg [:neg c]] [:div 1 c] [:div c [:neg c]] [:mul c c] [:add c [:neg c]]
    [:sub 0 c] [:reciprocal c] [:exp c]])

(def ^:private around-name
  "Forms around an operand x, and a 0-d constant c of its dtype."
  '[[:neg x] [:div c x] [:div x c] [:neg [:div c x]] [:mul c x] [:mul [:neg c] x] [:sub c x]
    [:add x c] [:div [:neg c] x] [:div x [:neg x]]])

(def ^:private above
  "Forms above a whole example, y."
  '[[:neg y] [:div 1 y] [:div y [:neg 2.0]] [:mul [:neg 1.0] y] [:neg [:mean y]] [:sub 0 y]
    [:add [:neg 1.0] y]])

(defn- stand-ins
  "[bindings …] of the names of an example: the names themselves; every one replaced in one way;
  some replaced at random."
  [leaf-ids leaf-types emit ^Random random]
  (let [constant (fn [[dtype]] (emit :const {:type [dtype []]
                                             :value (if (type/float-dtype? dtype) 3.0 3)} []))
        made (fn [form s [_ shape :as type]]
               (try (op/instantiate! emit {'x (leaf-ids s), 'c (constant type)}
                                     (if (some #{'x} (flatten form))
                                       form
                                       [:broadcast-to {:shape shape} form]))
                    (catch clojure.lang.ExceptionInfo _ (leaf-ids s))))
        numeric? (fn [[dtype]] (not= :bool dtype))
        all (fn [choose]
              (into {} (for [[s type] leaf-types]
                         [s (if (numeric? type) (made (choose) s type) (leaf-ids s))])))
        forms (into constants around-name)]
    (concat [leaf-ids] (map #(all (constantly %)) forms)
            (repeatedly 1 #(all (fn [] (nth forms (.nextInt random (count forms)))))))))

(defn graph-of-sides
  "A graph whose outputs are the forms, with their names replaced in all those ways."
  [types forms seed]
  (let [b (graph/builder), emit (op/emitter b nil)
        names (distinct (mapcat examples/names-in forms))
        leaf-types (into {} (map (fn [s] [s (get types s [:f64 [2 3]])])) names)
        plain (fn [type] (if (= :shared (first type)) (second type) type))
        ids (into {} (map (fn [[s type]] [s (examples/leaf! b s type)])) leaf-types)
        built (fn [bindings form]
                (try (let [y (op/instantiate! emit bindings form)]
                       (into [y] (keep #(try (op/instantiate! emit {'y y} %)
                                             (catch clojure.lang.ExceptionInfo _)))
                             (when (= bindings ids) above)))
                     (catch clojure.lang.ExceptionInfo _)))]
    (graph/finish b (vec (for [bindings (stand-ins ids (update-vals leaf-types plain) emit
                                                   (Random. seed))
                               form forms, id (built bindings form)]
                           id)))))
