(ns damo.diff.loop.given-test
  "What gradients by rows of results cost in a round of the loop backwards."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.diff]))

(set! *warn-on-reflection* true)

(defn- program
  "The program of the gradient of what `f` makes of the states of h ← tanh(h·w) over ten rounds."
  [f]
  (let [w (d/input 'w [:f64 [3]])
        h (:h (d/scan {:state {:h (d/ones [3])}, :n-steps 10}
                (fn [{:keys [h]}] {:h (d/tanh (d/mul h w))})))]
    (d/program (d/function [w] (d/grad (d/sum (f h)) w)))))

(defn- looks?
  "Does a kernel in a loop look for its row?"
  [{:keys [steps kernels]}]
  (boolean (some #(some #{:index :select} (flatten (:body (nth kernels (:kernel %)))))
                 (filter :kernel (mapcat :steps steps)))))

(deftest rows-test
  (testing "rows that are there in nearly all rounds are not looked for"
    (is (not (looks? (program identity))))
    (is (not (looks? (program #(d/index % [0 7]))))))
  (testing "nor the last one, which is there before the first round"
    (is (not (looks? (program #(d/index % -1))))))
  (testing "where few are read the others are no zeros"
    (is (looks? (program #(d/index % [7 10]))))))
