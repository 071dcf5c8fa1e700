(ns damo.program.loops-test
  "Loops, branches and windows: what they compute, what is refused of them when a program is read or
  its dimensions are bound, what a failure inside tells."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.program.loops :as loops]
            [damo.runtime.programs :as programs])
  (:import (damo.program Programs)
           (damo.runtime Function)
           (damo.tensor DType Tensor)
           (damo.verify Bindings)))

(set! *warn-on-reflection* true)

(defn- tensor [data shape]
  (.reshape (Tensor/of (vec data) DType/F64) (long-array shape)))

(defn- steps [x h0]
  (vec (reductions (fn [h row] (mapv #(+ (* 0.5 (double %1)) (double %2)) h row)) h0 x)))

;; ## What they compute

(deftest rounds-read-and-write-windows
  (with-open [whole (programs/compiled loops/trace), last-only (programs/compiled loops/circular)]
    (doseq [[n w] [[0 3] [1 1] [2 3] [7 2] [5 0] [1000 17]]
            :let [x (mapv (fn [t] (mapv #(+ (double t) (* 0.25 (double %))) (range w))) (range n))
                  h0 (mapv double (range w))
                  data (tensor (flatten x) [n w])]]
      (testing [n w]
        (is (= [(steps x h0)] (programs/call whole data h0)))
        (is (= [(peek (steps x h0))] (programs/call last-only data h0)))))))

(deftest loops-end-when-they-are-told
  (with-open [f (programs/compiled loops/newton)]
    (is (= [1.0 0] (programs/call f 0.0)) "not a single round")
    (doseq [a [2.0 9.0 1e300 1e-300]
            :let [[r rounds] (programs/call f a)]]
      (is (< (Math/abs (- (double r) (Math/sqrt a))) (* 1e-15 (Math/sqrt a))))
      (is (< 1 (long rounds) 1100)))))

(deftest only-the-case-taken-runs
  (with-open [f (programs/compiled loops/cases)]
    (is (= [[5 6 7]] (programs/call f 0 [5 6 7])))
    (is (= [[10 12 14]] (programs/call f 1 [5 6 7])))
    (is (= [[6 6 6]] (programs/call f 2 [1 6 7])))
    (is (= [[]] (programs/call f 2 (Tensor/of [] DType/I64))))
    (is (= ["index-out-of-bounds"
            "in cases: take: the index 5 is not in 0 … 2\n  expression: (take x i)"]
           (programs/refusal #(programs/call f 2 [5 6 7]))))
    (doseq [i [-1 3 Long/MAX_VALUE]]
      (is (= ["index-out-of-bounds"
              (str "in cases: switch: the index " i " is not in 0 … 2"
                   "\n  expression: (switch i a b c)")]
             (programs/refusal #(programs/call f i [5 6 7])))))))

(deftest rounds-count-anew
  (let [total (programs/state "total" 0 DType/I64)]
    (with-open [f (programs/compiled loops/sums {"total" total})]
      (is (= [[6 0 9]] (programs/call f [[1 2 3] [0 0 0] [4 -1 5]])))
      (is (= 15 @(.value total)))
      (testing "a failure tells the rounds and leaves the state"
        (is (= ["index-out-of-bounds"
                (str "in sums: take: the index -1 is not in 0 … 999\n  expression: (take a x)"
                     "\n  in iteration 2 of (scan f), iteration 0")]
               (programs/refusal #(programs/call f [[1 2 3] [0 0 0] [-1 1 1]]))))
        (is (= 15 @(.value total)))))))

(deftest products-read-and-write-one-buffer
  (with-open [f (programs/compiled loops/powers)]
    (is (= [[[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]] [[0.0 1.0 0.0] [0.0 0.0 1.0] [1.0 0.0 0.0]]
            [[0.0 0.0 1.0] [1.0 0.0 0.0] [0.0 1.0 0.0]] [[1.0 0.0 0.0] [0.0 1.0 0.0] [0.0 0.0 1.0]]]
           (first (programs/call f [[0.0 1.0 0.0] [0.0 0.0 1.0] [1.0 0.0 0.0]]
                                 [0.0 0.0 0.0]))))))

;; ## Dimensions that are values

(deftest values-of-inputs-are-dimensions
  (with-open [f (programs/compiled loops/told)]
    (doseq [_ (range 2), r [3 0 1 3 20 2 4 5 6 7 8 9]]
      (is (= [(+ 10 (long r)) (vec (repeat r 1))] (programs/call f r 10))))
    (is (= ["negative-dimension"
            (str "in told: input rounds is -1, but its value is the dimension r, which is not "
                 "negative")]
           (programs/refusal #(programs/call f -1 10))))
    (is (= "shape-mismatch" (first (programs/refusal #(programs/call f [1] 10))))))
  (testing "an axis that shows the dimension as well"
    (with-open [f (programs/compiled
                   (-> loops/told (assoc-in [:inputs 1 :shape] '[r])
                       (assoc-in [:buffers 1 :size] 'r)))]
      (is (= [6 [1]] (programs/call f 1 [5])))
      (is (re-find #"expected 2, given 1; dimension r is bound by input rounds, to its value 2"
                   (second (programs/refusal #(programs/call f 2 [5]))))))))

;; ## What is refused

(defn- refused [form & dims]
  (second (programs/refusal #(Bindings/bind (Programs/read (pr-str form)) (long-array dims)))))
