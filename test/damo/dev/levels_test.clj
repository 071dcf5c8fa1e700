(ns damo.dev.levels-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.dev.levels :as levels]))

(set! *warn-on-reflection* true)

(def ^:private table '[a c.x c d])

(deftest folders
  (is (= 'a (levels/folder-of table 'a)))
  (is (= 'a (levels/folder-of table 'a.b.c)))
  (testing "the longest name counts"
    (is (= 'c.x (levels/folder-of table 'c.x.y)))
    (is (= 'c (levels/folder-of table 'c.y))))
  (is (nil? (levels/folder-of table 'ab.c))))

(defn- verdict [name & requires]
  (levels/violations table (merge (into {} (for [r requires] [r {:requires #{}}]))
                                  {name {:requires (set requires)}})))

(deftest downward-requires-are-fine
  (is (empty? (verdict 'c.y 'a 'a.b 'c.x 'c.z)))
  (is (empty? (verdict 'd.p 'd.q 'd)))
  (testing "what is outside the project is nobody's business"
    (is (empty? (levels/violations table '{a {:requires #{clojure.string d}}})))))

(deftest upward-requires-are-named
  (is (= ["a requires c, which lies in a higher folder"] (verdict 'a 'c)))
  (is (= ["c.x.y requires c.z, which lies in a higher folder"] (verdict 'c.x.y 'c.z)))
  (is (= ["c.y requires d, which lies in a higher folder"] (verdict 'c.y 'd))))

(deftest every-namespace-lies-in-a-folder
  (is (= ["e lies in no folder of the table in damo.dev.levels"] (verdict 'e))))
