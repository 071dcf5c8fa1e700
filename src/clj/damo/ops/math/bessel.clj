(ns damo.ops.math.bessel
  "Bessel functions of the first kind, J and the modified I, of integer order. Elementwise; integers
  give floats. (j0 0) = 1."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.ops.math.slope :as slope]
            [damo.scalar.bessel :as scalar-bessel]))

(set! *warn-on-reflection* true)

(def ^:private special-ulp {:f32 8, :f64 8})

(def ^:private amplitude '[:sqrt [:div 0.6366197723675814 [:abs ?x]]])

(def ^:private amplitude-ulp
  "From 8 on, the error of J is stated against its amplitude √(2/(π|x|)), not its value."
  (assoc special-ulp :of [:select '[:lt [:abs ?x] 8.0] 0.0 amplitude]))

(defop j0
  "The Bessel function J_0(x), elementwise; 0 at ±Inf. The error is bounded relatively up to 8,
  beyond it against the amplitude √(2/(π|x|))."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/j 0 x))
   :partials [[:neg [:j1 ?x]]]
   :scalar :j0, :ulp amplitude-ulp, :slope-ulp amplitude-ulp, :gen {?x [-30 30]}
   :examples [[[:j0 0.0] 1.0] [[:j0 ##Inf] 0.0]]})

(defop j1
  "The Bessel function J_1(x), elementwise; 0 at ±Inf. The error is bounded relatively up to 8,
  beyond it against the amplitude √(2/(π|x|))."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/j 1 x))
   :partials [[:mul 0.5 [:sub [:j0 ?x] [:jv {:n 2} ?x]]]]
   :scalar :j1, :ulp amplitude-ulp
   :slope-ulp (assoc special-ulp :of [:select [:lt [:abs ?x] 8] [:abs [:j0 ?x]] amplitude])
   :gen {?x [-30 30]}
   :examples [[[:j1 0.0] 0.0] [[:j1 ##Inf] 0.0]]})

(defop i0
  "The modified Bessel function I_0(x), elementwise; overflows beyond 713. See i0e."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/i 0 x))
   :partials [[:i1 ?x]], :slope-ulp special-ulp
   :scalar :i0, :ulp special-ulp, :gen {?x [-30 30]}
   :examples [[[:i0 0.0] 1.0] [[:i0 ##-Inf] ##Inf]]})

(defop i1
  "The modified Bessel function I_1(x), elementwise; overflows beyond 713. See i1e."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/i 1 x))
   :partials [[:mul 0.5 [:add [:i0 ?x] [:iv {:n 2} ?x]]]], :slope-ulp special-ulp
   :scalar :i1, :ulp special-ulp, :gen {?x [-30 30]}
   :examples [[[:i1 0.0] 0.0] [[:i1 ##-Inf] ##-Inf]]})

(def ^:private i0e-slope
  "The template of the derivative of i0e: 0 at 0, where it jumps, and there is a second one, 3/2."
  '[:where [:eq ?x 0] [:mul 1.5 ?x] [:neg [:mul [:sign ?x] [:i0e-gap ?x]]]])

(defop i0e
  "e^-|x| I_0(x), elementwise; without overflow. Its derivative at 0 is 0."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/ie 0 x))
   :partials [i0e-slope]
   :slope-ulp special-ulp
   :scalar :i0e, :ulp special-ulp, :gen {?x [-30 30]}
   :examples [[[:i0e 0.0] 1.0] [[:i0e ##Inf] 0.0]]})

(defop i1e
  "e^-|x| I_1(x), elementwise; without overflow."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [x] (scalar-bessel/ie 1 x))
   :partials [slope/i1e-slope]
   :slope-ulp (assoc special-ulp :of [:div [:i1e ?x] ?x])       ; there is a root at 1.5
   :scalar :i1e, :ulp special-ulp, :gen {?x [-30 30]}
   :examples [[[:i1e 0.0] 0.0] [[:i1e ##Inf] 0.0]]})

;; ## Higher orders

(def ^:private highest-order 8)

(def ^:private order-attrs {:n {:is :integer, :own-check true
                                :doc "the order, an integer from 0 to 8"}})

(defn- order-type [{:keys [n]} [[dtype shape]]]
  (when-not (and (int? n) (<= 0 n highest-order))
    (fail! :damo.op.bessel/bad-order
           (str "the order :n is an integer from 0 to " highest-order "; got "
            (pr-str n))
           {:expected [0 highest-order], :given n}))
  [(type/float-of dtype) shape])

(defn- by-order [f]
  (fn [{:keys [n]} {:keys [dtype] :as x}]
    (array/map-elements (type/float-of dtype) #(f n %) [(array/cast :f64 x)])))

(defn- series
  "The template of (x/2)^n Σ z^k / (k! (n+k)!), k ≤ last (DLMF 10.8.1); z is ±x²/4."
  [n x z last]
  (let [inner (reduce (fn [sum k] [:add 1.0 [:mul [:mul z (/ 1.0 (* k (+ n k)))] sum]])
                      1.0 (range last 0 -1))
        factorial (double (reduce * (range 1 (inc n))))]
    [:mul [:mul [:pow [:mul 0.5 x] (double n)] (/ factorial)] inner]))

(defn- recurrence
  "The template of f_n from f_0 and f_1 by f_(k+1) = sign (2k/x f_k - f_(k-1)) (DLMF 10.6.1,
  10.29.1)."
  [n x sign [f0 f1]]
  (let [step (fn [[f g] k] [g [:mul sign [:sub [:mul [:div (* 2.0 k) x] g] f]]])]
    (second (reduce step [f0 f1] (range 1 n)))))

(defn- in-f64
  "The :expand of an op of orders: `zero` and `one` for 0 and 1, else `template` of n and x."
  [zero one template]
  (fn [{{:keys [n]} :attrs, [dtype] :type}]
    (case (long n)
      0 [zero '?x]
      1 [one '?x]
      [:cast {:dtype dtype} (template n [:cast {:dtype :f64} '?x])])))

(defn- j-template
  "The series below n, where its terms hardly cancel; from n on the recurrence, which is stable
  there."
  [n x]
  (let [low [:lt [:abs x] (double n)]
        s [:where low x 0.0], t [:where low (double n) x]]
    [:where low (series n s [:mul -0.25 [:mul s s]] 24)
     (recurrence n t 1.0 [[:j0 t] [:j1 t]])]))

(defn- i-template
  "Scaled by e^-|x| when `scaled`: the series below 30, whose terms are positive; from there on the
  recurrence, in which for orders up to 8 a factor of 8 in accuracy is lost."
  [scaled]
  (fn [n x]
    (let [low [:lt [:abs x] 30.0]
          s [:where low x 0.0], t [:where low 30.0 x]
          near (series n s [:mul 0.25 [:mul s s]] 64)
          far (recurrence n t -1.0 (if scaled [[:i0e t] [:i1e t]] [[:i0 t] [:i1 t]]))
          end (if scaled
                [:where [:isinf x] 0.0 far]
                [:where [:gt [:abs x] 720.0] (if (odd? n) [:mul ##Inf [:sign x]] ##Inf) far])]
      [:where low (if scaled [:mul near [:exp [:neg [:abs s]]]] near) end])))

(defn- neighbours
  "The partials of an op of orders: (f_(n-1) + sign f_(n+1)) / 2 and, when given, more; nil at the
  highest order."
  [op sign more]
  (fn [{{:keys [n]} :attrs}]
    [(when (< n highest-order)
       (let [below [op {:n (abs (dec n))} '?x], above [op {:n (inc n)} '?x]
             below (if (and (zero? n) (neg? sign)) [:neg below] below)
             slope [:mul 0.5 (if (neg? sign) [:sub below above] [:add below above])]]
         (if more [:add slope more] slope)))]))

(def ^:private no-higher {0 "orders above 8 are not implemented"})

(defn- order-gen [ctx]
  {:attrs {:n (gens/variant ctx [2 0 3 1 6 5])}
   :args [(gens/random-array ctx (:dtype ctx) [(:size ctx)] [-40 40])]})

(defop jv
  "The Bessel function J_n(x) of integer order :n, 0 to 8, elementwise. The error is some 8 ulp of
  the larger of the value and the amplitude √(2/(π|x|))."
  {:kind :composite, :args [?x], :attrs order-attrs, :type order-type
   :eval (by-order scalar-bessel/j)
   :expand (in-f64 :j0 :j1 j-template)
   :partials (neighbours :jv -1 nil), :no-gradient no-higher
   :slope-ulp (fn [{:keys [n]}]
                (let [term (fn [k] [:abs [:jv {:n (abs k)} ?x]])]
                  {:f32 8, :f64 24
                   :of [:maximum [:maximum (term (dec n)) (term (inc n))]
                        [:select [:lt [:abs ?x] 8.0] 0.0 amplitude]]}))
   :gen order-gen
   :examples [[[:jv {:n 2} 0.0] 0.0] [[:jv {:n 3} ##Inf] 0.0]]})

(defop iv
  "The modified Bessel function I_n(x) of integer order :n, 0 to 8, elementwise. The error is at
  most some 12 ulp, near 30."
  {:kind :composite, :args [?x], :attrs order-attrs, :type order-type
   :eval (by-order scalar-bessel/i)
   :expand (in-f64 :i0 :i1 (i-template false))
   :partials (neighbours :iv 1 nil), :no-gradient no-higher, :slope-ulp {:f32 4, :f64 12}
   :gen order-gen
   :examples [[[:iv {:n 2} 0.0] 0.0] [[:iv {:n 3} ##-Inf] ##-Inf]]})

(defop ive
  "e^-|x| I_n(x) of integer order :n, 0 to 8, elementwise; without overflow. The error is at
  most some 12 ulp, near 30."
  {:kind :composite, :args [?x], :attrs order-attrs, :type order-type
   :eval (by-order scalar-bessel/ie)
   :expand (in-f64 :i0e :i1e (i-template true))
   :partials (fn [{:keys [attrs] :as node}]
               (if (= 0 (:n attrs))
                 [i0e-slope]
                 ((neighbours :ive 1 [:neg [:mul [:sign ?x] ?out]]) node)))
   :no-gradient no-higher
   :slope-ulp {:f32 4, :f64 12, :of [:i0e ?x]}  ; neighbours cancel far out; for n = 0 see i0e
   :gen order-gen
   :examples [[[:ive {:n 2} 0.0] 0.0] [[:ive {:n 3} ##Inf] 0.0]]})
