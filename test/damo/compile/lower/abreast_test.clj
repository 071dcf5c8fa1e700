(ns damo.compile.lower.abreast-test
  "Kernels over short rows, of any number and width around the limits of blocks, against the same
  computed row by row; rows with NaN, zeros of both signs and equal elements; every width of
  vectors."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.abreast :as abreast]
            [damo.core :as d]
            [damo.jit.calling :as calling])
  (:import [damo.codegen Codegen]
           [damo.jit NativeCode]))

(set! *warn-on-reflection* true)

(def ^:private extents
  (for [n [1 2 3 8 9 16 17 32 33], m [0 1 63 64 65 200] :when (< (* m n) 4000)] [m n]))

(defn- matrix [dtype m n]
  (let [x (fn [k] (case dtype
                    :bool (zero? (mod k 3))
                    (:f16 :f32 :f64) (double (- (mod (* 7 k) 13) 6))
                    (- (mod (* 5 k) 11) 5)))]
    (vec (for [r (range m)] (vec (for [c (range n)] (x (+ (* 5 r) (* 3 c)))))))))

(defn- tensor [rows dtype m n] (if (zero? m) (d/zeros [m n] dtype) (d/tensor rows dtype)))

(defn- first-of [f row]
  (let [best (apply f row)] (first (keep-indexed #(when (= best %2) %1) row))))

(def ^:private of-rows
  {"sum" [#(d/sum % :axis 1) #(apply + %)]
   "max" [#(d/max % :axis 1) #(apply max %)]
   "min" [#(d/min % :axis 1) #(apply min %)]
   "prod" [#(d/prod % :axis 1) #(reduce * %)]
   "argmax" [#(d/argmax % :axis 1) #(first-of max %)]
   "argmin" [#(d/argmin % :axis 1) #(first-of min %)]
   "squares" [#(d/sum (d/mul % %) :axis 1) #(apply + (map * % %))]})

(deftest one-number-a-row-test
  (doseq [dtype [:f32 :f64 :f16 :i64 :i32], [what [build reference]] of-rows
          :when (not (and (= what "prod") (not= dtype :f64)))
          :let [x (d/input 'x [dtype ['m 'n]]), f (d/function [x] (build x))]
          [m n] extents :let [rows (matrix dtype m n)]]
    (is (= (map (comp float reference) rows) (map float @(f (tensor rows dtype m n))))
        [what dtype m n])))

(deftest constant-widths-and-more-axes-test
  (doseq [n [2 10 40], [m k] [[1 64] [3 70]]
          :let [x (d/input 'x [:f32 ['k 'm n]])
                f (d/function [x] [(d/argmin x :axis 2) (d/max x :axis -1 :keepdims true)])
                rows (matrix :f32 (* k m) n)
                [at most] (map deref (f (d/tensor (partition m rows) :f32)))]]
    (is (= [(map #(first-of min %) rows) (map #(apply max %) rows)]
           [(flatten at) (map double (flatten most))]) [n m k])))

(deftest truths-and-pairs-test
  (let [x (d/input 'x [:bool ['m 'n]]), y (d/input 'y [:f32 ['m 'n]])
        f (d/function [x] [(d/any x :axis 1) (d/all x :axis 1)])
        g (d/function [y] (let [[most at] (d/max-and-argmax y :axis 1)]
                            [most at (d/any (d/gt y 3) :axis 1)]))]
    (doseq [[m n] extents
            :let [truths (matrix :bool m n), rows (matrix :f32 m n)]]
      (is (= [(map #(boolean (some true? %)) truths) (map #(every? true? %) truths)]
             (map deref (f (tensor truths :bool m n)))) [m n])
      (is (= [(map #(apply max %) rows) (map #(first-of max %) rows)
              (map #(boolean (some (fn [v] (< 3 v)) %)) rows)]
             (update (mapv deref (g (tensor rows :f32 m n))) 0 #(map double %))) [m n]))))

(defn- near? [xs ys]
  (every? true? (map #(< (abs (- (double %1) (double %2))) (* 1e-5 (max 1 (abs (double %1)))))
                     (flatten xs) (flatten ys))))

(defn- softmax [row]
  (let [es (map #(Math/exp %) row), sum (apply + es)] (map #(/ % sum) es)))

(defn- variance [row]
  (let [mean (/ (apply + row) (count row))]
    (/ (apply + (map #(* (- % mean) (- % mean)) row)) (count row))))

(deftest what-is-written-along-rows-test
  (let [x (d/input 'x [:f32 ['m 'n]]), y (d/input 'y [:i64 ['m]])
        loss (d/mean (d/cross-entropy x y))
        f (d/function [x] [(d/softmax x) (d/var x :axis 1) (d/log-softmax x)])
        g (d/function [x y] [loss (d/grad loss x)])]
    (doseq [[m n] extents :when (pos? m)
            :let [rows (matrix :f32 m n), labels (map #(mod % n) (range m)), all (map softmax rows)
                  [p v l] (map deref (f (d/tensor rows :f32)))
                  [cost slope] (map deref (g (d/tensor rows :f32) (d/tensor labels :i64)))]]
      (is (near? all p) [m n])
      (is (near? (map variance rows) v) [m n])
      (is (near? (map #(map (fn [q] (Math/log q)) %) all) l) [m n])
      (is (near? [(/ (apply + (map #(- (Math/log (nth %1 %2))) all labels)) m)] [cost]) [m n])
      (is (near? (map (fn [q k] (map-indexed #(/ (if (= %1 k) (- %2 1) %2) m) q)) all labels) slope)
          [m n]))))

(deftest a-wrong-label-is-told-test
  (let [x (d/input 'x [:f32 ['m 'n]]), y (d/input 'y [:i64 ['m]])
        f (d/function [x y] (d/sum (d/cross-entropy x y)))]
    (doseq [at [0 70 129] :let [labels (assoc (vec (repeat 130 1)) at 3)]]
      (is (thrown-with-msg? Exception #"index"
                            (f (d/tensor (matrix :f32 130 3) :f32) (d/tensor labels :i64)))))))

(deftest nan-and-zeros-test
  (let [bits #(Double/doubleToLongBits (double %))
        rows [[##NaN 1 2] [1 ##NaN ##NaN] [-0.0 0.0 -0.0] [0.0 -0.0 -0.0] [-0.0 -0.0 -1]
              [##Inf ##NaN ##-Inf] [##-Inf ##-Inf ##-Inf] [2 3 3] [-1 -0.0 0.0]]
        wanted [[[##NaN 0] [##NaN 1] [0.0 0] [0.0 0] [-0.0 0] [##NaN 1] [##-Inf 0] [3 1] [0.0 1]]
                [[##NaN 0] [##NaN 1] [-0.0 0] [-0.0 0] [-1 2] [##NaN 1] [##-Inf 0] [2 0] [-1 0]]]]
    (doseq [dtype [:f32 :f64], widen [3 40]
            :let [x (d/input 'x [dtype ['m 'n]])
                  f (d/function [x] [(d/max x :axis 1) (d/argmax x :axis 1)
                                     (d/min x :axis 1) (d/argmin x :axis 1)])
                  wide (for [row rows] (concat row (repeat (- widen 3) (last row))))
                  [a b c e] (map deref (f (d/tensor (take 99 (cycle wide)) dtype)))
                  pairs (fn [vs ks] (map (fn [v k] [(bits v) k]) vs ks))]]
      (is (= (take 99 (cycle (pairs (map first (first wanted)) (map second (first wanted)))))
             (pairs a b)) [dtype widen])
      (is (= (take 99 (cycle (pairs (map first (second wanted)) (map second (second wanted)))))
             (pairs c e)) [dtype widen]))))

(deftest every-width-of-vectors-test
  (let [x (d/input 'x [:f32 ['m 'n]])
        program (d/program (d/function [x] [(d/argmax x :axis 1) (d/sum (d/exp x) :axis 1)]))]
    (doseq [bits [128 256 512], [m n] [[70 3] [130 10] [64 31]]
            :let [rows (matrix :f32 m n), {:keys [buffers]} program
                  room (fn [{:keys [dtype kind]}]
                         (case kind
                           :input (flatten rows)
                           (repeat (* m n) (if (= :i64 dtype) 0 0.0))))]]
      (with-open [^NativeCode code (NativeCode/compile
                                    (Codegen/module (calling/read-program program) (int bits)))]
        (let [{:keys [status buffers]} (calling/run code program [m n] (map room buffers))
              outputs (keep (fn [[b v]] (when (= :output (:kind b)) (take m v)))
                            (map vector (:buffers program) buffers))]
          (is (= 0 status))
          (is (= (map #(first-of max %) rows) (first outputs)) [bits m n])
          (is (near? (map #(apply + (map (fn [v] (Math/exp v)) %)) rows)
                     (map #(* 1.0 %) (second outputs))) [bits m n]))))))

(deftest what-is-left-alone-test
  (let [nest '[:for i m [:var a [:const :f32 0]]
               [:for j n [:acc :maximum a [:load 0 [:+ [:* i n] j]]]] [:store 1 i a]]
        blocks #(count (abreast/abreast {0 :f32, 1 :f32} (constantly true) [%]))]
    (is (= 2 (blocks nest)))
    (testing "rows that are known to be wide, what lies otherwise, what is no line of its own"
      (doseq [[at other] {[4 2] 100, [4 3 3 2] '[:+ [:* i n] [:* 2 j]], [5 2] 0
                          [5 3] [:load 1 [:+ 'i 1]]}]
        (is (= 1 (blocks (assoc-in nest at other))) [at other])))
    (is (= [nest] (abreast/abreast {0 :f32, 1 :f32} (constantly false) [nest])))))
