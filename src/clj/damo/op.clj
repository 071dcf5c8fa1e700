(ns damo.op
  "What an op is: one map, registered under its name, that holds documentation, type rule, meaning,
  derivative, lowering and generator. (defop log1p \"…\" {…}) registers one and defines the function
  log1p on expressions. Nodes are made in one place, `construct`, for expressions and for the nodes
  of a builder alike."
  (:require [damo.data.attribute :as attribute]
            [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.finite :as finite]
            [damo.data.graph :as graph]
            [damo.data.kinds :as kinds]
            [damo.data.sparse :as sparse]
            [damo.data.told :as told]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op.arguments :as arguments]
            [damo.op.body :as body]
            [damo.op.coerce :as coerce]
            [damo.op.entry :as entry]))

(set! *warn-on-reflection* true)

(def registry
  "The ops by name: an atom, the one place where they are collected."
  entry/registry)

;; ## Looking ops up

(defn entry
  "The entry of an op; fails with the nearest names when there is none."
  [op]
  (or (get @registry op)
      (fail/check-name! {:kind ::unknown-op, :what "op", :key :op} (keys @registry) op)))

(defn derivative-declared?
  "Does an op say itself what its derivative is?"
  [op]
  (some (entry op) [:surrogate :lop :rop :partials :transpose :no-gradient]))

(defn kind
  "The kind of an op: :elementwise, :reduce, :contract, :view, :generate, :gather …; passes ask
  this, never for names."
  [op]
  (:kind (entry op)))

;; ## Making a node

(defn- check-attrs
  "The attributes given, those of the schemas `attrs` that are missing filled in."
  [name attrs given]
  (attribute/fill attrs given {:kind ::unknown-attribute, :what "attribute", :key :attribute
                               :data {:op name}}
                  ::missing-attribute))

(defn- check-arity [{:keys [name args]} given]
  (when-not (or (= args :variadic) (= (count args) (count given)))
    (fail! ::wrong-arity
      (str "takes " (count args) " argument" (when-not (= 1 (count args)) "s") " " (vec args)
           ", given " (count given))
           {:op name, :expected (count args), :given (count given)})))

(defn- elementwise-type [rule types]
  [(if (= rule :bool) :bool (type/dtype-of (peek types)))
   (apply type/broadcast-shapes (map type/shape-of types))])

(declare expanded-type)

(defn result-type
  "The type that the entry's rule gives for these attributes and argument types, or that its
  expansion has when it declares none; fails when they do not fit."
  [{:keys [type] :as entry} attrs types]
  (cond (keyword? type) (elementwise-type type types)
        type (type attrs types)
        :else (expanded-type entry attrs types)))

