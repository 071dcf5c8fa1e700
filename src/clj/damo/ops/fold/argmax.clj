(ns damo.ops.fold.argmax
  "Where the extremes are: indices along an axis. The first of equals wins, NaN before all numbers."
  (:require [damo.data.array :as array]
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

(defn- along-one-axis
  "The :expand that leaves the kind with one axis and without :keepdims, as the lowering knows it."
  [op]
  (fn [{:keys [attrs types type]}]
    (let [{:keys [axis keepdims]} attrs, [dtype shape] (first types)]
      (cond keepdims [:reshape {:shape (type/shape-of type)} [op {:axis axis} '?x]]
            axis nil
            :else [op {:axis 0} [:reshape {:shape [(type/size shape)]} '?x]]))))

(defop argmax
  "The index of the largest element along the axis, :i64; the first of equals, the first NaN if
  any."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type rule
   :eval (meaning >)
   :lop [0], :rop 0
   :better :gt, :nonempty true, :expand (along-one-axis :argmax)
   :gen gens/arg-reduction
   :examples [[[:argmax [:neg [:abs [:sub [:iota {:shape [5] :axis 0}] 3]]]] 3]]})

(defop argmin
  "The index of the smallest element along the axis, :i64; the first of equals, the first NaN if
  any."
  {:kind :arg-reduce, :args [?x], :attrs attributes, :type rule
   :eval (meaning <)
   :lop [0], :rop 0
   :better :lt, :nonempty true, :expand (along-one-axis :argmin)
   :gen gens/arg-reduction
   :examples [[[:argmin [:abs [:sub [:iota {:shape [5] :axis 0}] 3]]] 3]]})

(defn max-and-argmax
  "[max argmax] of x along the axis (nil: of all elements), with the same options :axis and
  :keepdims; both are found in one loop."
  [x & options]
  [(op/call :max (into [x] options)) (op/call :argmax (into [x] options))])
