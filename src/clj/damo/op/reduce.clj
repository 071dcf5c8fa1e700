(ns damo.op.reduce
  "Reductions over axes: :axis nil (all), an axis or a vector; :keepdims keeps them with extent 1.
  Integers and booleans are summed and multiplied in :i64."
  (:refer-clojure :exclude [max min])
  (:require [damo.array :as array]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.scalar :as scalar]
            [damo.op.typing :as typing]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:axis {:default nil, :doc "the axis or axes to reduce; nil: all"}
   :keepdims {:default false, :doc "true: reduced axes stay, with extent 1"}})

(defn- rule
  "The type rule of a reduction of dtypes in `group`; `result` gives the dtype of the result."
  [group result]
  (fn [{:keys [axis keepdims]} [[dtype shape]]]
    (typing/check-dtype group dtype)
    [(result dtype)
     (array/reduced-shape shape (type/axis-indices (count shape) axis) keepdims)]))

(defn- meaning
  "The :eval of a reduction: `f` of the elements that fall together, as an element of (result
  dtype)."
  [result f]
  (fn [{:keys [axis keepdims]} {:keys [dtype] :as x}]
    (array/reduce-axes (result dtype) f x axis keepdims)))

(defn- in-accumulator
  "The :expand of a reduction that works in the accumulator's dtype: a cast in front where needed."
  [op]
  (fn [{:keys [attrs types]}]
    (let [dtype (type/dtype-of (first types)), wide (typing/accumulator dtype)]
      (when-not (= dtype wide) [op attrs [:cast {:dtype wide} '?x]]))))

;; ## Sums and products

(def ^:private add (scalar/by-kind + unchecked-add))
(def ^:private multiply (scalar/by-kind * unchecked-multiply))

(defn- folding
  "The function of a vector of elements that folds them as numbers from init."
  [f init]
  (fn [xs] (if (seq xs) (reduce f (map scalar/number xs)) init)))

(defop sum
  "The sum over the axes; 0 over no elements."
  {:kind :reduce, :args [?x], :attrs attributes,
   :call-attrs typing/accumulation, :instead (typing/accumulating :sum typing/accumulator)
   :normalize typing/normal-axes
   :type (rule :any typing/accumulator)
   :eval (meaning typing/accumulator (folding add 0))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs types]}]
                [[:broadcast-to {:shape (type/shape-of (first types))}
                  (typing/keep-axes attrs ?g)]])
   :combine :add, :init (constantly 0), :expand (in-accumulator :sum)
   :gen gens/reduction
   :examples [[[:sum [:iota {:shape [4] :axis 0 :dtype :f32}]] 6.0]]})

(defn- other-factors
  "The template of ∂prod/∂x: the product of the other elements, right also where some are 0."
  [{:keys [axis]} dtype]
  (let [over {:axis axis, :keepdims true}
        zero [:eq '?x 0]
        nonzero [:where zero 1 '?x]
        zeros [:sum over [:cast {:dtype dtype} zero]]
        product [:prod over nonzero]]
    [:where zero
     [:where [:eq zeros 1] product 0]
     [:where [:eq zeros 0] [:div product nonzero] 0]]))

(defop prod
  "The product over the axes; 1 over no elements. Its derivative is right where elements are 0, its
  second derivative is not."
  {:kind :reduce, :args [?x], :attrs attributes,
   :call-attrs typing/accumulation, :instead (typing/accumulating :prod typing/accumulator)
   :normalize typing/normal-axes
   :type (rule :any typing/accumulator)
   :eval (meaning typing/accumulator (folding multiply 1))
   :lop (fn [{:keys [attrs type]}]
          [[:mul (typing/keep-axes attrs ?g) (other-factors attrs (type/dtype-of type))]])
   :rop (fn [{:keys [attrs type]}]
          [:sum attrs [:mul ?dx (other-factors attrs (type/dtype-of type))]])
   :combine :mul, :init (constantly 1), :expand (in-accumulator :prod)
   :gen gens/reduction
   :examples [[[:prod [:add 1 [:iota {:shape [4] :axis 0 :dtype :f32}]]] 24.0]]})

;; ## Extremes

(defn- nonempty-rule
  "The type rule of a reduction that has no value over no elements."
  [{:keys [axis] :as attrs} [[_ shape] :as types]]
  (typing/check-nonempty shape (type/axis-indices (count shape) axis))
  ((rule :any identity) attrs types))

(defn- extreme
  "The function that folds a vector of elements with f; fails on an empty one."
  [f]
  (typing/choosing #(reduce f %)))

(defn- lowest [dtype]
  (case (:kind (type/dtypes dtype)) :float ##-Inf, :int (:lo (type/dtypes dtype)), :bool false))

(defn- highest [dtype]
  (case (:kind (type/dtypes dtype)) :float ##Inf, :int (:hi (type/dtypes dtype)), :bool true))

(defn- chosen
  "The template that is t where x equals the extreme, else 0: every tie counts."
  [attrs t]
  [:where [:eq '?x (typing/keep-axes attrs '?out)] t 0])

(defop max
  "The largest element over the axes, NaN if there is one; fails over no elements. All elements
  that are equal to it take the whole gradient."
  {:kind :reduce, :args [?x], :attrs attributes, :normalize typing/normal-axes
   :type nonempty-rule, :eval (meaning identity (extreme scalar/maximum))
   :lop (fn [{:keys [attrs]}] [(chosen attrs (typing/keep-axes attrs ?g))])
   :rop (fn [{:keys [attrs]}] [:sum attrs (chosen attrs ?dx)])
   :combine :maximum, :init lowest, :nonempty true
   :gen gens/reduction
   :examples [[[:max [:iota {:shape [4] :axis 0 :dtype :f32}]] 3.0]]})

(defop min
  "The smallest element over the axes, NaN if there is one; fails over no elements. All elements
  that are equal to it take the whole gradient."
  {:kind :reduce, :args [?x], :attrs attributes, :normalize typing/normal-axes
   :type nonempty-rule, :eval (meaning identity (extreme scalar/minimum))
   :lop (fn [{:keys [attrs]}] [(chosen attrs (typing/keep-axes attrs ?g))])
   :rop (fn [{:keys [attrs]}] [:sum attrs (chosen attrs ?dx)])
   :combine :minimum, :init highest, :nonempty true
   :gen gens/reduction
   :examples [[[:min [:iota {:shape [4] :axis 0 :dtype :f32}]] 0.0]]})

;; ## Truth

(defn- of-truths
  "The :expand of a reduction of booleans: other dtypes are compared with 0 first."
  [op]
  (fn [{:keys [attrs types]}]
    (when-not (= :bool (type/dtype-of (first types))) [op attrs [:cast {:dtype :bool} '?x]])))

(defop any
  "Is any element over the axes true (not 0)? False over no elements."
  {:kind :reduce, :args [?x], :attrs attributes, :normalize typing/normal-axes
   :type (rule :any (constantly :bool))
   :eval (meaning (constantly :bool) #(boolean (some scalar/truth %)))
   :lop [0], :rop 0
   :combine :or, :init (constantly false), :expand (of-truths :any)
   :gen gens/reduction
   :examples [[[:any [:iota {:shape [2] :axis 0}]] true]]})

(defop all
  "Are all elements over the axes true (not 0)? True over no elements."
  {:kind :reduce, :args [?x], :attrs attributes, :normalize typing/normal-axes
   :type (rule :any (constantly :bool))
   :eval (meaning (constantly :bool) #(every? scalar/truth %))
   :lop [0], :rop 0
   :combine :and, :init (constantly true), :expand (of-truths :all)
   :gen gens/reduction
   :examples [[[:all [:iota {:shape [2] :axis 0}]] false]]})
