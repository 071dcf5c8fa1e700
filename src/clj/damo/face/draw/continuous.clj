(ns damo.face.draw.continuous
  "Continuous distributions as functions of uniform and normal numbers: their derivatives by the
  parameters are those of these functions. Parameters that make no distribution give NaN.
  (exponential (key 1) [3] :scale 2) = three waiting times of mean 2."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.face.draw.basic :as basic]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- add [a b] (op/call :add [a b]))
(defn- sub [a b] (op/call :sub [a b]))
(defn- mul [a b] (op/call :mul [a b]))
(defn- div [a b] (op/call :div [a b]))
(defn- neg [a] (op/call :neg [a]))
(defn- log [a] (op/call :log [a]))

(defn- unit-of [op {:keys [key shape dtype]}] (op/call op [key :shape shape :dtype dtype]))

(defn- positive
  "The parameter where it is above 0 (or 0), NaN elsewhere."
  [e] (op/call :where [(op/call :ge [e 0]) e ##NaN]))

(defn exponential
  "Exponential variates of a shape, of the mean :scale (1)."
  [k shape & given]
  (let [{:keys [scale] :as draw} (basic/parsed {:scale {:default 1.0}} [:scale] k shape given)]
    (mul (positive scale) (neg (log (unit-of :random-open draw))))))

(def ^:private location {:loc {:default 0.0}, :scale {:default 1.0}})

(defn laplace
  "Laplace variates of a shape, around :loc (0), e^(-|x - loc|/scale) the shape of their density."
  [k shape & given]
  (let [{:keys [key shape loc scale] :as draw} (basic/parsed location [:loc :scale] k shape given)
        e (log (unit-of :random-open draw))
        up (op/call :lt [(op/call :random-word [key :shape shape :word 3]) 0x80000000])]
    (add loc (mul (positive scale) (op/call :where [up e (neg e)])))))

(defn gumbel
  "Gumbel variates of a shape, :loc (0) - :scale (1) · log of an exponential variate: the largest of
  many, and what categorical draws add to logarithms of weights."
  [k shape & given]
  (let [{:keys [loc scale] :as draw} (basic/parsed location [:loc :scale] k shape given)]
    (sub loc (mul (positive scale) (log (unit-of :random-log draw))))))

;; ## Truncated normal numbers

(def ^:private half-log-2pi (* 0.5 (Math/log (* 2.0 Math/PI))))

(defn- log-upper [x] (op/call :log-ndtr [(neg x)]))

(defn- newton
  "A step towards the x with log Q(x) = t, Q being the upper normal distribution function."
  [t x]
  (let [q (log-upper x)
        slope (neg (op/call :exp [(sub (sub (mul -0.5 (op/call :sqr [x])) half-log-2pi) q)]))]
    (sub x (div (sub q t) slope))))

(defn- far-variate
  "The variate of uniform u between a and b, a at least 1, by logarithms of the upper distribution
  function: from the tail of Rayleigh's distribution on, four steps of Newton."
  [u a b]
  (let [qa (log-upper a)
        drop (op/call :log1p [(neg (mul u (neg (op/call :expm1 [(sub (log-upper b) qa)]))))])
        start (op/call :sqrt [(sub (op/call :sqr [a]) (mul 2 drop))])]
    (nth (iterate #(newton (add qa drop) %) start) 4)))

(defn- near-variate [u a b]
  (let [from (op/call :ndtr [a])]
    (op/call :ndtri [(add from (mul u (sub (op/call :ndtr [b]) from)))])))

(defn- between
  "The standard normal variate of uniform u between a and b; both sides of 0 are one by turning."
  [u a b]
  (let [turn (op/call :gt [(add a b) 0])
        a' (op/call :where [turn a (neg b)]), b' (op/call :where [turn b (neg a)])
        far (op/call :gt [a' 1])
        x (op/call :where [far
                           (far-variate u (op/call :where [far a' 1]) (op/call :where [far b' 2]))
                           ;; below, by the distribution function of what is mirrored: it is small
                           (neg (near-variate u (neg (op/call :where [far 2 b']))
                                              (neg (op/call :where [far 1 a']))))])
        x (op/call :minimum [(op/call :maximum [x a']) b'])]
    (op/call :where [turn x (neg x)])))

(defn truncated-normal
  "Normal numbers of a shape, of :mean (0) and :std (1) without the condition that they lie between
  :low and :high (-Inf, Inf), which bound the result. Far out too: they are found by logarithms of
  the distribution function."
  [k shape & given]
  (let [{:keys [mean std low high dtype] :as draw}
        (basic/parsed {:mean {:default 0.0}, :std {:default 1.0}, :low {:default ##-Inf}
                       :high {:default ##Inf}}
                      [:mean :std :low :high] k shape given)
        wide #(if (= dtype :f64) % (op/call :cast [% :dtype :f64]))
        unit (fn [bound] (div (sub (wide bound) (wide mean)) (wide (positive std))))
        u (op/call :random-open [(:key draw) :shape (:shape draw) :dtype :f64])
        x (between u (unit low) (unit high))
        x (add (wide mean) (mul (wide std) x))
        x (if (= dtype :f64) x (op/call :cast [x :dtype dtype]))]
    (op/call :where [(op/call :le [low high])
                     (op/call :minimum [(op/call :maximum [x low]) high]) ##NaN])))

;; ## Normal vectors

(defn multivariate-normal
  "Normal vectors of a batch shape, [… d], of :mean ([d] or […  d]) and covariance :cov [d d], or a
  batch of them, positive definite: mean + L z with its factor of Cholesky, through which
  derivatives pass. A covariance that is not positive definite stops the call."
  [k shape & given]
  (let [{:keys [mean cov dtype]} (attribute/options {:mean {}, :cov {}, :dtype {:default nil}}
                                                    [] given)
        shape (basic/shape-of shape), [mean cov] (map expr/whole [mean cov])
        dtype (basic/dtype-of dtype [mean cov])
        cast #(if (= dtype (first (expr/type-of %))) % (op/call :cast [% :dtype dtype]))
        c (second (expr/type-of cov)), d (peek c)]
    (when-not (and (<= 2 (count c)) (= d (peek (pop c))))
      (fail! :damo.random/no-covariance
             (str "a covariance is a square matrix, [d d]; got " (pr-str (expr/type-of cov)))
             {:given (expr/type-of cov)}))
    (let [z (op/call :random-normal [(basic/key-of k) :shape (conj shape d) :dtype dtype])
          l (op/call :cholesky [(cast cov)])
          x (op/call :squeeze [(op/call :matmul [l (op/call :expand-dims [z :axis [-1]])])
                               :axis [-1]])]
      (add x (basic/param ":mean" mean dtype (conj shape d))))))
