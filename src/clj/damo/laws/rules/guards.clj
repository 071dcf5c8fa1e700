(ns damo.laws.rules.guards
  "Whether the guards of a rule do what they are for: forms that the rule says it refuses are
  refused, and for each guard there is one that it alone keeps the rule from.
  (useless rule) is empty for a rule whose guards are all needed."
  (:require [damo.laws.rules.examples :as examples]
            [damo.ops.all]
            [damo.rule.engine :as engine]))

(set! *warn-on-reflection* true)

(defn fires?
  "Is the rule applied somewhere in a form, or does it try to?"
  [{:keys [types] :as rule} [form own-types]]
  (let [g (examples/example-graph (merge types own-types) (examples/names-in form) form)]
    (try (->> (engine/run g (examples/alone rule) examples/all-promises)
              :trace (some (some-fn :id :stopped)) boolean)
         (catch Exception _ true)
         (catch StackOverflowError _ true))))

(defn- without [guards k] (into (subvec guards 0 k) (subvec guards (inc (long k)))))

(defn useless
  "The numbers of the guards of a rule without which it would still refuse all that it refuses."
  [{:keys [guards refuses] :as rule}]
  (remove (fn [k] (some #(fires? (assoc rule :guards (without guards k)) %) refuses))
          (range (count guards))))
