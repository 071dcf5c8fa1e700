(ns damo.codegen.products-test
  "Gemm steps over sizes, layouts, factors and batches, against a plain triple loop."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo DamoException)
           (damo.codegen Codegen LibraryUse LlvmModule Target)
           (damo.jit NativeCode)
           (damo.verify Bindings)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

(defn- step
  "A gemm step on buffers 0, 1 and 2, with changes."
  [changes]
  (merge {:do :gemm :dtype :f64 :m 'm :n 'n :k 'k :alpha 1.0 :beta 0.0
          :a {:buffer 0 :offset 0 :strides ['k 1]}
          :b {:buffer 1 :offset 0 :strides ['n 1]}
          :c {:buffer 2 :offset 0 :strides ['n 1]}}
         changes))

(defn- program
  "A program of one gemm step over dimensions m, n and k; `lengths` are the sizes of A, B and C."
  [dtype lengths step]
  (-> (calling/program '[m n k] (mapv (fn [access n] [dtype access n]) [:in :in :inout] lengths) [])
      (assoc :steps [(assoc step :dtype dtype)])))

(defn- value-of
  "A size expression's value."
  [env size]
  (cond (symbol? size) (env size)
        (vector? size) (apply ({:* * :+ + :- -} (first size)) (map #(value-of env %) (rest size)))
        :else size))

(defn- product
  "C after the step, by three loops and the batch loops around them."
  [{:keys [m n k alpha beta a b c batch]} env [av bv cv]]
  (let [v #(value-of env %)
        at (fn [{:keys [offset strides]} shift i j]
             (+ (v offset) shift (* i (v (first strides))) (* j (v (second strides)))))
        shifts (reduce (fn [shifts {:keys [extent] :as loop}]
                         (for [[x y z] shifts e (range (v extent))]
                           [(+ x (* e (v (:a loop)))) (+ y (* e (v (:b loop))))
                            (+ z (* e (v (:c loop))))]))
                       [[0 0 0]] batch)]
    (reduce (fn [cv [[sa sb sc] i j]]
              (let [sum (reduce + 0.0 (for [l (range (v k))]
                                        (* (nth av (at a sa i l)) (nth bv (at b sb l j)))))
                    p (at c sc i j)]
                (assoc cv p (+ (* alpha sum) (if (zero? beta) 0.0 (* beta (nth cv p)))))))
            (vec cv)
            (for [s shifts i (range (v m)) j (range (v n))] [s i j]))))

(defn- random-values [seed n]
  (let [r (java.util.Random. seed)] (vec (repeatedly n #(- (.nextInt r 9) 4.0)))))

(defn- run
  "Asserts that compiled code for the step agrees with the loops, on random small integers, whose
  products are exact. `c` is what C holds before, when it is not random."
  [code program step {:syms [m n k] :as env} lengths what & {:keys [c]}]
  (let [values (cond-> (mapv random-values [1 2 3] lengths)
                 c (assoc 2 (vec (repeat (last lengths) c))))
        {:keys [status buffers]}
        (calling/run code program [m n k]
                     (concat values [(repeat m 0) (repeat n 0) (repeat k 0)]))]
    (is (= 0 status))
    (is (= (product step env values) (mapv double (nth buffers 2))) what)))

(defn- check
  "Compiles the step for symbolic buffer sizes `lengths`, and runs it for each of the dimensions in
  `envs`; see `run`."
  [dtype step lengths envs what & {:as options}]
  (let [program (program dtype lengths step)]
    (with-open [code (calling/compile-program program)]
      (doseq [env envs]
        (run code program step env (map #(value-of env %) lengths) (conj what env) options)))))

(def ^:private dense '[[:* m k] [:* k n] [:* m n]])

(defn- cases
  "All combinations of one value from each row."
  [& rows]
  (reduce (fn [cases row] (for [c cases x row] (conj c x))) [[]] rows))

(def ^:private a-layouts '[[k 1] [1 m]])
(def ^:private b-layouts '[[n 1] [1 k]])
(def ^:private factors [[1.0 0.0] [-0.5 1.0] [1.0 0.5]])

(defn- operands [a b]
  {:a {:buffer 0 :offset 0 :strides a} :b {:buffer 1 :offset 0 :strides b}})

(defn- envs
  "Dimensions m, n and k by name, for all combinations."
  [ms ns ks]
  (for [[m n k] (cases ms ns ks)] {'m m 'n n 'k k}))

(deftest sizes-and-layouts-test
  (doseq [[dtype a b [alpha beta] :as row] (cases [:f64 :f32] a-layouts b-layouts factors)]
    (check dtype (step (assoc (operands a b) :alpha alpha :beta beta)) dense
           (concat (envs [0 1 2 7] [0 1 2 7] [0 1 2 7]) (envs [1 64] [1 64] [1 7 64])) row)))

(deftest constant-sizes-test
  (testing "sizes known at compile time"
    (doseq [[dtype m n k a b [alpha beta] :as row]
            (cases [:f32] [1 60] [1 10 17] [1 33] a-layouts b-layouts (take 2 factors))
            :let [known #(mapv (fn [s] (get {'m m 'n n 'k k} s s)) %)]]
      (check dtype (merge (step (operands (known a) (known b)))
                          {:m m :n n :k k :alpha alpha :beta beta
                           :c {:buffer 2 :offset 0 :strides [n 1]}})
             [(* m k) (* k n) (* m n)] ['{m 1 n 1 k 1}] row))))

;; A vector and a matrix: lengths below, at and above the lanes of a register, and beyond what stays
;; in registers, for machines of all widths.
(deftest vectors-test
  (doseq [bits [128 256 512], dtype [:f64 :f32], b b-layouts, [alpha beta] (take 2 factors)
          [m n] '[[1 n] [m 1] [1 1] [1 50] [1 133]]
          :let [known #(mapv (fn [s] (get {'m m 'n n} s s)) %)
                lengths (replace {'m m 'n n} [[:* m 'k] [:* 'k n] [:* m n]])
                step (step (assoc (operands (known '[k 1]) (known b)) :m m :n n :alpha alpha
                                  :beta beta :c {:buffer 2 :offset 0 :strides [n 1]}))
                program (program dtype lengths step)
                module (Codegen/module (calling/read-program program) bits)]]
    (with-open [code (NativeCode/compile module)]
      (doseq [k [0 1 9 33], l (if (some symbol? [m n]) [0 1 8 17 70] [1])
              :let [env {'m (if (symbol? m) l m) 'n (if (symbol? n) l n) 'k k}]]
        (run code program step env (map #(value-of env %) lengths) [bits dtype b alpha env])))))

(deftest outer-test
  (doseq [bits [128 256 512], dtype [:f64 :f32], a a-layouts, [alpha beta] factors
          :let [row (if (zero? beta) 'n '[:+ n 2])
                step (step {:k 1 :alpha alpha :beta beta
                            :a {:buffer 0 :offset 0 :strides (replace '{k 1} a)}
                            :c {:buffer 2 :offset 0 :strides [row 1]}})
                lengths ['m 'n [:* 'm row]]
                program (program dtype lengths step)
                module (Codegen/module (calling/read-program program) bits)]]
    (is (re-find #"damo\.short" (.text ^LlvmModule module)))
    (with-open [code (NativeCode/compile module)]
      (doseq [env (envs [0 1 2 9] [0 1 7 8 16 33] [1])]
        (run code program step env (map #(value-of env %) lengths) [bits dtype a alpha env]
          {:c (when (zero? beta) ##NaN)})))))

(deftest vector-strides-test
  (testing "the vector is a column of a matrix"
    (check :f32 (step {:m 1 :a '{:buffer 0 :offset 1 :strides [1 5]}
                       :c '{:buffer 2 :offset 3 :strides [n 1]}})
           '[[:+ 1 [:* 5 k]] [:* k n] [:+ 3 n]] (envs [1] [1 40] [0 1 11]) [])))

(deftest narrow-test
  (testing "few columns, whatever the rows and terms are"
    (doseq [bits [128 256 512], dtype [:f64 :f32], n [2 10 17], a a-layouts
            :let [step (step {:n n :beta 1.0 :a {:buffer 0 :offset 0 :strides a}
                              :b {:buffer 1 :offset 0 :strides [n 1]}
                              :c {:buffer 2 :offset 0 :strides [n 1]}})
                  program (program dtype [[:* 'm 'k] [:* 'k n] [:* 'm n]] step)
                  module (Codegen/module (calling/read-program program) bits)]]
      (with-open [code (NativeCode/compile module)]
        (doseq [m [0 1 3 6 13 49] k [0 1 30 400]
                :let [env {'m m 'n n 'k k}]]
          (run code program step env [(* m k) (* k n) (* m n)] [bits dtype a env]))))))

(def ^:private dots?
  "Has this processor instructions for pairs of bf16?"
  (let [info (io/file "/proc/cpuinfo")]
    (and (.exists info) (str/includes? (Files/readString (.toPath info)) " avx512_bf16 "))))

(defn- mixed-program
  "The same for operands of those dtypes and an :f32 C."
  [a b lengths step]
  (reduce (fn [program [at dtype]] (assoc-in program (conj at :dtype) dtype))
          (program :f32 lengths step)
          {[:buffers 0] a, [:inputs 0] a, [:buffers 1] b, [:inputs 1] b}))

(deftest storage-dtypes-test
  (testing "A and B of :f16 and :bf16 are widened where they are read; sums are those of floats"
    (doseq [bits [128 256 512], [halves dots] [[true false] [false false] [true dots?]]
            [da db] (cond dots [[:bf16 :bf16]], (not halves) [[:f16 :f16]]
                          :else [[:bf16 :bf16] [:f16 :f32] [:f32 :bf16]])
            a a-layouts, b b-layouts
            :let [step (step (assoc (operands a b) :beta 0.5))
                  step (if (= b '[1 k]) (assoc step :alpha -0.5 :beta 0.0) step)
                  program (mixed-program da db dense step)
                  module (Codegen/module (calling/read-program program)
                                         (Target. bits halves dots) LibraryUse/NONE)]]
      (with-open [code (NativeCode/compile module)]
        (doseq [[m n k] [[1 1 1] [1 9 33] [1 40 700] [1 40 0] [5 7 0] [5 70 100] [13 1 40] [30 9 50]
                         [13 70 1] [14 33 60]]
                :let [env {'m m 'n n 'k k}]]
          (run code program step env (map #(value-of env %) dense) [bits halves dots da db a b env]
            {:c (when (zero? (:beta step)) ##NaN)}))))))

(deftest large-storage-dtypes-test
  (testing "more rows, columns and terms than are packed at a time"
    (doseq [[b m n k] '[[[n 1] 520 33 3] [[1 k] 13 1030 2] [[1 k] 13 33 1030]]
            :let [step (step (assoc (operands '[1 m] b) :beta 1.0))
                  program (mixed-program :bf16 :f16 dense step)
                  env {'m m 'n n 'k k}]]
      (with-open [code (calling/compile-program program)]
        (run code program step env (map #(value-of env %) dense) env)))))

(defn- floats-of-bf16
  "n numbers that bf16 holds, of sizes around 2^exponent; some 0, and with a special one some that."
  [seed n exponent special]
  (let [r (java.util.Random. seed)]
    (vec (repeatedly n #(let [x (Math/scalb (.nextGaussian r) (int (+ exponent (.nextInt r 9))))]
                          (case (.nextInt r 40)
                            0 0.0
                            1 (or special 0.0)
                            (double (calling/bf16-value (calling/bf16-bits x)))))))))

(deftest pairs-of-bf16-test
  (testing "pairs have the bits of the floats that they are, subnormal ones and sums among them"
    (doseq [bits (if dots? [128 256 512] [])
            [a b] (if (= bits 512) (cases a-layouts (conj b-layouts [0 1])) '[[[k 1] [n 1]]])
            :let [step (step (assoc (operands a b) :beta 1.0))
                  program (mixed-program :bf16 :bf16 dense step)
                  modules (for [dots [true false]]
                            (Codegen/module (calling/read-program program)
                                            (Target. bits true dots) LibraryUse/NONE))
                  codes (mapv #(NativeCode/compile ^LlvmModule %) modules)]]
      (is (= [true false] (map #(boolean (some (fn [name] (str/ends-with? name ".pairs"))
                                               (keys (.shared ^LlvmModule %))))
                               modules)))
      (doseq [[m n k] [[13 40 33] [61 70 530] [14 65 1]]
              [exponents special] [[[0 0] nil] [[-130 0] nil] [[-60 -70] nil] [[0 -135] 1e-40]
                                   [[-20 -100] ##Inf] [[120 10] ##NaN]]
              :let [values [(floats-of-bf16 1 (* m k) (exponents 0) special)
                            (floats-of-bf16 2 (* k n) (exponents 1) nil)
                            (random-values 3 (* m n)) (repeat m 0) (repeat n 0) (repeat k 0)]
                    [pairs floats] (for [code codes]
                                     (mapv #(Float/floatToIntBits %)
                                           (-> (calling/run code program [m n k] values)
                                               :buffers (nth 2))))]]
        (is (= floats pairs) [bits a b m n k exponents special]))
      (run! #(.close ^NativeCode %) codes))))

(deftest nan-in-c-test
  (testing "beta 0 never reads C"
    (doseq [dtype [:f64 :f32]]
      (check dtype (step {}) dense (concat (envs [1 3 7] [1 3 7 10] [0 1 3])) [dtype] :c ##NaN))))

(deftest offsets-and-gaps-test
  (testing "matrices inside larger buffers"
    (check :f64 (step {:beta 1.0
                       :a {:buffer 0 :offset 3 :strides '[[:+ k 2] 1]}
                       :b {:buffer 1 :offset 1 :strides '[1 [:+ k 4]]}
                       :c {:buffer 2 :offset 2 :strides '[[:+ n 1] 1]}})
           '[[:+ 3 [:* m [:+ k 2]]] [:+ 1 [:* n [:+ k 4]]] [:+ 2 [:* m [:+ n 1]]]]
           (envs [1 3] [1 4] [1 5]) [])))

(deftest broadcast-strides-test
  (testing "strides that BLAS refuses: a row or column used again and again"
    (doseq [[a b] '[[[0 1] [n 1]] [[k 1] [0 1]] [[1 0] [n 1]] [[k 1] [1 0]]]]
      (check :f64 (step (operands a b)) dense (envs [1 3] [1 4] [1 5]) [a b]))))

(deftest windows-test
  (testing "the rows of A are windows of a line, which overlap"
    (doseq [[dtype step-size b] (cases [:f64 :f32] [1 2] b-layouts)]
      (check dtype (step {:a {:buffer 0 :offset 1 :strides [step-size 1]}
                          :b {:buffer 1 :offset 0 :strides b}})
             [[:+ [:* step-size 'm] 'k] '[:* k n] '[:* m n]]
             (envs [1 14 30] [3 40] [0 5 40]) [dtype step-size b])))
  (testing "a convolution: for each row of the image and of the filters, windows by channels"
    ;; The image is [9 m+2 3], the filters [2·3 n], the result [8 m n].
    (check :f32 (step {:k 6 :beta 1.0
                       :a '{:buffer 0 :offset 0 :strides [3 1]}
                       :b '{:buffer 1 :offset 0 :strides [n 1]}
                       :batch '[{:extent 2 :a [:* 3 [:+ m 1]] :b [:* 6 n] :c 0}
                                {:extent 8 :a [:* 3 [:+ m 1]] :b 0 :c [:* m n]}]})
           '[[:* 27 [:+ m 1]] [:* 12 n] [:* 8 [:* m n]]] (envs [1 5 20] [1 4 33] [1]) []))
  (testing "windows end with the buffer"
    (let [whole (program :f64 '[[:+ m k] [:* k n] [:* m n]]
                         (step {:a '{:buffer 0 :offset 1 :strides [1 1]}}))
          short (assoc-in (assoc-in whole [:buffers 0 :size] '[:+ m [:- k 1]])
                          [:inputs 0 :shape] '[[:+ m [:- k 1]]])
          given #(concat (mapv random-values [1 2 3] [%1 12 12])
                         [(repeat 3 0) (repeat 4 0) (repeat 3 0)])]
      (is (= 0 (:status (calling/call whole [3 4 3] (given 6)))))
      (is (some? (Bindings/bind (calling/read-program whole) (long-array [3 4 3]))))
      (is (thrown-with-msg? DamoException #"a :gemm: :a reaches"
                            (Bindings/bind (calling/read-program short) (long-array [3 4 3])))))))

(deftest factors-in-buffers-test
  (let [p (-> (calling/program '[m n k] [[:f64 :in 6] [:f64 :in 6] [:f64 :inout 4] [:f64 :in 1]
                                         [:f64 :in 1]] [])
              (assoc :steps [(step {:m 2 :n 2 :k 3 :alpha {:buffer 3} :beta {:buffer 4}
                                    :a {:buffer 0 :offset 0 :strides [3 1]}
                                    :b {:buffer 1 :offset 0 :strides [2 1]}
                                    :c {:buffer 2 :offset 0 :strides [2 1]}})]))
        result (calling/call p [2 2 3] [[1 2 3 4 5 6] [1 2 3 4 5 6] [1 1 1 1] [2] [3]
                                        [0 0] [0 0] [0 0 0]])]
    ;; A B = [[22 28] [49 64]], and C = 2 A B + 3.
    (is (= [47.0 59.0 101.0 131.0] (get-in result [:buffers 2])))))

(deftest batch-test
  (doseq [extents [[0] [1] [3] [2 3]]
          :let [[e f] (concat extents [1])
                loops (if (= 1 (count extents))
                        [{:extent e :a 12 :b 0 :c 15}]
                        [{:extent e :a (* f 12) :b 0 :c (* f 15)} {:extent f :a 12 :b 20 :c 15}])]]
    (check :f64 (step {:batch loops}) [(* e f 12) (* f 20) (* e f 15)] (envs [3] [5] [4]) extents)))

(defn- stack
  "Batch loops over stacks of matrices that lie one behind the other; A or B may be shared, and all
  may be added to one C."
  [kind]
  (case kind
    :all '[{:extent 5 :a [:* m k] :b [:* k n] :c [:* m n]}]
    :nested '[{:extent 2 :a [:* 3 m k] :b 0 :c [:* 3 m n]}
              {:extent 3 :a [:* m k] :b [:* k n] :c [:* m n]}]
    :shared '[{:extent 4 :a 0 :b [:* k n] :c [:* m n]}]
    :onto-one '[{:extent 3 :a [:* m k] :b [:* k n] :c 0}]))

(deftest tiny-batches-test
  (testing "stacks of matrices of a few rows, columns and terms"
    (doseq [[i [bits dtype b]] (map-indexed vector (cases [128 256 512] [:f32 :f64] b-layouts))
            :let [kind (nth [:all :nested :shared :onto-one] (mod (* 3 (long i)) 4))
                  r (java.util.Random. (long i))
                  beta (if (= kind :onto-one) 1.0 (nth [0.0 0.5] (mod (long i) 2)))
                  step (step (assoc (operands '[k 1] b) :alpha 0.5 :beta beta
                                    :batch (stack kind)))
                  lengths '[[:* 6 m k] [:* 6 k n] [:* 6 m n]]
                  program (program dtype lengths step)]]
      (with-open [code (NativeCode/compile
                        ^LlvmModule (Codegen/module (calling/read-program program) bits))]
        (doseq [_ (range 8)
                :let [env {'m (+ 1 (.nextInt r 17)), 'n (+ 1 (.nextInt r 37)), 'k (.nextInt r 36)}]]
          (run code program step env (map #(value-of env %) lengths)
            [bits dtype b kind beta env]))))))

(deftest batch-by-threads-test
  (testing "whole products side by side, or one after the other where they add to one matrix"
    (doseq [[c-step beta] [[768 0.0] [0 1.0]]
            :let [lengths [(* 42 1280) (* 14 960) (* 42 768)]
                  program (program :f64 lengths
                                   (step {:beta beta
                                          :batch [{:extent 3 :a (* 14 1280) :b 0 :c (* 14 c-step)}
                                                  {:extent 14 :a 1280 :b 960 :c c-step}]}))
                  values (concat (mapv random-values [1 2 3] lengths)
                                 (map #(repeat % 0) [32 24 40]))]]
      (with-open [code (calling/compile-program program)]
        (let [run #(-> (calling/run code program [32 24 40] values :threads %) :buffers (nth 2))]
          (is (not= (nth values 2) (run 1)))
          (is (= (run 1) (run 3)) c-step))))))
