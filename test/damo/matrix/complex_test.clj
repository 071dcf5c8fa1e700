(ns damo.matrix.complex-test
  (:require [clojure.test :refer [deftest is testing]]
            [damo.matrix.base :as base]
            [damo.matrix.complex :as complex])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- apart [x y] (reduce max 0.0 (map (comp abs -) x y)))

(defn- check
  "Are the vectors multiplied by their values, to within the bound, and of norm 1?"
  [a n bound]
  (let [[re im vr vi] (complex/eig a n)
        at (fn [^doubles w j] (aget w (int j)))
        scaled (fn [f] (base/filled n n (fn [i j] (f (at re j) (at im j) (base/at vr n i j)
                                                     (base/at vi n i j)))))]
    (is (< (apart (base/times a n n vr n) (scaled (fn [a b x y] (- (* a x) (* b y))))) bound))
    (is (< (apart (base/times a n n vi n) (scaled (fn [a b x y] (+ (* a y) (* b x))))) bound))
    (doseq [j (range n)]
      (is (< (abs (- 1.0 (reduce + (for [i (range n), v [vr vi]]
                                     (let [x (base/at v n i j)] (* x x))))))
             1e-13)))))

(deftest vectors-are-multiplied-by-their-values
  (let [random (Random. 5)]
    (doseq [n [0 1 2 3 4 7 13]]
      (testing n (check (double-array (repeatedly (* n n) #(.nextGaussian random))) n 1e-13)))))

(deftest hard-matrices
  (testing "permutations, on which steps without exceptional shifts go on for ever"
    (check (double-array [0 1 0, 0 0 1, 1 0 0]) 3 1e-14)
    (check (double-array [0 1 0 0, 0 0 1 0, 0 0 0 1, 1 0 0 0]) 4 1e-14))
  (testing "defective ones" (check (double-array [1 1 0 1]) 2 1e-14))
  (check (double-array 9) 3 1e-14))

(deftest known-values
  (let [[re im] (complex/eig (double-array [1 -2 2 1]) 2)]
    (is (< (apart [1.0 1.0] re) 1e-14))
    (is (< (apart [2.0 -2.0] im) 1e-14)))
  (testing "real ones have no imaginary part"
    (is (every? zero? (second (complex/eig (double-array [1 2 3 4]) 2)))))
  (is (every? #(every? NaN? %) (complex/eig (double-array [1 0 ##NaN 1]) 2))))
