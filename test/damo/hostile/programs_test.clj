(ns damo.hostile.programs-test
  "Programs that nobody vouches for: whatever changed in them at random, they are refused or run
  inside their memory; how long they are, the stack and LLVM's time stay within bounds; what they
  never write is no memory of others. DAMO_ATTACKS sets the number of changed programs."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [clojure.walk :as walk]
            [damo.hostile.attack :as attack]
            [damo.hostile.mutate :as mutate]
            [damo.program.loops :as loops]
            [damo.program.sample :as sample]
            [damo.runtime.programs :as programs])
  (:import [damo DamoException Limits]
           [damo.codegen Attributes LlvmModule LlvmModule$Kind LlvmModule$Text]
           [damo.jit NativeCode]
           [damo.runtime Function]
           [damo.tensor Tensor]
           [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Changed programs

(def ^:private attacks (or (some-> (System/getenv "DAMO_ATTACKS") parse-long) 700))

(def ^:private root (System/getProperty "damo.root" "."))

(def ^:private corpus
  (into (into [sample/program sample/one-buffer programs/dot programs/take-add programs/axpy
               programs/total programs/solve]
              loops/all)
        (map #(edn/read-string (slurp (io/file root "test/golden" %))))
        ["layer-norm.edn" "mlp-step.edn"]))

(deftest changed-programs-are-refused-or-stay-in-their-memory
  (let [found (for [seed (range attacks)
                    :let [random (Random. seed)
                          form (mutate/mutated random (nth corpus (mod seed (count corpus))))
                          dims (vec (repeatedly 2 #(nth [0 1 3 17] (.nextInt random 4))))
                          result (try (attack/attack form {:dims dims, :seed seed})
                                      (catch Throwable e e))]]
                (do (when-not (#{:ran :refused :large} result)
                      (is (nil? result) (str "seed " seed ": " (pr-str form) " " dims)))
                    result))
        {:keys [ran refused]} (frequencies found)]
    (is (< (quot attacks 50) ran) "some are accepted")
    (is (< (quot attacks 2) refused) "most are not")))

;; ## Changed sizes

(defn- size
  "A random size of these names."
  [^Random random names depth]
  (let [sub #(size random names (dec (long depth)))]
    (case (if (pos? (long depth)) (.nextInt random 9) (.nextInt random 3))
      0 (.nextInt random 4)
      (1 2) (nth names (.nextInt random (count names)))
      3 [:+ (sub) (sub)]
      (4 5) [:* (sub) (sub)]
      6 [:- (sub) (sub)]
      7 [:mod (sub) (inc (.nextInt random 3))]
      8 [(nth [:min :max] (.nextInt random 2)) (sub) (sub)])))

(def ^:private sized #{:offset :size :extent :strides :shape :max :m :n :k})

(defn- resized
  "The form with some sizes of its steps, one in `few`, replaced by random ones."
  [^Random random few names form]
  (let [other (fn other [x] (if (and (vector? x) (not (keyword? (first x))))
                              (mapv other x)
                              (if (zero? (.nextInt random few)) (size random names 2) x)))]
    (update form :steps
            (fn [steps] (walk/postwalk #(if (map? %)
                                          (reduce-kv (fn [m k v]
                                                       (assoc m k (if (sized k) (other v) v)))
                                                     {} %)
                                          %)
                                       steps)))))

(deftest changed-sizes-are-refused-or-stay-in-their-memory
  (let [names {"trace" '[t n w], "circular" '[t n w], "newton" '[t m], "cases" '[n],
               "sums" '[i j k n w], "powers" '[t n], "told" '[t r]}
        found (for [seed (range (quot attacks 2))
                    :let [random (Random. (+ 7000 (long seed)))
                          base (nth loops/all (mod seed (count loops/all)))
                          form (resized random 8 (names (:name base)) base)
                          dims (vec (repeatedly 2 #(nth [0 1 3 17] (.nextInt random 4))))
                          result (try (attack/attack form {:dims dims, :seed seed})
                                      (catch Throwable e e))]]
                (do (when-not (#{:ran :refused :large} result)
                      (is (nil? result) (str "seed " seed ": " (pr-str form) " " dims)))
                    result))]
    (is (< (quot attacks 20) (:ran (frequencies found))) "some are accepted")))

;; ## Length

(defn- chain
  "n steps that each add 1."
  [n]
  (let [place (fn [k] (cond (neg? k) 0 (= k (dec n)) 1 :else (+ 2 (mod k 2))))]
    {:damo/program 1 :name "chain" :dims '[n]
     :buffers (into [{:dtype :f32 :size 'n :kind :input} {:dtype :f32 :size 'n :kind :output}]
                    (repeat 2 {:dtype :f32 :size 'n :kind :temp}))
     :inputs [{:name "x" :dtype :f32 :shape '[n] :buffer 0}]
     :outputs [{:name "y" :dtype :f32 :shape '[n] :buffer 1}]
     :kernels '[{:name "inc" :params [[:f32 :in] [:f32 :out]]
                 :body [[:for i n [:store 1 i [:add [:load 0 i] [:const :f32 1]]]]]}]
     :steps (vec (for [k (range n)] {:do :kernel :kernel 0 :args [(place (dec k)) (place k)]}))}))

(defn- on-a-stack-of
  "What f returns in a thread with that much stack, in KiB, or what it threw."
  [size f]
  (let [result (promise)
        run #(deliver result (try (f) (catch Throwable e e)))]
    (.start (Thread. nil run "small" (* 1024 (long size))))
    (deref result 60000 :hung)))

(deftest a-call-of-any-length-fits-a-small-stack
  (doseq [n [1 63 64 65 4096 4097 5000]]
    (with-open [f (programs/compiled (chain n))]
      (is (= [[(+ 1.0 n) (+ 2.0 n)]] (on-a-stack-of 256 #(programs/call f [1.0 2.0])))
          (str n " steps")))))

(def ^:private levels "As many levels as may be." (.most Limits/LEVELS))

(defn- nested
  "The chain with n steps around as many blocks in each other as may be, and n more inside of each."
  [n]
  (let [form (chain (* levels (long n))), parts (partition n (:steps form))]
    (assoc form :steps (reduce (fn [inner part] (conj (vec part) {:do :block :steps inner}))
                               [] (reverse parts)))))

(deftest blocks-in-blocks-fit-a-small-stack
  (doseq [n [1 65 600]]
    (with-open [f (programs/compiled (nested n))]
      (is (= [[(+ 1.0 (* levels (long n)))]] (on-a-stack-of 256 #(programs/call f [1.0])))))))

(deftest loops-in-loops-fit-a-small-stack-and-tell-all-rounds
  (doseq [long? [false true]]
    (let [step '{:do :kernel :kernel 0 :args [0 1]}
          around (fn [steps k]
                   [{:do :loop :var (symbol (str "t" k)) :extent (if (zero? (long k)) 3 1)
                     :steps (into steps (when long? (repeat 20 step)))}])
          body (fn [failing]
                 {:damo/program 1 :name "deep" :dims []
                  :buffers '[{:dtype :i64 :size 1 :kind :input} {:dtype :i64 :size 1 :kind :output}]
                  :inputs '[{:name "x" :dtype :i64 :shape [] :buffer 0}]
                  :outputs '[{:name "y" :dtype :i64 :shape [] :buffer 1}]
                  :kernels '[{:name "copy" :params [[:i64 :in] [:i64 :out]]
                              :body [[:store 1 0 [:load 0 0]]]}
                             {:name "check" :params [[:i64 :in] [:i64 :out]]
                              :body [[:require [:ne [:load 0 0] [:size t0]] 0]
                                     [:store 1 0 [:load 0 0]]]}]
                  :notes [{:op "check"}]
                  :steps (reduce around [failing] (range (dec levels) -1 -1))})]
      (with-open [f (programs/compiled (body '{:do :kernel :kernel 1 :args [0 1]}))]
        (is (= [7] (on-a-stack-of 256 #(programs/call f 7))))
        (let [e (on-a-stack-of 256 #(programs/call f 2))]
          (is (= (into [2] (repeat (dec levels) 0))
                 (get (.data ^DamoException e) "iterations"))))))))

(deftest long-programs-are-trees-of-short-functions
  (doseq [n [64 65 5000]]
    (with-open [f (programs/compiled (chain n))]
      (let [calls (map #(count (re-seq #"(?m)^  (%\S+ = )?call " %))
                       (re-seq #"(?s)define [^{]*\{.*?\n\}" (.ir f)))]
        (is (>= 64 (reduce max calls)) (str n " steps"))))))

(defn- one-kernel
  "A program of one kernel with that body, from x [n] to y [n], both f32."
  [body]
  {:damo/program 1 :name "one" :dims '[n]
   :buffers '[{:dtype :f32 :size n :kind :input} {:dtype :f32 :size n :kind :output}]
   :inputs '[{:name "x" :dtype :f32 :shape [n] :buffer 0}]
   :outputs '[{:name "y" :dtype :f32 :shape [n] :buffer 1}]
   :kernels [{:name "k" :params [[:f32 :in] [:f32 :out]] :body body}]
   :steps [{:do :kernel :kernel 0 :args [0 1]}]})

(defn- with-frame
  "IR text of a damo_call and a damo_repeat that keep n words on the stack."
  [n]
  (str/join (for [[name more] [["damo_call" ""] ["damo_repeat" ", i64 %n"]]]
              (str "define i32 @" name "(ptr %buffers, ptr %dims, ptr %failure" more ") #0 {\n"
                   "  %i = load i64, ptr %dims\n  %a = alloca [" n " x i64]\n"
                   "  %p = getelementptr i64, ptr %a, i64 %i\n  store volatile i64 1, ptr %p\n"
                   "  ret i32 0\n}\n"
                   (when (= name "damo_repeat")
                     (str "attributes #0 = { \"warn-stack-size\"=\"" Attributes/STACK "\" }\n"))))))

(defn- as-kind
  "The module of an IR text that is compiled as such a text is."
  ^LlvmModule [^String ir kind]
  (LlvmModule. [(LlvmModule$Text. ir kind)] {} {}))

(deftest frames-are-bounded
  (.close (NativeCode/compile ^String (with-frame 8000)))
  (is (re-find (re-pattern (str "stack frame size .*" Attributes/STACK))
               (second (programs/refusal #(NativeCode/compile ^String (with-frame 9000))))))
  (doseq [kind (LlvmModule$Kind/values)]
    (is (thrown-with-msg? DamoException #"stack frame size"
                          (NativeCode/compile (as-kind (with-frame 9000) kind))))
    (testing "what fits when it is optimised is not refused where it is compiled quickly"
      (.close (NativeCode/compile (as-kind (str/replace (with-frame 9000) "volatile " "") kind)))))
  (is (str/includes? (with-open [f (programs/compiled (chain 65))] (.ir f))
                     (str "\"warn-stack-size\"=\"" Attributes/STACK "\""))
      "every function has the limit"))

;; ## Work

(deftest work-has-a-budget
  (let [maths (fn [n op] (one-kernel [[:for 'i 'n
                                       [:var 'a [:load 0 'i]]
                                       (into [:if [:gt 'a [:const :f32 0]]]
                                             (repeat n [:set 'a [op 'a]]))
                                       [:store 1 'i 'a]]]))
        start (System/nanoTime)]
    (doseq [form [(maths 5000 :exp) (maths 1500 :erfinv) (maths 100000 :neg)]]
      (let [[kind text] (programs/refusal #(programs/compiled form))]
        (is (= "too-much-work" kind))
        (is (str/includes? text "units of compilation"))))
    (is (< (- (System/nanoTime) start) 20e9) "refused before LLVM sees it")
    (with-open [f (programs/compiled (maths 20 :exp))]
      (is (some? (programs/call f [-1.0]))))))

;; ## What is never written

(deftest what-is-never-written-is-zero
  (let [form (one-kernel '[[:for i [:min n 0] [:store 1 i [:load 0 i]]]])
        dirty (programs/compiled (one-kernel '[[:for i n [:store 1 i [:const :f32 7]]]]))]
    (with-open [f (programs/compiled form)]
      (dotimes [_ 20]
        (run! #(.close ^Tensor %) (.call ^Function dirty (to-array [(range 1000)])))
        (is (every? zero? (first (programs/call f (range 1000)))))))))
