(ns damo.lib.blas-test
  "The BLAS libraries: both load, and compute the same."
  (:require [clojure.test :refer [deftest is testing]])
  (:import (damo DamoException)
           (damo.lib Blas)
           (damo.program Routine Routines)
           (java.lang.foreign Arena FunctionDescriptor Linker Linker$Option MemoryLayout
                              ValueLayout ValueLayout$OfFloat)))

(set! *warn-on-reflection* true)

(defn- sgemm
  "Row-major C = A B by that library, A [m k] and B [k n] as float arrays."
  [^Blas blas m n k ^floats a ^floats b]
  (let [i ValueLayout/JAVA_INT p ValueLayout/ADDRESS f ValueLayout/JAVA_FLOAT
        type (FunctionDescriptor/ofVoid (into-array MemoryLayout [i i i i i i f p i p i f p i]))
        gemm (.downcallHandle (Linker/nativeLinker) (.address blas "cblas_sgemm") type
                              (make-array Linker$Option 0))]
    (with-open [arena (Arena/ofConfined)]
      (let [a (.allocateFrom arena ^ValueLayout$OfFloat f a)
            b (.allocateFrom arena ^ValueLayout$OfFloat f b)
            c (.allocate arena (long (* 4 m n)) 64)
            ^java.util.List arguments
            [(int 101) (int 111) (int 111) (int m) (int n) (int k) (float 1) a (int k) b (int n)
             (float 0) c (int n)]]
        (.invokeWithArguments gemm arguments)
        (vec (.toArray c ^ValueLayout$OfFloat f))))))

(deftest libraries-agree-test
  (let [random (java.util.Random. 1)
        floats-of (fn [n] (float-array (repeatedly n #(.nextGaussian random))))
        a (floats-of (* 13 17))
        b (floats-of (* 17 9))
        by-mkl (sgemm (Blas/load "mkl") 13 9 17 a b)
        by-openblas (sgemm (Blas/load "openblas") 13 9 17 a b)]
    (is (= (* 13 9) (count by-mkl)))
    (is (every? (fn [[x y]] (< (abs (- (double x) (double y))) 1e-5))
                (map vector by-mkl by-openblas)))))

(deftest names-and-threads-test
  (doseq [name ["mkl" "openblas"]]
    (testing name
      (let [blas (Blas/load name)
            before (.threads blas)]
        (is (= name (.name blas)))
        (is (re-find (if (= name "mkl") #"Math Kernel Library.*2025" #"OpenBLAS 0.3.30")
                     (.version blas)))
        (is (pos? before))
        (.setThreads blas 1)
        (is (= 1 (.threads blas)))
        (.setThreads blas before)
        (is (= before (.threads blas)))))))

(deftest both-libraries-have-all-routines
  (doseq [library ["mkl" "openblas"], ^Routine r (vals (Routines/all))
          :when (= "blas" (.library r))]
    (is (some? (.address (Blas/load library) (.symbol r))) (str library " " (.name r)))))

(deftest refusals-test
  (is (thrown-with-msg? DamoException #"at least 1, not 0" (.setThreads (Blas/get) 0)))
  (is (thrown-with-msg? DamoException #"must be mkl or openblas, not eigen" (Blas/load "eigen")))
  (is (thrown-with-msg? DamoException #"no function cblas_nothing"
                        (.address (Blas/get) "cblas_nothing"))))
