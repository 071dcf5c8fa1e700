(ns damo.laws.accumulators-test
  "Reductions in compiled code against exact results, on data at which accumulators go wrong: of one
  sign, of extremes, of one element, and so long or so small that a narrow accumulator would lose or
  overflow what the result can hold."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

;; ## Data of one sign, of extremes, of one element

(defn- extremes
  "Lists of numbers that are exact in the dtype."
  [dtype]
  (let [{:keys [kind lo hi least]} (type/dtypes dtype)
        float? (= :float kind)
        tiny (when float? (Math/pow 2.0 least))]
    (cond-> [[(if float? 3.0 3)] [5 2 9 2] [hi hi] [1 hi 2]]
      (or float? (neg? (or lo 0))) (into [[-7 -3 -9 -3] [-1]])
      lo (into [[lo] [lo hi] [lo lo]])
      float? (into [[(- hi) hi] [(- hi) (- hi)] [tiny (* 2 tiny)] [(- tiny) (* -2 tiny)]
                    [##-Inf] [##-Inf ##-Inf] [##Inf 1.0] [-1.0 ##-Inf] [0.0 -2.0]]))))

(def ^:private numeric [:f64 :f32 :f16 :bf16 :i64 :i32 :i16 :i8 :u8])

(defn- position [better xs]
  (first (reduce (fn [[i x] [j y]] (if (better y x) [j y] [i x])) (map-indexed vector xs))))

(def ^:private exact
  "What each op gives for a list of numbers."
  {d/max #(apply max %), d/min #(apply min %)
   d/argmax #(position > %), d/argmin #(position < %)
   d/cummax #(reductions max %), d/cummin #(reductions min %)
   d/sort sort, d/any #(boolean (some (complement zero?) %)), d/all #(not-any? zero? %)
   d/median #(let [s (vec (sort %)), n (count s)] (when (odd? n) (nth s (quot n 2))))})

(defn- plain
  "Numbers as doubles, so that 3 and 3.0 are one."
  [x]
  (cond (sequential? x) (mapv plain x), (number? x) (double x), :else x))

(deftest reductions-of-one-sign
  (doseq [dtype numeric]
    (let [x (d/input 'x [dtype ['n]])
          ops (vec exact)
          f (d/function [x] (mapv (fn [[op]] (op x)) ops))]
      (doseq [xs (extremes dtype)
              [[_ expected] result] (map vector ops (f xs))
              :let [e (plain (expected xs))]
              :when (some? e)]
        (testing (str dtype " " xs)
          (is (= e (plain @result))))))))

(deftest rows-of-one-sign
  (testing "along each axis, where columns are reduced in memory"
    (doseq [dtype numeric
            :let [x (d/input 'x [dtype ['n 'm]])
                  f (d/function [x] [(d/max x 0) (d/max x 1) (d/min x 0) (d/argmax x 0)
                                     (d/argmin x 1)])]
            xs (extremes dtype)
            :let [rows [xs xs], columns (apply mapv vector rows)]]
      (testing (str dtype " " xs)
        (is (= (plain [(map #(apply max %) columns) (map #(apply max %) rows)
                       (map #(apply min %) columns) (map #(position > %) columns)
                       (map #(position < %) rows)])
               (plain (map deref (f rows)))))))))

;; ## Width

(defn- close? [digits x y]
  (<= (Math/abs (- (double x) (double y))) (* (double digits) (Math/abs (double x)))))

(deftest accumulators-are-as-wide-as-stated
  (let [x (d/input 'x [:f32 ['n]]), m (d/input 'm [:f32 ['n 2]])
        f (d/function [x m] [(d/prod x) (d/prod m 0) (d/cumprod x) (d/mean x) (d/var x)
                             (d/sum (d/sqr x)) (d/logsumexp x) (d/cumsum x)])
        run (fn [xs] (f xs (mapv #(vector % %) xs)))]
    (testing "products that leave f32 on the way"
      (let [[prod columns cumprod] (map deref (run (concat (repeat 4 1e20) (repeat 4 1e-20))))]
        (is (close? 1e-6 1.0 prod))
        (is (every? #(close? 1e-6 1.0 %) columns))
        (is (close? 1e-6 1.0 (peek cumprod)))))
    (testing "products of many factors near 1"
      (let [q (double (float 1.0000001)), [prod] (map deref (run (repeat 100000 q)))]
        (is (close? 2e-7 (Math/pow q 100000) prod))))
    (testing "means, variances, squares and running sums of many terms"
      (let [n 200000, q (double (float 0.1))
            [_ _ _ mean var squares lse cumsum] (map deref (run (repeat n q)))]
        (is (close? 1e-7 q mean))
        (is (= 0.0 var))
        (is (close? 2e-7 (* n q q) squares))
        (is (close? 2e-7 (+ q (Math/log n)) lse))
        (is (close? 2e-7 (* n q) (peek cumsum)))))))

(deftest sums-of-integers-are-exact-in-their-dtype
  (doseq [[dtype usual] {:i8 :i64, :u8 :i64, :i16 :i64, :i32 :i64, :i64 :i64}
          :let [x (d/input 'x [dtype ['n]]), {:keys [lo hi]} (type/dtypes dtype)
                f (d/function [x] [(d/sum x) (d/cumsum x)])
                xs (if (= dtype :i64) [lo hi 1] (concat (repeat 300 hi) (repeat 100 lo)))]]
    (testing (str dtype)
      (is (= usual (d/dtype (d/sum x))))
      (let [[sum running] (map deref (f xs))]
        (is (= (reduce +' xs) sum))
        (is (= (vec (reductions +' xs)) running))))))
