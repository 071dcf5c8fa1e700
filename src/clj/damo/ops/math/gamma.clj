(ns damo.ops.math.gamma
  "The gamma function, its logarithm, and the derivatives of that. Elementwise; integers give
  floats. (gamma 5) = 24."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.scalar.gamma :as scalar-gamma]))

(set! *warn-on-reflection* true)

(def ^:private special-ulp {:f32 8, :f64 8})

(defop gamma
  "The gamma function Γ(x), elementwise; (n - 1)! at a natural number n. ±Inf at ±0, NaN at negative
  integers and -Inf."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar-gamma/gamma
   :partials [[:mul ?out [:psi ?x]]]
   ;; psi has a root between any two poles.
   :slope-ulp (assoc special-ulp :of [:select [:lt ?x -0.5]
                                      [:abs [:mul [:gamma ?x] [:psi [:sub 1 ?x]]]] 0])
   :scalar :gamma, :ulp special-ulp, :gen {?x [0.1 6]}
   :examples [[[:gamma 5.0] 24.0] [[:gamma 0.0] ##Inf] [[:gamma -1.0] ##NaN]
              [[:gamma 200.0] ##Inf] [[:gamma -1e-200] -1e200]]})

(defop gammaln
  "log |Γ(x)|, elementwise; without overflow. +Inf at 0, negative integers and ±Inf. Near its
  negative roots (-2.457…, -2.747…, …) the error is bounded absolutely, by 8 ulp of the larger of 1
  and gammaln(-x), everywhere else relatively."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar-gamma/gammaln
   :partials [[:psi ?x]]
   :slope-ulp (assoc special-ulp :of [:select [:lt ?x -0.5] [:psi [:sub 1 ?x]] 0])
   :scalar :gammaln
   :ulp (assoc special-ulp :of [:select [:lt ?x -0.5] [:maximum 1 [:gammaln [:neg ?x]]] 0])
   :gen {?x [0.1 6]}
   :examples [[[:gammaln 1.0] 0.0] [[:gammaln 2.0] 0.0] [[:gammaln 0.0] ##Inf]]})

(defop psi
  "The digamma function ψ(x) = Γ'(x)/Γ(x), the derivative of gammaln, elementwise. ∓Inf at ±0, NaN
  at negative integers and -Inf. Near its negative roots (-0.504…, -1.573…, …) the error is bounded
  absolutely, by 8 ulp of psi(1 - x), everywhere else relatively."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar-gamma/psi
   :partials [[:trigamma ?x]]
   :scalar :psi
   :ulp (assoc special-ulp :of [:select [:lt ?x -0.5] [:psi [:sub 1 ?x]] 0])
   :gen {?x [0.2 6]}
   :examples [[[:psi 0.0] ##-Inf] [[:psi -1.0] ##NaN] [[:psi ##Inf] ##Inf]]})

(defn- slope-of-polygamma
  "The :slope-ulp of ψ^(n): below 0 the next one has roots if n is odd; far out it is small."
  [{:keys [n]}]
  (cond-> (assoc special-ulp :least 800)
    (odd? n) (assoc :of [:select '[:lt ?x 0] [:abs [:polygamma {:n (inc n)} '[:sub 1 ?x]]] 0])))

(defop trigamma
  "ψ'(x), the derivative of psi, elementwise. +Inf at 0 and negative integers, NaN at -Inf."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (scalar-gamma/polygamma 1 x))
   :partials [[:polygamma {:n 2} ?x]]
   :slope-ulp (slope-of-polygamma {:n 1})
   :scalar :trigamma, :ulp special-ulp, :gen {?x [0.3 6]}
   :examples [[[:trigamma 0.0] ##Inf] [[:trigamma ##Inf] 0.0]]})

;; ## polygamma

(def ^:private highest-order 20)

(defn- order-type [{:keys [n]} [[dtype shape]]]
  (when-not (and (int? n) (<= 0 n highest-order))
    (fail! :damo.op.gamma/bad-order
           (str "the order :n is an integer from 0 (psi) to " highest-order "; got "
            (pr-str n))
           {:expected [0 highest-order], :given n}))
  [(type/float-of dtype) shape])

(defn- horner [coefficients x]
  (reduce (fn [sum c] [:add [:mul sum x] (double c)])
          (double (last coefficients)) (rest (reverse coefficients))))

(defn- positive-polygamma
  "The template of |ψ^(n)(y)| for y > 0: below 8 + n the sum of n!/(y + j)^(n+1) up to there, then
  the asymptotic expansion (DLMF 5.15.1, 5.15.8)."
  [n y]
  (let [top (+ 8.0 n), low [:lt y top]
        s [:where low y 1.0], z [:where low [:add y top] y]
        term (fn [j] [:pow (if (zero? j) s [:add s (double j)]) (double (- (inc n)))])
        near (reduce (fn [sum t] [:add t sum]) (map term (range (+ 7 n) -1 -1)))
        w [:div 1.0 [:mul z z]]
        tail [:mul w (horner (scalar-gamma/asymptotic-coefficients n) w)]
        half [:div (/ (scalar-gamma/factorial n) 2) z]]
    [:add [:where low [:mul (scalar-gamma/factorial n) near] 0.0]
     [:mul [:pow z (double (- n))] [:add [:add tail half] (scalar-gamma/factorial (dec n))]]]))

(defn- reflected-polygamma
  "The template of π^(n+1) Q_n(cot πx), see scalar-gamma/cot-polynomials; every other coefficient
  of Q_n is 0."
  [n x]
  (let [c [:div [:cospi x] [:sinpi x]]
        all (nth scalar-gamma/cot-polynomials n)
        q (horner (take-nth 2 (drop-while zero? all)) [:mul c c])]
    [:mul (Math/pow Math/PI (inc n)) (if (even? n) [:mul c q] q)]))

(defn- polygamma-of-f64
  "The template of ψ^(n)(x) for n ≥ 2, x of :f64: computed for 1 - x below 0 and reflected."
  [n x]
  (let [neg [:lt x 0.0]
        p (positive-polygamma n [:where neg [:sub 1.0 x] x])
        ;; The cotangent is infinite at the whole numbers, where it is not asked for either.
        mirrored [:neg [:add p (reflected-polygamma n [:where neg x -0.5])]]]
    (if (even? n)
      [:where [:logical-and neg [:eq [:floor x] x]] ##NaN [:where neg mirrored [:neg p]]]
      [:where neg mirrored p])))

(defn- polygamma-template [{{:keys [n]} :attrs, [dtype] :type}]
  (case (long n)
    0 [:psi '?x]
    1 [:trigamma '?x]
    [:cast {:dtype dtype} (polygamma-of-f64 n [:cast {:dtype :f64} '?x])]))

(defn- polygamma-value [{:keys [n]} {:keys [dtype] :as x}]
  (array/map-elements (type/float-of dtype)
                      #(if (zero? n) (scalar-gamma/psi %) (scalar-gamma/polygamma n %))
                      [(array/cast :f64 x)]))

(defop polygamma
  "ψ^(n)(x), the n-th derivative of psi, elementwise; the order :n is 0 to 20. At 0 infinite, at
  negative integers +Inf for odd n and NaN for even n. Below 0 the error of even orders is bounded
  absolutely near the roots. Far out, results below 1e-290 of high orders lose digits."
  {:kind :composite, :args [?x]
   :attrs {:n {:is :integer, :own-check true
               :doc "the order of the derivative, an integer from 0 to 20"}}
   :type order-type
   :eval polygamma-value
   :expand polygamma-template
   :partials (fn [{{:keys [n]} :attrs}]
               [(when (< n highest-order) [:polygamma {:n (inc n)} ?x])])
   :slope-ulp slope-of-polygamma
   :no-gradient {0 "orders above 20 are not implemented"}
   :gen (fn [ctx]
          {:attrs {:n (gens/variant ctx [2 0 3 1 7 17])}
           :args [(gens/random-array ctx (:dtype ctx) [(:size ctx)] [0.5 6])]})
   :examples [[[:polygamma {:n 2} ##Inf] -0.0] [[:polygamma {:n 3} 0.0] ##Inf]]})
