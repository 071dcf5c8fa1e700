(ns damo.loops.flows-test
  "Things that move in time as loops: differential equations by fixed and by adaptive steps, with
  gradients through the solver, and a random walk Metropolis sampler with given noise."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.loops.waves :refer [close? wave]]))

(set! *warn-on-reflection* true)

;; ## Runge and Kutta

(defn- runge-kutta
  "The state of y' = (f y) after n steps of length h of the classical method."
  [f y0 h n]
  (let [ahead (fn [y s k] (d/add y (d/mul s k)))]
    (d/index (:y (d/scan {:state {:y y0}, :n-steps n}
                   (fn [{:keys [y]}]
                     (let [k1 (f y)
                           k2 (f (ahead y (/ h 2) k1))
                           k3 (f (ahead y (/ h 2) k2))
                           k4 (f (ahead y h k3))]
                       {:y (ahead y (/ h 6) (d/add k1 (d/mul 2 k2) (d/mul 2 k3) k4))}))))
             -1)))

(defn- taylor
  "The polynomial of degree `degree` that begins e^z."
  [degree z]
  (reduce + (reductions (fn [term k] (/ (* term z) k)) 1.0 (range 1 (inc degree)))))

(deftest runge-kutta-of-a-linear-equation
  (testing "y' = -k y: each step multiplies by the Taylor polynomial p(-k h) of degree 4"
    (let [y0 (d/input 'y0 [:f64 []]), k (d/input 'k [:f64 []]), n (d/input 'n [:i64 []])
          y (runge-kutta #(d/neg (d/mul k %)) y0 0.1 n)
          f (d/function [y0 k n] {:y y, :slope (d/grad y k), :tangent (d/rop y k 2.0)})]
      (doseq [n [1 2 17]
              :let [{:keys [y slope tangent]} (f 3.0 1.7 n)
                    factor (taylor 4 -0.17)
                    by-k (* 3.0 n (Math/pow factor (dec n)) (taylor 3 -0.17) -0.1)]]
        (testing (str n " steps")
          (is (close? 1e-13 (* 3.0 (Math/pow factor n)) @y))
          (is (close? 1e-13 by-k @slope))
          (is (close? 1e-13 (* 2 by-k) @tangent)))))))

(defn- predator-and-prey
  "Lotka and Volterra: (u, v)' = (a u - b u v, d u v - c v) for theta = [a b c d]."
  [theta y]
  (let [[a b c e] (map #(d/index theta %) (range 4)), [u v] (map #(d/index y %) (range 2))]
    (d/stack [(d/sub (d/mul a u) (d/mul b u v)) (d/sub (d/mul e u v) (d/mul c v))])))

;; By JAX in float64: the same 30 steps in a Python loop, jax.grad and jax.jacfwd.
(deftest runge-kutta-of-predators-and-prey
  (let [theta (d/input 'theta [:f64 [4]]), y0 (d/input 'y0 [:f64 [2]])
        y (runge-kutta #(predator-and-prey theta %) y0 0.1 30)
        weighted (d/sum (d/mul y [1.0 2.0]))
        f (d/function [theta y0] {:y y, :grads (d/grad weighted [theta y0])
                                  :tangent (d/rop y theta (d/tensor [0.0 1.0 0.0 0.0]))})
        {:keys [y grads tangent]} (f [1.1 0.4 0.4 0.1] [10.0 5.0])]
    (is (close? 1e-12 [0.556698461235225 3.4602050385014014] @y))
    (is (close? 1e-11 [3.976745482669955 -21.616443463650317 -11.167262805054623
                       11.159130606900455]
                @(grads 0)))
    (is (close? 1e-11 [0.16726115219252685 -0.3452334616914641] @(grads 1)))
    (is (close? 1e-11 [-3.6798640529348137 -8.968289705357748] @tangent))))

;; ## A neural differential equation

(defn- heun-step
  "A step of Heun's method that is taken, or tried again half as long: where the two orders differ
  by more than 0.02, only the length changes."
  [field {:keys [t y length tried]}]
  (let [h (d/minimum length (d/sub 1.0 t))
        k1 (field y)
        k2 (field (d/add y (d/mul h k1)))
        error (d/max (d/abs (d/mul (d/div h 2) (d/sub k2 k1))))
        [t y length] (d/ifelse (d/le error 0.02)
                               [(d/add t h) (d/add y (d/mul (d/div h 2) (d/add k1 k2)))
                                (d/mul 1.5 h)]
                               [t y (d/mul 0.5 h)])]
    {:t t, :y y, :length length, :tried (d/add tried 1)}))

;; By PyTorch in float64: the same steps with Python's `while` and `if`; lengths of steps are
;; numbers there, constant to its gradient: they depend on no input but by comparisons.
(deftest adaptive-steps-of-a-neural-differential-equation
  (let [y0 (d/input 'y0 [:f64 [2]])
        w1 (d/input 'w1 [:f64 [2 3]]), w2 (d/input 'w2 [:f64 [3 2]])
        field #(d/dot (d/tanh (d/dot % w1)) w2)
        {:keys [y tried]} (d/while-loop {:t 0.0, :y y0, :length 0.5, :tried 0}
                                        #(d/lt (:t %) (- 1 1e-9))
                                        #(heun-step field %)
                                        {:max-steps 20})
        weighted (d/sum (d/mul y (d/tensor (wave [2] 0.7))))
        f (d/function [y0 w1 w2] {:y y, :tried tried, :grads (d/grad weighted [y0 w1 w2])})
        {[by-y0 by-w1 by-w2] :grads, :keys [y tried]}
        (f (wave [2] 1.0) (wave [2 3] 0.2 0.9) (wave [3 2] 0.4 0.9))]
    (is (= 6 @tried) "two of them rejected")
    (is (close? 1e-13 [0.4354140920885339 0.00278893034908355] @y))
    (is (close? 1e-12 [0.22473519484967563 0.3609167424558836] @by-y0))
    (is (close? 1e-12 [[0.29671003514715805 -0.2096792214416988 0.2793880314741874]
                       [0.07353507545230788 -0.04459758239946518 0.06793000665221491]]
                @by-w1))
    (is (close? 1e-12 [[0.00121417611134603 -0.00331080554043343]
                       [0.19148241705545482 0.2507548108709691]
                       [-0.05653733431689496 -0.06982535467803877]]
                @by-w2))))

;; ## Metropolis

(defn- log-density [x] (d/mul -0.5 (d/sqr x)))

(defn- walk
  "States and acceptances of a random walk over the normal density: proposals are `width` times the
  steps given, accepted where log u is below the gain."
  [x0 width steps log-us]
  (d/scan {:sequences {:step steps, :log-u log-us}, :state {:x x0, :moves 0}}
    (fn [{:keys [step log-u x moves]}]
      (let [proposal (d/add x (d/mul width step))
            accept? (d/lt log-u (d/sub (log-density proposal) (log-density x)))
            [x moves] (d/ifelse accept? [proposal (d/add moves 1)] [x moves])]
        {:x x, :moves moves, :moved accept?}))))

(defn- plain-walk
  "The same in Clojure's numbers: [[x moved?] …]."
  [x0 width steps log-us]
  (rest (reductions (fn [[x _] [step log-u]]
                      (let [proposal (+ x (* width step))
                            gain (* 0.5 (- (* x x) (* proposal proposal)))]
                        (if (< log-u gain) [proposal true] [x false])))
                    [x0 false] (map vector steps log-us))))

(deftest random-walk-metropolis
  (let [x0 (d/input 'x0 [:f64 []]), width (d/input 'width [:f64 []])
        steps (d/input 'steps [:f64 ['n]]), log-us (d/input 'us [:f64 ['n]])
        {:keys [x moves moved]} (walk x0 width steps log-us)
        total (d/sum x)
        f (d/function [x0 width steps log-us]
                      {:x x, :moves moves, :moved moved, :grads (d/grad total [x0 width])})]
    (doseq [n [0 1 40]
            :let [noise (wave [n] 0.3), log-us (mapv #(- % 1.0) (wave [n] 0.9))
                  plain (plain-walk 0.4 1.5 noise log-us)
                  {:keys [x moves moved grads]} (f 0.4 1.5 noise log-us)
                  moved-by (fn [steps] (reductions + (map #(if (second %1) %2 0.0) plain steps)))]]
      (testing (str n " steps")
        (is (close? 1e-13 (mapv first plain) @x))
        (is (= (mapv second plain) @moved))
        (is (= (vec (rest (reductions + 0 (map #(if (second %) 1 0) plain)))) @moves))
        (testing "the start moves all states, the width each by the noise that was accepted"
          (is (close? 1e-13 (double n) @(grads 0)))
          (is (close? 1e-12 (reduce + 0.0 (moved-by noise)) @(grads 1))))))))
