(ns damo.math.slopes
  "The exact derivatives of ops on floats, elementwise ones and those that are made of such: for
  each op, one template for each argument over the instructions of `damo.math.exactly` and the names
  of its arguments; a function of the attributes gives them for an op that has some. Their meaning
  on decimals is the oracle of `damo.laws.slopes-test`, which finds them right by differences.
  ((first (functions :sqr {})) [3M]) gives 6M."
  (:require [damo.math.exactly :as exactly]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## Words of the templates

(defn- sq [x] [:mul x x])
(defn- inv [x] [:div 1 x])

(def ^:private two-over-root-pi [:div 2 [:sqrt [:pi]]])
(def ^:private root-two-pi [:sqrt [:mul 2 [:pi]]])
(defn- bell [x] [:exp [:neg (sq x)]])
(defn- normal-density [x] [:div [:exp [:div (sq x) -2]] root-two-pi])
(defn- sech2
  "1/cosh² x, as e^-2|x| shows it: cosh x overflows nothing here, but its square takes digits."
  [x]
  [:div 1 (sq [:cosh x])])

;; ## Sums, products, choices

(def ^:private arithmetic
  '{:add [1 1], :sub [1 -1], :neg [-1], :mul [?y ?x]
    :div [[:div 1 ?y] [:neg [:div ?x [:mul ?y ?y]]]]
    :reciprocal [[:div -1 [:mul ?x ?x]]]
    :sqr [[:mul 2 ?x]], :sqrt [[:div 1 [:mul 2 [:sqrt ?x]]]]
    :mod [1 [:neg [:floor [:div ?x ?y]]]]
    :pow [[:mul ?y [:pow ?x [:sub ?y 1]]] [:mul [:pow ?x ?y] [:log ?x]]]
    :abs [[:select [:gt ?x 0] 1 [:select [:lt ?x 0] -1 0]]]
    :maximum [[:select [:ge ?x ?y] 1 0] [:select [:ge ?x ?y] 0 1]]
    :minimum [[:select [:le ?x ?y] 1 0] [:select [:le ?x ?y] 0 1]]
    :relu [[:select [:gt ?x 0] 1 0]], :copy [1]
    :clip [[:select [:and [:ge ?x ?lo] [:le [:maximum ?x ?lo] ?hi]] 1 0]
           [:select [:and [:lt ?x ?lo] [:le ?lo ?hi]] 1 0]
           [:select [:gt [:maximum ?x ?lo] ?hi] 1 0]]})

;; ## Exponentials and logarithms

(def ^:private exponentials
  '{:exp [[:exp ?x]], :exp2 [[:mul [:log 2] [:exp2 ?x]]], :expm1 [[:exp ?x]]
    :log [[:div 1 ?x]], :log2 [[:div 1 [:mul ?x [:log 2]]]], :log10 [[:div 1 [:mul ?x [:log 10]]]]
    :log1p [[:div 1 [:add 1 ?x]]], :softplus [[:sigmoid ?x]]
    :sigmoid [[:mul [:sigmoid ?x] [:sigmoid [:neg ?x]]]]
    :logaddexp [[:sigmoid [:sub ?x ?y]] [:sigmoid [:sub ?y ?x]]]
    :xlogx [[:add 1 [:log ?x]]]
    :xlogy [[:log ?y] [:div ?x ?y]], :xlog1py [[:log1p ?y] [:div ?x [:add 1 ?y]]]
    :log1mexp [[:div [:exp ?x] [:expm1 ?x]]]
    :logit [[:div 1 [:mul ?x [:sub 1 ?x]]]]
    :binary-cross-entropy [[:div [:sub ?p ?t] [:mul ?p [:sub 1 ?p]]]
                           [:sub [:log1p [:neg ?p]] [:log ?p]]]
    :sigmoid-cross-entropy [[:select [:gt ?x 0]
                             [:sub [:sub 1 ?t] [:sigmoid [:neg ?x]]]
                             [:sub [:sigmoid ?x] ?t]]
                            [:neg ?x]]})

;; ## Circles and hyperbolas

