(ns damo.laws.ops-test
  "Laws over the registry: what holds for every op, on generated calls of all dtypes and awkward
  sizes. A new op needs no test file; it is found here."
  (:require [clojure.test :refer [deftest is]]
            [damo.laws.entry :as laws]
            [damo.laws.modes :as modes]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- entries
  "The entries that satisfy pred, by name; leaves are never among them."
  [pred]
  (sort-by :name (filter #(and (not (#{:leaf :part} (:kind %))) (pred %)) (vals @op/registry))))

(defn- holds
  "Asserts the law of that name for every op to which it applies."
  [law-name]
  (let [{:keys [applies check]} (first (filter #(= law-name (:name %)) laws/laws))]
    (doseq [{:keys [name] :as entry} (entries applies)]
      (is (empty? (check entry)) (str name)))))

(deftest entries-are-complete (holds :complete))
(deftest every-op-takes-some-dtype (holds :takes-some-dtype))
(deftest examples-hold (holds :examples))
(deftest declared-types-are-the-types-of-values (holds :types))
(deftest normal-attributes-stay (holds :normal-attributes))
(deftest commuting-arguments-may-be-swapped (holds :commutes))
(deftest expansions-mean-the-same (holds :expansion))
(deftest symbolic-dimensions-give-the-same-types-and-values (holds :symbolic-dimensions))
(deftest graphs-of-all-ops-survive-edn (holds :edn))
(deftest views-address-the-elements-that-they-mean (holds :view))
(deftest dense-arrays-are-viewed-without-a-copy (holds :view-of-dense))
(deftest scalar-templates-use-instructions-of-the-table (holds :scalar-instructions))
(deftest scalar-templates-mean-what-eval-says (holds :scalar))
(deftest partials-are-slopes (holds :slopes))

(deftest both-modes-of-every-op
  (doseq [{:keys [name]} (entries modes/differentiable?)]
    (is (empty? (modes/problems-of name)) (str name))))
