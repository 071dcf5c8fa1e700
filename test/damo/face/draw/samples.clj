(ns damo.face.draw.samples
  "What tests of draws compare samples by: moments, and the statistics of Kolmogorov and Smirnov and
  of χ², with the bounds that a right sample passes in all but one of a million cases. Seeds are
  fixed, so a test passes always or never."
  (:require [damo.core :as d]))

(set! *warn-on-reflection* true)

(defn sample
  "The elements of an expression, a sequence of doubles."
  [e]
  (map double (flatten [@(d/eval e)])))

(defn ks
  "Whether a sample has a continuous distribution function: the largest distance of the empirical
  one times √n is below 2.7."
  [cdf xs]
  (let [xs (vec (sort xs)), n (count xs)
        far (reduce max (map-indexed (fn [i x]
                                       (let [p (double (cdf x))]
                                         (max (- p (/ i (double n))) (- (/ (inc i) (double n)) p))))
                                     xs))]
    (< (* far (Math/sqrt n)) 2.7)))

(defn chi2
  "Whether counts fit probabilities, {value probability}, of which those of fewer than 5 expected
  elements are taken together: χ² is less than five deviations above what is expected."
  [probabilities xs]
  (let [n (count xs), found (frequencies xs)
        {small true, large false} (group-by #(< (* n (double (val %))) 5) probabilities)
        cells (conj (map (fn [[v p]] [p (found v 0)]) large)
                    [(reduce + (map val small)) (reduce + (map #(found (key %) 0) small))])
        cells (filter #(pos? (double (first %))) cells), k (max 1 (dec (count cells)))
        statistic (reduce + (map (fn [[p c]]
                                   (let [e (* n (double p))] (/ (* (- c e) (- c e)) e)))
                                 cells))]
    (and (every? #(contains? probabilities %) (keys found))
         (< statistic (+ k (* 5 (Math/sqrt (* 2.0 k))) 5)))))

(defn mean-near?
  "Whether the mean of a sample is within five standard errors of the one expected."
  [mean xs]
  (let [n (count xs), m (/ (reduce + xs) n)
        v (/ (reduce + (map #(let [t (- (double %) m)] (* t t)) xs)) n)]
    (<= (Math/abs (- m (double mean))) (+ 1e-12 (* 5 (Math/sqrt (/ v n)))))))

(defn normal-cdf
  "The standard normal distribution function, by Zelen and Severo's formula (Abramowitz and Stegun
  26.2.17), to 7.5e-8."
  [x]
  (let [x (double x), t (/ 1.0 (+ 1.0 (* 0.2316419 (Math/abs x))))
        tail (* (/ (Math/exp (* -0.5 x x)) (Math/sqrt (* 2 Math/PI)))
                t (+ 0.319381530 (* t (+ -0.356563782 (* t (+ 1.781477937
                                                             (* t (+ -1.821255978
                                                                     (* t 1.330274429)))))))))]
    (if (neg? x) tail (- 1.0 tail))))
