(ns damo.compile.lower.slots
  "The order inside a kernel. The body at level L (inside L loops) is a sequence of slots: an inner
  loop, then the statements that need its results. A node's path is its slot in the body at each
  level; two nodes share a loop where their paths agree. Softmax of rows: max in slot 0, the sum of
  exponentials in slot 1, the quotient in slot 2. What has loops :apart is in a slot between two."
  (:require [damo.compile.schedule.again :as again]
            [damo.compile.schedule.reads :as reads]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn kernel-deps
  "For each node of a kernel, the nodes of the same kernel that it reads."
  [g layouts {:keys [nodes level]}]
  (into {} (for [id nodes]
             [id (into [] (comp (map #(:base (reads/reading g layouts %)))
                           (filter #(contains? level %)) (distinct))
                       (graph/args-of (nth (:nodes g) id)))])))

(defn- next-slot
  "The first slot behind one: a whole number, or halfway between two for what shares no loop."
  [slot own?]
  (let [whole (long (Math/floor (double slot)))
        half (+ whole 1/2)]
    (cond (not own?) (inc whole), (< slot half) half, :else (inc half))))

(defn- slot-in-body
  "The slot of a node in the body at level L, given the slots of the nodes before it."
  [{:keys [level known apart]} L deps slots id]
  (let [deep? #(< L (level %)), own? (and (contains? apart id) (deep? id) (<= (known id) L))]
    (reduce (fn [s d]
              (if-let [at (slots d)]
                (max s (cond (not (deep? id)) at
                             (and (deep? d) (< L (known d)) (not own?)) at
                             :else (next-slot at own?)))
                s))
            (cond (not (deep? id)) -1, own? 1/2, :else 0) (deps id))))

(defn paths
  "The path of each node of a kernel, a vector of slots for the bodies at level 0 … level of the
  node."
  ([unit deps] (paths unit deps 0 (:nodes unit)))
  ([{:keys [level] :as unit} deps L ids]
   (let [slots (reduce (fn [slots id] (assoc slots id (slot-in-body unit L deps slots id))) {} ids)
         deep (group-by slots (filter #(< L (level %)) ids))]
     (into (into {} (for [id ids :when (= L (level id))] [id [(slots id)]]))
           (for [[s ids] deep, [id path] (paths unit deps (inc L) ids)]
             [id (into [s] path)])))))

(defn evaluations
  "For each node, the set of paths at which it is needed: its own uses, and those of the cheap nodes
  that are computed again where they are used."
  [{:keys [nodes]} deps paths root?]
  (let [users (reduce (fn [m id] (reduce #(update %1 %2 (fnil conj []) id) m (deps id))) {} nodes)]
    (reduce (fn [m id]
              (assoc m id (into #{}
                           (mapcat (fn [c] (if (root? c) [(paths c)] (conj (m c) (paths c)))))
                                (users id))))
            {} (rseq nodes))))

(defn- common-prefix [p q] (count (take-while true? (map = p q))))

(defn scratch
  "The nodes of a kernel whose values must be kept in scratch memory for a later slot, with the
  first axis that the memory spans: {id axis}. Cheap elementwise nodes are computed again instead."
  [g {:keys [nodes known level] :as unit} deps paths stored]
  (let [elementwise? #(and (= :elementwise (op/kind (graph/op-of (nth (:nodes g) %)))))
        root? #(or (stored %) (not (elementwise? %)))
        needed (evaluations unit deps paths root?)]
    (into {}
          (for [id nodes
                :let [k (known id)
                      shared (when k (map #(common-prefix (take k (paths id)) %) (needed id)))]
                :when (and k (not (stored id)) (some #(< % k) shared)
                           (or (not (elementwise? id)) (again/math? g id)))]
            [id (reduce min shared)]))))
