(ns damo.plan.require-test
  "Tests of what must hold of the dimensions of a call."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.plan.require :as require]
            [damo.run :as run])
  (:import [damo DamoException]
           [damo.program Programs]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f32 [n]]))

(defn- required [e]
  (map (juxt :small :large) (require/unproven (d/graph e))))

(deftest what-is-plain-is-left-out
  (are [e expected] (= expected (required e))
    (d/index x [1 nil]) '[[1 n]]
    (d/index x [nil -2]) '[[0 [:- n 2]]]
    (d/index x [nil nil 2]) []
    (d/index (d/concatenate [x x]) [0 'n]) []
    (d/index [1 2 3] [1 2]) []
    (d/specify-shape x :shape [3]) '[[3 n] [n 3]]))

(defn- failure [f & args]
  (try (apply f args) nil (catch clojure.lang.ExceptionInfo e (ex-data e))))

(deftest requirements-are-checked
  (testing "also where no element is read"
    (let [f (d/function [x] (d/index x [5 5]))]
      (is (= [] @(f (d/zeros [5] :f32))))
      (is (= {:damo/error :damo/requirement-failed, :op :slice, :small 5, :large 3}
             (select-keys (failure f (d/zeros [3] :f32)) [:damo/error :op :small :large])))))
  (testing "before sizes become negative"
    (let [f (d/function [x] (d/sum (d/index x [4 nil])))]
      (is (= :slice (:op (failure f (d/zeros [3] :f32)))))))
  (testing "and what is stated"
    (let [f (d/function [x] (d/specify-shape x :shape [3]))]
      (is (= [0.0 0.0 0.0] @(f (d/zeros [3] :f32))))
      (doseq [n [2 4]]
        (is (= :specify-shape (:op (failure f (d/zeros [n] :f32))))))))
  (testing "when dimensions are counted, too"
    (let [f (d/function [x] (d/index (d/index x (d/gt x 0)) [1 3]))]
      (is (= [2.0 3.0] @(f [1 -5 2 3])))
      (is (= :damo/requirement-failed (:damo/error (failure f [1 -5 2 -3])))))))

(deftest programs-with-bad-requirements-are-refused
  (let [program (d/program (d/function [x] (d/index x [1 nil])))
        kind (fn [requires]
               (try (Programs/read (run/program-text (assoc program :requires requires))) nil
                    (catch DamoException e (.kind e))))]
    (is (nil? (kind (:requires program))))
    (are [requires] (= "bad-program" (kind requires))
      '[{:small 1, :large m, :note 0}]
      '[{:small 1, :large n, :note 7}]
      '[{:small 1, :note 0}]
      '[{:small 1.5, :large n, :note 0}]
      '[[1 n]])))
