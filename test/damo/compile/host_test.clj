(ns damo.compile.host-test
  "Tests of ops of the user's own: kernels on the JVM and C functions, in compiled functions; what
  becomes of exceptions, wrong results, state and threads; files."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.fail :as fail]
            [damo.op :as op])
  (:import [damo.runtime HostCall HostKernel]
           [damo.tensor DType Tensor]
           [java.lang.foreign MemorySegment ValueLayout]))

(set! *warn-on-reflection* true)

(use-fixtures :each (fn [test]
                      (let [before @op/registry]
                        (try (test) (finally (reset! op/registry before))))))

;; ## Ops for the tests

(def ^:private same {:kind :host, :args '[?x], :type (fn [_ [t]] t)})

(defn- op!
  "Registers an op of the tests and returns the function that makes its expressions."
  [op-name entry]
  (op/register! (assoc entry :name op-name, :doc "For a test.", :ns 'damo.compile.host-test))
  (op/caller op-name))

(defn- kernel! [op-name f] (op! op-name (assoc same :kernel f)))

(def ^:private x (d/input 'x [:f64 ['n]]))

(defn- data-of [f] (try (f) nil (catch clojure.lang.ExceptionInfo e (ex-data e))))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

(defn- set-double! [^Tensor t i v]
  (.setAtIndex (.segment t) ValueLayout/JAVA_DOUBLE (long i) (double v)))

(defn- get-double [^Tensor t i]
  (.getAtIndex (.segment t) ValueLayout/JAVA_DOUBLE (long i)))

(defn- doubling [_ out ^Tensor in]
  (dotimes [i (.elements in)] (set-double! out i (* 2 (get-double in i)))))

(defn- twice [data] (if (sequential? data) (mapv twice data) (* 2 data)))

;; ## Kernels

(deftest an-op-needs-no-more-than-a-meaning
  (let [cube (op! :cube {:kind :elementwise, :args '[?x], :type :float, :eval (fn [x] (* x x x))
                         :partials '[[:mul 3 [:sqr ?x]]]})
        f (d/function [x] [(d/sum (cube (d/mul 2 x))) (d/grad (d/sum (cube x)) x)])]
    (is (= [288.0 [3.0 12.0 27.0]] (map deref (f [1 2 3]))))
    (testing "and broadcasts, of no elements too"
      (let [times (op! :times {:kind :elementwise, :args '[?x ?y], :type :same, :eval *})
            y (d/input 'y [:f64 ['m 1]])
            f (d/function [x y] (times x y))]
        (is (= [[10.0 20.0] [30.0 60.0] [50.0 100.0]] @(f [10 20] [[1] [3] [5]])))
        (is (= [0 2] (d/shape (f [10 20] (d/zeros [0 1])))))))))

(deftest kernels-write-their-output-or-return-a-tensor
  (let [writes (kernel! :writes doubling)
        returns (kernel! :returns (fn [_ _ in] (d/tensor (twice @in))))
        java (op! :java (assoc same :kernel
                               (reify HostKernel
                                 (run [_ call] (doubling nil (.output ^HostCall call)
                                                         (.input ^HostCall call 0))
                                   nil))))]
    (doseq [op [writes returns java]]
      (is (= [2.0 4.0 6.0] @((d/function [x] (op x)) [1 2 3]))))
    (testing "what they do not write is 0"
      (is (= [0.0 0.0] @((d/function [x] ((kernel! :idle (fn [_ _ _] nil)) x)) [1 2]))))
    (testing "their inputs may be views, constants and results of other kernels"
      (let [m (d/input 'm [:f64 [2 3]])
            f (d/function [m] (writes (d/transpose (returns (d/add (d/transpose m)
                                                                   (writes (d/ones [3 2])))))))]
        (is (= [[12.0 16.0 20.0] [16.0 20.0 24.0]] @(f [[1 2 3] [2 3 4]])))))))

(deftest attributes-reach-the-kernel
  (let [seen (atom nil)
        tile (op! :tile-to (assoc same :attrs {:shape {:doc "the result's shape"}
                                               :how {:default {:by [:a "b" 1.5]} :doc "anything"}}
                                  :type (fn [{:keys [shape]} [[dtype _]]] [dtype shape])
                                  :kernel (fn [attrs _ _] (reset! seen attrs) nil)))
        f (d/function [x] (tile x :shape [[:* 2 'n] 3]))]
    (is (= [8 3] (d/shape (f [1 2 3 4]))))
    (is (= {:shape [8 3], :how {:by [:a "b" 1.5]}} @seen) "dimensions are numbers there")))

(deftest attributes-are-plain-data
  (let [by (op! :by (assoc same :attrs {:f {:doc "anything"}} :kernel (fn [_ _ in] in)))]
    (is (= [1.0] @((d/function [x] (by x :f {:a [nil "b" true]})) [1])))
    (let [[kind message] (error-of #(d/function [x] (by x :f inc)))]
      (is (= :damo.plan.host/bad-attribute kind))
      (is (re-find #"^the attribute :f of the op :by is #object.*; attributes are plain data"
                   message)))))

(deftest kernels-on-constants-run-at-the-call
  (let [calls (atom 0)
        counts (kernel! :counts (fn [_ _ in] (swap! calls inc) in))
        one (op! :one (assoc same :eval (fn [_ _] (throw (ArithmeticException. "no")))))
        f (d/function [] (counts (d/add 1.0 2.0)))]
    (is (= [0 3.0 1] [@calls @(f) @calls]))
    (testing "and a meaning that fails on them fails there, too"
      (let [g (d/function [] (one (d/add 1.0 2.0)))]
        (is (= :damo/host-kernel (first (error-of g))))))))

(deftest results-of-counted-shape
  (let [back (kernel! :back (fn [_ _ in] (d/tensor (vec (reverse @in)) :f64)))
        f (d/function [x] (back (d/compress (d/gt x 0.0) x)))]
    (is (= [3.0 1.0] @(f [1 -2 3])))
    (is (= [0] (d/shape (f [-1]))))))

(deftest all-dtypes-pass
  (let [same-again (kernel! :same-again (fn [_ _ in] in))]
    (doseq [[dtype values] {:f64 [1.5 -2.0], :f32 [1.5 -2.0], :i64 [7 -8], :i32 [7 -8], :i8 [7 -8]
                            :u8 [7 255], :bool [true false], :f16 [1.5 -2.0], :i16 [7 -8]}
            :let [z (d/input 'z [dtype ['n]])]]
      (is (= values @((d/function [z] (same-again z)) (d/tensor values dtype))) (str dtype)))
    (testing "a :bool is 0 or 1 whatever was written"
      (let [odd (op! :odd (assoc same :type (fn [_ [[_ shape]]] [:bool shape])
                                 :kernel (fn [_ ^Tensor out _]
                                           (.fill (.segment out) (byte 2)) nil)))]
        (is (= [true true] @((d/function [x] (odd x)) [1 2])))
        (is (= 2 @((d/function [x] (d/sum (odd x))) [1 2])))))))

;; ## Failures

(deftest what-a-kernel-throws-reaches-the-caller
  (let [fails (op! :fails (assoc same :attrs {:k {:doc "a number"}}
                                 :kernel (fn [_ _ _] (throw (ArithmeticException. "no luck")))))
        f (d/function [x] (d/exp (fails (d/tanh x) :k 3)) {:name "f"})
        line (:line (data-of #(f [1 2])))]
    (is (= [:damo/host-kernel
            (str "in f: the kernel of the op fails failed: java.lang.ArithmeticException: no luck"
                 "\n  attributes: {:k 3}"
                 "\n  inputs: [:f64 [2]]"
                 "\n  output: [:f64 [2]]"
                 "\n  argument 0: (tanh x) [:f64 [n]]"
                 "\n  expression: (fails (tanh x))"
                 "\n  written at: host_test.clj:" line)]
           (error-of #(f [1 2]))))
    (let [e (try (f [1 2]) (catch clojure.lang.ExceptionInfo e e))]
      (is (= {:op :fails, :function "f", :attributes "{:k 3}", :inputs ["[:f64 [2]]"]
              :output "[:f64 [2]]", :expr "(fails (tanh x))", :file "host_test.clj", :line line}
             (select-keys (ex-data e) [:op :function :attributes :inputs :output :expr :file
                                       :line])))
      (is (instance? ArithmeticException (ex-cause (first (.getSuppressed ^Throwable e))))))))

(deftest errors-of-the-jvm-do-not-end-the-process
  (doseq [[thrown kernel] {"StackOverflowError" (fn [_ _ _] ((fn deeper [n] (inc (deeper n))) 0))
                           "OutOfMemoryError" (fn [_ _ _] (throw (OutOfMemoryError. "no more")))
                           "AssertionError" (fn [_ _ _] (throw (AssertionError. "never")))}]
    (let [f (d/function [x] ((kernel! :worse kernel) x))]
      (is (str/includes? (second (error-of #(f [1]))) thrown))))
  (testing "a kernel that calls its own function without end"
    (let [itself (promise)
          f (d/function [x] ((kernel! :endless (fn [_ _ in] (@itself @in))) x))]
      (deliver itself f)
      (is (= :damo/host-kernel (first (error-of #(f [1])))))))
  (testing "calls made ever nearer to the end of the stack"
    (let [f (d/function [x] ((kernel! :fine doubling) x))
          deeper (fn deeper [n] (when-not (= [2.0] @(f [1])) (throw (ex-info "wrong" {})))
                   (+ 1 (long (deeper (inc (long n))))))]
      (is (instance? StackOverflowError (try (deeper 0) (catch StackOverflowError e e))))
      (is (= [2.0] @(f [1]))))))

(deftest results-are-what-the-op-declares
  (doseq [[gives text] {(d/tensor [1.0 2.0 3.0]) "the kernel gave [:f64 [3]], but the op"
                        (d/tensor [1.0 2.0] :f32) "the kernel gave [:f32 [2]], but the op"}]
    (is (str/includes? (second (error-of #((d/function [x] ((kernel! :other (fn [_ _ _] gives)) x))
                                           [1 2])))
                       text)))
  (testing "a meaning, too"
    (let [short (op! :short (assoc same :eval (fn [_ _] (array/of :f64 [1] [1.0]))))]
      (is (str/includes? (second (error-of #((d/function [x] (short x)) [1 2])))
                         "the kernel gave [:f64 [1]], but the op declares [:f64 [2]]")))))

(deftest inputs-are-read-only-and-end-with-the-call
  (let [kept (atom nil)
        writes-input (kernel! :writes-input (fn [_ _ in] (set-double! in 0 1.0)))
        keeps (kernel! :keeps (fn [_ out in] (reset! kept [in out]) nil))
        elsewhere (kernel! :elsewhere (fn [_ _ in] @(future (get-double in 0)) nil))]
    (is (str/includes? (second (error-of #((d/function [x] (writes-input x)) [1 2])))
                       "read-only"))
    ((d/function [x] (keeps x)) [1 2])
    (doseq [^Tensor t @kept]
      (is (thrown-with-msg? damo.DamoException #"closed" @t))
      (is (thrown-with-msg? damo.DamoException #"closed" (get-double t 0))))
    (testing "and belong to the thread of the call"
      (is (str/includes? (second (error-of #((d/function [x] (elsewhere x)) [1])))
                         "confined to another thread")))))

;; ## State, repetition, threads

(deftest state-stays-when-a-kernel-fails
  (let [w (d/shared 'w [1.0 1.0]), calls (atom 0)
        third (kernel! :third (fn [_ _ in]
                                (if (= 3 (swap! calls inc)) (throw (Exception. "third")) in)))
        f (d/function [] (d/sum w) {:updates {w (d/add w (third w))}})]
    (is (= 2.0 @(f)))
    (is (= [2.0 2.0] @(d/value w)))
    (testing "in the middle of repeated calls: all or nothing"
      (is (= :damo/host-kernel (first (error-of #(d/call-n f 5)))))
      (is (= [2.0 2.0] @(d/value w))))
    (is (= 16.0 @(d/call-n f 3)))
    (is (= [16.0 16.0] @(d/value w)))))

(deftest kernels-may-call-functions-but-not-touch-the-state-in-use
  (let [w (d/shared 'w 1.0)
        inner (d/function [x] (d/mul 3.0 x))
        calls (kernel! :calls (fn [_ _ in] (inner in)))
        g (d/function [] w)]
    (is (= [3.0 6.0] @((d/function [x] (calls x)) [1 2])))
    (doseq [use [#(d/value w) #(d/set-value! w 2.0) g]]
      (let [touches (kernel! :touches (fn [_ _ in] (use) in))
            f (d/function [x] (touches x) {:updates {w (d/add w 1.0)}})]
        (is (str/includes? (second (error-of #(f [1])))
                           "the kernel of an op used the state w of the function"))
        (is (= 1.0 @(d/value w)))))))

(deftest from-several-threads-at-once
  (let [flaky (kernel! :flaky (fn [_ out in]
                                (when (neg? (double (get-double in 0)))
                                  (throw (Exception. "negative")))
                                (doubling nil out in)))
        f (d/function [x] (d/add 1.0 (flaky x)))
        one (fn [i] (if (odd? i)
                      (first (error-of #(f [(- i) 1])))
                      @(f [i 1])))]
    (is (= (for [i (range 200)] (if (odd? i) :damo/host-kernel [(+ 1.0 (* 2 i)) 3.0]))
           (doall (pmap one (range 200)))))))

;; ## C functions

(def ^:private cbrt-entry
  {:kind :elementwise, :args '[?x], :type :float, :eval (fn [x] (Math/cbrt x))
   :native {:library "libm.so.6", :symbol "cbrt", :args [:f64], :gives :f64}
   :partials '[[:div 1 [:mul 3 [:sqr ?out]]]]})

(defn- asum [native]
  {:kind :host, :args '[?x], :type (fn [_ [[dtype _]]] [dtype []])
   :eval (fn [_ x] (array/of (:dtype x) [] [(reduce + 0.0 (map abs (array/values x)))]))
   :native native})

(deftest functions-of-scalars-run-inside-the-loops
  (let [cbrt (op! :my-cbrt cbrt-entry)
        f (d/function [x] (d/mul 2.0 (cbrt (d/add x 1.0))))]
    (is (every? #(< (abs %) 1e-14) (map - @(f [7 26 63]) [4.0 6.0 8.0])))
    (is (= [:kernel] (map :do (:steps (d/program f)))) "one loop, and no way back to Java")
    (testing "arguments and results are converted"
      (is (= [2.0 3.0] @((d/function [x] (cbrt (d/cast x :dtype :f32))) [8 27]))))
    (testing "the same whether it is given or not"
      (let [slow (op! :slow-cbrt (dissoc cbrt-entry :native))]
        (is (every? #(< (abs %) 1e-15) @((d/function [x] (d/sub (slow x) (cbrt x)))
                                         [0.5 -2 1e9])))))
    (testing "by its address"
      (let [address (.get (.find (.defaultLookup (java.lang.foreign.Linker/nativeLinker)) "cbrt"))]
        (doseq [a [address (.address ^MemorySegment address)]]
          (is (= [2.0] @((d/function [x] ((op! :by-address (assoc cbrt-entry :native
                                                                  {:address a, :args [:f64]
                                                                   :gives :f64})) x))
                         [8]))))))))

(deftest functions-of-arrays
  (let [args [[:count :i32] [:in 0 :f64] [:i32 1]]
        f (d/function [x] ((op! :asum (asum {:library :blas, :symbol "cblas_dasum", :args args
                                             :gives :f64}))
                           x))]
    (is (= 6.0 @(f [1 -2 3])))
    (is (= 0.0 @(f [])))
    (testing "that write their output"
      (let [copy (op! :copy-of (assoc same :attrs {:by {:default 1 :doc "a stride"}}
                                      :native {:library :blas, :symbol "cblas_dcopy"
                                               :args [[:count :i32] [:in 0 :f64] [:i32 :by]
                                                      [:out :f64] [:i32 1]]}
                                      :eval (fn [_ x] x)))]
        (is (= [1.0 2.0] @((d/function [x] (copy x)) [1 2])))))
    (testing "what does not fit the signature is refused before the call"
      (let [z (d/input 'z [:f32 ['n]])]
        (is (str/includes? (second (error-of #((d/function [z] ((op/caller :asum) z)) [1])))
                           "takes :f64 where the op has :f32"))))))

(deftest what-is-no-function-is-refused
  (doseq [[native text]
          {{:library "libm.so.6", :symbol "no_such_function", :args [:f64], :gives :f64}
           "the library libm.so.6 has no function no_such_function"
           {:library "libnothing.so", :symbol "f", :args [:f64], :gives :f64}
           "the system's loader finds no library libnothing.so"
           {:library "libm.so.6", :args [:f64], :gives :f64}
           "the op :wrong needs :symbol"
           {:address 0, :args [:f64], :gives :f64} "not null"}]
    (let [wrong (op! :wrong (assoc cbrt-entry :native native))]
      (is (str/includes? (str (second (error-of #(d/function [x] (wrong x))))) text))))
  (testing "signatures of scalars when the op is defined, those of arrays when it is compiled"
    (doseq [native [{:symbol "cbrt", :args [:f99], :gives :f64} {:symbol "cbrt", :gives :f64}
                    {:symbol "cbrt", :args [:f64 :f64], :gives :f64}
                    {:symbol "cbrt", :args [:bool], :gives :f64} {:symbol "cbrt", :args [:f64]}]]
      (is (= :damo.entry/bad-native (first (error-of #(op! :wrong (assoc cbrt-entry :native
                                                                         native)))))))
    (doseq [[args gives text]
            [[[[:count :f64] [:in 0 :f64]] :f64 "a number of elements is passed as i32 or i64"]
             [[[:in 0]] :f64 "names the dtype nil"]
             [[[:inn 0 :f64]] :f64 "has [:inn 0 :f64] among the :args of its :native"]
             [[[:in 0 :f64]] :string "has :gives :string"]
             [[[:in 0 :f64] [:out :f64]] :f64 "one of both"]
             [[[:in 0 :f64]] nil "one of both"]]
            :let [sum (op! :sum-of (asum {:library :blas, :symbol "cblas_dasum", :args args
                                          :gives gives}))]]
      (is (str/includes? (str (second (error-of #(d/function [x] (sum x))))) text)))))

;; ## Files

(defn- in-file [functions use]
  (let [file (java.io.File/createTempFile "damo" ".damo")]
    (try (d/save file functions) (use file) (finally (io/delete-file file)))))

(deftest files-name-the-ops-and-hold-no-address
  (let [w (d/shared 'w 3.0)
        half (op! :half (assoc same :kernel (fn [_ out in]
                                              (dotimes [i (count in)]
                                                (set-double! out i (/ (get-double in i) 2))))))
        cbrt (op! :my-cbrt cbrt-entry)
        f (d/function [x] (d/mul w (half (cbrt x))))]
    (in-file {:f f}
             (fn [file]
               (is (= [3.0 6.0] @((:f (d/load file)) [8 64])))
               (testing "an op that the registry lacks is named when the file is loaded"
                 (d/remove-op! :half)
                 (let [[kind message] (error-of #(d/load file))]
                   (is (= :damo/unknown-op kind))
                   (is (str/includes? message "the program function needs the op half, which is"))
                   (is (str/includes? message "expression: (half (my-cbrt x))"))
                   (is (str/includes? message "try: in Clojure, define it with defop before"))))
               (testing "so is one without the C function that it was compiled for"
                 (op! :half (assoc same :kernel doubling))
                 (op! :my-cbrt (dissoc cbrt-entry :native))
                 (is (= :damo/kernel-mismatch (first (error-of #(d/load file))))))
               (testing "Java gives its own kernels"
                 (let [kernels {"half" (reify HostKernel (run [_ call] (.input ^HostCall call 0)))
                                "my-cbrt" (damo.runtime.NativeFunction/of
                                           (damo.runtime.NativeFunction/symbol "libm.so.6" "cbrt")
                                           DType/F64 (into-array DType [DType/F64]))}]
                   (with-open [model (damo.Damo/load (.toPath (io/file file))
                                      ^java.util.Map kernels)]
                     (is (= [6.0 12.0] @(aget (.call (.function model "f")
                                                     (to-array [(d/tensor [8.0 64.0])]))
                                              0))))))))))

(deftest explain-and-describe-tell-what-runs-an-op
  (let [half (kernel! :half doubling)]
    (is (str/includes? (with-out-str (d/explain (d/function [x] (half (d/exp x)))))
                       "host    half, a kernel of the application"))
    (is (str/includes? (with-out-str (d/describe :half)) "runs as a kernel of the application"))
    (is (str/includes? (with-out-str (d/describe :add)) "runs as machine code"))))

(deftest what-a-kernel-returns
  (let [x (d/input 'x [:f64 ['n]])
        value (fn [returned]
                (op! :returns (assoc same :kernel (fn [_ _ _] returned)))
                (try @((d/function [x] ((op/caller :returns) x)) [1 2])
                     (catch Exception e [(:damo/error (ex-data e)) (ex-message e)])
                     (finally (op/remove! :returns))))]
    (is (= [0.0 0.0] (value nil)) "it writes its output, which holds zeros")
    (doseq [data [(d/tensor [3.0 4.0]) [3 4] (double-array [3 4]) (list 3.0 4)]]
      (is (= [3.0 4.0] (value data)) (str (class data))))
    (doseq [wrong [:done "text" {:a 1} #{1} (Object.)]
            :let [[kind message] (value wrong)]]
      (is (= :damo/host-kernel kind) (pr-str wrong))
      (is (str/includes? message "a kernel writes its output and returns nil, or")))
    (doseq [wrong [3 [1 2 3] [:a :b] [[1 2]]]]
      (is (= :damo/host-kernel (first (value wrong))) (pr-str wrong)))))
