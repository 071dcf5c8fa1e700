(ns damo.plan
  "From a schedule to a program (docs/program.md): which memory holds which value, updates in place where legal, the order
  of steps, notes for messages. (program graph spec) → the program map.
  spec: {:name … :inputs [[name type] …] :state [[name type] …] :outputs [output names] :updates {state-name
  position-of-output}}."
  (:require [damo.fail :as fail :refer [fail!]]
            [damo.graph :as graph]
            [damo.lower :as lower]
            [damo.lower.nests :as nests]
            [damo.op :as op]
            [damo.plan.product :as product]
            [damo.plan.update :as update]
            [damo.schedule :as schedule]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn- node [g id] (nth (:nodes g) id))
(defn- attrs [g id] (graph/attrs-of (node g id)))

(defn- leaves [g op]
  (into {} (for [id (graph/live g) :when (= op (graph/op-of (node g id)))] [(:name (attrs g id)) id])))

;; ## Notes: what a failing check says

(defn- graph-text [g id depth]
  (let [[op {:keys [name value]} & args] (node g id)]
    (cond name (str name)
          (some? value) (if (vector? value) "const" (str value))
          (and (zero? depth) (seq args)) "…"
          :else (str "(" (apply str (interpose " " (cons (clojure.core/name op) (map #(graph-text g % (dec depth)) args))))
                     ")"))))

(defn- note [g id]
  (let [{{:keys [file line]} :src} (get-in g [:notes id])
        [op {:keys [extent]}] (node g id)]
    (cond-> {:op (name op), :expr (graph-text g id 3)
             :message (if extent "an index must lie between 0 and the extent of its axis" "there is nothing to reduce")}
      file (assoc :file file :line line))))

(defn- failing-nodes [g]
  (filterv (fn [id] (let [{:keys [kind nonempty]} (op/entry (graph/op-of (node g id)))]
                      (or nonempty (= kind :check))))
           (graph/live g)))

;; ## Lowering the units

(defn- copies-before
  "For a product that accumulates: the memory-to-memory copy of its addend, unless they are one memory."
  [g {:keys [layouts]} alias id]
  (when-let [c (product/addend g id)]
    (let [base (:base (layouts c))]
      (when-not (= base (alias id))
        [{:do :copy, :from [:node base], :to [:node id], :type (graph/type-of g id)}]))))

(defn- lower-unit [{:keys [g sched alias] :as cx} {:keys [kind nodes] :as unit}]
  (case kind
    :kernel [(assoc (lower/kernel cx unit) :do :kernel)]
    :own [(assoc (nests/kernel cx unit) :do :kernel)]
    :call (let [[id] nodes]
            (conj (vec (copies-before g sched alias id)) (product/step g sched alias id)))))

;; ## Memory

(defn- memory-entries
  "The buffers in order: [key {:dtype :size :kind …}] for leaves, outputs, temporaries and scratch."
  [g {:keys [stored]} alias outputs lowered]
  (let [entry (fn [id kind] [[:node id] {:dtype (type/dtype-of (graph/type-of g id))
                                         :size (type/size (type/shape-of (graph/type-of g id))) :kind kind}])
        leaf-kind {:input :input, :shared :state, :const :const}
        leaf? #(and (leaf-kind (graph/op-of (node g %))) (= :memory (schedule/role g %)))
        copied (into #{} (comp (mapcat identity) (filter #(= :copy (:do %))) (map (comp second :from))) lowered)
        used (into copied (for [step (mapcat identity lowered), [tag id] (:args step) :when (= tag :node)] id))]
    (concat
     (for [id (graph/live g) :when (leaf? id)
           :when (or (not= :const (graph/op-of (node g id))) (used id))]
       (entry id (leaf-kind (graph/op-of (node g id)))))
     (for [id (sort stored) :when (not (or (alias id) (leaf? id)))]
       (entry id (if (outputs id) :output :temp)))
     (for [[u step] (map-indexed vector (mapcat identity lowered)), [key m] (:scratch step)]
       [[:scratch u (second key)] (assoc m :kind :temp)]))))

(defn- scratch-keys
  "Scratch keys of a lowered step made distinct between kernels."
  [position step]
  (update step :args (fn [args] (mapv #(if (= :scratch (first %)) [:scratch position (second %)] %) args))))

;; ## The program

(defn- number-kernels
  "{:kernels [distinct kernels], :index {kernel position}}: equal kernels, but for their name, are one."
  [steps]
  (reduce (fn [{:keys [kernels index] :as m} {:keys [kernel]}]
            (if (or (nil? kernel) (index (dissoc kernel :name)))
              m
              {:kernels (conj kernels kernel), :index (assoc index (dissoc kernel :name) (count kernels))}))
          {:kernels [], :index {}} steps))

(defn- copy-as-kernel [{:keys [do from to type] :as step}]
  (if (= do :copy)
    {:do :kernel, :kernel (nests/copy-kernel (type/dtype-of type) (type/size (type/shape-of type))), :args [from to]}
    step))

(defn- step-map [buffer-of kernel-index {:keys [do kernel args] :as step}]
  (if (= do :kernel)
    {:do :kernel, :kernel (kernel-index (dissoc kernel :name)), :args (mapv buffer-of args)}
    (product/resolve-buffers step buffer-of)))

(defn- port [g id port-name buffer]
  (let [[dtype shape] (graph/type-of g id)]
    {:name (str port-name), :dtype dtype, :shape shape, :buffer buffer}))

(defn- check-dimensions!
  "Every symbol must be a whole dim of some input or shared variable, else no call can tell its value."
  [g dims]
  (doseq [id (graph/live g)
          d (mapcat type/dim-symbols (type/shape-of (graph/type-of g id)))
          :when (not (some #{d} dims))]
    (fail! ::free-dimension
           (str "nothing tells the dimension " d ": no input or shared variable has it as an axis of its own; it appears in "
                (graph-text g id 3))
           {:dim d, :node (node g id)})))

(defn- bound-dimensions [g leaf-ids]
  (vec (distinct (filter symbol? (mapcat #(type/shape-of (graph/type-of g %)) leaf-ids)))))

(defn- const-data [g id]
  (let [{:keys [value]} (attrs g id)] (if (vector? value) value [value])))

(defn- with-leaves
  "The graph with a node for each input and shared variable, also for those that no output needs: a call still takes them,
  and they may be all that tells a dimension."
  [g op ports]
  (let [present (leaves g op)]
    (reduce (fn [g [port-name type]]
              (let [id (get present port-name (count (:nodes g)))]
                (cond-> (update g :keep (fnil conj []) id)
                  (not (present port-name)) (-> (update :nodes conj [op {:name port-name, :type type}])
                                                (assoc-in [:notes id] {:type type})))))
            g ports)))

(defn program
  "The program of a prepared graph; see the namespace. The outputs of the graph are first those that are returned, then
  the new values of the state."
  [g {:keys [inputs state outputs updates] fn-name :name}]
  (let [g (-> g (with-leaves :input inputs) (with-leaves :shared state))
        sched (schedule/schedule g)
        failing (failing-nodes g)
        returned (set (take (count outputs) (:outputs g)))
        state-ids (leaves g :shared)
        updated (into {} (for [[s position] updates] [(nth (:outputs g) position) (state-ids s)]))
        {:keys [units alias copies]} (update/arrange g sched updated)
        cx {:g g, :sched sched, :alias alias, :note-of (zipmap failing (range))}
        lowered (mapv #(lower-unit cx %) units)
        steps (into (into [] (map-indexed scratch-keys) (mapcat identity lowered)) copies)
        steps (mapv copy-as-kernel steps)
        memory (vec (memory-entries g sched alias returned lowered))
        position (zipmap (map first memory) (range))
        buffer-of (fn [[tag id :as key]] (position (if (= tag :node) [:node (alias id id)] key)))
        {:keys [kernels index]} (number-kernels steps)
        input-ids (leaves g :input)
        dims (bound-dimensions g (concat (map (comp input-ids first) inputs) (vals state-ids)))]
    (check-dimensions! g dims)
    {:damo/program 1
     :name fn-name
     :dims dims
     :buffers (mapv second memory)
     :inputs (mapv (fn [[input]] (port g (input-ids input) input (buffer-of [:node (input-ids input)]))) inputs)
     :state (mapv (fn [[s id]] (cond-> (port g id s (buffer-of [:node id]))
                                 (contains? updates s) (assoc :written true)))
                  (sort-by (comp str key) state-ids))
     :outputs (mapv (fn [id output] (port g id output (buffer-of [:node id]))) (:outputs g) outputs)
     :consts (vec (for [[[_ id] {:keys [kind]}] memory :when (= kind :const)]
                    {:buffer (position [:node id]), :data (const-data g id)}))
     :kernels kernels
     :steps (mapv #(step-map buffer-of index %) steps)
     :notes (mapv #(note g %) failing)}))
