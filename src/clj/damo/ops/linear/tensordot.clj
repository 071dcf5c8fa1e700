(ns damo.ops.linear.tensordot
  "Products of two arrays that are short for an einsum: tensordot, inner, batched-dot, vecdot,
  matvec, vecmat; and kron."
  (:require [clojure.string :as str]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.kinds :as kinds]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.linear.einsum :as einsum]))

(set! *warn-on-reflection* true)

;; ## What is short for an einsum: (f attrs shape-of-x shape-of-y) gives the subscripts

(defn- short-type [f]
  (fn [attrs [[dtype x] [_ y]]]
    (typing/check-dtype :num dtype)
    (let [{:keys [output extents]} (einsum/read-subscripts (f attrs x y) [x y] :strict)]
      [dtype (mapv extents output)])))

(defn- short-value [f]
  (fn [attrs a b] (einsum/value {:subscripts (f attrs (:shape a) (:shape b))} a b)))

(defn- short-expansion [f]
  (fn [{:keys [attrs], [[_ x] [_ y]] :types}] [:einsum {:subscripts (f attrs x y)} '?x '?y]))

(def ^:private letters
  "The letters of the axes of x, then those of y."
  (mapv str (concat (map char (range 97 123)) (map char (range 65 91)))))

(defn- subscripts-for
  "The subscripts of a product of ranks m and n summed over pairs of axes [axes-of-x axes-of-y]."
  [m n [xs ys]]
  (let [x (subvec letters 0 m)
        paired (zipmap ys (map x xs))
        y (mapv #(get paired % (letters (+ m %))) (range n))
        free (fn [term axes] (keep-indexed (fn [i l] (when-not (some #{i} axes) l)) term))]
    (str (str/join x) "," (str/join y) "->" (str/join (concat (free x xs) (free y ys))))))

;; ## tensordot and inner

(defn- bad-axes! [axes x y message]
  (fail! :damo.op.tensordot/bad-axes
         (str message "; :axes is a number of axes, or [axes-of-x axes-of-y]; got "
          (pr-str axes) " for " (pr-str x) " and " (pr-str y))
         {:axes axes, :x x, :y y}))

(defn- counted-axes
  "The last n axes of x and the first n of y."
  [n x y]
  (when-not (<= 0 n (min (count x) (count y)))
    (bad-axes! n x y "there are not that many axes"))
  [(vec (range (- (count x) n) (count x))) (vec (range n))])

(defn- paired-axes [[xs ys :as axes] x y]
  (let [in-order (fn [axes rank] (mapv #(type/axis-index rank %) (if (integer? axes) [axes] axes)))
        pairs [(in-order xs (count x)) (in-order ys (count y))]]
    (when-not (apply = (map count pairs))
      (bad-axes! axes x y "as many axes of x as of y are needed"))
    (doseq [p pairs :when (and (seq p) (not (apply distinct? p)))]
      (bad-axes! axes x y "an axis is named twice"))
    pairs))

(defn- normal-pairs [{:keys [axes] :as attrs} [[_ x] [_ y]]]
  (assoc attrs :axes
         (cond (integer? axes) (counted-axes axes x y)
               (and (sequential? axes) (= 2 (bounded-count 3 axes)) (every? kinds/axes? axes))
               (paired-axes axes x y)
               :else (bad-axes! axes x y "that is neither"))))

(defn- tensordot-subscripts [{:keys [axes]} x y]
  (subscripts-for (count x) (count y) axes))

(defop tensordot
  "The sum of products over pairs of axes: :axes 2 (default) takes the last two of x with the first
  two of y; [[0 1] [1 0]] names the axes of x and of y. The other axes of x, then those of y stay."
  {:kind :composite, :args [?x ?y], :coerce [0 1], :normalize normal-pairs
   :attrs {:axes {:default 2, :is :integers, :doc "a number of axes, or [axes-of-x axes-of-y]"}}
   :type (short-type tensordot-subscripts), :eval (short-value tensordot-subscripts)
   :expand (short-expansion tensordot-subscripts)
   :gen (gens/on-shapes
         (fn [n] [[{} [n 2 3] [2 3]] [{:axes 1} [n 3] [3 2 2]] [{:axes 0} [n] [3]]
                  [{:axes [[0 1] [1 0]]} [n 2 3] [2 n]] [{:axes [-1 0]} [2 n] [n]]]))
   :examples [[[:tensordot {:axes 1}
                [:iota {:shape [3] :axis 0}] [:iota {:shape [3] :axis 0}]]
               5]]})

(defn- inner-subscripts [_ x y]
  (let [m (count x), n (count y)]
    (subscripts-for m n (if (or (= m 0) (= n 0)) [[] []] [[(dec m)] [(dec n)]]))))

(defop inner
  "The sums of products over the last axes of x and of y, with the other axes of x, then of y; the
  product when one has no axes."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (short-type inner-subscripts), :eval (short-value inner-subscripts)
   :expand (short-expansion inner-subscripts)
   :gen (gens/on-shapes (fn [n] [[{} [n] [n]] [{} [2 n] [3 n]] [{} [] [n]] [{} [2 2 n] [n]]]))
   :examples [[[:inner [:iota {:shape [3] :axis 0}] [:iota {:shape [3] :axis 0}]] 5]]})

;; ## Stacks of vectors and matrices

(defn- batched-subscripts [_ x y]
  (let [term (fn [shape both] (case (count shape)
                                2 "bk", 3 both
                                (fail! :damo.op.tensordot/rank-mismatch
                                       (str "takes stacks of vectors or matrices, [b k] or [b m k] "
                                            "and [b k n]; got " (pr-str x) " and " (pr-str y))
                                       {:x x, :y y})))]
    (str (term x "bmk") "," (term y "bkn") "->b" (when (= 3 (count x)) "m")
         (when (= 3 (count y)) "n"))))

(defop batched-dot
  "For each index of the first axis the dot of x and y: [b m k] and [b k n] give [b m n]; [b k]
  stands for a vector."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (short-type batched-subscripts), :eval (short-value batched-subscripts)
   :expand (short-expansion batched-subscripts)
   :gen (gens/on-shapes (fn [n] [[{} [2 n 3] [2 3 n]] [{} [n 3] [n 3]] [{} [2 3 n] [2 n]]
                                 [{} [2 n] [2 n 3]]]))
   :examples [[[:batched-dot [:iota {:shape [2 3] :axis 1}] [:iota {:shape [2 3] :axis 1}]]
               [5 5]]]})

(defn- stacked
  "The subscripts as a function of shapes that have axes enough for them."
  [subscripts x-rank y-rank]
  (fn [_ x y]
    (when-not (and (<= x-rank (count x)) (<= y-rank (count y)))
      (fail! :damo.op.tensordot/rank-mismatch
             (str "takes at least " x-rank " axes of x and " y-rank " of y; got "
              (pr-str x) " and " (pr-str y))
             {:x x, :y y}))
    subscripts))

(def ^:private vecdot-subscripts (stacked "...i,...i->..." 1 1))
(def ^:private matvec-subscripts (stacked "...ij,...j->...i" 2 1))
(def ^:private vecmat-subscripts (stacked "...i,...ij->...j" 1 2))

(defop vecdot
  "The inner products of vectors, the last axes: […k] and […k] give […]; leading axes broadcast."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (short-type vecdot-subscripts), :eval (short-value vecdot-subscripts)
   :expand (short-expansion vecdot-subscripts)
   :gen (gens/on-shapes (fn [n] [[{} [n] [n]] [{} [3 n] [n]] [{} [n 3] [n 3]] [{} [2 1 n] [3 n]]]))
   :examples [[[:vecdot [:iota {:shape [2 3] :axis 1}] [:iota {:shape [3] :axis 0}]] [5 5]]]})

(defop matvec
  "The products of matrices with vectors: [… m k] and [… k] give [… m]; leading axes broadcast."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (short-type matvec-subscripts), :eval (short-value matvec-subscripts)
   :expand (short-expansion matvec-subscripts)
   :gen (gens/on-shapes (fn [n] [[{} [n 3] [3]] [{} [2 3 n] [n]] [{} [2 n 3] [2 3]]
                                 [{} [3 n] [2 n]]]))
   :examples [[[:matvec [:iota {:shape [2 3] :axis 1}] [:iota {:shape [3] :axis 0}]] [5 5]]]})

(defop vecmat
  "The products of vectors with matrices: [… k] and [… k n] give [… n]; leading axes broadcast."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (short-type vecmat-subscripts), :eval (short-value vecmat-subscripts)
   :expand (short-expansion vecmat-subscripts)
   :gen (gens/on-shapes (fn [n] [[{} [3] [3 n]] [{} [n] [2 n 3]] [{} [2 n] [2 n 3]]
                                 [{} [2 n] [n 3]]]))
   :examples [[[:vecmat [:iota {:shape [2] :axis 0}] [:iota {:shape [2 2] :axis 1}]] [0 1]]]})

;; ## kron

(defn- padded [shape rank]
  (into (vec (repeat (- rank (count shape)) 1)) shape))

(defn- apart
  "The shapes under which x and y multiply elementwise to all products, axis by axis."
  [x y]
  (let [rank (max (count x) (count y))]
    [(vec (mapcat #(vector % 1) (padded x rank))) (vec (mapcat #(vector 1 %) (padded y rank)))]))

(defn- kron-shape [x y]
  (let [rank (max (count x) (count y))] (mapv type/dim* (padded x rank) (padded y rank))))

(defop kron
  "The Kronecker product: blocks of y, each scaled by an element of x; [m n] and [p q] give
  [mp nq]. Missing leading axes count as 1."
  {:kind :composite, :args [?x ?y], :coerce [0 1]
   :type (fn [_ [[dtype x] [_ y]]]
           (typing/check-dtype :num dtype)
           [dtype (kron-shape x y)])
   :eval (fn [_ {x :shape, dtype :dtype :as a} {y :shape :as b}]
           (let [[x-apart y-apart] (apart x y)]
             (array/reshape
              (array/map-elements dtype (if (type/float-dtype? dtype) * unchecked-multiply)
                                  [(array/reshape a x-apart) (array/reshape b y-apart)])
              (kron-shape x y))))
   :expand (fn [{[[_ x] [_ y]] :types, [_ shape] :type}]
             (let [[x-apart y-apart] (apart x y)]
               [:reshape {:shape shape}
                [:mul [:reshape {:shape x-apart} ?x] [:reshape {:shape y-apart} ?y]]]))
   :gen (gens/on-shapes (fn [n] [[{} [2 n] [n 3]] [{} [n] [3]] [{} [2 2] [n]] [{} [] [n 2]]]))
   :examples [[[:kron [:add 1 [:iota {:shape [2] :axis 0}]] [:ones {:shape [2], :dtype :i64}]]
               [1 1 2 2]]]})
