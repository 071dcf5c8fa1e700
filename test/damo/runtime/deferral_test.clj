(ns damo.runtime.deferral-test
  "Several calls in native code, of which an update of one and the product of the next are one pass
  over the matrix: the values are those of calls made one by one, to the bit."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.function :as function])
  (:import (damo.runtime Function)
           (damo.tensor Tensor)
           (damo.verify Deferrals)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- numbers [^Random r n] (vec (repeatedly n #(* 0.1 (.nextGaussian r)))))

(defn- random [r dtype [rows columns]]
  (d/tensor (if columns (mapv vec (partition columns (numbers r (* rows columns))))
                (numbers r rows))
            dtype))

(defn- seen [x] (cond (instance? Tensor x) @x (sequential? x) (mapv seen x) :else x))

;; ## Functions that begin with a product by a matrix and end with an update of it

(defn- learner
  "{:f function, :states [shared …]}: x [m R] is data, or its row i, or that as a vector; products
  with w [R N] and with v the other way; updates of both with a factor that changes. With :watched,
  both are looked at before, so that no update may wait; with :fails, the sixth of some calls does."
  [dtype [rows columns] {:keys [form watched fails]}]
  (let [r (Random. 11)
        [w v] (for [s '[w v]] (d/shared s (random r dtype [rows columns])))
        i (d/shared 'i (d/tensor 0 :i64)), rate (d/shared 'rate (d/tensor 0.02 dtype))
        data (d/input 'data [dtype ['n rows]])
        x (case form
            :whole data
            :row (d/expand-dims (d/take data i) 0)
            :vector (d/take data i))
        look (fn [s] (d/mul 1e-30 (d/consider-constant (d/take (d/take s 0) 0))))
        x (if watched (d/add x (d/add (look w) (look v))) x)
        y (d/tanh (d/dot x w))
        z (d/tanh (d/dot y (d/transpose v)))
        loss (d/add (d/sum (d/sqr z)) (d/sum (d/mul y 0.3)))
        last-row (if fails (d/take (d/arange 6) i) i)]
    {:f (d/function [data] [loss last-row]
                    {:updates (into {i (d/mod (d/add i 1) 7), rate (d/mul rate 0.9)}
                                    (map (fn [s g] [s (d/sub s (d/mul rate g))])
                                         [w v] (d/grad loss [w v])))})
     :states [w v i rate]}))

(defn- data [dtype rows n] (random (Random. 5) dtype [n rows]))

(defn- state [{:keys [states]}] (seen (mapv d/value states)))

(defn- waiting
  "The number of updates of a function that may wait."
  [{:keys [f]}]
  (let [core (volatile! nil)]
    (function/call-with f #(do (vreset! core %) (object-array 9)))
    (count (Deferrals/of (.program ^Function @core)))))

(defn- near? [x y]
  (every? true? (map #(< (abs (- %1 %2)) (* 1e-4 (+ 0.2 (abs %2)))) (flatten x) (flatten y))))

(deftest several-calls-are-calls-one-by-one
  (doseq [[dtype shape form] [[:f32 [200 130] :row] [:f32 [131 257] :whole] [:f64 [77 129] :vector]
                              [:f32 [1500 11] :whole] [:f64 [9 1001] :row] [:f32 [40 40] :row]]
          :let [x (data dtype (first shape) (if (= form :whole) 1 7))
                [a b c] (for [watched [false false true]]
                          (learner dtype shape {:form form, :watched watched}))]]
    (is (= [2 0] (mapv waiting [a c])))
    (doseq [n [1 2 3 9]]
      (let [one-by-one (seen (last (repeatedly n #((:f a) x))))
            at-once (seen (d/call-n (:f b) n x))
            apart (seen (d/call-n (:f c) n x))]
        (testing [dtype shape form n]
          (is (= one-by-one at-once))
          (is (= (state a) (state b)))
          (is (near? (state c) (state a)) "as without")
          (is (near? apart at-once)))))))

(deftest threads-change-no-bit
  (let [x (data :f32 700 7)
        [a b] (repeatedly 2 #(learner :f32 [700 900] {:form :row}))]
    (try
      (d/set-threads! 2)
      (d/call-n (:f a) 5 x)
      (d/set-threads! 1)
      (d/call-n (:f b) 5 x)
      (is (= (state a) (state b)))
      (finally (d/set-threads! 1)))))

(deftest what-failed-leaves-nothing-behind
  (let [x (data :f32 150 7)
        [a b] (repeatedly 2 #(learner :f32 [150 160] {:form :row, :fails true}))]
    (is (thrown-with-msg? Exception #"index" (d/call-n (:f a) 7 x)))
    (is (= (state a) (state b)))
    (is (= (seen (d/call-n (:f a) 4 x)) (seen (last (repeatedly 4 #((:f b) x))))))
    (is (= (state a) (state b)))
    (is (thrown-with-msg? Exception #"index" (d/call-n (:f a) 4 x)))
    (is (= (seen ((:f a) x)) (seen ((:f b) x))))
    (is (= (state a) (state b)))))

(deftest batches-of-any-size-in-turn
  (let [one (data :f32 96 1), five (data :f32 96 5)
        [a b] (repeatedly 2 #(learner :f32 [96 256] {:form :whole, :watched false}))
        c (learner :f32 [96 256] {:form :whole, :watched true})
        r (Random. 2)]
    (dotimes [_ 30]
      (let [x (if (zero? (.nextInt r 3)) five one), n (inc (.nextInt r 6))]
        (d/call-n (:f a) n x)
        (dotimes [_ n] ((:f b) x))
        (dotimes [_ n] ((:f c) x))
        (is (near? (state a) (state c)))
        (is (near? (state b) (state c)))))))

(deftest one-pass-is-over-one-matrix
  (let [n 9000, ones (vec (repeat n 1.0))
        made (fn []
               (let [[v w] (for [[s data] [['v [ones]] ['w (mapv vector ones)]]]
                             (d/shared s (d/tensor data :f64)))
                     x (d/input 'x [:f64 [1 n]])]
                 {:f (d/function [x] (d/dot v w)
                                 {:updates {v (d/add v (d/dot (d/ones [1 1] :f64) x))
                                            w (d/add w (d/dot (d/transpose x)
                                                              (d/ones [1 1] :f64)))}})
                  :states [v w]}))
        [a b] (repeatedly 2 made), x (d/tensor [ones] :f64)]
    (is (= (seen (last (repeatedly 4 #((:f a) x)))) (seen (d/call-n (:f b) 4 x))))
    (is (= (state a) (state b)))))

(deftest operands-of-another-dtype
  (doseq [dtype [:bf16 :f16]
          :let [x (data dtype 64 1)
                made (fn []
                       (let [w (d/shared 'w (random (Random. 11) :f32 [64 300]))
                             given (d/input 'x [dtype [1 64]])
                             y (d/dot (d/cast given :dtype :f32) w), loss (d/sum (d/sqr y))]
                         {:f (d/function [given] loss
                                         {:updates {w (d/sub w (d/mul 0.01 (d/grad loss w)))}})
                          :states [w]}))
                [a b] (repeatedly 2 made)]]
    (testing dtype
      (dotimes [_ 5] ((:f a) x))
      (d/call-n (:f b) 5 x)
      (is (= (state a) (state b))))))
