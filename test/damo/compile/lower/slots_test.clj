(ns damo.compile.lower.slots-test
  "The order inside kernels: which nodes share a loop, and what goes through scratch memory. A path
  ends in -1 for what stands before any loop of the innermost body."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.slots :as slots]
            [damo.compile.pass :as pass]
            [damo.compile.schedule :as schedule]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.ops.all]
            [damo.ops.linear.blas]))

(set! *warn-on-reflection* true)

(defn- ordered
  "{:paths {op path} :scratch {op axis}} of the one kernel that an expression becomes; its ops
  differ."
  [expression]
  (let [g (pass/prepare (parse/parse {:inputs '{x [:f64 [n m]], t [:f64 [k n m]]}
                                      :outputs {'out expression}}))
        {:keys [layouts stored] [unit & more] :units} (schedule/schedule g)
        deps (slots/kernel-deps g layouts unit), paths (slots/paths unit deps)
        by-op #(update-keys % (fn [id] (graph/op-of ((:nodes g) id))))]
    (assert (empty? more))
    {:paths (by-op paths), :scratch (by-op (slots/scratch g unit deps paths stored))}))

(deftest softmax-of-rows-takes-three-slots
  (is (= {:paths {:max [0 0 -1], :sub [0 1 -1], :exp [0 1 -1], :sum [0 1 -1], :div [0 2 -1]}
          :scratch {:exp 1}}
         (ordered '[:softmax x]))
      "the exponentials of one row are kept"))

(deftest a-mean-of-everything-waits-for-the-loops
  (let [{:keys [paths scratch]} (ordered '[:tanh [:sub x [:sum [:abs x]]]])]
    (is (= {:abs [0 0 -1], :sum [0 0 -1], :sub [1 0 -1], :tanh [1 0 -1]} paths))
    (is (empty? scratch))))

(deftest what-follows-a-row-sum-stays-in-the-row
  (let [{:keys [paths]} (ordered '[:log [:sum {:axis 1} [:exp x]]])]
    (is (= {:exp [0 0 -1], :sum [0 0 -1], :log [0 0]} paths))))

(deftest three-levels
  (let [{:keys [paths scratch]}
        (ordered '[:mul [:exp t] [:log [:sum {:axis 2 :keepdims true}
                                        [:sin [:add t [:max {:axis [1 2] :keepdims true} t]]]]]])]
    (is (= {:max [0 0 0 -1], :add [0 1 0 -1], :sin [0 1 0 -1], :sum [0 1 0 -1], :log [0 1 0]
            :exp [0 0 0 -1], :mul [0 1 1 -1]}
           paths))
    (testing "math of an earlier slot is kept, for as many axes as the slots are apart"
      (is (= {:exp 1} scratch)))))
