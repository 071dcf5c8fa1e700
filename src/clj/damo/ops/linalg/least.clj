(ns damo.ops.linalg.least
  "Least squares, pseudo-inverses, ranks and condition numbers, all by singular values. Derivatives:
  Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems
  whose variables separate, 1973, 4.12; they hold while the rank does not change."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.singular :as singular]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.svd]))

(set! *warn-on-reflection* true)

;; ## Which singular values count

(def ^:private tolerance
  {:rtol {:default nil, :is :number
          :doc "singular values up to this part of the largest one count as 0; nil: the larger
  extent of the matrix times the distance between 1 and the next number of the dtype"}})

(defn- least-of
  "The template of what singular values s, of matrices of that type, must exceed."
  [{:keys [rtol]} [dtype shape] s]
  (let [[m n] (take-last 2 shape), unit (array/unit (type/computed dtype) 1.0)
        part (cond rtol (typing/const dtype rtol)
                   (and (integer? m) (integer? n)) (typing/const dtype (* unit (max m n)))
                   :else [:mul unit [:maximum (typing/count-of dtype [m])
                                     (typing/count-of dtype [n])]])]
    [:mul part [:cummax {:axis -1} s]]))

(defn- counted
  "[s least] of an m × n matrix: its singular values and what they must exceed."
  [{:keys [rtol]} dtype ^doubles s m n]
  (let [rtol (or rtol (* (array/unit (type/computed dtype) 1.0) (max (long m) (long n))))]
    (* (double rtol) (double (if (zero? (alength s)) 0.0 (aget s 0))))))

(defn- pseudo-inverse
  "The pseudo-inverse, [n m], of an [m n] matrix."
  [attrs dtype a m n]
  (let [[u ^doubles s vt] (singular/svd a m n false), k (alength ^doubles s)
        least (double (counted attrs dtype s m n))
        v (base/filled n k (fn [i j] (let [x (aget s (int j))]
                                       (cond (Double/isNaN x) ##NaN
                                             (< least x) (/ (base/at vt n j i) x)
                                             :else 0.0))))]
    (if (zero? k)
      (double-array (* (long m) (long n)))
      (base/times v n k (base/transposed u m k) m))))

(defn- turned [[dtype shape]]
  (let [[lead m n] (forms/check-matrix [dtype shape])] [dtype (conj lead n m)]))

(def ^:private matrices
  (forms/of-matrices forms/random-matrices
                     (fn [n] [[{} [n n]] [{} [n 3]] [{} [2 n]] [{} [2 n 4]] [{} [2 1 2 n]]
                              [{} [n 3 3]] [{} [5 n]] [{:rtol 1e-9} [n 2]]])))

(defn- divided
  "The template of t/s where s counts, else 0; s and t of one shape, or broadcast."
  [counts? s t]
  [:where counts? [:mul t [:reciprocal-or-zero s]] 0])

(defn- scaled
  "The template of the rows of t, of that rank, divided by the singular values s of a matrix of that
  type, those too small left out."
  [attrs [_ shape :as type] s t]
  (let [rank (count shape), counts? [:logical-not [:le s (least-of attrs type s)]]]
    (divided (forms/as-column rank counts?) (forms/as-column rank s) t)))

(defn- of-rank [[_ shape]] (count shape))

(defop pinv
  "The pseudo-inverses [… n m] of matrices [… m n]: singular values that are too small, :rtol, count
  as 0. NaN in a matrix makes all NaN. The derivative is that at constant rank."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs tolerance
   :type (fn [_ [type]] (turned type))
   :eval (fn [attrs {:keys [dtype shape] :as x}]
           (let [[m n] (take-last 2 shape)]
             (first (base/each (fn [a m n] [(pseudo-inverse attrs dtype a m n)]) [[n m]] x))))
   :expand (fn [{:keys [attrs], [type] :types}]
             (let [[u s vt] (forms/parts 3 [:svd ?a]), rank (of-rank type)]
               [:matmul (forms/transposed rank vt)
                (scaled attrs type s (forms/transposed rank u))]))
   :lop (fn [{[type] :types}]
          (let [tr #(forms/transposed (of-rank type) %), p ?out, gt (tr ?g)]
            [[:sub [:add [:matmul [:matmul [:sub gt [:matmul ?a [:matmul p gt]]] p] (tr p)]
                    [:matmul (tr p) [:matmul p [:sub gt [:matmul [:matmul gt p] ?a]]]]]
              [:matmul (tr p) [:matmul ?g (tr p)]]]]))
   :rop (fn [{[type] :types}]
          (let [tr #(forms/transposed (of-rank type) %), p ?out, dt (tr ?da)]
            [:sub [:add [:matmul [:matmul p (tr p)] [:sub dt [:matmul [:matmul dt ?a] p]]]
                   [:matmul [:sub dt [:matmul p [:matmul ?a dt]]] [:matmul (tr p) p]]]
             [:matmul p [:matmul ?da p]]]))
   :gen matrices
   :examples [[[:pinv [:diag [:mul 2.0 [:iota {:shape [2]}]]]] [[0.0 0.0] [0.0 0.5]]]]})

;; ## Least squares

(defn- b-type
  "The type of the least squares solutions for matrices of that type and right sides of another."
  [[dtype a] [_ b]]
  (let [[lead m n] (forms/check-matrix [dtype a])]
    (when-not (and (<= 2 (count b)) (= m (nth b (- (count b) 2))))
      (fail! :damo.op.linalg/shape-mismatch
             (str "the right side must have as many rows as the matrices; these are " (pr-str a)
                  ", the right side is " (pr-str b))
             {:a a, :b b, :expected m}))
    [dtype (conj (type/broadcast-shapes lead (subvec b 0 (- (count b) 2))) n (peek b))]))

(defn- broadcast-value
  "The matrices of an array of rank ≥ 2 as those of a batch."
  [{:keys [shape dtype] :as x} lead]
  (base/matrices (array/map-elements dtype (fn [x _] x)
                                     [x (array/full dtype (into lead (take-last 2 shape)) 0)])))

(defn- solutions [attrs {[m n] :own, :keys [dtype] :as a} b]
  (let [[_ shape] (b-type (array/type-of a) (array/type-of b)), lead (vec (drop-last 2 shape))
        [m n] (take-last 2 (:shape a)), r (peek shape)]
    (base/assembled dtype lead [n r]
                    (map (fn [a b] (base/times (pseudo-inverse attrs dtype a m n) n m b r))
                         (broadcast-value a lead) (broadcast-value b lead)))))

(defn- summed-to [[_ shape] [_ from] t] (if (= shape from) t [:sum-to {:shape shape} t]))

(defn- lead-of [[_ shape]] (subvec shape 0 (- (count shape) 2)))

(defn- matrix-of
  "The type of matrices [rows columns] over the batch of a type."
  [[dtype shape] & own]
  [dtype (into (subvec shape 0 (- (count shape) 2)) own)])

(defn- least-gradients
  "Gradients of x = a⁺·b by a and b, with y = a⁺ᵀ·g: -y·xᵀ + (b - a·x)·(a⁺·y)ᵀ + (a⁺ᵀ·x)·(g -
  aᵀ·y)ᵀ, and y."
  [{:keys [attrs types], [_ shape :as type] :type}]
  (let [[ta tb] types, [m n] (take-last 2 (second ta)), rank (count shape)
        tr #(forms/transposed rank %), at (forms/transposed (of-rank ta) '?a)
        back (fn [t] [:least-squares attrs at t])
        y (back '?g)
        outer (fn [u v] [:matmul u (tr v)])
        ga [:add [:sub (outer [:sub '?b [:matmul '?a '?out]] [:least-squares attrs '?a y])
                  (outer y '?out)]
            (outer (back '?out) [:sub '?g [:matmul at y]])]]
    [(summed-to ta (matrix-of type m n) ga)
     (summed-to tb (matrix-of type m (peek shape)) y)]))

(defop least-squares
  "For matrices a [… m n] and b [… m r] the x [… n r] of the least norm for which a·x - b has the
  least norm: the pseudo-inverse of a times b. Batches broadcast."
  {:kind :composite, :args [?a ?b], :matrices #{0}, :attrs tolerance, :coerce [0 1]
   :internal "the first result of la/lstsq"
   :type (fn [_ [a b]] (b-type a b)), :eval solutions
   :expand (fn [{:keys [attrs], [type] :types}]
             (let [[u s vt] (forms/parts 3 [:svd ?a]), rank (of-rank type)]
               [:matmul (forms/transposed rank vt)
                (scaled attrs type s [:matmul (forms/transposed rank u) ?b])]))
   :lop least-gradients
   :rop (fn [{:keys [attrs], [ta] :types}]
          (let [at #(forms/transposed (of-rank ta) %)
                back (fn [t] [:least-squares attrs (at ?a) t])
                z [:matmul (at ?da) (back ?out)]
                w [:matmul (at ?da) [:sub ?b [:matmul ?a ?out]]]]
            [:add [:least-squares attrs ?a
                   [:sub [:add [:sub ?db [:matmul ?da ?out]] (back w)] [:matmul ?a z]]]
             z]))
   :gen (forms/beside (fn [ctx dtype shape _] (forms/random-matrices ctx dtype shape))
                      (fn [n] [[{} [n n] [n 2]] [{} [4 n] [4 2]] [{} [2 n] [2 n]]
                               [{} [2 3 n] [3 1]] [{} [n 3] [2 n 2]]
                               [{:rtol 1e-9} [2 1 n n] [3 n 1]]]))
   :examples [[[:least-squares [:ones {:shape [2 1]}] [:mul 3.0 [:ones {:shape [2 1]}]]]
               [[3.0]]]]})

(defop matrix-rank
  "How many singular values of matrices [… m n] count, [… ] of :i64: those larger than :rtol times
  the largest one. 0 where a matrix has NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs tolerance
   :type (fn [_ [[_ _ :as type]]] [:i64 (first (forms/check-matrix type))])
   :eval (fn [attrs {:keys [dtype shape] :as x}]
           (let [[m n] (take-last 2 shape)]
             (array/cast :i64
               (first (base/each (fn [a m n]
                                   (let [s (second (singular/svd a m n false))
                                         least (double (counted attrs dtype s m n))]
                                     [(double-array [(count (filter #(< least (double %)) s))])]))
                                 [[]] x)))))
   :expand (fn [{:keys [attrs], [type] :types}]
             (let [s [:svdvals ?a]]
               [:sum {:axis -1} [:cast {:dtype :i64} [:gt s (least-of attrs type s)]]]))
   :lop [0], :rop 0
   :gen matrices
   :examples [[[:matrix-rank [:ones {:shape [3 2]}]] 1]]})

;; ## All of least squares at once

(defn- as-matrix
  "The shape of a right side, a vector as a column."
  [shape]
  (if (= 1 (count shape)) (conj shape 1) shape))

(defn- lstsq-types [[ta [dtype b]]]
  (let [[lead m n] (forms/check-matrix ta)
        [_ shape] (b-type ta [dtype (as-matrix b)])
        batch (pop (pop shape)), vector? (= 1 (count b))]
    [[dtype (if vector? (pop shape) shape)] [dtype (if vector? batch (conj batch (peek shape)))]
     [:i64 lead] [dtype (conj lead (forms/lesser m n))]]))

(defn- squares-off
  "The sums of squares of the columns of b - a·x, [r], of matrices [m n], [m r] and [n r]."
  [a b x m n r]
  (let [ax (base/times a m n x r)]
    (double-array (for [j (range r)]
                    (reduce + 0.0 (for [i (range m)
                                        :let [d (- (base/at b r i j) (base/at ax r i j))]]
                                    (* d d)))))))

(defn- lstsq-value [attrs {:keys [dtype] :as a} b]
  (let [wide (fn [x] (assoc x :dtype (type/computed dtype))), a (wide a)
        plain (fn [x axis]
                (if (= 1 (count (:shape b)))
                  (array/reshape x (typing/replace-axis (:shape x) axis []))
                  x))
        columns (array/reshape (wide b) (as-matrix (:shape b)))
        {:keys [shape] :as x} (solutions attrs a columns)
        lead (vec (drop-last 2 shape)), [m n] (take-last 2 (:shape a)), r (peek shape)
        off (map #(squares-off %1 %2 %3 m n r)
                 (broadcast-value a lead) (broadcast-value columns lead) (base/matrices x))]
    (mapv (fn [x] (if (= :i64 (:dtype x)) x (array/cast dtype x)))
          [(plain x (dec (count shape)))
           (plain (base/assembled (:dtype a) lead [r] off) (count lead))
           ((:eval (op/entry :matrix-rank)) attrs a) ((:eval (op/entry :svdvals)) {} a)])))

(defn- lstsq-template [{:keys [attrs], [ta [_ b]] :types}]
  (let [column? (= 1 (count b)), b2 (if column? [:expand-dims {:axis [1]} '?b] '?b)
        x [:least-squares attrs '?a b2], off [:sub b2 [:matmul '?a x]]
        plain (fn [t] (if column? [:squeeze {:axis [-1]} t] t))]
    [:tuple (plain x) (plain [:sum {:axis -2} [:sqr off]])
     [:matrix-rank attrs '?a] [:svdvals '?a]]))

(defop lstsq
  "[x residuals rank singular-values]: the x [… n r] of least norm for which a·x is nearest to b,
  for matrices a [… m n] and right sides b [… m r], or a vector b [m]; the sums of squares of b -
  a·x by columns, also where the rank is less than n; how many singular values of a count, those
  larger than
  :rtol times the largest one; all of them, descending. The derivative is that at constant rank."
  {:kind :composite, :args [?a ?b], :matrices #{0}, :attrs tolerance, :coerce [0 1]
   :type (fn [_ types] (tuple/of (lstsq-types types))), :eval lstsq-value
   :expand lstsq-template
   :gen (forms/beside (fn [ctx dtype shape _] (forms/random-matrices ctx dtype shape))
                      (fn [n] [[{} [n n] [n 2]] [{} [4 n] [4]] [{} [2 n] [2 n]] [{} [2 3 n] [3]]
                               [{} [n 3] [2 n 2]] [{} [2 1 n n] [3 n 1]]]))
   :examples [[[:part {:at 1} [:lstsq [:ones {:shape [2 1]}] [:iota {:shape [2], :axis 0}]]] 0.5]
              [[:part {:at 2} [:lstsq [:ones {:shape [2 1]}] [:ones {:shape [2]}]]] 1]]})
