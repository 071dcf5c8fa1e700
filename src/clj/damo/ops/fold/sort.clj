(ns damo.ops.fold.sort
  "Sorting along an axis, and what follows from it: the largest elements, medians and quantiles,
  distinct values. Sorts are stable: equal elements keep their order, -0.0 and 0.0 are equal; NaN is
  larger than all numbers."
  (:refer-clojure :exclude [sort])
  (:require [damo.data.array :as array]
            [damo.data.attribute :as attribute]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.scalar.base :as scalar]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:axis {:default -1, :is :axis, :doc "the axis to sort along"}
   :descending {:default false, :doc "true: the largest first, NaN before all; equal elements keep
  their order nevertheless"}
   :k {:default nil, :is :dim
       :doc "how many of the first to give, a dim, for less than all of them take; nil: all"}})

(defn- check-k [{:keys [k] :as attrs} [[_ shape] :as types]]
  (let [{:keys [axis] :as attrs} (typing/normal-axis attrs types), n (nth shape axis)]
    (when (and k (integer? k) (integer? n) (< n k))
      (fail! :damo.op.sort/too-many
             (str "there are no " k " elements to take along axis " axis " of " (pr-str shape))
             {:k k, :axis axis, :shape shape, :try (str "a :k of at most " n)}))
    (cond-> attrs k (assoc :k (type/dim+ k)))))

(defn- sorted-shape [attrs [[_ shape] :as types]]
  (let [{:keys [axis k]} (check-k attrs types)] (cond-> shape k (assoc axis k))))

(defn- sorted-type [attrs [[dtype] :as types]] [dtype (sorted-shape attrs types)])

(defn- k-is-there
  "What is required of dims: that there are so many elements."
  [{{:keys [axis k]} :attrs, [[_ shape]] :types}]
  (when k [[k (nth shape axis)]]))

;; ## Meaning

(defn- nan? [x] (and (float? x) (Double/isNaN x)))

(defn- compared ^long [x y]
  (let [x (scalar/number x), y (scalar/number y)]
    (cond (nan? x) (if (nan? y) 0 1)
          (nan? y) -1
          (< x y) -1
          (> x y) 1
          :else 0)))

