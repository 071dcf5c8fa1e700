(ns damo.tensor.tensor-test
  "Tensors: what they are made of, how they read as lists and futures, views, text."
  (:require [clojure.test :refer [deftest is testing]])
  (:import (damo DamoException)
           (damo.tensor DType Tensor)
           (java.util List)
           (java.util.concurrent TimeUnit)))

(set! *warn-on-reflection* true)

(defmacro refusal
  "[kind message] of the DamoException that the body throws, or nil."
  [& body]
  `(try ~@body nil
        (catch DamoException e# [(.kind e#) (.getMessage e#)])))

(defn- tensor
  (^Tensor [data] (Tensor/of data))
  (^Tensor [data dtype] (Tensor/of data ^DType (DType/of (name dtype)))))

(defn- zeros ^Tensor [dtype & shape] (Tensor/zeros (DType/of (name dtype)) (long-array shape)))

(def ^:private samples
  "Values at the edges of each dtype, as @t gives them back."
  {:f64 [0.0 -0.0 1.5 Double/MAX_VALUE Double/MIN_VALUE ##Inf ##-Inf]
   :f32 [0.0 -1.5 (double Float/MAX_VALUE) (double Float/MIN_VALUE) ##Inf]
   :i64 [0 -1 Long/MAX_VALUE Long/MIN_VALUE]
   :i32 [0 -1 Integer/MAX_VALUE Integer/MIN_VALUE]
   :i8 [0 -128 127]
   :u8 [0 1 255]
   :bool [true false true]})

(deftest every-dtype-round-trips
  (doseq [[dtype values] samples
          :let [t (tensor values dtype)]]
    (testing dtype
      (is (= values @t) "as nested values")
      (is (= values (vec (seq t))) "along the first axis")
      (is (= values @(tensor (.toJavaArray t) dtype)) "through a Java array")
      (is (= values @(.copy t)))
      (is (= (mapv vector values) @(.reshape t (long-array [(count values) 1])))))))

(deftest nan-stays-nan
  (is (NaN? (first @(tensor [##NaN] :f32))))
  (is (NaN? (first @(tensor [##NaN] :f64)))))

(deftest the-dtype-that-data-shows
  (doseq [[data dtype shape] [[1 "i64" []] [1.5 "f64" []] [true "bool" []]
                              [[1 2.5] "f64" [2]] [[[1 2] [3 4]] "i64" [2 2]]
                              [[] "f64" [0]] [[[] []] "f64" [2 0]]
                              [[(float 1.5) (float 2)] "f32" [2]]
                              [[(float 1.5) 2.0] "f64" [2]]
                              [(float-array [1 2]) "f32" [2]] [(double-array [1]) "f64" [1]]
                              [(long-array [1]) "i64" [1]] [(int-array [1]) "i32" [1]]
                              [(short-array [1]) "i16" [1]] [(byte-array [1]) "i8" [1]]
                              [(boolean-array [true]) "bool" [1]]
                              [(into-array [(float-array 3) (float-array 3)]) "f32" [2 3]]
                              [[(float-array 3) (float-array 3)] "f32" [2 3]]
                              [(map inc (range 3)) "i64" [3]]
                              [(list 1N 2N) "i64" [2]] [[1/2] "f64" [1]] [1.5M "f64" []]]]
    (let [t (tensor data)]
      (is (= [dtype shape] [(.label (.dtype t)) (vec (.shape t))]) (pr-str data)))))

(deftest values-of-data
  (is (= [[1 2] [3 4]] @(tensor [[1 2] (long-array [3 4])])))
  (is (= [[1.0 2.0] [3.0 4.0]] @(tensor [(tensor [1 2]) (tensor [3.0 4.0])])))
  (is (= [0.5 1.0 3.0] @(tensor [1/2 1.0M 3N])))
  (is (= [1.0 0.0] @(tensor [true false] :f32)))
  (is (= [2.0 3.0] @(tensor (map inc [1 2]) :f64)) "lazy sequences"))

(deftest ragged-and-foreign-data-is-refused-with-its-position
  (doseq [[data kind message]
          [[[[1 2] [3]] "ragged" #"expected 2 elements.*got 1 at \[1\]"]
           [[[1 2] 3] "ragged" #"expected 2 elements.*got a number at \[1\]"]
           [[1 [2]] "ragged" #"expected a number.*got a list of 1 at \[1\]"]
           [[[[1] [2]] [[3] [4 5]]] "ragged" #"at \[1 1\]"]
           [[(double-array 2) (double-array 3)] "ragged" #"expected 2 elements.*got 3 elements"]
           [[1 "a"] "bad-data" #"java.lang.String at \[1\]"]
           [[[1] [nil]] "bad-data" #"nil at \[1 0\]"]
           [#{1} "bad-data" #"HashSet"]
           [[true 1] "bad-data" #"mixes booleans and numbers at \[1\]"]
           [(nth (iterate vector 1) 40) "bad-data" #"deeper than 32"]]]
    (let [[k m] (refusal (tensor data))]
      (is (= kind k) (pr-str data))
      (is (re-find message (str m)) (pr-str data)))))

(deftest factories
  (is (= [[0 0 0] [0 0 0]] @(zeros :i32 2 3)))
  (is (= [false false] @(zeros :bool 2)))
  (is (= [] @(zeros :f64 0)))
  (is (= [[] []] @(zeros :f64 2 0)))
  (is (= (vec (repeat 7 2.5)) @(Tensor/full 2.5 DType/F32 (long-array [7]))))
  (is (= 3 @(Tensor/full 3 DType/I8 (long-array []))))
  (is (= [[1 0 0] [0 1 0]] @(Tensor/eye 2 3 DType/U8)))
  (is (= [0.0 0.5 1.0] @(Tensor/arange 0 1.5 0.5 DType/F64)))
  (is (= [3 2 1] @(Tensor/arange 3 0 -1 DType/I64)))
  (is (= [] @(Tensor/arange 3 0 1 DType/I64)))
  (is (= "dtype-mismatch" (first (refusal (Tensor/arange 0 1 0.5 DType/I32)))))
  (is (= "dtype-mismatch" (first (refusal (Tensor/full 300 DType/I8 (long-array [1]))))))
  (is (= "bad-data" (first (refusal (Tensor/arange 0 1 0 DType/F64))))))

(deftest lists-and-futures
  (let [t (tensor [[1 2] [3 4] [5 6]])]
    (is (= 3 (count t)))
    (is (= [[1 2] [3 4] [5 6]] (map deref t)))
    (is (= [5 6] @(nth t 2)))
    (is (= [9 12] (reduce (fn [acc ^Tensor row] (mapv + acc @row)) [0 0] t)) "seq and reduce")
    (is (= [3 4] @(.get ^List t 1)))
    (is (vector? @t) "Clojure vectors, as Clojure is here")
    (is (every? vector? @t))
    (is (= [1 2] @(first t)))
    (is (= @t (.get t 1 TimeUnit/DAYS)))
    (is (future-done? t))
    (is (not (future-cancel t))))
  (testing "a 0-d tensor is a number, and no list"
    (is (= 2.5 @(tensor 2.5)))
    (is (= 2.5 (.doubleValue (tensor 2.5))))
    (is (= 1.0 (.doubleValue (tensor true))))
    (is (= 7 (.longValue (tensor 7))))
    (is (= "shape-mismatch" (first (refusal (count (tensor 1))))))
    (is (= "shape-mismatch" (first (refusal (seq (tensor 1))))))
    (is (= "shape-mismatch" (first (refusal (.doubleValue (tensor [1]))))))
    (is (= "dtype-mismatch" (first (refusal (.longValue (tensor 1.0))))))))

(deftest equality-is-identity
  (let [t (tensor [1 2])]
    (is (= t t))
    (is (not (.equals t (tensor [1 2]))))
    (is (= (.hashCode t) (System/identityHashCode t)))))

(deftest views-share-memory
  (let [t (tensor [[1 2] [3 4] [5 6]])
        part (.slice t 1 3)
        row ^Tensor (nth part 1)]
    (is (= [[3 4] [5 6]] @part))
    (.copyFrom row (tensor [7 8]) false)
    (is (= [[1 2] [3 4] [7 8]] @t) "a view of a view writes through")
    (is (= [1 2 3 4 7 8] @(.reshape t (long-array [6]))))
    (is (= [] @(.slice t 3 3)))
    (is (= [3 2] (vec (.shape (.slice t 0 3)))))
    (is (= [1 2 3 4] @(.reinterpret t 0 DType/I64 (long-array [4]))))
    (is (= (mapv int [1 0 2 0]) @(.reinterpret t 0 DType/I32 (long-array [4]))))
    (testing "bounds"
      (doseq [f [#(.slice t 0 4) #(.slice t -1 2) #(.slice t 2 1) #(nth t 3) #(nth t -1)
                 #(.reinterpret t 40 DType/I64 (long-array [2]))
                 #(.reinterpret t Long/MAX_VALUE DType/I64 (long-array [2]))
                 #(.reinterpret t -8 DType/I64 (long-array [1]))]]
        (is (= "index-out-of-bounds" (first (refusal (f))))))
      (is (= "shape-mismatch" (first (refusal (.reshape t (long-array [4])))))))))

(deftest text-is-short
  (is (= "#damo/tensor [:f32 [2 2]] \n[[1.0 2.5]\n [3.0 ##NaN]]"
         (str (tensor [[1 2.5] [3 ##NaN]] :f32))))
  (is (= "#damo/tensor [:f32 []] 0.1" (str (tensor 0.1 :f32))) "six digits, not the f32's tail")
  (is (= "#damo/tensor [:i64 [9]] [0 1 2 … 6 7 8]" (str (tensor (range 9)))))
  (is (= "#damo/tensor [:bool [0]] []" (str (zeros :bool 0))))
  (is (> 1000 (count (str (zeros :f64 50 50 50))))))
