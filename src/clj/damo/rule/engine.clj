(ns damo.rule.engine
  "The engine that applies rules. One sweep over the graph, arguments first: each node is emitted
  into a new builder on arguments that are simplified already, and the first rule that applies
  replaces it; right sides are emitted the same way. Constants are folded. Graph in; graph and trace
  out.
  (rewrite/run graph [canonicalize] {}) = {:graph g', :trace [{:rule :log1p …} …]}

  A sweep ends whatever the rules are. A rule is not applied where it would make a node that is
  being rewritten (rules that undo each other), where right sides grow inside each other, or where
  the sweep ran out of fuel; the trace says so. What nests deeper than the stack is meant to hold is
  left for another sweep."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.rule :as rule]
            [damo.rule.factors :as factors]
            [damo.rule.fold :as fold]
            [damo.rule.index :as index]
            [damo.rule.inside :as inside]
            [damo.rule.layers :as layers]
            [damo.rule.partners :as partners]
            [damo.rule.settled :as settled]
            [damo.rule.through :as through]
            [damo.rule.trace :as trace])
  (:import [damo.rule.index Candidate]
           [java.util ArrayList HashMap HashSet]
           [java.util.function BiFunction]))

(set! *warn-on-reflection* true)

(def ^:private max-depth
  "How deep right sides may rewrite inside each other in one sweep; each level takes some 3 KB of
  the stack."
  100)

(def ^:private max-sweeps
  "How many sweeps follow each other while right sides nest deeper than that."
  20)

;; ## The state of a sweep
;; `ids` remembers every node that was asked for, rewritten or not; `uses` counts the users of the
;; nodes emitted; `active` holds the nodes that are being rewritten; `firing` is the stack of their
;; rules, frames {:rule name, :refused volatile, true when the rule must not be applied after all};
;; `deep` is an entry for the trace when something was left because the stack was full; `inside`
;; rewrites a graph that a node holds.

(defrecord Engine [b failing parts partners index none uses users-of ids active trace firing deep
                   fuel fold distances inside])

(declare swept)

