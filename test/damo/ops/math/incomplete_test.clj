(ns damo.ops.math.incomplete-test
  "The incomplete gamma functions: reference and machine code against decimals, far out and for huge
  arguments, and derivatives."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.math.decimal-incomplete :as decimal-incomplete]
            [damo.scalar.incomplete :as scalar-incomplete]))

(set! *warn-on-reflection* true)

(defn- relative [x exact] (/ (abs (- (double x) (double exact))) (abs (double exact))))

(defn- compiled
  "The values of a function of two expressions at pairs of numbers."
  [f pairs]
  (let [a (d/input 'a [:f64 ['n]]), x (d/input 'x [:f64 ['n]])]
    @((d/function [a x] (f a x)) (mapv first pairs) (mapv second pairs))))

(def ^:private pairs
  (for [a [1e-10 0.2 0.9 1.1 2.9 3.1 7.9 8.1 30.0 400.0], r [0.01 0.5 0.97 1.03 1.5 3.0]
        :let [x (* r a)] :when (< 1e-12 x 800)]
    [a x]))

(deftest reference-and-machine-code-are-accurate
  (doseq [[op f oracle] [[d/gammainc scalar-incomplete/gammainc decimal-incomplete/lower]
                         [d/gammaincc scalar-incomplete/gammaincc decimal-incomplete/upper]]
          [[a x] got] (map vector pairs (compiled op pairs))
          :let [exact (oracle a x)] :when (< 1e-100 (double exact))
          :let [tolerance (+ 1e-14 (* 1e-15 (- (Math/log (double exact)))))]]
    (is (< (relative (f a x) exact) tolerance) (str "reference " a " " x))
    (is (< (relative got exact) tolerance) (str "machine code " a " " x))))

(deftest huge-arguments-agree-with-the-expansion-for-them
  (doseq [[op f] {d/gammainc scalar-incomplete/gammainc, d/gammaincc scalar-incomplete/gammaincc}
          :let [pairs (for [a [1e5 2e6 1e10 1e15], s [-5.0 -1.0 0.0 0.3 4.0]]
                        [a (+ a (* s (Math/sqrt a)))])]
          [[a x] got] (map vector pairs (compiled op pairs))]
    (is (< (relative got (f a x)) 5e-14) (str a " " x))))

(deftest single-precision-is-computed-in-double
  (let [a (d/input 'a [:f32 []]), x (d/input 'x [:f32 []])]
    (is (= (unchecked-float (decimal-incomplete/upper 2.0 84.25))
           @((d/function [a x] (d/gammaincc a x)) 2.0 84.25)))))

(deftest derivatives-in-x
  (let [[a x] [(d/input 'a [:f64 []]) (d/input 'x [:f64 []])]
        slope (d/function [a x] (d/grad (d/gammainc a x) x))]
    (testing "x^(a-1) e^-x / Γ(a)"
      (is (< (relative (* 1.7 @(slope 2.5 1.7)) (decimal-incomplete/density 2.5 1.7)) 1e-14))
      (is (= 1.0 @(slope 1.0 0.0)) "a = 1: e^-x"))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"with respect to a has no closed form"
                          (d/grad (d/gammainc a x) a)))))
