(ns damo.rules.portions
  "Only the part that is read is computed, and what is stated of a shape is stated outside: cuts and
  readings at one index move below elementwise ops and into products, where nothing else needs the
  whole; cuts of cuts of symbolic lengths are one where both fail at the same calls.
  (x + y)[i] → x[i] + y[i]; (XM)[i] → X[i]·M."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- shape-at [{:keys [builder]} id] (type/shape-of (graph/node-type builder id)))

(defn- computed-anywhere?
  "Is it an elementwise op that the loops of a program compute?"
  [op]
  (and (= :elementwise (op/kind op)) (not (op/on-host? op))))

;; ## Parts of elementwise results

(defn- own-axes
  "For each argument of an elementwise op the axis that axis `axis` of the result is of it: nil when
  it has none, :ones when it is stretched along it. nil when one has another extent there."
  [m args shape axis]
  (let [extent (nth shape axis)
        own (fn [id]
              (let [from (shape-at m id), a (- axis (- (count shape) (count from)))]
                (cond (neg? a) nil
                      (= extent (nth from a)) a
                      (= 1 (nth from a)) [:ones a]
                      :else :unknown)))
        found (mapv own args)]
    (when (and (some integer? found) (not-any? #{:unknown} found)) found)))

(defn- parts-of
  "The template of an elementwise node `id`, on each argument (part id axis) where it has the axis
  of the result, (ones id axis) where it is stretched along it; nil where the op is none."
  [{:keys [builder] :as m} id axis part ones]
  (let [[op attrs & args] (graph/node builder id)]
    (when (and (computed-anywhere? op) (seq args))
      (when-let [found (own-axes m args (shape-at m id) axis)]
        (into [op attrs]
              (map (fn [arg a] (cond (nil? a) (rule/argument arg)
                                     (integer? a) (part arg a)
                                     :else (ones arg (second a))))
                   args found))))))

(defn- cut-elementwise [{:keys [args attrs] :as m}]
  (parts-of m (first args) (:axis attrs)
            (fn [id a] [:slice (assoc attrs :axis a) (rule/argument id)])
            (fn [id _] (rule/argument id))))

(defn- without-axis [shape a] (into (subvec shape 0 a) (subvec shape (inc a))))

(defn- picked-elementwise
  "The template of an elementwise result at one index along an axis."
  [{:keys [args attrs] :as m}]
  (let [[x i & more] args, [axis & axes] (:axis attrs)]
    (when (and (empty? more) (empty? axes) (empty? (shape-at m i)))
      (parts-of m x axis
                (fn [id a] [:take {:axis [a]} (rule/argument id) (rule/argument i)])
                (fn [id a] [:reshape {:shape (without-axis (shape-at m id) a)}
                            (rule/argument id)])))))

(defrules elementwise
  "Parts of elementwise results that nothing else needs."
  {:name :slice-elementwise, :lhs :slice, :rhs cut-elementwise, :share :arguments, :keeps :bits
   :failures :kept
   :why "The rest need not be computed.", :types {r [:f64 [3]]}
   :examples [[[:slice {:start 1} [:atan2 x y]]
               => [:atan2 [:slice {:start 1} x] [:slice {:start 1} y]]]
              [[:slice {:stop 1} [:atan2 x r]] => [:atan2 [:slice {:stop 1} x] r]]]}
  {:name :take-elementwise, :lhs :take, :rhs picked-elementwise, :share :arguments, :keeps :bits
   :failures :kept
   :why "The rest need not be computed.", :types {r [:f64 [3]], i [:i64 []]}, :gen {i [0 1]}
   :examples [[[:take {:axis [0]} [:atan2 x y] i]
               => [:atan2 [:take {:axis [0]} x i] [:take {:axis [0]} y i]]]
              [[:take {:axis [0]} [:atan2 x r] i] => [:atan2 [:take {:axis [0]} x i] r]]]})

;; ## Parts of products

(defn- cut-product
  "A cut of rows or columns of a matrix product as that of one of its arguments."
  [{:keys [attrs], [_ shape] :type :as m} ?x ?y]
  (let [n (count shape), axis (:axis attrs), rows (rule/rank-of m ?x), columns (rule/rank-of m ?y)
        cut (fn [?v a] [:slice (assoc attrs :axis a) ?v])]
    (cond (and (<= 2 rows) (= axis (- n (if (= 1 columns) 1 2)))) [:matmul (cut ?x (- rows 2)) ?y]
          (and (<= 2 columns) (= axis (dec n))) [:matmul ?x (cut ?y (dec columns))])))

(defn- picked-product
  "A row or column of a product of matrices, at an index, as a product with one row or column."
  [{:keys [args attrs], [_ shape] :type :as m} ?x ?y]
  (let [pick (fn [?v axis]
               [:reshape {:shape (assoc (rule/shape-of m ?v) axis 1)}
                [:take {:axis [axis]} ?v (rule/argument (second args))]])]
    [:reshape {:shape shape}
     (case (long (first (:axis attrs)))
       0 [:matmul (pick ?x 0) ?y]
       1 [:matmul ?x (pick ?y 1)])]))

(defn- at-one-index? [{:keys [args attrs] :as m}]
  (and (= 2 (count args)) (= 1 (count (:axis attrs))) (empty? (shape-at m (second args)))))

(defrules products
  "Parts of matrix products that nothing else needs."
  {:name :slice-product, :lhs [:slice [:matmul ?x ?y]], :rhs (fn [m] (cut-product m ?x ?y))
   :share :sole, :keeps :value, :failures :kept
   :why "The other rows or columns need not be computed.", :types {y [:f64 [3 4]]}
   :examples [[[:slice {:stop 1} [:matmul x y]] => [:matmul [:slice {:stop 1} x] y]]
              [[:slice {:axis 1 :start 1 :step 2} [:matmul x y]]
               => [:matmul x [:slice {:axis 1 :start 1 :step 2} y]]]]}
  {:name :take-product, :lhs [:take [:matmul ?x ?y] ?i], :rhs (fn [m] (picked-product m ?x ?y))
   :when #(and (at-one-index? %) (= 2 (rule/rank-of % ?x) (rule/rank-of % ?y)))
   :share :sole, :keeps :value, :failures :kept
   :why "The other rows or columns need not be computed."
   :types {y [:f64 [3 4]], i [:i64 []]}, :gen {i [0 1]}
   :examples [[[:take {:axis [0]} [:matmul x y] i]
               => [:reshape {:shape [4]}
                   [:matmul [:reshape {:shape [1 3]} [:take {:axis [0]} x i]] y]]]
              [[:take {:axis [1]} [:matmul x y] i]
               => [:reshape {:shape [2]}
                   [:matmul x [:reshape {:shape [3 1]} [:take {:axis [1]} y i]]]]]]
   :refuses [[[:take {:axis [0]} [:matmul x y] i] {i [:i64 [5]]}]
             [[:take {:axis [0]} [:matmul x y] i] {x [:f64 [3]], y [:f64 [2 3 4]]}]
             [[:take {:axis [0]} [:matmul x y] i] {y [:f64 [3]]}]]})

;; ## Requirements that say the same

(defn- room
  "What is left between the two sides of a requirement, as an offset."
  [[small large]]
  (type/signed+ large (type/signed* -1 small)))

(defn- implied?
  "Does each of these requirements hold wherever all of the others do, as far as one of those alone
  shows it?"
  [requirements others]
  (let [others (map room others)]
    (every? (fn [r] (some #(type/at-most? % r) others)) (map room requirements))))

(defn- same-failures?
  "Do two lists of nodes [op attrs type-of-argument] fail at the same calls?"
  [written made]
  (let [of (fn [nodes] (mapcat (fn [[op attrs type]] (failing/requirements op attrs [type])) nodes))
        written (of written), made (of made)]
    (and (implied? written made) (implied? made written))))

;; ## Cuts of cuts of symbolic lengths

(defn- cut-of-cut
  "The bounds of x[from][at], attributes of slices along one axis."
  [{:keys [start step] :as from} at]
  (assoc from
         :start (type/dim+ start (type/dim* step (:start at)))
         :stop (type/dim+ start (type/dim* step (:stop at)))
         :step (* (long step) (long (:step at)))))

(defn- merged-cuts [{:keys [attrs args builder type]}]
  (let [between (first args), [op own x] (graph/node builder between)]
    (when (and (= :slice op) (= (:axis own) (:axis attrs)))
      (let [[of-x of-between] (map #(graph/node-type builder %) [x between])
            made (cut-of-cut own attrs)]
        (when (and (= type (op/result-type (op/entry :slice) made [of-x]))
                   (same-failures? [[:slice own of-x] [:slice attrs of-between]]
                                   [[:slice made of-x]]))
          [:slice made (rule/argument x)])))))

(defrules lengths
  "Cuts of symbolic lengths."
  {:name :slice-slice-lengths, :lhs :slice, :rhs merged-cuts, :keeps :bits, :failures :kept
   :why "One view instead of two.", :types {x [:f64 [9 3]]}
   :examples [[[:slice {:start 2} [:slice {:start 1} x]] => [:slice {:start 3} x]]]})

;; ## Stated shapes

(defn- told-by
  "What nodes with these attributes tell of dims, each fact once; nil: nothing."
  [attrs]
  (not-empty (vec (distinct (mapcat :told attrs)))))

(defn- stated-below
  "[ids attributes] where all arguments that have axes are stated to have one shape, and had one:
  what they are without that, and what states it of all; else nil."
  [{:keys [builder] :as m} ids]
  (let [below (fn [id] (let [[op _ x] (graph/node builder id)] (when (= :specify-shape op) x)))
        plain (mapv #(or (below %) %) ids)
        stated (filter below ids)
        with-axes (remove #(empty? (shape-at m %)) ids)]
    (when (and (seq stated) (every? below with-axes)
               (apply = (map #(shape-at m %) stated))
               (apply = (map #(shape-at m (below %)) stated)))
      [plain {:shape (shape-at m (first stated))
              :told (told-by (map #(graph/attrs-of (graph/node builder %)) stated))}])))

(defn- stated-outside [{:keys [op attrs args] :as m}]
  (when-let [[plain stating] (when-not (op/on-host? op) (stated-below m args))]
    [:specify-shape stating (into [op attrs] (map rule/argument) plain)]))

(defn- stated-once [{:keys [attrs args builder]}]
  (let [[op own x] (graph/node builder (first args))]
    (when (= :specify-shape op)
      (let [[of-x of-between] (map #(graph/node-type builder %) [x (first args)])
            both (assoc attrs :told (told-by [own attrs]))]
        (when (same-failures? [[op own of-x] [op attrs of-between]] [[op both of-x]])
          [:specify-shape both (rule/argument x)])))))

(defrules statements
  "Stated shapes outside of elementwise ops, and once."
  {:name :specify-outside, :lhs :elementwise, :rhs stated-outside, :keeps :bits, :failures :kept
   :why "Rules for what is computed see it.", :types {s [:f64 []]}
   :examples [[[:sin [:specify-shape {:shape [2 nil]} x]]
               => [:sin x]]             ; the type of x says it already
              [[:mul s [:atan2 [:specify-shape {:shape [2 nil]} x]
                        [:specify-shape {:shape [2 nil]} y]]]
               => [:mul s [:atan2 x y]]]]}
  {:name :specify-specify, :lhs :specify-shape, :rhs stated-once, :keeps :bits, :failures :kept
   :why "It is stated once.", :types {x [:f64 [2 3]]}
   :examples [[[:specify-shape {:shape [2 3]} [:specify-shape {:shape [2 nil]} x]] => x]]})

(def families
  "The rule sets of this namespace, for damo.rules.canonicalize."
  [elementwise products lengths statements])
