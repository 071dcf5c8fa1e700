(ns damo.op.index
  "Joining arrays, and reading and writing at indices. An index out of range fails, it is never
  clamped."
  (:refer-clojure :exclude [take])
  (:require [damo.array :as array]
            [damo.fail :as fail :refer [fail!]]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

;; ## Joining

(defn- check-arguments [types]
  (when (empty? types)
    (fail! ::no-arguments "takes a vector of at least one array: (concatenate [x y] :axis 0)")))

(defn- joined-shape [axis a b]
  (when-not (= (count a) (count b))
    (fail! ::rank-mismatch (str "the arrays must have one rank: " (pr-str a) " and " (pr-str b))
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
   :attrs {:axis {:default 0, :doc "the axis to join along"}}
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
   :attrs {:axis {:default 0, :doc "the position of the new axis"}}
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

;; ## Reading and writing at indices

(defn- check-indices [[dtype _]]
  (typing/check-dtype :int dtype))

(defn- taken-type [attrs [[dtype shape] [_ at :as indices] :as types]]
  (check-indices indices)
  [dtype (typing/replace-axis shape (:axis (typing/normal-axis attrs types)) at)])

(defn- counted-from-front
  "The indices as :i64 in 0 … extent-1; negative ones count from the end. Fails on the first that
  is out of range."
  [indices extent]
  (let [front (array/map-elements :i64 #(if (<= (- extent) % -1) (+ extent %) %) [indices])]
    (array/checked-indices front extent)))

(defn- split-index
  "[index-into-the-indices index-into-x-with-nil] of an index into the result of take."
  [axis rank index]
  (let [middle (subvec index axis (+ axis rank))]
    [middle (vec (concat (subvec index 0 axis) [nil] (subvec index (+ axis rank))))]))

(defn- taken [{:keys [axis]} {:keys [dtype shape] :as x} indices]
  (let [front (counted-from-front indices (nth shape axis))
        rank (count (:shape indices))]
    (array/from-indices dtype (typing/replace-axis shape axis (:shape indices))
                        (fn [index]
                          (let [[at into-x] (split-index axis rank index)]
                            (array/at x (assoc into-x axis (array/at front at))))))))

(defn- random-take [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (gens/variant ctx [[[5 size] 0] [[size 4] 1] [[3] 0] [[2 size 3] -1]])
        at (gens/choose ctx [[] [size] [2 2]])
        extent (nth shape (mod axis (count shape)))]
    {:x (gens/random-array ctx dtype shape), :axis axis
     :indices (gens/indices ctx at (- extent) extent)}))

(defop take
  "The slices of x at integer indices along an axis: [… n …] and indices [i j] give [… i j …].
  Negative indices count from the end; one out of range fails."
  {:kind :gather, :args [?x ?indices], :attrs {:axis {:default 0, :doc "the axis to index"}}
   :normalize typing/normal-axis, :type taken-type, :eval taken
   :linear-in #{0}
   :transpose (fn [{:keys [attrs], [[dtype shape]] :types}]
                [[:inc-at attrs (typing/filled dtype shape 0) ?indices ?g] nil])
   :gen (fn [ctx]
          (let [{:keys [x axis indices]} (random-take ctx)]
            {:attrs {:axis axis}, :args [x indices]}))
   :examples [[[:take [:iota {:shape [4] :axis 0}] [:neg 1]] 3]]})

(defn- added-type [attrs [[dtype shape] indices [_ slices]]]
  (let [[_ expected] (taken-type attrs [[dtype shape] indices])]
    (typing/check-dtype :num dtype)
    (typing/unify-shapes "the added slices must have the shape of what take gives" expected slices)
    [dtype shape]))

(defn- added [{:keys [axis]} {:keys [dtype shape] :as x} indices y]
  (let [front (counted-from-front indices (nth shape axis))
        rank (count (:shape indices))
        plus (if (type/float-dtype? dtype) + unchecked-add)
        add (fn [sums index]
              (let [[at into-x] (split-index axis rank index)]
                (update sums (assoc into-x axis (array/at front at)) (fnil plus 0)
                        (array/at y index))))
        sums (reduce add {} (array/indices (:shape y)))]
    (array/from-indices dtype shape (fn [index] (plus (array/at x index) (get sums index 0))))))

(defop inc-at
  "x with the slices y added at integer indices along an axis, the counterpart of take: y has the
  shape that take gives. Slices at equal indices all count. Negative indices count from the end;
  one out of range fails."
  {:kind :scatter, :args [?x ?indices ?y], :coerce [0 2]
   :attrs {:axis {:default 0, :doc "the axis to index"}}
   :normalize typing/normal-axis, :type added-type, :eval added
   :lop (fn [{:keys [attrs]}] [?g 0 [:take attrs ?g ?indices]])
   :rop (fn [{:keys [attrs]}] [:inc-at attrs ?dx ?indices ?dy])
   :gen (fn [{:keys [dtype] :as ctx}]
          (let [{:keys [x axis indices]} (random-take ctx)
                [_ slices] (taken-type {:axis axis} [(array/type-of x) (array/type-of indices)])]
            {:attrs {:axis axis}, :args [x indices (gens/random-array ctx dtype slices)]}))
   :examples [[[:inc-at [:zeros {:shape [3]}] [:zeros {:shape [2], :dtype :i64}]
                [:ones {:shape [2]}]]
               [2.0 0.0 0.0]]]})

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
