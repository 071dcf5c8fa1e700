(ns damo.rules.choices
  "Casts that convert nothing, choices and comparisons that are decided, choices of choices
  and what is computed of them, bits that are known.
  where(true, x, y) → x."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defrules choices
  "Casts that convert nothing, choices and comparisons that are decided."
  {:name :cast-same, :lhs [:cast {:dtype ?d} ?x], :rhs ?x
   :when #(= (% ?d) (rule/dtype-of % ?x)), :keeps :bits, :why "Nothing to convert."
   :examples [[[:cast {:dtype :f64} x] => x]]
   :refuses [[[:cast {:dtype :f32} x]]]}
  {:name :cast-cast, :lhs [:cast {:dtype ?d} [:cast {:dtype ?e} ?x]], :rhs [:cast {:dtype ?d} ?x]
   :when #(type/holds? (% ?e) (rule/dtype-of % ?x)), :keeps :bits
   :why "One conversion instead of two.", :types {i [:i32 [4]]}, :gen {i [-9 9]}
   :examples [[[:cast {:dtype :f32} [:cast {:dtype :f64} i]] => [:cast {:dtype :f32} i]]]
   :refuses [[[:cast {:dtype :f64} [:cast {:dtype :f32} x]] {x [:f64 [4]]}]]}
  {:name :where-same, :lhs [:where ?c ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where [:lt x y] y y] => y]]}
  {:name :where-true, :lhs [:where true ?x ?y], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where true x y] => x]]}
  {:name :where-false, :lhs [:where false ?x ?y], :rhs ?y, :keeps :bits, :why "Nothing to choose."
   :examples [[[:where false x y] => y]]}
  {:name :where-inside-true, :lhs [:where ?c [:where ?c ?x ?y] ?z], :rhs [:where ?c ?x ?z]
   :keeps :bits, :why "The inner choice is decided."
   :examples [[[:where [:lt x y] [:where [:lt x y] x y] 2] => [:where [:lt x y] x 2.0]]]}
  {:name :where-inside-false, :lhs [:where ?c ?x [:where ?c ?y ?z]], :rhs [:where ?c ?x ?z]
   :keeps :bits, :why "The inner choice is decided."
   :examples [[[:where [:lt x y] 2 [:where [:lt x y] x y]] => [:where [:lt x y] 2.0 y]]]}
  {:name :where-or, :lhs [:where ?c ?k [:where ?d ?k ?x]], :rhs [:where [:logical-or ?c ?d] ?k ?x]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] z [:where [:lt y 1] z x]]
               => [:where [:logical-or [:lt x 1.0] [:lt y 1.0]] z x]]]}
  {:name :where-or-not, :lhs [:where ?c ?k [:where ?d ?x ?k]]
   :rhs [:where [:logical-or ?c [:logical-not ?d]] ?k ?x]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] z [:where [:lt y 1] x z]]
               => [:where [:logical-or [:lt x 1.0] [:logical-not [:lt y 1.0]]] z x]]]}
  {:name :where-and, :lhs [:where ?c [:where ?d ?x ?k] ?k], :rhs [:where [:logical-and ?c ?d] ?x ?k]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] [:where [:lt y 1] x z] z]
               => [:where [:logical-and [:lt x 1.0] [:lt y 1.0]] x z]]]}
  {:name :where-and-not, :lhs [:where ?c [:where ?d ?k ?x] ?k]
   :rhs [:where [:logical-and ?c [:logical-not ?d]] ?x ?k]
   :keeps :bits, :why "One choice of two; masks of products of masks do not pile up."
   :examples [[[:where [:lt x 1] [:where [:lt y 1] z x] z]
               => [:where [:logical-and [:lt x 1.0] [:logical-not [:lt y 1.0]]] x z]]]}
  {:name :where-not, :lhs [:where [:logical-not ?c] ?x ?y], :rhs [:where ?c ?y ?x]
   :when #(rule/bools? % ?c), :keeps :bits, :why "One operation instead of two."
   :examples [[[:where [:logical-not [:lt x y]] x y] => [:where [:lt x y] y x]]]
   :refuses [[[:where [:logical-not x] x y]]]}
  {:name :lt-self, :lhs [:lt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:lt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :gt-self, :lhs [:gt ?x ?x], :rhs false, :keeps :bits, :why "It is decided."
   :examples [[[:gt x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :ne-self, :lhs [:ne ?x ?x], :rhs false, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ne x x] => [:broadcast-to {:shape [2 3]} false]]]
   :refuses [[[:ne x x] {x [:f64 [2 3]]}]]}
  {:name :le-self, :lhs [:le ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:le x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:le x x] {x [:f64 [2 3]]}]]}
  {:name :ge-self, :lhs [:ge ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:ge x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:ge x x] {x [:f64 [2 3]]}]]}
  {:name :eq-self, :lhs [:eq ?x ?x], :rhs true, :keeps :bits
   :when #(not (rule/float? % ?x)), :why "It is decided; NaN is not equal to itself."
   :types {x [:i64 [2 3]]}, :examples [[[:eq x x] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:eq x x] {x [:f64 [2 3]]}]]}
  {:name :maximum-self, :lhs [:maximum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:maximum x x] => x]]}
  {:name :minimum-self, :lhs [:minimum ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to choose."
   :examples [[[:minimum x x] => x]]}
  {:name :and-true, :lhs [:logical-and ?x true], :rhs ?x, :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-and [:lt x y] true] => [:lt x y]]]}
  {:name :and-false, :lhs [:logical-and ?x false], :rhs false, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-and [:lt x y] false] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :or-false, :lhs [:logical-or ?x false], :rhs ?x, :keeps :bits
   :why "Nothing to compute.", :examples [[[:logical-or [:lt x y] false] => [:lt x y]]]}
  {:name :or-true, :lhs [:logical-or ?x true], :rhs true, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-or [:lt x y] true] => [:broadcast-to {:shape [2 3]} true]]]}
  {:name :not-not, :lhs [:logical-not [:logical-not ?x]], :rhs ?x, :when #(rule/bools? % ?x)
   :keeps :bits, :why "Nothing to compute."
   :examples [[[:logical-not [:logical-not [:lt x y]]] => [:lt x y]]]
   :refuses [[[:logical-not [:logical-not x]]]]})

