(ns damo.rule.index
  "Which rules may apply to a node: found by the op at the head of a rule and by the ops of the
  arguments, so that what rules there are besides costs nothing. The answer for each combination of
  ops is worked out once and kept.
  (candidates (of-op index :log) [:add] nil (settled index #{})) = [candidate …], in their order."
  (:require [damo.op :as op]
            [damo.rule :as rule]
            [damo.rule.factors :as factors]
            [damo.rule.pattern :as pattern]
            [damo.rule.through :as through])
  (:import [java.util List]
           [java.util.concurrent ConcurrentHashMap]))

(set! *warn-on-reflection* true)

;; A rule that may apply, with the variants of its left side that may match, and its `place` in the
;; order of all rules of the op.
(deftype Candidate [place rule])

;; The rules of an op as candidates, the ops of which views are looked for, and the answers so far.
(deftype OfOp [all ops known])

;; Rules that need not be tried, by their names; `all?` says that these are all of an index.
(deftype Settled [names all?])

(deftype Index [rules names by-head known settled])

(defn index
  "The index of rules; filled as it is asked, and safe for many threads."
  [rules]
  (let [rules (vec rules)]
    (->Index rules (into #{} (map :name) rules) (group-by :head rules)
             (ConcurrentHashMap.) (ConcurrentHashMap.))))

(defn- computed
  "The value of a key of a map of known answers, made by (f) when it is missing. All are forgotten
  when there would be more than so many."
  [^ConcurrentHashMap known most k f]
  (or (.get known k)
      (do (when (<= (long most) (.size known)) (.clear known))
          (let [x (f)] (.put known k x) x))))

(def ^:private indexes
  "The indices made so far, by rule sets and options: those of the modes are made once."
  (ConcurrentHashMap.))

(def ^:private most-indexes "How many of them are kept; then they are forgotten." 64)

(defn of-sets
  "The index of the rules of these sets that run with the options, as rule/wanted has them."
  ^Index [rule-sets opts]
  (let [opts (select-keys opts [:include :exclude :regroup])]
    (computed indexes most-indexes [rule-sets opts]
              #(index (keep (fn [rule] (rule/wanted opts rule)) (mapcat :rules rule-sets))))))

(defn rules-of "The rules of an index." [^Index index] (.rules index))

(defn names-of "The names of the rules of an index, a set." [^Index index] (.names index))

(defn settled
  "The rules of these names, to be left out by `candidates`."
  ^Settled [^Index index names]
  (computed (.settled index) most-indexes names #(->Settled names (every? names (.names index)))))

(defn all-settled? "Are these all rules of the index?" [^Settled settled] (.all? settled))

(def ^:private most-known
  "How many answers are kept for an op; then they are forgotten."
  10000)

(defn of-op
  "What an index knows of an op."
  ^OfOp [^Index index op]
  (computed (.known index) most-known op
            #(let [heads [op [:within (factors/group-of op)] (op/kind op) :any]
                   {:keys [rules ops]} (through/selected (into [] (mapcat (.by-head index)) heads))]
               (->OfOp (into [] (map-indexed ->Candidate) rules) ops (ConcurrentHashMap.)))))

(defn rule-at "The rule of an op in that place." [^OfOp of-op place]
  (.rule ^Candidate (nth (.all of-op) place)))

(defn- left-out? [^Settled settled ^Candidate c] (contains? (.names settled) (:name (.rule c))))

(defn first-through
  "The place of the first rule of an op that looks through views, but for settled ones; nil where
  there is none."
  [^OfOp of-op settled]
  (let [place (computed (.known of-op) most-known settled
                        #(or (some (fn [^Candidate c]
                                     (when (and (:through (.rule c)) (not (left-out? settled c)))
                                       (.place c)))
                                   (.all of-op))
                             -1))]
    (when (<= 0 (long place)) place)))

(defn viewed-ops "The ops of which views are looked for." [^OfOp of-op] (.ops of-op))

;; ## Members of products and sums

(defn- either-way?
  "Do members of these ops, on the two sides of a node, fit the heads of a rule about two members?"
  [[p q] [left right]]
  (let [fits? (fn [head ops] (or (nil? head) (contains? ops head)))]
    (or (and (fits? p left) (fits? q right))
        (and (fits? q left) (fits? p right)))))

;; ## Candidates

(defn- narrowed
  "The candidate with the variants that may match, nil when there are none."
  [arg-ops sides ^Candidate c]
  (let [{:keys [within heads variants] :as rule} (.rule c)]
    (if within
      (when (either-way? heads sides) c)
      (when-let [fitting (seq (filter #(pattern/may-fit? % arg-ops) variants))]
        (->Candidate (.place c) (assoc rule :variants (vec fitting)))))))

(defn candidates
  "The rules that may apply to a node of an op whose arguments have these ops (the first three of
  them), in their order: a vector of `Candidate`s. `sides` are, for nodes that are products or sums,
  the sets of ops of the members of both sides, see factors/ops-of. Settled rules are left out."
  [^OfOp of-op ^List arg-ops sides settled]
  (computed (.known of-op) most-known (List/of arg-ops (or sides :none) settled)
            #(into [] (comp (remove (fn [c] (left-out? settled c)))
                            (keep (fn [c] (narrowed arg-ops sides c))))
                   (.all of-op))))
