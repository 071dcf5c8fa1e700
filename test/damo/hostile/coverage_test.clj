(ns damo.hostile.coverage-test
  "Which buffers of a program may be seen before they are written whole: decided for kernels of one
  parameter that is written, in dense loops and otherwise, and for the steps around them."
  (:require [clojure.test :refer [are deftest is testing]])
  (:import [damo.program Programs]
           [damo.verify Bindings Coverage]))

(set! *warn-on-reflection* true)

(defn- program [access body steps]
  {:damo/program 1 :name "p" :dims '[n m]
   :buffers '[{:dtype :f32 :size n :kind :input} {:dtype :f32 :size m :kind :input}
              {:dtype :f32 :size [:* n m] :kind :temp} {:dtype :f32 :size [:* n m] :kind :output}]
   :inputs '[{:name "x" :dtype :f32 :shape [n] :buffer 0}
             {:name "y" :dtype :f32 :shape [m] :buffer 1}]
   :outputs '[{:name "z" :dtype :f32 :shape [n m] :buffer 3}]
   :kernels [{:name "k" :params [[:f32 :in] [:f32 access]] :body body}
             '{:name "copy" :params [[:f32 :in] [:f32 :out]]
               :body [[:for a [:* n m] [:store 1 a [:load 0 a]]]]}]
   :steps steps})

(defn- open
  "The numbers of the buffers that may be seen, for n = 3 and m = 2 unless told."
  ([form] (open form [3 2]))
  ([form dims]
   (let [p (Programs/read (pr-str form))]
     (set (keep-indexed #(when %2 %1) (.open (Bindings/bind p (long-array dims))))))))

(def ^:private through-a-temporary
  '[{:do :kernel :kernel 0 :args [0 2]} {:do :kernel :kernel 1 :args [2 3]}])

(deftest what-may-be-seen-unwritten
  (are [expected access body] (= expected (open (program access body through-a-temporary)))
    #{} :out '[[:for i n [:for j m [:store 1 [:+ [:* i m] j] [:load 0 i]]]]]
    #{} :out '[[:for j m [:for i n [:store 1 [:+ [:* i m] j] [:load 0 i]]]]]
    #{} :out '[[:for i n [:for j m [:store 1 [:+ [:* j n] i] [:load 0 i]]]]]
    #{} :out '[[:for k 6 [:store 1 k [:const :f32 0]]] [:for i n [:store 1 i [:load 0 i]]]]
    #{} :inout '[[:for k 6 [:store 1 k [:const :f32 0]]]
                 [:for i n [:store 1 i [:add [:load 1 i] [:load 0 i]]]]]
    ;; Not all of it.
    #{2} :out '[[:for i n [:store 1 i [:load 0 i]]]]
    #{2} :out '[[:for i n [:for j 1 [:store 1 [:+ [:* i m] j] [:load 0 i]]]]]
    #{2} :out '[[:for i n [:for j m [:store 1 [:max i j] [:load 0 i]]]]]
    #{2} :out '[[:for i [:- n 1] [:for j m [:store 1 [:+ [:+ [:* i m] j] 1] [:load 0 i]]]]]
    ;; Perhaps none of it.
    #{2} :out '[[:for i n [:if [:gt [:load 0 i] [:const :f32 0]]
                           [:for j m [:store 1 [:+ [:* i m] j] [:load 0 i]]]]]]
    #{2} :out '[[:for k [:- n 3] [:for i n [:for j m [:store 1 [:+ [:* i m] j] [:load 0 i]]]]]]
    ;; Read before.
    #{2} :inout '[[:for i n [:for j m [:store 1 [:+ [:* i m] j]
                                       [:add [:load 1 [:+ [:* i m] j]] [:load 0 i]]]]]]
    #{2} :inout '[[:let v [:load 1 5]] [:for k 6 [:store 1 k v]]]))

