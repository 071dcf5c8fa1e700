(ns damo.codegen.storage-test
  "The code between memory of :f16 and :bf16 and the :f32 that values are computed in: all bits that
  are loaded, all places where rounding decides; with the processor's instructions and without."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.codegen.reference :as reference]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen LibraryUse)
           (damo.jit NativeCode)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

(defn- copying
  "A program that copies n elements from memory of one dtype to memory of another, as f32."
  [from to]
  (calling/program '[n] [[from :in 'n] [to :out 'n]]
                   '[[:for i n [:store 1 i [:cast :f32 [:load 0 i]]]]]))

(defn- codes
  "The machine code of a program with the instructions that this machine has, and without."
  [program]
  {:machine (calling/compile-program program)
   :portable (NativeCode/compile (Codegen/module (calling/read-program program) 256))})

(defn- copied
  "{:machine values :portable values} of n values copied from one dtype to another."
  [from to values]
  (let [program (copying from to), n (count values)]
    (into {} (for [[k ^NativeCode code] (codes program)]
               [k (with-open [code code]
                    (nth (:buffers (calling/run code program [n] [values (repeat n 0) []])) 1))]))))

(defn- value [dtype bits]
  (if (= dtype :f16) (Float/float16ToFloat (unchecked-short bits)) (calling/bf16-value bits)))

(deftest all-values-are-loaded
  (doseq [dtype [:f16 :bf16], :let [values (mapv #(value dtype %) (range 65536))]
          [way loaded] (copied dtype :f32 values)]
    (testing [dtype way]
      (reference/check-all :load (range) values loaded))))

(defn- next-floats
  "x and its neighbours, as floats."
  [x]
  (let [x (unchecked-float x)] [(Math/nextDown x) x (Math/nextUp x)]))

(defn- where-rounding-decides
  "Every positive value of a dtype, and the floats at and next to the middle between each two, with
  their negatives; beyond the largest; subnormal, infinite and NaN."
  [dtype]
  (let [finite (filterv #(Float/isFinite %) (map #(value dtype %) (range 32768)))
        middles (map (fn [a b] (/ (+ (double a) (double b)) 2.0)) finite (rest finite))
        some-values (concat (mapcat next-floats (take-nth 41 middles)) (take-nth 13 finite)
                            (mapcat next-floats [65519.99 65520.0 3.3961775e38 1e-45 6e-8])
                            [##Inf ##NaN Float/MAX_VALUE 0.0])]
    (mapv unchecked-float (concat some-values (map #(- (double %)) some-values)))))

(deftest stores-round-to-nearest-even
  (doseq [dtype [:f16 :bf16], :let [values (where-rounding-decides dtype)
                                    expected (mapv #(reference/convert :f32 dtype %) values)]
          [way stored] (copied :f32 dtype values)]
    (testing [dtype way]
      (reference/check-all :store values expected stored))))

(deftest doubles-are-rounded-once
  (testing "a double just above a tie is rounded up, although as a float it is the tie"
    (doseq [dtype [:f16 :bf16]
            :let [tie (+ 1.0 (if (= dtype :f16) (/ 1.0 2048) (/ 1.0 256)))
                  near (mapcat (fn [x] (let [x (double x)] [x (Math/nextUp x) (Math/nextDown x)]))
                               (where-rounding-decides dtype))
                  values (vec (concat [(Math/nextUp tie) tie (Math/nextDown tie)
                                       (- (Math/nextUp tie)) 1e300 1e-300 -1e-300 0.1]
                                      near))
                  n (count values)
                  program (calling/program '[n] [[:f64 :in 'n] [dtype :out 'n]]
                                           [[:for 'i 'n [:store 1 'i [:cast dtype [:load 0 'i]]]]])
                  expected (map #(reference/convert :f64 dtype %) values)]]
      (is (< (double (second expected)) (double (first expected))) "the case is one")
      (reference/check-all dtype values expected
                           (-> (calling/call program [n] [values (repeat n 0) []])
                               :buffers second)))))
(deftest no-runtime-library-is-called
  (doseq [dtype [:f16 :bf16], [_ ^NativeCode code] (codes (copying dtype dtype))]
    (with-open [code code]
      (is (not (re-find #"(trunc|extend)\w*f2" (.assembly code)))))))

(defn- f16-instructions?
  "Has this processor instructions for :f16?"
  []
  (let [info (io/file "/proc/cpuinfo")]
    (or (= "aarch64" (System/getProperty "os.arch"))
        (and (.exists info) (str/includes? (Files/readString (.toPath info)) " f16c ")))))

(deftest the-processor-is-used-when-it-can
  (let [program (copying :f16 :f16), uses? #(str/includes? % "fpext half")]
    (with-open [code (calling/compile-program program)]
      (is (= (f16-instructions?) (uses? (.ir code)))))
    (is (uses? (.text (Codegen/module (calling/read-program program) 512 true LibraryUse/NONE))))
    (is (not (uses? (.text (Codegen/module (calling/read-program program) 512)))))))
