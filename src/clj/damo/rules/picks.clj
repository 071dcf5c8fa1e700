(ns damo.rules.picks
  "Parts of what is computed, where nothing else needs the whole: elements of products, rows of
  reductions and softmaxes, cuts of what is stretched; and reading, or writing again, at indices at
  which was written. (XY)[i, j] → X[i]·Y[:, j]; (Σ x)[i] → Σ x[i]; x[i][j] → x[i, j]."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rule.layers :as layers]))

(set! *warn-on-reflection* true)

(defn- shape-at [{:keys [builder]} id] (type/shape-of (graph/node-type builder id)))

(defn- one-axis
  "The axis along which a slice cuts, or a reading picks one index; else nil."
  [{:keys [op attrs args] :as m}]
  (let [{:keys [axis]} attrs]
    (cond (= op :slice) axis
          (and (= 1 (count axis)) (= 2 (count args)) (empty? (shape-at m (second args))))
          (first axis))))

(defn- part
  "The template of the same part of node `id`, along its axis `axis`."
  [{:keys [op attrs args]} id axis]
  (if (= op :slice)
    [:slice (assoc attrs :axis axis) (rule/argument id)]
    [:take (assoc attrs :axis [axis]) (rule/argument id) (rule/argument (second args))]))

(defn- behind
  "The axis that `axis` becomes where the part has none in the place of `cut`."
  [{:keys [op]} cut axis]
  (if (and (= op :take) (< (long cut) (long axis))) (dec (long axis)) axis))

;; ## Reductions and what is normalised along an axis

(defn- of-reduction [{:keys [builder args] :as m}]
  (let [[op {:keys [axis keepdims] :as own} x] (graph/node builder (first args)), cut (one-axis m)]
    (when (and cut (= :reduce (op/kind op)) (not keepdims))
      (let [left (vec (remove (set axis) (range (count (shape-at m x))))), below (left cut)]
        [op (assoc own :axis (mapv #(behind m below %) axis)) (part m x below)]))))

(defn- of-softmax [{:keys [builder args] :as m}]
  (let [[op {:keys [axis]} x] (graph/node builder (first args)), cut (one-axis m)]
    (when (and cut (#{:softmax :log-softmax} op) (not= cut axis))
      [op {:axis (behind m cut axis)} (part m x cut)])))

;; ## What is stretched

(defn- never-fails?
  "Does a cut with these attributes fail for no size of its argument?"
  [{:keys [op attrs args builder]}]
  (and (= op :slice)
       (empty? (failing/requirements op attrs [(graph/node-type builder (first args))]))))

(defn- of-stretched
  "The template of a part of an array that was broadcast, as one of what it was before."
  [{:keys [builder args], [_ shape] :type :as m}]
  (let [[op _ x] (graph/node builder (first args)), cut (one-axis m)]
    (when (and cut (= :broadcast-to op))
      (let [from (shape-at m x), to (shape-at m (first args))
            own (- (long cut) (- (count to) (count from)))]
        (cond (and (<= 0 own) (= (nth from own) (nth to cut)))
              [:broadcast-to {:shape shape} (part m x own)]
              (never-fails? m)
              [:broadcast-to {:shape shape} (rule/argument x)])))))

(defrules wholes
  "Parts of reductions, of softmaxes and of what is stretched."
  {:name :slice-reduction, :lhs :slice, :rhs of-reduction, :share :arguments, :keeps :value
   :failures :kept, :why "The rest need not be computed."
   :examples [[[:slice {:stop 1} [:sum {:axis 1} x]] => [:sum {:axis 1} [:slice {:stop 1} x]]]
              [[:slice {:stop 1} [:max {:axis 0} x]]
               => [:max {:axis 0} [:slice {:axis 1 :stop 1} x]]]]}
  {:name :take-reduction, :lhs :take, :rhs of-reduction, :share :arguments, :keeps :value
   :failures :kept, :why "The rest need not be computed.", :types {i [:i64 []]}, :gen {i [0 2]}
   :examples [[[:take [:sum {:axis 1} x] i] => [:sum {:axis 0} [:take x i]]]
              [[:take [:max {:axis 0} x] i] => [:max {:axis 0} [:take {:axis [1]} x i]]]]}
  {:name :slice-softmax, :lhs :slice, :rhs of-softmax, :share :arguments, :keeps :value
   :failures :kept, :why "The other rows need not be computed."
   :examples [[[:slice {:stop 1} [:softmax {:axis 1} x]]
               => [:softmax {:axis 1} [:slice {:stop 1} x]]]]}
  {:name :take-softmax, :lhs :take, :rhs of-softmax, :share :arguments, :keeps :value
   :failures :kept, :why "The other rows need not be computed.", :types {i [:i64 []]}
   :gen {i [0 2]}
   :examples [[[:take [:softmax {:axis 1} x] i] => [:softmax {:axis 0} [:take x i]]]
              [[:take {:axis [1]} [:log-softmax {:axis 0} x] i]
               => [:log-softmax {:axis 0} [:take {:axis [1]} x i]]]]}
  {:name :slice-stretched, :lhs :slice, :rhs of-stretched, :keeps :bits, :failures :kept
   :why "What is stretched is stretched less.", :types {r [:f64 [3]]}
   :examples [[[:slice {:stop 1} [:broadcast-to {:shape [2 3]} r]]
               => [:broadcast-to {:shape [1 3]} r]]
              [[:slice {:axis 1 :stop 2} [:broadcast-to {:shape [2 3]} r]]
               => [:broadcast-to {:shape [2 2]} [:slice {:stop 2} r]]]]}
  {:name :take-stretched, :lhs :take, :rhs of-stretched, :keeps :bits, :failures :kept
   :why "What is stretched is stretched less.", :types {r [:f64 [3]], i [:i64 []]}, :gen {i [0 3]}
   :examples [[[:take {:axis [1]} [:broadcast-to {:shape [2 3]} r] i]
               => [:broadcast-to {:shape [2]} [:take r i]]]]})

;; ## Elements

(defn- at-both
  "The template of x[i][j] at two indices."
  [m ?x ?i ?j]
  (let [[b & more] (m '?b), [a & others] (m '?a)]
    (when (and (empty? more) (empty? others) (every? #(empty? (rule/shape-of m %)) [?i ?j]))
      (if (< (long a) (long b))
        [:take {:axis [a b]} ?x ?j ?i]
        [:take {:axis [b (inc (long a))]} ?x ?i ?j]))))

(defn- elements-of-product
  "The template of elements of a product of matrices, each a sum of products: at two indices, or at
  pairs of them, of which there are no more than rows or columns."
  [m ?x ?y ?i ?j]
  (let [[of-i of-j] (map #(rule/shape-of m %) [?i ?j]), [rows] (rule/shape-of m ?x)
        columns (peek (rule/shape-of m ?y))]
    (cond (= [] of-i of-j)
          [:sum {:axis [0]} [:mul [:take {:axis [0]} ?x ?i] [:take {:axis [1]} ?y ?j]]]
          (and (= 1 (count of-i)) (= of-i of-j)
               (some #(type/at-most? (first of-i) %) [rows columns]))
          [:sum {:axis [1]} [:mul [:take {:axis [0]} ?x ?i]
                             [:take {:axis [0]} [:transpose {:axes [1 0]} ?y] ?j]]])))

(defn- float-matrices? [m & names]
  (every? #(and (rule/float? m %) (= 2 (rule/rank-of m %))) names))

(defn- along-diagonal
  "The template of x[s + k, t + k] for k = 0, 1, … as a view, where all of these are in range."
  [{:keys [builder args] :as m}]
  (let [[x i j :as all] args, shape (shape-at m x)
        [s t :as found] (map #(layers/counted builder %) (rest all))]
    (when (and (= 3 (count all)) (= 2 (count shape)) (= [0 1] (:axis (:attrs m)))
               (every? #(and % (= 1 (:rank %) (:step %)) (integer? (:start %))) found)
               (= (shape-at m i) (shape-at m j)))
      (let [[n] (shape-at m i)
            stops (map #(type/dim+ (:start %) n) found)
            cut (fn [axis start stop t] [:slice {:axis axis :start start :stop stop :step 1} t])]
        (when (and (every? #(<= 0 (long (:start %))) found)
                   (every? true? (map type/at-most? stops shape)))
          [:diagonal {:offset 0 :axis1 0 :axis2 1}
           (->> (rule/argument x)
                (cut 0 (:start s) (first stops))
                (cut 1 (:start t) (second stops)))])))))

(defrules elements
  "Elements of arrays and products."
  {:name :take-at-both, :lhs [:take {:axis ?a} [:take {:axis ?b} ?x ?i] ?j]
   :rhs (fn [m] (at-both m ?x ?i ?j)), :keeps :bits, :failures :kept
   :why "One reading instead of two.", :types {i [:i64 []], j [:i64 []]}, :gen {i [0 2], j [0 2]}
   :examples [[[:take [:take x i] j] => [:take {:axis [0 1]} x i j]]
              [[:take [:take {:axis 1} x i] j] => [:take {:axis [0 1]} x j i]]]}
  {:name :elements-of-product, :lhs [:take {:axis [0 1]} [:matmul ?x ?y] ?i ?j]
   :rhs (fn [m] (elements-of-product m ?x ?y ?i ?j)), :when #(float-matrices? % ?x ?y)
   :share :sole, :keeps :value, :except [:overflow :underflow :zero-sign], :failures :kept
   :why "The other elements need not be computed."
   :types {y [:f64 [3 4]], i [:i64 []], j [:i64 []], k [:i64 [2]], l [:i64 [2]]}
   :gen {i [0 2], j [0 4], k [0 2], l [0 4]}
   :examples [[[:take {:axis [0 1]} [:matmul x y] i j]
               => [:sum [:mul [:take x i] [:take {:axis 1} y j]]]]
              [[:take {:axis [0 1]} [:matmul x y] k l]
               => [:sum {:axis 1} [:mul [:take x k] [:take [:transpose y] l]]]]]
   :refuses [[[:take {:axis [0 1]} [:matmul x y] i j] {x [:i64 [2 3]], y [:i64 [3 4]]}]]}
  {:name :take-diagonal, :lhs :take, :rhs along-diagonal, :keeps :bits, :failures :root
   :why "A view instead of a copy.", :types {x [:f64 [4 4]]}
   :examples [[[:take {:axis [0 1]} x [:iota {:shape [4]}] [:iota {:shape [4]}]] => [:diagonal x]]
              [[:take {:axis [0 1]} x [:iota {:shape [3]}] [:add 1 [:iota {:shape [3]}]]]
               => [:diagonal [:slice {:axis 1 :start 1} [:slice {:stop 3} x]]]]]})

;; ## At indices at which was written

(defn- one-index? [m ?i] (empty? (rule/shape-of m ?i)))

(defrules written
  "Reading and writing at indices at which was written."
  {:name :read-added, :lhs [:take {:axis ?a} [:inc-at {:axis ?a} ?x ?i ?v] ?i]
   :rhs [:add [:take {:axis ?a} ?x ?i] ?v], :when #(one-index? % ?i), :share :sole, :keeps :bits
   :failures :kept, :why "Only the part is computed.", :types {i [:i64 []], v [:f64 [3]]}
   :gen {i [0 2]}
   :examples [[[:take [:inc-at x i v] i] => [:add [:take x i] v]]]
   :refuses [[[:take [:inc-at x i v] i] {i [:i64 [2]], v [:f64 [2 3]]}]]}
  {:name :set-set-at, :lhs [:set-at {:axis ?a} [:set-at {:axis ?a} ?x ?i ?v] ?i ?w]
   :rhs [:set-at {:axis ?a} ?x ?i ?w], :keeps :bits, :failures :kept
   :why "What is written over need not be written."
   :types {i [:i64 [2]], v [:f64 [2 3]], w [:f64 [2 3]]}, :gen {i [0 2]}
   :examples [[[:set-at [:set-at x i v] i w] => [:set-at x i w]]]}
  {:name :set-inc-at, :lhs [:set-at {:axis ?a} [:inc-at {:axis ?a} ?x ?i ?v] ?i ?w]
   :rhs [:set-at {:axis ?a} ?x ?i ?w], :keeps :bits, :failures :kept
   :why "What is written over need not be written."
   :types {i [:i64 [2]], v [:f64 [2 3]], w [:f64 [2 3]]}, :gen {i [0 2]}
   :examples [[[:set-at [:inc-at x i v] i w] => [:set-at x i w]]]}
  {:name :inc-set-at, :lhs [:inc-at {:axis ?a} [:set-at {:axis ?a} ?x ?i ?v] ?i ?w]
   :rhs [:set-at {:axis ?a} ?x ?i [:add ?v ?w]], :when #(one-index? % ?i), :share :sole
   :keeps :bits, :failures :kept, :why "One write instead of two."
   :types {i [:i64 []], v [:f64 [3]], w [:f64 [3]]}, :gen {i [0 2]}
   :examples [[[:inc-at [:set-at x i v] i w] => [:set-at x i [:add v w]]]]
   :refuses [[[:inc-at [:set-at x i v] i w] {i [:i64 [2]], v [:f64 [2 3]], w [:f64 [2 3]]}]]}
  {:name :inc-inc-at, :lhs [:inc-at {:axis ?a} [:inc-at {:axis ?a} ?x ?i ?v] ?i ?w]
   :rhs [:inc-at {:axis ?a} ?x ?i [:add ?v ?w]], :share :sole, :keeps :regroup, :failures :kept
   :why "One write instead of two."
   :types {i [:i64 [2]], v [:f64 [2 3]], w [:f64 [2 3]]}, :gen {i [0 2]}
   :examples [[[:inc-at [:inc-at x i v] i w] => [:inc-at x i [:add v w]]]]})

;; ## Unit matrices

(defn- units?
  "Are the elements of a square matrix of n rows, row after row, those of a unit matrix?"
  [n value]
  (loop [at 0, left (seq value)]
    (or (nil? left)
        (and (== (if (zero? (rem at (inc (long n)))) 1 0) (first left))
             (recur (inc at) (next left))))))

(defn- unit-matrix?
  "Is the node a square matrix with ones on its diagonal, in whatever dtype?"
  [b id]
  (let [[op {:keys [n m k value], [dtype [rows columns :as shape]] :type} x] (graph/node b id)]
    (case op
      :eye (and (= 0 k) (= n m))
      :const (and (vector? value) (= 2 (count shape)) (= rows columns) (not= :bool dtype)
                  (units? rows value))
      :cast (recur b x)
      false)))

(defn- picked-units
  "The id of the indices at which node `id` picks rows (axis 0) or columns (1) of a unit matrix."
  [b id axis]
  (let [[op {own :axis} x i & more] (graph/node b id)]
    (case op
      :take (when (and (= [axis] own) (empty? more) (unit-matrix? b x)
                       (= 1 (type/rank-of (graph/node-type b i))))
              i)
      :cast (recur b x axis)
      nil)))

(defn- of-units?
  "May a node be made of a unit matrix?"
  [b id]
  (contains? #{:eye :const :cast :take} (graph/op-of (graph/node b id))))

(defn- times-units
  "The template of a product of matrices of which one is a unit matrix, or some rows or columns of
  one."
  [{:keys [builder] :as m} ?x ?y]
  (let [[x y :as ids] (map m [?x ?y])]
    (when (and (some #(of-units? builder %) ids) (= 2 (rule/rank-of m ?x) (rule/rank-of m ?y)))
      (let [columns (picked-units builder y 1), rows (picked-units builder x 0)]
        (cond (unit-matrix? builder y) ?x
              (unit-matrix? builder x) ?y
              columns [:take {:axis [1]} ?x (rule/argument columns)]
              rows [:take {:axis [0]} ?y (rule/argument rows)])))))

(defrules units
  "Products with unit matrices, and with rows or columns of them."
  {:name :times-unit-matrix, :lhs [:matmul ?x ?y], :rhs (fn [m] (times-units m ?x ?y))
   :keeps :drops-nan, :except [:zero-sign], :failures :kept
   :why "Elements are picked, and nothing is added."
   :types {i [:i64 [5]]}, :gen {i [0 2]}
   :examples [[[:matmul x [:eye {:n 3 :dtype :f64}]] => x]
              [[:matmul [:take [:eye {:n 2 :dtype :f64}] i] x] => [:take x i]]
              [[:matmul x [:take {:axis 1} [:eye {:n 3 :dtype :f64}] i]] => [:take {:axis 1} x i]]
              [[:matmul [:const {:type [:f64 [2 2]] :value [1.0 0.0 0.0 1.0]}] x] => x]]})

(def families
  "The rule sets of this namespace, for damo.rules.canonicalize."
  [wholes elements written units])
