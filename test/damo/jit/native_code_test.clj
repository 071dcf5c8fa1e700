(ns damo.jit.native-code-test
  "Compiling, calling, closing: the life of machine code."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo DamoException)
           (damo.jit NativeCode)
           (java.nio.file Files LinkOption Path)))

(set! *warn-on-reflection* true)

(def ^:private twice
  (calling/program '[n] '[[:f32 :inout n]]
                   '[[:for i n [:store 0 i [:add [:load 0 i] [:load 0 i]]]]]))

(defn- resident-kb
  "Memory of this process that is in use, in KiB; nil where /proc does not tell."
  []
  (let [status (Path/of "/proc/self/status" (make-array String 0))]
    (when (Files/exists status (make-array LinkOption 0))
      (some #(some->> % (re-find #"VmRSS:\s+(\d+)") second parse-long)
            (Files/readAllLines status)))))

(deftest repeat-test
  (with-open [code (calling/compile-program twice)]
    (doseq [[times expected] [[0 1.0] [1 2.0] [5 32.0]]]
      (is (= {:status 0 :failure [0 0 0] :buffers [[expected] [0]]}
             (calling/run code twice [1] [[1.0] [0]] :times times))))))

(deftest repeat-stops-at-failure-test
  (let [counts (calling/program '[n] '[[:i64 :inout n]]
                                '[[:require [:lt [:load 0 0] [:const :i64 3]] 1]
                                  [:store 0 0 [:add [:load 0 0] [:const :i64 1]]]])]
    (with-open [code (calling/compile-program counts)]
      (is (= {:status 1 :failure [1 0 0] :buffers [[3] [0]]}
             (calling/run code counts [1] [[0] [0]] :times 10))))))

(deftest close-test
  (let [code (calling/compile-program twice)]
    (is (str/includes? (.ir code) "define i32 @damo_call"))
    (is (str/includes? (.assembly code) "damo_call:"))
    (.close code)
    (.close code)
    (is (thrown-with-msg? DamoException #"freed" (.entry code)))
    (is (thrown-with-msg? DamoException #"freed" (.repeat code)))))

(deftest bad-ir-test
  (testing "LLVM's message arrives, and the process lives"
    (is (thrown-with-msg? DamoException #"LLVM cannot read the generated code: .*expected"
                          (NativeCode/compile "define i32 @damo_call( {")))
    (is (thrown-with-msg? DamoException #"LLVM cannot accept"
                          (NativeCode/compile (str "define i32 @damo_call() {\n"
                                                   "  br label %a\na:\n  %x = add i32 %y, 1\n"
                                                   "  %y = add i32 1, 1\n  ret i32 %x\n}"))))
    (is (thrown-with-msg? DamoException #"damo_repeat"
                          (NativeCode/compile "define i32 @damo_call() { ret i32 0 }")))))

(deftest many-compilations-test
  (testing "200 compilations and closings leave no memory behind"
    (let [once #(.close (calling/compile-program twice))]
      (dotimes [_ 40] (once))
      (let [before (resident-kb)]
        (dotimes [_ 160] (once))
        (when before
          ;; 160 linkers alone would be some 60 MiB; the JVM's own heap may grow by a little.
          (is (< (- (resident-kb) before) 40000)))))))

(deftest threads-test
  (testing "threads compile and call at the same time"
    (let [work #(with-open [code (calling/compile-program twice)]
                  (:buffers (calling/run code twice [3] [[1.0 2.0 3.0] [0 0 0]] :times 2)))]
      (is (= (repeat 4 [[4.0 8.0 12.0] [0 0 0]])
             (map deref (doall (repeatedly 4 #(future (work))))))))))
