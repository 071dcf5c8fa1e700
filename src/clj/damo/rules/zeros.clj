(ns damo.rules.zeros
  "Zeros that are added and subtracted, and differences turned around, as far as no one sees the
  sign of a zero: -0.0 + 0.0 is 0.0, and 0.0 - 0.0 is not -0.0, which 1/x and atan2 tell apart.
  e^(0 - x) → e^(-x), since e^0.0 is e^-0.0."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- negative-zero? [x]
  (and (float? x) (zero? (Double/compare x -0.0))))

(defn- zero-node? [b id]
  (let [x (rule/uniform b id)] (and (number? x) (zero? x))))

;; ## Values that are never -0.0

(def ^:private max-depth "How far below a sum its terms are looked at." 8)

(def ^:private never-negative
  "Functions whose results are 0.0 where they are zero."
  #{:exp :sqr :abs :sigmoid :softplus :cosh :exp2})

(defn- never-negative-zero?
  "Is no element of node `id` of the builder -0.0, as far as can be told?"
  [b id depth]
  (let [[op _ x y] (graph/node b id), dtype #(type/dtype-of (graph/node-type b %))
        value (rule/uniform b id)]
    (cond (not (type/float-dtype? (dtype id))) true
          (some? value) (not (negative-zero? value))
          (or (never-negative op) (zero? depth)) (boolean (never-negative op))
          (= op :cast) (not (type/float-dtype? (dtype x)))
          (= op :add) (or (never-negative-zero? b x (dec depth))
                          (never-negative-zero? b y (dec depth)))
          (or (= op :sub) (= :view (op/kind op))) (recur b x (dec depth)))))

(defn adds-nothing?
  "Is ?x + ?z, where ?z is zero everywhere, ?x to the bit?"
  [{b :builder :as m} ?x ?z]
  (and (rule/zero? m ?z)
       (or (not (rule/float? m ?x)) (negative-zero? (rule/number-of m ?z))
           (boolean (never-negative-zero? b (m ?x) max-depth)))))

(defn- takes-nothing?
  "Is ?x - ?z, where ?z is zero everywhere, ?x to the bit?"
  [{b :builder :as m} ?x ?z]
  (and (rule/zero? m ?z)
       (or (not (negative-zero? (rule/number-of m ?z)))
           (boolean (never-negative-zero? b (m ?x) max-depth)))))

(defn without-zero
  "What a node adds to 0, or the node: the same but for the sign of a zero."
  [b id]
  (let [[op _ x y] (graph/node b id)]
    (cond (not= op :add) id
          (zero-node? b x) y
          (zero-node? b y) x
          :else id)))

;; ## Signs that an op does not see

(def ^:private others
  "What the other operands are tried with."
  {:float [0.0 -0.0 1.5 -2.5 ##Inf ##-Inf ##NaN], :int [0 1 2], :bool [true false]})

(defn- candidates
  "The values that the operand `id` may have: the one that it has everywhere, or some of any kind."
  [b id]
  (let [x (rule/uniform b id), dtype (type/dtype-of (graph/node-type b id))]
    (if (some? x) [x] (others (:kind (type/dtypes dtype))))))

(defn- results
  "What the op gives where argument i is the zero z, for every value of the others."
  [{:keys [op attrs args builder]} i z]
  (let [rows (reduce (fn [rows [k id]]
                       (for [row rows, x (if (= k i) [z] (candidates builder id))] (conj row x)))
                     [[]] (map-indexed vector args))
        column (fn [k id] (array/of (type/dtype-of (graph/node-type builder id)) [(count rows)]
                                    (map #(nth % k) rows)))]
    (array/values (eval/constant op attrs (vec (map-indexed column args))))))

(defn- same? [x y]
  (if (and (float? x) (float? y)) (zero? (Double/compare x y)) (= x y)))

(defn- blind?
  "Is the result the same whether argument i is 0.0 or -0.0?"
  [m i]
  (every? true? (map same? (results m i 0.0) (results m i -0.0))))

(defn- simpler
  "The argument without what matters to the sign of a zero alone, a template; nil when there is
  none: 0 - x is -x, x + 0 is x, -(x - y) is y - x."
  [b id]
  (let [[op _ x y] (graph/node b id)]
    (when (type/float-dtype? (type/dtype-of (graph/node-type b id)))
      (case op
        :sub (cond (zero-node? b x) [:neg (rule/argument y)]
                   (zero-node? b y) (rule/argument x))
        :add (let [other (without-zero b id)] (when (not= id other) (rule/argument other)))
        :neg (let [[op _ x y] (graph/node b x)]
               (when (= op :sub) [:sub (rule/argument y) (rule/argument x)]))
        nil))))

(defn- unseen
  "The node on an argument that is simpler, where the op does not see the sign of a zero."
  [{:keys [op attrs args builder] :as m}]
  (when-not (op/on-host? op)
    (some (fn [[i id]]
            (when-let [template (simpler builder id)]
              (when (blind? m i)
                (into [op attrs] (assoc (mapv rule/argument args) i template)))))
          (map-indexed vector args))))

(defrules zeros
  "Zeros that need not be added, and differences turned around."
  {:name :add-zero, :lhs [:add ?x ?z], :rhs ?x, :when #(adds-nothing? % ?x ?z), :keeps :bits
   :why "Nothing to compute.", :types {x [:f64 [2 3]], i [:i64 [2 3]]}
   :examples [[[:add i 0] => i] [[:add [:exp x] 0.0] => [:exp x]] [[:add -0.0 x] => x]]
   :refuses [[[:add x 0.0]] [[:add x 1.0]] [[:add [:sin x] 0.0]]]}
  {:name :sub-zero, :lhs [:sub ?x ?z], :rhs ?x, :when #(takes-nothing? % ?x ?z), :keeps :bits
   :why "Nothing to compute.", :examples [[[:sub x 0] => x]]
   :refuses [[[:sub x -0.0]] [[:sub x 1.0]]]}
  {:name :zero-sub, :lhs [:sub ?z ?x], :rhs [:neg ?x], :keeps :bits
   :when #(and (rule/zero? % ?z)
               (or (not (rule/float? % ?x)) (negative-zero? (rule/number-of % ?z))))
   :why "One form of negation.", :types {x [:f64 [2 3]], i [:i64 [2 3]]}
   :examples [[[:sub 0 i] => [:neg i]] [[:sub -0.0 x] => [:neg x]]]
   :refuses [[[:sub 0 x]] [[:sub 1 i] {i [:i64 [2 3]]}]]}
  {:name :neg-sub, :lhs [:neg [:sub ?x ?y]], :rhs [:sub ?y ?x], :keeps :bits
   :when #(not (rule/float? % ?x)), :why "One operation instead of two."
   :types {i [:i64 [2 3]], j [:i64 [2 3]]}, :examples [[[:neg [:sub i j]] => [:sub j i]]]
   :refuses [[[:neg [:sub x y]]]]}
  {:name :unseen-zero-sign, :lhs :elementwise, :rhs unseen, :keeps :bits
   :why "Fewer operations; other rules know the negation."
   :examples [[[:exp [:sub 0 x]] => [:exp [:neg x]]]
              [[:lt [:add x 0] y] => [:lt x y]]
              [[:exp [:neg [:sub x y]]] => [:exp [:sub y x]]]]})
