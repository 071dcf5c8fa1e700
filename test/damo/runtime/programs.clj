(ns damo.runtime.programs
  "Small programs that the runtime's tests call, as EDN data, and helpers to call them."
  (:import (damo DamoException)
           (damo.runtime Function State)
           (damo.tensor DType Tensor)
           (java.util Map)))

(set! *warn-on-reflection* true)

(def dot
  "out = z + sum_i x[i] y[i], all f32."
  '{:damo/program 1 :name "dot" :dims [n]
    :buffers [{:dtype :f32 :size n :kind :input} {:dtype :f32 :size n :kind :input}
              {:dtype :f32 :size 1 :kind :input} {:dtype :f32 :size 1 :kind :output}]
    :inputs [{:name "x" :dtype :f32 :shape [n] :buffer 0}
             {:name "y" :dtype :f32 :shape [n] :buffer 1}
             {:name "z" :dtype :f32 :shape [] :buffer 2}]
    :outputs [{:name "out" :dtype :f32 :shape [] :buffer 3}]
    :kernels [{:name "dot" :params [[:f32 :in] [:f32 :in] [:f32 :in] [:f32 :out]]
               :body [[:var s [:load 2 0]]
                      [:for i n [:acc :add s [:mul [:load 0 i] [:load 1 i]]]]
                      [:store 3 0 s]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1 2 3]}]})

(def take-add
  "w[i[k]] += x[k] for each k, then out = old w, by way of a temporary; an index outside of w fails
  with note 0. The writes come before the failure."
  '{:damo/program 1 :name "take-add" :dims [n m]
    :buffers [{:dtype :i64 :size n :kind :input} {:dtype :f64 :size n :kind :input}
              {:dtype :f64 :size m :kind :state} {:dtype :f64 :size m :kind :temp}
              {:dtype :f64 :size m :kind :output}]
    :inputs [{:name "i" :dtype :i64 :shape [n] :buffer 0}
             {:name "x" :dtype :f64 :shape [n] :buffer 1}]
    :state [{:name "w" :dtype :f64 :shape [m] :buffer 2 :written true}]
    :outputs [{:name "old" :dtype :f64 :shape [m] :buffer 4}]
    :kernels [{:name "copy" :params [[:f64 :in] [:f64 :out]]
               :body [[:for a m [:store 1 a [:load 0 a]]]]}
              {:name "add" :params [[:i64 :in] [:f64 :in] [:f64 :inout]]
               :body [[:for k n
                       [:index j [:load 0 k] m 0]
                       [:store 2 j [:add [:load 2 j] [:load 1 k]]]]]}]
    :steps [{:do :kernel :kernel 0 :args [2 3]}
            {:do :kernel :kernel 1 :args [0 1 2]}
            {:do :kernel :kernel 0 :args [3 4]}]
    :notes [{:op "take" :expr "(take w i)" :file "demo.clj" :line 12 :message "label of a row"}]})

(def axpy
  "w <- w + a x with a matrix w that is as wide as x; out = sum of the old w. A negative a fails."
  '{:damo/program 1 :name "axpy" :dims [n]
    :buffers [{:dtype :f64 :size 1 :kind :input} {:dtype :f64 :size n :kind :input}
              {:dtype :f64 :size n :kind :state} {:dtype :f64 :size 1 :kind :output}
              {:dtype :f64 :size 1 :kind :const}]
    :inputs [{:name "a" :dtype :f64 :shape [] :buffer 0}
             {:name "x" :dtype :f64 :shape [n] :buffer 1}]
    :state [{:name "w" :dtype :f64 :shape [n] :buffer 2 :written true}]
    :outputs [{:name "sum" :dtype :f64 :shape [] :buffer 3}]
    :consts [{:buffer 4 :data [0.0]}]
    :kernels [{:name "axpy" :params [[:f64 :in] [:f64 :in] [:f64 :inout] [:f64 :out] [:f64 :in]]
               :body [[:require [:ge [:load 0 0] [:load 4 0]] 0]
                      [:var s [:const :f64 0.0]]
                      [:for k n
                       [:acc :add s [:load 2 k]]
                       [:store 2 k [:add [:load 2 k] [:mul [:load 0 0] [:load 1 k]]]]]
                      [:store 3 0 s]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1 2 3 4]}]
    :notes [{:op "sqrt" :message "a must not be negative"}]})

(def total
  "out = sum of the state w, which it only reads."
  '{:damo/program 1 :name "total" :dims [n]
    :buffers [{:dtype :f64 :size n :kind :state} {:dtype :f64 :size 1 :kind :output}]
    :state [{:name "w" :dtype :f64 :shape [n] :buffer 0}]
    :outputs [{:name "sum" :dtype :f64 :shape [] :buffer 1}]
    :kernels [{:name "sum" :params [[:f64 :in] [:f64 :out]]
               :body [[:var s [:const :f64 0.0]]
                      [:for k n [:acc :add s [:load 0 k]]]
                      [:store 1 0 s]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1]}]})

(def solve
  "x [n 2], the solutions of a x = b, in two blocks: a and b are copied, then a routine works on the
  copies, which are by columns. A matrix a that has no inverse fails with note 0."
  '{:damo/program 1 :name "solve" :dims [n]
    :buffers [{:dtype :f64 :size [:* n n] :kind :input} {:dtype :f64 :size [:* 2 n] :kind :input}
              {:dtype :f64 :size [:* n n] :kind :temp} {:dtype :f64 :size [:* 2 n] :kind :output}
              {:dtype :i32 :size n :kind :output}]
    :inputs [{:name "a" :dtype :f64 :shape [n n] :buffer 0}
             {:name "b" :dtype :f64 :shape [2 n] :buffer 1}]
    :outputs [{:name "x" :dtype :f64 :shape [2 n] :buffer 3}
              {:name "pivots" :dtype :i32 :shape [n] :buffer 4}]
    :kernels [{:name "copy-a" :params [[:f64 :in] [:f64 :out]]
               :body [[:for i [:* n n] [:store 1 i [:load 0 i]]]]}
              {:name "copy-b" :params [[:f64 :in] [:f64 :out]]
               :body [[:for i [:* 2 n] [:store 1 i [:load 0 i]]]]}]
    :steps [{:do :block :steps [{:do :kernel :kernel 0 :args [0 2]}
                                {:do :kernel :kernel 1 :args [1 3]}]}
            {:do :block
             :steps [{:do :call :routine "dgesv"
                      :args {:n n :nrhs 2 :a {:buffer 2} :lda [:max 1 n] :pivots {:buffer 4}
                             :b {:buffer 3} :ldb [:max 1 n]}
                      :note 0}]}]
    :notes [{:op "solve" :expr "(solve a b)" :message "the matrix has no inverse"}]})

(defn compiled
  "The function of a program form, with these states by name."
  (^Function [form] (compiled form {}))
  (^Function [form states] (Function/compile (pr-str form) ^Map states)))

(defn call
  "The values of the outputs of one call."
  [^Function f & args]
  (mapv deref (.call f (object-array args))))

(defn state
  "A state of that dtype, f64 unless told, all of whose axes may change their length."
  (^State [name data] (state name data DType/F64))
  (^State [name data dtype]
   (let [t (Tensor/of data ^DType dtype)]
     (State/of name t (boolean-array (.rank t) true)))))

(defn refusal
  "[kind message] of the DamoException that the thunk throws, or nil."
  [f]
  (try (f) nil
       (catch DamoException e [(.kind e) (.what e)])))
