(ns damo.data.tree
  "Nested maps and vectors with expressions at their leaves, as users give outputs, parameters and
  updates: taken apart into a vector of leaves and a skeleton, and put together again.
  (taken-apart {:a x, :b [y z]}) = {:leaves [x y z], :skeleton {:a 0, :b [1 2]}}."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn branch?
  "Is x a map or a sequence that holds an expression or a tensor somewhere? Nested vectors of
  numbers are data."
  [x]
  (or (map? x)
      (and (sequential? x)
           (some #(or (expr/expr? %) (instance? Tensor %) (branch? %)) (take 10000 x)))))

(defn- walk [[leaves skeleton] add x]
  (if (branch? x)
    (let [[leaves inner]
          (if (map? x)
            (reduce-kv (fn [state k v] (walk state #(assoc %1 k %2) v)) [leaves {}] x)
            (reduce (fn [state v] (walk state conj v)) [leaves []] x))]
      [leaves (add skeleton inner)])
    [(conj leaves x) (add skeleton (count leaves))]))

(defn taken-apart
  "{:leaves [leaf …] :skeleton s}; in the skeleton stand the positions of the leaves."
  [x]
  (let [[leaves skeleton] (walk [[] nil] (fn [_ s] s) x)]
    {:leaves leaves, :skeleton skeleton}))

(defn put-together
  "The structure of the skeleton with these leaves, a vector or array."
  [skeleton leaves]
  (cond (map? skeleton) (update-vals skeleton #(put-together % leaves))
        (vector? skeleton) (mapv #(put-together % leaves) skeleton)
        :else (nth leaves skeleton)))

(defn paths
  "Where the leaves of a skeleton stand, in their order, each a path of keys and positions."
  [skeleton]
  (letfn [(walk [path s]
            (cond (map? s) (mapcat (fn [[k inner]] (walk (conj path k) inner)) s)
                  (vector? s) (mapcat #(walk (conj path %1) %2) (range) s)
                  :else [[s path]]))]
    (mapv second (sort-by first (walk [] skeleton)))))

(defn parts
  "The leaves of x, which has the structure of the skeleton, in its order; fails when it has
  another. `what` says what x is."
  [what skeleton x]
  (letfn [(differs! [s x]
            (fail! :damo.tree/other-structure
                   (str what " must have the structure of what it belongs to, with "
                        (if (map? s) (str "the keys " (vec (keys s))) (str (count s) " elements"))
                        "; got " (expr/describe x))
                   {:given x}))
          (collect [s x]
            (cond (map? s) (if (and (map? x) (= (set (keys s)) (set (keys x))))
                             (mapcat (fn [[k inner]] (collect inner (get x k))) s)
                             (differs! s x))
                  (vector? s) (if (and (sequential? x) (= (count s) (bounded-count 10000 x)))
                                (mapcat collect s x)
                                (differs! s x))
                  :else [[s x]]))]
    (mapv second (sort-by first (collect skeleton x)))))