(defn- order-of
  "The positions of the elements of a vector in sorted order."
  [xs descending]
  (clojure.core/sort-by xs (if descending #(compared %2 %1) compared) (range (count xs))))

(defn- along
  "The array of that dtype whose lines along the axis are (f line) of those of x."
  [dtype axis f {:keys [shape] :as x}]
  (let [n (nth shape axis)
        line (memoize (fn [lead] (vec (f (mapv #(array/at x (assoc lead axis %)) (range n))))))]
    (array/from-indices dtype shape
                        (fn [index] ((line (assoc index axis 0)) (nth index axis))))))

(defn- leading
  "The first k elements of the lines along the axis of an array, all where k is nil."
  [{:keys [axis k] :as attrs} {:keys [dtype shape] :as all}]
  (check-k attrs [(array/type-of all)])
  (if k
    (array/from-indices dtype (assoc shape axis k) #(array/at all %))
    all))

(defn- sorted-elements [{:keys [axis descending] :as attrs} {:keys [dtype] :as x}]
  (leading attrs (along dtype axis #(map % (order-of % descending)) x)))

(defn- sorted-places [{:keys [axis descending] :as attrs} x]
  (leading attrs (along :i64 axis #(order-of % descending) x)))

;; ## Generated calls

(defn- random-lines
  "A case of an op along one axis, with ties and, of floats, some NaN and infinities."
  [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (gens/variant ctx [[[size] -1] [[size 3] 0] [[2 size] -1] [[2 size 3] 1]])
        odd-ones [##NaN ##Inf ##-Inf 0.0 -0.0]
        changed #(if (float? %) (if (< -0.3 % 0.3) (gens/choose ctx odd-ones) (Math/rint %)) %)]
    {:attrs {:axis axis}
     :args [(array/map-elements dtype changed [(gens/random-array ctx dtype shape)])]}))

(defn- some-first
  "The generator whose calls ask for all that is sorted, or for the first of it."
  [generator]
  (gens/with-choices
   (fn [{:keys [size] :as ctx}]
     (let [k (gens/choose ctx [nil nil 0 1 (min 2 (dec size))])]
       (cond-> (generator ctx) (and k (< 0 size)) (assoc-in [:attrs :k] (max 0 k)))))
   :descending [false true]))

(defn- plain-lines
  "The same of numbers alone, which differ."
  [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (gens/variant ctx [[[size] -1] [[size 3] 0] [[2 size] -1] [[2 size 3] 1]])]
    {:attrs {:axis axis}, :args [(gens/random-array ctx dtype shape [-50 50])]}))

;; ## Permutations

(defop argsort
  "The permutation that sorts x along an axis, :i64: the index of the smallest element, of the next
  …. Stable; NaN comes last."
  {:kind :nest, :nest :argsort, :args [?x], :attrs attributes
   :normalize check-k, :requires k-is-there
   :type (fn [attrs types] [:i64 (sorted-shape attrs types)]), :eval sorted-places
   :lop [0], :rop 0
   :failure "the elements can be put in order", :batch {}, :beside :sort-and-argsort
   :gen (some-first random-lines)
   :examples [[[:argsort [:mod [:iota {:shape [5] :axis 0}] 3]] [0 3 1 4 2]]
              [[:argsort {:descending true} [:mod [:iota {:shape [5] :axis 0}] 3]] [2 1 4 0 3]]]})

(defn- check-permutation [x]
  (when-not (= (clojure.core/sort x) (range (count x)))
    (fail! :damo.op.sort/not-a-permutation (str "the integers 0 to " (dec (count x))
                                            ", each once, are a permutation; got " (pr-str x))
           {:given x})))

(defn- inverted [xs]
  (check-permutation xs)
  (map (zipmap xs (range)) (range (count xs))))

(defop inverse-permutation
  "The permutations along an axis inverted: p[inverse[i]] = i. Fails on what is no permutation."
  {:kind :nest, :nest :inverse-permutation, :args [?p]
   :attrs {:axis {:default -1, :is :axis
                  :doc "the axis along which the permutations lie"}}
   :type (fn [attrs [[dtype shape] :as types]]
           (typing/check-dtype :int dtype)
           (typing/normal-axis attrs types)
           [:i64 shape])
   :eval (fn [{:keys [axis]} p] (along :i64 axis inverted p))
   :lop [0], :rop 0
   :failure "a permutation has each of the integers from 0 on once"
   :gen (fn [{:keys [dtype] :as ctx}]
          (let [{{:keys [axis]} :attrs, [x] :args} (plain-lines ctx)
                p (along :i64 (type/axis-index (count (:shape x)) axis) #(order-of % false) x)]
            {:attrs {:axis axis}, :args [(if (= dtype :i32) (array/cast :i32 p) p)]}))
   :examples [[[:inverse-permutation [:mod [:mul 3 [:iota {:shape [5] :axis 0}]] 5]]
               [0 2 4 1 3]]]})

(defn- flat-places
  "The template of the positions, in a dense array of the shape of which `strides` are, of the
  elements at indices `at` along an axis; `shape` is that of `at`."
  [shape strides axis at]
  (let [scaled (fn [t d] (cond (= 1 d) t
                               (integer? d) [:mul t d]
                               :else [:mul t [:dim {:dim d}]]))]
    (reduce (fn [sum i]
              (if (or (= i axis) (= 1 (nth shape i)))
                sum
                [:add sum (scaled [:iota {:shape shape, :axis i}] (nth strides i))]))
            (scaled at (nth strides axis)) (range (count shape)))))

(defn- taken-along
  "The template of the elements of t, of the shape `from`, at indices `at`, of that shape, along an
  axis."
  [from shape axis t at]
  [:take {:axis 0} [:reshape {:shape [(type/size from)]} t]
   (flat-places shape (array/strides from) axis at)])

(defn- put-along
  "The template of the array of the shape `to` that has the elements of t, of that shape, at indices
  `at` along an axis, and zeros."
  [to [dtype shape] axis t at]
  (let [flat (fn [t] [:reshape {:shape [(type/size shape)]} t])]
    [:reshape {:shape to}
     [:inc-at {:axis 0} (typing/filled dtype [(type/size to)] 0)
      (flat (flat-places shape (array/strides to) axis at)) (flat t)]]))

(defn- sort-lop
  "The template of the gradient of a sort by g, of that of its result; `places` is the template of
  its permutation."
  [{{:keys [axis k]} :attrs, [[_ from]] :types} [_ shape :as type] g places]
  (if k
    (put-along from type axis g places)
    (taken-along shape shape axis g [:inverse-permutation {:axis axis} places])))

(defn- sort-rop [{{:keys [axis]} :attrs, [[_ from]] :types} [_ shape] places]
  (taken-along from shape axis '?dx places))

(defop sort
  "x sorted along an axis. NaN comes last. The derivative goes by the permutation of `argsort`: of
  equal elements the first gets what the first of them in the result gets."
  {:kind :nest, :nest :sort, :args [?x], :attrs attributes
   :normalize check-k, :requires k-is-there
   :type sorted-type, :eval sorted-elements
   :lop (fn [{:keys [attrs type] :as node}] [(sort-lop node type '?g [:argsort attrs '?x])])
   :rop (fn [{:keys [attrs type] :as node}] (sort-rop node type [:argsort attrs '?x]))
   :failure "the elements can be put in order", :batch {}
   :gen (some-first plain-lines)
   :examples [[[:sort [:mod [:iota {:shape [5] :axis 0}] 3]] [0 0 1 1 2]]
              [[:sort {:k 3} [:mod [:iota {:shape [5] :axis 0}] 3]] [0 0 1]]]})

(defop sort-and-argsort
  "[sorted permutation] of x along an axis: what sort and argsort give, of one sorting."
  {:kind :nest, :nest :sort-and-argsort, :args [?x], :attrs attributes
   :normalize check-k, :requires k-is-there
   :type (fn [attrs types] (tuple/of [(sorted-type attrs types) [:i64 (sorted-shape attrs types)]]))
   :eval (fn [attrs x] [(sorted-elements attrs x) (sorted-places attrs x)])
   :alone (fn [{:keys [attrs]}] [[:sort attrs ?x] [:argsort attrs ?x]])
   :lop (fn [{:keys [type] :as node}] [(sort-lop node (first (tuple/types type)) '?g0 '?out1)])
   :rop (fn [{:keys [type] :as node}] [(sort-rop node (first (tuple/types type)) '?out1) 0])
   :failure "the elements can be put in order", :batch {}
   :gen (some-first plain-lines)
   :examples [[[:part {:at 0} [:sort-and-argsort [:mod [:iota {:shape [5] :axis 0}] 3]]]
               [0 0 1 1 2]]
              [[:part {:at 1} [:sort-and-argsort [:mod [:iota {:shape [5] :axis 0}] 3]]]
               [0 3 1 4 2]]]})

;; ## The largest elements

(def ^:private top-attributes
  {:k {:is :dim, :doc "how many elements to take, a dim"}
   :axis {:default -1, :is :axis, :doc "the axis to search along"}
   :largest {:default true, :doc "false: the smallest elements"}})

(defn- in-order
  "The attributes of the sort of which the first are the largest, or smallest, ones."
  [{:keys [axis k largest]}]
  {:axis axis, :descending largest, :k k})

(defn- top-lines [{:keys [size] :as ctx}]
  (let [{{:keys [axis]} :attrs, [x] :args} (plain-lines ctx)]
    {:attrs {:axis axis, :k (min size (gens/choose ctx [0 1 2 size]))
             :largest (gens/choose ctx [true false])}
     :args [x]}))

(defop topk
  "The k largest elements along an axis, the largest first; :largest false: the smallest, the
  smallest first. NaN is larger than all numbers; of equal elements the first come first."
  {:kind :composite, :args [?x], :attrs top-attributes, :normalize check-k
   :type sorted-type, :eval (fn [attrs x] (sorted-elements (in-order attrs) x))
   :expand (fn [{:keys [attrs]}] [:sort (in-order attrs) ?x])
   :gen top-lines
   :examples [[[:topk {:k 2} [:mod [:iota {:shape [5] :axis 0}] 3]] [2 1]]]})

(defop argtopk
  "The indices of the k largest elements along an axis, :i64, as topk orders them."
  {:kind :composite, :args [?x], :attrs top-attributes, :normalize check-k
   :type (fn [attrs types] [:i64 (sorted-shape attrs types)])
   :eval (fn [attrs x] (sorted-places (in-order attrs) x))
   :expand (fn [{:keys [attrs]}] [:argsort (in-order attrs) ?x])
   :gen top-lines
   :examples [[[:argtopk {:k 2} [:mod [:iota {:shape [5] :axis 0}] 3]] [2 1]]]})

(defop topk-and-argtopk
  "[values indices] of the k largest elements along an axis: what topk and argtopk give, of one
  sorting."
  {:kind :composite, :args [?x], :attrs top-attributes, :normalize check-k
   :type (fn [attrs types] (tuple/of [(sorted-type attrs types) [:i64 (sorted-shape attrs types)]]))
   :eval (fn [attrs x] (mapv #(% (in-order attrs) x) [sorted-elements sorted-places]))
   :alone (fn [{:keys [attrs]}] [[:topk attrs ?x] [:argtopk attrs ?x]])
   :expand (fn [{:keys [attrs]}]
             (let [both [:sort-and-argsort (in-order attrs) ?x]]
               [:tuple [:part {:at 0} both] [:part {:at 1} both]]))
   :gen top-lines
   :examples [[[:part {:at 0} [:topk-and-argtopk {:k 2} [:mod [:iota {:shape [5] :axis 0}] 3]]]
               [2 1]]
              [[:part {:at 1} [:topk-and-argtopk {:k 2} [:mod [:iota {:shape [5] :axis 0}] 3]]]
               [2 1]]]})

;; ## Searching and counting

(defn- side-type [{:keys [side]} [[_ a] [_ v]]]
  (when-not (#{:left :right} side)
    (fail! :damo.op.sort/bad-side
           (str "the side is :left or :right; got " (pr-str side)) {:given side}))
  (when-not (= 1 (count a))
    (fail! :damo.op.sort/bad-vector
           (str "searches a sorted vector; its shape is " (pr-str a)) {:shape a}))
  [:i64 v])

(defn- place-of [xs side v]
  (count (take-while #(let [c (compared % v)] (if (= side :left) (neg? c) (<= c 0))) xs)))

(defop searchsorted
  "For each element v of the second argument the number of elements of the sorted vector that are
  smaller, :side :left, or not larger, :right: where v can be put so that the vector stays sorted.
  :i64. Of a vector that is not sorted it is some number between 0 and its length."
  {:kind :nest, :nest :searchsorted, :args [?sorted ?v], :coerce [0 1]
   :attrs {:side {:default :left, :is #{:left :right}, :own-check true
                  :doc ":left or :right of equal elements"}}
   :type side-type
   :eval (fn [{:keys [side]} sorted {:keys [shape] :as v}]
           (let [xs (array/values sorted)]
             (array/from-indices :i64 shape #(place-of xs side (array/at v %)))))
   :lop [0 0], :rop 0
   :failure "a place lies inside the vector"
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [{[x] :args} (random-lines (assoc ctx :seed 0))]
            {:attrs {:side (gens/choose ctx [:left :right])}
             :args [(along dtype 0 #(map % (order-of % false)) x)
                    (first (:args (random-lines (assoc ctx :size (max 1 size)))))]}))
   :examples [[[:searchsorted [:mul 2 [:iota {:shape [4] :axis 0}]] 3] 2]
              [[:searchsorted {:side :right} [:iota {:shape [4] :axis 0}] 2] 3]]})

(defn- counted-bins [{:keys [length]} x weights]
  (let [{:keys [shape]} x, at (array/checked-indices x length)
        {:keys [dtype]} weights
        plus (if (type/float-dtype? dtype) + unchecked-add)
        sums (reduce (fn [m i] (update m (array/element at i) (fnil plus 0)
                                       (array/element weights i)))
                     {} (range (array/size shape)))]
    (array/build dtype [length] #(get sums % 0))))

(defop weighted-bincount
  "For each integer 0 … length - 1 the sum of the weights of the elements of x that are it, a
  vector of :length elements of the dtype of the weights. An element outside of 0 … length - 1
  fails."
  {:kind :composite, :args [?x ?weights]
   :attrs {:length {:doc "the length of the result, a dim"}}
   :type (fn [{:keys [length]} [[from x] [dtype weights]]]
           (typing/check-dtype :int from)
           (typing/check-dtype :num dtype)
           (typing/unify-shapes "there is a weight for each element" x weights)
           (type/check [dtype [length]]))
   :eval counted-bins
   :expand (fn [{{:keys [length]} :attrs, [[_ x] [dtype]] :types}]
             (let [flat (fn [t] [:reshape {:shape [(type/size x)]} t])]
               [:inc-at {:axis 0} (typing/filled dtype [length] 0)
                [:check-index {:extent length} (flat ?x)] (flat ?weights)]))
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [shape (gens/variant ctx [[size] [2 size] []])]
            {:attrs {:length 5}
             :args [(gens/indices ctx shape 0 5) (gens/random-array ctx dtype shape)]}))
   :examples [[[:weighted-bincount {:length 3} [:zeros {:shape [2], :dtype :i64}]
                [:ones {:shape [2]}]]
               [2.0 0.0 0.0]]]})

(defop bincount
  "How often each integer 0 … length - 1 is an element of x, a vector of :length elements, :i64.
  An element outside of 0 … length - 1 fails."
  {:kind :composite, :args [?x], :attrs {:length {:doc "the length of the result, a dim"}}
   :type (fn [{:keys [length]} [[from]]]
           (typing/check-dtype :int from)
           (type/check [:i64 [length]]))
   :eval (fn [attrs {:keys [shape] :as x}] (counted-bins attrs x (array/full :i64 shape 1)))
   :expand (fn [{:keys [attrs], [[_ shape]] :types}]
             [:weighted-bincount attrs ?x (typing/filled :i64 shape 1)])
   :gen (fn [{:keys [size] :as ctx}]
          (let [shape (gens/variant ctx [[size] [2 size] []])]
            {:attrs {:length 5}, :args [(gens/indices ctx shape 0 5)]}))
   :examples [[[:bincount {:length 4} [:mod [:iota {:shape [5] :axis 0}] 3]] [2 2 1 0]]]})

(def ^:private count-options
  {:length {:doc "the length of the result, a dim", :is :dim}, :weights {:default nil}})

(defn call-bincount
  "How often each integer 0 … length - 1 is an element of x, a vector of :length elements, :i64;
  with :weights, of the shape of x, the sum of the weights of these elements. An element outside of
  0 … length - 1 fails."
  [x & options]
  (let [{:keys [length weights]} (attribute/options count-options [:length] options)]
    (if weights
      (op/node :weighted-bincount {:length length} [x weights])
      (op/node :bincount {:length length} [x]))))
