(ns damo.ops.math.erf
  "The error function and its kin. Elementwise; integers give floats; within 8 units in the last
  place."
  (:require [damo.data.array :as array]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.erf :as error-scalar]))

(set! *warn-on-reflection* true)

(def ^:private special {:f32 8 :f64 8})
(def ^:private two-over-root-pi (/ 2.0 (Math/sqrt Math/PI)))

(defop erf
  "The error function 2/√π ∫ e^(-t²) dt from 0 to x, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/erf x))
   :partials [[:mul two-over-root-pi [:gauss ?x]]]
   :scalar :erf, :ulp special
   :examples [[[:erf 0.0] 0.0] [[:erf 10.0] 1.0]]})

(defop erfc
  "1 - erf(x), elementwise; keeps its digits for large x, where it vanishes."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/erfc x))
   :partials [[:mul (- two-over-root-pi) [:gauss ?x]]]
   :scalar :erfc, :ulp special
   :examples [[[:erfc 0.0] 1.0] [[:erfc -10.0] 2.0]]})

(defop erfcx
  "e^(x²) erfc(x), elementwise; falls like 1/(x√π), and overflows below -26.6 (:f32: -9.4)."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/erfcx x))
   :partials [[:erfcx-slope ?x]]
   :scalar :erfcx, :ulp special, :slope-ulp special
   :examples [[[:erfcx 0.0] 1.0] [[:erfcx ##Inf] 0.0]]})

;; e^(y²), which is in the slopes of the inverse functions, is erfcx(y)/erfc(y), and erfc(y) is
;; known: e^(y²) itself would make the last digits of y errors in the first digits.

(defn- over-erfc
  "The template of √π/2 e^(y²) for the template of y ≥ 0, or little below, where erfc(y) = t."
  [y t]
  [:div [:mul (/ two-over-root-pi) [:where [:eq t 0] 1 [:erfcx y]]] t])

(defn- smaller-tail
  "The template of the smaller of x and whole - x."
  [x whole]
  [:where [:gt x (* 0.5 whole)] [:sub whole x] x])

(defop erfinv
  "The inverse of erf on [-1, 1], elementwise; infinite at the ends, NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/erfinv x))
   :partials [(let [side [:where [:lt ?x 0] -1 1]]
                (over-erfc [:mul side ?out] [:sub 1 [:mul side ?x]]))]
   :scalar :erfinv, :ulp special, :slope-ulp special, :gen {?x [-0.95 0.95]}
   :examples [[[:erfinv 0.0] 0.0] [[:erfinv 1.0] ##Inf] [[:erfinv 2.0] ##NaN]]})

(defop erfcinv
  "The inverse of erfc on [0, 2], elementwise, accurate for tiny arguments, too; infinite at the
  ends, NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/erfcinv x))
   :partials [(let [side [:where [:gt ?x 1] -1 1]]
                [:neg (over-erfc [:mul side ?out] (smaller-tail ?x 2))])]
   :scalar :erfcinv, :ulp special, :slope-ulp special, :gen {?x [0.05 1.95]}
   :examples [[[:erfcinv 1.0] 0.0] [[:erfcinv 0.0] ##Inf] [[:erfcinv 2.0] ##-Inf]
              [[:erfcinv 3.0] ##NaN]]})

;; ## The normal distribution

(def ^:private root-2 (Math/sqrt 2.0))
(def ^:private root-2-pi (Math/sqrt (* 2.0 Math/PI)))

(defop ndtr
  "The distribution function of the standard normal distribution, erfc(-x/√2)/2, elementwise; keeps
  its digits far below 0."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/ndtr x))
   :partials [[:mul (/ root-2-pi) [:bell ?x]]]
   :scalar :ndtr, :ulp special
   :examples [[[:ndtr 0.0] 0.5] [[:ndtr ##-Inf] 0.0] [[:ndtr ##Inf] 1.0]]})

(defop ndtri
  "The inverse of ndtr, the quantile function of the standard normal distribution, elementwise;
  infinite at 0 and 1, NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (- (* root-2 (error-scalar/erfcinv (* 2.0 x)))))
   :partials [(let [side [:where [:gt ?x 0.5] -1 1]]
                [:mul (Math/sqrt 8.0)
                 (over-erfc [:mul (- (/ root-2)) [:mul side ?out]]
                            [:mul 2 (smaller-tail ?x 1)])])]
   :scalar [:mul (- root-2) [:erfcinv [:add ?x ?x]]], :ulp special, :slope-ulp special
   :gen {?x [0.02 0.98]}
   :examples [[[:ndtri 0.0] ##-Inf] [[:ndtri 1.0] ##Inf] [[:ndtri 2.0] ##NaN]]})

(defop log-ndtr
  "log(ndtr(x)), elementwise, also where ndtr vanishes: about -x²/2 far below 0, -ndtr(-x) far
  above."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (error-scalar/log-ndtr x))
   :partials [[:log-ndtr-slope ?x]]
   :scalar :log-ndtr, :ulp special, :slope-ulp special
   :examples [[[:log-ndtr ##-Inf] ##-Inf] [[:log-ndtr ##Inf] -0.0]]})

(def ^:private excess
  "The template of x + φ(x)/Φ(x). Far below 0 the terms cancel; there it is the continued fraction
  1/(z + 2/(z + 3/(z + …))), z = -x, Abramowitz and Stegun 26.2.14."
  (let [limit -5, z [:neg [:minimum '?x limit]]
        fraction (reduce (fn [tail k] [:div k [:add z tail]]) 0 (range 27 0 -1))]
    [:where [:lt '?x limit] fraction [:add '?x '?out]]))

(defop log-ndtr-slope
  "φ(x)/Φ(x), the density of the standard normal distribution over ndtr, elementwise: the derivative
  of log-ndtr, about -x far below 0."
  {:kind :composite, :args [?x], :slope-part true, :internal true
   :type (fn [_ [[dtype shape]]] (typing/check-dtype :float dtype) [dtype shape])
   :eval (fn [_ {:keys [dtype] :as x}] (array/map-elements dtype error-scalar/log-ndtr-slope [x]))
   :expand (fn [_]
             [:where [:lt ?x 0]         ; e^(x²/2) would lose digits above 0, as vanishes below
              [:div (/ 2.0 root-2-pi) [:erfcx [:mul (- (/ root-2)) [:minimum ?x 0]]]]
              [:div [:mul (/ root-2-pi) [:bell ?x]] [:ndtr [:maximum ?x 0]]]])
   :partials [[:neg [:mul ?out excess]]], :batch {}
   :gen (gens/on-shapes (fn [n] [[{} [n]] [{} [2 n]]]))
   :examples [[[:log-ndtr-slope ##Inf] 0.0]]})
