(ns damo.codegen.tiled
  "Calls the products by tiles straight, with arguments that no program gives: panels, tails,
  threads, any strides. Used by tests."
  (:import (damo.codegen Codegen LlvmModule LlvmModule$Kind LlvmModule$Text)
           (damo.jit NativeCode Pool)
           (damo.tensor DType)
           (java.lang.foreign Arena FunctionDescriptor Linker Linker$Option MemoryLayout
                              MemorySegment ValueLayout)
           (java.lang.invoke MethodHandle MethodHandles MethodType)))

(set! *warn-on-reflection* true)

(def arguments
  "The numbers that a product takes, in the order of its caller's table."
  [:m :n :k :a-row :a-col :b-row :b-col :c-row :threads :panels])

(defn- caller
  "The text of `damo_call` and `damo_repeat` around a product: pointers A, B, C, factors, tail and
  context from the first table, numbers from the second."
  [product type]
  (let [at (fn [name table type i]
             (str "  %" name ".at = getelementptr inbounds i64, ptr " table ", i64 " i "\n  %" name
                  " = load " type ", ptr %" name ".at\n"))]
    (str "define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) {\n"
         (apply str (map-indexed #(at (name %2) "%dims" "i64" %1) arguments))
         (apply str (map-indexed #(at %2 "%buffers" "ptr" %1)
                                 ["a" "b" "c" "factors" "tail" "context"]))
         "  %alpha = load " type ", ptr %factors\n"
         "  %beta.at = getelementptr inbounds " type ", ptr %factors, i64 1\n"
         "  %beta = load " type ", ptr %beta.at\n"
         "  call void @" product "(i64 %m, i64 %n, i64 %k, " type
         " %alpha, ptr %a, i64 %a-row, i64 %a-col, ptr %b, i64 %b-row, i64 %b-col, " type
         " %beta, ptr %c, i64 %c-row, i64 %threads, i64 %panels, ptr %tail, ptr %context)\n"
         "  ret i32 0\n}\n"
         "define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) {\nentry:\n"
         "  br label %loop\nloop:\n  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n"
         "  call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)\n"
         "  %next = add i64 %i, 1\n  %more = icmp slt i64 %next, %n\n"
         "  br i1 %more, label %loop, label %done\ndone:\n  ret i32 0\n}\n"
         "declare void @" product "(i64, i64, i64, " type ", ptr, i64, i64, ptr, i64, i64, " type
         ", ptr, i64, i64, i64, ptr, ptr)\n")))

(defn module
  "A product of that dtype for vectors of so many bits, with what calls it."
  ^LlvmModule [dtype bits]
  (let [t (DType/of (name dtype))
        product (Codegen/productName t bits)
        text (LlvmModule$Text. (caller product ({:f32 "float", :f64 "double"} dtype))
                               LlvmModule$Kind/STEPS)]
    (LlvmModule. [text] {} {product (Codegen/product t bits)})))

(defn compile-product
  "The machine code of a product of that dtype for vectors of so many bits; to be closed."
  ^NativeCode [dtype bits]
  (NativeCode/compile (module dtype bits)))

(def ^:private ^MethodHandle invoker
  (.downcallHandle (Linker/nativeLinker)
                   (FunctionDescriptor/of ValueLayout/JAVA_INT
                                          (into-array MemoryLayout
                                                      [ValueLayout/ADDRESS ValueLayout/ADDRESS
                                                       ValueLayout/ADDRESS ValueLayout/JAVA_LONG]))
                   (make-array Linker$Option 0)))

(defn table
  "A table of 64-bit words in native memory."
  ^MemorySegment [^Arena arena words]
  (let [s (.allocate arena (long (* 8 (count words))) 8)]
    (doseq [[i w] (map-indexed vector words)]
      (.setAtIndex s ValueLayout/JAVA_LONG (long i) (long w)))
    s))

(defn tail
  "The address of a function of native code that calls (f from to)."
  [^Arena arena f]
  (let [^MethodHandle invoke (.findVirtual (MethodHandles/publicLookup) clojure.lang.IFn "invoke"
                                           (MethodType/methodType Object Object
                                                                  ^"[Ljava.lang.Class;"
                                                                  (into-array Class
                                                                              [Object Object])))
        target (.asType (.bindTo invoke (fn [_ from to] (f from to) nil))
                        (MethodType/methodType Void/TYPE MemorySegment
                                               ^"[Ljava.lang.Class;"
                                               (into-array Class [Long/TYPE Long/TYPE])))]
    (.address (.upcallStub (Linker/nativeLinker) target
                           (FunctionDescriptor/ofVoid
                            (into-array MemoryLayout [ValueLayout/ADDRESS ValueLayout/JAVA_LONG
                                                      ValueLayout/JAVA_LONG]))
                           arena (make-array Linker$Option 0)))))

(defn call
  "Runs a product `times` times: `numbers` by the names in `arguments` (1 thread, no panels unless
  said), addresses of A, B, C and the two factors, and of a tail and its context or 0."
  [^NativeCode code numbers addresses times]
  (with-open [arena (Arena/ofConfined)]
    (let [numbers (merge {:threads 1 :panels 0} numbers)
          _ (Pool/need (:threads numbers))
          ^java.util.List all [(.repeat code) (table arena (take 6 (concat addresses [0 0])))
                               (table arena (map numbers arguments)) MemorySegment/NULL
                               (long times)]]
      (.invokeWithArguments invoker all))))
