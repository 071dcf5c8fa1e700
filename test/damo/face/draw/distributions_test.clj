(ns damo.face.draw.distributions-test
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.face.draw.samples :as samples]
            [damo.random :as r]
            [damo.scalar.incomplete :as incomplete])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(def ^:private k (r/key 11))

(defn- gamma-cdf [a] (fn [x] (incomplete/gammainc a x)))

(defn- normal-between
  "The distribution function of normal numbers between a and b."
  [a b]
  (fn [x]
    (let [from (samples/normal-cdf a), to (samples/normal-cdf b)]
      (/ (- (samples/normal-cdf x) from) (- to from)))))

(deftest continuous-distributions
  (are [cdf e] (samples/ks cdf (samples/sample e))
    #(- 1 (Math/exp (/ (double %) -2))) (r/exponential k [4000] :scale 2)
    #(let [x (- (double %) 1)]
       (if (neg? x) (* 0.5 (Math/exp x)) (- 1 (* 0.5 (Math/exp (- x))))))
    (r/laplace k [4000] :loc 1)
    #(Math/exp (- (Math/exp (- (double %))))) (r/gumbel k [4000])
    (normal-between -1 2) (r/truncated-normal k [4000] :low -1 :high 2)
    (normal-between 0 5) (r/truncated-normal k [4000] :low 0 :high 5 :dtype :f64)
    (gamma-cdf 0.2) (r/gamma k [4000] :shape 0.2 :dtype :f64)
    #((gamma-cdf 7.5) (/ (double %) 3)) (r/gamma k [4000] :shape 7.5 :scale 3)
    identity (r/beta k [4000] :a 1 :b 1 :dtype :f64)))

