(ns damo.bench.task
  "The benchmark tasks as numbers, the same in every program that does them: data and weights from
  an integer hash, the layers, and the check values. (sizes \"mlp\") => [784 500 10].")

(set! *warn-on-reflection* true)

(def ^:const examples "How many examples there are; batches take them in order and wrap." 6000)
(def ^:const inputs "How many inputs an example has." 784)
(def ^:const rate "The learning rate of every task." 0.01)
(def ^:const check-steps "How many first steps the check value is the mean loss of." 100)

(def ^:private layers
  {"logreg" [784 10], "mlp" [784 500 10], "deep" [784 1000 1000 1000 10]})

(def tasks "The names of the tasks, in the order of the table." ["logreg" "mlp" "deep"])

(defn sizes
  "The widths of a task's layers, from the inputs to the 10 classes."
  [task]
  (layers task))

(def ^:private expected-losses
  {"logreg" {1 3.341928, 10 3.021864, 60 3.008796}
   "mlp"    {1 2.878409, 10 2.613224, 60 2.614944}
   "deep"   {1 2.866973, 10 2.429577, 60 2.425091}})

(defn expected-loss
  "The mean loss over the first 100 steps, computed in float64; nil for batches without one."
  [task batch]
  (get-in expected-losses [task batch]))

(defn near?
  "Is a measured value within 2e-4 relative of what is expected? True where that is nil, false for
  NaN."
  [expected value]
  (or (nil? expected)
      (<= (abs (- (double value) (double expected))) (* 2e-4 (abs (double expected))))))

(defn loss-ok?
  "Is a measured mean loss near what is expected? True where nothing is known, false for NaN."
  [task batch loss]
  (near? (expected-loss task batch) loss))

;; ## Data

(defn- mix ^long [^long z ^long shift ^long factor]
  (bit-and 0xffffffff
           (unchecked-multiply (bit-xor z (unsigned-bit-shift-right z shift)) factor)))

(defn hash32
  "The hash of index i in stream s: 32 bits, as a long."
  ^long [^long s ^long i]
  (let [z (bit-and 0xffffffff (unchecked-add (unchecked-add (unchecked-multiply i 0x9E3779B1)
                                                            (unchecked-multiply s 0x85EBCA77))
                                             0x165667B1))
        z (mix (mix z 16 0x7FEB352D) 15 0x846CA68B)]
    (bit-xor z (unsigned-bit-shift-right z 16))))

(defn uniform
  "A float array of the first n numbers of stream s, uniform from -scale to scale."
  ^floats [s n scale]
  (let [s (long s), scale (double scale), out (float-array n)]
    (dotimes [i n]
      (let [bits (unsigned-bit-shift-right (hash32 s i) 8)]
        (aset out i (float (* (- (/ bits 8388608.0) 1.0) scale)))))
    out))

(defn images
  "All inputs, 6000 rows of 784, row-major, with mean 0 and deviation 1."
  ^floats []
  (uniform 1 (* examples inputs) 1.7320508075688772))

(defn labels
  "The 6000 labels, 0 to 9."
  ^longs []
  (long-array (map #(rem (hash32 2 %) 10) (range examples))))

(defn weights
  "The initial weights of layer `layer` (from 0) of a task, [inputs outputs] row-major: Glorot's
  uniform distribution. Biases begin at zero."
  ^floats [task layer]
  (let [[in out] (subvec (sizes task) layer (+ 2 layer))]
    (uniform (+ 10 layer) (* in out) (Math/sqrt (/ 6.0 (+ in out))))))
