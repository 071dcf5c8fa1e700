(ns damo.runtime.shapes-test
  "Calls of one function with many shapes: what the latest eight allow is not worked out again, in
  whatever order they come, from whatever threads; results are right, memory is bounded."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.runtime.programs :as programs])
  (:import (com.sun.management ThreadMXBean)
           (damo.program Programs)
           (damo.runtime Function HostCall HostKernel OpKernels State)
           (damo.tensor DType Tensor)
           (java.lang.management ManagementFactory)
           (java.util Map Random)
           (java.util.concurrent Executors Future)))

(set! *warn-on-reflection* true)

(def ^:private squares
  "y [n m] = x·x + w [m] by way of a temporary, sum = that of y."
  '{:damo/program 1 :name "squares" :dims [n m]
    :buffers [{:dtype :f64 :size [:* n m] :kind :input} {:dtype :f64 :size m :kind :state}
              {:dtype :f64 :size [:* n m] :kind :temp} {:dtype :f64 :size [:* n m] :kind :output}
              {:dtype :f64 :size 1 :kind :output}]
    :inputs [{:name "x" :dtype :f64 :shape [n m] :buffer 0}]
    :state [{:name "w" :dtype :f64 :shape [m] :buffer 1}]
    :outputs [{:name "y" :dtype :f64 :shape [n m] :buffer 3}
              {:name "sum" :dtype :f64 :shape [] :buffer 4}]
    :kernels [{:name "square" :params [[:f64 :in] [:f64 :out]]
               :body [[:for i [:* n m] [:store 1 i [:mul [:load 0 i] [:load 0 i]]]]]}
              {:name "add" :params [[:f64 :in] [:f64 :in] [:f64 :out] [:f64 :out]]
               :body [[:var s [:const :f64 0]]
                      [:for i n
                       [:for j m
                        [:let v [:add [:load 0 [:+ [:* i m] j]] [:load 1 j]]]
                        [:store 2 [:+ [:* i m] j] v]
                        [:acc :add s v]]]
                      [:store 3 0 s]]}]
    :steps [{:do :kernel :kernel 0 :args [0 2]} {:do :kernel :kernel 1 :args [2 1 3 4]}]})

(defn- compiled ^Function [form states]
  (Function/compile (Programs/read (pr-str form)) ^Map states false (OpKernels/none) true))

