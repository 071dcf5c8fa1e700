(ns damo.rules.canonicalize
  "One form for what can be written in several ways, and nothing that need not be computed:
  identities, constants moved together, choices and comparisons that are decided, views merged,
  reductions merged or dropped. Graph patterns in, smaller ones out: x + 0 → x.

  The forms that come out, on which other rules build: neg stands outside of products; 1/x is a div;
  reductions drop their axes and a reshape puts them back; expand-dims and squeeze are reshapes;
  what is the same everywhere is a 0-d node, broadcast where it must be; x - c is x + (-c)."
  (:require [damo.graph :as graph]
            [damo.op :as op]
            [damo.op.all]
            [damo.op.typing :as typing]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.subtensor :as subtensor]
            [damo.type :as type]))

(set! *warn-on-reflection* true)

(defn- constant? [m & names]
  (every? #(some? (rule/number-of m %)) names))

(defn- bools? [m & names]
  (every? #(= :bool (rule/dtype-of m %)) names))

;; ## Arithmetic

(defrules identities
  "Operations that change nothing, and such whose value is known."
  {:name :add-zero, :lhs [:add ?x 0], :rhs ?x, :keeps :value, :why "Nothing to compute."
   :examples [[[:add x 0.0] => x] [[:add 0 x] => x]]}
  {:name :sub-zero, :lhs [:sub ?x 0], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:sub x 0] => x]]}
  {:name :zero-sub, :lhs [:sub 0 ?x], :rhs [:neg ?x], :keeps :value, :why "One form of negation."
   :examples [[[:sub 0 x] => [:neg x]]]}
  {:name :mul-one, :lhs [:mul ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:mul x 1] => x]]}
  {:name :mul-minus-one, :lhs [:mul ?x -1], :rhs [:neg ?x], :keeps :bits
   :why "One form of negation.", :examples [[[:mul x -1] => [:neg x]]]}
  {:name :mul-zero, :lhs [:mul ?x 0], :rhs 0, :keeps :drops-nan, :why "x need not be computed."
   :examples [[[:mul x 0] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :div-one, :lhs [:div ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:div x 1] => x]]}
  {:name :zero-div, :lhs [:div 0 ?x], :rhs 0, :keeps :drops-nan, :why "x need not be computed."
   :examples [[[:div 0 x] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :sub-self, :lhs [:sub ?x ?x], :rhs 0, :keeps :drops-nan, :why "x need not be computed."
   :examples [[[:sub x x] => [:broadcast-to {:shape [2 3]} 0.0]]]}
  {:name :div-self, :lhs [:div ?x ?x], :rhs 1, :keeps :drops-nan, :why "x need not be computed."
   :gen {x [1 3]}, :examples [[[:div x x] => [:broadcast-to {:shape [2 3]} 1.0]]]}
  {:name :pow-zero, :lhs [:pow ?x 0], :rhs 1, :keeps :bits, :why "x need not be computed."
   :examples [[[:pow x 0] => [:broadcast-to {:shape [2 3]} 1.0]]]}
  {:name :pow-one, :lhs [:pow ?x 1], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:pow x 1] => x]]}
  {:name :one-pow, :lhs [:pow 1 ?x], :rhs 1, :keeps :bits, :why "x need not be computed."
   :examples [[[:pow 1 x] => [:broadcast-to {:shape [2 3]} 1.0]]]}
  {:name :add-sub-cancel, :lhs [:sub [:add ?x ?y] ?x], :rhs ?y, :keeps :regroup
   :why "x need not be computed.", :examples [[[:sub [:add x y] x] => y]]}
  {:name :mul-div-cancel, :lhs [:div [:mul ?x ?y] ?x], :rhs ?y, :keeps :drops-nan
   :why "x need not be computed.", :gen {x [1 3]}, :examples [[[:div [:mul x y] x] => y]]}
  {:name :div-mul-cancel, :lhs [:mul [:div ?x ?y] ?y], :rhs ?x, :keeps :drops-nan
   :why "y need not be computed.", :gen {y [1 3]}, :examples [[[:mul y [:div x y]] => x]]}
  {:name :scaled-div-mul-cancel, :lhs [:mul [:mul ?z [:div ?x ?y]] ?y], :rhs [:mul ?z ?x]
   :keeps :drops-nan
   :why "y need not be computed; chain rules give quotients by what is multiplied."
   :gen {y [1 3]}, :types {z [:f64 []]}
   :examples [[[:mul y [:mul z [:div x y]]] => [:mul z x]]]})

