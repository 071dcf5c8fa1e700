(ns damo.laws.curvature-test
  "Derivatives of elementwise ops at the points where their formulas change or are 0/0: second ones
  are symmetric and those of the function in all four orders of the two modes, of the op alone and
  between other ops; so are third ones of the ops whose derivatives are made of parts. What they
  should be is told by differences of decimals of sixty digits from each side: where the sides agree
  it is that, where they do not something between them, where there is no limit no finite number."
  (:require [clojure.test :refer [deftest is]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.curvature :as curvature]
            [damo.laws.modes :as modes]
            [damo.laws.running :as running]
            [damo.math.differences :as differences]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

;; ## What is tried

(def ^:private variants
  "The attributes with which ops that have some are tried."
  {:leaky-relu [{:alpha 0.1}], :elu [{:alpha 1.0} {:alpha 0.5}], :huber [{:delta 1.0}]
   :gelu [{:approximate :none} {:approximate :tanh}], :smooth-l1 [{:beta 0.5}]
   :jv (mapv #(hash-map :n %) [0 1 2 3]), :iv (mapv #(hash-map :n %) [0 1 2 3])
   :ive (mapv #(hash-map :n %) [0 1 2 3]), :xdivy [{:n 1} {:n 2}]
   :power-term [{:c [0 1], :k 1, :m 0} {:c [1], :k 0, :m 1}]})

(def ^:private composites
  "The ops that are elementwise, though made of others."
  (into [:hard-sigmoid :selu :silu :swish :softsign :mish :log-ndtr-slope] (keys variants)))

(defn- smooth-values?
  "Is the op elementwise and one of users, a function of floats?"
  [{:keys [kind type args internal]}]
  (and (= kind :elementwise) (vector? args) (not= type :bool) (not internal)))

(defn- float-op? [{:keys [args] :as entry}]
  (try (type/float-dtype? (first (op/result-type entry {} (vec (repeat (count args) [:f64 []])))))
       (catch clojure.lang.ExceptionInfo _ false)))

(def ^:private calls
  (vec (for [op (sort (into (set composites)
                            (for [[op entry] @op/registry
                                  :when (and (smooth-values? entry) (float-op? entry))] op)))
             attrs (variants op [{}])]
         [op attrs])))

(def ^:private usual
  "Values of each argument, by the number of arguments."
  {1 [-40.0 -8.0 -3.0 -2.0 -1.0 -0.5 -0.0 0.0 0.25 0.5 1.0 2.0 3.0 7.0 40.0]
   2 [-1.0 0.0 0.5 1.0 2.0]
   3 [-1.0 0.0 0.5 1.0]})

(def ^:private instead-of-usual
  "Points of ops whose decimals take long."
  {:betainc [[1.0 1.0 0.0] [2.0 1.0 0.0] [2.0 2.0 0.0] [3.0 1.0 0.0] [0.5 1.0 0.0]
             [1.0 1.0 1.0] [1.0 2.0 1.0] [2.0 2.0 1.0] [1.0 3.0 1.0]]
   :beta [[1.0 1.0] [2.0 1.0]], :betaln [[1.0 1.0] [2.0 1.0]]})

(defn- thresholds
  "The numbers that the argument is compared with in templates of the entry."
  [{:keys [partials scalar]} arg]
  (set (for [t (filter vector? [partials scalar]), part (tree-seq vector? rest t)
             :let [[op x c] (when (vector? part) part)]
             :when (and (#{:eq :lt :le :gt :ge :maximum :minimum} op) (= x arg) (number? c))]
         (double c))))

(defn- products [[xs & more]]
  (if xs (for [x xs, rest (products more)] (into [x] rest)) [[]]))

(defn- points-of [[op _]]
  (let [{:keys [args] :as entry} (op/entry op), n (count args)]
    (or (instead-of-usual op)
        (products (for [arg args]
                    (into (usual n) (remove (set (usual n))) (thresholds entry arg)))))))

;; ## Graphs

(defn- call-graph
  "The graph of a template over ?0 ?1 …, inputs x0, x1, … of extent n."
  [inputs n template]
  (let [b (graph/builder)
        input (fn [k] (op/emit! b :input {:name (symbol (str "x" k)), :type [:f64 [n]]} [] nil))
        ids (into {} (map (fn [k] [(symbol (str "?" k)) (input k)])) (range inputs))]
    (graph/finish b [(op/instantiate! (op/emitter b nil) ids template)])))

(defn- names [n] (map #(symbol (str "?" %)) (range n)))

(defn- arity [[op _]] (count (:args (op/entry op))))

(defn- plain [[op attrs :as call]]
  (into [op attrs] (names (arity call))))

(defn- wrt-of [[op _ :as call]]
  (vec (remove (modes/closed-positions op) (range (arity call)))))

(defn- keys-of
  "The sorted keys of derivatives by `wrt` up to that order."
  [wrt order]
  (distinct (map (comp vec sort) (mapcat #(products (repeat % wrt)) (range 1 (inc order))))))

(defn- finite-points
  "The points at which the graph that `graph-of` makes for an extent has a finite value."
  [graph-of points]
  (when (seq points)
   (let [[ys] (eval/run (graph-of (count points)) (curvature/environment points))]
    (vec (for [[p y] (map vector points (array/values ys)) :when (Double/isFinite (double y))]
           p)))))

;; ## Verdicts

(defn- allowed?
  "Is x what limits from all sides allow? `bound` is relative to 1 and the limits."
  [bound x limits]
  (let [numbers (filter number? limits)
        lo (reduce min ##Inf numbers), hi (reduce max ##-Inf numbers)
        off (* (double bound) (max 1.0 (abs (double lo)) (abs (double hi))))]
    (cond (empty? limits) true
          (empty? numbers) (not (Double/isFinite x))
          (some #{:diverges} limits) true
          :else (<= (- (double lo) off) x (+ (double hi) off)))))

(defn- disagreements
  "What derivatives found, {modes {key values}}, and limits for each point disagree about."
  [bound found points limits]
  (for [[modes values] found, [key xs] values, [p x at] (map vector points xs limits)
        :let [expected (at (vec (sort key)))]
        :when (not (allowed? bound x expected))]
    {:point p, :modes modes, :by key, :got x, :limits expected}))

(defn- limits-of
  "The limits of derivatives up to that order of a graph, made by `graph-of` for an extent."
  [graph-of wrt order points]
  (when (seq points)
    (differences/derivatives (graph-of 'n) (keys-of wrt order) points)))

(defn- wrong
  "The disagreements of a graph, made by `graph-of` for an extent, at points with these limits."
  [graph-of wrt sequences points limits]
  (when (seq points)
    (disagreements 1e-7 (curvature/derivatives (graph-of (count points)) wrt sequences points)
                   points limits)))

(defn- plain-graph [call] (fn [n] (call-graph (arity call) n (plain call))))

(def ^:private singular
  "Where derivatives along the axes exist and the op is not smooth."
  {:atan2 #{[0.0 0.0]}, :hypot #{[0.0 0.0]}})

(def ^:private plain-limits
  "[points limits] of a call: those at which it is finite, and its first and second derivatives
  there."
  (memoize (fn [call]
             (let [points (finite-points (plain-graph call)
                                         (remove #(contains? (singular (first call)) %)
                                                 (points-of call)))]
               [points (limits-of (plain-graph call) (wrt-of call) 2 points)]))))

(def ^:private all-orders (into curvature/first-orders curvature/second-orders))

(deftest derivatives-of-every-op-at-special-points
  (doseq [[op attrs :as call] calls, :let [[points limits] (plain-limits call)]]
    (is (empty? (wrong (plain-graph call) (wrt-of call) all-orders points limits))
        (str op " " attrs))))

;; ## Between other ops
;; Of an op between others only points count at which it is smooth itself. What goes in has a slope
;; of 1 and a curvature; which op it comes out through changes from op to op.

(def ^:private outer-ops
  [(fn [t] [:exp t]) (fn [t] [:sqr t]) (fn [t] [:mul t '?0]) (fn [t] [:tanh t])
   (fn [t] [:softplus t]) (fn [t] [:div t [:add 5.5 [:sqr '?0]]])])

(defn- curved
  "The template of an argument k that is the constant ?n+k when ?k is: ?k plus products of what it
  and the argument `other` are away from constants."
  [n k other]
  (let [away (fn [k] [:sub (symbol (str "?" k)) (symbol (str "?" (+ n k)))])]
    [:add (symbol (str "?" k)) [:mul (away k) [:add [:mul 0.5 (away k)] (away other)]]]))

(defn- between [[op attrs :as call] outer]
  (let [n (arity call), wrt (wrt-of call), other (zipmap wrt (rest (cycle wrt)))]
    (outer (into [op attrs]
                 (map #(if (other %) (curved n % (other %)) (symbol (str "?" %))))
                 (range n)))))

(defn- smooth?
  "Do all limits of derivatives at a point agree and exist?"
  [limits wrt]
  (every? (fn [k] (let [xs (limits k)]
                    (and (seq xs) (every? number? xs)
                         (allowed? 1e-7 (apply min xs) [(apply max xs)]))))
          (keys-of wrt 2)))

(defn- smooth-points [call]
  (for [[p limits] (apply map vector (plain-limits call))
        :when (smooth? limits (wrt-of call))]
    p))

(deftest derivatives-of-ops-between-others-at-special-points
  (doseq [[k [op attrs :as call]] (map-indexed vector calls)
          :let [outer (nth outer-ops (mod k (count outer-ops))), wrt (wrt-of call)
                graph-of #(call-graph (* 2 (arity call)) % (between call outer))
                points (finite-points graph-of (map #(into % %) (smooth-points call)))]]
    (is (empty? (wrong graph-of wrt all-orders points (limits-of graph-of wrt 2 points)))
        (str op " " attrs))))

;; ## Third derivatives

(def ^:private made-of-parts
  "Ops whose derivatives are made of parts."
  (filterv (fn [[op _]] (#{:pow :xlogy :xlog1py :binary-cross-entropy :gammainc :gammaincc :betainc
                           :log-ndtr :xdivy :power-term} op))
           calls))

(deftest third-derivatives-at-special-points
  (doseq [[op attrs :as call] made-of-parts
          :let [[points _] (plain-limits call), graph-of (plain-graph call), wrt (wrt-of call)]]
    (is (empty? (wrong graph-of wrt [[:reverse :forward :forward] [:reverse :reverse :reverse]]
                       points (limits-of graph-of wrt 3 points)))
        (str op " " attrs))))

;; ## Compiled

(defn- compiled [g env]
  (let [c (running/compile g {:mode :fast-run})]
    (try (running/call! c env) (finally (running/close! c)))))

(deftest compiled-second-derivatives-at-special-points
  (doseq [[op attrs :as call] made-of-parts
          :let [[points limits] (plain-limits call), g ((plain-graph call) (count points))]]
    (is (empty? (disagreements 1e-7 (curvature/derivatives g (wrt-of call) curvature/second-orders
                                                           points compiled)
                               points limits))
        (str op " " attrs))))
