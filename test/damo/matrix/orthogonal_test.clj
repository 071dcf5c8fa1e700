(ns damo.matrix.orthogonal-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.matrix.base :as base]
            [damo.matrix.orthogonal :as orthogonal])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- apart [x y] (reduce max 0.0 (map (comp abs -) x y)))

(deftest factors-multiply-to-the-matrix
  (let [random (Random. 5)]
    (doseq [[m n] [[3 3] [5 2] [2 5] [1 1] [4 1] [1 4] [0 3] [3 0] [20 13]]
            mode [:reduced :complete]
            :let [a (double-array (repeatedly (* m n) #(.nextGaussian random)))
                  k (if (= mode :complete) m (min m n)), [q r] (orthogonal/qr a m n mode)]]
      (testing (str [m n mode])
        (is (< (apart a (base/times q m k r n)) 1e-14))
        (is (< (apart (base/identity k) (base/times (base/transposed q m k) k m q k)) 1e-14))
        (is (every? zero? (for [i (range k), j (range (min i n))] (base/at r n i j))))))))

(deftest signs-are-those-of-lapack
  (testing "a column becomes minus the sign of its first element times its norm"
    (is (= [-5.0 5.0] (map #(base/at (second (orthogonal/qr (double-array %) 2 1 :reduced)) 1 0 0)
                           [[3 4] [-3 4]]))))
  (testing "what has zeros below stays, and one element has none below"
    (let [[q r] (orthogonal/qr (double-array [2 1 0 -3]) 2 2 :reduced)]
      (is (= [1.0 0.0 0.0 1.0] (vec q)))
      (is (= [2.0 1.0 0.0 -3.0] (vec r))))))

(deftest nan-makes-nan
  (is (every? #(every? NaN? %) (orthogonal/qr (double-array [1 2 ##NaN 3]) 2 2 :reduced))))
