(ns damo.ops.conv.transposed
  "Transposed convolutions, the gradients of convolutions by their input, and separable ones."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.conv.convolve :as convolve]
            [damo.ops.conv.correlate :as correlate]
            [damo.ops.conv.windows :as windows]))

(set! *warn-on-reflection* true)

;; ## Transposed

(defn- crops
  "The pairs of what is cropped before and after; :same leaves stride times the extent."
  [padding [ns ks strides dilation]]
  (if (= padding :same)
    (mapv (fn [k s d]
            (let [all (type/dim- (type/dim-max (windows/span k d) s) s)
                  before (type/dim-quot all 2)]
              [before (type/dim- all before)]))
          ks strides dilation)
    (convolve/padding-pairs padding ns ks strides dilation)))

(defn- check-more [d given strides dilation]
  (when-not (and (= d (count given))
                 (every? true? (map (fn [p s d] (and (nat-int? p) (or (= p 0) (< p (max s d)))))
                                    given strides dilation)))
    (fail! :damo.op.conv/bad-attribute
           (str ":output-padding is less than the stride or the dilation; got " (pr-str given))
           {:attribute :output-padding, :given given})))

(defn- normal [d]
  (fn [{:keys [padding output-padding] :as attrs} [[_ given] [_ w]]]
    (let [x (convolve/check-ranks d (:layout attrs) given w)
          strides (convolve/per-axis d :strides (:strides attrs))
          dilation (convolve/per-axis d :dilation (:dilation attrs))
          more (if (sequential? output-padding) (vec output-padding)
                   (vec (repeat d output-padding)))]
      (check-more d more strides dilation)
      (assoc attrs :strides strides, :dilation dilation, :output-padding more
             :padding (crops padding [(drop 2 x) (drop 2 w) strides dilation])))))

(defn- extent [n k stride dilation [before after] more]
  (let [whole (type/dim+ (windows/needed n k stride dilation) more), all (type/dim+ before after)]
    (when (and (integer? whole) (integer? all) (or (<= whole all) (< n 1)))
      (fail! :damo.op.conv/no-place
             (str "nothing is left: " n " elements by a kernel of " k " give " whole ", of which "
                  "a padding of " (pr-str [before after]) " is cropped")
             {:extent n, :kernel k, :padding [before after], :try ":padding :same or 0"}))
    (type/dim- whole all)))

(defn- result-shape
  "The shape [n o …] of the result."
  [{:keys [strides dilation padding output-padding groups]} x w]
  (into [(first x) (type/dim* groups (second w))]
        (map extent (drop 2 x) (drop 2 w) strides dilation padding output-padding)))

(defn- check-channels [groups x w]
  (when-not (= (second x) (first w))
    (fail! :damo.op.conv/shape-mismatch
           (str "the channels must agree: " (pr-str x) " has " (pr-str (second x)) ", kernels "
                (pr-str w) " take " (pr-str (first w)) "; they are [in out/groups …]")
           {:x x, :w w}))
  (correlate/check-groups groups [1 (type/dim* groups (second w))] w))

(defn- transposed-type [d]
  (fn [attrs [[dtype given] [_ w] :as types]]
    (typing/check-dtype :num dtype)
    (let [{:keys [groups layout] :as attrs} ((normal d) attrs types)
          x (convolve/places-of layout given)]
      (check-channels groups x w)
      [dtype (convolve/with-layout layout (result-shape attrs x w))])))

(defn- transposed-expansion [d]
  (fn [{{:keys [padding flip layout groups] :as attrs} :attrs, [[_ given] [_ w]] :types}]
    (let [x (convolve/places-of layout given), rank (+ 2 d)
          of-conv (correlate/plain d (assoc (select-keys attrs [:strides :dilation :groups])
                                            :pad (mapv first padding)))]
      (convolve/to-back layout rank
                        (correlate/by-input of-conv (result-shape attrs x w) w
                                            (convolve/to-front layout rank '?x)
                                            (convolve/flipped flip rank '?w))))))

(defop conv-transpose2d
  "The gradient of conv2d by its images, as an op: kernels w [c o/groups kh kw] over x [n c h w]
  give [n o mh mw], mh = (h - 1)·stride + dilation·(kh - 1) + 1 + :output-padding less :padding,
  which crops, in front and behind. :same leaves h·stride."
  {:kind :composite, :args [?x ?w], :coerce [0 1]
   :attrs (assoc (convolve/attributes [:nchw :nhwc])
                 :output-padding {:default 0, :is :integers, :doc "what is added behind"})
   :normalize (normal 2), :type (transposed-type 2), :expand (transposed-expansion 2)
   :gen (gens/on-shapes
         (fn [n] [[{} [n 2 1 2] [2 1 2 2]]
                  [{:strides [2 1], :padding 1, :output-padding [1 0]} [1 1 2 (+ 2 n)] [1 1 2 3]]
                  [{:strides 2, :groups 2, :padding :same, :layout :nhwc} [1 1 (inc n) 2] [2 1 3 2]]
                  [{:dilation 2, :flip true} [1 1 (inc n) 1] [1 2 2 1]]]))
   :examples [[[:conv-transpose2d [:ones {:shape [1 1 1 2], :dtype :i64}]
                [:ones {:shape [1 1 1 2], :dtype :i64}]]
               [[[[1 2 1]]]]]]})

;; ## Separable

(defn separable-conv2d
  "A conv2d of each channel by itself with the kernels `depthwise` [c·m 1 kh kw], and one of what
  that gives at each place with `pointwise` [o c·m 1 1]. The attributes are those of conv2d, for the
  first of the two; x is [n c h w], with a number of channels that is known."
  [x depthwise pointwise & options]
  (let [x (expr/whole x), given (expr/shape-of x)
        {:keys [layout] :as attrs} (attribute/options (dissoc (convolve/attributes [:nchw :nhwc])
                                                              :groups)
                                                      [] options)
        channels (when (= 4 (count given)) (second (convolve/places-of layout given)))]
    (when-not (integer? channels)
      (fail! :damo.op.conv/shape-mismatch
             (str "the images have 4 axes and a known number of channels; got " (pr-str given))
             {:x given}))
    (op/node :conv2d {:layout layout}
             [(op/node :conv2d (assoc attrs :groups (max 1 channels)) [x depthwise]) pointwise])))
