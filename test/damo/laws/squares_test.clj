(ns damo.laws.squares-test
  "Norms and deviations: at all scales, with their slopes, and what a second derivative is where
  they are 0. Their squares, however written, have the second derivatives of sums of squares and of
  variances."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn- values
  "What the expressions over x give for data."
  [x data & expressions]
  (mapv deref ((d/function [x] (vec expressions) {:on-unused-input :ignore})
               (d/tensor data (first (d/type-of x))))))

(defn- near? [bound x y]
  (let [x (flatten [x]), y (flatten [y])]
    (and (= (count x) (count y))
         (every? true? (map (fn [a b] (<= (abs (- (double a) (double b)))
                                          (* (double bound) (abs (double b)))))
                            x y)))))

;; ## Scales

(def ^:private scales
  "What 3 and 4 are multiplied by, and how near results must be."
  {:f64 [[1e200 1e-14] [1e-200 1e-14] [1.0 1e-15] [1e307 1e-14] [1e-307 1e-14] [1e154 1e-14]
         [1e-154 1e-14] [1e-160 1e-14]]
   :f32 [[1e30 1e-6] [1e-30 1e-6] [1e37 1e-6]]
   :bf16 [[1e30 1e-2] [1e-30 1e-2]]
   :f16 [[4e3 1e-3] [1e-4 2e-3]]})

