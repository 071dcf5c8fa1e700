(ns damo.face.scan-facts-test
  "What Theano's own tests and tutorial state of scan, as values: of loops written here, with
  weights and data of theirs or like theirs, beside the same loops written out in Clojure."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.interpreted :refer [compiled value]]))

(set! *warn-on-reflection* true)

(def ^:private u (d/input 'u [:f64 ['n]]))
(def ^:private k (d/input 'k [:i64 []]))
(def ^:private w-in 0.3)
(def ^:private w -0.7)
(def ^:private us [0.5 -1.0 0.25 2.0 -0.5 1.5])

(deftest tutorial
  (testing "the power of a vector: k products with itself"
    (is (= (mapv double [0 1 4 9 16])
           (value (d/index (:r (d/scan {:state {:r (d/ones-like u)}, :n-steps k}
                                       (fn [{:keys [r]}] {:r (d/mul r u)})))
                           -1)
                  {u (range 5), k 2}))))
  (testing "a polynomial: 1 + 0·3 + 2·9 = 19"
    (is (= 19.0 (value (d/sum (d/map-steps (fn [{:keys [c i]}] (d/mul c (d/pow 3.0 i)))
                                           {:c u, :i (d/iota :shape [100] :dtype :f64)}))
                       {u [1 0 2]}))))
  (testing "triangular numbers"
    (is (= [0 1 3 6 10 15 21 28 36 45 55 66 78 91 105]
           (:s (value (d/scan {:sequences {:i (d/iota :shape [15])}, :state {:s 0}}
                              (fn [{:keys [i s]}] {:s (d/add i s)})))))))
  (testing "powers of 2 until one is above 45"
    (is (= [2 4 8 16 32 64]
           (:p (value (d/scan {:sequences {:i (d/iota :shape [1024])}, :state {:p 1}}
                              (fn [{:keys [p]}]
                                (let [p (d/mul 2 p)] {:p p, :until (d/gt p 45)})))))))))

(defn- rows
  "The states of the rounds of (f & earlier-states-and-elements), `at` giving the elements of a
  round."
  [f inits at rounds]
  (subvec (reduce (fn [trace t]
                    (conj trace (apply f (concat (at t) (take-last (count inits) trace)))))
                  (vec inits) (range rounds))
          (count inits)))

(deftest one-sequence-and-one-state
  (let [f (fn [more]
            (:x (d/scan (merge {:sequences {:u u}, :state {:x 1.5}} more)
                        (fn [{:keys [u x]}] {:x (d/add (d/mul u w-in) (d/mul x w))}))))
        step (fn [u x] (+ (* u w-in) (* x w)))]
    (is (= (rows step [1.5] #(vector (us %)) 6) (value (f {}) {u us})))
    (testing "backwards"
      (is (= (rows step [1.5] #(vector (us (- 5 %))) 6) (value (f {:go-backwards true}) {u us}))))))

(deftest taps-of-sequence-and-state
  (testing "two steps back"
    (is (= (rows (fn [u x2 x1] (+ (* u w-in) (* x1 w) x2)) [0.5 -0.25] #(vector (us %)) 4)
           (value (:x (d/scan {:sequences {:u {:of u, :taps [-2]}}
                               :state {:x {:init [0.5 -0.25], :taps [-2 -1]}}}
                              (fn [{u :u, [x2 x1] :x}]
                                {:x (d/add (d/mul u w-in) (d/mul x1 w) x2)})))
                  {u us}))))
  (testing "past and future"
    (is (= (rows (fn [a b x2 x1] (+ (* (+ a b) w-in) (* x1 w) x2)) [0.5 -0.25]
                 #(vector (us %) (us (+ 4 %))) 2)
           (value (:x (d/scan {:sequences {:u {:of u, :taps [-2 2]}}
                               :state {:x {:init [0.5 -0.25], :taps [-2 -1]}}}
                              (fn [{[a b] :u, [x2 x1] :x}]
                                {:x (d/add (d/mul (d/add a b) w-in) (d/mul x1 w) x2)})))
                  {u us}))))
  (testing "a tap with a hole"
    (is (= (rows (fn [x3 _ x1] (+ x3 x1)) [1.0 2.0 3.0] (constantly []) 4)
           (value (:x (d/scan {:state {:x {:init [1.0 2.0 3.0], :taps [-3 -1]}}, :n-steps 4}
                              (fn [{[x3 x1] :x}] {:x (d/add x3 x1)}))))))))

(deftest several-states-and-outputs
  (let [v (d/input 'v [:f64 ['n 2]])
        r (d/scan {:sequences {:u v}, :state {:x [[0.0 1.0]], :y 0.5}}
                  (fn [{:keys [u x y]}]
                    {:x (d/add (d/reshape u :shape [1 2]) (d/mul x y))
                     :y (d/add (d/sum x) y), :z (d/cast (d/gt y 0) :i32)}))]
    (is (= {:x [[[1.0 2.5]] [[4.5 7.75]]], :y [1.5 5.0], :z [1 1]} (value r {v [[1 2] [3 4]]})))
    (is (= {:x '[:f64 [n 1 2]], :y '[:f64 [n]], :z '[:i32 [n]]} (update-vals r d/type-of)))))

(deftest shared-state-alone
  (testing "without sequence, state and output"
    (let [s (d/shared 's 1.0)
          f (d/function [] [] {:updates (:updates (d/scan {:n-steps 5}
                                                          (fn [_] {:updates {s (d/mul 2 s)}})))})]
      (f)
      (is (= 32.0 @s))
      (f)
      (is (= 1024.0 @s)))))

(deftest lengths
  (testing "the first tap of a sequence decides where the first step is"
    (is (= [2.0] (:y (value (d/scan {:sequences {:u {:of u, :taps [2]}}, :n-steps 1}
                                    (fn [{:keys [u]}] {:y u}))
                            {u (range 20)})))))
  (testing "the dtype of no rows is that of rows"
    (let [r (d/scan {:sequences {:u u}, :n-steps k}
                    (fn [{:keys [u]}] {:y (d/cast (d/gt u 0) :i8)}))]
      (is (= {:y []} (value r {u us, k 0})))
      (is (= :i8 (first (d/type-of (:y r))))))))

(deftest derivatives
  (let [x (d/input 'x [:f64 []])
        nth-grad (fn [f n] (nth (iterate #(d/grad % x) f) n))
        near? (fn [a b] (< (abs (- a b)) (* 1e-9 (abs b))))]
    (testing "of x ← x², four times: 16!/(16-n)! · x^(16-n)"
      (let [f (d/index (:y (d/scan {:state {:y x}, :n-steps 4} (fn [{:keys [y]}] {:y (d/sqr y)})))
                       -1)]
        (doseq [n (range 1 5)]
          (is (near? (compiled (nth-grad f n) {x 0.95})
                     (* (reduce * (range (- 17 n) 17)) (Math/pow 0.95 (- 16 n))))))))
    (testing "of a polynomial with the coefficients 1, 2, -3, 4 at 2: 38 and 42"
      (let [f (d/sum (d/map-steps (fn [{:keys [c i]}] (d/mul c (d/pow x i)))
                                  {:c u, :i (d/iota :shape [10] :dtype :f64)}))]
        (is (near? (compiled (nth-grad f 1) {u [1 2 -3 4], x 2}) 38.0))
        (is (near? (compiled (nth-grad f 2) {u [1 2 -3 4], x 2}) 42.0))))
    (testing "of taps, also of sequences that are too short for a step"
      (let [r (:y (d/scan {:sequences {:u {:of u, :taps [-1 0 1]}}}
                          (fn [{[a b c] :u}] {:y (d/mul a b c)})))
            both [(d/grad (d/sum r) u) (d/rop r u (d/ones-like u))]]
        (is (= [[[] []] [[0.0] []] [[0.0 0.0] []] [[6.0 3.0 2.0] [11.0]]]
               (mapv #(compiled both {u (range 1 (inc %))}) (range 4))))))
    (testing "of a loop that ends by itself, over the steps that it made"
      ;; a, a², a⁴ … until above 3: for a = 1.3 that is a^8, whose slope is 8 a^7
      (let [f (d/index (:y (d/scan {:state {:y x}, :n-steps 50}
                                   (fn [{:keys [y]}]
                                     (let [y (d/sqr y)] {:y y, :until (d/gt y 3)}))))
                       -1)]
        (is (near? (compiled (nth-grad f 1) {x 1.3}) (* 8 (Math/pow 1.3 7))))))))
