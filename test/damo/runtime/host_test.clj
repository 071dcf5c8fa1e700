(ns damo.runtime.host-test
  "Tests of host steps and native expressions in programs that nobody vouches for: what is refused
  when they are read, compiled and bound, and kernels given by Java alone."
  (:require [clojure.test :refer [are deftest is testing]])
  (:import [damo DamoException]
           [damo.program Programs]
           [damo.runtime Function HostCall HostKernel NativeFunction OpKernels]
           [damo.tensor DType Tensor]
           [java.util Map]))

(set! *warn-on-reflection* true)

(def ^:private program
  '{:damo/program 1, :name "p", :dims [n]
    :buffers [{:dtype :f64, :size n, :kind :input} {:dtype :f64, :size n, :kind :output}]
    :inputs [{:name "x", :dtype :f64, :shape [n], :buffer 0}]
    :outputs [{:name "y", :dtype :f64, :shape [n], :buffer 1}]
    :kernels []
    :steps [{:do :host, :op "copy", :attrs {:how :fast, :of [n m]}, :sizes {:shape [[:* 2 n] 3]}
             :ins [{:buffer 0, :shape [n]}], :out {:buffer 1, :shape [n]}, :note 0}]
    :notes [{:op "copy", :expr "(copy x)", :file "a.clj", :line 3}]})

(def ^:private native
  (assoc program
         :kernels '[{:name "k", :params [[:f64 :in] [:f64 :out]]
                     :body [[:for i n [:store 1 i [:native "root" :f64 [:load 0 i]]]]]}]
         :steps [{:do :kernel, :kernel 0, :args [0 1]}]))

(def ^:private copy (reify HostKernel (run [_ call] (.input ^HostCall call 0))))

(def ^:private cbrt
  (NativeFunction/of (NativeFunction/symbol "libm.so.6" "cbrt") DType/F64
                     (into-array DType [DType/F64])))

(defn- compiled ^Function [form kernels]
  (Function/compile (Programs/read (pr-str form)) {} false (OpKernels/of ^Map kernels)))

(defn- call [form kernels x]
  (with-open [f (compiled form kernels)] (vec @(aget (.call f (to-array [x])) 0))))

(defn- refusal [f]
  (try (f) nil (catch DamoException e [(.kind e) (.what e)])))

(deftest kernels-given-by-name
  (is (= [1.0 2.0] (call program {"copy" copy} [1.0 2.0])))
  (is (= [2.0 4.0] (call native {"root" cbrt} [8.0 64.0])))
  (testing "sizes have dimensions in place of their names, and attributes are as they are"
    (let [seen (atom nil)]
      (call program {"copy" (reify HostKernel (run [_ call]
                                                (reset! seen (.attributes ^HostCall call)) nil))}
            [1.0 2.0])
      (is (= [4 3] (get @seen "shape")))
      (is (= [":fast" "[n, m]"] (map #(str (get @seen %)) ["how" "of"]))))))

(deftest programs-whose-ops-are-not-there
  (are [form kernels kind text]
       (let [[k message] (refusal #(compiled form kernels))]
         (and (= kind k) (re-find text message)))
    program {} "unknown-op" #"the program p needs the op copy.*\n  expression: \(copy x\)\n .*clj:3"
    native {} "unknown-op" #"the program p needs the op root"
    program {"copy" cbrt} "kernel-mismatch" #"needs a kernel of whole arrays for the op copy"
    native {"root" copy} "kernel-mismatch" #"native scalars, f64 -> f64 for the op root"
    (assoc-in native [:kernels 0 :body 0 3 3] [:native "root" :f64 [:cast :f32 [:load 0 'i]]])
    {"root" cbrt} "kernel-mismatch" #"native scalars, f32 -> f64 for the op root, given of f64"))

(deftest programs-that-are-not-well-formed
  (are [path value text] (let [[k message] (refusal #(compiled (assoc-in program path value)
                                                               {"copy" copy}))]
                           (and (= "bad-program" k) (re-find text message)))
    [:steps 0 :op] "" #"the name of an op"
    [:steps 0 :op] "a\u0000b" #"the name of an op"
    [:steps 0 :op] :copy #"the name of an op"
    [:steps 0 :attrs] [1] #":attrs to be a map"
    [:steps 0 :note] 1 #":note"
    [:steps 0 :ins 0 :buffer] 1 #"read before any step has written it"
    [:steps 0 :ins 0 :buffer] 7 #"buffer"
    [:steps 0 :out :buffer] 0 #"is written, but it is of kind :input"
    [:steps 0 :out :shape] ['m] #"unknown dimension m"
    [:steps 0 :more] 1 #"unknown key :more"))

(deftest a-buffer-is-seen-as-large-as-it-is
  (doseq [[path shape] [[[:steps 0 :ins 0 :shape] '[[:* 2 n]]] [[:steps 0 :out :shape] [1]]]]
    (let [[kind message] (refusal #(call (assoc-in program path shape) {"copy" copy} [1.0 2.0]))]
      (is (= "bad-program" kind))
      (is (re-find #"step 0, copy, buffer . has 2 elements, but the shape" message)))))

(deftest one-signature-an-op
  (let [twice (update-in native [:kernels 0 :body 0] conj
                         '[:store 1 i [:cast :f64 [:native "root" :f32 [:load 0 i]]]])]
    (is (re-find #"the op root is called as f64 -> f64 and as f64 -> f32"
                 (second (refusal #(compiled twice {"root" cbrt})))))))

(deftest steps-of-programs-keep-their-order-and-memory
  (testing "a temporary that a host step reads is not given away before"
    (let [chain '{:damo/program 1, :name "chain", :dims [n]
                  :buffers [{:dtype :f64, :size n, :kind :input}
                            {:dtype :f64, :size n, :kind :temp} {:dtype :f64, :size n, :kind :temp}
                            {:dtype :f64, :size n, :kind :output}]
                  :inputs [{:name "x", :dtype :f64, :shape [n], :buffer 0}]
                  :outputs [{:name "y", :dtype :f64, :shape [n], :buffer 3}]
                  :kernels [] :notes [{:op "copy"}]
                  :steps [{:do :host, :op "copy", :ins [{:buffer 0, :shape [n]}]
                           :out {:buffer 1, :shape [n]}, :note 0}
                          {:do :host, :op "copy", :ins [{:buffer 1, :shape [n]}]
                           :out {:buffer 2, :shape [n]}, :note 0}
                          {:do :host, :op "sum", :note 0
                           :ins [{:buffer 1, :shape [n]} {:buffer 2, :shape [n]}]
                           :out {:buffer 3, :shape [n]}}]}
          sum (reify HostKernel
                (run [_ call] (Tensor/of (mapv + @(.input ^HostCall call 0)
                                               @(.input ^HostCall call 1)))))]
      (is (= [2.0 4.0] (call chain {"copy" copy, "sum" sum} [1.0 2.0]))))))
