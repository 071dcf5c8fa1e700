(ns damo.compile.plan.loops-test
  "What programs of loops and branches are made of: rows of traces and rings in the memory of
  others, what is written over what, what fuses, what is not made at all."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.plan.written :refer [all-steps body graph looped part parts program]]
            [damo.data.array :as array]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval])
  (:import [damo Limits]))

(set! *warn-on-reflection* true)

(defn- kinds [program] (map :do (all-steps program)))

(defn- temps [{:keys [buffers]}] (for [{:keys [kind size]} buffers :when (= kind :temp)] size))

(def ^:private cell
  (body '[[x [:f32 [4]]] [h [:f32 [4]]]] '[:tanh [:add x h]] '[:exp [:add x h]]))

(defn- recurrent
  "The wanted results of a loop over the rows of x that carries h."
  [results]
  (apply graph '{x [:f32 [n 4]], h [:f32 [1 4]]}
         (parts (count results)
                (looped {:steps 'n, :params '[[:each 0 0 1] [:carry 0 0]], :carries [1]
                         :results results}
                        cell 'x 'h))))

(deftest a-trace-lies-in-the-output
  (let [{:keys [steps buffers kernels] :as p} (program (recurrent [[0 :all] [1 :all]]))
        [_ {[{:keys [args]}] :steps}] steps]
    (is (= [:kernel :loop :kernel] (kinds p)))
    (is (= [] (temps p)))
    (is (= '[[:+ [:* 4 n] 4] [:* 4 n]] (map :size (filter #(= :output (:kind %)) buffers))))
    (is (= '[{:buffer 0, :offset [:* 4 t.1], :size 4}
             {:buffer 2, :offset [:* 4 t.1], :size 4}
             {:buffer 2, :offset [:+ [:* 4 t.1] 4], :size 4}
             {:buffer 3, :offset [:* 4 t.1], :size 4}]
           args))
    (is (not-any? #{'t.1} (flatten (map :body kernels))) "kernels know nothing of rounds")))

(deftest rows-of-results-lie-in-the-order-that-is-wanted
  (let [last-args (fn [results] (peek (:args (first (:steps (second (:steps (program
                                                                             (recurrent
                                                                              results)))))))))]
    (is (= '[:- [:* 4 n] [:+ [:* 4 t.1] 4]] (:offset (last-args [[1 :all :backwards]]))))
    (is (= '[:* 4 t.1] (:offset (last-args [[1 :all] [1 :all :backwards]]))) "of one memory")))

(deftest a-state-of-which-the-last-is-read-is-written-over
  (let [p (program (recurrent [[0 1]]))]
    (is (= [4] (temps p)))
    (is (= '[{:buffer 0, :offset [:* 4 t.1], :size 4} 3]
           (:args (first (:steps (second (:steps p)))))))))

(deftest rings-are-as-small-as-reads-allow
  (let [fib (fn [results body] (program (apply graph '{h [:i64 [2]]}
                                               (parts (count results)
                                                      (looped {:steps 10, :carries [0]
                                                               :params '[[:carry 0 0] [:carry 0 1]]
                                                               :results results}
                                                              body 'h)))))
        add (body '[[a [:i64 []]] [b [:i64 []]]] '[:add a b])
        newest (body '[[a [:i64 []]] [b [:i64 []]]] '[:add b b])]
    (is (= [2] (temps (fib [[0 1]] add))) "the sum may lie where its first term was")
    (is (= [2] (temps (fib [[0 1]] newest))) "the oldest row is not read")
    (is (= [5] (temps (fib [[0 5]] add))) "some rows are wanted")
    (is (= [] (temps (fib [[0 :all]] add))) "all rows are the output"))
  (testing "what reads the oldest row later, or elsewhere than where it writes, keeps it"
    (let [turned (body '[[h [:f32 [3]]]] '[:flip {:axis 0} h])]
      (is (= [6] (temps (program (graph '{h [:f32 [1 3]]}
                                        (part 0 (looped {:steps 10, :params '[[:carry 0 0]]
                                                         :carries [0], :results [[0 1]]}
                                                        turned 'h))))))))))

(deftest what-nobody-reads-is-not-made
  (testing "an output, and a carry that only it reads"
    (let [two (body '[[a [:f64 []]] [b [:f64 []]]] '[:add a 1.0] '[:mul b 2.0] '[:exp b])
          p (program (graph '{a [:f64 [1]], b [:f64 [1]]}
                            (part 0 (looped {:steps 5, :params '[[:carry 0 0] [:carry 1 0]]
                                             :carries [0 1], :results [[0 1] [1 :all] [2 :all]]}
                                            two 'a 'b))))]
      (is (= [1] (temps p)))
      (is (not-any? #{:exp} (flatten (map :body (:kernels p)))))))
  (testing "but what may fail is"
    (let [two (body '[[a [:f64 []]] [x [:f64 [3]]] [i [:i64 [n]]]]
                    '[:add a 1.0] '[:sum [:take x i]])
          p (program (graph '{a [:f64 [1]], x [:f64 [3]], i [:i64 [n]]}
                            (part 0 (looped {:steps 5, :params '[[:carry 0 0] [:all 1] [:all 2]]
                                             :carries [0], :results [[0 1] [1 :all]]}
                                            two 'a 'x 'i))))]
      (is (some #{:index} (flatten (map :body (:kernels p))))))))

(deftest the-rows-of-an-inner-loop-lie-in-those-of-the-outer
  (let [sums (looped {:steps 4, :params '[[:each 0 0 1] [:carry 0 0]], :carries [1]
                      :results [[0 :all]]}
                     (body '[[x [:f64 []]] [s [:f64 []]]] '[:add x s])
                     'x [:const {:type [:f64 [1]], :value [0.0]}])
        p (program (graph '{x [:f64 [n 4]]}
                          (part 0 (looped {:steps 'n, :params '[[:each 0 0 1]]
                                           :results [[0 :all]]}
                                          (body '[[x [:f64 [4]]]] (part 0 sums)) 'x))))]
    (is (= [:loop :kernel :loop :kernel] (kinds p)))
    (is (= [] (temps p)))
    (is (= '[:+ [:* 5 t.1] t.2 1] (:offset (peek (:args (last (all-steps p)))))))))

(deftest cases-write-where-the-result-lies
  (let [p (program (graph '{x [:f64 [n]], y [:f64 [n]], i [:bool []]}
                          (part 0 [:branch {:cases [(body '[[x [:f64 [n]]] [y [:f64 [n]]]]
                                                          '[:exp x])
                                                    (body '[[x [:f64 [n]]] [y [:f64 [n]]]] 'y)]}
                                   'i 'x 'y])))]
    (is (= [:kernel :branch :kernel :kernel] (kinds p)))
    (is (= [1] (temps p)) "the number of the case")
    (is (apply = (map (comp peek :args) (filter #(= :kernel (:do %)) (rest (all-steps p))))))))

(deftest memory-that-nothing-bounds-is-refused
  (let [e (try (program (graph '{a [:f64 [1]]}
                               (part 0 (looped {:until true, :params '[[:carry 0 0]], :carries [0]
                                                :results [[0 :all]]}
                                               (body '[[a [:f64 []]]] '[:mul a 2.0]
                                                     '[:gt a 100.0])
                                               'a))))
               (catch clojure.lang.ExceptionInfo e e))]
    (is (= :damo.flat/endless-memory (:damo/error (ex-data e))))
    (is (re-find #":max-steps" (ex-message e)))))

(deftest levels-are-limited
  (let [nested (fn nested [levels]
                 (if (zero? levels)
                   '[:exp x]
                   (part 0 (looped {:steps 2, :params '[[:carry 0 0]], :carries [0]
                                    :results [[0 1]]}
                                   (body '[[x [:f64 [1]]]]
                                         [:reshape {:shape [1]} (nested (dec levels))])
                                   '[:reshape {:shape [1 1]} x]))))
        made (fn [levels] (program (graph '{x [:f64 [1]]}
                                          [:reshape {:shape [1]} (nested levels)])))]
    (is (= 3 (count (filter #{:loop} (kinds (made 3))))))
    (is (= :damo.flat/too-deep
           (:damo/error (try (made (inc (.most Limits/LEVELS)))
                             (catch clojure.lang.ExceptionInfo e (ex-data e))))))))

;; ## Values

(defn- agree?
  "Does the compiled graph give what the interpreter says?"
  [g env]
  (let [c (running/compile g {})]
    (try (= (map array/nested (eval/run g env)) (map array/nested (running/call! c env)))
         (finally (running/close! c)))))

(def ^:private one-more (body '[[a [:i64 []]] [b [:i64 []]]] '[:add [:mul a 2] b] '[:sub a b]))

(deftest taps-results-and-rounds
  (doseq [results [[[0 :all] [1 :all] [0 1] [1 2]] [[0 3 :backwards] [1 :all :backwards]]
                   [[0 1] [1 1]] [[0 2]] [[1 3]]]
          steps [0 1 2 7 'n]]
    (is (agree? (apply graph '{h [:i64 [2]], x [:f32 [n]]}
                       (concat (parts (count results)
                                      (looped {:steps steps, :carries [0], :results results
                                               :params '[[:carry 0 0] [:carry 0 1]]}
                                              one-more 'h))
                               ['[:sum x]]))
                {'h (array/of :i64 [2] [3 1]), 'x (array/of :f32 [5] (range 5))})
        (pr-str results steps))))

(deftest a-case-that-does-not-run-requires-nothing
  (let [g (graph '{x [:f64 [n]]}
                 (part 0 [:branch {:cases [(body '[[x [:f64 [n]]]] '[:sum x])
                                           (body '[[x [:f64 [n]]]]
                                                 '[:sum [:mul [:slice {:start 1} x]
                                                         [:slice {:start 1} x]]])]}
                          '[:gt [:sum x] 3.0] 'x]))]
    (is (agree? g {'x (array/of :f64 [0] [])}))
    (is (agree? g {'x (array/of :f64 [3] [1 2 4])}))))
