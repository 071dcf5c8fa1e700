(ns damo.demo.train
  "Training by stochastic gradient descent: data sets as tensors in a new order each epoch, batches
  as views of them, and predictions. In: the functions of damo.demo.model and data sets."
  (:require [damo.core :as d]
            [damo.demo.report :as report])
  (:import [damo.tensor DType Tensor]
           [java.lang.foreign MemorySegment ValueLayout ValueLayout$OfFloat ValueLayout$OfLong]
           [java.util SplittableRandom]))

(set! *warn-on-reflection* true)

(def ^:private ^ValueLayout$OfFloat f32 ValueLayout/JAVA_FLOAT)
(def ^:private ^ValueLayout$OfLong i64 ValueLayout/JAVA_LONG)

;; ## Data sets as tensors

(defn tensors
  "Tensors that hold a data set of `count` examples of `width` pixels: {:x [:f32 [count width]],
  :y [:i64 [count]]}, not yet filled."
  [{:keys [count rows cols]}]
  {:x (Tensor/uninitialized (DType/of "f32") (long-array [count (* rows cols)]))
   :y (Tensor/uninitialized (DType/of "i64") (long-array [count]))})

(defn- write-pixels!
  "Writes one example: pixels of `from` on to numbers of x from `to` on, moved down by dy and right
  by dx; what comes in is paper."
  [^MemorySegment x ^bytes pixels [rows cols] from to [dy dx]]
  (let [rows (long rows), cols (long cols), from (long from), to (long to)
        dy (long dy), dx (long dx)]
    (dotimes [r rows]
      (dotimes [c cols]
        (let [y (- r dy), x-at (- c dx)
              ink (if (and (< -1 y rows) (< -1 x-at cols))
                    (bit-and 0xff (aget pixels (+ from (* y cols) x-at)))
                    0)]
          (.setAtIndex x f32 (+ to (* r cols) c) (float (/ ink 255.0))))))))

(defn- shifts
  "A function that gives moves [dy dx] of at most that many pixels either way, which the seed
  decides."
  [most seed]
  (let [random (SplittableRandom. (long seed)), span (inc (* 2 (long most)))]
    (fn [] (if (= 1 span)
             [0 0]
             [(- (.nextInt random span) (long most)) (- (.nextInt random span) (long most))]))))

(defn fill!
  "Writes the examples of a data set into its tensors, in that order of indices: pixels as numbers
  from 0 to 1, each image moved by (shift). Returns the tensors."
  ([tensors set order] (fill! tensors set order (constantly [0 0])))
  ([{:keys [^Tensor x ^Tensor y] :as tensors} {:keys [pixels ^bytes labels rows cols]} ^ints order
    shift]
   (let [images (.segment x), classes (.segment y), width (* (long rows) (long cols))]
     (dotimes [i (alength order)]
       (let [from (aget order i)]
         (write-pixels! images pixels [rows cols] (* from width) (* i width) (shift))
         (.setAtIndex classes i64 i (long (aget labels from)))))
     tensors)))

(defn in-order
  "The indices 0 to n-1 as they are."
  ^ints [n]
  (int-array (range n)))

(defn shuffled
  "The indices 0 to n-1 in a random order that the seed decides: Fisher and Yates' shuffle."
  ^ints [n seed]
  (let [order (in-order n), random (SplittableRandom. (long seed))]
    (doseq [i (range (dec n) 0 -1)]
      (let [i (int i), j (.nextInt random (inc i)), kept (aget order i)]
        (aset order i (aget order j))
        (aset order j kept)))
    order))

(defn- batches
  "The pairs [from to] that cut n examples into batches; the last may be smaller."
  [n size]
  (for [from (range 0 n size)] [from (min n (+ from size))]))

;; ## Predicting

(def ^:private prediction-batch 500)

(defn predictions
  "The most probable class of every example of filled tensors, a vector of longs."
  [predict {:keys [^Tensor x]}]
  (into [] (mapcat (fn [[from to]]
                     (report/predictions (d/->array (predict (.slice x from to))))))
        (batches (first (d/shape x)) prediction-batch)))

;; ## Training

(defn- run-epoch!
  "Performs the steps of one epoch; returns its mean loss. `report!` is called after each step with
  the examples done, their mean loss and examples/s."
  [step {:keys [^Tensor x ^Tensor y]} batch report!]
  (let [n (first (d/shape x)), start (System/nanoTime)]
    (loop [[[from to] & more] (batches n batch), sum 0.0]
      (let [^Tensor loss (step (.slice x from to) (.slice y from to))
            sum (+ sum (* (.doubleValue loss) (- to from)))
            seconds (* 1e-9 (- (System/nanoTime) start))]
        (report! {:done to, :total n, :loss (/ sum to), :rate (/ to seconds)})
        (if more (recur more sum) {:loss (/ sum n), :rate (/ n seconds)})))))

(defn train!
  "Trains on a data set for :epochs of batches of :batch, in an order that :seed and the epoch
  decide, with images moved by up to :shift pixels, and tests on another after each epoch. (before!
  epoch) is called before each, `report!` is told of every step, see damo.demo.progress/line.
  Returns [{:epoch :loss :rate examples/s :accuracy} …]."
  [{:keys [step predict]} {:keys [train test]} {:keys [epochs batch seed shift before!]} report!]
  (let [training (tensors train)
        testing (fill! (tensors test) test (in-order (:count test)))]
    (vec (for [epoch (range 1 (inc epochs))]
           (let [seed (+ (* 1000 (long seed)) (long epoch)), order (shuffled (:count train) seed)
                 tell! #(report! (merge % {:epoch epoch, :epochs epochs}))
                 _ (when before! (before! epoch))
                 filled (fill! training train order (shifts (or shift 0) seed))
                 result (run-epoch! step filled batch tell!)
                 table (report/confusion (:labels test) (predictions predict testing))
                 result (assoc result :epoch epoch, :accuracy (report/accuracy table))]
             (tell! (merge result {:done (:count train), :total (:count train)}))
             result)))))
