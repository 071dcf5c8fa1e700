(ns damo.rule
  "Rewrite rules as data. `defrules` turns each map {:name :lhs :rhs :keeps :why …} into a rule: the
  same data with :matchers, functions of one core.match row each, and :build, which makes the
  right side. In: a node of a builder, seen as nested lookups. Out: a template for what replaces it.

  {:name :log1p, :lhs [:log [:add 1 ?x]], :rhs [:log1p ?x], :keeps :value
   :why \"log(1+x) loses an x below 1e-16.\", :examples [[[:log [:add x 1]] => [:log1p x]]]}"
  (:refer-clojure :exclude [float? zero?])
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.rule.shape :as shape])
  (:import [clojure.lang ILookup]))

(set! *warn-on-reflection* true)

;; ## What a pattern sees of a node

(defn uniform
  "The number or boolean that every element of node `id` of a builder is: of a constant, or of a
  constant broadcast or reshaped; nil for other nodes."
  [b id]
  (let [[op {:keys [value]} arg] (graph/node b id)]
    (cond (= op :const) (cond (not (vector? value)) value
                              (and (seq value) (apply = value)) (first value))
          (= :view (op/kind op)) (recur b arg))))

(defn- pattern-number
  "A constant as patterns compare it: numbers as doubles, so that 1 matches every dtype; nil for
  integers that no double holds."
  [x]
  (cond (boolean? x) x
        (clojure.core/float? x) x
        (and x (= x (long (double x)))) (double x)))

(declare view)

;; A node as core.match looks at it: its :op, :attrs, number of arguments :n, constant :number, and
;; the arguments :0 :1 :2, seen the same way. `id` is nil for a node that is not in the builder yet.
(deftype View [b id op attrs args type]
  ILookup
  (valAt [this k] (.valAt this k nil))
  (valAt [_ k default]
    (let [arg (fn [i] (if (< (long i) (count args)) (view b (nth args i)) default))]
      (case k
        :op op, :attrs attrs, :n (count args)
        :0 (arg 0), :1 (arg 1), :2 (arg 2)
        :number (if-some [x (when id (pattern-number (uniform b id)))] x default)
        default))))

(defn view
  "Node `id` of a builder, or a node that is not in it yet, as patterns see it."
  ([b id]
   (let [node (graph/node b id)]
     (->View b id (graph/op-of node) (graph/attrs-of node) (graph/args-of node)
             (graph/node-type b id))))
  ([b op attrs args type] (->View b nil op attrs args type)))

;; ## What a condition may ask of a match
;; A match is a map from the names of the pattern to ids (in attributes: to values), with the root's
;; :op, :attrs, :args and :type, the :builder, and :inner, the ids of the nodes between root and
;; names.

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

(defn- bound
  "The names of [name value] pairs with their values, added to the match m; nil when one name has
  two different values."
  [m pairs]
  (reduce (fn [m [s x]] (if (= x (get m s x)) (assoc m s x) (reduced nil))) m pairs))

(defn- match-of [^View root]
  {:builder (.b root), :op (.op root), :attrs (.attrs root), :args (.args root)
   :type (.type root), :inner []})

(defn- with-attributes
  "The match m with the names in attribute patterns of a node bound; nil when one does not fit."
  [m ^View node patterns]
  (reduce-kv (fn [m k x]
               (let [found (find (.attrs node) k)]
                 (or (cond (nil? found) nil
                           (shape/name? x) (bound m [[x (val found)]])
                           (= x (val found)) m)
                     (reduced nil))))
             m patterns))

