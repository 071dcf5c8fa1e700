(ns damo.rule.pattern
  "Patterns of left sides of rules, [:log [:add 1 ?x]], as functions that match a node. A pattern is
  compiled once, when a rule is defined, to one `Variant` for each order of the arguments of
  commutative ops: what each argument of the root has to be, for an index of rules, and a function
  that fills an array with what the names stand for.
  (match (first (variants '[:neg ?x])) root) = {?x 3, :op :neg …}"
  (:require [damo.data.graph :as graph]
            [damo.op :as op])
  (:import [clojure.lang PersistentArrayMap]))

(set! *warn-on-reflection* true)

;; ## What is matched

;; A node as patterns see it; `id` is nil for one that is not in the builder yet.
(deftype Root [b id op attrs args type])

(defn uniform
  "The number or boolean that every element of node `id` of a builder is: of a constant, or of a
  constant broadcast or reshaped; nil for other nodes."
  [b id]
  (let [node (graph/node b id), op (graph/op-of node)]
    (if (= op :const)
      (let [{:keys [value]} (graph/attrs-of node)]
        (cond (not (vector? value)) value
              (and (seq value) (apply = value)) (first value)))
      (when (= :view (op/kind op)) (recur b (nth node 2))))))

(defn- pattern-number
  "A constant as patterns compare it: numbers as doubles, so that 1 matches every dtype; nil for
  integers that no double holds."
  [x]
  (cond (boolean? x) x
        (float? x) x
        (and x (= x (long (double x)))) (double x)))

;; ## Reading patterns

(defn name?
  "Is x a name of patterns and templates, such as ?x?"
  [x]
  (and (symbol? x) (= \? (first (name x)))))

(defn parts
  "[op attrs args] of a pattern or template [op attrs? arg …]."
  [[op & more]]
  (if (map? (first more)) [op (first more) (rest more)] [op {} more]))

(defn- orders
  "The pattern with the arguments of commutative ops in every order."
  [pattern]
  (if-not (vector? pattern)
    [pattern]
    (let [[op attrs args] (parts pattern)
          each (reduce (fn [prefixes arg] (for [p prefixes, v (orders arg)] (conj p v))) [[]] args)
          all (if (:commutes (op/entry op)) (mapcat (fn [[x y]] [[x y] [y x]]) each) each)]
      (distinct (map #(into [op attrs] %) all)))))

;; ## Compiling them
;; A matcher of an argument is a function (f b id slots) → true when it matches; `slots` is an array
;; with a place for each name, and behind them one for each node between root and names.

(defn- slot-of
  "The place of a name, and whether it is the first time that it stands in the pattern."
  [places name]
  (if-some [place (get @places name)]
    [place false]
    [(get (vswap! places assoc name (count @places)) name) true]))

(defn- value-matcher
  "A matcher of what a name stands for: anything the first time, then the same."
  [places name]
  (let [[place new?] (slot-of places name), place (int place)]
    (if new?
      (fn [^objects slots x] (aset slots place x) true)
      (fn [^objects slots x] (= x (aget slots place))))))

(defn- attrs-matcher [places attrs]
  (let [tests (vec (for [[k x] attrs
                         :let [f (if (name? x) (value-matcher places x) (fn [_ y] (= x y)))]]
                     (fn [given slots] (let [y (get given k ::none)]
                                         (and (not (identical? y ::none)) (f slots y))))))]
    (case (count tests)
      0 (fn [_ _] true)
      1 (nth tests 0)
      (fn [given slots] (every? #(% given slots) tests)))))

(declare node-matcher)

(defn- number-matcher [x]
  (let [x (if (number? x) (double x) x)]
    (fn [b id _] (let [y (pattern-number (uniform b id))] (and (some? y) (= x y))))))

(defn- argument-matcher [places x]
  (cond (name? x) (let [f (value-matcher places x)] (fn [_ id slots] (f slots id)))
        (vector? x) (let [matches? (node-matcher places x)
                          [place] (slot-of places [::inner (count @places)]), place (int place)]
                      (fn [b id ^objects slots]
                        (let [node (graph/node b id)]
                          (and (matches? b (graph/op-of node) (graph/attrs-of node)
                                         (graph/args-of node) slots)
                               (do (aset slots place id) true)))))
        :else (number-matcher x)))

(defn- args-matcher
  "A matcher of all arguments; of variadic ops these must be as many."
  [op fs]
  (let [n (count fs), exact? (= :variadic (:args (op/entry op)))
        fits? (fn [args] (if exact? (= n (count args)) (<= n (count args))))
        at (fn [i] (let [f (nth fs i)] (fn [b args slots] (f b (nth args i) slots))))
        tests (mapv at (range n))]
    (case n
      0 (fn [_ args _] (fits? args))
      1 (let [f (tests 0)] (fn [b args slots] (and (fits? args) (f b args slots))))
      2 (let [f (tests 0), g (tests 1)]
          (fn [b args slots] (and (fits? args) (f b args slots) (g b args slots))))
      (fn [b args slots] (and (fits? args) (every? #(% b args slots) tests))))))

(defn- node-matcher [places pattern]
  (let [[op attrs args] (parts pattern)
        args-match? (args-matcher op (mapv #(argument-matcher places %) args))
        attrs-match? (attrs-matcher places attrs)]
    (fn [b node-op given ids slots]
      (and (identical? op node-op) (args-match? b ids slots) (attrs-match? given slots)))))

;; ## Variants

(defn- need
  "What an argument has to be, for the index of rules: the op that it must have, ::number for a
  constant, nil for anything."
  [x]
  (cond (name? x) nil, (vector? x) (first x), :else ::number))

(deftype Variant [needs matches? names places inner size])

(defn- variant [pattern]
  (let [places (volatile! {}), matches? (node-matcher places pattern)
        {names true, inner false} (group-by (comp symbol? key) @places)]
    (->Variant (mapv need (nth (parts pattern) 2)) matches?
               (mapv key names) (mapv val names) (mapv val inner) (count @places))))

(defn variants
  "The ways to match a left side, in the order in which they are tried. A left side that is the kind
  of an op, or :any, has one, which matches every node."
  [lhs]
  (if (vector? lhs) (mapv variant (orders lhs)) [nil]))

(defn may-fit?
  "May a variant match a node whose arguments have these ops?"
  [^Variant variant ops]
  (or (nil? variant)
      (every? true? (map (fn [need op]
                           (or (nil? need) (identical? need op)
                               (and (identical? need ::number)
                                    (or (identical? op :const) (= :view (op/kind op))))))
                         (.needs variant) ops))))

(defn- match-of
  "The match of a node with these inner nodes, names, and what they stand for by (at place)."
  [^Root root inner names places at]
  (let [n (count names), ^objects kvs (object-array (+ 12 (* 2 n)))
        put! (fn [i k v] (aset kvs (* 2 (int i)) k) (aset kvs (inc (* 2 (int i))) v))]
    (put! 0 :builder (.b root))
    (put! 1 :op (.op root))
    (put! 2 :attrs (.attrs root))
    (put! 3 :args (.args root))
    (put! 4 :type (.type root))
    (put! 5 :inner inner)
    (dotimes [i n] (put! (+ 6 i) (nth names i) (at (nth places i))))
    (PersistentArrayMap. kvs)))

(defn match
  "The match of a node with a variant, or nil: a map from the names of the pattern to ids (in
  attributes: to values), with the root's :op, :attrs, :args and :type, the :builder, and :inner,
  the ids of the nodes between root and names. For a pattern that is a kind, the names are those of
  the op's own arguments."
  [^Variant variant ^Root root]
  (if (nil? variant)
    (let [{:keys [args]} (op/entry (.op root)), ids (.args root)]
      (if (= :variadic args)
        (into (match-of root [] [] [] identity) (op/bindings (.op root) ids))
        (match-of root [] args ids identity)))
    (let [slots (object-array (int (.size variant))), matches? (.matches? variant)]
      (when (matches? (.b root) (.op root) (.attrs root) (.args root) slots)
        (let [at (fn [place] (aget slots (int place)))]
          (match-of root (mapv at (.inner variant)) (.names variant) (.places variant) at))))))
