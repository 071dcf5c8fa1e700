(ns damo.matrix.singular-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.matrix.base :as base]
            [damo.matrix.singular :as singular])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- apart [x y] (reduce max 0.0 (map (comp abs -) x y)))

(defn- orthonormal? [q m k]
  (< (apart (base/identity k) (base/times (base/transposed q m k) k m q k)) 1e-13))

(defn- check [a m n full]
  (let [k (min m n), ku (if full m k), kv (if full n k), [u s vt] (singular/svd a m n full)
        diagonal (base/filled ku kv (fn [i j] (if (= i j) (aget ^doubles s i) 0.0)))]
    (is (< (apart a (base/times (base/times u m ku diagonal kv) m kv vt n)) 1e-13))
    (is (orthonormal? u m ku))
    (is (orthonormal? (base/transposed vt kv n) n kv))
    (is (= (sort > s) (vec s)))
    (is (not-any? neg? s))))

(deftest factors-multiply-to-the-matrix
  (let [random (Random. 5)]
    (doseq [[m n] [[3 3] [5 2] [2 5] [1 1] [4 1] [1 4] [0 3] [3 0] [13 9]], full [false true]]
      (testing (str [m n full])
        (check (double-array (repeatedly (* m n) #(.nextGaussian random))) m n full)))))

(deftest singular-matrices-have-whole-bases
  (doseq [full [false true]
          [a m n] [[[1 2 2 4 1 2] 3 2] [[0 0 0 0] 2 2] [[1 1 1 1 1 1 1 1 1] 3 3] [[0 0 0 3] 2 2]]]
    (check (double-array a) m n full)))

(deftest known-values
  (is (= [4.0 3.0] (vec (second (singular/svd (double-array [3 0 0 -4]) 2 2 false)))))
  (is (every? #(every? NaN? %) (singular/svd (double-array [1 ##NaN]) 1 2 true))))
