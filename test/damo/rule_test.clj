(ns damo.rule-test
  "Tests of rules as data: what patterns match, what conditions and right sides see, what is
  refused."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defrules samples
  "Rules that show what a pattern can say."
  {:name :with-number, :lhs [:log [:add 1 ?x]], :rhs [:log1p ?x], :keeps :value, :why "."
   :examples []}
  {:name :same-twice, :lhs [:sub ?x ?x], :rhs 0, :keeps :drops-nan, :why ".", :examples []}
  {:name :attribute, :lhs [:sum {:axis ?a :keepdims false} [:sum {:axis ?b} ?x]]
   :rhs [:sum {:axis (vec (concat ?a ?b))} ?x], :keeps :value, :why ".", :examples []}
  {:name :same-attribute, :lhs [:softmax {:axis ?a} [:softmax {:axis ?a} ?x]], :rhs ?x
   :keeps :value, :why ".", :examples []}
  {:name :truth, :lhs [:where true ?x ?y], :rhs ?x, :keeps :bits, :why ".", :examples []}
  {:name :conditional, :lhs [:neg ?x], :rhs ?x, :when #(rule/scalar? % ?x), :keeps :bits, :why "."
   :examples []}
  {:name :unshared, :lhs [:sqrt [:sqr ?x]], :rhs ?x, :share :sole, :keeps :bits, :why "."
   :examples []}
  {:name :by-kind, :lhs :reduce, :rhs (fn [m] (when (:keepdims (:attrs m)) ?x)), :keeps :bits
   :why ".", :examples []}
  {:name :three, :lhs [:concatenate ?x ?y ?z], :rhs ?z, :keeps :bits, :why ".", :examples []})

(def ^:private by-name (into {} (map (juxt :name identity)) (:rules samples)))

(defn- tried
  "[template names] of what the rule makes of a form over x [:f64 [2 3]], y and the scalar s, where
  names are the bindings by name of input; nil when it does not match."
  ([name form] (tried name form (constantly 1)))
  ([name form uses]
   (let [b (graph/builder), emit (op/emitter b nil)
         input (fn [s type] [s (emit :input {:name s :type type} [])])
         ids (into {} [(input 'x [:f64 [2 3]]) (input 'y [:f64 [2 3]]) (input 's [:f64 []])
                       (input 'f [:f32 [2 3]])])
         root (rule/view b (op/instantiate! emit ids form))
         name-of (into {} (map (fn [[s id]] [id s])) ids)]
     (when-let [[m template] (rule/try-rule (by-name name) root uses)]
       [template (into {} (keep (fn [[k v]] (when (symbol? k) [k (name-of v v)]))) m)]))))

(deftest patterns
  (testing "a number matches a constant of any dtype, on either side of a commutative op"
    (is (= '[[:log1p {} ?x] {?x x}] (tried :with-number '[:log [:add x 1]])))
    (is (= '[[:log1p {} ?x] {?x x}] (tried :with-number '[:log [:add 1.0 x]])))
    (is (some? (tried :with-number '[:log [:add 1 f]]))))
  (testing "and an array that is that number everywhere"
    (is (some? (tried :with-number '[:log [:add x [:broadcast-to {:shape [2 3]} 1.0]]]))))
  (testing "not another number, nor another op"
    (is (nil? (tried :with-number '[:log [:add x 2]])))
    (is (nil? (tried :with-number '[:log [:sub x 1]])))
    (is (nil? (tried :with-number '[:log x]))))
  (testing "a name that stands twice matches one node"
    (is (= '[0 {?x x}] (tried :same-twice '[:sub x x])))
    (is (nil? (tried :same-twice '[:sub x y]))))
  (testing "a boolean"
    (is (= '[?x {?x x ?y y}] (tried :truth '[:where true x y])))
    (is (nil? (tried :truth '[:where false x y]))))
  (testing "an op of any number of arguments matches by their number"
    (is (some? (tried :three '[:concatenate x y x])))
    (is (nil? (tried :three '[:concatenate x y])))))

(deftest attributes
  (testing "are bound, compared with literals, and computed with"
    (is (= '[[:sum {:axis [0 1]} ?x] {?a [0] ?b [1] ?x x}]
           (tried :attribute '[:sum {:axis 0} [:sum {:axis 1} x]])))
    (is (nil? (tried :attribute '[:sum {:axis 0 :keepdims true} [:sum {:axis 1} x]]))))
  (testing "a name that stands twice matches one value"
    (is (some? (tried :same-attribute '[:softmax {:axis 0} [:softmax {:axis 0} x]])))
    (is (nil? (tried :same-attribute '[:softmax {:axis 0} [:softmax {:axis 1} x]])))))

(deftest conditions
  (is (= '[?x {?x s}] (tried :conditional '[:neg s])))
  (is (nil? (tried :conditional '[:neg x])))
  (testing "inner nodes with other users"
    (is (some? (tried :unshared '[:sqrt [:sqr x]])))
    (is (nil? (tried :unshared '[:sqrt [:sqr x]] (constantly 2)))))
  (testing "a right side that is nil declines"
    (is (= '[?x {?x x}] (tried :by-kind '[:max {:keepdims true} x])))
    (is (nil? (tried :by-kind '[:max x])))))

(deftest uniform-values
  (let [b (graph/builder), emit (op/emitter b nil)
        value #(rule/uniform b (op/instantiate! emit {} %))]
    (is (= 2.0 (value '[:reshape {:shape [6]} [:broadcast-to {:shape [2 3]} 2.0]])))
    (is (= 5 (value [:const {:type [:i64 [2]] :value [5 5]}])))
    (is (nil? (value [:const {:type [:i64 [2]] :value [5 6]}])))
    (is (nil? (value [:const {:type [:i64 [0]] :value []}])))
    (is (nil? (value '[:exp 1.0])))))

(defn- refusal [form]
  (try (binding [*ns* (the-ns 'damo.rule-test)] (macroexpand-1 form)) nil
       (catch Throwable e (ex-message (or (ex-cause e) e)))))

(deftest rules-that-are-refused
  (is (str/includes? (refusal '(damo.rule/defrules r "" {:name :a, :lhs [:neg ?x], :rhs ?x
                                                         :keeps :bits, :examples []}))
                     "lacks [:why]"))
  (is (str/includes? (refusal '(damo.rule/defrules r "" {:name :a, :lhs [:neg ?x], :rhs ?x, :why "."
                                                         :keeps :most, :examples []}))
                     "promises :most"))
  (is (str/includes? (refusal '(damo.rule/defrules r "" {:name :a, :lhs [:neg ?x], :rhs ?x, :why "."
                                                         :keeps :bits, :examples [], :then 1}))
                     "no key :then of the rule :a"))
  (testing "an op that does not exist, with a suggestion"
    (is (str/includes? (refusal '(damo.rule/defrules r "" {:name :a, :lhs [:negg ?x], :rhs ?x
                                                           :keeps :bits, :why ".", :examples []}))
                       ":neg"))))

(deftest sets
  (let [inner (rule/union :inner "Inner." [samples]), outer (rule/union :outer "Outer." [inner])]
    (is (= :outer (:name outer)))
    (is (= #{:inner} (into #{} (map :set) (:rules outer))))
    (is (= {:name :same-twice, :lhs '[:sub ?x ?x], :rhs 0, :keeps :drops-nan, :why ".", :examples []
            :set :inner, :conditions []}
           (first (filter #(= :same-twice (:name %)) (rule/describe outer)))))))