(defn- argument-names
  "The names of an op's arguments in templates: ?x ?y, or ?0 ?1 … for a variadic op."
  [op]
  (let [{:keys [args]} (entry op)]
    (if (= args :variadic) (map #(symbol (str "?" %)) (range)) args)))

(defn bindings
  "The names of an op's arguments in templates, bound to these values: {?x 3, ?y 5}, or {?0 3, ?1 5}
  for a variadic op."
  [op values]
  (zipmap (argument-names op) values))

;; ## Expansions, and storage dtypes
;; An op that computes outside the kernels' registers, or in several steps, does so in :f32 when its
;; arguments have a storage dtype, and rounds once at the end.

(defn widened
  "The template of a node on arguments of storage dtypes, computed in :f32: its arguments converted,
  its result rounded; nil when no argument has one."
  [op attrs types type]
  (when (some (comp type/storage-dtype? type/dtype-of) types)
    (let [cast-to (fn [dtype [from _] t] (if (type/storage-dtype? from) [:cast {:dtype dtype} t] t))
          wide (fn [name [from _ :as type]] (cast-to (type/computed from) type name))
          node (into [op attrs] (map wide (argument-names op) types))
          rounded (fn [type t] (cast-to (type/dtype-of type) type t))]
      (if (tuple/type? type)
        (into [:tuple] (map-indexed #(rounded %2 [:part {:at %1} node])) (tuple/types type))
        (rounded type node)))))

(defn- computes?
  "Does a template compute, or only move elements?"
  [template]
  (some #(and (vector? %) (keyword? (first %))
              (#{:elementwise :reduce :composite} (kind (first %))))
        (tree-seq vector? rest template)))

(defn expansion
  "The template that stands for a node in terms of other ops; nil when its entry has none for it."
  [op attrs types type]
  (when-let [expand (:expand (entry op))]
    (when-let [template (expand {:attrs attrs, :types types, :type type})]
      (or (when (computes? template) (widened op attrs types type)) template))))

(defn- with-count-name
  "The attributes with a name for the dim that an op counts, made from the structure of its
  arguments, those at the positions `by`: equal calls count one dim. `by` may also be a function of
  the attributes and the numbers of all arguments, to what the name is made of or nil for none."
  [{:keys [hash-of]} {{:keys [of by]} :counts} attrs args]
  (if (and of (nil? (:as attrs)))
    (let [number #(if (coerce/literal? %) % (hash-of %))
          made-of (if (fn? by) (by attrs (map number args)) (map #(number (nth args %)) by))]
      (cond-> attrs
        made-of (assoc :as (symbol (format "%s.%08x" of (hash made-of))))))
    attrs))

(declare construct)

(defn- constructed
  "A template with its names bound, made by `construct`."
  [ctx bindings template]
  (cond (symbol? template) (bindings template)
        (vector? template) (let [[op attrs & args] template]
                             (construct ctx op attrs
                                        (mapv #(constructed ctx bindings %) args)))
        :else template))

(defn dims-in
  "The dims in the attributes of a node, integers left out; `types`: a delay as graph/types-at has."
  [op attrs types]
  (kinds/dims (:attrs (entry op)) attrs types))

(defn with-dims
  "The attributes of a node with (f dim) for each dim in them that is no integer."
  [f op attrs types]
  (kinds/with-dims f (:attrs (entry op)) attrs types))

(defn- made
  "The node of checked attributes and arguments, or what the entry has :instead of it."
  [{:keys [type-of make weaken] :as ctx} {:keys [name call-attrs instead] :as entry}
   attrs args]
  (let [types (mapv type-of args), part (coerce/made-of entry attrs types)
        template (when instead (instead attrs types))
        attrs (if call-attrs (apply dissoc attrs (keys call-attrs)) attrs)]
    (if template
      (weaken (constructed ctx (bindings name args) template) part)
      (let [attrs (entry/normal-attrs entry attrs types)]
        (make name attrs args
              (type/weakened (tuple/map type/check-rank (result-type entry attrs types))
                             part))))))

(defn construct
  "Makes the node (op attrs args) in a context: fills in attributes, checks arity, converts
  arguments, derives the type. A context is {:type-of arg→type, :make (fn [op attrs args type]),
  :facts (fn [op attrs args]) → what failures say of the node, :hash-of arg→number, :weaken (fn
  [arg made-of]) → the same of a type so weakened, :constant-as (fn [arg dtype]) → a constant in
  that dtype, nil for what is none}."
  [{:keys [facts] :as ctx} op attrs args]
  (let [entry (entry op)]
    (try
      (check-arity entry args)
      (let [attrs (with-count-name
                    ctx entry (check-attrs op (or (:all-attrs entry) (:attrs entry)) attrs) args)]
        (made ctx entry attrs (coerce/arguments ctx entry args)))
      (catch clojure.lang.ExceptionInfo e
        (explain/explain-node! e op (facts op attrs args))))))

;; ## Expressions

(defn- expr-context [src]
  {:type-of expr/type-of
   :hash-of expr/structure-hash
   :make (fn [op attrs args type] (expr/->Expr op attrs args type (expr/marked src) nil))
   :weaken expr/weakened
   :constant-as expr/constant-as
   :facts (fn [op attrs args] (explain/call-facts op attrs args src))})

(defn- told-node
  "The expression (op attrs args) where something is told of dims, in the words of that."
  [cx op attrs args]
  (let [types (delay (mapv expr/type-of (filter expr/expr? args)))
        symbols (into #{} (mapcat type/dim-symbols) (dims-in op attrs types))]
    (expr/settled (construct cx op (with-dims told/canonical op attrs types) args) symbols)))

(defn node
  "The expression (op attrs args); args are what `expr/lift` takes."
  [op attrs args]
  (let [cx (expr-context (fail/source-position)), args (mapv expr/lift args)]
    ((if (and told/*told* (not= :leaf (kind op))) told-node construct) cx op attrs args)))

(defn results
  "The vector of the results of an expression; the expression itself where it has but one."
  [e]
  (let [type (expr/type-of e)]
    (if (tuple/type? type) (mapv #(node :part {:at %} [e]) (range (count (tuple/types type)))) e)))

(defn call
  "The expression for a call (op-function arg … :attribute value …). Ops marked :fold take any
  number of arguments; those of several results give a vector of them."
  [op given]
  (finite/check! op given)
  (explain/explaining
   op given
   (fn []
     (let [{:keys [fold written] :as entry} (entry op)
           [args attrs] (arguments/split entry given)
           attrs (if (and written (seq args))
                   (written attrs (map #(expr/type-of (expr/whole %)) args))
                   attrs)]
       (if (and fold (< 2 (count args)))
         (reduce (fn [x y] (node op attrs [x y])) args)
         (results (node op attrs args)))))))

(defn caller
  "The function of an op, for users: (caller :add) adds. It lives here so that the caller's position
  is the user's."
  [op]
  (fn [& given]
    (finite/check! op given)
    ((if (sparse/among? given) sparse/call call) op given)))

;; ## Builders

;; An argument of emit!: the wrapper tells the id 3 from the number 3, and whether its type is weak:
;; in a graph, where equal nodes are one, types are not.
(deftype Id [id made-of])

(defn ->Id
  "The `Id` of a node, of a type that is :made-of numbers or extents, or like any other."
  ([id] (Id. id nil))
  ([id made-of] (Id. id made-of)))

(defn id-of "The id in an `Id`." [^Id x] (.id x))

(defn builder-context
  "The context of `construct` that adds nodes with that note to a builder; arguments are `Id`s,
  numbers and booleans."
  [b note]
  {:type-of (fn [^Id arg] (type/weakened (graph/node-type b (.id arg)) (.made-of arg)))
   :hash-of (fn [arg] (graph/structure-hash b (id-of arg)))
   :make (fn [op attrs args type]
           (->Id (graph/add-node! b (into [op attrs] (map id-of) args)
                                  (type/weakened type nil) note)
                 (type/made-of type)))
   :weaken (fn [arg made-of] (->Id (id-of arg) made-of))
   :facts (fn [_ attrs args]
            {:attrs attrs
             :types (mapv #(if (instance? Id %) (graph/node-type b (id-of %)) %) args)})})

(defn emitted!
  "The `Id` of the node (op attrs args) in a builder; args are `Id`s, numbers and booleans. `note`,
  {:src …} and the like, is kept with new nodes."
  [b op attrs args note]
  (construct (builder-context b note) op attrs args))

(defn emit!
  "As `emitted!`, the id itself."
  [b op attrs args note]
  (id-of (emitted! b op attrs args note)))

(defn emitter
  "A function (emit op attrs args) → id that emits into the builder with that note."
  [b note]
  (fn [op attrs args] (emit! b op attrs args note)))

(defn- substitute-attrs [attrs bindings]
  (update-vals attrs #(if (symbol? %) (get bindings % %) %)))

(defn- bound [bindings t]
  (or (bindings t)
      (fail! ::unbound-template-name (str "the template names " t ", which is not bound")
             {:name t, :bound (keys bindings)})))

(defn- inline!
  "The id of what a body gives for the arguments of the node that a template stands for, a :tuple of
  several outputs."
  [emit bindings body]
  (let [emit (fn [op attrs args] (emit op attrs (mapv ->Id args)))
        ids (body/apply! body nil
                         #(bound bindings (symbol (str "?" %)))
                         (fn [[op attrs] args _ _] (emit op attrs args)))]
    (if (= 1 (count ids)) (first ids) (emit :tuple {} ids))))

(defn- template-made-of
  "What the node of a template is made of, as `made-of` has it: nothing that is bound."
  [t]
  (if (vector? t)
    (let [[op & more] t, [attrs args] (if (map? (first more)) [(first more) (rest more)] [{} more])
          parts (map template-made-of args)]
      (cond (= op :dim) :extents
            (or (:dtype attrs) (:acc-dtype attrs) (empty? parts) (some nil? parts)) nil
            (some #{:extents} parts) :extents
            :else :numbers))
    (when (coerce/literal? t) :numbers)))

(defn instantiate!
  "Emits a template through `emit` (see `emitter`) and returns the id, or the number when the
  template is one: a symbol bound in `bindings` to an id, a number or boolean, [op attrs? template
  …], as in [:div 1 [:add 1 ?x]], or a body, which is put on what ?0 ?1 … are bound to. An attribute
  that is a symbol bound in `attributes` is what it is bound to; others are data."
  ([emit bindings template] (instantiate! emit bindings template bindings))
  ([emit bindings template attributes]
   (letfn [(arg [t] (cond (vector? t) (->Id (build t) (template-made-of t))
                          (symbol? t) (->Id (bound bindings t))
                          (map? t) (->Id (inline! emit bindings t))
                          :else t))
           (build [[op & more]]
             (let [[attrs args] (if (map? (first more)) [(first more) (rest more)] [{} more])]
               (emit op (substitute-attrs attrs attributes) (mapv arg args))))]
     (let [result (arg template)]
       (if (instance? Id result) (id-of result) result)))))

(defn instantiate-over!
  "The same of a template whose names are arguments alone: what its attributes hold is data."
  [emit arguments template]
  (instantiate! emit arguments template {}))

(defn expanded
  "The body of what the op of this entry stands for on arguments of these types; nil when its
  :expand gives nothing."
  [{:keys [expand] op :name} attrs types type]
  (let [b (graph/builder), template (expand {:attrs attrs, :types types, :type type})
        param! (fn [at type] (graph/add-node! b (body/param at type) type nil))]
    (if (or (nil? template) (map? template))
      template
      (let [ids (into [] (map-indexed param!) types)
            id (instantiate-over! (emitter b nil) (bindings op ids) template)]
        (:body (body/closed (graph/finish b [id])))))))

(defn- expanded-type [{op :name :as entry} attrs types]
  (let [body (expanded entry attrs types nil)]
    (when-not body
      (fail! :damo.op/no-type
             (str "the op " op " declares no :type, and its :expand gives nothing for "
                  (pr-str types))
             {:op op, :types types}))
    (body/output-type body)))

(defn node-type
  "The type of a node on arguments of these types; fails when its arity, its attributes or these
  types do not fit."
  [op attrs types]
  (let [entry (entry op)]
    (check-arity entry types)
    (result-type entry (check-attrs op (:attrs entry) attrs) types)))

(defn on-host?
  "Do kernels of the application compute the op, for a whole array at a time? Those of the kind
  :host do, and elementwise ops for which no code for scalars is given."
  [op]
  (let [{:keys [kind scalar native]} (entry op)]
    (or (= kind :host) (and (= kind :elementwise) (nil? scalar) (nil? native)))))

;; ## Defining ops

(def ^{:doc (:doc (meta #'entry/register!)), :arglists '([entry])} register! entry/register!)

(def ^{:doc (:doc (meta #'entry/remove!)), :arglists '([op])} remove! entry/remove!)

(defmacro defop
  "Registers an op and defines the function of its name, which makes expressions:
  (defop half \"x / 2.\" {:kind :elementwise :args [?x] :type :float :eval (fn [x] (/ x 2.0))
  :partials [0.5]}). In the entry, names that begin with ? stand for themselves:
  [:div 1 [:add 1 ?x]]. Keys of an entry: see docs/ops-guide.md. Fails when the entry is incomplete
  or the name is taken."
  [op-name doc entry]
  (when-not (and (simple-symbol? op-name) (string? doc) (map? entry))
    (fail! ::bad-definition
           (str "an op is defined by (defop name \"what it is.\" {:kind …}); got "
                (pr-str (list 'defop op-name doc entry)))
           {:name op-name}))
  (let [template-names (distinct (filter #(and (symbol? %) (= \? (first (name %))))
                                         (tree-seq coll? seq entry)))
        op (keyword op-name)
        args (:args entry)]
    `(do
       (let [~@(mapcat (fn [s] [s `'~s]) template-names)]
         (register! (assoc ~entry :name ~op :doc ~doc :ns '~(ns-name *ns*))))
       (def ~(vary-meta op-name assoc :doc doc
                        :arglists `'([~@(if (sequential? args)
                                         (map #(symbol (subs (str %) (min 1 (dec (count (str %))))))
                                              args)
                                         '[args])
                                      ~'& ~'attributes]))
         (caller ~op)))))
