(ns damo.face.derivative-test
  "Derivatives as users have them, compiled: special points, options, gradient control in both
  modes, dtypes, linear time."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.diff :as diff]
            [damo.face.derivative :as derivative]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 []]))
(def ^:private v (d/input 'v [:f64 ['n]]))

(defn- slope
  "The derivative of f at a number, compiled in that mode."
  ([f at] (slope f at :fast-run))
  ([f at mode]
   (let [g (d/function [x] (d/grad (f x) x) {:mode mode, :on-unused-input :ignore})] @(g at))))

(defn- at-points
  "The derivatives of functions at points, all in one compiled function: rows [f point …]."
  [type rows]
  (let [inputs (mapv #(d/input (symbol (str "p" %)) (type (second (nth rows %))))
                     (range (count rows)))
        grads (mapv (fn [[f] p] (d/grad (f p) p)) rows inputs)]
    (mapv deref (apply (d/function inputs grads {:on-unused-input :ignore}) (map second rows)))))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (ex-message e)])))

;; ## Special points

(deftest what-is-not-chosen-has-no-slope
  (doseq [mode [:fast-run :fast-compile]]
    (is (= 1.0 (slope #(d/where (d/lt % 7) % (d/sqrt (d/sub % 7))) 5.0 mode)))
    (is (= 0.0 (slope #(d/where (d/gt % 0) (d/log %) 0.0) 0.0 mode)))
    (is (= 0.0 (slope #(d/sum (d/relu (d/log (d/stack [% %])))) 0.0 mode))))
  (testing "a slope that is infinite where it counts stays infinite or NaN"
    (is (= ##Inf (slope d/sqrt 0.0)))
    (is (NaN? (slope #(d/mul (d/sqrt %) (d/tanh (d/sqrt %))) 0.0 :none))))
  (testing "an even power of a root is smooth"
    (doseq [f [#(d/sqr (d/sqrt %)) #(d/mul (d/sqrt %) (d/sqrt %)) #(d/pow (d/sqrt %) 2)]
            mode [:none :fast-run]]
      (is (= 1.0 (slope f 0.0 mode))))))

(deftest slopes-at-special-points
  (let [rows [[d/abs 0.0 0.0 "|x| at 0"] [d/relu 0.0 0.0 "relu at 0"]
              [#(d/pow % 0) 0.0 0.0 "x^0 at 0"] [#(d/pow % 1.0) 0.0 1.0 "x^1 at 0"]
              [#(d/pow % 2.0) 0.0 0.0 "x^2 at 0"] [#(d/pow 0.0 %) 2.0 0.0 "0^x at 2"]
              [#(d/pow % 0.5) 0.0 ##Inf "x^0.5 at 0"]
              [#(d/maximum % 1.0) 1.0 1.0 "max(x, 1) at 1"]
              [#(d/minimum 1.0 %) 1.0 0.0 "min(1, x) at 1"]
              [#(d/clip % 0.0 1.0) 1.0 1.0 "clip at its bound"]
              [#(d/atan2 % (d/mul % 0.0)) 0.0 0.0 "atan2 at the origin"]
              [d/tanh 800.0 0.0 "tanh far out"] [d/sigmoid -800.0 0.0 "sigmoid far out"]
              [d/softplus 800.0 1.0 "softplus far out"]
              [#(d/logaddexp % ##-Inf) ##-Inf 0.5 "two equal infinities"]
              [#(d/binary-cross-entropy % 0.0) 0.0 1.0 "a certain probability"]
              [d/floor 1.5 0.0 "floor"] [#(d/mod % 3.0) 4.0 1.0 "x mod 3"]]]
    (doseq [[[_ _ expected what] got] (map vector rows (at-points (constantly [:f64 []]) rows))]
      (is (= expected got) what))))

(deftest gradients-at-special-points
  (let [rows [[d/max [3 3 1 3] [1.0 1.0 0.0 1.0] "each of several equal ones takes all of it"]
              [d/norm [0 0] [0.0 0.0] "a norm of 0"] [d/std [2 2] [0.0 0.0] "a deviation of 0"]
              [d/prod [0 2 3] [6.0 0.0 0.0] "one factor 0"]
              [d/prod [0 0 3] [0.0 0.0 0.0] "two factors 0"]
              [#(d/sum (d/softmax %)) [0 ##-Inf 0] [0.0 0.0 0.0] "a logit of -∞"]
              [d/logsumexp [0 ##-Inf 0] [0.5 0.0 0.5] "a term of 0"]]]
    (doseq [[[_ _ expected what] got]
            (map vector rows (at-points (fn [at] [:f64 [(count at)]]) rows))]
      (is (= expected got) what)))
  (testing "forward mode is the transpose, a sum over ties: 1 + 2 + 4"
    (let [t (d/input 't [:f64 ['n]])]
      (is (= 7.0 @(d/eval (d/rop (d/max v) v t) {v [1 1 1], t [1 2 4]}))))))

;; ## Control

(defn- both-modes [f at]
  [@(d/eval (d/grad (f x) x) {x at}) @(d/eval (d/rop (f x) x (d/tensor 1.0)) {x at})])

(deftest gradient-control-in-both-modes
  (is (= [1.0 1.0] (both-modes #(d/add % (d/zero-grad (d/sqr %))) 3.0)))
  (is (= [1.0 1.0] (both-modes #(d/add % (d/consider-constant (d/sqr %))) 3.0)))
  (is (= [1.0 1.0] (both-modes #(d/add % (d/disconnected-grad (d/sqr %))) 3.0)))
  (is (= [-6.0 -6.0] (both-modes #(d/grad-scale (d/sqr %) -1) 3.0)))
  (testing "clipping concerns gradients on their way back, not tangents"
    (is (= [0.5 6.0] (both-modes #(d/sqr (d/grad-clip % -0.5 0.5)) 3.0))))
  (testing "two outcomes more"
    (is (= ::diff/disconnected (first (error-of #(d/grad (d/disconnected-grad (d/sqr x)) x)))))
    (let [[kind message] (error-of #(d/grad (d/sqr (d/undefined-grad x)) x))]
      (is (= ::diff/undefined kind))
      (is (str/includes? message "(undefined-grad x)\n  written at: derivative_test.clj")))
    (is (= :damo.op.control/bad-bounds (first (error-of #(d/grad-clip x 1 0)))))
    (is (= :damo.attribute/bad-value (first (error-of #(d/grad-scale x nil)))))))

(deftest options-of-every-mode
  (let [m (d/sqr x), y (d/add x m)]
    (is (= 1.0 @(d/eval (d/grad y x {:consider-constant [m]}) {x 3.0})))
    (is (= 1.0 @(d/eval (d/lop y x (d/tensor 1.0) {:consider-constant [m]}) {x 3.0})))
    (is (= 1.0 @(d/eval (d/rop y x (d/tensor 1.0) {:consider-constant [m]}) {x 3.0})))
    (is (= 1.0 @(d/eval (d/jacobian y x {:consider-constant [m]}) {x 3.0})))
    (doseq [f [#(d/grad (d/sum v) x %) #(d/lop v x v %) #(d/rop v x x %) #(d/jacobian v x %)]]
      (is (= ::diff/disconnected (first (error-of #(f {})))))
      (is (= :f64 (d/dtype (f {:disconnected :ignore})))))
    (is (= :damo.attribute/bad-value (first (error-of #(d/grad y x {:disconnected :quietly})))))
    (is (= :damo.attribute/unknown-option (first (error-of #(d/rop y x x {:known-grads {}})))))))

(deftest known-gradients
  (let [m (d/sqr x), y (d/add x m)
        at (fn [e] @(d/eval e {x 3.0}))]
    (is (= 601.0 (at (d/grad y x {:known-grads {m (d/add 100.0 (d/zeros-like x))}}))))
    (is (= 601.0 (at (d/lop y x (d/tensor 1.0)
                            {:known-grads {m (d/add 100.0 (d/zeros-like x))}}))))))

(deftest integers-and-dtypes
  (let [i (d/input 'i [:i64 []]), s (d/input 's [:f32 []])]
    (is (= 1.0 @(d/eval (d/grad i i) {i 12})))
    (is (= [:f64 :f32 :f64] (map d/dtype (d/grad (d/mul (d/exp i) s x) [i s x]))))
    (is (= (Math/exp 2.0) @(d/eval (d/grad (d/exp i) i) {i 2})))
    (is (= [[:f16 []] [:bf16 ['n]]]
           (let [h (d/input 'h [:f16 []]), b (d/input 'b [:bf16 ['n]])]
             (map d/type-of (d/grad (d/sum (d/mul (d/exp h) b)) [h b])))))))

;; ## Time

(deftest gradients-are-linear-in-nodes
  (let [chain (fn [n] (nth (iterate #(d/add (d/tanh (d/mul % 0.9)) (d/relu %)) x) n))
        nodes (fn [n] (count (:nodes (d/graph (d/grad (chain n) x)))))
        [a b c] (map nodes [100 200 300])]
    (is (= (- b a) (- c b)))
    (testing "10,000 nodes in seconds"
      (let [t (System/nanoTime), y (chain 2500)]
        (is (< 10000 (nodes 2500)))
        (d/grad y x)
        (is (< (/ (- (System/nanoTime) t) 1e9) 30.0))))))
