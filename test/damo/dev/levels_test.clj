(ns damo.dev.levels-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.dev.levels :as levels]))

(set! *warn-on-reflection* true)

(def ^:private table '[[a b] [c.x c.*] [d d.**]])

(deftest places
  (is (= [0 1] (levels/place-of table 'b)))
  (testing "a name goes before a pattern"
    (is (= [1 0] (levels/place-of table 'c.x)))
    (is (= [1 1] (levels/place-of table 'c.y))))
  (is (nil? (levels/place-of table 'cx.y))))

(defn- verdict [name & requires]
  (levels/violations table (merge (into {} (for [r requires] [r {:requires #{}}]))
                                  {name {:requires (set requires)}})))

(deftest downward-requires-are-fine
  (is (empty? (verdict 'c.y 'a 'b 'c.x)))
  (is (empty? (verdict 'b 'a)))
  (is (empty? (verdict 'd.p 'd.q 'd)))
  (testing "what is outside the project is nobody's business"
    (is (empty? (levels/violations table '{a {:requires #{clojure.string d}}})))))

(deftest upward-requires-are-named
  (is (= ["a requires b, which is not below it"] (verdict 'a 'b)))
  (is (= ["c.y requires c.z, which is not below it"] (verdict 'c.y 'c.z)))
  (is (= ["c.y requires d, which is not below it"] (verdict 'c.y 'd))))

(deftest every-namespace-needs-a-level
  (is (= ["e has no level; give it one in damo.dev.levels"] (verdict 'e))))
