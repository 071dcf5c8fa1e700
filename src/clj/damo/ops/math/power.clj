(ns damo.ops.math.power
  "What derivatives of powers are made of, and quotients that are 0 for a numerator of 0. Such a
  part is right at the removable singularities of its formula, and so are its own derivatives, of
  any order: they are parts of the same kind. The derivative of x^y by x is y·x^(y-1), which for y =
  0 is 0 though x be 0; the derivative of that by y is 1/x there, which no choice of a constant 0
  would give. (xdivy 0 0) = 0.

  A part is made of factors c(y)·x^(y-k)·log^m x, given as {:c [c0 c1 …] :k k :m m}, where c is the
  polynomial c0 + c1·y + …; at its roots the factor is 0 whatever x is."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(defn- rule [_ types]
  (typing/check-dtype :float (type/dtype-of (first types)))
  [(type/dtype-of (first types)) (apply type/broadcast-shapes (map type/shape-of types))])

(defn- meaning
  "The :eval of a part: (f attrs) gives the function of doubles."
  [f]
  (fn [attrs & arrays] (array/map-elements (:dtype (first arrays)) (f attrs) arrays)))

(defn- power-of ^double [^double x n]
  (reduce * 1.0 (repeat n x)))

(defn- quotient-template [n]
  [:where [:eq '?x 0] 0 [:div '?x (case (long n) 1 '?y, 2 [:sqr '?y], [:pow '?y n])]])

(defop xdivy
  "x / y^n, elementwise; 0 where x is 0, whatever y is."
  {:kind :composite, :slope-part true, :coerce :all, :type rule, :batch {:operands :broadcast}
   :args [?x ?y], :attrs {:n {:default 1, :is :integer, :doc "the power of y, a natural number"}}
   :eval (meaning (fn [{:keys [n]}]
                    (fn [^double x y] (if (zero? x) 0.0 (/ x (power-of y n))))))
   :expand (fn [{{:keys [n]} :attrs}] (quotient-template n))
   :partials (fn [{{:keys [n]} :attrs}]
               [(if (= n 1) [:div 1 ?y] [:div 1 [:pow ?y n]])
                [:mul (- n) [:xdivy {:n (inc n)} ?x ?y]]])
   :gen (fn [{:keys [size dtype] :as ctx}]
          {:attrs {:n (gens/variant ctx [1 2 3])}
           :args [(gens/random-array ctx dtype [size])
                  (gens/random-array ctx dtype (gens/choose ctx [[size] []]) [0.5 3])]})
   :examples [[[:xdivy 3.0 2.0] 1.5] [[:xdivy 0.0 0.0] 0.0] [[:xdivy {:n 2} 1.0 2.0] 0.25]]})

;; ## Polynomials: vectors of coefficients, lowest first

(defn- times-shifted
  "c(y)·(y - k)."
  [c k]
  (mapv (fn [a b] (- a (* k b))) (into [0] c) (conj (vec c) 0)))

(defn- slope [c]
  (if (= 1 (count c)) [0] (vec (rest (map * c (range))))))

(defn- scaled [m c] (mapv #(* m %) c))

(defn- constant? [c] (= 1 (count c)))

(defn- horner
  "The template of c(y), which is exactly 0 at whole roots."
  [c y]
  (let [[top & below] (reverse c)
        times (fn [t] (if (= 1 t) y [:mul t y])), plus (fn [t a] (if (= 0 a) t [:add t a]))]
    (reduce (fn [t a] (plus (times t) a)) top below)))

;; ## Factors

(def ^:private whole {:c [1], :k 0, :m 0})

(defn- by-base
  "The factors whose sum is the derivative by x."
  [{:keys [c k m]}]
  (cond-> [{:c (times-shifted c k), :k (inc k), :m m}]
    (pos? m) (conj {:c (scaled m c), :k (inc k), :m (dec m)})))

(defn- by-exponent
  "The factors whose sum is the derivative by y."
  [{:keys [c k m]}]
  [{:c (slope c), :k k, :m m} {:c c, :k k, :m (inc m)}])

(defn- total
  "The template of the sum of (part factor), without factors that are 0 everywhere."
  [part factors]
  (let [parts (map part (remove #(every? zero? (:c %)) factors))]
    (if (seq parts) (reduce (fn [a b] [:add a b]) parts) 0)))

(defn- lowered [y k] (if (zero? k) y [:sub y k]))

(defn- product [factors] (reduce (fn [a b] [:mul a b]) factors))

(defn- logs
  "The factors of log^m x, none for m = 0, for the template of log x."
  [l m]
  (repeat m l))

(defn- zero-where
  "The template of t, 0 where one of the conditions, templates, holds."
  [conditions t]
  (if (seq conditions) [:where (reduce (fn [a b] [:logical-or a b]) conditions) 0 t] t))

;; ## Powers

(def ^:private factor-attrs
  {:c {:is :data, :doc "the coefficients of the polynomial c, lowest first"}
   :k {:is :integer, :doc "what is subtracted from the exponent, an integer"}
   :m {:is :integer, :doc "how many logarithms there are, an integer"}})

(defn power-template
  "The template of c(y)·x^(y-k)·log^m x over ?x and ?y, for {:c :k :m}. With logarithms it is 0
  where x = 0 when the power is 0 there, and for k = 0 in any case."
  [{:keys [c k m]}]
  (let [power [:pow '?x (lowered '?y k)]]
    (zero-where
     (cond-> []
       (not (constant? c)) (conj [:eq (horner c '?y) 0])
       (pos? m) (conj (if (zero? k) '[:eq ?x 0] [:logical-and '[:eq ?x 0] [:gt '?y k]])))
     (product (concat (when-not (= c [1]) [(horner c '?y)]) [power] (logs [:log '?x] m))))))

(defn- polynomial ^double [c ^double y]
  (double (reduce (fn [sum a] (+ (* (double sum) y) (double a))) (reverse c))))

(defn- power-value [{:keys [c k m]}]
  (fn [^double x ^double y]
    (let [at (polynomial c y), e (- y (double k))]
      (if (or (zero? at) (and (pos? (long m)) (zero? x) (or (zero? (long k)) (pos? e))))
        0.0
        (* at (double (scalar/pow x e)) (power-of (Math/log x) m))))))

(defop power-term
  "c(y)·x^(y-k)·log^m x, elementwise, for a polynomial c: what derivatives of pow are made of."
  {:kind :composite, :slope-part true, :internal true, :coerce :all, :type rule
   :batch {:operands :broadcast}
   :args [?x ?y], :attrs factor-attrs, :eval (meaning power-value)
   :expand (fn [{:keys [attrs]}] (power-template attrs))
   :partials (fn [{:keys [attrs]}]
               [(total (fn [f] [:power-term f ?x ?y]) (by-base attrs))
                (total (fn [f] [:power-term f ?x ?y]) (by-exponent attrs))])
   :gen (fn [{:keys [size dtype] :as ctx}]
          {:attrs (gens/variant ctx [{:c [0 1], :k 1, :m 0} {:c [1], :k 0, :m 1}
                                     {:c [0 -1 1], :k 2, :m 0} {:c [1], :k 1, :m 2}])
           :args [(gens/random-array ctx dtype [size] [0.3 3])
                  (gens/random-array ctx dtype (gens/choose ctx [[size] []]))]})
   :examples [[[:power-term {:c [0 1], :k 1, :m 0} 3.0 2.0] 6.0]
              [[:power-term {:c [0 1], :k 1, :m 0} 0.0 0.0] 0.0]
              [[:power-term {:c [1], :k 0, :m 1} 1.0 2.0] 0.0]]})

;; ## Densities
;; x^(a-1)·e^s and the like, where the powers alone over- or underflow: they meet in one exponent.

(defn- times-log
  "The template of e·l, 0 where the exponent e is 0 and the logarithm l infinite."
  [e l]
  [:where [:eq e 0] 0 [:mul e l]])

(defn- density-template [{p :of-x, q :of-y}]
  (let [exponents (fn [{:keys [k]} a l] (times-log (lowered a k) l))
        coefficient (fn [{:keys [c]} a] (when-not (= c [1]) (horner c a)))
        cs (remove nil? [(coefficient p '?a) (coefficient q '?b)])
        e [:add [:add (exponents p '?a '?u) (exponents q '?b '?v)] '?s]]
    (zero-where
     (into [[:eq '?s ##-Inf] [:eq e ##-Inf]] (map (fn [c] [:eq c 0])) cs)
     (product (concat cs [[:exp e]] (logs '?u (:m p)) (logs '?v (:m q)))))))

(defn- density-value [{p :of-x, q :of-y}]
  (fn [_ u a _ v b s]
    (let [term (fn [{:keys [k]} ^double a ^double l]
                 (let [e (- a (double k))] (if (zero? e) 0.0 (* e l))))
          c (* (polynomial (:c p) a) (polynomial (:c q) b))
          e (+ (double (term p a u)) (double (term q b v)) (double s))]
      (if (or (zero? c) (= ##-Inf s) (= ##-Inf e))
        0.0
        (* c (Math/exp e) (power-of u (:m p)) (power-of v (:m q)))))))

(defn- density-part [x-or-y attrs]
  (fn [f] [:density-term (assoc attrs x-or-y f) '?x '?u '?a '?y '?v '?b '?s]))

(defop density-term
  "c(a)·x^(a-k)·u^m · d(b)·y^(b-j)·v^n · e^s for polynomials c and d, elementwise; u and v are log x
  and log y, given because more may be known of them: the densities of the gamma and beta
  distributions and what their derivatives are made of."
  {:kind :composite, :slope-part true, :internal true, :coerce :all, :type rule
   :batch {:operands :broadcast}
   :args [?x ?u ?a ?y ?v ?b ?s], :eval (meaning density-value)
   :attrs {:of-x {:is :map, :doc "{:c :k :m} of the factor of x"}
           :of-y {:is :map, :doc "{:c :k :m} of the factor of y"}}
   :expand (fn [{:keys [attrs]}] (density-template attrs))
   :partials (fn [{{p :of-x, q :of-y :as attrs} :attrs}]
               (let [sum (fn [key factors] (total (density-part key attrs) factors))]
                 [(sum :of-x (by-base p)) 0 (sum :of-x (by-exponent p))
                  (sum :of-y (by-base q)) 0 (sum :of-y (by-exponent q)) ?out]))
   :surrogate "the logarithms are given, and their derivatives are counted with x and y"
   :gen (fn [{:keys [size dtype] :as ctx}]
          (let [draw (fn [range] (gens/random-array ctx dtype [size] range))]
            {:attrs {:of-x (gens/choose ctx [whole {:c [-1 1], :k 2, :m 0}])
                     :of-y (gens/choose ctx [whole {:c [1], :k 1, :m 1}])}
             :args [(draw [0.3 3]) (draw [-1 1]) (draw [0.5 3])
                    (draw [0.3 3]) (draw [-1 1]) (draw [0.5 3]) (draw [-1 1])]}))
   :examples [[[:density-term {:of-x {:c [1], :k 1, :m 0}, :of-y {:c [1], :k 1, :m 0}}
                0.0 ##-Inf 1.0 1.0 0.0 1.0 0.0] 1.0]]})
