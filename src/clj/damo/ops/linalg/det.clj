(ns damo.ops.linalg.det
  "Determinants and their logarithms, by elimination."
  (:require [damo.data.array :as array]
            [damo.data.tuple :as tuple]
            [damo.matrix.base :as base]
            [damo.matrix.solving :as solving]
            [damo.op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.ops.linalg.equations]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.solve]
            [damo.ops.linalg.svd]))

(set! *warn-on-reflection* true)

;; ## Meaning

(defn- diagonal
  "[signs-and-sizes parity] of an n × n matrix: the diagonal of its upper factor, and 1 or -1 for an
  even or odd number of rows exchanged; NaN in the matrix makes them NaN."
  [a n]
  (let [[packed pivots] (solving/lu a n)]
    [(mapv #(base/at packed n % %) (range n))
     (reduce (fn [p [k q]] (if (= (inc (long k)) (long q)) p (- (double p)))) 1.0
             (map-indexed vector pivots))]))

(defn- each-matrix
  "The arrays of the results of (f diagonal parity), a vector of numbers, for each matrix."
  [f results {:keys [shape dtype] :as x}]
  (let [n (peek shape), lead (vec (drop-last 2 shape))
        found (mapv #(apply f (diagonal % n)) (base/matrices x))]
    (mapv (fn [k] (array/of dtype lead (map #(nth % k) found))) (range results))))

(defn- sign-and-log [ds parity]
  [(reduce * parity (map #(Math/signum (double %)) ds))
   (reduce + 0.0 (map #(Math/log (abs (double %))) ds))])

;; ## Templates

(defn- factored
  "{:diagonal :parity :known} of matrices of that type: templates of the diagonal of the upper
  factor and the parity of the exchanges, and what puts NaN where a matrix has it."
  [[dtype shape]]
  (let [rank (count shape), n (peek shape)
        [packed pivots report] (forms/parts 3 [:lapack-getrf (forms/transposed rank '?a)])
        stays [:eq [:cast {:dtype :i64} pivots] [:add 1 [:iota {:shape [n], :axis 0}]]]]
    {:diagonal (forms/diagonal rank packed)
     :parity [:prod {:axis -1} [:where stays (typing/const dtype 1) (typing/const dtype -1)]]
     :known (fn [t] (forms/reported [dtype shape] (- rank 2) [:minimum 0 report] t))}))

(defn- spread
  "The template of t, numbers of a batch, as what broadcasts against matrices of that rank."
  [rank t]
  [:expand-dims {:axis [(- rank 2) (dec rank)]} t])

(def ^:private gen
  (forms/of-matrices forms/random-matrices
                     (fn [n] [[{} [n n]] [{} [2 n n]] [{} [n 2 2]] [{} [3 3]]])))

(defn- numbers-type [_ [[dtype :as type]]] [dtype (first (forms/check-square type))])

(defn- inverse-turned [rank] (forms/transposed rank [:inv {:on-failure :nan} '?a]))

;; ## Derivatives of cofactors

(defn- turned-slope
  "The tangent of cofactors by singular values, right for every rank: those of a diagonal s move by
  Σ_k q_ik e_kk on the diagonal and by -q_ij e_ji beside it, q_ij = Π_{l≠i,j} s_l."
  [dtype rank n t]
  (let [[u s vt] (forms/parts 3 [:svd '?a]), tr #(forms/transposed rank %)
        index (fn [shape axis] [:iota {:shape shape, :axis axis}])
        i (index [n 1 1] 0), j (index [1 n 1] 1), l (index [1 1 n] 2)
        own [:eq (index [n 1] 0) (index [1 n] 1)], one (typing/const dtype 1)
        rests [:prod {:axis -1} [:where [:logical-or [:eq l i] [:eq l j]] one
                                 [:expand-dims {:axis [(- rank 2) (dec rank)]} s]]]
        q [:where own (typing/const dtype 0) rests]
        e [:matmul [:matmul (tr u) t] (tr vt)]
        along [:matmul q (forms/as-column rank (forms/diagonal rank e))]]
    [:mul (spread rank [:mul [:det u] [:det vt]])
     [:matmul [:matmul u [:where own along [:neg [:mul q (tr e)]]]] vt]]))

(defn- slope
  "The tangent of cofactors along t, and as second derivatives are symmetric their gradient too: by
  inverses, and near singular matrices by singular values, where higher derivatives are NaN."
  [t]
  (fn [{[[dtype shape]] :types}]
    (let [rank (count shape), n (peek shape), tr #(forms/transposed rank %)
          ;; the sums keep an axis without elements from having no largest one
          none [:expand-dims {:axis [-1]} [:sum {:axis -1} [:mul 0 [:svdvals '?a]]]]
          largest (fn [t] [:max {:axis -1} [:concatenate {:axis (- rank 2)} none t]])
          s [:svdvals '?a], bound (typing/const dtype (if (= dtype :f64) 1e-6 1e-2))
          top [:expand-dims {:axis [(- rank 2)]} (largest s)]
          singular [:any {:axis -1} [:le s [:mul bound top]]]
          a [:mul '?a (spread rank [:where singular (typing/const dtype ##NaN)
                                    (typing/const dtype 1)])]
          x [:inv {:on-failure :nan} a], xt (tr x)
          total (spread rank [:sum {:axis [-2 -1]} [:mul xt t]])]
      [:where (spread rank singular)
       (turned-slope dtype rank n t)
       [:mul (spread rank [:det a]) [:sub [:mul total xt] [:matmul [:matmul xt (tr t)] xt]]]])))

;; ## Ops

(defop cofactors
  "The cofactors of square matrices, the gradients of their determinants: det(a)·a⁻ᵀ, and where the
  determinant is 0 by singular values, det(u)·det(vt)·u·diag(Π_{j≠i} s_j)·vt."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :internal "derivatives of det"
   :type (fn [_ [type]] (forms/check-square type) type)
   :expand (fn [{[[dtype shape]] :types}]
             (let [rank (count shape), n (peek shape), [u s vt] (forms/parts 3 [:svd ?a])
                   own [:eq [:iota {:shape [n 1], :axis 0}] [:iota {:shape [1 n], :axis 1}]]
                   others [:prod {:axis -1} [:where own (typing/const dtype 1)
                                             (forms/as-row rank s)]]
                   d [:det ?a]]
               [:where (spread rank [:eq 0 d])
                [:mul (spread rank [:mul [:det u] [:det vt]])
                 [:matmul [:mul u (forms/as-row rank others)] vt]]
                [:mul (spread rank d) (inverse-turned rank)]]))
   :lop (fn [node] [((slope '?g) node)]), :rop (slope '?da)
   :batch {}
   :gen (forms/of-matrices forms/random-matrices
                           (fn [n] (let [n (min 2 n)] [[{} [n n]] [{} [2 n n]]])))
   :examples [[[:cofactors [:ones {:shape [1 1]}]] [[1.0]]]]})

(defop det
  "The determinants of square matrices [… n n], [… ]. The gradient of one that is 0 are the
  cofactors of its matrix; second derivatives are right for every rank, higher ones near singular
  matrices are NaN. NaN in a matrix makes NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type numbers-type
   :eval (fn [_ x] (first (each-matrix (fn [ds parity] [(reduce * parity ds)]) 1 x)))
   :expand (fn [{[type] :types}]
             (let [{:keys [diagonal parity known]} (factored type)]
               (known [:mul parity [:prod {:axis -1} diagonal]])))
   :batch {}
   :lop (fn [{[[_ shape]] :types}] [[:mul (spread (count shape) ?g) [:cofactors ?a]]])
   :rop [:sum {:axis [-2 -1]} [:mul [:cofactors ?a] ?da]]
   :gen gen
   :examples [[[:det [:diag [:add 1.0 [:iota {:shape [3]}]]]] 6.0]]})

(defop slogdet
  "[sign log] of the determinants of square matrices [… n n]: its sign, 1, -1 or 0, and the
  logarithm of its size, [… ] each; [0 -Inf] of singular matrices. NaN in a matrix makes both NaN."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type (fn [_ types] (let [type (numbers-type nil types)] (tuple/of [type type])))
   :eval (fn [_ x] (each-matrix sign-and-log 2 x))
   :expand (fn [{[type] :types}]
             (let [{:keys [diagonal parity known]} (factored type)]
               [:tuple (known [:mul parity [:prod {:axis -1} [:sign diagonal]]])
                (known [:sum {:axis -1} [:log [:abs diagonal]]])]))
   :batch {}
   :lop (fn [{[[_ shape]] :types}]
          [[:mul (spread (count shape) ?g1) (inverse-turned (count shape))]])
   :rop (fn [{[[_ shape]] :types}]
          [[:mul 0 ?out0] [:sum {:axis [-2 -1]} [:mul (inverse-turned (count shape)) ?da]]])
   :gen gen
   :examples [[[:part {:at 0} [:slogdet [:diag [:sub [:iota {:shape [2]}] 0.5]]]] -1.0]]})

(defop logdet
  "The logarithms of the determinants of square matrices [… n n], [… ]: -Inf of singular ones, NaN
  of those with a negative determinant."
  {:kind :composite, :args [?a], :matrices #{0}, :attrs {}
   :type numbers-type
   :eval (fn [_ x]
           (first (each-matrix (fn [ds parity]
                                 (let [[sign log] (sign-and-log ds parity)]
                                   [(if (neg? (double sign)) ##NaN log)]))
                               1 x)))
   :expand (fn [{[[dtype]] :types}]
             (let [[sign log] (forms/parts 2 [:slogdet ?a])]
               [:where [:lt sign 0] (typing/const dtype ##NaN) log]))
   :batch {}
   :lop (fn [{[[_ shape]] :types}]
          [[:mul (spread (count shape) ?g) (inverse-turned (count shape))]])
   :rop (fn [{[[_ shape]] :types}]
          [:sum {:axis [-2 -1]} [:mul (inverse-turned (count shape)) ?da]])
   :gen (forms/of-matrices #(forms/random-symmetric %1 %2 %3 false)
                           (fn [n] [[{} [n n]] [{} [2 n n]]]))
   :examples [[[:logdet [:ones {:shape [1 1]}]] 0.0]]})
