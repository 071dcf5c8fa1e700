(ns damo.ops.move.view
  "The same elements under another shape: reshape, transpose, broadcast-to, expand-dims, squeeze.
  Dims may be symbolic. Each says by :view how it reads a layout {:offset dim :strides [dim …]} of
  its argument without a copy."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## reshape

(defn- inferred
  "The extent that stands for -1 in `shape`, given the size of the whole."
  [from shape]
  (let [known (apply type/dim* (remove #{-1} shape)), size (type/size from)]
    (when (or (= known 0)
              (and (integer? known) (integer? size) (not (zero? (mod size known)))))
      (fail! :damo.op.view/shape-mismatch
             (str "cannot find the extent for -1: " (pr-str from) " has " (pr-str size)
                  " elements, the other axes of " (pr-str shape) " take " (pr-str known)
                  ", which does not divide it")
             {:from from, :to shape}))
    (type/dim-div size known)))

(defn- normal-shape [{:keys [shape] :as attrs} [[_ from]]]
  (let [shape (if (sequential? shape) (vec shape) [shape])]
    (typing/check-shape (mapv #(if (= -1 %) 1 %) shape))
    (when (< 1 (count (filter #{-1} shape)))
      (fail! :damo.op.view/bad-shape (str "only one extent may be -1; the shape is " (pr-str shape))
             {:shape shape}))
    (let [shape (mapv #(if (= -1 %) % (type/dim+ %)) shape)]
      (assoc attrs :shape (mapv #(if (= -1 %) (inferred from shape) %) shape)))))

(defn- reshaped-type [attrs [[dtype from] :as types]]
  (let [{:keys [shape]} (normal-shape attrs types)]
    (when-not (= (type/size from) (type/size shape))
      (fail! :damo.op.view/shape-mismatch
             (str "the numbers of elements must agree: " (pr-str from) " has "
                  (pr-str (type/size from)) ", " (pr-str shape) " has " (pr-str (type/size shape))
                  "; give -1 for one extent to have it computed")
             {:from from, :to shape}))
    [dtype shape]))

(defn- contiguous? [shape {:keys [strides]}]
  (every? true? (map (fn [d s dense] (or (= d 1) (= s dense)))
                     shape strides (array/strides shape))))

(defn- ones-moved
  "The strides of `to`, which differs from `from` only by axes of extent 1; nil when it does not."
  [from to strides]
  (loop [from (remove #(= 1 (first %)) (map vector from strides)), to to, out []]
    (cond (empty? to) (when (empty? from) out)
          (= 1 (first to)) (recur from (rest to) (conj out 0))
          (= (first to) (ffirst from)) (recur (rest from) (rest to)
                                              (conj out (second (first from)))))))

(defn- reshaped-layout [_ from to {:keys [strides] :as layout}]
  (if (contiguous? from layout)
    (assoc layout :strides (array/strides to))
    (when-let [moved (ones-moved from to strides)]
      (assoc layout :strides moved))))

(defop reshape
  "The same elements in row-major order under another shape, :shape [dim …]; one extent may be -1,
  it is computed, and a call in which it does not come out even fails. That the numbers of elements
  agree must be provable from the dimensions."
  {:kind :view, :args [?x]
   :attrs {:shape {:is :extents, :doc "the new shape, a vector of dims, one of them may be -1"}}
   :normalize normal-shape, :type reshaped-type
   :eval (fn [{:keys [shape]} x] (array/reshape x shape))
   :failure "the shape must come out even"
   :linear-in #{0}
   :transpose (fn [{[[_ from]] :types}] [[:reshape {:shape from} ?g]])
   :view reshaped-layout, :batch {}
   :gen (gens/on-shapes (fn [n] [[{:shape [-1]} [n 3]] [{:shape [3 n]} [n 3]] [{:shape [n 1]} [n]]
                                 [{:shape [1 n 2]} [2 n]] [{:shape []} [1 1]] [{:shape [1]} []]]))
   :examples [[[:sum {:axis 1} [:reshape {:shape [1 4]} [:iota {:shape [2 2] :axis 0}]]] [2]]]})

;; ## transpose

(defn- normal-order [{:keys [axes] :as attrs} [[_ shape]]]
  (let [rank (count shape)
        order (if (nil? axes) (vec (reverse (range rank))) (mapv #(type/axis-index rank %) axes))]
    (when-not (= (sort order) (range rank))
      (fail! :damo.op.view/bad-axis (str "the axes " (pr-str axes) " are no reordering of the " rank
                                     " axes of " (pr-str shape))
             {:axes axes, :shape shape}))
    (assoc attrs :axes order)))

(defn- inverse-order [order]
  (mapv second (sort (map vector order (range)))))

(defop transpose
  "The array with its axes in another order: axis i of the result is axis (axes i) of x. Without
  :axes the order is reversed."
  {:kind :view, :args [?x], :attrs {:axes {:default nil, :is :order
                                           :doc "the order of axes; nil: reversed"}}
   :normalize normal-order
   :type (fn [attrs [[dtype shape] :as types]]
           [dtype (mapv shape (:axes (normal-order attrs types)))])
   :eval (fn [{:keys [axes]} {:keys [dtype shape] :as x}]
           (let [back (inverse-order axes)]
             (array/from-indices dtype (mapv shape axes)
                                 (fn [index] (array/at x (map index back))))))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs]}] [[:transpose {:axes (inverse-order (:axes attrs))} ?g]])
   :view (fn [{:keys [axes]} _ _ layout] (update layout :strides #(mapv % axes)))
   :batch {}
   :gen (gens/on-shapes (fn [n] [[{:axes nil} [n 3]] [{:axes [1 0 2]} [2 n 3]]
                                 [{:axes [2 0 1]} [n 3 2]] [{:axes nil} [n]]
                                 [{:axes [-1 0]} [1 n]] [{:axes nil} []]]))
   :examples [[[:max {:axis 1} [:transpose [:iota {:shape [2 2] :axis 0}]]] [1 1]]]})

;; ## broadcast-to

(defn- check-stretch [from to]
  (let [wide (drop (- (count to) (count from)) to)
        [given expected :as unlike] (first (remove (fn [[d e]] (or (= d 1) (= d e)))
                                                   (map vector from wide)))]
    (when (or unlike (< (count to) (count from)))
      (fail! :damo.op.view/shape-mismatch
             (str (pr-str from) " does not broadcast to " (pr-str to)
                  ": aligned at the last axis, every extent must be equal or 1")
             (cond-> {:from from, :to to} unlike (assoc :expected expected, :given given))))))

(defn- broadcast-type [{:keys [shape]} [[dtype from]]]
  (typing/check-shape shape)
  (check-stretch from shape)
  [dtype shape])

(defop broadcast-to
  "The array stretched to :shape, as an operand of an elementwise op would be."
  {:kind :view, :args [?x], :attrs {:shape {:doc "the shape to stretch to, a vector of dims"}}
   :type broadcast-type
   :eval (fn [{:keys [shape]} {:keys [dtype] :as x}]
           (array/map-elements dtype (fn [v _] v) [x (array/full :bool shape false)]))
   :linear-in #{0}
   :transpose (fn [{[[_ from]] :types}] [[:sum-to {:shape from} ?g]])
   :view (fn [_ from to layout] (update layout :strides #(array/broadcast-strides to from %)))
   :batch {:operands :broadcast}
   :gen (gens/on-shapes (fn [n] [[{:shape [n]} []] [{:shape [2 n]} [n]] [{:shape [n 3]} [n 1]]
                                 [{:shape [2 n 3]} [n 1]] [{:shape [n]} [n]]]))
   :examples [[[:broadcast-to {:shape [2]} 1.5] [1.5 1.5]]]})

;; ## expand-dims and squeeze

(defn- normal-new-axes [{:keys [axis] :as attrs} [[_ shape]]]
  (let [rank (+ (count shape) (if (integer? axis) 1 (count axis)))]
    (assoc attrs :axis (type/axis-indices rank axis))))

(defn- expanded
  "The vector with `x` put in so that it stands at these positions of the result."
  [v axes x]
  (let [new? (set axes)]
    (loop [i 0, v (seq v), out []]
      (cond (new? i) (recur (inc i) v (conj out x))
            v (recur (inc i) (next v) (conj out (first v)))
            :else out))))

(defn- without [v axes]
  (vec (keep-indexed (fn [i x] (when-not (some #{i} axes) x)) v)))

(defop expand-dims
  "The array with new axes of extent 1, which have the positions :axis (an axis or a vector) in
  the result."
  {:kind :view, :args [?x]
   :attrs {:axis {:is :positions
                  :doc "the position or positions of the new axes in the result"}}
   :normalize normal-new-axes
   :type (fn [attrs [[dtype shape] :as types]]
           [dtype (expanded shape (:axis (normal-new-axes attrs types)) 1)])
   :eval (fn [{:keys [axis]} {:keys [shape] :as x}] (array/reshape x (expanded shape axis 1)))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs]}] [[:squeeze {:axis (:axis attrs)} ?g]])
   :view (fn [{:keys [axis]} _ _ layout] (update layout :strides expanded axis 0))
   :batch {}
   :gen (gens/on-shapes (fn [n] [[{:axis 0} [n]] [{:axis -1} [2 n]] [{:axis [0 2]} [n 3]]
                                 [{:axis 0} []] [{:axis []} [n]]]))
   :examples [[[:expand-dims {:axis 0} 1.5] [1.5]]]})

(defn- normal-dropped-axes [{:keys [axis] :as attrs} [[_ shape]]]
  (let [axes (if (nil? axis) (keep-indexed (fn [i d] (when (= d 1) i)) shape) axis)
        axes (type/axis-indices (count shape) (if (integer? axes) axes (vec axes)))]
    (doseq [a axes]
      (when-not (= 1 (nth shape a))
        (fail! :damo.op.view/shape-mismatch (str "axis " a " of " (pr-str shape) " has the extent "
                                             (pr-str (nth shape a))
                                             "; only axes of extent 1 can be dropped")
               {:axis a, :shape shape})))
    (assoc attrs :axis axes)))

(defop squeeze
  "The array without these axes of extent 1; without :axis all that are 1 for certain."
  {:kind :view, :args [?x]
   :attrs {:axis {:default nil, :is :positions
                  :doc "the axis or axes to drop; nil: all of extent 1"}}
   :normalize normal-dropped-axes
   :type (fn [attrs [[dtype shape] :as types]]
           [dtype (without shape (:axis (normal-dropped-axes attrs types)))])
   :eval (fn [{:keys [axis]} {:keys [shape] :as x}] (array/reshape x (without shape axis)))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs]}] [[:expand-dims {:axis (:axis attrs)} ?g]])
   :view (fn [{:keys [axis]} _ _ layout] (update layout :strides without axis))
   :batch {}
   :gen (gens/on-shapes (fn [n] [[{:axis nil} [1 n]] [{:axis -1} [n 1]] [{:axis [0 2]} [1 n 1]]
                                 [{:axis nil} [1 1]]]))
   :examples [[[:squeeze [:reshape {:shape [1]} 1.5]] 1.5]]})
