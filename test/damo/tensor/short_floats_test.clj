(ns damo.tensor.short-floats-test
  "Floats of 16 bits: every value survives, and numbers are rounded once, as reference arrays round
  them by arithmetic."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array])
  (:import [damo.tensor DType ShortFloats Tensor]))

(set! *warn-on-reflection* true)

(def ^:private dtypes {:f16 DType/F16, :bf16 DType/BF16})

(defn- same? [x y]
  (or (= (double x) (double y)) (and (Double/isNaN x) (Double/isNaN y))))

(deftest every-value-survives
  (let [bits (Tensor/of (short-array (map unchecked-short (range 65536))))]
    (doseq [[_ ^DType dtype] dtypes
            :let [values (.reinterpret bits 0 dtype (long-array [65536]))]]
      (is (= [] (remove #(same? % (ShortFloats/round dtype (double %))) (.get values)))))))

(deftest numbers-are-rounded-once
  (doseq [[k dtype] dtypes
          :let [unit (array/unit k 1.0)
                tie (+ 1.0 (/ unit 2))
                numbers [0.1 -0.1 tie (Math/nextUp tie) (Math/nextDown tie) (+ tie unit) 1e-8 -6e-8
                         1e-40 4.6e-41 65504.0 65519.9 65520.0 3.39e38 3.4e38 1e300 -1e300 5e-324
                         ##Inf ##-Inf ##NaN 0.0 -0.0]]
          x numbers]
    (testing [k x]
      (is (same? (array/convert k x) (ShortFloats/round dtype x)))))
  (is (= [1.0 1.0009765625] (map #(double (ShortFloats/round DType/F16 %))
                                 [(+ 1 (/ 1.0 2048)) (Math/nextUp (+ 1 (/ 1.0 2048)))]))))
