(ns damo.ops.sparse.csr
  "Matrices in compressed rows as three arrays: `data` [nnz], the stored elements, row after row;
  `indices` [nnz], their columns; `starts` [m+1], where each row begins and the last one ends.
  Compressed columns are these arrays of the transpose. (csr-dot data indices starts x) = A·x."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

;; ## What the ops have in common

(defn rows-in
  "The dim of the number of rows that starts of that type tell."
  [[_ [n]]]
  (type/dim- n 1))

(defn- check-vector! [what [_ shape]]
  (when-not (= 1 (count shape))
    (fail! :damo.op.sparse/bad-part
           (str "the " what " of a sparse matrix are a vector; their shape is " (pr-str shape))
           {:shape shape})))

(defn- check-pattern! [indices starts]
  (doseq [[what [dtype :as type]] [["indices" indices] ["starts" starts]]]
    (typing/check-dtype :int dtype)
    (check-vector! what type)))

(defn check-stored!
  "Fails unless data, indices and starts have the types of those of one matrix."
  [[dtype shape :as data] indices starts]
  (typing/check-dtype :num dtype)
  (check-vector! "data" data)
  (check-pattern! indices starts)
  (type/unify-dims "there is an index for each stored element" (first shape)
                   (first (type/shape-of indices))))

(defn- check-operand! [what n [_ shape]]
  (when-not (<= 1 (count shape) 2)
    (fail! :damo.op.sparse/bad-operand
           (str "a sparse matrix is multiplied by a vector or a matrix; the shape is "
                (pr-str shape))
           {:shape shape}))
  (when n (type/unify-dims what n (first shape))))

(def ^:private bad-pattern
  "What is wrong when a check of these ops fails."
  (str "the starts of a sparse matrix go from 0 to the number of its stored elements and do not "
       "fall, and each index is that of a column"))

(defn- bounds-of-rows
  "[[from to] …] of the rows whose starts an array has, of so many elements; fails when they do not
  go from 0 to that number, or fall."
  [starts nnz]
  (let [all (array/values starts)]
    (when-not (and (= 0 (first all)) (= nnz (last all)) (apply <= all))
      (fail! :damo.op.sparse/bad-pattern (str bad-pattern "; starts are " (pr-str all)) {}))
    (partition 2 1 all)))

(defn triples
  "[[row column element] …] of the arrays of a matrix, in their order."
  [data indices starts]
  (let [ends (bounds-of-rows starts (first (:shape data))), elements (vec (array/values data))
        columns (vec (array/values indices))]
    (for [[row [from to]] (map-indexed vector ends), k (range from to)]
      [row (columns k) (elements k)])))

(defn- plus [dtype] (if (type/float-dtype? dtype) + unchecked-add))
(defn- times [dtype] (if (type/float-dtype? dtype) * unchecked-multiply))

(defn- added
  "The array of that dtype and shape that sums [index x …] in places."
  [dtype shape pairs]
  (let [plus (plus dtype)
        sums (reduce (fn [m [at x]] (assoc m at (if-some [y (m at)] (plus y x) x))) {} pairs)]
    (array/from-indices dtype shape #(get sums % 0))))

(defn- lines
  "The indices into the axes behind the first one of an array."
  [{:keys [shape]}]
  (array/indices (rest shape)))

(defn random-pattern
  "{:indices :starts} of a random matrix of that many rows and columns, of the generator's
  context: sorted, some rows empty."
  [ctx rows columns]
  (let [row (fn [] (vec (filter (fn [_] (= 0 (gens/choose ctx [0 1 2]))) (range columns))))
        picked (vec (repeatedly rows row)), dtype (gens/choose ctx [:i64 :i32])
        all (into [] cat picked)]
    {:indices (array/of dtype [(count all)] all)
     :starts (array/of dtype [(inc rows)] (reductions + 0 (map count picked)))}))

(defn random-matrix
  "[data indices starts] of a random matrix in the dtype of the context."
  [{:keys [dtype] :as ctx} rows columns]
  (let [{:keys [indices starts]} (random-pattern ctx rows columns)]
    [(gens/random-array ctx dtype (:shape indices)) indices starts]))

(defn- behind
  "A template of a vector with so many axes of length 1 behind it as a shape has behind its first."
  [t shape]
  (if (= 1 (count shape)) t [:expand-dims {:axis (vec (range 1 (count shape)))} t]))

(defn row-of
  "The template of the row of each stored element of a matrix, for data of that shape."
  [[nnz] starts]
  [:csr-rows {:nnz nnz} starts])

;; ## Rows

(op/register!
 {:name :csr-rows, :ns 'damo.ops.sparse.csr, :internal true
  :kind :nest, :nest :csr-rows, :args '[?starts]
  :attrs {:nnz {:doc "how many elements are stored, a dim", :is :dim}}
  :doc "The row of each stored element, a vector of :i64 of :nnz elements; starts [m+1] are where
  the rows begin."
  :failure bad-pattern
  :type (fn [{:keys [nnz]} [starts]]
          (check-pattern! starts starts)
          [:i64 [nnz]])
  :eval (fn [{:keys [nnz]} starts]
          (array/of :i64 [nnz] (mapcat (fn [row [from to]] (repeat (- to from) row)) (range)
                                       (bounds-of-rows starts nnz))))
  ;; a row begins at each start; what lies behind the last element is cut off
  :batch (fn [{{:keys [nnz]} :attrs, [[_ [n]]] :types}]
           [:sub [:slice {:axis 0, :start 0, :stop nnz, :step 1}
                  [:cumsum {:axis 0}
                   [:inc-at {:axis 0} (typing/filled :i64 [(type/dim+ nnz 1)] 0) '?starts
                    (typing/filled :i64 [n] 1)]]]
            1])
  :no-gradient "rows are integers"
  :gen (fn [{:keys [size] :as ctx}]
         (let [{:keys [indices starts]} (random-pattern ctx size 3)]
           {:attrs {:nnz (first (:shape indices))}, :args [starts]}))
  :examples [[[:csr-rows {:nnz 3} [:mul 3 [:minimum 1 [:iota {:shape [4], :axis 0}]]]] [0 0 0]]]})

;; ## Products

(def ^:private no-pattern
  "Derivatives do not pass through indices and starts, at the positions 1 and 2."
  {1 {:disconnected "an index is an integer"}, 2 {:disconnected "a start is an integer"}})

(defop csr-dot
  "A·x of a sparse matrix A [m n] in compressed rows and x, a vector [n] or a matrix [n k]: [m] or
  [m k]."
  {:internal true
   :kind :nest, :nest :csr-dot, :inlines [0], :args [?data ?indices ?starts ?x], :coerce [0 3]
   :failure bad-pattern
   :type (fn [_ [[dtype :as data] indices starts [_ [_ & more] :as x]]]
           (check-stored! data indices starts)
           (check-operand! nil nil x)
           [dtype (into [(rows-in starts)] more)])
   :eval (fn [_ {:keys [dtype] :as data} indices starts {:keys [shape] :as x}]
           (let [times (times dtype)]
             (array/checked-indices indices (first shape))
             (added dtype (into [(dec (first (:shape starts)))] (rest shape))
                    (for [[row column a] (triples data indices starts), k (lines x)]
                      [(into [row] k) (times a (array/at x (into [column] k)))]))))
   :batch (fn [{[[dtype stored] _ starts [_ shape]] :types}]
              [:inc-at {:axis 0} (typing/filled dtype (into [(rows-in starts)] (rest shape)) 0)
               (row-of stored ?starts)
               [:mul (behind ?data shape) [:take {:axis 0} ?x ?indices]]])
   :linear-in #{0 3}, :no-gradient no-pattern
   :transpose (fn [{[_ _ _ [_ [n]]] :types}]
                [[:sampled-dot ?indices ?starts ?g ?x] nil nil
                 [:csr-tdot {:columns n} ?data ?indices ?starts ?g]])
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[rows shape] (gens/variant ctx [[size [3]] [2 [size]] [size [4 2]] [0 [size]]
                                                [3 [4 size]]])]
            {:attrs {}, :args (conj (random-matrix ctx rows (first shape))
                                    (gens/random-array ctx dtype shape))}))
   :examples [[[:csr-dot [:ones {:shape [2]}] [:iota {:shape [2], :axis 0}]
                [:mul 2 [:iota {:shape [2], :axis 0}]] [:iota {:shape [2], :axis 0}]]
               [1.0]]]})

(defop csr-tdot
  "Aᵀ·x of a sparse matrix A [m n] in compressed rows, of so many :columns, and x, a vector [m] or a
  matrix [m k]: [n] or [n k]."
  {:internal true
   :kind :nest, :nest :csr-tdot, :inlines [0], :args [?data ?indices ?starts ?x], :coerce [0 3]
   :attrs {:columns {:doc "the number of columns n, a dim", :is :dim}}
   :failure bad-pattern
   :type (fn [{:keys [columns]} [[dtype :as data] indices starts [_ [_ & more] :as x]]]
           (check-stored! data indices starts)
           (check-operand! "a row of the matrix meets each row of x" (rows-in starts) x)
           [dtype (into [columns] more)])
   :eval (fn [{:keys [columns]} {:keys [dtype] :as data} indices starts {:keys [shape] :as x}]
           (let [times (times dtype)]
             (array/checked-indices indices columns)
             (added dtype (into [columns] (rest shape))
                    (for [[row column a] (triples data indices starts), k (lines x)]
                      [(into [column] k) (times a (array/at x (into [row] k)))]))))
   :batch (fn [{{:keys [columns]} :attrs, [[dtype stored] _ _ [_ shape]] :types}]
              [:inc-at {:axis 0} (typing/filled dtype (into [columns] (rest shape)) 0) ?indices
               [:mul (behind ?data shape) [:take {:axis 0} ?x (row-of stored ?starts)]]])
   :linear-in #{0 3}, :no-gradient no-pattern
   :transpose (fn [_]
                [[:sampled-dot ?indices ?starts ?x ?g] nil nil
                 [:csr-dot ?data ?indices ?starts ?g]])
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[shape columns] (gens/variant ctx [[[size] 3] [[3] size] [[size 2] 4] [[3 size] 2]
                                                   [[0] size]])]
            {:attrs {:columns columns}
             :args (conj (random-matrix ctx (first shape) columns)
                         (gens/random-array ctx dtype shape))}))
   :examples [[[:csr-tdot {:columns 3} [:ones {:shape [2]}] [:iota {:shape [2], :axis 0}]
                [:mul 2 [:iota {:shape [2], :axis 0}]] [:ones {:shape [1]}]]
               [1.0 1.0 0.0]]]})

