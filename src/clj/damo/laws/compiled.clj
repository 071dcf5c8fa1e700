(ns damo.laws.compiled
  "An op, compiled, against the reference interpreter: all dtypes it takes, awkward sizes, the
  variants of its generator in turn, fixed and named dimensions, special values; without rules and
  with those of :fast-run. The cases of one op and dtype are outputs of one program; a failure names
  its case as a call of `case-of`, which makes it again."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens]))

(set! *warn-on-reflection* true)

(def dtypes
  "The dtypes that ops are compiled for."
  [:f64 :f32 :i64 :i32 :i8 :u8 :bool :f16 :bf16 :i16])
(def ^:private sizes
  {:f64 [0 1 3 13 64], :f32 [0 1 3 13 64], :i64 [0 1 3 13], :i32 [0 13], :i8 [1 13], :u8 [3 13]
   :bool [1 3], :f16 [0 1 3 13], :bf16 [3 13], :i16 [1 13]})
(def ^:private elementwise-sizes
  "Those of elementwise ops, which differ in what they compute, not in the loops around it."
  {:f64 [1 13 64], :f32 [0 3 13], :i64 [13], :i32 [13], :i8 [13], :u8 [13], :bool [3], :f16 [13]
   :bf16 [13], :i16 [13]})
(def ^:private tolerances {:f64 2e-13, :f32 1e-6, :f16 1e-6, :bf16 1e-6})

;; ## Cases

(defn case-of
  "{:graph :env :call} of a case of the laws, or nil when the op does not take it: `size` is an
  extent or :special, `named` tells whether dimensions are symbols."
  [op dtype size seed named]
  (when-let [c (if (= size :special) (gens/special-case op dtype) (gens/case op dtype size seed))]
    (some-> (gens/seen-graph c named)
            (assoc :call (list `case-of op dtype size seed named)))))

(defn- cases-of
  "The cases of an op and dtype. Which variant of the generator a size takes, and whether its
  dimensions are named, moves on from dtype to dtype."
  [op dtype]
  (let [turn (.indexOf ^java.util.List dtypes dtype)
        sizes (if (= :elementwise (op/kind op)) elementwise-sizes sizes)
        case-at (fn [k size] (case-of op dtype size (+ turn k) (odd? (+ turn k))))]
    (concat (keep-indexed case-at (sizes dtype))
            (when-not (:ill-conditioned (op/entry op))
              (some-> (case-of op dtype :special 0 false) list)))))

(defn- prefixed [k {:keys [graph env]}]
  (let [rename #(symbol (str "c" k "." %))]
    {:graph (update graph :nodes (partial mapv (fn [[o :as n]]
                                                 (cond-> n
                                                   (= o :input) (update-in [1 :name] rename)))))
     :env (update-keys env rename)}))

(defn- together
  "{:graph :env} of several cases, each with an output of its own."
  [cases]
  (let [b (graph/builder), renamed (map-indexed prefixed cases)
        outputs (mapv (fn [{:keys [graph]}]
                        ((graph/load-graph! b graph) (first (:outputs graph))))
                      renamed)]
    {:graph (graph/finish b outputs), :env (into {} (map :env) renamed)}))

;; ## Checking

(defn- inputs-of [{:keys [nodes]}]
  (for [[op {:keys [name type]}] nodes :when (= op :input)] [name type]))

(defn- compiled
  "{:values arrays} or {:fails message} of a graph compiled and called once."
  [{:keys [graph env]} rules]
  (running/outcome
   #(let [c (running/compile graph {:rules rules, :inputs (inputs-of graph)})]
      (try (running/call! c env) (finally (running/close! c))))))

(defn- reference [{:keys [graph env]}]
  (running/outcome #(eval/run graph env)))

(defn- scale
  "What the rounding of an op's results is relative to: sums of products round as their terms do."
  [[_ op]]
  (if (#{:contract :composite} (op/kind op)) 20.0 1.0))

(defn- close?
  "Does an element got agree with the one expected? Storage dtypes are computed as :f32, where they
  may fall on the other side of the middle between two values, those of which it is made too when
  laws see a result through a product, `units` times."
  [dtype scale units x y]
  (or (running/element-close? (tolerances dtype 0.0) scale x y)
      (and (type/storage-dtype? dtype) (Double/isFinite x)
           (<= (abs (- x y)) (+ (* units (array/unit dtype (if (= 1 units) x (max 1.0 (abs x)))))
                                (* 1e-6 (max scale (abs x))))))))

(defn- differences
  "What differs between the expected array of a case and the one got: types, or [position expected
  got] of the first elements. With rules a NaN or infinity may have become something else."
  [call rules expected got]
  (let [units (if (:seen (op/entry (second call))) 4 1)
        close? #(close? (:dtype expected) (scale call) units %1 %2)
        free? (fn [x] (and rules (float? x) (or (Double/isNaN x) (Double/isInfinite x))))
        types (map array/type-of [expected got])]
    (if (apply = types)
      (take 4 (for [[k x y] (map vector (range) (array/values expected) (array/values got))
                    :when (not (or (free? x) (close? x y)))]
                [k x y]))
      (cons :types types))))

(defn check-case
  "Nil when the compiled case agrees with the reference, else [call {:rules bool} differences]."
  [{:keys [call] :as c} rules]
  (let [{[expected] :values, fails :fails} (reference c)
        {[got] :values, failed :fails} (compiled c rules)]
    (if (and expected got)
      (when-let [found (seq (differences call rules expected got))] [call {:rules rules} found])
      (when-not (and fails (or failed rules))
        [call {:rules rules} {:expected fails, :got failed}]))))

(defn- check-together
  "The failures among cases that the reference has values for: all in one program; when that fails
  as a whole, each by itself."
  [cases rules]
  (when (seq cases)
    (let [{got :values} (compiled (together cases) rules)]
      (if got
        (for [[{:keys [call expected]} g] (map vector cases got)
              :let [found (seq (differences call rules expected g))] :when found]
          [call {:rules rules} found])
        (or (seq (keep #(check-case % rules) cases)) [[(map :call cases) :fail-only-together]])))))

(defn- ways
  "Without rules always; with them for every other dtype."
  [op dtype]
  (if (even? (+ (hash op) (.indexOf ^java.util.List dtypes dtype))) [false true] [false]))

(defn check-op
  "What differs between the op, compiled, and its meaning, for that dtype: a sequence of [call how
  differences]."
  [op dtype]
  (let [cases (for [c (cases-of op dtype)] (assoc c :expected (first (:values (reference c)))))
        {valid true, failing false} (group-by (comp some? :expected) cases)]
    (concat (mapcat #(check-together valid %) (ways op dtype))
            (keep #(check-case % false) failing))))

(defn- total-size [{:keys [env]}]
  (reduce + (map #(array/size (:shape %)) (vals env))))

(defn check-large
  "The same as `check-op` gives, or nil, on one call with arrays beyond any vector width and
  remainder; which one depends on the op's name."
  [op]
  (let [turn (mod (hash op) 10), dtype (if (even? turn) :f32 :f64)
        c (case-of op dtype 1025 turn (< turn 5))]
    (when (and c (< (total-size c) 8000)) (check-case c false))))
