(ns damo.face.sparse.calls
  "What the functions of ops give for sparse matrices: a table from ops to functions of their
  arguments and attributes. Elementwise ops of one argument that keep 0 have no line: they are
  computed of what is stored. (call :dot [a x]) is A·x."
  (:require [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse :refer [sparse?]]
            [damo.data.type :as type]
            [damo.face.sparse.form :as form :refer [node]]
            [damo.face.sparse.merge :as merge]
            [damo.op :as op]
            [damo.op.arguments :as arguments]))

(set! *warn-on-reflection* true)

(defn- array [x] (if (sparse? x) (form/to-dense (form/symbolic x)) (expr/whole x)))

;; ## Elementwise

(defn- refused!
  "Fails with the form to write instead: the same of arrays, in the words of the call."
  [op args why]
  (let [written (fn [x] (if (sparse? x)
                          (str "(sp/to-dense " (or (:name x) "s") ")")
                          (if (expr/expr? x) (str (expr/form x 1)) (pr-str x))))]
    (fail! :damo.sparse/no-sparse-form why
           {:op op
            :try (str "(d/" (name op) " " (apply str (interpose " " (map written args))) ")"
                      (when (and (= 1 (count args)) (= :elementwise (op/kind op)))
                        (str ", or (sp/structured d/" (name op) " s) for the stored elements"
                             " alone")))})))

(def ^:private no-form "it takes no sparse matrices")

(defn- keeps-zero?
  "Is the op's value 0 at 0?"
  [op]
  (let [{:keys [kind args eval type] :as entry} (op/entry op)]
    (and (= :elementwise kind) (= 1 (count args)) (fn? eval) (not= :bool type)
         (or (empty? (:attrs entry)) (= :cast op))
         (let [y (eval 0.0)] (and (number? y) (zero? y))))))

(defn- mapped [op [s] attrs]
  (let [s (form/symbolic s)]
    (if (keeps-zero? op)
      (form/with-data s (op/node op attrs [(:data s)]) (op/node op attrs [(form/dense s)]))
      (refused! op [s] (if (= :elementwise (op/kind op))
                         (str (name op) " of 0 is not 0, so that nearly all elements of the result"
                              " would be stored")
                         no-form)))))

(defn- scaled
  "s ∘ x by an op that keeps zeros: x is a number, or an array that broadcasts to the shape."
  [op s x]
  (let [x (expr/lift x), of-elements (if (expr/expr? x) (form/at s x) x)]
    (form/with-data s (node op {} (:data s) of-elements) (node op {} (form/dense s) x))))

(defn- alike?
  "Have two matrices one pattern, as one was made of the other?"
  [a b]
  (and (= (:format a) (:format b)) (= (:shape a) (:shape b))
       (identical? (:indices a) (:indices b)) (identical? (:starts a) (:starts b))))

(defn- product [op [a b] _]
  (cond (and (sparse? a) (sparse? b))
        (let [a (form/symbolic a), b (form/symbolic b)]
          (form/with-data a
            (node :mul {} (:data a) (if (alike? a b) (:data b) (merge/elements-of a b)))
            (node :mul {} (form/dense a) (form/dense b))))
        (sparse? a) (scaled op (form/symbolic a) b)
        :else (scaled op (form/symbolic b) a)))

(defn- scalar? [x] (or (number? x) (and (expr/expr? x) (empty? (expr/shape-of x)))))

(defn- quotient [op [a b :as args] _]
  (if (and (sparse? a) (scalar? b))
    (scaled op (form/symbolic a) b)
    (refused! op args (if (sparse? b)
                        "a division by a sparse matrix is one by 0 nearly everywhere"
                        (str "a sparse matrix is divided by a number; 0/0 is NaN, where an array"
                             " has zeros")))))

(defn- power [op [a b :as args] _]
  (if (and (sparse? a) (number? b) (pos? b))
    (scaled op (form/symbolic a) b)
    (refused! op args "a sparse matrix is raised to a positive number; 0 to others is not 0")))

