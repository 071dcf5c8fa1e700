(ns damo.ops.conv.neighbours
  "The neighbours of the places of images as rows of a matrix, as Theano's images2neibs has them.
  [:images-to-neighbours {:window [1 2]} [[[[0 1 2 3]]]]] = [[0 1] [2 3]]."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defn- pair-of [k given]
  (let [v (if (sequential? given) (vec given) [given given])]
    (when-not (and (= 2 (count v)) (every? pos-int? v))
      (fail! :damo.op.neighbours/bad-attribute
             (str k " is an integer of at least 1, or a pair of them; got " (pr-str given))
             {:attribute k, :given given}))
    v))

(defn- normal [{:keys [window strides] :as attrs} _]
  (let [window (pair-of :window window)]
    (assoc attrs :window window, :strides (if strides (pair-of :strides strides) window))))

(defn- check-fit [n k s]
  (when (and (integer? n) (or (< (long n) (long k)) (pos? (rem (- (long n) (long k)) (long s)))))
    (fail! :damo.op.neighbours/does-not-fit
           (str "windows of " k ", " s " apart, do not cover " n " elements to the last one")
           {:extent n, :window k, :strides s
            :try "cut or pad the image to a size that they cover"})))

(defn- extents
  "How many windows there are along both axes of a shape [n c h w]."
  [{:keys [window strides]} shape]
  (when-not (= 4 (count shape))
    (fail! :damo.op.neighbours/rank-mismatch
           (str "takes images [n c h w]; got the shape " (pr-str shape)) {:shape shape}))
  (mapv (fn [n k s]
          (check-fit n k s)
          (type/dim+ 1 (type/dim-quot (type/dim- n k) s)))
        (drop 2 shape) window strides))

(defn- type-of [attrs [[dtype shape] :as types]]
  (typing/check-dtype :any dtype)
  (let [{:keys [window] :as attrs} (normal attrs types)]
    [dtype [(apply type/dim* (first shape) (second shape) (extents attrs shape))
            (apply * window)]]))

(defop images-to-neighbours
  "A matrix with a row for each window of each image and channel of x [n c h w], in this order:
  images, channels, places from top to bottom and from left to right. Windows that do not cover the
  image to its end are an error."
  {:kind :composite, :args [?x]
   :attrs {:window {:is :integers, :doc "the extents of a window, one integer or two"}
           :strides {:default nil, :is :integers
                     :doc "how far windows are apart; nil: as far as they are wide"}}
   :normalize normal, :type type-of
   :requires (fn [{:keys [attrs], [[_ shape]] :types}]
               (mapcat (fn [n k s]
                         [[k n] [(type/dim* s (type/dim-quot (type/dim- n k) s)) (type/dim- n k)]
                          [(type/dim- n k) (type/dim* s (type/dim-quot (type/dim- n k) s))]])
                       (drop 2 shape) (:window attrs) (:strides attrs)))
   :failure "windows must cover the image to its end"
   :expand (fn [{{:keys [window strides] :as attrs} :attrs, [[_ shape]] :types, [_ out] :type}]
             [:reshape {:shape out}
              [:windows {:axis [2 3], :extents (extents attrs shape), :size window
                         :strides strides, :dilation [1 1]}
               ?x]])
   :gen (gens/on-shapes (fn [n] [[{:window 2} [2 2 (* 2 (inc n)) 4]]
                                 [{:window [1 2], :strides [1 1]} [1 2 (inc n) 3]]]))
   :examples [[[:images-to-neighbours {:window [1 2]}
                [:reshape {:shape [1 1 1 4]} [:iota {:shape [4]}]]]
               [[0 1] [2 3]]]]})
