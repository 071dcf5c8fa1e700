(ns damo.math.differences
  "Derivatives of elementwise graphs by differences of decimals of sixty digits, from each side of a
  point: what the laws of second derivatives hold derivatives against. A graph of one output over
  inputs x0, x1, … is a function of as many numbers.
  (derivatives g [[0] [0 1]] [[0.0 2.0]]) for x0 log x1 is [{[0] [0.69… 0.69…], [0 1] [0.5 0.5 …]}],
  the limits from all sides."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.math.exactly :as exactly]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## Graphs on decimals
;; The value of a node is a vector, with an element for each sample, or one element for all; nil
;; stands for what is not defined.

(defn- oracle
  "The function on decimals of an op without attributes, or nil."
  [op attrs]
  (when (empty? attrs) (exactly/functions op)))

(defn- scalar-function
  "The function of a sequence of decimals that an elementwise op means, or nil."
  [op attrs dtypes]
  (let [{:keys [scalar args kind]} (op/entry op)]
    (cond (oracle op attrs) #(apply (oracle op attrs) %)
          (and (= kind :elementwise) scalar)
          (let [form (if (fn? scalar) (scalar attrs dtypes) scalar)]
            (exactly/function (cond (= form :identity) (first args)
                                    (keyword? form) (into [form] args)
                                    :else form)
                              args)))))

(defn- defined [f xs]
  (when (every? some? xs)
    (try (f xs) (catch ArithmeticException _) (catch NumberFormatException _))))

(defn- chosen [[c x y]] (when (some? c) (if c x y)))

(defn- mapped [f columns]
  (let [n (reduce max (map count columns))
        rows (apply map vector (map #(if (= 1 (count %)) (repeat n (first %)) %) columns))]
    (mapv f rows)))

(defn- node-value [g columns id]
  (let [[op {:keys [value name] :as attrs} & args] (nth (:nodes g) id), args (map columns args)]
    (case op
      :input (columns name)
      :const [(when-not (and (float? value) (not (Double/isFinite value))) (exactly/decimal value))]
      (:cast :broadcast-to :reshape) (first args)
      :where (mapped chosen args)
      (let [dtypes (mapv (comp first #(graph/type-of g %)) (drop 2 (nth (:nodes g) id)))
            f (scalar-function op attrs dtypes)]
        (when-not f (throw (ex-info (str op " has no meaning on decimals") {:op op})))
        (mapped #(defined f %) args)))))

(defn- expanded
  "The graph without the composites that have no meaning on decimals of their own."
  [g]
  (loop [g g]
    (let [b (graph/builder)
          ids (reduce (fn [ids [op attrs & args :as node]]
                        (let [args (mapv ids args), types (mapv #(graph/node-type b %) args)
                              {:keys [kind]} (op/entry op)
                              template (when (and (= kind :composite) (not (oracle op attrs)))
                                         (op/expansion op attrs types
                                                       (graph/type-of g (count ids))))]
                          (conj ids (if template
                                      (op/instantiate! (op/emitter b nil) (op/bindings op args)
                                                       template)
                                      (op/emit! b op attrs (mapv op/->Id args) nil)))))
                      [] (:nodes g))
          g' (graph/finish b (mapv ids (:outputs g)))]
      (if (= (:nodes g) (:nodes g')) g (recur g')))))

(defn- input-name [k] (symbol (str "x" k)))

(defn- values
  "The values of the graph at samples, vectors of decimals; nil outside of its domain."
  [g samples]
  (let [n (count (first samples)), columns (for [k (range n)] (mapv #(nth % k) samples))
        names (map input-name (range n))
        env (zipmap names (map (fn [c] (array/of :f64 [(count c)] (map double c))) columns))
        inside (map #(Double/isFinite (double %)) (array/values (first (eval/run g env))))
        g (expanded g), live (graph/live g)
        found (reduce (fn [known id] (assoc known id (node-value g known id)))
                      (zipmap names columns) live)]
    (mapv #(when %1 %2) inside (found (first (:outputs g))))))

;; ## Differences from one side
;; Of samples at h, 2h, … from the point, along the arguments concerned; the others stay.

(def ^:private weights
  "{order {steps weight}}: exact for polynomials of one degree more than the order."
  {1 {1 -5/2, 2 4, 3 -3/2}
   2 {1 3, 2 -8, 3 7, 4 -2}
   3 {1 -7/2, 2 13, 3 -18, 4 11, 5 -5/2}})

(defn- stencil
  "[[steps weight] …] of a derivative, the first with respect to each argument in `key`, from the
  side of each argument that `sides` says."
  [n key sides]
  (reduce (fn [found [i order]]
            (for [[steps w] found, [d v] (weights order), :let [s (sides i)]]
              [(assoc steps i (* s d)) (* w v (if (odd? order) s 1))]))
          [[(vec (repeat n 0)) 1]] (frequencies key)))

(defn- all-sides [key]
  (reduce (fn [sides i] (for [m sides, s [1 -1]] (assoc m i s))) [{}] (distinct key)))

(def ^:private distances "Of the samples: a limit is the same for both." [1e-9M 1e-11M])

(defn- moved [point h steps]
  (mapv (fn [x k] (+ (BigDecimal. (double x)) (* k h))) point steps))

(defn- estimate [value-at point h order stencil]
  (let [terms (map (fn [[steps w]] [(value-at (moved point h steps)) w]) stencil)]
    (when (every? (comp some? first) terms)
      (with-precision 60
        (/ (reduce + 0M (map (fn [[v w]] (* (bigdec v) (bigdec w))) terms))
           (.pow ^BigDecimal h (int order)))))))

(defn- limit
  "The limit of two estimates, the second from smaller steps; :diverges when there is none, nil
  where the function is not defined."
  [[a b]]
  (when (and a b)
    (if (<= (abs (- a b)) (* 1e-4M (max 1M (abs b)))) (double b) :diverges)))

(defn derivatives
  "For each point {key limits}, where a key is a sorted vector of arguments, [0 0 1] the third
  derivative twice by x0 and once by x1: the limits from each side from which the function is
  defined, doubles, or :diverges."
  [g keys points]
  (let [n (count (first points))
        wanted (for [k keys, sides (all-sides k)] [k (stencil n k sides)])
        samples (vec (distinct (for [p points, h distances, [_ stencil] wanted, [steps] stencil]
                                 (moved p h steps))))
        value-at (zipmap samples (values g samples))
        limit-at (fn [p [k stencil]]
                   (limit (map #(estimate value-at p % (count k) stencil) distances)))]
    (mapv (fn [p]
            (reduce (fn [found [k :as w]]
                      (if-some [x (limit-at p w)] (update found k (fnil conj []) x) found))
                    {} wanted))
          points)))
