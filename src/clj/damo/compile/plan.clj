(ns damo.compile.plan
  "From a schedule to a program (docs/program.md): which memory holds which value, updates in place
  where legal, the order of steps, notes for messages. (program graph spec) → the program map.
  spec: {:name … :inputs [[name type] …] :state [[name type] …] :outputs [output names] :updates
  {state-name position-of-output} :requires and :bounds, what was told of dims, as
  damo.compile.told has it}."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.permute :as permute]
            [damo.compile.plan.host :as host]
            [damo.compile.plan.limit :as limit]
            [damo.compile.plan.note :as note]
            [damo.compile.plan.order :as order]
            [damo.compile.plan.product :as product]
            [damo.compile.plan.require :as require]
            [damo.compile.plan.update :as update]
            [damo.compile.schedule :as schedule]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.meaning.failing :as failing]
            [damo.op :as op])
  (:import [java.util ArrayList HashMap]))

(set! *warn-on-reflection* true)

(defn- leaves [g op]
  (into {} (for [id (graph/live g) :when (= op (graph/op-at g id))]
            [(:name (graph/attrs-at g id)) id])))

;; ## Nodes that may fail

(defn- failing-nodes [g]
  (filterv #(failing/in-kernel? g %) (graph/live g)))

;; ## Lowering the units

(defn- copies-before
  "For a product that accumulates: the memory-to-memory copy of its addend, unless they are one
  memory."
  [g {:keys [layouts]} alias id]
  (when-let [c (product/addend g id)]
    (let [base (:base (layouts c))]
      (when-not (= base (alias id))
        [{:do :copy, :from [:node base], :to [:node id], :type (graph/type-of g id)}]))))

(defn- own-steps
  "The steps of a node with a nest of its own; :count says which dim it binds, if any, and from
  where."
  [{:keys [g counting note-of] :as cx} {[id] :nodes :as unit}]
  (let [{:keys [dim max]} (counting id)]
    (if (= :nest (op/kind (graph/op-at g id)))
      [(cond-> (assoc (permute/kernel cx unit) :do :kernel)
         dim (assoc :count {:dim dim, :max max, :from [:scratch [id :count]]
                            :note (note-of id)}))]
      (mapv #(assoc % :do :kernel) (nests/kernels cx unit)))))

(defn- lower-unit [{:keys [g sched alias] :as cx} {:keys [kind nodes] :as unit}]
  (case kind
    :kernel [(assoc (lower/kernel cx unit) :do :kernel)]
    :own (own-steps cx unit)
    :host [(host/step cx (first nodes))]
    :call (let [[id] nodes]
            (conj (vec (copies-before g sched alias id)) (product/step g sched alias id)))))

;; ## Memory

(defn- memory-entry [g id kind]
  (let [[dtype shape] (graph/type-of g id)]
    [[:node id] {:dtype dtype, :size (type/size shape), :kind kind}]))

(def ^:private leaf-kinds {:input :input, :shared :state, :const :const})

(defn- leaf-kind [g id]
  (when (= :memory (schedule/role g id)) (leaf-kinds (graph/op-at g id))))

(defn- nodes-read
  "The nodes whose memory some step mentions."
  [steps]
  (into #{} (mapcat (fn [{:keys [do from args]}]
                      (for [[tag id] (if (= do :copy) [from] args) :when (= tag :node)] id)))
        steps))

(defn- memory-entries
  "The buffers in order, [key {:dtype :size :kind}]: leaves, outputs, temporaries, scratch."
  [g {:keys [stored]} alias outputs steps]
  (let [read? (nodes-read steps)]
    (concat
     (for [id (graph/live g) :let [kind (leaf-kind g id)]
           :when (and kind (or (not= kind :const) (read? id)))]
       (memory-entry g id kind))
     (for [id (sort stored) :when (not (or (alias id) (leaf-kind g id)))]
       (memory-entry g id (if (outputs id) :output :temp)))
     (for [[i step] (map-indexed vector steps), [[_ id] m] (:scratch step)]
       [[:scratch i id] (assoc m :kind :temp)]))))

(defn- scratch-keys
  "Scratch keys of a lowered step made distinct between kernels."
  [position step]
  (let [distinct-key (fn [[tag id :as key]] (if (= :scratch tag) [:scratch position id] key))]
    (cond-> (update step :args (partial mapv distinct-key))
      (:count step) (update-in [:count :from] distinct-key))))

;; ## The program

(defn- number-kernels
  "{:kernels [distinct kernels], :steps steps that have the number of their kernel in its place}:
  equal kernels, but for their name, are one."
  [steps]
  (let [kernels (ArrayList.), numbers (HashMap.)
        number! (fn [kernel]
                  (let [own (dissoc kernel :name)]
                    (or (.get numbers own)
                        (let [n (.size kernels)]
                          (.put numbers own n)
                          (.add kernels kernel)
                          n))))
        steps (mapv #(if (:kernel %) (update % :kernel number!) %) steps)]
    {:kernels (vec kernels), :steps steps}))

(defn- copy-as-kernel [{:keys [do from to type] :as step}]
  (if (= do :copy)
    {:do :kernel, :kernel
     (nests/copy-kernel (type/dtype-of type) (type/size (type/shape-of type))), :args [from to]}
    step))

(defn- step-maps
  "A step as the program has it; behind a kernel that counts comes the step that binds the dim."
  [buffer-of {:keys [do kernel args] {:keys [dim from note]} :count :as step}]
  (if (= do :kernel)
    (cond-> [{:do :kernel, :kernel kernel, :args (mapv buffer-of args)}]
      dim (conj {:do :count, :dim dim, :buffer (buffer-of from), :note note}))
    [((if (= do :host) host/resolve-buffers product/resolve-buffers) step buffer-of)]))

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
                     (not (#{:nest :arg-reduce} (op/kind op))))]
    (fail! :damo.plan/several-results
           (str "the op " op " has " (count (tuple/types (graph/type-of g id))) " results, and is"
                " of the kind " (op/kind op) ", which computes one"
                (fail/facts-text (note/facts g id)))
           (note/facts g id)))
  g)

(defn- bound-dimensions [leaves]
  (vec (distinct (filter symbol? (mapcat (comp type/shape-of second) leaves)))))

(defn- buffers-by-key
  "The function from a memory key to the number of its buffer."
  [memory alias]
  (let [position (zipmap (map first memory) (range))]
    (fn [[tag id :as key]] (position (if (= tag :node) [:node (alias id id)] key)))))

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

(defn- laid-out
  "{:steps [step …] :alias {node state}}: the units lowered, in order, and copies at the end. Steps
  name memory by keys."
  [g sched updated note-of dims requirements]
  (let [{:keys [units alias copies]} (update/arrange g sched updated)
        cx {:g g, :sched sched, :alias alias, :note-of note-of
            :counting (counted/counting g (set dims))}
        lowered (into [] (mapcat #(lower-unit cx %)) units)
        steps (require/with-checks (into [] (map-indexed scratch-keys) lowered)
                                   (set dims) requirements note-of)]
    {:steps (into steps copies), :alias alias}))

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
     :outputs (mapv (fn [id output] (port (graph/type-of g id) output (buffer-of [:node id])))
                    (:outputs g) outputs)}))

(defn- nodes-of-buffers
  "The node that each buffer is for, nil where it is for none alone."
  [memory]
  (mapv (fn [[[tag :as key]]] (when (and (#{:node :scratch} tag) (integer? (peek key))) (peek key)))
        memory))

(defn program
  "The program of a prepared graph; see the namespace. Its meta data has the :nodes that the buffers
  are for, in order, for messages. The outputs of the graph are first those that
  are returned, then the new values of the state."
  [g {:keys [inputs state outputs updates requires] fn-name :name :as spec}]
  (let [dims (bound-dimensions (concat inputs state))
        g (checked (with-ports g spec (set dims)))
        sched (schedule/schedule g)
        {:keys [bound counting]} (require/by-time g (set dims))
        noted (vec (distinct (concat (failing-nodes g) (map :id bound) (map :id counting))))
        note-of (zipmap noted (range)), state-ids (leaves g :shared)
        updated (into {} (for [[s i] updates] [(nth (:outputs g) i) (state-ids s)]))
        {:keys [steps alias]} (laid-out g sched updated note-of dims counting)
        memory (vec (memory-entries g sched alias (set (take (count outputs) (:outputs g))) steps))
        buffer-of (buffers-by-key memory alias)
        {:keys [kernels steps]} (number-kernels (mapv copy-as-kernel steps))
        counted (mapv #(select-keys % [:dim :max]) (keep :count steps))]
    (check-dimensions! g (into dims (map :dim) counted))
    (limit/check! g (into dims (map :dim) counted) memory)
    (cond-> {:damo/program 1, :name fn-name, :dims dims, :kernels kernels
             :buffers (mapv second memory), :consts (const-buffers g memory)
             :steps (into [] (mapcat #(step-maps buffer-of %)) steps)
             :notes (into (note/notes g noted) (map :note) requires)}
      true (merge (all-ports g spec buffer-of))
      (or (seq requires) (seq bound))
      (assoc :requires (require/entries requires bound note-of (count noted)))
      (seq counted) (assoc :counted counted)
      true (-> order/ordered (with-meta {:nodes (nodes-of-buffers memory)})))))