(deftest far-tails
  (testing "10 deviations out the excess is nearly exponential"
    (let [xs (samples/sample (r/truncated-normal k [3000] :low 10 :dtype :f64))]
      (is (every? #(<= 10 % 13) xs))
      (is (samples/mean-near? 10.09809 xs))))
  (is (every? #(<= -31 % -30) (samples/sample (r/truncated-normal k [50] :low -31 :high -30))))
  (testing "tiny parameters of beta and gamma"
    (let [xs (samples/sample (r/beta k [2000] :a 0.001 :b 0.001 :dtype :f64))]
      (is (every? #(<= 0 % 1) xs))
      (is (samples/mean-near? 0.5 xs)))
    (is (every? #(and (<= 0 %) (not (Double/isNaN %)))
                (samples/sample (r/gamma k [200] :shape 1e-4)))))
  (is (every? #(Double/isNaN %) (samples/sample (r/gamma k [3] :shape -1))))
  (is (every? #(Double/isNaN %) (samples/sample (r/exponential k [3] :scale -1)))))

(defn- poisson-law [rate]
  (loop [n 0, p (Math/exp (- rate)), found {}]
    (if (and (< rate n) (< p 1e-12))
      found
      (recur (inc n) (/ (* p rate) (inc n)) (assoc found (double n) p)))))

(defn- binomial-law [n p]
  (loop [i 0, q (Math/pow (- 1 p) n), found {}]
    (if (< n i)
      found
      (recur (inc i) (* q (/ (- n i) (double (inc i))) (/ p (- 1 p))) (assoc found (double i) q)))))

(deftest counts
  (doseq [rate [0.3 9.9 10.0 60.0]]
    (is (samples/chi2 (poisson-law rate) (samples/sample (r/poisson k [3000] :rate rate)))
        (str "rate " rate)))
  (doseq [[n p] [[12 0.5] [30 0.9] [100 0.2]]]
    (is (samples/chi2 (binomial-law n p) (samples/sample (r/binomial k [3000] :n n :p p)))
        (pr-str n p)))
  (are [expected e] (= expected (distinct (samples/sample e)))
    [0.0] (r/poisson k [20] :rate 0)
    [7.0] (r/binomial k [20] :n 7 :p 1)
    [0.0] (r/binomial k [20] :n 7 :p 0)
    [0.0] (r/binomial k [20] :n 0))
  (is (samples/mean-near? 1e6 (samples/sample (r/poisson k [2000] :rate 1e6))))
  (testing "parameters that broadcast"
    (let [rate (d/input 'rate [:f32 ['n 1]])
          xs @(d/eval (r/poisson k ['n 4] :rate rate) {rate [[0] [1000]]})]
      (is (= [0 0 0 0] (first xs)))
      (is (every? #(< 800 % 1200) (second xs))))))

(deftest vectors
  (let [xs @(d/eval (r/multinomial k [800] :n 10 :p [0.2 0.3 0.5]))]
    (is (every? #(= 10 (reduce + %)) xs))
    (doseq [[i p] [[0 0.2] [1 0.3] [2 0.5]]]
      (is (samples/chi2 (binomial-law 10 p) (map #(double (nth % i)) xs)))))
  (let [xs @(d/eval (r/dirichlet k [2000] :alpha [1 2 3] :dtype :f64))]
    (is (every? #(< (Math/abs (- 1 (double (reduce + %)))) 1e-12) xs))
    (doseq [[i m] [[0 (/ 1 6)] [1 (/ 2 6)] [2 (/ 3 6)]]]
      (is (samples/mean-near? m (map #(nth % i) xs)))))
  (let [xs @(d/eval (r/multivariate-normal k [3000] :mean [1 2] :cov [[2 1] [1 3]] :dtype :f64))]
    (is (samples/mean-near? 1 (map first xs)))
    (is (samples/mean-near? 2 (map second xs)))
    (is (samples/mean-near? 1 (map (fn [[a b]] (* (- a 1) (- b 2))) xs)))
    (is (samples/mean-near? 3 (map (fn [[_ b]] (* (- b 2) (- b 2))) xs)))))

(deftest choices
  (is (samples/chi2 {0.0 0.1, 1.0 0.2, 2.0 0.7}
                    (let [weights (d/tensor [0.1 0.2 0.7])]
                      (samples/sample (r/categorical k [3000] :logits (d/log weights))))))
  (is (samples/chi2 {3.0 0.25, 5.0 0.75} (samples/sample (r/choice k (d/tensor [3 5]) [2000]
                                                                   :p [1 3]))))
  (testing "orders of four are alike"
    (let [orders (map #(deref %) (d/eval (mapv #(r/permutation (r/fold-in k %) 4) (range 240))))]
      (is (every? #(= [0 1 2 3] (sort %)) orders))
      (is (samples/chi2 (zipmap (for [a (range 4), b (range 4) :when (not= a b)] [a b])
                                (repeat (/ 1 12.0)))
                        (map #(vec (take 2 %)) orders)))))
  (is (apply distinct? @(d/eval (r/choice k 50 [30] :replace false))))
  (is (apply distinct? @(d/eval (r/choice k 5 [4] :replace false :p [0.1 0.1 0.2 0.3 0.3]))))
  (is (= #{[1 2] [3 4] [5 6]} (set @(d/eval (r/permutation k (d/tensor [[1 2] [3 4] [5 6]])))))))

(deftest dropping-out
  (let [x (d/input 'x [:f32 ['n]]), y (r/dropout k x :rate 0.25)
        [y dy] (map deref ((d/function [x] [y (d/grad (d/sum y) x)]) (repeat 4000 1)))]
    (is (= y dy) "the gradient passes where an element was kept")
    (is (samples/chi2 {0.0 0.25, 1.0 0.75} (map #(if (zero? %) 0.0 1.0) y)))
    (is (samples/mean-near? 1 y))
    (is (every? zero? @(d/eval (r/dropout k x :rate 1) {x [1 2 3]})))
    (is (= [1.0 2.0 3.0] @(d/eval (r/dropout k x :rate 0) {x [1 2 3]})))))

(deftest implicit-derivatives
  (let [a (d/input 'a [:f64 []]), both (fn [e at] [@(d/eval (d/grad e a) {a at})
                                                   @(d/eval (d/rop e a 1.0) {a at})])
        near? (fn [want [back ahead]]
                (and (< (Math/abs (- (double back) (double ahead))) 1e-9)
                     (< (Math/abs (- want (double back))) 0.05)))]
    (are [want e at] (near? want (both e at))
      1.0 (d/mean (r/gamma k [4000] :shape a)) 2.5
      1.0 (d/mean (r/gamma k [4000] :shape a)) 0.4
      (/ 2 12.25) (d/mean (r/beta k [4000] :a a :b 2)) 1.5
      2.0 (d/mean (r/exponential k [4000] :scale (d/mul a 2))) 3.0
      1.0 (d/mean (r/laplace k [400] :loc a)) 3.0)
    (testing "of truncated normal numbers, against differences"
      (is (:relative (d/verify-grad
                      #(d/sum (r/truncated-normal k [20] :mean %1 :std %2 :low %3 :high %4))
                      [0.3 1.2 -0.5 2.0]))))))

(deftest in-loops
  (let [keys (r/split-array k 5)
        xs (:y (d/scan {:sequences {:k keys}} (fn [{:keys [k]}] {:y (r/gamma k [3] :shape 2)})))]
    (is (= 15 (count (distinct (flatten @(d/eval xs))))))))

(defn- error [make] (try (make) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(deftest wrong-arguments-are-named
  (are [kind call] (= kind (error (fn [] call)))
    :damo/requirement-failed (d/eval (r/poisson k [2] :rate -1))
    :damo.random/too-few (r/choice k 3 [4] :replace false)
    :damo.random/parameter-shape (r/choice k 3 [4] :p [0.5 0.5])
    :damo.random/no-events (r/categorical k [2] :logits 1.0)
    :damo.random/no-covariance (r/multivariate-normal k [] :mean [1 2] :cov [1 2])
    :damo.random/no-rows (r/permutation k (d/tensor 1.5))
    :damo.attribute/missing (r/beta k [2] :a 1)))
