(ns damo.rules.powers
  "Whole powers as products, by squaring; factors and divisors outside of the products and sums that
  they scale; products of absolute values. pow(x, 5) → x·(x²)²; Π s·x → sⁿ·Π x."
  (:require [damo.data.type :as type]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.products :as products]))

(set! *warn-on-reflection* true)

;; ## Powers

(def ^:private largest-power
  "The largest exponent that becomes products: the 15 roundings of x^16 are 16 ulp at most."
  16)

(defn- exponent
  "The whole number, not 0, that the exponent ?n is, where ?x to that power becomes products. What
  is rounded to a storage dtype after each product may not have many."
  [m ?x ?n]
  (let [n (rule/number-of m ?n)
        most (if (type/storage-dtype? (rule/dtype-of m ?x)) 4 largest-power)]
    (when (and (number? n) (== n (Math/rint (double n))) (<= 1 (Math/abs (double n)) most))
      (long n))))

(defn- power
  "The template of ?x to the n, n ≥ 1, by squaring."
  [n]
  (cond (= n 1) '?x
        (even? n) [:sqr (power (quot n 2))]
        :else [:mul '?x (power (dec n))]))

(defrules powers
  "Powers with known exponents, quotients of exponentials."
  {:name :pow-whole, :lhs [:pow ?x ?n], :keeps :value, :units 16, :except [:underflow]
   :rhs (fn [m] (let [n (exponent m ?x ?n)] (if (pos? n) (power n) [:div 1 (power (- n))])))
   :when #(exponent % ?x ?n), :why "Some products are cheaper than a power.", :gen {x [1 2]}
   :examples [[[:pow x 3] => [:mul x [:sqr x]]]
              [[:pow x 4] => [:sqr [:sqr x]]]
              [[:pow x 7] => [:mul x [:sqr [:mul x [:sqr x]]]]]
              [[:pow x 16] => [:sqr [:sqr [:sqr [:sqr x]]]]]
              [[:pow x -1] => [:div 1.0 x]]
              [[:pow x -5] => [:div 1.0 [:mul x [:sqr [:sqr x]]]]]]
   :refuses [[[:pow x 17]] [[:pow x 2.5]] [[:pow x y]]]}
  {:name :abs-product, :lhs [:mul [:abs ?x] [:abs ?y]], :within :product, :rhs [:abs [:mul ?x ?y]]
   :when #(rule/float? % ?x), :share :sole, :keeps :value, :except [:overflow :underflow]
   :why "One absolute value instead of two.", :types {z [:f64 [3]]}
   :examples [[[:mul [:abs x] [:abs y]] => [:abs [:mul x y]]]
              [[:mul [:mul [:abs x] z] [:abs y]] => [:mul [:abs [:mul x y]] z]]]
   :refuses [[[:mul [:abs i] [:abs j]] {i [:i64 [2 3]], j [:i64 [2 3]]}]]}
  {:name :by-its-size, :lhs [:div ?x [:abs ?x]], :rhs [:sign ?x], :keeps :drops-nan
   :why "One form of the sign; no quotient."
   :examples [[[:div x [:abs x]] => [:sign x]]]}
  {:name :size-by-itself, :lhs [:div [:abs ?x] ?x], :rhs [:sign ?x], :keeps :drops-nan
   :why "One form of the sign; no quotient."
   :examples [[[:div [:abs x] x] => [:sign x]]]})

;; ## Out of products and sums

(defn- dims [m ?x ?a] (map (rule/shape-of m ?x) (m ?a)))

(defn- scales?
  "Is ?s 0-d and ?x an array, of a dtype that is no storage dtype?"
  [m ?s ?x]
  (and (rule/scalar? m ?s) (not (rule/scalar? m ?x)) (rule/float? m ?x)
       (not (type/storage-dtype? (rule/dtype-of m ?s)))))

(defn- constant-power
  "The number s^n for a constant ?s and the n elements of ?x along the axes, where that is no
  extreme one; else nil."
  [m ?s ?x ?a]
  (let [s (rule/number-of m ?s), n (apply type/dim* (dims m ?x ?a)), dtype (rule/dtype-of m ?x)]
    (when (and (float? s) (integer? n) (pos? (long n)))
      (let [p (Math/pow s n)] (when (products/moderate? dtype p) p)))))

(defn- extent-power
  "The template of ?s to the number of elements of ?x along the axes."
  [m ?s ?x ?a]
  [:pow ?s [:cast {:dtype (rule/dtype-of m ?s)} [:dim {:dim (apply type/dim* (dims m ?x ?a))}]]])

(defn- never-empty? [m ?x ?a] (every? #(and (integer? %) (pos? (long %))) (dims m ?x ?a)))

(defrules outside
  "0-d factors and divisors in front of the product or sum of what they scale."
  {:name :constant-out-of-prod, :lhs [:prod {:axis ?a :keepdims false} [:mul ?s ?x]]
   :rhs (fn [m] [:mul (constant-power m ?s ?x ?a) [:prod {:axis ?a} ?x]])
   :when #(and (scales? % ?s ?x) (constant-power % ?s ?x ?a))
   :keeps :value, :except [:overflow :underflow], :why "One product instead of one an element."
   :examples [[[:prod {:axis 1} [:mul 2 x]] => [:mul 8.0 [:prod {:axis 1} x]]]]
   :refuses [[[:prod {:axis 1} [:mul 2 i]] {i [:i64 [2 3]]}] [[:prod {:axis 1} [:mul 1e200 x]]]
             [[:prod {:axis 1} [:mul y x]]]]}
  {:name :scalar-out-of-prod, :lhs [:prod {:axis ?a :keepdims false} [:mul ?s ?x]]
   :rhs (fn [m] [:mul (extent-power m ?s ?x ?a) [:prod {:axis ?a} ?x]])
   :when #(scales? % ?s ?x), :keeps :regroup, :types {s [:f64 []], x [:f64 [2 4]]}
   :why "One power instead of one product an element."
   :examples [[[:prod {:axis 1} [:mul s x]] => [:mul [:sqr [:sqr s]] [:prod {:axis 1} x]]]]
   :refuses [[[:prod {:axis 1} [:mul x y]] {x [:f64 [2 4]], y [:f64 [2 4]]}]]}
  {:name :divisor-out-of-prod, :lhs [:prod {:axis ?a :keepdims false} [:div ?x ?s]]
   :rhs (fn [m] [:div [:prod {:axis ?a} ?x] (extent-power m ?s ?x ?a)])
   :when #(scales? % ?s ?x), :keeps :regroup, :types {s [:f64 []]}, :gen {s [1 3]}
   :why "One power instead of one quotient an element."
   :examples [[[:prod {:axis 0} [:div x s]] => [:div [:prod {:axis 0} x] [:sqr s]]]]
   :refuses [[[:prod {:axis 1} [:div x y]]]]}
  {:name :divisor-out-of-sum, :lhs [:sum {:axis ?a :keepdims false} [:div ?x ?s]]
   :rhs [:div [:sum {:axis ?a} ?x] ?s]
   :when #(and (scales? % ?s ?x) (never-empty? % ?x ?a)), :keeps :regroup
   :types {s [:f64 []]}, :gen {s [1 3]}, :why "One quotient instead of one an element."
   :examples [[[:sum {:axis 0} [:div x s]] => [:div [:sum {:axis 0} x] s]]]
   :refuses [[[:sum {:axis 0} [:div x y]]]
             [[:sum {:axis 0} [:div x s]] {x [:f64 [n 3]], s [:f64 []]}]]})

(def families "The families of this namespace." [powers outside])
