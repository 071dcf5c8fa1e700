(ns damo.tensor.memory-test
  "The life of a tensor's memory: closing, use after close, collection, limits, memory of others."
  (:require [clojure.test :refer [deftest is testing]])
  (:import (damo DamoException)
           (damo.tensor DType Tensor)
           (java.lang.foreign Arena MemorySegment ValueLayout)
           (java.nio ByteBuffer ByteOrder)
           (java.util.concurrent CyclicBarrier)))

(set! *warn-on-reflection* true)

(defn- kind
  "The kind of the DamoException that the thunk throws, or nil."
  [f]
  (try (f) nil (catch DamoException e (.kind e))))

(defn- f32s ^Tensor [n] (Tensor/uninitialized DType/F32 (long-array [n])))

(deftest closing
  (let [t (Tensor/of [[1 2] [3 4]])
        view ^Tensor (nth t 0)]
    (testing "a view ends alone"
      (.close view)
      (is (.isClosed view))
      (is (= "closed" (kind #(deref view))))
      (is (= [[1 2] [3 4]] @t)))
    (testing "an owner ends with its views, and closing twice does nothing"
      (let [row ^Tensor (nth t 1)]
        (.close t)
        (.close t)
        (doseq [[what f] {:deref #(deref t) :view #(deref row) :copy #(.copy t)
                          :array #(.toJavaArray t) :row #(nth t 0) :segment #(.segment t)
                          :pin #(.pin t) :slice #(.slice t 0 1)
                          :into #(.copyFrom (Tensor/of [[1 2] [3 4]]) t false)}]
          (is (= "closed" (kind f)) (str what)))
        (is (= "#damo/tensor [:i64 [2 2]] closed" (str t)))
        (is (= [2 2] (vec (.shape t))) "what needs no elements still answers")))))

(deftest bytes-are-counted
  (let [before (Tensor/outstandingBytes)
        t (f32s 1000)]
    (is (= (+ before 4096) (Tensor/outstandingBytes)) "4000 bytes, rounded up to a class of sizes")
    (.close t)
    (.close t)
    (is (= before (Tensor/outstandingBytes)))))

(deftest memory-is-aligned
  (doseq [n [0 1 13 1025]]
    (is (zero? (mod (.pinAddress (f32s n)) 64)))))

(deftest pins-hold-memory-until-the-last-is-gone
  (let [before (Tensor/outstandingBytes)
        t (f32s 16)]
    (.pin t)
    (.pin t)
    (.close t)
    (is (= "closed" (kind #(.pin t))) "no new pins")
    (.unpin t)
    (is (= (+ before 64) (Tensor/outstandingBytes)))
    (.unpin t)
    (is (= before (Tensor/outstandingBytes)))
    (is (thrown? IllegalStateException (.unpin t)))))

(deftest segments-outlive-close
  (let [t (Tensor/of [1.0 2.0])
        s (.segment t)]
    (.close t)
    (is (= 2.0 (.getAtIndex s ValueLayout/JAVA_DOUBLE 1)))
    (is (thrown? IndexOutOfBoundsException (.getAtIndex s ValueLayout/JAVA_DOUBLE 2)))))

(deftest dropped-tensors-are-collected
  (let [mib64 (bit-shift-left 1 24)
        before (Tensor/outstandingBytes)]
    (dotimes [_ 100] (f32s mib64))
    (is (< (- (Tensor/outstandingBytes) before) (* 64 100 1048576))
        "6.4 GB were asked for, and not all are held at the end")))

(deftest impossible-requests
  (testing "more elements or bytes than 64 bits count"
    (doseq [shape [[4611686018427387904 2] [3000000000 4000000000] [Long/MAX_VALUE]
                   [2 Long/MAX_VALUE] [0 4611686018427387904]
                   [4294967296 0 65537]]]
      (is (= "size-overflow" (kind #(Tensor/zeros DType/F32 (long-array shape)))) (str shape))))
  (testing "more memory than there is"
    (doseq [n [1000000000000 (quot Long/MAX_VALUE 4)]]
      (is (= "out-of-memory" (kind #(f32s n))) (str n)))
    (is (thrown-with-msg? DamoException #"4000000000000 bytes" (f32s 1000000000000))))
  (testing "shapes that are none"
    (is (= "shape-mismatch" (kind #(f32s -1))))
    (is (= "shape-mismatch" (kind #(Tensor/zeros DType/F32 (long-array 33))))))
  (let [shape [0 4294967296 16384]]
    (is (= shape (vec (.shape (Tensor/zeros DType/F32 (long-array shape)))))
        "an axis of 0 makes a shape empty")))

(deftest closing-on-one-thread-while-another-reads
  (dotimes [round 50]
    (let [t (Tensor/full 1.0 DType/F64 (long-array [10000]))
          barrier (CyclicBarrier. 2)
          closer (future (.await barrier) (.close t))
          _ (.await barrier)
          results (doall (repeatedly 20 #(try (reduce + (seq (.toJavaArray t)))
                                              (catch DamoException e (.kind e)))))]
      @closer
      (is (every? #{10000.0 "closed"} results) (str "round " round)))))

(deftest wrapped-segments
  (with-open [arena (Arena/ofConfined)]
    (let [s (.allocate arena 32 64)
          t (Tensor/wrap s DType/F64 (long-array [2 2]))]
      (.setAtIndex s ValueLayout/JAVA_DOUBLE 3 9.0)
      (is (= [[0.0 0.0] [0.0 9.0]] @t))
      (.copyFrom ^Tensor (nth t 0) (Tensor/of [1.0 2.0]) false)
      (is (= 2.0 (.getAtIndex s ValueLayout/JAVA_DOUBLE 1)) "no copy")
      (is (= s (.lender t)))
      (is (= "closed" @(future (kind #(deref t)))) "an arena of another thread")
      (.close t)
      (is (= "closed" (kind #(deref t))))
      (is (= 2.0 (.getAtIndex s ValueLayout/JAVA_DOUBLE 1)) "its memory is not ours to free")))
  (let [arena (Arena/ofShared)
        t (Tensor/wrap (.allocate arena 8 8) DType/F64 (long-array [1]))]
    (.close arena)
    (is (= "closed" (kind #(deref t))))
    (is (= "#damo/tensor [:f64 [1]] closed" (str t)))))

(deftest what-cannot-be-wrapped
  (is (= "bad-data" (kind #(Tensor/wrap (MemorySegment/ofArray (double-array 4)) DType/F64
                                        (long-array [4])))) "heap memory moves")
  (is (= "shape-mismatch" (kind #(Tensor/wrap (.allocate (Arena/ofAuto) 32) DType/F64
                                              (long-array [5])))))
  (is (= "bad-data" (kind #(Tensor/wrap (ByteBuffer/allocate 8) DType/F64 (long-array [1])))))
  (is (= "bad-data" (kind #(Tensor/wrap (ByteBuffer/allocateDirect 8) DType/F64 (long-array [1]))))
      "Java's buffers are big-endian unless told"))

(deftest wrapped-buffers
  (let [b (.order (ByteBuffer/allocateDirect 24) (ByteOrder/nativeOrder))]
    (.putDouble b 8 4.0)
    (.position b 8)
    (is (= [4.0 0.0] @(Tensor/wrap b DType/F64 (long-array [2]))) "position to limit")
    (is (= 16 (.elements (Tensor/wrap b DType/U8 (long-array [16])))))))
