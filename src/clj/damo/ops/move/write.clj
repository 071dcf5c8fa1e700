(ns damo.ops.move.write
  "Arrays with some elements written anew: at integer indices (`set-at`, `inc-at`, the counterparts
  of `take`) and in a block of slices (`set-slice`, `inc-slice`). The array given is not changed; in
  updates of shared state the compiler writes in place where it may. (inc-at [1 2 3] [0 0] [5 5]) =
  [11 2 3]."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]
            [damo.ops.move.index :as index]
            [damo.ops.move.slice :as slice]))

(set! *warn-on-reflection* true)

;; ## At indices

(defn- check-operands [types]
  (when (< (count types) 3)
    (fail! :damo.op.write/no-index
           "takes an array, at least one array of integers, and what to write")))

(defn- normal-write [attrs [[_ shape] & more :as types]]
  (check-operands types)
  (indexing/normal-axes attrs shape (dec (count more))))

(defn- check-same-dtype [x y]
  (when-not (= x y)
    (fail! :damo.op.write/dtype-mismatch
           (str "what is written must have the dtype of the array, " x "; it is "
            y)
           {:expected x, :given y})))

(defn- written-type [attrs [[dtype shape] & more :as types]]
  (let [{:keys [axis]} (normal-write attrs types), [written y] (peek (vec more))]
    (check-same-dtype dtype written)
    (typing/unify-shapes "what is written must have the shape of what take gives"
                         (indexing/result-shape shape axis (indexing/index-shape (butlast more)))
                         y)
    [dtype shape]))

