(ns damo.ops.math.exp
  "Exponentials, logarithms, and the functions made of them. Elementwise; integers give floats."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

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
   :partials [[:mul (* 2 ln-2) [:exp2 [:sub ?x 1]]]]    ; ?out may be infinite, the slope not yet
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

;; ∞ - ∞ is no difference: of two equal infinities each takes half of the gradient.
(def ^:private difference
  [:where [:logical-and [:eq '?x '?y] [:isinf '?x]] 0 [:sub '?x '?y]])

(defn- far-apart
  "The unit of errors of sigmoid(d) for a difference that was rounded: |d| of it."
  [d]
  [:mul [:abs d] [:sigmoid d]])

(defop logaddexp
  "log(e^x + e^y), elementwise; without overflow."
  {:kind :elementwise, :args [?x ?y], :type :float, :fold true, :commutes true
   :eval scalar/logaddexp
   :partials [[:sigmoid difference] [:sigmoid [:neg difference]]]
   :ulp {:of [:maximum ?x ?y]}          ; the terms cancel where e^x + e^y is near 1
   :slope-ulp {:by {0 {:of (far-apart [:sub ?x ?y])}, 1 {:of (far-apart [:sub ?y ?x])}}}
   :scalar (let [x [:maximum ?x ?y], y [:minimum ?x ?y], d [:sub y x], moved [:sub d y]
                 lost [:sub [:sub y [:sub d moved]] [:add x moved]]    ; y - x - d, exactly
                 e [:exp d]]
             [:select [:eq ?x ?y]       ; also keeps ∞ - ∞ out of the other branch
              [:add ?x ln-2]
              [:add x [:log1p-sum e [:select [:lt d -800] 0 [:mul e lost]]]]])
   :examples [[[:logaddexp 800.0 ##-Inf] 800.0] [[:logaddexp ##-Inf ##-Inf] ##-Inf]]})

;; ## Products with logarithms, and logarithms of probabilities

(defop xlogx
  "x log x, elementwise; 0 at 0, NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (scalar/xlogy x x))
   :partials [[:add 1 [:log ?x]]], :slope-ulp {:of 1}      ; they cancel at 1/e
   :scalar (typing/widened [:select [:eq ?x 0] 0 [:mul ?x [:log ?x]]]), :gen {?x [0.1 10]}
   :examples [[[:xlogx 0.0] 0.0] [[:xlogx 1.0] 0.0]]})

(defop xlogy
  "x log y, elementwise; 0 where x is 0, whatever y is but NaN."
  {:kind :elementwise, :args [?x ?y], :type :float
   :eval scalar/xlogy
   :partials [[:log ?y] [:xdivy ?x ?y]]
   :scalar (typing/widened [:select [:and [:eq ?x 0] [:eq ?y ?y]] 0 [:mul ?x [:log ?y]]])
   :gen {?y [0.1 10]}
   :examples [[[:xlogy 2.0 1.0] 0.0] [[:xlogy 0.0 0.0] 0.0]]})

(defop xlog1py
  "x log(1 + y), elementwise, accurate for small y; 0 where x is 0, whatever y is but NaN."
  {:kind :elementwise, :args [?x ?y], :type :float
   :eval scalar/xlog1py
   :partials [[:log1p ?y] [:xdivy ?x [:add 1 ?y]]]
   :scalar (typing/widened [:select [:and [:eq ?x 0] [:eq ?y ?y]] 0 [:mul ?x [:log1p ?y]]])
   :gen {?y [-0.9 10]}
   :examples [[[:xlog1py 2.0 0.0] 0.0] [[:xlog1py 0.0 -1.0] 0.0]]})

(defop log1mexp
  "log(1 - e^x) for x ≤ 0, elementwise; -Inf at 0, NaN above."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/log1mexp
   :partials [[:div [:exp ?x] [:expm1 ?x]]]
   :scalar (typing/widened [:select [:gt ?x (- ln-2)]
                            [:log [:neg [:expm1 ?x]]]
                            [:log1p [:neg [:exp ?x]]]])
   :gen {?x [-5 -0.1]}
   :examples [[[:log1mexp 0.0] ##-Inf] [[:log1mexp ##-Inf] -0.0] [[:log1mexp 1.0] ##NaN]]})

(defop logit
  "log(p / (1 - p)), the inverse of sigmoid, elementwise: -Inf at 0, Inf at 1, NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/logit
   :partials [[:div 1 [:mul ?x [:sub 1 ?x]]]]
   :scalar (typing/widened [:select [:le [:abs [:sub ?x 0.5]] 0.25]
                            [:mul 2 [:atanh [:sub [:mul 2 ?x] 1]]]
                            [:select [:lt ?x 0.5]
                             [:log [:div ?x [:sub 1 ?x]]]
                             [:neg [:log [:div [:sub 1 ?x] ?x]]]]])
   :gen {?x [0.1 0.9]}
   :examples [[[:logit 0.5] 0.0] [[:logit 0.0] ##-Inf] [[:logit 1.0] ##Inf]]})
