(ns damo.runtime.effects-test
  "A call that fails leaves its states as they were, wherever it fails: also at an index that an
  earlier step has checked for another axis, or before somebody wrote over it."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.runtime.programs :as programs])
  (:import (damo.program Programs)
           (damo.verify Effects)
           (damo.runtime Function HostCall HostKernel OpKernels)
           (java.util Map)))

(set! *warn-on-reflection* true)

(def ^:private checked
  "at = i as indices into an axis of m; w <- w + 1; out [n] = x at these indices, x of length k."
  '{:damo/program 1 :name "checked" :dims [n m k]
    :buffers [{:dtype :i64 :size n :kind :input} {:dtype :f64 :size m :kind :input}
              {:dtype :f64 :size k :kind :input} {:dtype :i64 :size n :kind :temp}
              {:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size n :kind :output}
              {:dtype :f64 :size 1 :kind :const}]
    :inputs [{:name "i" :dtype :i64 :shape [n] :buffer 0}
             {:name "y" :dtype :f64 :shape [m] :buffer 1}
             {:name "x" :dtype :f64 :shape [k] :buffer 2}]
    :state [{:name "w" :dtype :f64 :shape [] :buffer 4 :written true}]
    :outputs [{:name "out" :dtype :f64 :shape [n] :buffer 5}]
    :consts [{:buffer 6 :data [1.0]}]
    :kernels [{:name "check" :params [[:i64 :in] [:i64 :out]]
               :body [[:for a n [:index j [:load 0 a] m 0] [:store 1 a j]]]}
              {:name "count" :params [[:f64 :in] [:f64 :inout]]
               :body [[:store 1 0 [:add [:load 1 0] [:load 0 0]]]]}
              {:name "take" :params [[:i64 :in] [:f64 :in] [:f64 :out]]
               :body [[:for a n [:index j [:load 0 a] k 0] [:store 2 a [:load 1 j]]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 3]}
            {:do :kernel :kernel 1 :args [6 4]}
            {:do :kernel :kernel 2 :args [3 2 5]}]
    :notes [{:op "take" :message "an index of x"}]})

(deftest indices-are-safe-for-the-extent-they-were-checked-for
  (let [w (programs/state "w" 0.0)]
    (with-open [f (programs/compiled checked {"w" w})]
      (is (= [[30.0 10.0]] (programs/call f [2 0] [1 1 1] [10 20 30])))
      (is (= 1.0 @(.value w)))
      (testing "2 is an index into y, and none into x"
        (dotimes [_ 2]
          (is (some? (programs/refusal #(programs/call f [0 2] [1 1 1] [10 20]))))
          (is (= 1.0 @(.value w)))))
      (is (= [[10.0]] (programs/call f [0] [1 1 1] [10])))
      (is (= 2.0 @(.value w))))))

(def ^:private replaced
  "As checked, with m = k and the indices shifted by a host kernel between check and use."
  (-> checked
      (update :steps (fn [[check write take]]
                       [check
                        '{:do :host :op "shift" :ins [{:buffer 0 :shape [n]}]
                          :out {:buffer 3 :shape [n]} :note 0}
                        write take]))
      (assoc-in [:kernels 2 :body 0 3 3] 'm)
      (assoc-in [:buffers 2 :size] 'm)
      (assoc-in [:inputs 2 :shape] '[m])
      (assoc :dims '[n m])))

(def ^:private shift
  (reify HostKernel
    (run [_ call] (damo.tensor.Tensor/of (mapv inc @(.input ^HostCall call 0))))))

(deftest what-a-host-kernel-writes-is-not-checked
  (let [w (programs/state "w" 0.0)]
    (with-open [f (Function/compile (Programs/read (pr-str replaced)) {"w" w} false
                                    (OpKernels/of ^Map {"shift" shift}))]
      (is (= [[20.0 30.0]] (programs/call f [0 1] [1 1 1] [10 20 30])))
      (is (some? (programs/refusal #(programs/call f [0 2] [1 1 1] [10 20 30]))))
      (is (= 1.0 @(.value w)) "the call that failed counted nothing"))))

;; ## Loops and branches

(deftest rounds-come-after-rounds
  (let [fails? (fn [steps]
                 (Effects/failsAfterWrite
                  (Programs/read
                   (pr-str (-> checked
                               (assoc-in [:kernels 2 :body 0 3 3] 'm)
                               (update :buffers conj {:dtype :i64 :size 1 :kind :const}
                                       {:dtype :bool :size 1 :kind :const})
                               (update :consts conj {:buffer 7 :data [0]}
                                       {:buffer 8 :data [false]})
                               (assoc-in [:buffers 2 :size] 'm)
                               (assoc-in [:inputs 2 :shape] '[m])
                               (assoc :dims '[n m], :steps steps))))))
        [check write take] (:steps checked)
        rounds (fn [& steps] {:do :loop :var (gensym "t") :extent 'n :steps (vec steps)})
        either (fn [& cases] {:do :branch :test 7 :note 0 :cases (vec cases)})]
    (doseq [[expected steps]
            [[false [check write take]]
             [true [write check take]]
             [true [(rounds check) write take]]             ; perhaps no round
             [false [(assoc (rounds check) :extent 2) write take]]
             [true [(rounds check write) take]]
             [true [check (rounds check write) take]]
             [false [check (rounds write take)]]
             [false [check (rounds take write)]]
             [true [(rounds check take write)]]
             [true [check (rounds write take check)]]
             [true [(rounds (rounds check) (rounds write)) check take]]
             [false [check (either [write] [take]) take]]
             [true [check write (either [take] [take])]]
             [true [check (either [write] [check]) check take]]
             [false [(either [check] [check write]) write take]]
             [true [(assoc (rounds check) :until 8) write take]]
             [false [(-> (rounds check) (assoc :until 8) (dissoc :extent)) write take]]
             [true [check (-> (rounds write take) (assoc :until 8) (dissoc :extent))]]
             [true [check write (-> (rounds take) (assoc :until 8) (dissoc :extent))]]]]
      (testing (pr-str steps)
        (is (= expected (fails? steps)))))))
