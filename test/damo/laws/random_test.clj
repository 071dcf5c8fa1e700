(ns damo.laws.random-test
  "The compiler against the reference interpreter on random graphs: every output and every updated
  state of a compiled function, in several modes, called with several sizes, is what the interpreter
  says. A failure prints the smallest graph found, as EDN that damo.laws.fuzz/replay takes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.laws.graphs :as graphs]
            [damo.laws.random :as random]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(deftest compiled-graphs-agree-with-the-reference
  (is (nil? (random/check-recipes graphs/graph {} 20 20260727))))

(deftest compiled-graphs-of-all-ops-agree-with-the-reference
  (is (nil? (random/check-recipes graphs/graph {:registry true} 30 20260730))))

(deftest compiled-gradients-agree-with-the-reference
  (is (nil? (random/check-recipes graphs/gradients {:smooth true} 15 20260728))))

(deftest compiled-graphs-with-loops-and-branches-agree-with-the-reference
  (is (nil? (random/check-recipes graphs/graph {:holders true} 20 20261203)))
  (is (nil? (random/check-recipes graphs/gradients {:smooth true, :holders true} 6 20261204))))

(deftest fuzzing-goes-on-and-stops
  (let [lines (atom [])]
    (is (= {:passed 1, :failed 0} (random/fuzz! 0 1 #(swap! lines conj %))))
    (testing "at the first graph that fails, which it reports"
      (with-redefs [running/call! (fn [_ _] [])]
        (is (= {:passed 0, :failed 1} (random/fuzz! 1 1 #(swap! lines conj %)))))
      (is (str/includes? (peek @lines) "(damo.laws.fuzz/replay '{:graph {:nodes [")))))

(deftest all-ops-are-drawn
  (is (empty? (remove (random/drawn 900 20260801) (random/ops)))))

;; ## Gradients against finite differences

(defn- moved
  "The environment with step · direction added to the leaves that have directions."
  [env directions step]
  (reduce-kv (fn [env s v]
               (update env s #(array/map-elements :f64 (fn [x d] (+ x (* step d))) [% v])))
             env directions))

(defn- cost-at [graph env]
  (first (array/values (first (eval/run (update graph :outputs subvec 0 1) env)))))

(defn- magnitude [values]
  (transduce (comp (remove nil?) (mapcat array/values) (filter float?) (map abs)
                   (filter #(< % ##Inf)))
             max 1.0 values))

(defn- slopes
  "[by-gradient by-differences scale] of the cost of a graph of gradients along a random direction."
  [{:keys [graph wrt]} seed]
  (let [env (graphs/env seed '{n 3, m 2} :fractions true)
        directions (select-keys (graphs/env (inc seed) '{n 3, m 2} :fractions true) wrt)
        values (eval/all-values graph env)
        grads (map values (rest (:outputs graph)))
        inner (fn [x y] (reduce + (map * (array/values x) (array/values y))))
        step 1e-5]
    [(reduce + (map #(inner %1 (directions %2)) grads wrt))
     (/ (- (cost-at graph (moved env directions step))
           (cost-at graph (moved env directions (- step))))
        (* 2 step))
     (magnitude values)]))

(deftest gradients-are-slopes
  (doseq [[k recipe] (map-indexed vector (graphs/recipes 40 20260729))
          :let [g (graphs/gradients (assoc recipe :smooth true, :single false))
                {[by-gradient by-differences scale] :values} (running/outcome #(slopes g k))]
          :when scale]
    (is (< (abs (- by-gradient by-differences)) (* 1e-4 scale)) (pr-str recipe))))
