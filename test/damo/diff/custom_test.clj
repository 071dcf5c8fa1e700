(ns damo.diff.custom-test
  "Functions with a derivative of their own: both modes, one from the other, several values,
  captured expressions, and what is refused."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.diff :as diff]
            [damo.diff.custom :as custom]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private ones (d/ones-like x))

(defn- at [e] @(d/eval e {x [0.0 1.0]}))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

(def ^:private e1 (Math/exp 1.0))

(deftest a-reverse-mode-of-its-own
  (let [f (d/with-derivative d/exp {:lop (fn [_ out g] (d/mul g out 10))})]
    (testing "the value is that of the function"
      (is (= [1.0 e1] (at (f x)))))
    (testing "forward mode is its transpose"
      (is (= [10.0 (* 10 e1)] (at (d/grad (d/sum (f x)) x)) (at (d/rop (f x) x ones)))))
    (testing "second derivatives use it again"
      (is (= [[100.0 0.0] [0.0 (* 100 e1)]] (at (d/hessian (d/sum (f x)) x)))))
    (testing "nothing of it is left in the compiled function"
      (is (not-any? #{:with-derivative :disconnected-grad}
                    (map first (:nodes (d/rewritten (d/function [x] (f x))))))))))

(deftest a-forward-mode-of-its-own
  (let [f (d/with-derivative d/mul {:rop (fn [[x y] _ [dx dy]] (d/add (d/mul 3 dx y)
                                                                      (d/mul dy x)))})
        z (f x (d/add 1.0 x))]
    (testing "reverse mode is its transpose: 3 y + x"
      (is (= [3.0 7.0] (at (d/grad (d/sum z) x)) (at (d/rop z x ones)))))))

(deftest a-failure-names-the-line-in-the-function
  (let [f (d/with-derivative (fn [a]
                               (d/take a 7)) {:lop (fn [_ _ _] nil)})
        called (f x)
        error (try (d/eval called {x [1.0]}) nil (catch clojure.lang.ExceptionInfo e (ex-data e)))]
    (is (= [:take -1] [(keyword (name (:op error)))
                       (- (:line error) (:line (expr/src-of called)))]))))

(deftest both-modes-may-be-given
  (let [f (d/with-derivative d/sin {:lop (fn [_ _ g] (d/mul 5 g))
                                    :rop (fn [_ _ [t]] (d/mul 7 t))})]
    (is (= [5.0 5.0] (at (d/grad (d/sum (f x)) x))))
    (is (= [7.0 7.0] (at (d/rop (f x) x ones))))))

(deftest several-values-and-integers
  (let [f (d/with-derivative (fn [x y _] [(d/mul x y) (d/add x y)])
                             {:lop (fn [[x y _] _ [gp gs]]
                                     [(d/add (d/mul gp y) gs) (d/add (d/mul gp x) gs) nil])})
        [p s] (f x (d/sin x) (d/argmax x))
        own (d/sum (d/mul p s))
        plain (d/sum (d/mul (d/mul x (d/sin x)) (d/add x (d/sin x))))]
    (is (= (at (d/grad plain x)) (at (d/grad own x))))
    (is (= (at (d/rop plain x ones)) (at (d/rop own x ones))))
    (is (= (at (d/hessian plain x)) (at (d/hessian own x))))))

(deftest what-is-captured-is-constant
  (let [w (d/shared 'w 3.0)
        f (d/with-derivative (fn [x] (d/mul w x)) {:lop (fn [_ _ g] (d/mul g w w))})
        c (d/sum (f x))]
    (is (= [9.0 9.0] (at (d/grad c x)) (at (d/rop (f x) x ones))))
    (is (= ::diff/disconnected (first (error-of #(d/grad c w)))))))

(deftest a-mode-that-cannot-be-derived
  (let [f (d/with-derivative d/sin {:lop (fn [_ _ g] (d/mul g g))})
        [kind message] (error-of #(d/rop (f x) x ones))]
    (is (= [1.0 1.0] (at (d/grad (d/sum (f x)) x))))
    (is (= ::diff/not-implemented kind))
    (is (str/includes? message "no :rop"))
    (is (str/includes? message "not linear"))
    (is (str/includes? message "with-derivative"))))

(deftest what-is-refused
  (testing "neither mode"
    (is (= ::custom/no-derivative (first (error-of #(d/with-derivative d/sin {}))))))
  (testing "too few gradients"
    (is (= ::custom/bad-derivative
           (first (error-of #((d/with-derivative d/mul {:lop (fn [_ _ g] [g])}) x x))))))
  (testing "a gradient of another shape"
    (let [[kind message] (error-of #((d/with-derivative d/sin {:lop (fn [_ _ g] (d/sum g))}) x))]
      (is (= ::custom/bad-derivative kind))
      (is (str/includes? message "must have the shape [n]"))))
  (testing "an integer value"
    (is (= ::custom/not-differentiable
           (first (error-of #((d/with-derivative d/argmax {:lop (fn [_ _ g] g)}) x)))))))
