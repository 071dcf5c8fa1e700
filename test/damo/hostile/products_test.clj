(ns damo.hostile.products-test
  "Products of any dtypes, strides, offsets and batches, dense, turned, repeated, overlapping or far
  apart, against three loops: on memory that ends at a guard, on one thread and several.
  DAMO_ATTACKS sets their number."
  (:require [clojure.test :refer [deftest is]]
            [damo.hostile.guard :as guard]
            [damo.jit.calling :as calling])
  (:import [damo.jit NativeCode Pool]
           [damo.program FailureRecord]
           [damo.tensor DType Tensor]
           [java.io Closeable]
           [java.lang.foreign Arena ValueLayout]
           [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private attacks (or (some-> (System/getenv "DAMO_ATTACKS") parse-long) 50))

;; ## Drawing

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(def ^:private far
  "A stride that no address can be computed with."
  4611686018427387904)

(defn- strides
  "Those of an operand of r rows and c columns, of which one is 1 unless it is C's: dense, with
  gaps, turned, a row again and again, rows that overlap; anything where an axis is short."
  [random r c output?]
  (let [lead (fn [n] (pick random (if output? [n n (inc n) (+ 5 n)]
                                      [n n (+ 3 n) 0 1 (max 0 (dec n))])))
        free (fn [n stride] (if (and (<= n 1) (zero? (.nextInt ^Random random 3)))
                              (pick random [0 7 far]) stride))
        turned? (and (not output?) (zero? (.nextInt ^Random random 2)))]
    (if turned?
      [(free r 1) (free c (lead r))]
      [(free r (lead c)) (free c 1)])))

(defn- reach
  "How many elements from 0 on axes of [extent stride] lie in; 0 when one is empty."
  [axes offset]
  (if (some (comp zero? first) axes)
    0
    (+ 1 offset (reduce + (for [[extent stride] axes :when (< 1 extent)]
                            (* (dec extent) stride))))))

(def ^:private operands
  "The dtypes that A and B of a product may have."
  {:f64 [:f64], :f32 [:f32 :f32 :f32 :f16 :bf16], :i32 [:i32 :i32 :i16 :i8 :u8]
   :i64 [:i64 :i64 :i32 :i16 :i8 :u8]})

(defn- whole? [dtype] (contains? #{:i32 :i64} dtype))

(defn- extents
  "Rows, columns and terms of a product, and how often it is done; of one row or column at times."
  [^Random random rows?]
  (let [size #(pick random [0 1 1 2 3 7 8 13 16 17 31 33 64 65 100])
        often #(repeatedly (pick random %1) (fn [] (pick random %2)))]
    (cond (not rows?) [(if (zero? (.nextInt random 12)) [130 (pick random [90 200]) 170]
                           [(size) (size) (size)])
                       (often [0 0 0 1 2] [0 1 2 3 5])]
          (.nextBoolean random) [[1 (size) (size)] (often [1 2] [1 2 3 60])]
          :else [[(size) 1 (size)] (often [1 2] [1 2 3 60])])))

(defn- drawn
  "A gemm step and the sizes of its buffers."
  [^Random random rows?]
  (let [[[m n k] often] (extents random rows?)
        batch (mapv #(hash-map :extent %) often)
        dtype (pick random [:f32 :f32 :f64 :i32 :i64])
        factor #(if (whole? dtype) (long (* 2 (double %))) %)
        operand (fn [buffer r c output?]
                  {:buffer buffer, :offset (pick random [0 0 0 3])
                   :strides (strides random r c output?)})
        [a b c] [(operand 0 m k false) (operand 1 k n false) (operand 2 m n true)]
        step (fn [{:keys [strides]} r c]
               (let [dense (reach [[r (first strides)] [c (second strides)]] -1)]
                 (pick random [0 dense (inc dense) 1])))
        batch (mapv #(assoc % :a (step a m k) :b (step b k n) :c (step c m n)) batch)
        room (fn [{:keys [offset strides]} r c at]
               (reach (into (mapv vector [r c] strides) (map (juxt :extent at)) batch) offset))]
    {:step {:do :gemm, :dtype dtype, :m m, :n n, :k k, :a a, :b b, :c c, :batch batch
            :alpha (factor (pick random [1.0 0.5 -0.5 0.0]))
            :beta (factor (pick random [0.0 0.0 1.0 1.0 -1.0]))}
     :dtypes [(pick random (operands dtype)) (pick random (operands dtype)) dtype]
     :sizes [(room a m k :a) (room b k n :b) (room c m n :c)]}))

(defn- program [{:keys [step dtypes sizes]}]
  (-> (calling/program [] (mapv vector dtypes [:in :in :inout] sizes) [])
      (assoc :steps [step])))

;; ## Meaning

(defn- at
  "Where element (i, j) of an operand lies, behind a shift: an axis of one element has any stride."
  ^long [shift [row col] i j]
  (let [along (fn [i stride] (if (zero? (long i)) 0 (* (long i) (long stride))))]
    (+ (long shift) (long (along i row)) (long (along j col)))))

(defn- shifts
  "Where A, B and C of each product of the batch begin, in order."
  [{:keys [a b c batch]}]
  (reduce (fn [shifts {:keys [extent] :as loop}]
            (for [shift shifts, e (range extent)]
              (mapv (fn [x s] (+ x (* e s))) shift (map loop [:a :b :c]))))
          [(mapv :offset [a b c])] batch))

(defn- by-loops
  "C after the step, of floats; what C holds is not looked at where beta is 0."
  [{:keys [m n k alpha beta a b c] :as step} [^doubles av ^doubles bv cv]]
  (let [cv (double-array cv), alpha (double alpha), beta (double beta), k (long k)
        [a b c] (map :strides [a b c])]
    (doseq [[sa sb sc] (shifts step), i (range m), j (range n)
            :let [p (int (at sc c i j))
                  sum (loop [l 0, sum 0.0]
                        (if (< l k)
                          (recur (inc l) (+ sum (* (aget av (at sa a i l))
                                                   (aget bv (at sb b l j)))))
                          sum))]]
      (aset cv p (if (zero? beta) (* alpha (double sum))
                     (+ (* alpha (double sum)) (* beta (aget cv p))))))
    (vec cv)))

(defn- by-whole-loops
  "The same of whole numbers, whose sums wrap."
  [{:keys [dtype m n k alpha beta a b c] :as step} [^longs av ^longs bv cv]]
  (let [cv (long-array cv), k (long k), [a b c] (map :strides [a b c])
        wrap (if (= dtype :i32) #(long (unchecked-int %)) long)]
    (doseq [[sa sb sc] (shifts step), i (range m), j (range n)
            :let [p (int (at sc c i j))
                  sum (loop [l 0, sum 0]
                        (if (< l k)
                          (recur (inc l)
                                 (unchecked-add sum (unchecked-multiply (aget av (at sa a i l))
                                                                        (aget bv (at sb b l j)))))
                          sum))]]
      (aset cv p (long (wrap (unchecked-add (unchecked-multiply (long alpha) (long sum))
                                            (unchecked-multiply (long beta) (aget cv p)))))))
    (vec cv)))

;; ## Running

(defn- write! [t values]
  (with-open [from (Tensor/of values (.dtype ^Tensor t) true)]
    (.copyFrom (.segment ^Tensor t) (.segment from))))

(defn- called
  "The status of a call on these tensors with so many threads."
  [^NativeCode code tensors threads]
  (with-open [arena (Arena/ofConfined)]
    (let [table (.allocate arena 64 8), dims (.allocate arena 64 8)
          failure (.allocate arena (long (* 8 FailureRecord/WORDS)) 8)]
      (doseq [[i ^Tensor t] (map-indexed vector tensors)]
        (.setAtIndex table ValueLayout/JAVA_LONG (long i) (.address t)))
      (Pool/need threads)
      (.setAtIndex failure ValueLayout/JAVA_LONG FailureRecord/THREADS (long threads))
      (calling/invoke (.entry code) table dims failure 1))))

(defn- numbers
  "n numbers of a dtype: any whole ones, or small ones as floats, whose products are exact."
  [^Random random dtype n]
  (case dtype
    (:i64 :i32 :i16 :i8 :u8)
    (long-array (repeatedly n #(let [x (.nextLong random)]
                                 (case dtype
                                   :i64 x, :i32 (unchecked-int x), :i16 (unchecked-short x)
                                   :i8 (unchecked-byte x), :u8 (bit-and 255 x)))))
    (double-array (repeatedly n #(- (.nextInt random 9) 4)))))

;; What is no sum may be a zero of either sign.
(defn- same?
  "Are numbers, doubles or longs, equal as elements of a product with so many terms?"
  [k x y]
  (or (.equals ^Object x y) (and (< (long k) 2) (== x y))))

(defn- failure
  "What is wrong with the products of that seed; nil when nothing is."
  [seed]
  (let [random (Random. seed), {:keys [step dtypes sizes] :as form} (drawn random false)
        values (mapv #(numbers random %1 %2) dtypes sizes), whole (whole? (:dtype step))
        before (if (or whole (not (zero? (double (:beta step))))) (values 2)
                   (double-array (sizes 2) ##NaN))
        expected ((if whole by-whole-loops by-loops) step (assoc values 2 before))
        memory (mapv #(guard/guarded (DType/of (name %1)) [%2]) dtypes sizes)
        tensors (mapv guard/tensor memory), same (partial same? (:k step))]
    (try
      (with-open [code (calling/compile-program (program form))]
        (dorun (map write! tensors values))
        (first (for [threads [1 2 3]
                     :let [_ (write! (tensors 2) before)
                           status (called code tensors threads)
                           got (vec (flatten @(tensors 2)))]
                     :when (not (and (= 0 status) (every? guard/intact? memory)
                                     (every? true? (map same expected got))))]
                 [seed threads form (first (remove (fn [[_ x y]] (same x y))
                                                   (map vector (range) expected got)))])))
      (finally (run! #(.close ^Closeable %) memory)))))

(deftest products-of-all-strides-agree-with-loops
  (doseq [seed (range attacks)]
    (is (nil? (failure seed)))))

;; ## The same bits

(defn- reals
  "n numbers of a dtype: whole ones, or floats whose sums are rounded, some of them zeros."
  [^Random random dtype n]
  (if (contains? #{:f64 :f32 :f16 :bf16} dtype)
    (double-array (repeatedly n #(case (.nextInt random 8) 0 0.0, 1 -0.0
                                       (.nextGaussian random))))
    (numbers random dtype n)))

(defn- bits
  "The bits of the elements of a tensor."
  [^Tensor t]
  (vec (.toArray (.segment t) ValueLayout/JAVA_BYTE)))

(defn- other-bits
  "The products of that seed, where numbers of threads give other bits; else nil."
  [seed]
  (let [random (Random. seed)
        {:keys [step dtypes sizes] :as form} (drawn random (even? (long seed)))
        factor #(if (#{0.5 -0.5} %) (* 0.6 %) %)
        form (cond-> form (not (whole? (:dtype step))) (update-in [:step :alpha] factor))
        values (mapv #(reals random %1 %2) dtypes sizes)
        memory (mapv #(guard/guarded (DType/of (name %1)) [%2]) dtypes sizes)
        tensors (mapv guard/tensor memory)]
    (try
      (with-open [code (calling/compile-program (program form))]
        (let [results (vec (for [threads [1 2 3]]
                             (do (dorun (map write! tensors values))
                                 (called code tensors threads)
                                 (bits (tensors 2)))))]
          (when-not (apply = results) [seed form])))
      (finally (run! #(.close ^Closeable %) memory)))))

(deftest any-number-of-threads-gives-the-same-bits
  (doseq [seed (range attacks)]
    (is (nil? (other-bits seed)))))

;; A tile that went through the first matrix and the second would write their rows before others.
(deftest products-that-overlap-are-computed-in-order
  (let [lie (fn [buffer lead] {:buffer buffer :offset 0 :strides [lead 1]})
        step {:do :gemm, :dtype :f64, :m 13, :n 17, :k 2, :alpha 1.0, :beta 0.0
              :a (lie 0 2), :b (lie 1 17), :c (lie 2 17)
              :batch [{:extent 3, :a 26, :b 0, :c 204}]}
        form {:step step, :dtypes [:f64 :f64 :f64], :sizes [78 34 629]}]
    (with-redefs [drawn (constantly form)]
      (is (nil? (failure 5))))))
