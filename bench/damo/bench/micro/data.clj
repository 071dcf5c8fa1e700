(ns damo.bench.micro.data
  "The arguments of the rows of `bin/damo bench micro`, the same numbers in every program, and a
  check of results. (argument-text {:dtype :f32, :shape [60 784], :lo -1, :hi 1}) =>
  \"f32:60x784:-1:1\"."
  (:require [clojure.string :as str]
            [damo.bench.task :as task]
            [damo.core :as d])
  (:import [damo.tensor DType Tensor]
           [java.lang.foreign MemorySegment]))

(set! *warn-on-reflection* true)

(defn argument-text
  "An argument as the peers read it: dtype, shape, range."
  [{:keys [dtype shape lo hi]}]
  (str (name dtype) ":" (str/join "x" shape) ":" lo ":" hi))

(defn- whole? [dtype]
  (contains? #{:i64 :i32 :i16 :i8 :u8} dtype))

(defn doubles-of
  "Numbers of a stream, uniform from lo to hi."
  ^doubles [stream n lo hi]
  (let [stream (long stream), lo (double lo), width (- (double hi) lo), out (double-array n)]
    (dotimes [i n]
      (let [h (unsigned-bit-shift-right (task/hash32 stream i) 8)]
        (aset out i (+ (* (/ h 16777216.0) width) lo))))
    out))

(defn longs-of
  "Whole numbers of a stream, from lo to hi - 1."
  ^longs [stream n lo hi]
  (let [stream (long stream), lo (long lo), width (- (long hi) lo), out (long-array n)]
    (dotimes [i n]
      (aset out i (+ lo (rem (task/hash32 stream i) width))))
    out))

(defn- floats-of ^floats [^doubles numbers]
  (let [out (float-array (alength numbers))]
    (dotimes [i (alength numbers)] (aset out i (float (aget numbers i))))
    out))

(defn- tensor ^Tensor [dtype shape ^MemorySegment segment]
  (let [t (Tensor/uninitialized (DType/of dtype) (long-array shape))]
    (.copyFrom (.segment t) segment)
    t))

(defn- converted
  "A tensor of the dtype with the values of another."
  [dtype t]
  (let [x (d/input 'x [(d/dtype t) (d/shape t)])]
    ((d/function [x] (d/cast x :dtype dtype)) t)))

(defn argument
  "The tensor of an argument, of the stream of its position."
  [position {:keys [dtype shape lo hi]}]
  (let [n (reduce * 1 shape), stream (inc position)]
    (if (whole? dtype)
      (let [t (tensor "i64" shape (MemorySegment/ofArray (longs-of stream n lo hi)))]
        (if (= :i64 dtype) t (converted dtype t)))
      (let [numbers (doubles-of stream n lo hi)]
        (case dtype
          :f64 (tensor "f64" shape (MemorySegment/ofArray numbers))
          :f32 (tensor "f32" shape (MemorySegment/ofArray (floats-of numbers)))
          (converted dtype (tensor "f32" shape (MemorySegment/ofArray (floats-of numbers)))))))))

;; ## Checks

(defn- samples
  "Of a tensor every k-th element, so that there are some 4096."
  [t]
  (let [n (reduce * 1 (d/shape t)), x (d/input 'x [(d/dtype t) (d/shape t)])
        step (max 1 (quot n 4096))
        flat (d/reshape x :shape [n])
        picked (if (pos? n) (d/take flat (d/arange 0 n step)) flat)]
    (map #(if (boolean? %) (if % 1.0 0.0) (double %))
         @((d/function [x] picked) t))))

(defn check
  "[sum size] of results: the sum of samples, each times a weight from 1 to 7, and of their
  magnitudes."
  [tensors]
  (reduce (fn [[total size] t]
            (let [weighted (map-indexed (fn [i x] (* (inc (rem i 7)) (double x))) (samples t))]
              [(+ total (reduce + 0.0 weighted)) (+ size (reduce + 0.0 (map abs weighted)))]))
          [0.0 0.0] tensors))

(defn agree?
  "Are two checks those of the same results, but for rounding in results of that dtype?"
  [dtype [sum size] [other-sum other-size]]
  (let [bound (* (max size other-size) ({:bf16 2e-2, :f16 2e-3} dtype 2e-4))]
    (and (<= (abs (- sum other-sum)) bound) (<= (abs (- size other-size)) bound))))
