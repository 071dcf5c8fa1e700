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
  #{:call :own :host :region})

(defn- kind [g id] (op/kind (graph/op-at g id)))

(defn- read-bases
  "The nodes in whose memory, or loops, the arguments of a node lie."
  [g {:keys [layouts]} id]
  (map #(:base (nth layouts %) %) (graph/args-at g id)))

(defn- one-user
  "{id user} of the nodes that one node alone reads, through views or not."
  [{:keys [outputs places region-of] :as g} {:keys [roles] :as asked} ids]
  (let [kept (concat outputs (:keep g) (keys places))
        reads (for [id ids :when (not (#{:view :inline :memory} (nth roles id)))
                    base (concat (read-bases g asked id) (:reads (get region-of id)))]
                [base id])]
    (->> (concat reads (map #(vector % ::kept) kept))
         (reduce (fn [users [base id]]
                   (assoc users base (if (= id (get users base id)) id ::several)))
                 {}))))

(defn- domain [g id]
  (graph/shape-at g (if (= :reduce (kind g id)) (first (graph/args-at g id)) id)))

(defn- may-wait?
  "Is the node elementwise, as its user goes, and can neither fail nor be counted first?"
  [g {:keys [roles]} needs id user]
  (and (= :loop (nth roles id)) (= :elementwise (kind g id)) (integer? user)
       (= :loop (nth roles user)) (#{:elementwise :reduce} (kind g user))
       (seq (graph/shape-at g id)) (= (graph/shape-at g id) (domain g user))
       (= (get (:scope-of g) id) (get (:scope-of g) user))
       (empty? (get needs id)) (not (failing/in-kernel? g id))))

(defn- free
  "{id user} of the nodes of nothing but what lies in memory that may wait."
  [g {:keys [roles] :as asked} needs ids]
  (let [users (one-user g asked ids)]
    (reduce (fn [found id]
              (let [user (get users id)]
                (if (and (may-wait? g asked needs id user)
                         (every? #(or (#{:memory :inline} (nth roles %)) (contains? found %))
                                 (read-bases g asked id)))
                  (assoc found id user)
                  found)))
            {} ids)))

(defn- waiting
  "{id user} of the nodes that wait: between them and the last in the line of their users, which
  waits for none, lies another step."
  [g {:keys [roles] :as asked} needs ids]
  (let [free (free g asked needs ids)
        last-user (reduce (fn [found id] (if-let [user (free id)]
                                           (assoc found id (get found user user))
                                           found))
                          {} (rseq (vec ids)))
        steps-before (zipmap ids (reductions + 0 (map #(if (apart (nth roles %)) 1 0) ids)))]
    (into {} (filter (fn [[id]] (< (long (steps-before id))
                                   (long (get steps-before (last-user id) -1)))))
          free)))

(defn late
  "The nodes of a scope, `ids` in an order in which each comes behind what it reads, with those that
  wait right before their users; `asked` has :layouts and :roles by id, `needs` the binders that
  nodes come behind."
  [g {:keys [roles] :as asked} needs ids]
  (if-not (some #(apart (nth roles %)) ids)
    ids
    (let [waiting (waiting g asked needs ids)
          before (group-by waiting (filter waiting ids))
          with-those (fn with-those [id] (conj (into [] (mapcat with-those) (before id)) id))]
      (into [] (mapcat with-those) (remove waiting ids)))))
