(ns damo.program.reader-test
  "What Programs.read accepts and refuses. Each hostile row changes one thing in a good program
  and pins the message."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.program.sample :as sample])
  (:import (damo DamoException Limits)
           (damo.program Instructions Kernel Kernel$Const Kernel$For Kernel$Let Program
                         Program$Buffer Program$Port Programs Step$Gemm)
           (damo.tensor DType)))

(set! *warn-on-reflection* true)

(defn- read-program ^Program [form] (Programs/read (pr-str form)))

(defn- refusal
  "The message with which the program is refused, or nil."
  [form]
  (try
    (read-program form)
    nil
    (catch DamoException e
      (is (= "bad-program" (.kind e)))
      (.getMessage e))))

(deftest a-good-program-is-read
  (let [p (read-program sample/program)]
    (is (= "sample" (.name p)))
    (is (= ["n"] (.dims p)))
    (is (= [true false] [(.written ^Program$Port (.get (.state p) 1))
                         (.written ^Program$Port (.get (.state p) 0))]))
    (is (= [0 1 0] (vec (.data ^Program$Buffer (.get (.buffers p) 5)))))
    (is (instance? Step$Gemm (.get (.steps p) 0)))
    (is (= [{"op" "take", "expr" "(take y i)", "file" "a.clj", "line" 3}] (.notes p)))))

