(ns damo.rules.tails
  "What overflows or vanishes in parts though not as a whole: logarithms of sums of exponentials,
  and factors of a product, wherever they stand in it, of which one grows as the other vanishes.
  (y·e^x)·σ(-x) → y·σ(x); log(e^x + 2·e^y + 1) → logaddexp(logaddexp(x, y + log 2), 0)."
  (:require [damo.data.graph :as graph]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

;; ## What an operand is a multiple of

(defn- scaled
  "[k id'] where node `id` of a builder is k times node id'."
  [b id]
  (loop [k 1.0, id id]
    (let [[op _ x y] (graph/node b id)
          number (fn [id] (let [c (rule/uniform b id)] (when (and (number? c) (not= 0.0 c)) c)))]
      (cond (= op :neg) (recur (- k) x)
            (and (= op :mul) (number x)) (recur (* k (double (number x))) y)
            (and (= op :mul) (number y)) (recur (* k (double (number y))) x)
            (and (= op :div) (number y)) (recur (/ k (double (number y))) x)
            :else [k id]))))

(defn- opposite?
  "Is ?y the negation of ?x?"
  [{b :builder :as m} ?x ?y]
  (let [[k x] (scaled b (m ?x)), [l y] (scaled b (m ?y))
        [op _ u v] (graph/node b x), [op' _ w z] (graph/node b y)]
    (or (and (= x y) (= k (- (double l))))
        (and (= k l) (= op op' :sub) (= [u v] [z w]))
        (let [c (rule/number-of m ?x), d (rule/number-of m ?y)]
          (and (number? c) (number? d) (== c (- (double d))))))))

(defn- square?
  "Is ?e the square of ?v times `sign`, but for the rounding of constant factors?"
  [{b :builder :as m} ?e ?v sign]
  (let [[c s] (scaled b (m ?e)), [op _ arg] (graph/node b s)]
    (when (= op :sqr)
      (let [[k z] (scaled b arg), [l w] (scaled b (m ?v))
            given (* (double c) k k), wanted (* (double sign) l l)]
        (and (= z w) (<= (Math/abs (- given wanted)) (* 4e-16 (Math/abs wanted))))))))

(defn- same-square?
  "Is ?x the same as ?y but for its sign?"
  [{b :builder :as m} ?x ?y]
  (let [[k x] (scaled b (m ?x)), [l y] (scaled b (m ?y))]
    (and (= x y) (== (Math/abs (double k)) (Math/abs (double l))))))

;; ## Sums of exponentials

(def ^:private most-terms "The most terms of a sum that are looked at." 1000)

(defn- terms
  "The ids of the terms of the sum of these nodes, in the order written; nil when one is subtracted
  or there are too many."
  [b ids]
  (loop [[id & left] ids, found []]
    (if (nil? id)
      found
      (let [[op _ x y] (graph/node b id)]
        (cond (= op :add) (recur (list* x y left) found)
              (or (#{:sub :neg} op) (= most-terms (count found))) nil
              :else (recur left (conj found id)))))))

(defn- exponential
  "{:factor c, :power template} of a node that is c·e^power for a positive number c; the power of a
  number is nil. nil for other nodes."
  [b id]
  (let [[k base] (scaled b id), [op _ x y] (graph/node b base), c (rule/uniform b base)]
    (when (pos? (double k))
      (cond (= op :exp) {:factor k, :power (rule/argument x), :id x}
            (and (number? c) (< 0.0 (double c) ##Inf)) {:factor (* (double k) (double c))}
            (= op :div) (let [d (rule/uniform b x), [op _ z] (graph/node b y)]
                          (when (and (= op :exp) (number? d) (< 0.0 (double d) ##Inf))
                            {:factor (* (double k) (double d))
                             :power [:neg (rule/argument z)]}))))))

(defn- exponentials
  "The terms of the sum of these nodes as `exponential` gives them; nil when there are others, or
  nothing but numbers."
  [b ids]
  (when-let [found (seq (map #(exponential b %) (terms b ids)))]
    (when (and (every? some? found) (some :power found)) found)))

(defn- log-of-term [{:keys [factor power]}]
  (let [c (Math/log factor)]
    (cond (nil? power) c
          (zero? c) power
          :else [:add power c])))

(defn- log-of-sum
  "The template of log(?x + ?y) where both are sums of exponentials, else nil."
  [{b :builder :as m} ?x ?y]
  (when-let [found (exponentials b [(m ?x) (m ?y)])]
    (reduce (fn [t u] [:logaddexp t u]) (map log-of-term found))))

(defn- share-of-sum
  "The template of e^?x / (?s + ?t), where e^?x is a term of that sum of exponentials: 1 over the
  sum of the quotients of all terms by it. nil for others."
  [{b :builder :as m} ?x ?s ?t]
  (let [x (m ?x), found (exponentials b [(m ?s) (m ?t)])
        {own true, others false} (group-by #(= x (:id %)) found)
        quotient (fn [{:keys [factor power]}]
                   (let [e [:exp (if power [:sub power ?x] [:neg ?x])]]
                     (if (= 1.0 factor) e [:mul factor e])))]
    (when (and own others)
      (let [c (reduce + (map :factor own))]
        (if (and (= c 1.0) (nil? (next others)) (= 1.0 (:factor (first others))))
          [:sigmoid (if-let [y (:power (first others))] [:sub ?x y] ?x)]
          [:div 1 (reduce (fn [t u] [:add t u]) c (map quotient others))])))))

(defrules sums
  "Logarithms of sums of exponentials, of any number of terms, and the share of a term in the sum."
  {:name :log-exp-sum, :lhs [:log [:add ?x ?y]], :rhs (fn [m] (log-of-sum m ?x ?y))
   :keeps :stabilizes, :why "e^x overflows above 709.", :types {z [:f64 [3]]}
   :examples [[[:log [:add [:exp x] [:exp y]]] => [:logaddexp x y]]
              [[:log [:add [:add [:exp x] [:mul 2 [:exp y]]] [:exp z]]]
               => [:logaddexp [:logaddexp x [:add y 0.6931471805599453]] z]]
              [[:log [:add 2 [:exp x]]] => [:logaddexp 0.6931471805599453 x]]]}
  {:name :log1p-exp-sum, :lhs [:log1p [:add ?x ?y]], :keeps :stabilizes
   :rhs (fn [m] (some->> (log-of-sum m ?x ?y) (vector :softplus)))
   :why "e^x overflows above 709."
   :examples [[[:log1p [:add [:exp x] [:exp y]]] => [:softplus [:logaddexp x y]]]]}
  {:name :log1p-scaled-exp, :lhs [:log1p [:mul ?c [:exp ?x]]]
   :rhs (fn [m] (let [k (Math/log (rule/number-of m ?c))]
                  [:where [:gt ?x (- k)] [:softplus [:add ?x k]]
                   [:log1p [:mul ?c [:exp [:minimum ?x (- k)]]]]]))
   :when #(and (let [c (rule/number-of % ?c)] (and (number? c) (< 0 c ##Inf)))
               (not= :minimum (rule/op-at % ?x)))
   :keeps :stabilizes, :why "e^x overflows above 709."
   :examples [[[:log1p [:mul 2 [:exp x]]]
               => [:where [:gt x -0.6931471805599453] [:softplus [:add x 0.6931471805599453]]
                   [:log1p [:mul 2 [:exp [:minimum x -0.6931471805599453]]]]]]]
   :refuses [[[:log1p [:mul y [:exp x]]]] [[:log1p [:mul 2 [:exp [:minimum x y]]]]]]}
  {:name :log-exp-difference, :lhs [:log [:sub [:exp ?x] [:exp ?y]]]
   :rhs [:add ?x [:log1mexp [:sub ?y ?x]]], :keeps :stabilizes, :except [[:ge ?y ?x]]
   :why "e^x overflows above 709."
   :gen {x [1 3] y [-3 0.5]}
   :examples [[[:log [:sub [:exp x] [:exp y]]] => [:add x [:log1mexp [:sub y x]]]]]}
  {:name :log-sqrt, :lhs [:log [:sqrt ?x]], :rhs [:mul 0.5 [:log ?x]], :keeps :stabilizes
   :why "√x near 1 loses half of the digits that x has.", :gen {x [0.1 9]}
   :examples [[[:log [:sqrt x]] => [:mul 0.5 [:log x]]]]}
  {:name :log-prod, :lhs [:log [:prod {:axis ?a :keepdims false} ?x]], :keeps :stabilizes
   :except [[:lt ?x 0]]
   :rhs [:where [:ge [:prod {:axis ?a} [:sign ?x]] 0] [:sum {:axis ?a} [:log [:abs ?x]]] ##NaN]
   :why "A product of many factors over- or underflows."
   :gen {x [0.1 9]}
   :examples [[[:log [:prod {:axis 1} x]]
               => [:where [:ge [:prod {:axis 1} [:sign x]] 0.0]
                   [:sum {:axis 1} [:log [:abs x]]] ##NaN]]]}
  {:name :share-of-exp-sum, :lhs [:div [:exp ?x] [:add ?s ?t]], :within :product
   :rhs (fn [m] (share-of-sum m ?x ?s ?t)), :keeps :stabilizes
   :except [:overflow :underflow [:eq ?x ##-Inf]]
   :why "∞/∞ above 709; gradients of log(e^x + e^y) have this form.", :types {z [:f64 [3]]}
   :examples [[[:div [:exp x] [:add 1 [:exp x]]] => [:sigmoid x]]
              [[:div [:mul y [:exp x]] [:add [:exp x] [:exp y]]] => [:mul y [:sigmoid [:sub x y]]]]
              [[:div [:exp x] [:add [:add [:exp x] [:exp y]] [:exp z]]]
               => [:div 1 [:add [:add 1 [:exp [:sub y x]]] [:exp [:sub z x]]]]]]})

;; ## Partners in a product

(def ^:private most-deep "How far below a node is looked for its sign." 6)

(defn- nonnegative?
  "Is node `id` of a builder nowhere negative, as far as can be told?"
  [b id depth]
  (let [[op _ x y] (graph/node b id), c (rule/uniform b id)
        again #(nonnegative? b % (dec (long depth)))]
    (cond (number? c) (<= 0.0 (double c))
          (#{:exp :sqr :abs :sigmoid :softplus :cosh :exp2 :sqrt} op) true
          (and (pos? (long depth)) (#{:add :mul :div :maximum} op)) (and (again x) (again y))
          :else false)))

(defrules partners
  "Pairs of factors of which one overflows or vanishes where the other does the opposite."
  {:name :exp-times-sigmoid, :lhs [:mul [:exp ?x] [:sigmoid ?y]], :within :product
   :rhs [:sigmoid ?x], :when #(opposite? % ?x ?y), :keeps :stabilizes
   :why "∞·0 above 709; gradients of log(1 + e^x) have this form."
   :examples [[[:mul [:exp x] [:sigmoid [:neg x]]] => [:sigmoid x]]
              [[:mul [:exp [:neg x]] [:sigmoid x]] => [:sigmoid [:neg x]]]
              [[:mul [:mul y [:exp x]] [:sigmoid [:neg x]]] => [:mul y [:sigmoid x]]]
              [[:mul [:mul y [:sigmoid [:neg x]]] [:exp x]] => [:mul y [:sigmoid x]]]]
   :refuses [[[:mul [:exp x] [:sigmoid x]]]]}
  {:name :sigmoid-over-sigmoid, :lhs [:div [:sigmoid ?x] [:sigmoid ?y]], :within :product
   :rhs [:exp ?x], :when #(opposite? % ?x ?y), :keeps :value, :except [:underflow]
   :why "One function instead of three operations."
   :examples [[[:div [:sigmoid x] [:sub 1 [:sigmoid x]]] => [:exp x]]
              [[:div [:mul y [:sigmoid [:neg x]]] [:sigmoid x]] => [:mul y [:exp [:neg x]]]]]
   :refuses [[[:div [:sigmoid x] [:sigmoid y]]]]}
  {:name :sigmoid-over-exp, :lhs [:div [:sigmoid ?x] [:exp ?x]], :within :product
   :rhs [:sigmoid [:neg ?x]], :keeps :stabilizes, :why "0/0 below -745."
   :examples [[[:div [:sigmoid x] [:exp x]] => [:sigmoid [:neg x]]]]}
  {:name :root-times-root, :lhs [:mul [:sqrt ?x] [:sqrt ?x]], :within :product, :rhs ?x
   :when #(nonnegative? (:builder %) (% ?x) most-deep), :keeps :stabilizes
   :except [:overflow :underflow]
   :why "Gradients of log √x have √x twice below, where x may meet its partner."
   :gen {x [-3 3], y [1 3]}
   :examples [[[:div y [:mul [:sqrt [:exp x]] [:mul y [:sqrt [:exp x]]]]] => [:div 1 [:exp x]]]]
   :refuses [[[:div y [:mul [:sqrt x] [:mul y [:sqrt x]]]]]]}
  {:name :bell-over-erfc, :lhs [:div [:exp ?e] [:erfc ?x]], :within :product
   :rhs [:over-erfcx ?x], :when #(square? % ?e ?x -1), :keeps :stabilizes
   :except [:overflow :underflow]
   :why "0/0 from 27 on; the derivative of log erfc x has this form."
   :examples [[[:div [:exp [:neg [:sqr x]]] [:erfc x]] => [:over-erfcx x]]
              [[:div [:mul y [:exp [:mul [:neg x] x]]] [:erfc x]] => [:mul y [:over-erfcx x]]]
              [[:div [:exp [:mul -0.5 [:sqr x]]] [:erfc [:mul 0.7071067811865476 x]]]
               => [:over-erfcx [:mul 0.7071067811865476 x]]]]
   :refuses [[[:div [:exp x] [:erfc x]]]]}
  {:name :erfc-over-bell, :lhs [:div [:erfc ?x] [:exp ?e]], :within :product
   :rhs [:erfcx ?x], :when #(square? % ?e ?x -1), :keeps :stabilizes, :why "0/0 from 27 on."
   :examples [[[:div [:erfc x] [:exp [:neg [:sqr x]]]] => [:erfcx x]]]
   :refuses [[[:div [:erfc x] [:exp x]]]]}
  {:name :gauss-over-erfc, :lhs [:div [:gauss ?y] [:erfc ?x]], :within :product
   :rhs [:over-erfcx ?x], :when #(same-square? % ?x ?y), :keeps :stabilizes
   :why "0/0 from 27 on; the derivative of erfc has this form."
   :examples [[[:div [:mul y [:gauss x]] [:erfc x]] => [:mul y [:over-erfcx x]]]
              [[:div [:gauss x] [:erfc [:neg x]]] => [:over-erfcx [:neg x]]]]
   :refuses [[[:div [:gauss y] [:erfc x]]]]}
  {:name :erfc-over-gauss, :lhs [:div [:erfc ?x] [:gauss ?y]], :within :product
   :rhs [:erfcx ?x], :when #(same-square? % ?x ?y), :keeps :stabilizes, :why "0/0 from 27 on."
   :examples [[[:div [:erfc x] [:gauss x]] => [:erfcx x]]]
   :refuses [[[:div [:erfc x] [:gauss y]]]]}
  {:name :erfc-times-exp, :lhs [:mul [:exp ?e] [:erfc ?x]], :within :product
   :rhs [:erfcx ?x], :when #(square? % ?e ?x 1), :keeps :stabilizes, :why "∞·0 from 27 on."
   :examples [[[:mul [:exp [:sqr x]] [:erfc x]] => [:erfcx x]]]
   :refuses [[[:mul [:exp x] [:erfc x]]]]})

;; ## Sums and choices that keep factors apart

(defn- meets?
  "Does ?p, as a factor of the product in which the sum or choice of the others stands, meet one
  that cancels with it or stabilises it?"
  [{{:keys [meets above]} :attrs :as m} ?p & others]
  (and above (some #(meets (m ?p) (m %)) others)))

(defn- divides?
  "Is ?p, below, a factor of all terms of the sum of ?u and ?v, above?"
  [{{:keys [divides]} :attrs :as m} ?p ?u ?v]
  (every? #(divides (m ?p) (m %)) [?u ?v]))

(defrules spreading
  "A factor is multiplied into the sum or choice that keeps its partner from it."
  {:name :factor-into-where, :lhs [:mul ?p [:where ?c ?u ?v]], :within :product
   :rhs [:where ?c [:mul ?u ?p] [:mul ?v ?p]], :when #(meets? % ?p ?u ?v)
   :keeps :stabilizes, :gen {y [1 2]}, :types {g [:f64 []]}
   :why "The slope of a loss of sigmoid meets the slope of sigmoid: 0/0·0 is NaN."
   :examples [[[:mul y [:where [:lt x 0] x [:div x y]]]
               => [:where [:lt x 0.0] [:mul x y] x]]
              [[:mul y [:mul g [:where [:lt x 0] x [:div x y]]]]
               => [:mul g [:where [:lt x 0.0] [:mul x y] x]]]]
   :refuses [[[:mul y [:where [:lt x 0] x z]]]]}
  {:name :divisor-into-where, :lhs [:div [:where ?c ?u ?v] ?p], :within :product
   :rhs [:where ?c [:div ?u ?p] [:div ?v ?p]], :when #(meets? % ?p ?u ?v)
   :keeps :stabilizes, :why "∞/∞ above 709."
   :examples [[[:div [:where [:lt x 0] y [:exp x]] [:add [:exp x] [:exp y]]]
               => [:where [:lt x 0.0] [:div y [:add [:exp x] [:exp y]]] [:sigmoid [:sub x y]]]]]
   :refuses [[[:div [:where [:lt x 0] y z] x]]]}
  {:name :factor-into-difference, :lhs [:mul ?p [:sub ?u ?v]], :within :product
   :rhs [:sub [:mul ?p ?u] [:mul ?p ?v]], :when #(meets? % ?p ?u ?v)
   :keeps :stabilizes, :gen {x [1 2]}
   :why "The gradient of log p through softmax is 0·∞ where p is 0."
   :examples [[[:mul x [:sub [:where [:lt x y] [:div y x] 0] z]]
               => [:sub [:where [:lt x y] y 0.0] [:mul x z]]]
              [[:mul x [:sub [:div y x] z]] => [:sub y [:mul x z]]]]
   :refuses [[[:mul x [:sub y z]]]]}
  {:name :factor-into-sum, :lhs [:mul ?p [:add ?u ?v]], :within :product
   :rhs [:add [:mul ?p ?u] [:mul ?p ?v]], :when #(meets? % ?p ?u ?v)
   :keeps :stabilizes, :gen {x [1 2]}
   :why "The gradient of log p through softmax is 0·∞ where p is 0."
   :examples [[[:mul x [:add [:div y x] z]] => [:add y [:mul x z]]]]
   :refuses [[[:mul x [:add y z]]]]}
  {:name :divisor-into-difference, :lhs [:div [:sub ?u ?v] ?p], :within :product
   :rhs [:sub [:div ?u ?p] [:div ?v ?p]]
   :when #(or (meets? % ?p ?u ?v) (divides? % ?p ?u ?v))
   :keeps :stabilizes, :gen {x [1 2]}
   :why "(e^x - e^-x)/(e^x + e^-x) is ∞/∞ above 709."
   :examples [[[:div [:sub [:exp x] [:exp y]] [:add [:exp x] [:exp y]]]
               => [:sub [:sigmoid [:sub x y]] [:sigmoid [:sub y x]]]]
              [[:div [:sub [:mul x y] [:mul z x]] x] => [:sub y z]]]
   :refuses [[[:div [:sub y z] x]]]}
  {:name :divisor-into-sum, :lhs [:div [:add ?u ?v] ?p], :within :product
   :rhs [:add [:div ?u ?p] [:div ?v ?p]]
   :when #(or (meets? % ?p ?u ?v) (divides? % ?p ?u ?v))
   :keeps :stabilizes, :gen {x [1 2]}
   :why "Derivatives of log(e^x + e^y) along a direction are ∞/∞ above 709."
   :examples [[[:div [:add [:mul z [:exp x]] [:exp y]] [:add [:exp x] [:exp y]]]
               => [:add [:mul z [:sigmoid [:sub x y]]] [:sigmoid [:sub y x]]]]]
   :refuses [[[:div [:add y z] x]]]})

(def families "The families of this namespace." [sums partners spreading])
