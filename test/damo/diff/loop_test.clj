(ns damo.diff.loop-test
  "Derivatives of loops in both modes: values from closed forms, and laws on loops of every kind."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.diff.loops :refer [looped near? numbers value]]
            [damo.face.function :as function])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 []]))
(def ^:private s (d/input 's '[:f64 [n]]))

(defn- one-row [e] (d/expand-dims e :axis 0))

(defn- last-of
  "What a loop of these steps makes of the number e."
  [steps e f]
  (d/squeeze (first (looped {:steps steps, :params [[:carry 0 0]], :carries [0], :results [[0 1]]}
                            [(one-row e)] f))
             :axis 0))

;; ## Closed forms

(deftest powers-of-powers-of-two
  (let [modes {:reverse #(d/grad % x), :forward #(d/rop % x 1.0)}]
    (doseq [ways '[[:reverse :reverse :reverse :reverse] [:forward :forward :forward :forward]
                   [:reverse :forward :forward :reverse] [:forward :reverse :reverse :forward]]]
      (loop [e (last-of 4 x d/sqr), [way & more] ways, n 16, expected 1.0]
        (is (near? (* expected (Math/pow 0.95 n)) (value e {x 0.95})) (str ways n))
        (when way (recur ((modes way) e) more (dec n) (* expected n)))))))

(deftest a-polynomial-by-horner
  (let [c (d/input 'c '[:f64 [n]])
        [p] (looped {:steps 'n, :params [[:each 0 'n -1] [:carry 0 0]], :carries [1]
                     :results [[0 1]]}
                    [c (d/zeros-like (one-row x))]
                    (fn [c p] (d/add c (d/mul p x))))
        p (d/squeeze p :axis 0), dp (d/grad p x), values {x 2.0, c [1.0 2.0 -3.0 4.0]}]
    (is (= 25.0 (value p values)))
    (is (= 38.0 (value dp values)))
    (is (= 42.0 (value (d/grad dp x) values)))
    (is (= 42.0 (value (d/rop dp x 1.0) values)))
    (is (= [1.0 2.0 4.0 8.0] (value (d/grad p c) values)))
    (testing "of no coefficients"
      (is (= 0.0 (value dp (assoc values c []))))
      (is (= [] (value (d/grad p c) (assoc values c [])))))))

(defn- grown
  "Multiplies by x until it is above ten; the number of rounds is found by the loop."
  [attrs from]
  (looped (merge {:steps 20, :until true, :params [[:carry 0 0]], :carries [0]
                  :results [[0 1]]}
                 attrs)
          [from]
          (fn [h] (let [h (d/mul h x)] [h (d/gt h 10.0)]))))

