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
  "The requirements of a graph that a call has to check: [{:id :small :large} …]."
  [{:keys [nodes] :as g}]
  (vec (for [id (graph/live g)
             :let [[op attrs & args] (nth nodes id)]
             [small large] (failing/requirements op attrs (mapv #(graph/type-of g %) args))]
         {:id id, :small small, :large large})))

(defn- needs-count?
  "Does a requirement mention a dim that is not among the bound ones, `dims`?"
  [dims {:keys [small large]}]
  (not-every? dims (mapcat type/dim-symbols [small large])))

(defn by-time
  "{:bound :counting}: the requirements that a call has to check before it starts, and while it
  runs; `dims` are those that are bound."
  [g dims]
  (let [{bound false, counting true} (group-by #(needs-count? dims %) (unproven g))]
    {:bound bound, :counting counting}))

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

(defn with-checks
  "The steps with a check of the requirements behind the step that counts the last of their dims;
  `dims` are those that are bound before the call."
  [steps dims requirements note-of]
  (:steps
   (reduce (fn [{:keys [known waiting] :as m} step]
             (let [known (cond-> known (:count step) (conj (:dim (:count step))))
                   {ready false, others true} (group-by #(needs-count? known %) waiting)]
               (-> m
                   (update :steps conj step)
                   (cond-> (and (:count step) (seq ready))
                     (update :steps conj (check-step ready note-of)))
                   (assoc :known known, :waiting (if (:count step) others waiting)))))
           {:steps [], :known dims, :waiting requirements} steps)))
