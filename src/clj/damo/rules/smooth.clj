(ns damo.rules.smooth
  "What a derivative is taken of instead of what is written, where the function is smooth and a part
  of it is not: the square of a norm is a sum of squares, also at 0, where the norm has no slope.
  The chain rule would give 0·∞ there. No other use is made of these rules; the value is computed as
  it is written. In: a node. Out: a template of the same function."
  (:require [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]])
  (:import [damo.op Id]))

(set! *warn-on-reflection* true)

(defn- half-of-even
  "Half of the even number ≥ 2 that ?n is everywhere; else nil."
  [m ?n]
  (let [n (rule/number-of m ?n)]
    (when (and (number? n) (<= 2 n) (zero? (rem n 2))) (/ (double n) 2))))

(defn- power
  "The template of t to the k-th power."
  [t k]
  (if (== k 1) t [:pow t k]))

(defrules squares
  "Even powers of what is a root or a size."
  {:name :square-of-root, :lhs [:sqr [:sqrt ?x]], :rhs ?x, :keeps :drops-nan, :gen {x [0.1 3]}
   :why "The root has an infinite slope at 0.", :examples [[[:sqr [:sqrt x]] => x]]}
  {:name :root-times-itself, :lhs [:mul [:sqrt ?x] [:sqrt ?x]], :rhs ?x, :keeps :drops-nan
   :why "The root has an infinite slope at 0.", :gen {x [0.1 3]}
   :examples [[[:mul [:sqrt x] [:sqrt x]] => x]]}
  {:name :power-of-root, :lhs [:pow [:sqrt ?x] ?n], :keeps :drops-nan, :gen {x [0.1 3]}
   :rhs (fn [m] (when-let [k (half-of-even m ?n)] (power ?x k)))
   :why "The root has an infinite slope at 0."
   :examples [[[:pow [:sqrt x] 4] => [:pow x 2.0]]]}
  {:name :square-of-size, :lhs [:sqr [:abs ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "The size has no slope at 0.", :examples [[[:sqr [:abs x]] => [:sqr x]]]}
  {:name :size-times-size, :lhs [:mul [:abs ?x] [:abs ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "The size has no slope at 0.", :examples [[[:mul [:abs x] [:abs x]] => [:sqr x]]]}
  {:name :power-of-size, :lhs [:pow [:abs ?x] ?n], :keeps :bits
   :rhs (fn [m] (when (half-of-even m ?n) [:pow ?x ?n]))
   :why "The size has no slope at 0.", :examples [[[:pow [:abs x] 4] => [:pow x 4.0]]]})

(defn- squared-reduction
  "The template of the square of a Euclidean norm or a deviation, the node that ?r matched; nil for
  others."
  [m ?r]
  (let [[op attrs x y] (rule/node-of m ?r), kept (select-keys attrs [:axis :keepdims])]
    (case op
      :norm (when (= 2 (:ord attrs)) [:sum kept [:sqr (rule/argument x)]])
      :std [:var attrs (rule/argument x)]
      :hypot [:add [:sqr (rule/argument x)] [:sqr (rule/argument y)]]
      nil)))

(defrules norms
  "Even powers of Euclidean norms and of standard deviations."
  {:name :square-of-reduction, :lhs [:sqr ?r], :rhs (fn [m] (squared-reduction m ?r))
   :keeps :value, :why "Neither has a slope at 0, their squares have."
   :examples [[[:sqr [:norm {:axis 1} x]] => [:sum {:axis 1} [:sqr x]]]
              [[:sqr [:std {:axis 0 :ddof 1} x]] => [:var {:axis 0 :ddof 1} x]]]}
  {:name :reduction-times-itself, :lhs [:mul ?r ?r], :rhs (fn [m] (squared-reduction m ?r))
   :keeps :value, :why "Neither has a slope at 0, their squares have."
   :examples [[[:mul [:std {:axis 1} x] [:std {:axis 1} x]] => [:var {:axis 1} x]]]}
  {:name :power-of-reduction, :lhs [:pow ?r ?n], :keeps :value
   :rhs (fn [m] (when-let [k (half-of-even m ?n)]
                  (some-> (squared-reduction m ?r) (power k))))
   :why "Neither has a slope at 0, their squares have."
   :examples [[[:pow [:norm {:axis 1} x] 4] => [:pow [:sum {:axis 1} [:sqr x]] 2.0]]]})

(defrules exponentials
  "Powers written with exponentials of logarithms."
  {:name :exp-xlogy, :lhs [:exp [:xlogy ?x ?y]], :rhs [:pow ?y ?x], :keeps :value
   :why "The logarithm is infinite at 0.", :gen {y [0.1 3]}
   :examples [[[:exp [:xlogy x y]] => [:pow y x]]]}
  {:name :exp-xlog1py, :lhs [:exp [:xlog1py ?x ?y]], :rhs [:pow [:add 1 ?y] ?x], :keeps :value
   :why "The logarithm is infinite at -1.", :gen {y [-0.9 3]}
   :examples [[[:exp [:xlog1py x y]] => [:pow [:add 1.0 y] x]]]}
  {:name :exp-mul-log, :lhs [:exp [:mul ?x [:log ?y]]], :rhs [:pow ?y ?x], :keeps :value
   :why "The logarithm is infinite at 0.", :gen {y [0.1 3]}
   :examples [[[:exp [:mul x [:log y]]] => [:pow y x]]]}
  {:name :exp-log, :lhs [:exp [:log ?x]], :rhs ?x, :keeps :value
   :why "The logarithm is infinite at 0.", :gen {x [0.1 3]}
   :examples [[[:exp [:log x]] => x]]})

(defn- sources-of
  "The ids that a template stands on."
  [template bindings]
  (distinct (for [x (tree-seq vector? seq template)
                  :let [id (cond (symbol? x) (bindings x), (instance? Id x) (op/id-of x))]
                  :when id]
              id)))

(def ^:private by-head
  (group-by :head (mapcat :rules [squares norms exponentials])))

(defn instead!
  "{:root id :sources ids} of what the derivative of node id of a builder is taken of, which is
  added with its source position; nil where that is the node itself. `fixed?` tells of ids that
  derivatives may not pass over."
  [b id fixed?]
  (when-let [rules (by-head (graph/op-of (graph/node b id)))]
    (when-let [[m template] (some #(rule/try-rule % (rule/view b id) (constantly 1)) rules)]
      (when-not (some fixed? (concat (:inner m) (graph/args-of (graph/node b id))))
        (let [bindings (into {} (filter (comp symbol? key)) m)
              source (select-keys (graph/note b id) [:src])
              root (op/instantiate! (op/emitter b source) bindings template)]
          (when (= (graph/node-type b root) (graph/node-type b id))
            {:root root, :sources (sources-of template bindings)}))))))
