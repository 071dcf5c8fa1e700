(ns damo.rules.products
  "Products and sums of any number of members: what stands above and below cancels, constants become
  one, terms come together. (a/b)·(b/c) → a/c. Products do so always, within the range of their
  dtype; sums of floats where a mode asks for it, since they lose digits where terms cancel."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

;; ## Constants
;; c·(d·x) may become (c·d)·x when c·d is a normal number: where the written form is finite and
;; normal, the other one is. Where a factor stands between them, (c·x)·(d·y) → (cd·x)·y, the partial
;; products change too; so the constants must be small against the range of the dtype.

(defn power-of-two?
  "Is it 2^k, for a whole k?"
  [x]
  (and (number? x) (pos? (double x)) (< (double x) ##Inf)
       (== x (Math/scalb 1.0 (Math/getExponent (double x))))))

(defn normal?
  "Is the number a normal one of the float dtype?"
  [dtype x]
  (let [{:keys [least hi]} (type/dtypes dtype)]
    (<= (Math/scalb 1.0 (int least)) (Math/abs (double x)) (double hi))))

(defn moderate?
  "Is the number so far from both ends of the dtype that products with it seldom leave the range?"
  [dtype x]
  (let [{:keys [least]} (type/dtypes dtype), bound (Math/scalb 1.0 (int (quot (- (long least)) 8)))]
    (<= (/ bound) (Math/abs (double x)) bound)))

(defn- one-constant
  "The constant x that takes the place of c and d, nil where it may not."
  [{:keys [attrs type]} x c d]
  (let [dtype (type/dtype-of type), x (array/convert dtype x)]
    (cond (type/int-dtype? dtype) x
          (and (every? #(normal? dtype %) [x c d])
               (or (not ((:apart? attrs))) (every? #(moderate? dtype %) [x c d]))) x)))

(defn- times [c d] (if (float? c) (* c d) (unchecked-multiply (long c) (long d))))
(defn- plus [c d] (if (float? c) (+ c d) (unchecked-add (long c) (long d))))
(defn- minus [c d] (if (float? c) (- c d) (unchecked-subtract (long c) (long d))))

(defn- exact-quotient
  "c/d where it is an element of the dtype itself, else nil."
  [dtype c d]
  (let [q (array/convert dtype (/ (double c) (double d)))]
    (when (and (normal? dtype q) (zero? (Math/fma (double q) (double d) (- (double c))))) q)))

(defn- finite-sum
  "The constant x of a sum, when it is finite."
  [{:keys [type]} x]
  (let [x (array/convert (type/dtype-of type) x)]
    (when (or (not (float? x)) (< ##-Inf x ##Inf)) x)))

(defrules constants
  "Constants of a product, and of a sum, become one."
  {:name :mul-constants, :lhs [:mul [:const {:value ?c}] [:const {:value ?d}]], :within :product
   :when #(and (number? (% ?c)) (number? (% ?d)))
   :rhs (fn [m] (one-constant m (times (m ?c) (m ?d)) (m ?c) (m ?d)))
   :keeps :value, :except [:overflow :underflow], :why "One product instead of two."
   :examples [[[:mul 3 [:mul x 2]] => [:mul 6.0 x]]
              [[:mul [:mul x 2] [:div 3 y]] => [:div [:mul 6.0 x] y]]
              [[:mul 3 [:div 2 x]] => [:div 6.0 x]]]
   :gen {x [1 3] y [1 3]}
   :refuses [[[:mul 3 [:mul x [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]]]]]}
  {:name :div-constants, :lhs [:div [:const {:value ?c}] [:const {:value ?d}]], :within :product
   :when #(and (number? (% ?c)) (number? (% ?d)))
   :rhs (fn [{:keys [type] :as m}]
          (when-let [q (exact-quotient (type/dtype-of type) (m ?c) (m ?d))]
            (one-constant m q (m ?c) (m ?d))))
   :keeps :value, :except [:overflow :underflow]
   :why "One operation instead of two; no quotient is rounded before the product is."
   :examples [[[:div [:mul 6 x] 3] => [:mul 2.0 x]]]
   :refuses [[[:div [:mul x [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]] 3.0]]
             [[:div [:mul 3.0 x] [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]]]]}
  {:name :add-constants, :lhs [:add [:const {:value ?c}] [:const {:value ?d}]], :within :sum
   :when #(and (number? (% ?c)) (number? (% ?d)))
   :rhs (fn [m] (finite-sum m (plus (m ?c) (m ?d))))
   :keeps :regroup, :why "One addition instead of two."
   :examples [[[:add [:add x 2] 3] => [:add 5.0 x]]
              [[:add [:sub 2 x] [:add y 3]] => [:add [:sub 5.0 x] y]]]
   :refuses [[[:add 3 [:add x [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]]]]]}
  {:name :sub-constants, :lhs [:sub [:const {:value ?c}] [:const {:value ?d}]], :within :sum
   :when #(and (number? (% ?c)) (number? (% ?d)))
   :rhs (fn [m] (finite-sum m (minus (m ?c) (m ?d))))
   :keeps :regroup, :why "One addition instead of two."
   :examples [[[:sub [:add x 2] [:add y 1.5]] => [:sub [:add 0.5 x] y]]]
   :refuses [[[:sub [:add x [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]] [:add y 3.0]]]
             [[:sub [:add 3.0 x] [:add y [:const {:type [:f64 [3]] :value [1.0 2.0 3.0]}]]]]]})

;; ## Members that cancel or come together

(defn- cancels? [m ?x]
  (let [x (rule/number-of m ?x)]
    (or (nil? x) (and (not (zero? x)) (< ##-Inf x ##Inf)))))

(defn- apart?
  "May ?a stand in front of the sum of ?x and ?y, and does not come back to meet a factor there?"
  [m ?a ?x ?y]
  (not-any? #((:meets (:attrs m)) (m ?a) (m %)) [?x ?y]))

(defn- scaled-by-two?
  "Is ?c a power of two, of floats? Terms of integers come together by other rules."
  [m ?c]
  (and (rule/float? m ?c) (power-of-two? (rule/number-of m ?c))))

(defrules cancelling
  "Factors above and below, and terms added and subtracted, are left out."
  {:name :cancel-factors, :lhs [:div ?x ?x], :within :product, :rhs 1, :keeps :drops-nan
   :when #(cancels? % ?x), :except [[:eq ?x 0] :overflow :underflow]
   :why "x need not be computed, and chain rules give quotients by what is multiplied."
   :gen {x [1 3] y [1 3] z [1 3]}
   :examples [[[:div x x] => [:broadcast-to {:shape [2 3]} 1.0]]
              [[:div [:mul x y] x] => y]
              [[:mul y [:div x y]] => x]
              [[:mul y [:mul z [:div x y]]] => [:mul z x]]
              [[:mul [:div x y] [:div y z]] => [:div x z]]
              [[:div [:div x y] x] => [:div 1.0 y]]
              [[:div [:sqr [:mul x y]] x] => [:mul y [:mul x y]]]
              [[:div [:pow x 5] [:sqr x]] => [:pow x 3.0]]]
   :refuses [[[:div [:mul x 0.0] 0.0]]]}
  {:name :abs-multiple, :lhs [:abs [:mul ?c ?x]], :keeps :bits
   :rhs (fn [m] [:mul (Math/abs (double (rule/number-of m ?c))) [:abs ?x]])
   :when #(and (rule/float? % ?x) (number? (rule/number-of % ?c)))
   :why "The constant meets those of the product."
   :examples [[[:abs [:mul -2 x]] => [:mul 2.0 [:abs x]]]]
   :refuses [[[:abs [:mul -2 i]] {i [:i64 [2 3]]}] [[:abs [:mul x y]]]]}
  {:name :cancel-terms, :lhs [:sub ?x ?x], :within :sum, :rhs 0, :keeps :regroup
   :when #(cancels? % ?x), :why "x need not be computed."
   :examples [[[:sub [:add x y] x] => y]
              [[:sub x [:add x y]] => [:neg y]]
              [[:sub [:add y [:mul 3 x]] x] => [:add y [:mul 2.0 x]]]]
   :refuses [[[:sub [:add x ##Inf] ##Inf]]]}
  {:name :collect-terms, :lhs [:add ?x ?x], :within :sum, :rhs [:mul 2 ?x], :keeps :regroup
   :why "One product instead of two additions."
   :examples [[[:add [:add x y] x] => [:add [:mul 2.0 x] y]]
              [[:add [:mul 2 x] [:add y [:mul 3 x]]] => [:add [:mul 5.0 x] y]]]}
  {:name :common-factor, :lhs [:add [:mul ?a ?x] [:mul ?a ?y]], :within :sum
   :when #(apart? % ?a ?x ?y), :rhs [:mul ?a [:add ?x ?y]], :share :sole, :keeps :regroup
   :types {z [:f64 []]}
   :why "One product instead of two."
   :examples [[[:add [:mul z x] [:mul z y]] => [:mul z [:add x y]]]]}
  {:name :common-factor-of-difference, :lhs [:sub [:mul ?a ?x] [:mul ?a ?y]], :within :sum
   :when #(apart? % ?a ?x ?y), :rhs [:mul ?a [:sub ?x ?y]], :share :sole, :keeps :regroup
   :types {z [:f64 []]}
   :why "One product instead of two."
   :examples [[[:sub [:mul z x] [:mul z y]] => [:mul z [:sub x y]]]]}
  {:name :multiple-minus-one, :lhs [:sub [:mul ?c ?x] ?x]
   :rhs (fn [m] [:mul (dec (rule/number-of m ?c)) ?x]), :when #(scaled-by-two? % ?c)
   :keeps :drops-nan, :except [:overflow :underflow :zero-sign]
   :why "One operation instead of two; the multiple is exact, so both round once."
   :examples [[[:sub [:mul 2 x] x] => x] [[:sub [:add x x] x] => x]
              [[:sub [:mul 4 x] x] => [:mul 3.0 x]]]
   :refuses [[[:sub [:mul 3 x] x]]]}
  {:name :one-minus-multiple, :lhs [:sub ?x [:mul ?c ?x]]
   :rhs (fn [m] [:mul (- 1 (rule/number-of m ?c)) ?x]), :when #(scaled-by-two? % ?c)
   :keeps :drops-nan, :except [:overflow :underflow :zero-sign]
   :why "One operation instead of two; the multiple is exact, so both round once."
   :examples [[[:sub x [:mul 2 x]] => [:neg x]] [[:sub x [:mul 0.5 x]] => [:mul 0.5 x]]]
   :refuses [[[:sub x [:mul 3 x]]]]})

(def families "The families of this namespace." [constants cancelling])
