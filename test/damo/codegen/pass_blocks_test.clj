(ns damo.codegen.pass-blocks-test
  "Passes over matrices so large that threads share their rows: what one thread gives is near to
  what plain loops give, and any number of threads gives the same bits, product and update together
  or apart, in one call and in many."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(defn- numbers ^doubles [seed n]
  (let [r (Random. (long seed))]
    (double-array (repeatedly n #(double (float (* 0.1 (.nextGaussian r))))))))

(defn- tensor [t shape ^doubles data]
  (d/reshape (d/tensor (vec data) t) shape))

(defn- results
  "The bits of what steps give: y ← x w with the w of the step before, z ← w g, w ← w - xᵀ g."
  [t [rows columns] threads]
  (d/set-threads! threads)
  (let [w (d/shared 'w (d/eval (tensor t [rows columns] (numbers 1 (* rows columns)))))
        x (d/input 'x [t [1 rows]]), g (d/input 'g [t [1 columns]])
        f (d/function [x g] [(d/dot x w) (d/dot g (d/transpose w))]
                      {:updates {w (d/sub w (d/dot (d/transpose x) g))}})
        xs (d/eval (tensor t [1 rows] (numbers 2 rows)))
        gs (d/eval (tensor t [1 columns] (numbers 3 columns)))
        bits #(vec (d/->array %))]
    [(mapv bits (f xs gs)) (mapv bits (f xs gs)) (mapv bits (d/call-n f 3 xs gs))
     (bits (d/value w))]))

(defn- plain
  "The products of the first call by loops of doubles: [x w, w g]."
  [[^long rows ^long columns]]
  (let [^doubles w (numbers 1 (* rows columns)), ^doubles x (numbers 2 rows)
        ^doubles g (numbers 3 columns)
        y (double-array columns), z (double-array rows)]
    (dotimes [i rows]
      (dotimes [j (long columns)]
        (let [e (aget w (+ (* i columns) j))]
          (aset y j (+ (aget y j) (* (aget x i) e)))
          (aset z i (+ (aget z i) (* (aget g j) e))))))
    [(vec y) (vec z)]))

(defn- near? [xs ys]
  (and (= (count xs) (count ys)) (every? true? (map #(< (abs (- (double %1) %2)) 1e-4) xs ys))))

(deftest threads-share-rows
  (try
    (doseq [[t shape] [[:f32 [300 1000]] [:f64 [520 700]] [:f32 [1031 517]] [:f64 [65 1100]]
                       [:f32 [40 20000]] [:f64 [4000 70]]]]
      (testing [t shape]
        (let [one (results t shape 1)]
          (is (every? true? (map near? (first one) (plain shape))))
          (doseq [threads [2 3 5 2]]
            (is (= one (results t shape threads)) threads)))))
    (finally (d/set-threads! 1))))
