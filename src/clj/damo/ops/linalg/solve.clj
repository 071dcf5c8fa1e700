(ns damo.ops.linalg.solve
  "Systems of linear equations, inverses, factors of Cholesky. Derivatives: Giles, Collected matrix
  derivative results for forward and reverse mode algorithmic differentiation, 2008, 2.2."
  (:refer-clojure :exclude [vector?])
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.solving :as solving]
            [damo.matrix.symmetric :as symmetric]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.ops.linalg.equations :as equations]
            [damo.ops.linalg.forms :as forms]))

(set! *warn-on-reflection* true)

;; ## Types

(defn- as-matrix [shape] (if (= 1 (count shape)) (conj shape 1) shape))

(defn- solution-shape
  "The shape of the solutions for matrices of that type and right sides of that shape, a vector as
  one column."
  [[_ a :as type] b]
  (let [[lead n] (forms/check-square type), columns (as-matrix b)]
    (when-not (and (<= 2 (count columns)) (= n (nth columns (- (count columns) 2))))
      (fail! :damo.op.linalg/shape-mismatch
             (str "the right side must have as many rows as the matrices; these are " (pr-str a)
                  ", the right side is " (pr-str b))
             {:a a, :b b, :expected n}))
    (conj (type/broadcast-shapes lead (pop (pop columns))) n (peek columns))))

(defn- solve-type [_ [[dtype :as a] [_ b]]]
  (let [shape (solution-shape a b)] [dtype (if (= 1 (count b)) (pop shape) shape)]))

;; ## Meaning

(defn- widened-to [{:keys [shape dtype] :as x} lead]
  (base/matrices (array/map-elements dtype (fn [x _] x)
                                     [x (array/full dtype (into lead (take-last 2 shape)) 0)])))

(defn- solved
  "The array of (f a n b r) for all matrices."
  [f {:keys [dtype] :as a} {b-shape :shape :as b}]
  (let [shape (solution-shape (array/type-of a) b-shape), [n r] (take-last 2 shape)
        lead (vec (drop-last 2 shape)), columns (array/reshape b (as-matrix b-shape))
        x (base/assembled dtype lead [n r]
                          (map (fn [a b] (f a n b r))
                               (widened-to a lead) (widened-to columns lead)))]
    (if (= 1 (count b-shape)) (array/reshape x (pop shape)) x)))

(defn- failing
  "The first of a result and a report, NaN of another one; or it fails as `on-failure` says."
  [on-failure message [x report]]
  (when (and (pos? (long report)) (not= on-failure :nan))
    (fail! :damo.op.linalg/failed (format message report) {:reported report}))
  x)

;; ## Templates

