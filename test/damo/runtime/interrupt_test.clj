(ns damo.runtime.interrupt-test
  "Thread.interrupt ends a call that takes long: in loops of kernels, between steps, between
  repetitions, while it waits; the state is as before, and the next call is as good as any."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.program.loops :as loops]
            [damo.runtime.programs :as programs :refer [call compiled refusal]])
  (:import (damo.program Programs)
           (damo.runtime Function HostKernel OpKernels)
           (damo.tensor DType Tensor)))

(set! *warn-on-reflection* true)

(defn- interrupting
  "Runs f in a thread and interrupts it after some milliseconds: what `refusal` says of f, its
  result otherwise, and whether the thread was still interrupted at the end; :stuck after a minute."
  [millis f]
  (let [end (promise)
        thread (Thread. #(deliver end (let [result (volatile! nil)
                                            refused (refusal (fn [] (vreset! result (f))))]
                                        {:kind (first refused), :message (second refused)
                                         :result @result
                                         :interrupted (.isInterrupted (Thread/currentThread))})))]
    (.start thread)
    (Thread/sleep (long millis))
    (.interrupt thread)
    (deref end 60000 :stuck)))

(def ^:private stopped {:kind "interrupted", :interrupted true})

(defn- short-of [outcome] (if (map? outcome) (select-keys outcome [:kind :interrupted]) outcome))

(def ^:private triples
  "out = how many of all (i, j, k) have x[i] + x[j] < x[k], n³ rounds."
  '{:damo/program 1 :name "triples" :dims [n]
    :buffers [{:dtype :f64 :size n :kind :input} {:dtype :f64 :size 1 :kind :output}]
    :inputs [{:name "x" :dtype :f64 :shape [n] :buffer 0}]
    :outputs [{:name "out" :dtype :f64 :shape [] :buffer 1}]
    :kernels [{:name "count" :params [[:f64 :in] [:f64 :out]]
               :body [[:var s [:const :f64 0.0]]
                      [:for i n
                       [:for j n
                        [:for k n
                         [:acc :add s
                          [:select [:lt [:add [:load 0 i] [:load 0 j]] [:load 0 k]]
                           [:const :f64 1.0] [:const :f64 0.0]]]]]]
                      [:store 1 0 s]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1]}]})

(defn- xs [n] (Tensor/full 1.0 DType/F64 (long-array [n])))

