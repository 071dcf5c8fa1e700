(ns damo.face.verify-test
  "verify-grad: right derivatives pass in every dtype, wrong ones are named."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.verify :as verify]))

(set! *warn-on-reflection* true)

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e e)))

(defn- model [x w]
  (d/softmax (d/tanh (d/dot x w))))

(def ^:private points [[[0.1 -0.2] [0.3 0.4] [1.0 2.0]] [[1.0 0.5 0.2] [-0.3 0.2 0.7]]])

(deftest right-derivatives-pass
  (testing "in both modes, in :f64 and :f32"
    (is (< (:excess (d/verify-grad model points)) 0.1))
    (is (< (:excess (d/verify-grad model (mapv #(d/tensor % :f32) points))) 1)))
  (testing "scalars, integers held fixed, no elements"
    (is (< (:excess (d/verify-grad (fn [x] (d/pow x 3)) [2.0])) 0.1))
    (is (< (:excess (d/verify-grad d/cross-entropy [[[0.1 0.2] [0.3 -0.4]] [1 0]])) 0.1))
    (is (nil? (d/verify-grad d/exp [(d/zeros [0])]))))
  (testing "it is the same at each call"
    (is (= (d/verify-grad model points) (d/verify-grad model points)))))

(deftest wrong-derivatives-are-named
  (let [wrong (fn [modes] (d/with-derivative d/sqr modes))
        by-lop {:lop (fn [[x] _ g] (d/mul g x (d/tensor [2.0 2.0 3.0])))
                :rop (fn [[x] _ [v]] (d/mul 2 v x))}
        by-rop {:lop (fn [[x] _ g] (d/mul g x 2)), :rop (fn [[x] _ [v]] (d/mul v x))}
        at [[1.0 2.0 3.0]]]
    (testing "the mode, the argument, the index and both values"
      (let [e (error-of #(d/verify-grad (wrong by-lop) at))
            {:keys [mode argument index analytic numeric] :as data} (ex-data e)]
        (is (= [:damo.verify/wrong-derivative :reverse 0 [2]]
               [(:damo/error data) mode argument index]))
        (is (< (Math/abs (- (/ analytic numeric) 1.5)) 1e-6))
        (is (str/includes? (ex-message e) "by argument 0 at [2]"))
        (is (str/includes? (ex-message e) "reverse mode"))))
    (testing "forward mode"
      (is (= :forward (:mode (ex-data (error-of #(d/verify-grad (wrong by-rop) at)))))))
    (testing "a derivative that is wrong by a thousandth"
      (let [nearly {:lop (fn [[x] _ g] (d/mul g x 2.002)), :rop (fn [[x] _ [v]] (d/mul 2.002 v x))}]
        (is (= :damo.verify/wrong-derivative
               (:damo/error (ex-data (error-of #(d/verify-grad (wrong nearly) at))))))))
    (testing "tolerances are the caller's"
      (is (some? (d/verify-grad (wrong by-lop) at {:rel-tol 0.5}))))
    (testing "NaN fails"
      (is (some? (error-of #(d/verify-grad d/log [-1.0])))))))

(deftest what-is-refused
  (is (= :damo.verify/not-differentiable
         (:damo/error (ex-data (error-of #(d/verify-grad d/exp [3]))))))
  (is (= :damo.verify/not-differentiable
         (:damo/error (ex-data (error-of #(d/verify-grad d/argmax [[1.0 2.0]])))))))
