(ns damo.codegen.rest-test
  "Short lines of slow elements: the last vector stands under a mask where the machine has masks,
  and every length has the bits that one element alone has."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)))

(set! *warn-on-reflection* true)

(defn- program
  "y ← tanh(x), and s ← the sum of exp(x), over n elements, in one kernel."
  [n]
  (calling/program [] [[:f32 :in n] [:f32 :inout n] [:f64 :inout 1]]
                   [[:for 'i n [:store 1 'i [:tanh [:load 0 'i]]]]
                    [:var 's [:const :f64 0.0]]
                    [:for 'j n [:acc :add 's [:cast :f64 [:exp [:load 0 'j]]]]]
                    [:store 2 0 's]]))

(deftest masks-test
  (let [marks #(count (re-seq #", !llvm.loop ![37]"
                              (.text (Codegen/module (calling/read-program (program %)) 512))))]
    (is (= [0 2 2 0] (map marks [1 10 500 5000])))
    (testing "which machines have from some width on"
      (let [masked? #(str/includes? (.text (Codegen/module (calling/read-program (program 10)) %))
                                    "!3 = distinct !{!3, !4}")]
        (is (= [false false true] (map masked? [128 256 512])))))))

(deftest lengths-test
  (let [xs (mapv #(float (- (* 0.37 (mod (* 7 %) 23)) 4.0)) (range 40))
        run (fn [xs] (:buffers (calling/call (program (count xs)) []
                                             [xs (repeat (count xs) 0.0) [0.0]])))
        alone (mapv #(run [%]) xs)]
    (doseq [n [2 7 8 10 15 16 17 31 33 40] :let [[_ ys [sum]] (run (subvec xs 0 n))]]
      (is (= (mapv (comp first second) (take n alone)) ys) n)
      (is (< (Math/abs (- (double sum) (double (reduce + (map #(first (% 2)) (take n alone))))))
             1e-9)
          n))))

(def ^:private rows
  "The same of each of m rows of n elements, n unknown when the code is made."
  (calling/program '[m n] '[[:f32 :in [:* m n]] [:f32 :inout [:* m n]] [:f64 :inout m]]
                   '[[:for r m
                      [:for i n [:store 1 [:+ [:* r n] i] [:tanh [:load 0 [:+ [:* r n] i]]]]]
                      [:var s [:const :f64 0.0]]
                      [:for j n [:acc :add s [:cast :f64 [:exp [:load 0 [:+ [:* r n] j]]]]]]
                      [:store 2 r s]]]))

(deftest rows-test
  (testing "what is left of a row is a loop under a mask, where there are masks"
    (is (= [0 0 2] (map #(count (re-seq #"\.rest = phi"
                                        (.text (Codegen/module (calling/read-program rows) %))))
                        [128 256 512]))))
  (doseq [bits [128 256 512]]
    (with-open [code (NativeCode/compile (Codegen/module (calling/read-program rows) bits))]
      (doseq [n [0 1 2 15 16 17 63 64 65 100 129]
              :let [xs (mapv #(float (- (* 0.37 (mod (* 7 %) 23)) 4.0)) (range (* 3 n)))
                    [_ ys sums] (:buffers (calling/run code rows [3 n]
                                                       [xs (repeat (* 3 n) 0.0) [0.0 0.0 0.0]
                                                        (repeat 3 0) (repeat n 0)]))
                    near? #(< (Math/abs (- (double %1) (double %2))) 1e-5)]]
        (is (every? true? (map near? (map #(Math/tanh %) xs) ys)) [bits n])
        (is (every? true? (map #(near? (/ %1 (max n 1)) (/ %2 (max n 1)))
                               (map (fn [row] (reduce + (map #(Math/exp %) row)))
                                    (if (zero? n) [[] [] []] (partition n xs)))
                               sums))
            [bits n])))))
