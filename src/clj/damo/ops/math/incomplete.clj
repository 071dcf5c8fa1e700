(ns damo.ops.math.incomplete
  "The regularized incomplete gamma functions. Elementwise; integers give floats.
  (gammainc 1 2) = 1 - e^-2."
  (:require [damo.op :as op :refer [defop]]
            [damo.scalar.incomplete :as scalar-incomplete]))

(set! *warn-on-reflection* true)

(def ^:private bound {:f32 2, :f64 10})

(def ^:private density
  "The template of the derivative by x, x^(a-1) e^-x / Γ(a)."
  '[:density-term {:of-x {:c [1], :k 1, :m 0}, :of-y {:c [1], :k 0, :m 0}}
    ?x [:log ?x] ?a 1 0 0 [:sub [:neg ?x] [:gammaln ?a]]])

(def ^:private exponents
  "The largest of what the exponent of the density is a sum of."
  '[:maximum [:maximum ?x [:abs [:gammaln ?a]]] [:abs [:mul [:sub ?a 1] [:log ?x]]]])

(def ^:private slope-bound
  "The errors of the density are those of its exponent."
  {:f32 8, :f64 8, :except [:gt exponents 1e5]
   :of [:mul [:exp [:sub [:sub '[:mul [:sub ?a 1] [:log ?x]] '?x] '[:gammaln ?a]]]
        [:maximum 1 exponents]]})

(def ^:private in-a {0 "the derivative with respect to a has no closed form"})

(defop gammainc
  "P(a, x), the integral of t^(a-1) e^-t from 0 to x divided by Γ(a), elementwise. NaN for negative
  arguments, and where both are 0 or both infinite. Within 10 ulp of :f64, tiny results too."
  {:kind :elementwise, :args [?a ?x], :type :float
   :eval scalar-incomplete/gammainc
   :partials [nil density]
   :no-gradient in-a
   :scalar :gammainc, :ulp bound, :slope-ulp slope-bound, :gen {?a [0.3 6], ?x [0.2 8]}
   :examples [[[:gammainc 2.0 0.0] 0.0] [[:gammainc 2.0 ##Inf] 1.0] [[:gammainc -1.0 1.0] ##NaN]]})

(defop gammaincc
  "Q(a, x) = 1 - P(a, x), elementwise; without cancellation where it is small. See gammainc."
  {:kind :elementwise, :args [?a ?x], :type :float
   :eval scalar-incomplete/gammaincc
   :partials [nil [:neg density]]
   :no-gradient in-a
   :scalar :gammaincc, :ulp bound, :slope-ulp slope-bound, :gen {?a [0.3 6], ?x [0.2 8]}
   :examples [[[:gammaincc 2.0 0.0] 1.0] [[:gammaincc 2.0 ##Inf] 0.0]
              [[:gammaincc -1.0 1.0] ##NaN]]})
