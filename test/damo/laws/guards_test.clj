(ns damo.laws.guards-test
  "Every guard of every rule is needed: a rule is not applied to the forms that it says it refuses,
  and for each of its guards it would be to one of them if that guard were not there."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.examples :as examples]
            [damo.ops.all]
            [damo.rule.engine :as rewrite]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private guarded
  (vals (into (sorted-map)
              (comp (mapcat :rules) (filter (comp seq :guards)) (map (juxt :name identity)))
              [stabilize/rules specialize/rules blas/rules])))

(defn- fires?
  "Is the rule applied somewhere in a form, or does it try to?"
  [{:keys [types] :as rule} [form own-types]]
  (let [g (examples/example-graph (merge types own-types) (examples/names-in form) form)]
    (try (->> (rewrite/run g (examples/alone rule) examples/all-promises)
              :trace (some (some-fn :id :stopped)) boolean)
         (catch Exception _ true)
         (catch StackOverflowError _ true))))

(defn- without [guards k] (into (subvec guards 0 k) (subvec guards (inc (long k)))))

(defn useless-guards
  "The numbers of the guards of a rule without which it would still refuse all that it refuses."
  [{:keys [guards refuses] :as rule}]
  (remove (fn [k] (some #(fires? (assoc rule :guards (without guards k)) %) refuses))
          (range (count guards))))

(deftest rules-refuse-what-their-guards-are-for
  (doseq [{:keys [refuses] :as rule} guarded, refused refuses]
    (is (not (fires? rule refused)) (str (:name rule) " on " (pr-str refused)))))

(def ^:private unseen
  "Rules whose guards ask what other rules would do, and one that keeps what may fail in any case."
  #{:common-factor :common-factor-of-difference :specify-same})

(deftest every-guard-is-needed
  (doseq [rule guarded :when (not (unseen (:name rule)))]
    (is (= [] (useless-guards rule))
        (str (:name rule) ": for each guard, counted from 0, :refuses needs a form that it alone"
             " keeps the rule from"))))
