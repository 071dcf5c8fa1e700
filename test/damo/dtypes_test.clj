(ns damo.dtypes-test
  "The storage dtypes :f16 and :bf16, and :i16, as users meet them: docs/dtypes.md."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d])
  (:import [damo.tensor DType Tensor]
           [java.io File]))

(set! *warn-on-reflection* true)

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e
                 (first (re-seq #".*" (ex-message e))))))

(defn- called
  "The values of (f x) for an input x of that dtype and one axis, given these numbers."
  [dtype f numbers]
  (let [x (d/input 'x [dtype ['n]])] @((d/function [x] (f x)) numbers)))

;; ## Values

(deftest results-are-rounded-to-the-dtype
  (are [dtype f numbers expected] (= expected (called dtype f numbers))
    :f16 #(d/add % 1) [0.1 2048.0 65504.0] [1.099609375 2048.0 65504.0]
    :f16 #(d/mul % 2) [40000.0 -40000.0 6e-8] [##Inf ##-Inf (* 2 5.960464477539063E-8)]
    :bf16 #(d/add % 1) [0.1 256.0 1e38] [1.1015625 256.0 9.969209968386869E37]
    :i16 #(d/add % 1) [1 32767] [2 -32768]))

(deftest a-result-does-not-depend-on-what-shares-its-kernel
  (testing "1/2048 is lost by the addition, also when the difference follows in the same loop"
    (let [x (d/input 'x [:f16 []])
          f (d/function [x] (d/sub (d/maximum (d/add 1 x) 0.5) 1))]
      (is (= 1 (count (:kernels (d/program f)))))
      (is (= 0.0 @(f (/ 1.0 2048))))))
  (testing "the gradient of max finds the element that is the maximum, rounded as it was"
    (let [x (d/input 'x [:f16 ['n]])
          f (d/function [x] (d/grad (d/max (d/mul x 1.1)) x))]
      (is (= [0.0 0.0 1.099609375] @(f [0.1 0.3 0.7]))))))

(deftest a-cast-to-a-dtype-that-loses-digits-stays
  (let [x (d/input 'x [:f16 ['n]])
        f (d/function [x] (d/cast (d/cast x :dtype :bf16) :dtype :f32))]
    (is (= [1.0 0.10009765625] @(f [1.0009765625 0.1])))))

(deftest rules-do-not-leave-the-range-of-a-storage-dtype
  (let [x (d/input 'x [:f16 ['n]]), s (d/input 's [:f16 []]), ones (d/ones [100000] :f16)]
    (is (= 10000.0 @((d/function [x s] (d/sum (d/mul x s))) ones 0.1)))
    (is (= 10000.0 @((d/function [x s] (d/sum (d/mul (d/ones-like x) s))) ones 0.1)))
    (is (= [49.34375] @((d/function [x] (d/div x 1e-6)) [5e-5])) "1e-6 has no inverse in :f16")))

(deftest several-steps-are-computed-in-single-precision
  (let [x (d/input 'x [:f16 ['n]]), ones (d/ones [100000] :f16)]
    (is (= 1.0 @((d/function [x] (d/mean x)) ones)))
    (is (= ##Inf @((d/function [x] (d/sum x)) ones)) "100000 is no value of :f16")
    (is (= 100000.0 @((d/function [x] (d/sum x :dtype :f32)) ones)))
    (is (= (* 168 (Math/scalb 1.0 (int -24)))
           (first @((d/function [x] (d/grad (d/mean x) x) {:on-unused-input :ignore}) ones)))
        "1/100000, as near as a subnormal comes")))

