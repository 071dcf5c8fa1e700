(ns damo.ops.nn.activation
  "Activation functions of neural networks, elementwise; integers give floats. They are made of
  other ops, which fuse with what is around them, and right at infinities, gradients included.
  (leaky-relu [-1 2] :alpha 0.1) = [-0.1 2.0]."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]
            [damo.scalar.erf :as error-scalar]))

(set! *warn-on-reflection* true)

(defn- rule [_ [[dtype shape]]]
  [(type/float-of dtype) shape])

(defn- meaning
  "The :eval: (f x attrs) of each element, a double."
  [f]
  (fn [attrs {:keys [dtype] :as x}]
    (array/map-elements (type/float-of dtype) #(f (double (scalar/number %)) attrs) [x])))

(defn- expansion
  "The :expand: the template (t x attrs) of the argument as a float."
  [t]
  (fn [{:keys [attrs], [[from]] :types, [dtype] :type}]
    (t (typing/as-dtype dtype from '?x) attrs)))

(defn- sloped
  "The :lop of an op whose derivative is (slope x attrs)."
  [slope]
  (fn [node] [[:mul '?g ((expansion slope) node)]]))

(defn- sloped-forward [slope]
  (fn [node] [:mul '?dx ((expansion slope) node)]))

(def ^:private shapes (gens/on-shapes (fn [n] [[{} [n]] [{} [2 n]] [{} []]])))

;; ## Straight lines

(defn- leaky
  "The template of t where x is above 0, alpha·t elsewhere."
  [t {:keys [alpha]}]
  [:where [:gt '?x 0] t [:mul alpha t]])

(defop leaky-relu
  "x above 0, alpha·x below, elementwise. Its derivative at 0 is alpha."
  {:kind :composite, :args [?x]
   :attrs {:alpha {:default 0.01, :doc "the slope below 0, a number"}}
   :type rule
   :eval (meaning (fn [x {:keys [alpha]}] (if (pos? x) x (* alpha x))))
   :expand (expansion (fn [x {:keys [alpha]}] [:where [:gt x 0] x [:mul alpha x]]))
   :lop (fn [{:keys [attrs]}] [(leaky ?g attrs)])
   :rop (fn [{:keys [attrs]}] (leaky ?dx attrs))
   :gen (gens/with-choices shapes :alpha [0.01 0.5])
   :examples [[[:leaky-relu -2.0] -0.02] [[:leaky-relu {:alpha 0.5} 3.0] 3.0]]})

(defn- hard-sigmoid-of [x] [:clip [:add [:mul 0.2 x] 0.5] 0 1])

(defop hard-sigmoid
  "0.2·x + 0.5 held between 0 and 1, elementwise: sigmoid in straight lines. Its derivative at the
  bounds is 0.2."
  {:kind :composite, :args [?x], :type rule
   :eval (meaning (fn [x _] (scalar/minimum (scalar/maximum (+ (* 0.2 (double x)) 0.5) 0.0) 1.0)))
   :expand (expansion (fn [x _] (hard-sigmoid-of x)))
   :slope-ulp {:except [:lt [:abs [:sub [:abs ?x] 2.5]] 1e-6]}
   :gen shapes
   :examples [[[:hard-sigmoid 0.0] 0.5] [[:hard-sigmoid ##-Inf] 0.0]]})

;; ## Exponentials below 0
;; e^x is taken of minimum(x, 0): what overflows would make the gradient NaN, 0·∞.

(defn- elu-of ^double [^double x ^double alpha]
  (if (pos? x) x (* alpha (Math/expm1 x))))

(defn- elu-template [x alpha]
  [:where [:gt x 0] x [:mul alpha [:expm1 [:minimum x 0]]]])

(defn- elu-slope [x alpha]
  [:where [:gt x 0] 1.0 [:mul alpha [:exp [:minimum x 0]]]])

(defop elu
  "x above 0, alpha·(e^x - 1) below, elementwise. Its derivative at 0 is alpha."
  {:kind :composite, :args [?x]
   :attrs {:alpha {:default 1.0, :doc "minus the limit at -∞, a number"}}
   :type rule
   :eval (meaning (fn [x {:keys [alpha]}] (elu-of x alpha)))
   :expand (expansion (fn [x {:keys [alpha]}] (elu-template x alpha)))
   :lop (sloped (fn [x {:keys [alpha]}] (elu-slope x alpha)))
   :rop (sloped-forward (fn [x {:keys [alpha]}] (elu-slope x alpha)))
   :gen (gens/with-choices shapes :alpha [1.0 0.5])
   :examples [[[:elu ##-Inf] -1.0] [[:elu 800.0] 800.0]]})

;; Klambauer et al. 2017, Self-Normalizing Neural Networks, equation 14
(def ^:private selu-alpha 1.6732632423543772)
(def ^:private selu-scale 1.0507009873554805)

(defop selu
  "1.0507·elu(x) with alpha 1.6733, elementwise: keeps mean 0 and variance 1 (Klambauer et al.
  2017)."
  {:kind :composite, :args [?x], :type rule
   :eval (meaning (fn [x _] (* selu-scale (elu-of x selu-alpha))))
   :expand (expansion (fn [x _] [:mul selu-scale (elu-template x selu-alpha)]))
   :lop (sloped (fn [x _] [:mul selu-scale (elu-slope x selu-alpha)]))
   :rop (sloped-forward (fn [x _] [:mul selu-scale (elu-slope x selu-alpha)]))
   :gen shapes
   :examples [[[:selu 0.0] 0.0] [[:selu 1.0] 1.0507009873554805]]})

;; ## Smooth ones

(defn- finite-below
  "The template of x, at least -1000: what multiplies e^x there is 0, not ∞·0."
  [x]
  [:maximum x -1000])

(def ^:private root-below-0
  "The :slope-ulp of what has a slope of 0 near -1, where terms cancel."
  {:f32 8, :f64 8, :of '[:sigmoid ?x], :least 800})

(defn- silu-slope [x _]
  [:mul [:sigmoid x] [:add 1 [:mul (finite-below x) [:sigmoid [:neg x]]]]])

(defop silu
  "x·sigmoid(x), elementwise, also called swish."
  {:kind :composite, :args [?x], :type rule
   :eval (meaning (fn [x _] (* (Math/max (double x) -1000.0) (double (scalar/sigmoid x)))))
   :expand (expansion (fn [x _] [:mul (finite-below x) [:sigmoid x]]))
   :lop (sloped silu-slope), :rop (sloped-forward silu-slope)
   :slope-ulp root-below-0
   :gen shapes
   :examples [[[:silu 0.0] 0.0] [[:silu ##-Inf] -0.0] [[:silu 800.0] 800.0]]})

(defop swish
  "x·sigmoid(x), elementwise; the same as silu."
  {:kind :composite, :args [?x], :type rule
   :eval (:eval (op/entry :silu)), :expand (fn [_] [:silu ?x]), :slope-ulp root-below-0
   :gen shapes
   :examples [[[:swish 0.0] 0.0]]})

;; Hendrycks & Gimpel 2016, Gaussian Error Linear Units: x·Φ(x), and its approximation by tanh, here
;; with ½(1 + tanh u) = sigmoid(2u).

(def ^:private root-half (Math/sqrt 0.5))
(def ^:private root-8-over-pi (Math/sqrt (/ 8 Math/PI)))
(def ^:private cubic 0.044715)

(defn- gate
  "The template of what gelu multiplies x with."
  [x approximate]
  (if (= approximate :tanh)
    [:sigmoid [:mul root-8-over-pi [:mul x [:add 1 [:mul cubic [:sqr x]]]]]]
    [:mul 0.5 [:erfc [:mul (- root-half) x]]]))

(defn- gate-slope
  "The template of the derivative of the gate."
  [x approximate]
  (if (= approximate :tanh)
    (let [s (gate x :tanh)]
      [:mul [:mul s (gate [:neg x] :tanh)]
       [:mul root-8-over-pi [:add 1 [:mul (* 3 cubic) [:sqr x]]]]])
    [:mul (/ (Math/sqrt (* 2 Math/PI))) [:bell x]]))

(defn- gelu-of [x {:keys [approximate]}]
  (let [x (Math/max (double x) -1000.0)]
    (* x (double (if (= approximate :tanh)
                   (scalar/sigmoid (* root-8-over-pi x (+ 1.0 (* cubic x x))))
                   (* 0.5 (error-scalar/erfc (* (- root-half) x))))))))

(defn- gelu-slope [x {:keys [approximate]}]
  (let [near [:clip x -1000 1000]]
    [:add (gate x approximate) [:mul near (gate-slope near approximate)]]))

(defn- gelu-bound
  "Its :slope-ulp: the terms cancel at its root near -0.75; what the formula by tanh takes the
  sigmoid of, u, is rounded."
  [{:keys [approximate]}]
  {:f32 8, :f64 8, :least 800
   :of (if (= approximate :tanh)
         (let [u (peek (gate '?x :tanh))] [:mul (gate '?x :tanh) [:add 1 [:mul 3 [:mul u u]]]])
         '[:ndtr ?x])})

(defop gelu
  "x·Φ(x), elementwise, where Φ is the distribution function of the normal distribution; with
  :approximate :tanh the formula by tanh, off by up to 5e-4."
  {:kind :composite, :args [?x]
   :attrs {:approximate {:default :none, :is #{:none :tanh}, :own-check true
                         :doc ":none, by erfc, or :tanh"}}
   :type (fn [{:keys [approximate]} types]
           (when-not (#{:none :tanh} approximate)
             (fail! :damo.op.activation/bad-option
                    (str ":approximate is :none or :tanh; got " (pr-str approximate))
                    {:given approximate}))
           (rule nil types))
   :eval (meaning gelu-of)
   :expand (expansion (fn [x {:keys [approximate]}] [:mul (finite-below x) (gate x approximate)]))
   :lop (sloped gelu-slope), :rop (sloped-forward gelu-slope)
   :slope-ulp gelu-bound
   :gen (gens/with-choices shapes :approximate [:none :tanh])
   :examples [[[:gelu 0.0] 0.0] [[:gelu ##-Inf] -0.0] [[:gelu {:approximate :tanh} 800.0] 800.0]]})

(defn- softsign-slope [x _]
  [:sqr [:div 1 [:add 1 [:abs x]]]])

(defop softsign
  "x / (1 + |x|), elementwise; between -1 and 1."
  {:kind :composite, :args [?x], :type rule
   :eval (meaning (fn [x _]
                    (if (Double/isInfinite x) (Math/signum (double x)) (/ x (inc (abs x))))))
   :expand (expansion (fn [x _] [:where [:isinf x] [:sign x] [:div x [:add 1 [:abs x]]]]))
   :lop (sloped softsign-slope), :rop (sloped-forward softsign-slope)
   :gen shapes
   :examples [[[:softsign 1.0] 0.5] [[:softsign ##-Inf] -1.0]]})

(defn- mish-slope [x _]
  (let [s [:softplus x]]
    [:add [:tanh s] [:mul (finite-below x) [:mul [:sigmoid x] [:sech2 s]]]]))

(defop mish
  "x·tanh(softplus(x)), elementwise."
  {:kind :composite, :args [?x], :type rule
   :eval (meaning (fn [x _] (* (Math/max (double x) -1000.0) (Math/tanh (scalar/softplus x)))))
   :expand (expansion (fn [x _] [:mul (finite-below x) [:tanh [:softplus x]]]))
   :lop (sloped mish-slope), :rop (sloped-forward mish-slope)
   :slope-ulp root-below-0
   :gen shapes
   :examples [[[:mish 0.0] 0.0] [[:mish 800.0] 800.0]]})
