(ns damo.ops.fold.reduce
  "Reductions over axes: :axis nil (all), an axis or a vector; :keepdims keeps them with extent 1.
  Integers and booleans are summed and multiplied in :i64."
  (:refer-clojure :exclude [max min])
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

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
   :type (rule :any typing/accumulator)
   :eval (meaning typing/accumulator (folding add 0))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs types]}]
                [[:broadcast-to {:shape (type/shape-of (first types))}
                  (typing/keep-axes attrs ?g)]])
   :combine :add, :init (constantly 0), :expand (in-accumulator :sum)
   :gen gens/reduction
   :examples [[[:sum [:iota {:shape [4] :axis 0 :dtype :f32}]] 6.0]]})

(defn- last-in-line
  "[order flat kept]: the axes of the shape in the order that puts the reduced ones last, the shape
  with these as one axis, and the shape in that order."
  [axis shape]
  (let [others (vec (remove (set axis) (range (count shape))))]
    [(into others axis) (conj (mapv shape others) (type/size (map shape axis)))
     (mapv shape (into others axis))]))

(defn- products-of-others
  "The template of the products of the other elements on a line, for the template x of lines along
  an axis: those before times those behind. No quotient, so right where elements are 0, and so are
  its derivatives."
  [axis x]
  (let [side (fn [reverse] [:cumprod {:axis axis, :reverse reverse}
                            [:shift {:axis axis, :reverse reverse, :fill 1} x]])]
    [:mul (side false) (side true)]))

(defn- other-factors
  "The template of ∂prod/∂x. Products run in :f64, where those of few elements do not overflow."
  [{{:keys [axis]} :attrs, [[from shape]] :types, [dtype] :type}]
  (let [x (typing/as-dtype :f64 from '?x)
        [order flat kept] (last-in-line axis shape)
        back (mapv second (sort (map vector order (range))))]
    (typing/as-dtype
     dtype :f64
     (if (= 1 (count axis))
       (products-of-others (first axis) x)
       [:transpose {:axes back}
        [:reshape {:shape kept}
         (products-of-others (dec (count flat))
                             [:reshape {:shape flat} [:transpose {:axes order} x]])]]))))

(defop prod
  "The product over the axes; 1 over no elements. Its derivatives of all orders are right where
  elements are 0."
  {:kind :reduce, :args [?x], :attrs attributes,
   :call-attrs typing/accumulation, :instead (typing/accumulating :prod typing/accumulator)
   :type (rule :any typing/accumulator)
   :eval (meaning typing/accumulator (folding multiply 1))
   :lop (fn [{:keys [attrs] :as node}]
          [[:mul (typing/keep-axes attrs ?g) (other-factors node)]])
   :rop (fn [{:keys [attrs] :as node}] [:sum attrs [:mul ?dx (other-factors node)]])
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

(defn- chosen
  "The template that is t where x equals the extreme, else 0: every tie counts."
  [attrs t]
  [:where [:eq '?x (typing/keep-axes attrs '?out)] t 0])

(defop max
  "The largest element over the axes, NaN if there is one; fails over no elements. All elements
  that are equal to it take the whole gradient."
  {:kind :reduce, :args [?x], :attrs attributes
   :type nonempty-rule, :eval (meaning identity (extreme scalar/maximum))
   :lop (fn [{:keys [attrs]}] [(chosen attrs (typing/keep-axes attrs ?g))])
   :rop (fn [{:keys [attrs]}] [:sum attrs (chosen attrs ?dx)])
   :combine :maximum, :init typing/lowest, :nonempty true
   :gen gens/reduction
   :examples [[[:max [:iota {:shape [4] :axis 0 :dtype :f32}]] 3.0]]})

(defop min
  "The smallest element over the axes, NaN if there is one; fails over no elements. All elements
  that are equal to it take the whole gradient."
  {:kind :reduce, :args [?x], :attrs attributes
   :type nonempty-rule, :eval (meaning identity (extreme scalar/minimum))
   :lop (fn [{:keys [attrs]}] [(chosen attrs (typing/keep-axes attrs ?g))])
   :rop (fn [{:keys [attrs]}] [:sum attrs (chosen attrs ?dx)])
   :combine :minimum, :init typing/highest, :nonempty true
   :gen gens/reduction
   :examples [[[:min [:iota {:shape [4] :axis 0 :dtype :f32}]] 0.0]]})

(defop ptp
  "Peak to peak: the largest minus the smallest element over the axes; integers wrap. Fails over no
  elements."
  {:kind :composite, :args [?x], :attrs attributes
   :type (fn [attrs [[dtype] :as types]]
           (typing/check-dtype :num dtype)
           (nonempty-rule attrs types))
   :eval (meaning identity
                  (let [minus (scalar/by-kind - unchecked-subtract)]
                    (typing/choosing
                     #(minus (reduce scalar/maximum %) (reduce scalar/minimum %)))))
   :expand (fn [{:keys [attrs]}] [:sub [:max attrs ?x] [:min attrs ?x]])
   :gen gens/reduction
   :examples [[[:ptp [:add 3 [:iota {:shape [4] :axis 0}]]] 3]]})

;; ## Truth

(defn- of-truths
  "The :expand of a reduction of booleans: other dtypes are compared with 0 first."
  [op]
  (fn [{:keys [attrs types]}]
    (when-not (= :bool (type/dtype-of (first types))) [op attrs [:cast {:dtype :bool} '?x]])))

(defop any
  "Is any element over the axes true (not 0)? False over no elements."
  {:kind :reduce, :args [?x], :attrs attributes
   :type (rule :any (constantly :bool))
   :eval (meaning (constantly :bool) #(boolean (some scalar/truth %)))
   :lop [0], :rop 0
   :combine :or, :init (constantly false), :expand (of-truths :any)
   :gen gens/reduction
   :examples [[[:any [:iota {:shape [2] :axis 0}]] true]]})

(defop all
  "Are all elements over the axes true (not 0)? True over no elements."
  {:kind :reduce, :args [?x], :attrs attributes
   :type (rule :any (constantly :bool))
   :eval (meaning (constantly :bool) #(every? scalar/truth %))
   :lop [0], :rop 0
   :combine :and, :init (constantly true), :expand (of-truths :all)
   :gen gens/reduction
   :examples [[[:all [:iota {:shape [2] :axis 0}]] false]]})
