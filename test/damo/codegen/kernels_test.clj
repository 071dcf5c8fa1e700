(ns damo.codegen.kernels-test
  "Statements of the loop IR: loops, scalars, reductions, branches, checks, index arithmetic."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [damo.codegen.reference :as reference]
            [damo.jit.calling :as calling])
  (:import (damo DamoException)
           (damo.codegen Codegen)
           (damo.edn Edn Edn$Keyword)
           (damo.program Instructions Instructions$Row Kernel Kernel$Access Kernel$Apply
                         Kernel$Const Kernel$Param Kernel$Store Program Size$Int)
           (damo.tensor DType)))

(set! *warn-on-reflection* true)

(def ^:private sizes [0 1 3 13 64 1025])

(defn- call
  "The contents of the last parameter after running a kernel; `params` as for calling/program, and
  `values` the contents of all of them."
  [dims dim-values params body values]
  (let [program (calling/program dims params body)
        {:keys [status buffers]} (calling/call program dim-values
                                               (concat values (map #(repeat % 0) dim-values)))]
    (is (= 0 status))
    (nth buffers (dec (count params)))))

(deftest nested-loops-test
  (is (= [0.0 1.0 2.0 10.0 11.0 12.0]
         (call '[n] [2] '[[:f32 :out [:* n 3]]]
               '[[:for i n [:for j 3 [:store 0 [:+ [:* i 3] j]
                                      [:cast :f32 [:size [:+ [:* i 10] j]]]]]]]
               [(repeat 6 0)])))
  (testing "an extent may depend on an outer variable"
    (is (= [0 0 0 1 2 0]
           (call '[n] [3] '[[:i64 :out 6]]
                 '[[:for i n [:for j i [:store 0 [:+ [:quot [:* i [:- i 1]] 2] j] [:size j]]]]
                   [:for i2 n [:store 0 [:+ 2 i2] [:size i2]]]]
                 [(repeat 6 0)]))))
  (testing "a loop of extent 0 does nothing, even when it is divided by"
    (is (= [7] (call '[n] [0] '[[:i64 :inout 1]]
                     '[[:for i n [:store 0 0 [:size [:mod i n]]]]] [[7]])))))

(deftest index-arithmetic-test
  (doseq [[form expected] '[[[:quot [:- i 4] 3] [-1 -1 0 0 0 0 0 1 1 1]]
                            [[:mod [:- i 4] 3] [2 0 1 2 0 1 2 0 1 2]]
                            [[:mod i 3] [0 1 2 0 1 2 0 1 2 0]]
                            [[:quot i 3] [0 0 0 1 1 1 2 2 2 3]]
                            [[:min i 4] [0 1 2 3 4 4 4 4 4 4]]
                            [[:max [:- i 2] 0] [0 0 0 1 2 3 4 5 6 7]]
                            [[:- 9 i] [9 8 7 6 5 4 3 2 1 0]]]]
    (is (= expected (call '[n] [10] '[[:i64 :out n]] [[:for 'i 'n [:store 0 'i [:size form]]]]
                          [(repeat 10 0)]))
        (str form))))

(deftest local-arrays-test
  (let [body '[[:for b [:quot n 4]
                [:local t :f32 4]
                [:for i 4 [:store t i [:load 0 [:+ [:* 4 b] i]]]]
                [:local u :i16 1]
                [:store u 0 [:cast :i16 [:size b]]]
                [:for j 4 [:store 1 [:+ [:* 4 b] j]
                           [:mul [:load t [:- 3 j]] [:cast :f32 [:load u 0]]]]]]]]
    (is (= [0.0 0.0 0.0 0.0 7.0 6.0 5.0 4.0 22.0 20.0 18.0 16.0]
           (call '[n] [12] '[[:f32 :in n] [:f32 :out n]] body [(range 12) (repeat 12 0)])))
    (is (= [] (call '[n] [0] '[[:f32 :in n] [:f32 :out n]] body [[] []]))))
  (testing "what was not written is 0 in the first round"
    (is (= [0 0] (call '[] [] '[[:i64 :out 2]]
                       '[[:local t :i64 3] [:for i 2 [:store 0 i [:load t i]]]] [[9 9]])))))

(defn- reduction
  "A program that reduces n elements of a dtype, beginning with `start`."
  [op dtype start]
  (calling/program '[n] [[dtype :in 'n] [dtype :out 1]]
                   [[:var 's [:const dtype start]]
                    [:for 'i 'n [:acc op 's [:load 0 'i]]]
                    [:store 1 0 's]]))

(defn- terms
  "n small values whose reductions are exact."
  [op dtype n]
  (for [i (range n)]
    (cond (= dtype :u8) (mod (* 7 i) 11)
          (= op :mul) (if (even? i) 1 -1)
          :else (- (mod (* 7 i) 11) 5))))

(deftest reductions-test
  (doseq [dtype [:f32 :f64 :i64 :i32 :i16 :i8 :u8]
          op [:add :mul :maximum :minimum]
          :let [start (reference/convert :i64 dtype (if (= op :mul) 1 0))
                program (reduction op dtype start)]]
    (with-open [code (calling/compile-program program)]
      (doseq [n sizes :let [values (terms op dtype n)]]
        (is (= (double (reduce #(reference/apply-instruction op dtype [%1 %2]) start values))
               (double (first (second (:buffers (calling/run code program [n]
                                                             [values [0] (repeat n 0)]))))))
            [op dtype n])))))

(deftest bool-reductions-test
  (doseq [n [0 1 13 1025] flaw [nil (quot n 2)] :when (or (nil? flaw) (pos? n))
          :let [values (map #(not= flaw %) (range n))]]
    (is (= [(nil? flaw) (boolean (some not values))]
           (call '[n] [n] '[[:bool :in n] [:bool :out 2]]
                 '[[:var all [:const :bool true]] [:var any [:const :bool false]]
                   [:for i n
                    [:acc :and all [:load 0 i]]
                    [:acc :or any [:not [:load 0 i]]]]
                   [:store 1 0 all] [:store 1 1 any]]
                 [values [false false]])))))

(deftest nan-in-maximum-test
  (testing "a NaN anywhere reaches the result of a vectorised reduction"
    (doseq [op [:maximum :minimum] :let [program (reduction op :f32 0.0)]]
      (with-open [code (calling/compile-program program)]
        (doseq [n [1 13 64 1025] at [0 (quot n 2) (dec n)]
                :let [values (map #(if (= at %) ##NaN %) (range n))
                      result (calling/run code program [n] [values [0] (repeat n 0)])]]
          (is (Double/isNaN (first (second (:buffers result)))) [n at op]))))))

(deftest ordered-sum-test
  (testing "a sum written with :set keeps its order, unlike :acc"
    (is (= [1.0] (call '[n] [4] '[[:f64 :in n] [:f64 :out 1]]
                       '[[:var s [:const :f64 0.0]]
                         [:for i n [:set s [:add s [:load 0 i]]]] [:store 1 0 s]]
                       [[1e20 1.0 -1e20 1.0] [0]])))))

(deftest no-contraction-test
  (testing "a*b+c is rounded twice outside reductions"
    (let [x (unchecked-float 1.0000001)
          product (unchecked-float (* x x))]
      (is (= [(unchecked-float (- product 1.0))]
             (call '[n] [1] '[[:f32 :in n] [:f32 :out n]]
                   '[[:for i n
                      [:store 1 i [:sub [:mul [:load 0 i] [:load 0 i]] [:const :f32 1.0]]]]]
                   [[x] [0]]))))))

(deftest branches-and-scalars-test
  (is (= [0 -1 4 -9 16]
         (call '[n] [5] '[[:i32 :out n]]
               '[[:for i n
                  [:var v [:cast :i32 [:size [:* i i]]]]
                  [:let odd [:eq [:mod i [:const :i64 2]] [:const :i64 1]]]
                  [:if odd [:set v [:neg v]]]
                  [:store 0 i v]]]
               [(repeat 5 0)])))
  (testing "a loop inside a branch"
    (is (= [3.0] (call '[n] [3] '[[:f32 :in n] [:f32 :out 1]]
                       '[[:var s [:const :f32 0.0]]
                         [:if [:gt [:load 0 0] [:const :f32 0.0]]
                          [:for i n [:acc :add s [:load 0 i]]]]
                         [:store 1 0 s]]
                       [[1 1 1] [0]])))))

(def ^:private take-rows
  (calling/program '[n] '[[:f32 :in 4] [:i64 :in n] [:f32 :out n]]
                   '[[:for i n
                      [:index r [:load 1 i] 4 1]
                      [:store 2 i [:load 0 r]]]]))

(deftest index-test
  (with-open [code (calling/compile-program take-rows)]
    (let [run #(calling/run code take-rows [3] [[10 11 12 13] % [0 0 0] [0 0 0]])]
      (is (= [13.0 10.0 11.0] (get-in (run [3 0 1]) [:buffers 2])))
      (doseq [[indices value] [[[0 4 1] 4] [[-1 0 0] -1] [[0 1 Long/MIN_VALUE] Long/MIN_VALUE]]]
        (is (= {:status 1 :failure [1 value 4]} (select-keys (run indices) [:status :failure])))))))

(deftest require-test
  (let [program (calling/program '[n] '[[:f32 :in n] [:f32 :out n]]
                                 '[[:for i n
                                    [:require [:ge [:load 0 i] [:const :f32 0.0]] 1]
                                    [:store 1 i [:sqrt [:load 0 i]]]]])]
    (with-open [code (calling/compile-program program)]
      (is (= [2.0 3.0] (get-in (calling/run code program [2] [[4 9] [0 0] [0 0]]) [:buffers 1])))
      (is (= {:status 1 :failure [1 0 0] :buffers [[4.0 -9.0] [2.0 0.0] [0 0]]}
             (calling/run code program [2] [[4 -9] [0 0] [0 0]]))))))

(deftest odd-names-test
  (testing "no name of a program can break the text"
    (let [program (-> (calling/program '[n] '[[:f32 :inout n]]
                                       '[[:for §i n [:let a<b?!*' [:load 0 §i]]
                                          [:store 0 §i [:add a<b?!*' a<b?!*']]]])
                      (assoc-in [:kernels 0 :name] "a \"b\"\\ \n) { } ü"))]
      (is (= [[2.0] [0]] (:buffers (calling/call program [1] [[1] [0]])))))))

(deftest math-functions-test
  (testing "every math function that is defined compiles for its dtypes"
    (let [read-resource #(Edn/read (slurp (io/resource (str "damo/" %))))
          defined (reduce merge (map #(into {} (read-resource %)) (read-resource "math.edn")))]
      (doseq [[op ^Instructions$Row row] (Instructions/rows)
              :when (and (.math row) (contains? defined (Edn$Keyword. op)))
              dtype [:f32 :f64 :i64]
              :when (.takes row (DType/of (name dtype)))
              :let [args (repeat (.args row) [:load 0 'i]), x (if (= dtype :i64) 3 0.5)]]
        (is (number? (first (call '[n] [1] [[dtype :in 'n] [dtype :out 'n]]
                                  [[:for 'i 'n [:store 1 'i (into [(keyword op)] args)]]]
                                  [[x] [0]])))
            [op dtype])))))

(defn- storing
  "A program, made without the reader's checks, that stores one application of an instruction."
  ^Program [op ^DType t]
  (let [operand (Kernel$Const. t 0)
        value (Kernel$Apply. op [operand operand] t)
        store (Kernel$Store. 0 (Size$Int. 0) value)
        kernel (Kernel. "k" [(Kernel$Param. t Kernel$Access/OUT)] [store])]
    (Program. "p" [] [] [] [] [] [] [] [] [kernel] [] [])))

(deftest refused-instructions-test
  (testing "what a dtype lacks never reaches LLVM"
    (doseq [[op t] [["shl" DType/F32] ["sqrt" DType/I32] ["add" DType/BOOL] ["div" DType/BOOL]
                    ["bits" DType/I64] ["float" DType/I8] ["floor" DType/U8]]]
      (is (thrown-with-msg? DamoException (re-pattern (str "no machine code for :" op))
                            (Codegen/module (storing op t) 512))))))

(deftest reduction-terms-test
  (testing "a difference is rounded before it is added: it may not be taken apart"
    (let [program (calling/program '[n] '[[:f64 :in n] [:f64 :out 1]]
                                   '[[:var s [:const :f64 0.0]]
                                     [:for i n [:acc :add s [:sub [:load 0 i] [:const :f64 1e300]]]]
                                     [:store 1 0 s]])
          text (.text (Codegen/module (calling/read-program program) 512))]
      (is (re-find #"= fsub double" text))
      (is (re-find #"= fadd reassoc contract double" text)))))

(deftest refused-product-test
  (let [program (fn [dtype]
                  (assoc (calling/program [] [[dtype :in 4] [dtype :in 4] [dtype :out 4]] [])
                         :steps [{:do :gemm :dtype dtype :m 2 :n 2 :k 2 :alpha 1 :beta 0
                                  :a {:buffer 0 :offset 0 :strides [2 1]}
                                  :b {:buffer 1 :offset 0 :strides [2 1]}
                                  :c {:buffer 2 :offset 0 :strides [2 1]}}]))]
    (is (thrown? DamoException (Codegen/module (calling/read-program (program :bool)) 512)))))
