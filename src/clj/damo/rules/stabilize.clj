(ns damo.rules.stabilize
  "The same real value, better floating point: log(1 + e^x) becomes softplus, e^x / Σ e^x softmax,
  and the gradient of the branch that `where` did not take is 0 whatever that branch is. Runs on
  canonical forms, with the rules that make them; before composites are expanded."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rule.layers :as layers]
            [damo.rules.aligned :as aligned]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.linalg :as linalg]
            [damo.rules.parts :as parts]
            [damo.rules.tails :as tails]))

(set! *warn-on-reflection* true)

;; ## Exponentials and logarithms

(defrules logarithms
  "Logarithms and exponentials near 1, and sums that overflow though their logarithm does not."
  {:name :log1p, :lhs [:log [:add 1 ?x]], :rhs [:log1p ?x], :keeps :stabilizes
   :why "1 + x loses an x below 1e-16.", :gen {x [-0.9 10]}
   :examples [[[:log [:add x 1]] => [:log1p x]]]}
  {:name :log1p-neg, :lhs [:log [:sub 1 ?x]], :rhs [:log1p [:neg ?x]], :keeps :stabilizes
   :why "1 - x loses an x below 1e-16.", :gen {x [-10 0.9]}
   :examples [[[:log [:sub 1 x]] => [:log1p [:neg x]]]]}
  {:name :expm1, :lhs [:add [:exp ?x] -1], :rhs [:expm1 ?x], :keeps :stabilizes
   :why "e^x - 1 loses an x below 1e-16."
   :examples [[[:add [:exp x] -1] => [:expm1 x]] [[:sub [:exp x] 1] => [:expm1 x]]]}
  {:name :expm1-neg, :lhs [:sub 1 [:exp ?x]], :rhs [:neg [:expm1 ?x]], :keeps :stabilizes
   :why "1 - e^x loses an x below 1e-16."
   :examples [[[:sub 1 [:exp x]] => [:neg [:expm1 x]]]]}
  {:name :logsumexp, :lhs [:log [:sum {:axis ?a :keepdims false} [:exp ?x]]]
   :rhs [:logsumexp {:axis ?a} ?x], :keeps :stabilizes, :why "e^x overflows above 709."
   :when #(not-any? (fn [axis] (= 0 (nth (rule/shape-of % ?x) axis))) (% ?a))
   :examples [[[:log [:sum {:axis 1} [:exp x]]] => [:logsumexp {:axis 1} x]]
              [[:log [:sum {:axis 0 :keepdims true} [:exp x]]]
               => [:reshape {:shape [1 3]} [:logsumexp {:axis 0} x]]]]
   :refuses [[[:log [:sum {:axis 1} [:exp x]]] {x [:f64 [2 0]]}]]}
  {:name :log-mean-exp, :lhs [:log [:mean {:axis ?a :keepdims ?k} [:exp ?x]]]
   :rhs (fn [m] (let [n (type/size (map (rule/shape-of m ?x) (m ?a)))]
                  [:sub [:logsumexp {:axis (m ?a) :keepdims (m ?k)} ?x]
                   [:log [:cast {:dtype (type/dtype-of (:type m))} [:dim {:dim n}]]]]))
   :when #(not-any? (fn [axis] (= 0 (nth (rule/shape-of % ?x) axis))) (% ?a))
   :keeps :stabilizes, :why "e^x overflows above 709."
   :except [[:lt [:abs [:log [:mean {:axis ?a :keepdims ?k} [:exp ?x]]]] 1]]
   :examples [[[:log [:mean {:axis 1} [:exp x]]]
               => [:add -1.0986122886681098 [:logsumexp {:axis 1} x]]]]
   :refuses [[[:log [:mean {:axis 1} [:exp x]]] {x [:f64 [2 0]]}]]}
  {:name :cumlogsumexp, :lhs [:log [:cumsum {:axis ?a :reverse ?r} [:exp ?x]]]
   :rhs [:cumlogsumexp {:axis ?a :reverse ?r} ?x], :keeps :stabilizes
   :why "e^x overflows above 709."
   :examples [[[:log [:cumsum {:axis 1} [:exp x]]] => [:cumlogsumexp {:axis 1} x]]]}
  {:name :logsumexp-shifted, :lhs [:add ?m ?l], :rhs (fn [m] (aligned/unshifted m ?m ?l))
   :keeps :stabilizes, :why "The largest is taken off by logsumexp itself."
   :types {m [:f64 [2]]}
   :examples [[[:add [:log [:sum {:axis 1} [:exp [:sub x [:reshape {:shape [2 1]} m]]]]] m]
               => [:logsumexp {:axis 1} x]]]}
  {:name :log-quotient-exp, :lhs [:log [:div [:exp ?x] ?z]], :rhs [:sub ?x [:log ?z]]
   :keeps :stabilizes, :except [[:lt ?z 0]], :why "e^x overflows above 709.", :gen {y [1 2]}
   :examples [[[:log [:div [:exp x] y]] => [:sub x [:log y]]]]}
  {:name :log-quotient-by-exp, :lhs [:log [:div ?z [:exp ?x]]], :rhs [:sub [:log ?z] ?x]
   :keeps :stabilizes, :except [[:lt ?z 0]], :why "e^x overflows above 709.", :gen {y [1 2]}
   :examples [[[:log [:div y [:exp x]]] => [:sub [:log y] x]]]})

