(ns damo.op.indexing
  "The rule of NumPy for arrays of integers as indices, as arithmetic on axes and positions; ops,
  schedule and lowering share it. Index arrays for the axes `axes` of x broadcast to one shape B.
  The result has the other axes of x in order, with those of B where the indexed axes were when they
  are neighbours, else in front: (result-shape '[n m k] [1 2] [5]) = [n 5]."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn place
  "The position in the result of the first axis of the index arrays."
  [axes]
  (let [sorted (sort axes), lowest (first sorted)]
    (if (= sorted (range lowest (+ lowest (count axes)))) lowest 0)))

(defn result-shape
  "The shape of what index arrays that broadcast to `index-shape` read along `axes` of `shape`."
  [shape axes index-shape]
  (let [kept (into [] (keep-indexed (fn [i d] (when-not (some #{i} axes) d))) shape)
        at (place axes)]
    (vec (concat (subvec kept 0 at) index-shape (subvec kept at)))))

(defn index-positions
  "The part of `positions`, in the result, that lies in the index arrays, of that rank."
  [axes rank positions]
  (let [at (place axes)] (subvec (vec positions) at (+ at rank))))

(defn source-positions
  "The positions in x of the element at `positions` in the result, when the index arrays, of that
  rank, have the values `values` there."
  [axes rank positions values]
  (let [at (place axes), positions (vec positions)
        kept (into (subvec positions 0 at) (subvec positions (+ at rank)))
        value-of (zipmap axes values)]
    (loop [axis 0, kept (seq kept), out []]
      (cond (contains? value-of axis) (recur (inc axis) kept (conj out (value-of axis)))
            kept (recur (inc axis) (next kept) (conj out (first kept)))
            :else out))))

(defn aligned
  "The positions of an index array of shape `own` among `positions` of the broadcast ones: 0 on
  axes of extent 1."
  [own positions]
  (mapv #(if (= 1 %1) 0 %2) own (take-last (count own) positions)))

(defn normal-axes
  "Attributes with :axis, an axis or one for each index array, as the vector of axes of the first
  argument; fails when their number is not that of the index arrays."
  [{:keys [axis] :as attrs} shape index-count]
  (let [axes (mapv #(type/axis-index (count shape) %) (if (sequential? axis) axis [axis]))]
    (when-not (and (= index-count (count axes)) (pos? index-count) (apply distinct? axes))
      (fail! ::axes-mismatch (str "needs an axis of its own for each of the " index-count
                                  " index arrays; :axis is " (pr-str axis))
             {:axis axis, :indices index-count}))
    (assoc attrs :axis axes)))

(defn index-shape
  "The shape that the types of index arrays broadcast to; fails when one is not of integers."
  [types]
  (run! #(typing/check-dtype :int (type/dtype-of %)) types)
  (apply type/broadcast-shapes (map type/shape-of types)))

(defn in-nest
  "{:indices :value :factor} of the arguments of a scatter, [x & indices value], and a factor behind
  them where there is one."
  [{:keys [axis]} [_ & more]]
  (let [[indices [value factor]] (split-at (count axis) more)]
    {:indices (vec indices), :value value, :factor factor}))

(defn names
  "The names in templates of `n` arguments of a variadic op from position `start` on."
  [start n]
  (mapv #(symbol (str "?" %)) (range start (+ start n))))
