(ns damo.tensor.conversion-test
  "Which dtype enters which: lossless, or refused with the reason."
  (:require [clojure.test :refer [deftest is testing]])
  (:import (damo DamoException)
           (damo.tensor DType Tensor)))

(set! *warn-on-reflection* true)

(defn- dtype ^DType [k] (DType/of (name k)))

(defn- convert
  "The converted values, or the kind of the refusal."
  [values from to downcast]
  (try @(.convert (Tensor/of values (dtype from)) (dtype to) downcast)
       (catch DamoException e (.kind e))))

(def ^:private float-dtypes [:f64 :f32 :f16 :bf16])
(def ^:private int-dtypes [:i64 :i32 :i16 :i8 :u8])
(def ^:private dtypes (concat float-dtypes int-dtypes [:bool]))

(def ^:private allowed
  "Small values pass from each dtype to these, and to no other."
  (merge {:f64 #{:f64}, :f32 #{:f64 :f32}, :f16 #{:f64 :f32 :f16}, :bf16 #{:f64 :f32 :bf16}
          :bool (set dtypes)}
         (zipmap int-dtypes (repeat (set (concat float-dtypes int-dtypes))))))

(defn- ones
  "[1 0] as @t gives it for that dtype."
  [dtype]
  (cond (some #{dtype} float-dtypes) [1.0 0.0], (= dtype :bool) [true false], :else [1 0]))

(deftest the-table-of-conversions
  (doseq [from dtypes, to dtypes]
    (testing (str from " to " to)
      (is (= (if (contains? (allowed from) to) (ones to) "dtype-mismatch")
             (convert (ones from) from to false)))
      (is (= (if (or (contains? (allowed from) to) (every? (set float-dtypes) [from to]))
               (ones to)
               "dtype-mismatch")
             (convert (ones from) from to true))
          "a downcast adds floats to floats alone"))))

(deftest values-decide-where-types-do-not
  (doseq [[value from to result] [[16777216 :i64 :f32 16777216.0]
                                  [16777217 :i64 :f32 "dtype-mismatch"]
                                  [16777217 :i32 :f32 "dtype-mismatch"]
                                  [9007199254740992 :i64 :f64 9007199254740992.0]
                                  [9007199254740993 :i64 :f64 "dtype-mismatch"]
                                  [Long/MAX_VALUE :i64 :f64 "dtype-mismatch"]
                                  [Long/MAX_VALUE :i64 :f32 "dtype-mismatch"]
                                  [Long/MIN_VALUE :i64 :f32 -9.223372036854775808E18]
                                  [2048 :i64 :f16 2048.0] [2049 :i64 :f16 "dtype-mismatch"]
                                  [65504 :i32 :f16 65504.0] [65536 :i32 :f16 "dtype-mismatch"]
                                  [256 :i64 :bf16 256.0] [257 :i64 :bf16 "dtype-mismatch"]
                                  [32768 :i32 :i16 "dtype-mismatch"] [-32768 :i32 :i16 -32768]
                                  [128 :i64 :i8 "dtype-mismatch"]
                                  [-128 :i64 :i8 -128]
                                  [-1 :i8 :u8 "dtype-mismatch"]
                                  [255 :u8 :i8 "dtype-mismatch"]
                                  [255 :u8 :i32 255]
                                  [2147483648 :i64 :i32 "dtype-mismatch"]]]
    (is (= result (convert value from to false)) (str value " " from " to " to))))

(deftest downcasts-round
  (is (= (double (float 0.1)) (convert 0.1 :f64 :f32 true)))
  (is (= ##Inf (convert 1e300 :f64 :f32 true)))
  (is (= 1.6777216E7 (convert 16777217 :i64 :f32 true)))
  (is (= [0.0999755859375 0.10009765625] (map #(convert 0.1 :f64 % true) [:f16 :bf16])))
  (is (= [##Inf 1.0e5] (map #(convert 1e5 :f32 % true) [:f16 :f64])))
  (is (= ##Inf (convert 65520.0 :f64 :f16 true)))
  (is (= 65504.0 (convert 65519.9 :f64 :f16 true)))
  (is (= "dtype-mismatch" (convert 300 :i64 :i8 true)) "never wraps an integer"))

(defn- given
  "The value of `data` read as a dtype, or the kind of the refusal."
  [data to]
  (try @(Tensor/of data (dtype to))
       (catch DamoException e (.kind e))))

(deftest boxed-numbers-take-the-dtype-asked-for
  (doseq [[number to result] [[0.1 :f32 (double (float 0.1))] [0.1 :f64 0.1]
                              [1e300 :f32 "dtype-mismatch"] [##Inf :f32 ##Inf]
                              [3 :f32 3.0] [16777217 :f32 "dtype-mismatch"]
                              [16777217.0 :f32 1.6777216E7]
                              [3.0 :i64 "dtype-mismatch"] [3.0M :i64 "dtype-mismatch"]
                              [3N :i64 3] [10000000000000000000N :i64 "dtype-mismatch"]
                              [10000000000000000000N :f64 "dtype-mismatch"]
                              [256 :u8 "dtype-mismatch"] [1 :bool "dtype-mismatch"]
                              [1/3 :f32 (double (float (/ 1.0 3)))] [1/3 :i32 "dtype-mismatch"]
                              [0.1 :f16 0.0999755859375] [0.1 :bf16 0.10009765625]
                              [1e5 :f16 "dtype-mismatch"] [1e39 :bf16 "dtype-mismatch"]
                              [1e-9 :f16 0.0] [##-Inf :f16 ##-Inf] [40000 :i16 "dtype-mismatch"]
                              [true :i64 1]]]
    (is (= result (given number to)) (str (pr-str number) " as " to))))

(deftest arrays-are-data-of-their-dtype
  (is (= "dtype-mismatch" (given (double-array [1]) :f32)))
  (is (= "dtype-mismatch" (given [(double-array [1])] :f32)))
  (is (= [1.0] @(Tensor/of (double-array [1]) DType/F32 true)))
  (is (= [1.0] (given (float-array [1]) :f64)))
  (is (= [7.0] (given (byte-array [7]) :f32)))
  (is (= [1 0] (given (boolean-array [true false]) :i32)))
  (is (= [1] (given (short-array [1]) :u8)))
  (is (= "dtype-mismatch" (given (byte-array [-1]) :u8))))

(deftest the-message-names-value-and-position
  (is (thrown-with-msg? DamoException #"the number 300 at \[1 0\] cannot become :i8"
                        (Tensor/of [[1] [300]] DType/I8)))
  (is (thrown-with-msg? DamoException #"element 1 is 16777217"
                        (.convert (Tensor/of [1 16777217]) DType/F32 false)))
  (is (thrown-with-msg? DamoException #"allow the downcast"
                        (.convert (Tensor/of [1.0]) DType/F32 false))))
