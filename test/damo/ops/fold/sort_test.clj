(ns damo.ops.fold.sort-test
  "Sorts of lines of all lengths and dtypes against the reference; ties, NaN, signed zeros;
  derivatives through permutations; searching, counting, medians, distinct values; failures."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- elements
  "An array with ties, extremes and, of floats, NaN, infinities and both zeros."
  [dtype shape seed]
  (let [random (Random. seed)
        {:keys [kind lo hi]} (type/dtypes dtype)
        odd-ones (case kind
                   :float [##NaN ##Inf ##-Inf 0.0 -0.0 1e-40 -1e-40]
                   :int [lo hi 0]
                   :bool [true false])]
    (array/build dtype shape
                 (fn [_] (case (.nextInt random 4)
                           0 (nth odd-ones (.nextInt random (count odd-ones)))
                           1 (- (.nextInt random 7) 3)
                           (if (= kind :float)
                             (* 1e3 (.nextGaussian random))
                             (unchecked-int (bit-shift-right (.nextInt random)
                                                             (.nextInt random 31)))))))))

(defn- sorts
  "The graph of sorts of x, up and down, and of their permutations."
  [x axis]
  (d/graph (vec (for [op [d/sort d/argsort], down [false true]]
                  (op x :axis axis :descending down)))))

(defn- same?
  "Are two arrays equal, zeros with their signs and NaN included?"
  [a b]
  (and (= (array/type-of a) (array/type-of b))
       (= (map str (array/values a)) (map str (array/values b)))))

(deftest lines-of-all-lengths
  (doseq [dtype (keys type/dtypes)
          :let [g (sorts (d/input 'x [dtype '[n]]) 0), c (running/compile g {:rules false})]]
    (doseq [n [0 1 2 3 17 192 193 385 2000] :let [env {'x (elements dtype [n] n)}]]
      (is (every? true? (map same? (eval/run g env) (running/call! c env)))
          (str dtype " " n)))
    (running/close! c)))

(deftest each-by-itself
  (testing "for what is asked for beside others is one sorting"
    (doseq [dtype (keys type/dtypes), down [false true], k [nil 7], op [d/sort d/argsort]
            :let [x (d/input 'x [dtype '[n]])
                  g (d/graph [(apply op x :descending down (when k [:k k]))])
                  c (running/compile g {:rules false})]]
      (doseq [n [7 17 385 2000] :let [env {'x (elements dtype [n] n)}]]
        (is (every? true? (map same? (eval/run g env) (running/call! c env)))
            (str dtype " " n " " down " " k)))
      (running/close! c))))

(deftest lines-along-any-axis
  (doseq [[shape axis] [[[3 700] 1] [[700 3] 0] [[2 600 3] 1] [[2 3 4] 0]]
          dtype [:f32 :i64]
          :let [x (d/input 'x [dtype shape]), env {'x (elements dtype shape 5)}]
          g [(sorts x axis) (sorts (d/transpose x) (- (count shape) 1 axis))]
          :let [c (running/compile g {:rules true})]]
    (is (every? true? (map same? (eval/run g env) (running/call! c env))) (str dtype shape axis))
    (running/close! c)))

(defn- leading
  "The k largest and smallest elements of x, with their places and alone."
  [x axis k]
  (vec (for [op [d/topk d/argtopk d/topk-and-argtopk], largest [true false]
             y (let [y (op x :k k :axis axis :largest largest)] (if (vector? y) y [y]))]
         y)))

(deftest the-first-of-lines
  (doseq [dtype (keys type/dtypes), k [0 1 5 'k]
          :let [x (d/input 'x [dtype '[n]])
                g (d/graph (cond-> (leading x 0 k) (= k 'k) (conj (d/sum (d/input 'c [:i8 '[k]])))))
                c (running/compile g {:rules false})]]
    (doseq [n [5 17 300 2000]
            :let [env (cond-> {'x (elements dtype [n] n)}
                        (= k 'k) (assoc 'c (array/full :i8 [(quot n 2)] 0)))]]
      (is (every? true? (map same? (eval/run g env) (running/call! c env))) (str dtype n k)))
    (running/close! c)))

(deftest the-first-along-any-axis
  (doseq [[shape axis] [[[3 70] 1] [[70 3] 0] [[2 60 3] 1] [[2 3 4] 0]], dtype [:f32 :f64 :i16]
          :let [x (d/input 'x [dtype shape]), env {'x (elements dtype shape 5)}]
          :let [turned (leading (d/transpose x) (- (count shape) 1 axis) 2)]
          g [(d/graph (leading x axis 2)) (d/graph turned)]
          :let [c (running/compile g {:rules true})]]
    (is (every? true? (map same? (eval/run g env) (running/call! c env))) (str dtype shape axis))
    (running/close! c)))

(deftest there-must-be-as-many
  (let [x (d/input 'x [:f32 '[n]]), y (d/input 'y [:i8 '[k]])
        f (d/function [x y] [(d/topk x :k 'k) (d/sum y)])]
    (is (= [3.0 2.0] @(first (f [1.0 3.0 2.0] [0 0]))))
    (is (thrown? clojure.lang.ExceptionInfo (f [1.0] [0 0])))))

(deftest what-is-sorted-is-generated-or-a-view
  (is (= [4 3 2 1 0] @(d/eval (d/sort (d/iota :shape [5]) :descending true))))
  (is (= [[1 2] [0 1]] @(d/eval (d/sort (d/slice (d/tensor [[9 2 1] [9 1 0]]) :axis 1 :start 1))))))

;; ## Ties and derivatives

(deftest equal-elements-keep-their-order
  (is (= [1 3 0 2] @(d/eval (d/argsort (d/tensor [0.0 -1.0 -0.0 -1.0])))))
  (is (= [0 2 1 3] @(d/eval (d/argsort (d/tensor [0.0 -1.0 -0.0 -1.0]) :descending true))))
  (is (= [0 3] @(d/eval (d/argtopk (d/tensor [7 1 5 7 7]) :k 2)))))

(deftest derivatives-go-by-the-permutation
  (let [x (d/input 'x [:f64 [4]])
        weighted (d/sum (d/mul (d/sort x) (d/tensor [1.0 10.0 100.0 1000.0])))
        f (d/function [x] [(d/grad weighted x)
                           (d/rop (d/sort x) x (d/tensor [1.0 2.0 3.0 4.0]))
                           (d/grad (d/sum (d/topk x :k 2)) x)])]
    (is (= [[10.0 1.0 1000.0 100.0] [2.0 1.0 4.0 3.0] [0.0 0.0 1.0 1.0]]
           (mapv deref (f [2 1 9 3]))))
    (testing "of equals the first goes first"
      (is (= [[1.0 10.0 100.0 1000.0] [1.0 2.0 3.0 4.0]] (mapv deref (take 2 (f [5 5 5 5]))))))))

;; ## Searching, counting

(deftest places-in-sorted-vectors
  (let [a (d/input 'a [:f64 ['n]]), v (d/input 'v [:f64 ['m]])
        f (d/function [a v] [(d/searchsorted a v) (d/searchsorted a v :side :right)])]
    (doseq [n [0 1 2 3 7 8 9 1000] :let [a (mapv #(double (quot (long %) 2)) (range n))]]
      (let [v [-1 0 0.5 1 3 n ##NaN], [l r] (mapv deref (f a v))]
        (is (= (map (fn [v] (if (NaN? v) n (count (filter #(< % v) a)))) v) l))
        (is (= (map (fn [v] (if (NaN? v) n (count (filter #(<= % v) a)))) v) r))))))

(deftest bins
  (let [x (d/input 'x [:i32 ['n]]), w (d/input 'w [:f32 ['n]])
        f (d/function [x w] [(d/bincount x :length 3) (d/bincount x :length 3 :weights w)])]
    (is (= [[1 0 2] [0.5 0.0 3.0]] (mapv deref (f [2 0 2] [1 0.5 2]))))
    (is (= [[0 0 0] [0.0 0.0 0.0]] (mapv deref (f [] []))))
    (doseq [bad [3 -1 Integer/MAX_VALUE]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"index" (f [0 bad] [1 1]))))))

(deftest permutations-are-checked
  (let [p (d/input 'p [:i64 ['n]]), f (d/function [p] (d/inverse-permutation p))]
    (is (= [1 2 0] @(f [2 0 1])))
    (doseq [bad [[0 0] [1 2] [-1 0] [0 1 1]]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"permutation" (f bad))))))

;; ## Quantiles, distinct values

(deftest quantiles-of-odd-lines
  (let [x (d/input 'x [:f64 ['n]])
        f (d/function [x] [(d/median x) (d/quantile x :q 0.9) (d/quantile x :q 1)])]
    (is (= [2.0 2.8 3.0] (mapv deref (f [3 1 2]))))
    (is (= [2.5 3.7 4.0] (mapv deref (f [4 1 2 3]))))
    (is (= [7.0 7.0 7.0] (mapv deref (f [7]))))
    (is (every? NaN? (map deref (f [1 ##NaN 2]))))
    (is (= [##Inf ##Inf ##Inf] (mapv deref (f [##Inf ##Inf 1]))))
    (is (thrown? clojure.lang.ExceptionInfo (f []))))
  (is (= [[2.0] [5.0]] @(d/eval (d/median (d/tensor [[1 2 3] [6 5 4]]) :axis 1 :keepdims true))))
  (let [x (d/input 'x [:f64 [4]])]
    (is (= [0.0 0.5 0.5 0.0] @((d/function [x] (d/grad (d/median x) x)) [1 2 3 4]))))
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"from 0 to 1" (d/quantile [1.0] :q 2))))

(deftest distinct-values
  (let [x (d/input 'x [:f64 ['n]]), all (d/unique-all x)
        f (d/function [x] all)
        values (fn [xs] (update-vals (f xs) deref))]
    (is (= {:values [1.0 2.0 5.0], :counts [2 1 3], :inverse [2 0 2 1 2 0]} (values [5 1 5 2 5 1])))
    (is (= {:values [], :counts [], :inverse []} (values [])))
    (let [{:keys [values counts]} (values [##NaN 3 ##NaN])]
      (is (= [2 3.0 [1 2]] [(count values) (first values) counts])))
    (is (= [2.0 1.0 0.0] @((d/function [x] (d/grad (d/sum (d/mul (d/unique x :as 'k)
                                                                 (d/cast (d/iota :shape ['k])
                                                                         :dtype :f64))) x))
                           [9 5 1])))))

(deftest unfit-calls-are-refused
  (let [x (d/input 'x [:f64 [3]])]
    (doseq [[call message] [[#(d/topk x :k 4) #"no 4 elements"]
                            [#(d/sort x :axis 1) #"axis 1 does not exist"]
                            [#(d/searchsorted (d/reshape x :shape [3 1]) x) #"sorted vector"]
                            [#(d/searchsorted x x :side :middle) #":left or :right"]
                            [#(d/bincount x :length 3) #"takes integers"]
                            [#(d/argsort 1.0) #"axis -1 does not exist"]]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo message (call)))))
  (testing "by the reference too, once it knows how many elements there are"
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"no 4 elements"
                          (eval/run (d/graph (d/topk (d/input 'x [:f64 ['n]]) :k 4))
                            {'x (array/of :f64 [3] [1 2 3])})))))
