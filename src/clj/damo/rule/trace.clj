(ns damo.rule.trace
  "The trace of the engine: what its entries say, and how they follow the nodes that they are about
  through later sweeps. An entry is {:rule name, :before form, :after form, :id of the result, :made
  [id …]}, with a :path, [holder key …], where the rule fired in a graph that a node holds, and
  :stopped, a key of `stops`, where it was not applied.
  (why trace graph 5) are the entries of the rules that made node 5."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.form :as form]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(defn shown
  "The node (op args) as a form, made when someone looks at it."
  [b op args]
  (let [look (form/of-builder b)]
    (lazy-seq (cons (symbol (name op)) (map #(form/form look 2 %) args)))))

(defn after
  "What stands in the place of a rewritten node, as a form."
  [b id]
  (let [[op _ & args] (graph/node b id)]
    (if (= :leaf (op/kind op)) (form/form (form/of-builder b) 2 id) (shown b op args))))

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

(defn- moved
  "An entry of the trace with its ids mapped, or those of its path; ids that are gone become nil, or
  are left out of :made. `deeper`, a function of a holder and a step, has the :ids and the :deeper
  of the graphs below; nil where these stay."
  [ids deeper {[holder step & more] :path :as entry}]
  (cond (nil? holder) (-> entry (update :id ids) (update :made (partial into [] (keep ids))))
        (nil? (ids holder)) (assoc entry :id nil, :path (assoc (:path entry) 0 nil))
        (nil? deeper) (assoc-in entry [:path 0] (ids holder))
        :else (let [below (deeper holder step)
                    inner (moved (:ids below) (:deeper below) (assoc entry :path (vec more)))]
                (assoc inner :path (into [(ids holder) step] (:path inner))))))

(defn renumbered
  "The entries of a trace as `moved` has them."
  [trace ids deeper]
  (mapv #(moved ids deeper %) trace))

(defn of-node
  "The entries of the rules that gave node `id`, or fired in a graph that it holds."
  [trace id]
  (filterv (fn [{[holder] :path, own :id}] (= id (or holder own))) trace))

(defn why
  "The entries of the trace, in order, of the rules that made node `id` of the rewritten graph, or
  of the graph in it that a path leads to, [holder key …]."
  ([trace graph id] (why trace graph id []))
  ([trace graph id path]
   (let [{:keys [nodes]} (body/at graph path)]
     (when-not (< -1 id (count nodes))
       (fail! :damo.rewrite/no-such-node
              (str "there is no node " id " in a graph of " (count nodes))
              {:id id})))
   (filterv #(and (:id %) (= (vec path) (:path % [])) (or (= id (:id %)) (some #{id} (:made %))))
            trace)))