(defop sampled-dot
  "For each place (row, column) of the pattern of a sparse matrix [m n] in compressed rows
  Σ_k x[row, k] · y[column, k], for x [m k] and y [n k], or vectors [m] and [n]: a vector [nnz], the
  elements of x·yᵀ there."
  {:internal true
   :kind :nest, :nest :sampled-dot, :args [?indices ?starts ?x ?y], :coerce [2 3]
   :failure bad-pattern
   :type (fn [_ [indices starts [dtype shape :as x] [_ other :as y]]]
           (check-pattern! indices starts)
           (typing/check-dtype :num dtype)
           (check-operand! "a row of the pattern is one of x" (rows-in starts) x)
           (check-operand! nil nil y)
           (typing/unify-shapes "x and y have equally long rows" (subvec shape 1)
                                (subvec other 1))
           [dtype (type/shape-of indices)])
   :eval (fn [_ indices starts {:keys [dtype] :as x} y]
           (let [times (times dtype), plus (plus dtype)]
             (array/checked-indices indices (first (:shape y)))
             (array/of dtype (:shape indices)
                       (for [[row column] (triples indices indices starts)]
                         (reduce plus 0 (map (fn [k] (times (array/at x (into [row] k))
                                                            (array/at y (into [column] k))))
                                             (lines x)))))))
   :batch (fn [{[[_ stored] _ [dtype shape]] :types}]
              (let [products [:mul [:take {:axis 0} ?x (row-of stored ?starts)]
                              [:take {:axis 0} ?y ?indices]]]
                (if (= 1 (count shape)) products [:sum {:axis [1], :dtype dtype} products])))
   :linear-in #{2 3}
   :no-gradient {0 {:disconnected "an index is an integer"}
                 1 {:disconnected "a start is an integer"}}
   :transpose (fn [{[_ _ _ [_ [n]]] :types}]
                [nil nil [:csr-dot ?g ?indices ?starts ?y]
                 [:csr-tdot {:columns n} ?g ?indices ?starts ?x]])
   :gen (fn [{:keys [dtype size] :as ctx}]
          (let [[x y] (gens/variant ctx [[[size] [3]] [[3] [size]] [[size 2] [3 2]]
                                         [[2 size] [4 size]] [[0 2] [size 2]]])
                {:keys [indices starts]} (random-pattern ctx (first x) (first y))]
            {:attrs {}, :args [indices starts (gens/random-array ctx dtype x)
                               (gens/random-array ctx dtype y)]}))
   :examples [[[:sampled-dot [:iota {:shape [2], :axis 0}] [:mul 2 [:iota {:shape [2], :axis 0}]]
                [:ones {:shape [1]}] [:iota {:shape [2], :axis 0}]]
               [0.0 1.0]]]})