(defn- spread
  "The templates of matrices a and right sides b over one batch, those as columns."
  [[[_ a :as ta] [_ b]]]
  (let [shape (solution-shape ta b), lead (pop (pop shape)), columns (as-matrix b)
        to (fn [from t] (let [own (into lead (take-last 2 from))]
                          (if (= own from) t [:broadcast-to {:shape own} t])))]
    [(to a '?a) (to columns (if (= columns b) '?b [:expand-dims {:axis [1]} '?b])) shape]))

(defn- vector? "Is the right side a vector?" [[_ [_ b]]] (= 1 (count b)))

(defn- plain [types t] (if (vector? types) [:squeeze {:axis [-1]} t] t))

(defn- columns
  "The template of t, a right side or solution, of which vectors of that rank are made columns."
  [types rank t]
  (if (vector? types) [:expand-dims {:axis [rank]} t] t))

(defn- summed-to [from shape t] (if (= from shape) t [:sum-to {:shape shape} t]))

(defn- gradients
  "Gradients by matrices and right sides of x with t·x = b, where (back g) gives y with tᵀ·y = g: of
  b it is y, of t -y·xᵀ, of which (part rank t) makes that of a."
  [part back {[[_ a :as ta] [_ b] :as types] :types}]
  (let [shape (solution-shape ta b), rank (count shape), y (back (columns types (dec rank) '?g))
        own (fn [s] (into (pop (pop shape)) (take-last 2 s)))
        gt [:neg [:matmul y (forms/transposed rank (columns types (dec rank) '?out))]]]
    [(summed-to (own a) a (part rank gt))
     (plain types (summed-to (own (as-matrix b)) (as-matrix b) y))]))

(defn- tangent
  "The tangent of x with t·x = b, dt being that of t: (again r) with t·(again r) = r."
  [again dt {[ta [_ b] :as types] :types}]
  (plain types (again [:sub (columns types 1 '?db)
                       [:matmul dt (columns types (dec (count (solution-shape ta b))) '?out)]])))

;; ## Triangles

(defn- masked
  "The template of t with 0 where a triangle is not read."
  [{:keys [lower unit-diagonal]} t]
  (if lower
    [:tril {:k (if unit-diagonal -1 0)} t]
    [:triu {:k (if unit-diagonal 1 0)} t]))

(def ^:private triangular-gen
  (forms/beside (fn [ctx dtype shape _] (forms/random-triangular ctx dtype shape))
                (fn [n] [[{} [n n] [n 2]] [{:lower false} [2 n n] [n 3]]
                         [{:transpose true} [n n] [2 n 1]] [{:unit-diagonal true} [n n] [n]]
                         [{:lower false, :transpose true} [2 1 n n] [3 n 2]] [{} [2 n n] [n]]])))

(defop solve-triangular
  "The x with t·x = b for triangles t of matrices a [… n n], the lower ones or, with :lower false,
  the upper ones, and b [… n r] or a vector [n]; batches broadcast. What is outside of the triangle
  is not read. A 0 on the diagonal gives infinities and NaN."
  {:kind :composite, :args [?a ?b], :matrices #{0}, :coerce [0 1], :attrs equations/triangle
   :type solve-type
   :eval (fn [attrs a b] (solved (fn [a n b r] (equations/triangular-solution attrs a n b r)) a b))
   :expand (fn [{:keys [attrs types type]}]
             (or (op/widened :solve-triangular attrs types type)
                 (let [[a b] (spread types)]
                   (plain types [:part {:at 0} [:blas-trsm attrs a b]]))))
   :lop (fn [{{:keys [transpose] :as attrs} :attrs, :as node}]
          (gradients (fn [rank t] (masked attrs (if transpose (forms/transposed rank t) t)))
                     (fn [g] [:solve-triangular (update attrs :transpose not) ?a g])
                     node))
   :rop (fn [{:keys [attrs], [[_ a]] :types, :as node}]
          (let [dt (masked attrs ?da)]
            (tangent (fn [r] [:solve-triangular attrs ?a r])
                     (if (:transpose attrs) (forms/transposed (count a) dt) dt) node)))
   :gen triangular-gen
   :examples [[[:solve-triangular [:mul 4.0 [:ones {:shape [1 1]}]] [:ones {:shape [1]}]] [0.25]]]})

;; ## General matrices

(def ^:private singular "the matrix is singular: element %d of the diagonal of its factor is 0")
(def ^:private indefinite "not positive definite: leading minor %d")

(defn- solve-value [{:keys [assume on-failure transpose]} a n b r]
  (case assume
    :general (failing on-failure singular
                      (solving/solve (if transpose (base/transposed a n n) a) n b r))
    :symmetric (failing on-failure singular
                        (solving/solve (symmetric/mirrored a n true) n b r))
    (let [l (failing on-failure indefinite (solving/cholesky a n))
          half (solving/triangular l n b r true false)]
      (solving/triangular (base/transposed l n n) n half r false false))))

(defn- solve-template [{{:keys [assume on-failure transpose]} :attrs, [[dtype]] :types
                        :keys [types]}]
  (let [[a b shape] (spread types), rank (count shape), n (nth shape (- rank 2))
        tr #(forms/transposed rank %), type [dtype (conj (pop shape) n)]
        solved (fn [node] (equations/known on-failure singular type rank [:part {:at 1} node]
                                           (tr [:part {:at 0} node])))]
    (plain types
           (case assume
             :general (solved [:lapack-gesv (if transpose a (tr a)) (tr b)])
             :symmetric (solved [:lapack-sysv a (tr b)])
             (let [l [:cholesky {:on-failure on-failure} a]]
               [:solve-triangular {:transpose true} l [:solve-triangular {} l b]])))))

(def ^:private solve-gen
  (forms/beside (fn [ctx dtype shape {:keys [assume]}]
                  (if assume
                    (forms/random-symmetric ctx dtype shape (= assume :symmetric))
                    (forms/random-matrices ctx dtype shape)))
                (fn [n] [[{} [n n] [n 2]] [{} [2 n n] [n 3]] [{:assume :symmetric} [n n] [2 n 1]]
                         [{} [n n] [n]] [{:transpose true} [2 1 n n] [3 n 2]]
                         [{:assume :positive-definite} [n n] [n]] [{:on-failure :nan} [n n] [n 1]]
                         [{:assume :positive-definite} [2 n n] [n 2]]])))

(def ^:private solve-attributes
  {:assume {:default :general, :is #{:general :symmetric :positive-definite}
            :doc "what is known of the matrices: of symmetric ones the lower triangle is read"}
   :transpose {:default false, :is :flag, :doc "true: the transposes of the matrices"}
   :on-failure equations/on-failure})

(defn- known-symmetric
  "What the gradient of matrices is made: symmetric where they are taken as such."
  [{:keys [assume transpose]}]
  (fn [rank t]
    (cond (not= assume :general) (forms/symmetric rank t)
          transpose (forms/transposed rank t)
          :else t)))

(defop solve
  "The x with a·x = b for square matrices a [… n n] and b [… n r] or a vector [n]; batches
  broadcast. With :assume :symmetric or :positive-definite the lower triangle alone is read, and the
  gradient is symmetric. A singular matrix, or one that is not positive definite, stops the call;
  with
  :on-failure :nan its solution is NaN. NaN in a matrix makes its solution NaN."
  {:kind :composite, :args [?a ?b], :matrices #{0}, :coerce [0 1], :attrs solve-attributes
   :type solve-type
   :eval (fn [attrs a b] (solved (fn [a n b r] (solve-value attrs a n b r)) a b))
   :expand solve-template
   :symmetric (fn [{:keys [assume]}] (if (= assume :general) #{} #{0}))
   :lop (fn [{:keys [attrs] :as node}]
          (gradients (known-symmetric attrs)
                     (fn [g] [:solve (update attrs :transpose not) ?a g]) node))
   :rop (fn [{:keys [attrs], [[_ a]] :types, :as node}]
          (tangent (fn [r] [:solve attrs ?a r]) ((known-symmetric attrs) (count a) ?da) node))
   :gen solve-gen
   :examples [[[:solve [:mul 4.0 [:ones {:shape [1 1]}]] [:ones {:shape [1]}]] [0.25]]]})

(defop inv
  "The inverses of square matrices [… n n]. A singular one stops the call; with :on-failure :nan it
  gives NaN. NaN in a matrix makes its inverse NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {:on-failure equations/on-failure}
   :type (fn [_ [type]] (forms/check-square type) type)
   :eval (fn [{:keys [on-failure]} {:keys [shape] :as x}]
           (first (base/each (fn [a n _] [(failing on-failure singular
                                                   (solving/solve a n (base/identity n) n))])
                             [(vec (take-last 2 shape))] x)))
   :expand (fn [{{:keys [on-failure]} :attrs, [[dtype shape]] :types}]
             [:solve {:on-failure on-failure} ?a [:broadcast-to {:shape shape}
                                                  (forms/unit dtype (peek shape))]])
   :lop (fn [{[[_ shape]] :types}]
          (let [xt (forms/transposed (count shape) ?out)] [[:neg [:matmul [:matmul xt ?g] xt]]]))
   :rop [:neg [:matmul [:matmul ?out ?da] ?out]]
   :batch {}
   :gen (forms/of-matrices forms/random-matrices
                           (fn [n] [[{} [n n]] [{} [2 n n]] [{:on-failure :nan} [n 2 2]]]))
   :examples [[[:inv [:mul 4.0 [:ones {:shape [1 1]}]]] [[0.25]]]]})

;; ## Cholesky

(defn- halved
  "The template of the lower triangle of t, its diagonal halved."
  [dtype n t]
  [:sub [:tril t] [:mul [:mul 0.5 (forms/unit dtype n)] t]])

(defn- solved-both-sides
  "The template of l⁻ᵀ·t·l⁻¹, or with `transpose` false l⁻¹·t·l⁻ᵀ."
  [rank l t transpose]
  (let [left (fn [t] [:solve-triangular {:transpose transpose} l t])]
    (forms/transposed rank (left (forms/transposed rank (left t))))))

(defop cholesky
  "The lower triangles l with l·lᵀ = a of positive definite symmetric matrices a [… n n], or with
  :lower false the upper ones, uᵀ·u = a. The lower triangle of a alone is read, the upper one with
  :lower false; the gradient is symmetric. A matrix that is not positive definite stops the call;
  with
  :on-failure :nan its factor is NaN. NaN in the triangle makes the factor NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :symmetric #{0}
   :attrs {:lower {:default true, :is :flag, :doc "the lower factor, of the lower triangle"}
           :on-failure equations/on-failure}
   :type (fn [_ [type]] (forms/check-square type) type)
   :eval (fn [{:keys [lower on-failure]} {:keys [shape] :as x}]
           (let [turned (fn [a n] (if lower a (base/transposed a n n)))]
             (first (base/each (fn [a n _]
                                 [(turned (failing on-failure indefinite
                                                   (solving/cholesky (turned a n) n)) n)])
                               [(vec (take-last 2 shape))] x))))
   :expand (fn [{{:keys [lower on-failure]} :attrs, [[_ shape :as type]] :types}]
             (let [rank (count shape), tr #(if lower % (forms/transposed rank %))
                   node [:lapack-potrf (tr ?a)]]
               (tr (equations/known on-failure indefinite type rank
                                    [:part {:at 1} node] [:tril [:part {:at 0} node]]))))
   :batch {}
   :lop (fn [{{:keys [lower]} :attrs, [[dtype shape]] :types}]
          (let [rank (count shape), tr #(forms/transposed rank %), own #(if lower % (tr %))
                l (own ?out), p (halved dtype (peek shape) [:matmul (tr l) (own ?g)])]
            [(forms/symmetric rank (solved-both-sides rank l p true))]))
   :rop (fn [{{:keys [lower]} :attrs, [[dtype shape]] :types}]
          (let [rank (count shape), own #(if lower % (forms/transposed rank %)), l (own ?out)
                inside (solved-both-sides rank l (forms/symmetric rank ?da) false)]
            (own [:matmul l (halved dtype (peek shape) inside)])))
   :gen (forms/of-matrices #(forms/random-symmetric %1 %2 %3 false)
                           (fn [n] [[{} [n n]] [{:lower false} [n n]] [{} [2 n n]]
                                    [{:on-failure :nan} [n 2 2]] [{:lower false} [2 1 n n]]]))
   :examples [[[:cholesky [:mul 4.0 [:ones {:shape [1 1]}]]] [[2.0]]]]})

(defop cho-solve
  "The x with l·lᵀ·x = b for a lower factor l [… n n] of Cholesky, or with :lower false an upper
  one, uᵀ·u·x = b, and b [… n r] or a vector [n]; batches broadcast."
  {:kind :composite, :args [?l ?b], :matrices #{0}, :coerce [0 1]
   :attrs {:lower {:default true, :is :flag, :doc "is the factor the lower one?"}}
   :type solve-type
   :eval (fn [{:keys [lower]} l b]
           (solved (fn [a n b r]
                     (let [l (if lower a (base/transposed a n n))]
                       (solving/triangular (base/transposed l n n) n
                                           (solving/triangular l n b r true false) r false false)))
                   l b))
   :expand (fn [{{:keys [lower]} :attrs, :keys [attrs types type]}]
             (or (op/widened :cho-solve attrs types type)
                 (let [step (fn [transpose t]
                              [:solve-triangular {:lower lower, :transpose transpose} ?l t])]
                   (plain types (step lower (step (not lower) (columns types 1 ?b)))))))
   :gen (fn [ctx] (let [c (triangular-gen ctx)]
                    (update c :attrs select-keys [:lower])))
   :examples [[[:cho-solve [:mul 2.0 [:ones {:shape [1 1]}]] [:ones {:shape [1]}]] [0.25]]]})
