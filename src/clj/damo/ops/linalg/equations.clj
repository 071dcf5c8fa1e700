(ns damo.ops.linalg.equations
  "Routines of LAPACK and BLAS for factors and systems of equations, as ops that others stand for;
  see damo.ops.linalg.routines. What the routines report is checked by `check-report`."
  (:require [damo.data.array :as array]
            [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.solving :as solving]
            [damo.matrix.symmetric :as symmetric]
            [damo.op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.linalg.forms :as forms]
            [damo.ops.linalg.routines :as routines]))

(set! *warn-on-reflection* true)

;; ## Reports

(defop check-report
  "x itself, reports of a routine for the matrices of a batch as :f64; a call stops at the first
  that is not 0, with the :message, in which %d is the report."
  {:kind :guard, :args [?x]
   :internal "factorisations that fail"
   :attrs {:message {:is :text, :doc "what a failure says"}
           :nan {:default false, :is :flag, :doc "refuse NaN"}
           :inf {:default false, :is :flag, :doc "refuse infinities"}
           :big {:default 0.0, :is :number, :doc "the largest report that is none"}}
   :type (fn [_ [x]] (typing/check-dtype :float (type/dtype-of x)) x)
   :failure :message
   :eval (fn [{:keys [message]} {:keys [shape] :as x}]
           (when-let [at (first (filter #(not (zero? (double (array/element x %))))
                                        (range (array/size shape))))]
             (fail! :damo.op.linalg/failed
                    (str (format message (long (array/element x at)))
                         (when (seq shape) (str ", in matrix " at " of the batch")))
                    {:matrix at, :reported (long (array/element x at))}))
           x)
   :no-gradient "a report is a whole number", :batch {}
   :gen (fn [ctx] {:attrs {:message "minor %d"}
                   :args [(array/full :f64 [(forms/extent ctx)] 0.0)]})
   :examples [[[:check-report {:message "minor %d"} 0.0] 0.0]]})

(defn known
  "The template of t, of that rank, over the batch of matrices of that type, with NaN where a
  routine reports other than 0; unless `on-failure` is :nan the call stops with the message where it
  reports more than 0."
  [on-failure message type rank report t]
  (let [wide (fn [t] [:cast {:dtype :f64} t])]
    (forms/reported type rank
                    (if (= on-failure :nan)
                      report
                      [:add [:check-report {:message message} (wide [:maximum 0 report])]
                       (wide [:minimum 0 report])])
                    t)))

(def on-failure
  "The attribute that says what becomes of matrices that have no such factors or solution."
  {:default :raise, :is #{:raise :nan}
   :doc "where it cannot be computed, :raise stops the call, :nan gives NaN"})

;; ## Cholesky

(defn- reports
  "The report of each matrix, [[result report] …] as they are."
  [dtype lead shape found]
  [(base/assembled dtype lead shape (map first found))
   (array/of :i32 lead (map second found))])

