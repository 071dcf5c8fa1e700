(ns damo.ops.fold.cumulative
  "What runs along an axis: sums, products, extremes and log-sum-exps of all elements so far, the
  linear recurrence behind their derivatives, differences. Each is one loop over the elements.
  Integers are summed and multiplied in :i64, :f32 in :f64. (cumsum [1 2 3]) = [1 3 6].

  The derivatives are recurrences again. The one of h_i = a_i·h_(i-1) + b_i pulls g back to
  λ_i = g_i + a_(i+1)·λ_(i+1), the gradient by b, and λ_i·h_(i-1), the gradient by a. So derivatives
  of any order exist, and none divides by an element."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.move.slice :as slice]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private reverse-attr
  {:default false, :doc "true: from the last element to the first"})

(def ^:private attributes
  {:axis {:default nil, :is :axis-or-all
          :doc "the axis to run along; nil: all elements, in row-major order"}
   :reverse reverse-attr})

(def ^:private one-axis
  {:axis {:default -1, :is :axis, :doc "the axis to run along"}, :reverse reverse-attr})

(defn- rule
  "The type rule for dtypes in `group`; `result` gives the dtype of the result."
  [group result]
  (fn [{:keys [axis]} [[dtype shape]]]
    (typing/check-dtype group dtype)
    [(result dtype) (if axis shape [(type/size shape)])]))

;; ## Meaning

