(ns damo.data.told
  "What a user tells of dims that their types do not show: that two are equal, or between which
  bounds one lies. Facts are data, [:= a b] and [:<= a b]; `within` lets them hold for what is made
  while its body runs. In: shapes as they were written. Out: the same as the facts have them.
  (within '{n m} src #(:shape (wanted '[n 3]))) = [m 3]."
  (:require [clojure.string :as str]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.poly :as poly]
            [damo.data.type :as type]
            [damo.data.unify :as unify])
  (:import [clojure.lang Cons LazySeq]))

(set! *warn-on-reflection* true)

;; ## Facts

(defn fact?
  "Is x a fact about dims, [:= a b] or [:<= a b]?"
  [x]
  (and (vector? x) (= 3 (count x)) (contains? #{:= :<=} (nth x 0)) (every? type/dim? (rest x))))

(defn text
  "A fact as messages say it."
  [[relation a b]]
  (str (pr-str a) (case relation := " = ", :<= " <= ") (pr-str b)))

(defn mentioned
  "The set of symbols that a fact mentions."
  [[_ a b]]
  (into (type/dim-symbols a) (type/dim-symbols b)))

(defn requirements
  "What a call has to check of facts: [[small large] …], small not to be larger than large."
  [facts]
  (mapcat (fn [[relation a b]] (case relation := [[a b] [b a]], :<= [[a b]])) facts))

(defn substituted
  "A fact with symbols replaced as {symbol dim} says."
  [dims [relation a b]]
  [relation (type/substitute dims a) (type/substitute dims b)])

(defn bounds
  "What facts tell of single names, as poly/*bounds* has it."
  [facts]
  (reduce (fn [m [relation a b]]
            (if (= relation :<=)
              (cond-> m
                (symbol? b) (update-in [b :least] (fnil conj []) a)
                (symbol? a) (update-in [a :most] (fnil conj []) b))
              m))
          {} facts))

;; ## What users write

(def ^:private forms
  "What a dim may be told to be, besides a dim: the form, and its facts."
  {:>= ['[:>= least] (fn [d lo] [[:<= lo d]])]
   :<= ['[:<= most] (fn [d hi] [[:<= d hi]])]
   :in ['[:in least most] (fn [d lo hi] [[:<= lo d] [:<= d hi]])]})

(defn- facts-of-pair [given [d told]]
  (let [[form facts] (when (vector? told) (forms (first told)))
        fits? (and (type/dim? d) (every? type/dim? (if form (rest told) [told])))]
    (cond (and fits? (nil? form)) [[:= d told]]
          (and fits? (= (count form) (count told))) (apply facts d (rest told))
          :else (fail! :damo.told/bad-dims
                       (str "what is told of a dim is a dim or its bounds, "
                            (str/join " or " (map first (vals forms))) "; of " (pr-str d)
                            " it is " (fail/value-text told))
                       {:dim d, :given told, :all given}))))

(defn facts-of
  "The facts that a user tells by a map {dim dim-or-bounds}; fails when it is none."
  [given]
  (when-not (map? given)
    (fail! :damo.told/bad-dims
           (str "what is told of dims is a map, '{n m, p 3}; got " (fail/value-text given))
           {:given given}))
  (vec (mapcat #(facts-of-pair given %) given)))

;; ## Facts taken together

(defn- never?
  "Does it show that a fact does not hold, whatever the values of its symbols?"
  [[relation a b]]
  (case relation
    := (unify/never-equal? a b)
    :<= (poly/nonnegative? (poly/of-dim [:- a [:+ b 1]]))))

(defn contradiction!
  "Fails because these facts contradict each other; `text-of` gives the text of each."
  [facts fact text-of]
  (fail! :damo.told/contradiction
         (str "what is told of dims contradicts itself: there are no lengths for which "
              (str/join " and " (distinct (map text-of facts))))
         {:facts (vec (distinct facts)), :fact fact}))

(defn solved
  "{symbol dim} by which dims that facts tell to be equal become one. Fails when the facts
  contradict each other; `text-of` gives their texts. `free` says whether a symbol may be replaced."
  ([free facts] (solved free facts text))
  ([free facts text-of]
   (let [dims (unify/unified free (for [[relation a b] facts :when (= := relation)] [a b]))]
     (if-let [pair (::unify/contradiction dims)]
       (contradiction! facts (into [:=] pair) text-of)
       (if-let [fact (first (filter #(never? (substituted dims %)) facts))]
         (contradiction! facts fact text-of)
         dims)))))

;; ## What holds where

(def ^:dynamic *told*
  "What holds for what is being made, nil: nothing. :levels are the facts of each `within` around,
  {:facts :src}, the outermost first; :dims and :bounds are of them all, as `solved` and `bounds`
  have them; :mark is one object for each such extent."
  nil)

(def ^:private most-elements
  "More elements of a lazy sequence are not made before `within` returns it."
  65536)

(defn- with-elements
  "x, what is lazy in it, sequences, their elements and those of vectors and maps, made now: what is
  told does not hold any more when somebody looks at them."
  [x]
  (cond (or (instance? LazySeq x) (instance? Cons x))
        (if (< most-elements (bounded-count (inc most-elements) (map with-elements x)))
          (fail! :damo.told/endless
                 (str "a lazy sequence of more than " most-elements " elements leaves with-dims;"
                      " what is told there holds only for what is made before it returns"
                      "\n  try: make a vector, (mapv f xs)")
                 {:most most-elements})
          x)
        (map? x) (do (run! with-elements (vals x)) x)
        (or (vector? x) (set? x)) (do (run! with-elements x) x)
        :else x))

(defn within
  "What (body) returns, lazy sequences made whole. While it runs, in this thread and in those that
  get its bindings, what is told of dims holds, besides what held before. `src` is where the user
  tells it."
  [given src body]
  (let [levels (conj (:levels *told* []) {:facts (facts-of given), :src src})
        facts (mapcat :facts levels)
        source (into {} (for [{:keys [facts src]} levels, fact facts] [fact src]))
        dims (solved any? facts #(str (text %) ", told at " (fail/position-text (source %))))]
    (binding [*told* {:levels levels, :dims dims, :mark (Object.)
                      :bounds (bounds (map #(substituted dims %) facts))}]
      (with-elements (body)))))

(defn canonical
  "The dim as what is told has it."
  [d]
  (if (integer? d)
    d
    (let [{:keys [dims bounds]} *told*, d (type/substitute dims d)]
      (if (empty? bounds) d (binding [poly/*bounds* bounds] (poly/anew d))))))

(defn- concerning
  "The levels with those of their facts alone that concern these symbols, directly or by others."
  [levels symbols]
  (let [all (map mentioned (mapcat :facts levels))
        reached (loop [reached symbols]
                  (let [more (into reached cat (filter #(some reached %) all))]
                    (if (= more reached) reached (recur more))))]
    (for [level levels
          :let [facts (filterv #(some reached (mentioned %)) (:facts level))]
          :when (seq facts)]
      (assoc level :facts facts))))

(defn wanted
  "{:shape :levels}: a shape as what is told has it, and what is told of its symbols; nil when that
  is nothing."
  ([shape] (wanted shape (into #{} (mapcat type/dim-symbols) shape)))
  ([shape symbols]
   (when *told*
     (when-let [levels (seq (concerning (:levels *told*) symbols))]
       {:shape (mapv canonical shape), :levels levels}))))
