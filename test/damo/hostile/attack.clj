(ns damo.hostile.attack
  "Runs programs that nobody vouches for, on memory with guards and on numbers at random: what they
  give must be the same for two runs, and, unless they call routines of libraries, on one thread and
  two.
  (attack form {:dims [3 17] :seed 1}) => :ran, :refused, :large, or what is wrong"
  (:require [damo.hostile.guard :as guard])
  (:import [damo DamoException]
           [damo.jit Pool]
           [damo.lib Threads]
           [damo.program Program Program$Port Programs Step$Call]
           [damo.runtime Function State]
           [damo.tensor Tensor]
           [damo.verify Binding Bindings]
           [java.io Closeable]
           [java.lang.foreign ValueLayout]
           [java.util Random]))

(set! *warn-on-reflection* true)

(defn fill!
  "The tensor, with small whole numbers."
  ^Tensor [^Random random ^Tensor t]
  (let [segment (.segment t), dtype (keyword (.label (.dtype t)))]
    (dotimes [i (.elements t)]
      (let [v (- (.nextInt random 9) (if (zero? (.nextInt random 3)) 4 0)), i (long i)]
        (case dtype
          :f64 (.setAtIndex segment ValueLayout/JAVA_DOUBLE i (double v))
          :f32 (.setAtIndex segment ValueLayout/JAVA_FLOAT i (float v))
          :i64 (.setAtIndex segment ValueLayout/JAVA_LONG i (long v))
          :i32 (.setAtIndex segment ValueLayout/JAVA_INT i (int v))
          :i16 (.setAtIndex segment ValueLayout/JAVA_SHORT i (short v))
          :f16 (.setAtIndex segment ValueLayout/JAVA_SHORT i (Float/floatToFloat16 (float v)))
          :bf16 (.setAtIndex segment ValueLayout/JAVA_SHORT i
                             (short (bit-shift-right (Float/floatToIntBits (float v)) 16)))
          :bool (.set segment ValueLayout/JAVA_BYTE i (byte (bit-and v 1)))
          (.set segment ValueLayout/JAVA_BYTE i (byte v)))))
    t))

(defn- bits
  "What tells the elements of a tensor from others: NaN from numbers, but no signs of zeros, which
  forms of products for rows and for tiles may have otherwise."
  [^Tensor t]
  (let [segment (.segment t)]
    (case (.label (.dtype t))
      "f64" (mapv #(Double/doubleToLongBits (+ 0.0 (double %)))
                  (.toArray segment ValueLayout/JAVA_DOUBLE))
      "f32" (mapv #(Double/doubleToLongBits (+ 0.0 (double %)))
                  (.toArray segment ValueLayout/JAVA_FLOAT))
      (vec (.toArray segment ValueLayout/JAVA_BYTE)))))

(defn outcome
  "What f returns, :refused for a DamoException, or :hung. A loop may go on for ever: after a while
  the thread is interrupted."
  [f]
  (let [result (promise)
        thread (Thread. #(deliver result (try (f) (catch DamoException _ :refused)
                                              (catch Throwable e e))))]
    (.start thread)
    (when (= :late (deref result 500 :late))
      (.interrupt thread))
    (deref result 60000 :hung)))

(defn- open?
  "Does a call tell how large some output is?"
  [^Program p]
  (boolean (some (fn [^Program$Port port] (Bindings/counted p port)) (.outputs p))))

(defn- call!
  "The outcome of a call on so many threads with states set to their initial values, and what these
  are then."
  [^Program p ^Function f {:keys [initial states ins outs]} threads]
  (Threads/set threads)
  (doseq [[name ^State s] states] (.set s (initial name)))
  (let [args (to-array (map guard/tensor ins)), into (into-array Tensor (map guard/tensor outs))
        result (outcome #(mapv bits (if (open? p) (.call f args) (.callInto f into args))))]
    (if (= :hung result) result [result (update-vals states #(bits (.value ^State %)))])))

(defn- verdict [memory [one two again :as results]]
  (let [result (first one)]
    (cond (some #{:hung} results) :hung
          (not-every? guard/intact? memory) :broken
          (not= one again) [:runs-differ one again]
          (not= one two) [:threads-differ one two]
          (or (= :refused result) (instance? Throwable result)) result
          :else :ran)))

(defn- guarded-all [random ports shapes]
  (mapv (fn [^Program$Port p shape]
          (doto (guard/guarded (.dtype p) (vec shape)) (-> guard/tensor (->> (fill! random)))))
        ports shapes))

(defn- memory
  "States, inputs and outputs of a program, of random numbers."
  [^Program p ^Binding b random]
  (let [initial (into {} (map (fn [^Program$Port port shape]
                                [(.name port)
                                 (fill! random (Tensor/zeros (.dtype port) shape))])
                              (.state p) (.stateShapes b)))]
    {:initial initial
     :states (into {} (map (fn [[name t]] [name (State/of name t (boolean-array 0))])) initial)
     :ins (guarded-all random (.inputs p) (.inputShapes b))
     :outs (guarded-all random (.outputs p) (.outputShapes b))}))

(defn- run [^Program p ^Binding b random]
  (let [{:keys [states ins outs] :as memory} (memory p b random)
        given (into ins outs)]
    (with-open [f (Function/compile p ^java.util.Map states false)]
      (Pool/need 2)
      (let [several (if (some #(instance? Step$Call %) (.all p)) 1 2)
            results (try (mapv #(call! p f memory %) [1 several 1]) (finally (Threads/set 1)))
            found (verdict given results)]
        (when-not (= :hung found) (run! #(.close ^Closeable %) given))
        found))))

(defn attack
  "What becomes of a program for these values of its dimensions, as far as it has so many."
  [form {:keys [dims seed]}]
  (try
    (let [p (Programs/read (binding [*print-length* nil, *print-level* nil] (pr-str form)))
          b (Bindings/bind p (long-array (take (count (.dims p)) (cycle dims))))]
      (if (< 1e7 (reduce + (.bytes b))) :large (run p b (Random. seed))))
    (catch DamoException _ :refused)))

(defmacro fine-grained
  "Evaluates the body with loops that are divided between threads whatever their length."
  [& body]
  `(do (System/setProperty "damo.threads.grain" "1")
       (try ~@body (finally (System/clearProperty "damo.threads.grain")))))
