(ns damo.ops.fold.stats
  "Means, variances, norms and log-sum-exp over axes: reductions made of others. Integers give
  floats."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:axis {:default nil, :doc "the axis or axes to reduce; nil: all"}
   :keepdims {:default false, :doc "true: reduced axes stay, with extent 1"}})

(def ^:private with-ddof
  (assoc attributes :ddof {:default 0
                           :doc "subtracted from the number of elements in the divisor"}))

(defn- rule [{:keys [axis keepdims]} [[dtype shape]]]
  [(type/float-of dtype)
   (array/reduced-shape shape (type/axis-indices (count shape) axis) keepdims)])

(defn- meaning
  "The :eval of a reduction: (f xs attrs) of the elements that fall together, as doubles."
  [f]
  (fn [{:keys [axis keepdims] :as attrs} {:keys [dtype] :as x}]
    (let [wide (type/float-of dtype)]
      (array/reduce-axes wide #(f % attrs) (array/cast wide x) axis keepdims))))

(defn- over
  "The attributes of the inner reductions of a node."
  [attrs]
  (select-keys attrs [:axis :keepdims]))

(defn- kept [{:keys [axis]}]
  {:axis axis, :keepdims true})

;; Templates compute in `wide`, :f32 for :f16 and :bf16, whose range a sum or a number of elements
;; leaves soon; squares are summed in :f64, as they are for :f32 anyway, and nothing overflows.

(defn- wide [{[dtype] :type}]
  (type/computed dtype))

(defn- operand
  "The template of the argument as a float of that dtype."
  ([node] (operand node (wide node)))
  ([{[[from]] :types} dtype] (typing/as-dtype dtype from '?x)))

(defn- rounded
  "The template t, of that dtype, as the result."
  ([node t] (rounded node (wide node) t))
  ([{[dtype] :type} from t] (typing/as-dtype dtype from t)))

(defn- count-dim
  "The number of elements that fall together, a dim."
  [{:keys [attrs types]}]
  (type/size (map (type/shape-of (first types)) (:axis attrs))))

(defn- extent-of
  "The template of the number of elements that fall together."
  ([node] (extent-of node (wide node)))
  ([node dtype] (typing/count-of dtype [(count-dim node)])))

(defn- divisor-of-gradient
  "The template of the number of elements, at least 1: over no elements there is no gradient, and a
  quotient that is finite may move out of sums."
  [node]
  (typing/count-of (wide node) [(type/dim-max 1 (count-dim node))]))

;; ## Moments

(defn- mean-of ^double [xs]
  (/ (double (reduce + 0.0 xs)) (double (count xs))))

(defop mean
  "The arithmetic mean over the axes; NaN over no elements."
  {:kind :composite, :args [?x], :attrs attributes,
   :call-attrs typing/accumulation, :instead (typing/accumulating :mean type/float-of)
   :type rule
   :eval (meaning (fn [xs _] (mean-of xs)))
   :expand (fn [{:keys [attrs] :as node}]
             (rounded node [:div [:sum attrs (operand node)] (extent-of node)]))
   :linear-in #{0}
   :transpose (fn [{:keys [attrs types] :as node}]
                [[:broadcast-to {:shape (type/shape-of (first types))}
                  (typing/keep-axes attrs [:div ?g (divisor-of-gradient node)])]])
   :gen gens/reduction
   :examples [[[:mean [:iota {:shape [4] :axis 0}]] 1.5]]})

(defn- variance ^double [xs {:keys [ddof]}]
  (let [m (mean-of xs)]
    (/ (double (reduce + 0.0 (map (fn [^double x] (* (- x m) (- x m))) xs)))
       (- (count xs) (double ddof)))))

(defn- divisor [{{:keys [ddof]} :attrs :as node} dtype]
  (let [n (extent-of node dtype)] (if (= 0 ddof) n [:sub n ddof])))

(defn- deviation [{:keys [attrs] :as node} dtype]
  (let [x (operand node dtype)] [:sub x [:mean (kept attrs) x]]))

(defn- variance-template
  "The template of the variance in :f64."
  [{:keys [attrs] :as node}]
  [:div [:sum (over attrs) [:sqr (deviation node :f64)]] (divisor node :f64)])

(defop var
  "The variance over the axes: the sum of squared deviations from the mean, divided by n - :ddof."
  {:kind :composite, :args [?x], :attrs with-ddof,
   :call-attrs typing/accumulation, :instead (typing/accumulating :var type/float-of)
   :type rule
   :eval (meaning variance)
   :expand (fn [node] (rounded node :f64 (variance-template node)))
   :lop (fn [{:keys [attrs] :as node}]
          (let [d (wide node)]
            [[:mul (typing/keep-axes attrs [:div [:mul 2 ?g] (divisor node d)])
              (deviation node d)]]))
   :rop (fn [{:keys [attrs] :as node}]
          (let [d (wide node)]
            [:div [:mul 2 [:sum (over attrs) [:mul (deviation node d) ?dx]]] (divisor node d)]))
   :gen (gens/with-choices gens/reduction :ddof [0 0.5])
   :examples [[[:var [:iota {:shape [4] :axis 0}]] 1.25]
              [[:var {:ddof 1} [:iota {:shape [3] :axis 0}]] 1.0]]})

(defn- power-of-two ^double [k]
  (Math/scalb 1.0 (int k)))

(defn- root-of-squares
  "The template of √(Σ t² / d), where (sum t) is the template of a sum. Squares of :f64 leave its
  range where the root does not, so large, small and other elements are summed apart, the former two
  at scales of their own (Blue, A portable Fortran program to find the Euclidean norm of a vector,
  1978); those of narrower floats, when t is computed in :f64, leave nothing."
  [{[[from]] :types} sum t d]
  (let [total #(let [x (sum [:sqr %])] (if (= 1 d) x [:div x d]))
        [up down] [(power-of-two 600) (power-of-two -600)]
        down-twice (fn [x] [:mul down [:mul down x]])
        large? [:gt [:abs t] (power-of-two 400)], small? [:lt [:abs t] (power-of-two -400)]
        large (total [:mul down [:where large? t 0]])
        small (total [:mul up [:where small? t 0]])
        others (total [:where [:logical-or large? small?] 0 t])]
    (if (= from :f64)
      [:where [:gt large 0]
       [:mul up [:sqrt [:add large (down-twice others)]]]
       [:where [:eq others 0]
        [:mul down [:sqrt small]]
        [:sqrt [:add others (down-twice small)]]]]
      [:sqrt (total t)])))

(defn- euclidean
  "√Σ x² of doubles; the squares are taken of numbers of which the largest is near 1."
  ^double [xs]
  (let [largest (double (reduce scalar/maximum 0.0 (map abs xs)))
        k (if (and (pos? largest) (Double/isFinite largest)) (Math/getExponent largest) 0)
        square (fn [^double x] (let [y (Math/scalb x (int (- k)))] (* y y)))]
    (Math/scalb (Math/sqrt (reduce + 0.0 (map square xs))) (int k))))

(defn- alone-or
  "The template t where only one element falls together, else u."
  [node t u]
  (let [n (count-dim node)]
    (cond (= n 1) t
          (integer? n) u
          :else [:where [:eq (extent-of node) 1] t u])))

(defn- std-slope
  "The template of ∂std/∂x: deviation / (n·std), 0 where std is 0, as it always is of one element."
  [{:keys [attrs] :as node}]
  (let [d (wide node)]
    [:div [:xdivy (deviation node d) (alone-or node 1 (typing/keep-axes attrs '?out))]
     (divisor node d)]))

(defop std
  "The standard deviation over the axes, the root of var. Its derivative where it is 0 is 0, its
  second one is none there."
  {:kind :composite, :args [?x], :attrs with-ddof,
   :call-attrs typing/accumulation, :instead (typing/accumulating :std type/float-of)
   :type rule
   :eval (meaning (fn [xs {:keys [ddof]}]
                    (let [m (mean-of xs), n (- (count xs) (double ddof))
                          size (euclidean (map (fn [^double x] (- x m)) xs))]
                      (if (zero? size) (Math/sqrt (/ size n)) (/ size (Math/sqrt n))))))
   :expand (fn [{:keys [attrs] :as node}]
             (rounded node :f64
                      (root-of-squares node (fn [t] [:sum (over attrs) t])
                                       (deviation node :f64) (divisor node :f64))))
   :lop (fn [{:keys [attrs] :as node}] [[:mul (typing/keep-axes attrs ?g) (std-slope node)]])
   :rop (fn [{:keys [attrs] :as node}] [:sum (over attrs) [:mul (std-slope node) ?dx]])
   :gen (gens/with-choices gens/reduction :ddof [0 0.5])
   :examples [[[:std [:mul 2 [:iota {:shape [2] :axis 0}]]] 1.0]]})

;; ## Log-sum-exp

(defn- finite-max
  "The template of max(x) over the axes, kept; 0 where it is infinite or NaN, so that x - max is
  not NaN."
  [{:keys [attrs] :as node}]
  (let [m [:max (kept attrs) (operand node)]]
    [:where [:logical-or [:isinf m] [:isnan m]] 0 m]))

(defn- log-sum-exp ^double [xs]
  (let [m (double (reduce (fn [^double a ^double b] (Math/max a b)) ##-Inf xs))]
    (if (or (Double/isInfinite m) (Double/isNaN m))
      m
      (+ m (Math/log (reduce + 0.0 (map (fn [^double x] (Math/exp (- x m))) xs)))))))

(defn- nonempty-rule [{:keys [axis] :as attrs} [[_ shape] :as types]]
  (typing/check-nonempty shape (type/axis-indices (count shape) axis))
  (rule attrs types))

(defn- share-of-sum
  "The template of ∂logsumexp/∂x = e^(x - out), divided by its sum, which takes off what out is
  rounded by: 1e30 + log 3 is 1e30. 0 where the sum is 0."
  [{:keys [attrs] :as node}]
  (let [out (typing/keep-axes attrs '?out)
        e [:exp [:sub (operand node) [:where [:eq out ##-Inf] 0 out]]]
        total [:sum (kept attrs) e]]
    [:div e [:where [:eq total 0] 1 total]]))

(defop logsumexp
  "log Σ e^x over the axes, without overflow; fails over no elements. Where all are -∞ it is -∞,
  with the derivative 0."
  {:kind :composite, :args [?x], :attrs attributes
   :type nonempty-rule, :eval (meaning (fn [xs _] ((typing/choosing log-sum-exp) xs)))
   :expand (fn [{:keys [attrs type] :as node}]
             (let [m (finite-max node)]
               (rounded node
                        [:add [:log [:sum attrs [:exp [:sub (operand node) m]]]]
                         (if (:keepdims attrs) m [:reshape {:shape (type/shape-of type)} m])])))
   :lop (fn [{:keys [attrs] :as node}]
          [[:mul (typing/keep-axes attrs ?g) (share-of-sum node)]])
   :rop (fn [{:keys [attrs] :as node}] [:sum attrs [:mul (share-of-sum node) ?dx]])
   :gen gens/reduction
   :examples [[[:logsumexp [:broadcast-to {:shape [4]} 1000.0]] (+ 1000.0 (Math/log 4.0))]]})

;; ## Norms

(defop size-max
  "The largest element over the axes as a float, -Inf over no elements, where `max` has none."
  {:kind :reduce, :args [?x], :attrs attributes, :type rule
   :internal true
   :eval (meaning (fn [xs _] (reduce scalar/maximum ##-Inf xs)))
   :no-gradient "what is made of it has a derivative of its own"
   :combine :maximum, :init (constantly ##-Inf)
   :gen gens/reduction
   :examples [[[:size-max [:iota {:shape [3] :axis 0 :dtype :f64}]] 2.0]]})

(defn- usual-size
  "The largest size, or 1 when that is no number to divide by."
  ^double [^double largest]
  (if (and (pos? largest) (Double/isFinite largest)) largest 1.0))

(defn- norm-of [xs {:keys [ord]}]
  (let [sizes (map (fn [^double x] (Math/abs x)) xs)]
    (condp = ord
      0 (count (remove zero? xs))
      1 (reduce + 0.0 sizes)
      2 (euclidean xs)
      ##Inf ((typing/choosing #(reduce scalar/maximum %)) sizes)
      ##-Inf ((typing/choosing #(reduce scalar/minimum %)) sizes)
      (let [s (usual-size (reduce scalar/maximum 0.0 sizes))]
        (* s (Math/pow (reduce + 0.0 (map #(Math/pow (/ (double %) s) (double ord)) sizes))
                       (/ (double ord))))))))

(def ^:private whole-orders #{0.0 1.0 2.0})

(defn- norm-attrs
  "The order as a number, 2 for :fro, an integer where it has a form of its own."
  [{:keys [ord] :as attrs} types]
  (let [ord (if (= ord :fro) 2 ord)]
    (when-not (and (number? ord) (not (Double/isNaN (double ord))))
      (fail! :damo.op.stats/bad-order
             (str "the order of a norm is a number, ##Inf, ##-Inf or :fro; got "
              (pr-str ord))
             {:given ord}))
    (assoc (typing/normal-axes attrs types) :ord (if (contains? whole-orders ord) (long ord) ord))))

(defn- norm-rule [{:keys [ord] :as attrs} types]
  (if (#{##Inf ##-Inf} ord) (nonempty-rule attrs types) (rule attrs types)))

(defn- power-slope
  "The template of ∂norm/∂x for an order p: sign x·(|x|/norm)^(p-1). Below 1 it is infinite at 0,
  where 0 is taken."
  [x out ord]
  (let [slope [:mul [:sign x] [:pow [:xdivy [:abs x] out] (dec ord)]]]
    (if (< 1 ord) slope [:where [:eq x 0] 0 slope])))

(defn- norm-slope
  "The template of ∂norm/∂x; 0 where the norm is 0."
  [{{:keys [ord] :as attrs} :attrs, :as node}]
  (let [x (operand node), out (typing/keep-axes attrs '?out)]
    (condp contains? ord
      #{0} [:mul 0 x]
      #{1} [:sign x]
      #{2} (alone-or node [:sign x] [:xdivy x out])
      #{##Inf ##-Inf} [:where [:eq [:abs x] out] [:sign x] 0]
      (power-slope x out ord))))

(defn- power-norm
  "The template of (Σ |x|^p)^(1/p) in :f64, of sizes relative to the largest."
  [{{:keys [ord] :as attrs} :attrs :as node}]
  (let [x [:abs (operand node :f64)], top [:size-max (over attrs) x]
        s [:where [:logical-and [:gt top 0] [:lt top ##Inf]] top 1]]
    [:mul s [:pow [:sum (over attrs) [:pow [:div x (typing/keep-axes attrs s)] ord]] (/ 1.0 ord)]]))

(defn- norm-expansion [{{:keys [ord] :as attrs} :attrs :as node}]
  (let [x (operand node), sum (fn [t] [:sum (over attrs) t])]
    (condp = ord
      0 (rounded node (sum [:cast {:dtype (wide node)} [:ne x 0]]))
      1 (rounded node (sum [:abs x]))
      2 (rounded node :f64 (root-of-squares node sum (operand node :f64) 1))
      ##Inf (rounded node [:max (over attrs) [:abs x]])
      ##-Inf (rounded node [:min (over attrs) [:abs x]])
      (rounded node :f64 (power-norm node)))))

(defop norm
  "The norm of the elements over the axes, taken as one vector: :ord 2 or :fro (Euclidean, default),
  1 (sum of sizes), 0 (how many are not 0), ##Inf or ##-Inf (largest or smallest size), or another
  order p, (Σ|x|^p)^(1/p). Its derivative where it is 0 is 0; a second one it has none there."
  {:kind :composite, :args [?x], :normalize norm-attrs
   :attrs (assoc attributes :ord {:default 2, :is :order-of-norm
                                  :doc "a number, ##Inf, ##-Inf or :fro"})
   :type norm-rule, :eval (meaning norm-of)
   :expand norm-expansion
   :lop (fn [{:keys [attrs] :as node}] [[:mul (typing/keep-axes attrs ?g) (norm-slope node)]])
   :rop (fn [{:keys [attrs] :as node}] [:sum (over attrs) [:mul (norm-slope node) ?dx]])
   :gen (gens/with-choices gens/reduction :ord [1 2 ##Inf ##-Inf :fro 3 0 1.5])
   :examples [[[:norm [:add 3.0 [:iota {:shape [2] :axis 0}]]] 5.0]
              [[:norm {:ord ##-Inf} [:add 3.0 [:iota {:shape [2] :axis 0}]]] 3.0]]})
