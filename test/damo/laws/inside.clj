(ns damo.laws.inside
  "Random graphs inside nodes, for damo.laws.loops and damo.laws.branches: a pool of parameters that
  grows by random steps and by what people write in loops, and values chosen from it that have a
  type, are bounded and, where something is decided by them, exact.
  (grown types random grow) is a pool of its own builder; (of-type! b pool random type want) a
  node."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.steps :as steps]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Chance

(defn chance "Is it so, with probability p?" [^Random random p] (< (.nextDouble random) (double p)))

(defn one-of "One of a vector." [^Random random v] (nth v (.nextInt random (count v))))

(defn some-of
  "Up to `most` of the nodes of a pool, with repetitions, the young ones most often."
  [^Random random most pool]
  (let [n (count pool)]
    (if (zero? n)
      []
      (vec (repeatedly (.nextInt random (inc (int most)))
                       #(nth pool (max (.nextInt random n) (.nextInt random n))))))))

;; ## Nodes

(defn rank "The number of axes of a node of a pool." [{[_ shape] :type}] (count shape))

(defn made!
  "The node of a template over nodes of a pool, {?x node}; exact where they are and `exact` says
  so."
  [b args template exact bound]
  (let [id (op/instantiate! (op/emitter b nil) (update-vals args :id) template)]
    {:id id, :type (graph/node-type b id), :bound bound
     :exact (boolean (and exact (every? :exact (vals args))))}))

(defn constant!
  "A constant of that type, of one value."
  [b [dtype shape :as type] x]
  (let [id (op/emit! b :const {:type [dtype []], :value x} [] nil)]
    (if (empty? shape)
      {:id id, :type type, :bound 1, :exact true}
      (made! b {'?x {:id id, :exact true}} [:broadcast-to {:shape shape} '?x] true 1))))

(defn truth!
  "A truth value of no axes that rounding does not decide, or nil."
  [b pool ^Random random]
  (let [bools (filterv #(and (:exact %) (= :bool (first (:type %)))) pool)
        numbers (filterv #(and (:exact %) (not= :bool (first (:type %))) (< (rank %) 3)) pool)]
    (cond (and (seq bools) (chance random 0.7))
          (made! b {'?x (one-of random bools)} [(one-of random [:any :all]) '?x] true 1)
          (seq numbers)
          (made! b {'?x (one-of random numbers)}
                 [:gt [:sum [:cast {:dtype :f64} '?x]] (one-of random [-6 0 1 5])] true 1))))

;; ## Values of a type

(defn- zero-of [dtype] (case dtype :bool false (if (type/float-dtype? dtype) 0.0 0)))

(defn- fallback!
  "A value of a type for which the pool has nothing."
  [b random [dtype shape :as type] pool exact]
  (let [scalars (filterv #(and (= [dtype []] (:type %)) (or (:exact %) (not exact))) pool)]
    (if (seq scalars)
      (let [{:keys [bound] :as x} (one-of random scalars)]
        (made! b {'?x x} [:broadcast-to {:shape shape} '?x] true bound))
      (constant! b type (zero-of dtype)))))

(defn- bounded!
  "The node, kept inside [-bound bound]."
  [b random {[dtype] :type :as x} exact bound]
  (cond (= :bool dtype) x
        (<= (:bound x) bound) x
        (and (type/float-dtype? dtype) (not exact) (chance random 0.5))
        (made! b {'?x x} [:tanh '?x] false (min 1 bound))
        (type/float-dtype? dtype)
        (made! b {'?x x} [:clip '?x (- (long bound)) (long bound)] true bound)
        :else (made! b {'?x x} [:mod '?x (inc (min 99 (long bound)))] true bound)))

(defn of-type!
  "A node of a type chosen from a pool, within [-bound bound], exact where `exact` is true."
  [b pool ^Random random type exact bound]
  (let [fits (filterv #(and (= type (:type %)) (or (:exact %) (not exact))) pool)
        x (if (seq fits)
            (nth fits (max (.nextInt random (count fits)) (.nextInt random (count fits))))
            (fallback! b random type pool exact))]
    (bounded! b random x exact bound)))

;; ## What people write in bodies

(defn- pick [random pool fits?]
  (let [found (filterv fits? pool)] (when (seq found) (one-of random found))))

(defn- of-rank [r] #(and (steps/floats? %) (= r (rank %))))

(defn- shape-of [x] (second (:type x)))

(defn- like [x] #(= (:type x) (:type %)))

(defn- row-of
  "Is it a vector that may stand before the matrix w in a product?"
  [w]
  #(and ((of-rank 1) %) (= (first (:type w)) (first (:type %)))
        (= (first (shape-of w)) (first (shape-of %)))))

(def ^:private idioms
  "Functions of randomness and a pool to [args template exact bound], or nil."
  [(fn accumulate [random pool]
     (when-let [x (pick random pool steps/floats?)]
       (when-let [y (pick random pool (like x))]
         [{'?x x, '?y y} [:add [:mul 0.5 '?x] '?y] true (+ (:bound x) (:bound y))])))
   (fn cell [random pool]
     (when-let [w (pick random pool #(and ((of-rank 2) %) (apply = (shape-of %))))]
       (when-let [h (pick random pool (row-of w))]
         [{'?w w, '?h h} [:tanh [:dot '?h '?w]] false 1])))
   (fn product [random pool]
     (when-let [w (pick random pool (of-rank 2))]
       (when-let [x (pick random pool (row-of w))]
         [{'?w w, '?x x} [:dot '?x '?w] true (* 10 (:bound x) (:bound w))])))
   (fn outer [random pool]
     (when-let [x (pick random pool (of-rank 1))]
       (when-let [y (pick random pool (of-rank 1))]
         [{'?x x, '?y y} [:mul [:expand-dims {:axis 1} '?x] [:expand-dims {:axis 0} '?y]] true
          (* (:bound x) (:bound y))])))
   (fn written [random pool]
     (when-let [x (pick random pool #(and (not= :bool (first (:type %))) (= 1 (rank %))
                                          (integer? (first (shape-of %)))
                                          (pos? (long (first (shape-of %))))))]
       (when-let [i (pick random pool #(and (:exact %) (= [:i64 []] (:type %))))]
         (let [at [:mod '?i (first (shape-of x))]]
           [{'?x x, '?i i} [(one-of random [:set-at :inc-at]) {:axis 0} '?x at
                            [:mul 2 [:take {:axis 0} '?x at]]]
            true (* 3 (:bound x))]))))
   (fn chosen [random pool]
     (when-let [x (pick random pool steps/floats?)]
       (when-let [y (pick random pool (like x))]
         (when-let [t (pick random pool #(and (:exact %) (= [:bool []] (:type %))))]
           [{'?t t, '?x x, '?y y} [:where '?t '?x '?y] true (max (:bound x) (:bound y))]))))])

(defn- with-idiom [b random pool]
  (let [[args template exact bound] ((one-of random idioms) random pool)]
    (if (and args (< bound 1e4)) (conj pool (made! b args template exact bound)) pool)))

;; ## Pools of bodies

(defn- parameters! [b nodes]
  (into [] (map-indexed (fn [at {:keys [type] :as node}]
                          (let [[_ attrs] (body/param at type)]
                            (assoc node :id (op/emit! b :param attrs [] nil)))))
        nodes))

(defn grown
  "{:b builder :pool nodes :params nodes} of a body whose parameters are like these nodes: (grow b
  pool k) is the pool with another random step, the k-th."
  [nodes ^Random random grow]
  (let [b (graph/builder), params (parameters! b nodes)]
    {:b b, :params params
     :pool (reduce (fn [pool k]
                     (if (and (seq pool) (chance random 0.4))
                       (with-idiom b random pool)
                       (grow b pool k)))
                   params (range (.nextInt random 7)))}))

(defn closed
  "The body of a builder with these outputs."
  [b nodes]
  (:body (body/closed (graph/finish b (mapv :id nodes)))))
