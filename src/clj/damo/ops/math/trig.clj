(ns damo.ops.math.trig
  "Trigonometric and hyperbolic functions and their inverses. Elementwise; angles in radians;
  integers give floats."
  (:require [damo.op :as op :refer [defop]]
            [damo.ops.math.slope :as slope]
            [damo.scalar.base :as scalar]
            [damo.scalar.gamma :as scalar-gamma]))

(set! *warn-on-reflection* true)

(def ^:private degree (/ Math/PI 180.0))

(defop sin
  "The sine, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/sin x))
   :partials [[:cos ?x]]
   :scalar :sin
   :examples [[[:sin 0.0] 0.0]]})

(defop cos
  "The cosine, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/cos x))
   :partials [[:neg [:sin ?x]]]
   :scalar :cos
   :examples [[[:cos 0.0] 1.0]]})

(defop tan
  "The tangent, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/tan x))
   :partials [[:add 1 [:sqr ?out]]]
   :scalar :tan, :gen {?x [-1.2 1.2]}
   :examples [[[:tan 0.0] 0.0]]})

(defop sinpi
  "sin(πx), elementwise; exactly 0 at integers."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar-gamma/sinpi
   :partials [[:mul Math/PI [:cospi ?x]]]
   :scalar :sinpi
   :examples [[[:sinpi 0.5] 1.0] [[:sinpi 1e10] 0.0] [[:sinpi ##Inf] ##NaN]]})

(defop cospi
  "cos(πx), elementwise; exactly 0 halfway between integers."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar-gamma/cospi
   :partials [[:mul (- Math/PI) [:sinpi ?x]]]
   :scalar :cospi
   :examples [[[:cospi 0.5] 0.0] [[:cospi 3.0] -1.0]]})

(defop asin
  "The inverse of sin on [-1, 1], elementwise; NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/asin x))
   :partials [[:div 1 [:sqrt [:mul [:sub 1 ?x] [:add 1 ?x]]]]]
   :scalar :asin, :gen {?x [-0.9 0.9]}
   :examples [[[:asin 0.0] 0.0] [[:asin 2.0] ##NaN]]})

(defop acos
  "The inverse of cos on [-1, 1], elementwise; NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/acos x))
   :partials [[:div -1 [:sqrt [:mul [:sub 1 ?x] [:add 1 ?x]]]]]
   :scalar :acos, :gen {?x [-0.9 0.9]}
   :examples [[[:acos 1.0] 0.0]]})

(defop atan
  "The inverse of tan, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/atan x))
   :partials [[:over-square 1 ?x]]
   :scalar :atan
   :examples [[[:atan 0.0] 0.0]]})

(defop atan2
  "The angle of the point (x, y), elementwise; the ordinate y comes first. Its derivative at the
  origin is 0."
  {:kind :elementwise, :args [?y ?x], :type :float
   :eval (fn [^double y ^double x] (Math/atan2 y x))
   :partials [[:over-square ?x ?y] [:neg [:over-square ?y ?x]]]
   :scalar :atan2, :gen {?x [0.5 3]}
   :examples [[[:atan2 0.0 1.0] 0.0] [[:atan2 1.0 0.0] (/ Math/PI 2.0)]]})

(defop hypot
  "√(x² + y²), elementwise, without overflow: the distance of the point (x, y) from the origin. Its
  derivative at the origin is 0."
  {:kind :elementwise, :args [?x ?y], :type :float, :commutes true
   :eval (fn [^double x ^double y] (Math/hypot x y))
   :partials [[:over-hypot ?x ?y] [:over-hypot ?y ?x]], :slope-ulp {:least 8}
   :scalar (slope/levelled (fn [x y]
                             [:select [:or [:isinf x] [:isinf y]] ##Inf
                              [:sqrt [:add [:mul x x] [:mul y y]]]])
                           slope/unlevel)
   :examples [[[:hypot 3.0 4.0] 5.0] [[:hypot 0.0 0.0] 0.0] [[:hypot ##Inf ##NaN] ##Inf]]})

(defop sinh
  "The hyperbolic sine, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/sinh x))
   :partials [[:cosh ?x]]
   :scalar :sinh
   :examples [[[:sinh 0.0] 0.0]]})

(defop cosh
  "The hyperbolic cosine, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/cosh x))
   :partials [[:sinh ?x]]
   :scalar :cosh
   :examples [[[:cosh 0.0] 1.0]]})

(defop tanh
  "The hyperbolic tangent, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (Math/tanh x))
   :partials [[:sech2 ?x]]
   :scalar :tanh
   :examples [[[:tanh 0.0] 0.0] [[:tanh 800.0] 1.0]]})

(defop asinh
  "The inverse of sinh, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/asinh
   :partials [[:div 1 [:hypot 1 ?x]]]
   :scalar :asinh
   :examples [[[:asinh 0.0] 0.0]]})

(defop acosh
  "The inverse of cosh for x ≥ 1, elementwise; NaN below."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/acosh
   :partials [[:div 1 [:mul [:sqrt [:sub ?x 1]] [:sqrt [:add ?x 1]]]]]
   :scalar :acosh, :gen {?x [1.2 9]}
   :examples [[[:acosh 1.0] 0.0] [[:acosh 0.5] ##NaN]]})

(defop atanh
  "The inverse of tanh on [-1, 1], elementwise; NaN outside."
  {:kind :elementwise, :args [?x], :type :float
   :eval scalar/atanh
   :partials [[:div 1 [:mul [:sub 1 ?x] [:add 1 ?x]]]]
   :scalar :atanh, :gen {?x [-0.9 0.9]}
   :examples [[[:atanh 0.0] 0.0] [[:atanh 1.0] ##Inf]]})

(defop deg2rad
  "Degrees as radians, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (* x degree))
   :partials [degree]
   :scalar [:mul ?x degree]
   :examples [[[:deg2rad 180.0] Math/PI]]})

(defop rad2deg
  "Radians as degrees, elementwise."
  {:kind :elementwise, :args [?x], :type :float
   :eval (fn [^double x] (/ x degree))
   :partials [(/ degree)]
   :scalar [:mul ?x (/ degree)]
   :examples [[[:rad2deg 0.0] 0.0]]})
