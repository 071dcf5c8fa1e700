(ns damo.op.exp
  "Exponentials, logarithms, and the functions made of them. Elementwise; integers give floats."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.scalar :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private ln-2 (Math/log 2.0))
(def ^:private ln-10 (Math/log 10.0))

(defop exp
  "e^x, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/exp x))
   :partials [?out]
   :scalar :exp
   :examples [[[:exp 0.0] 1.0] [[:exp ##-Inf] 0.0]]})

(defop exp2
  "2^x, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/pow 2.0 x))
   :partials [[:mul ln-2 ?out]]
   :scalar :exp2
   :examples [[[:exp2 3.0] 8.0]]})

(defop expm1
  "e^x - 1, elementwise; accurate near 0."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/expm1 x))
   :partials [[:exp ?x]]                ; 1 + ?out loses all digits for x below -40
   :scalar :expm1
   :examples [[[:expm1 0.0] 0.0] [[:expm1 1e-20] 1e-20]]})

(defop log
  "The natural logarithm, elementwise; -Inf at 0, NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/log x))
   :partials [[:div 1 ?x]]
   :scalar :log, :gen {?x [0.1 10]}
   :examples [[[:log 1.0] 0.0] [[:log 0.0] ##-Inf] [[:log -1.0] ##NaN]]})

(defop log2
  "The logarithm to base 2, elementwise; -Inf at 0, NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/log2
   :partials [[:div (/ ln-2) ?x]]
   :scalar :log2, :gen {?x [0.1 10]}
   :examples [[[:log2 8.0] 3.0]]})

(defop log10
  "The logarithm to base 10, elementwise; -Inf at 0, NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/log10 x))
   :partials [[:div (/ ln-10) ?x]]
   :scalar :log10, :gen {?x [0.1 10]}
   :examples [[[:log10 1000.0] 3.0]]})

(defop log1p
  "log(1 + x), elementwise; accurate near 0, -Inf at -1, NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/log1p x))
   :partials [[:div 1 [:add 1 ?x]]]
   :scalar :log1p, :gen {?x [-0.9 10]}
   :examples [[[:log1p 0.0] 0.0] [[:log1p -1.0] ##-Inf]]})

(defop sigmoid
  "1 / (1 + e^-x), elementwise; without overflow."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/sigmoid
   :partials [[:mul ?out [:sigmoid [:neg ?x]]]]      ; 1 - ?out loses all digits for large x
   :scalar :sigmoid
   :examples [[[:sigmoid 0.0] 0.5] [[:sigmoid -800.0] 0.0]]})

(defop softplus
  "log(1 + e^x), elementwise; without overflow."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/softplus
   :partials [[:sigmoid ?x]]
   :scalar :softplus
   :examples [[[:softplus 800.0] 800.0] [[:softplus -800.0] 0.0]]})

(defop logaddexp
  "log(e^x + e^y), elementwise; without overflow."
  {:kind :elementwise, :args [?x ?y], :type :float, :fold true, :commutes true
   :eval scalar/logaddexp
   :partials [[:sigmoid [:sub ?x ?y]] [:sigmoid [:sub ?y ?x]]]
   :scalar [:select [:eq ?x ?y]         ; also keeps ∞ - ∞ out of the other branch
            [:add ?x ln-2]
            [:add [:maximum ?x ?y] [:log1p [:exp [:neg [:abs [:sub ?x ?y]]]]]]]
   :examples [[[:logaddexp 800.0 ##-Inf] 800.0] [[:logaddexp ##-Inf ##-Inf] ##-Inf]]})
