(ns damo.face.verify
  "Derivatives against finite differences at a user's points, in both modes, by random projection.
  In: a function of expressions and values for its arguments. Out: the worst entry, or a failure
  that names it. Central differences; an entry passes when its absolute or its relative error is
  small.
  (verify-grad tanh [[0.1 0.2]]) is {:mode :forward, :argument nil, :index [1], …}."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.thrown :as thrown]
            [damo.data.type :as type]
            [damo.face.derivative :as derivative]
            [damo.face.function :as function]
            [damo.op :as op]
            [damo.ops.all])
  (:import [damo.tensor DType Tensor]
           [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private defaults
  "The step and the tolerances, absolute or relative, for the least precise dtype that takes part."
  {:f64 {:eps 1e-7, :tolerance 1e-4}, :f32 {:eps 3e-4, :tolerance 1e-2}
   :f16 {:eps 1e-1, :tolerance 5e-2}, :bf16 {:eps 1e-1, :tolerance 1e-1}})

(def ^:private precision [:bf16 :f16 :f32 :f64])

;; ## Arrays
;; An array is {:dtype :shape :values [double …]}, row-major.

(defn- array-of [^Tensor t]
  {:dtype (keyword (.label ^DType (.dtype t))), :shape (vec (.shape t))
   :values (let [x (.get (.reshape t (long-array [(.elements t)])))] (vec x))})

(defn- tensor-of ^Tensor [{:keys [dtype shape values]}]
  (let [d (DType/of (name dtype))]
    (if (empty? values)
      (Tensor/zeros d (long-array shape))
      (.reshape (Tensor/of values d) (long-array shape)))))

(defn- rounded
  "The array as its dtype holds it."
  [a]
  (array-of (tensor-of a)))

(defn- index-at
  "The index of the element at `position` of an array of that shape."
  [shape position]
  (loop [dims (reverse shape), rest (long position), index ()]
    (if-let [[d & more] (seq dims)]
      (recur more (quot rest (long d)) (cons (rem rest (long d)) index))
      (vec index))))

(defn- random-like
  "An array of that type with elements of a size between 0.5 and 1.5 and random signs."
  [^Random random [dtype shape]]
  (rounded {:dtype dtype, :shape shape
            :values (vec (repeatedly (type/size shape)
                                     #(* (if (.nextBoolean random) 1.0 -1.0)
                                         (+ 0.5 (.nextDouble random)))))}))

(defn- inner [a b] (reduce + 0.0 (map * (:values a) (:values b))))

(defn- minus [a b] (assoc a :values (mapv - (:values a) (:values b))))

;; ## What is compared

(defn- float-array? [{:keys [dtype]}] (type/float-dtype? dtype))

(defn- caller
  "A function from arrays to arrays that computes the expressions, compiled."
  [inputs outputs opts]
  (let [f (function/function inputs outputs (merge (select-keys opts [:mode])
                                                   {:on-unused-input :ignore}))]
    (fn [arrays] (mapv array-of (apply f (map tensor-of arrays))))))

(defn- result-of [f inputs]
  (let [y (apply f inputs)]
    (when-not (and (expr/expr? y) (type/float-dtype? (type/dtype-of (expr/type-of y))))
      (fail! :damo.verify/not-differentiable
             (str "the function must give one floating-point expression; got "
                  (expr/describe y))
             {:given y}))
    y))

(defn- input [prefix k [dtype shape]]
  (op/node :input {:name (symbol (str prefix k)), :type [dtype shape]} []))