(defrules signs
  "Negation outside of products and sums, so that it meets other negations."
  {:name :neg-neg, :lhs [:neg [:neg ?x]], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :examples [[[:neg [:neg x]] => x]]}
  {:name :neg-sub, :lhs [:neg [:sub ?x ?y]], :rhs [:sub ?y ?x], :keeps :value
   :why "One operation instead of two.", :examples [[[:neg [:sub x y]] => [:sub y x]]]}
  {:name :sub-neg, :lhs [:sub ?x [:neg ?y]], :rhs [:add ?x ?y], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sub x [:neg y]] => [:add x y]]]}
  {:name :add-neg, :lhs [:add ?x [:neg ?y]], :rhs [:sub ?x ?y], :keeps :bits
   :when #(not (constant? % ?y)), :why "One operation instead of two."
   :examples [[[:add [:neg y] x] => [:sub x y]]]}
  {:name :mul-neg, :lhs [:mul [:neg ?x] ?y], :rhs [:neg [:mul ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel."
   :examples [[[:mul [:neg x] y] => [:neg [:mul x y]]] [[:mul [:neg x] [:neg y]] => [:mul x y]]]}
  {:name :neg-mul-constant, :lhs [:neg [:mul ?c ?x]], :rhs [:mul [:neg ?c] ?x]
   :when #(constant? % ?c), :keeps :bits, :why "The negation of a constant costs nothing."
   :examples [[[:neg [:mul 3 x]] => [:mul -3.0 x]]]}
  {:name :neg-div, :lhs [:div [:neg ?x] ?y], :rhs [:neg [:div ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel.", :gen {y [1 2]}
   :examples [[[:div [:neg x] y] => [:neg [:div x y]]]]}
  {:name :div-neg, :lhs [:div ?x [:neg ?y]], :rhs [:neg [:div ?x ?y]], :keeps :bits
   :why "Negation moves out, where it may cancel.", :gen {y [1 2]}
   :examples [[[:div x [:neg y]] => [:neg [:div x y]]]]}
  {:name :neg-div-constant, :lhs [:neg [:div ?c ?x]], :rhs [:div [:neg ?c] ?x]
   :when #(constant? % ?c), :keeps :bits, :why "The negation of a constant costs nothing."
   :gen {x [1 2]}, :examples [[[:neg [:div 3 x]] => [:div -3.0 x]]]}
  {:name :abs-neg, :lhs [:abs [:neg ?x]], :rhs [:abs ?x], :keeps :bits
   :when #(not= :u8 (rule/dtype-of % ?x)), :why "One operation instead of two; :u8 wraps."
   :examples [[[:abs [:neg x]] => [:abs x]]]}
  {:name :abs-abs, :lhs [:abs [:abs ?x]], :rhs [:abs ?x], :keeps :bits
   :why "Nothing to compute.", :examples [[[:abs [:abs x]] => [:abs x]]]}
  {:name :sqr-neg, :lhs [:sqr [:neg ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sqr [:neg x]] => [:sqr x]]]}
  {:name :sqr-abs, :lhs [:sqr [:abs ?x]], :rhs [:sqr ?x], :keeps :bits
   :why "One operation instead of two.", :examples [[[:sqr [:abs x]] => [:sqr x]]]})

(defrules constants
  "Constants move together, where folding makes one of them; quotients have one form."
  {:name :add-constants, :lhs [:add [:add ?x ?c] ?d], :rhs [:add ?x [:add ?c ?d]]
   :when #(and (constant? % ?c ?d) (rule/float? % ?x)), :keeps :regroup
   :why "One addition instead of two.", :examples [[[:add [:add x 2] 3] => [:add x 5.0]]]}
  {:name :mul-constants, :lhs [:mul [:mul ?x ?c] ?d], :rhs [:mul ?x [:mul ?c ?d]]
   :when #(and (constant? % ?c ?d) (rule/float? % ?x)), :keeps :value
   :why "One product instead of two.", :examples [[[:mul 3 [:mul x 2]] => [:mul x 6.0]]]}
  {:name :mul-quotient-constants, :lhs [:mul ?c [:div ?d ?x]], :rhs [:div [:mul ?c ?d] ?x]
   :when #(constant? % ?c ?d), :keeps :value, :why "The product of constants costs nothing."
   :gen {x [1 3]}, :examples [[[:mul 3 [:div 2 x]] => [:div 6.0 x]]]}
  {:name :sub-constant, :lhs [:sub ?x ?c], :rhs [:add ?x [:neg ?c]]
   :when #(and (constant? % ?c) (rule/float? % ?x) (not (constant? % ?x))), :keeps :bits
   :why "One form of adding a constant.", :examples [[[:sub x 2] => [:add x -2.0]]]}
  {:name :add-self, :lhs [:add ?x ?x], :rhs [:mul 2 ?x], :keeps :bits
   :when #(not (bools? % ?x)), :why "The factor may join others."
   :examples [[[:add x x] => [:mul 2.0 x]]]}
  {:name :reciprocal, :lhs [:reciprocal ?x], :rhs [:div 1 ?x], :keeps :bits
   :why "One form of 1/x.", :gen {x [1 2]}, :examples [[[:reciprocal x] => [:div 1.0 x]]]}
  {:name :mul-inverse, :lhs [:mul ?x [:div 1 ?y]], :rhs [:div ?x ?y]
   :when #(or (not (rule/scalar? % ?y)) (rule/scalar? % ?x)), :keeps :value
   :why "One operation instead of two; 0-d divisors stay factors.", :gen {y [1 2]}
   :examples [[[:mul x [:div 1 y]] => [:div x y]]]})

(defrules powers
  "Functions and their inverses."
  {:name :log-exp, :lhs [:log [:exp ?x]], :rhs ?x, :keeps :stabilizes, :why "Nothing to compute."
   :examples [[[:log [:exp x]] => x]]}
  {:name :exp-log, :lhs [:exp [:log ?x]], :rhs [:where [:ge ?x 0] ?x ##NaN], :keeps :value
   :why "No transcendental function; below 0 it stays NaN."
   :examples [[[:exp [:log x]] => [:where [:ge x 0.0] x ##NaN]]]}
  {:name :sqrt-sqr, :lhs [:sqrt [:sqr ?x]], :rhs [:abs ?x], :keeps :stabilizes
   :when #(rule/float? % ?x), :why "Cheaper, and does not overflow."
   :examples [[[:sqrt [:sqr x]] => [:abs x]]]}
  {:name :sqr-sqrt, :lhs [:sqr [:sqrt ?x]], :rhs [:where [:ge ?x 0] ?x ##NaN], :keeps :value
   :why "No root; below 0 it stays NaN."
   :examples [[[:sqr [:sqrt x]] => [:where [:ge x 0.0] x ##NaN]]]})

;; ## Conversion, choice and comparison

(defrules choices
  "Casts that convert nothing, choices and comparisons that are decided."
  {:name :cast-same, :lhs [:cast {:dtype ?d} ?x], :rhs ?x
   :when #(= (% ?d) (rule/dtype-of % ?x)), :keeps :bits, :why "Nothing to convert."
   :examples [[[:cast {:dtype :f64} x] => x]]}
  {:name :cast-cast, :lhs [:cast {:dtype ?d} [:cast {:dtype ?e} ?x]], :rhs [:cast {:dtype ?d} ?x]
   :when #(type/holds? (% ?e) (rule/dtype-of % ?x)), :keeps :bits
   :why "One conversion instead of two.", :types {i [:i32 [4]]}, :gen {i [-9 9]}
   :examples [[[:cast {:dtype :f32} [:cast {:dtype :f64} i]] => [:cast {:dtype :f32} i]]]}
  {:name :where-same, :lhs [:where ?c ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where [:lt x y] y y] => y]]}
  {:name :where-true, :lhs [:where true ?x ?y], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where true x y] => x]]}
  {:name :where-false, :lhs [:where false ?x ?y], :rhs ?y, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where false x y] => y]]}
  {:name :where-not, :lhs [:where [:logical-not ?c] ?x ?y], :rhs [:where ?c ?y ?x]
   :when #(bools? % ?c), :keeps :bits, :why "One operation instead of two."
   :examples [[[:where [:logical-not [:lt x y]] x y] => [:where [:lt x y] y x]]]}
  {:name :lt-self, :lhs [:lt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:lt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :gt-self, :lhs [:gt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:gt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :ne-self, :lhs [:ne ?x ?x], :rhs false, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ne x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :le-self, :lhs [:le ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:le x x] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :ge-self, :lhs [:ge ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ge x x] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :eq-self, :lhs [:eq ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:eq x x] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :maximum-self, :lhs [:maximum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:maximum x x] => x]]}
  {:name :minimum-self, :lhs [:minimum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:minimum x x] => x]]}
  {:name :and-true, :lhs [:logical-and ?x true], :rhs ?x, :when #(bools? % ?x), :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-and [:lt x y] true] => [:lt x y]]]}
  {:name :and-false, :lhs [:logical-and ?x false], :rhs false, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-and [:lt x y] false] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :or-false, :lhs [:logical-or ?x false], :rhs ?x, :when #(bools? % ?x), :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-or [:lt x y] false] => [:lt x y]]]}
  {:name :or-true, :lhs [:logical-or ?x true], :rhs true, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-or [:lt x y] true] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :not-not, :lhs [:logical-not [:logical-not ?x]], :rhs ?x, :when #(bools? % ?x)
   :keeps :bits, :why "Nothing to compute."
   :examples [[[:logical-not [:logical-not [:lt x y]]] => [:lt x y]]]})

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
  (when-let [expand (:expand (op/entry op))]
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
   :examples [[[:transpose {:axes [0 1]} x] => x]]}
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
   :examples [[[:transpose [:matmul x y]] => [:matmul [:transpose y] [:transpose x]]]]}
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
   :examples [[[:reshape {:shape [2 3]} x] => x]]}
  {:name :broadcast-same, :lhs [:broadcast-to {:shape ?s} ?x], :rhs ?x
   :when #(= (% ?s) (rule/shape-of % ?x)), :keeps :bits, :why "The shape is kept."
   :examples [[[:broadcast-to {:shape [2 3]} x] => x]]}
  {:name :broadcast-broadcast, :lhs [:broadcast-to {:shape ?s} [:broadcast-to ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :keeps :bits, :why "One view instead of two."
   :examples [[[:broadcast-to {:shape [5 4 2 3]} [:broadcast-to {:shape [4 2 3]} x]]
               => [:broadcast-to {:shape [5 4 2 3]} x]]]}
  {:name :broadcast-reshape, :lhs [:broadcast-to {:shape ?s} [:reshape {:shape ?t} ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :when #(leading-ones? (% ?t) (rule/shape-of % ?x))
   :keeps :bits, :why "Broadcasting adds axes in front by itself."
   :examples [[[:broadcast-to {:shape [4 2 3]} [:reshape {:shape [1 2 3]} x]]
               => [:broadcast-to {:shape [4 2 3]} x]]]}
  {:name :reshape-broadcast, :lhs [:reshape {:shape ?s} [:broadcast-to ?x]]
   :rhs [:broadcast-to {:shape ?s} ?x], :when #(rule/scalar? % ?x), :keeps :bits
   :why "One view instead of two.", :types {x [:f64 []]}
   :examples [[[:reshape {:shape [6]} [:broadcast-to {:shape [2 3]} x]]
               => [:broadcast-to {:shape [6]} x]]]}
  {:name :transpose-broadcast, :lhs [:transpose [:broadcast-to ?x]], :when #(rule/scalar? % ?x)
   :rhs (fn [m] [:broadcast-to {:shape (type/shape-of (:type m))} ?x]), :keeps :bits
   :why "One view instead of two.", :types {x [:f64 []]}
   :examples [[[:transpose [:broadcast-to {:shape [2 3]} x]] => [:broadcast-to {:shape [3 2]} x]]]}
  {:name :slice-all, :lhs [:slice {:axis ?a :start 0 :stop ?n :step 1} ?x], :rhs ?x
   :when #(= (% ?n) (nth (rule/shape-of % ?x) (% ?a))), :keeps :bits, :why "Nothing is cut."
   :examples [[[:slice {:axis 1} x] => x]]}
  {:name :concatenate-one, :lhs [:concatenate ?x], :rhs ?x, :keeps :bits, :why "Nothing to join."
   :examples [[[:concatenate {:axis 0} x] => x]]}
  {:name :sum-to-same, :lhs [:sum-to {:shape ?s} ?x], :rhs ?x
   :when #(= (% ?s) (rule/shape-of % ?x)), :keeps :value, :why "Nothing to sum."
   :examples [[[:sum-to {:shape [2 3]} x] => x]]}
  {:name :dim-constant, :lhs [:dim {:dim ?d}], :rhs (fn [m] (m ?d)), :when #(integer? (% ?d))
   :keeps :bits, :why "It is known."
   :examples [[[:dim {:dim 7}] => [:const {:type [:i64 []] :value 7}]]]})

;; ## Reductions

(defn- merged-axes
  "The axes of the operand that two reductions reduce, the inner one without :keepdims."
  [outer inner rank]
  (let [left (vec (remove (set inner) (range rank)))]
    (vec (sort (concat inner (map left outer))))))

(defn- known-extent-one? [{:keys [attrs args builder]}]
  (let [shape (type/shape-of (graph/node-type builder (first args)))]
    (every? #(= 1 (nth shape %)) (:axis attrs))))

(defn- positive-dim? [d]
  (or (and (integer? d) (pos? d))
      (and (vector? d) (= :max (first d)) (boolean (some positive-dim? (rest d))))))

(defn- nonzero-divisor? [b id]
  (let [[op {:keys [dim]} arg] (graph/node b id)]
    (case op
      :dim (positive-dim? dim)
      :cast (recur b arg)
      (let [x (rule/uniform b id)] (and (number? x) (not (zero? x)))))))

(defn- divides-by-zero?
  "May the 0-d node be infinite because a divisor is 0, such as a number of elements?"
  [b id]
  (let [[op _ x y] (graph/node b id)]
    (case op
      :div (or (not (nonzero-divisor? b y)) (recur b x))
      (:mul :add :sub) (or (divides-by-zero? b x) (recur b y))
      (:neg :cast) (recur b x)
      false)))

(defn safe-outside?
  "May ?s stand in front of a sum over these dims? A sum of nothing is 0, whatever the factor; an
  infinite one in front would make it NaN."
  [m ?s dims]
  (or (every? positive-dim? dims) (not (divides-by-zero? (:builder m) (m ?s)))))

(defn- summed-dims
  "The dims that a reduction takes together."
  [{:keys [builder args attrs]}]
  (map (type/shape-of (graph/node-type builder (first args))) (:axis attrs)))

(defn- times-extent
  "The template of a sum over axes along which everything is the 0-d x."
  [m]
  (let [n (apply type/dim* (summed-dims m)), dtype (type/dtype-of (:type m))
        wide (type/computed dtype)]
    (typing/as-dtype dtype wide
                     [:mul [:cast {:dtype wide} [:dim {:dim n}]]
                      (typing/as-dtype wide dtype '?x)])))

(defrules reducing
  "Reductions merged or dropped; a reshape puts kept axes back, so that a sum is computed once."
  {:name :drop-keepdims, :lhs :reduce, :keeps :bits
   :rhs (fn [{:keys [op attrs type]}]
          (when (:keepdims attrs)
            [:reshape {:shape (type/shape-of type)} [op (assoc attrs :keepdims false) '?x]]))
   :why "The same reduction with and without its axes is computed once."
   :examples [[[:sum {:axis 0 :keepdims true} x] => [:reshape {:shape [1 3]} [:sum {:axis 0} x]]]]}
  {:name :reduce-nothing, :lhs :reduce, :keeps :bits
   :rhs (fn [{:keys [attrs type] :as m}]
          (when (and (not (:keepdims attrs)) (known-extent-one? m))
            [:reshape {:shape (type/shape-of type)} '?x]))
   :why "Axes of extent 1 need no loop.", :types {x [:f64 [2 1]]}
   :examples [[[:sum {:axis 1} x] => [:reshape {:shape [2]} x]] [[:max {:axis []} x] => x]]}
  {:name :sum-sum, :lhs [:sum {:axis ?a :keepdims false} [:sum {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:sum {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :value, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:sum {:axis 1} [:sum {:axis 0} x]] => [:sum {:axis [0 2]} x]]]}
  {:name :max-max, :lhs [:max {:axis ?a :keepdims false} [:max {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:max {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :bits, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:max {:axis 0} [:max {:axis 2} x]] => [:max {:axis [0 2]} x]]]}
  {:name :min-min, :lhs [:min {:axis ?a :keepdims false} [:min {:axis ?b :keepdims false} ?x]]
   :rhs (fn [m] [:min {:axis (merged-axes (m ?a) (m ?b) (rule/rank-of m ?x))} ?x])
   :share :sole, :keeps :bits, :why "One loop instead of two.", :types {x [:f64 [2 3 4]]}
   :examples [[[:min {:axis 0} [:min {:axis 2} x]] => [:min {:axis [0 2]} x]]]}
  {:name :sum-neg, :lhs [:sum {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:sum {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value
   :why "Negation moves out, where there is less of it."
   :examples [[[:sum {:axis 1} [:neg x]] => [:neg [:sum {:axis 1} x]]]]}
  {:name :max-neg, :lhs [:max {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:min {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value
   :why "Negation moves out, where there is less of it."
   :examples [[[:max {:axis 1} [:neg x]] => [:neg [:min {:axis 1} x]]]
              [[:neg [:max {:axis 1} [:neg x]]] => [:min {:axis 1} x]]]}
  {:name :min-neg, :lhs [:min {:axis ?a :keepdims false} [:neg ?x]]
   :rhs [:neg [:max {:axis ?a} ?x]], :when #(rule/float? % ?x), :keeps :value
   :why "Negation moves out, where there is less of it."
   :examples [[[:min {:axis 1} [:neg x]] => [:neg [:max {:axis 1} x]]]]}
  {:name :sum-broadcast, :lhs [:sum {:axis ?a :keepdims false} [:broadcast-to ?x]]
   :rhs times-extent, :keeps :value
   :when #(and (rule/scalar? % ?x) (rule/float? % ?x) (safe-outside? % ?x (summed-dims %)))
   :why "A product instead of a loop.", :types {x [:f64 []]}
   :examples [[[:sum {:axis 0} [:broadcast-to {:shape [2 3]} x]]
               => [:broadcast-to {:shape [3]} [:mul 2.0 x]]]]})

(def rules
  "All rules of this phase: the smallest form of a graph in exact arithmetic."
  (rule/union :canonicalize "One form for what can be written in several ways."
              (into [identities signs constants powers choices views reducing]
                    subtensor/families)))