(defn- matrix [n m]
  (mapv (fn [i] (mapv #(double (+ i %)) (range m))) (range n)))

(defn- expected [x w]
  (let [y (mapv (fn [row] (mapv #(+ (* (double %1) (double %1)) (double %2)) row w)) x)]
    [y (reduce + 0.0 (flatten y))]))

(deftest shapes-in-any-order-give-what-they-mean
  (let [random (Random. 5), state (programs/state "w" [0.0])]
    (doseq [vouched [true false]]
      (with-open [f (Function/compile (Programs/read (pr-str squares)) ^Map {"w" state} false
                                      (OpKernels/none) (boolean vouched))]
        (dotimes [_ 400]
          (let [n (.nextInt random 6), m (inc (.nextInt random 3)), x (matrix n m)
                w (vec (repeatedly m #(double (.nextInt random 5))))]
            (.set ^State state w)
            (if (zero? n)
              (is (= [0.0] (rest (programs/call f (Tensor/zeros DType/F64
                                                                (long-array [0 m]))))))
              (is (= (expected x w) (programs/call f x))))
            (when (= m 2)
              (is (= "shape-mismatch"
                     (first (programs/refusal #(programs/call f (matrix 2 3)))))))))))))

(deftest threads-share-what-is-known
  (with-open [f (compiled squares {"w" (programs/state "w" [1.0 2.0])})
              pool (Executors/newFixedThreadPool 4)]
    (let [work (fn [seed]
                 (fn [] (let [random (Random. (long seed))]
                          (every? (fn [_] (let [x (matrix (inc (.nextInt random 20)) 2)]
                                            (= (expected x [1.0 2.0]) (programs/call f x))))
                                  (range 300)))))]
      (is (every? true? (map #(.get ^Future %) (.invokeAll pool (mapv work (range 4)))))))))

;; ## What is not worked out again

(def ^:private ^ThreadMXBean threads (ManagementFactory/getThreadMXBean))

(defn- allocated
  "Bytes of the Java heap that a call allocates, the mean of many, with these arguments in turn."
  [^Function f arguments]
  (let [arguments (mapv to-array arguments), n (count arguments)
        once (fn [i]
               (let [^objects args (nth arguments (mod i n))
                     before (.getCurrentThreadAllocatedBytes threads)
                     ^objects outs (.call f args)
                     after (.getCurrentThreadAllocatedBytes threads)]
                 (run! #(.close ^Tensor %) outs)
                 (- after before)))]
    (run! once (range (* 40 n)))
    (quot (long (reduce + (map once (range 720)))) 720)))

(deftest eight-shapes-cost-what-one-costs
  (let [x #(vector (Tensor/of (matrix % 2)))]
    (with-open [f (compiled squares {"w" (programs/state "w" [1.0 2.0])})]
      (let [one (long (allocated f [(x 5)]))
            of #(long (allocated f (map x (range 1 (inc (long %))))))]
        (is (<= (of 2) (+ one 64)))
        (is (<= (of 8) (+ one 64)))
        (testing "and nine, in turn, are worked out each time: so the measure sees it"
          (is (< (* 2 one) (of 9))))
        (testing "the eight that were called last, not the eight that came first"
          (is (<= (long (allocated f (map x (range 11 19)))) (+ one 64)))))
      (testing "a call with another shape between does not make the others forgotten"
        (let [arguments (map x [1 2 1 3 1 4 1 5 1 6 1 7 1 8])]
          (is (<= (long (allocated f arguments))
                  (+ 64 (long (allocated f [(x 8)]))))))))))

(deftest attributes-of-host-kernels-are-kept-by-shape
  (let [seen (atom {})
        note (reify HostKernel
               (run [_ call]
                 (let [a (.attributes ^HostCall call)]
                   (swap! seen update (get a "n") (fnil conj #{}) (System/identityHashCode a)))
                 nil))
        form '{:damo/program 1 :name "p" :dims [n]
               :buffers [{:dtype :f64 :size n :kind :input} {:dtype :f64 :size n :kind :output}]
               :inputs [{:name "x" :dtype :f64 :shape [n] :buffer 0}]
               :outputs [{:name "y" :dtype :f64 :shape [n] :buffer 1}]
               :kernels [] :notes [{:op "note"}]
               :steps [{:do :host :op "note" :sizes {:n n}
                        :ins [{:buffer 0 :shape [n]}] :out {:buffer 1 :shape [n]} :note 0}]}]
    (with-open [f (Function/compile (Programs/read (pr-str form)) ^Map {} false
                                    (OpKernels/of ^Map {"note" note}))]
      (dotimes [i 80] (programs/call f (range (inc (mod i 8)))))
      (is (= (zipmap (range 1 9) (repeat 1)) (update-vals @seen count))
          "the same object for the same dimensions, as HostCall says"))))

;; ## Memory

(defn- held
  "Bytes that a function holds after calls with x of so many rows, one after the other, each result
  closed."
  [rows]
  (with-open [state (programs/state "w" [1.0 2.0]), f (compiled squares {"w" state})]
    (let [before (Tensor/outstandingBytes)]
      (doseq [n rows]
        (with-open [x (Tensor/zeros DType/F64 (long-array [n 2]))]
          (run! #(.close ^Tensor %) (.call f (to-array [x])))))
      (- (Tensor/outstandingBytes) before))))

(deftest one-arena-serves-all-shapes
  (let [large 100000, one (long (held [large]))]
    (is (<= (* 16 large) one (* 22 large)) "two doubles a row, in the pool's class of sizes")
    (is (<= (long (held (range (- large 700) (inc large) 100))) (+ one 10000)))
    (testing "and it is given back when none of the latest shapes needs it"
      (is (= one (held (cons large (range 1 8)))))
      (is (< (long (held (cons large (range 1 10)))) 20000)))))