(defn- functions
  "{:value :reverse :forward :type}: f and its derivatives in both modes, as functions of arrays."
  [f points opts]
  (let [xs (vec (map-indexed (fn [k {:keys [dtype shape]}] (input "x" k [dtype shape])) points))
        wrt (vec (keep-indexed #(when (float-array? (points %1)) %2) xs))
        y (result-of f xs), u (input "u" 0 (expr/type-of y))
        vs (vec (map-indexed #(input "v" %1 (expr/type-of %2)) wrt))
        ignoring {:disconnected :ignore}]
    {:type (expr/type-of y), :expr y
     :value (caller xs [y] opts)
     :reverse (caller (conj xs u) (derivative/lop y wrt u ignoring) opts)
     :forward (caller (into xs vs) [(derivative/rop y wrt vs ignoring)] opts)}))

(defn- entry
  "One comparison; :excess is above 1 when neither error is within the tolerances."
  [{:keys [abs-tol rel-tol]} place analytic numeric]
  (let [absolute (Math/abs (- (double analytic) (double numeric)))
        relative (/ absolute (max 1e-8 (+ (Math/abs (double analytic))
                                          (Math/abs (double numeric)))))
        excess (min (/ absolute (double abs-tol)) (/ relative (double rel-tol)))]
    (assoc place :analytic analytic, :numeric numeric, :absolute absolute, :relative relative
           :excess (if (Double/isNaN excess) ##Inf excess))))

(defn- slope
  "The difference quotient of ⟨u, f⟩ when element `position` of argument k moves."
  [{:keys [value]} points {:keys [eps]} u k position]
  (let [at (fn [step] (rounded (update-in (points k) [:values position] + step)))
        [ahead back] [(at eps) (at (- eps))]
        [a] (value (assoc points k ahead)), [b] (value (assoc points k back))]
    (/ (inner u (minus a b))
       (- (get-in ahead [:values position]) (get-in back [:values position])))))

(defn- reverse-entries [{type :type, gradients :reverse :as fs} points opts random]
  (let [u (random-like random type)
        floats (filterv #(float-array? (points %)) (range (count points)))]
    (for [[k g] (map vector floats (gradients (conj points u)))
          position (range (count (:values g)))]
      (entry opts {:mode :reverse, :argument k, :index (index-at (:shape g) position)}
             (get-in g [:values position]) (slope fs points opts u k position)))))

(defn- moved [points vs step]
  (loop [points points, ks (filter #(float-array? (points %)) (range (count points))), vs vs]
    (if-let [[k & more] (seq ks)]
      (recur (update-in points [k :values]
                        #(mapv (fn [x v] (+ x (* step v))) % (:values (first vs))))
             more (rest vs))
      points)))

(defn- forward-entries [{:keys [value forward]} points {:keys [eps] :as opts} random]
  (let [vs (mapv (fn [{:keys [dtype shape]}] (random-like random [dtype shape]))
                 (filter float-array? points))
        [t] (forward (into points vs))
        [a] (value (moved points vs eps)), [b] (value (moved points vs (- eps)))]
    (for [position (range (count (:values t)))]
      (entry opts {:mode :forward, :argument nil, :index (index-at (:shape t) position)}
             (get-in t [:values position])
             (/ (- (get-in a [:values position]) (get-in b [:values position])) (* 2 eps))))))

;; ## The verdict

(defn- message [{:keys [mode argument index analytic numeric absolute relative]} opts y]
  (str "the derivative in " (name mode) " mode is wrong: "
       (if argument (str "by argument " argument " at " index) (str "of the result at " index))
       " it is " analytic ", by finite differences " numeric "\n  absolute error " absolute
       " (allowed " (:abs-tol opts) "), relative error " relative " (allowed " (:rel-tol opts)
       ")\n  of the function " (expr/describe y)))

(def ^:private schemas
  {:eps {:default nil, :is :number}, :abs-tol {:default nil, :is :number}
   :rel-tol {:default nil, :is :number}, :n-tests {:default 2, :is :integer}
   :seed {:default 1, :is :integer}, :mode {:default nil}})

(defn- options
  "The options with a step and tolerances for the dtypes that take part."
  [points y-dtype {:keys [eps abs-tol rel-tol] :as opts}]
  (let [used (into #{y-dtype} (comp (filter float-array?) (map :dtype)) points)
        {default-eps :eps, :keys [tolerance]} (defaults (first (filter used precision)))]
    (assoc opts :eps (or eps default-eps), :abs-tol (or abs-tol tolerance)
           :rel-tol (or rel-tol tolerance))))

(defn verify-grad
  "Compares both modes of differentiation of `user-fn`, a function of expressions that gives one
  floating-point expression of any shape, with finite differences at `points`, a vector of values,
  one an argument: tensors, numbers, nested data; the dtypes are theirs, integers are held fixed.
  Each gradient of a random projection of the result is compared element by element, and each
  tangent along a random direction. Returns the worst entry, {:mode :argument :index :analytic
  :numeric :absolute :relative :excess}; fails with :damo.verify/wrong-derivative, which has it as
  data, when an entry misses both tolerances. Calls its code twice for each element of the points.
  Options: :eps, the step; :abs-tol and :rel-tol (by dtype: :f64 1e-7 and 1e-4, :f32 3e-4 and 1e-2,
  :f16 0.1 and 0.05); :n-tests projections (2); :seed (1: the same numbers at each call); :mode of
  the compiled functions."
  [user-fn points & opts]
  (let [opts (attribute/options schemas [] opts)
        points (mapv #(array-of (if (instance? Tensor %) % (thrown/translating (Tensor/of %))))
                     points)
        _ (when-not (some float-array? points)
            (fail! :damo.verify/not-differentiable "none of the points is of a floating dtype" {}))
        {[dtype] :type, y :expr :as fs} (functions user-fn points opts)
        {:keys [seed n-tests] :as opts} (options points dtype opts)
        random (Random. seed)
        entries (doall (mapcat (fn [_] (concat (reverse-entries fs points opts random)
                                               (forward-entries fs points opts random)))
                               (range n-tests)))
        worst (when (seq entries) (apply max-key :excess entries))]
    (when (and worst (< 1 (:excess worst)))
      (fail! :damo.verify/wrong-derivative (message worst opts y) worst))
    worst))
