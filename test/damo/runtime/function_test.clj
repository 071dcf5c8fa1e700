(ns damo.runtime.function-test
  "Compiled functions: arguments, outputs, buffers of the caller, threads, failures, life."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.runtime.programs :as programs :refer [call compiled refusal]])
  (:import (damo DamoException)
           (damo.runtime Function)
           (damo.tensor DType Tensor)
           (java.lang.foreign Arena MemorySegment ValueLayout)))

(set! *warn-on-reflection* true)

(defn- f32 ^Tensor [data] (Tensor/of data DType/F32))

(defn- buffers
  "An array of tensors."
  ^"[Ldamo.tensor.Tensor;" [& ts]
  (into-array Tensor ts))

(defn- into!
  "Runs into these buffers; the values of what comes back."
  [^Function f outs & args]
  (mapv deref (.callInto f (apply buffers outs) (object-array args))))

(deftest calls
  (let [f (compiled programs/dot)]
    (is (= [32.5] (call f [1 2 3] [4 5 6] 0.5)) "numbers and vectors")
    (is (= [32.5] (call f (f32 [1 2 3]) (float-array [4 5 6]) (f32 0.5))) "tensors and arrays")
    (is (= [0.5] (call f [] [] 0.5)) "an empty axis")
    (is (= [2.5] (call f [1] [2] 0.5)) "another length")
    (is (= [32.5] (call f (int-array [1 2 3]) (Tensor/of [4 5 6]) 0.5)) "integers become floats")
    (is (= ["x" "y" "z"] (.inputs f)))
    (is (= ["out"] (.outputs f)))
    (is (= "#damo/function dot [x, y, z] -> [out]" (str f)))
    (is (= [5.0] (mapv deref (.callNamed f {"z" 1 "y" [4.0] "x" [1]}))))
    (is (= [32.5] (mapv deref (.callN f 3 (object-array [[1 2 3] [4 5 6] 0.5])))))))

