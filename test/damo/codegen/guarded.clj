(ns damo.codegen.guarded
  "Buffers between pages that nobody may touch: who reads or writes beyond one ends the process."
  (:import (java.lang.foreign FunctionDescriptor Linker Linker$Option MemoryLayout MemorySegment
                              ValueLayout)
           (java.lang.invoke MethodHandle)))

(set! *warn-on-reflection* true)

(def ^:private page 4096)

(defn- function ^MethodHandle [name result & parameters]
  (let [linker (Linker/nativeLinker)
        ^MemorySegment address (.get (.find (.defaultLookup linker) name))]
    (.downcallHandle linker address
                     (FunctionDescriptor/of result (into-array MemoryLayout parameters))
                     (make-array Linker$Option 0))))

(def ^:private L ValueLayout/JAVA_LONG)
(def ^:private I ValueLayout/JAVA_INT)
(def ^:private mmap (delay (function "mmap" L L L I I I L)))
(def ^:private munmap (delay (function "munmap" I L L)))
(def ^:private mprotect (delay (function "mprotect" I L L I)))

(defn- invoke [handle & arguments]
  (.invokeWithArguments ^MethodHandle @handle ^java.util.List (vec arguments)))

(defn- open
  "Pages for so many bytes, between two that are closed: their address and length."
  [bytes]
  (let [inside (* page (max 1 (quot (+ (long bytes) (dec page)) page)))
        whole (+ inside (* 2 page))
        start (long (invoke mmap 0 whole (int 3) (int 0x22) (int -1) 0))]
    (invoke mprotect start page (int 0))
    (invoke mprotect (+ start page inside) page (int 0))
    [start whole]))

(defn with-buffers
  "Calls (f addresses read) on buffers that hold those doubles as `dtype`, each of which ends where
  a page ends; (read i) gives what buffer i holds."
  [dtype contents f]
  (let [size ({:f32 4, :f64 8} dtype)
        maps (mapv #(open (* size (alength ^doubles %))) contents)
        segments (mapv (fn [[start whole] values]
                         (let [bytes (* size (alength ^doubles values))]
                           (.reinterpret (MemorySegment/ofAddress (- (+ start whole) page bytes))
                                         (long bytes))))
                       maps contents)
        put (if (= dtype :f32)
              (fn [^MemorySegment s i x] (.setAtIndex s ValueLayout/JAVA_FLOAT (long i) (float x)))
              (fn [^MemorySegment s i x] (.setAtIndex s ValueLayout/JAVA_DOUBLE (long i)
                                                      (double x))))
        take (if (= dtype :f32)
               (fn [^MemorySegment s i] (double (.getAtIndex s ValueLayout/JAVA_FLOAT (long i))))
               (fn [^MemorySegment s i] (.getAtIndex s ValueLayout/JAVA_DOUBLE (long i))))]
    (try
      (dorun (map (fn [s ^doubles values] (dotimes [i (alength values)] (put s i (aget values i))))
                  segments contents))
      (f (mapv #(.address ^MemorySegment %) segments)
         (fn [i] (mapv #(take (segments i) %) (range (alength ^doubles (contents i))))))
      (finally (doseq [[start whole] maps] (invoke munmap start whole))))))
