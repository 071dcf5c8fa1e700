(ns damo.rules.extents
  "What extents say: how they compare, and what is alike along an axis. n < 0 → false; the sum over
  an axis along which x is stretched is n·x; sums of products of two stretched arrays are products
  of matrices, Σ_k w_ik g_kj → w·g."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.ops.all]
            [damo.op.typing :as typing]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- shape-at [{:keys [builder]} id] (type/shape-of (graph/node-type builder id)))

;; ## Comparisons of extents

(defn- extent
  "The dim that a node of no axes is, an extent or a whole number; else nil."
  [b id]
  (let [[op {:keys [dim value]} x] (graph/node b id)]
    (case op
      :dim dim
      :const (when (integer? value) value)
      :cast (when (#{:i64} (type/dtype-of (graph/node-type b id))) (recur b x))
      nil)))

(defn- extent?
  "Is a node an extent, and no number that stands as it is?"
  [b id]
  (let [[op _ x] (graph/node b id)]
    (case op :dim true, :cast (recur b x), false)))

(defn- compared
  "What a comparison of two extents gives for all sizes, nil where that depends on them."
  [{:keys [op builder args]}]
  (let [[a b :as dims] (map #(extent builder %) args)
        at-most? (fn [x y] (type/at-most? x y)), below? (fn [x y] (at-most? (type/signed+ x 1) y))]
    (when (and (every? some? dims) (some #(extent? builder %) args))
      (case op
        :lt (cond (below? a b) true, (at-most? b a) false)
        :le (cond (at-most? a b) true, (below? b a) false)
        :gt (cond (below? b a) true, (at-most? a b) false)
        :ge (cond (at-most? b a) true, (below? a b) false)
        :eq (when (some (fn [[x y]] (below? x y)) [[a b] [b a]]) false)
        :ne (when (some (fn [[x y]] (below? x y)) [[a b] [b a]]) true)))))

(defn- chosen
  "The template of the larger, or smaller, of two extents where one is that for all sizes."
  [{:keys [op builder args]}]
  (let [[a b :as dims] (map #(extent builder %) args), larger? (= op :maximum)]
    (when (and (every? some? dims) (some #(extent? builder %) args))
      (cond (type/at-most? a b) (rule/argument (nth args (if larger? 1 0)))
            (type/at-most? b a) (rule/argument (nth args (if larger? 0 1)))))))

(defrules comparisons
  "Comparisons of extents that no size changes."
  {:name :lt-extents, :lhs [:lt ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:lt [:dim {:dim 7}] 0] => [:const {:type [:bool []] :value false}]]]}
  {:name :le-extents, :lhs [:le ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:le 0 [:dim {:dim 7}]] => [:const {:type [:bool []] :value true}]]]}
  {:name :gt-extents, :lhs [:gt ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:gt [:dim {:dim 8}] 0] => [:const {:type [:bool []] :value true}]]]}
  {:name :ge-extents, :lhs [:ge ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:ge [:dim {:dim 7}] 0] => [:const {:type [:bool []] :value true}]]]}
  {:name :eq-extents, :lhs [:eq ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:eq [:dim {:dim 7}] -1] => [:const {:type [:bool []] :value false}]]]}
  {:name :ne-extents, :lhs [:ne ?x ?y], :rhs compared, :keeps :bits, :why "It is decided."
   :examples [[[:ne [:dim {:dim 7}] -1] => [:const {:type [:bool []] :value true}]]]}
  {:name :larger-extent, :lhs [:maximum ?x ?y], :rhs chosen, :keeps :bits, :why "It is decided."
   :examples [[[:maximum [:dim {:dim 7}] 0] => [:const {:type [:i64 []] :value 7}]]]}
  {:name :smaller-extent, :lhs [:minimum ?x ?y], :rhs chosen, :keeps :bits, :why "It is decided."
   :examples [[[:minimum [:dim {:dim 7}] 0] => [:const {:type [:i64 []] :value 0}]]]})

