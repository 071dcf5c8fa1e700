(ns damo.op.slice
  "Slices with static or symbolic bounds, and `index`, which takes one spec an axis. Extents known
  at build time clip the bounds as NumPy does; against a symbolic extent bounds must lie inside at
  run time, so that x[1:] of [n] has the shape [n - 1]."
  (:require [damo.array :as array]
            [damo.expr :as expr]
            [damo.fail :as fail :refer [fail!]]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.op.view :as view]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn- bound
  "A bound as a dim ≥ 0: negative integers count from the end; clipped when the extent is known."
  [extent b]
  (cond (and (integer? b) (integer? extent)) (-> (if (neg? b) (+ extent b) b) (max 0) (min extent))
        (and (integer? b) (neg? b)) (type/dim- extent (- b))
        :else (type/dim+ b)))

(defn- check-bounds [{:keys [start stop step]}]
  (when-not (and (integer? step) (pos? step))
    (fail! ::bad-step (str "the step of a slice is an integer of at least 1; got " (pr-str step))
           {:step step}))
  (doseq [b [start stop] :when (some? b)]
    (when-not (and (integer? b) (neg? b)) (typing/check-shape [b]))))

(defn- normal-bounds [{:keys [start stop step] :as attrs} [[_ shape] :as types]]
  (check-bounds attrs)
  (let [{:keys [axis] :as attrs} (typing/normal-axis attrs types)
        extent (nth shape axis)
        start (bound extent (or start 0))
        stop (if (nil? stop) extent (bound extent stop))
        stop (if (and (integer? start) (integer? stop)) (max start stop) stop)]
    (assoc attrs :start start, :stop stop, :step step)))

(defn- extent-of [{:keys [start stop step]}]
  (let [span (type/dim- stop start)]
    (if (= 1 step) span (type/dim-quot (type/dim+ span (dec step)) step))))

(defn- slice-type [attrs [[dtype shape] :as types]]
  (let [{:keys [axis] :as attrs} (normal-bounds attrs types)]
    [dtype (assoc shape axis (extent-of attrs))]))

(defn- slice-value [{:keys [axis start stop step]} {:keys [dtype shape] :as x}]
  (when-not (<= 0 start stop (nth shape axis))
    (fail! ::out-of-bounds (str "the slice from " start " to " stop
                                " does not lie inside axis " axis " of " (pr-str shape))
           {:axis axis, :start start, :stop stop, :shape shape}))
  (array/from-indices dtype (assoc shape axis (quot (+ (- stop start) (dec step)) step))
                      (fn [index] (array/at x (update index axis #(+ start (* step %)))))))

(defn- padding
  "The template of zeros around a slice along its axis, nil when there are none."
  [[dtype shape] axis extent]
  (when-not (= 0 extent)
    (typing/filled dtype (assoc shape axis extent) 0)))

(defn- slice-transpose
  "The gradient in its place among zeros: joined to them, or scattered when the step leaves gaps."
  [{{:keys [axis start stop step]} :attrs, [[dtype shape :as type]] :types, [_ out] :type}]
  [(if (= 1 step)
     (let [parts (remove nil? [(padding type axis start) '?g
                               (padding type axis (type/dim- (nth shape axis) stop))])]
       (if (next parts) (into [:concatenate {:axis axis}] parts) '?g))
     [:inc-at {:axis axis} (typing/filled dtype shape 0)
      [:add [:dim {:dim start}] [:mul step [:iota {:shape [(nth out axis)], :axis 0}]]] '?g])])

(defop slice
  "The elements start, start + step, … before stop along one axis. Bounds are dims, or negative
  integers that count from the end."
  {:kind :view, :args [?x]
   :attrs {:axis {:default 0, :doc "the axis to cut"}
           :start {:default nil, :doc "the first index; nil: 0"}
           :stop {:default nil, :doc "the index to stop before; nil: the end"}
           :step {:default 1, :doc "the distance between indices, at least 1"}}
   :normalize normal-bounds, :type slice-type
   :eval slice-value
   :linear-in #{0}, :transpose slice-transpose
   :view (fn [{:keys [axis start step]} _ _ {:keys [strides] :as layout}]
           (let [stride (nth strides axis)]
             (-> layout
                 (update :offset type/dim+ (type/dim* start stride))
                 (assoc-in [:strides axis] (type/dim* step stride)))))
   :gen (gens/on-shapes
         (fn [n] [[{:axis 0, :start 1} [n 3]] [{:axis -1, :stop -1} [2 n]]
                  [{:axis 0, :start 1, :step 2} [n]]
                  [{:axis 1, :start 2, :stop 9, :step 3} [2 n 2]] [{:axis 0, :start -2} [n]]
                  [{:axis 0, :start 5, :stop 2} [n]]]))
   :examples [[[:slice {:start 1, :stop 6, :step 2} [:iota {:shape [9] :axis 0}]] [1 3 5]]
              [[:slice {:start -2} [:iota {:shape [4] :axis 0}]] [2 3]]]})

;; ## index

(defn- one-of
  "The slice of one element; fails when the extent is known and the index beyond it."
  [x axis i]
  (let [extent (nth (type/shape-of (expr/type-of x)) axis)]
    (when (and (integer? extent) (not (< (- (inc extent)) i extent)))
      (fail! ::out-of-bounds (str "the index " i " is out of range: axis " axis
                                  " has the extent " extent)
             {:axis axis, :index i, :extent extent}))
    (slice x :axis axis :start i :stop (when-not (= -1 i) (inc i)))))

(defn- take-spec
  "x indexed along `axis` by one spec; returns [x next-axis]."
  [x axis spec]
  (cond (= spec :all) [x (inc axis)]
        (= spec :new) [(view/expand-dims x :axis axis) (inc axis)]
        (vector? spec) (let [[start stop step] spec]
                         [(slice x :axis axis :start start :stop stop :step (or step 1))
                          (inc axis)])
        (integer? spec) [(view/squeeze (one-of x axis spec) :axis axis) axis]
        :else (fail! ::bad-index (str "an index is an integer, [start stop step?], :all or :new; "
                                      "got " (pr-str spec))
                     {:given spec})))

(defn index
  "x indexed axis by axis: an integer picks and drops the axis, [start stop] or [start stop step]
  slices (nil: open), :all keeps it, :new adds one of extent 1; missing specs keep. (index x 0 [1
  nil]) is x[0, 1:]. Integers beyond a known extent fail."
  [x & specs]
  (let [x (expr/lift x)]
    (first (reduce (fn [[x axis] spec] (take-spec x axis spec)) [x 0] specs))))