(deftest the-rounds-made-are-differentiated
  (let [from (d/input 'from [:f64 [1]]), values {x 1.3, from [1.0]}
        y (d/sum (first (grown {} from)))]
    (is (near? (Math/pow 1.3 9) (value y values)))
    (is (near? (* 9 (Math/pow 1.3 8)) (value (d/grad y x) values)))
    (is (near? (* 9 (Math/pow 1.3 8)) (value (d/rop y x 1.0) values)))
    (is (near? [(Math/pow 1.3 9)] (value (d/grad y from) values)))
    (is (near? (* 72 (Math/pow 1.3 7)) (value (d/grad (d/grad y x) x) values)))
    (is (near? (* 72 (Math/pow 1.3 7)) (value (d/rop (d/grad y x) x 1.0) values)))
    (testing "of the whole trace"
      (let [y (d/sum (first (grown {:results [[0 :all]]} from)))]
        (is (near? (reduce + (map #(* % (Math/pow 1.3 (dec %))) (range 1 10)))
                   (value (d/grad y x) values)))))
    (testing "of no round, where the argument says so"
      (let [y (d/sum (first (looped {:steps 20, :unless 1, :params [[:carry 0 0]], :carries [0]
                                     :results [[0 1]]}
                                    [from (d/gt x 1.0)] d/sqr)))]
        (is (= [1.0] (value (d/grad y from) values)))))))

(deftest rows-behind-the-end-have-no-gradient
  (let [[y] (looped {:steps 'n, :until true, :params [[:each 0 0 1]], :carries []
                     :results [[0 :all]]}
                    [s] (fn [x] [(d/mul x x) (d/gt x 5.0)]))
        values {s (mapv double (range 15))}]
    (is (= (mapv double (concat (range 0 14 2) (repeat 8 0)))
           (value (d/grad (d/sum y) s) values)))))

(deftest a-recurrent-network-in-forward-mode
  (let [random (java.util.Random. 3)
        u (d/input 'u [:f64 [20 5]]), w (d/input 'w [:f64 [5 5]]), h0 (d/input 'h0 [:f64 [1 5]])
        [h] (looped {:steps 20, :params [[:each 0 0 1] [:carry 0 0]], :carries [1]
                     :results [[0 :all]]}
                    [u h0] (fn [u h] (d/tanh (d/add u (d/dot h w)))))
        h (d/slice h :start 1)
        values (into {} (for [e [u w h0]] [e (numbers random (second (d/type-of e)))]))]
    (doseq [a [u w h0]
            :let [type (d/type-of a), v (d/input 'v type), flat (d/flatten h)
                  values (assoc values v (numbers random (second type)))
                  jacobian-v (flatten (value (d/rop h a v) values))]
            i (range 0 100 33)]
      (is (near? (value (d/sum (d/mul v (d/grad (d/sum (d/slice flat :start i :stop (inc i))) a)))
                        values)
                 (nth jacobian-v i))))))

(deftest the-gauss-newton-product
  (let [xs (d/input 'xs [:f64 [6 4]]), w (d/input 'w [:f64 [4 4]])
        [h] (looped {:steps 6, :params [[:each 0 0 1] [:carry 0 0]], :carries [1]
                     :results [[0 :all]]}
                    [xs (d/zeros-like (d/slice xs :stop 1))]
                    (fn [x h] (d/tanh (d/add (d/dot h w) x))))
        h (d/slice h :start 1)
        half (mapv (fn [i] (assoc [0.0 0.0 0.0 0.0] i 0.5)) (range 4))
        product (d/lop h w (d/rop h w (d/ones-like w))), ones (vec (repeat 6 [1.0 1.0 1.0 1.0]))
        right? (fn [found] (every? #(< (abs (- 0.73392899 %)) 1e-8) (flatten found)))
        f (d/function [xs w] product)]
    (is (right? (value product {w half, xs ones})))
    (is (right? (.get ^Tensor (f ones half))))
    (is (= 2 (count (filter #(= :loop (:do %)) (:steps (:program (function/info f)))))))))

;; ## What is elsewhere, too

(defn- both-ways
  "An expression's value, interpreted and compiled, which is asserted to be one."
  [e values]
  (let [found (value e values)]
    (is (= found @(d/eval e values)))
    found))

(deftest the-number-of-steps-has-no-derivative
  (let [n (d/input 'n [:i64 []])
        {:keys [h]} (d/scan {:state {:h {:init 1.0, :keep 1}}, :n-steps n}
                            (fn [{:keys [h]}] {:h (d/mul h x)}))]
    (is (= 12.0 (both-ways (d/grad (d/sum h) x) {n 3, x 2.0})))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"does not depend" (d/grad (d/sum h) n)))))

(deftest choices-mask-infinite-slopes-in-a-round
  (let [y (:y (d/scan {:sequences {:x s}}
                      (fn [{:keys [x]}] {:y (d/where (d/lt x 7) x (d/sqrt (d/sub x 7)))})))]
    (is (= [1.0 ##Inf 0.25] (both-ways (d/grad (d/sum y) s) {s [5.0 7.0 11.0]})))))

(deftest bodies-have-stable-forms
  (let [m (d/input 'm '[:f64 [n 3]])
        y (:y (d/scan {:sequences {:x m}} (fn [{:keys [x]}] {:y (d/log (d/softmax x))})))]
    (is (= [[-2.0 1.0 1.0]] (both-ways (d/grad (d/sum y) m) {m [[1000.0 0.0 -1000.0]]})))))

(deftest floats-of-any-width-and-integers
  (let [a (d/input 'a '[:f32 [n]]), k (d/input 'k '[:i64 [n]])
        y (d/reduce-steps (fn [h {:keys [a k]}] (d/add (d/mul h a) k)) 1.0 {:a a, :k k})
        values {a [0.5 2.0 3.0], k [1 2 3]}]
    (is (= [:f32 ['n]] (d/type-of (d/grad y a))))
    (is (= [6.0 4.5 5.0] (both-ways (d/grad y a) values)))
    (is (= [6.0 3.0 1.0] (both-ways (d/grad y k) values)))
    (is (= [] (value (d/grad y a) {a [], k []})))))