(defop lapack-potrf
  "[factor report] of symmetric matrices, of which the lower triangle is read: in it the factor of
  Cholesky, above it what is there."
  {:kind :routine, :args [?a], :matrices #{0}, :batch {}, :attrs {}
   :internal "la/cholesky"
   :type (fn [_ [type]]
           (routines/check type)
           (let [[lead n] (forms/check-square type)] (routines/types-with-info type lead [n n])))
   :eval (fn [_ {:keys [shape dtype] :as x}]
           (let [n (peek shape)
                 kept (fn [a [l report]]
                        [(base/filled n n (fn [i j]
                                           (base/at (if (<= (long j) (long i)) l a) n i j)))
                         report])]
             (reports dtype (vec (drop-last 2 shape)) [n n]
                      (map #(kept % (solving/cholesky % n)) (base/matrices x)))))
   :routine (fn [{[type] :types}]
              (let [[_ n] (forms/check-square type)]
                {:name "?potrf-info", :copies {[:part 0] 0}
                 :args {:uplo :upper, :n n, :a [:part 0], :lda [:max 1 n], :info [:part 1]}}))
   :no-gradient "cholesky has the derivative"
   :gen (forms/of-matrices #(forms/random-symmetric %1 %2 %3 false)
                           (fn [n] [[{} [n n]] [{} [2 n n]]]))
   :examples [[[:part {:at 0} [:lapack-potrf [:mul 4.0 [:ones {:shape [1 1]}]]]] [[2.0]]]]})

;; ## Systems of equations

(defn- equations-type [_ [[_ a :as type] b]]
  (routines/check type)
  (let [[lead n] (forms/check-square type), [_ r m] (forms/check-matrix b)]
    (typing/unify-shapes "right sides are like the matrices" (conj lead n)
                         (conj (pop (pop (second b))) m))
    (routines/types-with-info type lead [r n])))

(defn- solutions
  "[xt report] for the matrices that (matrix a n) makes of those of the first array, and right sides
  whose transposes are those of the second."
  [matrix {:keys [shape dtype] :as a} b]
  (let [n (peek shape), r (peek (pop (:shape b)))]
    (reports dtype (vec (drop-last 2 shape)) [r n]
             (map (fn [a b]
                    (let [b (base/transposed b r n), [x report] (solving/solve (matrix a n) n b r)]
                      [(base/transposed x n r) report]))
                  (base/matrices a) (base/matrices b)))))

(defn- equations-gen [matrices]
  (forms/beside (fn [ctx dtype shape _] (matrices ctx dtype shape))
                (fn [n] [[{} [n n] [2 n]] [{} [2 n n] [2 3 n]] [{} [n n] [1 n]]])))

(defn- equations
  "What a routine for equations is told: its name, and more arguments."
  [name more]
  (fn [{[[dtype :as type] [_ b]] :types}]
    (let [[lead n] (forms/check-square type)]
      {:name name, :copies {[:work 0] 0, [:part 0] 1}
       :works [type [:i32 (conj lead n)]]
       :args (merge {:n n, :nrhs (peek (pop b)), :a [:work 0], :lda [:max 1 n], :pivots [:work 1]
                     :b [:part 0], :ldb [:max 1 n], :info [:part 1]}
                    more)})))

(defop lapack-gesv
  "[xt report] for the transposes of matrices a [… n n] and of right sides [… n r]: the transposes
  of the solutions of a·x = b."
  {:kind :routine, :args [?at ?bt], :matrices #{0}, :batch {}, :attrs {}, :coerce [0 1]
   :internal "la/solve"
   :type equations-type, :eval (fn [_ a b] (solutions #(base/transposed %1 %2 %2) a b))
   :routine (equations "?gesv-info" {})
   :no-gradient "solve has the derivative"
   :gen (equations-gen forms/random-matrices)
   :examples [[[:part {:at 0} [:lapack-gesv [:mul 4.0 [:ones {:shape [1 1]}]]
                               [:ones {:shape [1 1]}]]]
               [[0.25]]]]})

(defop lapack-sysv
  "The same for symmetric matrices, of which the lower triangle is read."
  {:kind :routine, :args [?a ?bt], :matrices #{0}, :batch {}, :attrs {}, :coerce [0 1]
   :internal "la/solve with :assume :symmetric"
   :type equations-type
   :eval (fn [_ a b]
           (solutions #(symmetric/mirrored %1 %2 true) a b))
   :routine (equations "?sysv" {:uplo :upper})
   :no-gradient "solve has the derivative"
   :gen (equations-gen #(forms/random-symmetric %1 %2 %3 true))
   :examples [[[:part {:at 0} [:lapack-sysv [:mul 4.0 [:ones {:shape [1 1]}]]
                               [:ones {:shape [1 1]}]]]
               [[0.25]]]]})

(defop lapack-getrf
  "[packed pivots report] of the transposes of matrices: the transposes of their factors, and the
  rows that were exchanged, from 1 on."
  {:kind :routine, :args [?at], :matrices #{0}, :batch {}, :attrs {}
   :internal "la/slogdet"
   :type (fn [_ [type]]
           (routines/check type)
           (let [[lead n] (forms/check-square type)]
             (tuple/of [type [:i32 (conj lead n)] [:i32 lead]])))
   :eval (fn [_ {:keys [shape dtype] :as x}]
           (let [n (peek shape), lead (vec (drop-last 2 shape))
                 found (map #(solving/lu (base/transposed % n n) n) (base/matrices x))]
             [(base/assembled dtype lead [n n] (map #(base/transposed (first %) n n) found))
              (array/cast :i32 (base/assembled :f64 lead [n] (map second found)))
              (array/of :i32 lead (map last found))]))
   :routine (fn [{[type] :types}]
              (let [[_ n] (forms/check-square type)]
                {:name "?getrf", :copies {[:part 0] 0}
                 :args {:m n, :n n, :a [:part 0], :lda [:max 1 n], :pivots [:part 1]
                        :info [:part 2]}}))
   :no-gradient "slogdet has the derivative"
   :gen (forms/of-matrices forms/random-matrices (fn [n] [[{} [n n]] [{} [2 n n]]]))
   :examples [[[:part {:at 1} [:lapack-getrf [:eye {:n 2}]]] [1 2]]]})

;; ## Triangular systems

(def triangle
  "The attributes of systems with triangles."
  {:lower {:default true, :is :flag, :doc "which triangle is read; the other counts as 0"}
   :transpose {:default false, :is :flag, :doc "true: the transpose of the triangle"}
   :unit-diagonal {:default false, :is :flag, :doc "true: the diagonal counts as 1"}})

(defn triangular-solution
  "The x with t·x = b for the triangle t of an n × n matrix that the attributes say, b [n r]."
  [{:keys [lower transpose unit-diagonal]} a n b r]
  (if transpose
    (solving/triangular (base/transposed a n n) n b r (not lower) unit-diagonal)
    (solving/triangular a n b r lower unit-diagonal)))

(defop blas-trsm
  "[x] with t·x = b for triangles t of matrices [… n n] and b [… n r]."
  {:kind :routine, :args [?a ?b], :matrices #{0}, :batch {}, :attrs triangle, :coerce [0 1]
   :internal "la/solve-triangular"
   :type (fn [_ [type b]]
           (routines/check type)
           (let [[lead n] (forms/check-square type)]
             (typing/unify-shapes "right sides are like the matrices"
                                  (conj lead n) (pop (second b)))
             (tuple/of [b])))
   :eval (fn [attrs {:keys [shape dtype] :as a} b]
           (let [n (peek shape), r (peek (:shape b))]
             [(base/assembled dtype (vec (drop-last 2 shape)) [n r]
                              (map #(triangular-solution attrs %1 n %2 r)
                                   (base/matrices a) (base/matrices b)))]))
   :routine (fn [{{:keys [lower transpose unit-diagonal]} :attrs, [type [_ b]] :types}]
              (let [[_ n] (forms/check-square type), r (peek b)]
                {:name "?trsm", :copies {[:part 0] 1}
                 :args {:uplo (if lower :lower :upper), :trans (if transpose :transposed :plain)
                        :diag (if unit-diagonal :unit :own), :m n, :n r, :alpha 1.0
                        :a [:arg 0], :lda [:max 1 n], :b [:part 0], :ldb [:max 1 r]}}))
   :no-gradient "solve-triangular has the derivative"
   :gen (forms/beside (fn [ctx dtype shape _] (forms/random-triangular ctx dtype shape))
                      (fn [n] [[{} [n n] [n 2]] [{:lower false} [2 n n] [2 n 3]]
                               [{:transpose true} [n n] [n 1]]
                               [{:unit-diagonal true} [n n] [n 2]]]))
   :examples [[[:part {:at 0} [:blas-trsm [:mul 4.0 [:ones {:shape [1 1]}]] [:ones {:shape [1 1]}]]]
               [[0.25]]]]})
