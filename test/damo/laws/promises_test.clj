(ns damo.laws.promises-test
  "Each rule keeps values as it promises, over the whole range of each float dtype."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.rules.promises :as promises]
            [damo.rules.blas :as blas]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private rules
  (vals (into (sorted-map) (map (juxt :name identity))
              (mapcat :rules [stabilize/rules specialize/rules blas/rules]))))

(deftest rules-keep-what-they-promise
  (doseq [rule rules]
    (is (nil? (promises/counterexample rule))
        (str (:name rule) " promises " (:keeps rule) " but where " (:except rule "nothing")
             "; state in :except where it cannot be kept, or another promise"))))