(defn- engine [index {:keys [fuel fold] :or {fold true} :as opts} nodes]
  (let [b (graph/builder), uses (HashMap.)]
    (->Engine b (failing/flags b) (factors/parts b) (partners/partners (index/rules-of index)) index
              (index/settled index #{}) uses #(.getOrDefault uses % 0) (HashMap.) (HashSet.)
              (ArrayList.) (volatile! ()) (volatile! nil)
              (volatile! (or fuel (+ 1000 (* 20 (long nodes))))) fold (ArrayList.)
              (inside/rewriter #(swept %1 index (assoc opts :fuel %2, :trace [], :settled nil))))))

(declare emit-node!)

(defn- emitter [{:keys [b] :as engine} note]
  (let [make (fn [op attrs args type]
               (op/->Id (emit-node! engine op attrs (mapv op/id-of args) type note)))
        ctx (assoc (op/builder-context b note) :make make)]
    (fn [op attrs args] (op/id-of (op/construct ctx op attrs args)))))

;; ## Replacements have the type of what they replace

(defn- stretches? [from to]
  (let [missing (- (count to) (count from))]
    (and (<= 0 missing) (every? true? (map #(or (= %1 1) (= %1 %2)) from (drop missing to))))))

(defn- scalar-constant! [engine x dtype note]
  (emit-node! engine :const {:type [dtype []], :value (array/convert dtype x)} [] [dtype []] note))

(defn- conform!
  "The id, cast and broadcast to the type; fails when that is not possible, naming the rule."
  [{:keys [b] :as engine} id [dtype shape] note rule-name]
  (let [emit (emitter engine note), [from given] (graph/node-type b id)]
    (when-not (stretches? given shape)
      (fail! :damo.rewrite/bad-rule
             (str "the rule " rule-name " made a node of shape " (pr-str given)
              " in the place of one of shape " (pr-str shape))
             {:rule rule-name, :expected [dtype shape], :given [from given]}))
    (let [cast-id (if (= from dtype) id (emit :cast {:dtype dtype} [(op/->Id id)]))]
      (if (= given shape) cast-id (emit :broadcast-to {:shape shape} [(op/->Id cast-id)])))))

;; ## Constant folding

(defn- folded!
  "The id of the constant that (op args) is, or nil."
  [{:keys [b] :as engine} op attrs args type note]
  (when-let [values (fold/values b op attrs args type)]
    (if (and (seq values) (apply = values))
      (let [scalar (scalar-constant! engine (first values) (type/dtype-of type) note)]
        (conform! engine scalar type note "constant folding"))
      (emit-node! engine :const {:type type, :value values} [] type note))))

;; ## Firing

(defn- stopped!
  "Adds to the trace that a rule was not applied to the node (op args), and why; nil."
  [{:keys [b ^ArrayList trace]} rule-name why op args]
  (.add trace {:rule rule-name, :stopped why, :before (trace/shown b op args), :made []})
  nil)

(defn- replacement!
  "The id of a right side, of the type of what it replaces; a number is a constant of its dtype."
  [engine m template [dtype _ :as type] note rule-name]
  (let [made (op/instantiate! (emitter engine note) m template)
        id (if (or (number? template) (boolean? template))
             (scalar-constant! engine made dtype note)
             made)]
    (conform! engine id type note rule-name)))

(defn- cone
  "How many nodes these need, themselves included."
  [b ids]
  (let [seen (HashSet.), more (ArrayList. ^java.util.Collection (vec ids))]
    (while (not (.isEmpty more))
      (let [id (.remove more (dec (.size more)))]
        (when (.add seen id) (.addAll more (graph/args-of (graph/node b id))))))
    (.size seen)))

(defn- refusal
  "Why what a rule made, node `id`, must not take the place of the node on these arguments, or nil:
  a node came back while it was being rewritten; or right sides fill the stack and grow."
  [{:keys [b firing deep]} {:keys [refused]} id args]
  (cond @refused :cycle
        (and (empty? @firing) @deep (< (inc (long (cone b args))) (long (cone b [id])))) :growth))

(defn- fire!
  "The id of what a rule puts in the place of the node (op args), nil when it must not."
  [{:keys [b firing fuel deep ^ArrayList trace] :as engine} {:keys [name]} [m template] op args
   type note]
  (vswap! fuel dec)
  (let [frame {:rule name, :refused (volatile! false)}, deep-before @deep
        _ (vswap! firing conj frame)
        start (graph/node-count b), place (.size trace)
        _ (.add trace nil)              ; kept free, so that entries stand in the order of firing
        id (replacement! engine m template type note name)
        _ (vswap! firing rest)
        why (refusal engine frame id args)]
    (if why
      (do (.clear (.subList trace place (.size trace)))
          (vreset! deep deep-before)
          (stopped! engine name why op args))
      (do (.set trace place
                {:rule name, :id id, :made (vec (range start (graph/node-count b)))
                 :before (trace/shown b op args), :after (trace/after b id)})
          id))))

(defn- keeps-failures?
  "Does what a rule found leave out no node that may fail?"
  [{:keys [b failing]} {:keys [failures]} op attrs args type [m template]]
  (or (= :kept failures)
      (and (or (= :root failures) (not (failing/itself? b (into [op attrs] args) type)))
           (not (failing/dropped? failing args template m)))))

(defn- held-back?
  "Is there no fuel, or no room on the stack, to apply a rule to the node (op args)?"
  [{:keys [b firing fuel deep] :as engine} {:keys [name]} op args]
  (cond (<= (long @fuel) 0) (do (when (zero? (long @fuel)) (stopped! engine name :fuel op args))
                                (vswap! fuel min -1)
                                true)
        (<= (long max-depth) (count @firing))
        (vreset! deep {:rule name, :stopped :depth, :before (trace/shown b op args), :made []})))

(defn- try-rule [{:keys [parts partners users-of]} rule root]
  (if (:within rule)
    (partners/try-rule parts partners rule root users-of)
    (rule/try-rule rule root users-of)))

(defn- tried!
  "The id of what the rule puts in the place of a node, nil where it does not apply."
  [engine rule {:keys [op attrs args type note root]}]
  (when-let [found (try-rule engine rule root)]
    (when (and (keeps-failures? engine rule op attrs args type found)
               (not (held-back? engine rule op args)))
      (fire! engine rule found op args type note))))

(defn- as-tried
  "The node (op args) as `tried!` takes it."
  [{:keys [b]} {:keys [op attrs args type]} note]
  {:op op, :attrs attrs, :args args, :type type, :note note
   :root (rule/view b op attrs args type)})

(defn- tried-through-views!
  "The same for other ways to write the node, as damo.rule.through has them: where the rule applies
  to one part of a join at least."
  [engine rule others note]
  (let [emit (emitter engine note)]
    (some (fn [{:keys [path parts], [join attrs] :join}]
            (let [made (mapv #(tried! engine rule %) parts)]
              (when (some some? made)
                (let [whole #(or %1 (emit (:op %2) (:attrs %2) (mapv op/->Id (:args %2))))
                      ids (mapv whole made parts)]
                  (layers/wrapped emit path
                                  (if join (emit join attrs (mapv op/->Id ids)) (first ids)))))))
          others)))

(defn- through-views
  "The other ways to write a node. Rules that fire on the way leave no trace, constants stay as they
  are, and what would undo the rules at work is not among them."
  [{:keys [b firing distances ^ArrayList trace] :as engine} ops {:keys [note] :as node}]
  (let [before (.size trace), frame {:rule :through-views, :refused (volatile! false)}
        _ (vswap! firing conj frame)
        cx {:b b, :emit (emitter (assoc engine :fold :never) note), :note note
            :distances distances}
        others (vec (through/candidates cx ops node))]
    (vswap! firing rest)
    (.clear (.subList trace before (.size trace)))
    (when-not @(:refused frame)
      (for [other others] (update other :parts (partial mapv #(as-tried engine % note)))))))

(defn- candidates
  "The rules that may apply to a node, as `index/candidates` has them."
  [{:keys [b parts]} of-op op args settled]
  (let [op-of #(graph/op-of (graph/node b %)), group (factors/group-of op)]
    (index/candidates of-op (mapv op-of (if (< 3 (count args)) (subvec args 0 3) args))
                      (when group (mapv #(factors/ops-of parts group %) args))
                      settled)))

(defn- applied!
  "The id of what the first of these candidates that applies puts in the place of a node, or nil."
  [engine node candidates]
  (reduce (fn [_ ^Candidate c] (when-some [id (tried! engine (.rule c) node)] (reduced id)))
          nil candidates))

(defn- applied-through-views!
  "The same where there are other ways to write the node: each rule is tried on the node as it is,
  then, if it looks through views, on the others."
  [engine of-op own {:keys [note] :as node} others settled]
  (let [direct (into {} (map (fn [^Candidate c] [(.place c) (.rule c)])) own)
        through (into #{} (for [{:keys [parts]} others, {:keys [op args]} parts
                                ^Candidate c (candidates engine of-op op args settled)
                                :when (:through (.rule c))]
                            (.place c)))]
    (some (fn [place]
            (or (when-let [rule (direct place)] (tried! engine rule node))
                (when (through place)
                  (tried-through-views! engine (index/rule-at of-op place) others note))))
          (sort (into through (keys direct))))))

(defn- rewritten!
  "The id of what a rule puts in the place of the node, nil where none applies. Other ways to write
  it are looked for when it is the turn of the first rule that looks through views."
  [{:keys [index] :as engine} op attrs args type note settled]
  (let [of-op (index/of-op index op), own (candidates engine of-op op args settled)
        node (as-tried engine {:op op, :attrs attrs, :args args, :type type} note)]
    (if-let [first-through (index/first-through of-op settled)]
      (let [turn? (fn [^Candidate c] (<= (long (.place c)) (long first-through)))
            [before behind] (split-with turn? own)]
        (or (applied! engine node before)
            (if-let [others (seq (through-views engine (index/viewed-ops of-op) node))]
              (applied-through-views! engine of-op behind node others settled)
              (applied! engine node behind))))
      (applied! engine node own))))

(defn- sorted-arguments
  "The arguments, of a commutative op in one order, so that x·y and y·x are one node: 0-d ones
  first, then by age."
  [b op [x y :as args]]
  (let [scalar? (fn [id] (empty? (type/shape-of (graph/node-type b id))))]
    (if (and (:commutes (op/entry op))
             (not= x y)
             (if (= (scalar? x) (scalar? y)) (< (long y) (long x)) (scalar? y)))
      [y x]
      args)))

(defn- in-progress!
  "The id of a node that is being rewritten already, as it is; what made it is refused."
  [{:keys [b firing]} node type note]
  (some-> (first @firing) :refused (vreset! true))
  (graph/add-node! b node type note))

(defn- emit-plain!
  "The id of what the node (op attrs args) becomes; settled rules need not be tried. Where constants
  are not folded, those are that rules make: so that rules for constants end."
  [{:keys [b ^HashMap ids ^HashSet active fold firing] :as engine} op attrs args type note settled]
  (let [args (sorted-arguments b op args), node (into [op attrs] args)]
    (or (when (and (false? fold) (seq @firing)) (folded! engine op attrs args type note))
        (.get ids node)
        (if (.add active node)
          (let [id (or (when (true? fold) (folded! engine op attrs args type note))
                       (when-not (index/all-settled? settled)
                         (rewritten! engine op attrs args type note settled))
                       (graph/add-node! b node type note))]
            (.remove active node)
            (.put ids node id)
            id)
          (in-progress! engine node type note)))))

(defn- emit-holder!
  "The id of what a node becomes that holds graphs: these are rewritten first."
  [{:keys [b fuel inside trace] :as engine} op attrs args type note settled]
  (let [{:keys [attrs note entries]} (inside/rewritten inside op attrs note fuel)
        start (graph/node-count b)
        id (emit-plain! engine op attrs args type note settled)]
    (when (and (<= start id) (= attrs (graph/attrs-of (graph/node b id))))
      (.addAll ^ArrayList trace ^java.util.Collection (entries id)))
    id))

(defn- emit-node!
  "The id of what the node (op attrs args), of that type, becomes."
  ([engine op attrs args type note]
   (emit-node! engine op attrs args type note (:none engine)))
  ([engine op attrs args type note settled]
   ((if (:graphs (op/entry op)) emit-holder! emit-plain!)
    engine op attrs args type note settled)))

;; ## The sweep

(defn- same-node? [b id [op attrs] args]
  (let [node (graph/node b id)]
    (and (= op (graph/op-of node)) (= args (graph/args-of node)) (= attrs (graph/attrs-of node)))))

(defn- settled-rules
  "A function from the bits of settled/tried to the rules of the engine that they stand for."
  [{:keys [index]} sweep]
  (let [known (HashMap.)]
    (fn [bits]
      (or (.get known bits)
          (let [found (index/settled index (settled/names-tried sweep bits))]
            (.put known bits found)
            found)))))

(defn- sweep!
  "What becomes of the nodes of a graph, as graph/sweep! has it; `sweep` tells which rules need not
  be tried."
  [{:keys [b ^HashMap uses none] :as engine} graph sweep]
  (let [sum (reify BiFunction (apply [_ x y] (+ (long x) (long y))))
        rules-of (settled-rules engine sweep)]
    (graph/sweep! graph (fn [id [op attrs :as node] args type note]
                          (let [bits (settled/tried sweep id (graph/args-of node))
                                settled (if (zero? bits) none (rules-of bits))
                                new-id (emit-node! engine op attrs args type note settled)]
                            (settled/emitted! sweep id (same-node? b new-id node args))
                            (.merge uses new-id (settled/users sweep id) sum)
                            new-id)))))

(defn- swept
  "One sweep: {:graph :trace :ids :settled} as `run` has them; :more, an entry for the trace, where
  right sides nested too deep; :fuel that is left."
  [{:keys [nodes] :as graph} index {:keys [trace] earlier :settled, :as opts}]
  (let [{:keys [b deep fuel fold] :as engine} (engine index opts (count nodes))
        live (graph/live graph), sweep (settled/start earlier graph live)
        swept-to (sweep! engine graph sweep), made (vec (:trace engine))
        {after :graph, :keys [now]} (graph/swept b graph swept-to)
        deeper (inside/known (:inside engine) graph fuel)
        ids #(some-> (get swept-to %) now)]
    {:graph after, :more @deep, :fuel @fuel, :ids ids, :deeper deeper
     :settled (settled/record sweep live ids after (index/names-of index)
                              {:complete (not (or @deep (some :stopped made)))
                               :calm (identical? graph after), :folded (true? fold)})
     :trace (into (trace/renumbered trace ids deeper) (trace/renumbered made now nil))}))

(defn- swept-or-settled
  "The same, without a sweep where it would change nothing."
  [graph index {:keys [trace settled fold fuel] :or {fold true} :as opts}]
  (if (settled/nothing-to-do? settled graph (index/names-of index) fold)
    {:graph graph, :more nil, :fuel (or fuel 0), :ids identity, :settled settled
     :trace (vec trace)}
    (swept graph index opts)))

(defn run
  "{:graph graph' :trace [entry …] :ids (fn [id] id') :settled …}: the graph rewritten by a sweep
  with the rules of these sets, or some where right sides nest deep; :ids tells what became of each
  node, nil where nothing needs that; :deeper, a function of a node and a step to a graph in it, has
  the :ids and the :deeper of that, after one sweep; :settled is for later sweeps.
  Options: :include and :exclude, sets of names of rules and of rule/promises, and :regroup say
  which rules run, see rule/wanted; :fuel, how many may fire (default 1000 + 20 a node); :fold false
  folds only the constants that rules make; :trace and :settled, of the result of an earlier sweep
  over what the graph comes from, with the same options: its rules are passed over where nothing has
  changed.
  An entry is {:rule name, :before form, :after form, :id of the result, :made [id …]}; the ids are
  those of graph', nil where a node is gone. An entry with :stopped, a key of trace/stops, tells of
  a rule that was not applied. Outputs keep their types."
  ([graph rule-sets] (run graph rule-sets {}))
  ([graph rule-sets opts]
   (let [index (index/of-sets rule-sets opts)]
     (loop [{:keys [trace ids more fuel settled] :as result} (swept-or-settled graph index opts)
            sweeps 1]
       (if (and more (pos? (long fuel)) (< sweeps (long max-sweeps)))
         (recur (-> (swept (:graph result) index
                           (assoc opts :trace trace, :fuel fuel, :settled settled))
                    (update :ids comp ids))
                (inc sweeps))
         (cond-> (dissoc result :more :fuel)
           (< 1 sweeps) (dissoc :deeper)
           (and more (= sweeps (long max-sweeps))) (update :trace conj more)))))))
