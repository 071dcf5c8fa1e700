(ns damo.meaning.failing-test
  "That an index is out of range is an error also where its value would not matter: no rule drops
  what may fail, in any mode."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private i (d/input 'i [:i64 ['m]]))

(def ^:private unneeded
  "Expressions of which one that is given needs no element, by what they are."
  {"times zero" #(d/mul 0 (d/sum %))
   "minus itself" #(d/sub % %)
   "not chosen" #(d/where false % (d/mul 2 %))
   "an empty part" #(d/index % [0 0])
   "zero to its power" #(d/pow (d/sum %) 0)})

(defn- refused? [f & args]
  (try (apply f args) false
       (catch clojure.lang.ExceptionInfo e
         (= :damo/index-out-of-bounds (:damo/error (ex-data e))))))

(defn- checks
  "Holds that each way of not needing `e` still refuses the second arguments and takes the first."
  [params e good bad]
  (doseq [[what f] unneeded, mode [:fast-run :fast-compile :none]]
    (testing (str what ", " mode)
      (let [function (d/function params (f e) {:mode mode})]
        (is (some? (apply function good)))
        (is (apply refused? function bad))
        (is (some? (apply function good)))))))

(deftest reads-at-bad-indices-are-not-dropped
  (checks [x i] (d/take x i) [[1 2 3] [0 2]] [[1 2 3] [0 3]]))

(deftest writes-at-bad-indices-are-not-dropped
  (checks [x i] (d/inc-at x i 1.0) [[1 2 3] [0 2]] [[1 2 3] [0 3]])
  (checks [x i] (d/set-at x i 1.0) [[1 2 3] [-3 2]] [[1 2 3] [-4 2]]))
