(ns damo.ops.move.mask
  "What a mask chooses: the positions of its true elements, the slices at them. How many there are
  is known when they are counted, during a call; the dim of the result is named by :as. Equal masks
  have equal names, so that x[mask] + y[mask] has a type."
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.move.view :as view]))

(set! *warn-on-reflection* true)

(def ^:private as-attr
  {:default nil, :is :counted
   :doc (str "the dim that the number of results is: a new symbol; nil: one named after the"
             " argument. A dim that is known otherwise is checked against the number")})

(defn- check-as [{:keys [as]}]
  (typing/check-shape [as]))

(defn- truths
  "The positions of the elements of an array that are not 0, false."
  [a]
  (filterv #(let [x (array/element a %)] (not (or (false? x) (and (number? x) (zero? x)))))
           (range (array/size (:shape a)))))

(def ^:private mask-count
  "How the ops here count: the true elements of their first argument."
  {:of "count", :by [0]
   :dims (fn [{{:keys [as]} :attrs, [[_ shape]] :types}] {as (type/size shape)})})

(defn- random-mask [{:keys [dtype] :as ctx} shape]
  (gens/random-array ctx dtype shape [-1 1]))

(defop flatnonzero
  "The positions of the elements that are true, or not 0, in row-major order, a vector of :i64. Its
  length is counted during the call; :as names it."
  {:kind :nest, :args [?x], :attrs {:as as-attr}, :nest :nonzero
   :type (fn [{:keys [as] :as attrs} _] (check-as attrs) [:i64 [as]])
   :counts mask-count
   :eval (fn [_ x] (let [found (truths x)] (array/of :i64 [(count found)] found)))
   :expand (fn [{:keys [attrs], [[dtype shape]] :types}]
             (when-not (and (= dtype :bool) (= 1 (count shape)))
               [:flatnonzero attrs
                [:reshape {:shape [(type/size shape)]} (if (= dtype :bool) ?x [:ne ?x 0])]]))
   :lop [0], :rop 0
   :failure "the true elements are as many as the dimension :as"
   :gen (fn [{:keys [size] :as ctx}]
          {:attrs {}, :args [(random-mask ctx (gens/variant ctx [[size] [2 size] []]))]})
   :examples [[[:flatnonzero {:as 'k} [:mod [:iota {:shape [5] :axis 0}] 2]] [1 3]]]})

;; ## compress

(defn- mask-axis
  "The attributes with the axis of x that the mask runs along, counted from the front."
  [{:keys [axis] :as attrs} [_ [_ shape]]]
  (assoc attrs :axis (type/axis-index (count shape) axis)))

(defn- compressed-type [attrs [[kind mask] [dtype shape] :as types]]
  (let [{:keys [axis as]} (mask-axis attrs types)]
    (typing/check-dtype :bool kind)
    (check-as attrs)
    (when-not (= 1 (count mask))
      (fail! :damo.op.select/bad-mask
             (str "a mask of slices has one axis; its shape is " (pr-str mask))
             {:shape mask}))
    (type/unify-dims (str "the mask is as long as axis " axis " of x") (first mask)
                     (nth shape axis))
    [dtype (assoc shape axis as)]))

(defn- compressed [{:keys [axis]} mask {:keys [dtype shape] :as x}]
  (let [found (truths mask)]
    (array/from-indices dtype (assoc shape axis (count found))
                        (fn [index] (array/at x (update index axis found))))))

(defop compress
  "The slices of x along an axis for which the mask, a vector of booleans, is true: [… n …] and [n]
  give [… k …]. k is counted during the call; :as names it, by default after the mask."
  {:kind :composite, :args [?mask ?x]
   :attrs {:axis {:default 0, :is :positions, :doc "the axis of x that the mask runs along"}
           :as as-attr}
   :normalize mask-axis, :type compressed-type
   :counts mask-count
   :eval compressed
   :expand (fn [{{:keys [axis as]} :attrs}]
             [:take {:axis axis} ?x [:flatnonzero {:as as} ?mask]])
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[shape axis] (gens/variant ctx [[[size] 0] [[size 3] 0] [[2 size] -1]])]
            {:attrs {:axis axis}
             :args [(gens/random-array ctx :bool [size]) (gens/random-array ctx dtype shape)]}))
   :examples [[[:compress {:as 'k} [:gt [:iota {:shape [4] :axis 0}] 1]
                [:iota {:shape [4] :axis 0}]]
               [2 3]]]})

;; ## Distinct values

(defn- distinct-values
  "The sorted distinct elements of an array; all NaN are one."
  [x]
  (let [nan? #(and (float? %) (Double/isNaN %))
        xs (distinct (map #(if (and (float? %) (zero? %)) 0.0 %) (remove nan? (array/values x))))]
    (concat (sort xs) (take 1 (filter nan? (array/values x))))))

(defn- new-values
  "The template of the mask of the elements of s, a sorted vector of that dtype and length, that
  differ from the one before."
  [dtype n s]
  (let [i [:iota {:shape [n], :axis 0}], before [:take {:axis 0} s [:maximum 0 [:sub i 1]]]
        changes [:ne s before]]
    [:logical-or [:eq i 0]
     (if (type/float-dtype? dtype)
       [:logical-and changes [:logical-not [:logical-and [:isnan s] [:isnan before]]]]
       changes)]))

(def ^:private distinct-count
  (assoc mask-count :of "distinct"
         :dims (fn [{{:keys [as]} :attrs, [[_ shape]] :types}] {as (type/size shape)})))

(defn- distinct-cases [{:keys [dtype size] :as ctx}]
  (let [shape (gens/variant ctx [[size] [2 size] []])]
    {:attrs {}
     ;; the derivative wants no ties
     :args [(cond->> (gens/random-array ctx dtype shape)
              (= dtype :f32) (vector)
              (= dtype :f32) (array/map-elements dtype #(Math/rint %)))]}))

(defop unique
  "The sorted distinct elements of x, a vector; all NaN count as one, which comes last. Their number
  is counted during the call; :as names it. The derivative goes to the first of equal elements."
  {:kind :composite, :args [?x], :attrs {:as as-attr}
   :type (fn [{:keys [as] :as attrs} [[dtype]]] (check-as attrs) [dtype [as]])
   :counts distinct-count
   :eval (fn [_ {:keys [dtype] :as x}]
           (let [found (distinct-values x)] (array/of dtype [(count found)] found)))
   :expand (fn [{:keys [attrs], [[dtype shape]] :types}]
             (let [n (type/size shape), s [:sort {:axis 0} [:reshape {:shape [n]} ?x]]]
               [:compress (assoc attrs :axis 0) (new-values dtype n s) s]))
   :gen distinct-cases
   :examples [[[:unique {:as 'k} [:mod [:iota {:shape [5] :axis 0}] 3]] [0 1 2]]]})

(defn- all-of-distinct [_ {:keys [dtype shape] :as x}]
  (let [found (vec (distinct-values x)), n (count found)
        equal? (fn [a b] (or (= a b) (and (number? a) (number? b)
                                          (or (== a b) (and (NaN? a) (NaN? b))))))
        place (fn [v] (first (filter #(equal? v (found %)) (range n))))
        places (mapv place (array/values x))]
    [(array/of dtype [n] found)
     (array/of :i64 [n] (mapv #(get (frequencies places) % 0) (range n)))
     (array/of :i64 shape places)]))

(defn- distinct-results
  "The template of the distinct elements, of how often each occurs, and of their places for x:
  sorted elements are new where they differ from the one before."
  [{{:keys [as]} :attrs, [[dtype shape]] :types}]
  (let [n (type/size shape)
        both [:sort-and-argsort {:axis 0} [:reshape {:shape [n]} '?x]]
        s [:part {:at 0} both]
        firsts [:flatnonzero {:as as} (new-values dtype n s)]
        i [:iota {:shape [as], :axis 0}], last-one [:sub [:dim {:dim as}] 1]
        next-firsts [:where [:eq i last-one] [:dim {:dim n}]
                     [:take {:axis 0} firsts [:minimum [:add i 1] last-one]]]
        numbers [:sub [:cumsum {:axis 0} [:cast {:dtype :i64} (new-values dtype n s)]] 1]
        back [:inverse-permutation {:axis 0} [:part {:at 1} both]]]
    [:tuple [:take {:axis 0} s firsts]
     [:sub next-firsts firsts]
     [:reshape {:shape shape} [:take {:axis 0} numbers back]]]))

(op/register!
 {:name :unique-all, :kind :composite, :ns 'damo.ops.move.mask, :args '[?x]
  :attrs {:as as-attr}, :internal "d/unique-all"
  :type (fn [{:keys [as] :as attrs} [[dtype shape]]]
          (check-as attrs)
          (tuple/of [[dtype [as]] [:i64 [as]] [:i64 shape]]))
  :counts distinct-count
  :eval all-of-distinct, :expand distinct-results
  :alone (fn [{:keys [attrs]}] [[:unique attrs '?x] nil nil])
  :gen distinct-cases
  :examples (let [call [:unique-all {:as 'k} [:mod [:iota {:shape [5] :axis 0}] 3]]]
              [[[:part {:at 0} call] [0 1 2]] [[:part {:at 1} call] [2 2 1]]
               [[:part {:at 2} call] [0 1 2 0 1]]])
  :doc "The distinct elements of x, how often each occurs, and where each element of x stands among
  them."})

(defop counted-with
  "x itself, together with y, which counts a dim that x mentions: ones of the shape [k] alone do not
  tell k. Derivatives are made of it where nothing else keeps y."
  {:internal true
   :kind :composite, :args [?x ?y]
   :type (fn [_ [x _]] x)
   :eval (fn [_ x _] x)
   :linear-in #{0}, :transpose [?g nil]
   :no-gradient {1 {:disconnected "it only tells a dim"}}
   :expand (fn [_] '?x)
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {}, :args [(gens/random-array ctx dtype [size])
                             (array/full :bool [size] true)]})
   :examples [[[:counted-with 2.5 [:flatnonzero {:as 'k} true]] 2.5]]})

;; ## Functions of expressions

(def ^:private as-option {:as as-attr})

(defn unique-all
  "{:values :counts :inverse} of the distinct elements of x: themselves, sorted, as `unique` gives
  them, how often each occurs, and for each element of x where it stands among them."
  [x & options]
  (let [{:keys [as]} (attribute/options as-option [] options)]
    (zipmap [:values :counts :inverse]
            (op/results (op/node :unique-all {:as as} [(expr/whole x)])))))

(defn nonzero
  "The indices of the elements of x that are true, or not 0, in row-major order: a vector with one
  vector of :i64 an axis. (take (flatten x) (flatnonzero x)) are these elements."
  [x & options]
  (let [{:keys [as]} (attribute/options as-option [] options)
        x (expr/whole x), shape (expr/shape-of x)
        flat (flatnonzero x :as as)
        divided (fn [e op d]
                  (op/node op {} [e (if (integer? d) d (op/node :dim {:dim d} []))]))]
    (vec (map-indexed (fn [axis stride]
                        (cond-> flat
                          (not= 1 stride) (divided :int-div stride)
                          (pos? axis) (divided :mod (nth shape axis))))
                      (array/strides shape)))))

(defn masked
  "The elements of x, or its slices along further axes, at the true elements of a mask of booleans
  whose shape is that of the first axes of x: NumPy's x[mask], of the shape [k …]."
  [x mask & options]
  (let [{:keys [as]} (attribute/options as-option [] options)
        x (expr/whole x), mask (expr/whole mask)
        rank (count (expr/shape-of mask))]
    (when-not (<= 1 rank (count (expr/shape-of x)))
      (fail! :damo.op.select/bad-mask
             (str "a mask has at least one axis and no more than x; the mask is "
              (pr-str (expr/type-of mask)) ", x " (pr-str (expr/type-of x)))
             {:mask (expr/type-of mask), :x (expr/type-of x)}))
    (typing/unify-shapes "the mask has the shape of the first axes of x" (expr/shape-of mask)
                         (subvec (expr/shape-of x) 0 rank))
    (if (= 1 rank)
      (compress mask x :as as)
      (let [n (type/size (expr/shape-of mask))]
        (compress (view/reshape mask :shape [n])
                  (view/reshape x :shape (into [n] (subvec (expr/shape-of x) rank)))
                  :as as)))))