(deftest loops-of-kernels-end
  (let [f (compiled triples), long-one (xs 30000)]
    (dotimes [_ 2]
      (is (= stopped (short-of (interrupting 100 #(call f long-one)))))
      (is (= [0.0] (call f [1 2])) "the function is good"))
    (is (= [4.0] (call f [1 1 3])) "and right")))

(deftest steps-end
  (let [f (compiled (-> triples
                        (assoc-in [:kernels 0 :body 1] '[:for i n [:acc :add s [:load 0 i]]])
                        (assoc :steps (vec (repeat 4000 {:do :kernel :kernel 0 :args [0 1]})))))
        many (xs 10000000)]
    (is (= stopped (short-of (interrupting 100 #(call f many)))))
    (is (= [3.0] (call f [1 2])))))

(deftest loops-of-steps-end
  (let [endless (assoc-in loops/newton [:kernels 1 :body 3] '[:store 3 0 [:lt s [:const :f64 0]]])]
    (with-open [f (compiled endless)]
      (dotimes [_ 2]
        (is (= stopped (short-of (interrupting 50 #(call f 2.0)))))
        (is (= [1.0 0] (call f 0.0)) "the function is good")))
    (testing "one that writes state and has no bound: the state is saved before"
      (let [w (programs/state "w" 5.0)]
        (with-open [f (compiled (-> endless
                                    (update :buffers conj '{:dtype :f64 :size 1 :kind :state})
                                    (assoc :state '[{:name "w" :dtype :f64 :shape [] :buffer 6
                                                     :written true}])
                                    (update :kernels conj
                                            '{:name "inc" :params [[:f64 :inout]]
                                              :body [[:store 0 0 [:add [:load 0 0]
                                                                  [:const :f64 1]]]]})
                                    (update-in [:steps 1 :steps] conj
                                               '{:do :kernel :kernel 3 :args [6]}))
                                {"w" w})]
          (is (= stopped (short-of (interrupting 50 #(call f 2.0)))))
          (is (= 5.0 @(.value w)))
          (is (= [1.0 0] (call f 0.0))))))))

(deftest repetitions-end-and-leave-the-state
  (let [w (programs/state "w" [1 2 3])
        f (compiled programs/axpy {"w" w})
        out (interrupting 100 #(.callN f Long/MAX_VALUE (object-array [1 [1 1 1]])))]
    (is (= stopped (short-of out)))
    (is (re-find #"in axpy: the call was interrupted; the state is as it was" (:message out)))
    (is (= [1.0 2.0 3.0] @(.value w)))
    (is (= [6.0] (call f 1 [1 1 1])))
    (is (= [2.0 3.0 4.0] @(.value w)))))

(deftest state-is-whole-wherever-the-interrupt-comes
  (let [w (programs/state "w" [0]), v (programs/state "v" [0])
        step (fn [buffers] {:do :kernel :kernel 1 :args buffers})
        f (compiled (-> triples
                        (assoc :dims '[n m]
                               :state [{:name "w" :dtype :f64 :shape '[m] :buffer 2 :written true}
                                       {:name "v" :dtype :f64 :shape '[m] :buffer 3 :written true}])
                        (update :buffers into '[{:dtype :f64 :size m :kind :state}
                                                {:dtype :f64 :size m :kind :state}])
                        (update :kernels conj
                                '{:name "inc" :params [[:f64 :inout]]
                                  :body [[:for i m [:store 0 i [:add [:load 0 i]
                                                                [:const :f64 1.0]]]]]})
                        ;; Some time before the updates, and some between them.
                        (assoc :steps [{:do :kernel :kernel 0 :args [0 1]} (step [2])
                                       {:do :kernel :kernel 0 :args [0 1]} (step [3])]))
                    {"w" w "v" v})
        x (xs 500)
        outcomes (doall (for [millis (range 10 300 10)]
                          (let [out (interrupting millis #(do (dotimes [_ 100] (call f x)) :all))]
                            (is (= @(.value w) @(.value v)) (str "after " millis " ms"))
                            (:kind out))))]
    (is (some #{"interrupted"} outcomes))))

(deftest an-interrupted-thread-calls-nothing
  (let [f (compiled programs/dot)]
    (is (= stopped (short-of (interrupting 0 (fn []
                                               (while (not (.isInterrupted (Thread/currentThread))))
                                               (call f [1] [1] 0))))))
    (testing "and one that is not any more does"
      (is (= [3.0] (:result (interrupting 0 (fn []
                                              (while (not (Thread/interrupted)))
                                              (call f [1] [2] 1)))))))))

(deftest waiting-for-a-state-ends
  (let [w (programs/state "w" [1 2 3])
        holder (compiled programs/axpy {"w" w})
        total (compiled programs/total {"w" w})
        go (promise)
        busy (Thread. #(do (deliver go true)
                           (refusal (fn [] (.callN holder Long/MAX_VALUE
                                                   (object-array [1 [1 1 1]]))))))]
    (.start busy)
    @go
    (Thread/sleep 50)
    (is (= stopped (short-of (interrupting 50 #(call total)))))
    (is (= stopped (short-of (interrupting 50 #(.value w)))))
    (is (= stopped (short-of (interrupting 50 #(.set w [1 1 1])))))
    (.interrupt busy)
    (.join busy 60000)
    (is (= [6.0] (call total)))
    (is (= [1.0 2.0 3.0] @(.value w)))))

(defn- waiting
  "Counts as `triples` does in what a kernel of the application gives for x."
  ^Function [kernel]
  (let [form (-> triples
                 (update :buffers conj '{:dtype :f64 :size n :kind :temp})
                 (assoc :steps '[{:do :host :op "wait" :attrs {} :note 0
                                  :ins [{:buffer 0 :shape [n]}] :out {:buffer 2 :shape [n]}}
                                 {:do :kernel :kernel 0 :args [2 1]}]
                        :notes [{:op "wait" :expr "(wait x)"}]))]
    (Function/compile (Programs/read (pr-str form)) {} false
                      (OpKernels/of {"wait" (reify HostKernel
                                              (run [_ c] (kernel c) (.input c 0)))}))))

(deftest kernels-of-the-application-end
  (let [sleeps (waiting (fn [_] (Thread/sleep 100000)))]
    (is (= stopped (short-of (interrupting 100 #(call sleeps [1]))))))
  (testing "the loops after one that waited, or called another function, end too"
    (let [inner (compiled triples)
          f (waiting (fn [_] (call inner (xs 300)) (Thread/sleep 1)))]
      (is (= stopped (short-of (interrupting 300 #(call f (xs 30000))))))
      (is (= [4.0] (call f [1 1 3])))))
  (testing "a kernel that takes the interrupt for itself goes on"
    (let [f (waiting (fn [_] (try (Thread/sleep 100000) (catch InterruptedException _ nil))))]
      (is (= {:kind nil, :message nil, :result [4.0], :interrupted false}
             (interrupting 100 #(call f [1 1 3])))))))

(deftest what-users-call
  (let [x (d/input 'x [:f64 ['n]])
        row (d/reshape x [1 'n]), column (d/reshape x ['n 1])
        f (d/function [x] (d/sum (d/exp (d/mul row (d/mul column row)))) {:mode :fast-compile})
        out (promise)
        t (Thread. #(deliver out (try (f (xs 100000)) (catch Exception e (ex-data e)))))]
    (.start t)
    (Thread/sleep 200)
    (.interrupt t)
    (is (= :damo/interrupted (:damo/error (deref out 60000 :stuck))))))
