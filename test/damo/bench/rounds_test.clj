(ns damo.bench.rounds-test
  "Programs that take turns: when rounds end, who is left out, ratios and spreads."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.bench.rounds :as rounds]))

(set! *warn-on-reflection* true)

(def ^:private options {:least 3, :most 8, :bound 0.05, :seconds 100})

(defn- turns
  "What is measured of programs whose times are given round by round, the last for ever; and in
  which order they were asked."
  [times options]
  (let [order (volatile! []), left (volatile! times)
        next! (fn [k] (vswap! order conj k)
                (let [[t & more] (@left k)]
                  (when more (vswap! left assoc k more))
                  t))]
    [(rounds/take-turns (vec (for [k (sort (keys times))] [k #(next! k)])) [:a] options) @order]))

(deftest quantiles-and-spread
  (is (= [1 2.5 3.25 4] (map #(rounds/quantile % [4 1 3 2]) [0 0.5 0.75 1])))
  (is (nil? (rounds/spread [1 2])))
  (is (= 0.0 (rounds/spread [2.0 2.0 2.0 9.0 2.0]))))

(deftest ratios-are-to-the-least-of-ours
  (let [samples {:a [2.0 2.0], :b [4.0 1.0], :c [4.0 4.0]}]
    (is (= [2.0 4.0] (rounds/ratios samples :c [:a :b])))
    (is (= {:median 3.0, :low 2.0, :high 4.0} (rounds/ratio samples :c [:a :b])))
    (is (nil? (rounds/ratio samples :d [:a])))
    (is (= [:b {:median 1.25, :low 0.5, :high 2.0}] (rounds/best samples [:a])))
    (is (nil? (rounds/best samples [:a :b :c])))
    (is (= 0.5 (rounds/least-ratio samples [:a])))
    (is (nil? (rounds/least-ratio samples [:a :b :c])))))

(deftest rounds-end-when-the-spread-is-known
  (testing "at once when all agree, and in turns"
    (let [[samples order] (turns {:a [1.0], :b [2.0]} options)]
      (is (= {:a [1.0 1.0 1.0], :b [2.0 2.0 2.0]} samples))
      (is (= [:a :b :a :b :a :b] order))))
  (testing "a peer that wavers is measured until it does not, or to the end"
    (is (= 5 (count (:a (first (turns {:a [1.0], :b [1.0 2.0 2.0]} options))))))
    (is (= 8 (count (:a (first (turns {:a [1.0], :b [1 2 1 2 1 2 1 2]} options)))))))
  (testing "or until time is up"
    (is (= 3 (count (:a (first (turns {:a [1.0], :b [1 2 1 2 1 2 1 2]}
                                      (assoc options :seconds 0)))))))))

(deftest pauses-follow-measurements
  (let [start (System/nanoTime)]
    (turns {:a [1.0], :b [2.0]} (assoc options :pause 0.01))
    (is (<= 60 (/ (- (System/nanoTime) start) 1e6)) "three rounds of two")))

(deftest who-is-far-behind-is-left-out
  (let [[samples] (turns {:a [1.0], :b [1 2 1 2 1 2 1 2], :c [10.0]} options)]
    (is (= 8 (count (:b samples))))
    (is (= 3 (count (:c samples))))))
