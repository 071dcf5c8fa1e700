(ns damo.laws.whole-products-test
  "Products of whole numbers are those of the interpreter to the bit, where they wrap too: of all
  dtypes that are widened to the product's, of any sizes, transposed, in stacks, by all widths of
  vectors and numbers of threads."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.interpreted :as interpreted]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen LibraryUse LlvmModule Target)
           (damo.jit NativeCode)
           (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private bits {:u8 8, :i8 8, :i16 16, :i32 32, :i64 64})

(defn- values
  "n numbers of a dtype, as many large ones as small ones; the least one among them."
  [^Random r dtype n]
  (let [width (long (bits dtype))
        whole (fn [] (let [x (bit-shift-right (.nextLong r) (- 64 width))]
                       (case (.nextInt r 4)
                         0 (bit-shift-right (bit-shift-left -1 63) (- 64 width))
                         1 (rem x 10)
                         x)))]
    (vec (repeatedly n #(let [x (long (whole))] (if (= dtype :u8) (bit-and x 255) x))))))

(defn- wrapped [dtype x] (if (= dtype :i32) (unchecked-int (long x)) x))

(defn- product
  "The rows of A times the columns of B, one after the other."
  [dtype [m n k] a b]
  (vec (for [i (range m) j (range n)]
         (wrapped dtype (reduce (fn [sum l] (unchecked-add (long sum)
                                                           (unchecked-multiply (long (a i l))
                                                                               (long (b l j)))))
                                0 (range k))))))

(def ^:private dtypes
  [[:i32 :i8 :i8] [:i32 :u8 :i8] [:i32 :i16 :i16] [:i32 :i32 :i32] [:i32 :i8 :i32]
   [:i64 :i64 :i64] [:i64 :i32 :u8]])

(defn- program [dtype da db a-strides b-strides]
  (-> (calling/program '[m n k] [[da :in '[:* m k]] [db :in '[:* k n]] [dtype :out '[:* m n]]] [])
      (assoc :steps [{:do :gemm :dtype dtype :m 'm :n 'n :k 'k :alpha 1 :beta 0
                      :a {:buffer 0 :offset 0 :strides a-strides}
                      :b {:buffer 1 :offset 0 :strides b-strides}
                      :c {:buffer 2 :offset 0 :strides '[n 1]}}])))

(deftest steps-test
  (doseq [vector-bits [128 256 512]
          [dtype da db] (if (= 512 vector-bits) dtypes [[:i32 :u8 :i8] [:i64 :i64 :i64]])
          [at bt] (if (= 512 vector-bits) [[false false] [true true] [false true]] [[true false]])
          :let [program (program dtype da db (if at '[1 m] '[k 1]) (if bt '[1 k] '[n 1]))
                r (Random. 5)]]
    (with-open [code (NativeCode/compile
                      ^LlvmModule (Codegen/module (calling/read-program program)
                                                  (Target. vector-bits true true) LibraryUse/NONE))]
      (doseq [[m n k] [[1 1 1] [2 40 0] [13 33 7] [30 9 65] [12 70 33] [25 16 530]]
              threads [1 3]
              :let [a (values r da (* m k)), b (values r db (* k n))]]
        (is (= (product dtype [m n k] #(nth a (if at (+ (* m %2) %1) (+ (* k %1) %2)))
                        #(nth b (if bt (+ (* k %2) %1) (+ (* n %1) %2))))
               (nth (:buffers (calling/run code program [m n k]
                                           [a b (repeat (* m n) 7) (repeat m 0) (repeat n 0)
                                            (repeat k 0)] :threads threads))
                    2))
            [vector-bits dtype da db at bt m n k])))))

(deftest reads-factors-test
  (doseq [[factor message] [[0.5 #"expected an integer of dtype :i64, found 0.5"]
                            [(inc (bit-shift-left 1 53)) #"at most 2\^53, found 9007199254740993"]]
          :let [bad (assoc-in (program :i64 :i64 :i64 '[k 1] '[n 1]) [:steps 0 :alpha] factor)]]
    (is (thrown-with-msg? damo.DamoException message (calling/read-program bad)))))

(defn- matrix [r dtype [rows & inner]]
  (if rows (vec (repeatedly rows #(matrix r dtype inner))) (first (values r dtype 1))))

(deftest functions-test
  (testing "as users write them: with casts, views, stacks and sizes that only a call tells"
    (let [r (Random. 9)
          in (fn [name dtype shape] (d/input name [dtype shape]))]
      (doseq [[dtype da db] dtypes
              [f x-dims y-dims] [[d/matmul '[m k] '[k n]]
                                 [(fn [x y] (d/matmul (d/transpose x) y)) '[k m] '[k n]]
                                 [(fn [x y] (d/matmul x (d/transpose y))) '[m k] '[n k]]
                                 [(fn [x y] (d/add 1 (d/matmul x (d/index y [nil nil -1]))))
                                  '[m k] '[k n]]
                                 [d/matmul '[2 m k] '[k n]]
                                 [d/matmul '[3 1 m k] '[2 k n]]]
              :let [x (in 'x da x-dims), y (in 'y db y-dims)
                    e (f (d/cast x dtype) (d/cast y dtype))]
              sizes ['{m 9, n 12, k 20} '{m 1, n 8, k 3} '{m 0, n 2, k 4} '{m 3, n 2, k 0}]
              :let [sized (fn [dims] (mapv #(get sizes % %) dims))
                    given {x (matrix r da (sized x-dims)), y (matrix r db (sized y-dims))}]
              :when (every? pos? (map #(get sizes % %) (concat x-dims y-dims)))]
        (is (= dtype (d/dtype e)))
        (is (= (interpreted/interpreted e given) (d/eval e given)) [dtype da db x-dims sizes])))))
