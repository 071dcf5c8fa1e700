(ns damo.math-test
  "The tables of math functions, listed in resources/damo/math.edn: that every definition is well
  formed, right at special values and within its stated error, as machine code and instruction by
  instruction."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.codegen.reference :as reference]
            [damo.jit.calling :as calling]
            [damo.math.decimal-bessel :as decimal-bessel]
            [damo.math.decimal-gamma :as decimal-gamma]
            [damo.math.exactly :as exactly]
            [damo.math.samples :as samples]
            [damo.math.ulp :as ulp])
  (:import (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

(defn- resource [name] (edn/read-string (slurp (io/resource name))))

(def ^:private families (map #(resource (str "damo/" %)) (resource "damo/math.edn")))
(def ^:private instructions (resource "damo/scalar.edn"))
(def ^:private table
  "The definitions of functions of floats; those of integers are exact, and tested by their bits
  (damo.ops.random)."
  (into {} (remove (fn [[f _]] (= :i64 (:on (instructions f))))) (reduce merge families)))
(def ^:private dtypes [:f32 :f64])
(def ^:private oracles exactly/functions)

;; ## The definitions, instruction by instruction

(defn- gives
  "The dtype of an instruction's result on operands of one dtype."
  [op dtype]
  (case (:gives (instructions op))
    :same dtype
    :bool :bool
    :bits ({:f32 :i32 :f64 :i64} dtype)
    :float ({:i32 :f32 :i64 :f64} dtype)))

(defn- constant [dtype x]
  (case dtype :f32 (unchecked-float x) :f64 (double x) x))

(declare evaluate)

(defn- instruction
  "[dtype value] of an instruction on operands [dtype value]; refuses mixed dtypes."
  [op operands]
  (let [types (map first (if (= op :select) (rest operands) operands))
        dtype (first types)
        values (map second operands)]
    (assert (and (apply = types) (= (count operands) (:args (instructions op)))
                 (or (not= op :select) (= :bool (ffirst operands)))) (pr-str op operands))
    (if (:math (instructions op))
      [dtype (evaluate op dtype values)]
      [(gives op dtype) (reference/apply-instruction op dtype values)])))

(defn- expression
  "[dtype value] of an expression; a bare number is a constant of `default`."
  [env default form]
  (cond (symbol? form) (or (env form) (assert false (str "unbound " form)))
        (number? form) [default (constant default form)]
        :else
        (let [[op & operands] form]
          (case op
            :const [(first operands) (constant (first operands) (second operands))]
            :cast (let [[from value] (expression env default (second operands))]
                    [(first operands) (reference/convert from (first operands) value)])
            (instruction op (map #(expression env default %) operands))))))

(defn- evaluate
  "The value of a math function, every instruction rounded on its own."
  [f dtype values]
  (let [{:keys [args return] :as definition} (get-in table [f dtype])
        env (reduce (fn [env [name form]] (assoc env name (expression env dtype form)))
                    (zipmap args (map #(vector dtype (constant dtype %)) values))
                    (partition 2 (:let definition)))
        [result value] (expression env dtype return)]
    (assert (= result dtype) (str f " gives " result))
    value))

(deftest every-function-is-defined
  (is (apply distinct? (mapcat keys families)) "in one file only")
  (is (= (set (keep (fn [[op row]] (when (and (:math row) (not= :i64 (:on row))) op))
                    instructions)) (set (keys table))))
  (is (set/subset? (set (keys table)) (set (keys oracles))))
  (doseq [[f definitions] table]
    (is (= (set dtypes) (set (keys definitions))) (str f))))

(defn- names [form] (set (filter symbol? (tree-seq vector? seq form))))

(def ^:private gammas #{:gamma :gammaln :psi :trigamma})

(def ^:private special-functions
  "Those that may have errors of 8 ulp."
  (into gammas [:erf :erfc :erfcx :erfinv :erfcinv :ndtr :log-ndtr :j0 :j1 :i0 :i1 :i0e :i1e]))

(def ^:private incomplete #{:gammainc :gammaincc :incomplete-gamma})
(def ^:private parts-of-incomplete
  (into incomplete [:gamma-decay :exp-excess :stirling :gamma-front]))

(def ^:private betas
  #{:beta :betaln :beta-parts :betainc :beta-front :beta-decay :beta-tail :beta-near})

(defn- highest-ulp [f]
  (cond (incomplete f) 10
        (some #(% f) [special-functions parts-of-incomplete betas]) 8
        :else 2))

(deftest definitions-are-well-formed
  (doseq [[f definitions] table, [dtype {:keys [args return ulp why] :as definition}] definitions]
    (testing [f dtype]
      (let [bindings (partition 2 (:let definition))
            bound (into (vec args) (map first bindings))
            used (reduce into (names return) (map (comp names second) bindings))]
        (is (= (:args (instructions f)) (count args)))
        (is (set/subset? (set (keys definition)) #{:args :let :near :return :ulp :why}))
        (is (apply distinct? bound) "a name is bound once")
        (is (= (set bound) used) "every name is bound, and used")
        (is (<= 0.5 ulp (highest-ulp f)))
        (is (not (str/blank? why)))))))

;; ## Special values, as in C99, Annex F

(def ^:private inf ##Inf)
(def ^:private nan ##NaN)

(defn- odd-rows [& rows]
  (into [[0.0 0.0] [-0.0 -0.0]] (mapcat (fn [[x y]] [[x y] [(- x) (- y)]])) rows))

(def ^:private special
  "The rows [argument … result] of each function that must hold exactly."
  {:exp [[0.0 1.0] [-0.0 1.0] [inf inf] [(- inf) 0.0] [1e30 inf] [-1e30 0.0]]
   :exp2 [[0.0 1.0] [-0.0 1.0] [inf inf] [(- inf) 0.0] [10.0 1024.0] [-3.0 0.125]]
   :expm1 [[0.0 0.0] [-0.0 -0.0] [inf inf] [(- inf) -1.0] [-1e30 -1.0] [1e-30 1e-30]]
   :log [[1.0 0.0] [0.0 (- inf)] [-0.0 (- inf)] [inf inf] [-1.0 nan] [(- inf) nan]]
   :log2 [[1.0 0.0] [0.0 (- inf)] [-0.0 (- inf)] [inf inf] [-1.0 nan] [1024.0 10.0] [0.125 -3.0]]
   :log10 [[1.0 0.0] [0.0 (- inf)] [-0.0 (- inf)] [inf inf] [-1.0 nan] [1000.0 3.0] [1e10 10.0]]
   :log1p [[0.0 0.0] [-0.0 -0.0] [-1.0 (- inf)] [inf inf] [-2.0 nan] [(- inf) nan] [1e-30 1e-30]]
   :sin (odd-rows [inf nan] [1e-30 1e-30])
   :cos [[0.0 1.0] [-0.0 1.0] [inf nan] [(- inf) nan] [1e-30 1.0]]
   :tan (odd-rows [inf nan] [1e-30 1e-30])
   :circular [[0.0 0.0 0.0 0.0] [-0.0 0.0 0.0 -0.0] [0.0 1.0 0.0 1.0] [0.0 3.0 0.0 -1.0]
              [0.0 -1.0 0.0 -1.0] [inf 0.0 0.0 nan] [1e-30 0.0 0.0 1e-30] [-0.0 0.0 1.0 -0.0]
              [inf 0.0 1.0 nan]]
   :circular-near [[0.0 0.0 0.0 0.0] [-0.0 0.0 0.0 -0.0] [0.0 1.0 0.0 1.0] [0.0 3.0 0.0 -1.0]
                   [inf 0.0 0.0 nan] [1e-30 0.0 0.0 1e-30] [-0.0 0.0 1.0 -0.0] [nan 1.0 1.0 nan]]
   :float-mod [[7.5 2.0 1.5] [-7.5 2.0 0.5] [7.5 -2.0 -0.5] [0.0 -1.0 -0.0] [-0.0 1.0 0.0]
               [1.0 0.0 nan] [inf 1.0 nan] [5.0 inf 5.0] [-5.0 inf inf] [nan 1.0 nan] [1.0 nan nan]
               [-6.0 3.0 0.0]]
   :log1p-sum [[0.0 0.0 0.0] [-1.0 0.0 (- inf)] [inf 0.0 inf] [-2.0 0.0 nan] [1e-30 0.0 1e-30]]
   :erf (odd-rows [inf 1.0] [30.0 1.0])
   :erfc [[0.0 1.0] [-0.0 1.0] [inf 0.0] [(- inf) 2.0] [30.0 0.0] [-30.0 2.0]]
   :erfcx [[0.0 1.0] [-0.0 1.0] [inf 0.0] [(- inf) inf] [-30.0 inf]]
   :erfinv (odd-rows [1.0 inf] [1.5 nan] [inf nan])
   :asin (odd-rows [2.0 nan] [inf nan] [1e-30 1e-30])
   :acos [[1.0 0.0] [1.5 nan] [-1.5 nan] [inf nan]]
   :atan (odd-rows [1e-30 1e-30] [inf (/ Math/PI 2)])
   :sinh (odd-rows [inf inf] [1e30 inf] [1e-30 1e-30])
   :cosh [[0.0 1.0] [-0.0 1.0] [inf inf] [(- inf) inf] [-1e30 inf]]
   :tanh (odd-rows [inf 1.0] [50.0 1.0] [1e-30 1e-30])
   :asinh (odd-rows [inf inf] [1e-30 1e-30])
   :acosh [[1.0 0.0] [inf inf] [0.5 nan] [-1.0 nan] [-1e30 nan] [(- inf) nan]]
   :atanh (odd-rows [1.0 inf] [2.0 nan] [1e30 nan] [inf nan] [1e-30 1e-30])
   :sigmoid [[0.0 0.5] [-0.0 0.5] [inf 1.0] [(- inf) 0.0] [800.0 1.0] [-800.0 0.0]]
   :softplus [[inf inf] [(- inf) 0.0] [800.0 800.0] [-800.0 0.0]]
   :atan2 [[0.0 1.0 0.0] [-0.0 1.0 -0.0] [0.0 0.0 0.0] [-0.0 0.0 -0.0] [0.0 -0.0 Math/PI]
           [-0.0 -0.0 (- Math/PI)] [0.0 -1.0 Math/PI] [-0.0 -1.0 (- Math/PI)]
           [1.0 0.0 (/ Math/PI 2)] [-1.0 -0.0 (/ Math/PI -2)] [1.0 inf 0.0] [1.0 (- inf) Math/PI]
           [inf inf (/ Math/PI 4)] [inf (- inf) (* 0.75 Math/PI)] [(- inf) 1.0 (/ Math/PI -2)]
           [nan 1.0 nan] [1.0 nan nan] [nan 0.0 nan] [0.0 nan nan]]
   :sinpi (odd-rows [0.5 1.0] [2.0 0.0] [1e20 0.0] [inf nan])
   :cospi [[0.0 1.0] [-0.0 1.0] [0.5 0.0] [1.0 -1.0] [1e20 1.0] [inf nan]]
   :gamma [[0.0 inf] [-0.0 (- inf)] [1.0 1.0] [2.0 1.0] [5.0 24.0] [-1.0 nan] [-1e10 nan] [inf inf]
           [(- inf) nan] [200.0 inf] [-200.5 -0.0] [-201.5 0.0]]
   :gammaln [[0.0 inf] [-0.0 inf] [1.0 0.0] [2.0 0.0] [-1.0 inf] [-1e10 inf] [inf inf]
             [(- inf) inf]]
   :psi [[0.0 (- inf)] [-0.0 inf] [-1.0 nan] [-1e10 nan] [inf inf] [(- inf) nan]]
   :trigamma [[0.0 inf] [-0.0 inf] [-1.0 inf] [-1e10 inf] [inf 0.0] [(- inf) nan]]
   :j0 [[0.0 1.0] [-0.0 1.0] [inf 0.0] [(- inf) 0.0] [1e-30 1.0]]
   :j1 [[0.0 0.0] [-0.0 -0.0] [inf 0.0] [1e-30 5e-31]]
   :i0 [[0.0 1.0] [-0.0 1.0] [inf inf] [(- inf) inf] [-1e30 inf]]
   :i1 (odd-rows [inf inf] [1e30 inf] [1e-30 5e-31])
   :i0e [[0.0 1.0] [-0.0 1.0] [inf 0.0] [(- inf) 0.0]]
   :i1e (odd-rows [inf 0.0] [1e-30 5e-31])
   :erfcinv [[1.0 0.0] [0.0 inf] [2.0 (- inf)] [3.0 nan] [-1.0 nan]]
   :ndtr [[0.0 0.5] [-0.0 0.5] [inf 1.0] [(- inf) 0.0] [-50.0 0.0]]
   :log-ndtr [[inf -0.0] [(- inf) (- inf)] [50.0 -0.0]]
   :exp-excess [[8.0 8.0 0.0 0.0 0.0 1.0] [8.0 0.0 0.0 -8.0 0.0 0.0] [8.0 1e30 0.0 1e30 0.0 0.0]
                [8.0 nan 0.0 nan 0.0 nan]]
   :gamma-front [[2.0 0.0 0.0 -2.0 0.0 1.0 0.0] [nan 1.0 0.0 nan 0.0 1.0 nan]
                 [1.0 nan 0.0 nan 0.0 1.0 nan]]
   :beta-parts [[nan 1.0 0.0 nan] [nan 1.0 1.0 nan]]
   :beta-front [[nan 1.0 0.5 0.0 0.5 0.0 0.0 0.0 nan]]
   :beta-decay [[0.0 0.0 0.5 0.0 1.0] [1.0 2.0 0.5 0.0 1.0] [nan 0.0 0.5 1.0 nan]]
   :beta-tail [[nan 1.0 0.5 0.0 0.5 0.0 nan]]
   :beta-near [[1.0 nan 0.1 nan]]
   :beta [[0.0 1.0 inf] [1.0 0.0 inf] [1.0 inf 0.0] [0.0 inf nan] [-1.0 1.0 nan] [nan 1.0 nan]]
   :betaln [[0.0 1.0 inf] [inf 1.0 (- inf)] [0.0 inf nan] [1.0 -1.0 nan] [1.0 nan nan]]
   :betainc [[1.0 2.0 0.0 0.0] [1.0 2.0 1.0 1.0] [1.0 2.0 1.5 nan] [1.0 2.0 -0.5 nan]
             [0.0 2.0 0.5 1.0] [2.0 0.0 0.5 0.0] [inf 2.0 0.5 0.0] [2.0 inf 0.5 1.0]
             [0.0 0.0 0.5 nan] [inf inf 0.5 nan] [nan 1.0 0.5 nan] [1.0 1.0 nan nan]]
   :gamma-decay [[0.0 0.0 0.0 1.0] [2.0 1.0 0.0 1.0] [nan 0.0 0.0 nan]]
   :incomplete-gamma [[2.0 0.0 0.0 0.0] [2.0 0.0 1.0 1.0] [2.0 inf 0.0 1.0] [-1.0 1.0 0.0 nan]
                      [1.0 -1.0 1.0 nan] [0.0 1.0 0.0 1.0] [inf 1.0 1.0 1.0] [nan 1.0 0.0 nan]]
   :gammainc [[0.0 0.0 nan] [inf inf nan] [2.0 nan nan] [0.0 1.0 1.0] [1e300 1.0 0.0]]
   :gammaincc [[0.0 0.0 nan] [inf inf nan] [2.0 nan nan] [0.0 1.0 0.0] [1e300 1.0 1.0]]
   :pow [[0.0 0.0 1.0] [nan 0.0 1.0] [1.0 nan 1.0] [1.0 inf 1.0] [-1.0 inf 1.0] [-1.0 (- inf) 1.0]
         [0.0 -3.0 inf] [-0.0 -3.0 (- inf)] [-0.0 -2.0 inf] [0.0 (- inf) inf] [-0.0 3.0 -0.0]
         [-0.0 2.0 0.0] [0.0 0.5 0.0] [0.5 inf 0.0] [0.5 (- inf) inf] [2.0 inf inf]
         [2.0 (- inf) 0.0] [(- inf) -3.0 -0.0] [(- inf) -2.0 0.0] [(- inf) 3.0 (- inf)]
         [(- inf) 0.5 inf] [inf 0.5 inf] [inf -0.5 0.0] [-2.0 0.5 nan] [-2.0 3.0 -8.0]
         [-2.0 -2.0 0.25] [nan 1.0 nan] [2.0 nan nan] [-8.0 1e30 inf] [3.0 2.0 9.0]]})

(defn- special-rows [f]
  (cond-> (special f) (= 1 (:args (instructions f))) (conj [nan nan])))

;; ## Samples

(def ^:private random-domain
  "The half-width of the interval about 0 from which a third of a function's samples come."
  {:exp 110.0 :exp2 155.0 :expm1 95.0 :sigmoid 110.0 :softplus 110.0 :sinh 92.0 :cosh 92.0
   :tanh 12.0 :asin 1.0 :acos 1.0 :atanh 1.0 :circular-near 3e4 :sin 50.0 :cos 50.0 :tan 50.0
   :gamma 180.0 :gammaln 10.0 :psi 10.0 :trigamma 10.0 :j0 12.0 :j1 12.0 :i0 90.0 :i1 90.0
   :i0e 12.0 :i1e 12.0 :erf 6.0 :erfc 27.5 :erfcx 27.0 :erfinv 1.0
   :erfcinv 2.0 :ndtr 38.0 :log-ndtr 38.0})

(def ^:private edges
  "Where some range reduction changes its mind, and where results overflow or vanish."
  [(* 0.5 (Math/log 2)) (* 1.5 (Math/log 2)) (Math/sqrt 0.5) (Math/sqrt 2) (- (Math/sqrt 2) 1) 0.5
   0.25 0.54638671875 1.830078125 1.0 2.0 (/ Math/PI 4) (/ Math/PI 2) Math/PI 22.0 88.7228 103.97
   87.33 709.7827 745.13 708.39 710.4758 89.4159 9.01 1.17549435e-38 67108864.0 1e22])

(defn- neighbours [dtype x]
  (case dtype
    :f32 (let [b (Float/floatToRawIntBits (unchecked-float x))]
           (for [k [-1 0 1]] (Float/intBitsToFloat (+ b k))))
    :f64 (let [b (Double/doubleToRawLongBits x)]
           (for [k [-1 0 1]] (Double/longBitsToDouble (+ b k))))))

(defn- random-number
  "One number: of any bits, of any magnitude near 1, or of the function's own interval."
  [^SplittableRandom random dtype f]
  (let [sign (if (.nextBoolean random) 1.0 -1.0)]
    (case (.nextInt random 3)
      0 (if (= dtype :f32)
          (Float/intBitsToFloat (.nextInt random))
          (Double/longBitsToDouble (.nextLong random)))
      1 (* sign (Math/scalb (+ 1.0 (.nextDouble random)) (.nextInt random -50 12)))
      2 (* sign (.nextDouble random) (double (random-domain f 4.0))))))

(defn- second-argument [^SplittableRandom random dtype f x]
  (case f
    (:circular :circular-near) (double (.nextInt random -5 6))
    :float-mod (let [y (* (double x) (Math/scalb (.nextDouble random -1.0 1.0)
                                                 (.nextInt random -60 4)))]
                 (if (< 1e-37 (abs y) 1e37) y 3.0))
    :log1p-sum (* (- (.nextDouble random) 0.5) (min (abs x) (abs (+ 1.0 x)))
                  (Math/scalb 1.0 (int (if (= dtype :f32) -23 -52))))
    :pow (let [limit (if (= dtype :f32) 104.0 746.0)
               y (/ (* limit (- (* 2 (.nextDouble random)) 1)) (Math/log x))]
           (if (Double/isFinite y) y 0.5))
    :atan2 (* (double x) (Math/scalb (- (* 2 (.nextDouble random)) 1) (.nextInt random -3 4)))))

(defn- pole?
  "Is x a pole of a function of the gamma family? These are among the special values."
  [f x]
  (and (gammas f) (<= x 0.0) (= x (Math/rint x))))

(defn- general-samples
  "Tuples of arguments whose first is of any magnitude, or one of `edges`."
  [f dtype]
  (let [random (SplittableRandom. 42)
        n (if (special-functions f) 50 150)         ; their oracles are slow
        unary (->> (concat (mapcat #(neighbours dtype %) (mapcat #(vector % (- (double %))) edges))
                           (repeatedly n #(random-number random dtype f)))
                   (filter #(and (Double/isFinite (double %)) (not (pole? f (double %))))))]
    (for [x unary]
      (case (long (:args (instructions f)))
        1 [x]
        2 [x (second-argument random dtype f x)]
        3 [x (second-argument random dtype f x) (double (.nextInt random 2))]))))

(defn- samples
  "The arguments at which a function is tried: tuples of numbers of the dtype, the same every time."
  [f dtype]
  (map (fn [args] (mapv #(constant dtype %) args))
       (let [random (SplittableRandom. 42)]
         (cond (parts-of-incomplete f) (repeatedly 100 #(samples/incomplete random f))
               (betas f) (repeatedly 40 #(samples/beta random f))
               (= f :circular-near) (filter #(< (abs (double (first %))) 30000.0)
                                            (general-samples f dtype))
               (= f :erfinv-slope) (repeatedly 100 (fn [] [(.nextDouble random 0.01 15.0)]))
               :else (general-samples f dtype)))))

(def ^:private inside?
  "Whether the (first) argument lies where the function has a finite value (but for overflow)."
  (merge (zipmap [:log :log2 :log10] (repeat pos?))
         (zipmap [:asin :acos] (repeat #(<= -1.0 % 1.0)))
         {:log1p #(< -1.0 %), :log1p-sum #(< -1.0 %), :erfinv #(< -1.0 % 1.0)
          :erfcinv #(<= 0.0 % 2.0)
          :acosh #(<= 1.0 %), :atanh #(< -1.0 % 1.0)
          :pow pos?}))

(defn- vanishes?
  "Whether the oracle need not be asked: so far out that the result is 0 or overflows."
  [f x]
  (and (#{:exp :exp2 :expm1 :sinh :cosh :sigmoid :softplus :tanh} f) (< 1200.0 (abs (double x)))))

;; ## Errors

(defn- error-at
  "The error of result `y` for these arguments, against the result or, where large terms cancel,
  these."
  [f dtype args y]
  (ulp/error dtype (apply (oracles f) args) y
             (or (when (or (= f :betaln) (and (= f :beta-parts) (= 1.0 (last args)))) 1M)
                 (decimal-bessel/amplitude f (first args))
                 (when (= dtype :f64) (decimal-gamma/larger-term f (first args)))
                 0M)))

(defn- worst
  "The largest error of a function's results on its samples: {:ulp :at :got}."
  [f dtype tuples results]
  (->> (for [[args y] (map vector tuples results) :when (not (vanishes? f (first args)))]
         {:at args, :got y, :ulp (error-at f dtype args (double y))})
       (apply max-key :ulp)))

;; ## The same as machine code

(defn- transpose [tuples] (apply mapv vector tuples))

(defn- layout
  "Where each function's buffers are: {:f :n (its operands) :at (its first buffer)}."
  [fs]
  (rest (reductions (fn [{:keys [at n]} f] {:f f, :n (:args (instructions f)), :at (+ at n 1)})
                    {:at -1 :n 0} fs)))

(defn- loop-over
  "The loop that applies a function to the elements of its buffers."
  [i extent {:keys [f n at]}]
  [:for i extent
   [:store (+ at n) i (into [f] (for [k (range n)] [:load (+ at k) i]))]])

(defn- compiled
  "The results of all functions, each on its own tuples of arguments {f tuples}, by one program."
  [dtype tuples-of]
  (let [units (layout (keys tuples-of))
        size #(count (tuples-of (:f %)))
        params (for [{:keys [n] :as unit} units, k (range (inc n))]
                 [dtype (if (= k n) :out :in) (size unit)])
        body (map #(loop-over (symbol (str "i" %1)) (size %2) %2) (range) units)
        contents (mapcat #(conj (transpose (tuples-of (:f %))) (vec (repeat (size %) 0.0))) units)
        program (calling/program [] (vec params) (vec body))
        {:keys [status buffers]} (calling/call program [] (vec contents))]
    (is (= 0 status))
    (into {} (for [{:keys [f n at]} units] [f (nth buffers (+ at n))]))))

(deftest special-values
  (doseq [dtype dtypes
          :let [rows (into {} (for [f (keys table)]
                                [f (mapv (fn [row] (mapv #(constant dtype %) row))
                                         (special-rows f))]))
                results (compiled dtype (update-vals rows #(mapv pop %)))]
          [f rows] rows]
    (reference/check-all [f dtype :compiled] (map pop rows) (map peek rows) (results f))
    (reference/check-all [f dtype :evaluated] (map pop rows) (map peek rows)
                         (map #(evaluate f dtype (pop %)) rows))))

(deftest errors-are-within-the-stated-bounds
  (doseq [dtype dtypes
          :let [tuples (into {} (for [f (keys table)] [f (vec (samples f dtype))]))
                results (compiled dtype tuples)]
          f (keys table)]
    (testing [f dtype]
      (let [in? #((inside? f (constantly true)) (first %))
            pairs (map vector (tuples f) (results f))
            {:keys [ulp] :as at} (worst f dtype (map first (filter (comp in? first) pairs))
                                        (map second (filter (comp in? first) pairs)))]
        (is (<= ulp (get-in table [f dtype :ulp])) (pr-str at))
        (is (empty? (for [[[x] y] pairs
                          :when (not (or (in? [x]) (= 1.0 (abs (double x))) (= f :pow)
                                         (Double/isNaN y)))]
                      [x y]))
            "outside its domain a function is NaN")))))

(deftest machine-code-rounds-every-instruction-as-defined
  (doseq [dtype dtypes
          :let [tuples (into {} (for [f (keys table)] [f (vec (take-nth 7 (samples f dtype)))]))
                results (compiled dtype tuples)]
          f (keys table)]
    (reference/check-all [f dtype] (tuples f) (map #(evaluate f dtype %) (tuples f)) (results f))))
