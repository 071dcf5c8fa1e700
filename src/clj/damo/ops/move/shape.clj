(ns damo.ops.move.shape
  "Changes of shape made of views: flatten, swapaxes, moveaxis; and sum-to, the way back from
  broadcasting."
  (:refer-clojure :exclude [flatten])
  (:require [clojure.string :as str]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.told :as told]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- flat-shape [{:keys [ndim]} shape]
  (when-not (and (integer? ndim) (<= 1 ndim (max 1 (count shape))))
    (fail! :damo.op.shape/bad-rank (str "flatten leaves 1 to " (max 1 (count shape)) " axes of "
                                    (pr-str shape) "; :ndim is " (pr-str ndim))
           {:ndim ndim, :shape shape}))
  (conj (subvec shape 0 (dec ndim)) (type/size (subvec shape (dec ndim)))))

(defop flatten
  "All elements as a vector, row-major; with :ndim the last axes as one, so that :ndim axes are
  left."
  {:kind :composite, :args [?x]
   :attrs {:ndim {:default 1, :doc "how many axes are left, at least 1"}}
   :type (fn [attrs [[dtype shape]]] [dtype (flat-shape attrs shape)])
   :eval (fn [attrs {:keys [shape] :as x}] (array/reshape x (flat-shape attrs shape)))
   :expand (fn [{[_ shape] :type}] [:reshape {:shape shape} ?x])
   :gen (gens/on-shapes (fn [n] [[{} [n 3]] [{} []] [{:ndim 2} [2 n 2]] [{:ndim 1} [2 n 2]]]))
   :examples [[[:flatten 1.5] [1.5]]]})

(defn- at-least [{:keys [ndim left]} shape]
  (when-not (and (integer? ndim) (not (neg? ndim)))
    (fail! :damo.op.shape/bad-rank
           (str "the number of axes is a natural number; got " (pr-str ndim))
           {:ndim ndim}))
  (let [ones (repeat (- ndim (count shape)) 1)]
    (if left (into (vec ones) shape) (into shape ones))))

(defop atleast-nd
  "The array with axes of extent 1 in front (behind when :left is false) as far as it has fewer than
  :ndim axes."
  {:kind :composite, :args [?x]
   :attrs {:ndim {:doc "the least number of axes"}
           :left {:default true, :doc "whether the new axes come first"}}
   :type (fn [attrs [[dtype shape]]] [dtype (at-least attrs shape)])
   :eval (fn [attrs {:keys [shape] :as x}] (array/reshape x (at-least attrs shape)))
   :expand (fn [{[_ shape] :type}] [:reshape {:shape shape} ?x])
   :gen (gens/on-shapes (fn [n] [[{:ndim 2} [n]] [{:ndim 1} [2 n]] [{:ndim 3, :left false} [n]]
                                 [{:ndim 1} []]]))
   :examples [[[:atleast-nd {:ndim 2} 1.5] [[1.5]]]]})

(defn- reordered-type [order]
  (fn [attrs [[dtype shape]]] [dtype (mapv shape (order attrs (count shape)))]))

(defn- reordered
  "The :eval of an op that is a transpose: `order` gives the order of axes for attributes and rank."
  [order]
  (fn [attrs {:keys [dtype shape] :as x}]
    (let [order (order attrs (count shape))
          back (mapv second (sort (map vector order (range))))]
      (array/from-indices dtype (mapv shape order) (fn [index] (array/at x (map index back)))))))

