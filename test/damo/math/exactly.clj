(ns damo.math.exactly
  "What the scalar templates of elementwise ops mean on decimals of sixty digits: the same formula
  without rounding, the oracle of `damo.laws.ulp-test` for ops that are no math functions.
  (function [:mul ?x 2] [?x]) gives a function of [x]. Only the chosen operand of :select is
  evaluated; bit patterns have no meaning here."
  (:require [damo.math.decimal :as decimal]
            [damo.math.decimal-bessel :as decimal-bessel]
            [damo.math.decimal-beta :as decimal-beta]
            [damo.math.decimal-gamma :as decimal-gamma]
            [damo.math.decimal-incomplete :as decimal-incomplete])
  (:import (java.math MathContext RoundingMode)))

(set! *warn-on-reflection* true)

(def ^:private ^MathContext digits (MathContext. 60))

(defn- whole [^BigDecimal x mode] (.setScale x 0 ^RoundingMode mode))

(defn- quotient [^BigDecimal x ^BigDecimal y] (.divide x y digits))

(defn- floor-mod [^BigDecimal x ^BigDecimal y]
  (let [r (.remainder x y)]
    (if (or (zero? (.signum r)) (= (.signum r) (.signum y))) r (+ r y))))

(def functions
  "The oracle of each math function, by its keyword: it takes BigDecimals or floats."
  (merge decimal/functions decimal-gamma/functions decimal-bessel/functions
         decimal-incomplete/functions decimal-beta/functions
         {:circular-near (:circular decimal/functions)
          :float-mod (fn [x y] (floor-mod (BigDecimal. (double x)) (BigDecimal. (double y))))}))

(def ^:private primitives
  {:add + :sub - :mul * :neg - :div quotient :mod floor-mod :abs abs
   :fma (fn [x y z] (+ (* x y) z)), :sqr (fn [x] (* x x))
   :sqrt (fn [^BigDecimal x] (.sqrt x digits))
   :maximum max :minimum min :eq == :ne (complement ==) :lt < :le <= :gt > :ge >=
   :isnan (constantly false), :isinf (constantly false)
   :and (fn [x y] (and x y)), :or (fn [x y] (or x y)), :xor not=, :not not
   :floor #(whole % RoundingMode/FLOOR), :ceil #(whole % RoundingMode/CEILING)
   :trunc #(whole % RoundingMode/DOWN), :rint #(whole % RoundingMode/HALF_EVEN)
   :copysign (fn [x y] (if (neg? y) (- (abs x)) (abs x)))})

(declare value)

(defn- rounded [x] (if (decimal? x) (.round ^BigDecimal x digits) x))

(defn- meaning [i]
  (or (primitives i) (functions i)
      (throw (ex-info (str "the instruction " i " has no meaning on decimals; give it one in "
                           "damo.math.exactly/functions")
                      {:instruction i}))))

(defn- apply-instruction
  "The value of an instruction, or of an op with attributes, which are its first arguments."
  [env [i & args]]
  (let [[attrs args] (if (map? (first args)) [(vals (first args)) (rest args)] [nil args])]
    (rounded (apply (meaning i) (concat attrs (map #(value env %) args))))))

(defn- value [env template]
  (cond (symbol? template) (env template)
        (boolean? template) template
        (number? template) (BigDecimal. (double template))
        :else
        (let [[i a b c] template]
          (case i
            :select (if (value env a) (value env b) (value env c))
            (:cast :const) (value env b)
            (apply-instruction env template)))))

(defn decimal
  "A float as a BigDecimal, without rounding; anything else as it is."
  [x]
  (if (float? x) (BigDecimal. (double x)) x))

(defn function
  "The function of a sequence of BigDecimals and booleans that a template over these argument names
  means."
  [template names]
  (fn [xs] (value (zipmap names xs) template)))
