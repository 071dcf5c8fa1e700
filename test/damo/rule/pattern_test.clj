(ns damo.rule.pattern-test
  "Patterns of left sides match what they say and nothing else."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule]
            [damo.rule.pattern :as pattern]))

(set! *warn-on-reflection* true)

(defn- matched
  "The names of the first variant of a pattern that matches a form over inputs x and y, with the
  forms that they stand for."
  [lhs form]
  (let [b (graph/builder)
        inputs (into {} (for [s '[x y]]
                          [s (op/emit! b :input {:name s, :type [:f64 [2 3]]} [] nil)]))
        named (into {} (map (fn [[s id]] [id s])) inputs)
        root (rule/view b (op/instantiate! (op/emitter b nil) inputs form))
        shown (fn [v] (or (named v) (when (int? v) (pattern/uniform b v)) v))]
    (when-let [m (some #(pattern/match % root) (pattern/variants lhs))]
      (into {} (for [[k v] m :when (symbol? k)] [k (shown v)])))))

(deftest patterns-match-what-they-say
  (is (= '{?x x} (matched '[:pow [:neg ?x] 2] '[:pow [:neg x] 2])))
  (testing "and not other ops, or other constants"
    (is (nil? (matched '[:pow [:neg ?x] 2] '[:mul [:neg x] 2])))
    (is (nil? (matched '[:pow [:neg ?x] 2] '[:pow [:exp x] 2])))
    (is (nil? (matched '[:pow [:neg ?x] 2] '[:pow [:neg x] 3])))
    (is (nil? (matched '[:pow [:neg ?x] 2] '[:pow [:neg x] x]))))
  (testing "a constant is one through views, too"
    (is (= '{?x x} (matched '[:mul ?x 2] '[:mul x [:broadcast-to {:shape [2 3]} 2.0]]))))
  (testing "arguments of commutative ops in every order"
    (is (= '{?x x, ?y y} (matched '[:add ?y [:exp ?x]] '[:add [:exp x] y])))
    (is (nil? (matched '[:sub ?y [:exp ?x]] '[:sub [:exp x] y]))))
  (testing "a name stands for one thing"
    (is (= '{?x x} (matched '[:add [:exp ?x] [:neg ?x]] '[:add [:neg x] [:exp x]])))
    (is (nil? (matched '[:add [:exp ?x] [:neg ?x]] '[:add [:neg x] [:exp y]]))))
  (testing "attributes are bound, or as they are given"
    (is (= '{?x x, ?a [1]} (matched '[:sum {:axis ?a :keepdims false} ?x] '[:sum {:axis 1} x])))
    (is (nil? (matched '[:sum {:axis ?a :keepdims true} ?x] '[:sum {:axis 1} x]))))
  (testing "variadic ops have as many arguments"
    (is (= '{?x x, ?y y} (matched '[:concatenate ?x ?y] '[:concatenate {:axis 0} x y])))
    (is (nil? (matched '[:concatenate ?x ?y] '[:concatenate {:axis 0} x y x])))))

(deftest the-nodes-between-root-and-names
  (let [b (graph/builder), emit (op/emitter b nil)
        x (op/emit! b :input {:name 'x, :type [:f64 [2]]} [] nil)
        root (op/instantiate! emit {'x x} '[:log [:neg [:exp x]]])
        [neg] (graph/args-of (graph/node b root)), [e] (graph/args-of (graph/node b neg))
        [variant] (pattern/variants '[:log [:neg [:exp ?x]]])
        {:keys [inner args op]} (pattern/match variant (rule/view b root))]
    (is (= [#{neg e} [neg] :log] [(set inner) args op]))))

(deftest a-kind-matches-every-node
  (let [b (graph/builder), x (op/emit! b :input {:name 'x, :type [:f64 [2]]} [] nil)
        root (op/emit! b :exp {} [(op/->Id x)] nil)]
    (is (= {'?x x} (select-keys (pattern/match (first (pattern/variants :elementwise))
                                               (rule/view b root))
                                ['?x])))))
