(ns damo.ops.move.slice
  "Slices with static or symbolic bounds, slices that begin where a value says, and reversal.
  Bounds that are all numbers are clipped as NumPy does, to extents that are known and to symbolic
  ones: x[-3:] of [n] has the shape [min(3, n)]. Where a bound is a dim, it says where the slice
  lies, and a call in which it does not lie inside fails: x[1:k] has the shape [k - 1]."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- bound
  "A bound as a dim ≥ 0: negative integers count from the end; clipped when the extent is known."
  [extent b]
  (cond (and (integer? b) (integer? extent)) (-> (if (neg? b) (+ extent b) b) (max 0) (min extent))
        (and (integer? b) (neg? b)) (type/dim- extent (- b))
        :else (type/dim+ b)))

(defn- check-bounds [start stop step]
  (when-not (and (integer? step) (pos? step))
    (fail! :damo.op.slice/bad-step
           (str "the step of a slice is an integer of at least 1; got " (pr-str step)
            (when (and (integer? step) (neg? step))
             "; index takes negative ones, and flip turns an axis around"))
           {:step step}))
  (doseq [b [start stop] :when (some? b)]
    (when-not (and (integer? b) (neg? b)) (typing/check-shape [b]))))

(defn- symbolic? [b] (not (or (nil? b) (integer? b))))

(defn normal-bounds
  "{:start :stop :step}, dims and an integer, of the slice of an axis of that extent."
  [extent start stop step]
  (check-bounds start stop step)
  (let [start (bound extent (or start 0))
        stop (if (nil? stop) extent (bound extent stop))]
    {:start start
     :stop (if (and (integer? start) (integer? stop)) (max start stop) stop)
     :step step}))

(defn- clipped
  "An integer bound of an axis of that extent, as NumPy has it."
  [extent b]
  (if (neg? b)
    (type/dim-max 0 (type/dim- extent (- b)))
    (type/dim-min b extent)))

(defn written-bounds
  "The same of the bounds as a user writes them: when all are numbers, they are clipped."
  [extent start stop step]
  (check-bounds start stop step)
  (if (or (integer? extent) (some symbolic? [start stop]))
    (normal-bounds extent start stop step)
    (let [start (clipped extent (or start 0))
          stop (if (nil? stop) extent (clipped extent stop))]
      {:start start, :stop (type/dim-max start stop), :step step})))

(defn- written-slice [{:keys [start stop step] :or {step 1} :as attrs} [[_ shape]]]
  (let [axis (type/axis-index (count shape) (:axis attrs 0))]
    (merge attrs (written-bounds (nth shape axis) start stop step))))

(defn extent
  "The number of elements of a slice."
  [start stop step]
  (let [span (type/dim- stop start)]
    (if (= 1 step) span (type/dim-quot (type/dim+ span (dec step)) step))))

(defn- normal-slice [{:keys [start stop step] :as attrs} [[_ shape] :as types]]
  (let [{:keys [axis]} (typing/normal-axis attrs types)]
    (into {:axis axis} (normal-bounds (nth shape axis) start stop step))))

(defn- slice-type [attrs [[dtype shape] :as types]]
  (let [{:keys [axis start stop step]} (normal-slice attrs types)]
    [dtype (assoc shape axis (extent start stop step))]))

(defn check-inside
  "Fails unless 0 ≤ start ≤ stop ≤ extent, integers."
  [axis extent start stop]
  (when-not (<= 0 start stop extent)
    (fail! :damo.op.slice/out-of-bounds
           (str "the slice from " start " to " stop " does not lie inside axis "
            axis ", whose extent is " extent)
           {:axis axis, :start start, :stop stop, :extent extent})))

