(ns damo.runtime.state-test
  "State between calls: values in and out, updates, sharing, threads."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.runtime.programs :as programs :refer [call compiled refusal]])
  (:import (damo.runtime State)
           (damo.tensor DType Tensor)))

(set! *warn-on-reflection* true)

(deftest values-are-copied
  (let [t (Tensor/of [1.0 2.0])
        s (State/of "w" t (boolean-array 0))]
    (.copyFrom t (Tensor/of [7.0 8.0]) false)
    (is (= [1.0 2.0] @(.value s)) "not the memory of the first value")
    (.copyFrom (.value s) t false)
    (is (= [1.0 2.0] @(.value s)) "nor that of a value taken out")
    (is (= ["w" "f64" 1 [2]] [(.name s) (.label (.dtype s)) (.rank s) (vec (.shape s))]))
    (is (= "#damo/state w #damo/tensor [:f64 [2]] [1.0 2.0]" (str s)))))

(deftest setting
  (let [s (State/of "w" (Tensor/of [[1.0 2.0]] DType/F32) (boolean-array [true false]))]
    (doseq [[data value] [[[[3 4]] [[3.0 4.0]]]
                          [[[1.5 2] [3 4]] [[1.5 2.0] [3.0 4.0]]]
                          [(Tensor/of [[5 6]]) [[5.0 6.0]]]]]
      (.set s data)
      (is (= value @(.value s))))
    (doseq [[data kind] [[[[1 2 3]] "shape-mismatch"] [[1 2] "shape-mismatch"]
                         [(Tensor/of [[1.0 2.0]]) "dtype-mismatch"] [[[1 2] [3]] "ragged"]
                         ["x" "bad-data"]]]
      (is (= kind (first (refusal #(.set s data)))) (pr-str data))
      (is (= [[5.0 6.0]] @(.value s)) "the old value stays"))
    (is (re-find #"state w has the shape \[any, 2\], got \[1, 3\]"
                 (second (refusal #(.set s [[1 2 3]])))))
    (.close s)
    (.close s)
    (is (= "closed" (first (refusal #(.value s)))))
    (is (= "closed" (first (refusal #(.set s [[1 2]]))))))
  (is (= "shape-mismatch" (first (refusal #(State/of "w" (Tensor/of [1]) (boolean-array 2)))))))

(deftest updates-and-sharing
  (let [w (programs/state "w" [1 2])
        update-w (compiled programs/axpy {"w" w})
        total (compiled programs/total {"w" w})]
    (is (= [3.0] (call total)))
    (is (= [3.0] (call update-w 10 [1 1])) "outputs see the old value")
    (is (= [23.0] (call total)) "another function sees the new one")
    (is (= [11.0 12.0] @(.value w)))
    (is (= [83.0] (mapv deref (.callN update-w 4 (object-array [10 [1 1]]))))
        "the output of the last of four")
    (is (= [51.0 52.0] @(.value w)))
    (testing "a value of another length"
      (.set w [1 2 3])
      (is (= [6.0] (call total)))
      (is (= "shape-mismatch" (first (refusal #(call update-w 1 [1 1])))))
      (is (= [6.0] (call update-w 1 [1 1 1]))))
    (testing "a closed state"
      (.close w)
      (is (= "closed" (first (refusal #(call total))))))))

(deftest updates-from-many-threads-are-not-lost
  (let [w (programs/state "w" [0 0 0])
        f (compiled programs/axpy {"w" w})
        total (compiled programs/total {"w" w})
        writers (mapv (fn [_] (future (dotimes [_ 500] (call f 1 [1 1 1])))) (range 4))
        sums (loop [sums []]
               (let [sums (conj sums (ffirst [(call total)]))]
                 (if (every? future-done? writers) sums (recur sums))))]
    (run! deref writers)
    (is (= [2000.0 2000.0 2000.0] @(.value w)))
    (is (every? #(zero? (mod % 3)) sums) "no reader sees an update half done")))

(deftest two-states-in-both-orders-do-not-deadlock
  (let [swap '{:damo/program 1 :name "add-to" :dims []
               :buffers [{:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size 1 :kind :state}]
               :state [{:name "from" :dtype :f64 :shape [] :buffer 0}
                       {:name "to" :dtype :f64 :shape [] :buffer 1 :written true}]
               :kernels [{:name "k" :params [[:f64 :in] [:f64 :inout]]
                          :body [[:store 1 0 [:add [:load 1 0] [:load 0 0]]]]}]
               :steps [{:do :kernel :kernel 0 :args [0 1]}]}
        a (programs/state "a" 1)
        b (programs/state "b" 0)
        f (compiled swap {"from" a "to" b})
        g (compiled swap {"from" b "to" a})
        work (fn [h] (future (dotimes [_ 300] (call h)) :done))]
    (is (= [:done :done] (mapv #(deref % 20000 :stuck) [(work f) (work g)])))
    (is (= "state-mismatch" (first (refusal #(compiled swap {"from" a "to" a})))))))

(def ^:private transfer
  "to += a and from -= a, where a is the sign of what `amount` holds, a whole number."
  '{:damo/program 1 :name "transfer" :dims []
    :buffers [{:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size 1 :kind :state}
              {:dtype :f64 :size 1 :kind :state}]
    :state [{:name "from" :dtype :f64 :shape [] :buffer 0 :written true}
            {:name "to" :dtype :f64 :shape [] :buffer 1 :written true}
            {:name "amount" :dtype :f64 :shape [] :buffer 2}]
    :kernels [{:name "k" :params [[:f64 :inout] [:f64 :inout] [:f64 :in]]
               :body [[:let a [:minimum [:const :f64 1.0]
                               [:maximum [:const :f64 -1.0] [:load 2 0]]]]
                      [:store 0 0 [:sub [:load 0 0] a]]
                      [:store 1 0 [:add [:load 1 0] a]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1 2]}]})

(def ^:private sum-of-four
  "out = the sum of four states, which it only reads."
  '{:damo/program 1 :name "sum" :dims []
    :buffers [{:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size 1 :kind :state}
              {:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size 1 :kind :state}
              {:dtype :f64 :size 1 :kind :output}]
    :state [{:name "p" :dtype :f64 :shape [] :buffer 0} {:name "q" :dtype :f64 :shape [] :buffer 1}
            {:name "r" :dtype :f64 :shape [] :buffer 2} {:name "s" :dtype :f64 :shape [] :buffer 3}]
    :outputs [{:name "out" :dtype :f64 :shape [] :buffer 4}]
    :kernels [{:name "k" :params [[:f64 :in] [:f64 :in] [:f64 :in] [:f64 :in] [:f64 :out]]
               :body [[:store 4 0 [:add [:add [:load 0 0] [:load 1 0]]
                                   [:add [:load 2 0] [:load 3 0]]]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1 2 3 4]}]})

(deftest states-in-every-order-keep-their-sum
  ;; Four states of one name; each function writes two and reads a third, which others write.
  (let [all (vec (repeatedly 4 #(programs/state "same" 100)))
        transfers (vec (for [i (range 4), j (range 4), k (range 4)
                             :when (= 3 (count (hash-set i j k)))]
                         (compiled transfer {"from" (all i) "to" (all j) "amount" (all k)})))
        sums (mapv #(compiled sum-of-four (zipmap ["p" "q" "r" "s"] (map all %)))
                   [[0 1 2 3] [3 2 1 0] [1 3 0 2]])
        work (fn [seed]
               (future (let [random (java.util.Random. seed)]
                         (dotimes [_ 300]
                           (call (transfers (.nextInt random (count transfers)))))
                         :done)))
        watch (fn [f] (future (set (repeatedly 300 #(first (call f))))))
        writers (mapv work (range 4)), readers (mapv watch sums)]
    (is (= (repeat 4 :done) (mapv #(deref % 60000 :stuck) writers)))
    (doseq [seen (mapv #(deref % 60000 :stuck) readers)]
      (is (= #{400.0} seen) "every sum is that of one moment"))))
