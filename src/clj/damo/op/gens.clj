(ns damo.op.gens
  "Generated calls of ops, for the laws over the registry: (case :add :f32 13 7) is one call of
  add on arrays with axes of about 13 elements. The seed chooses shapes, axes and values; equal
  arguments give equal cases. An entry's :gen is {?x [lo hi] or a dtype} for elementwise ops, else
  a function of a context {:dtype :size :seed :random} to {:attrs … :args [array …]}."
  (:refer-clojure :exclude [case])
  (:require [clojure.string :as str]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.typing :as typing])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Values

(defn choose
  "One of the choices, by the context's source of randomness."
  [{:keys [^Random random]} choices]
  (nth choices (.nextInt random (count choices))))

(defn- random-value [^Random random dtype [lo hi]]
  (let [{:keys [kind] :as info} (type/dtypes dtype)]
    (clojure.core/case kind
      :float (array/convert dtype (+ lo (* (- hi lo) (.nextDouble random))))
      :bool (.nextBoolean random)
      :int (let [lo (long (max (Math/ceil lo) (:lo info)))
                 hi (long (min (Math/floor hi) (:hi info)))]
             (+ lo (.nextInt random (int (inc (max 0 (- hi lo))))))))))

(defn random-array
  "An array of that dtype and shape with values in [lo hi] (default [-3 3]), as far as the dtype
  holds them."
  ([ctx dtype shape] (random-array ctx dtype shape [-3 3]))
  ([{:keys [random]} dtype shape range]
   (array/of dtype shape (repeatedly (array/size shape) #(random-value random dtype range)))))

;; ## Contexts of generator functions

(defn variant
  "One of the choices, by the seed alone: consecutive seeds go through all of them."
  [{:keys [seed]} choices]
  (nth choices (mod seed (count choices))))

(def ^:private elementwise-shapes
  {1 (fn [n] [[[n]] [[2 n]] [[]]])
   2 (fn [n] [[[n] [n]] [[3 n] [n]] [[n] []] [[n 1] [1 n]] [[2 n 3] [n 1]] [[] [n]] [[1] [n]]])
   3 (fn [n] [[[n] [n] [n]] [[n] [] []] [[n 1] [1 n] []] [[2 n] [n] [2 1]]])
   4 (fn [n] [[[n] [n] [n] [n]] [[] [n] [] []] [[n 1] [1 n] [] [n 1]] [[] [2 n] [n] [2 1]]])})

(defn- elementwise [{:keys [dtype size] :as ctx} args gen]
  (let [shapes (variant ctx ((elementwise-shapes (count args)) size))]
    {:attrs {}
     :args (mapv (fn [arg shape]
                   (let [g (get gen arg [-3 3])]
                     (if (keyword? g) (random-array ctx g shape) (random-array ctx dtype shape g))))
                 args shapes)}))

(defn reduction
  "A case of a reduction: some axes of an array of rank 0 to 3."
  [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (variant ctx [[[size] nil] [[size 3] 0] [[2 size] -1] [[2 size 3] [0 2]]
                                   [[2 size 3] 1] [[size 1] [1]] [[] nil] [[3 size] []]])]
    {:attrs {:axis axis, :keepdims (choose ctx [true false])}
     :args [(random-array ctx dtype shape)]}))

(defn line-reduction
  "A case of a reduction along one axis of an array, or over all."
  [{:keys [dtype size] :as ctx}]
  (let [[shape axis] (variant ctx [[[size] nil] [[size 3] 0] [[2 size] -1] [[2 size 3] 1]
                                   [[2 size] nil]])]
    {:attrs {:axis axis, :keepdims (choose ctx [true false])}
     :args [(random-array ctx dtype shape)]}))

(defn arg-reduction
  "The same with ties, for argmax and the like."
  [{:keys [dtype] :as ctx}]
  (update (line-reduction ctx) :args
          (partial mapv #(array/map-elements dtype (fn [x] (if (float? x) (Math/rint x) x)) [%]))))

(defn with-choices
  "The generator function `gen` with one of these values for the attribute k besides."
  [gen k choices]
  (fn [ctx] (assoc-in (gen ctx) [:attrs k] (choose ctx choices))))

(defn on-shapes
  "A generator function: `f` of the size gives the choices [attrs shape …] of attributes and
  shapes of arguments."
  [f]
  (fn [{:keys [dtype size] :as ctx}]
    (let [[attrs & shapes] (variant ctx (f size))]
      {:attrs attrs, :args (mapv #(random-array ctx dtype %) shapes)})))

(defn without-arguments
  "A generator function of an op without arguments: `f` of dtype and size gives the choices of
  attributes."
  [f]
  (fn [{:keys [dtype size] :as ctx}]
    {:attrs (variant ctx (f dtype size)), :args []}))

(defn indices
  "An array of indices of that shape, :i64 or narrower, into an axis of that extent, from `lowest`
  on (negative ones count from the end)."
  [ctx shape lowest extent]
  (random-array ctx (choose ctx [:i64 :i32 :i8]) shape [lowest (dec extent)]))

;; ## Cases

(defn- context [op dtype size seed]
  {:dtype dtype, :size size, :seed seed, :random (Random. (hash [op dtype size seed]))})

(def ^:private plain
  "The context of op/construct for arrays in place of expressions."
  {:type-of (fn [{:keys [type] :as x}] (if (:op x) type (array/type-of x)))
   :make (fn [op attrs args type] {:op op, :attrs attrs, :args (vec args), :type type})
   :hash-of (fn [x] (hash (if (:op x) x (array/values x))))
   :weaken (fn [x _] x)
   :facts (fn [_ attrs args] {:attrs attrs, :arguments (mapv pr-str args)})})

(defn- construct [op attrs args seed]
  (try
    (let [{:keys [type] :as made} (op/construct plain op attrs args)]
      (when-not (some :op (:args made))
        (if (tuple/type? type)
          (let [at (mod (quot (mod seed 840) 4) (count (tuple/types type)))]
            (assoc made :at at, :type (nth (tuple/types type) at)))
          made)))
    (catch clojure.lang.ExceptionInfo e
      (when-not (#{::typing/bad-dtype ::typing/empty-reduction} (:damo/error (ex-data e)))
        (throw e)))))

(def ^:private costly-families
  "Folders of ops whose calls take long to compile or to evaluate by their meaning."
  ["damo.ops.conv." "damo.ops.linalg." "damo.ops.sparse." "damo.ops.fft."])

(defn- too-costly?
  "Is a call of that size of an op left out? Of costly ops the small ones alone are made."
  [{:keys [ns]} size]
  (and (< 7 (long size)) (some #(str/starts-with? (str ns) %) costly-families)))

(defn case
  "A call of an op, {:op :attrs :args [array …] :type}, attributes in normal form, of an op that has
  several results with :at, the one that is meant; nil when the op does not take that dtype as it
  is, or not that size, and of costly ops beyond a size of 7. Sizes are extents; `seed` is a natural
  number."
  [op dtype size seed]
  (let [{:keys [kind args gen] :as entry} (op/entry op)
        ctx (context op dtype size seed)]
    (when-not (too-costly? entry size)
      (let [{:keys [attrs args]}
            (cond (fn? gen) (gen ctx)
                  (= kind :elementwise) (elementwise ctx args gen)
                  :else (fail! ::no-generator (str "the op " op " has no :gen") {:op op}))]
        (construct op attrs args seed)))))

(def ^:private special-values
  {:float [0.0 -0.0 1.0 -1.0 0.5 -2.5 3.0 7.0 1e-30 -1e10 88.5 ##Inf ##-Inf ##NaN]
   :int [0 1 -1 2 -7 13 100 Long/MAX_VALUE Long/MIN_VALUE]
   :bool [true false]})

(defn- specials-of [dtype]
  (let [{:keys [kind lo hi]} (type/dtypes dtype)]
    (if (= kind :int)
      (distinct (map #(-> % (max lo) (min hi)) (special-values kind)))
      (map #(array/convert dtype %) (special-values kind)))))

(defn special-case
  "A call of an elementwise op on all combinations of special values (zeros, infinities, NaN,
  extremes); nil for other ops and dtypes that it does not take."
  [op dtype]
  (let [{:keys [kind args gen]} (op/entry op)
        attrs (:attrs (case op dtype 1 0))]
    (when (and (= kind :elementwise) attrs)
      (let [dtypes (map #(let [g (when (map? gen) (gen %))] (if (keyword? g) g dtype)) args)
            rows (reduce (fn [rows d] (for [r rows, v (specials-of d)] (conj r v))) [[]] dtypes)]
        (construct op attrs
                   (map-indexed (fn [i d] (array/of d [(count rows)] (map #(nth % i) rows)))
                                dtypes)
                   0)))))

;; ## Graphs of cases

(defn- named-dim
  "The name of an extent, n13 for 13, when it is one of `known` and above 1 (axes of 1 broadcast)."
  [known d]
  (if (and (< 1 d) (known d)) (symbol (str "n" d)) d))

(defn- named-attrs
  "The attributes with the extents among them named. A -1 was replaced when the case was made."
  [known attrs]
  (let [dim #(named-dim known %)]
    (cond-> attrs
      (:shape attrs) (update :shape (partial mapv dim))
      (:extent attrs) (update :extent dim)
      (:classes attrs) (update :classes dim))))

(defn- input! [b name type]
  (op/->Id (graph/add-node! b [:input {:name name, :type type}] type nil)))

(defn- with-seen
  "The id of what laws see of a case's output, `out` of the node: what the entry has under :seen
  where only that is determined, else the output itself."
  [b {:keys [op attrs at]} types node out]
  (let [{:keys [seen]} (op/entry op)
        template (when seen (seen {:attrs attrs, :types types, :at at}))]
    (if template (op/instantiate! (op/emitter b nil) {'?out node} template) out)))

(defn- graph-of [{:keys [op attrs args at] :as c} named see]
  (let [b (graph/builder)
        known (if named (into #{} (mapcat :shape) args) #{})
        names (mapv #(symbol (str "x" %)) (range (count args)))
        types (mapv (fn [{:keys [dtype shape]}] [dtype (mapv #(named-dim known %) shape)]) args)]
    (try
      (let [node (op/emit! b op (named-attrs known attrs) (mapv #(input! b %1 %2) names types) nil)
            out (if at (op/emit! b :part {:at at} [(op/->Id node)] nil) node)]
        {:graph (graph/finish b [(see b c types node out)]), :env (zipmap names args)})
      (catch clojure.lang.ExceptionInfo e
        (when-not named (throw e))))))

(defn graph
  "{:graph g :env {name array}} of a case: its arguments are the inputs x0, x1 …, its value the
  output. With `named`, extents above 1 of the arguments are the dimensions n2, n3 …; nil for an op
  that needs to know them."
  ([c] (graph c false))
  ([c named] (graph-of c named (fn [_ _ _ _ out] out))))

(defn seen-graph
  "The same whose output is what is determined of the case's value: where signs or bases are free,
  as those of eigenvectors are, what the entry of the op has under :seen."
  ([c] (seen-graph c false))
  ([c named] (graph-of c named with-seen)))
