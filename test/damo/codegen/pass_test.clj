(ns damo.codegen.pass-test
  "An update of a matrix and the product of the next call in one pass over it: at every width of
  vectors, for both ways in which the product goes over the matrix, every shape around a vector."
  (:require [clojure.test :refer [deftest is]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)
           (damo.verify CallTable)
           (java.lang.foreign Arena)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- program
  "y ← factor·(x w or w x) + beta·y, then w ← w + alpha·a·b, for w [rows columns]."
  [t rows columns sums? turned? beta]
  (let [[from to] (if sums? [rows columns] [columns rows])
        matrix {:buffer 0 :offset 0 :strides (if (= sums? (not turned?)) [columns 1] [1 columns])}
        step {:do :gemm :dtype t :alpha 0.5 :beta beta}
        param (fn [name size] {:name name :dtype t :shape [size]})]
    {:damo/program 1 :name "pass" :dims [] :consts [] :kernels [] :notes []
     :buffers (map (fn [kind size] {:dtype t :size size :kind kind})
                   [:state :state :input :input :input] [(* rows columns) to from rows columns])
     :inputs [(assoc (param "x" from) :buffer 2) (assoc (param "a" rows) :buffer 3)
              (assoc (param "b" columns) :buffer 4)]
     :state [{:name "w" :dtype t :shape [rows columns] :buffer 0 :written true}
             (assoc (param "y" to) :buffer 1 :written true)]
     :outputs []
     :steps [(if turned?
               (merge step {:m to :n 1 :k from :a matrix
                            :b {:buffer 2 :offset 0 :strides [1 1]}
                            :c {:buffer 1 :offset 0 :strides [1 1]}})
               (merge step {:m 1 :n to :k from :b matrix
                            :a {:buffer 2 :offset 0 :strides [from 1]}
                            :c {:buffer 1 :offset 0 :strides [to 1]}}))
             {:do :gemm :dtype t :m rows :n columns :k 1 :alpha -2.0 :beta 1.0
              :a {:buffer 3 :offset 0 :strides [1 rows]}
              :b {:buffer 4 :offset 0 :strides [columns 1]}
              :c {:buffer 0 :offset 0 :strides [columns 1]}}]}))

(defn- expected
  "w and y after so many calls."
  [[rows columns] sums? beta [w y x a b] times]
  (if (zero? times)
    [w y]
    (recur [rows columns] sums? beta
           [(vec (for [i (range rows), j (range columns)]
                   (- (w (+ (* i columns) j)) (* 2.0 (a i) (b j)))))
            (vec (map-indexed
                  (fn [at old]
                    (let [terms (if sums?
                                  (for [i (range rows)] (* (x i) (w (+ (* i columns) at))))
                                  (for [j (range columns)] (* (x j) (w (+ (* at columns) j)))))]
                      (+ (* 0.5 (reduce + 0.0 terms)) (if (zero? beta) 0.0 (* beta old)))))
                  y))
            x a b]
           (dec times))))

(defn- near? [x y] (every? true? (map #(< (abs (- %1 %2)) 1e-4) x y)))

(deftest every-width-and-shape
  (let [r (Random. 9)
        numbers (fn [n] (vec (repeatedly n #(double (float (.nextGaussian r))))))
        extents [1 2 3 4 7 8 9 16 17 33]]
    (doseq [t [:f32 :f64], width [128 256 512], sums? [true false], turned? [true false]
            [rows columns] (partition 2 (repeatedly 6 #(nth extents (.nextInt r 10))))
            :let [beta (nth [0.0 0.25] (.nextInt r 2))
                  p (program t rows columns sums? turned? beta)
                  read-in (calling/read-program p)
                  [from to] (if sums? [rows columns] [columns rows])
                  all (mapv numbers [(* rows columns) to from rows columns])]]
      (is (= 1 (count (.deferrals (CallTable/of read-in)))))
      (with-open [code (NativeCode/compile (Codegen/module read-in (int width)))
                  arena (Arena/ofShared)]
        (let [spare (.address (.allocate ^Arena arena (long (* 8 (+ 16 rows columns))) 64))
              {:keys [status] [w y] :buffers}
              (calling/run code p [0 columns 0 1 0 spare] all :times 3)
              [w' y'] (expected [rows columns] sums? beta all 3)]
          (is (zero? status))
          (is (near? w w') [t width sums? turned? rows columns])
          (is (near? y y') [t width sums? turned? rows columns beta]))))))
