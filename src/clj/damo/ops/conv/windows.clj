(ns damo.ops.conv.windows
  "Windows that slide over axes, as a view: elements are addressed many times and copied nowhere.
  Windows of [2] over [0 1 2] are [[0 1] [1 2]]."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn span
  "The number of elements from the first to the last one of `n` that lie `step` apart, n at least
  1: (n - 1)·step + 1. (span 3 2) = 5."
  [n step]
  (if (= 1 step) n (type/dim- (type/dim* n step) (dec step))))

(defn needed
  "The number of elements that `extent` windows of `size` elements read along an axis."
  [extent size stride dilation]
  (type/dim- (type/dim+ (span extent stride) (span size dilation)) 1))

(defn- check-lengths [{:keys [axis] :as attrs}]
  (doseq [k [:extents :size :strides :dilation] :let [given (attrs k)]]
    (when-not (= (count axis) (count given))
      (fail! :damo.op.windows/bad-windows
             (str k " has an entry for each of the axes " (pr-str axis) "; got " (pr-str given))
             {:attribute k, :given given, :axis axis}))))

(defn- windows-type [{:keys [axis extents size] :as attrs} [[dtype shape]]]
  (check-lengths attrs)
  [dtype (into (reduce (fn [shape [a e]] (assoc shape a e)) shape (map vector axis extents))
               size)])

(defn- windows-value [{:keys [axis strides dilation] :as attrs} {:keys [dtype shape] :as x}]
  (let [[_ out] (windows-type attrs [[dtype shape]]), rank (count shape)]
    (array/from-indices
     dtype out
     (fn [index]
       (let [[at in] (split-at rank index)]
         (array/at x (reduce (fn [at [a s d i]] (update at a #(+ (* s %) (* d i))))
                             (vec at) (map vector axis strides dilation in))))))))

(defn- windows-layout [{:keys [axis strides dilation]} _ _ layout]
  (update layout :strides
          (fn [given]
            (into (reduce (fn [all [a s]] (update all a #(type/signed* s %))) given
                          (map vector axis strides))
                  (map (fn [a d] (type/signed* d (nth given a))) axis dilation)))))

(defn- block-of
  "Where the elements lie that stand at `place` of all windows, as bounds of a block of x."
  [{:keys [axis extents strides dilation]} shape place]
  (reduce (fn [bounds [a e s d i]]
            (let [start (* d i)]
              (-> bounds (assoc-in [:start a] start) (assoc-in [:step a] s)
                  (assoc-in [:stop a] (type/dim+ start (span e s))))))
          {:start (vec (repeat (count shape) 0)), :stop shape
           :step (vec (repeat (count shape) 1))}
          (map vector axis extents strides dilation place)))

(defn- at-place
  "The template of what stands at `place` of all windows of t, which has `rank` axes besides."
  [t rank place]
  (let [axes (range rank (+ rank (count place)))]
    [:squeeze {:axis (vec axes)}
     (reduce (fn [t [a i]] [:slice {:axis a, :start i, :stop (inc i)} t]) t
             (map vector axes place))]))

(defn- beside?
  "Do windows lie one beside the other, each element in one at most?"
  [{:keys [size strides dilation]}]
  (and (= size strides) (every? #{1} dilation)))

(defn- spread
  "The gradient of windows that lie beside each other: each element in its place, and zeros behind."
  [{:keys [axis extents size]} [dtype shape]]
  (let [rank (count shape), inner (zipmap axis (range rank (+ rank (count axis))))
        order (vec (mapcat #(if-let [i (inner %)] [% i] [%]) (range rank)))
        covered (reduce (fn [s [a e k]] (assoc s a (type/dim* e k))) shape
                        (map vector axis extents size))
        t [:reshape {:shape covered} [:transpose {:axes order} '?g]]]
    (if (= covered shape)
      t
      [:set-slice {:start (vec (repeat rank 0)), :stop covered} (typing/filled dtype shape 0) t])))

(defn- overlapping
  "The gradient added up where windows overlap: a block for each place of a window."
  [{:keys [size] :as attrs} [dtype shape]]
  (when-not (every? integer? size)
    (fail! :damo.diff/not-implemented
           (str "the gradient of windows needs their size as integers; got " (pr-str size))
           {:size size}))
  [(reduce (fn [t place]
             [:inc-slice (block-of attrs shape place) t (at-place '?g (count shape) place)])
           (typing/filled dtype shape 0) (array/indices size))])

(defn- windows-transpose
  "The gradient: each element where it was read."
  [{:keys [attrs], [type] :types}]
  (if (beside? attrs)
    [(spread attrs type)]
    (overlapping attrs type)))

(defop windows
  "The windows that slide over the axes :axis of x: these axes have the :extents, the numbers of
  windows, and axes of the :size of a window come behind all. Window i begins at the element
  :strides · i, its elements lie :dilation apart; windows lie inside x. No element is copied."
  {:internal "nn/conv2d, nn/max-pool2d and nn/images-to-neighbours are made of it"
   :kind :view, :args [?x]
   :attrs {:axis {:is :axes, :doc "the axes that windows slide over"}
           :extents {:is :counts, :doc "how many windows there are along each of them, at least 1"}
           :size {:is :counts, :doc "the extents of a window, at least 1"}
           :strides {:is :integers, :doc "how far apart windows begin"}
           :dilation {:is :integers, :doc "how far apart the elements of a window lie"}}
   :type windows-type, :eval windows-value, :view windows-layout
   :requires (fn [{{:keys [axis extents size strides dilation]} :attrs, [[_ shape]] :types}]
               (concat (map #(vector 1 %) (concat extents size))
                       ;; of its own: quotients of negative numbers are not rounded down in a call
                       (map (fn [a k d] [(span k d) (nth shape a)]) axis size dilation)
                       (map (fn [a e k s d] [(needed e k s d) (nth shape a)])
                            axis extents size strides dilation)))
   :failure "windows must lie inside the array"
   :linear-in #{0}, :transpose windows-transpose, :batch {}
   :gen (gens/on-shapes
         (fn [n] [[{:axis [0], :extents [(inc n)], :size [2], :strides [1], :dilation [1]}
                   [(+ 2 n)]]
                  [{:axis [1 2], :extents [2 3], :size [3 2], :strides [2 1], :dilation [1 2]}
                   [(inc n) 5 5]]
                  [{:axis [0], :extents [2], :size [(inc n)], :strides [3], :dilation [1]}
                   [(+ 4 n) 2]]]))
   :examples [[[:windows {:axis [0], :extents [2], :size [2], :strides [1], :dilation [1]}
                [:iota {:shape [3]}]]
               [[0 1] [1 2]]]]})
