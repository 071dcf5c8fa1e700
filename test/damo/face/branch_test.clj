(ns damo.face.branch-test
  "Branches, on the reference interpreter: only the case that is taken runs, whatever it is made of;
  their forms, dtypes and lengths; and what is said of mistakes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.interpreted :refer [value]]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private y (d/input 'y [:f64 ['m]]))
(def ^:private c (d/input 'c [:bool []]))
(def ^:private i (d/input 'i [:i64 []]))

(defn- failing
  "x, after a check that never holds."
  [x]
  (d/assert x (d/lt (d/sum (d/sqr x)) -1) :message "this was computed"))

(deftest the-case-that-is-taken
  (let [e (d/ifelse c (d/exp x) (d/neg x))]
    (is (= [1.0] (value e {c true, x [0]})))
    (is (= [-2.0] (value e {c false, x [2]})))
    (is (= '[:f64 [n]] (d/type-of e))))
  (let [e (d/switch i [x (d/mul 2 x) (d/mul 3 x)])]
    (is (= [[5.0] [10.0] [15.0]] (mapv #(value e {i %, x [5]}) (range 3))))
    (doseq [k [-1 3]]
      (is (thrown-with-msg? Exception #"the cases 0 to 2" (value e {i k, x [5]}))))))

(deftest the-other-case-does-not-run
  (is (= [-2.0] (value (d/ifelse c (failing x) (d/neg x)) {c false, x [2]})))
  (is (thrown-with-msg? Exception #"this was computed"
                        (value (d/ifelse c (failing x) (d/neg x)) {c true, x [2]})))
  (is (= [2.0] (value (d/switch i [(failing x) x (failing (d/exp x))]) {i 1, x [2]})))
  (testing "also where it is deep, and shared in part"
    (let [shared (d/exp x), deep (failing (d/log (d/add shared 1)))]
      (is (= [1.0] (value (d/ifelse c (d/mul deep shared) shared) {c false, x [0]})))
      (is (= [[1.0] [1.0]]
             (value [(d/ifelse c (d/mul deep deep) shared)
                     (d/ifelse (d/logical-not c) shared deep)]
                    {c false, x [0]})))))
  (testing "nor a loop in it, nor an index in it that is out of range"
    (is (= 0.0 (value (d/ifelse c (d/foldl (fn [acc _] (failing acc)) 0.0 x) 0.0)
                      {c false, x [1 2]})))
    (is (= 3.0 (value (d/ifelse (d/gt (d/shape-i x 0) 4) (d/take x 4) 3.0) {x [1 2]})))))

(deftest a-chain-of-branches-is-not-longer-than-it-is
  (let [e (nth (iterate (fn [e] (d/ifelse (d/gt (d/sum e) 10) (d/sub e 7) (d/mul e 2))) x) 40)
        expected (nth (iterate (fn [e] (if (> e 10) (- e 7) (* e 2))) 2.0) 40)]
    (is (= [expected] (value e {x [2]})))))

(deftest cases-have-one-form
  (is (= {:a [2.0], :b [[1.0] {:c 5}]}
         (value (d/ifelse c {:a (d/mul 2 x), :b [x {:c 5}]} {:b [(d/neg x) {:c 6}], :a x})
                {c true, x [1]})
         (value (d/ifelse c (fn [] {:a (d/mul 2 x), :b [x {:c 5}]})
                          (fn [] {:b [(d/neg x) {:c 6}], :a x}))
                {c true, x [1]})))
  (is (= {:a {}} (d/ifelse c {:a {}} {:a {}})))
  (testing "numbers beside expressions in vectors are taken one by one"
    (is (= [[1.0] 3.0] (value (d/ifelse c [x 3.0] [[2.0] 1.0]) {c true, x [1]})
           (value (d/ifelse c [[2.0] 1.0] [x 3.0]) {c false, x [1]})))
    (is (= [[1.0]] (value (d/ifelse c [[2.0]] [x]) {c false, x [1]}))))
  (testing "numbers take the dtype of their partner"
    (let [f (d/input 'f [:f32 []])]
      (is (= :f32 (first (d/type-of (d/ifelse c f 0)))))
      (is (= :f32 (first (d/type-of (d/ifelse c 0.5 f)))))
      (is (= :i64 (first (d/type-of (d/ifelse c 1 0)))))
      (is (= :f64 (first (d/type-of (d/ifelse c 1 0.5)))))
      (is (= :f32 (first (d/type-of (d/mul f (d/ifelse c 1 0.5))))) "as weak as they were"))))

(deftest lengths-may-differ
  (let [e (d/ifelse c x (d/concatenate [x y]))]
    (is (= [1.0] (value e {c true, x [1], y [2 3]})))
    (is (= [1.0 2.0 3.0] (value e {c false, x [1], y [2 3]})))
    (is (= [2.0 3.0 4.0] (value (d/add e 1) {c false, x [1], y [2 3]})))
    (is (= 3 (value (d/sum (d/cast (d/ones-like e) :i64)) {c false, x [1], y [2 3]}))))
  (testing "that are counted themselves"
    (is (= [3.0 4.0] (value (d/ifelse c (d/index x (d/gt x 2)) y) {c true, x [1 3 4], y [1]}))))
  (testing "and for none"
    (is (= [] (value (d/ifelse c x y) {c true, x [], y [1]})))))

(deftest branches-and-loops-mix
  (is (= [2.0 -1.0 6.0]
         (value (d/map-steps #(d/ifelse (d/gt % 0) (d/mul 2 %) %) x) {x [1 -1 3]})))
  (is (= [2.0 6.0]
         (value (d/map-steps #(d/ifelse (d/gt % 0) (d/mul 2 %) (failing %)) x) {x [1 3]})))
  (is (= [1.0 3.0] (value (d/ifelse c (:h (d/scan {:sequences {:x x}, :state {:h 0.0}}
                                                  (fn [{:keys [x h]}] {:h (d/add x h)})))
                                    (d/neg x))
                          {c true, x [1 2]}))))

(deftest mistakes
  (let [f (d/input 'f [:f32 []])]
    (doseq [[what kind text make]
            [["a number for a condition" :damo.branch/bad-condition "(d/ne c 0)" #(d/ifelse i x x)]
             ["an array for a condition" :damo.branch/bad-condition "(d/where c a b)"
              #(d/ifelse (d/gt x 0) x x)]
             ["a truth value for an index" :damo.branch/bad-condition "ifelse" #(d/switch c [x x])]
             ["no cases" :damo.branch/no-cases "[a b c]" #(d/switch i [])]
             ["an index that is no case" :damo.branch/no-such-case "0 to 1" #(d/switch 2 [x x])]
             ["other keys" :damo.branch/other-form "one form" #(d/ifelse c {:a x} {:b x})]
             ["a map for an array" :damo.branch/other-form "one form" #(d/ifelse c x {:b x})]
             ["other dtypes" :damo.branch/other-dtype "d/cast" #(d/ifelse c f (d/sum x))]
             ["other ranks" :damo.branch/other-rank "broadcast-to" #(d/ifelse c x 0.0)]
             ["a case of an argument" :damo.branch/wrong-arity "no arguments"
              #(d/ifelse c (fn [x] x) x)]]]
      (testing what
        (let [e (try (make) nil (catch clojure.lang.ExceptionInfo e e))]
          (is (= kind (:damo/error (ex-data e))) (ex-message e))
          (is (str/includes? (str (ex-message e)) text))
          (is (= "branch_test.clj" (:file (ex-data e)))))))))
