(ns damo.diff.loop.batch-test
  "Jacobians and Hessians of loops and branches: one loop on a batch, whichever mode."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.diff.loops :refer [branched looped near? numbers value]]
            [damo.laws.unrolled :as unrolled]))

(set! *warn-on-reflection* true)

(def ^:private xs (d/input 'xs [:f64 [4 3]]))
(def ^:private h0 (d/input 'h0 [:f64 [1 3]]))
(def ^:private w (d/input 'w [:f64 [3 3]]))
(def ^:private case-number (d/input 'c [:i64 []]))

(def ^:private values
  (let [random (java.util.Random. 2)]
    {xs (numbers random [4 3]), h0 (numbers random [1 3]), w (numbers random [3 3])
     case-number 1}))

(def ^:private network
  (looped {:steps 4, :params [[:each 0 0 1] [:carry 0 0] [:turn]], :carries [1]
           :results [[0 :all] [1 2 :backwards]]}
          [xs h0] (fn [x h t] [(d/tanh (d/add x (d/dot h w))) (d/mul x (d/add t 1) h)])))

(defn- rows-of-jacobian [e x]
  (for [i (range (first (second (d/type-of e))))]
    (value (d/grad (d/sum (d/slice e :start i :stop (inc i))) x) values)))

(deftest jacobians
  (let [[h y] network]
    (doseq [[k e] {:states (d/flatten h), :kept (d/flatten y)
                   :of-a-case (first (branched case-number [(d/flatten y) w]
                                               (fn [x _] (d/mul x x))
                                               (fn [x w] (d/mul (d/sin x) (d/sum w)))))}
            x [xs w h0], mode [:reverse :forward]
            :let [jacobian (d/jacobian e x :mode mode)]]
      (testing (str k (d/type-of x) mode)
        (is (near? (rows-of-jacobian e x) (value jacobian values)))
        (is (> 8 (unrolled/loops (:graph (expr/to-graph [jacobian])))) "not element by element")))))

(deftest a-case-that-what-is-differentiated-by-chooses
  (let [x (d/input 'x [:f64 [5]]), v {x [-2.0 -1.0 0.0 1.0 2.0]}
        y (first (branched (d/gt (d/sum (d/sin x)) 0.3) [x] d/sqr (fn [x] (d/mul 3 x))))]
    (is (near? [[-4.0 0 0 0 0] [0 -2.0 0 0 0] [0 0 0 0 0] [0 0 0 2.0 0] [0 0 0 0 4.0]]
               (value (d/jacobian y x) v)))))

(deftest hessians
  (let [[h y] network, cost (d/add (d/sum (d/sqr h)) (d/sum (d/mul y y y)))
        blocks (fn [mode] (mapv #(value % values) (flatten (d/hessian cost [w h0] :mode mode))))
        [of-w] (d/grad cost [w])]
    (is (near? (blocks :forward) (blocks :reverse)))
    (is (near? (value (d/rop of-w w (d/ones-like w)) values)
               (value (d/sum (d/reshape (d/hessian cost w) :shape [3 3 9]) :axis 2) values)))))

(deftest loops-of-any-number-of-rounds
  (let [x (d/input 'x [:f64 [3]]), v {x [1.0 2.0 3.0]}
        y (d/while-loop x (fn [h] (d/lt (d/sum h) 50.0)) (fn [h] (d/add h (d/mul 0.1 h x))))
        n (d/while-loop {:h x, :n 0} (fn [{:keys [h]}] (d/lt (d/sum h) 50.0))
                        (fn [{:keys [h n]}] {:h (d/add h (d/mul 0.1 h x)), :n (d/add n 1)}))
        n (value (:n n) v)
        slope (fn [x] (+ (Math/pow (+ 1 (* 0.1 x)) n)
                         (* x n 0.1 (Math/pow (+ 1 (* 0.1 x)) (dec n)))))
        wanted [[(slope 1.0) 0 0] [0 (slope 2.0) 0] [0 0 (slope 3.0)]]]
    (doseq [mode [:forward :reverse]]
      (is (near? wanted @(d/eval (d/jacobian y x :mode mode) v)) (str mode)))))
