(ns damo.laws.check-test
  "Tests of the battery for one op: it passes what is right, and names the law that is broken."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(use-fixtures :each (fn [test]
                      (let [before @op/registry]
                        (try (test) (finally (reset! op/registry before))))))

(def ^:private cube
  {:kind :elementwise, :args '[?x], :type :float, :eval (fn [x] (* x x x))
   :partials '[[:mul 3 [:sqr ?x]]]})

(def ^:private shapes (gens/on-shapes (fn [n] [[{} [n]] [{} [2 n]]])))

(defn- floats-only [_ [[dtype _ :as t]]]
  (when-not (#{:f32 :f64} dtype)
    (fail! ::typing/bad-dtype "only floats are halved"))
  t)

(def ^:private half
  {:kind :host, :args '[?x], :type floats-only, :gen shapes
   :eval (fn [_ x] (array/map-elements (:dtype x) #(/ % 2) [x]))
   :linear-in :all, :transpose '[[:half ?g]]})

(defn- broken
  "The laws that check-op finds broken for an op with that entry; [] when all hold."
  [op-name entry]
  (op/register! (assoc entry :name op-name, :doc "For a test.", :ns 'damo.laws.check-test))
  (try (with-out-str (d/check-op op-name)) []
       (catch clojure.lang.ExceptionInfo e (mapv :law (:failed (ex-data e))))))

(deftest what-is-right-passes
  (is (= [] (broken :cube cube)))
  (is (= [] (broken :half half)))
  (testing "a composite of nothing but its expansion"
    (is (= [] (broken :sum-of-cubes {:kind :composite, :args '[?x], :gen shapes
                                     :expand (fn [_] '[:sum [:mul ?x [:sqr ?x]]])}))))
  (testing "the report"
    (let [report (with-out-str (is (= :cube (:op (d/check-op :cube)))))]
      (is (str/starts-with? report "the op :cube keeps 9 laws:\n  ok      takes-some-dtype"))
      (is (str/includes? report "ok      both-modes"))
      (is (str/includes? report "ok      compiled")))))

(deftest what-is-wrong-is-named
  (testing "a partial derivative"
    (is (= [:slopes :both-modes :orders]
           (broken :cube (assoc cube :partials '[[:mul 2 [:sqr ?x]]])))))
  (testing "a transpose"
    (is (= [:both-modes :orders] (broken :half (assoc half :transpose '[?g])))))
  (testing "a declared type"
    (is (= [:types] (take 1 (broken :half (assoc half :type (fn [attrs [[_ shape :as t]]]
                                                              (floats-only attrs [t])
                                                              [:f64 shape])))))))
  (testing "code for scalars"
    (is (= [:scalar :compiled] (broken :cube (assoc cube :scalar '[:mul ?x ?x])))))
  (testing "a C function"
    (is (= [:compiled]
           (broken :cube (assoc cube :native {:library "libm.so.6", :symbol "cbrt"
                                              :args [:f64], :gives :f64})))))
  (testing "a kernel"
    (is (= [:compiled]
           (broken :half (assoc half :kernel (fn [_ ^Tensor out ^Tensor x]
                                               (.copyFrom out x false)))))))
  (testing "the message has the call that makes the case again"
    (op/register! (assoc cube :name :cube, :doc "x³.", :ns 'damo.laws.check-test, :partials [1]))
    (let [message (try (d/check-op :cube) (catch clojure.lang.ExceptionInfo e (ex-message e)))]
      (is (str/starts-with? message "the op :cube breaks 3 of 9 laws:"))
      (is (re-find #"FAILED  slopes: does not hold\n +on \(damo.op.gens/case :cube :f64 " message))
      (is (re-find #"FAILED  both-modes: ⟨u, Rop v⟩ is .* but the finite difference is" message)))))

(deftest without-a-generator-there-is-nothing-to-check
  (op/register! (assoc (dissoc half :gen) :name :half, :doc "x/2.", :ns 'damo.laws.check-test))
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"the op :half has no :gen.*\n  try: :gen"
                        (d/check-op :half))))
