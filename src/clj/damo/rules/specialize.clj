(ns damo.rules.specialize
  "Cheaper forms of the same: powers as products, scalars outside of products and sums. Runs after
  stabilize, before and after composites are expanded.

  The form of an update, which becomes one call of gemm: a 0-d factor stands in front of what it
  scales and outside of matrix products, sums and views; factors of one product are multiplied with
  each other first; transposes are views on the operands. Of w - 0.1·∂w comes
  [:sub w [:mul c [:matmul [:transpose x] d]]] with one 0-d c, or :add where c was negative."
  (:require [damo.data.type :as type]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.contractions :as contractions]
            [damo.rules.powers :as powers]
            [damo.rules.reducing :as reducing]))

(set! *warn-on-reflection* true)

;; ## Powers

(defrules exponentials
  "Roots and quotients of exponentials."
  {:name :pow-half, :lhs [:pow ?x 0.5], :rhs [:sqrt ?x], :keeps :drops-nan
   :except [:zero-sign [:eq ?x ##-Inf]]
   :why "A root is one instruction.", :gen {x [0 3]}, :examples [[[:pow x 0.5] => [:sqrt x]]]}
  {:name :pow-minus-half, :lhs [:pow ?x -0.5], :rhs [:div 1 [:sqrt ?x]], :keeps :drops-nan
   :except [[:eq ?x 0] [:eq ?x ##-Inf]]
   :why "A root and a quotient.", :gen {x [1 3]}
   :examples [[[:pow x -0.5] => [:div 1.0 [:sqrt x]]]]}
  {:name :exp-product, :lhs [:mul [:exp ?x] [:exp ?y]], :rhs [:exp [:add ?x ?y]], :share :sole
   :keeps :regroup, :why "One exponential instead of two."
   :examples [[[:mul [:exp x] [:exp y]] => [:exp [:add x y]]]]}
  {:name :div-exp, :lhs [:div ?x [:exp ?y]], :rhs [:mul ?x [:exp [:neg ?y]]], :share :sole
   :keeps :value, :why "A product is cheaper than a quotient."
   :examples [[[:div x [:exp y]] => [:mul x [:exp [:neg y]]]]]})

;; ## Scalars

(defn- scales?
  "Is ?s 0-d and are the others arrays, of a dtype with range and digits enough to be multiplied in
  another order? In :f16 the sum of 100000 ones is infinite, that of as many tenths is not."
  [m ?s & others]
  (and (rule/scalar? m ?s) (not-any? #(rule/scalar? m %) others)
       (not (type/storage-dtype? (rule/dtype-of m ?s)))))

(defn- exact-inverse?
  "Is ?s a power of two whose inverse is one too, so that x/?s is x·(1/?s) to the bit?"
  [m ?s]
  (let [x (rule/number-of m ?s), {:keys [least]} (type/dtypes (rule/dtype-of m ?s))]
    (and (float? x) (< 0 (Math/abs (double x)) ##Inf)
         (= (Math/abs (double x)) (Math/scalb 1.0 (Math/getExponent (double x))))
         (<= (Math/abs (Math/getExponent (double x))) (- (long least))))))

(defn- negative?
  "Is ?c a negative float constant, or the quotient of one by something? (The smallest integer is
  its own negation.)"
  [m ?c]
  (let [[op _ dividend] (rule/node-of m ?c)
        x (if (= op :div) (rule/uniform (:builder m) dividend) (rule/number-of m ?c))]
    (and (float? x) (neg? x))))

(defn- factor-of-product?
  "May ?s stand in front of the matrix product of ?x and ?y?"
  [m ?s ?x ?y]
  (and (scales? m ?s ?x ?y) (reducing/safe-outside? m ?s [(peek (rule/shape-of m ?x))])))

(defrules scalars
  "0-d factors in front of what they scale, outside of products and sums, multiplied together."
  {:name :div-by-scalar, :lhs [:div ?x ?s], :rhs [:mul [:div 1 ?s] ?x], :keeps :bits
   :when #(and (exact-inverse? % ?s) (not (rule/number-of % ?x)))
   :why "A product is cheaper than a quotient.", :examples [[[:div x 4] => [:mul 0.25 x]]]
   :refuses [[[:div x 3.0]] [[:div [:broadcast-to {:shape [2 3]} 3.0] 2.0]]]}
  {:name :scalar-out-of-mul, :lhs [:mul [:mul ?s ?x] ?y], :rhs [:mul ?s [:mul ?x ?y]]
   :when #(and (scales? % ?s ?x ?y) (not (rule/number-of % ?x))) ; s·(2·y) would come back as 2s·y
   :keeps :regroup, :why "The factor meets others, or becomes gemm's.", :types {s [:f64 []]}
   :examples [[[:mul [:mul s x] y] => [:mul s [:mul x y]]]]
   :refuses [[[:mul [:mul x y] z] {s [:f64 []]}]
             [[:mul [:mul s [:broadcast-to {:shape [2 3]} 2.0]] y]]]}
  {:name :scalar-out-of-div, :lhs [:div [:mul ?s ?x] ?y], :rhs [:mul ?s [:div ?x ?y]]
   :when #(scales? % ?s ?x ?y), :keeps :regroup, :why "The factor meets others, or becomes gemm's."
   :types {s [:f64 []]}, :gen {y [1 2]}
   :examples [[[:div [:mul s x] y] => [:mul s [:div x y]]]]
   :refuses [[[:div [:mul x y] z]]]}
  {:name :scalars-together, :lhs [:mul ?s [:mul ?t ?x]], :rhs [:mul [:mul ?s ?t] ?x]
   :when #(and (scales? % ?s ?x) (rule/scalar? % ?t)), :keeps :regroup
   :why "One product of the array instead of two.", :types {s [:f64 []], t [:f64 []]}
   :examples [[[:mul s [:mul t x]] => [:mul [:mul s t] x]]]
   :refuses [[[:mul x [:mul s y]]] [[:mul s [:mul x y]]]]}
  {:name :scalar-out-of-matmul, :lhs [:matmul [:mul ?s ?x] ?y], :rhs [:mul ?s [:matmul ?x ?y]]
   :when #(factor-of-product? % ?s ?x ?y), :keeps :regroup
   :why "gemm scales for nothing.", :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:matmul [:mul s x] y] => [:mul s [:matmul x y]]]]
   :refuses [[[:matmul [:mul x z] y]]]}
  {:name :scalar-out-of-matmul-right, :lhs [:matmul ?x [:mul ?s ?y]], :rhs [:mul ?s [:matmul ?x ?y]]
   :when #(factor-of-product? % ?s ?x ?y), :keeps :regroup
   :why "gemm scales for nothing.", :types {s [:f64 []], y [:f64 [3 4]]}
   :examples [[[:matmul x [:mul s y]] => [:mul s [:matmul x y]]]]
   :refuses [[[:matmul x [:mul y z]] {z [:f64 [3 4]]}]]}
  {:name :neg-out-of-matmul, :lhs [:matmul [:neg ?x] ?y], :rhs [:neg [:matmul ?x ?y]]
   :keeps :value, :except [:zero-sign]
   :why "Negation meets others, or the sign of an update.", :types {y [:f64 [3 4]]}
   :examples [[[:matmul [:neg x] y] => [:neg [:matmul x y]]]]}
  {:name :neg-out-of-matmul-right, :lhs [:matmul ?x [:neg ?y]], :rhs [:neg [:matmul ?x ?y]]
   :keeps :value, :except [:zero-sign], :why "Negation meets others, or the sign of an update."
   :types {y [:f64 [3 4]]}
   :examples [[[:matmul x [:neg y]] => [:neg [:matmul x y]]]]}
  {:name :scalar-out-of-sum, :lhs [:sum {:axis ?a :keepdims false} [:mul ?s ?x]]
   :rhs [:mul ?s [:sum {:axis ?a} ?x]]
   :when #(and (scales? % ?s ?x) (rule/float? % ?x)
               (reducing/safe-outside? % ?s (map (rule/shape-of % ?x) (% ?a))))
   :keeps :regroup, :why "One product instead of one an element.", :types {s [:f64 []]}
   :examples [[[:sum {:axis 0} [:mul s x]] => [:mul s [:sum {:axis 0} x]]]]
   :refuses [[[:sum {:axis 0} [:mul x y]]]
             [[:sum {:axis 0} [:mul s i]] {s [:i64 []], i [:i64 [2 3]]}]
             [[:sum {:axis 0} [:mul [:div 1 s] x]] {x [:f64 [n 3]]}]]}
  {:name :scalar-out-of-transpose, :lhs [:transpose {:axes ?a} [:mul ?s ?x]]
   :rhs [:mul ?s [:transpose {:axes ?a} ?x]], :when #(scales? % ?s ?x), :keeps :bits
   :why "Transposes are views on operands.", :types {s [:f64 []]}
   :examples [[[:transpose [:mul s x]] => [:mul s [:transpose x]]]]
   :refuses [[[:transpose [:mul x y]]]]}
  {:name :scalar-out-of-reshape, :lhs [:reshape {:shape ?d} [:mul ?s ?x]]
   :rhs [:mul ?s [:reshape {:shape ?d} ?x]], :when #(scales? % ?s ?x), :keeps :bits
   :why "The factor meets others, or becomes gemm's.", :types {s [:f64 []]}
   :examples [[[:reshape {:shape [6]} [:mul s x]] => [:mul s [:reshape {:shape [6]} x]]]]
   :refuses [[[:reshape {:shape [6]} [:mul x y]]]]}
  {:name :sub-negative, :lhs [:sub ?x [:mul ?c ?y]], :rhs [:add ?x [:mul [:neg ?c] ?y]]
   :when #(negative? % ?c), :keeps :bits, :why "One form: constants in front are positive."
   :examples [[[:sub x [:mul -3 y]] => [:add x [:mul 3.0 y]]]
              [[:sub x [:mul [:div -3 x] y]] => [:add x [:mul [:div 3.0 x] y]]]]
   :refuses [[[:sub x [:mul 3 y]]]]}
  {:name :add-negative, :lhs [:add ?x [:mul ?c ?y]], :rhs [:sub ?x [:mul [:neg ?c] ?y]]
   :when #(negative? % ?c), :keeps :bits, :why "One form: constants in front are positive."
   :examples [[[:add x [:mul -3 y]] => [:sub x [:mul 3.0 y]]]]
   :refuses [[[:add x [:mul 3 y]]]]})

(def rules
  "All rules of this phase, and those of canonicalize, on whose forms they rely."
  (rule/union :specialize "Cheaper forms of the same value."
              [canonicalize/rules
               (rule/union :specialize ""
                           (concat [exponentials scalars] powers/families
                                   contractions/families))]))
