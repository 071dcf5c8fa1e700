(ns damo.ops.linalg.det-test
  "Second derivatives of determinants for matrices of every rank, against closed forms."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.linalg :as la]))

(set! *warn-on-reflection* true)

(defn- det3
  "The polarised determinant: the sum over permutations of sign·x_0i·y_1j·z_2k."
  [[x _ _] [_ y _] [_ _ z]]
  (reduce + (for [[i j k sign] [[0 1 2 1] [1 2 0 1] [2 0 1 1] [0 2 1 -1] [1 0 2 -1] [2 1 0 -1]]]
              (* (double sign) (double (x i)) (double (y j)) (double (z k))))))

(defn- second-slope
  "uᵀ·H·v for the Hessian H of the determinant at a, exactly: it is linear in each row."
  [a u v]
  (reduce + (for [i (range 3), j (range 3), :when (not= i j)
                  :let [m (assoc a i (u i) j (v j))]]
              (det3 m m m))))

(def ^:private u [[1.0 -2.0 0.5] [0.3 1.5 -1.0] [2.0 0.7 -0.4]])
(def ^:private v [[-0.6 1.1 0.2] [1.3 -0.5 0.9] [0.8 0.1 1.7]])

(deftest second-derivatives-at-every-rank
  (let [a (d/input 'a [:f64 [3 3]])
        slope (d/sum (d/mul u (d/grad (la/det a) a)))
        f (d/function [a] (d/sum (d/mul v (d/grad slope a))))]
    (doseq [[name m] {"rank 3" [[4.0 1.0 0.5] [1.0 5.0 2.0] [0.5 -2.0 6.0]]
                      "rank 3, equal values" [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]
                      "nearly rank 1" [[1.0 2.0 3.0] [2.0 (+ 4.0 1e-13) 6.0] [3.0 6.0 9.0]]
                      "rank 2" [[1.0 2.0 3.0] [4.0 5.0 6.0] [7.0 8.0 9.0]]
                      "rank 2, equal values" [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 0.0]]
                      "rank 1" [[1.0 2.0 3.0] [2.0 4.0 6.0] [-1.0 -2.0 -3.0]]
                      "rank 0" [[0.0 0.0 0.0] [0.0 0.0 0.0] [0.0 0.0 0.0]]}]
      (testing name
        (is (> 1e-10 (abs (- (double (second-slope m u v))
                             (double (first (d/->array (f m))))))))))))

(deftest third-derivatives-of-singular-matrices-are-nan
  (let [a (d/input 'a [:f64 [3 3]])
        along (fn [e t] (d/sum (d/mul t (d/grad e a))))
        f (d/function [a] (along (along (along (la/det a) u) v) u))]
    (is (NaN? (first (d/->array (f [[1.0 2.0 3.0] [2.0 4.0 6.0] [-1.0 -2.0 -3.0]])))))
    (is (> 1e-8 (abs (- (double (reduce + (for [[x y z] [[u v u] [u u v] [v u u]]]
                                            (* 2.0 (double (det3 x y z))))))
                        (double (first (d/->array (f [[1.0 0.0 0.0] [0.0 1.0 0.0]
                                                      [0.0 0.0 1.0]]))))))))))
