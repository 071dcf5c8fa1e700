(ns damo.compile.lower.scalar-test
  "Scalar expressions: numbers take the dtype of their partner, instructions say what they give."
  (:require [clojure.test :refer [are deftest]]
            [damo.compile.lower.scalar :as scalar]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(deftest expressions-of-elementwise-ops
  (are [expected op attrs operands out] (= expected (scalar/expression op attrs operands out))
    '[:log1p v] :log1p {} '[[v :f32]] :f32
    '[:add v w] :add {} '[[v :i64] [w :i64]] :i64
    '[:lt v w] :lt {} '[[v :f32] [w :f32]] :bool
    '[:mul v v] :sqr {} '[[v :f32]] :f32
    '[:maximum v [:const :f32 0]] :relu {} '[[v :f32]] :f32
    '[:select c v w] :where {} '[[c :bool] [v :f32] [w :f32]] :f32
    '[:cast :i32 v] :cast {:dtype :i32} '[[v :f64]] :i32
    'v :copy {} '[[v :f64]] :f64))
