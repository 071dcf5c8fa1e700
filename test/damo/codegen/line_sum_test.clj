(ns damo.codegen.line-sum-test
  "Sums of long lines, which ask for what is ahead: of every length about where they begin, at every
  width of vectors, of floats and doubles, from any element on."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)))

(set! *warn-on-reflection* true)

(defn- summing
  "A program that adds up n elements from the fourth on, of which the first is what was there."
  [dtype named?]
  (let [load [:load 0 '[:+ i 3]]
        term #(if (= dtype :f64) % [:cast :f64 %])]
    (calling/program '[n] [[dtype :in '[:+ n 4]] [:f64 :inout 1]]
                     [[:var 's [:load 1 0]]
                      (if named?
                        [:for 'i 'n [:let 'v load] [:acc :add 's (term 'v)]]
                        [:for 'i 'n [:acc :add 's (term load)]])
                      [:store 1 0 's]])))

(defn- sum [code program before values]
  (let [n (count values), edge [1e9 1e9 1e9]
        {:keys [buffers]} (calling/run code program [n]
                                       [(concat edge values [1e9]) [before] (repeat n 0)])]
    (first (second buffers))))

(deftest long-lines-are-added-up
  (doseq [bits [128 256 512], dtype [:f32 :f64] :let [program (summing dtype (= bits 256))]]
    (with-open [code (NativeCode/compile (Codegen/module (calling/read-program program) bits))]
      (testing [bits dtype]
        (doseq [n [0 1 31 100 16383 16384 16385 16415 16416 40001]
                :let [values (mapv #(double (- (mod (* 7 %) 1009) 300)) (range n))]]
          (is (= (+ 0.5 (reduce + 0.0 values)) (sum code program 0.5 values)) n))
        (doseq [at [0 17 16000 19999]
                :let [values (assoc (vec (repeat 20000 1.0)) at ##NaN)]]
          (is (NaN? (sum code program 0.0 values)) at)
          (is (= ##Inf (sum code program 0.0 (assoc values at ##Inf))) at))))))

(deftest only-they-ask
  (let [text #(.text (Codegen/module (calling/read-program %) 512))
        asks? #(str/includes? (text %) "llvm.prefetch")
        other (fn [extent statement]
                (calling/program '[n] [[:f32 :inout '[:* 2 n]]]
                                 [[:var 's [:const :f64 0.0]] [:for 'i extent statement]
                                  [:store 0 0 '[:cast :f32 s]]]))]
    (is (asks? (summing :f32 true)))
    (is (asks? (other 'n '[:acc :add s [:cast :f64 [:load 0 i]]])))
    (is (not (asks? (other 100 '[:acc :add s [:cast :f64 [:load 0 i]]]))))
    (is (not (asks? (other 'n '[:acc :add s [:cast :f64 [:load 0 [:* 2 i]]]]))))
    (is (not (asks? (other 'n '[:acc :maximum s [:cast :f64 [:load 0 i]]]))))))
