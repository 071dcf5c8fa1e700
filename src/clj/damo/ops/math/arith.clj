(ns damo.ops.math.arith
  "Elementwise arithmetic, rounding, and the cast. Operands broadcast and are promoted to one
  dtype; integers wrap."
  (:refer-clojure :exclude [abs cast mod])
  (:require [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

;; ## Sums and products

(defop add
  "x + y, elementwise."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :num), :fold true, :commutes true
   :eval (scalar/by-kind + unchecked-add)
   :partials [1 1]
   :scalar :add
   :examples [[[:add 1.5 2.0] 3.5] [[:add 2 3] 5]]})

(defop sub
  "x - y, elementwise."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :num)
   :eval (scalar/by-kind - unchecked-subtract)
   :partials [1 -1]
   :scalar :sub
   :examples [[[:sub 1.5 2.0] -0.5] [[:sub 2 3] -1]]})

(defop mul
  "x · y, elementwise."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :num), :fold true, :commutes true
   :eval (scalar/by-kind * unchecked-multiply)
   :partials [?y ?x]
   :scalar :mul
   :examples [[[:mul 1.5 2.0] 3.0] [[:mul -2 3] -6]]})

(defop div
  "x / y, elementwise; true division: of integers it gives a float (:f64, or :f32 for one-byte
  ones)."
  {:kind :elementwise, :args [?x ?y], :type :float
   :eval (fn [^double x ^double y] (/ x y))
   :partials [[:div 1 ?y] [:neg [:div ?out ?y]]]
   :scalar :div, :gen {?y [0.5 3]}
   :examples [[[:div 3.0 2.0] 1.5] [[:div 1 4] 0.25] [[:div 1.0 0.0] ##Inf]]})

(def ^:private float-div
  "The template of x / y rounded down, of floats: 1 / 0.1 is rounded to 10, though 0.1 as a float
  goes into 1 only nine times; so the remainder is taken off first."
  '[:select [:or [:eq ?y 0] [:isinf ?y]]
    [:select [:and [:isinf ?y] [:lt [:mul ?x ?y] 0]] [:sub [:div ?x ?y] 1] [:div ?x ?y]]
    [:rint [:div [:sub ?x [:mod ?x ?y]] ?y]]])

(defop int-div
  "x / y rounded down, elementwise; keeps the dtype. An integer divided by zero gives 0. Its
  derivative is 0."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :num)
   :eval scalar/floor-div
   :partials [0 0]
   :scalar (fn [_ [dtype]] (if (type/float-dtype? dtype) float-div [:div ?x ?y]))
   :gen {?y [0.5 3]}
   :examples [[[:int-div -7 2] -4] [[:int-div 7.5 2.0] 3.0] [[:int-div 1 0] 0]
              [[:int-div 1.0 0.1] 9.0]]})

(defop mod
  "x - y · int-div(x, y), elementwise: the remainder with the sign of y. For y = 0 NaN, and 0 for
  integers."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :num)
   :eval scalar/floor-mod
   :partials [1 [:neg [:int-div ?x ?y]]]
   :scalar :mod, :gen {?y [0.5 3]}
   :examples [[[:mod -7 3] 2] [[:mod 7.5 -2.0] -0.5] [[:mod 1 0] 0]]})

(defop neg
  "-x, elementwise; unsigned integers wrap."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind - unchecked-negate)
   :partials [-1]
   :scalar :neg
   :examples [[[:neg 2.5] -2.5] [[:neg -3] 3]]})

(defop reciprocal
  "1 / x, elementwise; a float."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (/ 1.0 (double x)))
   :partials [[:neg [:sqr ?out]]]
   :scalar [:div 1 ?x], :gen {?x [0.5 3]}
   :examples [[[:reciprocal 4.0] 0.25]]})

(defop sqr
  "x², elementwise."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind #(* % %) #(unchecked-multiply % %))
   :partials [[:mul 2 ?x]]
   :scalar [:mul ?x ?x]
   :examples [[[:sqr -3.0] 9.0] [[:sqr 4] 16]]})

(defop sqrt
  "The square root, elementwise; NaN below 0. A float. Its derivative at 0 is infinite."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/sqrt x))
   :partials [[:div 0.5 ?out]]
   :scalar :sqrt, :gen {?x [0.1 9]}
   :examples [[[:sqrt 9.0] 3.0]]})

