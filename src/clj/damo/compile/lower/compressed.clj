(ns damo.compile.lower.compressed
  "Kernels of matrices in compressed rows: a loop over rows around one over the elements of a row,
  whose extent is read from the starts. Two index variables say where a row begins, `lo` in 0 … nnz,
  and how long it is, in 0 … nnz - lo: so that element lo + p is proven to exist. (dot-body cx id)
  and its like give [statements scratch]."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.scalar :as scalar]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- shape [{:keys [g]} id] (graph/shape-at g id))
(defn- dtype [{:keys [g]} id] (type/dtype-of (graph/type-of g id)))
(defn- args [{:keys [g]} id] (graph/args-at g id))

(defn- start!
  "The i64 value of an element of the starts."
  [cx body starts at]
  (let [v (lower/read-at cx body [at] starts [at])]
    (if (= :i64 (dtype cx starts)) v [:cast :i64 v])))

(defn- ends!
  "The checks that the first row begins at 0 and the last one ends behind the last element."
  [cx id starts nnz]
  (let [body (lower/body {}), [n] (shape cx starts), note ((:note-of cx) id)]
    (doseq [[at wanted] [[0 0] [(type/dim- n 1) nnz]]
            :let [v (start! cx body starts at)]]
      (lower/emit! body [:require [:eq v [:size wanted]] note v [:size wanted]]))
    @(:stmts body)))

(defn- elements!
  "Emits the loop over the elements of row r, around the statements (f body place)."
  [cx body id starts nnz r f]
  (let [lo (lower/fresh cx "x"), many (lower/fresh cx "x"), p (lower/fresh cx "i")
        note ((:note-of cx) id), inner (lower/body {})]
    (lower/emit! body [:index lo (start! cx body starts r) [:+ nnz 1] note])
    (lower/emit! body [:index many [:sub (start! cx body starts [:+ r 1]) [:size lo]]
                       [:- [:+ nnz 1] lo] note])
    (f inner [:+ lo p])
    (lower/emit! body (into [:for p many] @(:stmts inner)))))

(defn- rows
  "The loop over the rows, around the statements (f body row)."
  [cx starts f]
  (let [r (lower/fresh cx "i"), body (lower/body {})]
    (f body r)
    (into [:for r (type/dim- (first (shape cx starts)) 1)] @(:stmts body))))

(defn- column!
  "The index variable of the column of the element at `place`."
  [cx body id indices place extent]
  (let [v (lower/read-at cx body [place] indices [place])]
    (if (@(:index-vars cx) v)
      v
      (lower/index-var! cx body id (if (= :i64 (dtype cx indices)) v [:cast :i64 v]) extent))))

(defn- clear [p d size i] [:for i size [:store p i [:const d 0]]])

(defn- sum-of!
  "Emits the variable of a sum of dtype d and returns [add! value]: (add! body a …) adds the product
  of these, value is the expression of the sum. As in all sums, that of f32 is kept in f64; products
  of two f32 are exact there."
  [cx body d]
  (let [acc (lower/fresh cx "a"), wide (scalar/acc-dtype :add d)
        cast-to (fn [to from e] (if (= to from) e [:cast to e]))]
    (lower/emit! body [:var acc [:const wide 0]])
    [(fn [body & factors]
       (lower/emit! body [:acc :add acc
                          (reduce (fn [a b] [:mul a b]) (map #(cast-to wide d %) factors))]))
     (cast-to d wide acc)]))

(defn- line!
  "Emits the loops over the axes behind the first of an array of that shape, around (f body beside):
  none for a vector."
  [cx body shape f]
  (run! #(lower/emit! body %) (nests/statements cx (subvec shape 1) f)))

(defn- place-of [shape first-one beside]
  (lower/dense-index 0 (array/strides shape) (into [first-one] beside)))

(defn- result
  "The parameter of the memory of a node; `:in` as well where it is added to."
  [cx id access]
  (let [d (dtype cx id)]
    (when (= access :inout) (lower/param cx [:node id] d :in))
    (lower/param cx [:node id] d :out)))

(defn- vector-row!
  "Emits the product of row r and a vector x."
  [cx body id r out]
  (let [[data indices starts x] (args cx id), [nnz] (shape cx indices)
        [add! sum] (sum-of! cx body (type/computed (dtype cx id)))]
    (elements! cx body id starts nnz r
               (fn [inner place]
                 (let [column (column! cx inner id indices place (first (shape cx x)))
                       a (lower/read-at cx inner [place] data [place])]
                   (add! inner a (lower/read-at cx inner [column] x [column])))))
    (lower/emit! body [:store out r sum])))

(defn- added!
  "Emits out[row …] += a · x[from …] for all that is beside."
  [cx body id out row a x from]
  (let [all (shape cx id)]
    (line! cx body all
           (fn [b beside]
             (let [i (place-of all row beside), at (into [from] beside)]
               (lower/emit! b [:store out i
                               [:add [:load out i] [:mul a (lower/read-at cx b at x at)]]]))))))

(defn- matrix-row!
  "Emits the product of row r and a matrix x: the rows of x that it meets are added up."
  [cx body id r out]
  (let [[data indices starts x] (args cx id), [nnz] (shape cx indices), all (shape cx id)
        d (type/computed (dtype cx id))]
    (line! cx body all (fn [b beside]
                         (lower/emit! b [:store out (place-of all r beside) [:const d 0]])))
    (elements! cx body id starts nnz r
               (fn [inner place]
                 (let [column (column! cx inner id indices place (first (shape cx x)))
                       a (lower/read-at cx inner [place] data [place])]
                   (added! cx inner id out r a x column))))))

(defn dot-body
  "[statements scratch] of :csr-dot."
  [cx id]
  (let [[_ indices starts x] (args cx id), vector? (= 1 (count (shape cx x)))
        out (result cx id (if vector? :out :inout))
        row! (if vector? vector-row! matrix-row!)]
    [(conj (ends! cx id starts (first (shape cx indices)))
           (rows cx starts (fn [body r] (row! cx body id r out))))
     {}]))

(defn tdot-body
  "[statements scratch] of :csr-tdot: each row of x, times an element, is added where its column
  says."
  [cx id]
  (let [[data indices starts x] (args cx id), [nnz] (shape cx indices), all (shape cx id)
        out (result cx id :inout), d (type/computed (dtype cx id))]
    [(into [(clear out d (type/size all) (lower/fresh cx "i"))]
           (conj (ends! cx id starts nnz)
                 (rows cx starts
                       (fn [body r]
                         (elements! cx body id starts nnz r
                                    (fn [inner place]
                                      (let [column (column! cx inner id indices place (first all))
                                            a (lower/read-at cx inner [place] data [place])]
                                        (added! cx inner id out column a x r))))))))
     {}]))

(defn- sample!
  "Emits the product of row r of x and the row of y that the element at `place` names."
  [cx body id r place out]
  (let [[indices _ x y] (args cx id), [add! sum] (sum-of! cx body (type/computed (dtype cx id)))
        column (column! cx body id indices place (first (shape cx y)))]
    (line! cx body (shape cx x)
           (fn [b beside]
             (let [here (into [r] beside), there (into [column] beside)]
               (add! b (lower/read-at cx b here x here)
                     (lower/read-at cx b there y there)))))
    (lower/emit! body [:store out place sum])))

(defn- over-elements
  "[statements scratch] of a node of a pattern: (f body row place) for each stored element."
  [cx id starts nnz f]
  [(conj (ends! cx id starts nnz)
         (rows cx starts (fn [body r]
                           (elements! cx body id starts nnz r
                                      (fn [inner place] (f inner r place))))))
   {}])

(defn sampled-body
  "[statements scratch] of :sampled-dot."
  [cx id]
  (let [[indices starts] (args cx id), out (result cx id :out)]
    (over-elements cx id starts (first (shape cx indices))
                   (fn [body r place] (sample! cx body id r place out)))))

(defn rows-body
  "[statements scratch] of :csr-rows: the row of each stored element."
  [cx id]
  (let [[starts] (args cx id), out (result cx id :out)]
    (over-elements cx id starts (first (shape cx id))
                   (fn [body r place] (lower/emit! body [:store out place [:size r]])))))

(defn sum-body
  "[statements scratch] of :csr-sum: the sums of the elements of each row."
  [cx id]
  (let [[data starts] (args cx id), [nnz] (shape cx data), out (result cx id :out)]
    [(conj (ends! cx id starts nnz)
           (rows cx starts
                 (fn [body r]
                   (let [[add! sum] (sum-of! cx body (type/computed (dtype cx id)))]
                     (elements! cx body id starts nnz r
                                (fn [inner place]
                                  (add! inner (lower/read-at cx inner [place] data [place]))))
                     (lower/emit! body [:store out r sum])))))
     {}]))
