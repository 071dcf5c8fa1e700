(ns damo.ops.conv.correlate
  "The sum of products of a kernel and what lies under it, wherever it lies: the one op of all
  convolutions and of their derivatives, which are the same op with strides, dilations and the
  roles of axes changed."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.poly :as poly]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.conv.split :as split]
            [damo.ops.conv.windows :as windows]))

(set! *warn-on-reflection* true)

;; ## Type

(defn- fail-shape! [message x w groups]
  (fail! :damo.op.conv/shape-mismatch message {:x x, :w w, :groups groups}))

(defn check-groups
  "Nil when an array of the shape x [n g·c …] fits kernels of the shape w [g·o c …] in that many
  groups; fails otherwise."
  [groups x w]
  (let [[_ cx] x, [o c] w]
    (when-not (and (integer? groups) (pos? groups))
      (fail-shape! (str ":groups is an integer of at least 1; got " (pr-str groups)) x w groups))
    (when (and (integer? o) (pos? (rem o groups)))
      (fail-shape! (str groups " groups do not divide the " o " kernels of " (pr-str w)) x w
                   groups))
    (when-not (= cx (type/dim* groups c))
      (fail-shape! (str "the channels must agree: " (pr-str x) " has " (pr-str cx) ", "
                        (if (= 1 groups) "" (str groups " groups of "))
                        "kernels " (pr-str w) " take " (pr-str (type/dim* groups c)))
                   x w groups))))

(defn- check-apart!
  "No elements that lie apart would reach from one place to one in front of it."
  [base x w groups]
  (doseq [[n b] (map vector (drop 2 x) base) :when (and (= 0 n) (< 1 (long b)))]
    (fail-shape! (str "elements that lie " b " apart need one at least; the shape is " (pr-str x))
                 x w groups)))

(defn- correlate-type [{:keys [extents groups base]} [[dtype x] [_ w]]]
  (typing/check-dtype :num dtype)
  (check-groups groups x w)
  (when-not (= (count x) (count w) (+ 2 (count extents)))
    (fail-shape! (str "takes arrays of " (+ 2 (count extents)) " axes; got " (pr-str x) " and "
                      (pr-str w))
                 x w groups))
  (check-apart! base x w groups)
  [dtype (into [(first x) (first w)] extents)])

;; ## Meaning

(defn- source
  "The index along an axis of n elements that lies under element p of the kernel at place i, or nil
  where there is none."
  [{:keys [pad skip strides dilation base]} axis n i p]
  (let [at (+ (* i (nth strides axis)) (* p (nth dilation axis))
              (- (nth skip axis) (nth pad axis)))
        b (nth base axis)]
    (when (and (zero? (mod at b)) (< -1 (quot at b) n) (not (neg? at)))
      (quot at b))))

