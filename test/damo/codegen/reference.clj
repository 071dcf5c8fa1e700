(ns damo.codegen.reference
  "What each primitive instruction means, written again in Clojure on numbers: the oracle for the
  machine code. (apply-instruction :add :i8 [100 100]) => -56."
  (:require [clojure.test :refer [is]]))

(set! *warn-on-reflection* true)

(def special
  "Awkward values of each dtype."
  {:f64 [0.0 -0.0 1.0 -1.0 0.5 -2.5 3.5 1e300 -1e300 5e-324 ##Inf ##-Inf ##NaN 7.0 -7.0 1e18]
   :f32 (mapv unchecked-float [0.0 -0.0 1.0 -1.0 0.5 -2.5 3.5 1e38 -1e38 1e-45 ##Inf ##-Inf ##NaN
                               7.0 -7.0 3e9])
   :i64 [0 1 -1 2 -2 7 -7 63 64 100 Long/MAX_VALUE Long/MIN_VALUE (inc Long/MIN_VALUE)]
   :i32 [0 1 -1 2 -2 7 -7 31 32 100 Integer/MAX_VALUE Integer/MIN_VALUE (inc Integer/MIN_VALUE)]
   :f16 (mapv unchecked-float [0.0 -0.0 1.0 -1.0 0.5 -2.5 3.5 65504 5.9604645E-8 ##Inf ##-Inf
                               ##NaN 7.0])
   :bf16 (mapv unchecked-float [0.0 -0.0 1.0 -1.0 0.5 -2.5 3.5 1.4953815E38 ##Inf ##-Inf
                                ##NaN 7.0 96.0])
   :i16 [0 1 -1 2 -2 7 -7 15 16 100 32767 -32768 -32767 2049 257]
   :i8 [0 1 -1 2 -2 7 -7 8 100 127 -128 -127]
   :u8 [0 1 2 7 8 100 127 128 200 255]
   :bool [true false]})

(def width {:i64 64 :i32 32 :i16 16 :i8 8 :u8 8})

(defn wrap
  "The integer reduced to the range of the dtype."
  [dtype n]
  (let [bits (.longValue (biginteger n))
        unused (- 64 (long (width dtype)))]
    (if (= dtype :u8)
      (bit-and 255 bits)
      (-> bits (bit-shift-left unused) (bit-shift-right unused)))))

(defn- rounded [dtype x] (if (= dtype :f32) (unchecked-float x) (double x)))

(defn- float-mod [^double x ^double y]
  (let [r (cond (or (Double/isNaN x) (Double/isNaN y) (zero? y) (Double/isInfinite x)) ##NaN
                (Double/isInfinite y) x
                :else (.doubleValue (.remainder (BigDecimal. x) (BigDecimal. y))))]
    (cond (Double/isNaN r) r
          (zero? r) (Math/copySign 0.0 y)
          (= (neg? r) (neg? y)) r
          :else (+ r y))))

(def ^:private on-floats
  {:add + :sub - :mul * :div #(/ (double %1) (double %2))
   :neg #(- (double %)) :abs #(abs (double %)) :sqrt #(Math/sqrt %)
   :maximum #(Math/max (double %1) (double %2)) :minimum #(Math/min (double %1) (double %2))
   :floor #(Math/floor %) :ceil #(Math/ceil %) :rint #(Math/rint %)
   :trunc #(if (neg? (double %)) (Math/ceil %) (Math/floor %))
   :copysign #(Math/copySign (double %1) (double %2))})

(def ^:private on-integers
  {:add +' :sub -' :mul *' :neg -' :abs #(if (neg? %) (-' %) %)
   :div #(if (zero? %2) 0 (let [q (quot (bigint %1) %2)]
                            (if (and (not= (* q %2) %1) (not= (neg? %1) (neg? %2))) (dec q) q)))
   :mod #(if (zero? %2) 0 (mod (bigint %1) %2))
   :maximum max :minimum min
   :and #(.and (biginteger %1) (biginteger %2)) :or #(.or (biginteger %1) (biginteger %2))
   :xor #(.xor (biginteger %1) (biginteger %2)) :not #(.not (biginteger %))})

(def ^:private on-bools
  {:maximum #(or %1 %2) :minimum #(and %1 %2) :and #(and %1 %2) :or #(or %1 %2) :xor not= :not not})

(def ^:private comparisons
  {:eq == :ne (complement ==) :lt < :le <= :gt > :ge >=})

(defn- shift [op dtype x n]
  (if (<= 0 n (dec (width dtype)))
    (wrap dtype (if (= op :shl) (.shiftLeft (biginteger x) n) (.shiftRight (biginteger x) n)))
    0))

(defn- fma [dtype x y z]
  (if (= dtype :f32)
    (Math/fma (float x) (float y) (float z))
    (Math/fma (double x) (double y) (double z))))

(defn- float-instruction [op dtype [x y z :as args]]
  (case op
    :fma (fma dtype x y z)
    :mod (rounded dtype (float-mod x y))
    :isnan (Double/isNaN x)
    :isinf (Double/isInfinite x)
    :bits (if (= dtype :f32) (Float/floatToRawIntBits x) (Double/doubleToRawLongBits x))
    (rounded dtype (apply (on-floats op) (map double args)))))

(defn- integer-instruction [op dtype [x y :as args]]
  (case op
    (:shl :shr) (shift op dtype x y)
    :float (if (= dtype :i32) (Float/intBitsToFloat x) (Double/longBitsToDouble x))
    (wrap dtype (apply (on-integers op) args))))

(defn apply-instruction
  "The value of a primitive instruction on operands of one dtype (for :select, of its choices)."
  [op dtype args]
  (cond (= op :select) (if (first args) (second args) (nth args 2))
        (comparisons op) (apply (comparisons op) (map #(case % true 1 false 0 %) args))
        (= dtype :bool) (apply (on-bools op) args)
        (#{:f32 :f64} dtype) (float-instruction op dtype args)
        :else (integer-instruction op dtype args)))

(defn- saturated [dtype ^double x]
  (let [[lo hi] (case dtype
                  :i64 [Long/MIN_VALUE Long/MAX_VALUE] :i32 [Integer/MIN_VALUE Integer/MAX_VALUE]
                  :i16 [-32768 32767] :i8 [-128 127] :u8 [0 255])]
    (cond (Double/isNaN x) 0
          (<= x (double lo)) lo
          (>= x (double hi)) hi
          :else (long x))))

(defn- exact ^BigDecimal [x] (BigDecimal. (double x)))

(defn- nearest
  "The value of a 16-bit float dtype nearest to x, found among all of them that are near."
  [dtype x]
  (let [infinity (if (= dtype :f16) 0x7c00 0x7f80)
        value #(if (= dtype :f16)
                 (Float/float16ToFloat (unchecked-short %))
                 (Float/intBitsToFloat (unchecked-int (bit-shift-left (long %) 16))))
        size (Math/abs (double x))
        ;; the bits of positive values count in their order; beyond the largest lies one more step
        top (double (value (dec infinity)))
        place (fn [bits]
                (exact (if (= infinity bits)
                         (+ top (- top (double (value (- infinity 2)))))
                         (value bits))))
        below (loop [lo 0, hi infinity]
                (let [mid (quot (+ lo hi) 2)]
                  (cond (<= (- hi lo) 1) lo, (<= (double (value mid)) size) (recur mid hi)
                        :else (recur lo mid))))]
    (if (or (Double/isNaN size) (Double/isInfinite size))
      (unchecked-float x)
      (let [down (.subtract (exact size) ^BigDecimal (place below))
            up (.subtract ^BigDecimal (place (inc below)) (exact size))
            order (compare down up)
            bits (cond (neg? order) below, (pos? order) (inc below), (even? below) below
                       :else (inc below))]
        (unchecked-float (Math/copySign (double (value bits)) (double x)))))))

(def ^:private float-dtypes #{:f64 :f32 :f16 :bf16})

(defn convert
  "The value of [:cast to x] for x of dtype `from`."
  [from to x]
  (let [number (case x true 1 false 0 x)]
    (case to
      :bool (not (== 0 number))
      (:f32 :f64) (if (= to :f32)
                    (if (= from :i64) (.floatValue ^Number number) (unchecked-float number))
                    (double number))
      (:f16 :bf16) (nearest to (double number))
      (if (float-dtypes from) (saturated to number) (wrap to number)))))

(defn same?
  "Equal bit for bit, all NaN being equal."
  [x y]
  (if (and (number? x) (number? y) (or (float? x) (float? y)))
    (or (and (Double/isNaN x) (Double/isNaN y))
        (and (== (double x) (double y))
             (= (Math/copySign 1.0 (double x)) (Math/copySign 1.0 (double y)))))
    (= x y)))

(defn check-all
  "Asserts that computed and expected values are the same, naming what stands in `rows`."
  [what rows expected computed]
  (is (= [] (for [[row e c] (map vector rows expected computed) :when (not (same? e c))]
              {:what what :of row :expected e :computed c}))))
