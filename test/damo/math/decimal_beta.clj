(ns damo.math.decimal-beta
  "The beta function and its incomplete integral on decimals: an oracle of `damo.math-test`. Takes
  positive numbers, gives a BigDecimal with at least twenty-five right digits; the reference's
  double for parameters of betainc above 1e5, or b below 1e-15 and x near 1. The series of positive
  terms on the side of the mean a/(a + b) where it converges fast. Example: (betainc 1 2 0.5) =>
  0.75M"
  (:require [damo.math.decimal :as decimal]
            [damo.math.decimal-gamma :as decimal-gamma]
            [damo.math.digits :refer [add div exact mul sub]]
            [damo.scalar.beta :as scalar-beta]))

(set! *warn-on-reflection* true)

(defn- log1p
  "log(1 + t) for t > 0, relatively accurate for small t."
  [t]
  (if (< t 1e-8M)
    (mul t (reduce (fn [sum k] (sub (div 1 k) (mul t sum))) 0M (range 8 0 -1)))
    (decimal/log1p t)))

(defn- stirling-rest
  "log Γ(x) - ((x - 1/2) log x - x + log √(2π)), x ≥ 1000."
  [x]
  (let [w (div 1 (mul x x))]
    (div (reduce (fn [sum c] (add (div 1 c) (mul w sum))) 0M [-1680 1260 -360 12]) x)))

(defn- gammaln-step
  "log Γ(k) - log Γ(k + m); for large k the large terms are taken together."
  [k m]
  (let [s (add k m)]
    (if (< k 1000M)
      (sub (decimal-gamma/gammaln k) (decimal-gamma/gammaln s))
      (sub (sub (stirling-rest k) (stirling-rest s))
           (add (mul (sub k 0.5M) (log1p (div m k))) (mul m (sub (decimal/log s) 1)))))))

(defn betaln
  "log B(a, b)."
  [a b]
  (let [[m k] (sort [(exact a) (exact b)])]
    (cond (= 1.0 (double m) (double k)) 0M
          (< k 1e-9M) (add (decimal/log (div (add m k) (mul m k)))
                           (- (mul (mul m k) 1.6449340668482264M)))
          :else (add (decimal-gamma/gammaln m) (gammaln-step k m)))))

(defn beta
  "B(a, b)."
  [a b]
  (decimal/exp (betaln a b)))

(defn- density
  "x^a y^b / B(a, b)."
  [a b x y]
  (decimal/exp (sub (add (mul a (decimal/log x)) (mul b (decimal/log y))) (betaln a b))))

(defn- series
  "I_x(a, b), y = 1 - x, as x^a y^b / (a B(a, b)) times the sum of (a + b)_k x^k / (a + 1)_k."
  [a b x y]
  (loop [term 1M, sum 1M, k 0]
    (let [term (mul term (div (mul x (add (add a b) k)) (add (add a 1) k))), more (add sum term)]
      (if (= more sum) (div (mul (density a b x y) sum) a) (recur term more (inc k))))))

(defn betainc
  "I_x(a, b)."
  [a b x]
  (let [y (sub 1 x), tiny (< (exact b) 1e-15M)]
    (cond (or (< 1e5M (exact a)) (< 1e5M (exact b)) (and tiny (<= 0.97M (exact x))))
          (exact (scalar-beta/betainc (double a) (double b) (double x)))
          (and (< (exact x) 0.97M) (or tiny (<= (mul b x) (mul a y)))) (series a b x y)
          (< y 0.97M) (sub 1 (series b a y x))
          :else (series a b x y))))

;; ## The parts of the compiled code

(defn- front [a b x y] (div (density a b x y) (if (< (exact a) 4M) (exact a) 1M)))

(def functions
  "The oracle of each math function, by its keyword."
  {:beta beta, :betaln betaln, :betainc betainc
   :beta-parts (fn [a b l] (if (zero? l) (beta a b) (betaln a b)))
   :beta-front (fn [a b x xl y yl _ _] (front a b (add x xl) (add y yl)))
   :beta-decay (fn [e s p v]
                 (decimal/exp (- (add (mul e (abs (exact v)))
                                      (mul s (sub (decimal/log1p (mul p (decimal/expm1 v)))
                                                  (mul p v)))))))
   :beta-tail (fn [a b x _ _ _] (betainc a b x))
   :beta-near (fn [a b y] (betainc a b (sub 1 y)))})
