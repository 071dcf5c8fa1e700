(ns damo.ops.move.along
  "One element a position: indices that run along one axis beside the array, and choices between
  arrays. (take-along-axis [[1 2] [3 4]] [[1] [0]] :axis 1) = [[2] [3]]."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]
            [damo.ops.move.index :as index]))

(set! *warn-on-reflection* true)

;; ## Along an axis

(defn- stretched-shape
  "The shape that the array and the indices broadcast to, their extents along the axis apart."
  [axis shape indices]
  (when-not (= (count shape) (count indices))
    (fail! :damo.op.along/rank-mismatch
           (str "the indices must have the rank of the array: " (pr-str indices)
            " and " (pr-str shape))
           {:expected shape, :given indices}))
  (assoc (type/broadcast-shapes (assoc shape axis 1) (assoc indices axis 1))
         axis (nth indices axis)))

(defn- along-type [attrs [[dtype shape] [index-dtype indices] :as types]]
  (typing/check-dtype :int index-dtype)
  [dtype (stretched-shape (:axis (typing/normal-axis attrs types)) shape indices)])

(defn- position-arrays
  "For each axis the template of its index array: `indices` along the axis, the position elsewhere."
  [axis shape indices]
  (let [rank (count shape)]
    (map-indexed (fn [k d]
                   (cond (= k axis) indices
                         (= d 1) 0
                         :else [:iota {:shape (into [d] (repeat (- rank k 1) 1)), :axis 0}]))
                 shape)))

(defn- along-reader
  "A function from an index into the result to the index into the array."
  [axis {:keys [shape]} {own :shape :as indices}]
  (let [front (index/counted-from-front indices (nth shape axis))]
    (fn [at]
      (assoc (indexing/aligned shape at) axis (array/at front (indexing/aligned own at))))))

(def ^:private axis-attr {:axis {:default -1, :is :axis
                                 :doc "the axis that the indices run along"}})

(defn- random-along [{:keys [dtype size] :as ctx}]
  (let [[shape axis indices] (gens/variant ctx [[[4 size] 0 [2 size]] [[size 3] -1 [size size]]
                                                [[2 (inc size) 3] 1 [2 1 3]] [[3] 0 [size]]
                                                [[4 1] 0 [size 2]]])
        extent (nth shape (mod axis (count shape)))]
    {:attrs {:axis axis}
     :args [(gens/random-array ctx dtype shape) (gens/indices ctx indices (- extent) extent)]}))