(deftest steps-that-write-and-read
  (let [dense '[[:for k [:* n m] [:store 1 k [:const :f32 1]]]]
        gemm (fn [more] [(merge '{:do :gemm :dtype :f32 :m n :n m :k 1 :alpha 1.0 :beta 0.0
                                  :a {:buffer 0 :offset 0 :strides [1 1]}
                                  :b {:buffer 1 :offset 0 :strides [m 1]}
                                  :c {:buffer 2 :offset 0 :strides [m 1]}} more)
                         '{:do :kernel :kernel 1 :args [2 3]}])]
    (testing "an output that one step writes in part and another whole, in this order"
      (is (= #{3} (open (program :out '[[:for i n [:store 1 i [:load 0 i]]]]
                                 '[{:do :kernel :kernel 0 :args [0 3]}
                                   {:do :kernel :kernel 1 :args [3 2]}])))))
    (testing "products"
      (is (= #{} (open (program :out dense (gemm {})))))
      (is (= #{2} (open (program :out dense (gemm '{:n 1}))))))
    (testing "nothing to see is nothing to clear"
      (is (= #{} (open (program :out '[[:for i n [:store 1 i [:load 0 i]]]] through-a-temporary)
                       [0 2]))))))

(deftest sizes-in-what-cannot-run-have-no-values
  (let [huge [:* Long/MAX_VALUE 4]
        dead [:for 'z [:- 'n 3] [:for 'y huge [:store 1 'y [:const :f32 0]]]]
        dense '[:for k [:* n m] [:store 1 k [:const :f32 1]]]
        skipped (fn [step] {:do :loop :var 't :extent [:- 'n 3] :steps [step]})]
    (is (= #{} (open (program :out [dense dead] through-a-temporary))))
    (is (= #{} (open (program :out [dead dense] through-a-temporary))))
    (is (= #{2} (open (program :out [dead] through-a-temporary))))
    (is (= #{} (open (program :out [dense]
                              (conj through-a-temporary
                                    (skipped {:do :kernel :kernel 0
                                              :args [0 {:buffer 2 :offset huge :size huge}]})
                                    (skipped {:do :loop :var 's :extent huge :steps
                                              '[{:do :kernel :kernel 0 :args [0 2]}]}))))))))

(deftest what-a-host-kernel-writes
  (let [form (fn [shape size]
               (-> (program :out [] [])
                   (assoc :counted '[{:dim k :max n}]
                          :notes [{:op "half"}]
                          :kernels '[{:name "some" :params [[:f32 :in] [:i64 :out]]
                                      :body [[:store 1 0 [:cast :i64 [:load 0 0]]]]}
                                     {:name "copy" :params [[:f32 :in] [:f32 :out]]
                                      :body [[:for a n [:store 1 a [:load 0 a]]]]}]
                          :steps [{:do :kernel :kernel 0 :args [0 4]}
                                  '{:do :count :dim k :buffer 4 :note 0}
                                  {:do :host :op "half" :ins [] :out {:buffer 2 :shape shape}
                                   :note 0}
                                  {:do :kernel :kernel 1 :args [2 3]}])
                   (update :buffers conj '{:dtype :i64 :size 1 :kind :temp})
                   (assoc-in [:buffers 2 :size] size)))]
    (is (= #{3} (open (form '[n] 'n))) "all of an array, whose shape is known")
    (is (= #{3 2} (open (form '[k] 'k))) "the beginning that was counted, though more is read")))

(deftest what-rounds-and-cases-write
  (let [dense '[[:for k [:* n m] [:store 1 k [:const :f32 1]]]]
        part '[[:for i n [:store 1 i [:load 0 i]]]]
        write '{:do :kernel :kernel 0 :args [0 2]}
        copy '{:do :kernel :kernel 1 :args [2 3]}
        looped (fn [body loop steps]
                 (program :out body (into [(merge {:do :loop :var 't :steps steps} loop)] [copy])))
        branched (fn [cases]
                   (-> (program :out dense
                                [{:do :branch :test 4 :note 0 :cases cases} copy])
                       (update :buffers conj {:dtype :i64 :size 1 :kind :const})
                       (assoc :consts [{:buffer 4 :data [0]}], :notes [{:op "switch"}])))]
    (are [expected form] (= expected (open form))
      #{} (looped dense '{:extent 3} [write])
      #{} (looped dense '{:extent n} [write])
      #{2} (looped dense '{:extent [:- n 3]} [write])
      #{2} (looped part '{:extent n} [write])
      #{} (looped dense '{:extent n}
                  '[{:do :kernel :kernel 0 :args [0 {:buffer 2 :offset 0 :size [:* n m]}]}])
      #{2} (looped part '{:extent n}
                   '[{:do :kernel :kernel 0 :args [0 {:buffer 2 :offset 0 :size n}]}])
      #{2} (looped part '{:extent m} '[{:do :kernel :kernel 0
                                        :args [0 {:buffer 2 :offset [:* n t] :size n}]}])
      #{} (branched [[write] [write]])
      #{2} (branched [[write] ['{:do :loop :var t :extent 0
                                 :steps [{:do :kernel :kernel 0 :args [0 2]}]}]])
      #{} (branched [[write] [{:do :block :steps [write]}]])
      #{2} (branched [[{:do :loop :var 't :extent [:- 'n 3] :steps [write]}] [write]]))))