;; ## Reductions of what is stretched

(defn- stretched
  "[axes shape]: of these axes of an array that was broadcast from shape `from` to `to` those along
  which it is stretched, and the shape of the array without these."
  [axes from to]
  (let [extra (- (count to) (count from))
        alike? (fn [i] (let [j (- (long i) extra)] (or (neg? j) (not= (nth from j) (nth to i)))))
        gone (filterv alike? axes)]
    [gone (into [] (keep-indexed (fn [i d] (when-not (some #{i} gone) (if (alike? i) 1 d)))) to)]))

(defn- behind [gone axes]
  (let [before (fn [a] (count (filter #(< (long %) (long a)) gone)))]
    (mapv #(- (long %) (before %)) (remove (set gone) axes))))

(defn- reduced-less
  "The template of a reduction of an array that is stretched along some of its axes, given what
  (rest template extent) makes of the reduction along the others, so many times."
  [{:keys [builder args attrs op], [_ out] :type :as m} repeated]
  (let [[of _ x] (graph/node builder (first args))]
    (when (and (= :broadcast-to of) (not (:keepdims attrs)))
      (let [to (shape-at m (first args)), from (shape-at m x)
            [gone shape] (stretched (:axis attrs) from to)
            n (apply type/dim* (map to gone))]
        (when (and (seq gone) (seq from))
          (let [left (behind gone (:axis attrs))
                whole (into [] (keep-indexed (fn [i d] (when-not (some #{i} gone) d))) to)
                below [:broadcast-to {:shape whole} [:reshape {:shape shape} (rule/argument x)]]]
            (repeated [op (assoc attrs :axis left) below] n)))))))

(defn- nonempty [template n] (when (type/at-most? 1 n) template))

(defn- times
  "The template of a sum that is there n times; none of what is infinite is 0."
  [{[dtype] :type} template n]
  (let [wide (type/computed dtype)
        all (typing/as-dtype dtype wide [:mul [:cast {:dtype wide} [:dim {:dim n}]]
                                         (typing/as-dtype wide dtype template)])]
    (if (type/at-most? 1 n) all [:where [:gt [:dim {:dim n}] 0] all 0])))

(defrules alike
  "Reductions along axes along which everything is alike."
  {:name :sum-of-stretched, :lhs [:sum {:keepdims false} [:broadcast-to ?x]]
   :rhs (fn [m] (reduced-less m (partial times m)))
   :when #(rule/float? % ?x), :keeps :value, :except [:overflow :underflow]
   :why "A product instead of a loop.", :types {r [:f64 [3]]}
   :examples [[[:sum {:axis 0} [:broadcast-to {:shape [4 3]} r]] => [:mul 4.0 r]]
              [[:sum [:broadcast-to {:shape [4 3]} r]] => [:mul 4.0 [:sum r]]]]
   :refuses [[[:sum {:axis 0} [:broadcast-to {:shape [4 3]} r]] {r [:i64 [3]]}]]}
  {:name :max-of-stretched, :lhs [:max {:keepdims false} [:broadcast-to ?x]]
   :rhs (fn [m] (reduced-less m nonempty)), :keeps :bits
   :why "One of what is alike is the largest.", :types {r [:f64 [3]]}
   :examples [[[:max {:axis 0} [:broadcast-to {:shape [4 3]} r]] => r]]}
  {:name :min-of-stretched, :lhs [:min {:keepdims false} [:broadcast-to ?x]]
   :rhs (fn [m] (reduced-less m nonempty)), :keeps :bits
   :why "One of what is alike is the smallest.", :types {r [:f64 [3]]}
   :examples [[[:min {:axis 0} [:broadcast-to {:shape [4 3]} r]] => r]]}
  {:name :all-of-stretched, :lhs [:all {:keepdims false} [:broadcast-to ?x]]
   :rhs (fn [m] (reduced-less m nonempty)), :keeps :bits
   :why "What is alike is all true or none.", :types {r [:bool [3]]}
   :examples [[[:all {:axis 0} [:broadcast-to {:shape [4 3]} [:lt r true]]] => [:lt r true]]]})

;; ## Sums of products of stretched arrays

(defn- own-axes
  "The axes of a result of that shape along which an array of shape `from` is not stretched."
  [from shape]
  (let [extra (- (count shape) (count from))]
    (into #{} (keep-indexed (fn [i d] (when-not (= 1 d) (+ i extra)))) from)))

(defn- outer?
  "Has each of the two arrays an axis along which the other one is stretched?"
  [{[_ shape] :type :as m} ?x ?y]
  (let [[of-x of-y] (map #(own-axes (rule/shape-of m %) shape) [?x ?y])]
    (and (some (complement of-y) of-x) (some (complement of-x) of-y))))

(defn- narrowed
  "The template of what a name matched, without the axes of extent 1."
  [m ?v]
  [:reshape {:shape (into [] (remove #{1}) (rule/shape-of m ?v))} ?v])

(defn- letters [axes] (apply str (map #(char (+ (int \a) (long %))) (sort axes))))

(defn- contracted
  "The template of a sum of products of two arrays, each of which is stretched along an axis of the
  other: what one factor alone has is summed before, and what is left is a product of matrices where
  both have what is summed."
  [{:keys [attrs args], [_ out] :type :as m} ?x ?y]
  (let [shape (shape-at m (first args)), rank (count shape), summed (set (:axis attrs))
        [of-x of-y] (map #(own-axes (rule/shape-of m %) shape) [?x ?y])
        kept (remove summed (range rank))
        inner (filter summed (filter of-x of-y))
        alone (filter summed (concat (remove of-y of-x) (remove of-x of-y)))
        outer? (and (some (complement of-y) (remove summed of-x))
                    (some (complement of-x) (remove summed of-y)))]
    (when (and (<= rank 26) (every? #(or (of-x %) (of-y %)) (range rank))
               (or (seq alone) (and outer? (seq inner))))
      [:reshape {:shape out}
       [:einsum {:subscripts (str (letters of-x) "," (letters of-y) "->" (letters kept))}
        (narrowed m ?x) (narrowed m ?y)]])))

(defrules outers
  "Squares and sums of products of arrays each of which is stretched along an axis of the other."
  {:name :square-of-outer, :lhs [:sqr [:mul ?x ?y]], :rhs [:mul [:sqr ?x] [:sqr ?y]]
   :when #(outer? % ?x ?y), :share :sole, :keeps :value, :except [:overflow :underflow]
   :why "There are fewer squares; sums of them are products.", :types {r [:f64 [2 1]], c [:f64 [3]]}
   :examples [[[:sqr [:mul r c]] => [:mul [:sqr r] [:sqr c]]]]
   :refuses [[[:sqr [:mul x y]]]]}
  {:name :sum-of-outer, :lhs [:sum {:keepdims false} [:mul ?x ?y]]
   :rhs (fn [m] (contracted m ?x ?y))
   :when #(and (rule/float? % ?x) (not (rule/scalar? % ?x)) (not (rule/scalar? % ?y)))
   :share :sole, :keeps :regroup, :except [:overflow :underflow]
   :why "Sums of less, and products of matrices."
   :types {x [:f64 [4 3 1]], y [:f64 [1 3 5]], z [:f64 [3 2]], i [:i64 [4 3 1]], s [:f64 []]}
   :examples [[[:sum {:axis 1} [:mul x y]]
               => [:matmul [:reshape {:shape [4 3]} x] [:reshape {:shape [3 5]} y]]]]
   :refuses [[[:sum {:axis 1} [:mul i y]] {y [:i64 [1 3 5]]}] [[:sum [:mul s z]]]]})

(def families "The families of this namespace." [comparisons alike outers])
