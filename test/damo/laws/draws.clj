(ns damo.laws.draws
  "Random calls of every op of the registry on nodes of a random graph. What an op asks of its
  arguments is read off its generator: types, ranges, sorted rows, permutations. (call pool seed)
  gives {:op :args {?x0 node …} :template :bound …}, as the steps of damo.laws.graphs do."
  (:require [clojure.walk :as walk]
            [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.laws.running :as running]
            [damo.laws.sampling :as sampling]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private size
  "The extent of generated calls that stands for a dimension of the graph: no op's own number."
  7)

(def ^:private similar
  "Seeds that lie this far apart choose the same variant of shapes and attributes."
  840)

;; ## What an op asks of its arguments

(defn- rows
  "The rows of an array with at least one axis, NaN left out."
  [{:keys [shape] :as a}]
  (map (partial remove #(and (float? %) (NaN? %))) (partition (max 1 (peek shape))
                                                              (array/values a))))

(defn- ordered?
  "Are the rows sorted?"
  [a]
  (and (< 2 (or (peek (:shape a)) 0)) (not= :bool (:dtype a))
       (every? (fn [row] (every? (partial apply <=) (partition 2 1 row))) (rows a))))

(defn- permutation? [{:keys [shape dtype] :as a}]
  (and (< 2 (or (peek shape) 0)) (type/int-dtype? dtype)
       (every? #(= (sort %) (range (peek shape))) (rows a))))

(defn- demand
  "What several generated arrays in one argument's place have in common; of one that the op takes
  as matrices, `matrices?`, that it is far from singular."
  [arrays matrices?]
  (let [{:keys [dtype shape]} (first arrays)
        numbers (filter #(and (number? %) (< ##-Inf % ##Inf)) (mapcat array/values arrays))]
    {:dtype dtype, :shape shape, :array (first arrays)
     :range (when (seq numbers) [(apply min numbers) (apply max numbers)])
     :order (cond matrices? :matrices
                  (every? permutation? arrays) :permutation
                  (every? ordered? arrays) :sorted)}))

(defn- largest
  "A bound of what an op makes of calls: twice the largest result."
  [cases]
  (let [values (mapcat (fn [c]
                         (some-> (running/outcome #(sampling/value-of c)) :values array/values))
                       cases)]
    (if (every? #(or (boolean? %) (< ##-Inf % ##Inf)) values)
      (inc (* 2.0 (transduce (comp (remove boolean?) (map abs)) max 0.0 values)))
      1e4)))

(def ^:private sample
  "{:attrs :demands [demand …] :bound x} of an op, dtype and seed, or nil when it takes no such."
  (memoize
   (fn [op dtype seed]
     (let [{:keys [matrices]} (op/entry op)
           cases (keep #(gens/case op dtype size (+ seed (* similar %))) (range 6))
           shapes #(map :shape (:args %))
           alike (filter #(= (shapes (first cases)) (shapes %)) cases)]
       (when (seq cases)
         {:attrs (dissoc (:attrs (first alike)) :as), :at (:at (first alike))
          :demands (vec (map-indexed (fn [k arrays] (demand arrays (contains? matrices k)))
                                     (apply map vector (map :args alike))))
          :bound (largest alike)})))))

;; ## Fitting nodes into the places of arguments

(defn- chance [^Random random p] (< (.nextDouble random) (double p)))

(defn- young
  "One of the nodes of a pool, the youngest most often."
  [^Random random nodes]
  (let [n (count nodes)]
    (nth nodes (- n 1 (min (.nextInt random n) (.nextInt random n))))))

(defn- renamed [dim shape]
  (mapv #(if (= % size) dim %) shape))

(defn- dim-of
  "The extent in a node's shape that stands for the generated one, when the shapes match."
  [wanted shape]
  (when (= (count wanted) (count shape))
    (let [pairs (map vector wanted shape)
          dims (distinct (keep (fn [[w d]] (when (= w size) d)) pairs))]
      (when (and (= 1 (count dims)) (every? (fn [[w d]] (or (= w size) (= w d))) pairs))
        (first dims)))))

(defn- chosen-dim
  "The dimension that a call is about: one that some node has in the place, else n, m or 7."
  [^Random random pool demands]
  (let [found (distinct (for [{:keys [shape]} demands, {[_ s] :type} pool
                              :let [d (dim-of shape s)] :when d]
                          d))]
    (nth (vec (concat found '[n m 7])) (.nextInt random (+ 3 (count found))))))

(defn- broadcasts-to? [from to]
  (= to (:values (running/outcome #(type/broadcast-shapes from to)))))

(defn- to-shape
  "A template that brings x, of type `type`, to another shape: broadcast, or else from its sum."
  [x [dtype from] to]
  (cond (= from to) x
        (broadcasts-to? from to) [:broadcast-to {:shape to} x]
        (= dtype :bool) [:broadcast-to {:shape to} [:any x]]
        (empty? to) [:sum x]
        :else [:add [:sum x] [:cast {:dtype dtype}
                              [:mod [:iota {:shape to, :axis (dec (count to)), :dtype :i64}] 3]]]))

(defn- within
  "A template that keeps x inside a range, [lo hi]."
  [^Random random dtype x [lo hi]]
  (let [whole (if (type/float-dtype? dtype) double long), lo (whole lo), hi (whole hi)]
    (case (.nextInt random (if (type/float-dtype? dtype) 3 1))
      (0 1) [:clip x lo hi]
      2 [:add lo [:mul (- hi lo) [:sigmoid x]]])))

(defn- index
  "A template for x as an index that is valid for extents of at least one: below hi and dim."
  [x hi dim]
  (let [hi (max 1 (inc (long hi)))]
    [:mod x (if (integer? dim) (min hi dim) [:minimum hi [:dim {:dim dim}]])]))

(defn- regular
  "A template for matrices of that shape that are near to 2, 2.5, 3 … on their diagonals, and differ
  from them by what x is: far from singular, their eigenvalues and singular values apart."
  [dtype shape x]
  (let [[m n] (take-last 2 shape), rows [:iota {:shape [m 1], :axis 0}]]
    [:add [:where [:eq rows [:iota {:shape [1 n], :axis 1}]]
           [:cast {:dtype dtype} [:add 2.0 [:mul 0.5 [:cast {:dtype :f64} rows]]]]
           [:cast {:dtype dtype} 0.0]]
     [:mul 0.03 [:sin x]]]))

(defn- fitted
  "A template that makes what a demand asks out of x, the node `p`."
  [random {:keys [dtype order], [lo hi :as wanted] :range} shape dim index? x {:keys [type bound]}]
  (let [changes? (not= type [dtype shape])
        x (to-shape x type shape)
        x (if (= dtype (first type)) x [:cast {:dtype dtype} x])
        fits? (and (not changes?) wanted (<= lo (- bound)) (<= bound hi))
        x (cond (or fits? (nil? wanted) (#{:permutation :matrices} order)) x
                index? [:cast {:dtype dtype} (index x hi dim)]
                :else (within random dtype x wanted))]
    (case order
      :permutation [:cast {:dtype dtype} [:argsort x]]
      :sorted [:sort x]
      :matrices (regular dtype shape x)
      x)))

(defn- constant [{:keys [array shape]}]
  [:const {:type [(:dtype array) shape]
           :value (if (empty? shape) (array/element array 0) (array/values array))}])

(defn- node-for
  "A node of the pool for an argument of that type: one of the type itself, if there is one, mostly
  one of its shape, else any."
  [random pool [dtype shape :as type]]
  (let [same (filterv #(= type (:type %)) pool)
        alike (filterv #(= shape (second (:type %))) pool)
        others (filterv #(and (not= :bool (first (:type %))) (not= dtype :bool)) pool)]
    (cond (and (seq same) (chance random 0.8)) (young random same)
          (and (seq alike) (chance random 0.8)) (young random alike)
          (seq others) (young random others)
          :else (young random pool))))

(defn- argument
  "[template node-or-nil] for argument k of a call about the dimension dim."
  [random pool {:keys [dtype shape] :as demand} k dim index?]
  (let [wanted (renamed dim shape)]
    (if (and (= wanted shape) (chance random 0.2))
      [(constant demand) nil]
      (let [p (node-for random pool [dtype wanted]), x (symbol (str "?x" k))]
        [(fitted random demand wanted dim index? x p) p]))))

;; ## Calls

(def ^:private dtypes
  "What calls are generated for; a float most often."
  [:f64 :f64 :f64 :f64 :f64 :f64 :f32 :f32 :i64 :i32 :bool :f16 :bf16 :i8 :u8 :i16])

(defn ops
  "The names of all ops that compute something, sorted; but those of keys and of compressed rows,
  whose arguments are no arrays of any values: damo.laws.sparse and the tests of draws have them."
  []
  (sort (for [[op {:keys [kind ns]}] @op/registry
              :when (not (or (#{:leaf :part} kind)
                             (re-find #"^damo\.ops\.(random|sparse)\." (str ns))))]
          op)))

(defn- attributes [attrs dim]
  (cond-> attrs
    (:shape attrs) (update :shape (partial renamed dim))
    (= size (:extent attrs)) (assoc :extent dim)
    (= size (:classes attrs)) (assoc :classes dim)))

(defn- sample-of
  "A sample of an op in one of some dtypes, or nil."
  [^Random random op]
  (let [seed (.nextInt random 60)]
    (first (keep #(sample op % seed)
                 (repeatedly 6 #(nth dtypes (.nextInt random (count dtypes))))))))

(defn call
  "A call of the op, or of any, on nodes of a pool, {:op :args :template :bound :exact}: drawn with
  the seed; nil when no generated call suits."
  ([pool seed]
   (let [ops (vec (ops))]
     (call pool seed (nth ops (.nextInt (Random. (* 7919 (long seed))) (count ops))))))
  ([pool seed op]
   (let [random (Random. seed), gen (:gen (op/entry op))]
     (when-let [{:keys [attrs at demands bound]} (sample-of random op)]
       (let [{:keys [seen]} (op/entry op), dim (chosen-dim random pool demands)
             index? #(and (fn? gen) (type/int-dtype? (:dtype %)))
             arguments (map-indexed (fn [k d] (argument random pool d k dim (index? d))) demands)]
         {:op op, :exact false, :bound (if seen (max 1e4 bound) bound)
          :args (into {} (keep-indexed (fn [k [_ p]] (when p [(symbol (str "?x" k)) p]))) arguments)
          :template (let [made (into [op (attributes attrs dim)] (map first) arguments)
                          types (mapv (fn [d] [(:dtype d) (renamed dim (:shape d))]) demands)
                          seen (when seen (seen {:attrs attrs, :types types, :at at}))]
                      (cond seen (walk/postwalk-replace {'?out made} seen)
                            at [:part {:at at} made]
                            :else made))})))))
