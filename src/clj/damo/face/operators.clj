(ns damo.face.operators
  "Clojure's arithmetic and comparisons for expressions too: of numbers alone they are Clojure's,
  with an expression, tensor, array or vector among the arguments Damo's. `damo.core/math` gives
  them their names. (< 1 2) is true, (< x 2) an expression."
  (:refer-clojure :exclude [+ - * / < > <= >= = not= min max abs mod inc dec zero? pos? neg? not])
  (:require [clojure.core :as clj]
            [damo.data.expr :as expr]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- plain? [xs] (every? number? xs))

(defn- call [op & args] (op/call op args))

(defn- folded
  "The operator that joins its arguments pairwise; `unit` is what it is without any."
  [own op unit]
  (fn [& xs]
    (cond (plain? xs) (apply own xs)
          (clj/= 1 (count xs)) (call op (first xs) unit)
          :else (reduce (partial call op) xs))))

(defn- left
  "The operator that takes what follows from the first argument; of one it is `alone`."
  [own op alone]
  (fn [& xs]
    (cond (plain? xs) (apply own xs)
          (clj/= 1 (count xs)) (alone (first xs))
          :else (reduce (partial call op) xs))))

(defn- chained
  "The comparison that holds between all neighbours; `mine?` tells arguments that are Damo's."
  [own op mine?]
  (fn [& xs]
    (if (or (clj/not (some mine? xs)) (clj/= 1 (count xs)))
      (apply own xs)
      (reduce (partial call :logical-and) (map (partial call op) xs (rest xs))))))

(defn- unary [own f]
  (fn [x] (if (or (number? x) (boolean? x)) (own x) (f x))))

(defn- binary [own op]
  (fn [x y] (if (plain? [x y]) (own x y) (call op x y))))

(def ^:private not-number (complement number?))

(def + "The sum." (folded clj/+ :add 0))
(def * "The product." (folded clj/* :mul 1))
(def - "The first less the others; of one its negative." (left clj/- :sub #(call :neg %)))
(def / "The first divided by the others; of one its reciprocal." (left clj// :div #(call :div 1 %)))
(def min "The least." (left clj/min :minimum identity))
(def max "The greatest." (left clj/max :maximum identity))
(def < "Does each argument lie below the next?" (chained clj/< :lt not-number))
(def > "Does each argument lie above the next?" (chained clj/> :gt not-number))
(def <= "Is no argument above the next?" (chained clj/<= :le not-number))
(def >= "Is no argument below the next?" (chained clj/>= :ge not-number))
(def = "Are all equal? Elementwise where one is an expression." (chained clj/= :eq expr/expr?))
(def mod "The remainder with the sign of the divisor." (binary clj/mod :mod))
(def abs "The absolute value." (unary clj/abs #(call :abs %)))
(def inc "One more." (unary clj/inc #(call :add % 1)))
(def dec "One less." (unary clj/dec #(call :sub % 1)))
(def zero? "Is it 0?" (unary clj/zero? #(call :eq % 0)))
(def pos? "Is it above 0?" (unary clj/pos? #(call :gt % 0)))
(def neg? "Is it below 0?" (unary clj/neg? #(call :lt % 0)))

(defn not= "Are two different? Elementwise where one is an expression."
  [x y]
  (if (some expr/expr? [x y]) (call :ne x y) (clj/not= x y)))

(defn not "The opposite of a truth value, elementwise for an expression."
  [x]
  (if (expr/expr? x) (call :logical-not x) (clj/not x)))

(def names
  "The operators by name."
  '[+ * - / min max < > <= >= = mod abs inc dec zero? pos? neg? not= not])
