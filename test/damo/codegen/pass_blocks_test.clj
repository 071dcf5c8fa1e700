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

(defn- tensor [t shape seed]
  (d/tensor (vec (numbers seed (reduce * shape))) t :shape shape))

(defn- runner
  "A function of a number of threads: the bits of what steps give from the same state on, y ← x w
  with the w before the step, z ← w g, w ← w - xᵀ g."
  [t [rows columns]]
  (let [start (tensor t [rows columns] 1), w (d/shared 'w start)
        x (d/input 'x [t [1 rows]]), g (d/input 'g [t [1 columns]])
        f (d/function [x g] [(d/dot x w) (d/dot g (d/transpose w))]
                      {:updates {w (d/sub w (d/dot (d/transpose x) g))}})
        xs (tensor t [1 rows] 2), gs (tensor t [1 columns] 3)
        bits #(vec (d/->array %))]
    (fn [threads]
      (d/set-threads! threads)
      (d/set-value! w start)
      [(mapv bits (f xs gs)) (mapv bits (f xs gs)) (mapv bits (d/call-n f 3 xs gs))
       (bits (d/value w))])))

(defn- plain
  "The products of the first call by loops of doubles: [x w, w g]."
  [[rows columns]]
  (let [rows (long rows), columns (long columns), ^doubles w (numbers 1 (* rows columns))
        ^doubles x (numbers 2 rows), ^doubles g (numbers 3 columns)
        y (double-array columns), z (double-array rows)]
    (dotimes [i rows]
      (dotimes [j columns]
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
        (let [results (runner t shape), one (results 1)]
          (is (every? true? (map near? (first one) (plain shape))))
          (doseq [threads [2 3 5 2]]
            (is (= one (results threads)) threads)))))
    (finally (d/set-threads! 1))))
