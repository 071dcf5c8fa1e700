(ns damo.data.finite
  "What users give has an end. A lazy sequence may have none, and whoever counts, hashes or prints
  it never comes back: so it is looked at here first, wherever a public function takes it.
  (check! :concatenate [(repeat x)]) fails, and names the argument."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]])
  (:import [damo DamoException Limits]
           [damo.tensor Sequences]))

(set! *warn-on-reflection* true)

(def ^:private most-lists
  "An argument of more lists in lists is refused: what shares its parts, such as [x x] of [y y] of
  …, has few places in memory, and endlessly many for who walks it."
  (bit-shift-left 1 24))

(defn- many? [x] (or (coll? x) (sequential? x)))

(defn- check-length! [x]
  (when-not (counted? x)
    (Sequences/length (if (instance? java.util.List x) x (sequence x)))))

(defn- check-parts!
  "Fails when x, or a part of it, has no end. `left` holds how many lists may still be looked at."
  [x ^long depth ^longs left]
  (when (many? x)
    (when (zero? depth)
      (fail! :damo/bad-data
             (str "the data is nested deeper than " (.most Limits/DEPTH) " levels")))
    (when (neg? (aset left 0 (dec (aget left 0))))
      (fail! :damo/bad-data (str "the data has more than " most-lists " lists in lists")))
    (check-length! x)
    (run! #(check-parts! % (dec depth) left) x)))

(defn short?
  "Does x have an end for sure, as one sees at once: no collection, or a short vector of such?"
  [x]
  (or (not (many? x))
      (and (vector? x)
           (let [n (count x)]
             (and (< n 8)
                  (loop [i 0]
                    (or (= i n)
                        (and (not (many? (nth x i))) (recur (inc i))))))))))

(defn- refused! [function-name about kind what]
  (let [facts (fail/source-position)]
    (fail! kind (str (name function-name) ": " about ": " what (fail/facts-text facts))
           (or facts {}))))

(defn- saying
  "Runs (check x); its failures say of which function, and what x is: (about)."
  [function-name about check x]
  (try (check x)
       (catch DamoException e
         (refused! function-name (about) (keyword "damo" (.kind e)) (.what e)))
       (catch clojure.lang.ExceptionInfo e
         (refused! function-name (about) (:damo/error (ex-data e)) (fail/what e)))))

(defn check!
  "Nil when all arguments given to a function have an end, and those themselves; else fails."
  [function-name given]
  (when given
    (saying function-name (constantly "its arguments") check-length! given))
  (loop [i 0, xs (seq given)]
    (when xs
      (let [x (first xs)]
        (when (many? x)
          (saying function-name #(str "argument " i ", " (expr/describe x))
                  #(check-parts! % (.most Limits/DEPTH) (long-array [most-lists]))
                  x)))
      (recur (inc i) (next xs)))))
