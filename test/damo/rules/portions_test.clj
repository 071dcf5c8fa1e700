(ns damo.rules.portions-test
  "Tests of rules that compute parts alone where extents are symbolic, nodes have other users, and
  nodes may fail; the laws test the rules on their own examples."
  (:require [clojure.edn :as edn]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f64 [n 3]]))
(def ^:private y (d/input 'y '[:f64 [n 3]]))
(def ^:private r (d/input 'r '[:f64 [n 1]]))
(def ^:private i (d/input 'i '[:i64 []]))

(defn- canonical
  "The form of an expression after the rules of canonicalize."
  [e]
  (let [{:keys [graph]} (engine/run (d/graph e) [canonicalize/rules])]
    (edn/read-string (pr-str (expr/form (first (expr/from-graph graph {} {})) 9)))))

(deftest parts-are-computed-alone
  (are [e expected] (= expected (canonical e))
    (d/slice (d/exp x) :start 'k) '(exp (slice x :axis 0 :start k :step 1 :stop n))
    (d/index (d/atan2 x r) :all [1 nil])
    '(atan2 (slice x :axis 1 :start 1 :step 1 :stop 3) r)
    (d/take (d/atan2 x r) i :axis 1) '(atan2 (take x i :axis [1]) (reshape r :shape [n]))
    (d/take (d/exp x) i) '(exp (take x i :axis [0]))
    (d/take (d/matmul x (d/input 'v [:f64 [3]])) i)
    '(reshape (matmul (reshape (take x i :axis [0]) :shape [1 3]) (reshape v :shape [3 1]))
              :shape []))
  (testing "not where the whole is needed"
    (let [whole (d/exp x)]
      (is (= '(add (slice (exp x) :axis 0 :start 0 :step 1 :stop 1)
                   (slice (exp x) :axis 0 :start k :step 1 :stop [:+ k 1]))
             (canonical (d/add (d/slice whole :stop [:+ 1])
                               (d/slice whole :start 'k :stop [:+ 'k 1])))))
      (let [f (d/function [x] [whole (d/index whole [0 1])])]
        (is (= 1 (count (re-seq #"exp" (with-out-str (d/explain f))))))))))

(deftest cuts-of-symbolic-lengths
  (are [e expected] (= expected (canonical e))
    (d/index (d/index x [1 nil]) [2 nil]) '(slice x :axis 0 :start [:min 3 n] :step 1 :stop n)
    (d/index (d/index x [nil 9]) [nil 2]) '(slice x :axis 0 :start 0 :step 1 :stop [:min 2 n])
    (d/index (d/index x [nil -2]) [nil -3])
    '(slice x :axis 0 :start 0 :step 1 :stop [:max 0 [:- n 5]])
    (d/index (d/index x [nil nil -1]) [nil nil -1]) 'x
    (d/index (d/index x ['k nil]) ['j nil]) '(slice x :axis 0 :start [:+ j k] :step 1 :stop n)
    (d/slice (d/flip x :axis 0) :start 'k)
    '(flip (slice x :axis 0 :start 0 :step 1 :stop [:- n k]) :axis [0])
    (d/slice (d/flip (d/slice (d/flip x :axis 0) :start 'k) :axis 0) :start 'j)
    '(slice x :axis 0 :start j :step 1 :stop [:- n k]))
  (testing "not where the inner one may lie outside and the outer one of it does not"
    (is (= '(slice (slice x :axis 0 :start 0 :step 1 :stop [:+ k 2]) :axis 0 :start 0 :step 1
                   :stop k)
           (canonical (d/slice (d/slice x :stop [:+ 'k 2]) :stop 'k))))))

(deftest stated-shapes
  (are [e expected] (= expected (canonical e))
    (d/exp (d/specify-shape x :shape [2 nil])) '(specify-shape (exp x) :shape [2 3])
    (d/atan2 (d/specify-shape x :shape [2 nil]) (d/specify-shape y :shape [2 nil]))
    '(specify-shape (atan2 x y) :shape [2 3])
    (d/atan2 (d/specify-shape x :shape [2 nil]) (d/input 'z [:f64 [2 3]]))
    '(atan2 (specify-shape x :shape [2 3]) z))
  (testing "a call of another shape fails"
    (let [f (d/function [x] (d/exp (d/specify-shape x :shape [2 nil])))]
      (is (= [[1.0 1.0 1.0] [1.0 1.0 1.0]] @(f [[0 0 0] [0 0 0]])))
      (is (thrown? clojure.lang.ExceptionInfo (f [[0 0 0]]))))))

(deftest indices-fail-as-before
  (let [f (d/function [x i] (d/take (d/exp x) i))]
    (is (= [1.0 1.0 1.0] @(f [[0 0 0]] -1)))
    (is (= :damo/index-out-of-bounds
           (try (f [[0 0 0]] 1) (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e))))))))
