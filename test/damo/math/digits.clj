(ns damo.math.digits
  "Arithmetic on decimals, rounded to sixty digits: what the oracles of `damo.math-test` are made
  of. Takes numbers, gives BigDecimals. Example: (div 1 8) => 0.125M"
  (:import (java.math BigDecimal MathContext)))

(set! *warn-on-reflection* true)

(def ^MathContext digits "Sixty digits." (MathContext. 60))

(defn exact
  "The number as a decimal; a double with all its digits."
  ^BigDecimal [x]
  (if (float? x) (BigDecimal. (double x)) (bigdec x)))

(defn add "x + y." ^BigDecimal [x y] (.add (exact x) (exact y) digits))
(defn sub "x - y." ^BigDecimal [x y] (.subtract (exact x) (exact y) digits))
(defn mul "x · y." ^BigDecimal [x y] (.multiply (exact x) (exact y) digits))
(defn div "x / y." ^BigDecimal [x y] (.divide (exact x) (exact y) digits))
(defn root "The square root." ^BigDecimal [x] (.sqrt (exact x) digits))
