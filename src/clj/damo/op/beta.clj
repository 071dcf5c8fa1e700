(ns damo.op.beta
  "The beta function, its logarithm and its regularized incomplete integral. Elementwise; integers
  give floats. (beta 2 3) = 1/12."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.scalar-beta :as scalar-beta]))

(set! *warn-on-reflection* true)

(def ^:private special-ulp {:f32 8, :f64 8})

(defop beta
  "B(a, b) = Γ(a) Γ(b) / Γ(a + b) for a, b ≥ 0, elementwise. Inf where one is 0, 0 where one is
  infinite, NaN for negative ones."
  {:kind :elementwise, :args [?a ?b], :type :float, :commutes true
   :eval scalar-beta/beta
   :partials [[:mul ?out [:sub [:psi ?a] [:psi [:add ?a ?b]]]]
              [:mul ?out [:sub [:psi ?b] [:psi [:add ?a ?b]]]]]
   :scalar :beta, :ulp special-ulp, :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:beta 1.0 2.0] 0.5] [[:beta 0.0 1.0] ##Inf] [[:beta 1.0 ##Inf] 0.0]
              [[:beta -1.0 1.0] ##NaN]]})

(defop betaln
  "log B(a, b) for a, b ≥ 0, elementwise; without overflow. Near its roots, such as a = b = 1, the
  error is bounded absolutely, by 8 ulp of 1 or of gammaln of the smaller argument, elsewhere
  relatively."
  {:kind :elementwise, :args [?a ?b], :type :float, :commutes true
   :eval scalar-beta/betaln
   :partials [[:sub [:psi ?a] [:psi [:add ?a ?b]]]
              [:sub [:psi ?b] [:psi [:add ?a ?b]]]]
   :scalar :betaln
   :ulp (assoc special-ulp :of
               '[:select [:gt [:minimum ?a ?b] 0.0]
                 [:maximum 1.0 [:gammaln [:minimum [:minimum ?a ?b] 1.0]]] 0.0])
   :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:betaln 0.0 1.0] ##Inf] [[:betaln 1.0 ##Inf] ##-Inf] [[:betaln -1.0 1.0] ##NaN]]})

(defop betainc
  "I_x(a, b), the integral of t^(a-1) (1-t)^(b-1) from 0 to x divided by B(a, b): the distribution
  function of the beta distribution, elementwise; the arguments are a, b, x. NaN for x outside
  [0, 1], for negative a or b, and where both are 0 or both infinite. 1 - betainc(a, b, x) is
  betainc(b, a, 1 - x)."
  {:kind :elementwise, :args [?a ?b ?x], :type :float
   :eval scalar-beta/betainc
   :partials [nil nil [:exp [:sub [:add [:xlogy [:sub ?a 1] ?x] [:xlog1py [:sub ?b 1] [:neg ?x]]]
                             [:betaln ?a ?b]]]]
   :no-gradient {0 "the derivative with respect to a has no closed form"
                 1 "the derivative with respect to b has no closed form"}
   :scalar :betainc, :ulp special-ulp, :gen {?a [0.3 6], ?b [0.3 6], ?x [0.05 0.95]}
   :examples [[[:betainc 2.0 3.0 0.0] 0.0] [[:betainc 2.0 3.0 1.0] 1.0]
              [[:betainc 2.0 3.0 1.5] ##NaN] [[:betainc -1.0 3.0 0.5] ##NaN]]})