(def ^:private circular
  (let [x '?x, in-unit [:mul [:sub 1 x] [:add 1 x]], radius [:add (sq '?x) (sq '?y)]]
    {:sin [[:cos x]], :cos [[:neg [:sin x]]], :tan [(inv (sq [:cos x]))]
     :sinpi [[:mul [:pi] [:cospi x]]], :cospi [[:neg [:mul [:pi] [:sinpi x]]]]
     :asin [(inv [:sqrt in-unit])], :acos [[:div -1 [:sqrt in-unit]]]
     :atan [(inv [:add 1 (sq x)])]
     :atan2 [[:div '?x radius] [:neg [:div '?y radius]]]
     :hypot [[:div '?x [:sqrt radius]] [:div '?y [:sqrt radius]]]
     :over-hypot [[:div (sq '?y) [:mul radius [:sqrt radius]]]
                  [:neg [:div [:mul '?x '?y] [:mul radius [:sqrt radius]]]]]
     :sinh [[:cosh x]], :cosh [[:sinh x]], :tanh [(sech2 x)]
     :sech2 [[:mul -2 [:mul (sech2 x) [:tanh x]]]]
     :asinh [(inv [:sqrt [:add 1 (sq x)]])]
     :acosh [(inv [:sqrt [:mul [:sub x 1] [:add x 1]]])], :atanh [(inv in-unit)]
     :deg2rad [[:div [:pi] 180]], :rad2deg [[:div 180 [:pi]]]}))

;; ## Special functions

(def ^:private special
  (let [x '?x
        gamma-density [:exp [:sub [:sub [:mul '[:sub ?a 1] [:log x]] x] '[:gammaln ?a]]]
        scaled (fn [k n] [k n x])]
    {:erf [[:mul two-over-root-pi (bell x)]], :erfc [[:neg [:mul two-over-root-pi (bell x)]]]
     :erfcx [[:erfcx-slope x]]
     :erfinv [(inv [:mul two-over-root-pi (bell [:erfinv x])])]
     :erfcinv [[:div -1 [:mul two-over-root-pi (bell [:erfcinv x])]]]
     :gauss [[:mul -2 [:mul x (bell x)]]]
     :bell [[:neg [:mul x [:exp [:div (sq x) -2]]]]], :ndtr [(normal-density x)]
     :ndtri [[:mul root-two-pi [:exp (sq [:erfcinv [:mul 2 x]])]]]
     :log-ndtr [[:div [:sqrt [:div 2 [:pi]]] [:erfcx [:neg [:div x [:sqrt 2]]]]]]
     :gamma [[:mul [:gamma x] [:psi x]]], :gammaln [[:psi x]], :psi [[:trigamma x]]
     :trigamma [[:polygamma {:n 2} x]]
     :gammainc [nil gamma-density], :gammaincc [nil [:neg gamma-density]]
     :beta '[[:neg [:mul [:beta ?a ?b] [:psi-step ?a ?b]]]
             [:neg [:mul [:beta ?a ?b] [:psi-step ?b ?a]]]]
     :betaln '[[:neg [:psi-step ?a ?b]] [:neg [:psi-step ?b ?a]]]
     :betainc '[nil nil [:exp [:sub [:add [:mul [:sub ?a 1] [:log ?x]]
                                     [:mul [:sub ?b 1] [:log1p [:neg ?x]]]]
                               [:betaln ?a ?b]]]]
     :j0 [[:neg [:j1 x]]], :j1 [[:sub [:j0 x] [:div [:j1 x] x]]]
     :i0 [[:i1 x]], :i1 [[:sub [:i0 x] [:div [:i1 x] x]]]
     :i0e [[:i0e-slope x]], :i1e [[:i1e-slope x]]
     :jv (fn [{:keys [n]}] [(scaled :j-slope n)]), :iv (fn [{:keys [n]}] [(scaled :i-slope n)])
     :ive (fn [{:keys [n]}] [(scaled :ie-slope n)])
     :polygamma (fn [{:keys [n]}] [[:polygamma {:n (inc n)} x]])}))

;; ## Activations and losses

(defn- above-0
  "The template of t where x is above 0, else of u."
  [t u]
  [:select '[:gt ?x 0] t u])

(def ^:private selu-scale 1.0507009873554805)
(def ^:private selu-alpha 1.6732632423543772)

(defn- gelu [{:keys [approximate]}]
  (if (= approximate :tanh)
    (let [x '?x, k [:sqrt [:div 8 [:pi]]], c 0.044715
          u [:mul k [:mul x [:add 1 [:mul c (sq x)]]]]
          du [:mul k [:add 1 [:mul [:mul 3 c] (sq x)]]]]
      [[:mul [:sigmoid u] [:add 1 [:mul x [:mul [:sigmoid [:neg u]] du]]]]])
    [[:add '[:ndtr ?x] [:mul '?x (normal-density '?x)]]]))

(defn- clipped-difference [bound]
  (let [e '[:sub ?x ?y], d [:maximum [:neg bound] [:minimum e bound]]] [d [:neg d]]))

(def ^:private made-of-others
  (let [x '?x, right [:sigmoid '[:neg ?x]], t [:tanh [:softplus x]]]
    {:leaky-relu (fn [{:keys [alpha]}] [(above-0 1 alpha)])
     :hard-sigmoid [[:select '[:le [:abs ?x] 2.5] 0.2 0]]
     :elu (fn [{:keys [alpha]}] [(above-0 1 [:mul alpha [:exp x]])])
     :selu [[:mul selu-scale (above-0 1 [:mul selu-alpha [:exp x]])]]
     :silu [[:mul [:sigmoid x] [:add 1 [:mul x right]]]]
     :swish [[:mul [:sigmoid x] [:add 1 [:mul x right]]]]
     :gelu gelu
     :mish [[:add t [:mul x [:mul [:sigmoid x] (sech2 [:softplus x])]]]]
     :softsign [(inv (sq [:add 1 [:abs x]]))]
     :huber (fn [{:keys [delta]}] (clipped-difference delta))
     :smooth-l1 (fn [{:keys [beta]}]
                  (mapv #(vector :div % beta) (clipped-difference beta)))}))

(def variants
  "The attributes with which ops that have some are tried; others have none."
  {:leaky-relu [{:alpha 0.01}], :elu [{:alpha 1.0} {:alpha 0.3}]
   :gelu [{:approximate :none} {:approximate :tanh}]
   :huber [{:delta 1.0} {:delta 0.3}], :smooth-l1 [{:beta 0.3}]
   :jv (mapv #(hash-map :n %) [0 1 2 7]), :iv (mapv #(hash-map :n %) [0 1 2 7])
   :ive (mapv #(hash-map :n %) [0 1 2 7]), :polygamma [{:n 0} {:n 1}]})

(def slopes
  "The derivatives of each op, by its keyword: a vector of templates, with nil for an argument by
  which there is none, or a function of the attributes to it."
  (merge arithmetic exponentials circular special made-of-others))

(defn functions
  "For each argument of an op the function of its arguments, decimals, to the slope; or nil."
  [op attrs]
  (let [s (slopes op), {:keys [args]} (op/entry op)]
    (mapv #(when % (exactly/function % args)) (if (fn? s) (s attrs) s))))
