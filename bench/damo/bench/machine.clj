(ns damo.bench.machine
  "The machine that measures: which processors this process may use, what it is made of, and what
  must not cripple the programs on it. Linux tells and does all of it; elsewhere nothing is pinned,
  and less is known. (description) => {:processor \"AMD EPYC\", :cores 2, …}."
  (:require [clojure.string :as str])
  (:import [java.lang.foreign Arena FunctionDescriptor Linker Linker$Option MemoryLayout
            MemorySegment ValueLayout]
           [java.lang.invoke MethodHandle]
           [java.nio.file Files Path]
           [java.time LocalDate]
           [java.util List]))

(set! *warn-on-reflection* true)

(defn- text-of
  "The text of a file of the kernel's, whose size is not known before it is read; nil without one."
  [name]
  (let [path (Path/of name (make-array String 0))]
    (when (Files/isReadable path)
      (String. (Files/readAllBytes path)))))

(defn- c-function
  "A function of the C library, or nil where there is none; result and arguments are layouts."
  ^MethodHandle [name result & arguments]
  (let [linker (Linker/nativeLinker)
        address (.find (.defaultLookup linker) name)
        layouts (into-array MemoryLayout arguments)]
    (when (.isPresent address)
      (.downcallHandle linker ^MemorySegment (.get address) (FunctionDescriptor/of result layouts)
                       (make-array Linker$Option 0)))))

;; ## Processors

(defn processors
  "The numbers in a list such as 0-2,5: [0 1 2 5]."
  [text]
  (vec (for [part (str/split (str/trim text) #",")
             :let [[from to] (map parse-long (str/split part #"-"))]
             k (range from (inc (or to from)))]
         k)))

(defn allowed
  "The processors that this process may use, by number; nil where the system does not tell."
  []
  (some->> (text-of "/proc/self/status")
           (re-find #"(?m)^Cpus_allowed_list:\s*(\S+)$")
           second
           processors))

(def ^:private mask-bytes 128)

(def ^:private set-affinity
  "The function of the C library that pins a thread, or nil."
  (delay (c-function "sched_setaffinity" ValueLayout/JAVA_INT ValueLayout/JAVA_INT
                     ValueLayout/JAVA_LONG ValueLayout/ADDRESS)))

(defn- mask!
  "A set of processors as the system reads it, in memory of the arena."
  [^Arena arena numbers]
  (let [mask (.allocate arena (long mask-bytes))]
    (doseq [k numbers :let [at (long (quot k 8))]]
      (.set mask ValueLayout/JAVA_BYTE at
            (unchecked-byte (bit-or (.get mask ValueLayout/JAVA_BYTE at)
                                    (bit-shift-left 1 (rem k 8))))))
    mask))

(defn pin!
  "Lets the calling thread run on these processors alone, and threads that it starts; tells whether
  the system did so."
  [numbers]
  (boolean
   (when-let [^MethodHandle f (and (seq numbers) @set-affinity)]
     (with-open [arena (Arena/ofConfined)]
       (let [arguments (list (int 0) (long mask-bytes) (mask! arena numbers))]
         (zero? (int (.invokeWithArguments f ^List arguments))))))))

(defn chosen
  "The processors for programs of n threads: the first n of those allowed; nil when these are fewer
  or unknown."
  [n]
  (let [numbers (allowed)]
    (when (<= n (count numbers)) (vec (take n numbers)))))

;; ## The environment

(def harmful
  "Settings of the environment under which a library chooses kernels of another processor."
  ["OPENBLAS_CORETYPE" "OPENBLAS_L2_SIZE" "OPENBLAS_VERBOSE" "MKL_ENABLE_INSTRUCTIONS"
   "MKL_DEBUG_CPU_TYPE" "NVPL_BLAS_DEBUG_CPU_TYPE" "BLIS_ARCH_TYPE"])

(defn clean!
  "Takes the `harmful` settings out of this process, before it loads its libraries, and returns
  those that there were. A process that is started hereafter inherits them still: see `clean`."
  []
  (let [unset (c-function "unsetenv" ValueLayout/JAVA_INT ValueLayout/ADDRESS)]
    (vec (for [name harmful :when (System/getenv name)]
           (do (when unset
                 (with-open [arena (Arena/ofConfined)]
                   (.invokeWithArguments unset ^List (list (.allocateFrom arena ^String name)))))
               name)))))

(defn clean
  "Takes the `harmful` settings out of the environment of a process to be started."
  ^ProcessBuilder [^ProcessBuilder builder]
  (doseq [^String name harmful] (.remove (.environment builder) name))
  builder)

;; ## What the machine is

(defn facts
  "{:processor name, :cores n, :flags those that widen vectors} of the text of /proc/cpuinfo."
  [cpuinfo]
  (let [field #(second (re-find (re-pattern (str "(?m)^" % "\\s*:\\s*(.+)$")) cpuinfo))
        flags (re-seq #"\b(?:avx2|fma|f16c|avx512\w+|avx_vnni|amx_\w+|sve2?|asimd\w*)\b"
                      (or (field "(?:flags|Features)") ""))]
    {:processor (str/trim (or (field "model name") (field "CPU part") "unknown"))
     :family (str/join " " (keep field ["cpu family" "model" "stepping"]))
     :cores (max 1 (count (re-seq #"(?m)^processor\s*:" cpuinfo)))
     :flags (str/join " " (sort (distinct flags)))}))

(defn description
  "What results are kept with: {:processor :family :cores :flags :os :jdk :date}, all texts but the
  cores."
  []
  (let [property #(System/getProperty %)]
    (merge (facts (or (text-of "/proc/cpuinfo") ""))
           {:os (str (property "os.name") " " (property "os.version") " " (property "os.arch"))
            :jdk (str (property "java.vm.name") " " (property "java.runtime.version"))
            :date (str (LocalDate/now))})))

(defn load-average
  "How many threads wanted a processor lately, as the system tells; nil where it does not."
  []
  (some->> (text-of "/proc/loadavg") (re-find #"^\S+") parse-double))

(defn folder-name
  "The name of a folder for the results of a machine: its processor, and how many cores."
  [{:keys [processor family cores]}]
  (let [words (re-seq #"[a-z0-9]+" (str/lower-case (str processor " " family)))]
    (str (str/join "-" (remove #{"r" "tm" "cpu" "processor"} words)) "-" cores "-cores")))
