(ns damo.loops.solvers-test
  "Iterations that end when they have arrived: Newton's method, power iteration, Sinkhorn's scaling
  and conjugate gradients, with gradients through the iterations and by the implicit function
  theorem, against closed forms."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.loops.waves :refer [close? wave]]))

(set! *warn-on-reflection* true)

;; ## Newton's method

(defn- square-root
  "Newton's steps for x² = a from x0, `until` one moves x by less than 1e-9 or `most` are made."
  [a x0 most]
  (:x (d/scan {:state {:x x0}, :n-steps most}
        (fn [{:keys [x]}]
          (let [next-x (d/mul 0.5 (d/add x (d/div a x)))]
            {:x next-x, :until (d/lt (d/abs (d/sub next-x x)) 1e-9)})))))

(defn- plain-square-root [a x0 most]
  (loop [x x0, made []]
    (let [next-x (* 0.5 (+ x (/ a x))), made (conj made next-x)]
      (if (or (= most (count made)) (< (abs (- next-x x)) 1e-9))
        made
        (recur next-x made)))))

(deftest newton-until-it-stands-still
  (let [a (d/input 'a [:f64 []]), x0 (d/input 'x0 [:f64 []])
        xs (square-root a x0 30), root (d/index xs -1)
        f (d/function [a x0] {:xs xs, :steps (d/shape-i xs 0), :grads (d/grad root [a x0])
                              :tangent (d/rop root a 3.0)})]
    (doseq [[a x0] [[2.0 1.0] [2.0 1e4] [49.0 7.0] [1e-6 1.0]]
            :let [plain (plain-square-root a x0 30)
                  {:keys [xs steps grads tangent]} (f a x0), slope (/ 0.5 (Math/sqrt a))]]
      (testing (str "the root of " a " from " x0)
        (is (= (count plain) @steps))
        (is (close? 1e-15 plain @xs))
        (is (close? 1e-12 slope @(grads 0)))
        (is (close? 1e-9 0.0 @(grads 1)) "the start is forgotten")
        (is (close? 1e-12 (* 3 slope) @tangent))))))

(defn- kepler
  "The E of E - e sin E = M, by Newton's method."
  [e m]
  (let [residual #(d/sub (d/sub % (d/mul e (d/sin %))) m)]
    (d/while-loop (d/add m e)
                  #(d/gt (d/abs (residual %)) 1e-13)
                  #(d/sub % (d/div (residual %) (d/sub 1 (d/mul e (d/cos %)))))
                  {:max-steps 50})))

(def ^:private implicit-kepler
  "The same with the derivative of the implicit function theorem."
  (d/with-derivative kepler
    {:lop (fn [[e _] at g]
            (let [scaled (d/div g (d/sub 1 (d/mul e (d/cos at))))]
              [(d/mul scaled (d/sin at)) scaled]))}))

(deftest keplers-equation
  (let [e (d/input 'e [:f64 []]), m (d/input 'm [:f64 []])]
    (doseq [[how solve] {"through the steps" kepler, "by the theorem" implicit-kepler}
            :let [root (solve e m)
                  f (d/function [e m] {:root root, :grads (d/grad root [e m])
                                       :tangent (d/rop root [e m] [1.0 2.0])})]
            [e m] [[0.1 0.5] [0.9 2.5] [0.3 3.0]]
            :let [{:keys [root grads tangent]} (f e m), at @root
                  slope (/ 1.0 (- 1.0 (* e (Math/cos at))))]]
      (testing (str how ", eccentricity " e)
        (is (close? 1e-12 m (- at (* e (Math/sin at)))))
        (is (close? 1e-10 (* slope (Math/sin at)) @(grads 0)))
        (is (close? 1e-10 slope @(grads 1)))
        (is (close? 1e-10 (* slope (+ (Math/sin at) 2.0)) @tangent))))))

;; ## Power iteration

(defn- times [a v] (mapv (fn [row] (reduce + (map * row v))) a))
(defn- outer [v w] (mapv (fn [x] (mapv #(* x %) w)) v))

(deftest power-iteration
  (testing "the largest eigenvalue, and its derivative by the matrix, v vᵀ"
    (let [a (d/input 'a [:f64 ['n 'n]])
          unit #(d/div % (d/sqrt (d/sum (d/sqr %))))
          v (d/foldl (fn [v _] (unit (d/dot a v)))
                     (unit (d/add 1.0 (d/mul 0.1 (d/arange 'n))))
                     (d/arange 80))
          value (d/dot v (d/dot a v))
          f (d/function [a] {:value value, :vector v, :gradient (d/grad value a)})
          a [[4.0 1.0 -2.0] [1.0 -1.0 0.5] [-2.0 0.5 1.0]]
          {:keys [value vector gradient]} (f a), v @vector]
      (is (close? 1e-13 5.076033673912518 @value) "as numpy.linalg.eigvalsh has it")
      (is (close? 1e-12 (mapv #(* @value %) v) (times a v)))
      (is (close? 1e-11 (outer v v) @gradient)))))

;; ## Sinkhorn

(def ^:private softness 0.3)

(defn- scaled
  "[f g steps]: the potentials of the plan exp((f + g - cost) / softness) with row sums a and column
  sums b, when row sums are right to 1e-13, in the logarithmic form."
  [cost a b]
  (let [soft-min (fn [potential axis]
                   (d/mul softness (d/logsumexp (d/div (d/sub potential cost) softness)
                                                :axis axis)))
        f-of #(d/sub (d/mul softness (d/log a)) (soft-min (d/expand-dims % 0) 1))
        g-of #(d/sub (d/mul softness (d/log b)) (soft-min (d/expand-dims % 1) 0))
        off (fn [[f g _]] (d/max (d/abs (d/sub (f-of g) f))))]
    (d/while-loop [(d/zeros-like a) (d/zeros-like b) 0]
                  (fn [[_ _ steps :as state]]
                    (d/logical-or (d/lt steps 1) (d/gt (off state) 1e-13)))
                  (fn [[_ g steps]] (let [f (f-of g)] [f (g-of f) (d/add steps 1)]))
                  {:max-steps 400})))

;; The plan by SciPy after 3000 iterations; the gradient of its cost by JAX through 200 of them,
;; both in float64.
(deftest sinkhorn-to-a-tolerance
  (let [cost (d/input 'cost [:f64 [3 4]])
        a (d/tensor [0.2 0.3 0.5]), b (d/tensor [0.1 0.2 0.3 0.4])
        [f g steps] (scaled cost a b)
        plan (d/exp (d/div (d/sub (d/add (d/expand-dims f 1) g) cost) softness))
        dual (d/add (d/dot f a) (d/dot g b))
        total (d/sum (d/mul plan cost))
        f (d/function [cost] {:plan plan, :steps steps, :by-dual (d/grad dual cost)
                              :by-total (d/grad total cost)})
        {:keys [plan steps by-dual by-total]}
        (f (mapv (fn [row] (mapv abs row)) (wave [3 4] 0.2)))
        expected [[0.05287461489094215 0.00536395990277826 0.1328179036888419 0.00894352151743774]
                  [0.03660199192455659 0.04399351416517334 0.11727588624181548 0.10212860766845454]
                  [0.01052339318450129 0.15064252593204835 0.04990621006934259 0.2889278708141077]]]
    (is (< 3 @steps 400))
    (is (close? 1e-12 expected @plan))
    (testing "the dual's gradient is the plan, through the iterations too"
      (is (close? 1e-11 expected @by-dual)))
    (is (close? 1e-10
                [[0.06706317852975159 -0.00911995168213052 0.15885613941033638 -0.01679936625795736]
                 [0.04110012868567874 0.02756117300978302 0.15175090019614904 0.07958779810838927]
                 [-0.00816330721543025 0.18155877867234751 -0.01060703960648544 0.3372115681495679]]
                @by-total))))

;; ## Conjugate gradients

(defn- conjugate-gradient
  "[x steps]: the x of (product x) = b for a symmetric positive definite product, from 0, in steps
  until the residual's square is below 1e-20."
  [product b]
  (let [{:keys [x steps]}
        (d/while-loop
         {:x (d/zeros-like b), :r b, :p b, :square (d/sum (d/sqr b)), :steps 0}
         #(d/gt (:square %) 1e-20)
         (fn [{:keys [x r p square steps]}]
           (let [ap (product p), length (d/div square (d/dot p ap))
                 r (d/sub r (d/mul length ap)), next-square (d/sum (d/sqr r))]
             {:x (d/add x (d/mul length p)), :r r, :square next-square, :steps (d/add steps 1)
              :p (d/add r (d/mul (d/div next-square square) p))}))
         {:max-steps 50})]
    [x steps]))

(def ^:private implicit-solve
  "The x of a x = b by conjugate gradients, whose derivative is another solution by them."
  (d/with-derivative (fn [a b] (first (conjugate-gradient #(d/dot a %) b)))
    {:lop (fn [[a _] x g]
            (let [by-b (first (conjugate-gradient #(d/dot a %) g))]
              [(d/neg (d/outer by-b x)) by-b]))}))

(defn- symmetric-part [m]
  (mapv (fn [i] (mapv (fn [j] (/ (+ (get-in m [i j]) (get-in m [j i])) 2)) (range (count m))))
        (range (count m))))

(defn- positive-matrix
  "Symmetric, [n n], with eigenvalues about 1 to n."
  [n]
  (symmetric-part (vec (map-indexed (fn [i row] (update (mapv #(* 0.6 %) row) i + (inc i)))
                                    (wave [n n] 0.3)))))

(deftest conjugate-gradients-in-the-graph
  (let [a (d/input 'a [:f64 ['n 'n]]), b (d/input 'b [:f64 ['n]]), c (d/input 'c [:f64 ['n]])
        [x steps] (conjugate-gradient #(d/dot a %) b)
        implicit (implicit-solve a b)
        f (d/function [a b c] {:steps steps, :xs [x implicit]
                               :grads (for [x [x implicit]] (d/grad (d/dot c x) [a b]))})]
    (doseq [n [5 1]
            :let [a (positive-matrix n), b (wave [n] 0.2), c (wave [n] 0.9)
                  {:keys [steps xs grads]} (f a b c)
                  [x implicit] (map deref xs), [[a' b'] [implicit-a' implicit-b']] grads]]
      (testing (str n " unknowns")
        (is (= n @steps))
        (is (close? 1e-12 b (times a x)))
        (is (close? 1e-12 x implicit))
        (testing "the gradient by b solves the transposed system, that by a is -b' xᵀ"
          (is (close? 1e-11 c (times a @b')))
          (is (close? 1e-11 c (times a @implicit-b')))
          (is (close? 1e-11 (mapv #(mapv - %) (outer @b' x)) @implicit-a'))
          (testing "through the steps, the matrix counts as symmetric"
            (is (close? 1e-10 (symmetric-part @implicit-a') (symmetric-part @a')))))))))
