(ns damo.laws.guards-test
  "Every guard of every rule is needed: a rule is not applied to the forms that it says it refuses,
  and for each of its guards it would be to one of them if that guard were not there."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.rules.guards :as guards]
            [damo.ops.all]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private guarded
  (vals (into (sorted-map)
              (comp (mapcat :rules) (filter (comp seq :guards)) (map (juxt :name identity)))
              [stabilize/rules specialize/rules blas/rules])))

(deftest rules-refuse-what-their-guards-are-for
  (doseq [{:keys [refuses] :as rule} guarded, refused refuses]
    (is (not (guards/fires? rule refused)) (str (:name rule) " on " (pr-str refused)))))

(def ^:private unseen
  "Rules whose guards ask what other rules would do, and one that keeps what may fail in any case."
  #{:common-factor :common-factor-of-difference :specify-same})

(deftest every-guard-is-needed
  (doseq [rule guarded :when (not (unseen (:name rule)))]
    (is (= [] (guards/useless rule))
        (str (:name rule) ": for each guard, counted from 0, :refuses needs a form that it alone"
             " keeps the rule from"))))
