(ns damo.ops.move.index
  "Joining arrays, and reading at indices. An index out of range fails, it is never clamped."
  (:refer-clojure :exclude [take])
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## Joining

(defn- check-arguments [types]
  (when (empty? types)
    (fail! :damo.op.index/no-arguments
           "takes a vector of at least one array: (concatenate [x y] :axis 0)")))

(defn- joined-shape [axis a b]
  (when-not (= (count a) (count b))
    (fail! :damo.op.index/rank-mismatch
           (str "the arrays must have one rank: " (pr-str a) " and " (pr-str b))
           {:shapes [a b]}))
  (vec (map-indexed (fn [i [x y]]
                      (if (= i axis)
                        (type/dim+ x y)
                        (type/unify-dims (str "extents along axis " i " must agree") x y)))
                    (map vector a b))))

(defn- concatenated-type [{:keys [axis]} [[dtype shape] :as types]]
  (check-arguments types)
  (let [axis (type/axis-index (count shape) axis)]
    [dtype (reduce (partial joined-shape axis) (map type/shape-of types))]))

(defn- starts
  "Where each of the arrays begins along the axis, and where the last one ends."
  [axis types]
  (reductions type/dim+ 0 (map #(nth (type/shape-of %) axis) types)))

(defn- concatenated [{:keys [axis]} & [{:keys [dtype]} :as arrays]]
  (let [types (mapv array/type-of arrays)
        [_ shape] (concatenated-type {:axis axis} types)
        source (fn [a start] (repeat (nth (:shape a) axis) [a start]))
        sources (vec (mapcat source arrays (starts axis types)))]
    (array/from-indices dtype shape
                        (fn [index]
                          (let [[a start] (sources (index axis))]
                            (array/at a (update index axis - start)))))))

(defop concatenate
  "The arrays, a vector, joined along an axis. They are brought to one dtype."
  {:kind :concat, :args :variadic, :coerce :all
   :attrs {:axis {:default 0, :is :positions, :doc "the axis to join along"}}
   :normalize (fn [attrs types] (check-arguments types) (typing/normal-axis attrs types))
   :type concatenated-type, :eval concatenated
   :linear-in :all
   :transpose (fn [{{:keys [axis]} :attrs, types :types}]
                (mapv (fn [[start stop]]
                        [:slice {:axis axis, :start start, :stop stop, :step 1} ?g])
                      (partition 2 1 (starts axis types))))
   :gen (gens/on-shapes (fn [n] [[{:axis 0} [n] [3]] [{:axis 1} [2 n] [2 1] [2 n]] [{:axis 0} [n 2]]
                                 [{:axis -1} [n 1] [n 2]]]))
   :examples [[[:concatenate [:iota {:shape [2] :axis 0}] [:iota {:shape [1] :axis 0}]] [0 1 0]]]})

(defn- new-axis [{:keys [axis]} [[_ shape] & _]]
  (type/axis-index (inc (count shape)) axis))

(defn- stacked-type [attrs [[dtype shape] :as types]]
  (check-arguments types)
  (let [axis (new-axis attrs types)
        shape (reduce (partial typing/unify-shapes "the arrays must have one shape")
                      (map type/shape-of types))]
    [dtype (-> (subvec shape 0 axis) (conj (count types)) (into (subvec shape axis)))]))

(defn- stacked [{:keys [axis] :as attrs} & arrays]
  (let [[dtype shape] (stacked-type attrs (map array/type-of arrays)), arrays (vec arrays)]
    (array/from-indices dtype shape
                        #(array/at (arrays (% axis)) (typing/replace-axis % axis [])))))

(defop stack
  "The arrays, a vector of one shape, along a new axis."
  {:kind :composite, :args :variadic, :coerce :all
   :attrs {:axis {:default 0, :is :positions, :doc "the position of the new axis"}}
   :normalize (fn [attrs types] (check-arguments types) (assoc attrs :axis (new-axis attrs types)))
   :type stacked-type
   :eval stacked
   :expand (fn [{{:keys [axis]} :attrs, types :types}]
             (into [:concatenate {:axis axis}]
                   (map (fn [i] [:expand-dims {:axis [axis]} (symbol (str "?" i))]))
                   (range (count types))))
   :gen (gens/on-shapes (fn [n] [[{:axis 0} [n] [n]] [{:axis -1} [2 n] [2 n] [2 n]]
                                 [{:axis 0} []]]))
   :examples [[[:stack 1.0 2.0] [1.0 2.0]]]})

;; ## Reading at indices

(defn- taken-shape [{:keys [axis]} shape index-types]
  (indexing/result-shape shape axis (indexing/index-shape index-types)))

(defn taken-type
  "The type rule of take."
  [attrs [[dtype shape] & indices]]
  [dtype (taken-shape (indexing/normal-axes attrs shape (count indices)) shape indices)])

(defn- check-operands [types]
  (when-not (next types)
    (fail! :damo.op.index/no-index
           "takes an array and at least one array of integers: (take x indices)")))

(defn- normal-take [attrs [[_ shape] & indices :as types]]
  (check-operands types)
  (indexing/normal-axes attrs shape (count indices)))

(defn counted-from-front
  "The indices as :i64 in 0 … extent-1; negative ones count from the end. Fails on the first that
  is out of range."
  [indices extent]
  (let [front (array/map-elements :i64 #(if (<= (- extent) % -1) (+ extent %) %) [indices])]
    (array/checked-indices front extent)))

(defn reader
  "A function from an index into what index arrays read along `axes` of an array of that shape to
  the index into the array; negative indices count from the end. Fails when one is out of range."
  [shape axes indices]
  (let [front (mapv #(counted-from-front %1 (nth shape %2)) indices axes)
        rank (count (indexing/index-shape (map array/type-of indices)))]
    (fn [index]
      (let [at (indexing/index-positions axes rank index)]
        (indexing/source-positions axes rank index
                                   (map #(array/at % (indexing/aligned (:shape %) at)) front))))))

(defn- taken [{:keys [axis] :as attrs} {:keys [dtype shape] :as x} & indices]
  (let [into-x (reader shape axis indices)]
    (array/from-indices dtype (taken-shape attrs shape (map array/type-of indices))
                        #(array/at x (into-x %)))))

(defn random-take
  "{:attrs :x :indices} of a generated call of take: one index array or several that broadcast."
  [{:keys [dtype size] :as ctx}]
  (let [[shape axis & at] (gens/variant ctx [[[5 size] 0 [size]] [[size 4] 1 [2 2]] [[3] 0 []]
                                             [[2 size 3] -1 [size]] [[3 4] [0 1] [size] [size]]
                                             [[3 size 4] [0 2] [2] [2]]
                                             [[2 4 size] [0 1] [2 1] [3]]
                                             [[3 2] [1 0] [size] []] [[5 size] 0 [0]]])
        extent #(nth shape (mod % (count shape)))
        axes (if (sequential? axis) axis [axis])]
    {:attrs {:axis axis}, :x (gens/random-array ctx dtype shape)
     :indices (mapv #(gens/indices ctx %1 (- (extent %2)) (extent %2)) at axes)}))

(defop take
  "The elements of x at integer indices along an axis: [… n …] and indices [i j] give [… i j …].
  With several index arrays :axis names an axis for each; they broadcast, and their axes stand where
  the indexed ones were when these are neighbours, else in front, as in NumPy's x[i, j]. Negative
  indices count from the end; one out of range fails."
  {:kind :gather, :args :variadic
   :attrs {:axis {:default 0, :doc "the axis to index, or a vector with one for each index array"}}
   :normalize normal-take, :type taken-type, :eval taken
   :linear-in #{0}
   :transpose (fn [{:keys [attrs], [[dtype shape] & indices] :types}]
                [(-> [:inc-at attrs (typing/filled dtype shape 0)]
                     (into (indexing/names 1 (count indices)))
                     (conj ?g))])
   :gen (fn [ctx]
          (let [{:keys [attrs x indices]} (random-take ctx)]
            {:attrs attrs, :args (into [x] indices)}))
   :examples [[[:take [:iota {:shape [4] :axis 0}] [:neg 1]] 3]
              [[:take {:axis [0 1]} [:iota {:shape [2 3] :axis 1}] [:iota {:shape [2] :axis 0}]
                [:neg 1]]
               [2 2]]]})

(defop check-index
  "The integers x as :i64 after a check that each lies in 0 … extent - 1; fails at the first that
  does not."
  {:kind :check, :args [?x], :attrs {:extent {:doc "the number of valid values, a dim"}}
   :normalize (fn [{:keys [extent] :as attrs} _]
                (typing/check-shape [extent])
                (assoc attrs :extent (type/dim+ extent)))
   :type (fn [{:keys [extent]} [[dtype shape]]]
           (typing/check-dtype :int dtype)
           (typing/check-shape [extent])
           [:i64 shape])
   :eval (fn [{:keys [extent]} x] (array/checked-indices x extent))
   :no-gradient "an index is an integer"
   :gen (fn [{:keys [size] :as ctx}] {:attrs {:extent 4}, :args [(gens/indices ctx [size] 0 4)]})
   :examples [[[:check-index {:extent 3} 2] 2]]})