(deftest wrong-arguments
  (let [f (compiled programs/dot)]
    (doseq [[args kind message]
            [[[[1] [2]] "arity-mismatch" #"in dot: takes 3 arguments \[x, y, z\], got 2"]
             [[[1 2] [1 2 3] 0] "shape-mismatch" #"y .*, axis 0: expected 2, given 3.*input x"]
             [[[[1]] [1] 0] "shape-mismatch" #"input x \[:f32 \[n\]\]: expected 1 axes"]
             [[[1] [1] [0]] "shape-mismatch" #"input z \[:f32 \[\]\]: expected 0 axes"]
             [[(double-array 1) [1] 0] "dtype-mismatch" #"in dot: input x .*:f64 data cannot"]
             [[[1] [1] 1e300] "dtype-mismatch" #"in dot: input z "]
             [[[1] [1] "a"] "bad-data" #"input z.*java.lang.String"]
             [[[1] [1] nil] "bad-data" #"input z.*nil"]
             [[[1 [2]] [1] 0] "ragged" #"input x"]]]
      (let [[k m] (refusal #(apply call f args))]
        (is (= kind k) (pr-str args))
        (is (re-find message (str m)) (pr-str args))))
    (is (re-find #"missing: \[y, z\]; unknown: \[w\]"
                 (second (refusal #(.callNamed f {"x" 1 "w" 2})))))
    (is (= ["arity-mismatch" true]
           (let [[kind text] (refusal #(.callNamed f {"x" [1] "y" [1]}))]
             [kind (some? (re-find #"missing: \[z\]" text))]))
        "a name too few, and none unknown")
    (is (= "bad-data" (first (refusal #(.callN f 0 (object-array [[1] [1] 0]))))))
    (is (= [2.0] (call f [1] [2] 0)) "and the function still works")
    (testing "a closed argument"
      (let [x (f32 [1])]
        (.close x)
        (is (= "closed" (first (refusal #(call f x [1] 0)))))))
    (testing "downcasts are taken when allowed"
      (let [g (Function/compile (.program f) {} true)]
        (is (= [2.0] (call g (double-array [1]) [2] 0)))))))

(deftest views-and-wrapped-memory-as-arguments
  (let [f (compiled programs/dot)
        rows (f32 [[1 2 3] [4 5 6] [7 8 9]])]
    (is (= [122.0] (call f (nth rows 1) (nth rows 2) 0)) "rows begin anywhere")
    (with-open [arena (Arena/ofConfined)]
      (let [s (.allocate arena 16 64)
            x (Tensor/wrap (.asSlice s 0 12) DType/F32 (long-array [3]))
            odd (Tensor/wrap (.asSlice s 4 12) DType/F32 (long-array [3]))]
        (dotimes [k 4] (.setAtIndex s ValueLayout/JAVA_FLOAT k (float k)))
        (is (= [5.0] (call f x x 0)) "a segment, and one tensor as two inputs")
        (is (= [14.0] (call f odd odd 0)))
        (is (= [8.0] (call f x odd 0)))
        (is (= [5.0] (mapv deref (.callN f 4 (object-array [x x 0])))))
        (doseq [t [x odd]
                :let [[kind _] @(future (refusal #(call f t t 0)))]]
          (is (= "closed" kind) "an arena of another thread"))))
    (let [arena (Arena/ofShared)
          x (Tensor/wrap (.allocate arena 12 64) DType/F32 (long-array [3]))]
      (is (= [0.0] (call f x x 0)))
      (.close arena)
      (is (= "closed" (first (refusal #(call f x x 0)))) "an arena that was closed"))))

(deftest outputs-small-and-large
  (let [w (programs/state "w" [])
        f (compiled programs/take-add {"w" w})]
    (testing "an empty output first, then sizes on both sides of where memory is shared"
      (doseq [m [0 1 31 32 33 1000 0 5]
              :let [value (mapv double (range m))]]
        (.set w value)
        (let [outs (vec (repeatedly 100 #(aget (.call f (object-array [[] []])) 0)))]
          (is (every? #(= value (deref %)) outs) (str m " elements"))
          (is (every? #(zero? (mod (.pinAddress ^Tensor %) 64)) outs)))))
    (testing "neighbours in shared memory do not see each other"
      (.set w [1 2 3])
      (let [[^Tensor a b] (repeatedly 2 #(aget (.call f (object-array [[] []])) 0))]
        (.copyFrom a (Tensor/of [7.0 8.0 9.0]) false)
        (is (= [1.0 2.0 3.0] @b))
        (.close a)
        (is (= [1.0 2.0 3.0] @b) "not even when one is closed")
        (is (.isClosed a))))))

(deftest into-the-callers-buffers
  (let [w (programs/state "w" [1 2 3])
        f (compiled programs/take-add {"w" w})
        out (Tensor/zeros DType/F64 (long-array [3]))]
    (is (= [[1.0 2.0 3.0]] (into! f [out] [0] [10])))
    (is (= [1.0 2.0 3.0] @out))
    (is (= [11.0 2.0 3.0] @(.value w)))
    (testing "a buffer that begins anywhere"
      (let [rows (Tensor/zeros DType/F64 (long-array [2 3]))]
        (is (= [[11.0 2.0 3.0]] (into! f [(nth rows 1)] [0] [0])))
        (is (= [[0.0 0.0 0.0] [11.0 2.0 3.0]] @rows))))
    (testing "wrapped memory"
      (with-open [arena (Arena/ofConfined)]
        (let [s (.allocate arena 24 64)]
          (into! f [(Tensor/wrap s DType/F64 (long-array [3]))] [0] [0])
          (is (= 3.0 (.getAtIndex s ValueLayout/JAVA_DOUBLE 2)))
          (is (= "bad-data" (first (refusal #(into! f [(Tensor/wrap (.asReadOnly s) DType/F64
                                                                    (long-array [3]))]
                                                    [0] [0]))))))))
    (testing "wrong buffers leave the state alone"
      (let [x (Tensor/of [1.0 2.0 3.0])
            both (Tensor/zeros DType/F64 (long-array [4]))]
        (doseq [[outs args kind]
                [[[] [[0] [1]] "arity-mismatch"]
                 [[out out] [[0] [1]] "arity-mismatch"]
                 [[nil] [[0] [1]] "bad-data"]
                 [[(Tensor/zeros DType/F32 (long-array [3]))] [[0] [1]] "dtype-mismatch"]
                 [[(Tensor/zeros DType/F64 (long-array [4]))] [[0] [1]] "shape-mismatch"]
                 [[x] [[0 0 0] x] "aliasing"]
                 [[(.slice both 0 3)] [[0 0] (.slice both 2 4)] "aliasing"]
                 [[(.slice both 1 4)] [[0 0] (.slice both 0 2)] "aliasing"]
                 [[(doto (.copy x) .close)] [[0] [1]] "closed"]]]
          (is (= kind (first (refusal #(apply into! f outs args)))) (str kind)))
        (is (= [11.0 2.0 3.0] @(.value w)))))))

(deftest failures-tell-where
  (let [w (programs/state "w" [1 2 3])
        f (compiled programs/take-add {"w" w})
        failed (fn [thunk] (try (thunk) nil (catch DamoException e e)))
        ^DamoException e (failed #(call f [0 7] [10 20]))]
    (is (= "index-out-of-bounds" (.kind e)))
    (is (= {"op" "take" "expr" "(take w i)" "file" "demo.clj" "line" 12 "function" "take-add"
            "message" "label of a row" "value" 7 "extent" 3}
           (dissoc (into {} (.data e)) "try")))
    (is (= (str "in take-add: take: label of a row; the index 7 is not in 0 … 2\n"
                "  expression: (take w i)\n  written at: demo.clj:12")
           (.what e)))
    (is (= [1.0 2.0 3.0] @(.value w)) "the write to w[0] was undone")
    (is (= -1 (get (.data ^DamoException (failed #(call f [-1] [10]))) "value")))
    (is (= "index-out-of-bounds"
           (first (refusal #(.callN f 5 (object-array [[0 3] [1 1]]))))))
    (is (= [1.0 2.0 3.0] @(.value w)))
    (is (= [[1.0 2.0 3.0]] (call f [2] [1])) "and the function still works"))
  (let [w (programs/state "w" [1 2])
        f (compiled programs/axpy {"w" w})]
    (is (= ["requirement-failed" "in axpy: sqrt: a must not be negative"]
           (refusal #(call f -1 [1 1]))))
    (is (= [1.0 2.0] @(.value w)))))

(deftest many-threads-at-once
  (let [f (compiled programs/dot)
        n 1000
        sizes (mapv #(mod (* 7 %) 13) (range 8))
        xs (mapv #(f32 (vec (range %))) sizes)
        expected (mapv #(reduce + 1.0 (map * (range %) (range %))) sizes)
        work (fn [k] (let [x (xs k)]
                       (loop [i 0]
                         (if (= i n)
                           :fine
                           (let [[v] (call f x x 1)]
                             (if (= v (expected k)) (recur (inc i)) v))))))]
    (is (= (repeat 8 :fine) (mapv deref (mapv #(future (work %)) (range 8)))))))

(deftest closing-arguments-during-calls
  (let [f (compiled programs/dot)]
    (dotimes [round 30]
      (let [x (f32 (vec (repeat 50000 1)))
            go (promise)
            closer (future @go (.close x))
            caller (future @go (doall (repeatedly 20 #(try (call f x x 0)
                                                           (catch DamoException e (.kind e))))))]
        (deliver go true)
        @closer
        (is (every? #{[50000.0] "closed"} @caller) (str "round " round))))))

(deftest closing-functions
  (let [f (compiled programs/dot)
        callers (mapv (fn [_] (future (loop [n 0]
                                        (let [r (try (call f [1 2] [3 4] 0)
                                                     (catch DamoException e (.kind e)))]
                                          (if (= [11.0] r) (recur (inc n)) r)))))
                      (range 4))]
    (call f [1] [1] 1)
    (.close f)
    (.close f)
    (is (= (repeat 4 "closed") (mapv deref callers)))
    (is (= ["closed" "the function dot was closed"] (refusal #(call f [1] [1] 1))))))

(deftest steady-calls-hold-no-memory
  (let [f (compiled programs/dot)
        x (f32 (vec (range 1000)))
        args (object-array [x x (f32 0)])
        outs (buffers (f32 0))]
    (.callInto f outs args)
    (let [before (Tensor/outstandingBytes)]
      (dotimes [_ 1000] (.callInto f outs args))
      ;; memory of earlier tests may be freed meanwhile
      (is (<= (Tensor/outstandingBytes) before)))))

(deftest programs-that-lie
  (testing "about an index: refused when the sizes are known, before anything runs"
    (let [f (compiled (assoc-in programs/dot [:kernels 0 :body 1 2] '[:+ n 1]))]
      (is (= "out-of-bounds" (first (refusal #(call f [1] [1] 0)))))))
  (testing "about a size that overflows"
    (let [f (compiled (update programs/dot :buffers conj
                              '{:dtype :f64 :size [:* n 4611686018427387904] :kind :temp}))]
      (is (= "size-overflow" (first (refusal #(call f [1 2] [1 2] 0)))))))
  (testing "about memory that no machine has"
    (let [f (compiled (-> programs/dot
                          (update :buffers conj '{:dtype :f64 :size [:* n 1000000000000]
                                                  :kind :temp})
                          (update :kernels conj '{:name "fill" :params [[:f64 :out]]
                                                  :body [[:store 0 0 [:const :f64 0.0]]]})
                          (update :steps conj '{:do :kernel :kernel 1 :args [4]})))]
      (is (= "out-of-memory" (first (refusal #(call f [1 2] [1 2] 0)))))
      (is (= "out-of-memory" (first (refusal #(call f [1 2] [1 2] 0)))) "and again")))
  (testing "about states"
    (is (= "unknown-state" (first (refusal #(compiled programs/total)))))
    (is (= "state-mismatch" (first (refusal #(compiled programs/total
                                                       {"w" (programs/state "w" [[1]])})))))
    (is (= "state-mismatch"
           (first (refusal #(compiled programs/total
                                      {"w" (programs/state "w" [1] DType/F32)})))))))
