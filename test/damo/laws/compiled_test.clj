(ns damo.laws.compiled-test
  "Every op of the registry, compiled, against the reference interpreter; see damo.laws.compiled."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.laws.compiled :as compiled]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- ops []
  (sort (for [[op {:keys [kind]}] @op/registry :when (not (#{:leaf :part} kind))] op)))

(defn- dtypes-of
  "The dtypes that an op is tried with: all; of functions of thousands of instructions, which
  compile for seconds and compute as :f64 whatever they are given, some."
  [op]
  (if (#{'damo.ops.math.gamma 'damo.ops.math.beta 'damo.ops.math.bessel 'damo.ops.math.incomplete
         'damo.ops.random.implicit}
       (symbol (str (:ns (op/entry op)))))
    [:f64 :f32 :f16 :i32]
    compiled/dtypes))

(deftest every-op-compiles-to-what-it-means
  (doseq [[op found] (pmap (fn [op] [op (doall (mapcat #(compiled/check-op op %) (dtypes-of op)))])
                           (ops))]
    (is (empty? found) (str op))))

(deftest large-arrays
  (testing "sizes beyond any vector width and remainder"
    (is (empty? (keep compiled/check-large (ops))))))
