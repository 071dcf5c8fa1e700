(ns damo.compile.plan.steps
  "From units in order to the steps of a program, those of loops and branches in steps. Steps name
  memory by keys (damo.compile.plan.place) until `resolved`. (steps cx units 0) = [{:do :kernel,
  :kernel map, :args [key …]} …]; cx: {:g :sched :memory-of :note-of :counting, and :needing {scope
  requirements}}."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.permute :as permute]
            [damo.compile.plan.host :as host]
            [damo.compile.plan.product :as product]
            [damo.compile.plan.require :as require]
            [damo.compile.plan.routine :as routine]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op])
  (:import [java.util ArrayList HashMap]))

(set! *warn-on-reflection* true)

;; ## Units outside of loops

(defn- copies-before
  "For a product that accumulates: the memory-to-memory copy of its addend, unless they are one
  memory."
  [{:keys [g sched memory-of]} id]
  (when-let [c (product/addend g id)]
    (let [base (:base ((:layouts sched) c))]
      (when-not (= (memory-of base) (memory-of id))
        [{:do :copy, :from [:node base], :to [:node id], :type (graph/type-of g id)}]))))

(defn- own-factors
  "[step copies] with the factors of a product that are elements of arrays: a product reads them
  from the beginning of a buffer, so that one that lies elsewhere is copied first."
  [{:keys [g memory-of]} id step]
  (let [dtype (type/dtype-of (graph/type-of g id))]
    (reduce (fn [[step copies] k]
              (let [{from :memory} (k step), own [:factor id k]]
                (if (and from (= :window (first (memory-of (second from)))))
                  [(assoc step k {:memory own})
                   (conj copies {:do :copy, :from from, :to own, :type [dtype []]
                                 :temps {own {:dtype dtype, :size 1}}})]
                  [step copies])))
            [step []] [:alpha :beta])))

(defn- product-steps
  "The steps of a product, with the copies that it needs before."
  [{:keys [g sched] :as cx} id]
  (let [[step copies] (own-factors cx id (product/step g sched id))]
    (-> (vec (copies-before cx id)) (into copies) (conj step))))

