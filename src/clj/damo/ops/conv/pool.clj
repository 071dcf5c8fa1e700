(ns damo.ops.conv.pool
  "Pooling over one, two and three axes: the largest element, the mean or the sum of what lies in
  windows, which are a view of the padded array. [:max-pool1d {:window 2} x] of [[[1 3 2 0]]] is
  [[[3 2]]]."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.conv.windows :as windows]))

(set! *warn-on-reflection* true)

;; ## What calls say

(defn- bad! [k given expected]
  (fail! :damo.op.pool/bad-attribute (str k " is " expected "; got " (pr-str given))
         {:attribute k, :given given, :expected expected}))

(defn- per-axis
  "The vector with a positive integer for each of d axes that `given` says."
  [d k given]
  (let [v (if (sequential? given) (vec given) (vec (repeat d given)))]
    (if (and (= d (count v)) (every? pos-int? v))
      v
      (bad! k given (str "an integer of at least 1, or a vector of " d)))))

(defn- pairs-of
  "The [before after] of padding for each of d axes."
  [d given]
  (let [pair (fn [x] (cond (nat-int? x) [x x]
                           (and (vector? x) (= 2 (count x)) (every? nat-int? x)) x))
        v (cond (nat-int? given) (vec (repeat d [given given]))
                (and (sequential? given) (= d (count given))) (mapv pair given))]
    (if (and v (every? some? v))
      v
      (bad! :padding given (str "an integer of at least 0, or a vector of " d
                                " integers or pairs [before after]")))))

(defn- check-padding [window padding]
  (doseq [[k pair] (map vector window padding), p pair :when (<= k p)]
    (fail! :damo.op.pool/wide-padding
           (str "a padding of " p " holds whole windows of " k " elements, none of the array")
           {:window window, :padding padding, :try "a padding smaller than the window"})))

(defn- spatial
  "The axes that windows slide over in an array of d + 2 axes."
  [d layout]
  (if (#{:nwc :nhwc :ndhwc} layout) (range 1 (inc d)) (range 2 (+ 2 d))))

(defn- normal
  "The attributes with entries for each axis."
  [d]
  (fn [{:keys [window strides padding] :as attrs} [[_ shape]]]
    (when-not (= (+ 2 d) (count shape))
      (fail! :damo.op.pool/rank-mismatch
             (str "takes an array of " (+ 2 d) " axes; got the shape " (pr-str shape))
             {:shape shape, :try "an axis of one image or channel: (d/expand-dims x :axis 0)"}))
    (let [window (per-axis d :window window), padding (pairs-of d padding)]
      (check-padding window padding)
      (assoc attrs :window window, :padding padding
             :strides (if strides (per-axis d :strides strides) window)))))

;; ## Windows

(defn- places
  "[extent behind]: how many windows there are along an axis of n, and how many elements behind the
  padded axis the last of them reaches."
  [n k s [before after] ignore-border]
  (let [whole (type/dim+ n before after)]
    (when (and (integer? whole) (< (long whole) (long k)))
      (fail! :damo.op.pool/no-place
             (str "a window of " k " does not fit into " n " elements with the padding "
                  (pr-str [before after]))
             {:extent n, :window k, :try "a smaller window, or more padding"}))
    (let [fitting (type/dim+ 1 (type/dim-quot (type/dim- whole k) s))]
      (if ignore-border
        [fitting 0]
        ;; No window begins behind the last element of the array itself.
        (let [covering (type/dim+ (type/dim- whole k) (dec s))
              all (type/dim-min (type/dim+ 1 (type/dim-quot covering s))
                                (type/dim+ 1 (type/dim-quot (type/dim- (type/dim+ n before) 1)
                                                            s)))
              end (type/dim+ (type/dim* s (type/dim- all 1)) k)]
          [all (type/dim- (type/dim-max whole end) whole)])))))

(defn- all-places [d {:keys [window strides padding ignore-border layout]} shape]
  (mapv #(places (nth shape %1) %2 %3 %4 ignore-border)
        (spatial d layout) window strides padding))

(defn- out-shape [d {:keys [layout] :as attrs} shape]
  (reduce (fn [out [a [e]]] (assoc out a e)) shape
          (map vector (spatial d layout) (all-places d attrs shape))))

(defn- pool-type [d]
  (fn [attrs [[dtype shape] :as types]]
    (typing/check-dtype :num dtype)
    [dtype (out-shape d ((normal d) attrs types) shape)]))

(defn- padded
  "The template of x with that number around it, as far as windows reach."
  [d {:keys [padding layout]} [dtype shape] behind value]
  (let [wide (reduce (fn [width [a [before after] more]]
                       (assoc width a [before (type/dim+ after more)]))
                     (vec (repeat (count shape) [0 0]))
                     (map vector (spatial d layout) padding behind))]
    (if (every? #{[0 0]} wide)
      '?x
      [:set-slice {:start (mapv first wide)
                   :stop (mapv (fn [n [before]] (type/dim+ before n)) shape wide)}
       (typing/filled dtype (mapv (fn [n [p q]] (type/dim+ n p q)) shape wide) value)
       '?x])))

(defn- in-windows
  "The template of the windows of x, their elements along the last d axes."
  [d {:keys [window strides layout] :as attrs} [_ shape :as type] value]
  (let [found (all-places d attrs shape)]
    [:windows {:axis (vec (spatial d layout)), :extents (mapv first found), :size window
               :strides strides, :dilation (vec (repeat d 1))}
     (padded d attrs type (map second found) value)]))

(defn- last-axes [d rank] (vec (range rank (+ rank d))))

(defn- reduction
  "The :expand of an op that reduces windows by `op`, padded by (value dtype)."
  [d op value]
  (fn [{:keys [attrs], [[dtype shape :as type]] :types}]
    [op {:axis (last-axes d (count shape)), :keepdims false}
     (in-windows d attrs type (value dtype))]))

;; ## Means

(defn- counts-along
  "The template of how many elements of each window along an axis of n count, floats: those of the
  array, and with `padding?` of its padding; nil where all of them do."
  [n extent k s [before after] behind padding? dtype]
  (when-not (and (= 0 behind) (or padding? (= 0 before after)))
    (let [float #(if (integer? %) (typing/const dtype %) [:cast {:dtype dtype} [:dim {:dim %}]])
          start [:sub [:mul [:iota {:shape [extent], :axis 0, :dtype dtype}] (float s)]
                 (float before)]
          [from to] (if padding? [(- before) (type/dim+ n after)] [0 n])]
      [:sub [:minimum [:add start (float k)] (float to)]
       [:maximum start (if (neg? from) [:neg (float (- from))] (float from))]])))

(defn- numbers-along
  "The template of counts-along of the axis `a`, in a shape that broadcasts; nil where all count."
  [{:keys [count-padding]} shape dtype [a [extent behind] k s padding]]
  (some->> (counts-along (nth shape a) extent k s padding behind count-padding dtype)
           (conj [:expand-dims {:axis (vec (remove #{a} (range (count shape))))}])))

(defn- mean-expansion
  "The sum over what counts in a window: for each axis a vector of numbers, or one number."
  [d]
  (fn [{{:keys [window strides padding layout] :as attrs} :attrs, [[dtype shape :as type]] :types}]
    (let [wide (type/computed dtype)
          numbers (map #(numbers-along attrs shape wide %)
                       (map vector (spatial d layout) (all-places d attrs shape) window strides
                            padding))
          fixed (apply * (map (fn [n k] (if n 1 k)) numbers window))]
      (typing/as-dtype
       dtype wide
       [:div [:sum {:axis (last-axes d (count shape)), :keepdims false}
              (typing/as-dtype wide dtype (in-windows d attrs type 0))]
        (reduce (fn [t n] [:mul t n]) (typing/const wide fixed) (remove nil? numbers))]))))

;; ## The ops

(def ^:private layouts {1 [:ncw :nwc], 2 [:nchw :nhwc], 3 [:ncdhw :ndhwc]})

(defn- attributes [d]
  {:window {:is :integers, :doc "the extents of a window, a number for all axes or for each"}
   :strides {:default nil, :is :integers
             :doc "how far windows are apart, likewise; nil: as far as they are wide"}
   :padding {:default 0, :is :integers
             :doc (str "elements at both ends, fewer than a window has: a number, or for each axis"
                       " a number or [before after]")}
   :ignore-border {:default true, :is :flag
                   :doc "false: windows that reach beyond the end count, with what is there"}
   :layout {:default (first (layouts d)), :is (set (layouts d)), :doc "the order of the axes"}})

(defn- cases
  "Attributes and shapes for tests of pooling over d axes, for a size n."
  [d n]
  (let [more (vec (repeat (dec d) 3))]
    (cond-> [[{:window 2} (into [2 2] (conj more (+ 2 n)))]
             [{:window 3, :strides 2, :padding 1} (into [1 2] (conj more (inc n)))]
             [{:window 2, :strides 3, :ignore-border false} (into [1 1] (conj more (+ 2 n)))]
             [{:window 2, :strides 1, :layout (second (layouts d))}
              (-> [1] (into more) (conj (+ 2 n) 2))]]
      (= d 1) (conj [{:window 3, :padding [[1 0]], :ignore-border false, :strides 2}
                     [1 1 (+ 2 n)]]))))

(defn- entry
  "The entry of pooling over d axes with that expansion, and more of it."
  [d expand more]
  (merge {:kind :composite, :args '[?x], :attrs (attributes d), :normalize (normal d)
          :type (pool-type d), :expand expand, :gen (gens/on-shapes #(cases d %))
          :requires (fn [{{:keys [window padding layout]} :attrs, [[_ shape]] :types}]
                      (map (fn [a k [before after]] [k (type/dim+ (nth shape a) before after)])
                           (spatial d layout) window padding))
          :failure "a window must fit into the padded array"}
         more))

(defn- counted "The template of 0 1 … in the shape [1 1 n]." [n]
  [:reshape {:shape [1 1 n]} [:iota {:shape [n], :axis 0, :dtype :f64}]])

(defn- square "The template of 0 1 … in the shape [1 1 n n]." [n]
  [:reshape {:shape [1 1 n n]} [:iota {:shape [(* n n)], :axis 0, :dtype :f64}]])

(defn- cube "The template of 0 1 … in the shape [1 1 n n n]." [n]
  [:reshape {:shape [1 1 n n n]} [:iota {:shape [(* n n n)], :axis 0, :dtype :f64}]])

(defn- largest [d] (reduction d :max typing/lowest))
(defn- total-entry [d examples]
  (entry d (reduction d :sum (constantly 0))
         {:type (fn [attrs types]
                  (update ((pool-type d) attrs types) 0 typing/accumulator))
          :examples examples}))

(defn- mean-entry [d examples]
  (-> (entry d (mean-expansion d)
             {:type (fn [attrs [[dtype] :as types]]
                      (typing/check-dtype :float dtype)
                      ((pool-type d) attrs types))
              :examples examples})
      (assoc-in [:attrs :count-padding]
                {:default false, :is :flag
                 :doc "true: the zeros of padding count; false: means of what is there"})))

(defn- define! [op-name doc entry]
  (op/register! (assoc entry :name op-name, :doc doc, :ns 'damo.ops.conv.pool)))

(define! :max-pool1d
  "The largest element of each window along the last axis of x [n c w]; see max-pool2d."
  (entry 1 (largest 1) {:examples [[[:max-pool1d {:window 2} (counted 5)] [[[1.0 3.0]]]]]}))

(define! :max-pool2d
  "The largest element of each window of x [n c h w], NaN where there is one; padding never is.
  Equal ones all take the gradient, as those of d/max."
  (entry 2 (largest 2) {:examples [[[:max-pool2d {:window 2} (square 4)]
                                    [[[[5.0 7.0] [13.0 15.0]]]]]]}))

(define! :max-pool3d
  "The largest element of each window of x [n c d h w]; see max-pool2d."
  (entry 3 (largest 3) {:examples [[[:max-pool3d {:window 2} (cube 2)] [[[[[7.0]]]]]]]}))

(define! :sum-pool1d
  "The sum of each window along the last axis of x [n c w]; see sum-pool2d."
  (total-entry 1 [[[:sum-pool1d {:window 2} (counted 4)] [[[1.0 5.0]]]]]))

(define! :sum-pool2d
  "The sum of each window of x [n c h w], of integers an :i64; padding is 0."
  (total-entry 2 [[[:sum-pool2d {:window 2} (square 2)] [[[[6.0]]]]]]))

(define! :sum-pool3d
  "The sum of each window of x [n c d h w]; padding is 0."
  (total-entry 3 [[[:sum-pool3d {:window 2} (cube 2)] [[[[[28.0]]]]]]]))

(define! :avg-pool1d
  "The mean of each window along the last axis of x [n c w]; see avg-pool2d."
  (mean-entry 1 [[[:avg-pool1d {:window 2} (counted 4)] [[[0.5 2.5]]]]
                 [[:avg-pool1d {:window 2, :padding 1} (counted 2)] [[[0.0 1.0]]]]]))

(define! :avg-pool2d
  "The mean of each window of x [n c h w], of the elements of x in it; with :count-padding true of
  the zeros around it too."
  (mean-entry 2 [[[:avg-pool2d {:window 2} (square 2)] [[[[1.5]]]]]]))

(define! :avg-pool3d
  "The mean of each window of x [n c d h w]; see avg-pool2d."
  (mean-entry 3 [[[:avg-pool3d {:window 2} (cube 2)] [[[[[3.5]]]]]]]))
