(ns damo.codegen.turned-copy-test
  "Copies of transposed matrices: by tiles in registers where there is a whole one, at every width,
  for elements of every size, whatever the extents and strides; nothing beyond them is written."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)))

(set! *warn-on-reflection* true)

(defn- copying
  "A program that copies y[r c] = x[c r], lines of x being so many elements longer than needed, and
  those of y likewise."
  [dtype more named?]
  (let [load [:load 0 [:+ [:* 'c [:+ 'm more]] 'r]], at [:+ [:* [:+ 'n more] 'r] 'c]]
    (calling/program '[m n] [[dtype :in [:* 'n [:+ 'm more]]] [dtype :inout [:* 'm [:+ 'n more]]]]
                     [[:for 'r 'm
                       (if named?
                         [:for 'c 'n [:let 'v load] [:store 1 at 'v]]
                         [:for 'c 'n [:store 1 at load]])]])))

(defn- value [dtype k]
  (case dtype
    :bool (odd? (Long/bitCount k))
    (:i8 :u8) (mod (* 7 k) 127)
    (:f16 :bf16) (double (mod (* 7 k) 251))
    (:f32 :f64) (double k)
    k))

(defn- expected [dtype m n more x]
  (vec (for [r (range m), c (range (+ n more))]
         (if (< c n) (x (+ (* c (+ m more)) r)) (value dtype 0)))))

(def ^:private extents
  [[0 0] [0 5] [5 0] [1 1] [1 40] [40 1] [2 2] [3 4] [4 3] [15 16] [16 15] [16 16] [17 33] [64 64]
   [65 63] [31 300] [300 18] [3 50] [50 3] [7 8] [8 7] [5 33] [33 5] [9 10] [12 100] [100 13]])

(defn- checked [^NativeCode code dtype more]
  (with-open [code code]
    (doseq [[m n] extents
            :let [x (mapv #(value dtype (inc %)) (range (* n (+ m more))))
                  {:keys [status buffers]} (calling/run
                                            code (copying dtype more true) [m n]
                                            [x (repeat (* m (+ n more)) (value dtype 0))
                                             (repeat m 0) (repeat n 0)])]]
      (is (= [0 (expected dtype m n more x)] [status (second buffers)]) [dtype m n more]))))

(deftest tiles-are-turned-test
  (doseq [bits [128 256 512], dtype [:f64 :f32 :i16 :u8]]
    (testing bits
      (checked (NativeCode/compile (Codegen/module (calling/read-program (copying dtype 0 true))
                                                   bits))
               dtype 0))))

(deftest every-dtype-and-stride-test
  (doseq [dtype [:f64 :f32 :f16 :bf16 :i64 :i32 :i16 :i8 :u8 :bool], more [0 3]]
    (checked (calling/compile-program (copying dtype more (= more 0))) dtype more)))

(deftest lines-that-overlap-are-written-in-order
  (doseq [[m n by] [[40 50 3] [50 40 39] [16 16 1] [33 40 40]], sign [1 -1]
          :let [base (if (pos? sign) 0 (* by (dec m)))
                size (+ n (* by (dec m)))
                program (calling/program
                         '[m n] [[:f32 :in '[:* n m]] [:f32 :inout size]]
                         [[:for 'r 'm
                           [:for 'c 'n
                            [:store 1 [:+ 'c (if (pos? sign) [:* by 'r] [:- base [:* by 'r]])]
                             [:load 0 [:+ [:* 'c 'm] 'r]]]]]])
                x (mapv double (range 1 (inc (* n m))))
                expected (reduce (fn [y [r c]] (assoc y (+ c base (* sign by r)) (x (+ (* c m) r))))
                                 (vec (repeat size 0.0)) (for [r (range m), c (range n)] [r c]))]]
    (is (= expected (second (:buffers (calling/call program [m n] [x (repeat size 0.0)
                                                                   (repeat m 0) (repeat n 0)]))))
        [m n by sign])))

(deftest loops-around-nothing-are-no-copies
  (let [program (calling/program '[m n] [[:f32 :inout 'n]] '[[:for i m [:for j n]]])]
    (is (= 0 (:status (calling/call program [2 3] [[1.0 2.0 3.0] [0 0] [0 0 0]]))))))

(deftest bits-are-kept-test
  (let [program (copying :f32 0 true)
        odd [Float/NaN -0.0 0.0 Float/POSITIVE_INFINITY Float/MIN_VALUE]
        x (vec (take (* 20 20) (cycle odd)))
        {[_ y] :buffers} (calling/call program [20 20] [x (repeat 400 1) (repeat 20 0)
                                                        (repeat 20 0)])]
    (is (= (mapv #(Float/floatToRawIntBits (float %)) (expected :f32 20 20 0 x))
           (mapv #(Float/floatToRawIntBits (float %)) y)))))