(defop pow
  "x to the power y, elementwise; a float also for integers. pow(x, 0) = 1. The derivative by x is
  0 where y = 0, the one by y is 0 where x = 0."
  {:kind :elementwise, :args [?x ?y], :type :float
   :eval scalar/pow
   :partials [[:power-term {:c [0 1], :k 1, :m 0} ?x ?y] [:power-term {:c [1], :k 0, :m 1} ?x ?y]]
   :slope-ulp {:least 1000
               :by {0 {:of [:mul [:abs [:mul ?y [:pow ?x [:sub ?y 1]]]]     ; y - 1 is rounded
                            [:maximum 1 [:abs [:mul [:sub ?y 1] [:log [:abs ?x]]]]]]
                       :except [:or [:lt [:abs ?y] 1e-6]
                                [:and [:lt ?x 0] [:gt [:abs ?y] 1e7]]]}}}
   :scalar :pow, :gen {?x [0.2 3]}
   :examples [[[:pow 2.0 10.0] 1024.0] [[:pow 0.0 0.0] 1.0]]})

;; ## Sign and order

(defop abs
  "The absolute value, elementwise. Its derivative at 0 is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind (fn [^double x] (Math/abs x)) (fn [^long x] (Math/abs x)))
   :partials [[:sign ?x]]
   :scalar :abs
   :examples [[[:abs -2.5] 2.5] [[:abs -3] 3]]})

(defn- sign-template [dtype x]
  (if (= dtype :u8)
    [:select [:gt x 0] 1 x]
    [:select [:gt x 0] 1 [:select [:lt x 0] -1 [:select [:eq x 0] 0 x]]]))

(defop sign
  "-1, 0 or 1 as x is negative, zero or positive, elementwise; NaN for NaN. Its derivative is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval scalar/sign
   :partials [0]
   :scalar (fn [_ [dtype]] (sign-template dtype ?x))
   :examples [[[:sign -2.5] -1.0] [[:sign 7] 1] [[:sign 0.0] 0.0]]})

