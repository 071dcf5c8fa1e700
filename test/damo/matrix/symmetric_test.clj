(ns damo.matrix.symmetric-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.matrix.base :as base]
            [damo.matrix.symmetric :as symmetric])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- apart [x y] (reduce max 0.0 (map (comp abs -) x y)))

(deftest vectors-are-multiplied-by-their-values
  (let [random (Random. 5)]
    (doseq [n [0 1 2 3 13 30], lower [true false]
            :let [x (double-array (repeatedly (* n n) #(.nextGaussian random)))
                  a (symmetric/mirrored x n lower), [w v] (symmetric/eigh x n lower)]]
      (testing (str [n lower])
        (is (< (apart (base/times a n n v n)
                      (base/filled n n (fn [i j] (* (aget ^doubles w j) (base/at v n i j)))))
               1e-13))
        (is (< (apart (base/identity n) (base/times (base/transposed v n n) n n v n)) 1e-13))
        (is (= (sort w) (vec w)) "ascending")))))

(deftest known-values
  (let [[w v] (symmetric/eigh (double-array [2 99 1 2]) 2 true), h (Math/sqrt 0.5)]
    (is (< (apart [1.0 3.0] w) 1e-15))
    (is (< (apart [h h (- h) h] v) 1e-15) "the first largest element of each is positive"))
  (is (= [[1.0 1.0] [1.0 0.0 0.0 1.0]]
         (map vec (symmetric/eigh (base/identity 2) 2 true))))
  (is (every? #(every? NaN? %) (symmetric/eigh (double-array [1 0 ##NaN 1]) 2 true)))
  (is (not-any? NaN? (first (symmetric/eigh (double-array [1 ##NaN 0 1]) 2 true)))))
