(ns damo.ops.linalg.lu
  "Factors by elimination with exchanged rows, a = p·l·u, and systems solved by them. The exchanges
  become the place of each row, by comparisons: no memory is addressed by what a routine wrote."
  (:require [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.tuple :as tuple]
            [damo.matrix.base :as base]
            [damo.matrix.solving :as solving]
            [damo.op :as op :refer [defop]]
            [damo.op.body :as body]
            [damo.op.typing :as typing]
            [damo.ops.linalg.equations]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.solve]
            [damo.ops.region.loop]))

(set! *warn-on-reflection* true)

;; ## Meaning

(defn- factored
  "[packed places] of an n × n matrix: the factors, and where its rows are in their product."
  [a n]
  (let [[packed pivots] (solving/lu a n)]
    [packed (double-array (map first (sort-by second (map-indexed vector
                                                                  (solving/order pivots n)))))]))

(defn- each-matrix [f shapes {:keys [shape] :as x}]
  (let [n (peek shape)]
    (base/each (fn [a n _] (f a n)) (mapv #(mapv (fn [_] n) (range %)) shapes) x)))

(def ^:private matrices
  (forms/of-matrices forms/random-matrices
                     (fn [n] (let [n (min 5 n)] [[{} [n n]] [{} [2 n n]] [{} [n 2 2]]]))))

;; ## Templates

(defn- parts-of
  "{:packed :pivots :known} of matrices of that type: templates of the factors and the exchanges,
  and what puts NaN where a matrix has it."
  [[_ shape :as type]]
  (let [rank (count shape)
        [packed pivots report] (forms/parts 3 [:lapack-getrf (forms/transposed rank '?a)])]
    {:packed (forms/transposed rank packed), :pivots pivots
     :known (fn [t] (forms/reported type rank [:minimum 0 report] t))}))

(defn- exchanging
  "The attributes of the loop that follows the rows of matrices through the exchanges, `places` and
  `pivots` [… n] from 0 on: turn k exchanges rows k and pivots[k]."
  [shape]
  (let [type [:i64 shape], number [:i64 []], n (peek shape), axis (dec (count shape))
        bools [:bool shape], one [:i64 (conj (pop shape) 1)]]
    {:until true, :unless 3, :carries [0], :results [[0 1]]
     :params [[:carry 0 0] [:all 1] [:turn] [:all 2]]
     :body (:body (body/closed
                   {:nodes [(body/param 0 type) (body/param 1 type) (body/param 2 number)
                            (body/param 3 number)
                            [:iota {:shape [n], :axis 0, :dtype :i64}] [:eq {} 4 2]
                            [:const {:type number, :value 0}] [:where {} 5 1 6]
                            [:sum {:axis [axis], :keepdims true} 7]
                            [:eq {} 0 8] [:where {} 9 2 0] [:eq {} 0 2] [:where {} 11 8 10]
                            [:const {:type number, :value 1}] [:add {} 2 13] [:ge {} 14 3]]
                    :types [type type number number [:i64 [n]] [:bool [n]] number type one
                            bools type bools type number number [:bool []]]
                    :outputs [12 15]}))}))

(defn- places-template [{[[_ shape :as type]] :types}]
  (let [{:keys [pivots]} (parts-of type), own (pop shape), n (peek shape), size [:dim {:dim n}]
        rows [:broadcast-to {:shape own} [:iota {:shape [n], :axis 0}]]]
    [:squeeze {:axis [0]}
     [:part {:at 0}
      [:loop (exchanging own) [:expand-dims {:axis [0]} rows]
       [:sub [:cast {:dtype :i64} pivots] 1] size [:le size 0]]]]))

(defn- permutation
  "The template of p, of that dtype and rank, with a = p·l·u, of places [… n]."
  [dtype rank n places]
  [:cast {:dtype dtype} [:eq (forms/as-column rank places) [:iota {:shape [n], :axis 0}]]])

(defn- strict [t] [:tril {:k -1} t])

;; ## Ops

(defop lu-packed
  "The factors of square matrices [… n n], u on and above the diagonal, l below it, whose diagonal
  is 1. NaN in a matrix makes all NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}, :internal "la/lu and la/lu-factor"
   :type (fn [_ [type]] (forms/check-square type) type)
   :eval (fn [_ x] (first (each-matrix (fn [a n] [(first (factored a n))]) [2] x)))
   :expand (fn [{[type] :types}] (let [{:keys [packed known]} (parts-of type)] (known packed)))
   :batch {}
   :lop (fn [{[[dtype shape]] :types}]
          (let [rank (count shape), tr #(forms/transposed rank %), n (peek shape)
                p (permutation dtype rank n [:lu-places ?a])
                inner [:add (strict [:matmul (tr [:add (strict ?out) (forms/unit dtype n)])
                                     (strict ?g)])
                       [:triu [:matmul [:triu ?g] (tr [:triu ?out])]]]
                right (tr [:solve-triangular {:lower false} ?out (tr inner)])]
            [[:matmul p [:solve-triangular {:unit-diagonal true, :transpose true} ?out right]]]))
   :rop (fn [{[[dtype shape]] :types}]
          (let [rank (count shape), tr #(forms/transposed rank %), n (peek shape)
                p (permutation dtype rank n [:lu-places ?a])
                left [:solve-triangular {:unit-diagonal true} ?out [:matmul (tr p) ?da]]
                m (tr [:solve-triangular {:lower false, :transpose true} ?out (tr left)])]
            [:add [:matmul [:add (strict ?out) (forms/unit dtype n)] (strict m)]
             [:matmul [:triu m] [:triu ?out]]]))
   :gen matrices
   :examples [[[:lu-packed [:mul 4.0 [:ones {:shape [1 1]}]]] [[4.0]]]]})

(defop lu-places
  "The places :i64 [… n] of the rows of square matrices [… n n] in the product of their factors:
  row i of a is row places[i] of l·u."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}, :internal "la/lu and la/lu-factor"
   :type (fn [_ [[_ shape :as type]]] (forms/check-square type) [:i64 (pop shape)])
   :eval (fn [_ x] (array/cast :i64 (first (each-matrix (fn [a n] [(second (factored a n))])
                                                        [1] x))))
   :expand places-template, :batch {}, :lop [0], :rop 0, :gen matrices
   :examples [[[:lu-places [:eye {:n 2}]] [0 1]]]})

(defop lu-factor
  "[packed places] of square matrices [… n n], for lu-solve: the factors of the matrix with its rows
  exchanged, u on and above the diagonal, l below it, whose diagonal is 1; and :i64 [… n], the row
  of l·u that each row of the matrix is. A singular matrix has a 0 on the diagonal of u. NaN in a
  matrix makes its factors NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type (fn [_ [[_ shape :as type]]]
           (forms/check-square type)
           (tuple/of [type [:i64 (pop shape)]]))
   :eval (fn [_ a] (mapv #((:eval (op/entry %)) {} a) [:lu-packed :lu-places]))
   :expand (fn [_] [:tuple [:lu-packed ?a] [:lu-places ?a]])
   :batch {}, :gen matrices
   :examples [[[:part {:at 1} [:lu-factor [:eye {:n 2}]]] [0 1]]]})

(defop lu
  "[p l u] of square matrices [… n n], a = p·l·u: a permutation, a lower triangle with 1 on its
  diagonal and entries of size at most 1, and an upper triangle. NaN in a matrix makes l and u NaN.
  Derivatives, of l and u, hold while the permutation does not change."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type (fn [_ [type]] (forms/check-square type) (tuple/of [type type type]))
   :eval (fn [_ a]
           (each-matrix
            (fn [a n]
              (let [[packed ^doubles places] (factored a n)
                    at #(base/at packed n %1 %2)]
                [(base/filled n n (fn [i j] (if (== (aget places (int i)) (long j)) 1.0 0.0)))
                 (base/filled n n (fn [i j] (cond (= i j) 1.0
                                                  (< (long j) (long i)) (at i j)
                                                  :else 0.0)))
                 (base/filled n n (fn [i j] (if (<= (long i) (long j)) (at i j) 0.0)))]))
            [2 2 2] a))
   :expand (fn [{[[dtype shape]] :types}]
             (let [rank (count shape), n (peek shape), packed [:lu-packed ?a]]
               [:tuple (permutation dtype rank n [:lu-places ?a])
                [:add (strict packed) (forms/unit dtype n)]
                [:triu packed]]))
   :batch {}, :gen matrices
   :examples [[[:part {:at 2} [:lu [:mul 4.0 [:ones {:shape [1 1]}]]]] [[4.0]]]]})

;; ## Solutions

(defn call-lu-solve
  "The x with a·x = b for [packed places] of matrices a, as lu-factor gives them, and b [… n r] or a
  vector [n]; batches broadcast. With :transpose true the transposes of a. A singular matrix gives
  infinities and NaN. Any integers may be `places`; what are no places of rows adds nothing."
  [[packed places] b & {:keys [transpose]}]
  (let [packed (expr/lift packed), b (expr/lift b), [dtype shape] (expr/type-of packed),
        n (peek shape)
        rank (count shape), vector? (= 1 (count (expr/shape-of b)))
        eq (op/node :eq {} [(op/node :expand-dims {:axis [(dec rank)]} [places])
                            (op/node :iota {:shape [n], :axis 0} [])])
        p (op/node :cast {:dtype dtype} [eq])
        turned (fn [x] (op/node :transpose {:axes (into (vec (range (- rank 2)))
                                                        [(dec rank) (- rank 2)])} [x]))
        columns (if vector? (op/node :expand-dims {:axis [1]} [b]) b)
        step (fn [lower x]
               (op/node :solve-triangular
                        {:lower lower, :unit-diagonal lower, :transpose (boolean transpose)}
                        [packed x]))
        times (fn [p x] (op/node :matmul {} [p x]))
        x (if transpose
            (times p (step true (step false columns)))
            (step false (step true (times (turned p) columns))))]
    (if vector? (op/node :squeeze {:axis [-1]} [x]) x)))
