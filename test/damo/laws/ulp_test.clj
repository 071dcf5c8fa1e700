(ns damo.laws.ulp-test
  "Every elementwise op on floats, compiled, is within the error that its entry states (:ulp, two
  units in the last place by default), at arguments of all magnitudes, and its :eval is accurate
  enough to be the oracle of the other laws. :f32 is compared with :eval in double precision, :f64
  with decimals of sixty digits. (print-errors 10000) prints the largest errors found."
  (:require [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.laws.floats :as floats]
            [damo.laws.running :as running]
            [damo.math.exactly :as exactly]
            [damo.math.ulp :as ulp]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.ops.all])
  (:import (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

;; ## What is tried

(defn- float-call
  "A generated call of the op on floats that gives the same dtype, or nil."
  [op dtype]
  (let [{[d] :type :as c} (gens/case op dtype 3 0)]
    (when (and (= d dtype) (some #(= dtype (:dtype %)) (:args c))) c)))

(defn- ops
  "The elementwise ops that are compiled for the dtype."
  [dtype]
  (sort (for [[op {:keys [kind scalar]}] @op/registry
              :when (and (= kind :elementwise) scalar (float-call op dtype))]
          op)))

(defn- argument [^SplittableRandom random dtype gen before]
  (cond (= gen :bool) (.nextBoolean random)
        (and before (zero? (.nextInt random 6))) (floats/near random before)
        :else (floats/random-float random dtype (or gen [-3 3]))))

(defn- row [random dtype {:keys [args gen]}]
  (reduce (fn [row arg]
            (let [x (argument random dtype (get gen arg) (peek (filterv float? row)))]
              (conj row (if (float? x) (array/convert dtype x) x))))
          [] args))

(defn- rows [op dtype n]
  (let [random (SplittableRandom. (hash op))]
    (vec (repeatedly n #(row random dtype (op/entry op))))))

;; ## The machine's answers

(defn- add-op!
  "Adds the op on inputs of its own to a builder; returns its id."
  [b op {:keys [attrs args]} n]
  (let [input (fn [i {:keys [dtype]}]
                (let [type [dtype [n]]]
                  (op/->Id (graph/add-node! b [:input {:name (symbol (str (name op) i)) :type type}]
                                            type nil))))]
    (op/emit! b op attrs (vec (map-indexed input args)) nil)))

(defn- env-of [op {:keys [args]} rows]
  (into {} (map-indexed (fn [i {:keys [dtype]}]
                          [(symbol (str (name op) i))
                           (array/of dtype [(count rows)] (map #(nth % i) rows))])
                        args)))

(defn- compiled
  "{op results} for {op rows}, by one compiled function."
  [dtype rows-of]
  (let [b (graph/builder)
        ops (keys rows-of)
        call #(float-call % dtype)
        ids (mapv #(add-op! b % (call %) (count (rows-of %))) ops)
        c (running/compile (graph/finish b ids) {:rules false})]
    (try (zipmap ops (map array/values
                          (running/call! c (into {} (map #(env-of % (call %) (rows-of %))) ops))))
         (finally (running/close! c)))))

;; ## Errors

(defn- template-of [{:keys [scalar args]} {:keys [attrs] :as call}]
  (let [form (if (fn? scalar) (scalar attrs (mapv :dtype (:args call))) scalar)]
    (cond (= form :identity) (first args)
          (keyword? form) (into [form] args)
          :else form)))

(defn- oracle [op]
  (if-let [f (exactly/functions op)]
    #(apply f %)
    (exactly/function (template-of (op/entry op) (float-call op :f64)) (:args (op/entry op)))))

(defn- exact
  "The exact result for the arguments: the oracle's, where it can be asked, or that of :eval."
  [op dtype xs ^double y]
  (let [floats (filter float? xs)]
    (if (and (= dtype :f64) (not (zero? y))
             (every? #(Double/isFinite (double %)) (cons y floats)))
      ((oracle op) (map exactly/decimal xs))
      (ulp/as-decimal dtype (if (= dtype :f32) (max -1e300 (min 1e300 y)) y)))))

(defn- unit-of
  "What errors are measured against besides the result, a BigDecimal: the value of the template :of
  of an entry's :ulp."
  [{:keys [args] {:keys [of]} :ulp} xs y]
  (if (and of (every? #(Double/isFinite (double %)) (cons y (filter float? xs))))
    (abs ((exactly/function of args) (map exactly/decimal xs)))
    0M))

(defn- errors
  "[error of the machine's result, error of :eval] at the arguments."
  [op dtype xs got]
  (let [{:keys [eval] :as entry} (op/entry op)
        y (double (apply eval xs))]
    (if (Double/isNaN y)
      [(if (Double/isNaN got) 0.0 ##Inf) 0.0]
      (let [x (exact op dtype xs y), of (unit-of entry xs y)]
        [(ulp/error dtype x got of) (if (= dtype :f64) (ulp/error dtype x y of) 0.0)]))))

(defn- findings
  "The errors of one op: [{:op :dtype :args :got :ulp :eval-ulp} …]."
  [op dtype rows results]
  (mapv (fn [xs got]
          (let [[e ee] (errors op dtype xs got)]
            {:op op, :dtype dtype, :args xs, :got got, :ulp e, :eval-ulp ee}))
        rows results))

(defn- all-findings [dtype n ops]
  (let [rows-of (into {} (map (fn [op] [op (rows op dtype n)])) ops)
        results (compiled dtype rows-of)]
    (into {} (pmap (fn [op] [op (findings op dtype (rows-of op) (results op))]) ops))))

(defn- bound [op dtype] (get (:ulp (op/entry op)) dtype 2))

(def ^:private eval-bound
  "What :eval may be off, in units of the last place of :f64: 2^-16 of one of :f32."
  8192)

(defn- excess
  "What is wrong among the findings of an op: at most one, the worst, with the exact value."
  [op dtype found]
  (let [{:keys [args ulp] :as worst} (apply max-key :ulp found)
        poor (apply max-key :eval-ulp found)]
    (cond (< (bound op dtype) ulp)
          (assoc worst :bound (bound op dtype)
                 :expected (let [y (double (apply (:eval (op/entry op)) args))]
                             (if (Double/isNaN y) y (double (exact op dtype args y)))))
          (< eval-bound (:eval-ulp poor)) (assoc poor :wrong :eval))))

(deftest compiled-floats-are-within-the-stated-error
  (doseq [[dtype n] {:f32 1000, :f64 60}, [op found] (all-findings dtype n (ops dtype))]
    (is (nil? (excess op dtype found)))))

(defn print-errors
  "Prints for each op (all by default) and dtype the largest error of n results, and where it is."
  [n & only]
  (doseq [dtype [:f32 :f64]
          [op found] (sort-by key (all-findings dtype n (or only (ops dtype))))]
    (let [{:keys [args ulp]} (apply max-key :ulp found)]
      (println (format "%-24s %-4s %8.3f of %-4s eval %8.1f  %s" (name op) (name dtype) ulp
                       (bound op dtype) (reduce max (map :eval-ulp found)) (pr-str args))))))
