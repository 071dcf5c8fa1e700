(ns damo.jit.calling
  "Runs programs, written as data, straight on their machine code: for the tests of the code
  generator. Takes a program map and the contents of its buffers; gives the contents afterwards.
  Example: (call program {'n 2} [[1.0 2.0] [0.0 0.0]]) => {:status 0 :buffers [[…] […]]}."
  (:import (damo.jit NativeCode Pool)
           (damo.program FailureRecord Program Programs)
           (java.lang.foreign Arena FunctionDescriptor Linker Linker$Option MemoryLayout
                              MemorySegment ValueLayout ValueLayout$OfByte ValueLayout$OfDouble
                              ValueLayout$OfFloat ValueLayout$OfInt ValueLayout$OfLong
                              ValueLayout$OfShort)
           (java.lang.invoke MethodHandle)))

(set! *warn-on-reflection* true)

(def ^:private bytes-of
  {:f64 8 :f32 4 :f16 2 :bf16 2 :i64 8 :i32 4 :i16 2 :i8 1 :u8 1 :bool 1})

(defn program
  "A program of one kernel: `dims` are symbols, `params` is [[dtype access size] …], `body` the
  kernel's statements. Each :in parameter is an input, each other one a written state."
  [dims params body & {:as more}]
  (let [port (fn [i [dtype access size]]
               (cond-> {:name (str "p" i) :dtype dtype :shape [size] :buffer i}
                 (not= access :in) (assoc :written true)))
        dim-port (fn [i d] {:name (str "d" i) :dtype :i8 :shape [d] :buffer (+ i (count params))})
        ports (map-indexed port params)]
    (merge {:damo/program 1 :name "test" :dims (vec dims)
            :buffers (into (mapv (fn [[dtype access size]]
                                   {:dtype dtype :size size
                                    :kind (if (= access :in) :input :state)})
                                 params)
                           (map (fn [d] {:dtype :i8 :size d :kind :input}) dims))
            :inputs (into (vec (remove :written ports)) (map-indexed dim-port dims))
            :state (vec (filter :written ports))
            :outputs [] :consts []
            :kernels [{:name "k" :params (mapv pop params) :body body}]
            :steps [{:do :kernel :kernel 0 :args (vec (range (count params)))}]
            :notes [{:op "test" :message "note 0"} {:op "test" :message "note 1"}]}
           more)))

(defn read-program
  "The checked program of a program map."
  ^Program [program]
  (Programs/read (binding [*print-length* nil *print-level* nil] (pr-str program))))

(defn compile-program
  "The machine code of a program map; to be closed."
  ^NativeCode [program]
  (NativeCode/compile (read-program program)))

(defn bf16-bits
  "The bits of a float that :bf16 holds exactly."
  [x]
  (unchecked-short (bit-shift-right (Float/floatToRawIntBits (unchecked-float x)) 16)))

(defn bf16-value
  "The float of the bits of a :bf16."
  [bits]
  (Float/intBitsToFloat (unchecked-int (bit-shift-left (long bits) 16))))

(defn- fill! [^MemorySegment segment dtype values]
  (dorun
   (map-indexed
    (fn [^long i v]
      (case dtype
        :f64 (.setAtIndex segment ValueLayout/JAVA_DOUBLE i (double v))
        :f32 (.setAtIndex segment ValueLayout/JAVA_FLOAT i (unchecked-float v))
        :i64 (.setAtIndex segment ValueLayout/JAVA_LONG i (long v))
        :i32 (.setAtIndex segment ValueLayout/JAVA_INT i (unchecked-int v))
        :i16 (.setAtIndex segment ValueLayout/JAVA_SHORT i (unchecked-short v))
        :f16 (.setAtIndex segment ValueLayout/JAVA_SHORT i
                          (Float/floatToFloat16 (unchecked-float v)))
        :bf16 (.setAtIndex segment ValueLayout/JAVA_SHORT i (short (bf16-bits v)))
        (:i8 :u8) (.set segment ValueLayout/JAVA_BYTE i (unchecked-byte v))
        :bool (.set segment ValueLayout/JAVA_BYTE i (byte (if v 1 0)))))
    values)))

(defn- contents [^MemorySegment whole dtype n]
  (let [segment (.asSlice whole 0 (long (* n (bytes-of dtype))))
        shorts #(.toArray segment ^ValueLayout$OfShort ValueLayout/JAVA_SHORT)]
    (case dtype
      :f64 (vec (.toArray segment ^ValueLayout$OfDouble ValueLayout/JAVA_DOUBLE))
      :f32 (vec (.toArray segment ^ValueLayout$OfFloat ValueLayout/JAVA_FLOAT))
      :i64 (vec (.toArray segment ^ValueLayout$OfLong ValueLayout/JAVA_LONG))
      :i32 (vec (.toArray segment ^ValueLayout$OfInt ValueLayout/JAVA_INT))
      :i16 (vec (shorts))
      :f16 (mapv #(Float/float16ToFloat %) (shorts))
      :bf16 (mapv bf16-value (shorts))
      :i8 (vec (.toArray segment ^ValueLayout$OfByte ValueLayout/JAVA_BYTE))
      :u8 (mapv #(bit-and 255 (long %))
                (.toArray segment ^ValueLayout$OfByte ValueLayout/JAVA_BYTE))
      :bool (mapv #(= 1 %) (.toArray segment ^ValueLayout$OfByte ValueLayout/JAVA_BYTE)))))

(def ^:private ^MethodHandle invoker
  (.downcallHandle (Linker/nativeLinker)
                   (FunctionDescriptor/of ValueLayout/JAVA_INT
                                          (into-array MemoryLayout
                                                      [ValueLayout/ADDRESS ValueLayout/ADDRESS
                                                       ValueLayout/ADDRESS ValueLayout/JAVA_LONG]))
                   (make-array Linker$Option 0)))

(defn invoke
  "Calls a function of compiled code: the status. The last argument goes to damo_repeat; damo_call
  does not look at it."
  [entry buffers dims failure n]
  (let [^java.util.List arguments [entry buffers dims failure n]]
    (.invokeWithArguments invoker arguments)))

(defn with-memory
  "Calls (f buffers dims failure segments) on native memory that holds those contents. `dtypes` and
  `contents` have one entry a buffer; every buffer starts at a multiple of 64 bytes."
  [dtypes dims contents f]
  (with-open [arena (Arena/ofShared)]
    (let [segments (mapv (fn [dtype values]
                           (doto (.allocate arena (long (max 1 (* (bytes-of dtype) (count values))))
                                            64)
                             (fill! dtype values)))
                         dtypes contents)
          table (.allocate arena (long (* 8 (max 1 (count segments)))) 8)
          dim-table (.allocate arena (long (* 8 (+ 1 (count dims) (count dtypes)))) 8)
          failure (.allocate arena (long (* 8 FailureRecord/WORDS)) 8)]
      (doseq [[i ^MemorySegment s] (map-indexed vector segments)]
        (.setAtIndex table ValueLayout/JAVA_LONG (long i) (.address s)))
      (fill! dim-table :i64 dims)
      (f table dim-table failure segments))))

(defn run
  "Calls compiled code once (or `times` times inside native code) on these contents, on one thread
  or on `threads`, with `stop` as one that shall stop. `dims` are the values of the program's
  dimensions in order. Result: {:status :failure :buffers}."
  [^NativeCode code program dims contents-before & {:keys [times threads stop]}]
  (let [dtypes (map :dtype (:buffers program))
        lengths (map count contents-before)]
    (with-memory dtypes dims contents-before
      (fn [table dim-table ^MemorySegment failure segments]
        (Pool/need (or threads 1))
        (.setAtIndex failure ValueLayout/JAVA_LONG FailureRecord/THREADS (long (or threads 1)))
        (.setAtIndex failure ValueLayout/JAVA_LONG FailureRecord/STOP (long (if stop 1 0)))
        {:status (invoke (if times (.repeat code) (.entry code)) table dim-table failure
                         (or times 1))
         :failure (contents failure :i64 3)
         :buffers (mapv contents segments dtypes lengths)}))))

(defn call
  "Compiles a program, runs it once, frees the code; see `run`."
  [program dims contents-before & {:as options}]
  (with-open [code (compile-program program)]
    (run code program dims contents-before options)))