(defn- correlate-value [{:keys [groups] :as attrs} {:keys [dtype] x :shape :as a} {w :shape :as b}]
  (check-apart! (:base attrs) x w groups)
  (let [[_ out] (correlate-type attrs [[dtype x] [dtype w]])
        per-group (quot (long (first w)) (long groups)), channels (long (second w))
        [plus times] (if (type/float-dtype? dtype) [+ *] [unchecked-add unchecked-multiply])
        axes (range (- (count w) 2))]
    (array/from-indices
     dtype out
     (fn [[n o & at]]
       (let [first-channel (* channels (quot (long o) (max 1 per-group)))]
         (reduce (fn [sum [c & p]]
                   (let [from (map #(source attrs %1 %2 %3 %4) axes (drop 2 x) at p)]
                     (if (every? some? from)
                       (plus sum (times (array/at a (into [n (+ first-channel (long c))] from))
                                        (array/at b (into [o c] p))))
                       sum)))
                 (if (type/float-dtype? dtype) 0.0 0) (array/indices (subvec w 1))))))))

;; ## Derivatives

(defn- difference
  "[a b], whose difference is meant, with as much as shows taken away from both."
  [a b]
  (cond (type/at-most? b a) [(type/dim- a b) 0]
        (type/at-most? a b) [0 (type/dim- b a)]
        :else [a b]))

(defn- with-front [attrs pairs]
  (assoc attrs :pad (mapv first pairs), :skip (mapv second pairs)))

(defn- regrouped
  "The template of t, [g·a b …] as [g·b a …]: rows and columns of each group change places."
  [groups [rows columns & more] t]
  (let [a (if (= 1 groups) rows (type/dim-div rows groups)), d (count more)]
    (if (= 1 groups)
      [:transpose {:axes (into [1 0] (range 2 (+ 2 d)))} t]
      [:reshape {:shape (into [(type/dim* groups columns) a] more)}
       [:transpose {:axes (into [0 2 1] (range 3 (+ 3 d)))}
        [:reshape {:shape (into [groups a columns] more)} t]]])))

(defn turned
  "The template of kernels of the shape w with each group's channels in and out exchanged and, with
  `flip?`, their elements in reverse order."
  [groups w flip? t]
  (let [t (regrouped groups w t)]
    (if flip? [:flip {:axis (vec (range 2 (count w)))} t] t)))

(defn by-input
  "The template of the gradient by x of the shape `x`: g, with zeros between where strides were, by
  kernels that are turned."
  [{:keys [strides base dilation pad skip groups]} x w g kernels]
  (let [fronts (map (fn [k d p s] (difference (type/dim+ (type/dim- (windows/span k d) 1) s) p))
                    (drop 2 w) dilation pad skip)]
    [:correlate (with-front {:strides base, :base strides, :dilation dilation, :groups groups
                             :extents (vec (drop 2 x))}
                  fronts)
     g (turned groups w true kernels)]))

;; The sums over images and places: they are the channels and the kernel, channels the images.

(defn- channels-first
  "The template of x, [n g·c …], as [c g·n …]."
  [groups [n channels & more]]
  (let [d (count more), c (if (= 1 groups) channels (type/dim-div channels groups))]
    (if (= 1 groups)
      [:transpose {:axes (into [1 0] (range 2 (+ 2 d)))} '?x]
      [:reshape {:shape (into [c (type/dim* groups n)] more)}
       [:transpose {:axes (into [2 1 0] (range 3 (+ 3 d)))}
        [:reshape {:shape (into [n groups c] more)} '?x]]])))

(defn- by-kernels
  "The template of the gradient by w: x with batch and channels exchanged, by g as kernels."
  [{:keys [strides dilation groups] :as attrs} x w]
  (let [exchanged {:axes (into [1 0] (range 2 (count w)))}]
    [:transpose exchanged
     [:correlate (assoc attrs :strides dilation, :dilation strides, :extents (vec (drop 2 w)))
      (channels-first groups x) [:transpose exchanged '?g]]]))

;; ## Expansion

(defn- per-axis
  "Maps of what concerns each axis of places of a node."
  [{:keys [extents pad skip strides dilation base]} x w]
  (mapv (fn [n k m p s stride d b]
          {:n n, :k k, :m m, :pad p, :skip s, :stride stride, :dilation d, :base b
           :needed (windows/needed m k stride d)})
        (drop 2 x) (drop 2 w) extents pad skip strides dilation base))

(defn- known-place
  "{:from :to :at :extent} of an axis of numbers: the elements of x that are read lie at :at in
  the :needed ones."
  [{:keys [n pad skip base needed]}]
  (let [shift (- pad skip)
        from (-> (quot (+ (max 0 (- shift)) (dec base)) base) (min n))
        to (-> (inc (Math/floorDiv (long (- needed 1 shift)) (long base))) (max from) (min n))]
    {:from from, :to to, :at (if (= from to) 0 (+ shift (* base from))), :extent needed, :cut 0}))

(defn- larger
  "The larger of two dims, in few terms: kernels and results have at least one element, so that an
  array and what is read of it mostly end one inside of the other."
  [{:keys [k m]} a b]
  (let [bounds (reduce #(update-in %1 [%2 :least] conj 1) poly/*bounds* (filter symbol? [k m]))
        at-most? #(binding [poly/*bounds* bounds] (type/at-most? %1 %2))]
    (cond (at-most? a b) b
          (at-most? b a) a
          :else (type/dim-max a b))))

(defn- place
  "The same of an axis of dims: all elements lie in an array of that :extent, of which the
  :needed ones are cut from :cut on."
  [{:keys [n pad skip base needed] :as axis}]
  (if (every? integer? [n pad skip needed])
    (known-place axis)
    {:from 0, :to n, :at pad, :cut skip
     :extent (larger axis (type/dim+ pad (windows/span n base)) (type/dim+ skip needed))}))

(defn- cut
  "The template t with an axis of `extent` cut to [from, to)."
  [t axis extent from to]
  (if (and (= 0 from) (= extent to)) t [:slice {:axis axis, :start from, :stop to} t]))

(defn- framed
  "The template of x with zeros around and between its elements, of the extents that windows need."
  [dtype lead axes]
  (let [places (mapv place axes)
        inner (reduce (fn [t [i {:keys [n]} {:keys [from to]}]] (cut t (+ 2 i) n from to))
                      '?x (map vector (range) axes places))
        counts (map (fn [{:keys [from to]}] (if (= 0 from) to (type/dim- to from))) places)
        stops (map (fn [{:keys [at]} c {:keys [base]}]
                     (if (= 0 c) at (type/dim+ at (windows/span c base)))) places counts axes)
        plain? (every? true? (map (fn [{:keys [at extent]} c {:keys [base]}]
                                    (and (= 1 base) (= 0 at) (= c extent))) places counts axes))
        whole (if plain?
                inner
                [:set-slice {:start (into [0 0] (map :at) places), :stop (into lead stops)
                             :step (into [1 1] (map :base) axes)}
                 (typing/filled dtype (into lead (map :extent) places) 0) inner])]
    (reduce (fn [t [i {:keys [needed]} {:keys [extent cut] :as p}]]
              (if (= extent needed)
                t
                [:slice {:axis (+ 2 i), :start (:cut p), :stop (type/dim+ cut needed)} t]))
            whole (map vector (range) axes places))))

(defn- few-places?
  "Are there so few places, for certain, that several images make one product?"
  [axes]
  (let [places (type/size (map :m axes))] (and (integer? places) (< places 256))))

(defn- columns
  "The template of what lies under kernels, [n g c m … k …]."
  [{:keys [groups strides dilation]} dtype [n channels] [_ c] axes]
  (let [d (count axes), at (vec (range 3 (+ 3 d)))]
    [:windows {:axis at, :extents (mapv :m axes), :size (mapv :k axes), :strides strides
               :dilation dilation}
     [:reshape {:shape (into [n groups c] (map :needed) axes)}
      (framed dtype [n channels] axes)]]))

(defn- by-products
  "The template of a correlation as products of matrices, kernels by columns: one product for each
  image and group, or for each group where images have few places."
  [{:keys [groups] :as attrs} dtype [n :as x] [o c :as w] axes]
  (let [d (count axes), per-group (if (= 1 groups) o (type/dim-div o groups))
        ms (mapv :m axes), ks (mapv :k axes), sums (apply type/dim* c ks)
        m-axes (range 3 (+ 3 d)), k-axes (range (+ 3 d) (+ 3 d d))
        kernels [:reshape {:shape [groups per-group sums]} '?w]
        cols (columns attrs dtype x w axes)]
    (if (few-places? axes)
      [:reshape {:shape (into [n o] ms)}
       [:transpose {:axes (into [2 0 1] (range 3 (+ 3 d)))}
        [:reshape {:shape (into [groups per-group n] ms)}
         [:matmul kernels
          [:reshape {:shape [groups sums (apply type/dim* n ms)]}
           [:transpose {:axes (vec (concat [1 2] k-axes [0] m-axes))} cols]]]]]]
      [:reshape {:shape (into [n o] ms)}
       [:matmul kernels
        [:reshape {:shape [n groups sums (type/size ms)]}
         [:transpose {:axes (vec (concat [0 1 2] k-axes m-axes))} cols]]]])))

(defn- by-channels?
  "Has each group one channel and one kernel, of few elements? As products they would have one row."
  [{:keys [groups]} [o c & ks]]
  (and (= 1 c) (= o groups) (< 1 groups) (every? integer? ks) (<= (apply * ks) 32)))

(defn- by-shifts
  "The template of a correlation of each channel by itself: a sum over the elements of the kernel,
  each times the images from that element on."
  [{:keys [strides dilation]} dtype [n channels] w axes]
  (let [d (count axes)
        whole (framed dtype [n channels] axes)
        shifted (fn [p]
                  (reduce (fn [t [i q {:keys [m]} s dil]]
                            [:slice {:axis (+ 2 i), :start (* dil q), :step s
                                     :stop (type/dim+ (* dil q) (windows/span m s))} t])
                          whole (map vector (range) p axes strides dilation)))
        weight (fn [p]
                 [:reshape {:shape (into [channels] (repeat d 1))}
                  (reduce (fn [t [i q]] [:slice {:axis (+ 2 i), :start q, :stop (inc q)} t]) '?w
                          (map vector (range) p))])]
    (reduce (fn [a b] [:add a b])
            (map (fn [p] [:mul (shifted p) (weight p)]) (array/indices (vec (drop 2 w)))))))

(defn- correlate-expansion [{:keys [attrs], [[dtype x] [_ w]] :types}]
  (let [axes (per-axis attrs x w)]
    (cond (split/by-phases? axes) (split/by-phases attrs dtype x w axes)
          (by-channels? attrs w) (by-shifts attrs dtype x w axes)
          (split/by-places? attrs w axes)
          (split/by-places attrs dtype x w (framed dtype (vec (take 2 x)) axes) axes)
          :else (by-products attrs dtype x w axes))))

;; ## The op

(defn plain
  "The attributes of a correlation of `d` axes that are not given."
  [d attrs]
  (merge {:pad (vec (repeat d 0)), :skip (vec (repeat d 0)), :strides (vec (repeat d 1))
          :dilation (vec (repeat d 1)), :base (vec (repeat d 1)), :groups 1}
         attrs))

(def ^:private correlate-gen
  (gens/on-shapes
   (fn [n]
     [[(plain 1 {:extents [(inc n)]}) [2 2 (+ 2 n)] [1 2 2]]
      [(plain 1 {:extents [3], :pad [1], :strides [2], :dilation [2], :base [3]})
       [1 1 3] [2 1 2]]
      [(plain 2 {:extents [2 1], :pad [1 0], :skip [0 1], :strides [2 1], :groups 2})
       [n 2 3 2] [4 1 2 1]]
      [(plain 2 {:extents [2 1], :pad [0 1], :base [2 1], :dilation [1 2]}) [1 1 2 2] [1 1 2 2]]
      [(plain 2 {:extents [2 2], :pad [1 1], :groups 2}) [1 2 2 3] [2 1 2 2]]
      [(plain 3 {:extents [1 2 1], :pad [0 0 1]}) [1 1 2 2 1] [1 1 2 1 2]]])))

(defop correlate
  "Σ over c and p of x[n, c, (i·strides + p·dilation + skip - pad)/base] · w[o, c, p], for i below
  :extents; what lies outside x or between its elements counts as 0. x is [n g·c …], w [g·o c …],
  of groups of channels; the result is [n g·o …extents]. One of :pad and :skip will do for each
  axis: where both are dims, their difference counts."
  {:internal "nn/conv2d and its like say how far kernels go"
   :kind :composite, :args [?x ?w], :coerce [0 1]
   :attrs {:extents {:is :counts, :doc "the extents of the result behind its channels, at least 1"}
           :pad {:is :counts, :doc "how many zeros lie in front of x"}
           :skip {:is :counts, :doc "how many elements are left out in front"}
           :strides {:is :integers, :doc "how far the kernel moves"}
           :dilation {:is :integers, :doc "how far apart what lies under the kernel is"}
           :base {:is :integers, :doc "how far apart the elements of x are"}
           :groups {:is :integer, :doc "how many groups of channels there are"}}
   :type correlate-type, :eval correlate-value, :expand correlate-expansion
   :linear-in #{0 1}
   :transpose (fn [{:keys [attrs], [[_ x] [_ w]] :types}]
                [(by-input attrs x w ?g ?w) (by-kernels attrs x w)])
   :gen correlate-gen
   :examples [[[:correlate {:extents [2], :pad [0], :skip [0], :strides [1], :dilation [1]
                            :base [1], :groups 1}
                [:reshape {:shape [1 1 3]} [:iota {:shape [3]}]] [:ones {:shape [1 1 2]
                                                                         :dtype :i64}]]
               [[[1 3]]]]]})
