(ns damo.hostile.guard
  "Memory behind which nothing may be touched: a tensor that ends where a page begins that ends the
  process when it is read or written, with marked bytes in the gap that alignment leaves.
  (with-open [m (guarded :f32 [3])] (.tensor m) … (intact? m)) => true"
  (:import [damo.tensor DType Tensor]
           [java.lang.foreign FunctionDescriptor Linker MemoryLayout MemorySegment ValueLayout]
           [java.lang.invoke MethodHandle]
           [java.util List]))

(set! *warn-on-reflection* true)

(def ^:private ^:const page 4096)
(def ^:private ^:const alignment 64)
(def ^:private mark (byte 0x5a))

(defn- rounded-up ^long [^long n ^long unit] (* unit (quot (+ n (dec unit)) unit)))

(defn- c-function
  "A function of the C library, of longs to a long."
  [^String name arity]
  (let [linker (Linker/nativeLinker)
        longs (into-array MemoryLayout (repeat arity ValueLayout/JAVA_LONG))
        address (.get (.find (.defaultLookup linker) name))
        ^MethodHandle handle (.downcallHandle linker address
                                              (FunctionDescriptor/of ValueLayout/JAVA_LONG longs)
                                              (make-array java.lang.foreign.Linker$Option 0))]
    (fn [& args] (.invokeWithArguments handle ^List (vec args)))))

(def ^:private mmap (c-function "mmap" 6))
(def ^:private munmap (c-function "munmap" 2))
(def ^:private mprotect (c-function "mprotect" 3))

(defprotocol Guarded
  (tensor [memory] "The tensor.")
  (intact? [memory] "Are the bytes in front of the guard as they were?"))

(defn- mapped
  "So many bytes, of which the last page may not be touched, as a segment."
  ^MemorySegment [^long bytes]
  (let [address (long (mmap 0 bytes 3 0x22 -1 0))]
    (when (neg? address) (throw (OutOfMemoryError. "mmap")))
    (mprotect (+ address (- bytes page)) page 0)
    (.reinterpret (MemorySegment/ofAddress address) bytes)))

(defn guarded
  "A tensor of that dtype and shape in memory of its own, of zeros; to be closed."
  [^DType dtype shape]
  (let [bytes (* (.bytes dtype) (long (reduce * shape)))
        room (rounded-up bytes alignment)
        before (rounded-up (max 1 room) page)
        ^MemorySegment all (mapped (+ before page))
        ^MemorySegment gap (.asSlice all (+ (- before room) bytes) (- room bytes))
        t (Tensor/wrap ^MemorySegment (.asSlice all (- before room) bytes) dtype
                       (long-array shape))]
    (.fill gap mark)
    (reify
      Guarded
      (tensor [_] t)
      (intact? [_] (every? #(= mark %) (.toArray gap ValueLayout/JAVA_BYTE)))
      java.io.Closeable
      (close [_]
        (.close ^Tensor t)
        (munmap (.address all) (.byteSize all))))))
