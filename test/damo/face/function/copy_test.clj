(ns damo.face.function.copy-test
  "Functions with some of the outputs of others, and on other state."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.function.copy :as copy])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(defn- kind [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest some-outputs-are-computed
  (let [x (d/input 'x [:f64 []]), y (d/sqr x)
        f (d/function [x] [(d/add y 7) (d/sub y 9) (d/div y 14)])]
    (is (= [23.0 (/ 16.0 14)] (mapv deref (d/outputs-subset f [0 2] 4))))
    (is (= [7.0 23.0] (mapv deref (d/outputs-subset f [1 0] {'x 4}))) "in the order asked for")
    (is (= [] (d/outputs-subset f [] 4)))
    (is (= :damo.function.copy/no-such-output (kind #(d/outputs-subset f [3] 4))))
    (is (= :damo.function.copy/no-such-output (kind #(d/outputs-subset f 0 4))))
    (is (= [16.0] (mapv deref (d/outputs-subset (d/function [x] y) [0] 4)))))
  (testing "by key, and what is not asked for is not computed"
    (let [x (d/input 'x [:f64 ['n]]), i (d/input 'i [:i64 []])
          f (d/function [x i] {:at (d/take x i), :sum (d/sum x)})]
      (is (= {:sum 3.0} (update-vals (d/outputs-subset f [:sum] [1 2] 7) deref)))
      (is (= :damo/index-out-of-bounds (kind #(d/outputs-subset f [:at] [1 2] 7))))
      (is (= :damo.function.copy/no-such-output (kind #(d/outputs-subset f [:sun] [1 2] 7)))))))

(deftest updates-are-made-with-any-outputs
  (let [s (d/shared 's 0.0), x (d/input 'x [:f64 []]), y (d/input 'y [:f64 []])
        f (d/function [y] [(d/mul 2 x)] {:updates {s (d/add s x)}, :givens {x (d/add y 1)}})]
    (is (= [] (d/outputs-subset f [] 2)))
    (is (= 3.0 @(d/value s)))
    (is (= [6.0] (mapv deref (d/outputs-subset f [0] 2))))
    (is (= 6.0 @(d/value s)))))

(deftest copies-on-other-state
  (let [s (d/shared 's 1.0), t (d/shared 't 10.0), x (d/input 'x [:f64 []])
        f (d/function [x] {:old s} {:updates {s (d/add s x)}, :name "add"})
        value #(:old (update-vals % deref))]
    (testing "the same state"
      (is (= 1.0 (value ((d/copy-function f) 2))))
      (is (= 3.0 @(d/value s))))
    (testing "another variable, also in the update"
      (is (= 10.0 (value ((d/copy-function f {:swap {s t}, :name "add-t"}) 2))))
      (is (= [3.0 12.0] [@(d/value s) @(d/value t)])))
    (testing "a copy of its own"
      (let [g (d/copy-function f {:share? false})]
        (is (= [3.0 5.0] [(value (g 2)) (value (g 2))]))
        (is (= 3.0 @(d/value s)))))
    (testing "what cannot be swapped"
      (is (= :damo.function/not-shared (kind #(d/copy-function f {:swap {s x}}))))
      (is (= :damo.function.copy/not-in-function (kind #(d/copy-function f {:swap {t s}}))))
      (is (= :damo.function/given-mismatch
             (kind #(d/copy-function f {:swap {s (d/shared 'v [1.0])}}))))
      (is (= :damo.attribute/unknown-option (kind #(d/copy-function f {:swop {s t}})))))
    (testing "a loaded function"
      (let [file (File/createTempFile "damo" ".model")]
        (try (d/save file {:f f})
             (is (= :damo.function.copy/no-expressions
                    (kind #(d/copy-function (:f (d/load file))))))
             (finally (io/delete-file file)))))))
