(ns damo.scalar.bessel
  "The meaning of the Bessel functions of integer order on single elements, for the :eval of their
  ops: doubles in, doubles out. Integrals, series and asymptotic expansions of the Digital Library
  of Mathematical Functions (DLMF), chapter 10, apart from what the compiled code does.
  (j 0 0.0) = 1.0.")

(set! *warn-on-reflection* true)

(defn- hankel-terms
  "a_k(n) / x^k for k = 0, 1, … until they vanish or begin to grow (DLMF 10.17.1)."
  [^long n ^double x]
  (loop [terms [1.0], k 1]
    (let [odd (- (* 2.0 k) 1.0)
          term (* (double (peek terms)) (/ (- (* 4.0 n n) (* odd odd)) (* 8.0 k x)))]
      (if (or (< (Math/abs term) 1e-20)
              (and (> k n) (> (Math/abs term) (Math/abs (double (peek terms))))))
        terms
        (recur (conj terms term) (inc k))))))

(defn- alternating [terms]
  (double (reduce + (map * (cycle [1.0 -1.0]) terms))))

(defn- far-j
  "J_n(x) for x ≥ 25 by Hankel's expansion (DLMF 10.17.3)."
  [^long n ^double x]
  (let [terms (hankel-terms n x)
        p (alternating (take-nth 2 terms)), q (alternating (take-nth 2 (rest terms)))
        s (Math/sin x), c (Math/cos x)
        [sine cosine] (nth [[(- s c) (+ s c)] [(- (+ s c)) (- s c)]      ; √2 times those of
                            [(- c s) (- (+ s c))] [(+ s c) (- c s)]]     ; x - (2n + 1)π/4
                           (mod n 4))]
    (/ (- (* p (double cosine)) (* q (double sine))) (Math/sqrt (* Math/PI x)))))

(defn- near-j
  "J_n(x) for |x| < 25: the mean of cos(nθ - x sin θ) over 80 points of a period (DLMF 10.9.2),
  off by J_(80-n)(x)."
  [^long n ^double x]
  (/ (double (reduce + (for [k (range 80) :let [t (/ (* Math/PI k) 40.0)]]
                         (Math/cos (- (* n t) (* x (Math/sin t)))))))
     80.0))

(defn- series
  "Σ (x²/4)^k sign^k n! / (k! (n+k)!), k = 0, 1, …, 80 (DLMF 10.8.1, 10.25.2)."
  [^long n ^double x ^double sign]
  (let [z (* sign 0.25 x x)]
    (loop [sum 1.0, k 80]
      (if (zero? k) sum (recur (+ 1.0 (/ (* z sum) (* k (+ n k)))) (dec k))))))

(defn- leading
  "(x/2)^n / n!."
  [^long n ^double x]
  (reduce (fn [p k] (/ (* (double p) 0.5 x) (double k))) 1.0 (range 1 (inc n))))

(defn j
  "J_n(x), n a natural number: the power series up to 1 (DLMF 10.2.2), Bessel's integral up to 25
  (10.9.2), Hankel's expansion beyond (10.17.3); accurate relative to the amplitude. 0 at ±Inf."
  [^long n ^double x]
  (let [a (Math/abs x), odd (if (and (odd? n) (neg? x)) -1.0 1.0)]
    (cond (Double/isNaN x) x
          (Double/isInfinite x) 0.0
          (<= a 1.0) (* (double (leading n x)) (double (series n x -1.0)))
          (< a 25.0) (near-j n x)
          :else (* odd (double (far-j n a))))))

(defn ie
  "e^-|x| I_n(x), n a natural number: the power series up to 30 (DLMF 10.25.2), Hankel's expansion
  beyond (10.40.1)."
  [^long n ^double x]
  (let [a (Math/abs x), odd (if (and (odd? n) (neg? x)) -1.0 1.0)]
    (cond (Double/isNaN x) x
          (<= a 30.0) (* (double (leading n x)) (double (series n x 1.0)) (Math/exp (- a)))
          :else (/ (* odd (alternating (hankel-terms n a))) (Math/sqrt (* 2.0 Math/PI a))))))

(defn i
  "I_n(x), n a natural number: e^|x| times `ie`, without early overflow."
  [^long n ^double x]
  (let [a (Math/abs x), e (Math/exp (* 0.5 a))]
    (cond (< a 720.0) (* (double (ie n x)) e e)
          (Double/isNaN x) x
          :else (if (and (odd? n) (neg? x)) ##-Inf ##Inf))))
