(ns damo.rules.choices
  "Casts that convert nothing, choices and comparisons that are decided, choices of choices.
  where(true, x, y) → x."
  (:require [damo.op.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defrules choices
  "Casts that convert nothing, choices and comparisons that are decided."
  {:name :cast-same, :lhs [:cast {:dtype ?d} ?x], :rhs ?x
   :when #(= (% ?d) (rule/dtype-of % ?x)), :keeps :bits, :why "Nothing to convert."
   :examples [[[:cast {:dtype :f64} x] => x]]
   :refuses [[[:cast {:dtype :f32} x]]]}
  {:name :cast-cast, :lhs [:cast {:dtype ?d} [:cast {:dtype ?e} ?x]], :rhs [:cast {:dtype ?d} ?x]
   :when #(type/holds? (% ?e) (rule/dtype-of % ?x)), :keeps :bits
   :why "One conversion instead of two.", :types {i [:i32 [4]]}, :gen {i [-9 9]}
   :examples [[[:cast {:dtype :f32} [:cast {:dtype :f64} i]] => [:cast {:dtype :f32} i]]]
   :refuses [[[:cast {:dtype :f64} [:cast {:dtype :f32} x]] {x [:f64 [4]]}]]}
  {:name :where-same, :lhs [:where ?c ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where [:lt x y] y y] => y]]}
  {:name :where-true, :lhs [:where true ?x ?y], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where true x y] => x]]}
  {:name :where-false, :lhs [:where false ?x ?y], :rhs ?y, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where false x y] => y]]}
  {:name :where-inside-true, :lhs [:where ?c [:where ?c ?x ?y] ?z], :rhs [:where ?c ?x ?z]
   :keeps :bits, :why "The inner choice is decided."
   :examples [[[:where [:lt x y] [:where [:lt x y] x y] 2] => [:where [:lt x y] x 2.0]]]}
  {:name :where-inside-false, :lhs [:where ?c ?x [:where ?c ?y ?z]], :rhs [:where ?c ?x ?z]
   :keeps :bits, :why "The inner choice is decided."
   :examples [[[:where [:lt x y] 2 [:where [:lt x y] x y]] => [:where [:lt x y] 2.0 y]]]}
  {:name :where-or, :lhs [:where ?c ?k [:where ?d ?k ?x]], :rhs [:where [:logical-or ?c ?d] ?k ?x]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] z [:where [:lt y 1] z x]]
               => [:where [:logical-or [:lt x 1.0] [:lt y 1.0]] z x]]]}
  {:name :where-or-not, :lhs [:where ?c ?k [:where ?d ?x ?k]]
   :rhs [:where [:logical-or ?c [:logical-not ?d]] ?k ?x]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] z [:where [:lt y 1] x z]]
               => [:where [:logical-or [:lt x 1.0] [:logical-not [:lt y 1.0]]] z x]]]}
  {:name :where-and, :lhs [:where ?c [:where ?d ?x ?k] ?k], :rhs [:where [:logical-and ?c ?d] ?x ?k]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] [:where [:lt y 1] x z] z]
               => [:where [:logical-and [:lt x 1.0] [:lt y 1.0]] x z]]]}
  {:name :where-and-not, :lhs [:where ?c [:where ?d ?k ?x] ?k]
   :rhs [:where [:logical-and ?c [:logical-not ?d]] ?x ?k]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] [:where [:lt y 1] z x] z]
               => [:where [:logical-and [:lt x 1.0] [:logical-not [:lt y 1.0]]] x z]]]}
  {:name :where-not, :lhs [:where [:logical-not ?c] ?x ?y], :rhs [:where ?c ?y ?x]
   :when #(rule/bools? % ?c), :keeps :bits, :why "One operation instead of two."
   :examples [[[:where [:logical-not [:lt x y]] x y] => [:where [:lt x y] y x]]]
   :refuses [[[:where [:logical-not x] x y]]]}
  {:name :lt-self, :lhs [:lt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:lt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :gt-self, :lhs [:gt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:gt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :ne-self, :lhs [:ne ?x ?x], :rhs false, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ne x x] => [:broadcast-to {:shape [2 3]} false]]]
   :refuses [[[:ne x x] {x [:f64 [2 3]]}]]}
  {:name :le-self, :lhs [:le ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:le x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:le x x] {x [:f64 [2 3]]}]]}
  {:name :ge-self, :lhs [:ge ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ge x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:ge x x] {x [:f64 [2 3]]}]]}
  {:name :eq-self, :lhs [:eq ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:eq x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:eq x x] {x [:f64 [2 3]]}]]}
  {:name :maximum-self, :lhs [:maximum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:maximum x x] => x]]}
  {:name :minimum-self, :lhs [:minimum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:minimum x x] => x]]}
  {:name :and-true, :lhs [:logical-and ?x true], :rhs ?x, :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-and [:lt x y] true] => [:lt x y]]]}
  {:name :and-false, :lhs [:logical-and ?x false], :rhs false, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-and [:lt x y] false] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :or-false, :lhs [:logical-or ?x false], :rhs ?x, :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-or [:lt x y] false] => [:lt x y]]]}
  {:name :or-true, :lhs [:logical-or ?x true], :rhs true, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-or [:lt x y] true] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :not-not, :lhs [:logical-not [:logical-not ?x]], :rhs ?x, :when #(rule/bools? % ?x)
   :keeps :bits, :why "Nothing to compute."
   :examples [[[:logical-not [:logical-not [:lt x y]]] => [:lt x y]]]
   :refuses [[[:logical-not [:logical-not x]]]]})
