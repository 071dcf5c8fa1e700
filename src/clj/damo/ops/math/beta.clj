(ns damo.ops.math.beta
  "The beta function, its logarithm and its regularized incomplete integral. Elementwise; integers
  give floats. (beta 2 3) = 1/12."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.scalar.beta :as scalar-beta]))

(set! *warn-on-reflection* true)

(def ^:private special-ulp {:f32 8, :f64 8})

;; ## Steps of psi
;; ψ(a + b) - ψ(a) as a sum of positive terms: the recurrence up to z = a + 10, then the differences
;; of the terms of the asymptotic expansion (DLMF 5.11.2), each with b as a factor.

(defn- step-template [a b]
  (let [z [:add a 10], p [:div 1 z], q [:div 1 [:add z b]], u [:mul p p], v [:mul q q]
        near (for [k (range 10) :let [x [:add a k]]] [:div [:div b [:add x b]] x])
        power-steps (iterate (fn [[s w]] (let [w [:mul v w]] [[:fma u s w] w])) [1 1])
        tail (map (fn [c [s]] (if (= 1 s) c [:mul c s]))  ; s is (u^j - v^j)/(u - v)
                  scalar-beta/asymptotic-coefficients power-steps)
        sum (fn [terms] (reduce (fn [x y] [:add y x]) (reverse terms)))]
    [:add (sum near)
     [:fma [:mul [:mul b p] q] [:fma [:add p q] (sum tail) 0.5] [:log1p [:div b z]]]]))

(defn- psi-step-template [a b]
  [:select [:and [:ge a 0] [:ge b 0]]
   [:select [:eq b 0] 0 [:select [:isinf b] ##Inf (step-template a b)]]
   ##NaN])

(defop psi-step
  "ψ(a + b) - ψ(a) for a, b ≥ 0, elementwise; keeps its digits where b is small. 0 where b is 0, Inf
  where a is 0 or b infinite, NaN for negative ones."
  {:kind :elementwise, :args [?a ?b], :type :float, :internal true
   :eval scalar-beta/psi-step
   :partials [[:sub [:trigamma [:add ?a ?b]] [:trigamma ?a]] [:trigamma [:add ?a ?b]]]
   :slope-ulp "a second derivative, whose terms cancel for small b"
   :scalar (typing/widened (psi-step-template ?a ?b))
   :ulp special-ulp, :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:psi-step 1.0 1.0] 1.0] [[:psi-step 0.0 1.0] ##Inf] [[:psi-step 1.0 0.0] 0.0]]})

(defop beta-slope
  "The derivative of beta by a, B(a, b)·(ψ(a) - ψ(a + b)), for a, b ≥ 0, elementwise; keeps its
  digits where one is far below the other."
  {:kind :elementwise, :args [?a ?b], :type :float, :internal true
   :eval scalar-beta/beta-slope
   :partials [[:neg [:add [:mul ?out [:psi-step ?a ?b]]
                     [:mul [:beta ?a ?b] [:sub [:trigamma [:add ?a ?b]] [:trigamma ?a]]]]]
              [:mul [:beta ?a ?b] [:sub [:mul [:psi-step ?a ?b] [:psi-step ?b ?a]]
                                   [:trigamma [:add ?a ?b]]]]]
   :slope-ulp "a second derivative, whose terms cancel for small b"
   ;; Far below a, b counts in the first order, and beta is 1/b.
   :scalar (typing/widened
            [:neg [:select [:lt ?b [:mul 1e-18 ?a]]
                   [:mul [:mul [:beta ?a ?b] ?b] [:trigamma ?a]]
                   [:mul [:beta ?a ?b] (psi-step-template ?a ?b)]]])
   :ulp {:f32 2, :f64 12}, :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:beta-slope 1.0 2.0] -0.75]]})

(defop beta
  "B(a, b) = Γ(a) Γ(b) / Γ(a + b) for a, b ≥ 0, elementwise. Inf where one is 0, 0 where one is
  infinite, NaN for negative ones."
  {:kind :elementwise, :args [?a ?b], :type :float, :commutes true
   :eval scalar-beta/beta
   :partials [[:beta-slope ?a ?b] [:beta-slope ?b ?a]]
   :slope-ulp {:f32 12, :f64 12, :least 800}
   :scalar :beta, :ulp special-ulp, :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:beta 1.0 2.0] 0.5] [[:beta 0.0 1.0] ##Inf] [[:beta 1.0 ##Inf] 0.0]
              [[:beta -1.0 1.0] ##NaN]]})

(defop betaln
  "log B(a, b) for a, b ≥ 0, elementwise; without overflow. Near its roots, such as a = b = 1, the
  error is bounded absolutely, by 8 ulp of 1 or of gammaln of the smaller argument, elsewhere
  relatively."
  {:kind :elementwise, :args [?a ?b], :type :float, :commutes true
   :eval scalar-beta/betaln
   :partials [[:neg [:psi-step ?a ?b]] [:neg [:psi-step ?b ?a]]]
   :slope-ulp special-ulp
   :scalar :betaln
   :ulp (assoc special-ulp :of
               '[:select [:gt [:minimum ?a ?b] 0.0]
                 [:maximum 1.0 [:gammaln [:minimum [:minimum ?a ?b] 1.0]]] 0.0])
   :gen {?a [0.3 6], ?b [0.3 6]}
   :examples [[[:betaln 0.0 1.0] ##Inf] [[:betaln 1.0 ##Inf] ##-Inf] [[:betaln -1.0 1.0] ##NaN]]})

(def ^:private density-bound
  "The :slope-ulp of betainc: the errors of the density are those of its exponent."
  (let [on-a '[:mul [:sub ?a 1] [:log ?x]], on-b '[:mul [:sub ?b 1] [:log1p [:neg ?x]]]
        largest [:maximum [:maximum [:abs on-a] [:abs on-b]] '[:abs [:betaln ?a ?b]]]]
    {:f32 8, :f64 8, :except [:gt largest 1e5]
     :of [:mul [:exp [:sub [:add on-a on-b] '[:betaln ?a ?b]]] [:maximum 1 largest]]}))

(defop betainc
  "I_x(a, b), the integral of t^(a-1) (1-t)^(b-1) from 0 to x divided by B(a, b): the distribution
  function of the beta distribution, elementwise; the arguments are a, b, x. NaN for x outside
  [0, 1], for negative a or b, and where both are 0 or both infinite. 1 - betainc(a, b, x) is
  betainc(b, a, 1 - x)."
  {:kind :elementwise, :args [?a ?b ?x], :type :float
   :eval scalar-beta/betainc
   :partials [nil nil [:density-term {:of-x {:c [1], :k 1, :m 0}, :of-y {:c [1], :k 1, :m 0}}
                       ?x [:log ?x] ?a [:sub 1 ?x] [:log1p [:neg ?x]] ?b [:neg [:betaln ?a ?b]]]]
   :no-gradient {0 "the derivative with respect to a has no closed form"
                 1 "the derivative with respect to b has no closed form"}
   :scalar :betainc, :ulp special-ulp, :slope-ulp density-bound
   :gen {?a [0.3 6], ?b [0.3 6], ?x [0.05 0.95]}
   :examples [[[:betainc 2.0 3.0 0.0] 0.0] [[:betainc 2.0 3.0 1.0] 1.0]
              [[:betainc 2.0 3.0 1.5] ##NaN] [[:betainc -1.0 3.0 0.5] ##NaN]]})