(defn- as-transpose [order]
  (fn [{[[_ shape]] :types, attrs :attrs}] [:transpose {:axes (order attrs (count shape))} '?x]))

(defn- swapped [{:keys [axis1 axis2]} rank]
  (let [a (type/axis-index rank axis1), b (type/axis-index rank axis2)]
    (assoc (vec (range rank)) a b b a)))

(defop swapaxes
  "The array with the axes :axis1 and :axis2 exchanged."
  {:kind :composite, :args [?x]
   :attrs {:axis1 {:doc "one axis"}, :axis2 {:doc "the other axis"}}
   :type (reordered-type swapped), :eval (reordered swapped), :expand (as-transpose swapped)
   :gen (gens/on-shapes (fn [n] [[{:axis1 0, :axis2 1} [n 3]] [{:axis1 0, :axis2 -1} [2 n 3]]
                                 [{:axis1 1, :axis2 1} [n 2]]]))
   :examples [[[:max {:axis 0}
                [:swapaxes {:axis1 0, :axis2 1} [:iota {:shape [2 2] :axis 0}]]]
               [0 1]]]})

(defn- moved [{:keys [source destination]} rank]
  (let [axes (fn [a] (mapv #(type/axis-index rank %) (if (sequential? a) a [a])))
        from (axes source), to (axes destination)]
    (when-not (and (= (count from) (count to)) (or (empty? from) (apply distinct? from))
                   (or (empty? to) (apply distinct? to)))
      (fail! :damo.op.shape/bad-axis
             (str "as many different axes are moved as there are positions; :source is "
              (pr-str source) ", :destination " (pr-str destination))
             {:source source, :destination destination}))
    (reduce (fn [order [a position]]
              (-> (subvec order 0 position) (conj a) (into (subvec order position))))
            (vec (remove (set from) (range rank)))
            (sort-by second (map vector from to)))))

(defop moveaxis
  "The array with the axis :source moved to the position :destination, or several axes, vectors; the
  others keep their order."
  {:kind :composite, :args [?x]
   :attrs {:source {:doc "the axis to move, or a vector of axes"}
           :destination {:doc "its position in the result, or theirs"}}
   :type (reordered-type moved), :eval (reordered moved), :expand (as-transpose moved)
   :gen (gens/on-shapes (fn [n] [[{:source 0, :destination -1} [2 n 3]]
                                 [{:source 2, :destination 0} [n 1 2]]
                                 [{:source [0 1], :destination [-1 0]} [2 n 3]]
                                 [{:source 0, :destination 0} [n]]]))
   :examples [[[:max {:axis 0}
                [:moveaxis {:source 0, :destination 1} [:iota {:shape [2 2] :axis 0}]]]
               [0 1]]]})

(defn- check-pattern [{:keys [pattern]} [[_ shape]]]
  (let [kept (when (sequential? pattern) (filterv integer? pattern))]
    (when-not (and kept (every? #(or (integer? %) (= :x %)) pattern)
                   (every? #(< -1 % (count shape)) kept)
                   (or (empty? kept) (apply distinct? kept)))
      (fail! :damo.op.shape/bad-pattern
             (str "the :pattern of dimshuffle has different axes of " (pr-str shape)
                  " and :x for new ones, as in [1 :x 0]; got " (pr-str pattern))
             {:pattern pattern, :shape shape}))))

(defn- shuffled
  "The template: axes left out are dropped, the others put in order, then new ones added."
  [{[[_ shape]] :types, {:keys [pattern]} :attrs}]
  (let [kept (filterv integer? pattern), left (vec (sort kept))
        dropped (vec (remove (set kept) (range (count shape))))
        new-axes (vec (keep-indexed (fn [i p] (when (= :x p) i)) pattern))]
    [:expand-dims {:axis new-axes}
     [:transpose {:axes (mapv #(.indexOf ^java.util.List left %) kept)}
      [:squeeze {:axis dropped} '?x]]]))

(defop dimshuffle
  "The array with its axes in the order of :pattern, [1 :x 0]: numbers are axes, :x is a new axis of
  extent 1; axes that are left out have the extent 1 and disappear. Theano's."
  {:kind :composite, :args [?x]
   :attrs {:pattern {:is :order, :own-check true, :doc "axes in their new order, :x for new ones"}}
   :normalize (fn [attrs types] (check-pattern attrs types) (update attrs :pattern vec))
   :expand shuffled
   :gen (gens/on-shapes (fn [n] [[{:pattern [1 :x 0]} [2 n]] [{:pattern [:x 0]} [n]]
                                 [{:pattern [1 0]} [n 1]] [{:pattern [1]} [1 n]]
                                 [{:pattern []} []]]))
   :examples [[[:dimshuffle {:pattern [:x 0]} [:iota {:shape [2] :axis 0}]] [[0 1]]]]})

;; ## Shapes that are known better

(defn- specified-type [{:keys [shape]} [[dtype from]]]
  (let [given (mapv #(or %1 %2) shape from)]
    (typing/check-shape given)
    (when-not (and (= (count shape) (count from))
                   (every? true? (map #(or (= %1 %2) (not (integer? %1)) (not (integer? %2)))
                                      given from)))
      (fail! :damo.op.shape/shape-mismatch
             (str (pr-str from) " cannot have the shape " (pr-str shape))
             {:from from, :to shape}))
    [dtype given]))

(defn- specified [{:keys [shape told]} x]
  (when-not (= shape (:shape x))
    (fail! :damo.op.shape/shape-mismatch (str "the shape is " (pr-str (:shape x)) ", not "
                                              (pr-str shape))
           {:expected shape, :given (:shape x)}))
  (doseq [[small large] (told/requirements told) :when (< large small)]
    (fail! :damo.op.shape/shape-mismatch (str "what is told of dims does not hold: "
                                              (str/join ", " (map told/text told)))
           {:told told}))
  x)

(defop specify-shape
  "The array itself, whose shape is stated to be :shape: dims, nil where nothing is said. A call in
  which it has another shape fails. (specify-shape x :shape [3 nil]) of [n m] has the type [3 m].
  `with-dims` states what is told of dims by it."
  {:kind :view, :args [?x]
   :attrs {:shape {:is :extents, :doc "the shape, a vector of dims; nil leaves an axis as it is"}
           :told {:default nil, :is :facts
                  :doc "facts that a call has to check besides, [[:= n m] [:<= 1 n]]"}}
   :normalize (fn [{:keys [shape] :as attrs} [[_ from]]]
                (assoc attrs :shape (into (mapv #(some-> (or %1 %2) type/dim+) shape from)
                                          (drop (count from) shape))))
   :type specified-type
   :eval specified
   :requires (fn [{{:keys [shape told]} :attrs, [[_ from]] :types}]
               (concat (mapcat (fn [a b] (when-not (= a b) [[a b] [b a]])) shape from)
                       (told/requirements told)))
   :failure (fn [{:keys [told]}]
              (if told
                (str "what is told of dims does not hold: " (str/join ", " (map told/text told)))
                "the shape is not the one that is stated"))
   :linear-in #{0}
   :transpose (fn [{[[_ from]] :types, {:keys [told]} :attrs}]
                [[:specify-shape {:shape from, :told told} ?g]])
   :view (fn [_ _ _ layout] layout), :batch {}
   :gen (gens/on-shapes (fn [n] [[{:shape [n nil]} [n 3]] [{:shape []} []]
                                 [{:shape [nil], :told [[:<= 0 n] [:= n n]]} [n]]]))
   :examples [[[:specify-shape {:shape [1]} [:reshape {:shape [1]} 2.0]] [2.0]]]})

;; ## The way back from broadcasting

(defn- stretched-axes
  "[new stretched]: the axes that broadcasting `to` to `from` added in front, and those it
  stretched."
  [from to]
  (let [added (- (count from) (count to))]
    [(vec (range added))
     (vec (keep (fn [i] (when (and (= 1 (nth to (- i added))) (not= 1 (nth from i))) i))
                (range added (count from))))]))

(defn- sum-to-type [{:keys [shape]} [[dtype from]]]
  (typing/check-dtype :float dtype)
  (typing/check-shape shape)
  (when-not (and (<= (count shape) (count from))
                 (every? true? (map (fn [d e] (or (= d 1) (= d e)))
                                    (reverse shape) (reverse from))))
    (fail! :damo.op.shape/shape-mismatch
           (str (pr-str shape) " is no shape that broadcasts to " (pr-str from))
           {:from from, :to shape}))
  [dtype shape])

(defn- summed [{:keys [shape]} {:keys [dtype] :as x}]
  (let [[added stretched] (stretched-axes (:shape x) shape)]
    (array/reshape (array/reduce-axes dtype #(reduce + 0.0 %) x (into added stretched) true)
                   shape)))

(defn- as-sums
  "A sum over all axes at once; stretched ones come back with extent 1 by a reshape."
  [{[[_ from]] :types, [_ shape] :type}]
  (let [[added stretched] (stretched-axes from shape)]
    (cond (= from shape) '?x
          (empty? added) [:sum {:axis stretched, :keepdims true} '?x]
          (empty? stretched) [:sum {:axis added, :keepdims false} '?x]
          :else [:reshape {:shape shape} [:sum {:axis (into added stretched)} '?x]])))

(defop sum-to
  "x, of a shape that :shape broadcasts to, summed over the axes that broadcasting adds or
  stretches: the transpose of broadcast-to. (sum-to x :shape [1 3]) of [2 5 3] sums over 2 and 5."
  {:kind :composite, :args [?x], :attrs {:shape {:doc "the shape to sum to, a vector of dims"}}
   :type sum-to-type, :eval summed, :expand as-sums
   :linear-in #{0}
   :transpose (fn [{[[_ from]] :types}] [[:broadcast-to {:shape from} ?g]])
   :gen (gens/on-shapes (fn [n] [[{:shape [n]} [2 n]] [{:shape [n 1]} [n 3]] [{:shape []} [n 2]]
                                 [{:shape [1 n]} [2 3 n]] [{:shape [n]} [n]]]))
   :examples [[[:sum-to {:shape [1]} [:ones {:shape [3]}]] [3.0]]]})
