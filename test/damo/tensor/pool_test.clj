(ns damo.tensor.pool-test
  "Memory that is given back and taken again: never by two at once, soon, within bounds, and at no
  more cost than the work of a call."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d])
  (:import (damo.tensor DType Tensor)
           (java.io BufferedReader FileReader)
           (java.lang.foreign MemorySegment ValueLayout)
           (java.lang.management ManagementFactory ThreadMXBean)
           (java.util Random)))

(set! *warn-on-reflection* true)

(defn- f64s ^Tensor [n] (Tensor/uninitialized DType/F64 (long-array [n])))

(defn- address [^Tensor t] (let [a (.pinAddress t)] (.unpin t) a))

(defn- resident-mib
  "The resident size of this process in MiB."
  []
  (with-open [in (BufferedReader. (FileReader. "/proc/self/statm"))]
    (quot (* 4 (parse-long (second (re-find #"\d+ (\d+)" (.readLine in))))) 1024)))

(defn- given-again?
  "Does one of the next tensors of n elements lie there? Not always the first: memory that others
  dropped may come back at any moment."
  [at n]
  (some #(= at (address %)) (doall (repeatedly 300 #(f64s n)))))

(deftest memory-that-is-closed-serves-the-next
  (doseq [n [3000 10000 100000]]
    (let [a (f64s n), at (address a)]
      (.close a)
      (is (given-again? at (- n 10)) (str n ": also for a size of the same class")))))

(deftest memory-in-use-is-not-given-away
  (testing "while it is pinned"
    (let [a (f64s 5000), at (.pinAddress a)]
      (.close a)
      (let [others (vec (repeatedly 20 #(f64s 5000)))]
        (is (not-any? #(= at (address %)) others)))
      (.unpin a)
      (is (given-again? at 5000) "but after that")))
  (testing "while a segment is used"
    (let [a (doto (f64s 7000) (.copyFrom (Tensor/full 3.0 DType/F64 (long-array [7000])) false))
          s (.segment a)]
      (.close a)
      (dotimes [_ 20] (Tensor/full 4.0 DType/F64 (long-array [7000])))
      (is (= 3.0 (.getAtIndex s ValueLayout/JAVA_DOUBLE 6999)))))
  (testing "while a view is used, its owner being dropped"
    (let [view ^Tensor (nth (Tensor/full 3.0 DType/F64 (long-array [2 7000])) 1)]
      (dotimes [_ 3]
        (System/gc)
        (dotimes [_ 20] (Tensor/full 4.0 DType/F64 (long-array [2 7000]))))
      (is (every? #(= 3.0 %) (.toJavaArray view))))))

(defn- whole?
  "Does every element of the tensor hold that number?"
  [^Tensor t tag]
  (let [s (.pin t), n (.elements t)]
    (try (loop [i 0]
           (or (= i n) (and (== (double tag) (.getAtIndex s ValueLayout/JAVA_DOUBLE i))
                            (recur (inc i)))))
         (finally (.unpin t)))))

(defn- filled ^Tensor [n tag]
  (let [t (f64s n), s (.pin t)]
    (dotimes [i n] (.setAtIndex ^MemorySegment s ValueLayout/JAVA_DOUBLE i (double tag)))
    (.unpin t)
    t))

(defn- churn
  "Makes tensors of random sizes, holds some, closes some and drops others; :whole when none that is
  held ever changes."
  [seed rounds]
  (let [random (Random. seed)]
    (loop [i 0, held []]
      (if (= i rounds)
        (if (every? (fn [[t tag]] (whole? t tag)) held) :whole :broken-at-the-end)
        (let [tag (+ (* 1e6 seed) i)
              held (conj held [(filled (inc (.nextInt random 2000)) tag) tag])
              k (.nextInt random (count held))
              [^Tensor t tag] (held k)]
          (cond (not (whole? t tag)) [:broken i]
                (< (count held) 50) (recur (inc i) held)
                :else (do (when (.nextBoolean random) (.close t))
                          (recur (inc i) (pop (assoc held k (peek held)))))))))))

(deftest no-two-tensors-share-memory
  (let [collector (future (dotimes [_ 10] (System/gc) (Thread/sleep 20)))]
    (is (= (repeat 4 :whole) (mapv deref (mapv #(future (churn % 3000)) (range 1 5)))))
    @collector))

;; ## What a result costs

(def ^:private ^ThreadMXBean clock (ManagementFactory/getThreadMXBean))

(defn- best-nanos
  "The least time of a call among several runs of n calls: the processor's time of this thread, the
  system's work for it included, as others may be at work on the machine."
  [runs n f]
  (reduce min (repeatedly runs #(let [t (.getCurrentThreadCpuTime clock)]
                                  (dotimes [_ n] (f))
                                  (quot (- (.getCurrentThreadCpuTime clock) t) (long n))))))

(deftest a-result-costs-little-more-than-the-call
  (let [x (d/input 'x [:f64 ['n]])
        y (d/add (d/mul x 2.0) 1.0)
        f (d/function [x] y), two (d/function [x] y {:keep-results 2})]
    (doseq [[n calls] [[1000 4000] [10000 1000] [100000 200] [1000000 20]]
            :let [a (Tensor/full 1.0 DType/F64 (long-array [n]))
                  into-buffer (best-nanos 5 calls (let [out [(f64s n)]] #(d/call-into f out a)))
                  closed (best-nanos 5 calls #(d/close (f a)))
                  dropped (best-nanos 5 calls #(f a))
                  kept (best-nanos 5 calls #(two a))]]
      ;; On a quiet machine 1 and 2 to 5; fresh memory for each result would be 20 to 400.
      (is (< closed (* 3 into-buffer)) (str n ": " [into-buffer closed]))
      (is (< kept (* 3 into-buffer)) (str n ": " [into-buffer kept]))
      (is (< dropped (* 30 into-buffer)) (str n ": " [into-buffer dropped])))))

(deftest dropping-results-keeps-the-resident-size
  (let [x (d/input 'x [:f64 ['n]])
        f (d/function [x] (d/add (d/mul x 2.0) 1.0))
        churn (fn [sizes] (doseq [n sizes] (f (Tensor/full 1.0 DType/F64 (long-array [n])))))
        one-size (repeat 1000 200000)
        random (Random. 7)
        shapes (repeatedly 1000 #(inc (.nextInt random 400000)))]
    (doseq [[what sizes] {"one shape" one-size, "1000 shapes" (doall shapes)}]
      (churn sizes)
      (let [before (resident-mib)]
        (churn sizes)
        ;; 640 MB lie in the pool at most, and 512 MB of dropped results wait for a collection.
        (is (< (- (resident-mib) before) 1400) (str what ", another 3 GB dropped"))))
    (is (< (Tensor/outstandingBytes) (* 2 1024 1024 1024)))))

(deftest small-blocks-of-chunks-are-nobody-elses
  ;; Enough of a class for chunks, some kept, the rest given back, and the pool emptied between.
  (let [n 9001, random (Random. 5)
        resident (resident-mib)]
    (loop [round 0, kept []]
      (is (every? (fn [[t tag]] (whole? t tag)) kept) (str round))
      (if (= round 6)
        (is (< (- (resident-mib) resident) 900))
        (let [more (mapv (fn [i] [(filled n (+ i (* 1000 round))) (+ i (* 1000 round))])
                         (range 300))
              {stay true, go false} (group-by (fn [_] (< (.nextInt random 100) 15)) more)]
          (doseq [[^Tensor t] go] (.close t))
          ;; What is closed at once, of another size, pushes what is not asked for out of the pool.
          (dotimes [_ 2] (run! #(.close ^Tensor %) (mapv f64s (repeat 12 (+ 8000000 round)))))
          (recur (inc round) (into kept stay)))))))

(deftest results-of-the-last-calls-stay-open
  (let [x (d/input 'x [:f64 ['n]])
        outputs {:a (d/add x 1) :b (d/sum x)}
        f (d/function [x] outputs {:keep-results 3})
        data (d/tensor (range 1000) :f64)
        results (mapv (fn [i] (f (d/tensor (repeat 1000 i) :f64))) (range 10))
        closed? (fn [r] (mapv #(.isClosed ^Tensor %) (vals r)))]
    (is (= (concat (repeat 7 [true true]) (repeat 3 [false false])) (map closed? results)))
    (is (= [8.0 7000.0] [(first @(:a (results 7))) @(:b (results 7))]))
    (is (= :damo/closed (:damo/error (ex-data (try (f (:a (results 2))) (catch Exception e e))))))
    (testing "results as arguments, a call that fails, call-into, several calls in one"
      (is (= 10.0 (first @(:a (f (:a (results 8)))))))
      (is (thrown? Exception (f "x")))
      (is (= 9.0 (first @(:a (results 8)))) "a call that fails closes nothing")
      (d/call-into f [(:a (results 9)) (d/zeros [] :f64)] data)
      (is (= [1000.0 10.0] [(last @(:a (results 9))) (first @(:a (f (:a (results 8)))))]))
      (is (= 2.0 (second @(:a (d/call-n f 3 data))))))
    (doseq [bad [0 -1 1025 "2" 1.5]]
      (is (thrown? clojure.lang.ExceptionInfo (d/function [x] outputs {:keep-results bad}))
          (str bad)))))

(deftest what-is-closed
  (let [x (d/input 'x [:f64 []])
        f (d/function [x] {:a (d/add x 1) :b (d/mul x 2)})
        {:keys [a b] :as both} (f 3)]
    (with-open [r ^Tensor (:a (f 1))] (is (= 2.0 @r)))
    (is (nil? (d/close both)))
    (is (every? #(.isClosed ^Tensor %) [a b]))
    (d/close f)
    (is (= :damo/closed (:damo/error (ex-data (try (f 1) (catch Exception e e))))))
    (is (= :damo.function/not-closeable
           (:damo/error (ex-data (try (d/close 7) (catch Exception e e))))))))