(deftest norms-and-deviations-at-all-scales
  (doseq [[dtype rows] scales, [scale bound] rows
          :let [x (d/input 'x [dtype [2 2]]), near? #(near? (* 4 bound) %1 %2)
                data [[(* 3.0 scale) (* -4.0 scale)] [0.0 (* 12.0 scale)]]
                [all fro row column slope deviation]
                (values x data (d/norm x) (d/norm x :ord :fro) (d/norm x :axis 1)
                        (d/norm x :axis 0 :keepdims true) (d/grad (d/norm x) x)
                        (d/std x :axis 1))]]
    (testing (str dtype " " scale)
      (is (near? all (* 13.0 scale)))
      (is (= all fro))
      (is (near? row [(* 5.0 scale) (* 12.0 scale)]))
      (is (near? column [(* 3.0 scale) (* 1e0 (Math/sqrt 160.0) scale)]))
      (is (near? (flatten slope) [(/ 3.0 13) (/ -4.0 13) 0.0 (/ 12.0 13)]))
      (is (near? deviation [(* 3.5 scale) (* 6.0 scale)])))))

(deftest norms-of-other-orders-at-all-scales
  (doseq [scale [1e200 1e-200 1.0], ord [3 1.5 4 10]
          :let [x (d/input 'x [:f64 [2]]), p (double ord)
                norm (Math/pow (+ (Math/pow 3 p) (Math/pow 4 p)) (/ p))
                [n slope] (values x [(* 3.0 scale) (* -4.0 scale)]
                                  (d/norm x :ord ord) (d/grad (d/norm x :ord ord) x))]]
    (is (near? 1e-13 n (* norm scale)) [scale ord])
    (is (near? 1e-13 slope [(Math/pow (/ 3 norm) (dec p)) (- (Math/pow (/ 4 norm) (dec p)))])
        [scale ord])))

(deftest norms-of-special-values
  (let [x (d/input 'x [:f64 ['n]])]
    (doseq [[data expected] [[[0.0 -0.0] 0.0] [[] 0.0] [[##Inf 1.0] ##Inf] [[##-Inf 1e-300] ##Inf]
                             [[1.5e308 1.5e308] ##Inf] [[4.9e-324 0.0] 4.9e-324]]
            ord [2 3]]
      (is (= [expected] (values x data (d/norm x :ord ord))) [data ord]))
    (is (NaN? (first (values x [##NaN 1e200] (d/norm x)))))
    (is (NaN? (first (values x [##NaN 1e-200] (d/norm x :ord 3)))))))

;; ## Where they are 0

(deftest a-norm-of-0-has-no-second-derivative
  (let [x (d/input 'x [:f64 [2]])]
    (doseq [[e at] [[(d/norm x) [0.0 0.0]] [(d/std x) [1.0 1.0]] [(d/norm x :ord 1.5) [0.0 0.0]]]
            mode [:forward :reverse]
            :let [[slope hessian] (values x at (d/grad e x) (d/hessian e x {:mode mode}))]]
      (is (= [0.0 0.0] slope))
      (is (not-any? #(Double/isFinite (double %)) (flatten hessian)))))
  (let [x (d/input 'x [:f64 []]), y (d/input 'y [:f64 []]), r (d/hypot x y)
        blocks (fn [e] (map deref ((d/function [x y] (vec (apply concat (d/hessian e [x y])))
                                               {:on-unused-input :ignore})
                                   0.0 0.0)))]
    (is (not-any? #(Double/isFinite (double %)) (blocks r)))
    (is (= [2.0 0.0 0.0 2.0] (blocks (d/sqr r)) (blocks (d/mul r r))))))

(deftest of-one-element
  (doseq [type ['[:f64 [1]] '[:f64 [n]]], at [0.0 2.0]
          :let [x (d/input 'x type)]
          e [(d/norm x) (d/std x)]]
    (is (= [[[0.0]]] (values x [at] (d/hessian e x)))
        "a size has no curvature, a deviation is 0")))

(def ^:private ways-to-square
  [d/sqr #(d/mul % %) #(d/pow % 2) #(d/pow % 2.0)])

(defn- written-norm [x] (d/sqrt (d/sum (d/sqr x))))

(defn- derivatives
  "First and second derivatives of a cost over x [3], in both modes."
  [cost x]
  [(d/grad cost x) (d/rop cost x (d/mul 0.5 (d/ones [3])))
   (d/hessian cost x) (d/hessian cost x {:mode :reverse})])

(deftest squares-have-the-derivatives-of-sums-of-squares
  (doseq [[root square] [[d/norm #(d/sum (d/sqr %))] [written-norm #(d/sum (d/sqr %))]
                         [#(d/norm % :ord :fro) #(d/sum (d/sqr %))]
                         [d/std d/var] [#(d/std % :ddof 1) #(d/var % :ddof 1)]
                         [#(d/sqrt (d/var %)) d/var] [d/abs d/sqr]]
          :let [x (d/input 'x [:f64 [3]])
                all (for [e (conj (mapv #(% (root x)) ways-to-square) (square x))]
                      (derivatives (d/sum (d/mul e 1.5)) x))
                f (d/function [x] (vec (apply concat all)))]
          data [[0.0 0.0 0.0] [2.0 2.0 2.0] [1.0 -2.0 0.0]]
          :let [found (partition 4 (map deref (f (d/tensor data :f64))))]
          got (butlast found)]
    (is (every? #(< (abs (double %)) 1e-12) (map - (flatten got) (flatten (last found))))
        [data got (last found)])))

(deftest higher-even-powers-and-derivatives-by-the-root-itself
  (let [x (d/input 'x [:f64 [2]]), n (d/norm x)]
    (is (= [[[28.0 16.0] [16.0 52.0]]] (values x [1.0 2.0] (d/hessian (d/pow n 4) x))))
    (is (= [[[0.0 0.0] [0.0 0.0]]] (values x [0.0 0.0] (d/hessian (d/pow n 4) x))))
    (testing "the norm is a node that may be differentiated by, or be a constant"
      (is (= [10.0 [6.0 8.0] [0.0 0.0]]
             (values x [3.0 4.0] (d/grad (d/sqr n) n) (d/grad (d/sqr n) x)
                     (d/grad (d/sqr n) x {:consider-constant [n], :disconnected :ignore}))))
      (is (= [[1.2 1.6]] (values x [3.0 4.0]
                                 (d/grad nil x {:known-grads {n (d/mul 2.0 (d/ones []))}})))))))

(deftest powers-written-with-logarithms
  (let [x (d/input 'x [:f64 []]), y (d/input 'y [:f64 []])
        hessian (fn [e] (d/function [x y] (vec (apply concat (d/hessian e [x y])))))]
    (doseq [e [(d/exp (d/xlogy x y)) (d/exp (d/mul x (d/log y))) (d/pow y x)]]
      (is (= [0.0 0.0 0.0 2.0] (map deref ((hessian e) 2.0 0.0))))
      (is (near? 1e-14 (map deref ((hessian e) 0.0 2.0))
                 [(Math/pow (Math/log 2.0) 2.0) 0.5 0.5 0.0])))))

;; ## Where a slope is 0/0 as written

(deftest hessians-at-removable-singularities
  (let [x (d/input 'x [:f64 []]), y (d/input 'y [:f64 []])]
    (doseq [[e a b expected] [[(d/xlogy x y) 0.0 2.0 [0.0 0.5 0.5 0.0]]
                              [(d/xlog1py x y) 0.0 1.0 [0.0 0.5 0.5 0.0]]
                              [(d/pow x y) 2.0 0.0 [0.0 0.5 0.5 (Math/pow (Math/log 2.0) 2.0)]]
                              [(d/pow x y) 0.0 2.0 [2.0 0.0 0.0 0.0]]
                              [(d/binary-cross-entropy x y) 0.5 1.0 [4.0 -4.0 -4.0 0.0]]]
            mode [:forward :reverse]
            :let [h (apply concat (d/hessian e [x y] {:mode mode}))
                  f (d/function [x y] (vec h) {:on-unused-input :ignore})]]
      (is (near? 1e-14 (map deref (f a b)) expected) [a b mode]))
    (doseq [p [0.0 1.0] :let [loss (d/binary-cross-entropy x y)]]
      (is (= 1.0 @((d/function [x y] (d/hessian loss x)) p p))
          "a certain and right probability lies at the end of a loss that bends upwards"))))

(deftest losses-by-targets-that-are-0
  (let [p (d/input 'p [:f64 [2 2]]), t (d/input 't [:f64 [2 2]])
        loss (d/sum (d/categorical-cross-entropy p t))
        f (d/function [p t] [(d/grad loss t) (d/rop loss t (d/mul 0.5 (d/ones [2 2])))
                             (d/jacobian (d/grad loss p) t) (d/jacobian (d/grad loss t) p)])
        [slope tangent by-p-t by-t-p] (map deref (f (d/tensor [[0.25 0.75] [0.5 0.5]] :f64)
                                                    (d/tensor [[0.0 1.0] [1.0 0.0]] :f64)))
        logs (map #(- (Math/log %)) [0.25 0.75 0.5 0.5])]
    (is (near? 1e-14 slope logs))
    (is (near? 1e-14 tangent (* 0.5 (double (reduce + logs)))))
    (is (= by-p-t by-t-p))
    (is (near? 1e-14 (get-in by-p-t [0 0 0 0]) -4.0))
    (is (near? 1e-14 (get-in by-p-t [1 1 1 1]) -2.0))))
