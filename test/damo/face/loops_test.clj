(ns damo.face.loops-test
  "Loops that a condition ends, on the reference interpreter: states of every form, no round, many,
  and limits; and what is said of mistakes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.interpreted :refer [value]]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 []]))
(def ^:private k (d/input 'k [:i64 []]))

(defn- doubled
  "The first of x, 2x, 4x … that is not below 100."
  [& options]
  (apply d/while-loop x #(d/lt % 100) #(d/mul 2 %) options))

(deftest the-state-for-which-the-condition-fails-first
  (is (= 128.0 (value (doubled) {x 1})))
  (testing "which may be the first"
    (is (= 100.0 (value (doubled) {x 100})))
    (is (= [:f64 []] (d/type-of (doubled)))))
  (testing "the state is an array, a vector or a map, nested or not"
    (is (= [13 21] (value (d/while-loop [0 (d/cast 1 :i64)] (fn [[a _]] (d/lt a 10))
                                        (fn [[a b]] [b (d/add a b)])))))
    (is (= {:i 5, :s {:p [1.0 32.0]}}
           (value (d/while-loop {:i 0, :s {:p [x (d/mul 2 x)]}}
                                (fn [{:keys [i]}] (d/lt i 5))
                                (fn [{:keys [i], {[a b] :p} :s}]
                                  {:i (d/add i 1)
                                   :s {:p [a (d/mul b (d/where (d/eq i 0) 1 2))]}}))
                  {x 1}))))
  (testing "arrays too"
    (is (= [4.0 8.0] (value (d/while-loop (d/tensor [1.0 2.0]) #(d/lt (d/sum %) 9)
                                          #(d/mul 2 %)))))))

(deftest numbers-take-the-dtype-that-the-body-keeps
  (let [f (d/input 'f [:f32 []])]
    (is (= :f32 (first (d/type-of (d/while-loop 0 #(d/lt % 3) #(d/add % f))))))
    (is (= 3 (value (d/while-loop 0 #(d/lt % 3) #(d/add % 1)))))))

(deftest limits
  (is (= 128.0 (value (doubled :max-steps 7) {x 1})))
  (is (thrown-with-msg? Exception #":max-steps 6 steps, and its condition is true still"
                        (value (doubled :max-steps 6) {x 1})))
  (is (= 64.0 (value (doubled :max-steps 6, :on-limit :stop) {x 1})))
  (is (= 1.0 (value (doubled :max-steps 0, :on-limit :stop) {x 1})))
  (is (= 100.0 (value (doubled :max-steps 0) {x 100})))
  (testing "that a call says"
    (is (= 8.0 (value (doubled :max-steps (d/add k 1), :on-limit :stop) {x 1, k 2})))
    (is (thrown-with-msg? Exception #"its condition is true still"
                          (value (doubled :max-steps k) {x 1, k 2}))))
  (testing "are options as a map, too"
    (is (= 2.0 (value (doubled {:max-steps 1, :on-limit :stop}) {x 1})))))

(deftest loops-nest
  (testing "a loop in a loop, whose condition depends on the state around"
    (is (= {:i 3.0, :s 6.0}
           (value (d/while-loop {:i 0.0, :s 0.0} (fn [{:keys [i]}] (d/lt i 3))
                                (fn [{:keys [i s]}]
                                  (let [i (d/add i 1)]
                                    {:i i
                                     :s (d/add s (d/while-loop 0.0 #(d/lt % i)
                                                               #(d/add % 1)))})))))))
  (testing "a loop in a scan"
    (let [xs (d/input 'xs [:f64 ['n]])]
      (is (= [128.0 150.0 144.0]
             (value (d/map-steps (fn [x] (d/while-loop x #(d/lt % 100) #(d/mul 2 %))) xs)
                    {xs [1 150 9]}))))))

(deftest mistakes
  (doseq [[what kind text make]
          [["a condition that is a number" :damo.scan/bad-condition "(d/ne x 0)"
            #(d/while-loop x identity (fn [x] x))]
           ["a condition that is an array" :damo.scan/bad-condition "any or all"
            #(d/while-loop (d/tensor [1.0]) (fn [x] (d/lt x 1)) identity)]
           ["a state that grows" :damo.scan/state-mismatch "keeps its type"
            #(d/while-loop x (fn [x] (d/lt (d/sum x) 1)) (fn [x] (d/stack [x x])))]
           ["another structure" :damo.tree/other-structure "2 elements"
            #(d/while-loop [x x] (fn [[x _]] (d/lt x 1)) (fn [[x _]] x))]
           ["no state" :damo.scan/wrong-form "at least one array"
            #(d/while-loop {} (fn [_] true) identity)]
           ["a limit that is no integer" :damo.scan/bad-steps ":max-steps"
            #(doubled :max-steps 1.5)]
           ["an unknown option" :damo.attribute/unknown-option "did you mean :max-steps?"
            #(doubled :max-step 1)]
           ["a body of two arguments" :damo.scan/wrong-arity "a function of the state"
            #(d/while-loop x (fn [x] (d/lt x 1)) (fn [a b] [a b]))]]]
    (testing what
      (let [e (try (make) nil (catch clojure.lang.ExceptionInfo e e))]
        (is (= kind (:damo/error (ex-data e))) (ex-message e))
        (is (str/includes? (str (ex-message e)) text))
        (is (= "loops_test.clj" (:file (ex-data e))))))))