(defn- own-steps
  "The steps of a node with a nest of its own; :count says which dim it binds, if any, and from
  where."
  [{:keys [g counting note-of] :as cx} {:keys [nodes] :as unit}]
  (let [nest? #(= :nest (op/kind (graph/op-at g %)))
        ;; Behind a nest of several results come its parts; before others what they compute.
        id (or (first (filter nest? nodes)) (peek nodes)), {:keys [dim max]} (counting id)]
    (if (nest? id)
      [(cond-> (assoc (permute/kernel cx unit id) :do :kernel)
         dim (assoc :count {:dim dim, :max max, :from [:scratch [id :count]]
                            :note (note-of id)}))]
      (mapv #(assoc % :do :kernel) (nests/kernels cx unit)))))

;; ## Loops and branches

(declare steps)

(defn counted-in
  "What the steps of a list count, [{:dim :max} …], in their order."
  [steps]
  (into [] (comp (mapcat require/counts)
                 (map #(into {} (filter (comp some? val)) (select-keys % [:dim :max]))))
        steps))

(defn- counts-of
  "What is counted behind a region: the extents that its bodies have left in memory."
  [{:keys [largest note-of]} {:keys [id counts]}]
  (vec (for [{:keys [dim in]} counts]
         {:dim dim, :max (largest dim), :from [:rows in], :note (note-of id)})))

(defn- counts-first?
  "Is node `id` the first to count a dim? Equal loops with other results count one."
  [{:keys [counting]} id dim]
  (not-any? (fn [[other counted]] (and (not= id other) (= dim (:dim counted)))) counting))

(defn- region-steps
  "The step of a loop or branch."
  [{:keys [g note-of] :as cx} {[id] :nodes, :keys [inner]}]
  (let [{:keys [kind var extent until unless as test scopes counts] :as region} ((:region-of g) id)
        same (into #{} (map :inner) counts)
        lists (mapv #(steps cx (:units %1) %2) inner scopes)
        counted (vec (distinct (mapcat counted-in lists)))
        common (cond-> {:do kind, :note (note-of id), :counts (counts-of cx region)}
                 (seq counted) (assoc :counted counted))]
    [(if (= kind :branch)
       (assoc common :test [:node test], :cases lists)
       (cond-> (assoc common :var var, :steps (first lists))
         extent (assoc :extent extent)
         until (assoc :until [:node until])
         unless (assoc :unless [:node unless])
         (and as (counts-first? cx id as)) (assoc :count {:dim as, :max extent})
         (seq counted) (assoc :counted (mapv #(cond-> % (same (:dim %)) (assoc :same true))
                                             counted))))]))

(defn- unit-steps
  "The steps of a unit; none of a kernel of which others compute again all that it would make."
  [cx {:keys [kind nodes] :as unit}]
  (case kind
    :kernel (let [{:keys [kernel] :as step} (lower/kernel cx unit)]
              (when (or (seq (:params kernel)) (some #(failing/in-kernel? (:g cx) %) nodes))
                [(assoc step :do :kernel)]))
    :own (own-steps cx unit)
    :host [(host/step cx (first nodes))]
    :routine (routine/steps cx (first nodes))
    :call (product-steps cx (first nodes))
    (:loop :branch) (region-steps cx unit)))

(defn steps
  "The steps of the units of a scope, with checks of what must hold of dims there."
  [{:keys [needing note-of] :as cx} units scope]
  (require/with-checks (into [] (mapcat #(unit-steps cx %)) units) (get needing scope) note-of))

;; ## All steps of a program

(defn- mapped
  "The steps with (f step) for each, those in steps first."
  [f steps]
  (mapv (fn [step]
          (f (cond-> step
               (:steps step) (update :steps #(mapped f %))
               (:cases step) (update :cases (partial mapv #(mapped f %))))))
        steps))

(defn every-step
  "All steps, those in steps included."
  [steps]
  (mapcat (fn [{:keys [steps cases] :as step}]
            (cons step (mapcat every-step (cond-> cases steps (conj steps)))))
          steps))

(defn own-dims
  "The dims that steps know which stand in others: rounds, and what is counted in a list."
  [steps]
  (mapcat (fn [{:keys [var counted]}] (cond->> (map :dim counted) var (cons var)))
          (every-step steps)))

(defn with-own-scratch
  "The steps with scratch keys that are distinct between kernels."
  [steps]
  (let [number (volatile! -1)
        own (fn [n] (fn [[tag id :as key]] (if (= :scratch tag) [:scratch n id] key)))]
    (mapped (fn [step]
              (let [own (own (vswap! number inc))]
                (cond-> step
                  (:args step) (update :args (partial mapv own))
                  (:scratch step) (update :scratch update-keys own)
                  (:from (:count step)) (update-in [:count :from] own))))
            steps)))

(def ^:private most-rounds
  "What bounds a count where memory mentions it and nothing else bounds it: days of empty rounds."
  (bit-shift-left 1 48))

(defn bounded
  "The entries of :counted with a bound for these dims."
  [counted dims]
  (mapv (fn [{:keys [dim max] :as entry}]
          (cond-> entry (and (nil? max) (dims dim)) (assoc :max most-rounds)))
        counted))

(defn with-bounds
  "The steps with bounds for these dims wherever lists count them."
  [steps dims]
  (mapped #(cond-> % (:counted %) (update :counted bounded dims)) steps))

(defn- copy-as-kernel [{:keys [do from to type] :as step}]
  (if (= do :copy)
    {:do :kernel, :kernel
     (nests/copy-kernel (type/dtype-of type) (type/size (type/shape-of type))), :args [from to]}
    step))

(defn number-kernels
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
        steps (mapped #(let [step (copy-as-kernel %)]
                         (cond-> step (:kernel step) (update :kernel number!)))
                      steps)]
    {:kernels (vec kernels), :steps steps}))

(declare resolved)

(defn- resolved-region
  "The step of a loop or branch with buffers in the place of keys."
  [{:keys [count] :as step} buffer-of]
  (let [inner #(resolved % buffer-of)
        at (fn [step k] (cond-> step (k step) (update k buffer-of)))]
    (cond-> (reduce at (dissoc step :counts :count) [:until :unless :test])
      (:steps step) (update :steps inner)
      (:cases step) (update :cases (partial mapv inner))
      count (assoc :count (:dim count)))))

(defn resolved
  "The steps as the program has them; behind what counts come the steps that bind the dims."
  [steps buffer-of]
  (into []
        (mapcat (fn [{:keys [do kernel args] :as step}]
                  (cons (case do
                          :kernel {:do :kernel, :kernel kernel, :args (mapv buffer-of args)}
                          :gemm (product/resolve-buffers step buffer-of)
                          :host (host/resolve-buffers step buffer-of)
                          :call (routine/resolve-buffers step buffer-of)
                          (:loop :branch) (resolved-region step buffer-of))
                        (for [{:keys [dim from note]} (require/counts step) :when from]
                          {:do :count, :dim dim, :buffer (buffer-of from), :note note}))))
        steps))
