(ns damo.codegen.ranges-test
  "Loops of kernels on several threads: which are divided, and that results, failures and what
  memory holds afterwards are those of one thread, bit by bit."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.jit.calling :as calling]
            [damo.laws.compiled :as compiled]
            [damo.laws.graphs :as graphs]
            [damo.laws.random :as random]
            [damo.laws.running :as running]
            [damo.op :as op])
  (:import (damo.jit Pool)
           (damo.lib Threads)
           (java.io Writer)))

(set! *warn-on-reflection* true)

(defmacro ^:private fine-grained
  "Evaluates the body with loops that are divided whatever their length."
  [& body]
  `(do (System/setProperty "damo.threads.grain" "1")
       (try ~@body (finally (Threads/set 1) (System/clearProperty "damo.threads.grain")))))

;; ## Which loops are divided

(defn- divided
  "How many loops of a kernel have a range form, as data of calling/program."
  [dims params body]
  (with-open [code (calling/compile-program (calling/program dims params body))]
    (count (re-seq #"call void @damo\.ranges" (.ir code)))))

(def ^:private apart
  "Loops whose rounds share nothing."
  '{elementwise [[n] [[:f32 :in n] [:f32 :out n]] [[:for i n [:store 1 i [:load 0 i]]]]]
    in-place [[n] [[:f32 :inout n]] [[:for i n [:store 0 i [:add [:load 0 i] [:load 0 i]]]]]]
    backwards [[n] [[:f32 :out n]] [[:for i n [:store 0 [:- [:- n 1] i] [:const :f32 1.0]]]]]
    pairs [[n] [[:f32 :inout [:* 2 n]]]
           [[:for i n
             [:let x [:load 0 [:* 2 i]]]
             [:store 0 [:* 2 i] [:load 0 [:+ 1 [:* 2 i]]]]
             [:store 0 [:+ 1 [:* 2 i]] x]]]]
    rows [[m n] [[:f32 :out [:* m n]]]
          [[:for i m [:for j n [:store 0 [:+ [:* i n] j] [:const :f32 1.0]]]]]]
    columns [[m n] [[:f32 :out [:* m n]]]
             [[:for i m [:for j n [:store 0 [:+ [:* j m] i] [:const :f32 1.0]]]]]]
    scattered-in-rows [[m n] [[:i64 :in m] [:f32 :out [:* m n]]]
                       [[:for i m
                         [:index at [:load 0 i] n 0]
                         [:store 1 [:+ [:* i n] at] [:const :f32 1.0]]]]]
    columns-of-sums [[m n] [[:f32 :in [:* m n]] [:f32 :inout n]]
                     [[:for i m
                       [:for j n
                        [:store 1 j [:add [:load 1 j] [:load 0 [:+ [:* i n] j]]]]]]]]
    blocks [[m n] [[:f32 :out [:* m n]]]
            [[:for i [:quot m 16]
              [:for r 16
               [:for j [:quot n 16]
                [:for c 16 [:store 0 [:+ [:* [:+ [:* 16 i] r] n] [:+ [:* 16 j] c]]
                            [:const :f32 1.0]]]]
               [:for k [:mod n 16] [:store 0 [:+ [:* [:+ [:* 16 i] r] n]
                                              [:+ [:* 16 [:quot n 16]] k]]
                                    [:const :f32 1.0]]]]]]]
    sum [[n] [[:f32 :in n] [:f32 :out 1]]
         [[:var s [:const :f32 0.0]] [:for i n [:acc :add s [:load 0 i]]] [:store 1 0 s]]]
    scratch [[m n] [[:f32 :in [:* m n]] [:f32 :inout n] [:f32 :out [:* m n]]]
             [[:for i m
               [:for j n [:store 1 j [:load 0 [:+ [:* i n] j]]]]
               [:for k n [:store 2 [:+ [:* i n] k] [:load 1 k]]]]]]})

(def ^:private together
  "Loops whose rounds do, or may for all that can be shown."
  '{two-ways [[n] [[:f32 :inout [:+ [:* 5 n] 1]]]
              [[:for i n
                [:for v 2
                 [:for w 2
                  [:store 0 [:+ [:+ n i] [:+ [:* n v] [:* [:+ [:* 2 n] 1] w]]]
                   [:load 0 [:+ [:- [:+ n i] [:* n v]] [:* [:+ [:* 2 n] 1] w]]]]]]]]]
    sum-so-far [[n] [[:f32 :inout [:+ n 1]]]
                [[:for i n [:store 0 [:+ i 1] [:add [:load 0 i] [:load 0 [:+ i 1]]]]]]]
    one-element [[n] [[:f32 :in n] [:f32 :inout 1]]
                 [[:for i n [:store 1 0 [:add [:load 1 0] [:load 0 i]]]]]]
    overlapping-rows [[m n] [[:f32 :out [:+ [:* m n] 1]]]
                      [[:for i m [:for j [:+ n 1] [:store 0 [:+ [:* i n] j] [:const :f32 1.0]]]]]]
    overlapping-blocks [[n] [[:f32 :out [:* 2 n]]]
                        [[:for i [:quot n 16]
                          [:for k [:mod n 8] [:store 0 [:+ i [:* [:quot n 8] k]]
                                              [:const :f32 1.0]]]]]]
    scattered [[m n] [[:i64 :in m] [:f32 :out n]]
               [[:for i m
                 [:index at [:load 0 i] n 0]
                 [:store 1 at [:const :f32 1.0]]]]]
    last-of [[n] [[:f32 :in n] [:f32 :out 1]]
             [[:var s [:const :f32 0.0]] [:for i n [:set s [:load 0 i]]] [:store 1 0 s]]]
    read-sum [[n] [[:f32 :in n] [:f32 :out n]]
              [[:var s [:const :f32 0.0]]
               [:for i n [:acc :add s [:load 0 i]] [:store 1 i s]]]]
    folded [[n] [[:f32 :out n]] [[:for i n [:store 0 [:quot i 2] [:const :f32 1.0]]]]]
    kept [[m n] [[:f32 :in [:* m n]] [:f32 :inout n] [:f32 :out [:* m n]]]
          [[:for i m
            [:for k n [:store 2 [:+ [:* i n] k] [:load 1 k]]]
            [:for j n [:store 1 j [:load 0 [:+ [:* i n] j]]]]]]]
    short [[] [[:f32 :inout 100]] [[:for i 100 [:store 0 i [:load 0 i]]]]]})

(deftest loops-that-share-nothing-are-divided
  (doseq [[what [dims params body]] apart]
    (is (= 1 (divided dims params body)) what))
  (doseq [[what [dims params body]] together]
    (is (= 0 (divided dims params body)) what)))

;; ## Results

(defn- bits
  "The outcome of a call with so many threads, NaN and signs of zeros told apart."
  [c env threads]
  (Threads/set threads)
  (let [{:keys [values] :as outcome} (running/outcome #(running/call! c env))]
    (if values
      (mapv (juxt array/type-of
                  #(mapv (fn [x] (if (float? x) (Double/doubleToRawLongBits x) x))
                         (array/values %)))
            values)
      outcome)))

(defn- unequal
  "The first number of threads that gives other bits than one, for a graph; nil when none does."
  [graph env]
  (let [inputs (for [[op {:keys [name type]}] (:nodes graph) :when (= op :input)] [name type])
        c (running/compile graph {:rules true, :inputs inputs})]
    (try
      (let [one (bits c env 1)]
        (first (remove #(= one (bits c env %)) [2 3 4 7 1])))
      (finally (running/close! c)))))

(deftest all-ops-have-equal-bits-for-all-numbers-of-threads
  (fine-grained
   (doseq [op (sort (random/ops)) :when (zero? (mod (hash op) 5))
           [dtype size] [[:f32 13] [:f64 64]]
           :let [{:keys [graph env call]} (compiled/case-of op dtype size 1 true)] :when graph]
     (is (nil? (binding [*out* (Writer/nullWriter)] (unequal graph env))) (str call)))))

(deftest random-graphs-on-threads-agree-with-the-reference
  (fine-grained
   (Threads/set 3)
   (is (nil? (random/check-recipes graphs/graph {:registry true} 6 20261201)))
   (is (nil? (random/check-recipes graphs/graph {:holders true} 2 20261202)))))

(defn- contents
  "What the buffers of a program hold after a call by so many threads, and how it ended."
  [program dims before threads]
  (with-open [code (calling/compile-program program)]
    (mapv #(calling/run code program dims before :threads %) threads)))

(deftest empty-and-odd-loops
  (fine-grained
   (Pool/need 4)
   (doseq [[what [dims params body]] apart
           values (if (= 2 (count dims)) [[0 0] [0 3] [3 0] [1 1] [5 1] [1 7] [7 5]]
                      [[0] [1] [2] [63] [64] [200]])
           :let [scope (zipmap dims values)
                 size (fn size [d] (cond (int? d) d
                                         (symbol? d) (scope d)
                                         :else (apply ({:* * :+ +} (first d)) (map size (rest d)))))
                 before (into (mapv (fn [[dtype _ n]]
                                      (mapv #(if (= dtype :i64) 0 (float %)) (range (size n))))
                                    params)
                              (map #(vec (repeat % 0)) values))
                 results (contents (calling/program dims params body) values before [1 2 4])]]
     (is (apply = results) (str what values)))))

(deftest what-no-round-computes-is-not-computed-before
  (fine-grained
   (Pool/need 4)
   (doseq [[what params body before after]
           '[[sum [[:f32 :in [:* m n]] [:f32 :out 1]]
              [[:var s [:const :f32 0.0]]
               [:for r m [:for c [:quot n d] [:acc :add s [:load 0 [:+ [:* r n] c]]]]]
               [:store 1 0 s]]
              [[] [1.0]] [0.0]]
             [nest [[:f32 :in 0] [:f32 :out [:* m n]]]
              [[:for r m
                [:for c [:quot n d]
                 [:for e 2
                  [:store 1 [:+ [:* r n] [:+ [:* 2 c] e]] [:const :f32 1.0]]]]]]
              [[] []] []]
             [turned [[:f32 :in [:* m n]] [:f32 :out [:* m n]]]
              [[:for r m
                [:for c [:quot n d]
                 [:store 1 [:+ [:* r n] c] [:load 0 [:+ [:* c m] r]]]]]]
              [[] []] []]
             [long-lines [[:f32 :in 0] [:f32 :out 1]]
              [[:store 1 0 [:const :f32 1.0]]
               [:for r m
                [:for c [:* 4611686018427387904 4]
                 [:for e 2
                  [:store 1 [:+ r [:+ c e]] [:const :f32 2.0]]]]]]
              [[] [0.0]] [1.0]]
             [turned-long-lines [[:f32 :in 0] [:f32 :out 1]]
              [[:store 1 0 [:const :f32 1.0]]
               [:for r m
                [:for c [:* 4611686018427387904 4]
                 [:store 1 [:+ [:* r n] c] [:load 0 [:+ [:* c m] r]]]]]]
              [[] [0.0]] [1.0]]]
           :let [program (calling/program '[m n d] params body)
                 results (contents program [0 5 0] (into before [[] (repeat 5 0) []])
                                   [1 2 4])]]
     (is (= (repeat 3 [0 after]) (map (juxt :status (comp second :buffers)) results)) what))))

;; ## Failures

(def ^:private checked
  (calling/program '[n] '[[:i64 :in n] [:f32 :inout n]]
                   '[[:for i n
                      [:index at [:load 0 i] 10 0]
                      [:store 1 i [:cast :f32 [:size at]]]]]))

(deftest the-first-failure-is-told
  (fine-grained
   (Pool/need 4)
   (with-open [code (calling/compile-program checked)]
     (doseq [bad [[0] [900] [64 65 66] [999 130] [500 499 700 20]]
             :let [xs (reduce #(assoc %1 %2 (+ 1000 (long %2))) (vec (repeat 1000 1)) bad)]
             threads [1 2 4]]
       (is (= {:status 1 :failure [0 (+ 1000 (long (reduce min bad))) 10]}
              (dissoc (calling/run code checked [1000] [xs (vec (repeat 1000 0.0))
                                                        (vec (repeat 1000 0))]
                                   :threads threads)
                      :buffers)))))))

(deftest asked-to-stop
  (testing "parts look at the record of the call"
    (let [program (-> (calling/program '[m n] '[[:f32 :out m]]
                                       '[[:for i m
                                          [:var s [:const :f32 0.0]]
                                          [:for j n [:acc :add s [:const :f32 1.0]]]
                                          [:store 0 i s]]])
                      (assoc :state [], :outputs '[{:name "p0" :dtype :f32 :shape [m] :buffer 0}])
                      (assoc-in [:buffers 0 :kind] :output))]
      (with-open [code (calling/compile-program program)]
        (is (str/includes? (.ir code) "damo.ranges"))
        (doseq [threads [1 2]]
          (is (= 2 (:status (calling/run code program [1000 1000]
                                         [(vec (repeat 1000 0.0)) (vec (repeat 1000 0))
                                          (vec (repeat 1000 0))]
                                         :threads threads :stop true)))))))))
