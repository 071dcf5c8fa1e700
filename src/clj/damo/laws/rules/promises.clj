(ns damo.laws.rules.promises
  "Whether a rule keeps values as it promises, over the whole range of each float dtype: extremes,
  subnormal numbers, signed zeros, mixed magnitudes, but where its :except says otherwise.
  (counterexample rule) is nil for a rule that does."
  (:require [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.type :as type]
            [damo.laws.rules.examples :as examples]
            [damo.laws.rules.instances :as instances]
            [damo.meaning.eval :as eval])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private few "How many units in the last place are a few, where a rule does not say." 4)

(defn- finite? [x] (< ##-Inf x ##Inf))

(defn- same? [x y]
  (if (and (float? x) (float? y)) (zero? (Double/compare x y)) (= x y)))

(defn- near?
  "Is y at most so many units of the larger of x and the magnitude from x? The sign of zero counts."
  [units dtype x y magnitude except]
  (let [{:keys [hi]} (type/dtypes dtype)
        a-few (fn [size] (* (long units) (array/unit dtype (min (double size) (double hi)))))
        huge (fn [x] (Math/copySign (max (abs (double x)) (- (double hi) (double (a-few hi))))
                                    (double x)))]
    (cond (not (float? x)) (= x y)
          (or (NaN? x) (NaN? y)) (and (NaN? x) (NaN? y))
          (and (zero? x) (zero? y)) (or (contains? except :zero-sign) (same? x y))
          (or (infinite? x) (infinite? y)) (and (= x (huge x)) (= y (huge y)) (pos? (* x y)))
          :else (<= (abs (- (double x) (double y)))
                    (a-few (max (abs (double x)) (abs (double (or magnitude 0.0)))))))))

(defn- kept?
  "Is y what the rule allows in the place of x?"
  [{:keys [keeps units except] :or {units few}} dtype x y magnitude]
  (let [near? #(near? units dtype x y magnitude (set except))]
    (case keeps
      :bits (same? x y)
      :value (near?)
      :drops-nan (or (and (float? x) (NaN? x)) (near?))
      (:stabilizes :regroup) true)))

(defn- no-worse?
  "Is y, in the place of x, as near to the exact value as x or a few units from it? `exact` is what
  both forms give in double precision; where they differ, only that nothing finite is lost counts."
  [dtype x y [exact exact']]
  (cond (NaN? y) (NaN? x)
        (infinite? y) (not (finite? x))
        (and exact (finite? exact) (<= (abs (- exact exact')) (* 1e-9 (abs exact))))
        (let [exact (array/convert dtype exact)]
          (or (near? few dtype exact y 0.0 #{:zero-sign})
              (and (finite? x) (<= (abs (- y exact)) (abs (- x exact))))))
        :else true))

(defn- in-double
  "Pairs of what both forms of an instance give in double precision."
  [{:keys [written made]} env]
  (let [env (update-vals env (fn [{:keys [dtype shape] :as a}]
                               (if (type/float-dtype? dtype)
                                 (array/of :f64 shape (array/values a))
                                 a)))
        [x] (eval/run written env), [y] (eval/run made env)]
    (map vector (array/values x) (array/values y))))

(defn- broken
  "Operands and results of an instance that break the promise of its rule: [[env x y] …]. `double`
  is the same instance in double precision, nil when it is that."
  [{:keys [written made] {:keys [keeps gen]} :rule :as instance} double ^Random random kind]
  (let [env (instances/environment written gen random kind)
        [{:keys [dtype] :as x}] (eval/run written env), [y] (eval/run made env)
        excepted (instances/excepted instance env)
        size (or (instances/magnitudes written env) (repeat nil))
        exact (if (and double (= keeps :stabilizes)) (in-double double env) (repeat nil))]
    (for [[x y magnitude free exact] (map vector (array/values x) (array/values y) size excepted
                                          exact)
          :when (not (or free
                         (if (and (= keeps :stabilizes) (float? x))
                           (no-worse? dtype x y exact)
                           (kept? (:rule instance) dtype x y magnitude))))]
      [(update-vals env array/values) x y])))

(defn- instances-of [{:keys [types examples] :as rule} dtype]
  (for [[left] examples
        i (try (instances/instances rule
                                    (instances/in-dtype dtype types (examples/names-in left)) left)
               (catch clojure.lang.ExceptionInfo _))]
    i))

(defn counterexample
  "The first operands, and constants, at which a rule breaks its promise, in some dtype; nil when
  there are none."
  [rule]
  (let [doubles (instances-of rule :f64)]
    (first (for [dtype [:f64 :f32 :f16]
                 [i double] (map vector (instances-of rule dtype) doubles)
                 seed (range 35)
                 :let [random (Random. seed)
                       kind (mod seed (if (= :stabilizes (:keeps rule)) 6 7))]
                 [instance double] [[i (when (not= dtype :f64) double)]
                                    [(instances/varied i random kind) nil]]
                 :when instance
                 [env x y] (broken instance double random kind)]
             {:dtype dtype, :made y, :written x, :at env
              :forms (map (comp pr-str first #(expr/from-graph % {} {}))
                          ((juxt :written :made) instance))}))))
