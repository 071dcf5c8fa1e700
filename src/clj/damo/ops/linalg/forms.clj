(ns damo.ops.linalg.forms
  "Types, templates and generated arguments of ops on matrices, which are the last two axes of their
  arguments; leading axes are batches. (transposed 3 '?x) = [:transpose {:axes [0 2 1]} ?x]."
  (:require [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.matrix.base :as base]
            [damo.matrix.orthogonal :as orthogonal]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Types

(defn check-matrix
  "[lead m n] of the type of matrices of floats: the shape of the batch, and their rows and columns.
  Fails with :damo.op.linalg/no-matrix on less than two axes."
  [[dtype shape]]
  (typing/check-dtype :float dtype)
  (when (< (count shape) 2)
    (fail! :damo.op.linalg/no-matrix
           (str "takes matrices, the last two axes of an array; its shape is " (pr-str shape))
           {:shape shape, :try "reshape, or expand-dims for a vector as a row or column"}))
  (let [[m n] (take-last 2 shape)] [(subvec shape 0 (- (count shape) 2)) m n]))

(defn check-square
  "[lead n] of the type of square matrices of floats; fails with :damo.op.linalg/not-square."
  [[_ shape :as type]]
  (let [[lead m n] (check-matrix type)]
    (when-not (= m n)
      (fail! :damo.op.linalg/not-square
             (str "takes square matrices; its shape is " (pr-str shape) ", with " (pr-str m)
                  " rows and " (pr-str n) " columns")
             {:shape shape}))
    [lead n]))

(defn lesser
  "The smaller one of two dims."
  [m n]
  (if (= m n) m (type/dim-min m n)))

;; ## Templates

(defn parts
  "The templates of the n results of a node."
  [n node]
  (mapv (fn [k] [:part {:at k} node]) (range n)))

(defn transposed
  "The template of t, of that rank, with its last two axes exchanged."
  [rank t]
  [:transpose {:axes (vec (concat (range (- rank 2)) [(dec rank) (- rank 2)]))} t])

(defn as-row
  "The template of the vectors t, the last axis of rank - 1, as what broadcasts along the rows of
  matrices of that rank: element j with column j."
  [rank t]
  [:expand-dims {:axis [(- rank 2)]} t])

(defn as-column
  "The same for element i with row i."
  [rank t]
  [:expand-dims {:axis [(dec rank)]} t])

(defn diagonal
  "The template of the diagonals of t, of that rank."
  [rank t]
  [:diagonal {:axis1 (- rank 2), :axis2 (dec rank)} t])

(defn symmetric
  "The template of the symmetric part of t, of that rank."
  [rank t]
  [:mul 0.5 [:add t (transposed rank t)]])

(defn first-columns
  "The template of the first k columns of t, of that rank."
  [rank k t]
  [:slice {:axis (dec rank), :start 0, :stop k} t])

(defn last-columns
  "The template of the columns of t, of that rank and of n columns, from the first k on."
  [rank k n t]
  [:slice {:axis (dec rank), :start k, :stop n} t])

(defn first-rows
  "The template of the first k rows of t, of that rank."
  [rank k t]
  [:slice {:axis (- rank 2), :start 0, :stop k} t])

(defn last-rows
  "The template of the rows of t, of that rank and of m rows, from the first k on."
  [rank k m t]
  [:slice {:axis (- rank 2), :start k, :stop m} t])

(defn unit
  "The template of the n × n identity of that dtype."
  [dtype n]
  [:eye {:n n, :dtype dtype}])

(defn undetermined
  "The template of NaN where the gap between two different values of n is 0 and what turns their
  vectors into each other, `turns`, is not, 0 elsewhere, as matrices of that rank: a sum of both
  with one over the gap is the derivative of vectors that have one."
  [dtype rank n gap turns]
  (let [other [:ne [:iota {:shape [n 1], :axis 0}] [:iota {:shape [1 n], :axis 1}]]
        turns? [:logical-or [:ne 0 turns] [:ne 0 (transposed rank turns)]]]
    [:where [:logical-and other [:logical-and [:eq 0 gap] turns?]]
     (typing/const dtype ##NaN) (typing/const dtype 0)]))

(defn over-gaps
  "The template of t/(w_j - w_i) as matrices of that type, for values w: 0 where these are equal and
  t is 0, NaN where t is not."
  [[dtype shape] w t]
  (let [rank (count shape), gap [:sub (as-row rank w) (as-column rank w)]]
    [:mul t [:add [:reciprocal-or-zero gap] (undetermined dtype rank (peek shape) gap t)]]))

(defn reported
  "The template of t, of that rank, over the batch of matrices of that type, with NaN where a
  routine reports other than 0."
  [[dtype shape] rank report t]
  (let [lead (- (count shape) 2)]
    [:where [:eq 0 (if (= lead rank)
                     report
                     [:expand-dims {:axis (vec (range lead rank))} report])]
     t (typing/const dtype ##NaN)]))

(defn or-unit
  "The template of t, [… d d], of a factorisation of m × n matrices, and the identity where m or n
  is 0, for then a routine writes nothing."
  [dtype m n d t]
  (if (and (integer? m) (integer? n) (pos? m) (pos? n))
    t
    [:where [:eq 0 [:mul [:dim {:dim m}] [:dim {:dim n}]]] (unit dtype d) t]))

(defn weights
  "The template of n different weights of that dtype, 1 to 2, by which laws tell vectors apart."
  [dtype n]
  [:add 1 [:div [:cast {:dtype dtype} [:iota {:shape [n], :axis 0}]] (typing/count-of dtype [n])]])

;; ## Generated arguments

(defn- orthogonal [^Random random n]
  (first (orthogonal/complete (double-array (repeatedly (* n n) #(.nextGaussian random))) n n)))

(defn- with-singular-values
  "An [m n] matrix with singular values near 1, 1.5, 2 …, at most 3 apart in all."
  [^Random random m n]
  (let [k (min m n), step (/ 2.0 (max 4 k))
        s (mapv #(+ 1.0 (* step (+ % (* 0.3 (.nextDouble random))))) (range k))]
    (base/times (base/times (orthogonal random m) m m
                            (base/filled m n (fn [i j] (if (= i j) (s i) 0.0))) n)
                m n (orthogonal random n) n)))

(defn- with-eigenvalues
  "A symmetric n × n matrix with eigenvalues that differ, some of them negative where `signs`."
  [^Random random n signs]
  (let [q (orthogonal random n), step (/ 2.0 (max 4 n))
        w (mapv #(* (if (and signs (odd? %)) -1.0 1.0)
                    (+ 1.0 (* step (+ % (* 0.3 (.nextDouble random))))))
                (range n))]
    (base/times q n n (base/transposed
                       (base/filled n n (fn [i j] (* (base/at q n i j) (double (w j))))) n n)
                n)))

(defn- stacked [dtype lead [m n] matrix]
  (array/map-elements dtype identity
                      [(base/assembled :f64 lead [m n]
                                       (repeatedly (array/size lead) #(matrix m n)))]))

(defn random-matrices
  "An array of matrices of that dtype and shape, well-conditioned, their singular values different."
  [{:keys [random]} dtype shape]
  (stacked dtype (vec (drop-last 2 shape)) (take-last 2 shape)
           #(with-singular-values random %1 %2)))

(defn random-symmetric
  "The same of symmetric matrices, indefinite, or positive definite when `signs` is false."
  [{:keys [random]} dtype shape signs]
  (stacked dtype (vec (drop-last 2 shape)) (take-last 2 shape)
           (fn [n _] (let [a (with-eigenvalues random n signs)]
                       (base/filled n n (fn [i j] (base/at a n (max i j) (min i j))))))))

(defn random-triangular
  "The same of matrices of which both triangles are well-conditioned: their diagonals are 1 to 2."
  [{:keys [random]} dtype shape]
  (stacked dtype (vec (drop-last 2 shape)) (take-last 2 shape)
           (fn [n _] (base/filled n n (fn [i j] (let [x (.nextDouble ^Random random)]
                                                  (if (= i j) (+ 1.0 x) (/ (- x 0.5) n))))))))

(defn- general
  "An n × n matrix whose eigenvalues differ, among them pairs of complex ones from n = 4 on."
  [^Random random n]
  (let [turning (* 2 (quot n 4))
        b (fn [i j]
            (cond (and (= i j) (< i turning)) (quot i 2)
                  (= i j) (+ 2.0 (* 2.0 (/ i (double n))))
                  (and (< (max i j) turning) (= (quot i 2) (quot j 2))) (if (< i j) 1.0 -1.0)
                  :else 0.0))]
    (base/filled n n (fn [i j] (+ (double (b i j)) (* 0.1 (- (.nextDouble random) 0.5)))))))

(defn random-general
  "The same of square matrices whose eigenvalues are apart, some of them complex."
  [{:keys [random]} dtype shape]
  (stacked dtype (vec (drop-last 2 shape)) (take-last 2 shape) (fn [n _] (general random n))))

(defn extent
  "An extent of generated matrices: that of the context, at most 13."
  [{:keys [size]}]
  (min 13 size))

(defn of-matrices
  "A generator of calls on one argument: `f` of the extent gives the choices [attrs shape], `array`
  of the context, the dtype and the shape the argument. Of dtypes that are no floats it is a number,
  which no op on matrices takes."
  [array f]
  (fn [{:keys [dtype] :as ctx}]
    (let [[attrs shape] (gens/variant ctx (f (extent ctx)))]
      {:attrs attrs
       :args [(if (type/float-dtype? dtype)
                (array ctx dtype shape)
                (gens/random-array ctx dtype []))]})))

(defn beside
  "A generator of calls on matrices and right sides, the same with choices [attrs shape shape]."
  [array f]
  (fn [{:keys [dtype] :as ctx}]
    (let [[attrs a b] (gens/variant ctx (f (extent ctx)))]
      {:attrs attrs
       :args (if (type/float-dtype? dtype)
               [(array ctx dtype a attrs) (gens/random-array ctx dtype b)]
               [(gens/random-array ctx dtype []) (gens/random-array ctx dtype [])])})))
