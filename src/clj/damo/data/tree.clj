(ns damo.data.tree
  "Nested maps and vectors with expressions at their leaves, as users give outputs, parameters and
  updates: taken apart into a vector of leaves and a skeleton, and put together again.
  (taken-apart {:a x, :b [y z]}) = {:leaves [x y z], :skeleton {:a 0, :b [1 2]}}."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn branch?
  "Is x a map, a sparse matrix of expressions, or a sequence that holds an expression or a tensor
  somewhere? Nested vectors of numbers are data."
  [x]
  (or (map? x) (sparse/symbolic? x)
      (and (sequential? x)
           (some #(or (expr/expr? %) (instance? Tensor %) (branch? %)) (take 10000 x)))))

(defn- walk [[leaves skeleton :as state] leaf? add x]
  (let [entries (fn [skeleton m]
                  (reduce-kv (fn [state k v] (walk state leaf? #(assoc %1 k %2) v))
                             [leaves skeleton] m))
        [leaves inner]
        (cond (or (leaf? x) (not (branch? x))) [(conj leaves x) (count leaves)]
              (sparse/sparse? x) (entries {:damo/sparse {:format (:format x), :shape (:shape x)}}
                                          (sparse/arrays x))
              (map? x) (entries {} x)
              :else (reduce (fn [state v] (walk state leaf? conj v)) [leaves []] x))]
    [leaves (add skeleton inner)]))

(defn taken-apart
  "{:leaves [leaf …] :skeleton s}; in the skeleton stand the positions of the leaves. Those x for
  which (leaf? x) holds are leaves."
  ([x] (taken-apart x (constantly false)))
  ([x leaf?]
   (let [[leaves skeleton] (walk [[] nil] leaf? (fn [_ s] s) x)]
     {:leaves leaves, :skeleton skeleton})))

(defn- entries
  "The entries of a skeleton that is a map: those of a sparse matrix are its arrays."
  [s]
  (dissoc s :damo/sparse))

(defn put-together
  "The structure of the skeleton with these leaves, a vector or array."
  [skeleton leaves]
  (cond (map? skeleton) (let [found (update-vals (entries skeleton) #(put-together % leaves))]
                          (if-let [form (:damo/sparse skeleton)]
                            (sparse/put-together form found)
                            found))
        (vector? skeleton) (mapv #(put-together % leaves) skeleton)
        :else (nth leaves skeleton)))

(defn paths
  "Where the leaves of a skeleton stand, in their order, each a path of keys and positions."
  [skeleton]
  (letfn [(walk [path s]
            (cond (map? s) (mapcat (fn [[k inner]] (walk (conj path k) inner)) (entries s))
                  (vector? s) (mapcat #(walk (conj path %1) %2) (range) s)
                  :else [[s path]]))]
    (mapv second (sort-by first (walk [] skeleton)))))

(defn parts
  "The leaves of x, which has the structure of the skeleton, in its order; fails when it has
  another. `what` says what x is."
  [what skeleton x]
  (letfn [(differs! [s x]
            (fail! :damo.tree/other-structure
                   (str what " must have the structure of what it belongs to, "
                        (cond (:damo/sparse s) (str "a sparse matrix of expressions in the format "
                                                    (:format (:damo/sparse s)))
                              (map? s) (str "with the keys " (vec (keys s)))
                              :else (str "with " (count s) " elements"))
                        "; got " (expr/describe x))
                   {:given x}))
          (collect [s x]
            (cond (:damo/sparse s) (if (and (sparse/symbolic? x)
                                            (= (:format x) (:format (:damo/sparse s))))
                                     (collect (entries s) (sparse/arrays x))
                                     (differs! s x))
                  (map? s) (if (and (map? x) (= (set (keys s)) (set (keys x))))
                             (mapcat (fn [[k inner]] (collect inner (get x k))) s)
                             (differs! s x))
                  (vector? s) (if (and (sequential? x) (= (count s) (bounded-count 10000 x)))
                                (mapcat collect s x)
                                (differs! s x))
                  :else [[s x]]))]
    (mapv second (sort-by first (collect skeleton x)))))
