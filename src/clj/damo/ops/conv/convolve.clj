(ns damo.ops.conv.convolve
  "Convolutions of one, two and three axes, transposed and separable ones: how users say them, and
  the correlation that each is. A kernel of ones over [0 1 2] sums neighbours: [1 3]."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.conv.correlate :as correlate]
            [damo.ops.conv.windows :as windows]))

(set! *warn-on-reflection* true)

;; ## What calls say

(defn per-axis
  "The vector of an attribute of `d` axes that is a number, for all of them, or has one for each."
  [d k given]
  (let [v (if (sequential? given) (vec given) (vec (repeat d given)))]
    (when-not (and (= d (count v)) (every? #(and (int? %) (pos? %)) v))
      (fail! :damo.op.conv/bad-attribute
             (str k " is an integer of at least 1, or a vector of " d "; got " (pr-str given))
             {:attribute k, :given given}))
    v))

(defn- bad-padding! [d given]
  (fail! :damo.op.conv/bad-attribute
         (str ":padding is :valid, :same, :full, :half, a dim, or a vector of " d
              " dims or pairs [before after]; got " (pr-str given))
         {:attribute :padding, :given given}))

(defn- same-pair
  "The padding of an axis of n elements under which ⌈n/stride⌉ windows fit."
  [n reach stride]
  (let [all (if (= 1 stride)
              (type/dim- reach 1)
              (let [count (type/dim-quot (type/dim+ n (dec stride)) stride)
                    needed (type/dim+ (windows/span count stride) reach)]
                (type/dim- (type/dim-max needed (type/dim+ n 1)) (type/dim+ n 1))))
        before (type/dim-quot all 2)]
    [before (type/dim- all before)]))

(defn- pair-of
  "[before after] as one entry of a vector says it."
  [d given x]
  (cond (type/dim? x) [(type/dim+ x) (type/dim+ x)]
        (and (vector? x) (= 2 (count x)) (every? type/dim? x)) (mapv type/dim+ x)
        :else (bad-padding! d given)))

(defn padding-pairs
  "The pairs [before after] of `padding` for axes of the extents ns under windows of the sizes ks."
  [padding ns ks strides dilation]
  (let [d (count ns), reach (map windows/span ks dilation)]
    (case padding
      :valid (vec (repeat d [0 0]))
      :full (mapv #(let [p (type/dim- % 1)] [p p]) reach)
      :half (mapv #(let [p (type/dim-quot % 2)] [p p]) reach)
      :same (mapv same-pair ns reach strides)
      (cond (and (type/dim? padding) (not (vector? padding)))
            (vec (repeat d (pair-of d padding padding)))
            (and (sequential? padding) (= d (count padding)))
            (mapv #(pair-of d padding %) padding)
            :else (bad-padding! d padding)))))

(defn places
  "How many windows of k elements fit along an axis of n with that padding. None is an error: at
  once where that is plain, else in the call."
  [n k [before after] stride dilation]
  (let [reach (windows/span k dilation), whole (type/dim+ n before after)]
    (when (and (integer? whole) (integer? reach) (or (< whole reach) (< n 1)))
      (fail! :damo.op.conv/no-place
             (str "a kernel of " k (when (< 1 dilation) (str ", " dilation " apart,"))
                  " does not fit into " n " elements with a padding of "
                  (pr-str [before after]))
             {:extent n, :kernel k, :padding [before after]
              :try ":padding :same or :full"}))
    (type/dim+ 1 (type/dim-quot (type/dim- whole reach) stride))))

;; ## The result as a correlation

(defn places-of
  "The shape of x with channels behind the batch, from one of that layout."
  [layout x]
  (if (#{:nwc :nhwc :ndhwc} layout) (into [(first x) (peek x)] (subvec x 1 (dec (count x)))) x))

(defn with-layout
  "The shape of a result [n c …] in that layout."
  [layout [n c & places :as shape]]
  (if (#{:nwc :nhwc :ndhwc} layout) (-> [n] (into places) (conj c)) shape))

(defn to-front
  "The template t, of that layout and rank, with channels behind the batch."
  [layout rank t]
  (if (#{:nwc :nhwc :ndhwc} layout)
    [:transpose {:axes (into [0 (dec rank)] (range 1 (dec rank)))} t]
    t))

(defn to-back
  "The template t, [n c …], in that layout."
  [layout rank t]
  (if (#{:nwc :nhwc :ndhwc} layout)
    [:transpose {:axes (-> [0] (into (range 2 rank)) (conj 1))} t]
    t))

(defn flipped
  "The template of kernels t, turned around where `flip` is true."
  [flip rank t]
  (if flip [:flip {:axis (vec (range 2 rank))} t] t))

(defn check-ranks
  "The shape of the images, [n c …], from x in its layout; fails unless it and kernels w have `d`
  axes of places, kernels of at least one element."
  [d layout x w]
  (when-not (= (+ 2 d) (count x) (count w))
    (fail! :damo.op.conv/rank-mismatch
           (str "takes images and kernels of " (+ 2 d) " axes; x is " (pr-str x) ", w is "
                (pr-str w))
           {:x x, :w w, :try "an axis of one image, or of one channel"}))
  (when (some #{0} (drop 2 w))
    (fail! :damo.op.conv/no-place (str "a kernel has at least one element; got " (pr-str w))
           {:w w}))
  (places-of layout x))

(defn- normal
  "The attributes with a pair, a stride and a dilation for each axis."
  [d]
  (fn [{:keys [padding strides dilation layout] :as attrs} [[_ given] [_ w]]]
    (let [x (check-ranks d layout given w)
          strides (per-axis d :strides strides), dilation (per-axis d :dilation dilation)]
      (assoc attrs :strides strides, :dilation dilation
             :padding (padding-pairs padding (drop 2 x) (drop 2 w) strides dilation)))))

(defn- extents [{:keys [padding strides dilation]} x w]
  (mapv places (drop 2 x) (drop 2 w) padding strides dilation))

(defn conv-type
  "The type rule of a convolution over `d` axes."
  [d]
  (fn [attrs [[dtype given] [_ w] :as types]]
    (typing/check-dtype :num dtype)
    (let [{:keys [groups layout] :as attrs} ((normal d) attrs types), x (places-of layout given)]
      (correlate/check-groups groups x w)
      [dtype (with-layout layout (into [(first x) (first w)] (extents attrs x w)))])))

(defn- conv-expansion [d]
  (fn [{:keys [attrs], [[_ given] [_ w]] :types}]
    (let [{:keys [padding strides dilation groups flip layout]} attrs
          x (places-of layout given), rank (+ 2 d)]
      (to-back layout rank
               [:correlate
                (correlate/plain d {:extents (extents attrs x w), :pad (mapv first padding)
                                    :strides strides, :dilation dilation, :groups groups})
                (to-front layout rank '?x) (flipped flip rank '?w)]))))

(defn attributes
  "The attributes of convolutions, images in one of these layouts."
  [layouts]
  {:padding {:default :valid, :is :paddings
             :doc ":valid, :same, :full, :half, a dim, or a dim or [before after] for each axis"}
   :strides {:default 1, :is :integers, :doc "how far the kernel moves, for all or each axis"}
   :dilation {:default 1, :is :integers
              :doc "how far apart what lies under a kernel is, for all or each axis"}
   :groups {:default 1, :is :integer, :doc "groups of channels, each with kernels of its own"}
   :flip {:default false, :is :flag, :doc "whether kernels are turned around: convolution"}
   :layout {:default (first layouts), :is (set layouts)
            :doc "the order of the axes of x and of the result"}})

(defop conv1d
  "Kernels w [o c/groups k] over signals x [n c l]: [n o m]. See conv2d."
  {:kind :composite, :args [?x ?w], :coerce [0 1], :attrs (attributes [:ncw :nwc])
   :normalize (normal 1), :type (conv-type 1), :expand (conv-expansion 1)
   :gen (gens/on-shapes
         (fn [n] [[{} [2 1 (+ 3 n)] [2 1 3]] [{:padding :full, :flip true} [1 1 (inc n)] [1 1 2]]
                  [{:padding :same, :strides 2, :layout :nwc} [n 3 2] [1 2 2]]]))
   :examples [[[:conv1d [:reshape {:shape [1 1 3]} [:iota {:shape [3]}]]
                [:ones {:shape [1 1 2], :dtype :i64}]]
               [[[1 3]]]]]})

(defop conv2d
  "Kernels w [o c/groups kh kw] over images x [n c h w]: [n o mh mw], the sums of products of a
  kernel and what lies under it (cross-correlation, as networks have it; :flip true turns kernels
  around). :padding adds zeros: none for :valid, as many as kernels reach beyond for :full, half the
  kernel for :half, for :same as TensorFlow's such that ⌈h/stride⌉ places remain. A kernel that
  does not fit is an error."
  {:kind :composite, :args [?x ?w], :coerce [0 1], :attrs (attributes [:nchw :nhwc])
   :normalize (normal 2), :type (conv-type 2), :expand (conv-expansion 2)
   :gen (gens/on-shapes
         (fn [n] [[{} [2 1 (+ 3 n) 2] [2 1 3 2]]
                  [{:padding :same, :strides [2 1], :flip true} [1 1 3 (inc n)] [2 1 2 2]]
                  [{:padding [[1 0] 1], :groups 2, :dilation [2 1]} [n 2 2 1] [2 1 2 2]]
                  [{:padding :half, :layout :nhwc} [1 2 (inc n) 2] [1 2 3 1]]
                  [{:padding :full, :strides 2} [1 1 (inc n) 2] [1 1 2 2]]]))
   :examples [[[:conv2d [:reshape {:shape [1 1 2 2]} [:iota {:shape [4]}]]
                [:ones {:shape [1 1 2 2], :dtype :i64}]]
               [[[[6]]]]]]})

(defop conv3d
  "Kernels w [o c/groups kd kh kw] over volumes x [n c d h w]. See conv2d."
  {:kind :composite, :args [?x ?w], :coerce [0 1], :attrs (attributes [:ncdhw :ndhwc])
   :normalize (normal 3), :type (conv-type 3), :expand (conv-expansion 3)
   :gen (gens/on-shapes
         (fn [n] [[{} [1 1 2 2 (+ 2 n)] [1 1 2 1 2]]
                  [{:padding 1, :strides [2 1 2]} [n 1 1 2 1] [1 1 2 3 1]]]))
   :examples [[[:conv3d [:reshape {:shape [1 1 1 2 2]} [:iota {:shape [4]}]]
                [:ones {:shape [1 1 1 2 2], :dtype :i64}]]
               [[[[[6]]]]]]]})
