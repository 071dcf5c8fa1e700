(ns damo.ops.fold.argmax-test
  "Where extremes are, and extremes themselves, in lines of all lengths and dtypes against the
  reference: ties, NaN, infinities, zeros of both signs; in kernels with others."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private special [##NaN ##Inf ##-Inf 0.0 -0.0 1e-40 -1e-40])

(defn- element
  "Random element i of a mix: 0 numbers alone, 1 ties, 2 few NaN, 3 special ones, 4 and 5 constant,
  6 negative ones, others zeros."
  [^Random random {:keys [kind lo hi]} mix i]
  (case kind
    :bool (case (int mix) 4 false, 5 true, (.nextBoolean random))
    :int (case (int mix) 4 lo, 5 hi, (max lo (min hi (- (.nextInt random 300) 150))))
    :float (case (int mix)
             0 (.nextGaussian random)
             1 (nth special (+ 2 (.nextInt random 5)))
             2 (if (= 0 (.nextInt random 500)) ##NaN (double (.nextInt random 50)))
             3 (nth special (.nextInt random 7))
             4 ##-Inf
             5 -0.0
             6 (- (.nextDouble random) 1.0)
             7 (if (.nextBoolean random) -0.0 -1.0)
             8 (if (.nextBoolean random) -0.0 0.0)
             9 (if (< (long i) 1100) -0.0 0.0)
             10 (if (< (long i) 1100) 0.0 -0.0))))

(defn- lines [dtype shape mix]
  (let [random (Random. (+ mix (* 31 (array/size shape)))), info (type/dtypes dtype)]
    (array/build dtype shape (fn [i] (element random info mix i)))))

(defn- same?
  "Are two arrays equal, zeros with their signs and NaN included?"
  [a b]
  (and (= (array/type-of a) (array/type-of b))
       (= (map str (array/values a)) (map str (array/values b)))))

(defn- check [g env what]
  (let [c (running/compile g {:rules false})]
    (is (every? true? (map same? (eval/run g env) (running/call! c env))) what)
    (running/close! c)))

(defn- both [x axis]
  (d/graph (vec (concat [(d/argmax x :axis axis) (d/argmin x :axis axis)]
                        (d/max-and-argmax x :axis axis) (d/min-and-argmin x :axis axis)
                        [(d/max x :axis axis) (d/min x :axis axis)]))))

(deftest lines-of-all-lengths
  (doseq [dtype (keys type/dtypes) symbolic? [true false]
          n (if symbolic? [1 2 17 64 65 1023 1025 2100] [1 16 64 65 1024 1500])
          :let [x (d/input 'x [dtype (if symbolic? '[n] [n])]), g (both x 0)
                c (running/compile g {:rules false})]]
    (doseq [mix (range (if (= :float (:kind (type/dtypes dtype))) 11 6))
            :let [env {'x (lines dtype [n] mix)}]]
      (is (every? true? (map same? (eval/run g env) (running/call! c env)))
          (str dtype n " mix " mix)))
    (running/close! c)))

(deftest each-by-itself
  (testing "for what is asked for beside others is found with them"
    (doseq [dtype [:f64 :f32 :f16 :i64 :u8 :bool], op [d/argmax d/argmin d/max d/min]
            :let [x (d/input 'x [dtype '[n]]), g (d/graph [(op x :axis 0)])
                  c (running/compile g {:rules false})]]
      (doseq [n [5 64 1024 2100], mix (range (if (= :float (:kind (type/dtypes dtype))) 11 6))
              :let [env {'x (lines dtype [n] mix)}]]
        (is (every? true? (map same? (eval/run g env) (running/call! c env)))
            (str dtype n " mix " mix)))
      (running/close! c))))

(deftest lines-along-any-axis
  (doseq [[shape axis] [[[3 70] 1] [[70 3] 0] [[2 60 3] 1] [[2 3 40] 0] [[5 1 4] 1] [[2 1100] 1]
                        [[1100 2] 0] [[33 40] 0] [[20 9] 1]]
          dtype [:f32 :f64 :i64 :u8], mix [1 3], named [true false]
          :let [dims (if named (vec (take (count shape) '[a b c])) shape)
                x (d/input 'x [dtype dims])]]
    (check (both x axis) {'x (lines dtype shape mix)} (str dtype shape axis mix named))))

(deftest no-rows-have-no-places
  (let [x (d/input 'x [:f32 '[m n]]), c (running/compile (both x 1) {:rules false})]
    (is (every? #(= [] (array/values %)) (running/call! c {'x (array/full :f32 [0 5] 0)})))
    (running/close! c)))

(deftest beside-others-of-the-kernel
  (let [x (d/input 'x [:f32 '[m n]])
        y (d/mul (d/sub x (d/max x :axis 1 :keepdims true)) 0.5), best (d/argmax y :axis 1)
        env {'x (lines :f32 [3 1300] 0)}]
    (check (d/graph [best (d/min y :axis 1) (d/add 1 best) (d/argmin (d/mul x x) :axis 1) y
                     (d/argmax (d/mul y (d/expand-dims best 1)) :axis 0)
                     (d/any (d/gt y -0.25) :axis 1)])
           env "several loops")))

(deftest over-a-state-that-is-written
  (let [w (d/shared 'w [1.0 5.0 2.0])
        f (d/function [] (d/argmax w) {:updates {w (d/sub w (d/mul 3 w))}})]
    (is (= [1 0 1] (repeatedly 3 #(deref (f)))))))

(deftest what-is-counted-has-places
  (let [x (d/input 'x [:f64 '[n]]), f (d/function [x] (d/argmax (d/masked x (d/gt x 0))))]
    (is (= 2 @(f [1 -1 2 5 -7 3])))))
