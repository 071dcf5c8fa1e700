(ns damo.ops.linalg.eig
  "Eigenvalues and eigenvectors of general matrices. Derivatives: Boeddeker et al., On the
  computation of complex-valued gradients with application to statistically optimum beamforming,
  2017, 4.18, with the terms that keep vectors at norm 1 and their largest element real."
  (:require [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.complex :as complex]
            [damo.op :as op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.ops.linalg.eigh]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.routines]))

(set! *warn-on-reflection* true)

;; ## Complex matrices as pairs of templates, [re im]

(defn- plus [[a b] [c d]] [[:add a c] [:add b d]])
(defn- minus [[a b] [c d]] [[:sub a c] [:sub b d]])
(defn- times [[a b] [c d]] [[:sub [:mul a c] [:mul b d]] [:add [:mul a d] [:mul b c]]])
(defn- conjugate [[a b]] [a [:neg b]])

(defn- product [[a b] [c d]]
  [[:sub [:matmul a c] [:matmul b d]] [:add [:matmul a d] [:matmul b c]]])

(defn- adjoint [rank z] (conjugate (mapv #(forms/transposed rank %) z)))

(defn- quotient
  "v⁻¹·z by one system of reals, [[re -im] [im re]]."
  [rank n [vr vi] [zr zi]]
  (let [beside (fn [x y] [:concatenate {:axis (dec rank)} x y])
        below (fn [x y] [:concatenate {:axis (- rank 2)} x y])
        x [:solve (below (beside vr [:neg vi]) (beside vi vr)) (below zr zi)]]
    [(forms/first-rows rank n x) (forms/last-rows rank n [:* 2 n] x)]))

(defn- gaps
  "1/(w_j - w_i), where they are equal 0, or NaN where `turns`, what turns their vectors into each
  other, is not 0."
  [dtype rank n [re im] [turns-re turns-im]]
  (let [d (fn [t] [:sub (forms/as-row rank t) (forms/as-column rank t)]), dr (d re), di (d im)
        size [:add [:sqr dr] [:sqr di]], by [:reciprocal-or-zero size]
        turns [:add [:abs turns-re] [:abs turns-im]]]
    [[:add [:mul dr by] (forms/undetermined dtype rank n size turns)] [:neg [:mul di by]]]))

(defn- columns-summed [rank t] [:sum {:axis (- rank 2), :keepdims true} t])

(defn- largest
  "One over the largest element of each vector, in its place, 0 elsewhere; that element is real."
  [dtype rank n [re im]]
  (let [axis (- rank 2), size [:add [:sqr re] [:sqr im]]
        ;; a row of zeros in front, for an axis without elements has no largest one
        none [:sum {:axis axis, :keepdims true} [:mul 0 size]]
        at [:argmax {:axis axis, :keepdims true} [:concatenate {:axis axis} none size]]
        rows [:reshape {:shape [n 1]} [:add 1 [:iota {:shape [n], :axis 0}]]]]
    [:mul [:cast {:dtype dtype} [:eq rows at]] [:reciprocal-or-zero re]]))

;; ## Type and meaning

(defn- result-types [[dtype shape :as type]]
  (let [[lead n] (forms/check-square type), w [dtype (conj lead n)], v [dtype shape]]
    [w w v v]))

(defn- value [{:keys [shape] :as x}]
  (let [n (peek shape), own [n n]]
    (base/each (fn [a n _] (complex/eig a n)) [[n] [n] own own] x)))

;; ## By a routine

(defn- expansion
  "Values and vectors, of which the routine gives those of a pair of complex ones as two columns,
  the real and the imaginary part of the first's."
  [{[[dtype shape]] :types}]
  (let [rank (count shape), [lead n] (forms/check-square [dtype shape]), axis (dec rank)
        [re im v report] (forms/parts 4 [:lapack-geev (forms/transposed rank '?a)])
        v (forms/transposed rank v), none (typing/filled dtype (conj lead n 1) 0)
        before (forms/first-columns rank n [:concatenate {:axis axis} none v])
        behind (forms/last-columns rank 1 (type/dim+ n 1) [:concatenate {:axis axis} v none])
        sign (forms/as-row rank im)
        known (fn [rank t] (forms/reported [dtype shape] rank
                                           report t))]
    [:tuple (known axis re) (known axis im)
     (known rank [:where [:lt sign 0] before v])
     (known rank [:where [:gt sign 0] behind
                  [:where [:lt sign 0] [:neg v] (typing/const dtype 0)]])]))

;; ## Derivatives

(defn- tangents [{[[dtype shape]] :types}]
  (let [rank (count shape), n (peek shape), v ['?out2 '?out3]
        p (quotient rank n v [[:matmul '?da '?out2] [:matmul '?da '?out3]])
        [ur ui :as u] (product v (times (gaps dtype rank n ['?out0 '?out1] p) p))
        grown (columns-summed rank [:add [:mul '?out2 ur] [:mul '?out3 ui]])
        turned (columns-summed rank [:mul (largest dtype rank n v) ui])]
    (into (mapv #(forms/diagonal rank %) p) (minus u (times v [grown turned])))))

(defn- gradient [{[[dtype shape]] :types}]
  (let [rank (count shape), n (peek shape), v ['?out2 '?out3], vh (adjoint rank v)
        grown (columns-summed rank [:add [:mul '?out2 '?g2] [:mul '?out3 '?g3]])
        turned (columns-summed rank [:sub [:mul '?out2 '?g3] [:mul '?out3 '?g2]])
        [ur ui] (minus ['?g2 '?g3] [[:mul '?out2 grown] [:mul '?out3 grown]])
        u [ur [:sub ui [:mul (largest dtype rank n v) turned]]]
        turns (product vh u)
        p (times (conjugate (gaps dtype rank n ['?out0 '?out1] turns)) turns)
        w (fn [g] [:mul (forms/unit dtype n) (forms/as-row rank g)])]
    (first (quotient rank n vh (product (plus p [(w '?g0) (w '?g1)]) vh)))))

;; ## The op

(defn- seen
  "What laws see, as neither order nor phases are determined: sums of powers of the eigenvalues, and
  Σ_j c(w_j) v_j v_jᴴ."
  [{:keys [at], [[_ shape]] :types}]
  (let [[re im vr vi] (map (fn [k] [:part {:at k} '?out]) (range 4)), rank (count shape)
        total (fn [t] [:sum {:axis (- rank 2)} t])
        c [:add 1 [:sub [:mul 0.5 re] [:mul 0.25 [:sqr im]]]]
        weighted (fn [t] [:mul t (forms/as-row rank c)])]
    (case (long at)
      0 (total [:mul re [:sub [:sqr re] [:mul 3 [:sqr im]]]])
      1 (total [:sqr im])
      (first (product [(weighted vr) (weighted vi)] (adjoint rank [vr vi]))))))

(defop eig-parts
  "[re im vre vim] of matrices [… n n]: the real and the imaginary parts of their eigenvalues, […
  n], and of an eigenvector of each, the columns of [… n n], of norm 1 and with a real largest
  element."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :internal "la/eig"
   :type (fn [_ [type]] (tuple/of (result-types type)))
   :eval (fn [_ x] (value x)), :expand expansion
   :batch {}, :seen seen
   :lop (fn [node] [(gradient node)]), :rop tangents
   :gen (forms/of-matrices forms/random-general
                           (fn [n] [[{} [n n]] [{} [4 4]] [{} [2 n n]] [{} [n 2 2]]]))
   :examples [[[:part {:at 0} [:eig-parts [:ones {:shape [1 1]}]]] [1.0]]]})

(defn call-eig
  "The eigenvalues and eigenvectors of matrices [… n n], each as a pair of real and imaginary parts:
  [[re im] [vre vim]], the values [… n], the vectors the columns of [… n n], of norm 1 and with a
  real largest element; in LAPACK's order, conjugate pairs side by side, the one with the positive
  imaginary part first. NaN in a matrix makes all NaN. The derivative is that of distinct
  eigenvalues; where equal ones turn into each other it is NaN."
  [a]
  (let [[re im vre vim] (op/results (op/node :eig-parts {} [a]))] [[re im] [vre vim]]))
