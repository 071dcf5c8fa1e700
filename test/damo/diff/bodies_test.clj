(ns damo.diff.bodies-test
  "Derivatives of bodies are bodies: on arguments they give what differentiating the function gives,
  to any order."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.diff.bodies :as bodies]
            [damo.meaning.eval :as eval]
            [damo.op.body :as body]
            [damo.op.closing :as closing]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 [3]]))
(def ^:private y (d/input 'y [:f64 [3]]))

(def ^:private functions
  [(fn [a b] (d/mul (d/sin a) (d/exp b) a))
   (fn [a b] (d/softmax (d/sub a b)))
   (fn [a b] (d/where (d/lt a b) (d/sqr a) b))
   (fn [a b] (let [f (d/as-op (fn [a] (d/tanh (d/mul a b))))] (f (f a))))])

(def ^:private arrays
  {0 (array/of :f64 [3] [0.2 -1.0 3.0]), 1 (array/of :f64 [3] [1.0 0.5 -2.0])
   2 (array/of :f64 [3] [1.0 -1.0 0.5]), 3 (array/of :f64 [3] [2.0 0.0 -1.5])
   4 (array/of :f64 [3] [0.5 1.0 1.0])})

(defn- body-of [f]
  (let [stand-ins (mapv expr/stand-in [x y])]
    (:body (closing/closed [(apply f stand-ins)] stand-ins))))

(defn- on-arrays [body] (mapv array/nested (eval/run body arrays)))

(defn- value [e] @(d/eval e (update-vals {x (arrays 0), y (arrays 1)} array/nested)))

(defn- near? [a b] (every? #(< (abs %) 1e-9) (map - (flatten a) (flatten b))))

(defn- weights [at] (d/tensor (array/nested (arrays at))))

(deftest derivatives-of-bodies
  (doseq [[k f] (map-indexed vector functions) :let [body (body-of f), z (f x y)]]
    (testing (str k)
      (let [back (bodies/lop body [0 1] 2), ahead (bodies/rop body [0 1] 2)]
        (is (= back (dissoc (whole/check-types back) :notes)) "typed and canonical")
        (is (near? (mapv value (d/lop z [x y] (weights 2))) (on-arrays back)))
        (is (near? [(value (d/rop z [x y] [(weights 2) (weights 3)]))] (on-arrays ahead)))
        (testing "twice"
          (let [g (d/lop z x (weights 2))]
            (is (near? [(value (d/rop g x (weights 4)))]
                       (on-arrays (bodies/rop (bodies/lop body [0] 2) [0] 4))))))))))

(deftest what-does-not-depend-has-the-gradient-zero
  (let [body (body-of (fn [a b] (d/add a (d/cast (d/cast b :i64) :f64))))]
    (is (= {0 [:f64 [3]], 1 [:f64 [3]]} (body/params body)))
    (is (= [[1.0 -1.0 0.5] [0.0 0.0 0.0]] (on-arrays (bodies/lop body [0 1] 2))))))
