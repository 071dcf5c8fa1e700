(ns damo.linalg-test
  "Linear algebra as a user calls it: known values, identities beyond the sizes of the laws, wrong
  arguments, failures and NaN."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.linalg :as la])
  (:import [clojure.lang ExceptionInfo]
           [java.util Random]))

(set! *warn-on-reflection* true)

(defn- matrix [seed m n]
  (let [random (Random. seed)]
    (d/tensor (vec (repeatedly m (fn [] (vec (repeatedly n #(.nextGaussian random)))))) :f64)))

(defn- value [e] (d/->array (d/eval e)))

(defn- near? [bound x y]
  (< (first (value (d/max (d/abs (d/sub x y))))) (double bound)))

(defn- unit [n] (d/diag (d/broadcast-to (d/tensor 1.0 :f64) :shape [n])))
(defn- tr [a] (d/transpose a))
(defn- columns [a v] (d/mul a v))

(deftest identities-beyond-blocks-of-lapack
  (let [a (matrix 1 150 150), s (d/add a (tr a)), b (matrix 2 150 90)]
    (let [[w v] (la/eigh s)]
      (is (near? 1e-11 (d/dot s v) (columns v w)))
      (is (near? 1e-12 (d/dot (tr v) v) (unit 150)))
      (is (near? 1e-11 w (la/eigvalsh s))))
    (doseq [[x m n] [[b 150 90] [(tr b) 90 150]]]
      (let [[u s vt] (la/svd x)]
        (is (near? 1e-11 x (d/dot (columns u s) vt)))
        (is (near? 1e-11 s (la/svdvals x))))
      (let [[u _ vt] (la/svd x :full-matrices true)]
        (is (near? 1e-12 (d/dot (tr u) u) (unit m)))
        (is (near? 1e-12 (d/dot vt (tr vt)) (unit n))))
      (doseq [mode [:reduced :complete]]
        (let [[q r] (la/qr x :mode mode)]
          (is (near? 1e-11 x (d/dot q r)))
          (is (near? 1e-12 (d/dot (tr q) q) (unit (if (= mode :complete) m 90))))
          (is (near? 1e-15 r (d/triu r)))))
      (is (near? 1e-12 (second (la/qr x)) (la/qr x :mode :r))))
    (let [[[re im] [vr vi]] (la/eig a)]
      (is (near? 1e-10 (d/dot a vr) (d/sub (columns vr re) (columns vi im))))
      (is (near? 1e-10 (d/dot a vi) (d/add (columns vi re) (columns vr im)))))
    (is (near? 1e-10 b (d/dot a (la/solve a b))))
    (is (near? 1e-10 (unit 150) (d/dot a (la/inv a))))
    (is (near? 1e-10 b (d/dot s (la/solve s b :assume :symmetric))))
    (let [p (d/add (d/dot a (tr a)) (unit 150)), l (la/cholesky p)]
      (is (near? 1e-11 p (d/dot l (tr l))))
      (is (near? 1e-10 b (d/dot p (la/cho-solve l b))))
      (is (near? 1e-10 b (d/dot p (la/solve p b :assume :positive-definite)))))))

(deftest known-values
  (is (= [1.0 3.0] (mapv #(Math/rint %) (value (la/eigvalsh [[2.0 1.0] [1.0 2.0]])))))
  (is (near? 1e-14 (la/expm [[0.0 -1.0] [1.0 0.0]])
             [[(Math/cos 1) (- (Math/sin 1))] [(Math/sin 1) (Math/cos 1)]]))
  (testing "norms far from 1 are scaled"
    (is (near? 1e-9 (la/expm [[0.0 -60.0] [60.0 0.0]])
               [[(Math/cos 60) (- (Math/sin 60))] [(Math/sin 60) (Math/cos 60)]])))
  (is (= [0.0 1.0 2.0 5.0 0.0 1.0] (vec (value (la/toeplitz [0.0 5.0] [9.0 1.0 2.0])))))
  (is (= [0.0 5.0 5.0 0.0] (vec (value (la/toeplitz [0.0 5.0])))))
  (is (= [5.0] (vec (value (la/norm [[3.0 4.0]])))))
  (is (= [7.0] (vec (value (la/norm [3.0 -4.0] :ord 1)))))
  (is (= [4.0] (vec (value (la/norm [[3.0 4.0]] :ord 1)))))
  (let [[x residuals rank s] (la/lstsq [[1.0 0.0] [1.0 1.0] [1.0 2.0]] [1.0 3.0 5.0])]
    (is (near? 1e-14 x [1.0 2.0]))
    (is (near? 1e-28 residuals 0.0))
    (is (= [2] (vec (value rank))))
    (is (= 2 (count (value s))))))

(deftest symmetric-functions-of-equal-values-have-derivatives
  (let [a (d/input 'a [:f64 [3 3]]), eye [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]
        at-eye (fn [cost] (vec (d/->array ((d/function [a] (d/grad cost a)) eye))))]
    (is (= (flatten eye) (at-eye (d/sum (la/eigvalsh a)))))
    (is (= (flatten eye) (at-eye (d/mul 0.5 (d/sum (d/sqr (la/svdvals a)))))))
    (testing "functions of vectors of equal values are told not to have one"
      (let [[w v] (la/eigh a), [u s vt] (la/svd a)]
        (doseq [e [(d/dot (d/mul v (d/exp w)) (d/transpose v)) (d/dot (d/mul u (d/exp s)) vt)]]
          (is (some #(NaN? %) (at-eye (d/sum (d/mul e [[1.0 2.0 3.0] [4.0 5.0 6.0]
                                                       [7.0 8.0 9.0]]))))))))
    (testing "nor second derivatives of functions of values"
      (doseq [e [(d/sum (d/exp (la/eigvalsh a))) (d/sum (d/exp (la/svdvals a)))]]
        (is (some #(NaN? %) (at-eye (d/sum (d/mul (d/grad e a) [[1.0 2.0 3.0] [4.0 5.0 6.0]
                                                                [7.0 8.0 9.0]])))))))
    (testing "leading vectors have one where others are equal"
      (let [u (first (la/svd a)), leading (d/index u :all 0)
            g ((d/function [a] (d/grad (d/sum (d/sqr (d/mul leading [1.0 2.0 3.0]))) a))
               [[3.0 0.0 0.0] [0.0 0.0 0.0] [0.0 0.0 0.0]])]
        (is (every? #(Double/isFinite %) (d/->array g)))))))

(deftest failures-name-the-matrix
  (let [a (d/input 'a [:f64 ['k 2 2]])
        message (fn [e given] (try (d/->array ((d/function [a] e {:name "f"}) given))
                                   (catch ExceptionInfo e (ex-message e))))
        batch [[[2.0 0.0] [0.0 2.0]] [[1.0 0.0] [0.0 -1.0]]]]
    (is (re-find #"in f: cholesky: not positive definite: leading minor 2, in matrix 1 of the batch"
                 (message (la/cholesky a) batch)))
    (is (re-find #"solve: the matrix is singular: .*, in matrix 1"
                 (message (la/solve a [1.0 1.0]) [[[2.0 0.0] [0.0 2.0]] [[1.0 1.0] [1.0 1.0]]])))
    (testing "or NaN"
      (is (= [false true] (mapv #(NaN? (first %))
                                (partition 4 (message (la/cholesky a :on-failure :nan)
                                                      batch))))))))

(deftest nan-gives-nan
  (let [a (d/input 'a [:f64 [2 2]])
        all-nan? (fn [e] (every? #(NaN? %) (d/->array ((d/function [a] e)
                                                       [[##NaN 1.0] [2.0 3.0]]))))]
    (doseq [e (concat (la/eigh a) (la/svd a) (la/qr a) (apply concat (la/eig a))
                      [(la/eigvalsh a) (la/svdvals a) (la/inv a) (la/cholesky a) (la/pinv a)
                       (la/solve a [1.0 1.0]) (la/expm a)])]
      (is (all-nan? e) (pr-str e)))))

(deftest empty-matrices
  (let [a (d/input 'a [:f64 ['m 'n]]), f (d/function [a] (la/svd a :full-matrices true))
        g (d/function [a] (la/qr a :mode :complete)), none (d/zeros [3 0] :f64)
        eye [1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0 1.0]]
    (is (= eye (vec (d/->array (first (f none))))))
    (is (= eye (vec (d/->array (first (g none))))))))

(deftest wrong-arguments
  (let [kind #(try (%) nil (catch ExceptionInfo e (:damo/error (ex-data e))))
        a (d/input 'a [:f64 [2 3]]), v (d/input 'v [:f64 [3]])]
    (is (= :damo.op.linalg/not-square (kind #(la/eigh a))))
    (is (= :damo.op.linalg/no-matrix (kind #(la/svd v))))
    (is (= :damo.op.linalg/shape-mismatch (kind #(la/solve [[1.0]] v))))
    (is (= :damo.op.linalg/bad-order (kind #(la/norm a :ord 5))))
    (is (= :damo.op.typing/bad-dtype (kind #(la/inv (d/input 'i [:i64 [2 2]])))))
    (is (= :damo.attribute/bad-value (kind #(la/qr a :mode :full))))))

(deftest determinants
  (let [a (d/input 'a [:f64 [2 2]]), gradient (d/function [a] (d/grad (la/det a) a))
        rounded #(mapv (fn [x] (+ 0.0 (/ (Math/rint (* 1e9 x)) 1e9))) (d/->array %))]
    (is (= [4.0 -3.0 -2.0 1.0] (rounded (gradient [[1.0 2.0] [3.0 4.0]]))))
    (testing "of singular matrices they are the cofactors"
      (is (= [4.0 -2.0 -2.0 1.0] (rounded (gradient [[1.0 2.0] [2.0 4.0]])))))
    (let [f (d/function [a] (conj (la/slogdet a) (la/logdet a)))]
      (is (= [0.0 ##-Inf ##-Inf] (mapv (comp first d/->array) (f [[1.0 2.0] [2.0 4.0]]))))
      (is (= [-1.0 true] (let [[s _ l] (map (comp first d/->array) (f [[0.0 1.0] [1.0 0.0]]))]
                           [s (NaN? l)]))))))

(deftest rules-find-structure
  (let [a (d/input 'a [:f64 [3 3]]), b (d/input 'b [:f64 [3 2]]), v (d/input 'v [:f64 [3]])
        m [[4.0 1.0 0.5] [1.0 5.0 2.0] [0.5 2.0 6.0]], r [[1.0 2.0] [3.0 4.0] [5.0 6.0]]
        ignoring {:on-unused-input :ignore}
        ops (fn [e] (let [text (with-out-str (d/explain (d/function [a b v] e ignoring)))]
                      (set (map keyword (re-seq #"[a-z-]+" text)))))
        plain {:mode {:mode :fast-run, :exclude #{:inv-times :inv-dot :times-inv :inv-inv :log-det
                                                  :log-abs-det :logdet-of-factor
                                                  :solve-of-factor}}}]
    (doseq [[rule e] {:inv-dot (d/dot (la/inv a) b), :inv-times (d/matmul (la/inv a) v)
                      :times-inv (d/matmul v (la/inv a)), :log-det (d/log (la/det a))
                      :inv-inv (la/inv (la/inv a :on-failure :nan) :on-failure :nan)
                      :log-abs-det (d/log (d/abs (la/det a)))
                      :logdet-of-factor (la/logdet (la/cholesky a))
                      :solve-of-factor (la/solve (la/cholesky a) b)}
            :let [value #(d/->array ((d/function [a b v] %1 (merge ignoring %2))
                                     m r [1.0 2.0 3.0]))]]
      (testing (str rule)
        (is (contains? (ops e) rule))
        (doseq [e [e (d/grad (d/sum (d/sqr e)) a)]]
          (is (every? #(< (abs (double %)) 1e-9)
                      (map - (value e {}) (value e plain)))))))))

(deftest factors-by-elimination
  (let [a (matrix 3 40 40), b (matrix 4 40 3), [p l u] (la/lu a)]
    (is (near? 1e-12 a (d/dot p (d/dot l u))))
    (is (near? 1e-10 b (d/dot a (la/lu-solve (la/lu-factor a) b))))
    (is (near? 1e-10 b (d/dot (tr a) (la/lu-solve (la/lu-factor a) b :transpose true)))))
  (let [a (d/input 'a [:f64 ['k 2 2]]), batch [[[0.0 2.0] [4.0 1.0]] [[3.0 1.0] [1.0 2.0]]]
        value #(vec (d/->array ((d/function [a] %) batch)))
        off (fn [x y] (reduce max (map (fn [x y] (abs (- (double x) (double y)))) x y)))]
    (doseq [b [[1.0 2.0] [[1.0] [2.0]]]
            :let [x (la/lu-solve (la/lu-factor a) b), y (la/solve a b)
                  slope #(d/grad (d/sum (d/sqr %)) a)]]
      (is (> 1e-14 (double (off (value x) (value y)))))
      (is (> 1e-13 (double (off (value (slope x)) (value (slope y)))))))))
