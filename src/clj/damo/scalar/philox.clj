(ns damo.scalar.philox
  "Philox-4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, 'Parallel random
  numbers: as easy as 1, 2, 3' (2011), on longs: the meaning of the op :philox.
  (word 0 0 0 0) = 0x6627e8d5.")

(set! *warn-on-reflection* true)

(def ^:private low 0xffffffff)

(defn- lower ^long [^long x] (bit-and x (long low)))
(defn- upper ^long [^long x] (unsigned-bit-shift-right x 32))

(defn- rounds
  "The block [a b c d] after ten rounds."
  [a b c d k l]
  (loop [i 0, a (long a), b (long b), c (long c), d (long d), k (long k), l (long l)]
    (if (= i 10)
      [a b c d]
      (let [p (unchecked-multiply a 0xD2511F53), q (unchecked-multiply c 0xCD9E8D57)]
        (recur (inc i)
               (bit-xor (upper q) b k) (lower q) (bit-xor (upper p) d l) (lower p)
               (lower (+ k 0x9E3779B9)) (lower (+ l 0xBB67AE85)))))))

(defn word
  "Word w, 0, 1, 2 or else 3, of the block of the counter i j and the key k, longs that each hold
  two words of 32 bits, the lower one first: a long below 2^32."
  ^long [^long w ^long i ^long j ^long k]
  (nth (rounds (lower i) (upper i) (lower j) (upper j) (lower k) (upper k)) (if (<= 0 w 2) w 3)))
