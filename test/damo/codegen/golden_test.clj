(ns damo.codegen.golden-test
  "The generated text of four programs and of the dispatch of products, word for word. To renew
  the files after a wanted change, run the tests with -Ddamo.golden=write and read the
  difference before it is committed."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [damo.jit.calling :as calling]
            [damo.program.loops :as loops])
  (:import (damo.codegen Codegen LlvmModule)))

(set! *warn-on-reflection* true)

(def ^:private programs
  {"bias-relu"
   (calling/program '[n] '[[:f32 :inout [:* n 500]] [:f32 :in 500]]
                    '[[:for i n
                       [:for j 500
                        [:store 0 [:+ [:* i 500] j]
                         [:maximum [:const :f32 0.0]
                          [:add [:load 0 [:+ [:* i 500] j]] [:load 1 j]]]]]]])
   "take-sum"
   (calling/program '[n m] '[[:f32 :in m] [:i64 :in n] [:f32 :out 1]]
                    '[[:var s [:const :f32 0.0]]
                      [:for i n
                       [:index at [:load 1 i] m 0]
                       [:acc :add s [:mul [:load 0 at] [:load 0 at]]]]
                      [:store 2 0 s]])
   "loop"
   (assoc loops/newton :name "loop")
   "product"
   (assoc (calling/program '[n] '[[:f32 :in [:* n 784]] [:f32 :in 7840] [:f32 :inout [:* n 10]]] [])
          :kernels []
          :steps '[{:do :gemm :dtype :f32 :m n :n 10 :k 784 :alpha 1.0 :beta 0.0
                    :a {:buffer 0 :offset 0 :strides [784 1]}
                    :b {:buffer 1 :offset 0 :strides [10 1]}
                    :c {:buffer 2 :offset 0 :strides [10 1]}}])})

(defn- with-shared
  "A module by its name, and those that it shares with others, and they in turn."
  [[_ ^LlvmModule module :as named]]
  (cons named (mapcat with-shared (.shared module))))

(defn- texts
  "The text of each module by name: those of the programs, and that of the entry of products.
  Narrow products and products by tiles are left out: their texts are long, and repeat themselves
  row by row."
  []
  (into (sorted-map)
        (for [[name program] programs
              :let [module (Codegen/module (calling/read-program program) 512)]
              [name ^LlvmModule m] (with-shared [name module])
              :when (not (re-find #"short|product\.\d|parallel|ranges|scratch" name))]
          [name (.text m)])))

(defn- first-difference
  "The first line in which two texts differ, [number expected given], or nil."
  [expected given]
  (let [lines #(concat (str/split-lines %) [nil])]
    (first (keep-indexed (fn [i [e g]] (when (not= e g) [(inc i) e g]))
                         (map vector (lines expected) (lines given))))))

(deftest golden-test
  (doseq [[name text] (texts) :let [file (io/file "test/golden" (str name ".ll"))]]
    (when (= "write" (System/getProperty "damo.golden"))
      (io/make-parents file)
      (spit file text))
    (is (nil? (first-difference (slurp file) text)) name)))
