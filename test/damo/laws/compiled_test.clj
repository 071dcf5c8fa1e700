(ns damo.laws.compiled-test
  "Every op of the registry, compiled, against the reference interpreter; see damo.laws.compiled."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.laws.compiled :as compiled]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- ops []
  (sort (for [[op {:keys [kind]}] @op/registry :when (not (#{:leaf :part} kind))] op)))

(deftest every-op-compiles-to-what-it-means
  (doseq [[op found] (pmap (fn [op]
                             [op (doall (mapcat #(compiled/check-op op %) compiled/dtypes))])
                           (ops))]
    (is (empty? found) (str op))))

(deftest large-arrays
  (testing "sizes beyond any vector width and remainder"
    (is (empty? (keep compiled/check-large (ops))))))
