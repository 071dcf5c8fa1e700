(ns damo.laws.products-test
  "Laws of the normal form of products and sums. Random products, quotients, powers and constants
  of any magnitudes, written and normalised, are compared with exact arithmetic: where all parts of
  the written form are normal numbers, the normalised form is within a few units for each operation.
  Sums of whole numbers are the same to the bit; sums of floats are what was written, unless
  regrouping is asked for."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.rules.examples :as examples]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize])
  (:import [java.math BigDecimal MathContext]
           [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Random forms

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn- magnitude
  "A number of that sign and size: ± 2^k, |k| up to `most`, times 1 to 2."
  [^Random random most]
  (* (if (.nextBoolean random) 1.0 -1.0) (+ 1.0 (.nextDouble random))
     (Math/scalb 1.0 (int (- (.nextInt random (int (inc (* 2 (long most))))) (long most))))))

(defn- chain
  "A form of x and constants alone: n operations, one on the other."
  [^Random random n constant]
  (nth (iterate (fn [t]
                  (let [c (constant)]
                    (pick random [[:mul c t] [:mul t c] [:div t c] [:div c t] [:neg t]])))
                'x)
       n))

(defn- product
  "A form of x, y, z and constants, a tree of so many operations."
  [^Random random n constant]
  (if (zero? (long n))
    (pick random ['x 'y 'z 'x 'y (constant)])
    (let [k (.nextInt random (int n)), part #(product random % constant)]
      (case (.nextInt random 8)
        0 [:neg (part (dec (long n)))]
        1 [:sqr (part (quot (dec (long n)) 2))]
        2 [:pow (pick random ['x 'y]) (pick random [-3 -2 -1 1 2 3 5])]
        (3 4) [:div (part k) (part (- (dec (long n)) k))]
        [:mul (part k) (part (- (dec (long n)) k))]))))

;; ## Exact values

(def ^:private ^MathContext digits (MathContext. 60))

(defn- exact
  "The value of a form in decimals of 60 digits."
  ^java.math.BigDecimal [env t]
  (if-not (vector? t)
    (bigdec (if (symbol? t) (env t) t))
    (let [[op a b] t, ^BigDecimal x (exact env a)]
      (case op
        :neg (.negate x)
        :sqr (.multiply x x digits)
        :mul (.multiply x (exact env b) digits)
        :div (.divide x ^BigDecimal (exact env b) ^MathContext digits)
        :pow (let [p (.pow x (abs (long b)) digits)]
               (if (neg? (long b))
                 (.divide BigDecimal/ONE ^BigDecimal p ^MathContext digits)
                 p))))))

(defn- operations [t] (count (filter vector? (tree-seq vector? rest t))))

;; ## Forms as graphs

(defn- graph-of [dtype form]
  (examples/example-graph (zipmap '[x y z] (repeat [dtype []])) '[x y z] form))

(defn- normalised [g opts]
  (reduce (fn [g set] (:graph (engine/run g [set] opts))) g
          [canonicalize/rules specialize/rules]))

(defn- parts
  "All values that a graph computes for these numbers."
  [g dtype env]
  (let [all (assoc g :outputs (vec (graph/live g)))]
    (map #(first (array/values %))
         (eval/run all (update-vals env #(array/of dtype [] [%]))))))

(defn- normal? [dtype x]
  (let [{:keys [least hi]} (type/dtypes dtype)]
    (<= (Math/scalb 1.0 (int least)) (abs (double x)) (double hi))))

(defn- value [g dtype env]
  (first (array/values (first (eval/run g (update-vals env #(array/of dtype [] [%])))))))

(defn- units-away
  "How many units in the last place x is from the exact value."
  [dtype x ^BigDecimal exact]
  (if (< ##-Inf (double x) ##Inf)
    (/ (abs (double (.subtract (bigdec x) exact))) (double (array/unit dtype (.doubleValue exact))))
    ##Inf))

(defn- counterexample
  "What is wrong with the normal form of the form at these numbers, nil when nothing is."
  [dtype form env]
  (let [written (graph-of dtype form), made (normalised written {})]
    (when (every? #(normal? dtype %) (parts written dtype env))
      (let [away (units-away dtype (value made dtype env) (exact env form))]
        (when (< (+ 4.0 (* 2.0 (operations form))) away)
          {:form form, :at env, :made (:nodes made), :units away})))))

(def ^:private ranges
  "By dtype, the exponents of constants that are all the range has, and of what products of some
  factors keep within it."
  {:f64 [1000 60], :f32 [120 7], :f16 [13 1]})

(deftest constants-leave-no-range-that-what-was-written-kept
  (doseq [[dtype [wide]] ranges, seed (range 400)
          :let [random (Random. seed), number #(array/convert dtype (magnitude random wide))
                form (chain random (+ 2 (.nextInt random 4)) number)]]
    (is (nil? (counterexample dtype form {'x (number), 'y 1.0, 'z 1.0})) (str dtype seed))))

(deftest extreme-constants-stay-where-they-were-written
  (doseq [[dtype [wide]] ranges, seed (range 200)
          :let [random (Random. seed)
                number #(array/convert dtype (magnitude random %))
                extreme #(array/convert dtype (* (Math/scalb 1.0 (int (* % (quot wide 2))))
                                                 (magnitude random (quot wide 4))))
                [c d] (pick random [[1 1] [1 -1] [-1 -1]])
                form (pick random [[:mul [:mul 'x (extreme c)] [:mul 'y (extreme d)]]
                                   [:mul [:mul 'x (extreme c)] [:div (extreme d) 'y]]
                                   [:div [:mul 'x (extreme c)] [:mul 'y (extreme d)]]])]]
    (is (nil? (counterexample dtype form {'x (number wide), 'y (number wide), 'z 1.0}))
        (str dtype seed))))

(deftest products-are-within-units-of-exact-arithmetic
  (doseq [[dtype [_ narrow]] ranges, seed (range 400)
          :let [random (Random. seed), number #(array/convert dtype (magnitude random narrow))
                form (product random (+ 2 (.nextInt random 7)) number)]]
    (is (nil? (counterexample dtype form {'x (number), 'y (number), 'z (number)}))
        (str dtype seed))))

(deftest constants-of-products-keep-their-range-when-compiled
  (let [x32 (d/input 'x [:f32 []]), x16 (d/input 'x [:f16 []]), x (d/input 'x [:f64 []])]
    (is (< 9e-21 @((d/function [x32] (d/mul 1e-25 (d/mul 1e-25 x32))) 1e30) 1.1e-20))
    (is (= 1000.0 @((d/function [x16] (d/mul (d/mul x16 1000) 1000)) 0.001)
           @((d/function [x16] (d/mul 1000 (d/mul 1000 x16))) 0.001)))
    (is (< 0.9e100 @((d/function [x] (d/mul 1e200 (d/div 1e200 x))) 1e300) 1.1e100))
    (is (= (range 3) (for [k [0.0 1.0 2.0]]
                       (long @((d/function [x] (d/floor (d/div (d/mul 3 x) 147))) (* 49 k))))))))

;; ## Sums

(defn- sum
  "A form of x, y, z and constants, a tree of sums, differences, negations and multiples."
  [^Random random n]
  (if (zero? (long n))
    (pick random '[x y z x y 1 2 3])
    (let [k (.nextInt random (int n)), part #(sum random %)]
      (case (.nextInt random 8)
        0 [:neg (part (dec (long n)))]
        1 [:mul (pick random [2 3 4]) (part (dec (long n)))]
        (2 3 4) [:sub (part k) (part (- (dec (long n)) k))]
        [:add (part k) (part (- (dec (long n)) k))]))))

(deftest sums-of-whole-numbers-are-exact-in-any-order
  (doseq [[dtype opts most] [[:i32 {} Integer/MAX_VALUE] [:i64 {} Long/MAX_VALUE] [:i8 {} 127]
                             [:f64 {:regroup true} 1000] [:f32 {:regroup true} 100]]
          seed (range 150)
          :let [random (Random. seed), form (sum random (+ 2 (.nextInt random 8)))
                number #(let [k (mod (.nextLong random) (long most))]
                          (if (type/float-dtype? dtype) (double k) k))
                env {'x (number), 'y (number), 'z (number)}, g (graph-of dtype form)
                made (normalised g opts)]]
    (testing (str dtype ", seed " seed ": " (pr-str form))
      (is (== (value g dtype env) (value made dtype env)))
      (is (<= (count (:nodes made)) (inc (count (:nodes g))))))))

(deftest sums-of-floats-are-computed-as-written
  (let [a (d/input 'a [:f64 []]), b (d/input 'b [:f64 []])
        two-sum (fn [a b] (let [s (d/add a b), t (d/sub s a)]
                            [s (d/add (d/sub a (d/sub s t)) (d/sub b t))]))
        f (d/function [a b] (conj (two-sum a b) (d/sub b (d/sub (d/add a b) a))))
        g (d/function [a b] (d/sub b (d/sub (d/add a b) a)) {:mode {:mode :fast-run
                                                                    :regroup true}})]
    (is (= [1e16 1.0 1.0] (map deref (f 1e16 1.0))))
    (is (= 0.0 @(g 1e16 1.0)))))

;; ## Cost

(deftest long-and-shared-products-cost-their-length
  (let [b (graph/builder), emit (op/emitter b nil)
        leaf #(examples/leaf! b (symbol (str "x" %)) [:f64 []])
        xs (mapv leaf (range 300))
        mul (fn [x y] (emit :mul {} [(op/->Id x) (op/->Id y)]))
        div (fn [x y] (emit :div {} [(op/->Id x) (op/->Id y)]))
        all (reduce mul xs), twice (nth (iterate #(mul % %) (first xs)) 200)
        others (mapv #(div all %) xs)
        g (graph/finish b (into [twice] others))
        made (:graph (engine/run g [canonicalize/rules]))]
    (testing "a product by each of its factors is not written 300 times"
      (is (< (count (:nodes made)) (* 4 (count (:nodes g))))))))
