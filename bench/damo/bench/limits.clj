(ns damo.bench.limits
  "What a core can do at best, measured beside the programs: the rate of fused multiply-adds, and
  that of a copy. From these, the time that bytes and flops imply.
  (least-seconds {:bytes 8e6, :flops 1e6} {:copy 9e10, :flops 2e11}) => 8.9e-5."
  (:require [clojure.string :as str])
  (:import [damo.jit NativeCode]
           [java.lang.foreign Arena FunctionDescriptor Linker Linker$Option MemoryLayout
            MemorySegment ValueLayout]
           [java.lang.invoke MethodHandle]
           [java.util List]))

(set! *warn-on-reflection* true)

;; ## Two loops of machine code

(def ^:private chains
  "How many multiply-adds run side by side: more than two units times a latency of five, and fewer
  than sixteen registers."
  12)

(defn- multiply-adds
  "A function of n rounds of fused multiply-adds of vectors, 12 of them a round."
  [type lanes]
  (let [v (str "<" lanes " x " type ">"), each #(str/join "\n" (map % (range chains)))
        fma (str "llvm.fma.v" lanes (if (= type "float") "f32" "f64"))]
    (str "declare " v " @" fma "(" v ", " v ", " v ")\n"
         "define i32 @damo_call(i64 %n, ptr %out) {\nentry:\n"
         "  %a = load " v ", ptr %out, align 8\n  br label %loop\nloop:\n"
         "  %i = phi i64 [0, %entry], [%next, %loop]\n"
         (each #(str "  %s" % " = phi " v " [%a, %entry], [%t" % ", %loop]"))
         "\n"
         (each #(str "  %t" % " = call " v " @" fma "(" v " %s" % ", " v " %a, " v " %a)"))
         "\n  %next = add i64 %i, 1\n  %more = icmp ult i64 %next, %n\n"
         "  br i1 %more, label %loop, label %end\nend:\n"
         (each #(str "  %p" % " = getelementptr i8, ptr %out, i64 " (* 64 %) "\n"
                     "  store " v " %t" % ", ptr %p" % ", align 8"))
         "\n  ret i32 0\n}\n")))

(def ^:private copies
  "A function that copies so many bytes n times."
  "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define i32 @damo_repeat(i64 %n, ptr %to, ptr %from, i64 %bytes) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret i32 0
}
")

(defn- native-call ^MethodHandle [address & arguments]
  (.downcallHandle (Linker/nativeLinker) ^MemorySegment address
                   (FunctionDescriptor/of ValueLayout/JAVA_INT (into-array MemoryLayout arguments))
                   (make-array Linker$Option 0)))

(defn- best-seconds
  "The least of five times that (f) takes."
  [f]
  (apply min (repeatedly 5 #(let [start (System/nanoTime)]
                              (f)
                              (* 1e-9 (- (System/nanoTime) start))))))

(def ^:private code
  "The two loops of a dtype, which stay."
  (memoize
   (fn [dtype]
     (let [[type lanes] (if (= dtype :f64) ["double" 8] ["float" 16])]
       (NativeCode/compile ^String (str (multiply-adds type lanes) copies))))))

(defn flops
  "How many flops a second one core does at most in :f32 or :f64, a fused multiply-add being two."
  [dtype]
  (with-open [arena (Arena/ofConfined)]
    (let [n 100000, lanes (if (= dtype :f64) 8 16), out (.allocate arena (long (* 64 chains)) 64)
          run (native-call (.entry ^NativeCode (code dtype))
                           ValueLayout/JAVA_LONG ValueLayout/ADDRESS)]
      (/ (* 2.0 lanes chains n)
         (best-seconds #(.invokeWithArguments run ^List (list (long n) out)))))))

(defn copy-rate
  "How many bytes a second one core reads and writes when it copies memory over and over: `bytes`
  are those read and written in one copy. As often as takes about half a millisecond."
  [bytes]
  (with-open [arena (Arena/ofConfined)]
    (let [half (max 64 (quot (long bytes) 2)), n (max 1 (quot 40000000 (* 2 half)))
          [to from] (repeatedly 2 #(.fill (.allocate arena (long half) 64) (byte 0)))
          run (native-call (.repeat ^NativeCode (code :f32)) ValueLayout/JAVA_LONG
                           ValueLayout/ADDRESS ValueLayout/ADDRESS ValueLayout/JAVA_LONG)
          once #(.invokeWithArguments run ^List (list (long n) to from (long half)))]
      (once)
      (/ (* 2.0 half n) (best-seconds once)))))

;; ## What follows

(defn least-seconds
  "The time that work of so many :bytes and :flops takes at least, where :copy bytes and :flops can
  be done a second: neither of both can be done without the other meanwhile. nil of no work."
  [work rates]
  (let [times (for [[k rate] [[:bytes (:copy rates)] [:flops (:flops rates)]]
                    :let [amount (k work)] :when (and amount (pos? amount) rate)]
                (/ (double amount) rate))]
    (when (seq times) (apply max times))))
