(ns damo.laws.loops-test
  "Laws of loops and branches on random graphs: the interpreter makes rounds as the decision about
  them says; written out they are what they were; files, passes, rules and compiled code keep
  values."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.laws.graphs :as graphs]
            [damo.laws.rounds :as rounds]
            [damo.laws.running :as running]
            [damo.laws.unrolled :as unrolled]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(def ^:private extents '[{n 3, m 2} {n 0, m 3} {n 1, m 1}])

(defn- recipes [times options]
  (map #(merge % {:holders true} options) (graphs/recipes times 20261201)))

(defn- values
  "The values that (f) gives as text, or that it fails."
  [f]
  (let [{:keys [values]} (running/outcome f)]
    (if values (pr-str (mapv (juxt array/type-of array/nested) values)) :fails)))

(deftest the-interpreter-makes-rounds-as-the-decision-says
  (let [made (atom 0)]
    (doseq [[k recipe] (map-indexed vector (recipes 60 {}))
            :let [{g :graph} (graphs/graph recipe)], dims extents
            :let [env (graphs/env k dims), found (values #(eval/run g env))]]
      (when (string? found) (swap! made + (unrolled/loops g)))
      (is (= (values #(rounds/run g env)) found) (pr-str recipe dims)))
    (is (< 300 @made))))

(deftest loops-written-out-are-loops
  (doseq [[k recipe] (map-indexed vector (recipes 40 {}))
          :let [{g :graph} (graphs/graph recipe)], dims extents
          :let [env (graphs/env k dims), found (values #(eval/run g env))]
          :when (string? found)
          :let [{h :values} (running/outcome #(unrolled/unrolled g dims))] :when h]
    (is (= found (values #(eval/run h env))) (pr-str recipe dims))))
