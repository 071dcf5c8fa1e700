(ns damo.data.tuple
  "Types of nodes with several results: [:tuple [type …]] beside [dtype [dim …]]. A node of such a
  type is computed once; [:part {:at k} id] is its result k, an array again, and the only op that
  takes it. (types [:tuple [[:f32 [n]] [:i64 [n]]]]) = [[:f32 [n]] [:i64 [n]]]."
  (:refer-clojure :exclude [map]))

(set! *warn-on-reflection* true)

(defn of "The type of a node with results of these types." [types] [:tuple (vec types)])

(defn type?
  "Is it the type of a node with several results?"
  [type]
  (= :tuple (nth type 0)))

(defn types
  "The types of arrays in a type: those of the results of a tuple, or the type alone."
  [type]
  (if (type? type) (nth type 1) [type]))

(defn map
  "The type with (f type) for each type of an array in it."
  [f type]
  (if (type? type) (of (clojure.core/map f (types type))) (f type)))
