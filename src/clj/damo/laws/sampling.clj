(ns damo.laws.sampling
  "Generated calls of one op, drawn with a fixed seed, and what a law says about each of them.
  (problems :add [:f32] :commutes law) is empty when the predicate `law` holds for all."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op.gens :as gens])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private sizes [0 1 3 13])

(defn- draws
  "Forty triples [dtype size seed], the smallest first; the same ones at each call."
  [dtypes]
  (let [random (Random. 2718)
        one-of (fn [xs] (nth xs (.nextInt random (count xs))))]
    (sort-by (comp vec rest)
             (distinct (repeatedly 40 #(vector (one-of dtypes) (one-of sizes)
                                               (.nextInt random 41)))))))

(defn problem
  "What is reported of a law that fails: {:law :call :message}; `call` is a form that makes the
  generated call again."
  [law call message]
  {:law law, :call call, :message message})

(defn- verdict
  "Nil when the law holds for a call, else why not."
  [law c]
  (try (when-not (law c) "does not hold")
       (catch Exception e (str "throws " (or (ex-message e) e)))
       (catch AssertionError e (ex-message e))))

(defn problems
  "The first failure, in a vector, of the predicate `law`, called law-name, on forty generated calls
  of the op with these dtypes; calls that the op does not take do not count."
  [op dtypes law-name law]
  (vec (take 1 (for [[dtype size seed] (draws (vec dtypes))
                     :let [c (gens/case op dtype size seed), why (when c (verdict law c))]
                     :when why]
                 (problem law-name (list `gens/case op dtype size seed) why)))))

(defn at-special-values
  "The same on special values (zeros, infinities, NaN, extremes) of an elementwise op."
  [op dtypes law-name law]
  (vec (for [dtype dtypes
             :let [c (gens/special-case op dtype), why (when c (verdict law c))]
             :when why]
         (problem law-name (list `gens/special-case op dtype) why))))

(defn value-of
  "The value of a call, by reference."
  [{:keys [op attrs args at]}]
  (cond-> (eval/constant op attrs args) at (nth at)))

(defn- close?
  "Are two elements of a dtype equal, or floats as near as rounding in single precision, and once
  more to a storage dtype, explains?"
  [dtype x y]
  (or (= x y)
      (and (float? x) (float? y)
           (or (== x y) (and (Double/isNaN x) (Double/isNaN y))
               (<= (abs (- x y)) (+ (* 2e-6 (+ 1e-3 (abs x) (abs y)))
                                    (if (type/storage-dtype? dtype) (array/unit dtype x) 0.0)))))))

(defn same-array?
  "Are two arrays of one type and nearly equal?"
  [a b]
  (and (= (array/type-of a) (array/type-of b))
       (every? true? (map (partial close? (:dtype a)) (array/values a) (array/values b)))))
