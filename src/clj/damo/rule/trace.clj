(ns damo.rule.trace
  "What a trace says of the rules that fired: entries {:rule name, :before form, :after form, :id of
  the result, :made [id …]}; those of rules that were not applied have :stopped, a key of `stops`.
  (why trace graph 7) = the entries of the rules that made node 7."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- form-of [b id depth]
  (let [[op {:keys [name value]} & args] (graph/node b id)]
    (case op
      (:input :shared) name
      :const (if (vector? value) '… value)
      (if (zero? depth)
        '…
        (cons (symbol (clojure.core/name op)) (map #(form-of b % (dec depth)) args))))))

(defn shown
  "The node (op args) as a form, made when someone looks at it."
  [b op args]
  (lazy-seq (cons (symbol (clojure.core/name op)) (map #(form-of b % 2) args))))

(defn after
  "What stands in the place of a rewritten node, as a form."
  [b id]
  (let [[op _ & args] (graph/node b id)]
    (if (= :leaf (op/kind op)) (form-of b id 2) (shown b op (map identity args)))))

(def stops
  "Why a rule may not have been applied, though it matched."
  {:cycle "it makes what another rule, or it, turns back"
   :growth "it makes ever more of what it matches"
   :fuel "too many rules were applied before"
   :depth "too many rules nest inside each other"})

(defn stop-text
  "An entry of the trace with :stopped as a line of text."
  [{:keys [rule stopped before]}]
  (str "before " (name rule) ": " (stops stopped) ", at " (pr-str before)))

(defn renumbered
  "The trace with its ids mapped; ids that are gone become nil, or are left out of :made."
  [trace ids]
  (mapv #(-> % (update :id ids) (update :made (partial into [] (keep ids)))) trace))

(defn why
  "The entries of the trace, in order, of the rules that made node `id` of the rewritten graph."
  [trace graph id]
  (when-not (< -1 id (count (:nodes graph)))
    (fail! :damo.rewrite/no-such-node
           (str "there is no node " id " in a graph of " (count (:nodes graph)))
           {:id id}))
  (filterv #(and (:id %) (or (= id (:id %)) (some #{id} (:made %)))) trace))
