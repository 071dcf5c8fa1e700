(ns damo.ops.conv.pool-test
  (:require [clojure.test :refer [are deftest is]]
            [damo.core :as d]
            [damo.nn :as nn])
  (:import [clojure.lang ExceptionInfo]
           [java.util Random]))

(set! *warn-on-reflection* true)

(defn- naive
  "Pooling of a plane of numbers, a vector of rows, by its definition; `f` takes what lies in a
  window, nil for what is padding, and whether it lies in the padded plane."
  [f plane {[kh kw] :window, [sh sw] :strides, [[t b] [l r]] :padding, :keys [ceil]}]
  (let [h (count plane), w (count (first plane))
        extent (fn [n k s lo hi]
                 (let [span (- (+ n lo hi) k), fit (inc (quot span s))]
                   (if ceil
                     (let [up (inc (quot (+ span s -1) s))]
                       (if (<= (+ n lo) (* s (dec up))) (dec up) up))
                     fit)))]
    (vec (for [i (range (extent h kh sh t b))]
           (vec (for [j (range (extent w kw sw l r))]
                  (f (for [y (range (- (* i sh) t) (+ (- (* i sh) t) kh)) :when (< y (+ h b))
                           x (range (- (* j sw) l) (+ (- (* j sw) l) kw)) :when (< x (+ w r))]
                       (get-in plane [y x])))))))))

(def ^:private meanings
  {nn/max-pool2d [{} #(reduce max (remove nil? %))]
   nn/sum-pool2d [{} #(reduce + 0.0 (remove nil? %))]
   nn/avg-pool2d [{} #(let [xs (remove nil? %)] (/ (reduce + 0.0 xs) (count xs)))]})

(def ^:private with-padding
  [{:count-padding true} #(/ (reduce + 0.0 (map (fn [x] (or x 0.0)) %)) (count %))])

(defn- same? [a b]
  (let [a (flatten a), b (flatten b)]
    (and (= (count a) (count b))
         (every? true? (map #(< (Math/abs (- (double %1) (double %2))) 1e-9) a b)))))

(deftest pooling-is-what-it-says
  (let [random (Random. 5), pick (fn [lo n] (+ (long lo) (.nextInt random (int n))))
        pools (conj (vec meanings) [nn/avg-pool2d with-padding])]
    (doseq [_ (range 4)
            :let [[kh kw] [(pick 1 3) (pick 1 3)], pad (fn [k] [(pick 0 k) (pick 0 k)])
                  o {:window [kh kw], :strides [(pick 1 3) (pick 1 3)]
                     :padding [(pad kh) (pad kw)]}
                  h (pick 3 5), w (pick 3 5), ceil (zero? (long (pick 0 2)))
                  plane (vec (repeatedly h (fn [] (vec (repeatedly w #(.nextGaussian random))))))
                  pooled (fn [x] (mapv (fn [[pool [more _]]]
                                         (pool x (merge o more {:ignore-border (not ceil)})))
                                       pools))]
            shape [[1 1 h w] ['n 1 'h 'w]]
            :let [x (d/input 'x [:f64 shape]), results ((d/function [x] (pooled x)) [[plane]])]]
      (doseq [[[_ [more f]] result] (map vector pools results)]
        (is (same? (naive f plane (assoc o :ceil ceil)) @result) (pr-str o more shape))))))

(deftest derivatives-in-both-modes
  (let [pools [#(nn/max-pool2d % :window 2) #(nn/max-pool2d % :window 3 :strides 2 :padding 1)
               #(nn/avg-pool2d % :window 2 :strides 1 :ignore-border false)
               #(nn/local-response-norm % :size 3 :alpha 0.5)]
        total (fn [f] (fn [& xs] (reduce d/add (map f pools xs))))
        data (mapv #(deref (d/random :normal [2 3 5 4] :seed % :dtype :f64)) (range 3 7))]
    (is (:relative (d/verify-grad (total #(d/sum (d/sqr (%1 %2)))) data)))
    (is (:relative (d/verify-grad
                    (total (fn [pool x] (d/sum (d/sqr (d/grad (d/sum (d/exp (pool x))) x)))))
                    data))
        "of the gradient")))

(deftest equal-elements-all-take-the-gradient
  (let [x (d/input 'x [:f64 [1 1 2 2]])]
    (is (= [[[[1.0 1.0] [0.0 1.0]]]]
           @(d/eval (d/grad (d/sum (nn/max-pool2d x :window 2)) x) {x [[[[3 3] [2 3]]]]})))))

(deftest neighbours
  (let [x (d/input 'x [:i64 ['n 1 4 4]])]
    (is (= [[0 1 4 5] [2 3 6 7] [8 9 12 13] [10 11 14 15]]
           @(d/eval (nn/images-to-neighbours x :window [2 2]) {x [[(partition 4 (range 16))]]})))))

(deftest integers-and-empty-batches
  (let [x (d/input 'x [:i32 ['n 1 2 2]])]
    (is (= [[[[4]]]] @(d/eval (nn/max-pool2d x :window 2) {x [[[[1 2] [4 3]]]]})))
    (is (= [:i64 ['n 1 1 1]] (d/type-of (nn/sum-pool2d x :window 2))))
    (is (= [0 1 1 1] (d/shape (d/eval (nn/max-pool2d x :window 2) {x (d/zeros [0 1 2 2] :i32)}))))))

(defn- error [make] (try (make) nil (catch ExceptionInfo e (:damo/error (ex-data e)))))

(deftest wrong-arguments-are-named
  (let [x (d/input 'x [:f32 [2 3 4 5]])]
    (are [kind call] (= kind (error (fn [] call)))
      :damo.op.pool/bad-attribute (nn/max-pool2d x :window 0)
      :damo.op.pool/bad-attribute (nn/max-pool2d x :window [2 2 2])
      :damo.op.pool/bad-attribute (nn/max-pool2d x :window 2 :padding -1)
      :damo.op.pool/wide-padding (nn/max-pool2d x :window 2 :padding 2)
      :damo.op.pool/no-place (nn/avg-pool2d x :window 5)
      :damo.op.pool/rank-mismatch (nn/max-pool1d x :window 2)
      :damo.op.typing/bad-dtype (nn/max-pool2d (d/gt x 0) :window 2)
      :damo.op.typing/bad-dtype (nn/avg-pool2d (d/cast x :dtype :i32) :window 2)
      :damo.op/missing-attribute (nn/max-pool2d x)
      :damo.op.neighbours/does-not-fit (nn/images-to-neighbours x :window 2)
      :damo.nn/no-channels (nn/local-response-norm (d/zeros [3])))
    (is (string? (try (d/eval (nn/max-pool2d (d/input 'y [:f32 ['n 1 'h 'w]]) :window 3)
                              {'y (d/zeros [1 1 2 2] :f32)})
                      (catch ExceptionInfo e (ex-message e)))))))