;; ## Complements

(defrules complements
  "1 - e^x and 1 - erf x, alone and in logarithms, where the difference would lose all digits."
  {:name :log1mexp, :lhs [:log [:neg [:expm1 ?x]]], :rhs [:log1mexp ?x], :keeps :stabilizes
   :why "log(1 - e^x) loses its digits at one end or the other.", :gen {x [-5 -0.1]}
   :examples [[[:log [:neg [:expm1 x]]] => [:log1mexp x]]
              [[:log [:sub 1 [:exp x]]] => [:log1mexp x]]]}
  {:name :log1p-neg-exp, :lhs [:log1p [:neg [:exp ?x]]], :rhs [:log1mexp ?x], :keeps :stabilizes
   :except [[:gt ?x 0]], :gen {x [-5 -0.1]}
   :why "e^x near 1 loses the digits of 1 - e^x; above 0 there is no logarithm."
   :examples [[[:log1p [:neg [:exp x]]] => [:log1mexp x]]]}
  {:name :one-minus-erf, :lhs [:sub 1 [:erf ?x]], :rhs [:erfc ?x], :keeps :stabilizes
   :why "1 - erf(6) is 0 to all digits."
   :examples [[[:sub 1 [:erf x]] => [:erfc x]]]}
  {:name :erf-minus-one, :lhs [:add [:erf ?x] -1], :rhs [:neg [:erfc ?x]], :keeps :stabilizes
   :why "erf(6) - 1 is 0 to all digits."
   :examples [[[:sub [:erf x] 1] => [:neg [:erfc x]]]]}
  {:name :one-plus-erf, :lhs [:add 1 [:erf ?x]], :rhs [:erfc [:neg ?x]], :keeps :stabilizes
   :why "1 + erf(-6) is 0 to all digits; a written-out gelu has it."
   :examples [[[:add 1 [:erf x]] => [:erfc [:neg x]]]]}
  {:name :one-minus-erfc, :lhs [:sub 1 [:erfc ?x]], :rhs [:erf ?x], :keeps :stabilizes
   :why "1 - erfc x loses an x below 1e-16."
   :examples [[[:sub 1 [:erfc x]] => [:erf x]]]}
  {:name :log-erfc, :lhs [:log [:erfc ?x]]
   :rhs [:where [:gt ?x 1] [:sub [:log [:erfcx ?x]] [:sqr ?x]] [:log1p [:neg [:erf ?x]]]]
   :keeps :stabilizes, :why "erfc x vanishes from 27 on, its logarithm does not."
   :examples [[[:log [:erfc x]]
               => [:where [:gt x 1] [:sub [:log [:erfcx x]] [:sqr x]] [:log1p [:neg [:erf x]]]]]]}
  {:name :one-minus-tanh-squared, :lhs [:sub 1 [:sqr [:tanh ?x]]], :rhs [:sech2 ?x]
   :keeps :stabilizes, :why "1 - tanh² is 0 from 19 on."
   :examples [[[:sub 1 [:sqr [:tanh x]]] => [:sech2 x]]]}
  {:name :logit-sigmoid, :lhs [:logit [:sigmoid ?x]], :rhs ?x, :keeps :stabilizes
   :why "sigmoid rounds to 0 or 1 at its tails."
   :examples [[[:logit [:sigmoid x]] => x]]})