;; ## Ops on choices by one condition

(defn- branches
  "[condition then otherwise] of a choice; of what is the same everywhere [nil id id]; else nil."
  [{:keys [builder]} id]
  (let [[op _ c x y] (graph/node builder id)]
    (cond (= :where op) [c x y]
          (some? (rule/uniform builder id)) [nil id id])))

(def ^:private undone "Ops that leave nothing to compute where both operands are one."
  #{:sub :maximum :minimum})

(defn- decided?
  "Is the op of these nodes known at once, since they are constants or one node?"
  [b op ids]
  (or (every? #(some? (rule/uniform b %)) ids)
      (and (undone op) (apply = ids))))

(defn- chosen-after
  "The template of an op on choices by one condition and constants as one choice between its
  results, when these are known at once; one of them at least where there are two choices."
  [{:keys [op attrs args builder] :as m}]
  (let [all (mapv #(branches m %) args), conditions (distinct (keep first all))]
    (when (and (every? some? all) (= 1 (count conditions)) (not= :where op) (not (op/on-host? op)))
      (let [results [(map second all) (map peek all)]
            on (fn [ids] (into [op attrs] (map rule/argument) ids))]
        (when ((if (next (filter first all)) some every?) #(decided? builder op %) results)
          (into [:where (rule/argument (first conditions))] (map on) results))))))

(defrules choices-together
  "What is computed of choices."
  {:name :op-of-choices, :lhs :elementwise, :rhs chosen-after, :share :arguments, :keeps :bits
   :why "One choice instead of two; results of constants are constants."
   :examples [[[:add [:where [:lt x y] x 1] [:where [:lt x y] y 2]]
               => [:where [:lt x y] [:add x y] 3.0]]
              [[:maximum [:where [:lt x y] x z] [:where [:lt x y] y z]]
               => [:where [:lt x y] [:maximum x y] z]]
              [[:mul [:where [:lt x y] 1.0 2.5] 4.0] => [:where [:lt x y] 4.0 10.0]]]})

;; ## Bits

(defn- all-ones?
  "Is every bit of ?c set, or ?c true everywhere?"
  [m ?c]
  (let [c (rule/number-of m ?c), dtype (rule/dtype-of m ?c)]
    (if (= :bool dtype) (true? c) (= c (array/convert dtype -1)))))

(defn- no-bit?
  "Is no bit of ?c set, or ?c false everywhere?"
  [m ?c]
  (contains? #{0 false} (rule/number-of m ?c)))

(defn- nonzero?
  "Is ?c a number that is true?"
  [m ?c]
  (let [c (rule/number-of m ?c)] (and (number? c) (not (zero? c)))))

(defrules bits
  "Bits, and truths of numbers, that are decided."
  {:name :and-zero, :lhs [:logical-and ?x ?z], :rhs false, :when #(rule/zero? % ?z), :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-and x 0] => [:broadcast-to {:shape [2 3]} false]]]
   :refuses [[[:logical-and x y]]]}
  {:name :or-number, :lhs [:logical-or ?x ?c], :rhs true, :when #(nonzero? % ?c), :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-or x 2] => [:broadcast-to {:shape [2 3]} true]]]
   :refuses [[[:logical-or x 0]]]}
  {:name :bit-and-none, :lhs [:bit-and ?x ?z], :rhs ?z, :when #(no-bit? % ?z), :keeps :bits
   :why "x need not be computed.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-and i 0] => [:broadcast-to {:shape [2 3]} [:const {:type [:i64 []]
                                                                        :value 0}]]]]
   :refuses [[[:bit-and i 1]]]}
  {:name :bit-and-all, :lhs [:bit-and ?x ?c], :rhs ?x, :when #(all-ones? % ?c), :keeps :bits
   :why "Nothing to compute.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-and i -1] => i] [[:bit-and [:lt i 2] true] => [:lt i 2]]]
   :refuses [[[:bit-and i 1]]]}
  {:name :bit-or-none, :lhs [:bit-or ?x ?z], :rhs ?x, :when #(no-bit? % ?z), :keeps :bits
   :why "Nothing to compute.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-or i 0] => i] [[:bit-or [:lt i 2] false] => [:lt i 2]]]
   :refuses [[[:bit-or i 1]]]}
  {:name :bit-or-all, :lhs [:bit-or ?x ?c], :rhs ?c, :when #(all-ones? % ?c), :keeps :bits
   :why "x need not be computed.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-or i -1] => [:broadcast-to {:shape [2 3]} [:const {:type [:i64 []]
                                                                        :value -1}]]]]
   :refuses [[[:bit-or i 1]]]}
  {:name :bit-xor-none, :lhs [:bit-xor ?x ?z], :rhs ?x, :when #(no-bit? % ?z), :keeps :bits
   :why "Nothing to compute.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-xor i 0] => i]], :refuses [[[:bit-xor i 1]]]}
  {:name :bit-xor-all, :lhs [:bit-xor ?x ?c], :rhs [:bit-not ?x], :when #(all-ones? % ?c)
   :keeps :bits, :why "One form of turning bits over.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-xor i -1] => [:bit-not i]]], :refuses [[[:bit-xor i 1]]]}
  {:name :bit-xor-self, :lhs [:bit-xor ?x ?x], :keeps :bits, :why "x need not be computed."
   :rhs (fn [m] (if (rule/bools? m ?x) false 0)), :types {i [:i64 [2 3]]}
   :examples [[[:bit-xor i i] => [:broadcast-to {:shape [2 3]} [:const {:type [:i64 []]
                                                                        :value 0}]]]]}
  {:name :xor-self, :lhs [:logical-xor ?x ?x], :rhs false, :keeps :bits
   :why "x need not be computed."
   :examples [[[:logical-xor x x] => [:broadcast-to {:shape [2 3]} false]]]}
  {:name :bit-and-self, :lhs [:bit-and ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :types {i [:i64 [2 3]]}, :examples [[[:bit-and i i] => i]]}
  {:name :bit-or-self, :lhs [:bit-or ?x ?x], :rhs ?x, :keeps :bits, :why "Nothing to compute."
   :types {i [:i64 [2 3]]}, :examples [[[:bit-or i i] => i]]}
  {:name :bit-not-bit-not, :lhs [:bit-not [:bit-not ?x]], :rhs ?x, :keeps :bits
   :why "Nothing to compute.", :types {i [:i64 [2 3]]}
   :examples [[[:bit-not [:bit-not i]] => i]]})

(def families
  "The rule sets of this namespace, for damo.rules.canonicalize."
  [choices choices-together bits])
