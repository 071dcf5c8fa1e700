(ns damo.laws.compiled-test
  "Every op of the registry, compiled, against the reference interpreter; see damo.laws.compiled."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.laws.compiled :as compiled]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- ops []
  (sort (for [[op {:keys [kind]}] @op/registry :when (not (#{:leaf :part} kind))] op)))

(def ^:private long-functions
  "Where the functions of thousands of instructions are, which compile for seconds and compute as
  :f64 whatever they are given."
  '#{damo.ops.math.gamma damo.ops.math.beta damo.ops.math.bessel damo.ops.math.incomplete
     damo.ops.random.implicit})

(defn- dtypes-of
  "The dtypes that an op is tried with: :f64, :f32 and, depending on its name, half of the others;
  `d/check-op` tries all."
  [op]
  (if (long-functions (symbol (str (:ns (op/entry op)))))
    [:f64 :f32 :f16 :i32]
    (into [:f64 :f32] (take-nth 2 (drop (+ 2 (mod (hash op) 2)) compiled/dtypes)))))

(deftest every-op-compiles-to-what-it-means
  (doseq [[op found] (pmap (fn [op] [op (doall (mapcat #(compiled/check-op op %) (dtypes-of op)))])
                           (ops))]
    (is (empty? found) (str op))))

(deftest large-arrays
  (testing "sizes beyond any vector width and remainder"
    (is (empty? (keep compiled/check-large (ops))))))
