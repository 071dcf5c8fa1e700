(ns damo.codegen.division-test
  "Division of integers by reciprocals: all pairs of 8 bits, and of more bits those where quotients
  are nearly whole or the last bits decide; by a number for each element, one for all, and one that
  the code knows; at every width of vectors."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.codegen.reference :as reference]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)
           (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

(def ^:private widths [128 256 512])

(defn- expected [dtype x y]
  (if (zero? (long y))
    [0 0]
    [(reference/wrap dtype (if (= -1 (long y)) (-' x) (Math/floorDiv (long x) (long y))))
     (if (= -1 (long y)) 0 (Math/floorMod (long x) (long y)))]))

(defn- program
  "Quotients and rests of x by each of some divisors."
  [dtype n divisors]
  (calling/program
   [] (into [[dtype :in n] [dtype :in n]] (repeat (* 2 (count divisors)) [dtype :out n]))
   [(into [:for 'i n]
          (mapcat (fn [k divisor]
                    [[:store (+ 2 (* 2 k)) 'i [:div [:load 0 'i] divisor]]
                     [:store (+ 3 (* 2 k)) 'i [:mod [:load 0 'i] divisor]]])
                  (range) divisors))]))

(defn- code ^NativeCode [program bits]
  (NativeCode/compile (Codegen/module (calling/read-program program) (int bits))))

(defn- computed
  "[[quotient rest] …] of xs by each divisor, which may be elements of ys."
  [code program xs ys]
  (let [n (count xs), results (- (count (:buffers program)) 2)]
    (->> (calling/run code program [] (into [xs ys] (repeat results (repeat n 0))))
         :buffers (drop 2) (take results) (partition 2)
         (map (fn [[q r]] (mapv vector q r))))))

(defn- check [what dtype got xs ys]
  (is (empty? (->> (map (fn [x y got] [x y got (expected dtype x y)]) xs ys got)
                   (remove (fn [[_ _ got wanted]] (= got wanted)))
                   (take 5)))
      [what dtype]))

(defn- check-pairs [dtype bits xs ys]
  (let [program (program dtype (count xs) '[[:load 1 i]])]
    (with-open [code (code program bits)]
      (check bits dtype (first (computed code program xs ys)) xs ys))))

(deftest all-pairs-of-eight-bits
  (doseq [[dtype numbers] {:i8 (range -128 128), :u8 (range 256)}
          :let [pairs (for [x numbers, y numbers] [x y])]]
    (check-pairs dtype 512 (map first pairs) (map second pairs))))

(defn- edges
  "Integers of a dtype where its range, powers of two and what floats hold exactly end."
  [dtype]
  (let [bits (long (reference/width dtype))]
    (distinct (for [k (range bits), d [-2 -1 0 1 2], sign [1 -1]]
                (reference/wrap dtype (* sign (+' d (.shiftLeft BigInteger/ONE (int k)))))))))

(defn- products
  "Pairs whose quotient is whole, or by one less or more."
  [dtype n]
  (let [random (SplittableRandom. 7), bits (long (reference/width dtype))]
    (take n (repeatedly
             (fn []
               (let [kept (+ 2 (.nextInt random (- bits 2)))
                     y (reference/wrap dtype (bit-shift-right (.nextLong random) (- 64 kept)))
                     q (bit-shift-right (.nextLong random) (min 63 (- (+ 64 kept) bits)))
                     x (reference/wrap dtype (+' (*' q y) (- (.nextInt random 5) 2)))]
                 [x y]))))))

(deftest pairs-of-more-bits
  (doseq [dtype [:i16 :i32 :i64], bits widths
          :let [numbers (vec (edges dtype))
                random (SplittableRandom. 3)
                any #(numbers (.nextInt random (count numbers)))
                pairs (concat (products dtype 6000) (repeatedly 6000 (fn [] [(any) (any)])))]]
    (check-pairs dtype bits (map first pairs) (map second pairs))))

(def ^:private divisors
  [0 1 -1 2 3 -3 7 -7 8 -8 10 64 100 -100 1000000007 Long/MAX_VALUE Long/MIN_VALUE
   Integer/MIN_VALUE])

(deftest one-divisor
  (doseq [dtype [:i8 :u8 :i16 :i32 :i64], bits (if (#{:i32 :i64} dtype) widths [512])
          :let [xs (vec (edges dtype)), n (count xs)
                ys (distinct (map #(reference/wrap dtype %) divisors))
                known (program dtype n (mapv (fn [y] [:const dtype y]) ys))
                told (program dtype n '[[:load 1 0]])]]
    (with-open [code (code known bits)]
      (dorun (map #(check [:known bits %1] dtype %2 xs (repeat %1))
                  ys (computed code known xs (repeat n 0)))))
    (with-open [code (code told bits)]
      (doseq [y ys]
        (check [:told bits y] dtype (first (computed code told xs (repeat n y))) xs
               (repeat y))))))
