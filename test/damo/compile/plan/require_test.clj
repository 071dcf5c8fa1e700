(ns damo.compile.plan.require-test
  "Tests of what must hold of the dimensions of a call."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.plan.require :as require]
            [damo.core :as d])
  (:import [damo DamoException]
           [damo.program Programs]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f32 [n]]))

(defn- required [e]
  (map (juxt :small :large) (require/unproven (d/graph e))))

(deftest what-is-plain-is-left-out
  (are [e expected] (= expected (required e))
    (d/index x [1 nil]) []
    (d/index x [nil -2]) []
    (d/index x [1 'n]) '[[1 n]]
    (d/index x [nil [:- 'n 2]]) '[[0 [:- n 2]]]
    (d/index x 2) '[[3 n]]
    (d/index x -2) '[[0 [:- n 2]]]
    (d/reshape x [2 -1]) '[[0 [:/ n 2]]]
    (d/reshape (d/concatenate [x x]) [2 -1]) []
    (d/index x [nil nil 2]) []
    (d/index (d/concatenate [x x]) [0 'n]) []
    (d/index [1 2 3] [1 2]) []
    (d/specify-shape x :shape [3]) '[[3 n] [n 3]]))

(defn- failure [f & args]
  (try (apply f args) nil (catch clojure.lang.ExceptionInfo e (ex-data e))))

(deftest requirements-are-checked
  (testing "also where no element is read"
    (let [f (d/function [x] (d/index x [[:- 'n 5] [:- 'n 5]]))]
      (is (= [] @(f (d/zeros [5] :f32))))
      (is (= {:damo/error :damo/requirement-failed, :op :slice, :small 0, :large -2}
             (select-keys (failure f (d/zeros [3] :f32)) [:damo/error :op :small :large])))))
  (testing "before sizes become negative"
    (let [f (d/function [x] (d/sum (d/index x [4 'n])))]
      (is (= :slice (:op (failure f (d/zeros [3] :f32)))))))
  (testing "and what is stated"
    (let [f (d/function [x] (d/specify-shape x :shape [3]))]
      (is (= [0.0 0.0 0.0] @(f (d/zeros [3] :f32))))
      (doseq [n [2 4]]
        (is (= :specify-shape (:op (failure f (d/zeros [n] :f32))))))))
  (testing "that quotients come out even"
    (let [f (d/function [x] (d/reshape x [[:/ 'n 2] 2]))]
      (is (= [[1.0 2.0] [3.0 4.0]] @(f [1 2 3 4])))
      (is (= {:damo/error :damo/requirement-failed, :op :reshape, :whole 3, :parts 2
              :message "a shape must come out even"}
             (select-keys (failure f [1 2 3]) [:damo/error :op :whole :parts :message])))))
  (testing "when dimensions are counted, too"
    (let [positive (d/index x (d/gt x 0))
          third (d/function [x] (d/index positive 2))
          pairs (d/function [x] (d/reshape positive [-1 2]))]
      (is (= 3.0 @(third [1 -5 2 3])))
      (is (= [[1.0 2.0]] @(pairs [1 -5 2 -3])))
      (is (= :damo/requirement-failed (:damo/error (failure third [1 -5 2 -3]))))
      (is (= :damo/requirement-failed (:damo/error (failure pairs [1 -5 2 3])))))))

(deftest programs-with-bad-requirements-are-refused
  (let [program (d/program (d/function [x] (d/index x 0)))
        kind (fn [requires]
               (try (Programs/read (pipeline/program-text (assoc program :requires requires))) nil
                    (catch DamoException e (.kind e))))]
    (is (nil? (kind (:requires program))))
    (are [requires] (= "bad-program" (kind requires))
      '[{:small 1, :large m, :note 0}]
      '[{:small 1, :large n, :note 7}]
      '[{:small 1, :note 0}]
      '[{:small 1.5, :large n, :note 0}]
      '[[1 n]])))
