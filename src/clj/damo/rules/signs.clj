(ns damo.rules.signs
  "Negation outside of products and sums, so that it meets other negations: (-x)·y → -(x·y)."
  (:require [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defrules signs
  "Negation outside of products and sums, so that it meets other negations."
  {:name :neg-neg, :lhs [:neg [:neg ?x]], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:neg [:neg x]] => x]]}
  {:name :sub-neg, :lhs [:sub ?x [:neg ?y]], :rhs [:add ?x ?y], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sub x [:neg y]] => [:add x y]]]}
  {:name :add-neg, :lhs [:add ?x [:neg ?y]], :rhs [:sub ?x ?y], :keeps :bits
   :when #(not (rule/constant? % ?y)), :why "One operation instead of two."
   :examples [[[:add [:neg y] x] => [:sub x y]]]
   :refuses [[[:add x [:neg [:broadcast-to {:shape [2 3]} 3.0]]]]]}
  {:name :mul-neg, :lhs [:mul [:neg ?x] ?y], :rhs [:neg [:mul ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel."
   :examples [[[:mul [:neg x] y] => [:neg [:mul x y]]] [[:mul [:neg x] [:neg y]] => [:mul x y]]]}
  {:name :neg-mul-constant, :lhs [:neg [:mul ?c ?x]], :rhs [:mul [:neg ?c] ?x]
   :when #(rule/constant? % ?c), :keeps :bits, :why "The negation of a constant costs nothing."
   :examples [[[:neg [:mul 3 x]] => [:mul -3.0 x]]]
   :refuses [[[:neg [:mul x y]]]]}
  {:name :neg-div, :lhs [:div [:neg ?x] ?y], :rhs [:neg [:div ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel.", :gen {y [1 2]}
   :examples [[[:div [:neg x] y] => [:neg [:div x y]]]]}
  {:name :div-neg, :lhs [:div ?x [:neg ?y]], :rhs [:neg [:div ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel.", :gen {y [1 2]}
   :examples [[[:div x [:neg y]] => [:neg [:div x y]]]]}
  {:name :neg-div-constant, :lhs [:neg [:div ?c ?x]], :rhs [:div [:neg ?c] ?x]
   :when #(rule/constant? % ?c), :keeps :bits, :why "The negation of a constant costs nothing."
   :gen {x [1 2]}, :examples [[[:neg [:div 3 x]] => [:div -3.0 x]]]
   :refuses [[[:neg [:div x y]]]]}
  {:name :abs-neg, :lhs [:abs [:neg ?x]], :rhs [:abs ?x], :keeps :bits
   :when #(not= :u8 (rule/dtype-of % ?x)), :why "One operation instead of two; :u8 wraps."
   :examples [[[:abs [:neg x]] => [:abs x]]]
   :refuses [[[:abs [:neg x]] {x [:u8 [3]]}]]}
  {:name :abs-abs, :lhs [:abs [:abs ?x]], :rhs [:abs ?x], :keeps :bits
   :why "Nothing to compute.", :examples [[[:abs [:abs x]] => [:abs x]]]}
  {:name :sqr-neg, :lhs [:sqr [:neg ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sqr [:neg x]] => [:sqr x]]]}
  {:name :sqr-abs, :lhs [:sqr [:abs ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sqr [:abs x]] => [:sqr x]]]})
