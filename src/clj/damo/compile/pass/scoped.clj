(ns damo.compile.pass.scoped
  "What is written down when the graphs in loops and branches are put into one table
  (damo.compile.pass.flat): scopes, regions, and where nodes lie in the memory of others. A writer
  is that of damo.compile.pass.layout with :flat, a volatile of what becomes of the table besides
  its nodes. Mutable, inside of one pass.
  A place is {:of id, :offset dim, :size dim}, elements of the memory of another node, or {:in key,
  :row dim, :rows dim}, rows of a memory that is no node's; of such a memory the table says
  {:dtype, :shape of a row, :rows how many there are, or :ring how many are kept, :backwards true
  where they lie in the opposite order, :for the node that says what it is}."
  (:require [damo.compile.pass.layout :as layout]
            [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.op.whole :as whole])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

;; ## Scopes

(defn- outer-scope
  "The scope in which a copy of node `id` is made that is wanted in another one: not in a loop that
  does not change it."
  [scope-of regions]
  (fn [scope id]
    (let [own (get @scope-of id 0)]
      (loop [scope scope]
        (let [{:keys [kind parent]} (get-in @regions [:regions scope])]
          (if (or (= scope own) (not= :loop kind)) scope (recur parent)))))))

(defn writer
  "A writer of one table; `dims` are names that loops do not take."
  [dims]
  (let [{:keys [scope-of] :as writer} (layout/writer (graph/builder))
        flat (volatile! {:regions {}, :region-of {}, :memories {}, :places {}, :strided {}, :count 0
                         :within {}, :claimed #{}, :kept []})]
    (assoc writer :flat flat, :dims dims, :outer (outer-scope scope-of flat), :level 0)))

(defn keep!
  "Says of nodes that no pass drops them: they count dims."
  [{:keys [flat]} ids]
  (vswap! flat update :kept into ids))

(defn finished
  "The table as a graph."
  [{:keys [b scope-of flat]} outputs]
  (merge (graph/finish b outputs (distinct (:kept @flat)))
         (dissoc @flat :count :claimed :kept)
         {:scope-of @scope-of}))

(defn scope!
  "The number of a new scope; fails when it lies in too many others."
  [{:keys [flat level]} note]
  (when (< (.most Limits/LEVELS) (inc (long level)))
    (fail! :damo.flat/too-deep
           (str "loops and branches lie at most " (.most Limits/LEVELS) " deep in each other")
           (merge {:most (.most Limits/LEVELS)} (:src note))))
  (:count (vswap! flat update :count inc)))

(defn inside
  "The writer of the nodes in a scope."
  [writer scope]
  (-> writer (assoc :scope scope) (update :level inc)))

(defn variable
  "The name that the rounds of the loop of that scope have as a dim."
  [{:keys [dims]} scope]
  (first (remove (set dims) (map #(symbol (str "t" % "." scope)) (cons "" (range))))))

(defn region!
  "Writes down a region, whose node it has under :id, under each of its :scopes."
  [{:keys [flat]} {:keys [id scopes] :as region}]
  (vswap! flat update :region-of assoc id region)
  (doseq [scope scopes] (vswap! flat update :regions assoc scope region)))

(defn opens!
  "Says of a scope, before its nodes are added, of which :kind it is, and in which other it lies."
  [{:keys [flat scope]} inner region]
  (vswap! flat update :regions assoc inner (assoc region :parent scope)))

;; ## Counted dims
;; What a body counts it counts anew each time it runs, and two regions may hold one body. So it has
;; a name of its own in each scope; of axes of results the region counts the extent behind, from
;; where the body has left it.

(defn- with-names
  "The graph with other names for dims that its nodes count, {dim dim}."
  [names {:keys [nodes] :as g}]
  (assoc g :nodes
         (mapv (fn [[op {:keys [as] :as attrs} & args]]
                 (let [attrs (body/with-graphs op attrs (fn [_ inner] (with-names names inner)))
                       as (if (map? as) (update-vals as #(get names % %)) (get names as as))]
                   (into [op (if (and as (:counts (op/entry op))) (assoc attrs :as as) attrs)]
                         args)))
               nodes)))

(defn renamed
  "{:attrs, :names [{dim dim} …]}: the attributes of a node of that op with other names for what the
  graphs in it count, those of the `scopes`, one for each graph; and which these are."
  [attrs op scopes]
  (let [own (fn [scope d] [d (symbol (namespace d) (str (name d) "." scope))])
        names (mapv (fn [[_ g] scope]
                      (into {} (map #(own scope (:dim %))) (counted/binders (body/opened g nil))))
                    (body/graphs op attrs) scopes)
        names-at (zipmap (map first (body/graphs op attrs)) names)]
    {:names names
     :attrs (body/with-graphs op attrs
              (fn [path g]
                (let [names (names-at path)]
                  (if (empty? names)
                    g
                    (with-names names (whole/with-dims #(type/substitute names %) g))))))}))

(defn extents
  "The dims in the types of the results of a region that its bodies count, given their `names`."
  [type names]
  (let [counted? (into #{} (mapcat keys) names)]
    (sort (filter counted? (into #{} (mapcat type/symbols) (tuple/types type))))))

;; ## Parameters

(defn live-params
  "The attributes of the parameters that the outputs of a body need."
  [body]
  (for [id (graph/live body) :let [node (graph/node-at body id)] :when (body/param? node)]
    (graph/attrs-of node)))

;; ## Places

(defn place!
  "Writes down the place of a node, and how it lies there when not densely, {:offset :strides}. A
  memory in all of which it lay already is then there too."
  [{:keys [flat layouts]} id place strided]
  (let [{:keys [in]} (get-in @flat [:places id])]
    (when (and in (not= in (:in place))) (vswap! flat update :within assoc in id)))
  (vswap! flat update :places assoc id place)
  (when strided
    (vswap! flat update :strided assoc id strided)
    (vswap! layouts assoc id (assoc strided :base id)))
  id)

(defn memory!
  "Writes down a memory."
  [{:keys [flat]} key memory]
  (vswap! flat update :memories assoc key memory)
  key)

(defn memory "A memory by its key." [{:keys [flat]} key] (get-in @flat [:memories key]))

(defn place
  "The place of a node; nil where it lies in memory of its own."
  [{:keys [flat]} id]
  (get-in @flat [:places id]))

(defn- whole?
  "Is a place all of its memory, densely?"
  [{:keys [flat]} id {:keys [in row rows]}]
  (let [{all :rows} (get-in @flat [:memories in])]
    (and in (= 0 row) (= all rows) (not (get-in @flat [:strided id]))
         (not (contains? (:claimed @flat) in)))))

;; ## Nodes

(defn scope-of "The scope of a node." [writer id] (get @(:scope-of writer) id 0))

(defn add!
  "Adds a dense node to the scope of the writer; returns its id."
  [writer node args type note]
  (layout/add-laid-out! writer node args type note nil))

(defn template!
  "The id of what a template of ops on these arguments, {name id}, is in the scope of the writer."
  [{:keys [b] :as writer} template arguments note]
  (let [ctx (assoc (op/builder-context b note)
                   :make (fn [op attrs args type]
                           (op/->Id (layout/add-materialized! writer [op attrs] (mapv op/id-of args)
                                                              type note))))]
    (op/instantiate-over! #(op/id-of (op/construct ctx %1 %2 %3)) arguments template)))

(defn- own?
  "Has a node memory that it may write for itself, in this scope?"
  [{:keys [b scope] :as writer} id]
  (and (= scope (scope-of writer id))
       (not (#{:view :leaf :generate} (op/kind (graph/op-of (graph/node b id)))))
       (if-let [place (place writer id)] (whole? writer id place) true)))

(defn- claimed!
  "Says that the memory in which an output lies is its own."
  [{:keys [flat] :as writer} id]
  (when-let [{:keys [in]} (place writer id)] (vswap! flat update :claimed conj in))
  id)

(defn own-outputs!
  "The outputs of a body or graph, each in memory of its own in the scope of the writer, copied
  where it is not."
  [{:keys [b] :as writer} outputs]
  (reduce (fn [done id]
            (conj done (if (and (own? writer id) (not (some #{id} done)))
                         (claimed! writer id)
                         (add! writer [:copy {:output (count done)}] [id] (graph/node-type b id)
                               (graph/note b id)))))
          [] outputs))

(defn element!
  "The id of a value without axes as element 0 of memory of its own, of that dtype: where the value
  itself will lie, those say that come later."
  [{:keys [b] :as writer} id dtype note]
  (let [same? (= dtype (type/dtype-of (graph/node-type b id)))]
    (add! writer (if same? [:copy {:element true}] [:cast {:dtype dtype, :element true}]) [id]
          [dtype []] note)))

(defn part!
  "The id of a part of a region's node, which lies where the region says; nil for parts of other
  nodes."
  [{:keys [flat] :as writer} {:keys [at] :as attrs} [of :as args] type note]
  (when-let [{:keys [results]} (get-in @flat [:region-of of])]
    (let [result (nth results at)]
      (if-let [make (:make result)]
        (make writer of type note)
        (place! writer (add! writer [:part attrs] args type note) (:place result)
                (:strided result))))))
