(ns damo.ops.linalg.svd
  "Singular value decompositions. Derivatives: Giles, Collected matrix derivative results, 2008,
  3.2, with the terms of what lies outside of the range of the matrix; those of the full
  decomposition turn the bases of null spaces as little as possible."
  (:require [damo.data.tuple :as tuple]
            [damo.matrix.base :as base]
            [damo.matrix.singular :as singular]
            [damo.op :refer [defop]]
            [damo.ops.linalg.eigh]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.routines]))

(set! *warn-on-reflection* true)

;; ## Types and meaning

(defn- shapes
  "The shapes of u, s and vt of matrices of that type."
  [full [_ shape :as type]]
  (let [[lead m n] (forms/check-matrix type), k (forms/lesser m n)]
    [(conj lead m (if full m k)) (conj lead k) (conj lead (if full n k) n)]))

(defn- svd-type [full]
  (fn [_ [[dtype :as type]]]
    (let [all (shapes full type)] (tuple/of (mapv #(vector dtype %) all)))))

(defn- decomposed [full {[m n] :own :as x}]
  (let [[m n] (take-last 2 (:shape x)), k (min m n)]
    (base/each #(singular/svd %1 %2 %3 full)
               [[m (if full m k)] [k] [(if full n k) n]] x)))

(def ^:private gen
  (forms/of-matrices forms/random-matrices
                     (fn [n] [[{} [n n]] [{} [n 3]] [{} [2 n]] [{} [2 n 4]] [{} [2 1 2 n]]
                              [{} [n 3 3]] [{} [5 n]] [{} [n 2]]])))

;; ## Derivatives

(defn- tr [{:keys [rank]} t] (forms/transposed rank t))
(defn- rows-by [{:keys [rank]} v t] [:mul (forms/as-column rank v) t])
(defn- columns-by [{:keys [rank]} v t] [:mul t (forms/as-row rank v)])

(defn- couplings
  "The template of 1/(s_j² - s_i²), where they are equal 0, or NaN where `turns`, what turns their
  vectors into each other, is not 0."
  [{:keys [rank], [[dtype shape]] :types} s turns]
  (let [a (forms/as-row rank s), b (forms/as-column rank s), gap [:sub a b]
        k (apply forms/lesser (take-last 2 shape))]
    [:add [:reciprocal-or-zero [:mul gap [:add a b]]]
     (forms/undetermined dtype rank k gap turns)]))

(defn- outside
  "Terms of what lies outside of the range, nil where there is nothing: {:left :right}."
  [{[[_ shape]] :types}]
  (let [[m n] (take-last 2 shape), k (forms/lesser m n)] {:left (not= m k), :right (not= n k)}))

(defn- sum-of [ts] (reduce (fn [a b] [:add a b]) (remove nil? ts)))

(defn- gradient
  "The gradient of matrices by those of u, s and vt of their reduced decomposition, templates."
  [cx [u s vt] [gu gs gvt]]
  (let [{:keys [left right]} (outside cx), by-s [:reciprocal-or-zero s]
        au [:matmul (tr cx u) gu], av [:matmul vt (tr cx gvt)]
        turned (fn [a] [:mul (couplings cx s a) [:sub a (tr cx a)]])
        inner (sum-of [(columns-by cx s (turned au)) (rows-by cx s (turned av))
                       (when left [:neg (columns-by cx by-s au)])
                       (when right [:neg (rows-by cx by-s (tr cx av))])])
        left-part (sum-of [[:matmul u inner] (columns-by cx gs u)
                           (when left (columns-by cx by-s gu))])]
    (sum-of [[:matmul left-part vt] (when right [:matmul u (rows-by cx by-s gvt)])])))

(defn- tangents
  "The tangents of u, s and vt of the reduced decomposition along da, templates."
  [{:keys [rank] :as cx} [u s vt] da]
  (let [{:keys [left right]} (outside cx), by-s [:reciprocal-or-zero s]
        into-u [:matmul (tr cx u) da], p [:matmul into-u (tr cx vt)], f (couplings cx s p)
        turn-u [:mul f [:add (columns-by cx s p) (rows-by cx s (tr cx p))]]
        turn-v [:mul f [:add (rows-by cx s p) (columns-by cx s (tr cx p))]]
        beyond-u [:sub [:matmul da (tr cx vt)] [:matmul u p]]
        beyond-v [:sub into-u [:matmul p vt]]]
    [(sum-of [[:matmul u turn-u] (when left (columns-by cx by-s beyond-u))])
     (forms/diagonal rank p)
     (sum-of [[:neg [:matmul turn-v vt]] (when right (rows-by cx by-s beyond-v))])]))

(defn- ranked [{[[_ shape]] :types :as cx}] (assoc cx :rank (count shape)))

;; ## Ops

(defn- expansion
  "u, s and vt by a routine, templates."
  [full {[[dtype shape :as type]] :types}]
  (let [[u s vt report] (forms/parts 4 [:lapack-gesdd {:full full} '?a]), rank (count shape)
        known (fn [rank t] (forms/reported type rank report t))
        [m n] (take-last 2 shape), square (fn [d t] (if full (forms/or-unit dtype m n d t) t))]
    [:tuple (square m (known rank u)) (known (dec rank) s) (square n (known rank vt))]))

(defop svdvals
  "The singular values of matrices [… m n], descending, [… k] for k the smaller of m and n. NaN in a
  matrix makes all its singular values NaN. The gradient is right also where values are equal as
  long as the function of them is symmetric; a second derivative that couples equal ones is NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type (fn [_ [[dtype :as type]]] [dtype (second (shapes false type))])
   :expand (fn [{[[_ shape :as type]] :types}]
             (let [[s report] (forms/parts 2 [:lapack-gesdd-values ?a])]
               (forms/reported type (dec (count shape)) report s)))
   :eval (fn [_ x] (second (decomposed false x)))
   :beside :svd, :batch {}
   :lop (fn [cx]
          (let [[u _ vt] (forms/parts 3 [:svd ?a])] [[:matmul (columns-by (ranked cx) ?g u) vt]]))
   :rop (fn [cx] (second (tangents (ranked cx) (forms/parts 3 [:svd ?a]) ?da)))
   :gen gen
   :examples [[[:svdvals [:diag [:sub 1.0 [:iota {:shape [3]}]]]] [1.0 1.0 0.0]]]})

(defn- vectors-seen
  "What laws see of singular vectors, whose signs are free: Σ_j c_j u_j u_jᵀ, and of vt Σ_j c_j u_j
  v_jᵀ, which are free only together; of a full decomposition the projections to null spaces."
  [full]
  (fn [{:keys [at], [[dtype shape]] :types}]
    (let [[m n] (take-last 2 shape), k (forms/lesser m n), cx {:rank (count shape)}
          [u _ v] [[:part {:at 0} '?out] nil (tr cx [:part {:at 2} '?out])]
          c (forms/weights dtype k)
          seen (fn [x y] [:matmul [:mul x c] (tr cx y)])
          whole (fn [x m]
                  (let [first-k (forms/first-columns (:rank cx) k x)
                        rest-k (forms/last-columns (:rank cx) k m x)]
                    [:add (seen first-k first-k) [:mul 3 [:matmul rest-k (tr cx rest-k)]]]))]
      (case [at full]
        [0 false] (seen u u), [2 false] (seen u v)
        [0 true] (whole u m), [2 true] (whole v n)
        nil))))

(defop full-svd
  "[u s vt] of matrices [… m n] with square u [… m m] and vt [… n n]: the columns of u and rows of
  vt beyond the first k are some bases of null spaces, which turn as little as possible when the
  matrix changes: derivatives are right for functions that no choice of these bases changes."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :internal "svd with :full-matrices true"
   :type (svd-type true), :eval (fn [_ x] (decomposed true x)), :expand #(expansion true %)
   :batch {}, :seen (vectors-seen true)
   :lop (fn [{[[_ shape]] :types :as cx}]
          (let [{:keys [rank] :as cx} (ranked cx), [m n] (take-last 2 shape), k (forms/lesser m n)
                split (fn [t] [(forms/first-columns rank k t) (forms/last-columns rank k m t)])
                split-rows (fn [t] [(forms/first-rows rank k t) (forms/last-rows rank k n t)])
                [[u1 u2] [gu1 gu2]] (map split [?out0 ?g0])
                [[v1 v2] [gv1 gv2]] (map split-rows [?out2 ?g2])
                gu [:sub gu1 [:matmul u2 [:matmul (tr cx gu2) u1]]]
                gv [:sub gv1 [:matmul [:matmul v1 (tr cx gv2)] v2]]]
            [(gradient cx [u1 ?out1 v1] [gu ?g1 gv])]))
   :rop (fn [{[[_ shape]] :types :as cx}]
          (let [{:keys [rank] :as cx} (ranked cx), [m n] (take-last 2 shape), k (forms/lesser m n)
                u1 (forms/first-columns rank k ?out0), u2 (forms/last-columns rank k m ?out0)
                v1 (forms/first-rows rank k ?out2), v2 (forms/last-rows rank k n ?out2)
                [du ds dv] (tangents cx [u1 ?out1 v1] ?da)]
            [[:concatenate {:axis (dec rank)} du [:neg [:matmul u1 [:matmul (tr cx du) u2]]]]
             ds
             [:concatenate {:axis (- rank 2)} dv [:neg [:matmul [:matmul v2 (tr cx dv)] v1]]]]))
   :gen gen
   :examples [[[:part {:at 1} [:full-svd [:ones {:shape [1 4]}]]] [2.0]]]})

(defop svd
  "[u s vt] of matrices [… m n]: u·diag(s)·vt with orthonormal columns of u [… m k] and rows of vt
  [… k n] and the singular values s, descending, [… k], for k the smaller of m and n. With
  :full-matrices true u is [… m m] and vt [… n n]. Signs are LAPACK's. Vectors of equal singular
  values are some bases, which have no derivative: NaN, unless the function or the direction does
  not turn them into each other; what divides by a singular value 0 counts as 0."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :call-attrs {:full-matrices {:default false, :is :flag
                                :doc "true: square u and vt, with bases of null spaces"}}
   :instead (fn [{:keys [full-matrices]} _] (when full-matrices [:full-svd {} ?a]))
   :type (svd-type false), :eval (fn [_ x] (decomposed false x)), :expand #(expansion false %)
   :batch {}, :seen (vectors-seen false)
   :alone (fn [_] [nil [:svdvals ?a] nil])
   :lop (fn [cx] [(gradient (ranked cx) [?out0 ?out1 ?out2] [?g0 ?g1 ?g2])])
   :rop (fn [cx] (tangents (ranked cx) [?out0 ?out1 ?out2] ?da))
   :gen gen
   :examples [[[:part {:at 1} [:svd [:ones {:shape [1 4]}]]] [2.0]]]})
