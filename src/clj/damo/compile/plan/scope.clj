(ns damo.compile.plan.scope
  "What may be written over what, in each scope: state by its new value, the oldest row of a carry
  by the next one, arrays by what is written into parts of them. (arranged g sched updated) =
  {:units, those of bodies included, in order, :alias, :copies, :over}, as damo.compile.plan.update
  and place have them."
  (:require [damo.compile.plan.update :as update]))

(set! *warn-on-reflection* true)

(defn- new-rows
  "{node node}: the next rows of a loop's carries, and the oldest rows that they would replace."
  [{:keys [rings]}]
  (into {} (for [{:keys [out over]} rings :when over] [out over])))

(defn- replaced
  "The memories of a loop in which the next row lies where the oldest did: nothing reads that, or
  `alias` has it so."
  [{:keys [rings]} alias]
  (for [{:keys [in out over]} rings :when (or (nil? over) (= over (alias out)))] in))

(declare inner)

(defn- with-inner
  "The arranged units of a scope with those of bodies in them arranged."
  [g sched {:keys [units] :as arranged}]
  (reduce (fn [m unit]
            (let [{:keys [unit alias over]} (inner g sched unit)]
              (-> m (update :units conj unit) (update :alias merge alias)
                  (update :over into over))))
          (assoc arranged :units [], :over #{}) units))

(defn- inner
  "{:unit :alias :over} of a unit, with those of the bodies in it."
  [{:keys [region-of] :as g} sched {:keys [nodes] :as unit}]
  (let [region (get region-of (first nodes)), rows (new-rows region)
        lists (for [list (:inner unit)]
                (with-inner g sched
                  (update/arrange g (merge sched list) rows {:harmless true})))
        alias (into {} (map :alias) lists)]
    {:unit (cond-> unit (:inner unit) (assoc :inner (mapv #(select-keys % [:units]) lists)))
     :alias (reduce dissoc alias (keys rows))
     :over (into (set (mapcat :over lists)) (replaced region alias))}))

(defn arranged
  "The units in order; see the namespace."
  [g sched updated]
  (with-inner g sched (update/arrange g sched updated)))
