(ns damo.ops.fold.cumulative-test
  "Tests of what runs along an axis: values, dtypes, empty axes, and derivatives where elements are
  0 or equal; compiled, long runs of :f32."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.fail]
            [damo.diff :as diff]
            [damo.face.parse :as parse]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.ops.fold.cumulative :as cumulative]))

(set! *warn-on-reflection* true)

(defn- value
  "The nested value of a template over x, an array of that dtype."
  [template x dtype]
  (let [{:keys [shape] :as x} (array/from-nested dtype x)
        g (parse/parse {:inputs {'x [dtype shape]}, :outputs {'y template}})]
    (array/nested (first (eval/run g {'x x})))))

(deftest values-along-an-axis
  (are [template at expected] (= expected (value template at :f64))
    '[:cumsum x] [[1 2] [3 4]] [1.0 3.0 6.0 10.0]
    '[:cumsum {:axis 0} x] [[1 2] [3 4]] [[1.0 2.0] [4.0 6.0]]
    '[:cumsum {:axis -1 :reverse true} x] [[1 2] [3 4]] [[3.0 2.0] [7.0 4.0]]
    '[:cumprod {:axis 1} x] [[1 2] [3 4]] [[1.0 2.0] [3.0 12.0]]
    '[:cummax x] [1 3 2 5 4] [1.0 3.0 3.0 5.0 5.0]
    '[:cummin {:reverse true} x] [4 1 3 2] [1.0 1.0 2.0 2.0]
    '[:shift {:fill 9} x] [1 2 3] [9.0 1.0 2.0]
    '[:diff {:n 2} x] [1 4 9 16] [2.0 2.0]
    '[:cumsum x] 5 [5.0])
  (testing "more differences than elements leave nothing"
    (is (= [] (value '[:diff {:n 3} x] [1 2] :f64)))
    (is (= [] (value '[:diff x] [] :f64)))))

(deftest dtypes-of-cumulative-ops
  (are [op dtype expected] (= expected (first (d/type-of (op (d/input 'x [dtype '[n]])))))
    d/cumsum :i32 :i64, d/cumsum :bool :i64, d/cumprod :u8 :i64, d/cumsum :f32 :f32
    d/cummax :u8 :u8, d/cummin :bool :bool, d/diff :i32 :i32, d/diff :bool :bool)
  (is (= '[:i64 [[:* m n]]] (d/type-of (d/cumsum (d/input 'x '[:bool [n m]])))))
  (is (= '[:f32 [[:max 0 [:- n 2]]]] (d/type-of (d/diff (d/input 'x '[:f32 [n]]) :n 2)))))

(deftest nan-stays-from-where-it-is-met
  (is (= "[1.0 ##NaN ##NaN]" (pr-str (value '[:cummax x] [1 ##NaN 3] :f64))))
  (is (= "[##-Inf ##-Inf 1.0]" (pr-str (value '[:cumlogsumexp x] [##-Inf ##-Inf 1] :f64)))))

(deftest misuse-is-explained
  (are [form error] (= error (try form nil (catch clojure.lang.ExceptionInfo e
                                             (:damo/error (ex-data e)))))
    (d/diff (d/input 'x [:f32 [3]]) :n -1) :damo.op.cumulative/bad-order
    (d/cumsum (d/input 'x [:f32 [3]]) :axis 1) :damo.type/bad-axis
    (d/linear-recurrence (d/input 'a [:f32 [3]]) (d/input 'b [:f32 [4]]))
    :damo.type/shape-mismatch))

;; ## Derivatives

(defn- gradient
  "The gradient of the sum of w·template by x."
  [template x w]
  (let [[x w] (map #(array/from-nested :f64 %) [x w])
        g (parse/parse {:inputs {'x (array/type-of x), 'w (array/type-of w)}
                        :let ['c [:sum [:mul 'w template]]], :outputs {'c 'c}})
        input (first (keep-indexed (fn [i [_ {:keys [name]}]] (when (= 'x name) i)) (:nodes g)))
        {:keys [graph grads]} (diff/grad g (first (:outputs g)) [input] {})]
    (array/nested (first (eval/run (assoc graph :outputs grads) {'x x, 'w w})))))

(deftest products-are-differentiated-where-elements-are-zero
  (are [at expected] (= expected (gradient '[:cumprod x] at [1 10 100]))
    [2 3 4] [1231.0 820.0 600.0]
    [0 3 4] [1231.0 0.0 0.0]
    [2 0 4] [1.0 820.0 0.0]
    [0 0 4] [1.0 0.0 0.0]))

(deftest the-first-of-equal-extremes-takes-the-gradient
  (is (= [11.0 0.0 100.0] (gradient '[:cummax x] [3 3 5] [1 10 100])))
  (is (= [0.0 110.0 1.0] (gradient '[:cummin {:reverse true} x] [4 2 5] [100 10 1])))
  (is (= [11.0 0.0 100.0] (gradient '[:cummax x] [##-Inf ##-Inf 5] [1 10 100]))))

(deftest nothing-flows-to-a-sum-of-nothing
  (is (= [0.0 0.0 1.0] (gradient '[:cumlogsumexp x] [##-Inf ##-Inf 1] [1 1 1]))))

;; ## Compiled

(deftest long-sums-of-singles-are-accurate
  (let [n 1000000, x (d/input 'x [:f32 ['n]]), tenth (float-array n (float 0.1))
        ^floats sums (d/->array ((d/function [x] (d/cumsum x)) tenth))]
    (is (< (Math/abs (- (aget sums (dec n)) (* n (double (float 0.1))))) (* 1e-6 0.1 n))))
  (let [x (d/input 'x [:f32 ['n 2]]), tenth (d/full [1000000 2] 0.1 :f32)
        last-row (d/function [x] (d/index (d/cumsum x :axis 0) -1))]
    (is (every? #(< (Math/abs (- (double %) 100000.0015)) 0.1) @(last-row tenth)))))

(deftest lines-of-any-layout
  (let [x (d/input 'x [:f64 ['n 'm]]), f (d/function [x] (d/cumsum (d/transpose x) :axis 0))]
    (is (= [[1.0 4.0] [3.0 9.0] [6.0 15.0]] @(f [[1 2 3] [4 5 6]])))))

;; ## Long lines

(defn- long-line
  "A line of n elements: 0 random, 1 with special ones, 2 far apart, 3 nothing for a while,
  4 rising, 5 falling, 6 zeros of both signs, 7 few values, 8 and 9 zeros of one sign, then of
  both."
  [dtype n sort]
  (let [random (java.util.Random. (+ n (* 31 sort)))
        special [##NaN ##Inf ##-Inf 0.0 -0.0 1e4 -1e4]]
    (array/build dtype [n]
                 (fn [i]
                   (case (int sort)
                     0 (.nextGaussian random)
                     1 (if (= 0 (.nextInt random 90))
                         (nth special (.nextInt random 7))
                         (.nextGaussian random))
                     2 (* 2000.0 (.nextGaussian random))
                     3 (if (< i 300) ##-Inf (.nextGaussian random))
                     4 (* 1.0 i)
                     5 (- 0.5 i)
                     6 (nth [0.0 -0.0 -1.0] (.nextInt random 3))
                     7 (double (.nextInt random 3))
                     8 (if (< i 200) -0.0 (nth [0.0 -0.0] (.nextInt random 2)))
                     9 (if (< i 200) 0.0 (nth [0.0 -0.0] (.nextInt random 2))))))))

(deftest long-lines-in-blocks
  (doseq [[dtype tolerance] {:f64 1e-12, :f32 1e-5, :f16 2e-3}, reversed [false true]
          :let [x (d/input 'x [dtype '[n]]), at [:axis 0 :reverse reversed]
                g (d/graph [(apply d/cumlogsumexp x at) (apply d/cummax x at)
                            (apply d/cummin x at)])
                c (running/compile g {:rules false})]]
    (doseq [n [0 1 127 128 129 500], sort (range 10)
            :let [env {'x (long-line dtype n sort)}, want (eval/run g env)
                  got (running/call! c env)]]
      (is (running/close? tolerance 1.0 (first want) (first got)) (str dtype " " n ", sort " sort))
      (is (= (map (comp (partial map str) array/values) (rest want))
             (map (comp (partial map str) array/values) (rest got)))
          (str dtype " " n ", sort " sort)))
    (running/close! c)))

(deftest long-lines-of-integers
  (doseq [dtype [:i32 :i8 :bool], n [130 400]
          :let [x (d/input 'x [dtype [3 n]]), random (java.util.Random. n)
                env {'x (array/build dtype [3 n] (fn [_] (- (.nextInt random 200) 100)))}
                g (d/graph [(d/cummax x :axis 1) (d/cummin x :axis 1 :reverse true)])
                c (running/compile g {:rules false})]]
    (is (= (map array/values (eval/run g env)) (map array/values (running/call! c env)))
        (str dtype n))
    (running/close! c)))
