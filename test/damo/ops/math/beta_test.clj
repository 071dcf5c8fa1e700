(ns damo.ops.math.beta-test
  "The beta functions: reference and machine code against decimals, near the ends and for huge and
  tiny parameters, and derivatives."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.math.decimal-beta :as decimal-beta]
            [damo.math.ulp :as ulp]
            [damo.scalar.beta :as scalar-beta]))

(set! *warn-on-reflection* true)

(defn- compiled
  "The values of a function of expressions at tuples of numbers."
  [f dtype tuples]
  (let [args (mapv #(d/input % [dtype ['n]]) (take (count (first tuples)) '[a b x]))]
    @(apply (d/function args (apply f args)) (apply map vector tuples))))

(def ^:private parameters [1e-10 0.2 1.1 3.9 4.1 90.0])

(deftest beta-and-its-logarithm-are-accurate
  (let [pairs (for [a parameters, b (conj parameters 3000.0)] [a b])]
    (doseq [[op f oracle] [[d/beta scalar-beta/beta decimal-beta/beta]
                           [d/betaln scalar-beta/betaln decimal-beta/betaln]]
            [[a b] got] (map vector pairs (compiled op :f64 pairs))
            :let [exact (oracle a b)]]
      (is (< (ulp/error :f64 exact got 1M) 8) (str "machine code " a " " b))
      (is (< (ulp/error :f64 exact (f a b) 1M) 1000) (str "reference " a " " b)))
    (doseq [[[a b] got] (map vector pairs (compiled d/beta :f64 pairs))]
      (is (< (ulp/error :f64 (decimal-beta/beta a b) got) 8) (str a " " b)))))

(def ^:private triples
  (for [a parameters, b parameters, s [0.01 0.5 0.84 0.86 0.999]] [a b s]))

(deftest betainc-is-accurate
  (doseq [[[a b x] got] (map vector triples (compiled d/betainc :f64 triples))
          :let [exact (decimal-beta/betainc a b x)]]
    (is (< (ulp/error :f64 exact got) 8) (str "machine code " a " " b " " x))
    (is (< (ulp/error :f64 exact (scalar-beta/betainc a b x)) 1000) (str "reference " a " " b))))

(deftest huge-parameters-agree-with-the-expansion-for-them
  (let [triples (for [a [2e12 1e15 1e20], r [0.01 1.0 7.0], s [-5.0 -1.0 0.0 0.3 4.0]
                      :let [b (* r a), m (/ a (+ a b))]]
                  [a b (+ m (* s (Math/sqrt (/ (* m (- 1.0 m)) (+ a b)))))])]
    (doseq [[[a b x] got] (map vector triples (compiled d/betainc :f64 triples))
            :let [want (scalar-beta/betainc a b x)]]
      (is (< (abs (- got want)) (* 1e-11 want)) (str a " " b " " x)))))

(deftest betainc-is-the-binomial-distribution
  (testing "I_x(k, n - k + 1) is the chance of k or more among n"
    (is (< (abs (- 0.9453125 (first (compiled d/betainc :f64 [[3.0 8.0 0.5]])))) 1e-15)))
  (testing "and its mirror image is the rest"
    (let [[p q] (compiled d/betainc :f64 [[2.5 1.25 0.75] [1.25 2.5 0.25]])]
      (is (< (abs (- 1.0 (+ p q))) 1e-15)))))

(deftest single-precision-is-computed-in-double
  (let [triples [[0.5 0.25 0.75] [30.0 20.0 0.25]]]
    (is (= (mapv (fn [[a b x]] (unchecked-float (decimal-beta/betainc a b x))) triples)
           (mapv unchecked-float (compiled d/betainc :f32 triples))))))

(deftest derivatives
  (let [[a b x] (map #(d/input % [:f64 []]) '[a b x])
        at (fn [cost v & values]
             (let [slope (d/function [a b x] (d/grad cost v) {:on-unused-input :ignore})]
               @(apply slope values)))
        near? (fn [want got] (< (abs (- (double want) (double got))) (* 1e-14 (abs want))))]
    (testing "x^(a-1) (1-x)^(b-1) / B(a, b)"
      (is (near? (* 12 0.3 0.49) (at (d/betainc a b x) x 2.0 3.0 0.3)))
      (is (near? 2.0 (at (d/betainc a b x) x 1.0 2.0 0.0)) "at the end"))
    (is (near? -0.25 (at (d/beta a b) a 2.0 1.0 0.0)) "B(a, 1) = 1/a")
    (is (near? -0.5 (at (d/betaln a b) a 2.0 1.0 0.0)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"with respect to b has no closed form"
                          (d/grad (d/betainc a b x) b)))))
