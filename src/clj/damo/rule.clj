(ns damo.rule
  "Rewrite rules as data. `defrules` turns each map {:name :lhs :rhs :keeps :why …} into a rule: the
  same data with :variants, its left side as damo.rule.pattern compiles it, and :build, which makes
  the right side. In: a node of a builder. Out: a template for what replaces it.

  {:name :log1p, :lhs [:log [:add 1 ?x]], :rhs [:log1p ?x], :keeps :value
   :why \"log(1+x) loses an x below 1e-16.\", :examples [[[:log [:add x 1]] => [:log1p x]]]}"
  (:refer-clojure :exclude [float? zero?])
  (:require [clojure.walk :as walk]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.rule.pattern :as pattern]))

(set! *warn-on-reflection* true)

;; ## A node as rules see it

(def ^{:doc (:doc (meta #'pattern/uniform)), :arglists '([b id])} uniform pattern/uniform)

(defn view
  "Node `id` of a builder, or a node that is not in it yet, as patterns see it."
  ([b id]
   (let [node (graph/node b id)]
     (pattern/->Root b id (graph/op-of node) (graph/attrs-of node) (graph/args-of node)
                     (graph/node-type b id))))
  ([b op attrs args type] (pattern/->Root b nil op attrs args type)))

;; ## What a condition may ask of a match
;; A match is a map, see pattern/match.

(defn argument
  "Node `id` as an argument in a template that a function makes."
  [id]
  (op/->Id id))

(defn type-of "The type of what a name matched." [m ?x] (graph/node-type (:builder m) (m ?x)))

(defn dtype-of "The dtype of what a name matched." [m ?x] (type/dtype-of (type-of m ?x)))

(defn shape-of "The shape of what a name matched." [m ?x] (type/shape-of (type-of m ?x)))

(defn rank-of "The number of axes of what a name matched." [m ?x] (count (shape-of m ?x)))

(defn float?
  "Is what a name matched of a floating dtype?"
  [m ?x]
  (type/float-dtype? (dtype-of m ?x)))

(defn scalar? "Is what a name matched without axes?" [m ?x] (empty? (shape-of m ?x)))

(defn node-of
  "The node [op attrs & ids] that a name matched."
  [m ?x]
  (graph/node (:builder m) (m ?x)))

(defn op-at "The op of what a name matched." [m ?x] (graph/op-of (node-of m ?x)))

(defn number-of
  "The number or boolean that all elements of what a name matched are, or nil."
  [m ?x]
  (uniform (:builder m) (m ?x)))

(defn constant?
  "Is what each of these names matched the same number or boolean everywhere, and known?"
  [m & names]
  (every? #(some? (number-of m %)) names))

(defn zero?
  "Is what a name matched zero everywhere, of either sign?"
  [m ?x]
  (let [x (number-of m ?x)] (and (number? x) (clojure.core/zero? x))))

(defn bools?
  "Is what each of these names matched of the dtype :bool?"
  [m & names]
  (every? #(= :bool (dtype-of m %)) names))

;; ## Right sides

(defn- template-code [template]
  (let [[op attrs args] (pattern/parts template)]
    (into [op attrs] (map #(cond (vector? %) (template-code %)
                                 (pattern/name? %) `(quote ~%)
                                 :else %))
          args)))

(defn- build-code
  "The code of the function from a match to a template."
  [rhs]
  (if (or (seq? rhs) (and (symbol? rhs) (not (pattern/name? rhs))))
    rhs
    (let [m (gensym "m"), names (filter pattern/name? (tree-seq coll? seq rhs))]
      `(fn [~m]
         (let [~@(mapcat (fn [s] [s `(get ~m '~s)]) (distinct names))]
           ~(cond (vector? rhs) (template-code rhs)
                  (pattern/name? rhs) `(quote ~rhs)
                  :else rhs))))))

;; ## Rules

(def promises
  "What a rule may promise of the value it makes, against the one that was written, outside of its
  :except. Modes include and exclude rules by these names."
  (array-map
   :bits "the same bits"
   :value "a few units in the last place away, the sign of zero kept; NaN and infinities kept"
   :drops-nan "where the written form is NaN there need not be one now; elsewhere as :value"
   :stabilizes "on finite operands no farther than the written form, or than a few units, from what
                exact arithmetic gives: where that loses digits, overflows or is NaN"
   :regroup "sums and products in another order or number: rounded otherwise, even to no digit left
             where terms cancel; exact for integers, and there always on"))

(def on-demand
  "The promises whose rules apply to floats only where a mode asks for them: {:regroup true}."
  #{:regroup})

(def exceptions
  "What :except of a rule may name, besides conditions that are forms over its names."
  {:overflow "where a part of either form is infinite though its operands are finite"
   :underflow "where a part of either form is below the normal numbers, and not exact"
   :zero-sign "the sign of a result that is zero"})

(def ^:private keys-of-a-rule
  #{:name :lhs :within :rhs :when :share :failures :keeps :except :why :types :gen :examples
    :refuses :units})

(def phases
  "When the rules of a user's set run, by name: in the sweeps of the set of Damo's own of that
  name."
  (array-map
   :stabilize "first, before constants are folded, and once more after it: rules that must see what
               was written, and those that make floating point better"
   :canonicalize "once before composite ops are expanded and once after it: one form for what can
                  be written in several ways"
   :specialize "the same, after the others: cheaper forms"
   :blas "last of all: library calls for what is left"))

(defn- bad! [name says data]
  (fail! ::bad-rule (str "the rule " (pr-str name) " " says) (assoc data :rule name)))

(defn- names-in [x] (set (filter pattern/name? (tree-seq coll? seq x))))

(defn- check-keys! [{:keys [name] :as rule}]
  (doseq [k (keys rule)]
    (fail/check-name! {:kind ::bad-rule, :what "key", :of (str " of the rule " (pr-str name))
                       :key :given, :data {:rule name}}
                      keys-of-a-rule k))
  (when-let [missing (seq (remove #(contains? rule %) [:name :lhs :rhs :keeps :why :examples]))]
    (bad! name (str "lacks " (vec missing)) {:missing (vec missing)})))

(defn- check-parts! [{:keys [name lhs rhs keeps except examples within]}]
  (when-not (keyword? name) (bad! name "has a name that is no keyword" {}))
  (when-not (promises keeps)
    (bad! name (str "promises " (pr-str keeps) "; a promise is one of " (vec (keys promises)))
          {:given keeps}))
  (doseq [e except :when (not (or (vector? e) (exceptions e)))]
    (bad! name (str "excepts " (pr-str e) "; an exception is a form over the names of the pattern,"
                    " or one of " (vec (keys exceptions)))
          {:given e}))
  (when-not (or (vector? lhs) (keyword? lhs))
    (bad! name (str "has the left side " (pr-str lhs) "; it is a pattern, [:log [:add 1 ?x]], or a"
                    " kind of op")
          {:given lhs}))
  (when-let [unknown (and (vector? lhs) (not within) (not (seq? rhs))
                          (seq (remove (names-in lhs) (names-in rhs))))]
    (bad! name (str "names " (vec unknown) " on the right, which the left side does not have")
          {:names (vec unknown)}))
  (doseq [example examples]
    (when-not (and (vector? example) (= 3 (count example)) (= '=> (nth example 1)))
      (bad! name (str "has the example " (pr-str example) "; it looks like [[:add x 0] => x]")
            {:given example}))))

(defn- check-rule!
  "Fails unless the map is a rule; a left side with an op that does not exist fails, too."
  [rule]
  (when-not (map? rule)
    (fail! ::bad-rule (str "a rule is a map {:name … :lhs … :rhs …}; got " (fail/value-text rule))
           {:given rule}))
  (check-keys! rule)
  (check-parts! rule)
  (pattern/variants (:lhs rule)))

(defn- check-options! [{:keys [phase] :as options}]
  (doseq [k (keys options)]
    (fail/check-name! {:kind ::bad-rule, :what "option", :of " of a rule set", :key :given}
                      [:phase] k))
  (when (contains? options :phase)
    (fail/check-name! {:kind ::bad-rule, :what "phase", :key :given} (keys phases) phase)))

(defn- partners
  "What damo.rule.partners needs to know of the pattern [op p q] of two members: the :heads of p and
  q, whether both are the :same, and whether op :joins them, in either order."
  [[op p q]]
  {:heads (mapv #(when (vector? %) (first %)) [p q]), :same (and (pattern/name? p) (= p q))
   :joins (boolean (:commutes (op/entry op)))})

(defn- guards-code
  "The code of the predicates that :when is the conjunction of: each can be dropped to see what it
  is good for."
  [condition]
  (let [[head params body & more] (when (seq? condition) condition)]
    (cond (nil? condition) []
          (and (#{'fn 'fn*} head) (vector? params) (empty? more) (seq? body) (= 'and (first body)))
          (mapv #(list head params %) (rest body))
          :else [condition])))

(defn- conditions
  "The guards as data, for pages: each without its fn, the match in it called m."
  [condition]
  (vec (for [[head params & body] (map #(if (seq? %) % [nil nil %]) (guards-code condition))
             :let [param (when (vector? params) (first params))]]
         (walk/postwalk #(if (and param (= param %)) 'm %)
                        (if (#{'fn 'fn*} head) (last body) (last (cons condition body)))))))

(defn- rule-code [{:keys [lhs rhs within], condition :when, :as rule}]
  (check-rule! rule)
  (let [names (distinct (filter pattern/name? (tree-seq coll? seq [lhs rhs condition])))]
    `(let [~@(mapcat (fn [s] [s `(quote ~s)]) names)]
       (merge '~(dissoc rule :when)
              {:conditions '~(conditions condition)
               :head ~(cond within [:within within]
                            (vector? lhs) (first lhs)
                            :else lhs)
               :variants (pattern/variants '~lhs)
               :guards ~(guards-code condition)
               :build ~(build-code rhs)}
              '~(when within (partners lhs))))))

(defmacro defrules
  "Defines a rule set {:name :doc :rules [rule …]}. Keys of a rule:
  :name     a keyword, unique among all rules
  :lhs      the pattern [op attrs? pattern …]: ?x matches anything, and the same node wherever it
            stands again; a number a constant of any dtype; in attributes, a name the value.
            Commutative ops match in every order. Or a kind of op, or :any: matches each such node
  :within   optional, :product or :sum: the two arguments of the pattern, of :mul or :div, or of
            :add or :sub, are members of it wherever they stand, see damo.rule.partners; the right
  side takes
            the place of both, and the others stay
  :rhs      the template, whose attributes may be calls on names; or (fn [match] template or nil)
  :when     optional, a predicate of the match (see type-of, scalar?, number-of …); of #(and …) each
            part is a guard of its own
  :refuses  [[form types] …], forms like those of the examples, on which a guard keeps the rule from
            being applied; one for each guard at least
  :share    :sole when the inner nodes must have no other user, :arguments when those that the root
            is made of must have none, :asked when the rule asks itself, see sole?
  :keeps    what it promises, one of `promises`
  :except   optional, where the promise does not hold: a vector of names of `exceptions` and of
            conditions, forms over the names of the pattern such as [:eq ?x 0]
  :units    optional, how many units in the last place :value allows, when more than 4
  :failures a rule is not applied where it would leave out a node that may fail, such as one that
            reads at an index; :kept says that the right side fails where the left one does, :root
            that it does so as far as the root is concerned
  :why      what is gained
  :examples [[left => right] …], forms over inputs x, y …
  :types    optional, the inputs' types {x [:f64 [2 3]]}; :gen their ranges {x [lo hi]}
  Before the rules may stand a map of options of the set: :phase, one of `phases`."
  {:arglists '([set-name doc & rules] [set-name doc options & rules])}
  [set-name doc & more]
  (let [options? (fn [x] (and (map? x) (not-any? #{:name :lhs :rhs} (keys x))))
        [options rules] (if (options? (first more)) [(first more) (rest more)] [{} more])]
    (check-options! options)
    `(def ~set-name ~doc
       (merge ~options {:name ~(keyword set-name), :ns '~(ns-name *ns*), :doc ~doc
                        :rules [~@(map rule-code rules)]}))))

(defn- sole-user? [m share uses]
  (every? #(<= (long (uses %)) 1) (case share :sole (:inner m), :arguments (:args m), :asked nil)))

(defn sole?
  "Has node `id` one user at most? A match of a rule with :share :asked knows."
  [{:keys [uses]} id]
  (<= (long (uses id)) 1))

(defn- exact?
  "Is the root no float, and no node between it and the names?"
  [{:keys [builder type inner]}]
  (not-any? type/float-dtype?
            (cons (type/dtype-of type)
                  (map #(type/dtype-of (graph/node-type builder %)) inner))))

(defn wanted
  "The rule as a mode wants it, nil where it does not run. `include` and `exclude` are sets of names
  of rules and promises. Rules of the promises `on-demand` are for exact dtypes alone, unless
  `regroup`, or :include, asks for them."
  [{:keys [include exclude regroup]} {:keys [name keeps] :as rule}]
  (let [named? (fn [names] (or (contains? names name) (contains? names keeps)))]
    (when-not (or (and include (not (named? include))) (named? exclude))
      (cond-> rule
        (and (on-demand keeps) (not regroup) (not (named? include))) (assoc :exact true)))))

(defn try-rule
  "[match template] when the rule applies to the node that `root` views, else nil. `uses` says how
  many users a node has."
  [{:keys [variants share guards build exact]} root uses]
  (some (fn [variant]
          (when-let [m (pattern/match variant root)]
            (when (and (or (nil? share) (sole-user? m share uses))
                       (or (nil? exact) (exact? m)))
              (let [m (if (= :asked share) (assoc m :uses uses) m)]
                (when (every? #(% m) guards)
                  (when-some [template (build m)]
                    [m template]))))))
        variants))

(defn set-name
  "The name of a rule set for messages: of a user's with its namespace."
  [{:keys [name ns]}]
  (str (when ns (str ns "/")) (clojure.core/name name)))

(defn rule-set?
  "Is x a rule set, as defrules makes it?"
  [x]
  (and (map? x) (keyword? (:name x)) (sequential? (:rules x))
       (every? #(and (map? %) (:name %) (:head %) (:variants %) (:build %)) (:rules x))))

(defn union
  "The rule set of that name made of others; each rule keeps the name of its first union as :set."
  [name doc rule-sets]
  {:name name, :doc doc
   :rules (into [] (comp (mapcat :rules) (map #(update % :set (fn [s] (or s name))))) rule-sets)})

(defn describe
  "The rules of a set as data, without their functions: a vector of maps; :conditions are the
  predicates of :when as they are written, of the match m."
  [{:keys [rules]}]
  (mapv #(dissoc % :variants :build :guards :head :heads :same :joins) rules))