(defn- sum [op [a b :as args] _]
  (cond (and (sparse? a) (sparse? b))
        (let [a (form/symbolic a), b (form/symbolic b)]
          (if (alike? a b)
            (form/with-data a (node op {} (:data a) (:data b))
              (node op {} (form/dense a) (form/dense b)))
            (merge/sum a (if (= :sub op) (mapped :neg [b] {}) b))))
        (some scalar? args)
        (refused! op args (str "a number that is added to a sparse matrix stands everywhere: the"
                               " result is an array"))
        :else (node op {} (array a) (array b))))

;; ## Products and sums

(defn- times
  "A·x for a matrix or vector x."
  [{:keys [format data indices starts shape] :as s} x]
  (form/twin (if (= :csr format)
               (node :csr-dot {} data indices starts x)
               (node :csr-tdot {:columns (first shape)} data indices starts x))
             (node :dot {} (form/dense s) x)))

(defn- matrix-product [op [a b :as args] _]
  (let [fits! (fn [x] (when-not (<= 1 (count (expr/shape-of x)) 2)
                        (refused! op args "a sparse matrix is multiplied by a vector or a matrix")))
        unified (fn [n m] (type/unify-dims "the inner axes of a product agree" n m))
        outer (fn [x] (if (= 1 (count (expr/shape-of x))) x (node :transpose {} x)))]
    (cond (and (sparse? a) (sparse? b))
          (let [a (form/symbolic a), b (form/symbolic b)]
            (unified (second (:shape a)) (first (:shape b)))
            (form/of-dense (:format a) (times a (form/to-dense b))))
          (sparse? a)
          (let [a (form/symbolic a), x (expr/whole b)]
            (fits! x)
            (unified (second (:shape a)) (first (expr/shape-of x)))
            (times a x))
          :else
          (let [b (form/symbolic b), x (expr/whole a)]
            (fits! x)
            (unified (peek (expr/shape-of x)) (first (:shape b)))
            (outer (times (form/transposed b) (outer x)))))))

(defn- line-sums
  "The sums over the axis within lines, or across them."
  [{:keys [data indices starts] :as s} within?]
  (let [[_ width] (sparse/lines s)]
    (if within?
      (node :csr-sum {} data starts)
      (node :inc-at {:axis 0} (node :zeros {:shape [width], :dtype (sparse/dtype-of s)}) indices
            data))))

(defn- total [_ [s] {:keys [axis keepdims] :as attrs}]
  (let [s (form/symbolic s)
        axes (type/axis-indices 2 axis)
        wide (if (type/float-dtype? (sparse/dtype-of s))
               s
               (form/with-data s (node :cast {:dtype :i64} (:data s)) (:dense s)))
        fast (case (count axes)
               2 (node :sum {} (:data wide))
               1 (line-sums wide (= (first axes) (if (= :csr (:format s)) 1 0)))
               0 (form/to-dense wide))]
    (form/twin (if keepdims (node :expand-dims {:axis axes} fast) fast)
               (op/node :sum attrs [(form/dense s)]))))

(defn- mean [_ [s] {:keys [axis] :as attrs}]
  (let [axes (type/axis-indices 2 axis)
        over (map #(node :dim {:dim (nth (:shape s) %)}) axes)]
    (reduce (fn [x n] (node :div {} x n)) (total :sum [s] attrs) over)))

(defn- transpose [op [s :as args] {:keys [axes]}]
  (if (contains? #{nil [1 0]} axes)
    (form/transposed (form/symbolic s))
    (refused! op args (str "a sparse matrix has two axes; :axes is " (pr-str axes)))))

;; ## The table

(def ^:private table
  "What ops give for arguments among which there is a sparse matrix: (f op args attributes)."
  {:add sum, :sub sum, :mul product, :div quotient, :pow power
   :dot matrix-product, :matmul matrix-product, :transpose transpose, :sum total, :mean mean})

(defn call
  "What the function of an op gives for these arguments, one of them a sparse matrix."
  [op given]
  (explain/explaining
   op given
   (fn []
     (let [{:keys [fold] :as entry} (op/entry op)
           [args attrs] (arguments/split entry (vec given)), f (table op)]
       (cond (and f fold (< 2 (count args))) (reduce (fn [x y] (call op [x y])) args)
             f (f op args attrs)
             (= 1 (count args)) (mapped op args attrs)
             :else (refused! op args no-form))))))
