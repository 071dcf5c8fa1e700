(ns damo.ops.math.compare
  "Comparisons, choice, and the algebra of booleans and bits. Elementwise; comparisons with NaN
  are false, but ne."
  (:refer-clojure :exclude [bit-and bit-not bit-or bit-xor])
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

;; ## Comparisons

(defop eq
  "Is x equal to y? Elementwise."
  {:kind :elementwise, :args [?x ?y], :type :bool, :commutes true
   :eval (scalar/comparison ==), :partials [0 0]
   :scalar :eq
   :examples [[[:eq 1.0 1.0] true] [[:eq ##NaN ##NaN] false]]})

(defop ne
  "Does x differ from y? Elementwise; true when either is NaN."
  {:kind :elementwise, :args [?x ?y], :type :bool, :commutes true
   :eval (scalar/comparison (comp not ==)), :partials [0 0]
   :scalar :ne
   :examples [[[:ne 1 2] true] [[:ne ##NaN ##NaN] true]]})

(defop lt
  "Is x < y? Elementwise."
  {:kind :elementwise, :args [?x ?y], :type :bool
   :eval (scalar/comparison <), :partials [0 0]
   :scalar :lt
   :examples [[[:lt 1 2] true] [[:lt 1.0 ##NaN] false]]})

(defop le
  "Is x ≤ y? Elementwise."
  {:kind :elementwise, :args [?x ?y], :type :bool
   :eval (scalar/comparison <=), :partials [0 0]
   :scalar :le
   :examples [[[:le 2 2] true]]})

(defop gt
  "Is x > y? Elementwise."
  {:kind :elementwise, :args [?x ?y], :type :bool
   :eval (scalar/comparison >), :partials [0 0]
   :scalar :gt
   :examples [[[:gt 2 2] false] [[:gt 3 2] true]]})

(defop ge
  "Is x ≥ y? Elementwise."
  {:kind :elementwise, :args [?x ?y], :type :bool
   :eval (scalar/comparison >=), :partials [0 0]
   :scalar :ge
   :examples [[[:ge 2 2] true]]})

(defn- test-of-floats
  "The scalar template of a test that is false for everything but floats."
  [instruction]
  (fn [_ [dtype]] (if (type/float-dtype? dtype) [instruction '?x] [:ne '?x '?x])))

(defop isnan
  "Is x NaN? Elementwise; false for integers."
  {:kind :elementwise, :args [?x], :type :bool
   :eval (scalar/by-kind (fn [^double x] (Double/isNaN x)) (constantly false)), :partials [0]
   :scalar (test-of-floats :isnan)
   :examples [[[:isnan ##NaN] true] [[:isnan 1.0] false] [[:isnan 1] false]]})

(defop isinf
  "Is x infinite? Elementwise; false for integers."
  {:kind :elementwise, :args [?x], :type :bool
   :eval (scalar/by-kind (fn [^double x] (Double/isInfinite x)) (constantly false)), :partials [0]
   :scalar (test-of-floats :isinf)
   :examples [[[:isinf ##-Inf] true] [[:isinf 1.0] false]]})

(defop isfinite
  "Is x neither infinite nor NaN? Elementwise; true for integers."
  {:kind :elementwise, :args [?x], :type :bool
   :eval (scalar/by-kind (fn [^double x] (Double/isFinite x)) (constantly true)), :partials [0]
   :scalar (fn [_ [dtype]]
             (if (type/float-dtype? dtype) [:lt [:abs ?x] ##Inf] [:eq ?x ?x]))
   :examples [[[:isfinite ##NaN] false] [[:isfinite 1.0] true] [[:isfinite 1] true]]})

(defn- close?
  "Is |x - y| ≤ atol + rtol·|y|, of doubles; what is equal is close, infinities too."
  [{:keys [rtol atol equal-nan]}]
  (fn [x y]
    (let [x (double (scalar/number x)), y (double (scalar/number y))]
      (or (== x y)
          (and equal-nan (Double/isNaN x) (Double/isNaN y))
          (and (Double/isFinite y)
               (<= (Math/abs (- x y)) (+ (double atol) (* (double rtol) (Math/abs y)))))))))

(def ^:private tolerances
  {:rtol {:default 1e-5 :doc "the difference allowed, relative to |y|"}
   :atol {:default 1e-8 :doc "the difference allowed in any case"}
   :equal-nan {:default false :doc "whether NaN is close to NaN"}})

(defop isclose
  "Is |x - y| ≤ atol + rtol·|y|? Elementwise, computed in :f64; y is the reference. Equal infinities
  are close, NaN only to NaN and only with :equal-nan."
  {:kind :composite, :args [?x ?y], :attrs tolerances, :coerce :all
   :type (typing/elementwise [:any :any] (constantly :bool))
   :eval (fn [attrs x y] (array/map-elements :bool (close? attrs) [x y]))
   :expand (fn [{{:keys [rtol atol equal-nan]} :attrs, [[dtype]] :types}]
             (let [x [:cast {:dtype :f64} ?x], y [:cast {:dtype :f64} ?y]
                   near [:logical-and [:isfinite y]
                         [:le [:abs [:sub x y]] [:add [:mul rtol [:abs y]] atol]]]
                   close [:logical-or near [:eq x y]]]
               (if (and equal-nan (type/float-dtype? dtype))
                 [:logical-or close [:logical-and [:isnan ?x] [:isnan ?y]]]
                 close)))
   :lop [0 0], :rop 0
   :gen (gens/on-shapes (fn [n] [[{} [n] [n]] [{:atol 1} [2 n] [n]] [{:rtol 0.5} [n 1] []]
                                 [{:equal-nan true} [n] [1]]]))
   :examples [[[:isclose 1.0 1.000001] true] [[:isclose 1.0 1.1] false]
              [[:isclose ##Inf ##Inf] true] [[:isclose ##NaN ##NaN] false]
              [[:isclose {:equal-nan true} ##NaN ##NaN] true]]})

;; ## Choice

(defop where
  "x where the :bool c is true, else y, elementwise. The value that is not chosen has no
  influence, nor has its gradient."
  {:kind :elementwise, :args [?c ?x ?y], :coerce [1 2]
   :type (typing/elementwise [:bool :any :any] peek)
   :eval (fn [c x y] (if c x y))
   :lop [0 [:where ?c ?g 0] [:where ?c 0 ?g]]
   :rop [:where ?c ?dx ?dy]
   :slope-ulp "derivatives pass unchanged"
   :scalar :select, :gen {?c :bool}
   :examples [[[:where true 1.0 2.0] 1.0] [[:where false ##NaN 2.0] 2.0]]})

;; ## Booleans

(defn- on-truths
  "The scalar template of an instruction on operands made :bool."
  [instruction & operands]
  (fn [_ [dtype]]
    (into [instruction] (map (fn [o] (if (= dtype :bool) o [:ne o 0]))) operands)))

(defop logical-and
  "Are x and y both true? Elementwise; everything but 0 is true."
  {:kind :elementwise, :args [?x ?y], :type :bool, :fold true, :commutes true
   :eval (fn [x y] (and (scalar/truth x) (scalar/truth y))), :partials [0 0]
   :scalar (on-truths :and ?x ?y), :gen {?x [-1 1], ?y [-1 1]}
   :examples [[[:logical-and true false] false] [[:logical-and 2 3] true]]})

(defop logical-or
  "Is x or y true? Elementwise; everything but 0 is true."
  {:kind :elementwise, :args [?x ?y], :type :bool, :fold true, :commutes true
   :eval (fn [x y] (or (scalar/truth x) (scalar/truth y))), :partials [0 0]
   :scalar (on-truths :or ?x ?y), :gen {?x [-1 1], ?y [-1 1]}
   :examples [[[:logical-or true false] true] [[:logical-or 0.0 0.0] false]]})

(defop logical-xor
  "Is exactly one of x and y true? Elementwise; everything but 0 is true."
  {:kind :elementwise, :args [?x ?y], :type :bool, :fold true, :commutes true
   :eval (fn [x y] (not= (scalar/truth x) (scalar/truth y))), :partials [0 0]
   :scalar (on-truths :xor ?x ?y), :gen {?x [-1 1], ?y [-1 1]}
   :examples [[[:logical-xor true true] false] [[:logical-xor 2 0] true]]})

(defop logical-not
  "Is x false? Elementwise; everything but 0 is true."
  {:kind :elementwise, :args [?x], :type :bool
   :eval (comp not scalar/truth), :partials [0]
   :scalar (on-truths :not ?x), :gen {?x [-1 1]}
   :examples [[[:logical-not true] false] [[:logical-not 0] true]]})

;; ## Bits

(defn- bitwise
  "A function on elements: on booleans the one, on integers the other."
  [on-booleans on-integers]
  (fn [& xs] (apply (if (boolean? (first xs)) on-booleans on-integers) xs)))

(defop bit-and
  "The bits set in both x and y, elementwise; integers or booleans."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :integral), :fold true, :commutes true
   :eval (bitwise #(and %1 %2) clojure.core/bit-and), :partials [0 0]
   :scalar :and
   :examples [[[:bit-and 6 3] 2] [[:bit-and true false] false]]})

(defop bit-or
  "The bits set in x or y, elementwise; integers or booleans."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :integral), :fold true, :commutes true
   :eval (bitwise #(or %1 %2) clojure.core/bit-or), :partials [0 0]
   :scalar :or
   :examples [[[:bit-or 6 3] 7]]})

(defop bit-xor
  "The bits set in exactly one of x and y, elementwise; integers or booleans."
  {:kind :elementwise, :args [?x ?y], :type (typing/same :integral), :fold true, :commutes true
   :eval (bitwise not= clojure.core/bit-xor), :partials [0 0]
   :scalar :xor
   :examples [[[:bit-xor 6 3] 5]]})

(defop bit-not
  "The bits of x turned over, elementwise; integers or booleans."
  {:kind :elementwise, :args [?x], :type (typing/same :integral)
   :eval (bitwise not clojure.core/bit-not), :partials [0]
   :scalar :not
   :examples [[[:bit-not 6] -7] [[:bit-not false] true]]})

(defop left-shift
  "x · 2^n, elementwise, of integers; what leaves the dtype is lost. Counts that are negative or not
  below the width of the dtype give 0."
  {:kind :elementwise, :args [?x ?n], :type (typing/same :int)
   :eval scalar/shift-left, :partials [0 0]
   :scalar :shl, :gen {?n [0 9]}
   :examples [[[:left-shift 3 2] 12] [[:left-shift 1 64] 0]]})

(defop right-shift
  "x / 2^n rounded down, elementwise, of integers. Counts that are negative or not below the width
  of the dtype leave the sign: 0 or -1."
  {:kind :elementwise, :args [?x ?n], :type (typing/same :int)
   :eval scalar/shift-right, :partials [0 0]
   :scalar (fn [_ [dtype]]
             (let [most (dec (* 8 (:bytes (type/dtypes dtype))))]
               (if (zero? (:lo (type/dtypes dtype)))
                 [:shr ?x ?n]
                 [:shr ?x [:select [:and [:ge ?n 0] [:le ?n most]] ?n most]])))
   :gen {?n [0 9]}
   :examples [[[:right-shift 12 2] 3] [[:right-shift -7 1] -4] [[:right-shift -1 99] -1]]})
