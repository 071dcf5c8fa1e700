(ns damo.bench.stages-test
  "The benchmark of the compiler finds its stages by the names of vars: these are there."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is]]
            [damo.bench.stages :as stages]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(deftest every-stage-is-measured
  (let [x (d/input 'x [:f32 ['n]])
        found (stages/measured #(d/function [x] (d/grad (d/sum (d/softmax (d/exp x))) x)))
        times (map :ms (vals (dissoc found "all")))]
    (is (set/subset? #{"expressions" "gradient" "rules: stabilize, not folding" "rules: stabilize"
                       "rules: canonicalize" "rules: specialize" "rules: blas" "expand" "prepare"
                       "schedule" "place updates" "lower" "plan: memory, steps, notes" "text"
                       "read, verify" "LLVM text" "LLVM, link" "function: checks, whole graph"}
                     (set (keys found))))
    (is (< (abs (- (reduce + times) (:ms (found "all")))) 1e-3))))
