(ns damo.face.qualified-test
  "Dims of libraries are qualified symbols, 'a/n and 'b/n: other dims than n and than each other, in
  types, attributes, programs, files, messages and the Java core."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.type :as type])
  (:import [clojure.lang ExceptionInfo]
           [damo.runtime Model]
           [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f64 [a/n 2]]))
(def ^:private y (d/input 'y '[:f64 [b/n 2]]))

(defn- failure [f & args]
  (try (apply f args) nil (catch ExceptionInfo e e)))

(deftest libraries-are-apart
  (is (= '[:f64 [a/n 2]] (d/type-of (d/add x 1))))
  (doseq [other [y (d/input 'z '[:f64 [n 2]])]]
    (is (= :damo.type/shape-mismatch (:damo/error (ex-data (failure d/add x other))))))
  (is (str/includes? (ex-message (failure d/add x y)) "try: (d/with-dims '{a/n b/n} …)"))
  (testing "until they are told to be equal"
    (let [f (d/function [x y] (d/with-dims '{a/n b/n} (d/add x y)))
          e (failure f [[1 2]] (d/zeros [2 2]))]
      (is (= [[4.0 6.0]] @(f [[1 2]] [[3 4]])))
      (is (str/includes? (ex-message e) "a/n = b/n, where a/n is axis 0 of x and b/n is axis")))))

(deftest arithmetic-of-qualified-dims
  (are [dim expected] (= expected dim)
    (type/dim+ 'a/n 'b/n 'a/n) '[:+ [:* 2 a/n] b/n]
    (type/dim- (type/dim* 2 'a/n) 'a/n) 'a/n
    (type/dim+ 'n 'a/n) (type/dim+ 'a/n 'n)
    (type/dim-value '{a/n 3, b/n 4} '[:* a/n b/n]) 12)
  (is (= '#{a/n n} (type/dim-symbols '[:+ n [:* 2 a/n]]))))

(deftest where-dims-stand
  (let [v (d/input 'v '[:f64 [a/n]])]
    (are [value e] (= value @((d/function [v] e {:on-unused-input :ignore}) [3 -1 2]))
      [-1.0 2.0] (d/index v [1 nil])
      [1.0 1.0 1.0] (d/broadcast-to 1.0 '[a/n])
      [0 1 2] (d/arange 'a/n)
      [[3.0] [-1.0] [2.0]] (d/reshape v ['a/n 1])
      [0 2] (d/flatnonzero (d/gt v 0) :as 'a/k)
      3 (d/shape-i v 0)
      [6.0 -2.0 4.0] (d/grad (d/sum (d/sqr v)) v)
      [[6.0 0.0 0.0] [0.0 -2.0 0.0] [0.0 0.0 4.0]] (d/jacobian (d/sqr v) v))
    (testing "and in every mode"
      (doseq [mode [:fast-compile :debug :nan-guard]]
        (is (= 14.0 @((d/function [v] (d/sum (d/sqr v)) {:mode mode}) [3 -1 2])))))))

(deftest dims-may-have-any-name
  (doseq [n '[i.0 i.1 v.0 v.2 a.0 acc.0 count.0 stride.0 t b.1 m.0 %n n' +n true? k/i.0 ->n]
          :let [v (d/input 'v [:f64 [n 3]])]]
    (testing (str n)
      (is (= [[2.0 4.0 6.0] 12.0 [[1.0] [2.0] [3.0]] [[1.0 2.0]]]
             (mapv deref ((d/function [v] [(d/sum (d/mul v 2) :axis 0) (d/sum (d/mul v 2))
                                           (d/transpose v) (d/index v [nil] [0 2])])
                          [[1 2 3]])))))))

(deftest messages-files-and-java
  (let [f (d/function [x y] {:s (d/sum x), :r (d/with-dims '{a/n b/n} (d/add x y))} {:name "f"})
        file (File/createTempFile "qualified" ".damo")
        graph (File/createTempFile "qualified" ".edn")]
    (d/save file {:f f})
    (d/write-graph graph (d/graph (d/exp x)))
    (is (= [4.0 6.0] (first @(:r ((:f (d/load file)) [[1 2]] [[3 4]])))))
    (is (= '[:f64 [a/n 2]] (d/type-of (d/expr (d/read-graph graph)))))
    (is (= '[a/n b/n] (:dims (d/program f))))
    (is (= '[:f64 [q 2]] (d/type-of (d/expr (d/graph (d/exp x)) {'x (d/input 'z '[:f64 [q 2]])}))))
    (with-open [model (Model/load (.toPath file))]
      (is (some? (.function model "f"))))
    (let [two (d/function [x (d/input 'w '[:f64 [a/n]])] (d/sum x) {:on-unused-input :ignore})]
      (is (= 'a/n (:dimension (ex-data (failure two [[1 2]] [1 2]))))))
    (run! #(.delete ^File %) [file graph])))
