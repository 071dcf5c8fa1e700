(ns damo.ops.fold.argmax
  "Where the extremes are: indices along an axis. The first of equals wins, NaN before all numbers."
  (:require [damo.data.array :as array]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:axis {:default nil, :is :axis-or-all
          :doc "the axis to search along; nil: all elements, in row-major order"}
   :keepdims {:default false, :doc "true: the axis stays, with extent 1"}})

(defn- rule [{:keys [axis keepdims]} [[_ shape]]]
  (let [axes (type/axis-indices (count shape) axis)]
    (typing/check-nonempty shape axes)
    [:i64 (array/reduced-shape shape axes keepdims)]))

(defn- nan? [x]
  (and (float? x) (Double/isNaN x)))

(defn- first-best
  "The function from a non-empty vector of elements to the index of the first one that none beats."
  [better?]
  (typing/choosing
   (fn [xs]
     (reduce (fn [best i]
               (let [x (xs i), y (xs best)]
                 (if (and (not (nan? y))
                          (or (nan? x) (better? (scalar/number x) (scalar/number y))))
                   i
                   best)))
             0 (range (count xs))))))

(defn- meaning [better?]
  (fn [{:keys [axis keepdims]} {:keys [shape] :as x}]
    (array/reduce-axes :i64 (first-best better?) x
                       (type/axis-indices (count shape) axis) keepdims)))

(defn- beside-others?
  "Do the elements of lines along an axis lie apart in memory, so that many lines are searched side
  by side?"
  [shape axis]
  (not-every? #{1} (subvec shape (inc axis))))

(defn- first-equal
  "The template of the index along an axis of the first element that is the `extreme`, a template
  with the axis of extent 1, or NaN: then that is NaN as well."
  [axis [dtype shape] extreme]
  (let [equal [:eq '?x extreme]
        here (if (type/float-dtype? dtype) [:logical-or equal [:isnan '?x]] equal)
        last-one [:sub [:dim {:dim (nth shape axis)}] 1]]
    [:min {:axis [axis]} [:where here [:iota {:shape shape, :axis axis}] last-one]]))

(defn- along-one-axis
  "The :expand that leaves the kind with one axis and without :keepdims, as the lowering knows it,
  along which lines are searched one by one: others are two reductions, of which the first is
  `extreme`."
  [op extreme]
  (fn [{:keys [attrs types type]}]
    (let [{:keys [axis keepdims]} attrs, [dtype shape :as from] (first types)]
      (cond keepdims [:reshape {:shape (type/shape-of type)} [op {:axis axis} '?x]]
            (nil? axis) [op {:axis 0} [:reshape {:shape [(type/size shape)]} '?x]]
            (beside-others? shape axis)
            (first-equal axis from [extreme {:axis [axis], :keepdims true} '?x])))))

(defop argmax
  "The index of the largest element along the axis, :i64; the first of equals, the first NaN if
  any."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type rule
   :eval (meaning >)
   :lop [0], :rop 0
   :better :gt, :nonempty true, :expand (along-one-axis :argmax :max), :beside :max-and-argmax
   :gen gens/arg-reduction
   :examples [[[:argmax [:neg [:abs [:sub [:iota {:shape [5] :axis 0}] 3]]]] 3]]})

(defop argmin
  "The index of the smallest element along the axis, :i64; the first of equals, the first NaN if
  any."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type rule
   :eval (meaning <)
   :lop [0], :rop 0
   :better :lt, :nonempty true, :expand (along-one-axis :argmin :min), :beside :min-and-argmin
   :gen gens/arg-reduction
   :examples [[[:argmin [:abs [:sub [:iota {:shape [5] :axis 0}] 3]]] 3]]})

;; ## The element and its index

(defn- both-rule [attrs [[dtype] :as types]]
  (let [[_ shape :as index] (rule attrs types)] (tuple/of [[dtype shape] index])))

(defn- both-along-one-axis
  "As `along-one-axis`, of an op with two results."
  [op extreme]
  (fn [{:keys [attrs types type]}]
    (let [{:keys [axis keepdims]} attrs, [_ shape :as array] (first types)
          [from axis] (if axis ['?x axis] [[:reshape {:shape [(type/size shape)]} '?x] 0])
          both [op {:axis axis} from]
          out (type/shape-of (first (tuple/types type)))]
      (cond (or keepdims (nil? (:axis attrs)))
            [:tuple [:reshape {:shape out} [:part {:at 0} both]]
             [:reshape {:shape out} [:part {:at 1} both]]]
            (beside-others? shape axis)
            (let [found [extreme {:axis [axis], :keepdims true} '?x]]
              [:tuple [:reshape {:shape out} found] (first-equal axis array found)])))))

(defn- both-alone
  "What each of the two results is by itself."
  [extreme index]
  (fn [{:keys [attrs]}] [[extreme attrs '?x] [index attrs '?x]]))

(defn- both-gradients
  "Both forms of the derivative: every element that is equal to the extreme counts."
  [{{:keys [axis] :as attrs} :attrs, [[_ shape]] :types}]
  (let [axes (assoc attrs :axis (type/axis-indices (count shape) axis))
        chosen (fn [t] [:where [:eq '?x (typing/keep-axes axes '?out0)] t 0])]
    {:lop [(chosen (typing/keep-axes axes '?g0))]
     :rop [[:sum axes (chosen '?dx)] 0]}))

(defn- both-meaning [extreme better?]
  (let [index (meaning better?), element (typing/choosing #(reduce extreme %))]
    (fn [{:keys [axis keepdims] :as attrs} {:keys [dtype shape] :as x}]
      [(array/reduce-axes dtype element x (type/axis-indices (count shape) axis) keepdims)
       (index attrs x)])))

(def ^:private ties [:mod [:iota {:shape [5] :axis 0}] 3])

(defop max-and-argmax
  "[max argmax] of x along the axis (nil: of all elements): the largest element and its index, found
  together."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type both-rule
   :eval (both-meaning scalar/maximum >), :alone (both-alone :max :argmax)
   :lop (comp :lop both-gradients), :rop (comp :rop both-gradients)
   :better :gt, :combine :maximum, :nonempty true
   :expand (both-along-one-axis :max-and-argmax :max)
   :gen gens/line-reduction
   :examples [[[:part {:at 0} [:max-and-argmax ties]] 2]
              [[:part {:at 1} [:max-and-argmax ties]] 2]]})

(defop min-and-argmin
  "[min argmin] of x along the axis (nil: of all elements): the smallest element and its index,
  found together."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type both-rule
   :eval (both-meaning scalar/minimum <), :alone (both-alone :min :argmin)
   :lop (comp :lop both-gradients), :rop (comp :rop both-gradients)
   :better :lt, :combine :minimum, :nonempty true
   :expand (both-along-one-axis :min-and-argmin :min)
   :gen gens/line-reduction
   :examples [[[:part {:at 0} [:min-and-argmin ties]] 0]
              [[:part {:at 1} [:min-and-argmin ties]] 0]]})
