(ns damo.compile.plan.update
  "Updates of shared state in place. The new value of a state may be written straight over the old
  one when every reader of the old one has run before, or reads the same element in the same turn of
  the same loop; otherwise it goes to memory of its own and is copied at the end. Nothing is written
  over while a later step may still fail, so that a failing call changes nothing."
  (:require [damo.compile.plan.product :as product]
            [damo.compile.plan.turn :as turn]
            [damo.compile.schedule :as schedule]
            [damo.compile.schedule.reads :as reads]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- told
  "The unit with what is asked of it again and again: the :bases that it reads, a set, and whether
  it
  :fails, that is may stop a call."
  [g sched {:keys [harmless]} unit]
  (assoc unit
         :bases (schedule/bases-read g sched unit)
         :fails (and (not harmless)
                     (boolean (some #(failing/in-kernel? g %)
                                    (mapcat :nodes (schedule/inside [unit])))))))

(defn- sinkable?
  "Does a unit make nothing but new values of state, which no other unit reads?"
  [{:keys [stored]} updated read-elsewhere {:keys [inner] :as unit}]
  (and (nil? inner)
       (every? #(or (not (stored %)) (and (contains? updated %) (not (read-elsewhere %))))
               (schedule/own-nodes unit))))

(defn- ready-after
  "The position in `early` of the last unit that must run before the update unit `late`: one that
  makes what it reads, reads a state that it writes, or may still fail; -1 when there is none."
  [updated early late]
  (let [needed (:bases late), written (keep updated (schedule/own-nodes late))]
    (reduce (fn [last-one [i {:keys [bases fails] :as unit}]]
              (if (or fails (some needed (schedule/own-nodes unit)) (some bases written))
                i
                last-one))
            -1 (map-indexed vector early))))

(defn- readers
  "{node #{position}}: which units read it."
  [units]
  (reduce (fn [m [i {:keys [bases]}]] (reduce #(update %1 %2 (fnil conj #{}) i) m bases))
          {} (map-indexed vector units)))

(defn- readers-first
  "Units that make new values of state alone, in an order in which each comes behind those that read
  what it may write over, as far as there is one."
  [updated units]
  (let [written (fn [unit] (keep updated (schedule/own-nodes unit)))]
    (loop [left (vec units), done []]
      (if (< (count left) 2)
        (into done left)
        (let [free? (fn [i] (not-any? (fn [[k {:keys [bases]}]]
                                        (and (not= i k) (some bases (written (left i)))))
                                      (map-indexed vector left)))
              i (or (first (filter free? (range (count left)))) 0)]
          (recur (into (subvec left 0 i) (subvec left (inc i))) (conj done (left i))))))))

(defn- settled
  "The units with those that only make new values of state moved to where they may write over the
  old one, and no further: what the last reader has brought into the cache is still there."
  [sched units updated]
  (if (empty? updated)
    units
    (let [readers (readers units)
          elsewhere? (fn [i] (fn [id] (some #(not= i %) (readers id))))
          late? (fn [[i unit]] (sinkable? sched updated (elsewhere? i) unit))
          numbered (map-indexed vector units)
          early (mapv second (remove late? numbered))
          by-place (update-vals (group-by #(ready-after updated early %)
                                          (map second (filter late? numbered)))
                                #(readers-first updated %))]
      (into (vec (by-place -1))
            (mapcat (fn [[i unit]] (cons unit (by-place i))))
            (map-indexed vector early)))))

(defn- lasts
  "What comes last among units: the place of the last reader of each node, {:reader {node place}},
  and of the last unit that may fail, :failing."
  [units]
  {:reader (into {} (mapcat (fn [[i {:keys [bases]}]] (map #(vector % i) bases)))
                 (map-indexed vector units))
   :failing (reduce (fn [last-one [i {:keys [fails]}]] (if fails i last-one))
                    -1 (map-indexed vector units))})

(defn- base-of [{:keys [layouts]} id] (:base (layouts id)))

(defn- leaf? [g id] (= :leaf (op/kind (graph/op-at g id))))

(defn- writes-on?
  "Does the node write parts of its first argument, or add to it, which it may do where that lies?"
  [g id]
  (case (op/kind (graph/op-at g id))
    (:scatter :patch) true
    :contract (some? (product/addend g id))
    false))

(defn- as-it-lies?
  "Are the elements of a view in the order of those of its base? A transpose's are not: written over
  these, elements would be lost that are still to be read."
  [g {:keys [layouts]} base id]
  (let [lies #(select-keys (layouts %) [:offset :strides])]
    (or (= (lies id) {:offset 0, :strides (array/strides (graph/shape-at g id))})
        (= (lies id) (lies base)))))

(defn- whole
  "The node in whose memory node `id` lies, if that is all of it, in its order; else `id`."
  [g sched id]
  (let [base (base-of sched id), size #(type/size (graph/shape-at g %))]
    (if (and base (= (size base) (size id)) (as-it-lies? g sched base id)) base id)))

(defn- over-argument?
  "May the last node u of a unit write over its first argument, or memory that nothing that the
  unit reads while it writes needs?"
  [g sched {:keys [nodes]} memory]
  (let [u (peek nodes), [x & more] (graph/args-at g u), x (whole g sched x)
        first-all? (= :step (:write (op/entry (graph/op-at g u))))]
    (and (or (= x memory) (not= memory (base-of sched x)))
         (not-any? #(= memory (base-of sched %))
                   (if first-all?
                     [(last more)]
                     (concat more (mapcat #(graph/args-at g %) (pop nodes))))))))

(defn- as-memory
  "The dtype and the number of elements of a node."
  [g id]
  [(type/dtype-of (graph/type-of g id)) (type/size (graph/shape-at g id))])

(defn- in-place?
  "May node u, made by unit i of `units`, be written over state s? No later unit reads that or may
  fail, as `lasts` tells."
  [g sched units lasts i u s]
  (let [{:keys [kind bases fails] :as unit} (units i)]
    (and (<= (get (:reader lasts) s -1) i)
         (<= (:failing lasts) i)
         (= (as-memory g u) (as-memory g s))
         (case kind
           :kernel (and (not fails)
                        (= :elementwise (op/kind (graph/op-at g u)))
                        (turn/over? g sched unit u s))
           (:host :routine :loop :branch) false
           (:call :own) (if (writes-on? g u)
                          (over-argument? g sched unit s)
                          (not (contains? bases s)))))))

;; ## Values that are written on

(defn- last-reader?
  "Does no unit behind number i read value x, or what lies in its memory?"
  [{:keys [places]} {:keys [reader]} i x]
  (let [parts (keep (fn [[id {:keys [of]}]] (when (= of x) id)) places)]
    (every? #(<= (get reader % -1) i) (cons x parts))))

(defn- given-up
  "[[x u]] for the value x on which u writes, a product, a scatter or the like; else nil."
  [g sched {:keys [nodes] :as unit}]
  (let [u (peek nodes)]
    (when (writes-on? g u)
      (let [x (whole g sched (first (graph/args-at g u)))]
        (when (over-argument? g sched unit x) [[x u]])))))

(defn- written-over
  "[[x u] …]: the values that elementwise nodes u of a kernel may write over, each element where
  they read it; the latest first, as it is still in the cache."
  [{:keys [places] :as g} {:keys [stored] :as sched} {:keys [bases] :as unit} free?]
  (let [candidates (sort > (filter free? bases))]
    (second
     (reduce (fn [[left pairs] u]
               (if-let [x (first (filter #(and (= (as-memory g u) (as-memory g %))
                                               (turn/over? g sched unit u %))
                                         left))]
                 [(remove #{x} left) (conj pairs [x u])]
                 [left pairs]))
             [candidates []]
             (filter #(and (stored %) (= :elementwise (op/kind (graph/op-at g %)))
                           (not (contains? places %)))
                     (schedule/own-nodes unit))))))

(defn- heirs
  "{x u} for each value x, made by these units, that is needed no more once node u has written parts
  of it, added to it, or written over it."
  [{:keys [places] :as g} {:keys [stored] :as sched} units lasts]
  (let [kept? (into (set (:outputs g)) (keys places)), made? (into #{} (mapcat :nodes) units)
        free? (fn [i x] (and (stored x) (made? x) (not (kept? x)) (last-reader? g lasts i x)))]
    (into {} (for [[i {:keys [kind] :as unit}] (map-indexed vector units)
                   [x u] (case kind
                           :kernel (written-over g sched unit #(free? i %))
                           (:own :call) (given-up g sched unit)
                           nil)
                   :when (free? i x)]
               [x u]))))

(defn- with-heirs
  "`alias` with each value that is written on put where the last one of them lies. Such a value may
  lie in a state only when it could be written there itself: (in-place? x state). `unit-of` tells
  which unit makes a value: where a value lies is known before what it is written over asks."
  [g alias heirs unit-of in-place?]
  (reduce (fn [alias [x u]]
            (let [place (get alias u u)]
              (if (or (not (leaf? g place)) (in-place? x place))
                (assoc alias x place)
                alias)))
          alias (sort-by (comp - unit-of key) heirs)))

(defn arrange
  "{:units in order, :alias {node memory} for nodes that lie in the memory of another one, such as a
  state that is updated in place, :copies [copy steps]} for `updated`, {node state}. Nothing is
  written over before the last unit that may fail, unless a failure is :harmless."
  ([g sched updated] (arrange g sched updated {}))
  ([g {:keys [units] :as sched} updated options]
   (let [units (settled sched (mapv #(told g sched options %) units) updated)
         unit-of (into {} (for [[i unit] (map-indexed vector units)
                                id (schedule/own-nodes unit)]
                            [id i]))
         lasts (lasts units)
         over? (fn [u s] (in-place? g sched units lasts (unit-of u) u s))
         in-state (into {} (filter (fn [[u s]] (over? u s))) updated)]
     {:units units
      :alias (with-heirs g in-state (heirs g sched units lasts) unit-of over?)
      :copies (vec (for [[u s] updated :when (not (in-state u))]
                     {:do :copy, :from [:node u], :to [:node s], :type (graph/type-of g s)}))})))