(defn- running
  "The :eval of an op that runs along lines: the results of `step`, a function of what was
  accumulated and one element of each argument, from (init attrs dtype). With `:before` the result
  is what was accumulated before the element."
  [result init step & [before]]
  (fn [{:keys [axis reverse] :as attrs} & arrays]
    (let [dtype (result (:dtype (first arrays)))
          order (if reverse rseq seq)
          line (fn [& lines]
                 (let [all (reductions step (init attrs dtype)
                                       (apply map vector (map order lines)))]
                   (order (vec (if before (butlast all) (rest all))))))
          flat #(if axis % (array/reshape % [(array/size (:shape %))]))]
      (array/map-lines dtype line (map flat arrays) (or axis 0)))))

(defn- folding
  "The step that combines what was accumulated with the element, as numbers."
  [f]
  (fn [acc [x]] (f acc (scalar/number x))))

;; ## Templates
;; With :axis nil an op runs along the elements as one line: `line` makes one of an operand,
;; `unline` gives a gradient the shape of the operand again.

(defn- along
  "The attributes of an op that runs along the line of a node, in its direction or against it."
  [{{:keys [axis reverse]} :attrs} direction]
  {:axis (or axis 0), :reverse (= direction (if reverse :with :against))})

(defn- line [{{:keys [axis]} :attrs, [[_ shape]] :types} t]
  (if axis t [:reshape {:shape [(type/size shape)]} t]))

(defn- unline [{{:keys [axis]} :attrs, [[_ shape]] :types} t]
  (if axis t [:reshape {:shape shape} t]))

(defn- along-one-axis
  "The :expand that leaves the kind with one axis."
  [op]
  (fn [{:keys [attrs] :as node}]
    (when-not (:axis attrs) [op (assoc attrs :axis 0) (line node '?x)])))

(defn- before
  "The template of t moved on by one element along the line, `fill` in front."
  [node t fill]
  [:shift (assoc (along node :with) :fill fill) t])

(defn- pulled-back
  "The template of λ with λ_i = g_i + a_(i+1)·λ_(i+1), for the templates a and g."
  [node a g]
  (let [against (along node :against)]
    [:linear-recurrence against [:shift (assoc against :fill 0) a] g]))

(def ^:private generator
  (gens/on-shapes (fn [n] [[{:axis nil} [n]] [{:axis 0, :reverse true} [n 3]] [{:axis -1} [2 n]]
                           [{:axis 1} [2 n 3]] [{:axis nil, :reverse true} [2 n]]
                           [{:axis 0} [3 n]] [{:axis nil} []] [{:axis 1, :reverse true} [n 3 1]]
                           [{:axis -1, :reverse true} [3 n]]])))

;; ## The recurrence

(defop shift
  "x moved on by one element along the axis, :fill in front: [1 2 3] gives [0 1 2]; with :reverse
  back by one, :fill at the end."
  {:kind :cumulate, :args [?x]
   :attrs (assoc one-axis :fill {:default 0, :doc "the number that moves in"})
   :type (rule :any identity)
   :eval (running identity (fn [{:keys [fill]} _] fill) (fn [_ [x]] x) :before)
   :lop (fn [node] [[:shift (assoc (along node :against) :fill 0) ?g]])
   :rop (fn [{:keys [attrs]}] [:shift (assoc attrs :fill 0) ?dx])
   :step ?x, :init (fn [{:keys [fill]} _] fill), :before true
   :gen (gens/with-choices
         (gens/on-shapes (fn [n] [[{:axis 0} [n]] [{:axis 0, :reverse true} [n 3]]
                                  [{:axis -1} [2 n]] [{:axis 1, :reverse true} [2 n 3]]]))
         :fill [0 1])
   :examples [[[:shift [:iota {:shape [3] :axis 0}]] [0 0 1]]
              [[:shift {:reverse true, :fill 7} [:iota {:shape [3] :axis 0}]] [1 2 7]]]})

(defn- zero-of [_ dtype] (if (type/float-dtype? dtype) 0.0 0))

(defn- recurrence-rule [_ [[dtype a] [_ b]]]
  (typing/check-dtype :float dtype)
  [dtype (typing/unify-shapes "the factors and the terms must have one shape" a b)])

(defop linear-recurrence
  "h with h_i = a_i·h_(i-1) + b_i along the axis, where h_(-1) = 0; a and b have one shape. An
  exponential moving average has a = 1 - k and b = k·x."
  {:kind :cumulate, :args [?a ?b], :coerce [0 1], :attrs one-axis
   :type recurrence-rule
   :eval (running identity zero-of (fn [h [a b]] (+ (* h a) b)))
   :lop (fn [node]
          (let [back (pulled-back node ?a ?g)] [[:mul back (before node ?out 0)] back]))
   :rop (fn [{:keys [attrs] :as node}]
          [:linear-recurrence attrs ?a [:add ?db [:mul ?da (before node ?out 0)]]])
   :step [:add [:mul ?acc ?a] ?b], :init zero-of, :wide true
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[attrs shape] (gens/variant ctx [[{:axis 0} [size]] [{:reverse true} [2 size]]
                                                 [{:axis 0} [size 3]] [{:axis 1} [2 size 3]]])]
            {:attrs attrs, :args [(gens/random-array ctx dtype shape [-0.9 0.9])
                                  (gens/random-array ctx dtype shape)]}))
   :examples [[[:linear-recurrence [:mul 0.5 [:ones {:shape [3]}]] [:ones {:shape [3]}]]
               [1.0 1.5 1.75]]]})

;; ## Sums and products

(defop cumsum
  "The sums of the elements up to each one, along an axis."
  {:kind :cumulate, :args [?x], :attrs attributes
   :call-attrs typing/accumulation, :instead (typing/accumulating :cumsum typing/accumulator)
   :type (rule :any typing/accumulator)
   :eval (running typing/accumulator zero-of (folding (scalar/by-kind + unchecked-add)))
   :linear-in #{0}
   :transpose (fn [node] [(unline node [:cumsum (along node :against) ?g])])
   :expand (along-one-axis :cumsum)
   :step [:add ?acc ?x], :init zero-of, :wide true
   :gen generator
   :examples [[[:cumsum [:add 1 [:iota {:shape [3] :axis 0}]]] [1 3 6]]
              [[:cumsum {:reverse true} [:add 1 [:iota {:shape [3] :axis 0}]]] [6 5 3]]]})

(defn- one-of [_ dtype] (if (type/float-dtype? dtype) 1.0 1))

(defn- product-before
  "The template of the products of the elements before each one."
  [node]
  [:cumprod (along node :with) (before node (line node '?x) 1)])

(defop cumprod
  "The products of the elements up to each one, along an axis. Its derivatives are right where
  elements are 0."
  {:kind :cumulate, :args [?x], :attrs attributes
   :call-attrs typing/accumulation, :instead (typing/accumulating :cumprod typing/accumulator)
   :type (rule :any typing/accumulator)
   :eval (running typing/accumulator one-of (folding (scalar/by-kind * unchecked-multiply)))
   :lop (fn [node]
          [(unline node [:mul (product-before node) (pulled-back node (line node ?x) ?g)])])
   :rop (fn [node]
          [:linear-recurrence (along node :with) (line node ?x)
           [:mul (product-before node) (line node ?dx)]])
   :expand (along-one-axis :cumprod)
   :step [:mul ?acc ?x], :init one-of, :wide true
   :gen generator
   :examples [[[:cumprod [:add 1 [:iota {:shape [4] :axis 0}]]] [1 2 6 24]]]})

;; ## Extremes

(defn- new-extreme
  "The template of a :bool array: does the element become the extreme (the first of equals does)?
  `keeps` is the comparison with the extreme before it under which it does not."
  [keeps {{:keys [axis]} :attrs, [_ shape] :type :as node}]
  (let [{:keys [axis reverse] :as attrs} (along node :with)
        n (nth shape axis)
        first-one [:eq [:iota {:shape shape, :axis axis}]
                   (if reverse [:sub [:dim {:dim n}] 1] 0)]]
    [:logical-or first-one
     [:logical-not [keeps (line node '?x) [:shift (assoc attrs :fill 0) '?out]]]]))

(defn- carried
  "The template of 1 where the extreme stays, 0 where the element becomes it."
  [keeps {[dtype _] :type :as node}]
  [:cast {:dtype dtype} [:logical-not (new-extreme keeps node)]])

(defn- extreme-lop [keeps]
  (fn [node]
    (let [back (pulled-back node (carried keeps node) '?g)]
      [(unline node [:where (new-extreme keeps node) back 0])])))

(defn- extreme-rop [keeps]
  (fn [node]
    [:linear-recurrence (along node :with) (carried keeps node)
     [:where (new-extreme keeps node) (line node '?dx) 0]]))

(defop cummax
  "The largest of the elements up to each one, along an axis; NaN from the first NaN on. The first
  of equal elements takes the gradient."
  {:kind :cumulate, :args [?x], :attrs attributes, :type (rule :any identity)
   :eval (running identity (fn [_ dtype] (typing/lowest dtype)) (fn [m [x]] (scalar/maximum m x)))
   :lop (extreme-lop :le), :rop (extreme-rop :le)
   :expand (along-one-axis :cummax)
   :step [:maximum ?acc ?x], :init (fn [_ dtype] (typing/lowest dtype))
   :gen generator
   :examples [[[:cummax [:abs [:sub [:iota {:shape [5] :axis 0}] 2]]] [2 2 2 2 2]]]})

(defop cummin
  "The smallest of the elements up to each one, along an axis; NaN from the first NaN on. The first
  of equal elements takes the gradient."
  {:kind :cumulate, :args [?x], :attrs attributes, :type (rule :any identity)
   :eval (running identity (fn [_ dtype] (typing/highest dtype)) (fn [m [x]] (scalar/minimum m x)))
   :lop (extreme-lop :ge), :rop (extreme-rop :ge)
   :expand (along-one-axis :cummin)
   :step [:minimum ?acc ?x], :init (fn [_ dtype] (typing/highest dtype))
   :gen generator
   :examples [[[:cummin [:abs [:sub [:iota {:shape [5] :axis 0}] 2]]] [2 1 0 0 0]]]})

;; ## Log-sum-exp

(defn- share
  "The template of e^(t - out), the share of t in the sum; 0 where the sum is 0."
  [t]
  [:exp [:sub t [:where [:eq '?out ##-Inf] 0 '?out]]])

(defop cumlogsumexp
  "log Σ e^x of the elements up to each one, along an axis, without overflow. Where all so far are
  -∞ the derivative is 0."
  {:kind :cumulate, :args [?x], :attrs attributes
   :type (rule :float identity)
   :eval (running identity (constantly ##-Inf) (fn [l [x]] (scalar/logaddexp l x)))
   :lop (fn [node]
          (let [carried (share (before node ?out ##-Inf))]
            [(unline node [:mul (share (line node ?x)) (pulled-back node carried ?g)])]))
   :rop (fn [node]
          [:linear-recurrence (along node :with) (share (before node ?out ##-Inf))
           [:mul (share (line node ?x)) (line node ?dx)]])
   :expand (along-one-axis :cumlogsumexp)
   :slope-ulp "some ulp of the weights times |log Σ e^x|"
   :step [:select [:eq ?acc ?x]         ; also keeps ∞ - ∞ out of the other branch
          [:add ?acc (Math/log 2.0)]
          [:add [:maximum ?acc ?x] [:log1p [:exp [:neg [:abs [:sub ?acc ?x]]]]]]]
   :init (constantly ##-Inf), :wide true
   :sums {:to [:exp [:sub ?x ?top]], :from [:add ?top [:log ?sum]], :within 600.0}
   :gen generator
   :examples [[[:cumlogsumexp [:mul 1000.0 [:iota {:shape [3] :axis 0}]]] [0.0 1000.0 2000.0]]]})

;; ## Differences

(defn- shorter
  "The shape after one difference along the axis."
  [shape axis]
  (update shape axis #(type/dim-max 0 (type/signed+ % -1))))

(defn- diff-rule [{:keys [n axis]} [[dtype shape]]]
  (when-not (and (integer? n) (<= 0 n 64))
    (fail! :damo.op.cumulative/bad-order
           (str "the order :n of a difference is an integer from 0 to 64; got "
            (pr-str n))
           {:given n}))
  [dtype (nth (iterate #(shorter % axis) shape) n)])

(defn- difference
  "The array of the differences of neighbours along the axis; of booleans: whether they
  differ."
  [axis {:keys [dtype shape] :as x}]
  (let [minus (case (:kind (type/dtypes dtype)) :bool not=, :int unchecked-subtract, :float -)
        next-one (fn [index] (array/at x (update index axis inc)))]
    (array/from-indices dtype (shorter shape axis)
                        (fn [index] (minus (next-one index) (array/at x index))))))

(defop diff
  "The differences x_(i+1) - x_i of neighbours along an axis, taken :n times; each time the axis is
  one shorter. Of booleans: true where the neighbours differ."
  {:kind :composite, :args [?x]
   :attrs {:n {:default 1, :is :integer, :own-check true, :doc "how often differences are taken"}
           :axis {:default -1, :is :axis, :doc "the axis to take differences along"}}
   :type diff-rule
   :eval (fn [{:keys [n axis]} x] (nth (iterate #(difference axis %) x) n))
   :expand (fn [{{:keys [n axis]} :attrs, [[dtype shape]] :types}]
             (let [minus (if (= dtype :bool) :ne :sub)
                   cut (fn [t shape start stop]
                         [:slice (assoc (slice/written-bounds (nth shape axis) start stop 1)
                                        :axis axis) t])
                   minus-one (fn [[t shape]]
                               [[minus (cut t shape 1 nil) (cut t shape nil -1)]
                                (shorter shape axis)])]
               (if (= 0 n)
                 [:reshape {:shape shape} ?x]
                 (first (nth (iterate minus-one [?x shape]) n)))))
   :gen (gens/on-shapes (fn [n] [[{} [n]] [{:n 2} [3 (+ 2 n)]] [{:axis 0} [(inc n) 2]]
                                 [{:n 0} [n]]]))
   :examples [[[:diff [:sqr [:iota {:shape [4] :axis 0}]]] [1 3 5]]
              [[:diff {:n 2} [:sqr [:iota {:shape [4] :axis 0}]]] [2 2]]]})
