(ns damo.math.ulp
  "Errors in units of the last place. (error :f32 exact got), exact a BigDecimal: 0.5 at most when
  `got` is the nearest number of the dtype. Infinity counts as the power of two beyond the largest
  finite number."
  (:import (java.math MathContext)))

(set! *warn-on-reflection* true)

(defn unit
  "The unit in the last place of the numbers of a dtype near the BigDecimal x."
  ^BigDecimal [dtype ^BigDecimal x]
  (let [x (abs (.doubleValue x))]
    (BigDecimal. (if (= dtype :f32)
                   (double (Math/ulp (float (min x Float/MAX_VALUE))))
                   (Math/ulp (min x Double/MAX_VALUE))))))

(defn as-decimal
  "A float of a dtype as a BigDecimal."
  [dtype ^double y]
  (if (Double/isInfinite y)
    (* (BigDecimal. (Math/signum y)) (.pow 2M (int (if (= dtype :f32) 128 1024))))
    (BigDecimal. y)))

(defn clipped
  "The BigDecimal x, at most what infinity stands for."
  [dtype x]
  (let [top (as-decimal dtype ##Inf)] (max (- top) (min top x))))

(defn error
  "The distance of the result `y` from the exact value `x`, in units of the last place of x, or of
  `of` when that is larger; infinite when y is NaN."
  ([dtype x y] (error dtype x y 0M))
  ([dtype x ^double y of]
   (if (Double/isNaN y)
     ##Inf
     (let [x (clipped dtype x)
           ^BigDecimal off (abs (- x (as-decimal dtype y)))]
       (.doubleValue (.divide off (unit dtype (max (abs x) (abs (clipped dtype of))))
                              MathContext/DECIMAL64))))))
