(ns damo.laws.machine
  "A machine for the scalar templates of elementwise ops, element by element: what the
  instructions of resources/damo/scalar.edn mean on Clojure's numbers. (function [:add ?x 1] [?x]
  [:i32]) gives a function of x."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private primitives
  {:add (scalar/by-kind + unchecked-add), :sub (scalar/by-kind - unchecked-subtract)
   :mul (scalar/by-kind * unchecked-multiply), :neg (scalar/by-kind - unchecked-negate)
   :div (scalar/by-kind (fn [^double x ^double y] (/ x y)) scalar/floor-div), :mod scalar/floor-mod
   :abs (scalar/by-kind (fn [^double x] (Math/abs x)) (fn [^long x] (Math/abs x)))
   :maximum scalar/maximum, :minimum scalar/minimum, :select (fn [c x y] (if c x y))
   :eq (scalar/comparison ==), :ne (scalar/comparison (comp not ==))
   :lt (scalar/comparison <), :le (scalar/comparison <=)
   :gt (scalar/comparison >), :ge (scalar/comparison >=)
   :isnan (fn [^double x] (Double/isNaN x)), :isinf (fn [^double x] (Double/isInfinite x))
   :rint (fn [^double x] (Math/rint x)), :floor (fn [^double x] (Math/floor x))
   :ceil (fn [^double x] (Math/ceil x)), :trunc scalar/trunc, :sqrt (fn [^double x] (Math/sqrt x))
   :and (fn [x y] (if (boolean? x) (and x y) (bit-and x y)))
   :or (fn [x y] (if (boolean? x) (or x y) (bit-or x y)))
   :xor (fn [x y] (if (boolean? x) (not= x y) (bit-xor x y)))
   :not (fn [x] (if (boolean? x) (not x) (bit-not x)))
   :fma (fn [^double x ^double y ^double z] (Math/fma x y z))
   :log1p-sum (fn [^double x ^double l] (Math/log1p (+ x l)))
   :copysign (fn [^double x ^double y] (Math/copySign x y))
   :shl scalar/shift-left, :shr scalar/shift-right})

(def ^:private tests #{:eq :ne :lt :le :gt :ge :isnan :isinf})

(defn- instruction
  "The function of an instruction: a primitive, or the :eval of the op of that name (exp, tanh …)."
  [i]
  (or (primitives i) (:eval (op/entry i))))

(declare value)

(defn- operands
  "[dtype value] of operands of one dtype; numbers take it from their partners."
  [env templates]
  (let [known (map #(when-not (number? %) (value env %)) templates)
        dtype (first (some identity known))]
    (assert (apply = (map first (remove nil? known)))
            (str "operands of different dtypes: " templates))
    (assert dtype (str "no operand says which dtype the numbers have: " templates))
    (map (fn [k t] (or k [dtype (array/convert dtype t)])) known templates)))

(defn- rounded [dtype x]
  [dtype (if (= dtype :f32) x (array/convert dtype x))])

(defn- value
  "[dtype element] of a template; single precision is rounded only at the end, as :eval does."
  [env template]
  (if (symbol? template)
    (env template)
    (let [[i & args] template]
      (case i
        :cast (let [[_ x] (value env (second args))] [(first args) (array/convert (first args) x)])
        :select (let [[_ c] (value env (first args))
                      [[dtype x] [_ y]] (operands env (rest args))]
                  (assert (boolean? c) "a :select needs a boolean")
                  [dtype (if c x y)])
        (let [xs (operands env args)
              result (apply (instruction i) (map second xs))]
          (if (tests i) [:bool result] (rounded (ffirst xs) result)))))))

(defn function
  "The function of elements that a template over these argument names means, for arguments of
  these dtypes; storage dtypes are computed as :f32."
  [template names dtypes]
  (fn [& xs]
    (second (value (zipmap names (map vector (map type/computed dtypes) xs)) template))))
