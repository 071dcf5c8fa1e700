(ns damo.compile.debug.unlike
  "Arrays that should be equal: which element differs by more than rounding explains, and the
  failure that says so of the node that it belongs to. (difference :op x y []) is nil or {:element
  :expected :given}."
  (:require [damo.compile.plan.note :as note]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

;; ## Which elements differ

(def ^:private bounds
  "How far values of a dtype may lie apart, relative to the largest that took part: after a rule,
  which rounds elsewhere, and after the machine code of one op."
  {:f64 {:rule 1e-7, :op 1e-11}, :f32 {:rule 1e-2, :op 1e-4}
   :f16 {:rule 2e-1, :op 2e-2}, :bf16 {:rule 5e-1, :op 5e-2}})

(defn- floats?
  "Is it an array of floats? Then its :data is a double[]."
  [{:keys [dtype]}]
  (type/float-dtype? dtype))

(defn- largest
  "The largest finite magnitude of an array of floats, at least 1."
  [{:keys [^doubles data]}]
  (areduce data i m 1.0
           (let [x (Math/abs (aget data i))] (if (< m x ##Inf) x m))))

(defn finite?
  "Are all elements of an array finite?"
  [{:keys [data] :as a}]
  (or (not (floats? a))
      (let [^doubles data data, n (alength data)]
        (loop [i 0] (or (= i n) (and (Double/isFinite (aget data i)) (recur (inc i))))))))

(defn- first-apart
  "The first element at which two arrays of floats are further apart than `far`; NaN is NaN."
  [{^doubles xs :data} {^doubles ys :data} far]
  (let [n (alength xs), far (double far)]
    (loop [i 0]
      (when (< i n)
        (let [x (aget xs i), y (aget ys i)]
          (if (or (== x y) (<= (Math/abs (- x y)) far) (and (Double/isNaN x) (Double/isNaN y)))
            (recur (inc i))
            i))))))

(defn- first-different
  "The first element in which two arrays that are not of floats differ."
  [x y]
  (first (remove #(= (array/element x %) (array/element y %)) (range (array/size (:shape x))))))

(defn arrays
  "The arrays of a value: itself, or those of a node of several results, whose parts are compared."
  [value]
  (if (vector? value) value [value]))

(defn difference
  "{:element :expected :given} of the first element in which two arrays differ by more than the
  bound, or nil. `near` are arrays whose magnitude counts."
  [kind expected given near]
  (cond (identical? expected given) nil
        (not= (array/type-of expected) (array/type-of given))
        {:element 0, :expected (array/type-of expected), :given (array/type-of given)}
        :else
        (when-let [i (if (floats? expected)
                       (let [scale (reduce max (map largest (filter floats? (list* expected given
                                                                                   near))))]
                         (first-apart expected given
                                      (* (get-in bounds [(:dtype expected) kind]) scale)))
                       (first-different expected given))]
          {:element i, :expected (array/element expected i), :given (array/element given i)})))

;; ## Saying what is wrong

(defn blame!
  "Fails: node `id` of a graph has a wrong value."
  [kind what g id {:keys [element expected given]} data advice]
  (let [facts (note/facts g id)]
    (fail! kind
           (str "debug: " what "\n  element " element " (row-major) of " (pr-str (:type facts))
                " should be " (pr-str expected) ", is " (pr-str given) (fail/facts-text facts))
           (merge facts {:element element, :expected expected, :given given, :try advice} data))))
