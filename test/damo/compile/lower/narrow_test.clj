(ns damo.compile.lower.narrow-test
  "Reductions over rows, of any number and width around the limits of lines, against sums of the
  elements one after the other."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.narrow :as narrow]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private extents
  (concat
   [[1 2048] [4 2049] [3 5000]]
   (for [n [0 1 2 3 10 31 32 33 64 65], m [1 31 32 64 193 700] :when (< (* m n) 9000)] [m n])))

(defn- matrix [dtype m n]
  (let [x (fn [k] (case dtype
                    :bool (zero? (mod k 3))
                    (:f16 :f32 :f64) (double (- (mod (* 7 k) 13) 6))
                    (- (mod (* 5 k) 11) 5)))]
    (vec (for [r (range m)] (vec (for [c (range n)] (x (+ r (* 3 c)))))))))

(defn- columns [x n] (map (fn [c] (map #(nth % c) x)) (range n)))

(defn- agree [what dtype build reference & axes]
  (let [f (d/function [(d/input 'x [dtype (or (first axes) ['m 'n])])]
                      (build (d/input 'x [dtype (or (first axes) ['m 'n])])))]
    (doseq [[m n] extents :when (or (nil? axes) (= n (second (first axes))))
            :let [x (matrix dtype m n)]]
      (is (= (map (comp float reference) (columns x n))
             (map float @(f (d/tensor x dtype))))
          [what dtype m n]))))

(deftest sums-test
  (doseq [dtype [:f32 :f64 :f16 :i64 :i32]]
    (agree "sum" dtype #(d/sum % :axis 0) #(apply + %))
    (agree "max" dtype #(d/max % :axis 0) #(apply max %)))
  (doseq [n [1 10 33 64]]
    (agree "constant" :f32 #(d/min % :axis 0) #(apply min %) ['m n]))
  (agree "prod" :i64 #(d/prod % :axis 0) #(reduce unchecked-multiply %)))

(deftest with-rows-and-more-test
  (let [x (d/input 'x [:f32 ['m 'n]]), r (d/input 'r [:f32 ['n]])
        f (d/function [x r] [(d/sum (d/sub x r) :axis 0) (d/sum (d/mul x r) :axis 0) (d/mul x r)])
        b (d/function [(d/input 'x [:bool ['m 'n]])]
                      (let [x (d/input 'x [:bool ['m 'n]])] [(d/any x :axis 0) (d/all x :axis 0)]))]
    (doseq [[m n] extents :let [v (matrix :f32 m n), w (range n), bools (matrix :bool m n)]]
      (is (= [(map (fn [c k] (float (- (apply + c) (* m k)))) (columns v n) w)
              (map (fn [c k] (float (* (apply + c) k))) (columns v n) w)
              (map (fn [row] (map #(float (* %1 %2)) row w)) v)]
             (map deref (f (d/tensor v :f32) (d/tensor w :f32)))) [m n])
      (is (= [(map #(boolean (some true? %)) (columns bools n))
              (map #(every? true? %) (columns bools n))]
             (map deref (b (d/tensor bools :bool)))) [m n]))))

(deftest stacks-and-variances-test
  (let [f (d/function [(d/input 'x [:f64 [3 'm 'n]])]
                      (let [x (d/input 'x [:f64 [3 'm 'n]])]
                        [(d/sum x :axis 1) (d/var x :axis 1)]))]
    (doseq [[m n] extents :let [x (matrix :f64 m n), mean #(/ (apply + %) (double m))
                                variance (fn [c] (mean (map #(* (- % (mean c)) (- % (mean c))) c)))
                                near? (fn [a b] (every? true? (map #(< (abs (- %1 %2)) 1e-9) a b)))
                                [sums vars] (map deref (f (d/tensor [x x x] :f64)))]]
      (is (every? #(near? (map (partial apply +) (columns x n)) %) sums) [m n])
      (is (every? #(near? (map variance (columns x n)) %) vars) [m n]))))

(deftest nan-and-zeros-test
  (let [f (d/function [(d/input 'x [:f32 ['m 'n]])]
                      (let [x (d/input 'x [:f32 ['m 'n]])] [(d/max x :axis 0) (d/min x :axis 0)]))
        x (assoc-in (vec (repeat 400 [1.0 -0.0 ##-Inf])) [333 0] ##NaN)
        [[a b c] [e g h]] (map deref (f (d/tensor x :f32)))]
    (is (= [true -0.0 ##-Inf true -0.0 ##-Inf] [(NaN? a) b c (NaN? e) g h]))
    (is (every? #(= (Double/doubleToRawLongBits -0.0) (Double/doubleToRawLongBits (double %)))
                [b g]))))

(deftest what-is-left-alone-test
  (let [nest '[[:for k n [:store 1 k [:const :f64 0]]]
               [:for i m [:for j n [:let v [:load 0 [:+ [:* i n] j]]]
                          [:store 1 j [:add [:load 1 j] v]]]]]
        lines #(narrow/lines {0 :f64, 1 :f64} (constantly true) %)]
    (is (= :if (first (second (lines nest)))))
    (testing "rows that lie apart, sums of wide rows, extents that a call counts"
      (is (= (assoc-in nest [1 3 3 2 2] '[:+ [:* i k] j])
             (lines (assoc-in nest [1 3 3 2 2] '[:+ [:* i k] j]))))
      (is (= (assoc-in nest [1 3 2] 100) (lines (assoc-in nest [1 3 2] 100))))
      (is (= nest (narrow/lines {0 :f64, 1 :f64} (constantly false) nest))))))
