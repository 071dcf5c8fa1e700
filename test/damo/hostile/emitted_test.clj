(ns damo.hostile.emitted-test
  "Programs that the compiler emits, of all ops and of random graphs, with a few places changed:
  they are refused, or run inside their memory with the same results on one thread and on two.
  DAMO_ATTACKS sets the number of changed programs, all ops and graphs take part when it is told."
  (:require [clojure.edn :as edn]
            [clojure.test :refer [deftest is]]
            [damo.compile.pass :as pass]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan :as plan]
            [damo.data.graph :as graph]
            [damo.hostile.alter :as alter]
            [damo.hostile.attack :as attack]
            [damo.laws.compiled :as compiled]
            [damo.laws.graphs :as graphs]
            [damo.laws.random :as random]
            [damo.laws.regions :as regions])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private told (some-> (System/getenv "DAMO_ATTACKS") parse-long))
(def ^:private attacks (or told 150))

;; ## What the compiler emits

(defn- leaves [g op]
  (vec (sort-by (comp str first)
                (for [id (graph/live g) :let [[o {:keys [name type]}] (nth (:nodes g) id)]
                      :when (= o op)]
                  [name type]))))

(defn- program
  "The program of a graph, with rules or without; nil where there is none."
  [{:keys [graph updates]} rules]
  (let [spec {:name "law", :inputs (leaves graph :input), :state (leaves graph :shared)
              :updates (or updates {})
              :outputs (map str (range (apply min (count (:outputs graph)) (vals updates))))}]
    (try
      (edn/read-string
       (pipeline/program-text
        (if rules
          (:program (pipeline/program-of graph (assoc spec :mode :fast-run)))
          (plan/program (pass/prepare graph) spec))))
      (catch clojure.lang.ExceptionInfo _ nil))))

(defn- of-op [op]
  (let [n (hash op)]
    (some (fn [dtype] (some-> (compiled/case-of op dtype 13 (mod n 7) true) (program (even? n))))
          [(nth [:f32 :f64 :f32 :i64] (mod n 4)) :f32 :bool])))

(def ^:private builds
  [[graphs/graph {:registry true}] [graphs/graph {}] [graphs/gradients {:smooth true}]
   [graphs/graph {:holders true}] [graphs/gradients {:holders true, :smooth true}]
   [regions/graph {:holders true}]])

(defn- of-recipe [k recipe]
  (let [[build options] (nth builds (mod k (count builds)))
        short (update recipe :steps #(vec (take 14 %)))]
    (some-> (try (build (merge short options)) (catch clojure.lang.ExceptionInfo _ nil))
            (program (odd? k)))))

(defn- corpus
  "Programs, most of ops when there are few."
  []
  (let [ops (sort (random/ops))]
    (filterv alter/short?
             (concat (keep of-op (if told ops (filter #(zero? (mod (hash %) 7)) ops)))
                     (keep-indexed of-recipe (graphs/recipes (if told 150 12) 77))))))

;; ## Changed

(deftest changed-programs-are-refused-or-mean-one-thing
  (attack/fine-grained
   (let [programs (corpus)
         found (for [seed (range attacks)
                     :let [random (Random. seed)
                           form (alter/altered random (nth programs (mod seed (count programs))))
                           dims (vec (repeatedly 3 #(nth [0 1 2 3 5 17 40 300]
                                                         (.nextInt random 8))))
                           result (try (attack/attack form {:dims dims, :seed seed})
                                       (catch Throwable e e))]]
                 (do (when-not (#{:ran :refused :large} result)
                       (is (nil? result) (str "seed " seed ": " (pr-str form) " " dims)))
                     result))]
     (is (< (quot attacks 20) (:ran (frequencies found))) "some are accepted"))))