(defop take-along-axis
  "The elements of x at indices along an axis, x[i, j, indices[i, j, k]]: x and the indices have one
  rank, and broadcast along the other axes. Negative indices count from the end; one out of range
  fails."
  {:kind :composite, :args [?x ?indices], :attrs axis-attr
   :type along-type
   :eval (fn [{:keys [axis]} {:keys [dtype shape] :as x} indices]
           (let [into-x (along-reader axis x indices)]
             (array/from-indices dtype (stretched-shape axis shape (:shape indices))
                                 #(array/at x (into-x %)))))
   :expand (fn [{{:keys [axis]} :attrs, [[_ shape]] :types}]
             (into [:take {:axis (vec (range (count shape)))} ?x]
                   (position-arrays axis shape ?indices)))
   :gen random-along
   :examples [[[:take-along-axis [:iota {:shape [2 3] :axis 1}] [:full {:shape [2 1]} 2]]
               [[2] [2]]]]})

(defn- put-type [attrs [[dtype shape :as type] indices [given y] :as types]]
  (let [[_ places] (along-type attrs [type indices])
        {:keys [axis]} (typing/normal-axis attrs types)]
    (when-not (= (assoc shape axis 1) (assoc places axis 1))
      (fail! :damo.op.along/shape-mismatch (str "the indices " (pr-str (second indices))
                                            " must broadcast to the other axes of " (pr-str shape))
             {:expected shape, :given (second indices)}))
    (when-not (= places (type/broadcast-shapes places y))
      (fail! :damo.op.along/shape-mismatch
             (str "what is written, " (pr-str y) ", does not broadcast to "
              (pr-str places))
             {:expected places, :given y}))
    (when-not (= dtype given)
      (fail! :damo.op.along/dtype-mismatch
             (str "what is written must have the dtype of the array, " dtype
              "; it is " given)
             {:expected dtype, :given given}))
    type))

(defop put-along-axis
  "x with the elements at indices along an axis replaced by y, x[i, j, indices[i, j, k]] =
  y[i, j, k]: the counterpart of take-along-axis. y, of the dtype of x, broadcasts; where an index
  stands several times, the last one wins."
  {:kind :composite, :args [?x ?indices ?y], :agree [0 2], :attrs axis-attr
   :type put-type
   :eval (fn [{:keys [axis]} {:keys [dtype shape] :as x} indices y]
           (let [into-x (along-reader axis x indices)
                 changed (into {} (map (fn [at]
                                         (let [own (indexing/aligned (:shape y) at)]
                                           [(into-x at) (array/at y own)])))
                               (array/indices (stretched-shape axis shape (:shape indices))))]
             (array/from-indices dtype shape #(get changed % (array/at x %)))))
   :expand (fn [{{:keys [axis]} :attrs, [[_ shape] [_ indices]] :types}]
             (-> [:set-at {:axis (vec (range (count shape)))} ?x]
                 (into (position-arrays axis shape ?indices))
                 (conj [:broadcast-to {:shape (stretched-shape axis shape indices)} ?y])))
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[shape axis indices y] (gens/variant ctx [[[4 size] 0 [2 size] [2 size]]
                                                          [[size 3] -1 [size size] []]
                                                          [[2 (inc size) 3] 1 [2 1 3] [3]]
                                                          [[3] 0 [size] [1]]])
                extent (nth shape (mod axis (count shape)))]
            {:attrs {:axis axis}
             :args [(gens/random-array ctx dtype shape)
                    (gens/indices ctx indices (- extent) extent)
                    (gens/random-array ctx dtype y)]}))
   :examples [[[:put-along-axis {:axis 0} [:zeros {:shape [3]}] [:full {:shape [1]} 2]
                [:ones {:shape [1]}]]
               [0.0 0.0 1.0]]]})

;; ## Choices between arrays

(def ^:private max-choices "As many as NumPy takes." 32)

(defn- chosen-type [_ [[index-dtype at] & choices]]
  (typing/check-dtype :int index-dtype)
  (when-not (<= 1 (count choices) max-choices)
    (fail! :damo.op.along/no-choices
           (str "takes an array of integers and 1 to " max-choices " choices; got "
            (count choices))
           {:choices (count choices)}))
  [(type/dtype-of (first choices)) (apply type/broadcast-shapes at (map type/shape-of choices))])

(defn- selected
  "The template that selects by comparison, from the last choice down."
  [{types :types}]
  (let [[last-one & others] (reverse (indexing/names 1 (dec (count types))))
        at [:check-index {:extent (dec (count types))} '?0]]
    (if (empty? others)
      [:where [:eq at 0] last-one last-one]
      (reduce (fn [t [k choice]] [:where [:eq at k] choice t])
              last-one (map vector (range (dec (count others)) -1 -1) others)))))

(defop choose
  "The elements of the choices, arrays that broadcast with the integers `indices`: (choose indices
  a b c) has the element of a where the index is 0, of b where it is 1, … One out of range fails.
  The choices are brought to one dtype."
  {:kind :composite, :args :variadic, :coerce (range 1 (inc max-choices))
   :type chosen-type
   :eval (fn [_ {:keys [shape] :as indices} & choices]
           (let [[dtype out] (chosen-type nil (map array/type-of (cons indices choices)))
                 checked (array/checked-indices indices (count choices))]
             (array/from-indices dtype out
                                 (fn [at]
                                   (let [k (array/at checked (indexing/aligned shape at))
                                         choice (nth choices k)]
                                     (array/at choice (indexing/aligned (:shape choice) at)))))))
   :expand selected
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[at & choices] (gens/variant ctx [[[size] [size] [size]] [[size 2] [2] [] [size 1]]
                                                  [[] [size] [size]] [[size] [3 1] [size] [] [1]]])]
            {:attrs {}, :args (into [(gens/indices ctx at 0 (count choices))]
                                    (map #(gens/random-array ctx dtype %)) choices)}))
   :examples [[[:choose [:iota {:shape [2]}] 5 [:iota {:shape [2]}]] [5 1]]]})
