(ns damo.laws.rounding
  "How far rounding may move the values of a graph: the reference interpreter runs it again a few
  times with every rounded value moved by some units in its last place, up or down at random. What
  moves little must be met closely; integers, booleans, sizes and failures that change are decided
  by rounding and cannot be compared. (reference g env 3) gives {:values :spread :decided …}."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.laws.rounds :as rounds]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- arrays
  "The arrays of a value: itself, or the results of a node that has several."
  [value]
  (if (vector? value) value [value]))

;; ## Exact values
;; Small whole numbers stay exact through sums, products and comparisons in whatever order they are
;; computed, so that they may decide something.

(def ^:private whole-limit {:f64 1e9, :f32 1e6, :f16 1000.0, :bf16 128.0})

(defn- whole? [dtype]
  (let [limit (double (whole-limit dtype))]
    (fn [x] (and (< (abs (double x)) limit) (== (double x) (Math/rint x))))))

(defn- exact-op?
  "Does an op give an exact value for exact arguments, provided that the value is whole? Functions
  such as log2 may miss a whole value; composites are trusted when they only move elements."
  [{:keys [kind type]} args value]
  (case kind
    :elementwise (not= type :float)
    (:composite :contract :host :nest) (let [known (into #{0.0 1.0} (mapcat array/values) args)]
                                         (every? known (array/values value)))
    true))

(defn- exact? [entry exact-args? args {:keys [dtype] :as value}]
  (or (not (type/float-dtype? dtype))
      (and exact-args? (exact-op? entry args value)
           (every? (whole? dtype) (array/values value)))))

;; ## Moving values

(def ^:private step
  "By how much a rounded value moves, relative to itself: a few units in the last place."
  {:f64 1e-15, :f32 5e-7, :f16 1e-3, :bf16 1e-2})

(defn- magnitude [arrays]
  (transduce (comp (filter #(type/float-dtype? (:dtype %))) (mapcat array/values) (map abs)
                   (filter #(< % ##Inf)))
             max 0.0 arrays))

(defn- scale-of
  "What the rounding of an op's results is relative to besides themselves: sums round as their
  terms do, and so does what several steps compute."
  [{:keys [kind ulp]} args value]
  (let [terms (quot (reduce + (map #(array/size (:shape %)) args))
                    (max 1 (array/size (:shape value))))]
    (case kind
      :elementwise (if (:of ulp) (magnitude args) 0.0)
      (:view :concat :generate :gather :leaf :check :guard) 0.0
      (* (magnitude args) (Math/sqrt (max 1 terms))))))

(defn- moved [^Random random scale {:keys [dtype shape] :as value}]
  (let [step (double (step dtype))]
    (array/of dtype shape
              (map (fn [x] (let [by (* step (max (abs (double x)) (double scale)))]
                             (if (< by ##Inf) ((if (.nextBoolean random) + -) x by) x)))
                   (array/values value)))))

(defn- leaf-exact?
  "Is what comes from outside of a graph exact: whole numbers, where it is of floats?"
  [{:keys [dtype] :as value}]
  (or (not (type/float-dtype? dtype)) (every? (whole? dtype) (array/values value))))

(defn- moving
  "The adjustment for rounds/all-values that moves what is rounded in a graph and in the graphs in
  it. What these give has been moved there."
  [seed]
  (let [random (Random. seed)]
    (fn [{:keys [nodes]}]
      (let [exact (boolean-array (count nodes))]
        (fn [id args value]
          (let [[op _ & arg-ids] (nth nodes id), {:keys [kind] :as entry} (op/entry op)
                exact-args? (every? #(aget exact (int %)) arg-ids), args (mapcat arrays args)
                kept? #(exact? entry exact-args? args %)
                moved #(if (kept? %) % (moved random (scale-of entry args %) %))
                exact! #(aset exact (int id) (boolean %))]
            (cond (#{:part :tuple} kind) (do (exact! exact-args?) value)
                  (#{:leaf :loop :branch :region} kind)
                  (do (exact! (every? leaf-exact? (arrays value))) value)
                  :else (do (exact! (and exact-args? (every? kept? (arrays value))))
                            (if (vector? value) (mapv moved value) (moved value))))))))))

;; ## Spread

(defn- far
  "How far apart two elements are: 0 or infinitely for what is not a finite float."
  ^double [x y]
  (cond (= x y) 0.0
        (not (float? x)) ##Inf
        (== x y) 0.0
        (and (Double/isNaN x) (Double/isNaN y)) 0.0
        :else (let [d (abs (- (double x) (double y)))] (if (Double/isNaN d) ##Inf d))))

(defn- spread-of
  "The largest distance from each element of an array to the same one of others."
  [value others]
  (apply mapv (fn [x & ys] (reduce max 0.0 (map #(far x %) ys)))
         (array/values value) (map array/values others)))

(defn- alike?
  "Are two arrays of one type equal, or of floats?"
  [x y]
  (or (type/float-dtype? (:dtype x)) (= (array/values x) (array/values y))))

(defn- decided?
  "Have all nodes the same type, and the same value where they are no floats, in every run?"
  [values runs]
  (every? (fn [id]
            (let [x (nth values id)]
              (or (nil? x)
                  (every? (fn [run] (let [y (get run id)]
                                      (and (= (array/type-of x) (array/type-of y))
                                           (every? true? (map alike? (arrays x) (arrays y))))))
                          runs))))
          (range (count values))))

(defn reference
  "What a graph gives for `env` by the reference interpreter: {:values arrays by id, :spread a
  function from id to the distances that `runs` runs with moved values have from each element,
  :decided whether all runs decide alike}, or {:fails message :decided …}."
  [g env runs]
  (let [{:keys [values fails]} (running/outcome #(eval/all-values g env))
        others (mapv (fn [seed]
                       (running/outcome #(rounds/all-values g env {} (moving (+ 31 seed)))))
                     (range runs))
        moved (mapv :values others)]
    (if fails
      {:fails fails, :decided (not-any? some? moved)}
      {:values values
       :decided (and (not-any? nil? moved) (decided? values moved))
       :spread (fn [id]
                 (let [x (nth values id), ys (map #(when % (get % id)) moved)]
                   (if (every? #(and % (= (array/type-of x) (array/type-of %))) ys)
                     (spread-of x ys)
                     (repeat ##Inf))))})))
