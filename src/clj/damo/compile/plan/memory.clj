(ns damo.compile.plan.memory
  "The buffers of a program: which there are, in which order, by the keys of memory
  (damo.compile.plan.place). (entries g sched steps outputs place) = [[[:node 3] {:dtype :f32 :size
  n :kind :temp}] …]."
  (:require [damo.compile.plan.note :as note]
            [damo.compile.plan.place :as place]
            [damo.compile.plan.steps :as steps]
            [damo.compile.schedule.reads :as reads]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]))

(set! *warn-on-reflection* true)

(def ^:private leaf-kinds {:input :input, :shared :state, :const :const})

(defn- leaf-kind [g id]
  (when (= :memory (reads/role g id)) (leaf-kinds (graph/op-at g id))))

(defn- buffer-key
  "The key of the buffer in which a key lies."
  [[tag of :as key]]
  (if (= tag :window) of key))

(defn- nodes-read
  "The nodes whose memory some step mentions."
  [steps memory-of]
  (into #{} (comp (mapcat (fn [{:keys [do from args]}] (if (= do :copy) [from] args)))
                  (map (fn [[tag id :as key]] (buffer-key (if (= tag :node) (memory-of id) key))))
                  (keep (fn [[tag id]] (when (= tag :node) id))))
        (steps/every-step steps)))

(defn- entry [g id kind]
  (let [[dtype shape] (graph/type-of g id)]
    [[:node id] {:dtype dtype, :size (place/size g shape), :kind kind}]))

(defn counting
  "The graph with :counted, the dims that its nodes count, and :endless, those that nothing bounds,
  besides what is `known` when a call begins."
  [g known]
  (let [binders (remove (comp known :dim) (counted/binders g))]
    (assoc g :counted (into #{} (map :dim) binders)
           :endless (into #{} (comp (remove :max) (map :dim)) binders))))

(defn- row-entries
  "The memories of loops and branches that are no part of another one."
  [{:keys [memories within] :as g} over kind-of]
  (for [[key {:keys [dtype shape]}] (sort-by (comp str first) memories)
        :when (not (contains? within key))]
    [[:rows key] {:dtype dtype, :kind (kind-of [:rows key])
                  :size (place/size g (into [(place/rows g over key)] shape))}]))

(defn entries
  "The buffers in order, [key {:dtype :size :kind}]: leaves, what units leave in memory,
  temporaries, scratch. `outputs` are the nodes that are returned, `over` as damo.compile.plan.place
  has it."
  [g {:keys [stored]} steps outputs memory-of over]
  (let [read? (nodes-read steps memory-of)
        returned (into #{} (map memory-of) outputs)
        kind-of #(if (returned %) :output :temp)]
    (concat
     (for [id (graph/live g) :let [kind (leaf-kind g id)]
           :when (and kind (or (not= kind :const) (read? id)))]
       (entry g id kind))
     (for [id (sort stored) :when (and (= [:node id] (memory-of id)) (not (leaf-kind g id)))]
       (entry g id (kind-of [:node id])))
     (row-entries g over kind-of)
     (for [{:keys [scratch temps]} (steps/every-step steps), [key m] (concat scratch temps)]
       [key (assoc m :kind :temp)]))))

(defn mentioned
  "The dims that nothing bounds of which memory mentions some. Fails where the memory itself is then
  without bound."
  [{:keys [endless] :as g} entries]
  (let [at (fn [size n] (type/dim-value (fn [d] (if (contains? endless d) n 3)) size))]
    (doseq [[key {:keys [size]}] entries :when (some endless (type/dim-symbols size))
            :let [id (peek key), facts (when (integer? id) (note/facts g id))]]
      (when-not (= (at size 1000000) (at size 2000000))
        (fail! :damo.plan/endless-memory
               (str "nothing bounds the memory of an array, which has as many elements as a loop"
                    " without bound makes rounds" (fail/facts-text facts)
                    "\n  try: say how many rounds there are at most (:max-steps)")
               facts)))
    (into #{} (comp (mapcat (comp type/dim-symbols :size second)) (filter (set endless))) entries)))

(defn buffers
  "The function from a memory key to the number of its buffer, or the window of it."
  [entries memory-of]
  (let [position (zipmap (map first entries) (range))]
    (fn [[tag id :as key]]
      (let [[tag of offset size :as key] (if (= tag :node) (memory-of id) key)]
        (if (= tag :window)
          {:buffer (position of), :offset offset, :size size}
          (position key))))))

(defn nodes
  "The node that each buffer is for, nil where it is for none alone."
  [{:keys [regions]} entries]
  (mapv (fn [[[tag of :as key]]]
          (case tag
            :rows (:id (get regions (first of)))
            (:node :scratch) (when (integer? (peek key)) (peek key))
            nil))
        entries))
