(ns damo.demo.digits-test
  "The drawn digits: the same seed draws the same, all classes occur, the ink looks like a pen's."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.demo.digits :as digits]
            [damo.demo.glyphs :as glyphs])
  (:import [java.util Arrays]))

(set! *warn-on-reflection* true)

(defn- draw [seed]
  (digits/draw-set {:name "drawn", :count 500, :seed seed}))

(defn- ink [^bytes pixels index]
  (reduce + (map #(bit-and 0xff (aget pixels (+ (* 784 (long index)) (long %)))) (range 784))))

(deftest a-seed-decides-every-pixel
  (let [a (draw 7), b (draw 7), c (draw 8)]
    (is (Arrays/equals ^bytes (:pixels a) ^bytes (:pixels b)))
    (is (Arrays/equals ^bytes (:labels a) ^bytes (:labels b)))
    (is (not (Arrays/equals ^bytes (:pixels a) ^bytes (:pixels c))))))

(deftest a-set-has-the-shape-of-mnist
  (let [{:keys [count rows cols pixels labels]} (draw 1)]
    (is (= [500 28 28] [count rows cols]))
    (is (= (* 500 784) (alength ^bytes pixels)))
    (is (= (set (range 10)) (set (map long labels))))
    (is (every? #(< 25 % 80) (vals (frequencies labels))))))

(deftest every-digit-has-ink-and-paper
  (let [{:keys [pixels]} (draw 2)]
    (doseq [i (range 500)]
      (is (< 3000 (ink pixels i) 70000) (str "digit " i)))))

(deftest glyphs-lie-in-the-unit-square
  (is (= (set (range 10)) (set (keys glyphs/glyphs))))
  (doseq [[digit variants] glyphs/glyphs, variant variants, [kind points] variant]
    (testing (str digit " " variant)
      (is (#{:line :curve :loop} kind))
      (is (every? (fn [[x y]] (and (<= 0 x 1) (<= 0 y 1))) points)))))