;; ## Sigmoid and softplus

(defrules sigmoids
  "Sigmoid and softplus, right at both tails."
  {:name :softplus, :lhs [:log1p [:exp ?x]], :rhs [:softplus ?x], :keeps :stabilizes
   :why "e^x overflows above 709."
   :examples [[[:log1p [:exp x]] => [:softplus x]] [[:log [:add 1 [:exp x]]] => [:softplus x]]]}
  {:name :sigmoid, :lhs [:div 1 [:add 1 [:exp ?x]]], :rhs [:sigmoid [:neg ?x]], :keeps :value
   :why "One op, whose derivative is stable."
   :examples [[[:div 1 [:add 1 [:exp x]]] => [:sigmoid [:neg x]]]
              [[:div 1 [:add 1 [:exp [:neg x]]]] => [:sigmoid x]]]}
  {:name :scaled-sigmoid, :lhs [:div ?g [:add 1 [:exp ?x]]], :rhs [:mul ?g [:sigmoid [:neg ?x]]]
   :keeps :value, :why "The gradient of log(1 + e^x) meets the rules for sigmoids."
   :when #(not (rule/number-of % ?g))
   :examples [[[:div y [:add 1 [:exp x]]] => [:mul y [:sigmoid [:neg x]]]]]
   :refuses [[[:div 2.0 [:add 1 [:exp x]]]]]}
  {:name :one-minus-sigmoid, :lhs [:sub 1 [:sigmoid ?x]], :rhs [:sigmoid [:neg ?x]]
   :keeps :stabilizes
   :why "1 - sigmoid(50) is 0 to all digits."
   :examples [[[:sub 1 [:sigmoid x]] => [:sigmoid [:neg x]]]]}
  {:name :sigmoid-minus-one, :lhs [:add [:sigmoid ?x] -1], :rhs [:neg [:sigmoid [:neg ?x]]]
   :keeps :stabilizes, :why "sigmoid(50) - 1 is 0 to all digits."
   :examples [[[:sub [:sigmoid x] 1] => [:neg [:sigmoid [:neg x]]]]]}
  {:name :log-sigmoid, :lhs [:log [:sigmoid ?x]], :rhs [:neg [:softplus [:neg ?x]]]
   :keeps :stabilizes
   :why "sigmoid(-800) is 0."
   :examples [[[:log [:sigmoid x]] => [:neg [:softplus [:neg x]]]]
              [[:log [:sub 1 [:sigmoid x]]] => [:neg [:softplus x]]]]}
  {:name :log1p-neg-sigmoid, :lhs [:log1p [:neg [:sigmoid ?x]]], :rhs [:neg [:softplus ?x]]
   :keeps :stabilizes, :why "1 - sigmoid(50) is 0 to all digits."
   :examples [[[:log1p [:neg [:sigmoid x]]] => [:neg [:softplus x]]]]}
  {:name :binary-cross-entropy, :lhs [:binary-cross-entropy [:sigmoid ?x] ?t]
   :rhs [:sigmoid-cross-entropy ?x ?t], :keeps :stabilizes
   :why "The loss of a wrong and sure logit is finite.", :gen {t [0 1]}, :types {t [:f64 [2 3]]}
   :examples [[[:binary-cross-entropy [:sigmoid x] t] => [:sigmoid-cross-entropy x t]]]})

