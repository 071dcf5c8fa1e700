(ns damo.laws.weak-test
  "Numbers are weak, and so is what is computed of nothing but numbers, nested vectors and extents:
  beside an array of floats it never changes the dtype, in values and in derivatives."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.op.home :as home])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Random expressions

(defn- choose [^Random random xs] (nth xs (.nextInt random (count xs))))

(def ^:private unary [d/neg d/sqr d/sqrt d/exp d/tanh d/abs d/sigmoid #(d/clip % 0 1) d/floor
                      #(d/sum % :keepdims true) d/mean d/max
                      #(d/where (d/gt % 0.5) % 2)])

(def ^:private binary [d/add d/sub d/mul d/maximum #(d/div %1 (d/add 1 (d/sqr %2))) d/atan2
                       #(d/where (d/lt %1 %2) %1 0.5)])

(defn- weak-leaf [random x]
  (choose random [0.1 2 3/4 [1 2 3] [[0.5 1.5 2.5]] (d/shape-i x 0) (d/shape-i x -1)
                  (d/where [true false true] 0.3 1)
                  (d/shape-i x 0)]))

(defn- weak
  "A random expression of numbers, nested vectors and extents of x, of up to `depth` levels."
  [random depth x]
  (if (zero? depth)
    (weak-leaf random x)
    (let [part #(weak random (dec depth) x)]
      (if (< (.nextInt ^Random random 3) 1)
        ((choose random unary) (part))
        ((choose random binary) (d/add 0 (part)) (part))))))

(defn- expression
  "A random expression of x and weak ones beside it."
  [random x]
  (let [depth (inc (.nextInt ^Random random 4))
        w #(weak random depth x)]
    ((choose random [#(d/mul % (w)) #(d/add (w) %) #(d/div % (d/add 2 (d/abs (w))))
                     #(d/maximum (w) %) #(d/add (d/tanh %) (d/mul (w) (d/sin %)))])
     x)))

(deftest weak-expressions-never-widen
  (doseq [dtype [:f32 :f16 :bf16], seed (range 60)]
    (let [x (d/input 'x [dtype ['n 3]]), y (expression (Random. seed) x)]
      (is (= dtype (d/dtype y)) (str seed ": " (pr-str y)))
      (is (= dtype (d/dtype (d/grad (d/sum y) x))) (str "derivative of " seed ": " (pr-str y)))
      (is (= dtype (d/dtype (d/rop y x (d/ones-like x))))))))

(defn- flat [v] (if (sequential? v) (mapcat flat v) [v]))

(defn- near? [a b]
  (every? true? (map (fn [a b] (or (= a b) (and (Double/isNaN a) (Double/isNaN b))
                                   (< (Math/abs (- (double a) (double b)))
                                      (* 1e-5 (max 1.0 (Math/abs (double b)))))))
                     (flat a) (flat b))))

(deftest weak-expressions-have-their-values
  (doseq [seed (range 0 60 5)]
    (let [of (fn [dtype]
               (let [x (d/input 'x [dtype ['n 3]])]
                 @(d/eval (expression (Random. seed) x) {x [[0.3 -0.7 1.1] [0.2 0.5 -0.4]]})))]
      (is (near? (of :f32) (of :f64)) (str seed)))))

;; ## Every op

(defn- numbers
  "A reference array as Clojure numbers in nested vectors."
  [{:keys [shape] :as a}]
  (letfn [(at [index] (if (= (count index) (count shape))
                        (array/at a index)
                        (mapv #(at (conj index %)) (range (nth shape (count index))))))]
    (at [])))

(defn- float-array? [a] (type/float-dtype? (:dtype a)))

(defn- widened
  "The calls of an op, {:op :strong :expected :given}, where one operand has the dtype and computed
  numbers are the others, whose type is not that of operands of one dtype."
  [op-name dtype]
  (for [{:keys [attrs args at] expected :type}
        (take 3 (keep #(gens/case op-name dtype 2 %) (range 4)))
        :let [floats (keep-indexed #(when (float-array? %2) %1) args)]
        :when (< 1 (count floats))
        strong floats
        :let [inputs (map-indexed
                      (fn [k {:keys [dtype shape] :as a}]
                        (if (or (= k strong) (not (float-array? a)))
                          (d/input (symbol (str "x" k)) [dtype shape])
                          (d/neg (numbers a))))
                      args)
              given (try (cond-> (d/type-of (op/node op-name attrs inputs))
                           at (-> tuple/types (nth at)))
                         (catch clojure.lang.ExceptionInfo e (ex-message e)))]
        :when (not= expected given)]
    {:op op-name, :strong strong, :expected expected, :given given}))

(def ^:private elsewhere
  "Ops whose functions take other arguments, and one whose first argument alone decides the dtype."
  #{:set-at :inc-at :apply :loop :with-derivative :categorical-cross-entropy})

(deftest every-op-takes-computed-numbers
  (let [ops (sort (for [[k {:keys [ns args gen kind]}] @op/registry
                        :when (and (re-find #"^damo\.op" (str ns)) (or gen (= kind :elementwise))
                                   (home/function-var k)
                                   (not (elsewhere k))
                                   (or (= args :variadic) (< 1 (count args))))]
                    k))]
    (is (< 60 (count ops)))
    (is (= [] (mapcat (fn [dtype] (mapcat #(widened % dtype) ops)) [:f32 :f16])))))

;; ## Where weakness ends

(deftest explicit-dtypes-are-strong
  (let [x (d/input 'x [:f32 [3]]), i (d/input 'i [:i8 [3]])]
    (doseq [strong [(d/tensor 0.1 :f64) (d/tensor [1.0 2.0 3.0]) (d/cast 0.1 :f64)
                    (d/neg (d/cast 1 :f64))
                    (d/sum [1.0 2.0] :dtype :f64) (double-array [1 2 3])
                    (d/grad (d/sqr (d/input 'y [:f64 []])) (d/input 'y [:f64 []])
                            {:disconnected :ignore})]]
      (is (= :f64 (d/dtype (d/mul x strong))) (pr-str strong)))
    (is (= :f32 (d/dtype (d/set-at x 0 (d/sqrt 2)))))
    (is (= :f32 (d/dtype (d/inc-at x [0 2] (d/neg [1 2])))))
    (is (= :f64 (d/dtype (d/mul i (d/neg 0.5)))) "a fraction beside integers")
    (is (= :i8 (d/dtype (d/add i (d/neg 1)))))
    (is (= :i64 (d/dtype (d/add i (d/shape-i x 0)))) "an extent that :i8 might not hold")
    (is (= :i32 (d/dtype (d/add (d/cast i :i32) (d/shape-i x 0)))))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"300 is no value of dtype :i8"
                          (d/add i [1 300 2])))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"beyond the range of dtype :f16"
                          (d/mul (d/cast x :f16) [1 2 1e6])))))

(deftest numbers-of-let-forms-and-composites-are-weak
  (let [types (fn [form] (peek (:types (d/parse form))))]
    (is (= [:f32 ['n]]
           (types '{:inputs {x [:f32 [n]]} :let [a 0.1, b [:sqrt a]] :outputs {y [:mul x b]}})))
    (is (= [:f32 ['n]] (types '{:inputs {x [:f32 [n]]} :outputs {y [:mul [:neg 0.1] x]}}))))
  (d/defop weak-scaled "x · √2."
    {:kind :composite, :args [?x], :expand (fn [_] [:mul ?x [:sqrt 2]])})
  (try (let [x (d/input 'x [:f32 []])]
         (is (= :f32 (d/dtype (weak-scaled x))))
         (is (= [(float (* 3 (Math/sqrt 2))) 2.0]
                (mapv deref ((d/function [x] [(weak-scaled x)
                                              (d/mul (d/tensor 2.0 :f64) 1)]) 3)))))
       (finally (d/remove-op! :weak-scaled))))
