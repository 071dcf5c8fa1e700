(ns damo.ops.fold.reduce-test
  "Tests of reductions: dtypes, empty axes, NaN, ties; of moments and norms; of softmax and losses."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.face.parse :as parse]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.typing :as typing]
            [damo.ops.all]
            [damo.ops.fold.argmax :as argmax]
            [damo.ops.fold.reduce :as reduce]
            [damo.ops.fold.stats :as stats]
            [damo.ops.nn.softmax :as softmax]))

(set! *warn-on-reflection* true)

(defmacro ^:private error [& body]
  `(try ~@body nil
        (catch clojure.lang.ExceptionInfo e# [(:damo/error (ex-data e#))
                                              (first (re-seq #".*" (ex-message e#)))])))

(defn- of-type [dtype shape]
  (expr/->Expr :input {:name 'x, :type [dtype shape]} [] [dtype shape] nil nil))

(defn- value
  "The nested value of an expression without inputs."
  [e]
  (array/nested (first (eval/run (:graph (expr/to-graph [e])) {}))))

(defn- same? [a b] (= (pr-str a) (pr-str b)))

;; ## Sums and extremes

(deftest dtypes-of-reductions
  (are [f dtype expected] (= [expected '[n]] (expr/type-of (f (of-type dtype '[n m]) :axis 1)))
    reduce/sum :f32 :f32, reduce/sum :u8 :i64, reduce/sum :bool :i64, reduce/prod :i32 :i64
    reduce/max :u8 :u8, reduce/min :bool :bool, reduce/any :f32 :bool, argmax/argmax :f32 :i64
    stats/mean :i32 :f64, stats/mean :u8 :f32, stats/var :f32 :f32, stats/logsumexp :f32 :f32))

(defn- of-nothing
  "The value that a reduction has over no elements, their number unknown when it is built."
  [f]
  (let [{:keys [graph]} (expr/to-graph [(f (of-type :f32 '[n]))])]
    (array/nested (first (eval/run graph {'x (array/full :f32 [0] 0)})))))

(deftest reductions-over-nothing
  (are [f expected] (same? expected (of-nothing f))
    reduce/sum 0.0, reduce/prod 1.0, reduce/any false, reduce/all true, stats/mean ##NaN)
  (testing "extremes fail, at once where the shape is known"
    (is (= [::typing/empty-reduction
            "max: there is no element to choose from: axis 1 of [2 0] is empty"]
           (error (reduce/max (of-type :f32 [2 0]) :axis 1))))
    (is (= ::typing/empty-reduction
           (first (error (of-nothing argmax/argmax)))
           (first (error (of-nothing stats/logsumexp)))
           (first (error (of-nothing softmax/softmax)))
           (first (error (of-nothing #(stats/norm % :ord ##Inf))))))))

(deftest values-of-reductions
  (let [x [[1 2 3] [4 0 6]]]
    (are [e expected] (same? expected (value e))
      (reduce/sum x) 16
      (reduce/sum x :axis 0 :keepdims true) [[5 2 9]]
      (reduce/prod x :axis -1) [6 0]
      (reduce/max x :axis 0) [4 2 6]
      (reduce/min x) 0
      (reduce/all x :axis 0) [true false true]
      (reduce/any [[0 0] [0 2]] :axis 1) [false true]
      (reduce/max [1.0 ##NaN 2.0]) ##NaN
      (reduce/min [##NaN 1.0]) ##NaN
      (reduce/sum [0.1 0.2 0.3] :axis []) [0.1 0.2 0.3]))
  (testing "sums of integers wrap at 64 bits only"
    (is (= 510 (value (reduce/sum (object-array [255 255])))))))

(deftest indices-of-extremes
  (are [e expected] (= expected (value e))
    (argmax/argmax [3 7 7 1]) 1
    (argmax/argmin [3 1 7 1]) 1
    (argmax/argmax [1.0 ##NaN ##Inf ##NaN]) 1
    (argmax/argmin [1.0 ##NaN ##-Inf]) 1
    (argmax/argmax [[1 5] [9 2]]) 2
    (argmax/argmax [[1 5] [9 2]] :axis 1 :keepdims true) [[1] [0]]))

(deftest moments-and-norms
  (let [x [[1 2 3 4] [2 2 2 2]]]
    (are [e expected] (= expected (value e))
      (stats/mean x :axis 1) [2.5 2.0]
      (stats/var x :axis 1) [1.25 0.0]
      (stats/var [1 2 3] :ddof 1) 1.0
      (stats/std [[1 3]] :axis 1 :keepdims true) [[1.0]]
      (stats/norm [3 -4]) 5.0
      (stats/norm [3 -4] :ord 1) 7.0
      (stats/norm [3 -4] :ord ##Inf) 4.0
      (stats/logsumexp [-1000 1000]) 1000.0
      (stats/logsumexp [##-Inf ##-Inf]) ##-Inf
      (stats/logsumexp [1.0 ##Inf]) ##Inf)))

;; ## Softmax and losses

(deftest softmax-of-large-logits
  (are [e expected] (= expected (value e))
    (softmax/softmax [0.0 1000.0]) [0.0 1.0]
    (softmax/softmax [[0.0 0.0] [-1e300 0.0]] :axis 1) [[0.5 0.5] [0.0 1.0]]
    (softmax/log-softmax [0.0 1000.0]) [-1000.0 0.0]
    (softmax/cross-entropy [[0.0 1000.0] [0.0 1000.0]] [0 1]) [1000.0 0.0]
    (softmax/cross-entropy [##-Inf 0.0] 1) 0.0
    (softmax/sigmoid-cross-entropy [800.0 -800.0] [0.0 0.0]) [800.0 0.0]))

(deftest cross-entropy-checks-its-labels
  (is (= '[:f32 [n]]
         (expr/type-of (softmax/cross-entropy (of-type :f32 '[n 10]) (of-type :u8 '[n])))))
  (are [label] (= :damo.array/index-out-of-range
                  (first (error (value (softmax/cross-entropy [[0.0 1.0]] [label])))))
    2 -1)
  (are [labels kind message] (= [kind message]
                                (error (softmax/cross-entropy (of-type :f32 '[n 10]) labels)))
    (of-type :f32 '[n]) ::typing/bad-dtype "cross-entropy: takes integers; got :f32"
    (of-type :i64 '[m]) :damo.type/shape-mismatch
    "cross-entropy: one label is needed for each row of logits, axis 0: n and m differ"
    (of-type :i64 '[n 1]) ::typing/rank-mismatch
    (str "cross-entropy: one label is needed for each row of logits: [n] has 1 axes, [n 1] has 2"))
  (is (= :damo.op.softmax/rank-mismatch (first (error (softmax/cross-entropy 1.0 1)))))
  (is (= [::typing/bad-dtype "softmax: takes floats; convert with cast first; got :i64"]
         (error (softmax/softmax [1 2])))))

;; ## Dtypes of results and accumulators

(defn- typed-call [op attrs dtype]
  (op/node op attrs [(of-type dtype '[n])]))

(deftest the-dtypes-of-a-reduction-can-be-chosen
  (are [op dtype attrs expected] (= [expected []] (expr/type-of (typed-call op attrs dtype)))
    :sum :f32 {:dtype :f64} :f64, :sum :i32 {:dtype :i32} :i32, :sum :u8 {:dtype :f32} :f32
    :sum :f32 {:acc-dtype :f64} :f32, :prod :i8 {:dtype :i8, :acc-dtype :i32} :i8
    :mean :i64 {:dtype :f32} :f32, :var :f32 {:dtype :f64, :ddof 1} :f64
    :std :f64 {:dtype :f32} :f32)
  (testing "elements are converted first, the result after"
    (is (= '(cast (sum (cast x :dtype :f64) :axis [1]) :dtype :f64)
           (expr/form (reduce/sum (of-type :f32 '[n 3]) :axis -1 :dtype :f64)))))
  (testing "what would make integers of floats is refused"
    (are [attrs] (= ::typing/bad-dtype (first (error (typed-call :sum attrs :f32))))
      {:dtype :i64} {:acc-dtype :i32} {:dtype :bool}))
  (is (= :damo.attribute/bad-value (first (error (typed-call :sum {:dtype :complex} :f32))))))

;; ## Derivatives where elements are 0, infinite or none

(defn- derivative
  "The gradient of the sum of a template over x, and its Hessian times ones."
  [template x]
  (let [x (array/from-nested :f64 x)
        g (parse/parse {:inputs {'x (array/type-of x)}, :let ['c [:sum template]]
                        :outputs {'c 'c}})
        {:keys [graph grads]} (diff/grad g (first (:outputs g)) [0] {})
        ones (array/full :f64 (:shape x) 1.0)
        b (graph/builder), _ (graph/load-graph! b graph)
        v (op/emit! b :input {:name 'v, :type (array/type-of x)} [] nil)
        hvp (diff/rop (graph/finish b (:outputs graph)) grads [0] [v] {})]
    (mapv array/nested (eval/run (assoc (:graph hvp) :outputs (into grads (:grads hvp)))
                                 {'x x, 'v ones}))))

(deftest products-have-derivatives-of-all-orders-at-zeros
  (testing "gradient, and Hessian times ones"
    (are [at expected] (= expected (derivative '[:prod x] at))
      [2 3 4] [[12.0 8.0 6.0] [7.0 6.0 5.0]]
      [0 3 4] [[12.0 0.0 0.0] [7.0 4.0 3.0]]
      [0 0 4] [[0.0 0.0 0.0] [4.0 4.0 0.0]]
      [0 0 0] [[0.0 0.0 0.0] [0.0 0.0 0.0]])
    (is (= [[[[12.0 0.0] [6.0 15.0]] [[0.0 0.0] [10.0 30.0]]]
            [[[19.0 12.0] [11.0 23.0]] [[4.0 3.0] [17.0 31.0]]]]
           (derivative '[:prod {:axis [0 2]} x] [[[0 1] [5 2]] [[3 4] [3 1]]]))
        "over several axes")))

(deftest log-sum-exp-of-nothing-possible-has-the-derivative-zero
  (is (= [[0.0 0.0] [0.0 0.0]] (derivative '[:logsumexp x] [##-Inf ##-Inf]))))

(deftest the-derivative-of-log-sum-exp-sums-to-one
  (testing "where log 3 is lost beside 1e30"
    (is (= [0.25 0.25 0.25 0.25] (first (derivative '[:logsumexp x] [1e30 1e30 1e30 1e30])))))
  (testing "where the rounding of 710.3 is one of e^710.3"
    (is (< (abs (- 0.7310343155951328 (last (first (derivative '[:logsumexp x] [700 709 710])))))
           1e-15))))

(deftest norms-of-every-order
  (are [ord expected] (same? expected (value (stats/norm [3.0 -4.0 0.0] :ord ord)))
    0 2.0, 1 7.0, 2 5.0, :fro 5.0, ##Inf 4.0, ##-Inf 0.0, 3 (Math/pow 91.0 (/ 1.0 3.0)))
  (is (= [:damo.op.stats/bad-order
          "norm: the order of a norm is a number, ##Inf, ##-Inf or :fro; got :nuc"]
         (error (stats/norm [1.0] :ord :nuc)))))

;; ## Accuracy

(defn- computed
  "The value of an expression, compiled: a double."
  [e]
  (double @(d/eval e)))

(deftest sums-of-squares-neither-overflow-nor-vanish-in-singles
  (are [expected e] (< (Math/abs (- 1.0 (/ (computed e) expected))) 1e-6)
    5e25 (d/norm (d/tensor [3e25 4e25] :f32))
    5e-30 (d/norm (d/tensor [3e-30 4e-30] :f32))
    1e25 (d/std (d/tensor [1e25 -1e25] :f32))))

(defn- over
  "The values of reductions of a tensor, compiled: doubles."
  [x & reductions]
  (let [input (d/input 'x [(d/dtype x) (d/shape x)])]
    (mapv #(double (deref %)) ((d/function [input] (mapv #(% input) reductions)) x))))

(deftest a-variance-far-from-zero-does-not-cancel
  (let [steps (mapv #(+ 1e4 (/ (mod (* 7 %) 1000) 1024.0)) (range 10000))
        [single] (over (d/tensor (float-array steps)) d/var)
        [exact] (over (d/tensor (double-array steps)) d/var)]
    (is (< (Math/abs (- 1.0 (/ (double single) (double exact)))) 1e-6))))

(deftest long-means-of-halves-stay-in-range
  (is (= [2.0 0.0 0.0 632.5 2.0]
         (over (d/full [100000] 2 :f16) d/mean d/var d/std d/norm #(d/norm % :ord ##Inf)))))

;; ## Ties

(deftest all-ties-take-the-gradient-of-an-extreme-in-both-modes
  (let [x (d/input 'x [:f64 [3]]), v (d/input 'v [:f64 [3]]), m (d/max x)
        f (d/function [x v] [(d/rop m x v) (d/grad m x)])]
    (is (= [7.0 [1.0 1.0 1.0]] (mapv deref (f [1 1 1] [1 2 4]))))))