;; ## Softmax

(defn- labels-of
  "The id of the labels when ?h is their one-hot form, classes last as ?x has them; else nil."
  [{:keys [builder] :as m} ?x ?h]
  (let [[op _ arg :as node] (rule/node-of m ?h)
        [op {:keys [classes]} labels] (if (= op :cast) (graph/node builder arg) node)]
    (when (and (= op :one-hot)
               (= (rule/shape-of m ?x) (rule/shape-of m ?h))
               (= classes (peek (rule/shape-of m ?x))))
      labels)))

(defn- label-loss
  "The template of Σ log-softmax(x)·one-hot(labels) over axes that include the last one, or nil."
  [m ?x ?a ?b ?h]
  (let [last-axis (dec (rule/rank-of m ?x)), others (vec (remove #{last-axis} (m ?a)))]
    (when-let [labels (and (= last-axis (m ?b)) (some #{last-axis} (m ?a)) (labels-of m ?x ?h))]
      [:neg [:sum {:axis others} [:cross-entropy ?x (rule/argument labels)]]])))

(defn- at-labels
  "The template of Σ p·one-hot(labels) over axes that include the last one, or nil."
  [m ?p ?a ?h]
  (let [shape (rule/shape-of m ?p), last-axis (dec (count shape)), axes (m ?a)]
    (when-let [labels (and (some #{last-axis} axes) (labels-of m ?p ?h))]
      [:sum {:axis (vec (remove #{last-axis} axes))}
       [:reshape {:shape (pop shape)}
        [:take-along-axis {:axis last-axis} ?p
         [:reshape {:shape (conj (pop shape) 1)}
          [:check-index {:extent (peek shape)} (rule/argument labels)]]]]])))

(defn- every-row?
  "Does ?r count the rows of the matrix ?x, with an index ?i for each?"
  [{:keys [builder] :as m} ?x ?r ?i]
  (and (= {:axis 0, :rank 1, :start 0, :step 1} (layers/counted builder (m ?r)))
       (= [(first (rule/shape-of m ?x))] (rule/shape-of m ?r) (rule/shape-of m ?i))))

(defrules softmaxes
  "Softmax, its logarithm, and the loss at labels."
  {:name :softmax, :lhs [:div [:exp ?x] ?s], :within :product
   :rhs (fn [m] (aligned/normalized m :softmax ?x ?s :sum aligned/exponent)), :keeps :stabilizes
   :why "∞/∞ above 709."
   :examples [[[:div [:exp x] [:sum {:axis 1 :keepdims true} [:exp x]]] => [:softmax {:axis 1} x]]
              [[:div [:exp x] [:sum {:axis 0} [:exp x]]] => [:softmax {:axis 0} x]]]}
  {:name :log-softmax, :lhs [:log [:softmax {:axis ?a} ?x]], :rhs [:log-softmax {:axis ?a} ?x]
   :keeps :stabilizes, :why "The softmax of 0 beside 1000 is 0."
   :examples [[[:log [:softmax x]] => [:log-softmax x]]]}
  {:name :exp-log-softmax, :lhs [:exp [:log-softmax {:axis ?a} ?x]], :rhs [:softmax {:axis ?a} ?x]
   :keeps :stabilizes, :why "One op; it may be there already."
   :examples [[[:exp [:log-softmax x]] => [:softmax x]]]}
  {:name :sub-logsumexp, :lhs [:sub ?x ?l]
   :rhs (fn [m] (aligned/normalized m :log-softmax ?x ?l :logsumexp aligned/itself))
   :keeps :stabilizes, :why "x - log Σ e^x cancels for large x."
   :examples [[[:sub x [:reshape {:shape [2 1]} [:logsumexp {:axis 1} x]]]
               => [:log-softmax {:axis 1} x]]
              [[:sub x [:logsumexp {:axis 0 :keepdims true} x]] => [:log-softmax {:axis 0} x]]]}
  {:name :cross-entropy
   :lhs [:sum {:axis ?a :keepdims false} [:mul [:log-softmax {:axis ?b} ?x] ?h]]
   :rhs (fn [m] (label-loss m ?x ?a ?b ?h)), :keeps :stabilizes, :failures :kept
   :why "The loss at a label needs one logit and one log-sum-exp."
   :types {i [:i64 [2]]}, :gen {i [0 2]}
   :examples [[[:neg [:sum {:axis 1} [:mul [:log-softmax x] [:one-hot {:classes 3} i]]]]
               => [:cross-entropy x i]]]}
  {:name :sum-of-one-hot, :lhs [:sum {:axis ?a :keepdims false} [:mul ?p ?h]]
   :rhs (fn [m] (at-labels m ?p ?a ?h)), :keeps :stabilizes, :failures :kept
   :why "One element a label is read, and others may be infinite."
   :types {i [:i64 [2]]}, :gen {i [0 3]}
   :examples [[[:sum {:axis 1} [:mul x [:one-hot {:classes 3 :dtype :f64} i]]]
               => [:reshape {:shape [2]}
                   [:take-along-axis {:axis 1} x
                    [:reshape {:shape [2 1]} [:check-index {:extent 3} i]]]]]]}
  {:name :categorical-cross-entropy
   :lhs [:categorical-cross-entropy [:softmax {:axis ?a} ?x] ?i]
   :rhs [:cross-entropy ?x ?i], :keeps :stabilizes, :failures :kept
   :when #(= (rule/rank-of % ?i) (% ?a))
   :why "The loss of a wrong and sure label is finite.", :types {i [:i64 [2]]}, :gen {i [0 2]}
   :examples [[[:categorical-cross-entropy [:softmax x] i] => [:cross-entropy x i]]]
   :refuses [[[:categorical-cross-entropy [:softmax {:axis 0} x] i]]
             [[:categorical-cross-entropy [:softmax x] t] {t [:f64 [2 3]]}]]}
  {:name :argmax-softmax, :lhs [:argmax {:axis ?a :keepdims ?k} [:softmax {:axis ?a} ?x]]
   :rhs [:argmax {:axis ?a :keepdims ?k} ?x], :keeps :stabilizes
   :why "The largest stays the largest."
   :examples [[[:argmax {:axis 1} [:softmax x]] => [:argmax {:axis 1} x]]]}
  {:name :argmax-log-softmax, :lhs [:argmax {:axis ?a :keepdims ?k} [:log-softmax {:axis ?a} ?x]]
   :rhs [:argmax {:axis ?a :keepdims ?k} ?x], :keeps :stabilizes
   :why "The largest stays the largest."
   :examples [[[:argmax {:axis 1} [:log-softmax x]] => [:argmax {:axis 1} x]]]}
  {:name :cross-entropy-at, :lhs [:take {:axis [0 1]} [:log-softmax {:axis 1} ?x] ?r ?i]
   :rhs (fn [m] [:neg [:cross-entropy ?x
                       [:where [:lt ?i 0] [:add ?i [:dim {:dim (peek (rule/shape-of m ?x))}]] ?i]]])
   :when #(every-row? % ?x ?r ?i), :share :sole, :keeps :value, :failures :kept
   :why "One loop for the loss at labels; no row of logarithms is stored."
   :types {i [:i64 [2]], r [:i64 [2]]}, :gen {i [0 2], r [0 2]}
   :examples [[[:take {:axis [0 1]} [:log-softmax {:axis 1} x] [:iota {:shape [2]}] i]
               => [:neg [:cross-entropy x [:where [:lt i 0] [:add i 3] i]]]]]
   :refuses [[[:take {:axis [0 1]} [:log-softmax {:axis 1} x] r i]]]})

;; ## Gradients of choices

(defrules masks
  "A 0 that `where` chose stays 0 in products, though the other factor be infinite or NaN."
  {:name :where-zero-mul, :lhs [:mul [:where ?c 0 ?u] ?v], :rhs [:where ?c 0 [:mul ?u ?v]]
   :keeps :stabilizes, :why "0·∞ is NaN; the gradient of a branch not taken is 0."
   :examples [[[:mul [:where [:lt x 0] 0 y] x] => [:where [:lt x 0.0] 0.0 [:mul y x]]]]}
  {:name :where-mul-zero, :lhs [:mul [:where ?c ?u 0] ?v], :rhs [:where ?c [:mul ?u ?v] 0]
   :keeps :stabilizes, :why "0·∞ is NaN; the gradient of a branch not taken is 0."
   :examples [[[:mul [:where [:lt x 0] y 0] x] => [:where [:lt x 0.0] [:mul y x] 0.0]]]}
  {:name :where-zero-div, :lhs [:div [:where ?c 0 ?u] ?v], :rhs [:where ?c 0 [:div ?u ?v]]
   :keeps :stabilizes, :why "0/0 is NaN; the gradient of a branch not taken is 0.", :gen {y [1 2]}
   :examples [[[:div [:where [:lt x 0] 0 x] y] => [:where [:lt x 0.0] 0.0 [:div x y]]]]}
  {:name :where-div-zero, :lhs [:div [:where ?c ?u 0] ?v], :rhs [:where ?c [:div ?u ?v] 0]
   :keeps :stabilizes, :why "0/0 is NaN; the gradient of a branch not taken is 0.", :gen {y [1 2]}
   :examples [[[:div [:where [:lt x 0] x 0] y] => [:where [:lt x 0.0] [:div x y] 0.0]]]}
  {:name :where-zero-neg, :lhs [:neg [:where ?c ?z ?u]], :rhs [:where ?c [:neg ?z] [:neg ?u]]
   :when #(rule/zero? % ?z), :keeps :bits
   :why "Lets the choice meet the next product."
   :examples [[[:neg [:where [:lt x 0] 0 y]] => [:where [:lt x 0.0] -0.0 [:neg y]]]]
   :refuses [[[:neg [:where [:lt x 0] 1.0 y]]]]}
  {:name :where-neg-zero, :lhs [:neg [:where ?c ?u ?z]], :rhs [:where ?c [:neg ?u] [:neg ?z]]
   :when #(rule/zero? % ?z), :keeps :bits
   :why "Lets the choice meet the next product."
   :examples [[[:neg [:where [:lt x 0] y 0]] => [:where [:lt x 0.0] [:neg y] -0.0]]]
   :refuses [[[:neg [:where [:lt x 0] y 1.0]]]]}
  {:name :where-zero-cast, :lhs [:cast {:dtype ?d} [:where ?c ?z ?u]]
   :rhs [:where ?c [:cast {:dtype ?d} ?z] [:cast {:dtype ?d} ?u]]
   :when #(rule/zero? % ?z), :keeps :bits
   :why "Lets the choice meet the next product."
   :examples [[[:cast {:dtype :f32} [:where [:lt x 0] 0 y]]
               => [:where [:lt x 0.0] 0.0 [:cast {:dtype :f32} y]]]]
   :refuses [[[:cast {:dtype :f32} [:where [:lt x 0] 1.0 y]]]]}
  {:name :where-cast-zero, :lhs [:cast {:dtype ?d} [:where ?c ?u ?z]]
   :rhs [:where ?c [:cast {:dtype ?d} ?u] [:cast {:dtype ?d} ?z]]
   :when #(rule/zero? % ?z), :keeps :bits
   :why "Lets the choice meet the next product."
   :examples [[[:cast {:dtype :f32} [:where [:lt x 0] y 0]]
               => [:where [:lt x 0.0] [:cast {:dtype :f32} y] 0.0]]]
   :refuses [[[:cast {:dtype :f32} [:where [:lt x 0] y 1.0]]]]})

(def rules
  "All rules of this phase, and those of canonicalize, on whose forms they rely."
  (rule/union :stabilize "The same real value, better floating point."
              [canonicalize/rules
               (rule/union :stabilize ""
                           (concat [parts/rules logarithms complements sigmoids softmaxes]
                                   tails/families linalg/families [masks]))]))
