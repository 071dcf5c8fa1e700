(ns damo.laws.sure-slopes-test
  "Derivatives of ops on whole rows (softmax, losses, norms, products) at the points where
  written-out forms lose all digits: sure logits, large offsets, zeros, one dominant element; in
  both modes of differentiation, with rules and without, against differences of the values in sixty
  digits."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.math.decimal :as decimal]
            [damo.math.digits :as digits :refer [add div exact mul root sub]]
            [damo.math.ulp :as ulp]))

(set! *warn-on-reflection* true)

;; ## The functions on decimals

(defn- sum [xs] (reduce add 0M xs))
(defn- log-sum [xs]
  (let [top (apply max xs)] (add top (decimal/log (sum (map #(decimal/exp (sub % top)) xs))))))
(defn- log-softmax [xs] (let [l (log-sum xs)] (map #(sub % l) xs)))
(defn- softmax [xs] (map decimal/exp (log-softmax xs)))
(defn- dot [xs ys] (sum (map mul xs ys)))
(defn- mean [xs] (div (sum xs) (count xs)))
(defn- centred [xs] (let [m (mean xs)] (map #(sub % m) xs)))
(defn- var-of [xs] (mean (map #(mul % %) (centred xs))))
(defn- prefixes [xs] (map #(take % xs) (range 1 (inc (count xs)))))

(def ^:private weights [0.75 -2.0 1.25])
(def ^:private one-hot [0.0 1.0 0.0])
(def ^:private smooth [0.0 0.75 0.25])

(defn- weighted [f] (fn [x] (d/sum (d/mul weights (f x)))))

(def ^:private rows
  "Rows of logits: ordinary ones, sure ones of either kind, beyond the range of exp, far from 0,
  ties."
  [[0.3 -0.2 1.1] [0.0 50.0 1.0] [0.0 30.0 29.0] [2.0 -60.0 -1.0] [0.0 45.0 -5.0]
   [1000.0 1040.0 1001.0] [-1e5 -1e5 -1e5] [3.0 3.0 -40.0]])

(def ^:private numbers
  "Rows of numbers without a zero sum of squares: mixed, one dominant, far from 0, small."
  [[0.3 -0.2 1.1] [1e-8 1.0 2e-9] [1000.0 1000.5 1001.0] [3e-20 4e-20 -1e-20] [-5.0 7.0 2.0]])

(def ^:private cases
  "What is differentiated: the function of an expression, the same on decimals, rows to try, and the
  :unit that errors are measured in when it is larger than the slope, a function of [row slopes]."
  (let [largest (fn [_ slopes] (apply max (map abs slopes)))]
    [{:name :logsumexp, :f d/logsumexp, :exact log-sum, :rows rows}
     {:name :log-softmax, :f (weighted d/log-softmax), :exact #(dot weights (log-softmax %))
      :rows rows, :unit largest}
     {:name :log-softmax-at, :f #(d/index (d/log-softmax %) 1), :exact #(nth (log-softmax %) 1)
      :rows rows}
     {:name :softmax, :f (weighted d/softmax), :exact #(dot weights (softmax %))
      :rows rows, :unit (fn [row _] (apply max (softmax row)))}
     {:name :cross-entropy, :f #(d/cross-entropy % (d/tensor 1))
      :exact #(- (nth (log-softmax %) 1)), :rows rows}
     {:name :soft-cross-entropy-one-hot, :f #(d/soft-cross-entropy % one-hot)
      :exact #(- (dot one-hot (log-softmax %))), :rows rows}
     {:name :soft-cross-entropy, :f #(d/soft-cross-entropy % smooth)
      :exact #(- (dot smooth (log-softmax %))), :rows rows, :unit (constantly 1M)}
     {:name :cumlogsumexp, :f (weighted d/cumlogsumexp)
      :exact #(dot weights (map log-sum (prefixes %))), :rows rows
      :unit (fn [row _] (apply max 1M (map abs row)))}
     {:name :prod, :f d/prod, :exact #(reduce mul %)
      :rows (into numbers [[0.0 2.0 -3.0] [0.0 0.0 4.0] [1e20 1e-20 3.0]])}
     {:name :cumprod, :f (weighted d/cumprod)
      :exact #(dot weights (map (partial reduce mul) (prefixes %)))
      :rows (into numbers [[0.0 2.0 -3.0] [2.0 0.0 4.0]]), :unit largest}
     {:name :norm, :f d/norm, :exact #(root (dot % %)), :rows numbers}
     {:name :mean, :f d/mean, :exact mean, :rows numbers}
     {:name :var, :f d/var, :exact var-of, :rows numbers, :unit largest}
     {:name :std, :f d/std, :exact #(root (var-of %)), :rows numbers, :unit largest}
     {:name :ptp, :f d/ptp, :exact #(sub (apply max %) (apply min %)), :rows numbers}
     {:name :dot, :f #(d/dot % weights), :exact #(dot weights %), :rows numbers}]))

;; ## Slopes

(defn- exact-slopes
  "By central differences, relative to the size of the row."
  [f row]
  (let [row (mapv exact row), h (mul 1e-15M (max 1e-20M (apply max (map abs row))))]
    (for [i (range (count row)) :let [at #(f (update row i add %))]]
      (div (sub (at h) (at (- h))) (mul 2 h)))))

(defn- compiled
  "A function of a row to the slopes of all cases there: for each [[reverse …] [forward …]]."
  [dtype mode]
  (let [x (d/input 'x [dtype [3]])
        unit #(d/tensor (assoc [0.0 0.0 0.0] % 1.0) dtype)
        slopes-of (fn [{:keys [f]}]
                    (let [y (f x)] (into [(d/grad y x)] (map #(d/rop y x (unit %))) (range 3))))
        all (d/function [x] (vec (mapcat slopes-of cases)) {:mode mode})]
    (fn [row] (for [[g & ts] (partition 4 (map deref (all (d/tensor row dtype))))]
                [(vec g) (vec ts)]))))

(def ^:private bound
  "In units in the last place; the slopes of exponents x - log Σ e^x have errors of |x - max x|."
  32)

(defn- problems
  "What is off at a row of a case, where these are the slopes: [{:row :way :slopes :exact :ulp} …]."
  [{:keys [name exact unit] :or {unit (constantly 0M)}} dtype row slopes]
  (let [exact-ones (exact-slopes exact row), of (unit (map digits/exact row) exact-ones)]
    (for [[way got] (map vector [:reverse :forward] slopes)
          :let [errors (map #(ulp/error dtype %1 (double %2) of) exact-ones got)]
          :when (some #(< bound %) errors)]
      {:name name, :row row, :way way, :got got, :exact (map double exact-ones), :ulp errors})))

(deftest slopes-of-rows
  (doseq [dtype [:f64 :f32], mode [:fast-run :none]
          :let [slopes-at (memoize (compiled dtype mode))]
          [k c] (map-indexed vector cases), row (:rows c)
          :let [row (if (= dtype :f32) (mapv #(double (float %)) row) row)]]
    (is (empty? (problems c dtype row (nth (slopes-at row) k))) (str dtype mode))))