;; ## Sums of rows, and all elements

(defop csr-sum
  "The sums of the rows of a sparse matrix [m n] in compressed rows, of its stored elements `data`:
  a vector [m]. Integers are summed in their dtype."
  {:internal true
   :kind :nest, :nest :csr-sum, :inlines [0], :args [?data ?starts]
   :failure bad-pattern
   :type (fn [_ [[dtype :as data] starts]]
           (check-stored! data (assoc data 0 :i64) starts)
           [dtype [(rows-in starts)]])
   :eval (fn [_ {:keys [dtype] :as data} starts]
           (added dtype [(dec (first (:shape starts)))]
                  (for [[row _ a] (triples data data starts)] [[row] a])))
   :batch (fn [{[[dtype stored] starts] :types}]
              [:inc-at {:axis 0} (typing/filled dtype [(rows-in starts)] 0) (row-of stored ?starts)
               ?data])
   :linear-in #{0}, :no-gradient {1 {:disconnected "a start is an integer"}}
   :transpose (fn [{[[_ stored]] :types}] [[:take {:axis 0} ?g (row-of stored ?starts)] nil])
   :gen (fn [{:keys [size] :as ctx}]
          (let [[data _ starts] (random-matrix ctx size 3)] {:attrs {}, :args [data starts]}))
   :examples [[[:csr-sum [:ones {:shape [2]}] [:mul 2 [:iota {:shape [2], :axis 0}]]] [2.0]]]})

