(ns damo.data.unify
  "Dims that are to be equal, solved: symbols are bound to the dims that make them so, as far as it
  can be told. (unified any? '[[n m] [[:* 2 k] 10]]) = {n m, k 5}."
  (:require [clojure.string :as str]
            [damo.data.poly :as poly]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- dim-of
  "The dim of a polynomial when it can be one, else nil."
  [p]
  (let [c (poly/constant p)]
    (when (or (nil? c) (nat-int? c)) (poly/to-dim p))))

(defn- linear
  "The coefficient of a symbol that occurs in one term of a polynomial, alone; else nil."
  [p s]
  (when (= 1 (count (filter #(contains? (type/dim-symbols (poly/to-dim (conj {} %))) s) p)))
    (get p [s])))

(defn- solved
  "[symbol dim] that makes the difference p of two dims zero, for one of these symbols; nil when
  there is none."
  [p symbols]
  (some (fn [s]
          (when-let [c (linear p s)]
            (when-let [d (dim-of (poly/scale (/ -1 c) (dissoc p [s])))]
              [s d])))
        symbols))

(defn- with-binding [dims s d]
  (assoc (update-vals dims #(type/substitute {s d} %)) s d))

(defn never-equal?
  "Does it show that two dims are not equal, whatever the values of their symbols?"
  [a b]
  (let [p (poly/of-dim [:- a b]), c (poly/constant p), unit (poly/content (dissoc p []))]
    (or (and c (not (zero? c)))
        (and (integer? (get p [] 0)) (< 1 unit) (not (zero? (mod (get p [] 0) unit))))
        (poly/nonnegative? (poly/plus p {[] -1}))
        (poly/nonnegative? (poly/minus {[] -1} p)))))

(defn- equated
  "The dims with what makes the dims a and b equal, as far as it can be told. `free` says whether a
  symbol may be bound."
  [free dims [a b :as pair]]
  (let [[x y] (map #(type/substitute dims %) pair)
        p (poly/of-dim [:- x y])
        own (filter free (distinct (concat (type/dim-symbols x) (type/dim-symbols y))))]
    (if (empty? p)
      dims
      (if-let [[s d] (solved p own)]
        (with-binding dims s d)
        (if (never-equal? x y) (reduced {::contradiction pair}) dims)))))

(defn unified
  "{symbol dim} that makes the dims of each pair [a b] equal, as far as they show it, those that are
  a name alone first; {::contradiction [a b]} when that cannot be. `free` says whether a symbol may
  be bound."
  [free pairs]
  (let [named? (fn [[a b]] (or (symbol? a) (symbol? b)))]
    (reduce (partial equated free) {} (concat (filter named? pairs) (remove named? pairs)
                                              (filter named? pairs)))))

;; ## What messages say

(defn- written
  "A pair of dims as what is told of the first, a symbol where there is one."
  [[a b]]
  (let [[from to] (if (or (integer? a) (and (symbol? b) (vector? a))) [b a] [a b])]
    (str (pr-str from) " " (pr-str to))))

(defn equal-advice
  "What to try when the dims, or types, :expected and :given had to be equal and are not known to
  be: the line that tells it; nil for other failures, and where they never are."
  [{a :expected, b :given}]
  (let [pairs (cond (and (type/dim? a) (type/dim? b)) [[a b]]
                    (and (type/type? a) (type/type? b) (= (first a) (first b))
                         (= (type/rank-of a) (type/rank-of b)))
                    (remove (partial apply =) (map vector (type/shape-of a) (type/shape-of b))))]
    (when (and (seq pairs) (not-any? (partial apply never-equal?) pairs))
      (str "(d/with-dims '{" (str/join ", " (distinct (map written pairs))) "} …), if they are"
           " always equal; or give them one name"))))