(defn- written
  "The array x with (f old new) in the places of y, in row-major order."
  [f {:keys [axis]} {:keys [dtype shape] :as x} more]
  (let [{places :shape :as y} (peek (vec more))
        into-x (index/reader shape axis (butlast more))
        changed (reduce (fn [m at]
                          (let [place (into-x at)]
                            (assoc m place (f (get m place (array/at x place)) (array/at y at)))))
                        {} (array/indices places))]
    (array/from-indices dtype shape #(get changed % (array/at x %)))))

(defn- plus [dtype] (if (type/float-dtype? dtype) + unchecked-add))

(defn random-write
  "{:attrs :args} of a generated call of inc-at."
  [{:keys [dtype] :as ctx}]
  (let [{:keys [attrs x indices]} (index/random-take ctx)
        [_ places] (index/taken-type attrs (map array/type-of (into [x] indices)))]
    {:attrs attrs, :args (-> [x] (into indices) (conj (gens/random-array ctx dtype places)))}))

(defn- at-indices
  "A template: the op on x, the index arrays of the node and y."
  [op {:keys [attrs types]} x y]
  (-> [op attrs x] (into (indexing/names 1 (- (count types) 2))) (conj y)))

(defn- no-contributions [types] (repeat (- (count types) 2) 0))

(def ^:private axis-attr
  {:axis {:default 0, :doc "the axis to index, or a vector with one for each index array"}})

(defn- tangent-of-last [types] (symbol (str "?d" (dec (count types)))))

(defop inc-at
  "x with y added at integer indices along an axis (or several, see take): y has the shape that take
  gives, and the dtype of x. Elements at equal indices all count. Negative indices count from the
  end; one out of range fails."
  {:internal "d/inc-at takes NumPy's indices"
   :kind :scatter, :args :variadic, :write :add, :attrs axis-attr, :normalize normal-write
   :type (fn [attrs [[dtype] :as types]]
           (typing/check-dtype :num dtype)
           (written-type attrs types))
   :eval (fn [attrs {:keys [dtype] :as x} & more] (written (plus dtype) attrs x more))
   :lop (fn [{:keys [attrs types]}]
          (-> [?g] (into (no-contributions types))
              (conj (into [:take attrs ?g] (indexing/names 1 (- (count types) 2))))))
   :rop (fn [{:keys [types] :as node}] (at-indices :inc-at node '?d0 (tangent-of-last types)))
   :gen random-write
   :examples [[[:inc-at [:zeros {:shape [3]}] [:zeros {:shape [2], :dtype :i64}]
                [:ones {:shape [2]}]]
               [2.0 0.0 0.0]]]})

;; The gradient of what is written belongs to the last writer of each place alone. Writing the
;; numbers of the writers to an array of counts, and reading them back, tells which one it was.

(defn- writer-numbers [index-shape]
  [:reshape {:shape index-shape} [:iota {:shape [(type/size index-shape)], :axis 0}]])

(defn- last-writers
  "The template of booleans, of the shape of what is written: does the element survive?"
  [{{:keys [axis]} :attrs, [[_ shape] & more] :types}]
  (let [indices (indexing/names 1 (dec (count more)))
        index-shape (indexing/index-shape (butlast more))
        axes {:axis (vec (range (count axis)))}
        numbers (writer-numbers index-shape)
        counts (typing/filled :i64 (mapv #(nth shape %) axis) -1)
        winners (-> [:set-at axes counts] (into indices) (conj numbers))
        wins [:eq (into [:take axes winners] indices) numbers]
        [_ out] (peek (vec more))
        at (indexing/place axis)
        behind (- (count out) at (count index-shape))]
    [:reshape {:shape (into index-shape (repeat behind 1))} wins]))

(defop set-at
  "x with the elements at integer indices along an axis (or several, see take) replaced by y, which
  has the shape that take gives and the dtype of x. Where an index stands several times, the last
  one, in row-major order, wins; the gradient with respect to y is zero for the others. Negative
  indices count from the end; one out of range fails."
  {:internal "d/set-at takes NumPy's indices"
   :kind :scatter, :args :variadic, :write :set, :attrs axis-attr, :normalize normal-write
   :type written-type
   :eval (fn [attrs x & more] (written (fn [_ y] y) attrs x more))
   :lop (fn [{:keys [attrs types] :as node}]
          (let [[dtype] (first types), [_ out] (peek types)
                taken (into [:take attrs ?g] (indexing/names 1 (- (count types) 2)))]
            (-> [(at-indices :set-at node ?g (typing/filled dtype out 0))]
                (into (no-contributions types))
                (conj [:where (last-writers node) taken (typing/const dtype 0)]))))
   :rop (fn [{:keys [types] :as node}] (at-indices :set-at node '?d0 (tangent-of-last types)))
   :gen random-write
   :examples [[[:set-at [:zeros {:shape [3]}] [:zeros {:shape [1], :dtype :i64}]
                [:ones {:shape [1]}]]
               [1.0 0.0 0.0]]]})

;; ## Blocks

(defn- per-axis [k default {given k} rank]
  (let [v (or given (vec (repeat rank default)))]
    (when-not (and (sequential? v) (= rank (count v)))
      (fail! :damo.op.write/bad-block
             (str k " has one entry for each of the " rank " axes; got " (pr-str given))
             {:attribute k, :given given}))
    v))

(defn- normal-block [attrs [[_ shape]]]
  (let [rank (count shape)
        bounds (map slice/normal-bounds shape (per-axis :start 0 attrs rank)
                    (per-axis :stop nil attrs rank) (per-axis :step 1 attrs rank))]
    (into {} (for [k [:start :stop :step]] [k (mapv k bounds)]))))

(defn- written-block
  "The attributes as a user writes them, with bounds that are numbers clipped."
  [attrs [[_ shape]]]
  (let [rank (count shape)
        bounds (map slice/written-bounds shape (per-axis :start 0 attrs rank)
                    (per-axis :stop nil attrs rank) (per-axis :step 1 attrs rank))]
    (into attrs (for [k [:start :stop :step]] [k (mapv k bounds)]))))

(defn- block-type [attrs [[dtype shape :as type] [given y] :as types]]
  (check-same-dtype dtype given)
  (let [{:keys [start stop step]} (normal-block attrs types)]
    (typing/unify-shapes "what is written must have the shape of the block"
                         (mapv slice/extent start stop step) y)
    type))

(defn- block-written [f {:keys [start stop step]} {:keys [dtype shape] :as x} y]
  (dorun (map slice/check-inside (range) shape start stop))
  (let [place (fn [at] (mapv #(+ %1 (* %2 %3)) start step at))
        changed (into {} (map (fn [at] [(place at) (array/at y at)])) (array/indices (:shape y)))]
    (array/from-indices dtype shape #(if-some [new (changed %)]
                                       (f (array/at x %) new)
                                       (array/at x %)))))

(defn- block-read
  "The template t cut to the block."
  [{{:keys [start stop step]} :attrs, [[_ shape]] :types} t]
  (reduce (fn [t [axis extent from to by]]
            (if (= [0 extent 1] [from to by])
              t
              [:slice {:axis axis, :start from, :stop to, :step by} t]))
          t (map vector (range) shape start stop step)))

(defn- block-requirements [{{:keys [start stop]} :attrs, [[_ shape]] :types}]
  (mapcat (fn [extent from to] [[0 from] [from to] [to extent]]) shape start stop))

(def ^:private block-attrs
  {:start {:default nil, :doc "the first index along each axis, a vector of dims; nil: 0"}
   :stop {:default nil, :doc "the index to stop before along each axis; nil: the end"}
   :step {:default nil, :doc "the distance between indices along each axis; nil: 1"}})

(def ^:private block-gen
  (gens/on-shapes (fn [n] [[{:start [1 0]} [(inc n) 3] [n 3]]
                           [{:start [0 nil], :stop [5 nil], :step [2 1]} [9 n] [3 n]]
                           [{:stop [nil -2 -1], :start [0 1 2], :step [1 2 1]} [n 6 5] [n 2 2]]
                           [{} [] []] [{:start [2 0], :stop [2 n]} [4 n] [0 n]]
                           [{:start [n 1]} [(* 2 n) 3] [n 2]] [{} [n] [n]]])))

(defop set-slice
  "x with the block of slices that :start, :stop and :step cut, as slice does along each axis,
  replaced by y, which has the shape of the block and the dtype of x."
  {:kind :patch, :args [?x ?y], :agree [0 1], :write :set, :attrs block-attrs
   :written written-block
   :normalize normal-block
   :type block-type, :eval (partial block-written (fn [_ y] y)), :requires block-requirements
   :failure "a block must lie inside the array"
   :linear-in :all, :batch {}
   :transpose (fn [{:keys [attrs], [_ [dtype block]] :types :as node}]
                [[:set-slice attrs ?g (typing/filled dtype block 0)] (block-read node ?g)])
   :gen block-gen
   :examples [[[:set-slice {:start [1]} [:zeros {:shape [3]}] [:ones {:shape [2]}]]
               [0.0 1.0 1.0]]]})

(defop inc-slice
  "x with y added to the block of slices that :start, :stop and :step cut, as slice does along each
  axis; y has the shape of the block and the dtype of x."
  {:kind :patch, :args [?x ?y], :agree [0 1], :write :add, :attrs block-attrs
   :written written-block
   :normalize normal-block
   :type (fn [attrs [[dtype] :as types]]
           (typing/check-dtype :num dtype)
           (block-type attrs types))
   :eval (fn [attrs {:keys [dtype] :as x} y] (block-written (plus dtype) attrs x y))
   :requires block-requirements
   :failure "a block must lie inside the array"
   :linear-in :all, :batch {}
   :transpose (fn [node] [?g (block-read node ?g)])
   :gen block-gen
   :examples [[[:inc-slice {:start [1]} [:ones {:shape [3]}] [:ones {:shape [2]}]]
               [1.0 2.0 2.0]]]})