(defn- slice-value [{:keys [axis start stop step]} {:keys [dtype shape] :as x}]
  (check-inside axis (nth shape axis) start stop)
  (array/from-indices dtype (assoc shape axis (extent start stop step))
                      (fn [index] (array/at x (update index axis #(+ start (* step %)))))))

(defn- slice-transpose
  "The gradient in its place among zeros."
  [{{:keys [axis start stop step]} :attrs, [[dtype shape]] :types}]
  (let [rank (count shape)]
    [[:inc-slice {:start (assoc (vec (repeat rank 0)) axis start), :stop (assoc shape axis stop)
                  :step (assoc (vec (repeat rank 1)) axis step)}
      (typing/filled dtype shape 0) '?g]]))

(defop slice
  "The elements start, start + step, … before stop along one axis. Bounds are numbers, negative ones
  counted from the end, and clipped to the axis as NumPy does; or dims, then they must lie inside."
  {:kind :view, :args [?x]
   :attrs {:axis {:default 0, :is :axis, :doc "the axis to cut"}
           :start {:default nil, :is :index, :doc "the first index; nil: 0"}
           :stop {:default nil, :is :index, :doc "the index to stop before; nil: the end"}
           :step {:default 1, :is :integer, :own-check true
                  :doc "the distance between indices, at least 1"}}
   :written written-slice, :normalize normal-slice, :type slice-type
   :eval slice-value
   :requires (fn [{{:keys [axis start stop]} :attrs, [[_ shape]] :types}]
               [[0 start] [start stop] [stop (nth shape axis)]])
   :failure "a slice must lie inside its axis"
   :linear-in #{0}, :transpose slice-transpose
   :view (fn [{:keys [axis start step]} _ _ {:keys [strides] :as layout}]
           (let [stride (nth strides axis), start (type/dim-max 0 start)]
             (-> layout
                 (update :offset type/signed+ (type/signed* start stride))
                 (assoc-in [:strides axis] (type/signed* step stride)))))
   :batch {}
   :gen (gens/on-shapes
         (fn [n] [[{:axis 0, :start 1} [n 3]] [{:axis -1, :stop -1} [2 n]]
                  [{:axis 0, :start 1, :step 2} [n]]
                  [{:axis 1, :start 2, :stop 9, :step 3} [2 n 2]] [{:axis 0, :start -2} [n]]
                  [{:axis 0, :start 5, :stop 2} [n]]]))
   :examples [[[:slice {:start 1, :stop 6, :step 2} [:iota {:shape [9] :axis 0}]] [1 3 5]]
              [[:slice {:start -2} [:iota {:shape [4] :axis 0}]] [2 3]]]})

;; ## flip

(defn- reversed-layout [{:keys [strides] :as layout} axis extent]
  (if (= 0 extent)
    layout
    (-> layout
        (update :offset type/signed+ (type/signed* (type/signed+ extent -1) (nth strides axis)))
        (update-in [:strides axis] type/signed* -1))))

(defop flip
  "The array with the order of elements reversed along an axis, several or all."
  {:kind :view, :args [?x]
   :attrs {:axis {:default nil, :doc "the axis or axes to reverse; nil: all"}}
   :type (fn [attrs [type :as types]] (typing/normal-axes attrs types) type)
   :eval (fn [{:keys [axis]} {:keys [dtype shape] :as x}]
           (let [turn (fn [at i] (update at i #(- (shape i) % 1)))]
             (array/from-indices dtype shape (fn [at] (array/at x (reduce turn at axis))))))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs]}] [[:flip attrs ?g]])
   :view (fn [{:keys [axis]} shape _ layout]
           (reduce #(reversed-layout %1 %2 (nth shape %2)) layout axis))
   :batch {}
   :gen (gens/on-shapes (fn [n] [[{:axis 0} [n]] [{:axis -1} [2 n]] [{:axis [0 2]} [n 3 2]]
                                 [{:axis nil} [n 2]] [{:axis nil} []] [{:axis 1} [n 1]]]))
   :examples [[[:flip [:iota {:shape [3] :axis 0}]] [2 1 0]]]})

;; ## Slices that begin where a value says

(defn- dynamic-type [{:keys [axis size]} [[dtype shape] [start-dtype start]]]
  (typing/check-dtype :int start-dtype)
  (when-not (empty? start)
    (fail! :damo.op.slice/not-a-scalar (str "the start of a slice is a 0-d integer; its shape is "
                                        (pr-str start))
           {:shape start}))
  (typing/check-shape [size])
  (let [axis (type/axis-index (count shape) axis), extent (nth shape axis)]
    (when (and (integer? size) (integer? extent) (< extent size))
      (fail! :damo.op.slice/out-of-bounds
             (str "a slice of " size " elements does not fit into axis " axis
              " of " (pr-str shape))
             {:axis axis, :size size, :shape shape}))
    [dtype (assoc shape axis size)]))

(defn starts-of
  "The number of places where a slice of `size` elements of an axis of that extent may begin."
  [extent size]
  (if (and (integer? extent) (integer? size))
    (- (inc extent) size)
    (type/dim-max 0 (type/dim- (type/dim+ extent 1) size))))

(defn dynamic-indices
  "The template of the indices of a slice of `size` elements of an axis of that extent: the 0-d
  `start`, a template, and what follows it. A negative start counts from the end; it is checked that
  the whole slice lies inside."
  [start extent size]
  [:add [:check-index {:extent (starts-of extent size)}
         [:where [:lt start 0] [:add start [:dim {:dim extent}]] start]]
   [:iota {:shape [size], :axis 0}]])

(defop dynamic-slice
  "The :size elements along one axis of x from the 0-d integer `start` on, which is known at run
  time only. A negative start counts from the end; fails unless all of them lie inside."
  {:kind :composite, :args [?x ?start]
   :attrs {:axis {:default 0, :is :axis, :doc "the axis to cut"}
           :size {:doc "the number of elements, a dim"}}
   :type dynamic-type
   :eval (fn [{:keys [axis size]} {:keys [shape] :as x} start]
           (let [from (array/element start 0)
                 from (if (neg? from) (+ (nth shape axis) from) from)]
             (slice-value {:axis axis, :start from, :stop (+ from size), :step 1} x)))
   :expand (fn [{{:keys [axis size]} :attrs, [[_ shape]] :types}]
             [:take {:axis axis} ?x (dynamic-indices ?start (nth shape axis) size)])
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[shape axis extent] (gens/variant ctx [[[(+ 2 size)] 0 size] [[3 (* 2 size)] 1 size]
                                                       [[3 2] -1 0]])
                room (- (nth shape (mod axis (count shape))) extent)]
            {:attrs {:axis axis, :size extent}
             :args [(gens/random-array ctx dtype shape) (gens/indices ctx [] 0 (inc room))]}))
   :examples [[[:dynamic-slice {:size 2} [:iota {:shape [4] :axis 0}] 1] [1 2]]]})
