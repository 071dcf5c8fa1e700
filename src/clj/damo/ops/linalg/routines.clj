(ns damo.ops.linalg.routines
  "Routines of LAPACK as ops that others stand for. Each gives besides its results what the routine
  reports, an integer a matrix: 0, below 0 where an argument has NaN, above 0 where it found no
  convergence. LAPACK has matrices by columns, so that it sees the transpose of each."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.complex :as complex]
            [damo.matrix.orthogonal :as orthogonal]
            [damo.matrix.singular :as singular]
            [damo.matrix.symmetric :as symmetric]
            [damo.op :as op :refer [defop]]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]))

(set! *warn-on-reflection* true)

(defn- with-info
  "The results of `f` of each matrix, as base/each has them, and the report."
  [f shapes x]
  (let [report (fn [a] (double-array [(if (base/any-nan? a) -1 0)]))
        found (base/each (fn [a m n] (conj (vec (f a m n)) (report a))) (conj shapes []) x)]
    (conj (pop found) (array/cast :i32 (peek found)))))

(defn types-with-info
  "The type of a tuple of arrays of these own shapes, and of the report, over a batch."
  [[dtype] lead & shapes]
  (tuple/of (conj (mapv #(vector dtype (into lead %)) shapes) [:i32 lead])))

(defn check
  "As forms/check-matrix has it, of floats that a routine takes."
  [[dtype :as type]]
  (when (type/storage-dtype? dtype)
    (fail! :damo.op.typing/bad-dtype (str "takes :f32 and :f64; got " dtype) {:given dtype}))
  (forms/check-matrix type))

(defn- at-least-1 [d] [:max 1 d])
(defn- least [m n] (if (= m n) m [:min m n]))

;; ## Symmetric matrices

(defop lapack-syevd
  "[w v report] of symmetric matrices, one triangle of which is read: eigenvalues and, as rows,
  eigenvectors."
  {:kind :routine, :batch {}, :args [?a], :matrices #{0}
   :internal "la/eigh"
   :attrs {:lower {:default true, :is :flag, :doc "which triangle is read"}}
   :type (fn [_ [type]]
           (check type)
           (let [[lead n] (forms/check-square type)] (types-with-info type lead [n] [n n])))
   :eval (fn [{:keys [lower]} {:keys [shape] :as x}]
           (let [n (peek shape)]
             (with-info (fn [a n _] (let [[w v] (symmetric/eigh a n lower)]
                                      [w (base/transposed v n n)]))
                        [[n] [n n]] x)))
   :routine (fn [{{:keys [lower]} :attrs, [type] :types}]
              (let [[_ n] (forms/check-square type)]
                {:name "?syevd", :copies {[:part 1] 0}
                 :args {:jobz :vectors, :uplo (if lower :upper :lower), :n n, :a [:part 1]
                        :lda (at-least-1 n), :w [:part 0], :info [:part 2]}}))
   :no-gradient "eigh has the derivative"
   :seen (fn [{:keys [at], [[dtype shape]] :types}]
           (let [v [:part {:at 1} '?out], rank (count shape)]
             (when (= at 1)
               [:matmul (forms/transposed rank v)
                [:mul v (forms/as-column 2 (forms/weights dtype (peek shape)))]])))
   :gen (forms/of-matrices #(forms/random-symmetric %1 %2 %3 true)
                           (fn [n] [[{} [n n]] [{:lower false} [2 n n]]]))
   :examples [[[:part {:at 0} [:lapack-syevd [:diag [:add 1.0 [:iota {:shape [2]}]]]]] [1.0 2.0]]]})

(defop lapack-syevd-values
  "[w report] of symmetric matrices, one triangle of which is read: their eigenvalues."
  {:kind :routine, :batch {}, :args [?a], :matrices #{0}
   :internal "la/eigvalsh"
   :attrs {:lower {:default true, :is :flag, :doc "which triangle is read"}}
   :type (fn [_ [type]]
           (check type)
           (let [[lead n] (forms/check-square type)] (types-with-info type lead [n])))
   :eval (fn [{:keys [lower]} {:keys [shape] :as x}]
           (with-info (fn [a n _] [(first (symmetric/eigh a n lower))]) [[(peek shape)]] x))
   :routine (fn [{{:keys [lower]} :attrs, [type] :types}]
              (let [[_ n] (forms/check-square type)]
                {:name "?syevd", :works [type], :copies {[:work 0] 0}
                 :args {:jobz :values, :uplo (if lower :upper :lower), :n n, :a [:work 0]
                        :lda (at-least-1 n), :w [:part 0], :info [:part 1]}}))
   :no-gradient "eigvalsh has the derivative"
   :gen (forms/of-matrices #(forms/random-symmetric %1 %2 %3 true)
                           (fn [n] [[{} [n n]] [{:lower false} [2 n n]]]))
   :examples [[[:part {:at 0} [:lapack-syevd-values [:ones {:shape [1 1]}]]] [1.0]]]})

;; ## Singular values

(defop lapack-gesdd
  "[u s vt report] of matrices [… m n], a = u·diag(s)·vt, u [… m k] and vt [… k n], or with :full
  square ones."
  {:kind :routine, :batch {}, :args [?a], :matrices #{0}
   :internal "la/svd"
   :attrs {:full {:default false, :is :flag, :doc "are u and vt square?"}}
   :type (fn [{:keys [full]} [type]]
           (let [[lead m n] (check type), k (forms/lesser m n)]
             (types-with-info type lead [m (if full m k)] [k] [(if full n k) n])))
   :eval (fn [{:keys [full]} {:keys [shape] :as x}]
           (let [[m n] (take-last 2 shape), k (min m n)]
             (with-info #(singular/svd %1 %2 %3 full)
                        [[m (if full m k)] [k] [(if full n k) n]] x)))
   :routine (fn [{{:keys [full]} :attrs, [type] :types}]
              ;; The routine has the transpose of a, vt and u in the place of u and vt.
              (let [[lead m n] (forms/check-matrix type), k (least m n)]
                {:name (if full "?gesdd-full" "?gesdd")
                 :works [[(first type) (into lead [m n])]], :copies {[:work 0] 0}
                 :args {:m n, :n m, :a [:work 0], :lda (at-least-1 n), :s [:part 1]
                        :u [:part 2], :ldu (at-least-1 n), :vt [:part 0]
                        :ldvt (at-least-1 (if full m k)), :info [:part 3]}}))
   :no-gradient "svd has the derivative"
   :seen (fn [{{:keys [full]} :attrs, [[dtype shape]] :types, :keys [at]}]
           (let [rank (count shape), k (apply forms/lesser (take-last 2 shape))
                 u (forms/first-columns rank k [:part {:at 0} '?out])
                 v (forms/first-rows rank k [:part {:at 2} '?out])]
             (when (#{0 2} at)
               [:matmul u [:mul (forms/as-column 2 (forms/weights dtype k)) v]])))
   :gen (forms/of-matrices forms/random-matrices
                           (fn [n] [[{} [n n]] [{:full true} [n 3]] [{} [2 n]] [{} [2 n 4]]
                                    [{:full true} [2 2 n]] [{} [n 3 3]]]))
   :examples [[[:part {:at 1} [:lapack-gesdd [:ones {:shape [1 4]}]]] [2.0]]]})

(defop lapack-gesdd-values
  "[s report] of matrices [… m n]: their singular values."
  {:kind :routine, :batch {}, :args [?a], :matrices #{0}, :attrs {}
   :internal "la/svdvals"
   :type (fn [_ [type]] (let [[lead m n] (check type)]
                          (types-with-info type lead [(forms/lesser m n)])))
   :eval (fn [_ {:keys [shape] :as x}]
           (with-info (fn [a m n] [(second (singular/svd a m n false))])
                      [[(apply min (take-last 2 shape))]] x))
   :routine (fn [{[[dtype :as type]] :types}]
              (let [[lead m n] (forms/check-matrix type)]
                {:name "?gesdd-values", :copies {[:work 0] 0}
                 :works [[dtype (into lead [m n])] [dtype (into lead [1 1])]
                         [dtype (into lead [1 1])]]
                 :args {:m n, :n m, :a [:work 0], :lda (at-least-1 n), :s [:part 0]
                        :u [:work 1], :vt [:work 2], :info [:part 1]}}))
   :no-gradient "svdvals has the derivative"
   :gen (forms/of-matrices forms/random-matrices (fn [n] [[{} [n n]] [{} [2 n 3]] [{} [2 n]]]))
   :examples [[[:part {:at 0} [:lapack-gesdd-values [:ones {:shape [1 4]}]]] [2.0]]]})

;; ## Orthogonal factors
;; The transpose of a = q r is l qᵀ: rows of the routine are columns here.

(defop lapack-gelqf
  "[packed tau report] of matrices [… m n]: on and above the diagonal r, below it reflections, whose
  factors are tau [… k]."
  {:kind :routine, :batch {}, :args [?a], :matrices #{0}, :attrs {}
   :internal "la/qr"
   :type (fn [_ [type]] (let [[lead m n] (check type)]
                          (types-with-info type lead [m n] [(forms/lesser m n)])))
   :eval (fn [_ {:keys [shape] :as x}]
           (let [[m n] (take-last 2 shape)] (with-info orthogonal/packed [[m n] [(min m n)]] x)))
   :routine (fn [{[type] :types}]
              (let [[_ m n] (forms/check-matrix type)]
                {:name "?gelqf", :copies {[:part 0] 0}
                 :args {:m n, :n m, :a [:part 0], :lda (at-least-1 n), :tau [:part 1]
                        :info [:part 2]}}))
   :no-gradient "qr has the derivative"
   :gen (forms/of-matrices forms/random-matrices
                           (fn [n] [[{} [n n]] [{} [2 n 3]] [{} [2 n]] [{} [n 3]]]))
   :examples [[[:part {:at 0} [:lapack-gelqf [:ones {:shape [1 1]}]]] [[1.0]]]]})

(defn- check-reflections
  "Fails unless matrices of that type have at least as many rows as columns, and reflections, whose
  factors have the shape `tau`, for no more than these, as far as their dims are known."
  [type tau]
  (let [[lead m n] (check type), k (peek tau)
        known (fn [x y] (and (integer? x) (integer? y) (< (long x) (long y))))]
    (when (or (known m n) (nil? k) (known n k))
      (fail! :damo.op.linalg/bad-reflections
             (str "takes matrices with at least as many rows as columns and columns as "
                  "reflections; their shape is " (pr-str (second type)) ", that of the factors "
                  (pr-str tau))
             {:shape (second type), :factors tau}))
    (typing/unify-shapes "factors are like the matrices" lead (pop tau))))

(defop lapack-orglq
  "[q] of the reflections below the diagonal of matrices [… m n], m ≥ n, whose factors are tau […
  k], k ≤ n: the first n columns of their product."
  {:kind :routine, :batch {}, :args [?packed ?tau], :attrs {}
   :internal "la/qr"
   :type (fn [_ [type [_ tau]]] (check-reflections type tau) (tuple/of [type]))
   :eval (fn [_ {:keys [shape] :as x} tau]
           (let [[m n] (take-last 2 shape), k (peek (:shape tau))]
             [(base/assembled (:dtype x) (drop-last 2 shape) [m n]
                              (map (fn [a tau] (orthogonal/unpacked a tau m n))
                                   (base/matrices x)
                                   (base/matrices (array/reshape tau (conj (vec (drop-last 2 shape))
                                                                           1 k)))))]))
   :routine (fn [{[type [_ tau]] :types}]
              (let [[lead m n] (forms/check-matrix type)]
                {:name "?orglq", :works [[:i32 lead]], :copies {[:part 0] 0}
                 :args {:m n, :n m, :k (peek tau), :a [:part 0], :lda (at-least-1 n), :tau [:arg 1]
                        :info [:work 0]}}))
   :no-gradient "qr has the derivative"
   :gen (fn [ctx]
          (let [{[a] :args} ((forms/of-matrices forms/random-matrices
                                                (fn [n] [[{} [n n]] [{} [2 n n]]]))
                             ctx)
                [p tau] (if (seq (:shape a)) ((:eval (op/entry :lapack-gelqf)) {} a) [a a])]
            {:attrs {}, :args [p tau]}))
   :examples [[[:part {:at 0} [:lapack-orglq [:ones {:shape [1 1]}] [:zeros {:shape [1]}]]]
               [[1.0]]]]})

;; ## General matrices

(defop lapack-geev
  "[re im v report] of the transposes of matrices [… n n]: eigenvalues, and as rows of v the
  eigenvectors, of those with a real value; of a pair of complex ones the real part and the
  imaginary part of the first's."
  {:kind :routine, :batch {}, :args [?at], :matrices #{0}, :attrs {}
   :internal "la/eig"
   :type (fn [_ [type]] (check type)
           (let [[lead n] (forms/check-square type)] (types-with-info type lead [n] [n] [n n])))
   :eval (fn [_ {:keys [shape] :as x}]
           (let [n (peek shape)]
             (with-info (fn [a n _] (complex/packed (base/transposed a n n) n)) [[n] [n] [n n]] x)))
   :routine (fn [{[[dtype :as type]] :types}]
              (let [[lead n] (forms/check-square type)]
                {:name "?geev", :copies {[:work 0] 0}
                 :works [[dtype (into lead [n n])] [dtype (into lead [1 1])]]
                 :args {:n n, :a [:work 0], :lda (at-least-1 n), :re [:part 0], :im [:part 1]
                        :none [:work 1], :v [:part 2], :ldv (at-least-1 n), :info [:part 3]}}))
   :no-gradient "eig has the derivative"
   :seen (fn [{:keys [at], [[_ shape]] :types}]
           (let [v [:part {:at 2} '?out], rank (count shape)
                 total (fn [t] [:sum {:axis (- rank 2)} t])]
             (case (long at)
               (0 1) (total [:sqr [:part {:at at} '?out]])
               2 [:abs [:matmul (forms/transposed rank v) v]]
               nil)))
   :gen (forms/of-matrices forms/random-general
                           (fn [n] [[{} [n n]] [{} [2 n n]]]))
   :examples [[[:part {:at 0} [:lapack-geev [:ones {:shape [1 1]}]]] [1.0]]]})
