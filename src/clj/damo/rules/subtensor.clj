(ns damo.rules.subtensor
  "Rules of parts of arrays: cuts of cuts and of joins, writes over writes, reading back what was
  written. They hold for all values; what may fail is not dropped (see damo.meaning.failing).
  x[1:][2:] → x[3:]; 0 with v in a block, plus x → x with v added to the block."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rules.zeros :as zeros]))

(set! *warn-on-reflection* true)

;; ## Cuts

(defn- whole-block? [{:keys [start stop step]} shape]
  (and (every? #{0} start) (every? #{1} step) (= stop shape)))

(defn- slice-of-slice
  "The bounds of x[s':t':k'][s:t:k]; those of the outer slice lie in the inner one."
  [[s t k] [s' _ k']]
  (let [n (quot (+ (- t s) (dec k)) k), start (+ s' (* k' s))]
    {:start start, :step (* k k'), :stop (if (zero? n) start (+ start 1 (* (dec n) k k')))}))

(defn- stretched-axis
  "The axis of shape `from` that axis `a` of `to` is, when the two differ by axes of extent 1 alone;
  nil when they do not, or the axis has the extent 1."
  [from to a]
  (let [others (fn [shape] (keep-indexed (fn [i d] (when-not (= 1 d) [i d])) shape))
        pairs (map vector (others from) (others to))]
    (when (and (= (map second (others from)) (map second (others to))))
      (some (fn [[[i] [j]]] (when (= j a) i)) pairs))))

(defn- part-with
  "[part-id start stop] of the joined array that holds the slice whole, with its bounds there."
  [{:keys [builder]} parts axis start stop]
  (let [extents (map #(nth (type/shape-of (graph/node-type builder %)) axis) parts)
        from (reductions type/dim+ 0 extents)
        inside? (fn [lo hi]
                  (if (every? integer? [lo hi start stop])
                    (<= lo start stop hi)
                    (and (= lo start) (= hi stop))))]
    (some (fn [[part lo hi]]
            (when (inside? lo hi)
              [part (if (= lo start) 0 (- start lo)) (type/dim- stop lo)]))
          (map vector parts from (rest from)))))

(defn- cut-join
  "A slice along the axis of a join that lies in one part, as a slice of that part."
  [{:keys [builder attrs args] :as m}]
  (let [{:keys [axis start stop step]} attrs
        [op joined & parts] (graph/node builder (first args))]
    (when (and (= :concat (op/kind op)) (= axis (:axis joined)))
      (when-let [[part from to] (part-with m parts axis start stop)]
        [:slice {:axis axis, :start from, :stop to, :step step} (rule/argument part)]))))

(defn- reversed-axes
  "The axes that two reversals turn around together."
  [a b]
  (vec (sort (concat (remove (set a) b) (remove (set b) a)))))

(defrules cuts
  "Slices and reversals of each other."
  {:name :slice-slice, :keeps :bits
   :lhs [:slice {:axis ?a :start ?s :stop ?t :step ?k}
         [:slice {:axis ?a :start ?u :stop ?v :step ?l} ?x]]
   :rhs (fn [m] [:slice (assoc (slice-of-slice (mapv m [?s ?t ?k]) (mapv m [?u ?v ?l]))
                               :axis (m ?a)) ?x])
   :when #(every? integer? (map % [?s ?t ?u ?v])), :why "One view instead of two."
   :types {x [:f64 [9 2]]}
   :examples [[[:slice {:start 1 :step 2} [:slice {:start 1 :stop 8 :step 2} x]]
               => [:slice {:start 3 :stop 8 :step 4} x]]]
   :refuses [[[:slice {:start 1} [:slice {:start 1} x]] {x [:f64 [n 2]]}]]}
  {:name :slice-reshape, :keeps :bits, :failures :kept
   :lhs [:slice {:axis ?a :start ?s :stop ?t :step ?k} [:reshape {:shape ?to} ?x]]
   :rhs (fn [m]
          (when-let [axis (stretched-axis (rule/shape-of m ?x) (m ?to) (m ?a))]
            [:reshape {:shape (type/shape-of (:type m))}
             [:slice {:axis axis, :start (m ?s), :stop (m ?t), :step (m ?k)} ?x]]))
   :why "Cuts meet: x[i][j] is x[i, j]."
   :examples [[[:slice {:axis 2 :start 1} [:reshape {:shape [2 1 3]} x]]
               => [:reshape {:shape [2 1 2]} [:slice {:axis 1 :start 1} x]]]]}
  {:name :take-reshape, :lhs [:take {:axis ?a} [:reshape {:shape ?to} ?x] ?i]
   :rhs (fn [m]
          (when-let [axis (stretched-axis (rule/shape-of m ?x) (m ?to) (first (m ?a)))]
            [:reshape {:shape (type/shape-of (:type m))} [:take {:axis [axis]} ?x ?i]]))
   :keeps :bits, :failures :kept
   :why "What is read meets what is computed.", :types {i [:i64 [4]]}, :gen {i [0 1]}
   :examples [[[:take {:axis 1} [:reshape {:shape [1 2 3]} x] i]
               => [:reshape {:shape [1 4 3]} [:take {:axis 0} x i]]]]}
  {:name :slice-join, :failures :root, :lhs [:slice ?x], :rhs cut-join, :keeps :bits
   :why "The other parts need not be joined."
   :examples [[[:slice {:start 1 :stop 2} [:concatenate x y]] => [:slice {:start 1 :stop 2} x]]
              [[:slice {:start 2 :stop 4} [:concatenate x y]] => y]]}
  {:name :flip-none, :lhs [:flip {:axis []} ?x], :rhs ?x, :keeps :bits, :why "Nothing to reverse."
   :examples [[[:flip {:axis []} x] => x]]}
  {:name :flip-flip, :lhs [:flip {:axis ?a} [:flip {:axis ?b} ?x]]
   :rhs [:flip {:axis (reversed-axes ?a ?b)} ?x], :keeps :bits, :why "One view instead of two."
   :examples [[[:flip {:axis 0} [:flip {:axis 0} x]] => x]
              [[:flip {:axis 0} [:flip {:axis [0 1]} x]] => [:flip {:axis 1} x]]]}
  {:name :specify-same, :lhs [:specify-shape {:shape ?s} ?x], :rhs ?x, :keeps :bits
   :when #(= (% ?s) (rule/shape-of % ?x)), :why "Nothing is said."
   :examples [[[:specify-shape {:shape [2 nil]} x] => x]]
   :refuses [[[:specify-shape {:shape [2 nil]} x] {x [:f64 [n 3]]}]]})

;; ## Joins

(defn- without-empty [{:keys [attrs args builder]}]
  (let [empty-part? #(= 0 (nth (type/shape-of (graph/node-type builder %)) (:axis attrs)))
        left (remove empty-part? args)]
    (when (< 0 (count left) (count args))
      (into [:concatenate attrs] (map rule/argument) left))))

(defn- flat-join [{:keys [attrs args builder]}]
  (let [parts (fn [id] (let [[op own & more] (graph/node builder id)]
                         (if (and (= op :concatenate) (= (:axis own) (:axis attrs))) more [id])))
        all (mapcat parts args)]
    (when-not (= all args)
      (into [:concatenate attrs] (map rule/argument) all))))

(defn- neighbours
  "The slice that two slices of one array are together, [x-id start stop]; nil when they are not
  neighbours."
  [builder axis a b]
  (let [[op-a {from :start, end :stop, :as attrs-a} x] (graph/node builder a)
        [op-b {to :stop, :as attrs-b} y] (graph/node builder b)]
    (when (and (= :slice op-a op-b) (= x y) (= end (:start attrs-b))
               (= [axis 1] ((juxt :axis :step) attrs-a) ((juxt :axis :step) attrs-b)))
      [x from to])))

(defn- joined-slices [{:keys [attrs args builder]}]
  (let [{:keys [axis]} attrs
        found (some (fn [k] (when-let [n (neighbours builder axis (nth args k) (nth args (inc k)))]
                              [k n]))
                    (range (dec (count args))))]
    (when-let [[k [x from to]] found]
      (-> [:concatenate attrs]
          (into (map rule/argument) (take k args))
          (conj [:slice {:axis axis, :start from, :stop to, :step 1} (rule/argument x)])
          (into (map rule/argument) (drop (+ k 2) args))))))

(defn- stacked [{:keys [attrs args type builder]}]
  (let [shape (assoc (type/shape-of type) (:axis attrs) 1)
        dtype (type/dtype-of type)
        one #(let [x (rule/argument %)]
               [:reshape {:shape shape} (if (= dtype (type/dtype-of (graph/node-type builder %)))
                                          x
                                          [:cast {:dtype dtype} x])])]
    (into [:concatenate {:axis (:axis attrs)}] (map one) args)))

(defrules joins
  "Joins of joins, of nothing, and of what was cut."
  {:name :stack-as-concatenate, :lhs :stack, :rhs stacked, :keeps :bits
   :why "One form of joining."
   :examples [[[:stack {:axis 0} x y] => [:concatenate {:axis 0} [:reshape {:shape [1 2 3]} x]
                                          [:reshape {:shape [1 2 3]} y]]]]}
  {:name :concatenate-empty, :lhs :concat, :rhs without-empty, :keeps :bits
   :why "There is nothing to copy.", :types {x [:f64 [2 3]], y [:f64 [0 3]]}
   :examples [[[:concatenate x y] => x]]}
  {:name :concatenate-concatenate, :lhs :concat, :rhs flat-join, :keeps :bits
   :why "One copy instead of two."
   :examples [[[:concatenate x [:concatenate y x]] => [:concatenate x y x]]]}
  {:name :concatenate-slices, :lhs :concat, :rhs joined-slices, :keeps :bits
   :why "What was cut need not be joined."
   :examples [[[:concatenate [:slice {:stop 1} x] [:slice {:start 1} x]] => x]]})

;; ## Writes

(def ^:private block [:start :stop :step])

(defn- without-axis
  "The block with one axis whole: in what a slice along that axis leaves, of extent n."
  [attrs axis n]
  (-> attrs (assoc-in [:start axis] 0) (assoc-in [:stop axis] n) (assoc-in [:step axis] 1)))

(defn- apart? [attrs {:keys [axis start stop]}]
  (let [from (get-in attrs [:start axis]), to (get-in attrs [:stop axis])]
    (or (= from stop) (= start to)
        (and (every? integer? [from to start stop]) (or (<= stop from) (<= to start))))))

(defn- read-back
  "A slice of what was written: what lies outside of the block, or the block cut likewise."
  [{:keys [attrs builder type] :as m} ?x]
  (let [[op written x v] (graph/node builder (m ?x)), {:keys [axis start stop step]} attrs]
    (cond (apart? written attrs) [:slice attrs (rule/argument x)]
          (= [start stop step] (mapv #(nth (% written) axis) block))
          [op (without-axis written axis (nth (type/shape-of type) axis))
           [:slice attrs (rule/argument x)] (rule/argument v)])))

(defrules writes
  "Writes to the same place become one, reading back needs no write, sums of parts are additions in
  place."
  {:name :set-whole, :lhs [:set-slice {:start ?s :stop ?t :step ?k} ?x ?v], :rhs ?v, :keeps :bits
   :when #(whole-block? {:start (% ?s), :stop (% ?t), :step (% ?k)} (rule/shape-of % ?x))
   :why "Nothing of the array is left.", :examples [[[:set-slice x y] => y]]
   :refuses [[[:set-slice {:start [1 0]} x v] {v [:f64 [1 3]]}]]}
  {:name :inc-whole, :lhs [:inc-slice {:start ?s :stop ?t :step ?k} ?x ?v], :rhs [:add ?x ?v]
   :when #(whole-block? {:start (% ?s), :stop (% ?t), :step (% ?k)} (rule/shape-of % ?x))
   :keeps :bits, :why "It is a sum.", :examples [[[:inc-slice x y] => [:add x y]]]
   :refuses [[[:inc-slice {:start [1 0]} x v] {v [:f64 [1 3]]}]]}
  {:name :inc-zero, :lhs [:inc-slice ?x ?z], :rhs ?x, :keeps :bits
   :when #(zeros/adds-nothing? % ?x ?z), :why "Nothing to add."
   :types {i [:i64 [2 3]], j [:i64 [1 3]]}
   :examples [[[:inc-slice {:start [1 0]} i [:mul 0 j]] => i]
              [[:inc-slice {:start [1 0]} [:exp x] [:broadcast-to {:shape [1 3]} 0.0]] => [:exp x]]]
   :refuses [[[:inc-slice {:start [1 0]} x [:broadcast-to {:shape [1 3]} 0.0]]]]}
  {:name :inc-at-zero, :lhs [:inc-at ?x ?i ?z], :rhs ?x, :keeps :bits
   :when #(zeros/adds-nothing? % ?x ?z)
   :why "Nothing to add; indices that may be out of range stay."
   :examples [[[:inc-at [:exp x] [:iota {:shape [2]}] [:broadcast-to {:shape [2 3]} 0.0]]
               => [:exp x]]]
   :refuses [[[:inc-at x [:iota {:shape [2]}] [:broadcast-to {:shape [2 3]} 0.0]]]]}
  {:name :inc-of-zero, :lhs [:inc-slice {:start ?s :stop ?t :step ?k} ?z ?v], :keeps :bits
   :rhs (fn [m] [:set-slice {:start (m ?s) :stop (m ?t) :step (m ?k)} ?z
                 [:add (rule/number-of m ?z) ?v]])
   :when #(rule/zero? % ?z)
   :failures :kept, :why "Nothing needs to be read."
   :types {y [:f64 [1 3]]}
   :examples [[[:inc-slice {:start [1 0]} [:broadcast-to {:shape [2 3]} 0.0] y]
               => [:set-slice {:start [1 0]} [:broadcast-to {:shape [2 3]} 0.0] [:add 0.0 y]]]]
   :refuses [[[:inc-slice {:start [1 0]} x y]]]}
  {:name :add-part, :lhs [:add ?x [:set-slice {:start ?s :stop ?t :step ?k} ?z ?v]], :share :sole
   :rhs (fn [m] [:inc-slice {:start (m ?s) :stop (m ?t) :step (m ?k)} ?x
                 (rule/argument (zeros/without-zero (:builder m) (m ?v)))])
   :keeps :value, :except [:zero-sign]
   :when #(and (rule/zero? % ?z)
               (= (rule/type-of % ?x) (:type %))
               (= (rule/type-of % ?z) (:type %)))
   :failures :kept, :why "Only the part is touched.", :types {y [:f64 [1 3]]}
   :examples [[[:add x [:set-slice {:start [1 0]} [:broadcast-to {:shape [2 3]} 0.0] y]]
               => [:inc-slice {:start [1 0]} x y]]]
   :refuses [[[:add x [:set-slice {:start [1 0]} [:broadcast-to {:shape [2 3]} 1.0] y]]]
             [[:add x [:set-slice {:start [1 0]} [:broadcast-to {:shape [2 3]} 0.0] y]]
              {x [:f64 [3]], y [:f64 [1 3]]}]
             [[:add x [:set-slice {:start [0 1]} [:broadcast-to {:shape [1 3]} 0.0] y]]
              {y [:f64 [1 2]]}]]}
  {:name :add-at, :lhs [:add ?x [:inc-at {:axis ?a} ?z ?i ?v]], :share :sole
   :rhs [:inc-at {:axis ?a} ?x ?i ?v], :keeps :regroup, :except [:zero-sign], :failures :kept
   :when #(and (rule/zero? % ?z)
               (= (rule/type-of % ?x) (:type %))
               (= (rule/type-of % ?z) (:type %)))
   :why "Only what is at the indices is touched.", :types {i [:i64 [2]], y [:f64 [2 3]]}
   :gen {i [0 1]}
   :examples [[[:add x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]] => [:inc-at x i y]]]
   :refuses [[[:add x [:inc-at [:broadcast-to {:shape [2 3]} 1.0] i y]]]
             [[:add x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
              {x [:f64 [3]], i [:i64 [2]], y [:f64 [2 3]]}]
             [[:add x [:inc-at {:axis 1} [:broadcast-to {:shape [1 3]} 0.0] i y]]
              {i [:i64 [2]], y [:f64 [1 2]]}]]}
  {:name :sub-at, :lhs [:sub ?x [:inc-at {:axis ?a} ?z ?i ?v]], :share :sole
   :rhs [:inc-at {:axis ?a} ?x ?i [:neg ?v]], :keeps :regroup, :except [:zero-sign], :failures :kept
   :when #(and (rule/zero? % ?z)
               (= (rule/type-of % ?x) (:type %))
               (= (rule/type-of % ?z) (:type %)))
   :why "Only what is at the indices is touched.", :types {i [:i64 [2]], y [:f64 [2 3]]}
   :gen {i [0 1]}
   :examples [[[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
               => [:inc-at x i [:neg y]]]]
   :refuses [[[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 1.0] i y]]]
             [[:sub x [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
              {x [:f64 [3]], i [:i64 [2]], y [:f64 [2 3]]}]
             [[:sub x [:inc-at [:broadcast-to {:shape [3]} 0.0] i y]]
              {x [:f64 [2 3]], i [:i64 [2]], y [:f64 [2]]}]]}
  {:name :scaled-at, :lhs [:mul ?s [:inc-at {:axis ?a} ?z ?i ?v]], :share :sole
   :rhs [:inc-at {:axis ?a} ?z ?i [:mul ?s ?v]], :keeps :regroup, :except [:zero-sign]
   :failures :kept
   :when #(and (rule/zero? % ?z)
               (= (rule/type-of % ?z) (:type %))
               (some-> (rule/number-of % ?s) abs (< ##Inf)))
   :why "What is scattered is less than where it goes."
   :types {i [:i64 [2]], y [:f64 [2 3]]}, :gen {i [0 1]}
   :examples [[[:mul 2.0 [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]
               => [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i [:mul 2.0 y]]]]
   :refuses [[[:mul 2.0 [:inc-at [:broadcast-to {:shape [2 3]} 1.0] i y]]]
             [[:mul s [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]] {s [:f64 []]}]
             [[:mul [:broadcast-to {:shape [4 2 3]} 2.0]
               [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]
             [[:mul ##Inf [:inc-at [:broadcast-to {:shape [2 3]} 0.0] i y]]]]}
  {:name :set-set, :failures :kept
   :lhs [:set-slice {:start ?s :stop ?t :step ?k}
         [:set-slice {:start ?s :stop ?t :step ?k} ?x ?v] ?w]
   :rhs [:set-slice {:start ?s :stop ?t :step ?k} ?x ?w], :keeps :bits
   :why "The first one is written over.", :types {v [:f64 [1 3]], w [:f64 [1 3]]}
   :examples [[[:set-slice {:start [1 0]} [:set-slice {:start [1 0]} x v] w]
               => [:set-slice {:start [1 0]} x w]]]}
  {:name :set-inc, :failures :kept
   :lhs [:set-slice {:start ?s :stop ?t :step ?k}
         [:inc-slice {:start ?s :stop ?t :step ?k} ?x ?v] ?w]
   :rhs [:set-slice {:start ?s :stop ?t :step ?k} ?x ?w], :keeps :bits
   :why "The first one is written over.", :types {v [:f64 [1 3]], w [:f64 [1 3]]}
   :examples [[[:set-slice {:start [1 0]} [:inc-slice {:start [1 0]} x v] w]
               => [:set-slice {:start [1 0]} x w]]]}
  {:name :inc-set, :failures :kept
   :lhs [:inc-slice {:start ?s :stop ?t :step ?k}
         [:set-slice {:start ?s :stop ?t :step ?k} ?x ?v] ?w]
   :rhs [:set-slice {:start ?s :stop ?t :step ?k} ?x [:add ?v ?w]], :keeps :bits, :share :sole
   :why "One write instead of two.", :types {v [:f64 [1 3]], w [:f64 [1 3]]}
   :examples [[[:inc-slice {:start [1 0]} [:set-slice {:start [1 0]} x v] w]
               => [:set-slice {:start [1 0]} x [:add v w]]]]}
  {:name :inc-inc, :failures :kept
   :lhs [:inc-slice {:start ?s :stop ?t :step ?k}
         [:inc-slice {:start ?s :stop ?t :step ?k} ?x ?v] ?w]
   :rhs [:inc-slice {:start ?s :stop ?t :step ?k} ?x [:add ?v ?w]], :keeps :regroup, :share :sole
   :why "One write instead of two.", :types {v [:f64 [1 3]], w [:f64 [1 3]]}
   :examples [[[:inc-slice {:start [1 0]} [:inc-slice {:start [1 0]} x v] w]
               => [:inc-slice {:start [1 0]} x [:add v w]]]]}
  {:name :read-set, :failures :root, :lhs [:slice ?x], :keeps :bits
   :rhs (fn [m] (when (= :set-slice (rule/op-at m ?x)) (read-back m ?x)))
   :why "What was written is at hand.", :types {v [:f64 [1 3]], w [:f64 [1 2]]}
   :examples [[[:slice {:start 1} [:set-slice {:start [1 0]} x v]] => v]
              [[:slice {:stop 1} [:set-slice {:start [1 0]} x v]] => [:slice {:stop 1} x]]
              [[:slice {:axis 1 :start 1} [:slice {:start 1} [:set-slice {:start [1 1]} x w]]]
               => w]]}
  {:name :read-inc, :failures :root, :lhs [:slice ?x], :keeps :bits
   :rhs (fn [m] (when (= :inc-slice (rule/op-at m ?x)) (read-back m ?x)))
   :why "Only the part is computed.", :types {v [:f64 [1 3]]}
   :examples [[[:slice {:start 1} [:inc-slice {:start [1 0]} x v]]
               => [:add [:slice {:start 1} x] v]]
              [[:slice {:stop 1} [:inc-slice {:start [1 0]} x v]] => [:slice {:stop 1} x]]]})

;; ## Indices that are known

(defn- counted-slice
  "x at the indices 0, 1, …, n - 1 of one axis."
  [m ?x ?a ?s]
  (let [[axis & more] (m ?a), [n & others] (m ?s), extent (nth (rule/shape-of m ?x) axis)]
    (when (and (empty? more) (empty? others)
               (or (= n extent) (and (integer? n) (integer? extent) (<= n extent))))
      [:slice {:axis axis, :start 0, :stop n, :step 1} ?x])))

(defn- picked
  "x at one index that is known and in range, a view."
  [m ?x ?a ?i]
  (let [[axis & more] (m ?a), extent (nth (rule/shape-of m ?x) axis), i (rule/number-of m ?i)]
    (when (and (empty? more) (integer? extent) (empty? (rule/shape-of m ?i))
               (<= (- extent) i (dec extent)))
      (let [i (if (neg? i) (+ i extent) i)]
        [:reshape {:shape (type/shape-of (:type m))}
         [:slice {:axis axis, :start i, :stop (inc i), :step 1} ?x]]))))

(defrules known-indices
  "Reading at indices that are known is a view."
  {:name :take-iota, :lhs [:take {:axis ?a} ?x [:iota {:shape ?s}]], :keeps :bits
   :rhs (fn [m] (counted-slice m ?x ?a ?s)), :why "A view instead of a copy."
   :examples [[[:take {:axis 1} x [:iota {:shape [2]}]] => [:slice {:axis 1 :stop 2} x]]
              [[:take x [:iota {:shape [2]}]] => x]]}
  {:name :take-constant, :lhs [:take {:axis ?a} ?x ?i], :keeps :bits
   :when #(some? (rule/number-of % ?i)), :rhs (fn [m] (picked m ?x ?a ?i))
   :why "A view instead of a copy."
   :examples [[[:take {:axis 1} x -1] => [:reshape {:shape [2]} [:slice {:axis 1 :start 2} x]]]]
   :refuses [[[:take {:axis 1} x i] {i [:i64 []]}]]})

(def families
  "The rule sets of this namespace, for damo.rules.canonicalize."
  [cuts joins writes known-indices])