(defop csr-dense
  "The sparse matrix [m n] in compressed rows, of so many :columns, as an array [m n] with zeros
  where nothing is stored."
  {:internal true
   :kind :composite, :args [?data ?indices ?starts]
   :attrs {:columns {:doc "the number of columns n, a dim", :is :dim}}
   :type (fn [{:keys [columns]} [[dtype :as data] indices starts]]
           (check-stored! data indices starts)
           [dtype [(rows-in starts) columns]])
   :eval (fn [{:keys [columns]} {:keys [dtype] :as data} indices starts]
           (array/checked-indices indices columns)
           (added dtype [(dec (first (:shape starts))) columns]
                  (for [[row column a] (triples data indices starts)] [[row column] a])))
   :expand (fn [{{:keys [columns]} :attrs, [[dtype stored] _ starts] :types}]
             [:inc-at {:axis [0 1]} (typing/filled dtype [(rows-in starts) columns] 0)
              (row-of stored ?starts) ?indices ?data])
   :linear-in #{0}, :no-gradient no-pattern
   :transpose (fn [{[[_ stored]] :types}]
                [[:take {:axis [0 1]} ?g (row-of stored ?starts) ?indices] nil nil])
   :gen (fn [{:keys [size] :as ctx}]
          (let [[rows columns] (gens/variant ctx [[size 3] [3 size] [0 2]])]
            {:attrs {:columns columns}, :args (random-matrix ctx rows columns)}))
   :examples [[[:csr-dense {:columns 2} [:ones {:shape [1]}] [:ones {:shape [1], :dtype :i64}]
                [:iota {:shape [2], :axis 0}]]
               [[0.0 1.0]]]]})
