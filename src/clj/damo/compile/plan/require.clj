(ns damo.compile.plan.require
  "What must hold of the dimensions of a call: an entry says by :requires, a function of a node,
  which dims [[smaller larger] …] may not be larger than which others, for instance that a slice
  ends where its axis does. What is plain from the dims is left out; the rest is checked when
  dimensions are bound, or, where a call counts them, as soon as they are counted.
  (unproven g) = [{:id 3, :small 5, :large n}]."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]))

(set! *warn-on-reflection* true)

(defn unproven
  "The requirements of a graph that a call has to check: [{:id :small :large} …]. Those of bodies in
  the same table are not those of the nodes that hold them."
  [{:keys [nodes region-of] :as g}]
  (vec (for [id (graph/live g)
             :let [[op attrs & args] (nth nodes id), types (mapv #(graph/type-of g %) args)]
             [small large] (if (contains? region-of id)
                             (failing/own-requirements op attrs types)
                             (failing/requirements op attrs types))]
         {:id id, :small small, :large large})))

(defn- needs-count?
  "Does a requirement mention a dim that is not among the bound ones, `dims`?"
  [dims {:keys [small large]}]
  (not-every? dims (mapcat type/dim-symbols [small large])))

(defn by-time
  "{:bound, :running}: the requirements that a call has to check before it starts, and those that it
  checks while it runs, {scope [requirement …]}; `dims` are those that are bound. What must hold in
  a body must hold when that runs."
  [{:keys [scope-of] :as g} dims]
  (let [scope #(get scope-of (:id %) 0)
        {bound true, running false} (group-by #(and (= 0 (scope %)) (not (needs-count? dims %)))
                                              (unproven g))]
    {:bound bound, :running (group-by scope running)}))

(defn entries
  "The entries of the program's :requires: what is `told` of dims, whose notes stand from the place
  `start` on, then the requirements of nodes of bound dims; `note-of` gives the places of theirs."
  [told requirements note-of start]
  (vec (distinct (concat (for [[i {:keys [small large]}] (map-indexed vector told)]
                           {:small small, :large large, :note (+ start i)})
                         (for [{:keys [id small large]} requirements]
                           {:small small, :large large, :note (note-of id)})))))

(defn- condition
  "What must hold, as a :bool of a kernel."
  [{:keys [small large]}]
  (let [[op a b] (when (vector? large) large)]
    (if (= op :/)
      [:eq [:size [:mod a b]] [:const :i64 0]]
      [:le [:size small] [:size large]])))

(defn- check-step
  "The step that checks requirements of counted dims."
  [requirements note-of]
  {:do :kernel, :args []
   :kernel {:name "require", :params []
            :body (vec (for [{:keys [id] :as requirement} requirements]
                         [:require (condition requirement) (note-of id)]))}})

(defn counts
  "What a step counts, [{:dim :max} …]: itself, such as the rounds of a loop, and behind it."
  [{:keys [count counts]}]
  (if count (cons count counts) counts))

(defn with-checks
  "The steps of a list with checks of the requirements: of those that mention dims that steps of the
  list count behind the step that counts the last of them, of others before all."
  [steps requirements note-of]
  (let [counted (into #{} (comp (mapcat counts) (map :dim)) steps)
        open? (fn [waiting-for {:keys [small large]}]
                (some waiting-for (mapcat type/dim-symbols [small large])))
        check (fn [requirements] (when (seq requirements) [(check-step requirements note-of)]))
        {ready false, others true} (group-by #(boolean (open? counted %)) requirements)]
    (:steps
     (reduce (fn [{:keys [waiting-for waiting] :as m} step]
               (let [waiting-for (reduce disj waiting-for (map :dim (counts step)))
                     {ready false, others true} (group-by #(boolean (open? waiting-for %)) waiting)]
                 (-> m
                     (update :steps conj step)
                     (update :steps into (check ready))
                     (assoc :waiting-for waiting-for, :waiting others))))
             {:steps (vec (check ready)), :waiting-for counted, :waiting others} steps))))
