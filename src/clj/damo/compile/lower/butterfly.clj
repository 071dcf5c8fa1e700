(ns damo.compile.lower.butterfly
  "Discrete Fourier transforms of a few values, as expressions of a kernel: the butterflies of the
  passes of longer ones. A complex value is a pair [re im] of expressions; what is used more than
  once gets a name by (let! expression). (transform let! :f32 -1 [[a b] [c d]]) = the two results."
  (:require [clojure.math :as math]))

(set! *warn-on-reflection* true)

(defn root
  "[re im] of exp(sign·2πi·k/n), doubles, exact where they are 0, 1 or -1."
  [sign n k]
  (let [k (mod (long k) (long n)), n (long n), quarter (/ (* 4 k) n)]
    (if (integer? quarter)
      (nth [[1.0 0.0] [0.0 (double sign)] [-1.0 0.0] [0.0 (- (double sign))]] quarter)
      (let [a (* math/PI (/ (* 2.0 k) n))] [(math/cos a) (* (double sign) (math/sin a))]))))

(defn plus "The sum of complex values." [[a b] [c d]] [[:add a c] [:add b d]])
(defn minus "The difference of complex values." [[a b] [c d]] [[:sub a c] [:sub b d]])

(defn times
  "The product of complex values."
  [[a b] [c d]]
  [[:sub [:mul a c] [:mul b d]] [:add [:mul a d] [:mul b c]]])

(defn scaled "A complex value times a real one." [x [a b]] [[:mul x a] [:mul x b]])

(defn turned "i times a complex value, -i times for the sign -1." [sign [a b]]
  (if (pos? (long sign)) [[:neg b] a] [b [:neg a]]))

(defn named "A complex value whose parts have names." [let! [a b]] [(let! a) (let! b)])

(defn- by-root
  "A complex value times exp(sign·2πi·k/n); no products where that is 1, -1, i or -i."
  [d sign n k [a b :as z]]
  (let [[c s] (root sign n k), number (fn [x] [:const d x])]
    (cond (= [1.0 0.0] [c s]) z
          (= [-1.0 0.0] [c s]) [[:neg a] [:neg b]]
          (zero? (double c)) (turned s z)
          :else (times [(number c) (number s)] z))))

(defn- sum-of [terms] (reduce plus terms))

(defn- of-prime
  "The transform of a prime number of values: sums and differences of those that lie opposite, times
  cosines and sines."
  [let! d sign vs]
  (let [p (count vs), half (range 1 (inc (quot p 2)))
        opposite (fn [f] (mapv #(named let! (f (nth vs %) (nth vs (- p %)))) half))
        sums (opposite plus), differences (opposite minus)
        weighted (fn [part k values]
                   (map (fn [j v] (scaled [:const d (part (root 1 p (* j k)))] v)) half values))
        pairs (mapv (fn [k]
                      (let [a (named let! (sum-of (cons (vs 0) (weighted first k sums))))
                            b (turned sign (named let! (sum-of (weighted second k
                                                                         differences))))]
                        [(named let! (plus a b)) (named let! (minus a b))]))
                    half)]
    (into [(named let! (sum-of (cons (vs 0) sums)))]
          (concat (map first pairs) (reverse (map second pairs))))))

(defn- smallest-factor [n] (first (filter #(zero? (rem (long n) (long %))) (range 2 (inc n)))))

(defn transform
  "The values Σ_j exp(sign·2πi·jk/n) v_j of n complex values with names, with names too, of that
  float dtype: by the smallest factor of n (Cooley and Tukey 1965)."
  [let! d sign vs]
  (let [n (count vs), r (when (< 1 n) (smallest-factor n)), m (when r (quot n r))]
    (cond (= n 1) vs
          (= n 2) (let [[a b] vs] [(named let! (plus a b)) (named let! (minus a b))])
          (= n r) (of-prime let! d sign vs)
          :else
          (let [parts (mapv #(transform let! d sign (vec (take-nth r (drop % vs)))) (range r))
                column (fn [k]
                         (transform let! d sign
                                    (mapv #(named let! (by-root d sign n (* % k)
                                                                (get-in parts [% k])))
                                          (range r))))
                columns (mapv column (range m))]
            (vec (for [j (range r), k (range m)] (get-in columns [k j])))))))
