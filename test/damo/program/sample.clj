(ns damo.program.sample
  "A small program as data, for tests to spoil: y = tanh(x·w + b), and b ← y's column sums.")

(set! *warn-on-reflection* true)

(def add-tanh
  "Kernel 0: y[i j] = tanh(h[i j] + b[j])."
  '{:name "add-tanh" :params [[:f32 :in] [:f32 :in] [:f32 :out]]
    :body [[:for i n
            [:for j 10
             [:let v [:add [:load 0 [:+ [:* i 10] j]] [:load 1 j]]]
             [:store 2 [:+ [:* i 10] j] [:tanh v]]]]]})

(def column-sums
  "Kernel 1: b[j] = sum over i of y[i j]."
  '{:name "column-sums" :params [[:f32 :in] [:f32 :inout]]
    :body [[:for j 10
            [:var s [:const :f32 0.0]]
            [:for i n [:acc :add s [:load 0 [:+ [:* i 10] j]]]]
            [:store 1 j s]]]})

(def take-row
  "Kernel 2: picks a row by an index that is checked at run time."
  '{:name "take-row" :params [[:f32 :in] [:i64 :in] [:f32 :out]]
    :body [[:for k 3
            [:index r [:load 1 k] n 0]
            [:for j 10 [:store 2 [:+ [:* k 10] j] [:load 0 [:+ [:* r 10] j]]]]]]})

(def program
  "Dimension n; every kind of buffer, both kinds of step."
  {:damo/program 1
   :name "sample"
   :dims '[n]
   :buffers '[{:dtype :f32 :size [:* n 784] :kind :input}
              {:dtype :f32 :size 7840 :kind :state}
              {:dtype :f32 :size 10 :kind :state}
              {:dtype :f32 :size [:* n 10] :kind :temp}
              {:dtype :f32 :size [:* n 10] :kind :output}
              {:dtype :i64 :size 3 :kind :const}
              {:dtype :f32 :size 30 :kind :output}]
   :inputs '[{:name "x" :dtype :f32 :shape [n 784] :buffer 0}]
   :state [{:name "w" :dtype :f32 :shape [784 10] :buffer 1}
           {:name "b" :dtype :f32 :shape [10] :buffer 2 :written true}]
   :outputs '[{:name "y" :dtype :f32 :shape [n 10] :buffer 4}
              {:name "rows" :dtype :f32 :shape [3 10] :buffer 6}]
   :consts [{:buffer 5 :data [0 1 0]}]
   :kernels [add-tanh column-sums take-row]
   :steps '[{:do :gemm :dtype :f32 :m n :n 10 :k 784 :alpha 1.0 :beta 0.0
             :a {:buffer 0 :offset 0 :strides [784 1]}
             :b {:buffer 1 :offset 0 :strides [10 1]}
             :c {:buffer 3 :offset 0 :strides [10 1]}}
            {:do :kernel :kernel 0 :args [3 2 4]}
            {:do :kernel :kernel 2 :args [4 5 6]}
            {:do :kernel :kernel 1 :args [4 2]}]
   :notes [{:op "take" :expr "(take y i)" :file "a.clj" :line 3}]})

(def one-buffer
  "A program with one kernel over one input of n elements and one output of m."
  '{:damo/program 1 :name "one" :dims [n m]
    :buffers [{:dtype :f32 :size n :kind :input} {:dtype :f32 :size m :kind :output}
              {:dtype :f32 :size m :kind :input}]
    :inputs [{:name "x" :dtype :f32 :shape [n] :buffer 0}
             {:name "like-y" :dtype :f32 :shape [m] :buffer 2}]
    :outputs [{:name "y" :dtype :f32 :shape [m] :buffer 1}]
    :kernels [] :steps [{:do :kernel :kernel 0 :args [0 1]}]
    :notes [{:op "take"}]})

(defn with-body
  "`one-buffer` with these statements as its kernel; parameter 0 is x[n], parameter 1 is y[m]."
  [& body]
  (assoc one-buffer :kernels [{:name "k" :params [[:f32 :in] [:f32 :out]] :body (vec body)}]))
