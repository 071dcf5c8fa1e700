(ns damo.hostile.alter
  "Programs with a few places changed so that they are often programs still: a number by a near or a
  large one, a name, an instruction or a memory by another of its kind, operands swapped, a value by
  another of the program, statements and steps left out, doubled, exchanged or put into a loop.
  (altered random program) => program"
  (:require [clojure.string :as str])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(def ^:private alike
  "Words of which one may stand for another."
  [[:+ :- :* :min :max] [:quot :mod :/] [:add :sub :mul :maximum :minimum] [:lt :le :gt :ge :eq :ne]
   [:and :or :xor] [:exp :log :tanh :sqrt :neg :abs] [:in :out :inout] [:set :acc] [:let :var]
   [:f32 :f64] [:i64 :i32] [:f16 :bf16] [:i8 :u8 :bool] [:input :state :temp :output :const]])

(def ^:private families (into {} (for [words alike, w words] [w words])))

(defn- kind
  "What a part is: parts of one kind may stand for each other."
  [x]
  (cond (vector? x) (cond (families (first x)) (first (families (first x)))
                          (keyword? (first x)) (first x)
                          :else [:list (map type (take 1 x))])
        (map? x) (:do x (set (keys x)))
        :else (type x)))

(defn- parts [form] (filterv (complement map-entry?) (tree-seq coll? seq form)))

(defn- number [^Random random n]
  (let [n (long n)]
    (pick random [(unchecked-inc n) (unchecked-dec n) (unchecked-multiply 2 n)
                  (unchecked-negate n) n 0 1 2 64 -1 1000003 4294967296 4611686018427387904
                  Long/MAX_VALUE])))

(defn- swapped [^Random random v]
  (let [n (count v)]
    (if (< n 3) v
        (let [i (inc (.nextInt random (dec n))), j (inc (.nextInt random (dec n)))]
          (assoc v i (v j) j (v i))))))

(defn- other
  "Another part of the program of its kind."
  [random all x]
  (let [same (filterv #(and (= (kind x) (kind %)) (not= x %)) all)]
    (if (seq same) (pick random same) x)))

(def ^:private fresh (atom 0))

(defn- name! [] (symbol (str "v" (swap! fresh inc))))

(defn- listed
  "A list of statements or steps, changed at i: left out, doubled, exchanged, in a loop, a case."
  [^Random random all v i]
  (let [x (v i), size (other random all 1), n (if (int? size) size 2)
        around (if (map? x)
                 {:do :loop :var (name!) :extent n :steps [x]}
                 (pick random [[:for (name!) n x] [:if [:const :bool true] x]
                               [:for (name!) (other random all 'n) x]]))]
    (case (.nextInt random 6)
      0 (into (subvec v 0 i) (subvec v (inc i)))
      1 (into (conj (subvec v 0 i) x) (subvec v i))
      2 (let [j (.nextInt random (count v))] (assoc v i (v j) j x))
      3 (assoc v i around)
      (assoc v i (other random all x)))))

(defn- window
  "A buffer's number as a window of it, or a window as another."
  [^Random random all x]
  (let [size (fn [] (other random all (pick random ['n [:* 'n 'm] 1])))]
    (if (map? x)
      (case (.nextInt random 3)
        0 (assoc x :offset (size))
        1 (assoc x :size (size))
        (:buffer x))
      {:buffer x :offset (pick random [0 (size)]) :size (size)})))

(defn- statements? [v]
  (and (vector? v) (seq v) (every? #(or (and (map? %) (:do %))
                                        (and (vector? %) (keyword? (first %)))) v)))

(defn- changed
  "The part itself, changed."
  [^Random random all x]
  (cond (int? x) (if (< (.nextInt random 3) 2) (number random x) (other random all x))
        (families x) (pick random (families x))
        (symbol? x) (other random all x)
        (statements? x) (listed random all x (.nextInt random (count x)))
        (and (vector? x) (every? #(or (int? %) (:buffer %)) x) (seq x))
        (update x (.nextInt random (count x)) #(window random all %))
        (vector? x) (if (zero? (.nextInt random 2)) (swapped random x) (other random all x))
        :else (other random all x)))

(defn- altered-once [^Random random all form]
  (let [inner (when (coll? form)
                (if (map? form) (vec (keys form)) (vec (range (count form)))))]
    (if (or (empty? inner) (zero? (.nextInt random 5)))
      (changed random all form)
      (let [k (pick random inner)]
        (if (or (map? form) (vector? form))
          (update form k #(altered-once random all %))
          form)))))

(def ^:private places
  "Where programs are changed, and how often of ten times."
  [:kernels :kernels :kernels :kernels :steps :steps :steps :steps :buffers :dims])

(defn altered
  "The program with one to three changes."
  [^Random random program]
  (nth (iterate (fn [form]
                  (let [place (pick random places), all (parts (dissoc form :notes :consts))]
                    (if (seq (place form))
                      (update form place #(altered-once random all %))
                      form)))
                program)
       (inc (.nextInt random 3))))

(defn short?
  "Is it so short that nobody waits for LLVM?"
  [program]
  (< (count (str/join (map str (:kernels program)))) 20000))
