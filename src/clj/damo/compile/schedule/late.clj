(ns damo.compile.schedule.late
  "The order in which nodes find their units: an elementwise node of nothing but inputs, state and
  constants waits for its one user, where a product or another step of its own lies between. So it
  is computed where it is used, and its value is in no memory: 2z + XY is a product and one kernel.
  (late g asked [0 1 2 3]) = [0 2 1 3]."
  (:require [damo.data.graph :as graph]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private apart
  "The roles of nodes that are steps of their own."
  #{:call :own :host :routine :region})

(defn- kind [g id] (op/kind (graph/op-at g id)))

(defn- base-of [{:keys [layouts]} id] (:base (nth layouts id) id))

(defn- light
  "The elementwise nodes of nothing but what lies in memory from the beginning, and of such nodes."
  [g {:keys [roles] :as asked} ids]
  (reduce (fn [found id]
            (if (and (= :loop (nth roles id)) (= :elementwise (kind g id))
                     (every? #(let [base (base-of asked %)]
                                (or (contains? found base)
                                    (#{:memory :inline} (nth roles base))))
                             (graph/args-at g id)))
              (conj found id)
              found))
          #{} ids))

(defn one-user
  "{id user} of these nodes, the one node that reads each, through views or not; ::several else."
  [{:keys [outputs places region-of] :as g} {:keys [roles] :as asked} ids wanted]
  (let [used (fn [users base id]
               (if (contains? wanted base)
                 (assoc users base (if (= id (get users base id)) id ::several))
                 users))
        read (fn [users id]
               (if (#{:view :inline :memory} (nth roles id))
                 users
                 (reduce #(used %1 %2 id)
                         (reduce #(used %1 (base-of asked %2) id) users (graph/args-at g id))
                         (:reads (get region-of id)))))]
    (reduce #(used %1 %2 ::kept) (reduce read {} ids) (concat outputs (:keep g) (keys places)))))

(defn- domain [g id]
  (graph/shape-at g (if (= :reduce (kind g id)) (first (graph/args-at g id)) id)))

(defn- may-wait?
  "Is the node's user of its kind and extents, and can it neither fail nor be counted first?"
  [g {:keys [roles]} needs id user]
  (and (integer? user) (= :loop (nth roles user)) (#{:elementwise :reduce} (kind g user))
       (seq (graph/shape-at g id)) (= (graph/shape-at g id) (domain g user))
       (= (get (:scope-of g) id) (get (:scope-of g) user))
       (empty? (get needs id)) (not (failing/in-kernel? g id))))

(defn- free
  "{id user} of the light nodes that may wait; what they are made of may wait as well."
  [g asked needs ids light]
  (let [users (one-user g asked ids light)]
    (reduce (fn [found id]
              (let [user (get users id)]
                (if (and (may-wait? g asked needs id user)
                         (every? #(let [base (base-of asked %)]
                                    (or (not (contains? light base)) (contains? found base)))
                                 (graph/args-at g id)))
                  (assoc found id user)
                  found)))
            {} (filter light ids))))

(defn- waiting
  "{id last-user} of the nodes that wait: between them, or one that they are made of, and the last
  in the line of their users, which waits for none, lies another step."
  [g {:keys [roles] :as asked} needs ids light]
  (let [free (free g asked needs ids light)
        last-user (reduce (fn [found id] (if-let [user (free id)]
                                           (assoc found id (get found user user))
                                           found))
                          {} (rseq (vec ids)))
        steps-before (zipmap ids (reductions + 0 (map #(if (apart (nth roles %)) 1 0) ids)))
        passed? (fn [id user] (< (long (steps-before id)) (long (get steps-before user -1))))]
    (reduce (fn [found id]
              (let [user (last-user id)]
                (if (and user (or (passed? id user)
                                  (some #(contains? found (base-of asked %))
                                        (graph/args-at g id))))
                  (assoc found id user)
                  found)))
            {} ids)))

(defn late
  "The nodes of a scope, `ids` in an order in which each comes behind what it reads, with those that
  wait right before the last of their users; `asked` has :layouts and :roles by id, `needs` the
  binders that nodes come behind."
  [g {:keys [roles] :as asked} needs ids]
  (let [light (when (some #(apart (nth roles %)) ids) (light g asked ids))
        waiting (if (seq light) (waiting g asked needs ids light) {})]
    (if (empty? waiting)
      ids
      (let [before (group-by waiting (filter waiting ids))]
        (into [] (mapcat #(conj (get before % []) %)) (remove waiting ids))))))