(deftest expressions-have-dtypes
  (let [body (.body ^Kernel (.get (.kernels (read-program
                                             (sample/with-body
                                               '[:for i m
                                                 [:let a [:cast :i64 [:const :f64 2.5]]]
                                                 [:let b [:lt a [:size i]]]
                                                 [:let c [:bits [:const :f32 1]]]
                                                 [:let d [:select b a i]]
                                                 [:store 1 i [:const :f32 0.1]]])))
                                  0))]
    (is (= [DType/I64 DType/BOOL DType/I32 DType/I64]
           (map #(.dtype (.value ^Kernel$Let %)) (take 4 (.body ^Kernel$For (.get body 0))))))))

(deftest literals-are-values-of-their-dtype
  (let [bits (fn [dtype x]
               (let [k ^Kernel (.get (.kernels (read-program
                                                (sample/with-body
                                                  [:let 'c [:const dtype x]]
                                                  '[:store 1 0 [:const :f32 0]]))) 0)]
                 (.bits ^Kernel$Const (.value ^Kernel$Let (.get (.body k) 0)))))]
    (is (= (Double/doubleToLongBits (double (float 0.1))) (bits :f32 0.1)) "rounded to f32")
    (is (= (Double/doubleToLongBits 0.1) (bits :f64 0.1)))
    (is (= [255 -128 1] [(bits :u8 255) (bits :i8 -128) (bits :bool true)]))))

;; ## Hostile programs: [what is done to the sample, the message]

(defn- at [path value] #(assoc-in % path value))

(defn- kernel
  "The sample with this body in its kernel 0 (parameters: f32 in, f32 in, f32 out)."
  [& body]
  (at [:kernels 0 :body] (vec body)))

(def ^:private hostile
  [[(at [:damo/program] 2) #"top level: expected :damo/program to be version 1, found 2"]
   [#(dissoc % :steps) #":steps is missing"]
   [(at [:bogus] 1) #"top level: unknown key :bogus; the keys are :buffers"]
   [(at [:dims] '[n n]) #"the dimension n is listed twice"]
   [(at [:dims] '[n "m"]) #"expected :dims to hold symbols, found \"m\""]
   [(at [:dims] '[n m]) #"no input or state has \[m\] as an axis"]
   [(at [:dims] (mapv #(symbol (str "d" %)) (range 1100))) #"1100 dimensions; at most 1024"]
   ;; buffers and constants
   [(at [:buffers 0 :dtype] :f8) #"buffer 0: expected a dtype .*:f16.*, found :f8"]
   [(at [:buffers 0 :kind] :heap) #"buffer 0: expected :kind .*, found :heap"]
   [(at [:buffers 0 :size] 'q) #"buffer 0: unknown dimension q; :dims has \[n\]"]
   [(at [:buffers 0 :size] -1) #"buffer 0: expected a size .*, found -1"]
   [(at [:buffers 0 :size] '[:rem n 2]) #"no operation :rem in a size"]
   [(at [:buffers 0 :size] '[:- n]) #"two operands of :-"]
   [(at [:buffers 0 :size] '[:+]) #"one or more operands of :\+"]
   [(at [:buffers 0 :size] (into [:+] (repeat 20000 1))) #"more than 16384 parts"]
   [(at [:buffers 5 :size] 4) #"buffer 5: size 4, but 3 values in :consts"]
   [(at [:buffers 5 :size] 'n) #"buffer 5: a :const buffer's size depends on no dimension, found n"]
   [(at [:consts] []) #"buffer 5: a :const buffer without data"]
   [(at [:consts 0 :buffer] 3) #"data in :consts for a buffer that is not :const"]
   [(at [:consts 0 :data] [0 1 2.5]) #"buffer 5: expected an integer of dtype :i64, found 2.5"]
   [#(update % :consts conj (first (:consts %))) #"buffer 5 has data already"]
   ;; ports
   [(at [:inputs 0 :buffer] 1) #"input 0: buffer 1 is a :state of :f32, expected a :input of :f32"]
   [(at [:inputs 0 :dtype] :f64) #"buffer 0 is a :input of :f32, expected a :input of :f64"]
   [(at [:inputs 0 :buffer] 70) #"expected :buffer to be an integer below 7, found 70"]
   [(at [:inputs 0 :written] true) #"input 0: unknown key :written"]
   [(at [:inputs 0 :shape] '[n m]) #"input 0: unknown dimension m"]
   [(at [:state 1 :buffer] 1) #"buffer 1 belongs to another port already"]
   [(at [:state 1 :name] "w") #"state 1: the name \"w\" is taken"]
   [#(update % :state pop) #"buffer 2: no state has it"]
   [#(update % :outputs pop) #"buffer 6: no output has it"]
   ;; names and scopes
   [(kernel '[:store 2 0 u]) #"kernel 0 \"add-tanh\", statement 0: the name u is not bound here"]
   [(kernel '[:for i n [:let a i]] '[:store 2 0 a]) #"statement 1: the name a is not bound"]
   [(kernel '[:for i n] '[:for i n]) #"statement 1: the name i is bound twice"]
   [(kernel '[:for n 3]) #"the name n is bound twice"]
   [(kernel '[:for i i]) #"the name i is not bound"]
   [(kernel '[:let a n]) #"the dimension n is not a value; write \[:size n\]"]
   [(kernel '[:let a [:const :i64 1]] '[:store 2 a [:const :f32 0]])
    #"a is a value, which an index may not use"]
   [(kernel '[:let a [:const :f32 1]] '[:set a [:const :f32 2]]) #"there is no \[:var a …\] here"]
   [(apply kernel (for [v (range 300)] [:index (symbol (str "v" v)) [:const :i64 0] 1 0]))
    #"more than 256 loop and index variables around one statement"]
   [(kernel '[:let a [:load t 0]]) #"the name t is not bound here"]
   [(kernel '[:local t :f32 4] '[:let a t]) #"t is an array; write \[:load t index\]"]
   [(kernel '[:local t :f32 4] '[:store 2 t [:const :f32 0]])
    #"t is a value, which an index may not use"]
   [(kernel '[:let t [:const :f32 0]] '[:let a [:load t 0]])
    #"expected a parameter's position or the name of a :local array, found t"]
   [(kernel '[:for i n [:local t :f32 4]] '[:store t 0 [:const :f32 0]]) #"name t is not bound"]
   [(kernel '[:local t :f32 0]) #"expected a number of elements, so that all .* 32768 bytes"]
   [(kernel '[:local t :f32 n]) #"expected a number of elements"]
   [(kernel '[:local t :f64 4096] '[:local u :bool 1]) #"statement 1: expected a number of elem"]
   ;; dtypes
   [(kernel '[:store 2 0 [:const :f64 0]]) #"parameter 2 has dtype :f32, found :f64"]
   [(kernel '[:let a [:add [:const :f32 1] [:const :f64 1]]])
    #"the operands of :add have one dtype, found :f32 and :f64"]
   [(kernel '[:let a [:add [:const :bool true] [:const :bool true]]])
    #":add takes operands of class :num, found :bool"]
   [(kernel '[:let a [:exp [:const :i64 1]]]) #":exp takes operands of class :float, found :i64"]
   [(kernel '[:let a [:neg]]) #":neg takes 1 operands, found 0"]
   [(kernel '[:let a [:bogus 1]]) #"expected an expression"]
   [(kernel '[:let a [:bogus [:const :f32 1]]]) #"there is no instruction :bogus"]
   [(kernel '[:let a [:select [:const :f32 1] [:const :f32 1] [:const :f32 1]]])
    #"first operand of :select is a :bool, found :f32"]
   [(kernel '[:if [:const :i64 1]]) #"a condition has dtype :bool, found :i64"]
   [(kernel '[:var s [:const :f32 0]] '[:acc :add s [:const :f64 1]])
    #"statement 1: the variable s has dtype :f32, found :f64"]
   [(kernel '[:var s [:const :f32 0]] '[:acc :sub s [:const :f32 1]])
    #"expected one of :add :mul .* after :acc, found :sub"]
   [(kernel '[:var s [:const :f32 0]] '[:acc :and s [:const :f32 1]])
    #":and takes operands of class :integral, found :f32"]
   [(kernel '[:let a [:const :i8 128]]) #"128 does not fit :i8"]
   [(kernel '[:let a [:const :f32 1e300]]) #"1.0E300 does not fit :f32"]
   [(kernel '[:let a [:const :bool 1]]) #"expected true or false, found 1"]
   ;; statements
   [(kernel '[:while true]) #"statement 0: no statement :while"]
   [(kernel 5) #"expected a statement .*, found 5"]
   [(kernel '[:for i]) #"2 or more parts after :for"]
   [(kernel '[:store 0 0 [:const :f32 0]]) #"parameter 0 is :in, so it is not written"]
   [(kernel '[:let a [:load 2 0]]) #"parameter 2 is :out, so it is not read"]
   [(kernel '[:let a [:load 3 0]]) #"a parameter's position to be an integer below 3, found 3"]
   [(kernel '[:index r [:const :i64 0] n 1]) #"a note's position to be an integer below 1, found 1"]
   [(kernel '[:index r [:const :f32 0] n 0]) #"the value of an :index has dtype :i64, found :f32"]
   [(kernel '[:for i n [:if [:const :bool true] [:require [:const :f32 0] 0]]])
    #"kernel 0 \"add-tanh\", statement 0.0.0: a condition has dtype :bool"]
   [(at [:kernels 0 :params 1] [:f32 :rw]) #"expected a parameter .*, found \[:f32 :rw\]"]
   ;; steps
   [(at [:steps 0 :do] :gemv) #"step 0: expected a step"]
   [(at [:steps 1 :kernel] 3) #"step 1: expected :kernel to be an integer below 3, found 3"]
   [(at [:steps 1 :args] [3 2]) #"kernel 0 has 3 parameters, found 2"]
   [(at [:steps 1 :args] [3 3 4])
    #"arguments of a kernel are all different buffers, found buffer 3 twice"]
   [(at [:steps 1 :args] [3 5 4]) #"argument 1, buffer 5, is of :i64, the parameter of :f32"]
   [(at [:steps 1 :args] [3 2 0]) #"argument 2, buffer 0, is written, but it is of kind :input"]
   [(at [:steps 1 :args] [3 2 1]) #"buffer 1, is written, but it is a state without :written true"]
   [(at [:steps 1 :args] [4 2 3]) #"argument 0, buffer 4, is read before any step has written it"]
   [#(update % :steps subvec 1) #"step 0: argument 0, buffer 3, is read before any step"]
   [#(update % :steps subvec 0 2) #"buffer 6: no step writes this output"]
   [(at [:steps 0 :dtype] :i16) #"a :gemm is of :f32, :f64, :i32 or :i64, found :i16"]
   [(at [:steps 0 :dtype] :f64) #":a, buffer 0, is of :f32, expected :f64"]
   [(at [:steps 0 :beta] 1.0) #"operand :c \(:beta is not 0\), buffer 3, is read before"]
   [(at [:steps 0 :c :buffer] 0) #"operand :c, buffer 0, is written, but it is of kind :input"]
   [#(-> % (assoc-in [:steps 0 :c :buffer] 2) (assoc-in [:steps 0 :alpha] {:buffer 2}))
    #"operand :c shares buffer 2 with :alpha"]
   [(at [:steps 0 :a :strides] [1]) #"expected two :strides of :a"]
   [(at [:steps 0 :alpha] {:buffer 3}) #":alpha, buffer 3, is read before any step"]
   [(at [:steps 0 :alpha] "1") #"expected a map, found \"1\""]
   [(at [:steps 0 :m] -3) #"step 0: expected a size .*, found -3"]
   [(at [:notes 0] {:op [1]}) #"note 0: expected keywords with strings, vectors of strings"]])

(deftest hostile-programs-are-refused
  (doseq [[spoil message] hostile]
    (let [found (refusal (spoil sample/program))]
      (is (re-find message (str found)) (str message)))))

(deftest text-that-is-no-program-is-refused
  (doseq [[text message] [["[1 2]" #"expected a map, found \[1 2\]"]
                          ["{:damo/program 1" #"line 1, column 1: the text ends before"]
                          ["nil" #"expected a map, found nil"]]]
    (is (thrown-with-msg? DamoException message (Programs/read text)))))

(deftest every-prefix-of-a-program-is-refused
  (let [text (pr-str sample/program)]
    (doseq [end (range 0 (count text) 7)]
      (is (thrown? DamoException (Programs/read (subs text 0 end)))))))

(deftest deep-nesting-is-an-exception
  (let [deep (fn [n] (str/join (concat (repeat n "[:neg ") ["[:const :f32 1]"] (repeat n "]"))))
        text (fn [n] (str/replace (pr-str (sample/with-body '[:store 1 0 HERE]))
                                  "HERE" (deep n)))]
    (is (some? (Programs/read (text 400))))
    (is (thrown-with-msg? DamoException #"nested deeper than 512" (Programs/read (text 100000))))))

(deftest documented-limits-are-the-limits
  (let [rows (re-seq #"(?m)^\| ([A-Z]+) \| ([0-9,]+) \| (.*) \|$" (slurp "docs/program.md"))]
    (is (= (for [^Limits l (Limits/values)] [(str l) (.most l) (.what l)])
           (for [[_ limit most what] rows]
             [limit (parse-long (str/replace most "," "")) what])))))

;; ## The instruction table

(deftest instruction-table
  (testing "every row gives a dtype for each dtype it takes, and refuses the others"
    (doseq [[op row] (Instructions/rows)
            t (DType/values)
            :let [row ^damo.program.Instructions$Row row
                  operands (if (= op "select") [DType/BOOL t t] (repeat (.args row) t))]]
      (if (.takes row t)
        (is (some? (Instructions/result op operands)) (str op " " t))
        (is (thrown? DamoException (Instructions/result op operands)) (str op " " t)))))
  (is (= [DType/I32 DType/I64] (map #(Instructions/result "bits" [%]) [DType/F32 DType/F64])))
  (is (= [DType/F32 DType/F64] (map #(Instructions/result "float" [%]) [DType/I32 DType/I64])))
  (is (.math (Instructions/row "tanh")))
  (is (nil? (Instructions/row "bogus"))))
