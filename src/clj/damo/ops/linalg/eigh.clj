(ns damo.ops.linalg.eigh
  "Eigenvalues and eigenvectors of symmetric matrices. Derivatives: Giles, Collected matrix
  derivative results for forward and reverse mode algorithmic differentiation, 2008, 3.1."
  (:require [damo.data.tuple :as tuple]
            [damo.matrix.base :as base]
            [damo.matrix.symmetric :as symmetric]
            [damo.op :refer [defop]]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.routines]))

(set! *warn-on-reflection* true)

(def ^:private attributes
  {:lower {:default true, :is :flag
           :doc "which triangle is read: the lower one, or with false the upper one"}})

;; ## A quotient of derivatives

(defop reciprocal-or-zero
  "1/x, and 0 where x is 0: what divides by the distances of eigenvalues or singular values, of
  which those from a value to itself do not count."
  {:kind :elementwise, :args [?x], :type :float
   :internal "derivatives of factorisations"
   :eval (fn [x] (if (zero? x) 0.0 (/ 1.0 (double x))))
   :scalar [:select [:eq ?x 0] 0 [:div 1 ?x]]
   :partials [[:neg [:sqr ?out]]]
   :slope-ulp "the square of a rounded quotient"
   :gen {?x [0.5 3]}
   :examples [[[:reciprocal-or-zero 4.0] 0.25] [[:reciprocal-or-zero 0.0] 0.0]]})

;; ## eigh

(defn- values-type [_ [[dtype :as type]]]
  (let [[lead n] (forms/check-square type)] [dtype (conj lead n)]))

(defn- both-type [_ [[_ shape :as type]]]
  (tuple/of [(values-type nil [type]) [(first type) shape]]))

(defn- both [{:keys [lower]} {:keys [shape] :as x}]
  (base/each (fn [a n _] (symmetric/eigh a n lower)) [[(peek shape)] (vec (take-last 2 shape))] x))

(defn- symmetric-gen [ctx]
  ((forms/of-matrices #(forms/random-symmetric %1 %2 %3 true)
                      (fn [n] [[{} [n n]] [{:lower false} [n n]] [{} [2 n n]] [{} [n 2 2]]
                               [{:lower false} [2 1 n n]]]))
   ctx))

(defn- around
  "The template v·t·vᵀ of matrices of that rank."
  [rank v t]
  [:matmul [:matmul v t] (forms/transposed rank v)])

(defn- inside
  "The template vᵀ·t·v, for the symmetric part of t."
  [rank v t]
  [:matmul [:matmul (forms/transposed rank v) (forms/symmetric rank t)] v])

(defop eigvalsh
  "The eigenvalues of symmetric matrices [… n n], ascending, [… n]. One triangle is read, :lower;
  the derivative takes the matrix as symmetric, its gradient is symmetric. It is right also where
  eigenvalues are equal as long as the function of them is symmetric, as their sum is; a second
  derivative that couples equal ones is NaN. NaN in a matrix makes all its eigenvalues NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs attributes
   :type values-type, :eval (fn [attrs x] (first (both attrs x)))
   :expand (fn [{:keys [attrs], [[_ shape :as type]] :types}]
             (let [[w report] (forms/parts 2 [:lapack-syevd-values attrs ?a])]
               (forms/reported type (dec (count shape)) report w)))
   :symmetric #{0}, :beside :eigh, :batch {}
   :lop (fn [{:keys [attrs], [[_ shape]] :types}]
          (let [rank (count shape), v [:part {:at 1} [:eigh attrs ?a]]]
            [[:matmul [:mul v (forms/as-row rank ?g)] (forms/transposed rank v)]]))
   :rop (fn [{:keys [attrs], [[_ shape]] :types}]
          (let [rank (count shape), v [:part {:at 1} [:eigh attrs ?a]]]
            (forms/diagonal rank (inside rank v ?da))))
   :gen symmetric-gen
   :examples [[[:eigvalsh [:diag [:sub 1.0 [:iota {:shape [3]}]]]] [-1.0 0.0 1.0]]]})

(defn- vectors-seen
  "What laws see of eigenvectors, whose signs are free: Σ_j c_j v_j v_jᵀ."
  [{:keys [at], [[dtype shape]] :types}]
  (let [v [:part {:at 1} '?out], rank (count shape)]
    (when (= at 1)
      [:matmul [:mul v (forms/weights dtype (peek shape))] (forms/transposed rank v)])))

(defop eigh
  "[values vectors] of symmetric matrices [… n n]: the eigenvalues, ascending, [… n], and an
  orthonormal eigenvector of each as the columns of [… n n]. One triangle is read, :lower; the
  derivative takes the matrix as symmetric, its gradient is symmetric. Signs of eigenvectors are
  LAPACK's. Eigenvectors of equal eigenvalues are some basis, which has no derivative: NaN, unless
  the function or the direction does not turn them into each other."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs attributes
   :type both-type, :eval both
   :expand (fn [{:keys [attrs], [[_ shape :as type]] :types}]
             (let [[w v report] (forms/parts 3 [:lapack-syevd attrs ?a]), rank (count shape)
                   known #(forms/reported type %1 report %2)]
               [:tuple (known (dec rank) w) (known rank (forms/transposed rank v))]))
   :symmetric #{0}, :batch {}, :seen vectors-seen
   :alone (fn [{:keys [attrs]}] [[:eigvalsh attrs ?a] nil])
   :lop (fn [{[[_ shape :as type]] :types}]
          (let [rank (count shape), v ?out1
                m (forms/over-gaps type ?out0 [:matmul (forms/transposed rank v) ?g1])
                all [:add [:mul v (forms/as-row rank ?g0)] [:matmul v m]]]
            [(forms/symmetric rank [:matmul all (forms/transposed rank v)])]))
   :rop (fn [{[[_ shape :as type]] :types}]
          (let [rank (count shape), p (inside rank ?out1 ?da)]
            [(forms/diagonal rank p)
             [:matmul ?out1 (forms/over-gaps type ?out0 p)]]))
   :gen symmetric-gen
   :examples [[[:part {:at 0} [:eigh [:diag [:sub 1.0 [:iota {:shape [3]}]]]]] [-1.0 0.0 1.0]]
              [[:part {:at 1} [:eigh [:diag [:add 1.0 [:iota {:shape [2]}]]]]]
               [[1.0 0.0] [0.0 1.0]]]]})