(defn matcher
  "The function from a node, as `view` has it, to its match with a pattern, or nil; `shape-fn` is
  the function of its shape, and the pattern is given as `shape/of` takes it apart."
  [shape-fn {:keys [ops numbers names attrs]}]
  (let [fits (shape-fn ops numbers)]
    (fn [root]
      (when-let [[nodes args] (fits root)]
        (some-> (assoc (match-of root) :inner (mapv #(.id ^View %) (subvec nodes 1)))
                (bound (map (fn [s x] [s (.id ^View x)]) names args))
                (as-> m (reduce (fn [m [node patterns]]
                                  (or (with-attributes m node patterns) (reduced nil)))
                                m (map vector nodes attrs))))))))

(defn matched-kind
  "The match of a node by its kind: the names are those of the op's own arguments."
  [^View root]
  (bound (match-of root) (op/bindings (.op root) (.args root))))

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

;; ## Patterns

(defn- parts [[op & more]]
  (if (map? (first more)) [op (first more) (rest more)] [op {} more]))

(defn- variants
  "The pattern with the arguments of commutative ops in every order."
  [pattern]
  (if-not (vector? pattern)
    [pattern]
    (let [[op attrs args] (parts pattern)
          each (reduce (fn [prefixes arg] (for [p prefixes, v (variants arg)] (conj p v)))
                       [[]] args)
          all (if (:commutes (op/entry op)) (mapcat (fn [[x y]] [[x y] [y x]]) each) each)]
      (distinct (map #(into [op attrs] %) all)))))

(defn- matcher-codes
  "The codes of the matchers of a pattern, one a variant; `own` has the names of the functions of
  shapes that are not common."
  [own pattern]
  (vec (for [variant (variants pattern)
             :let [{:keys [shape] :as taken-apart} (shape/of variant)]]
         `(matcher ~(own shape `(shape/by-shape '~shape)) '~(dissoc taken-apart :shape)))))

;; ## Right sides

(defn- template-code [template]
  (let [[op attrs args] (parts template)]
    (into [op attrs] (map #(cond (vector? %) (template-code %)
                                 (shape/name? %) `(quote ~%)
                                 :else %))
          args)))

(defn- build-code
  "The code of the function from a match to a template."
  [rhs]
  (if (or (seq? rhs) (and (symbol? rhs) (not (shape/name? rhs))))
    rhs
    (let [m (gensym "m"), names (filter shape/name? (tree-seq coll? seq rhs))]
      `(fn [~m]
         (let [~@(mapcat (fn [s] [s `(get ~m '~s)]) (distinct names))]
           ~(cond (vector? rhs) (template-code rhs)
                  (shape/name? rhs) `(quote ~rhs)
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

(defn- check-rule! [{:keys [name keeps except] :as rule}]
  (let [missing (remove #(contains? rule %) [:name :lhs :rhs :keeps :why :examples])
        unknown (concat (remove keys-of-a-rule (keys rule))
                        (remove #(or (vector? %) (exceptions %)) except))]
    (when (or (seq missing) (seq unknown) (not (promises keeps)))
      (fail! ::bad-rule (str "the rule " name " lacks " (vec missing) ", has the unknown keys "
                             (vec unknown) " and promises " keeps "; a promise is one of "
                             (vec (keys promises)))
             {:rule name}))))

(defn- partners
  "What damo.rule.partners needs to know of the pattern [op p q] of two members: the :heads of p and
  q, whether both are the :same, and whether op :joins them, in either order."
  [[op p q]]
  {:heads (mapv #(when (vector? %) (first %)) [p q]), :same (and (shape/name? p) (= p q))
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

(defn- rule-code [own {:keys [lhs rhs within], condition :when, :as rule}]
  (check-rule! rule)
  (let [names (distinct (filter shape/name? (tree-seq coll? seq [lhs rhs condition])))]
    `(let [~@(mapcat (fn [s] [s `(quote ~s)]) names)]
       (merge '~(dissoc rule :when)
              {:head ~(cond within [:within within]
                            (vector? lhs) (first lhs)
                            :else lhs)
               :matchers ~(if (vector? lhs)
                            (matcher-codes own lhs)
                            [`matched-kind])
               :guards ~(guards-code condition)
               :build ~(build-code rhs)}
              '~(when within (partners lhs))))))

(defn- own-shapes
  "{shape symbol} of the shapes of rules that are not common."
  [rules]
  (zipmap (for [{:keys [lhs]} rules, variant (when (vector? lhs) (variants lhs))
                :let [{:keys [shape]} (shape/of variant)]
                :when (not (shape/common shape))]
            shape)
          (map #(symbol (str "shape" %)) (range))))

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
            is made of must have none
  :keeps    what it promises, one of `promises`
  :except   optional, where the promise does not hold: a vector of names of `exceptions` and of
            conditions, forms over the names of the pattern such as [:eq ?x 0]
  :units    optional, how many units in the last place :value allows, when more than 4
  :failures a rule is not applied where it would leave out a node that may fail, such as one that
            reads at an index; :kept says that the right side fails where the left one does, :root
            that it does so as far as the root is concerned
  :why      what is gained
  :examples [[left => right] …], forms over inputs x, y …
  :types    optional, the inputs' types {x [:f64 [2 3]]}; :gen their ranges {x [lo hi]}"
  [set-name doc & rules]
  (let [own (own-shapes rules)]
    `(def ~set-name ~doc
       (let* [~@(mapcat (fn [[shape s]] [s (shape/code shape)]) own)]
         {:name ~(keyword set-name), :doc ~doc, :rules [~@(map #(rule-code own %) rules)]}))))

(defn- sole-user? [m share uses]
  (every? #(<= (long (uses %)) 1) (case share :sole (:inner m), :arguments (:args m))))

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
  [{:keys [matchers share guards build exact]} root uses]
  (some (fn [matcher]
          (when-let [m (matcher root)]
            (when (and (or (nil? share) (sole-user? m share uses))
                       (or (nil? exact) (exact? m))
                       (every? #(% m) guards))
              (when-some [template (build m)]
                [m template]))))
        matchers))

(defn union
  "The rule set of that name made of others; each rule keeps the name of its first union as :set."
  [name doc rule-sets]
  {:name name, :doc doc
   :rules (into [] (comp (mapcat :rules) (map #(update % :set (fn [s] (or s name))))) rule-sets)})

(defn describe
  "The rules of a set as data, without their functions: a vector of maps."
  [{:keys [rules]}]
  (mapv #(-> (dissoc % :matchers :build :guards :head :heads :same :joins)
             (assoc :conditional (some? (seq (:guards %)))))
        rules))
