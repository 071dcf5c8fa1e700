(ns damo.compile.plan
  "From a schedule to a program (docs/program.md): which memory holds which value, updates in place
  where legal, the order of steps, notes for messages. (program graph spec) → the program map.
  spec: {:name … :inputs [[name type] …] :state [[name type] …] :outputs [output names] :updates
  {state-name position-of-output} :requires and :bounds, what was told of dims, as
  damo.compile.told has it}."
  (:require [damo.compile.pass.flat :as flat]
            [damo.compile.plan.limit :as limit]
            [damo.compile.plan.memory :as memory]
            [damo.compile.plan.note :as note]
            [damo.compile.plan.order :as order]
            [damo.compile.plan.place :as place]
            [damo.compile.plan.require :as require]
            [damo.compile.plan.scope :as scope]
            [damo.compile.plan.steps :as steps]
            [damo.compile.schedule :as schedule]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- leaves [g op]
  (into {} (for [id (graph/live g) :when (= op (graph/op-at g id))]
            [(:name (graph/attrs-at g id)) id])))

;; ## Nodes that may fail

(defn- failing-nodes
  "The nodes that have notes because they may stop a call; loops have them for messages."
  [{:keys [region-of] :as g}]
  (filterv #(or (contains? region-of %) (failing/in-kernel? g %)) (graph/live g)))

;; ## The program

(defn- port [[dtype shape] port-name buffer]
  {:name (str port-name), :dtype dtype, :shape shape, :buffer buffer})

(defn- check-dimensions!
  "Every symbol must be a whole dim of some input or shared variable, else no call can tell its
  value."
  [g dims]
  (doseq [id (graph/live g), d (counted/mentions g id) :when (not (some #{d} dims))
          :let [type (graph/type-of g id)]]
    (fail! :damo.plan/free-dimension
           (str "nothing tells the dimension " d
                ": no input or shared variable has it as an axis of its own; it appears in the "
                (if (contains? (type/symbols type) d)
                  (str "type " (pr-str type))
                  (str "attributes of " (pr-str (graph/op-at g id))))
                (fail/facts-text (note/facts g id)))
           (assoc (note/facts g id) :dim d))))

(defn- checked
  "The graph, when every node of several results in it is of a kind that writes them."
  [g]
  (doseq [id (graph/live g), :let [op (graph/op-at g id)]
          :when (and (tuple/type? (graph/type-of g id))
                     (not (#{:nest :arg-reduce :loop :branch :routine} (op/kind op))))]
    (fail! :damo.plan/several-results
           (str "the op " op " has " (count (tuple/types (graph/type-of g id))) " results, and is"
                " of the kind " (op/kind op) ", which computes one"
                (fail/facts-text (note/facts g id)))
           (note/facts g id)))
  g)

(defn- bound-dimensions
  "The dims that leaves tell when a call begins: those that are axes of theirs, and values."
  [leaves valued]
  (vec (distinct (concat (filter symbol? (mapcat (comp type/shape-of second) leaves))
                         (keys valued)))))

(defn- const-data [g id]
  (let [{:keys [value]} (graph/attrs-at g id)] (if (vector? value) value [value])))

(defn with-leaves
  "The graph with a node for each of these inputs or shared variables (`op`), [[name type] …], also
  for those that no output needs: a call still takes them, and they may be all that tells a
  dimension."
  [g op ports]
  (let [present (leaves g op)]
    (reduce (fn [g [port-name type]]
              (let [id (get present port-name (count (:nodes g)))]
                (cond-> (update g :keep (fnil conj []) id)
                  (not (present port-name))
                  (-> (update :nodes conj [op {:name port-name, :type type}])
                      (update :types conj type)))))
            g ports)))

(defn- with-ports
  "The graph with a node for each port, only the nodes needed that count dims, the names of all
  :dims, and the :bounds that were told of them."
  [g {:keys [inputs state bounds]} dims]
  (let [g (-> (counted/only-needed g dims)
              (with-leaves :input inputs) (with-leaves :shared state))]
    (assoc g :bounds bounds, :dims (into dims (map :dim) (counted/binders g)))))

(defn- ports
  "The ports of leaves given as [[name type] …], with the buffers of their nodes. They have the dims
  that the user gave them, of which some may be one in the graph."
  [buffer-of ids named]
  (mapv (fn [[leaf type]] (port type leaf (buffer-of [:node (ids leaf)]))) named))

(defn- const-buffers [g memory]
  (vec (for [[position [[_ id] {:keys [kind]}]] (map-indexed vector memory) :when (= kind :const)]
         {:buffer position, :data (const-data g id)})))

(defn- all-ports
  "{:inputs :state :outputs} of a program."
  [g {:keys [inputs state outputs updates]} buffer-of]
  (let [[input-ids state-ids] (map #(leaves g %) [:input :shared])]
    {:inputs (ports buffer-of input-ids inputs)
     :state (mapv #(cond-> % (contains? updates (symbol (:name %))) (assoc :written true))
                  (ports buffer-of state-ids (sort-by (comp str first) state)))
     :outputs (vec (map-indexed (fn [k [id output]]
                                  (port (get (:shown g) k (graph/type-of g id)) output
                                        (buffer-of [:node id])))
                                (map vector (:outputs g) outputs)))}))

(defn- value-entries
  "What a program says of dims that are values of inputs."
  [valued]
  (when (seq valued)
    {:valued (mapv (fn [[dim input]] {:dim dim, :input (str input)}) valued)}))

(defn- largest
  "{dim largest} of the dims that nodes count."
  [g]
  (into {} (map (juxt :dim :max)) (rseq (counted/binders g))))

(defn- laid-out
  "{:steps :memory-of :over :bound :noted}: the units as steps, in order, and copies at the end."
  [g sched updated dims]
  (let [{:keys [units alias copies over]} (scope/arranged g sched updated)
        {:keys [bound running]} (require/by-time g dims)
        noted (vec (distinct (concat (failing-nodes g) (map :id bound)
                                     (map :id (mapcat val (sort-by key running))))))
        note-of (zipmap noted (range)), memory-of (place/memory-of g alias over)
        cx {:g g, :sched sched, :memory-of memory-of, :note-of note-of, :needing running
            :fixed dims, :counting (counted/counting g dims), :largest (largest g)}]
    {:steps (into (steps/with-own-scratch (steps/steps cx units 0)) copies)
     :memory-of memory-of, :over over, :bound bound, :noted noted, :note-of note-of}))

(defn program
  "The program of a prepared graph; see the namespace. Its meta data has the :nodes that the buffers
  are for, in order, for messages. The graph gives what is returned, then new values of the state."
  [g {:keys [inputs state outputs updates requires] fn-name :name :as spec}]
  (let [valued (counted/valued g)
        dims (bound-dimensions (concat inputs state) valued)
        g (memory/counting (flat/flattened (checked (with-ports g spec (set dims)))) (set dims))
        sched (schedule/schedule g), state-ids (leaves g :shared)
        updated (into {} (for [[s i] updates] [(nth (:outputs g) i) (state-ids s)]))
        {:keys [steps memory-of over bound noted note-of]} (laid-out g sched updated (set dims))
        returned (take (count outputs) (:outputs g))
        entries (vec (memory/entries g sched steps returned memory-of over))
        open (memory/mentioned g entries), counted (steps/bounded (steps/counted-in steps) open)
        buffer-of (memory/buffers entries memory-of)
        {:keys [kernels steps]} (steps/number-kernels (steps/with-bounds steps open))]
    (let [dims (into dims (concat (map :dim counted) (steps/own-dims steps)))]
      (check-dimensions! g dims)
      (limit/check! g (distinct dims) entries))
    (cond-> {:damo/program 1, :name fn-name, :dims dims, :kernels kernels
             :buffers (mapv second entries), :consts (const-buffers g entries)
             :steps (steps/resolved steps buffer-of)
             :notes (into (note/notes g noted) (map :note) requires)}
      true (merge (all-ports g spec buffer-of) (value-entries valued))
      (or (seq requires) (seq bound))
      (assoc :requires (require/entries requires bound note-of (count noted)))
      (seq counted) (assoc :counted counted)
      true (-> order/ordered (with-meta {:nodes (memory/nodes g entries)})))))