(deftest products-keep-the-dtype
  (doseq [dtype [:f16 :bf16]]
    (let [x (d/input 'x [dtype ['n 'k]]), f (d/function [x] (d/dot x (d/transpose x)))
          product (f [[1 2 3] [0.5 0 -1]])]
      (is (= dtype (d/dtype product)))
      (is (= [[14.0 -2.5] [-2.5 1.25]] @product)))))

;; ## Training

(defn- loss-of [x y w v]
  (let [h (d/tanh (d/dot x w))]
    (d/mean (d/cross-entropy (d/dot h v) y))))

(def ^:private weights
  [(mapv (fn [i] (mapv (fn [j] (- (/ (mod (* 7 (+ i (* 3 j))) 11) 11.0) 0.5)) (range 8)))
         (range 4))
   (mapv (fn [i] (mapv (fn [j] (- (/ (mod (* 5 (+ j (* 2 i))) 13) 13.0) 0.5)) (range 3)))
         (range 8))])

(def ^:private images
  [[[1 0 0 1] [0 1 0 1] [0 0 1 1] [1 1 0 1]] [0 1 2 1]])

(defn- losses
  "The losses of 40 steps, and the dtypes of gradients and weights. `params` are the dtypes that the
  weights are kept in, `computed` the one that the loss is computed in."
  [kept computed]
  (let [x (d/input 'x [computed ['n 4]]), y (d/input 'y [:i64 ['n]])
        [w v :as params] (map #(d/shared %1 (d/tensor %2 kept)) '[w v] weights)
        [low-w low-v] (map #(d/cast % :dtype computed) params)
        loss (loss-of x y low-w low-v)
        grads (d/grad loss [w v])
        updates (zipmap params (map #(d/sub %1 (d/mul 0.25 %2)) params grads))
        step (d/function [x y] loss {:updates updates})]
    {:losses (vec (repeatedly 40 #(deref (apply step images))))
     :dtypes (into (mapv d/dtype grads) (map (comp d/dtype d/value)) [w v])}))

(deftest a-network-trains-in-storage-dtypes
  (let [exact (peek (:losses (losses :f32 :f32)))]
    (doseq [dtype [:f16 :bf16], :let [{:keys [losses dtypes]} (losses dtype dtype)]]
      (is (= [dtype dtype dtype dtype] dtypes))
      (is (< (peek losses) (* 0.2 (first losses))) (str dtype))
      (is (< (abs (- exact (peek losses))) 0.05)))
    (testing "weights in :f32, computing in :bf16"
      (let [{:keys [losses dtypes]} (losses :f32 :bf16)]
        (is (= [:f32 :f32 :f32 :f32] dtypes))
        (is (< (abs (- exact (peek losses))) 0.01))))))

(deftest small-steps-need-wide-weights
  (let [steps (fn [kept]
                (let [w (d/shared 'w (d/tensor 1.0 kept))
                      step (d/function [] [] {:updates {w (d/sub w 0.001)}})]
                  (dotimes [_ 100] (step))
                  @(d/value w)))]
    (is (= 1.0 (steps :bf16)))
    (is (< (abs (- 0.9 (steps :f32))) 1e-4))))

;; ## Data

(deftest data-in-and-out
  (let [t (d/tensor [0.1 65504 -0.0] :f16)]
    (is (= [0.0999755859375 65504.0 -0.0] @t))
    (is (= "#damo/tensor [:f16 [3]] [0.0999756 65504.0 -0.0]" (str t)))
    (is (= (map float @t) (seq (d/->array t))))
    (is (instance? (class (float-array 0)) (d/->array t)))
    (is (= [(Float/floatToFloat16 (float 0.1)) (unchecked-short 0x7bff) Short/MIN_VALUE]
           @(.reinterpret ^Tensor t 0 DType/I16 (long-array [3])))))
  (is (= [1.0 0.5] @(d/tensor (float-array [1 0.5]) :bf16 {:allow-downcast true})))
  (is (= [-3 7] (vec (d/->array (d/tensor (short-array [-3 7]))))))
  (is (= [1.0 0.0 2.0] @(d/tensor (short-array [1 0 2]) :f16))))

(deftest lossy-data-is-refused
  (let [x (d/input 'x [:f16 ['n]]), f (d/function [x] x {:name "f"})]
    (are [data message] (= (str "in f: input x [:f16 [n]]: " message) (error-of #(f data)))
      (double-array [1])
      (str ":f64 data cannot become :f16: it would lose precision; allow the downcast, or give :f16"
           " data")
      (d/tensor [1.0] :bf16)
      (str ":bf16 data cannot become :f16: it would lose precision; allow the downcast, or give"
           " :f16 data")
      [1.0 1e6] "the number 1000000.0 at [1] cannot become :f16: :f16 cannot hold it"
      [2049] (str "the number 2049 at [0] cannot become :f16: :f16 cannot hold it exactly; only"
                  " numbers with a point are rounded")
      (int-array [2049])
      ":i32 data cannot become :f16: element 0 is 2049, which :f16 cannot hold exactly")
    (testing "but for :allow-downcast"
      (let [f (d/function [x] x {:allow-downcast true})]
        (is (= [0.0999755859375] @(f (double-array [0.1]))))
        (is (= [##Inf] @(f (d/tensor [1e10] :bf16))))))
    (testing "a constant beyond the range"
      (is (re-find #"mul: 1000000.0 is beyond the range of dtype :f16, which ends at 65504.0"
                   (error-of #(d/mul 1e6 x)))))))

(deftest state-in-files
  (let [file (File/createTempFile "damo" ".damo")]
    (try
      (let [w (d/shared 'w (d/tensor [1.5 -2.0] :bf16)), k (d/shared 'k (d/tensor [7] :i16))
            f (d/function [] [(d/mul w 0.1) k] {:updates {k (d/add k 1)}})]
        (f)
        (d/save (str file) {:f f})
        (let [[product count] ((:f (d/load (str file))))]
          (is (= [[0.150390625 -0.2001953125] [8]] [@product @count]))
          (is (= [:bf16 :i16] (map d/dtype [product count])))))
      (finally (.delete file)))))

(deftest graphs-with-constants-of-storage-dtypes-are-data
  (let [x (d/input 'x [:f16 ['n]]), g (d/graph (d/mul (d/add x 0.1) (d/tensor [1.5] :f16)))]
    (is (= g (d/graph (d/expr (read-string (pr-str g))))))))

(deftest loops-of-halves-around-long-formulas
  (testing "LLVM's code for AVX512-FP16 gave one number everywhere"
    (let [values (fn [dtype]
                   (let [a (d/input 'a [dtype ['m 1]]), x (d/input 'x [dtype [1 'm]])
                         f (d/function [a x] (d/gammainc a x))]
                     @(f (d/tensor [[1.0] [2.0] [3.0]] dtype) (d/tensor [[0.5 1.0 2.0]] dtype))))]
      (doseq [[half single] (map vector (flatten (values :f16)) (flatten (values :f32)))]
        (is (< (abs (- (double half) (double single))) 1e-3))))))

(deftest stacks-of-products-read-storage-dtypes
  (let [x (d/input 'x [:bf16 ['b 2 3]]), y (d/input 'y [:f32 ['b 3 2]])
        f (d/function [x y] (d/matmul (d/cast x :dtype :f32) y) {:threads 2})]
    (is (= [:gemm] (map :do (:steps (d/program f)))))
    (is (= [[[4.0 5.0] [10.0 11.0]] [[1.0 3.0] [1.0 3.0]]]
           @(f [[[1 2 3] [4 5 6]] [[1 1 1] [1 1 1]]] [[[1 0] [0 1] [1 1]] [[1 1] [0 1] [0 1]]])))))

(deftest products-read-storage-dtypes
  (testing "no copy of an operand as :f32 is made, whether it is turned or not"
    (let [x (d/input 'x [:bf16 ['n 3]]), y (d/input 'y [:f16 [4 3]])
          wide #(d/cast % :dtype :f32)
          f (d/function [x y] (d/dot (wide x) (d/transpose (wide y))))]
      (is (= [:gemm] (map :do (:steps (d/program f)))))
      (is (= [[1.0 2.0 6.0 2.0] [4.0 5.0 15.0 8.0]]
             @(f [[1 2 3] [4 5 6]] [[1 0 0] [0 1 0] [1 1 1] [2 0 0]]))))))
