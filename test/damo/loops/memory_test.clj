(ns damo.loops.memory-test
  "How much memory loops take: what their length is multiplied by, and what checkpoints save."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.loops.waves :refer [close? wave]]))

(set! *warn-on-reflection* true)

(def ^:private width 8)

(defn- gradient
  "The function [x w] of the gradient by w of the last of n states h ← tanh(x + h·w)."
  [n options]
  (let [x (d/input 'x [:f64 [n width]]), w (d/input 'w [:f64 [width width]])
        h (:h (d/scan (into {:sequences {:x x}, :state {:h (d/zeros [width])}} options)
                (fn [{:keys [x h]}] {:h (d/tanh (d/add x (d/dot h w)))})))]
    (d/function [x w] (d/grad (d/sum (d/index h -1)) w))))

(defn- rows
  "The memory of a function's temporaries in states."
  [f]
  (quot (reduce + (for [{:keys [kind size]} (:buffers (d/program f)) :when (= :temp kind)] size))
        width))

(deftest checkpoints-take-the-root-of-the-length
  (let [n 400, all (gradient n {}), kept (gradient n {:checkpoint-every 20})
        x (wave [n width] 0.3), w (wave [width width] 0.2 0.4)]
    (testing "a state, a slope and a gradient a round; or those of 20 rounds, and 20 states"
      (is (<= (* 2 n) (rows all) (+ (* 3 n) 100)))
      (is (<= (rows kept) (+ (* 4 20) 60))))
    (is (close? 1e-13 @(all x w) @(kept x w)))))

(deftest the-last-state-takes-no-memory-a-round
  (let [n (d/input 'n [:i64 []]), x0 (d/input 'x0 [:f64 []])
        xs (:x (d/scan {:state {:x x0}, :n-steps n}
                 (fn [{:keys [x]}] {:x (d/mul 2.8 x (d/sub 1 x))})))
        f (d/function [x0 n] (d/index xs -1))]
    (is (every? integer? (map :size (:buffers (d/program f)))))
    (is (close? 1e-12 (/ 1.8 2.8) @(f 0.3 1000000)))))
