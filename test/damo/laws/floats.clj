(ns damo.laws.floats
  "Floats of all magnitudes for the laws that measure errors. (random-float random :f32 [-3 3]) is
  one of any bits, near a point where functions change their course, or of the interval."
  (:require [damo.data.array :as array])
  (:import [java.util SplittableRandom]))

(set! *warn-on-reflection* true)

(def ^:private points
  "Numbers near which functions change their course."
  [0.0 1.0 -1.0 0.5 -0.5 2.0 0.25 0.75 (Math/log 2.0) (- (Math/log 2.0)) (Math/sqrt 0.5)
   (Math/sqrt 2.0) (/ Math/PI 4) (/ Math/PI 2) Math/PI 10.0 88.72 -103.97 709.78 -745.13])

(defn near
  "A number at a random distance of at most 2^-3 from x, relative to x."
  [^SplittableRandom random ^double x]
  (let [d (Math/scalb (- (* 2 (.nextDouble random)) 1) (.nextInt random -55 -3))]
    (if (zero? x) d (* x (+ 1 d)))))

(defn random-float
  "A float of the dtype: of any bits, of any magnitude, near a point, or of the interval."
  [^SplittableRandom random dtype [lo hi]]
  (case (.nextInt random 5)
    0 (if (= dtype :f32)
        (double (Float/intBitsToFloat (.nextInt random)))
        (Double/longBitsToDouble (.nextLong random)))
    1 (* (if (.nextBoolean random) 1 -1)
         (Math/scalb (+ 1 (.nextDouble random)) (.nextInt random -50 11)))
    2 (near random (points (.nextInt random (count points))))
    (+ lo (* (- hi lo) (.nextDouble random)))))


(def ^:private ends
  "Numbers near which values or slopes of some function overflow, vanish, or have no more digits."
  [128.0 1024.0 -126.0 -1022.0 171.6 35.0 27.0 -26.6 -9.4 -37.5 -13.2 713.0 20.0 -20.0 18.4 -38.5
   -0.36787944117144233 0.36787944117144233 -1.2784645427610738 1.4616321449683623 3.0 8.0 30.0
   100.0 -0.75179 -1.1924])

(defn near-an-end
  "A number near one where values or slopes of some function overflow or vanish."
  [^SplittableRandom random]
  (near random (ends (.nextInt random (count ends)))))

(def ^:private exponents
  "The exponents of the smallest and the largest number of a dtype, their distance on the grid."
  {:f32 [-149 127 23], :f64 [-1074 1023 131]})

(defn of-any-magnitude
  "A float of the dtype whose exponent is as likely small as large, subnormal ones among them."
  [^SplittableRandom random dtype]
  (let [[lo hi] (exponents dtype)]
    (* (if (.nextBoolean random) 1 -1)
       (Math/scalb (+ 1 (.nextDouble random)) (.nextInt random (int lo) (int (inc hi)))))))

(defn grid
  "Floats of the dtype of all magnitudes and both signs, spaced evenly by their logarithms, and some
  beside each of the ends."
  [dtype]
  (let [apart (Math/scalb 1.0 (int -12)), [lo hi step] (exponents dtype)
        powers (map #(Math/scalb 1.37 (int %)) (concat (range lo hi step) (range -30 12 7)))
        largest ({:f32 (double Float/MAX_VALUE), :f64 Double/MAX_VALUE} dtype)
        beside (for [x (concat ends points), d [(- apart) 0.0 apart]] (* x (+ 1 d)))]
    (into [] (comp (map #(array/convert dtype %)) (distinct))
          (for [x (concat powers beside [largest (Math/scalb 1.0 (int lo)) 50.0]), s [1 -1]]
            (* s x)))))
