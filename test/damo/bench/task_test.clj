(ns damo.bench.task-test
  "The numbers of the tasks agree with the other programs' (values computed by their own code), and
  the timing loop counts steps and losses right."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.measure :as measure]
            [damo.bench.task :as task]))

(set! *warn-on-reflection* true)

(deftest data-is-that-of-the-other-programs
  (is (= (map float [0.3722706 -0.8649007 -1.6090257 -1.2279699 -1.6566292])
         (take 5 (task/uniform 1 5 1.7320508075688772))))
  (is (= [9 2 2 1 8 7 9 6 8 1] (take 10 (task/labels))))
  (is (= 6000 (alength (task/labels))))
  (is (every? #(<= 0 % 9) (task/labels))))

(deftest weights-are-those-of-the-other-programs
  (let [w (task/weights "mlp" 1)]
    (is (= 5000 (alength w)))
    (is (= (map float [-0.018297564 0.026115507 0.0985653]) (take 3 w))))
  (is (= [(* 784 1000) 1000000 1000000 10000]
         (map #(alength (task/weights "deep" %)) (range 4)))))

(deftest a-loss-is-checked-to-two-in-ten-thousand
  (testing "inside, outside, and NaN"
    (is (task/loss-ok? "mlp" 60 (* 2.614944 1.00019)))
    (is (not (task/loss-ok? "mlp" 60 (* 2.614944 1.00021))))
    (is (not (task/loss-ok? "mlp" 60 (* 2.614944 0.99979))))
    (is (not (task/loss-ok? "mlp" 60 ##NaN))))
  (testing "a batch without a known value"
    (is (task/loss-ok? "mlp" 7 1.0))))

(deftest measuring-takes-steps-in-order
  (let [steps (volatile! [])
        start (System/nanoTime)
        {:keys [loss rate best reps]}
        (measure/measure (measure/each (fn [i]
                                         (vswap! steps conj i)
                                         (let [until (+ (System/nanoTime) 1000000)]
                                           (while (< (System/nanoTime) until)
                                             (Thread/onSpinWait)))
                                         (double i)))
                         {:units 10, :check-steps 100, :check-units 100} 0.0)]
    (is (= (range (count @steps)) @steps))
    (is (= 49.5 loss))
    (is (= 5 reps))
    (testing "1 ms a step of 10 examples are at most 10000 examples/s"
      (is (< 2000.0 rate 10001.0))
      (is (<= rate best)))
    (is (< (- (System/nanoTime) start) 10000000000))))
