(ns damo.laws.slopes-test
  "Every derivative of an elementwise op, compiled, in both modes of differentiation, with rules and
  without, is within the error that its entry states (:slope-ulp, see damo.op.accuracy/slope-bound),
  at arguments of all magnitudes, against decimals of sixty digits. (print-errors 1000) prints the
  largest errors found."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.laws.floats :as floats]
            [damo.laws.running :as running]
            [damo.math.exactly :as exactly]
            [damo.math.slopes :as slopes]
            [damo.math.ulp :as ulp]
            [damo.op :as op]
            [damo.op.accuracy :as accuracy]
            [damo.ops.all])
  (:import (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

;; ## What is tried

(def ^:private constants
  "Numbers in place of one of two arguments: rules move them about."
  {:f64 [1e-200 1e200]})

(defn- calls
  "[[op attrs {position number}] …]: what is differentiated, every op with every variant of its
  attributes, and with numbers in place of one argument."
  [ops dtype]
  (for [op ops, attrs (slopes/variants op [{}])
        fixed (cons {} (when (= 2 (count (:args (op/entry op))))
                         (for [c (constants dtype), i [0 1]] {i (array/convert dtype c)})))]
    [op attrs fixed]))

(defn- argument [^SplittableRandom random dtype gen before]
  (case (.nextInt random 6)
    0 (if before (floats/near random before) (floats/of-any-magnitude random dtype))
    1 (floats/of-any-magnitude random dtype)
    2 (floats/near-an-end random)
    (floats/random-float random dtype (or gen [-3 3]))))

(defn- row [random dtype {:keys [args gen]}]
  (reduce (fn [row arg]
            (conj row (array/convert dtype (argument random dtype (when (map? gen) (gen arg))
                                                     (peek row)))))
          [] args))

(defn- rows
  "The arguments of a call at which it is tried."
  [[op _ fixed :as call] dtype n]
  (let [random (SplittableRandom. (hash call)), {:keys [args] :as entry} (op/entry op)]
    (into (if (= 1 (count args)) (mapv vector (floats/grid dtype)) [])
          (repeatedly (if (seq fixed) (quot n 4) n)
                      #(reduce-kv assoc (row random dtype entry) fixed)))))

;; ## The machine's answers

(defn- input! [b name type]
  (graph/add-node! b [:input {:name name :type type}] type nil))

(defn- arguments-of
  "The positions by which an op is differentiated."
  [[op attrs fixed]]
  (keep-indexed (fn [i f] (when (and f (not (fixed i))) i)) (slopes/functions op attrs)))

(defn- add-call!
  "Adds a call on inputs of its own to a builder: {:inputs ids :out id :ones id}."
  [b k [op attrs fixed] dtype n]
  (let [type [dtype [n]], name-of #(symbol (str "c" k "." %))
        inputs (mapv #(when-not (fixed %) (input! b (name-of %) type))
                     (range (count (:args (op/entry op)))))]
    {:inputs inputs, :ones (input! b (name-of "ones") type)
     :out (op/emit! b op attrs (map-indexed #(or (fixed %1) (op/->Id %2)) inputs) nil)}))

(defn- derived
  "[graph ids]: the graph with the slopes of a call, one by one: first those of the gradient, then
  the tangents for ones."
  [g call {:keys [inputs ones out]}]
  (let [wrt (map inputs (arguments-of call)), ignoring {:disconnected :ignore}
        b (graph/builder), old (graph/load-graph! b g)
        cost (op/emit! b :sum {} [(op/->Id (old out))] nil)
        {g :graph, gradients :grads} (diff/grad (graph/finish b (:outputs g)) cost wrt ignoring)]
    (reduce (fn [[g ids] x]
              (let [{g :graph, [tangent] :grads} (diff/rop g [out] [x] [ones] ignoring)]
                [g (conj ids tangent)]))
            [g (vec gradients)] wrt)))

(defn- env-of [k rows dtype]
  (let [n (count rows), column (fn [xs] (array/of dtype [n] xs))]
    (into {(symbol (str "c" k ".ones")) (column (repeat n 1.0))}
          (for [i (range (count (first rows)))]
            [(symbol (str "c" k "." i)) (column (map #(nth % i) rows))]))))

(defn- compiled
  "For each call its slopes at its rows, in a map by [argument direction], by one compiled
  function."
  [dtype mode rows-of]
  (let [b (graph/builder)
        added (vec (map-indexed (fn [k [call rows]] (add-call! b k call dtype (count rows)))
                                rows-of))
        g (graph/finish b [])
        [g ids] (reduce (fn [[g ids] [[call] parts]]
                          (let [[g found] (derived g call parts)] [g (conj ids found)]))
                        [g []] (map vector rows-of added))
        c (running/compile (assoc g :outputs (vec (apply concat ids)))
                           {:mode mode, :inputs (for [[op {:keys [name type]}] (:nodes g)
                                                      :when (= op :input)] [name type])})]
    (try
      (let [values (running/call! c (into {} (map-indexed (fn [k [_ rows]] (env-of k rows dtype))
                                                          rows-of)))]
        (loop [[[call] & more] rows-of, values (map array/values values), found {}]
          (if call
            (let [keys (for [way [:reverse :forward], i (arguments-of call)] [i way])
                  [own others] (split-at (count keys) values)]
              (recur more others (assoc found call (zipmap keys own))))
            found)))
      (finally (running/close! c)))))

;; ## Errors

(defn- asked?
  "Is a slope asked for at these arguments? Where they are finite and the op has a value."
  [op xs]
  (let [{:keys [eval kind]} (op/entry op)]
    (and (every? #(Double/isFinite %) xs)
         (or (not= kind :elementwise) (not (Double/isNaN (double (apply eval xs))))))))

(defn- oracle
  "What a function of decimals gives for numbers; nil where it is not known, as at a pole."
  [f xs]
  (try (f (map exactly/decimal xs))
       (catch ArithmeticException _) (catch NumberFormatException _)
       (catch IllegalArgumentException _)))

(defn- exact-rows
  "[[row exact-slope unit] …] for one argument of a call, where a slope is asked for and known."
  [[op attrs] i rows]
  (let [f (nth (slopes/functions op attrs) i), {:keys [args]} (op/entry op)
        {:keys [of except]} (accuracy/slope-bound op attrs i)
        template #(if % (exactly/function % args) (constantly %2))
        unit (template of 0M), left-out? (template except false)]
    (vec (for [xs rows :when (and (asked? op xs) (not (oracle left-out? xs)))
               :let [slope (oracle f xs)] :when slope]
           [xs slope (abs (oracle unit xs))]))))

(defn- error
  "The error of a slope in the units of its bound."
  [dtype slope got unit {:keys [least] :or {least 0} :as bound}]
  (let [smallest (BigDecimal. (double ({:f32 Float/MIN_VALUE, :f64 Double/MIN_VALUE} dtype)))
        e (ulp/error dtype slope got unit)]
    (if (and (< 0 e ##Inf)
             (<= (abs (- slope (ulp/as-decimal dtype got))) (* least smallest)))
      (min e (double (dtype bound)))
      e)))

(defn- findings
  "The errors of the slopes of a call by its argument i: [{:op :args :got :ulp …} …]."
  [[op attrs :as call] i dtype rows results]
  (let [by-row (zipmap rows (range)), bound (accuracy/slope-bound op attrs i)]
    (for [[xs slope unit] (exact-rows call i rows), [mode slopes] results :when (slopes call)
          way [:reverse :forward]
          :let [got (nth (get-in slopes [call [i way]]) (by-row xs))]]
      {:op op, :attrs attrs, :by i, :mode mode, :way way, :dtype dtype, :args xs, :got got
       :exact (double slope), :ulp (error dtype slope got unit bound), :bound (dtype bound)})))

(defn- worst
  "The largest error of each argument of each call."
  [dtype n ops]
  (let [rows-of (vec (for [call (calls ops dtype)] [call (rows call dtype n)]))
        without-numbers (remove (fn [[[_ _ fixed]]] (seq fixed)) rows-of)
        results {:none (compiled dtype :none without-numbers)
                 :fast-run (compiled dtype :fast-run rows-of)}]
    (->> (for [[call rows] rows-of, i (arguments-of call)] [call i rows])
         (pmap (fn [[call i rows]]
                 (let [found (findings call i dtype rows results)]
                   (when (seq found) (apply max-key :ulp found)))))
         (filterv some?))))

(defn print-errors
  "Prints for each op (all by default) and dtype the largest error of the slopes at n random
  arguments and a grid, and where it is."
  [n & only]
  (doseq [dtype [:f32 :f64], {:keys [op attrs by mode way args got exact ulp bound]}
          (worst dtype n (sort (or only (keys slopes/slopes))))]
    (println (format "%s%-22s %d %s %12.3f of %s %-8s %-7s %s got %s, is %s"
                     (if (< bound ulp) "!! " "   ") (str (name op) (when (seq attrs) attrs)) by
                     dtype ulp bound (name mode) (name way) (pr-str args) got exact))))

(deftest slopes-are-within-the-stated-error
  (doseq [[dtype n] {:f32 16, :f64 24}, {:keys [bound ulp] :as found}
          (worst dtype n (sort (keys slopes/slopes)))]
    (is (<= ulp bound) (pr-str found))))

(defn- stepwise? [{:keys [partials]}]
  (and (vector? partials) (every? #(= 0 %) partials)))

(deftest every-elementwise-op-has-a-bound-or-a-reason
  (doseq [[op {:keys [kind partials lop slope-ulp] :as entry}] @op/registry
          :when (and (= kind :elementwise) (or partials lop) (not (stepwise? entry)))]
    (is (or (slopes/slopes op) (string? slope-ulp)) (str op))))

(deftest the-formulas-are-slopes
  (testing "of the exact functions, by differences of sixty digits"
    (doseq [op (filter exactly/functions (keys slopes/slopes)), attrs (slopes/variants op [{}])
            seed (range 3)
            :let [{:keys [args gen]} (op/entry op), f (exactly/functions op)
                  random (SplittableRandom. (+ seed (hash op)))
                  xs (mapv #(let [[lo hi] (get gen % [-3 3])]
                              (exactly/decimal (.nextDouble random lo hi))) args)]
            [i slope] (map-indexed vector (slopes/functions op attrs)) :when slope]
      (let [h 1e-15M, at #(apply f (concat (vals attrs) (update xs i + %)))
            difference (/ (- (at h) (at (- h))) (* 2 h))]
        (is (< (abs (- difference (slope xs))) (* 1e-12M (+ 1e-3M (abs (slope xs)))))
            (str op xs))))))
