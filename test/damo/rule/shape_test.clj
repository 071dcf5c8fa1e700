(ns damo.rule.shape-test
  "Shapes of patterns: each is expanded once, or loading takes seconds again."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pipeline :as pipeline]
            [damo.rule :as rule]
            [damo.rule.shape :as shape]))

(deftest patterns-taken-apart
  (is (= '{:shape [[$ _]], :ops [:log :add], :attrs [{} {}], :numbers [1.0], :names [?x]}
         (shape/of '[:log {} [:add {} 1 ?x]])))
  (testing "in preorder"
    (is (= '{:shape [[[_] _] $ [_]], :ops [:a :b :c :d], :attrs [{:k ?k} {} {:k 2} {}]
             :numbers [true], :names [?x ?y ?z]}
           (shape/of '[:a {:k ?k} [:b {} [:c {:k 2} ?x] ?y] true [:d {} ?z]])))))

(defn- patterns
  "The shapes of all patterns of the rules of all modes, one for each order of arguments."
  []
  (for [{:keys [lhs]} (set (pipeline/rules)), pattern (when (vector? lhs) (#'rule/variants lhs))]
    (:shape (shape/of pattern))))

(deftest few-expansions
  (let [uses (frequencies (patterns)), often (fn [n] (set (keys (filter #(<= n (val %)) uses))))]
    (testing "patterns are many, shapes are few"
      (is (< 200 (reduce + (vals uses))))
      (is (< (count uses) 70)))
    (testing "what several patterns share is expanded for all rule sets together"
      (is (empty? (remove shape/common (often 4))) "add these to shape/common"))
    (testing "and nothing that no pattern needs"
      (is (empty? (remove uses shape/common)) "take these out of shape/common"))))

(deftest a-shape-fits-what-the-pattern-says
  (let [fits ((eval (shape/code '[[_] $])) [:pow :neg] [2.0])
        node (fn [op & args] (into {:op op, :n (count args)}
                                   (map-indexed (fn [i a] [(keyword (str i)) a])) args))
        x {:op :input, :n 0}, two {:op :const, :n 0, :number 2.0}
        whole (node :pow (node :neg x) two)]
    (is (= [[whole (node :neg x)] [x]] (fits whole)))
    (testing "other ops, numbers of arguments and constants do not fit"
      (is (nil? (fits (node :mul (node :neg x) two))))
      (is (nil? (fits (node :pow (node :exp x) two))))
      (is (nil? (fits (node :pow (node :neg x x) two))))
      (is (nil? (fits (node :pow (node :neg x) two x))))
      (is (nil? (fits (node :pow (node :neg x) (assoc two :number 3.0)))))
      (is (nil? (fits (node :pow (node :neg x) x)))))))
