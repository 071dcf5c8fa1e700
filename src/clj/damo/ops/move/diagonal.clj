(ns damo.ops.move.diagonal
  "Diagonals and triangles of matrices: read, written, cut out, summed. :offset and :k count
  diagonals: 0 is the main one, those above it are positive."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.indexing :as indexing]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## Reading

(defn- check-offset [k]
  (when-not (integer? k)
    (fail! :damo.op.diagonal/bad-offset
           (str "the number of a diagonal is an integer; got " (pr-str k))
           {:given k})))

(defn- normal-diagonal [{:keys [axis1 axis2 offset] :as attrs} [[_ shape]]]
  (check-offset offset)
  (when (< (count shape) 2)
    (fail! :damo.op.diagonal/no-matrix
           (str "needs an array with at least two axes; its shape is " (pr-str shape))
           {:shape shape}))
  (let [a (type/axis-index (count shape) axis1), b (type/axis-index (count shape) axis2)]
    (when (= a b)
      (fail! :damo.op.diagonal/bad-axis
             (str "the two axes of a diagonal differ; both are " a) {:axis a}))
    (assoc attrs :axis1 a, :axis2 b)))

(defn- shortened [extent by]
  (if (integer? extent) (max 0 (- extent by)) (type/dim-max 0 (type/dim- extent by))))

(defn- diagonal-length
  "The number of elements of a diagonal of an [n m] matrix."
  [n m offset]
  (let [rows (if (neg? offset) (shortened n (- offset)) n)
        columns (if (pos? offset) (shortened m offset) m)]
    (cond (not= n m) (type/dim-min rows columns), (neg? offset) rows, :else columns)))

(defn- others [v & axes] (vec (keep-indexed (fn [i x] (when-not (some #{i} axes) x)) v)))

(defn- diagonal-type [attrs [[dtype shape] :as types]]
  (let [{:keys [axis1 axis2 offset]} (normal-diagonal attrs types)]
    [dtype (conj (others shape axis1 axis2)
                 (diagonal-length (nth shape axis1) (nth shape axis2) offset))]))

(defn- diagonal-value [{:keys [axis1 axis2 offset] :as attrs} {:keys [dtype shape] :as x}]
  (let [[_ out] (diagonal-type attrs [(array/type-of x)]), axes [axis1 axis2]]
    (array/from-indices dtype out
                        (fn [at]
                          (let [i (peek at), starts [(max 0 (- offset)) (max 0 offset)]]
                            (array/at x (indexing/source-positions axes 0 (pop at)
                                                                   (mapv #(+ i %) starts))))))))

(defn- steps
  "The template of the indices start, start + 1, …"
  [start n]
  (let [numbers [:iota {:shape [n], :axis 0}]]
    (if (zero? start) numbers [:add start numbers])))

(defn- diagonal-transpose
  "The gradient added to zeros at the diagonal."
  [{{:keys [axis1 axis2 offset]} :attrs, [[dtype shape]] :types, [_ out] :type}]
  (let [axes [axis1 axis2], n (peek out)
        g [:moveaxis {:source -1, :destination (indexing/place axes)} '?g]]
    [[:inc-at {:axis axes} (typing/filled dtype shape 0)
      (steps (max 0 (- offset)) n) (steps (max 0 offset) n) g]]))

(defn- diagonal-layout
  [{:keys [axis1 axis2 offset]} _ _ {:keys [strides] :as layout}]
  (let [row (nth strides axis1), column (nth strides axis2)]
    (-> layout
        (update :offset type/signed+ (type/signed* (max 0 (- offset)) row)
                (type/signed* (max 0 offset) column))
        (assoc :strides (conj (others strides axis1 axis2) (type/signed+ row column))))))

(def ^:private diagonal-attrs
  {:offset {:default 0, :doc "which diagonal, an integer; above the main one positive"}
   :axis1 {:default 0, :doc "the axis of rows"}
   :axis2 {:default 1, :doc "the axis of columns"}})

(def ^:private diagonal-gen
  (gens/on-shapes (fn [n] [[{:offset 0} [n n]] [{:offset 1} [n 3]] [{:offset -1} [3 n]]
                           [{:offset 0, :axis1 1, :axis2 2} [2 n 3]] [{:offset 5} [n n]]
                           [{:offset 1, :axis1 2, :axis2 0} [3 2 n]] [{:offset -2} [n n]]])))

(defop diagonal
  "The elements x[i, i + offset] along two axes, as the last axis of the result, as NumPy's
  diagonal; none when the matrix has no such diagonal."
  {:kind :view, :args [?x], :attrs diagonal-attrs, :normalize normal-diagonal
   :type diagonal-type, :eval diagonal-value
   :linear-in #{0}, :transpose diagonal-transpose, :view diagonal-layout
   :batch {}
   :gen diagonal-gen
   :examples [[[:diagonal [:reshape {:shape [2 2]} [:iota {:shape [4]}]]] [0 3]]
              [[:diagonal {:offset 1} [:reshape {:shape [2 2]} [:iota {:shape [4]}]]] [1]]]})

(defop trace
  "The sum along a diagonal; integers and booleans are summed in :i64. Attributes as diagonal."
  {:kind :composite, :args [?x], :attrs diagonal-attrs, :normalize normal-diagonal
   :type (fn [attrs [[dtype] :as types]]
           (let [[_ shape] (diagonal-type attrs types)] [(typing/accumulator dtype) (pop shape)]))
   :eval (fn [attrs {:keys [dtype] :as x}]
           (let [{:keys [shape] :as d} (diagonal-value attrs x)
                 acc (typing/accumulator dtype)
                 plus (if (type/float-dtype? acc) + unchecked-add)]
             (array/reduce-axes acc #(reduce plus 0 %) (array/cast acc d) [(dec (count shape))]
                                false)))
   :expand (fn [{:keys [attrs]}] [:sum {:axis -1} [:diagonal attrs ?x]])
   :gen diagonal-gen
   :examples [[[:trace [:reshape {:shape [2 2]} [:iota {:shape [4]}]]] 3]]})

;; ## Triangles

(defn- below
  "The template of booleans of an [n m] matrix: is the element on diagonal k or below?"
  [n m k]
  (let [rows [:iota {:shape [n 1], :axis 0}]]
    [:ge (if (zero? k) rows [:add k rows]) [:iota {:shape [m], :axis 0}]]))

(defn- triangle-type [{:keys [k]} [[_ shape :as type]]]
  (check-offset k)
  (when (< (count shape) 2)
    (fail! :damo.op.diagonal/no-matrix
           (str "needs an array with at least two axes; its shape is " (pr-str shape))
           {:shape shape}))
  type)

(defn- triangle-value [keep?]
  (fn [{:keys [k]} {:keys [dtype shape] :as x}]
    (array/from-indices dtype shape
                        (fn [at] (let [[i j] (take-last 2 at)]
                                   (if (keep? j (+ i k)) (array/at x at) 0))))))

(def ^:private k-attr
  {:k {:default 0, :is :integer, :own-check true
       :doc "the number of a diagonal, an integer"}})

(def ^:private triangle-gen
  (gens/on-shapes (fn [n] [[{:k 0} [n n]] [{:k 1} [3 n]] [{:k -1} [2 n 3]] [{:k 0} [n 1]]
                           [{:k -5} [n 2]]])))

(defop tril
  "The elements of the matrices (the last two axes) on diagonal :k and below; 0 above."
  {:kind :composite, :args [?x], :attrs k-attr, :type triangle-type, :eval (triangle-value <=)
   :expand (fn [{{:keys [k]} :attrs, [dtype shape] :type}]
             (let [[n m] (take-last 2 shape)]
               [:where (below n m k) ?x (typing/const dtype 0)]))
   :gen triangle-gen
   :examples [[[:sum {:axis 1} [:tril [:ones {:shape [2 2]}]]] [1.0 2.0]]]})

(defop triu
  "The elements of the matrices (the last two axes) on diagonal :k and above; 0 below."
  {:kind :composite, :args [?x], :attrs k-attr, :type triangle-type, :eval (triangle-value >=)
   :expand (fn [{{:keys [k]} :attrs, [dtype shape] :type}]
             (let [[n m] (take-last 2 shape)]
               [:where (below n m (dec k)) (typing/const dtype 0) ?x]))
   :gen triangle-gen
   :examples [[[:sum {:axis 1} [:triu [:ones {:shape [2 2]}]]] [2.0 1.0]]]})

(defop tri
  "An n × m matrix with ones on diagonal :k and below, zeros above."
  {:kind :composite, :args []
   :attrs {:n {:is :dim, :own-check true, :doc "the number of rows, a dim"}
           :m {:default nil, :doc "the number of columns; nil: n"}
           :k {:default 0, :is :integer, :own-check true
               :doc "the number of a diagonal, an integer"}
           :dtype {:default :f32, :doc "the dtype of the elements"}}
   :normalize (fn [{:keys [n m k] :as attrs} _]
                (check-offset k)
                (typing/check-shape [n (or m n)])
                (assoc attrs :n (type/dim+ n), :m (type/dim+ (or m n))))
   :type (fn [{:keys [n m dtype]} _] (type/check [dtype [n (or m n)]]))
   :eval (fn [{:keys [n m k dtype]}]
           (array/from-indices dtype [n m] (fn [[i j]] (if (<= j (+ i k)) 1 0))))
   :expand (fn [{{:keys [n m k dtype]} :attrs}] [:cast {:dtype dtype} (below n m k)])
   :lop [], :rop 0
   :gen (gens/without-arguments (fn [dtype n] [{:n n, :dtype dtype} {:n 3, :m n, :k 1, :dtype dtype}
                                               {:n n, :m 2, :k -1, :dtype dtype}]))
   :examples [[[:sum {:axis 1} [:tri {:n 2}]] [1.0 2.0]]]})

;; ## Matrices from diagonals

(defn- on-diagonal
  "The template of booleans of an [n m] matrix: is the element on diagonal k?"
  [n m k]
  (let [rows [:iota {:shape [n 1], :axis 0}]]
    [:eq (if (zero? k) rows [:add k rows]) [:iota {:shape [m], :axis 0}]]))

(defn- diag-type [{:keys [k]} [[dtype [n m :as shape]]]]
  (check-offset k)
  (case (count shape)
    1 (let [extent (type/dim+ n (abs k))] [dtype [extent extent]])
    2 [dtype [(diagonal-length n m k)]]
    (fail! :damo.op.diagonal/no-matrix
           (str "takes a vector or a matrix; the shape is " (pr-str shape)
            "; diagonal takes more axes")
           {:shape shape})))

(defn- diag-value [{:keys [k] :as attrs} {:keys [dtype shape] :as x}]
  (if (= 2 (count shape))
    (diagonal-value {:axis1 0, :axis2 1, :offset k} x)
    (array/from-indices dtype (second (diag-type attrs [(array/type-of x)]))
                        (fn [[i j]] (if (= j (+ i k)) (array/at x [(min i j)]) 0)))))

(defn- diag-expansion [{{:keys [k]} :attrs, [[dtype shape]] :types, [_ [n]] :type}]
  (if (= 2 (count shape))
    [:diagonal {:offset k} '?x]
    (let [padded (if (zero? k)
                   '?x
                   [:concatenate {:axis 0} '?x (typing/filled dtype [(abs k)] 0)])]
      [:where (on-diagonal n n k) (if (neg? k) padded [:expand-dims {:axis 1} padded])
       (typing/const dtype 0)])))

(defop diag
  "Of a vector the square matrix that has it on diagonal :k, zeros elsewhere; of a matrix that
  diagonal."
  {:kind :composite, :args [?x], :attrs k-attr, :type diag-type, :eval diag-value
   :expand diag-expansion
   :gen (gens/on-shapes (fn [n] [[{:k 0} [n]] [{:k 1} [n]] [{:k -2} [n]] [{:k 0} [n 3]]
                                 [{:k 1} [3 n]]]))
   :examples [[[:diag [:iota {:shape [2]}]] [[0 0] [0 1]]]
              [[:diag {:k 1} [:ones {:shape [2 2]}]] [1.0]]]})

(defn- filled-type [{:keys [offset]} [[dtype shape] [_ from]]]
  (check-offset offset)
  (when-not (empty? from)
    (fail! :damo.op.diagonal/not-a-scalar (str "the value must be 0-d; its shape is " (pr-str from))
           {:shape from}))
  (when-not (and (<= 2 (count shape)) (or (= 2 (count shape)) (and (apply = shape) (= 0 offset))))
    (fail! :damo.op.diagonal/no-matrix
           (str "needs a matrix, or an array whose extents are equal with :offset 0;"
            " the shape is " (pr-str shape))
           {:shape shape}))
  [dtype shape])

(defn- whole-diagonal
  "The template of booleans: is the element on the diagonal of an array of that shape?"
  [shape offset]
  (if (= 2 (count shape))
    (on-diagonal (first shape) (second shape) offset)
    (let [n (count shape)
          along (fn [axis] [:iota {:shape (into [(nth shape axis)] (repeat (- n axis 1) 1))}])]
      (reduce (fn [t axis] [:logical-and t [:eq (along (dec axis)) (along axis)]])
              [:eq (along 0) (along 1)] (range 2 n)))))

(defop fill-diagonal
  "x with the 0-d value on the diagonal :offset, the elements x[i, i + offset]; of an array with
  more axes, whose extents are equal, x[i, i, …, i]."
  {:kind :composite, :args [?x ?value], :coerce [0 1]
   :attrs {:offset {:default 0, :doc "which diagonal, an integer; above the main one positive"}}
   :type filled-type
   :eval (fn [{:keys [offset]} {:keys [dtype shape] :as x} value]
           (let [v (array/element value 0)]
             (array/from-indices dtype shape
                                 (fn [[i & more :as at]]
                                   (if (every? #(= (+ i offset) %) more) v (array/at x at))))))
   :expand (fn [{{:keys [offset]} :attrs, [_ shape] :type}]
             [:where (whole-diagonal shape offset) ?value ?x])
   :gen (gens/on-shapes (fn [n] [[{:offset 0} [n n] []] [{:offset 1} [n 3] []]
                                 [{:offset -1} [3 n] []] [{:offset 0} [n n n] []]]))
   :examples [[[:fill-diagonal [:zeros {:shape [2 2]}] 1] [[1.0 0.0] [0.0 1.0]]]]})
