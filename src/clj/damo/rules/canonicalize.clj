(ns damo.rules.canonicalize
  "One form for what can be written in several ways, and nothing that need not be computed:
  identities, constants moved together, views merged; the rules of signs, choices, reductions and
  parts of arrays. Graph patterns in, smaller ones out: x + 0 → x.

  The forms that come out, on which other rules build: neg stands outside of products; 1/x is a div;
  reductions drop their axes and a reshape puts them back; expand-dims and squeeze are reshapes;
  what is the same everywhere is a 0-d node, broadcast where it must be; x - c is x + (-c)."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.choices :as choices]
            [damo.rules.extents :as extents]
            [damo.rules.moves :as moves]
            [damo.rules.picks :as picks]
            [damo.rules.portions :as portions]
            [damo.rules.products :as products]
            [damo.rules.reducing :as reducing]
            [damo.rules.signs :as signs]
            [damo.rules.subtensor :as subtensor]
            [damo.rules.zeros :as zeros]))

(set! *warn-on-reflection* true)

;; ## Arithmetic

(defrules identities
  "Operations that change nothing, and such whose value is known."
  {:name :mul-one, :lhs [:mul ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:mul x 1] => x]]}
  {:name :mul-minus-one, :lhs [:mul ?x -1], :rhs [:neg ?x], :keeps :bits
   :why "One form of negation.", :examples [[[:mul x -1] => [:neg x]]]}
  {:name :mul-zero, :lhs [:mul ?x 0], :rhs 0, :keeps :drops-nan, :except [:zero-sign]
   :why "x need not be computed."
   :examples [[[:mul x 0] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :div-one, :lhs [:div ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:div x 1] => x]]}
  {:name :zero-div, :lhs [:div 0 ?x], :rhs 0, :keeps :drops-nan, :except [:zero-sign]
   :why "x need not be computed."
   :examples [[[:div 0 x] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :sub-self, :lhs [:sub ?x ?x], :rhs 0, :keeps :drops-nan, :why "x need not be computed."
   :examples [[[:sub x x] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :pow-zero, :lhs [:pow ?x 0], :rhs 1, :keeps :bits, :why "x need not be computed."
   :examples [[[:pow x 0] => [:broadcast-to {:shape [2 3]} 1.0]]]}
  {:name :pow-one, :lhs [:pow ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:pow x 1] => x]]}
  {:name :one-pow, :lhs [:pow 1 ?x], :rhs 1, :keeps :bits, :why "x need not be computed."
   :examples [[[:pow 1 x] => [:broadcast-to {:shape [2 3]} 1.0]]]})

(defrules constants
  "Constants move together, where folding makes one of them; quotients have one form."
  {:name :sub-constant, :lhs [:sub ?x ?c], :rhs [:add ?x [:neg ?c]]
   :when #(and (rule/constant? % ?c) (rule/float? % ?x) (not (rule/constant? % ?x))), :keeps :bits
   :why "One form of adding a constant.", :examples [[[:sub x 2] => [:add x -2.0]]]
   :refuses [[[:sub x y]] [[:sub i 2] {i [:i64 [3]]}]
             [[:sub [:broadcast-to {:shape [2 3]} 3.0] 2.0]]]}
  {:name :add-self, :lhs [:add ?x ?x], :rhs [:mul 2 ?x], :keeps :bits
   :why "The factor may join others."
   :examples [[[:add x x] => [:mul 2.0 x]]]}
  {:name :reciprocal, :lhs [:reciprocal ?x], :rhs [:div 1 ?x], :keeps :bits
   :why "One form of 1/x.", :gen {x [1 2]}, :examples [[[:reciprocal x] => [:div 1.0 x]]]}
  {:name :mul-inverse, :lhs [:mul ?x [:div 1 ?y]], :rhs [:div ?x ?y]
   :when #(or (not (rule/scalar? % ?y)) (rule/scalar? % ?x)), :keeps :value
   :except [:overflow :underflow]
   :why "One operation instead of two; 0-d divisors stay factors.", :gen {y [1 2]}
   :examples [[[:mul x [:div 1 y]] => [:div x y]]]
   :refuses [[[:mul x [:div 1 y]] {y [:f64 []]}]]})

(defrules powers
  "Squares; functions and their inverses."
  {:name :mul-self, :lhs [:mul ?x ?x], :rhs [:sqr ?x], :keeps :bits, :why "One form of squares."
   :examples [[[:mul x x] => [:sqr x]]]}
  {:name :pow-two, :lhs [:pow ?x 2], :rhs [:sqr ?x], :keeps :value, :why "One product."
   :examples [[[:pow x 2] => [:sqr x]]]}
  {:name :log-exp, :lhs [:log [:exp ?x]], :rhs ?x, :keeps :stabilizes, :why "Nothing to compute."
   :examples [[[:log [:exp x]] => x]]}
  {:name :exp-log, :lhs [:exp [:log ?x]], :rhs [:where [:ge ?x 0] [:abs ?x] ##NaN]
   :keeps :stabilizes, :why "No transcendental function; below 0 it stays NaN."
   :examples [[[:exp [:log x]] => [:where [:ge x 0.0] [:abs x] ##NaN]]]}
  {:name :sqrt-sqr, :lhs [:sqrt [:sqr ?x]], :rhs [:abs ?x], :keeps :stabilizes
   :why "Cheaper, and does not overflow."
   :examples [[[:sqrt [:sqr x]] => [:abs x]]]}
  {:name :sqr-sqrt, :lhs [:sqr [:sqrt ?x]], :rhs [:where [:ge ?x 0] [:abs ?x] ##NaN], :keeps :value
   :why "No root; below 0 it stays NaN."
   :examples [[[:sqr [:sqrt x]] => [:where [:ge x 0.0] [:abs x] ##NaN]]]})

;; ## Views

(defn- plain?
  "Is the template made of views, products and constants alone? Others keep their names until the
  rules that know them have run."
  [template]
  (or (not (vector? template))
      (and (#{:view :leaf :contract} (op/kind (first template)))
           (every? plain? (remove map? (rest template))))))

(defn- unfolded
  "The template that defines the node, when that is plain."
  [{:keys [op attrs args type builder]}]
  (when-let [expand (when-not (= :region (op/kind op)) (:expand (op/entry op)))]
    (let [types (mapv #(graph/node-type builder %) args)
          template (expand {:attrs attrs, :types types, :type type})]
      (when (plain? template) template))))

(defn- same-everywhere
  "The number or boolean of a view of a constant; nil when it is the one form of that already."
  [{:keys [op args builder]}]
  (let [[arg] args, x (rule/uniform builder arg)]
    (when-not (and (= op :broadcast-to) (empty? (type/shape-of (graph/node-type builder arg))))
      x)))

(defn- stripped
  "The node on what its arguments were before they were broadcast, nil when none was."
  [{:keys [op attrs args builder]}]
  (let [source (fn [id] (let [[op _ arg] (graph/node builder id)] (if (= op :broadcast-to) arg id)))
        sources (map source args)]
    (when (not= sources args)
      (into [op attrs] (map rule/argument) sources))))

(defn- leading-ones?
  "Is shape `s` the shape `t` with axes of extent 1 in front?"
  [s t]
  (let [extra (- (count s) (count t))]
    (and (<= 0 extra) (every? #{1} (take extra s)) (= (drop extra s) t))))

(defn- swaps-last-two? [axes]
  (let [n (count axes)]
    (and (<= 2 n) (= axes (-> (vec (range n)) (assoc (- n 2) (dec n)) (assoc (dec n) (- n 2)))))))

(defrules views
  "Views of views become one view; what is the same everywhere is computed once."
  {:name :unfold, :lhs :any, :rhs unfolded, :keeps :value
   :why "Products and views that go by other names meet the rules for products and views."
   :types {x [:f64 [2 3]], y [:f64 [3 2]]}
   :examples [[[:flatten x] => [:reshape {:shape [6]} x]] [[:dot x y] => [:matmul x y]]]}
  {:name :uniform-view, :lhs :view, :rhs same-everywhere, :keeps :bits
   :why "A constant that is the same everywhere is a number, broadcast."
   :examples [[[:transpose [:broadcast-to {:shape [4 5]} 2.0]]
               => [:broadcast-to {:shape [5 4]} 2.0]]]}
  {:name :strip-broadcast, :lhs :elementwise, :rhs stripped, :keeps :bits
   :why "Elementwise ops broadcast by themselves; on small operands they do less work."
   :types {x [:f64 [2 3]], r [:f64 [3]]}
   :examples [[[:add x [:broadcast-to {:shape [2 3]} r]] => [:add x r]]
              [[:exp [:broadcast-to {:shape [2 3]} r]] => [:broadcast-to {:shape [2 3]} [:exp r]]]]}
  {:name :transpose-identity, :lhs [:transpose {:axes ?a} ?x], :rhs ?x
   :when #(= (% ?a) (range (count (% ?a)))), :keeps :bits, :why "The order is kept."
   :examples [[[:transpose {:axes [0 1]} x] => x]]
   :refuses [[[:transpose {:axes [1 0]} x]]]}
  {:name :transpose-transpose, :lhs [:transpose {:axes ?a} [:transpose {:axes ?b} ?x]]
   :rhs [:transpose {:axes (mapv ?b ?a)} ?x], :keeps :bits, :why "One order instead of two."
   :types {x [:f64 [2 3 4]]}
   :examples [[[:transpose {:axes [1 2 0]} [:transpose {:axes [1 2 0]} x]]
               => [:transpose {:axes [2 0 1]} x]]
              [[:transpose [:transpose x]] => x]]}
  {:name :transposed-product, :lhs [:transpose {:axes ?a} [:matmul ?x ?y]]
   :rhs [:matmul [:transpose {:axes ?a} ?y] [:transpose {:axes ?a} ?x]]
   :when #(and (swaps-last-two? (% ?a)) (= (count (% ?a)) (rule/rank-of % ?x) (rule/rank-of % ?y)))
   :keeps :value, :why "Transposed operands cost nothing, a transposed result may."
   :types {x [:f64 [2 3]], y [:f64 [3 4]]}
   :examples [[[:transpose [:matmul x y]] => [:matmul [:transpose y] [:transpose x]]]]
   :refuses [[[:transpose {:axes [1 0 2]} [:matmul x y]]
              {x [:f64 [2 3 4]], y [:f64 [2 4 5]]}]
             [[:transpose {:axes [0 2 1]} [:matmul x y]] {x [:f64 [2 3 4]], y [:f64 [4 5]]}]]}
  {:name :expand-dims-as-reshape, :lhs [:expand-dims ?x], :keeps :bits
   :rhs (fn [m] [:reshape {:shape (type/shape-of (:type m))} ?x]), :why "One form of reshaping."
   :examples [[[:expand-dims {:axis 1} x] => [:reshape {:shape [2 1 3]} x]]]}
  {:name :squeeze-as-reshape, :lhs [:squeeze ?x], :keeps :bits
   :rhs (fn [m] [:reshape {:shape (type/shape-of (:type m))} ?x]), :why "One form of reshaping."
   :types {x [:f64 [2 1 3]]}
   :examples [[[:squeeze {:axis 1} x] => [:reshape {:shape [2 3]} x]]]}
  {:name :reshape-reshape, :lhs [:reshape {:shape ?s} [:reshape ?x]], :rhs [:reshape {:shape ?s} ?x]
   :keeps :bits, :why "One view instead of two."
   :examples [[[:reshape {:shape [3 2]} [:reshape {:shape [6]} x]] => [:reshape {:shape [3 2]} x]]]}
  {:name :reshape-same, :lhs [:reshape {:shape ?s} ?x], :rhs ?x
   :when #(= (% ?s) (rule/shape-of % ?x)), :keeps :bits, :why "The shape is kept."
   :examples [[[:reshape {:shape [2 3]} x] => x]]
   :refuses [[[:reshape {:shape [3 2]} x]]]}
  {:name :broadcast-same, :lhs [:broadcast-to {:shape ?s} ?x], :rhs ?x
   :when #(= (% ?s) (rule/shape-of % ?x)), :keeps :bits, :why "The shape is kept."
   :examples [[[:broadcast-to {:shape [2 3]} x] => x]]
   :refuses [[[:broadcast-to {:shape [4 2 3]} x]]]}
  {:name :broadcast-broadcast, :lhs [:broadcast-to {:shape ?s} [:broadcast-to ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :keeps :bits, :why "One view instead of two."
   :examples [[[:broadcast-to {:shape [5 4 2 3]} [:broadcast-to {:shape [4 2 3]} x]]
               => [:broadcast-to {:shape [5 4 2 3]} x]]]}
  {:name :broadcast-reshape, :lhs [:broadcast-to {:shape ?s} [:reshape {:shape ?t} ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :when #(leading-ones? (% ?t) (rule/shape-of % ?x))
   :keeps :bits, :why "Broadcasting adds axes in front by itself."
   :examples [[[:broadcast-to {:shape [4 2 3]} [:reshape {:shape [1 2 3]} x]]
               => [:broadcast-to {:shape [4 2 3]} x]]]
   :refuses [[[:broadcast-to {:shape [2 3 4]} [:reshape {:shape [2 3 1]} x]]]]}
  {:name :reshape-broadcast, :lhs [:reshape {:shape ?s} [:broadcast-to ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :when #(rule/scalar? % ?x), :keeps :bits
   :why "One view instead of two.", :types {x [:f64 []]}
   :examples [[[:reshape {:shape [6]} [:broadcast-to {:shape [2 3]} x]]
               => [:broadcast-to {:shape [6]} x]]]
   :refuses [[[:reshape {:shape [6]} [:broadcast-to {:shape [2 3]} r]] {r [:f64 [3]]}]]}
  {:name :transpose-broadcast, :lhs [:transpose [:broadcast-to ?x]], :when #(rule/scalar? % ?x)
   :rhs (fn [m] [:broadcast-to {:shape (type/shape-of (:type m))} ?x]), :keeps :bits
   :why "One view instead of two.", :types {x [:f64 []]}
   :examples [[[:transpose [:broadcast-to {:shape [2 3]} x]] => [:broadcast-to {:shape [3 2]} x]]]
   :refuses [[[:transpose [:broadcast-to {:shape [2 3]} r]] {r [:f64 [3]]}]]}
  {:name :slice-all, :lhs [:slice {:axis ?a :start 0 :stop ?n :step 1} ?x], :rhs ?x
   :when #(= (% ?n) (nth (rule/shape-of % ?x) (% ?a))), :keeps :bits, :why "Nothing is cut."
   :examples [[[:slice {:axis 1} x] => x]]
   :refuses [[[:slice {:axis 1 :stop 2} x]]]}
  {:name :concatenate-one, :lhs [:concatenate ?x], :rhs ?x, :keeps :bits, :why "Nothing to join."
   :examples [[[:concatenate {:axis 0} x] => x]]}
  {:name :sum-to-same, :lhs [:sum-to {:shape ?s} ?x], :rhs ?x
   :when #(= (% ?s) (rule/shape-of % ?x)), :keeps :value, :except [:zero-sign]
   :why "Nothing to sum."
   :examples [[[:sum-to {:shape [2 3]} x] => x]]
   :refuses [[[:sum-to {:shape [1 3]} x]]]}
  {:name :dim-constant, :lhs [:dim {:dim ?d}], :rhs (fn [m] (m ?d)), :when #(integer? (% ?d))
   :keeps :bits, :why "It is known."
   :examples [[[:dim {:dim 7}] => [:const {:type [:i64 []] :value 7}]]]
   :refuses [[[:dim {:dim n}]]]})

(def rules
  "All rules of this phase: the smallest form of a graph in exact arithmetic."
  (rule/union :canonicalize "One form for what can be written in several ways."
              (concat [zeros/zeros identities signs/signs constants powers] choices/families
                      [views reducing/reducing] products/families subtensor/families
                      moves/families portions/families picks/families extents/families)))