(defop maximum
  "The larger of x and y, elementwise; NaN when either is. Where they are equal, x takes the
  gradient."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :any), :fold true, :commutes true
   :eval scalar/maximum
   :lop [[:where [:ge ?x ?y] ?g 0] [:where [:ge ?x ?y] 0 ?g]]
   :rop [:where [:ge ?x ?y] ?dx ?dy]
   :scalar :maximum
   :examples [[[:maximum 1.0 2.0] 2.0] [[:maximum 1.0 ##NaN] ##NaN]]})

(defop minimum
  "The smaller of x and y, elementwise; NaN when either is. Where they are equal, x takes the
  gradient."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :any), :fold true, :commutes true
   :eval scalar/minimum
   :lop [[:where [:le ?x ?y] ?g 0] [:where [:le ?x ?y] 0 ?g]]
   :rop [:where [:le ?x ?y] ?dx ?dy]
   :scalar :minimum
   :examples [[[:minimum 1.0 2.0] 1.0] [[:minimum 1.0 ##NaN] ##NaN]]})

;; Between equal bounds x has no influence; the upper one takes the gradient.
(def ^:private in-bounds '[:logical-and [:ge ?x ?lo] [:le [:maximum ?x ?lo] ?hi]])
(def ^:private at-hi
  '[:logical-or [:gt [:maximum ?x ?lo] ?hi] [:logical-and [:ge ?x ?lo] [:eq ?lo ?hi]]])

(defop clip
  "x held between lo and hi, elementwise: minimum(maximum(x, lo), hi). At the bounds x takes the
  gradient, unless they are equal."
  {:kind :elementwise, :args [?x ?lo ?hi], :type (typing/same :num)
   :eval (fn [x lo hi] (scalar/minimum (scalar/maximum x lo) hi))
   :lop [[:where [:logical-and [:lt ?lo ?hi] in-bounds] ?g 0]
         [:where [:logical-and [:lt ?x ?lo] [:le ?lo ?hi]] ?g 0]
         [:where at-hi ?g 0]]
   :rop [:where at-hi ?dhi [:where [:lt ?x ?lo] ?dlo ?dx]]
   :scalar [:minimum [:maximum ?x ?lo] ?hi]
   :gen {?lo [-2 -1], ?hi [1 2]}
   :examples [[[:clip 5.0 0.0 1.0] 1.0] [[:clip -5 0 1] 0]]})

(defop relu
  "The larger of x and 0, elementwise; NaN for NaN. Its derivative at 0 is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (fn [x] (scalar/maximum x (if (float? x) 0.0 0)))
   :lop [[:where [:gt ?x 0] ?g 0]]
   :rop [:where [:gt ?x 0] ?dx 0]
   :scalar [:maximum ?x 0]
   :examples [[[:relu -2.0] 0.0] [[:relu 3.0] 3.0]]})

;; ## Rounding

(defn- floats-only
  "The scalar template of an op that leaves integers alone."
  [instruction]
  (fn [_ [dtype]] (if (type/float-dtype? dtype) [instruction '?x] '?x)))

(defop floor
  "The largest whole number ≤ x, elementwise; keeps the dtype. Its derivative is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind (fn [^double x] (Math/floor x)) identity)
   :partials [0]
   :scalar (floats-only :floor)
   :examples [[[:floor -1.5] -2.0] [[:floor 3] 3]]})

(defop ceil
  "The smallest whole number ≥ x, elementwise; keeps the dtype. Its derivative is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind (fn [^double x] (Math/ceil x)) identity)
   :partials [0]
   :scalar (floats-only :ceil)
   :examples [[[:ceil 1.2] 2.0] [[:ceil -0.5] -0.0]]})

(defop trunc
  "x without its fraction, elementwise; keeps the dtype. Its derivative is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind scalar/trunc identity)
   :partials [0]
   :scalar (floats-only :trunc)
   :examples [[[:trunc -1.5] -1.0]]})

(defop round
  "The nearest whole number, ties to even, elementwise; keeps the dtype. Its derivative is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind (fn [^double x] (Math/rint x)) identity)
   :partials [0]
   :scalar (floats-only :rint)
   :examples [[[:round 2.5] 2.0] [[:round 3.5] 4.0]]})

(defop round-half-away-from-zero
  "The nearest whole number, ties away from zero, elementwise; keeps the dtype. Its derivative
  is 0."
  {:kind :elementwise, :args [?x], :type (typing/same :num)
   :eval (scalar/by-kind scalar/half-away identity)
   :partials [0]
   :scalar (fn [_ [dtype]]
             (if (type/float-dtype? dtype)
               (let [a [:abs ?x], whole [:trunc a]]
                 [:copysign [:select [:ge [:sub a whole] 0.5] [:add whole 1] whole] ?x])
               ?x))
   :examples [[[:round-half-away-from-zero 2.5] 3.0] [[:round-half-away-from-zero -0.5] -1.0]]})

;; ## Conversion

(defop cast
  "x as another dtype, elementwise: floats become integers by truncation (NaN gives 0, beyond the
  range its nearest end), wide integers wrap, everything but 0 is true. Differentiable where it
  gives a float."
  {:kind :elementwise, :args [?x]
   :attrs {:dtype {:doc "the dtype of the result"}}
   :type (fn [{:keys [dtype]} [[_ shape]]] (type/check [dtype shape]))
   :eval identity                       ; every result is converted to the dtype of its node
   :lop (fn [{:keys [type]}] [(if (type/float-dtype? (type/dtype-of type)) ?g 0)])
   :rop (fn [{:keys [type]}]
          (if (type/float-dtype? (type/dtype-of type)) [:cast {:dtype (type/dtype-of type)} ?dx] 0))
   :slope-ulp "derivatives pass unchanged, rounded to the dtype of x"
   :scalar (fn [{:keys [dtype]} _] [:cast dtype ?x])
   :gen (fn [{:keys [dtype size] :as ctx}]
          {:attrs {:dtype (gens/variant ctx (sort (keys type/dtypes)))}
           :args [(gens/random-array ctx dtype (gens/choose ctx [[size] [2 size] []]))]})
   :examples [[[:cast {:dtype :i32} -2.7] -2] [[:cast {:dtype :bool} 0.5] true]
              [[:cast {:dtype :u8} 300] 44] [[:cast {:dtype :u8} 300.0] 255]]})
