(ns damo.ops.random.philox-test
  (:require [clojure.test :refer [are deftest is]]
            [damo.core :as d]
            [damo.random :as r]
            [damo.scalar.philox :as philox]))

(set! *warn-on-reflection* true)

;; The vectors that Salmon et al. publish with their library Random123, for ten rounds.
(def ^:private published
  [[[0 0 0 0] [0 0] [0x6627e8d5 0xe169c58d 0xbc57ac4c 0x9b00dbd8]]
   [[0xffffffff 0xffffffff 0xffffffff 0xffffffff] [0xffffffff 0xffffffff]
    [0x408f276d 0x41c83b0e 0xa20bc7c6 0x6d5451fd]]
   [[0x243f6a88 0x85a308d3 0x13198a2e 0x03707344] [0xa4093822 0x299f31d0]
    [0xd16cfe09 0x94fdcceb 0x5001e420 0x24126ea1]]])

(deftest published-vectors
  (doseq [[counter key block] published
          :let [pair (fn [[a b]] (bit-or (long a) (bit-shift-left (long b) 32)))
                [i j] (map pair (partition 2 counter))]]
    (is (= block (map #(philox/word % i j (pair key)) (range 4))))
    (is (= block @(d/eval (r/philox4x32 counter key))))))

(deftest along-the-last-axis
  (let [c (d/input 'c [:i64 ['n 4]]), k (d/input 'k [:i64 [2]])
        f (d/function [c k] (r/philox4x32 c k))]
    (are [n] (= (repeat n (nth (published 0) 2)) @(f (vec (repeat n [0 0 0 0])) [0 0]))
      1 9)))
