(ns damo.ops.linalg.qr
  "QR factorisations. Derivatives: Walter and Lehmann, Algorithmic differentiation of linear algebra
  functions with application in optimum experimental design, 2010; of wide matrices that of their
  first square block and of the product with the rest; of complete ones the columns of q beyond the
  rank turn as little as possible."
  (:require [damo.data.tuple :as tuple]
            [damo.matrix.base :as base]
            [damo.matrix.orthogonal :as orthogonal]
            [damo.op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.routines]))

(set! *warn-on-reflection* true)

;; ## Types and meaning

(defn- shapes [mode [_ shape :as type]]
  (let [[lead m n] (forms/check-matrix type), k (if (= mode :complete) m (forms/lesser m n))]
    [(conj lead m k) (conj lead k n)]))

(defn- factored [mode {:keys [shape] :as x}]
  (let [[m n] (take-last 2 shape), k (if (= mode :complete) m (min m n))]
    (base/each #(orthogonal/qr %1 %2 %3 mode) [[m k] [k n]] x)))

(defn- tuple-of [mode]
  (fn [_ [[dtype :as type]]] (tuple/of (mapv #(vector dtype %) (shapes mode type)))))

(def ^:private gen
  (forms/of-matrices forms/random-matrices
                     (fn [n] [[{} [n n]] [{} [n 3]] [{} [2 n]] [{} [2 n 4]] [{} [2 1 2 n]]
                              [{} [n 3 3]] [{} [5 n]] [{} [n 2]]])))

;; ## By routines

(defn- columns-for-q
  "The template of the columns of `packed`, of matrices of that type, that q is made of, or zeros
  where there are less of them."
  [mode [dtype shape] packed]
  (let [[lead m n] (forms/check-matrix [dtype shape]), k (forms/lesser m n), rank (count shape)]
    (cond (= n (if (= mode :reduced) k m)) packed
          (= mode :reduced) (forms/first-columns rank k packed)
          :else (forms/first-columns rank m [:concatenate {:axis (dec rank)} packed
                                             (typing/filled dtype (conj lead m m) 0)]))))

(defn- expansion [mode {[[dtype shape :as type]] :types}]
  (let [[packed tau report] (forms/parts 3 [:lapack-gelqf '?a]), rank (count shape)
        [m n] (take-last 2 shape), k (forms/lesser m n)
        q [:part {:at 0} [:lapack-orglq (columns-for-q mode type packed) tau]]
        rows (if (or (= mode :complete) (= k m)) packed (forms/first-rows rank k packed))
        known (fn [t] (forms/reported type rank report t))]
    [:tuple
     (if (= mode :complete) (forms/or-unit dtype m n m (known q)) (known q))
     (known [:triu rows])]))

;; ## Derivatives

(defn- tr [{:keys [rank]} t] (forms/transposed rank t))

(defn- dims-of
  "{:rank :m :n :k} of the matrices of a node."
  [{[[_ shape]] :types}]
  (let [[m n] (take-last 2 shape)] {:rank (count shape), :m m, :n n, :k (forms/lesser m n)}))

(defn- over-r
  "The template of t·r⁻¹ for a square upper triangle r."
  [cx t r]
  (tr cx [:solve-triangular {:lower true} (tr cx r) (tr cx t)]))

(defn- over-rt
  "The template of t·r⁻ᵀ."
  [cx t r]
  (tr cx [:solve-triangular {:lower false} r (tr cx t)]))

(defn- left-columns [{:keys [rank k n]} t] (if (= k n) t (forms/first-columns rank k t)))
(defn- right-columns [{:keys [rank k n]} t] (forms/last-columns rank k n t))

(defn- copied
  "The template of the lower triangle of t, and that mirrored above."
  [cx t]
  (let [low [:tril {:k -1} t]] [:add [:tril t] (tr cx low)]))

(defn- gradient
  "The gradient of matrices by those of their reduced factors, templates."
  [{:keys [rank m n k] :as cx} a [q r] [gq gr]]
  (let [wide? (not= k n), r1 (left-columns cx r), gr1 (left-columns cx gr)
        gq (if wide? [:add gq [:matmul (right-columns cx a) (tr cx (right-columns cx gr))]] gq)
        m* [:sub [:matmul r1 (tr cx gr1)] [:matmul (tr cx gq) q]]
        ga1 (over-rt cx [:add gq [:matmul q (copied cx m*)]] r1)]
    (if wide? [:concatenate {:axis (dec rank)} ga1 [:matmul q (right-columns cx gr)]] ga1)))

(defn- tangents
  "The tangents of the reduced factors along da, templates."
  [{:keys [rank m n k] :as cx} a [q r] da]
  (let [r1 (left-columns cx r), x (over-r cx (left-columns cx da) r1)
        p [:matmul (tr cx q) x], low [:tril {:k -1} p], turn [:sub low (tr cx low)]
        dq (if (= m k)
             [:matmul q turn]
             [:add x [:matmul q [:sub turn p]]])
        dr1 [:matmul [:sub p turn] r1]]
    [dq (if (= k n)
          dr1
          [:concatenate {:axis (dec rank)} dr1
           [:add [:matmul (tr cx dq) (right-columns cx a)]
            [:matmul (tr cx q) (right-columns cx da)]]])]))

;; ## Ops

(defop complete-qr
  "[q r] of matrices [… m n] with q square, [… m m], and r [… m n]. The columns of q beyond the
  first n turn as little as possible when the matrix changes: derivatives are right for functions
  that no choice of this basis changes."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :internal "qr with :mode :complete"
   :type (tuple-of :complete), :eval (fn [_ x] (factored :complete x))
   :expand #(expansion :complete %)
   :batch {}
   :seen (fn [{:keys [at] :as node}]
           (let [{:keys [rank k m] :as cx} (dims-of node)
                 q1 (forms/first-columns rank k [:part {:at 0} '?out])
                 q2 (forms/last-columns rank k m [:part {:at 0} '?out])]
             (when (= at 0) [:add [:matmul q2 (tr cx q2)]
                             [:matmul [:mul q1 (forms/weights (ffirst (:types node)) k)]
                              (tr cx q1)]])))
   :lop (fn [node]
          (let [{:keys [rank k m] :as cx} (dims-of node)
                [[q1 q2] [g1 g2]] (map (fn [t] [(forms/first-columns rank k t)
                                                (forms/last-columns rank k m t)])
                                       [?out0 ?g0])]
            [(gradient cx ?a [q1 (forms/first-rows rank k ?out1)]
                       [[:sub g1 [:matmul q2 [:matmul (tr cx g2) q1]]]
                        (forms/first-rows rank k ?g1)])]))
   :rop (fn [node]
          (let [{:keys [rank k m n] :as cx} (dims-of node)
                q1 (forms/first-columns rank k ?out0), q2 (forms/last-columns rank k m ?out0)
                [dq dr] (tangents cx ?a [q1 (forms/first-rows rank k ?out1)] ?da)]
            [[:concatenate {:axis (dec rank)} dq [:neg [:matmul q1 [:matmul (tr cx dq) q2]]]]
             [:concatenate {:axis (- rank 2)} dr
              [:mul 0 (forms/last-rows rank k m ?out1)]]]))
   :gen gen
   :examples [[[:part {:at 1} [:complete-qr [:ones {:shape [1 1]}]]] [[1.0]]]]})

(defop qr
  "[q r] of matrices [… m n]: q·r with orthonormal columns of q [… m k] and an upper triangle r
  [… k n], for k the smaller of m and n, with LAPACK's signs. With :mode :complete q is [… m m] and
  r [… m n]; with :mode :r it is r alone. NaN in a matrix makes both NaN. Where one of the first k
  columns depends on those before it there is no derivative: it is infinite or NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :call-attrs {:mode {:default :reduced, :is #{:reduced :complete :r}
                       :doc "square q, :complete; r alone, :r; or :reduced"}}
   :instead (fn [{:keys [mode]} _]
              (case mode
                :complete [:complete-qr {} ?a]
                :r [:part {:at 1} [:qr {} ?a]]
                nil))
   :type (tuple-of :reduced), :eval (fn [_ x] (factored :reduced x))
   :expand #(expansion :reduced %)
   :batch {}
   :lop (fn [node] [(gradient (dims-of node) ?a [?out0 ?out1] [?g0 ?g1])])
   :rop (fn [node] (tangents (dims-of node) ?a [?out0 ?out1] ?da))
   :gen gen
   :examples [[[:part {:at 1} [:qr [:ones {:shape [1 1]}]]] [[1.0]]]]})
