(ns damo.math.samples
  "Arguments at which `damo.math-test` tries the functions of several parameters and their parts.
  (beta (SplittableRandom. 42) :betainc) gives [a b x]."
  (:import (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

(defn incomplete
  "Arguments of the incomplete gamma functions and their parts, where these are not tiny."
  [^SplittableRandom random f]
  (let [a (Math/exp (.nextDouble random -6.0 6.0)), s (.nextDouble random -2.0 2.0)
        x (* a (Math/exp (/ s (Math/sqrt (+ 1 a)))))]
    (case f
      :gamma-decay [s (Math/abs (/ 1 (+ a 1))) (.nextDouble random -0.4 0.9)]
      :incomplete-gamma [a x (double (.nextInt random 2))]
      :stirling [(+ 4.0 a)]
      :exp-excess (let [a (Math/rint (+ 4.0 a)), d (Math/rint (* s 0.5 (Math/sqrt a)))]
                    [a (+ a d) 0.0 d 0.0])
      :gamma-front (let [a (Math/rint (+ 1.0 a)), d (Math/rint (* s (Math/sqrt a) 0.25))]
                     [a (+ a d) 0.0 d 0.0 1.0])
      [a x])))

(defn beta
  "Arguments of the beta functions and their parts; parameters and x are such that what the parts
  take in two parts is exact in one."
  [^SplittableRandom random f]
  (let [parameter #(/ (Math/rint (* 16.0 (Math/exp (.nextDouble random -2.0 5.0)))) 16.0)
        a (+ (double (parameter)) 0.0625), b (+ (double (parameter)) 0.0625)
        x (/ (double (.nextInt random 1 128)) 128.0), y (- 1.0 x), d (- (* (+ a b) x) a)]
    (case f
      (:beta :betaln) [a b]
      :beta-parts [a b (double (.nextInt random 2))]
      :betainc [a b x]
      :beta-front [a b x 0.0 y 0.0 d 0.0]
      :beta-decay [(/ 1.0 (+ a 1.0)) (/ 1.0 b) (min x y) (.nextDouble random -0.9 0.9)]
      :beta-tail (if (pos? d) [b a y 0.0 x 0.0] [a b x 0.0 y 0.0])
      :beta-near [(min a 8.0) (/ b (+ b 1.0)) (* 0.125 y)])))
