(ns damo.ops.math.slope
  "Functions that are there as derivatives of others: written out in terms of those they lose their
  digits, as 1 - tanh² does at 20. Elementwise; integers give floats. (bell 0) = 1."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.scalar.erf :as error-scalar]))

(set! *warn-on-reflection* true)

;; ## Points of the plane
;; Squares of large and small numbers leave the range of floats, where what is made of them does
;; not. So x and y are scaled before, by a power of two, which costs no digit; :f32 is computed in
;; :f64.

(defn- power [k] (Math/scalb 1.0 (int k)))

(defn- by-size
  "The template t times 2^k where x or y is large, times 2^l where both are small."
  [t k l]
  (let [size '[:maximum [:abs ?x] [:abs ?y]]]
    [:select [:ge size (power 511)] [:mul t (power k)]
     [:select [:lt size (power -511)] [:mul t (power l)] t]]))

(defn- level "The template t times the power of two." [t] (by-size t -513 600))

(defn unlevel "The template t through the power of two." [t] (by-size t 513 -600))

(defn levelled
  "The :scalar of (after (f x y)) for the templates of ?x and ?y so scaled; `after` scales back."
  [f after]
  (let [wide (after (f (level '?x) (level '?y))), narrow (typing/widened (f '?x '?y))]
    (fn [attrs [dtype :as dtypes]] (if (= dtype :f64) wide (narrow attrs dtypes)))))

(defn- over-square-of ^double [^double x ^double y]
  (let [h (Math/hypot x y)]
    (cond (Double/isNaN (+ (Math/abs x) (Math/abs y))) ##NaN
          (or (zero? h) (Double/isInfinite h)) 0.0
          (< 1e-150 h 1e150) (/ x (+ (* x x) (* y y)))
          :else (/ (/ x h) h))))

(defop over-square
  "x / (x² + y²), elementwise, without overflow; 0 at the origin."
  {:kind :elementwise, :args [?x ?y], :type :float, :internal true
   :eval over-square-of
   :partials [[:sub [:sqr [:over-square ?y ?x]] [:sqr ?out]]
              [:mul -2 [:mul ?out [:over-square ?y ?x]]]]
   :slope-ulp "a second derivative, whose terms cancel at 45 degrees"
   :scalar (levelled (fn [x y]
                       (let [square [:add [:mul x x] [:mul y y]]]
                         [:select [:or [:eq square 0] [:isinf square]] 0 [:div x square]]))
                     level)
   :examples [[[:over-square 1.0 2.0] 0.2] [[:over-square 0.0 0.0] 0.0]]})

(defop over-hypot
  "x / √(x² + y²), elementwise, the cosine of the angle of the point (x, y); 0 at the origin."
  {:kind :elementwise, :args [?x ?y], :type :float, :internal true
   :eval (fn [^double x ^double y] (let [h (Math/hypot x y)] (if (zero? h) 0.0 (/ x h))))
   :partials [[:div [:sqr [:over-hypot ?y ?x]] [:hypot ?x ?y]]        ; 0/0 at the origin
              [:neg [:div [:mul ?out [:over-hypot ?y ?x]] [:hypot ?x ?y]]]]
   :slope-ulp {:f32 8, :f64 8, :least 8}
   :scalar (levelled (fn [x y]
                       (let [square [:add [:mul x x] [:mul y y]]]
                         [:select [:eq square 0] 0 [:div x [:sqrt square]]]))
                     identity)
   :examples [[[:over-hypot 3.0 4.0] 0.6] [[:over-hypot 0.0 0.0] 0.0]]})

(defop sech2
  "1 / cosh² x, the derivative of tanh, elementwise; keeps its digits where tanh rounds to ±1."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval (fn [^double x]
           (let [e (Math/exp (* -2.0 (Math/abs x)))] (/ (* 4.0 e) (* (+ 1.0 e) (+ 1.0 e)))))
   :partials [[:mul -2 [:mul ?out [:tanh ?x]]]], :slope-ulp {:f32 8, :f64 8}
   :scalar (let [e [:exp [:mul -2 [:abs ?x]]], more [:add 1 e]]
             [:div [:mul 4 e] [:mul more more]])
   :ulp {:f32 4, :f64 4}
   :examples [[[:sech2 0.0] 1.0] [[:sech2 ##Inf] 0.0]]})

;; ## Bells
;; Rounding x² would cost eight bits at 26: what it took is put back.

(defn- bell-of
  "e^(-by·x²) for a power of two `by`."
  ^double [^double by ^double x]
  (let [r (* x x), e (Math/exp (- (* by r)))]
    (if (< 1e4 r) 0.0 (- e (* e by (Math/fma x x (- r)))))))

(defn- bell-template [by]
  (let [r '[:mul ?x ?x], lost [:fma '?x '?x [:neg r]], e [:exp [:mul (- by) r]]]
    [:select [:gt r 10000] 0 [:fma [:mul (- by) lost] e e]]))

(defop bell
  "e^(-x²/2), elementwise, the normal density but for its factor; keeps its digits far from 0."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval (fn [x] (bell-of 0.5 x))
   :partials [[:neg [:mul ?x ?out]]], :slope-ulp {:least 800}
   :scalar (bell-template 0.5)
   :examples [[[:bell 0.0] 1.0] [[:bell ##-Inf] 0.0]]})

(defop gauss
  "e^(-x²), elementwise; keeps its digits far from 0."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval (fn [x] (bell-of 1.0 x))
   :partials [[:mul -2 [:mul ?x ?out]]], :slope-ulp {:least 800}
   :scalar (bell-template 1.0)
   :examples [[[:gauss 0.0] 1.0] [[:gauss ##Inf] 0.0]]})

;; ## The slope of erfcx
;; From 0 on -(x + a)² √π erfcx'(x) is a smooth function of t = (x - a)/(x + a) on [-1, 1], here its
;; interpolation at the Chebyshev points, in powers of t.

(def ^:private a 1.5)

(def ^:private slope-of-erfcx
  [1.4726062595930407 -1.1669436330096996 0.08356030998550593 0.22355266999168988
   0.006707884445607878 -0.051906347176552334 -0.018075353592482746 0.007101604240887253
   0.008374089817143769 0.0021054962858069732 -0.001435128343959549 -0.0015270255490036889
   -0.0004897505780268602 0.0001923536058862004 0.00030436285499403875 0.00015248167619878375
   3.3150521620910947e-06 -5.4970373926596545e-05 -4.33149982646045e-05 -1.2164584397820313e-05
   3.129180340152629e-06 4.23327964812198e-06 7.53891673319559e-06 8.385158417674873e-06
   -7.808402425948805e-07 -6.669724360902492e-06 -2.0658541019514232e-06 2.0661070079714626e-06
   1.0154453941466269e-06 -2.511361755006382e-07 -1.5632751376215604e-07])

(defn- horner
  "The template of Σ c_k t^k."
  [coefficients t]
  (reduce (fn [sum c] [:fma sum t c]) (rseq coefficients)))

(defn- value
  "Σ c_k t^k."
  ^double [coefficients ^double t]
  (reduce (fn [^double sum ^double c] (Math/fma sum t c)) (rseq coefficients)))

(def ^:private two-over-root-pi (/ 2.0 (Math/sqrt Math/PI)))

(defop erfcx-slope
  "The derivative of erfcx, 2x erfcx(x) - 2/√π, elementwise; without the difference, which cancels
  for large x."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval (fn [^double x]
           (if (neg? x)
             (- (* 2.0 (* x (error-scalar/erfcx x))) two-over-root-pi)
             (let [y (+ x a)]
               (- (/ (/ (value slope-of-erfcx (if (< x 1e300) (/ (- x a) y) 1.0)) y) y)))))
   :partials [[:mul 2 [:add [:erfcx ?x] [:mul ?x ?out]]]]
   :scalar (typing/widened
            (let [y [:add ?x a], t [:select [:lt ?x 1e300] [:div [:sub ?x a] y] 1]]
              [:select [:lt ?x 0]
               [:fma [:mul 2 ?x] [:erfcx ?x] (- two-over-root-pi)]
               [:neg [:div [:div (horner slope-of-erfcx t) y] y]]]))
   :ulp {:f32 2, :f64 8}, :slope-ulp "a second derivative, whose terms cancel far out"
   :examples [[[:erfcx-slope ##Inf] -0.0] [[:erfcx-slope ##-Inf] ##-Inf]]})

;; ## The slope of i0e
;; I_0 - I_1, scaled by e^-|x|: up to 8 e^(-|x|/2) times a polynomial, beyond |x|^(-3/2) times one
;; in 8/|x|, interpolated as above.

(def ^:private near-gap
  [0.20874882769601738 0.06830701463833933 0.21257661147701376 -0.07851443805433708
   0.15447702025484378 -0.11910689435050714 0.10531490725682316 -0.07598450777374331
   0.05084138889289325 -0.03055690788074565 0.016831082055895334 -0.008515860240114562
   0.003986285743061619 -0.0017345812787114715 0.0007049695518458076 -0.00026870189003136083
   9.64122610659798e-05 -3.2667276168335194e-05 1.0474736772665287e-05 -3.1941395159293408e-06
   9.366344898842678e-07 -2.588759046400514e-07 6.288899410182908e-08 -1.6163921844043483e-08
   5.9136578319072325e-09 -1.3512634213245576e-09])

(def ^:private far-gap
  [0.20444880670617194 0.005313260124286683 0.00037396928734236435 4.493600840755328e-05
   8.164113848532239e-06 2.1678167912777678e-06 8.519654734191309e-07 4.6725940680304783e-07
   2.5124770161133444e-07 4.943368242713061e-09 -2.1887554130252317e-07 -2.2272215613763106e-07
   3.242626511083778e-08 2.195179242500961e-07 5.1338702189435886e-08 -1.835145106320214e-07
   -6.767606205774911e-08 1.5060551234801738e-07 5.3964594710051815e-08 -1.1291991904406619e-07
   -3.1388033211441516e-08 6.873554626715532e-08 1.2885612948573014e-08 -3.023996547903089e-08
   -3.3181456064926056e-09 8.32722813496065e-09 4.0019745084729763e-10 -1.064508519192691e-09])

(defn- gap ^double [^double x]
  (let [a (Math/abs x)]
    (if (< a 8.0)
      (* (Math/exp (* -0.5 a)) (value near-gap (- (* 0.25 a) 1.0)))
      (/ (/ (value far-gap (- (/ 16.0 a) 1.0)) a) (Math/sqrt a)))))

;; I_1(x)/x, scaled by e^-|x|, which is 1/2 at 0.
(def ^:private scaled-i1-over-x
  (let [low [:lt [:abs '?x] 1]]
    [:where low [:mul 0.5 [:sub [:i0e '?x] [:ive {:n 2} '?x]]]
     [:div [:i1e '?x] [:where low 1 '?x]]]))

(def i1e-slope
  "The template of the derivative of e^-|x| I_1(x)."
  [:sub [:i0e-gap '?x] scaled-i1-over-x])

(defop i0e-gap
  "e^-|x| (I_0(x) - |I_1(x)|), elementwise: -i0e'(|x|), without the difference, which cancels for
  large x."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval gap
   :partials [[:mul [:sign ?x] [:sub scaled-i1-over-x [:mul 2 ?out]]]]
   :scalar (typing/widened
            (let [a [:abs ?x]]
              [:select [:lt a 8]
               [:mul [:exp [:mul -0.5 a]] (horner near-gap [:fma 0.25 a -1])]
               [:div [:div (horner far-gap [:sub [:div 16 a] 1]) a] [:sqrt a]]]))
   :ulp {:f32 2, :f64 5}, :slope-ulp "a second derivative, whose terms cancel far out"
   :gen {?x [-30 30]}
   :examples [[[:i0e-gap 0.0] 1.0] [[:i0e-gap ##Inf] 0.0]]})

(defop over-erfcx
  "1 / erfcx x, which is e^(-x²) / erfc x, elementwise; has derivatives where erfcx is infinite."
  {:kind :elementwise, :args [?x], :type :float, :internal true
   :eval (fn [^double x]
           (if (neg? x)
             (/ (bell-of 1.0 x) (double (error-scalar/erfc x)))
             (/ 1.0 (double (error-scalar/erfcx x)))))
   :partials [[:where [:lt ?x -4]
               [:mul ?out [:sub [:mul two-over-root-pi ?out] [:mul 2 ?x]]]
               [:neg [:mul [:sqr [:over-erfcx [:maximum ?x -4]]]
                      [:erfcx-slope [:maximum ?x -4]]]]]]
   :scalar [:select [:lt ?x 0] [:div (bell-template 1.0) [:erfc ?x]] [:div 1 [:erfcx ?x]]]
   :ulp {:f32 8, :f64 8}, :slope-ulp "a second derivative of log erfc"
   :examples [[[:over-erfcx 0.0] 1.0] [[:over-erfcx ##-Inf] 0.0] [[:over-erfcx ##Inf] ##Inf]]})
