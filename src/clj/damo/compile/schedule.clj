(ns damo.compile.schedule
  "Groups the nodes of a prepared graph into units that run one after the other: kernels (one loop
  nest each), products for the library, and nodes with a nest of their own. Elementwise chains, the
  reductions over them and what follows from those share one nest when their loops agree.
  A kernel has axes [dim …], outermost first; a node in it iterates over a prefix of them, its
  level."
  (:require [damo.compile.pass.layout :as layout]
            [damo.compile.pass.parts :as parts]
            [damo.compile.schedule.again :as again]
            [damo.compile.schedule.inner :as inner]
            [damo.compile.schedule.late :as late]
            [damo.compile.schedule.reads :as reads]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.meaning.counted :as counted]))

(set! *warn-on-reflection* true)

(def ^:private max-nodes
  "Nodes in one kernel. Beyond some forty, LLVM's time grows faster than what fusion saves (measured
  in Theano's heirs: one giant kernel of a 200-link chain takes a minute)."
  40)

(def ^:private max-scanned
  "How many of the latest units a node may join; keeps scheduling linear in the size of the graph."
  12)

(defn- asked-again
  "What is asked of nodes again and again, by id: their :layouts, :roles, and the :positions of the
  operands of loop nodes and parts; and which are computed :again, a set."
  [g]
  (let [live (graph/live g), n (count (:nodes g)), roles (object-array n)
        positions (object-array n)]
    (doseq [id live :let [own (reads/role g id)]]
      (aset roles (int id) own)
      (when (#{:loop :part} own) (aset positions (int id) (reads/operand-positions g id))))
    (let [asked {:layouts (layout/layouts g), :roles (vec roles), :positions (vec positions)}]
      (assoc asked :again (again/again g asked)))))

;; ## Joining a kernel

(defn- constrain
  "The axes that in-kernel operands force on the dims of the domain, {position axis}; nil when they
  disagree."
  [{:keys [axes-of]} reads]
  (reduce (fn [forced [position axis]]
            (if (= axis (get forced position axis)) (assoc forced position axis) (reduced nil)))
          {}
          (for [{:keys [base map]} reads
                :when (contains? axes-of base)
                [position axis] (clojure.core/map vector map (axes-of base))
                :when (and position axis)]
            [position axis])))

(defn- assign-axes
  "The axis of each dim of a domain (nil for extent 1) and the kernel's axes, extended at the inner
  end if need be; nil when the domain does not iterate over a prefix of the axes."
  [axes dom forced]
  (let [free (remove (set (vals forced)) (range))
        [assigned axes _]
        (reduce (fn [[assigned axes free] [position d]]
                  (let [axis (get forced position (first free))]
                    (cond (= d 1) [(conj assigned nil) axes free]
                          (and (< axis (count axes)) (not= d (nth axes axis))) (reduced nil)
                          :else [(conj assigned axis)
                                 (if (= axis (count axes)) (conj axes d) axes)
                                 (if (contains? forced position) free (rest free))])))
                [[] axes free] (map-indexed vector dom))
        used (remove nil? assigned)]
    (when (and assigned (= (set used) (set (range (count used)))))
      {:assigned assigned, :axes axes})))

(defn- result-axes [g id assigned]
  (if (#{:reduce :arg-reduce} (reads/kind g id))
    (let [{:keys [axis keepdims]} (graph/attrs-at g id)
          gone (if (integer? axis) #{axis} (set axis))]
      (vec (keep-indexed (fn [i a] (cond (not (gone i)) [a], keepdims [nil])) assigned)))
    (mapv vector assigned)))

(defn- place
  "How a node would lie in a kernel with those axes: level, axes of its dims, the level at which its
  value is known (nil: only after the kernel), and whether its loops are :apart."
  [g id {:keys [assigned axes]}]
  (let [level (count (remove nil? assigned))
        kept (mapv first (result-axes g id assigned))
        outer (count (remove nil? kept))]
    {:axes axes, :assigned assigned, :level level, :axes-of kept
     :apart (= :arg-reduce (reads/kind g id))
     :known (cond (not (#{:reduce :arg-reduce} (reads/kind g id))) level
                  (= (set (remove nil? kept)) (set (range outer))) outer)}))

(defn- runs-along
  "The positions in its domain along which a node reads memory that is as large, in the order in
  which the elements lie."
  [{:keys [axes-of]} dom reads]
  (let [rank (count (remove #{1} dom))]
    (into #{} (for [{:keys [base map]} reads :when (and map (not (contains? axes-of base)))
                    :let [used (remove #(or (nil? %) (= 1 (nth dom %))) map)]
                    :when (= rank (count used))]
                (last used)))))

(defn- along-memory?
  "Would the innermost loop of a kernel run along the memory that a node reads, where it is the node
  that brings the loop? Else each line of a cache would be read once an element."
  [unit dom reads {:keys [assigned axes]}]
  (or (= (count axes) (count (:axes unit)))
      (let [natural (last (keep-indexed (fn [p d] (when (not= d 1) p)) dom))]
        (some #(= (nth assigned %) (dec (count axes)))
              (conj (runs-along unit dom reads) natural)))))

(defn- joinable
  "The place of a loop node in a kernel unit, or nil. Operands of the kernel must be known inside
  it."
  [g {:keys [axes known nodes] :as unit} id reads]
  (when (and (= :kernel (:kind unit)) (< (count nodes) max-nodes)
             (every? (fn [{:keys [base map]}]
                      (or (not (contains? known base)) (and map (known base)))) reads))
    (when-let [forced (constrain unit reads)]
      (when-let [assigned (assign-axes axes (reads/domain g id) forced)]
        (let [p (place g id assigned)]
          (when (and (or (not= :arg-reduce (reads/kind g id)) (:known p))
                     (along-memory? unit (reads/domain g id) reads assigned))
            p))))))

(defn- join [unit id {:keys [axes level known axes-of assigned apart]}]
  (-> unit
      (cond-> apart (update :apart (fnil conj #{}) id))
      (assoc :axes axes)
      (update :nodes conj id)
      (update :level assoc id level)
      (update :known assoc id known)
      (update :axes-of assoc id axes-of)
      (update :assigned assoc id assigned)))

(defn- fresh-kernel
  "A kernel for one node. The axes that an arg-reduction keeps come first, so that it runs along the
  innermost."
  [g id]
  (let [dom (reads/domain g id)
        {:keys [axis]} (graph/attrs-at g id)
        order (if (= :arg-reduce (reads/kind g id))
                (conj (vec (remove #{axis} (range (count dom)))) axis)
                (range (count dom)))
        looping (vec (remove #(= 1 (nth dom %)) order))
        unit {:kind :kernel, :axes (mapv dom looping), :nodes [], :level {}, :known {}, :axes-of
              {}, :assigned {}}
        assigned (mapv #(first (keep-indexed (fn [i p] (when (= p %) i)) looping))
                  (range (count dom)))]
    (join unit id (place g id {:axes (:axes unit), :assigned assigned}))))

;; ## The schedule

(defn- first-unit
  "The earliest unit in which a node that reads these bases, and has dims that these binders count,
  may lie, given the unit of each."
  [units unit-of reads binders]
  (reduce (fn [lo {:keys [base map]}]
            (if-some [u (unit-of base)]
              (max lo (if (and map (get-in units [u :known base])) u (inc u)))
              lo))
          (reduce max 0 (clojure.core/map inc (keep unit-of binders))) reads))

(defn- scope-of [g id] (get (:scope-of g) id 0))
(defn- loaded?
  "Does some node of a unit read that base, which is none of its nodes?"
  [g {:keys [layouts]} {:keys [nodes]} base]
  (some (fn [id] (some #(= base (:base (nth layouts %))) (graph/args-at g id))) nodes))

(defn- computed-again
  "What is computed again before node `id` in a unit, operands first: what the unit does not have,
  and has not read yet."
  [g {:keys [again] :as asked} unit id]
  (distinct (mapcat (fn [{:keys [base]}]
                      (when (and (again base) (not (contains? (:level unit) base))
                                 (= (graph/shape-at g base) (reads/domain g id))
                                 (= (scope-of g base) (scope-of g id))
                                 (not (loaded? g asked unit base)))
                        (conj (vec (computed-again g asked unit base)) base)))
                    (reads/reads g asked id))))

(defn- joined
  "The unit with a node, nil where it cannot join."
  [g asked unit id]
  (when-let [p (joinable g unit id (reads/reads g asked id))]
    (join unit id p)))

(defn- joined-again
  "The unit with a node and what is computed again for it, nil where they cannot join."
  [g asked unit ids id]
  (let [unit (reduce (fn [unit a] (or (joined g asked unit a) (reduced nil))) unit ids)]
    (some-> (when unit (joined g asked unit id)) (update :again (fnil into #{}) ids))))

(defn- with-node
  "The unit with a node, in the way in which least is read; nil where it cannot join."
  [g asked unit id]
  (let [ids (computed-again g asked unit id)]
    (or (when (seq ids) (joined-again g asked unit ids id))
        (joined g asked unit id))))

(defn- fresh-with
  "A new kernel of a node, with what is computed again for it."
  [g asked id]
  (let [[a & more :as ids] (computed-again g asked nil id)]
    (or (when a (some-> (joined-again g asked (fresh-kernel g a) more id) (update :again conj a)))
        (fresh-kernel g id))))

(defn- schedule-loop
  [g asked {:keys [units unit-of needs] :as state} id]
  (let [n (count units)
        lo (first-unit units unit-of (reads/reads g asked id) (get needs id))
        candidates (distinct (concat (when (< lo n) [lo]) (range (max lo (- n max-scanned)) n)))
        found (first (keep (fn [u] (when-let [unit (with-node g asked (units u) id)] [u unit]))
                      candidates))]
    (if-let [[u unit] found]
      (-> state (assoc-in [:units u] unit) (assoc-in [:unit-of id] u))
      (-> state (update :units conj (fresh-with g asked id)) (assoc-in [:unit-of id] n)))))

(defn- schedule-part
  "The state with a part in the unit of its node: what holds its elements is the part, the node of
  several results is nowhere in memory. In a kernel it lies where the value of the node is known."
  [g {:keys [units unit-of] :as state} id]
  (let [[of] (graph/args-at g id), u (unit-of of), {:keys [kind axes-of axes]} (units u)
        own (get axes-of of), level (count (remove nil? own))]
    (-> (if (= kind :kernel)
          (update-in state [:units u] join id {:axes axes, :assigned own, :axes-of own
                                               :level level, :known level})
          (update-in state [:units u :nodes] conj id))
        (assoc-in [:unit-of id] u))))

(defn- schedule-own
  "The state with a unit for a node with a nest of its own: what the nest computes where it is read,
  over the axes of its loops, and the node."
  [g {:keys [units] :as state} id inner]
  (let [ranks (map #(count (graph/shape-at g %)) inner), n (count units)]
    (-> state
        (update :units conj {:kind :own, :nodes (conj inner id), :level (zipmap inner ranks)
                             :assigned (zipmap inner (map (comp vec range) ranks))})
        (update :unit-of into (map #(vector % n)) (conj inner id)))))

(defn- schedule-alone [{:keys [units] :as state} id kind]
  (-> state (update :units conj {:kind kind, :nodes [id]}) (assoc-in [:unit-of id] (count units))))

(defn- schedule-region
  "The state with a unit for a node whose body is in the same table, and the schedules in it."
  [{:keys [region-of]} schedule-scope state id]
  (let [{:keys [kind scopes]} (region-of id), inner (mapv schedule-scope scopes)]
    (-> (schedule-alone state id kind)
        (update :units (fn [units] (assoc-in units [(dec (count units)) :inner] inner))))))

(defn inside
  "All units, those in units included."
  [units]
  (mapcat #(cons % (mapcat (comp inside :units) (:inner %))) units))

(defn own-nodes
  "The nodes that a unit makes: not those that it computes again, for itself alone."
  [{:keys [nodes again]}]
  (if again (remove again nodes) nodes))

(defn- stored-nodes
  "The nodes whose values must lie in memory: outputs, those that are no kernel's or are known only
  after all of its loops, those that another unit, a product, or a view that is not simple reads,
  and what regions say."
  [{:keys [region-of] :as g} {:keys [layouts roles] :as asked} units]
  (let [made? (into #{} (mapcat own-nodes) units)
        arguments #(if-let [region (get region-of %)] (:reads region) (graph/args-at g %))
        whole (fn [id] (map #(hash-map :base (:base (layouts %))) (arguments id)))
        always (fn [{:keys [nodes known level kind]}]
                 (remove #(or (tuple/type? (graph/type-of g %))
                              (if (= kind :kernel) (known %) (contains? level %)))
                         nodes))
        inside? (fn [{:keys [level]} base] (contains? level base))]
    (into (into (set (:outputs g)) (mapcat always) units)
          (mapcat (fn [{:keys [kind nodes] :as unit}]
                    (for [id nodes :when (not= :part (nth roles id))
                          {:keys [base map]} (if (= kind :kernel)
                                               (reads/reads g asked id)
                                               (whole id))
                          :when (and (made? base)
                                     (or (and (= kind :kernel) (nil? map))
                                         (not (inside? unit base))))]
                      base)))
          units)))

(defn- scheduler
  "The function from a scope to its schedule, {:units :unit-of}."
  [g {:keys [roles] :as asked} needs]
  (let [inner (inner/inner g asked needs), inside? (into #{} (mapcat val) inner)
        by-scope (group-by #(scope-of g %) (counted/order g))]
    (fn schedule-scope [scope]
      (reduce (fn [state id]
                (case (nth roles id)
                  :loop (schedule-loop g asked state id)
                  :call (schedule-alone state id :call)
                  :own (schedule-own g state id (get inner id []))
                  :host (schedule-alone state id :host)
                  :routine (schedule-alone state id :routine)
                  :part (schedule-part g state id)
                  :region (schedule-region g schedule-scope state id)
                  state))
              {:units [], :unit-of {}, :needs needs}
              ;; What nests compute reads as well: nothing may wait for a user behind them.
              (remove inside? (late/late g asked needs (by-scope scope)))))))

(defn schedule
  "{:units [unit …] :unit-of {id index} :stored #{id …} :layouts … :roles … :positions … :needs …
  :parts …} of a prepared graph in one table; :layouts, :roles and :positions are by id, :needs is
  that of damo.meaning.counted, :parts that of damo.compile.pass.parts. Units:
  {:kind :kernel :nodes ids :axes dims :level :known :axes-of :assigned (maps by id) :again #{ids
  that it computes although another unit makes them}}, {:kind :call | :host | :routine :nodes [id]},
  {:kind
  :own :nodes [what its nest computes … id] :level :assigned}, or
  {:kind :loop | :branch :nodes ids :inner [{:units [unit …]} …]}, with a schedule for
  each body. :unit-of is that of the nodes outside of bodies.
  Linear in the graph."
  [g]
  (let [asked (asked-again g)
        {:keys [units] :as outside} ((scheduler g asked (counted/needs g)) 0)]
    (merge outside asked {:parts (parts/parts g), :stored (stored-nodes g asked (inside units))})))

(defn- places-read
  "A node with those in whose memory it has its place."
  [{:keys [places]} id]
  (take-while some? (iterate #(:of (get places %)) id)))

(defn bases-read
  "The set of nodes in memory that a unit reads, its own and those of units in it included, and of
  those that count its dims."
  [{:keys [region-of] :as g} {:keys [layouts needs] :as sched} {:keys [nodes inner]}]
  (-> #{}
      (into (comp (mapcat #(if-let [region (get region-of %)] (:reads region) (graph/args-at g %)))
                  (keep #(:base (layouts %))) (mapcat #(places-read g %)))
            nodes)
      (into (mapcat #(get needs %)) nodes)
      (into (comp (mapcat :units) (mapcat #(bases-read g sched %))) inner)))
