(ns damo.cost
  "What a computation costs, in bytes that its thread allocates: unlike times, the same whatever
  else the machine does."
  (:import [com.sun.management ThreadMXBean]
           [java.lang.management ManagementFactory]))

(set! *warn-on-reflection* true)

(def ^:private ^ThreadMXBean threads (ManagementFactory/getThreadMXBean))

(defn bytes-of
  "The bytes that a call of f allocates, once it has been called before."
  [f]
  (f)
  (let [before (.getCurrentThreadAllocatedBytes threads)]
    (f)
    (- (.getCurrentThreadAllocatedBytes threads) before)))
