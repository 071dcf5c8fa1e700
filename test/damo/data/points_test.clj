(ns damo.data.points-test
  (:require [clojure.test :refer [deftest is]]
            [damo.data.points :as points]))

(set! *warn-on-reflection* true)

(defn- negative? [p bounds] (boolean (some #(points/negative-at? p %) (points/within bounds))))

(deftest what-is-negative-somewhere
  (is (negative? '{[n] 1, [m] -1} nil))
  (is (not (negative? '{[[:max 0 [:- n m]]] 1, [n] -1, [m] 1} nil)))
  (is (not (negative? '{[[:max n m]] 1, [n] -1} nil)))
  (is (negative? '{[[:min n 2] n] 1, [] -3} nil)))

(deftest what-has-no-value-is-not-negative
  (is (not (negative? '{[[:quot [:- n 2000] 2]] 1} nil)) "nor rounded towards 0")
  (is (not (negative? '{[[:mod [:- n 2000] 3]] 1, [] -9} nil)))
  (is (not (negative? '{[[:/ 1 [:- n n]]] -1} nil)))
  (is (negative? '{[[:quot n 2]] 1, [[:mod n 2]] 1, [] -1000} nil)))

(deftest points-lie-within-bounds
  (is (negative? '{[n] 1, [] -5} nil))
  (is (not (negative? '{[n] 1, [] -5} '{n {:least [5]}})))
  (is (not (negative? '{[m] 1, [n] -1} '{n {:most [m]}})))
  (is (= [] (points/within '{n {:least [2000]}})) "and are none where none is"))
