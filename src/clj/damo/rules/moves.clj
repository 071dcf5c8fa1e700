(ns damo.rules.moves
  "Rules of views and readings that pass each other and other ops: transposes go below reshapes by
  axes of extent 1, reversals above cuts, readings at counted indices are cuts, and joins of one
  array with itself, of what is reduced next, and diagonals that are multiplied by need not be made.
  x[[2 3 4]] → x[2:5]; join(x, x) → x stretched; max(join(x, y)) → max(max x, max y)."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.failing :as failing]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rule.layers :as layers]))

(set! *warn-on-reflection* true)

(defn- type-at [{:keys [builder]} id] (graph/node-type builder id))

(defn- shape-at [m id] (type/shape-of (type-at m id)))

;; ## Views past views

(defn- apart-by-ones?
  "Do two shapes differ by axes of extent 1 alone?"
  [from to]
  (= (remove #{1} from) (remove #{1} to)))

(defn- moved-ones
  "The template of a transpose of a reshape that only puts in or drops axes of extent 1."
  [{[_ shape] :type :as m} ?x axes]
  (let [from (rule/shape-of m ?x), to (shape-at m (first (:args m)))
        long-axes (fn [shape] (keep-indexed (fn [i d] (when-not (= 1 d) i)) shape))
        of-to (zipmap (long-axes to) (long-axes from))
        order (into [] (keep of-to) axes)]
    (when (apart-by-ones? from to)
      [:reshape {:shape shape}
       (if (= order (sort order))
         ?x
         [:transpose {:axes (into order (remove (set order)) (range (count from)))} ?x])])))

(defn- cut-of-reversed
  "The template of a cut of a reversed array, reversed after it was cut; in steps of more than 1
  where it is known how many are taken."
  [m ?x axes {:keys [axis start stop step] :as cut}]
  (let [n (nth (rule/shape-of m ?x) axis), turned? (some #{axis} axes)
        left (when (and (< 1 (long step)) (every? integer? [start stop]) (< start stop))
               (rem (dec (- stop start)) step))
        bounds (cond (not turned?) cut
                     (= 1 step) {:start (type/dim- n stop) :stop (type/dim- n start)}
                     left {:start (type/dim- n (- stop left)) :stop (type/dim- n start)})]
    (when bounds
      [:flip {:axis axes} [:slice (merge cut bounds) ?x]])))

(defn- turned-back
  "The template of a transpose of an elementwise result whose arguments are transposed the other
  way, without these transposes; nil where they are not."
  [{:keys [builder args attrs]}]
  (let [[op own & operands] (graph/node builder (first args)), axes (:axes attrs)
        back (fn [id]
               (let [[of {p :axes} x] (graph/node builder id)]
                 (cond (empty? (type/shape-of (graph/node-type builder id))) id
                       (and (= :transpose of) (= (count p) (count axes))
                            (= (range (count axes)) (map p axes)))
                       x)))
        below (map back operands)]
    (when (and (= :elementwise (op/kind op)) (not (op/on-host? op)) (every? some? below)
               (not= below operands))
      (into [op own] (map rule/argument) below))))

(defrules passing
  "Transposes below reshapes by axes of extent 1, and back from elementwise results; reversals above
  cuts."
  {:name :transpose-back, :lhs :transpose, :rhs turned-back, :share :arguments, :keeps :bits
   :why "Nothing is transposed."
   :examples [[[:transpose [:exp [:transpose x]]] => [:exp x]]
              [[:transpose [:atan2 2.0 [:transpose x]]] => [:atan2 2.0 x]]
              [[:transpose [:atan2 [:transpose x] [:transpose y]]] => [:atan2 x y]]]}
  {:name :transpose-ones, :lhs [:transpose {:axes ?a} [:reshape ?x]], :keeps :bits
   :rhs (fn [m] (moved-ones m ?x (m ?a)))
   :why "Permutations meet; an order that only moves axes of extent 1 is a reshape."
   :examples [[[:transpose {:axes [2 1 0]} [:reshape {:shape [2 1 3]} x]]
               => [:reshape {:shape [3 1 2]} [:transpose x]]]
              [[:transpose {:axes [1 0 2]} [:reshape {:shape [2 1 3]} x]]
               => [:reshape {:shape [1 2 3]} x]]]}
  {:name :slice-flip, :lhs [:slice {:axis ?a :start ?s :stop ?t :step ?k} [:flip {:axis ?f} ?x]]
   :rhs (fn [m] (cut-of-reversed m ?x (m ?f)
                                 {:axis (m ?a) :start (m ?s) :stop (m ?t) :step (m ?k)}))
   :keeps :bits, :failures :kept, :why "Cuts meet cuts, and reversals each other."
   :types {x [:f64 [9 2]]}
   :examples [[[:slice {:start 1 :stop 4} [:flip {:axis 0} x]]
               => [:flip {:axis 0} [:slice {:start 5 :stop 8} x]]]
              [[:slice {:start 1 :stop 7 :step 3} [:flip {:axis 0} x]]
               => [:flip {:axis 0} [:slice {:start 4 :stop 8 :step 3} x]]]
              [[:slice {:axis 1 :stop 1} [:flip {:axis 0} x]]
               => [:flip {:axis 0} [:slice {:axis 1 :stop 1} x]]]]}
  {:name :slice-transpose
   :lhs [:slice {:axis ?a :start ?s :stop ?t :step ?k} [:transpose {:axes ?p} ?x]]
   :rhs [:transpose {:axes ?p} [:slice {:axis (nth ?p ?a) :start ?s :stop ?t :step ?k} ?x]]
   :keeps :bits, :failures :kept, :why "Cuts meet cuts, and transposes products."
   :examples [[[:slice {:stop 1} [:transpose x]]
               => [:transpose [:slice {:axis 1 :stop 1} x]]]]})

;; ## Readings at indices that count

(defn- part-of-axis
  "The template of x at the indices start, start + step … along one axis, when these are in range."
  [m x axis n {:keys [start step]}]
  (let [extent (nth (shape-at m x) axis), last-index (when (integer? n) (+ start (* step (dec n))))
        [lo hi] (when last-index (sort [start last-index]))
        cut (fn [from to by] [:slice {:axis axis :start from :stop to :step by}
                              (rule/argument x)])]
    (cond (and lo (integer? extent) (pos? n) (<= 0 lo hi (dec extent)) (not= 0 step))
          (if (pos? step)
            (cut lo (inc hi) step)
            (let [cut-up (cut lo (inc hi) (- step))] [:flip {:axis [axis]} cut-up]))
          (and (= 1 step) (not (integer? n)))
          (let [attrs {:axis axis :start start :stop (type/dim+ start n) :step 1}]
            (when (empty? (failing/requirements :slice attrs [(type-at m x)]))
              (cut start (:stop attrs) 1))))))

(defn- taken-in-steps [{:keys [builder args attrs] :as m}]
  (let [[x i & more] args, [axis & axes] (:axis attrs), shape (shape-at m i)
        {:keys [start step] :as found} (layers/counted builder i)]
    (when (and found (empty? more) (empty? axes) (= 1 (count shape)) (integer? start)
               (integer? step) (<= 0 (long start)))
      (part-of-axis m x axis (first shape) found))))

(defn- taken-of-taken
  "The template of x[i][j], both along one axis, as x[i[j]]."
  [{:keys [builder args attrs] :as m}]
  (let [[t j & more] args, [op own x i & others] (graph/node builder t)]
    (when (and (= :take op) (empty? more) (empty? others) (= (:axis own) (:axis attrs))
               (= 1 (count (shape-at m i))))
      [:take attrs (rule/argument x) [:take {:axis 0} (rule/argument i) (rule/argument j)]])))

(defrules readings
  "Readings at indices that count, and of readings."
  {:name :take-in-steps, :lhs :take, :rhs taken-in-steps, :keeps :bits
   :failures :root
   :why "A view instead of a copy.", :types {x [:f64 [9]]}
   :examples [[[:take x [:add 3 [:iota {:shape [4]}]]] => [:slice {:start 3 :stop 7} x]]
              [[:take x [:const {:type [:i64 [3]] :value [1 3 5]}]]
               => [:slice {:start 1 :stop 6 :step 2} x]]
              [[:take x [:const {:type [:i64 [3]] :value [5 4 3]}]]
               => [:flip {:axis 0} [:slice {:start 3 :stop 6} x]]]]}
  {:name :take-take, :lhs :take, :rhs taken-of-taken, :keeps :bits
   :failures :root
   :why "One copy instead of two.", :types {x [:f64 [5]], j [:i64 [2]]}, :gen {j [0 3]}
   :examples [[[:take [:take x [:const {:type [:i64 [3]] :value [4 0 1]}]] j]
               => [:take x [:take [:const {:type [:i64 [3]] :value [4 0 1]}] j]]]]})

;; ## Joins

(defn- repeated
  "The template of a join of one array with itself."
  [{:keys [args attrs], [_ shape] :type :as m}]
  (let [[x & more] args, from (shape-at m x), axis (:axis attrs)
        apart #(into (conj (subvec from 0 axis) %) (subvec from axis))]
    (when (and more (every? #{x} more))
      [:reshape {:shape shape}
       [:broadcast-to {:shape (apart (count args))}
        [:reshape {:shape (apart 1)} (rule/argument x)]]])))

(defn- reduced-parts
  "The template of a reduction over the axis of a join, on its parts, which have elements."
  [{:keys [builder args attrs op] :as m} join]
  (let [[joined own & parts] (graph/node builder (first args)), axes (:axis attrs)]
    (when (and (= :concatenate joined) (some #{(:axis own)} axes) (not (:keepdims attrs))
               (every? #(let [n (nth (shape-at m %) (:axis own))] (and (integer? n) (pos? n)))
                       parts))
      (reduce (fn [t u] [join t u]) (map (fn [p] [op attrs (rule/argument p)]) parts)))))

(defrules joined
  "Joins that need not be made."
  {:name :concatenate-same, :lhs :concatenate, :rhs repeated, :keeps :bits
   :why "One array is read, however often it is joined."
   :examples [[[:concatenate x x x] => [:reshape {:shape [6 3]}
                                        [:broadcast-to {:shape [3 2 3]} x]]]]}
  {:name :max-of-join, :lhs :max, :rhs (fn [m] (reduced-parts m :maximum)), :keeps :bits
   :why "Nothing is copied."
   :examples [[[:max {:axis 0} [:concatenate x y]]
               => [:maximum [:max {:axis 0} x] [:max {:axis 0} y]]]]}
  {:name :min-of-join, :lhs :min, :rhs (fn [m] (reduced-parts m :minimum)), :keeps :bits
   :why "Nothing is copied."
   :examples [[[:min {:axis 0} [:concatenate x y]]
               => [:minimum [:min {:axis 0} x] [:min {:axis 0} y]]]]}
  {:name :sum-of-join, :lhs :sum, :rhs (fn [m] (reduced-parts m :add)), :keeps :regroup
   :why "Nothing is copied."
   :types {x [:i64 [2 3]], y [:i64 [2 3]]}, :gen {x [-9 9], y [-9 9]}
   :examples [[[:sum {:axis 0} [:concatenate x y]]
               => [:add [:sum {:axis 0} x] [:sum {:axis 0} y]]]]})

;; ## Products with diagonals

(defrules diagonals
  "Products with diagonal matrices scale rows or columns."
  {:name :times-diagonal, :lhs [:matmul ?x [:diag {:k 0} ?d]], :rhs [:mul ?x ?d]
   :when #(= 1 (rule/rank-of % ?d)), :keeps :drops-nan
   :except [:zero-sign]
   :why "One product an element; the zeros need not be added.", :types {d [:f64 [3]]}
   :examples [[[:matmul x [:diag d]] => [:mul x d]]]
   :refuses [[[:matmul x [:diag d]] {d [:f64 [3 3]]}]]}
  {:name :diagonal-times, :lhs [:matmul [:diag {:k 0} ?d] ?x]
   :rhs (fn [m] [:mul (if (= 1 (rule/rank-of m ?x))
                        ?d
                        [:reshape {:shape [(first (rule/shape-of m ?d)) 1]} ?d])
                 ?x])
   :when #(= 1 (rule/rank-of % ?d)), :keeps :drops-nan
   :except [:zero-sign]
   :why "One product an element; the zeros need not be added."
   :types {d [:f64 [2]], y [:f64 [2]], z [:f64 [5 2 3]]}
   :examples [[[:matmul [:diag d] x] => [:mul [:reshape {:shape [2 1]} d] x]]
              [[:matmul [:diag d] y] => [:mul d y]]
              [[:matmul [:diag d] z] => [:mul [:reshape {:shape [2 1]} d] z]]]
   :refuses [[[:matmul [:diag d] x] {d [:f64 [2 2]]}]]})

(def families
  "The rule sets of this namespace, for damo.rules.canonicalize."
  [passing readings joined diagonals])
