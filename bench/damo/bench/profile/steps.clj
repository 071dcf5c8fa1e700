(ns damo.bench.profile.steps
  "Where the time of a compiled function goes, step by step: its program is cut after each step, and
  what a step takes is by how much the program that has it takes longer than the one before it; all
  of them take turns, and of many repetitions the least counts. So caches and the order of steps are
  those of the whole. (profile f args {:dims {n 60}, :rounds 30}) => [{:step \"gemm [n 784]·…\",
  :ns 210000.0, :bytes 1876160, :flops 47040000} …]."
  (:require [clojure.string :as str]
            [damo.compile.pipeline :as pipeline]
            [damo.face.function :as function])
  (:import [damo DamoException]
           [damo.program Programs]
           [damo.runtime Function]
           [java.util Map]))

(set! *warn-on-reflection* true)

;; ## Programs cut short

(defn- buffers-of
  "The buffers that steps mention."
  [steps]
  (set (mapcat (fn [m] (concat (filter integer? (:args m)) (some-> (:buffer m) list)))
               (filter map? (tree-seq coll? seq steps)))))

(defn cut
  "The program of the first k steps of a program: outputs that none of them mentions are memory of
  the call."
  [program k]
  (let [steps (vec (take k (:steps program))), mentioned (buffers-of steps)
        {kept true, dropped false} (group-by #(contains? mentioned (:buffer %)) (:outputs program))]
    (-> (reduce #(assoc-in %1 [:buffers (:buffer %2) :kind] :temp) program dropped)
        (assoc :steps steps, :outputs (vec kept)))))

(defn- compiled
  "The function of a program on these states, or nil when a cut program is none: one that counts a
  dimension later."
  [program ^Map states]
  (try (Function/compile (Programs/read (pipeline/program-text program)) states false)
       (catch DamoException _ nil)))

;; ## What a step is and must do

(defn size
  "The value of a size of the program, {n 60} being the dims."
  [dims s]
  (cond (number? s) s
        (symbol? s) (dims s)
        :else (let [[op & parts] s]
                (apply ({:+ +, :* *, :- -, :quot quot, :/ quot, :mod mod, :min min, :max max} op)
                       (map #(size dims %) parts)))))

(def ^:private bytes-of {:f64 8, :i64 8, :f32 4, :i32 4, :f16 2, :bf16 2, :i16 2})

(defn- buffer-bytes [{:keys [buffers]} dims id]
  (let [{n :size, :keys [dtype]} (nth buffers id)]
    (* (bytes-of dtype 1) (size dims n))))

(defn- product-work [{:keys [dtype m n k beta batch]} dims]
  (let [[m n k batch] (map #(size dims %) [m n k (or batch 1)])]
    {:flops (* 2 batch m n k)
     :bytes (* (bytes-of dtype) batch (+ (* m k) (* k n) (* (if (zero? beta) 1 2) m n)))}))

(defn work
  "{:bytes :flops} of a step: of a product its operands and its multiply-adds, of other steps the
  arrays that they mention, each once; flops of theirs are not known."
  [program dims {:keys [m n k] :as step}]
  (if (and m n k)
    (product-work step dims)
    {:bytes (reduce + (map #(buffer-bytes program dims %) (buffers-of step)))}))

(defn text
  "A step as a short text."
  [{:keys [kernels]} {:keys [kernel m n k] what :do}]
  (str (name what)
       (cond kernel (str " " (:name (nth kernels kernel)))
             (and m n k) (str " [" m " " k "]x[" k " " n "]"))))

;; ## Measuring

(defn- least-times
  "The least nanoseconds a call of each function, called in turns."
  [functions ^objects args rounds]
  (let [once (fn [^Function f]
               (let [start (System/nanoTime)]
                 (run! #(.close ^java.lang.AutoCloseable %) (.call f args))
                 (- (System/nanoTime) start)))
        all (fn [] (mapv once functions))]
    (dotimes [_ 3] (all))
    (apply mapv min (repeatedly rounds all))))

(defn- spans
  "[[first-step end ns] …] of cut programs, {steps ns}: what is between a program and the next."
  [times]
  (map (fn [[[k t] [end t']]] [k end (max 0 (- t' t))])
       (partition 2 1 (sort-by key times))))

(defn profile
  "The steps of a compiled function called with these tensors, [{:step text, :ns least time, :bytes,
  :flops} …]; the first is the call without steps. :dims are the values of dims; its shared
  variables change as by calls. Steps that cannot be cut apart are one."
  [f args {:keys [dims rounds]}]
  (let [{:keys [program states]} (function/info f), by-name (update-keys states str)
        steps (:steps program)
        cuts (into (sorted-map) (for [k (range (inc (count steps)))
                                      :let [g (compiled (cut program k) by-name)] :when g]
                                  [k g]))
        times (zipmap (keys cuts) (least-times (vals cuts) (to-array args) rounds))
        [from ns] (first (sort-by key times))
        sum (fn [works] (into {} (for [key [:bytes :flops]
                                       :let [amounts (keep key works)] :when (seq amounts)]
                                   [key (reduce + amounts)])))]
    (run! #(.close ^Function %) (vals cuts))
    (into [{:step (str "call" (when (pos? from) (str " and " from " steps"))), :ns ns}]
          (for [[k end ns] (spans times), :let [part (subvec steps k end)]]
            (assoc (sum (map #(work program dims %) part))
                   :step (str/join ", " (map #(text program %) part)), :ns ns)))))
