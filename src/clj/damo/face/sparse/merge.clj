(ns damo.face.sparse.merge
  "Sparse matrices of the stored elements of others: sums of two, elements of one at the places of
  another, rows, slices, matrices side by side. In and out: matrices of expressions. A place has the
  key line · width + index; the keys of a matrix ascend."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.type :as type]
            [damo.face.sparse.form :as form :refer [node]]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- dim [d] (node :dim {:dim d}))
(defn- joined [& vectors] (op/node :concatenate {:axis 0} (vec vectors)))
(defn- picked [x at] (node :take {:axis 0} x at))
(defn- zeros [n x] (node :zeros {:shape [n], :dtype (type/dtype-of (expr/type-of x))}))

(defn- keys-of
  "The keys of the stored elements in lines of that width, from that index on."
  [s width from]
  (node :add {}
        (node :mul {} (form/line s) (dim width))
        (node :add {} (node :cast {:dtype :i64} (:indices s)) (dim from))))

(defn- of-keys
  "The matrix, in a format, of elements whose keys ascend."
  [format data keys [m n :as shape] dense]
  (let [[lines width] (if (= :csr format) [m n] [n m])]
    (form/made format data (node :mod {} keys (dim width))
               (form/starts-in lines (node :int-div {} keys (dim width))) shape dense)))

(defn- unified [what a b]
  (mapv #(type/unify-dims what %1 %2) (:shape a) (:shape b)))

;; ## Two of one shape

(defn sum
  "a + b: what is stored in either of them, in the format of a. How many there are is counted."
  [a b]
  (let [b (form/of-format (:format a) b)
        shape (unified "matrices that are added have one shape" a b)
        [_ width] (sparse/lines a)
        [keys _ at] (op/results (node :unique-all {} (joined (keys-of a width 0)
                                                             (keys-of b width 0))))
        data (joined (:data a) (:data b))
        none (zeros (first (expr/shape-of keys)) data)]
    (of-keys (:format a) (node :inc-at {:axis 0} none at data) keys shape
             (node :add {} (form/dense a) (form/dense b)))))

(defn elements-of
  "The elements of b at the places of a: a vector, 0 where b stores nothing."
  [a b]
  (let [b (form/of-format (:format a) b), [_ width] (sparse/lines a)
        _ (unified "matrices that are multiplied elementwise have one shape" a b)
        wanted (keys-of a width 0)
        ;; one more, of no place, so that a matrix without elements has something to look at
        keys (joined (keys-of b width 0) (node :full {:shape [1]} (expr/whole Long/MAX_VALUE)))
        data (joined (:data b) (zeros 1 (:data b)))
        at (node :searchsorted {:side :left} keys wanted)]
    (node :where {} (node :eq {} (picked keys at) wanted) (picked data at) 0)))

;; ## Parts of one

(defn- kept
  "The matrix of the stored elements at the places `at`, which ascend, lines `from` … `to` of s; of
  that shape, with `back` taken from the indices."
  [s at starts back shape dense]
  (let [indices (node :sub {} (picked (:indices s) at)
                      (node :cast {:dtype (type/dtype-of (expr/type-of (:indices s)))} (dim back)))]
    (form/made (:format s) (picked (:data s) at) indices
               (node :searchsorted {:side :left} at starts) shape dense)))

(defn without-zeros
  "The matrix without the stored elements that are 0. How many are left is counted."
  [{:keys [data starts shape] :as s}]
  (kept s (node :flatnonzero {} (node :ne {} data 0)) starts 0 shape (form/dense s)))

(defn- cut
  "[attributes expression] of the slice of an axis of x."
  [x axis bounds]
  (when-not (and (sequential? bounds) (= 2 (count bounds)))
    (fail! :damo.sparse/bad-slice
           (str "a slice of rows or of columns is [start stop], nil for an open end; got "
                (pr-str bounds))
           {:given bounds}))
  (let [[start stop] bounds
        ;; the entry's :written clips numbers as NumPy does; see damo.op/call
        cut (op/call :slice [x :axis axis :start start :stop stop])]
    [(expr/attrs-of cut) cut]))

(defn slice
  "The rows and columns of s between bounds. How many elements are left is counted."
  [s row-bounds column-bounds]
  (let [[rows dense] (cut (form/dense s) 0 row-bounds)
        [columns dense] (cut dense 1 column-bounds)
        [lines across] (if (= :csr (:format s)) [rows columns] [columns rows])
        {:keys [indices starts]} s, line (form/line s)
        inside (fn [x {:keys [start stop]}]
                 (node :logical-and {} (node :ge {} x (dim start)) (node :lt {} x (dim stop))))
        at (node :flatnonzero {} (node :logical-and {} (inside line lines) (inside indices across)))
        own (node :slice {:axis 0, :start (:start lines), :stop (type/dim+ (:stop lines) 1)
                          :step 1}
                  starts)]
    (kept s at own (:start across) (expr/shape-of dense) dense)))

(defn rows
  "The rows of s at the integers i, a vector, in compressed rows; a row may come several times. How
  many elements there are is counted."
  [s i]
  (let [{:keys [indices starts data] [_ n] :shape :as s} (form/of-format :csr s)
        _ (when-not (= 1 (count (expr/shape-of i)))
            (fail! :damo.sparse/bad-rows
                   (str "rows are picked by a vector of integers; got " (expr/describe i))
                   {:given i}))
        [k] (expr/shape-of i)
        dense (node :take {:axis 0} (form/dense s) i)
        m (first (:shape s))
        front (node :where {} (node :lt {} i 0) (node :add {} (node :cast {:dtype :i64} i) (dim m))
                    (node :cast {:dtype :i64} i))
        first-at (picked starts front)
        lengths (node :sub {} (picked starts (node :add {} front 1)) first-at)
        column (node :iota {:shape [k n], :axis 1})
        places (node :flatnonzero {} (node :lt {} column (node :expand-dims {:axis [1]} lengths)))
        row (node :int-div {} places (dim n))
        at (node :add {} (picked first-at row) (node :mod {} places (dim n)))]
    (form/made :csr (picked data at) (picked indices at) (form/starts-in k row) [k n] dense)))

;; ## Side by side

(defn- side-by-side [axis a b]
  (op/node :concatenate {:axis axis} [(form/dense a) (form/dense b)]))

(defn- behind
  "Two matrices of one format, the lines of b behind those of a."
  [{:keys [format] :as a} b]
  (let [[la width] (sparse/lines a), [lb other] (sparse/lines b)
        width (type/unify-dims "matrices side by side are equally long" width other)
        lines (type/dim+ la lb)
        more (node :add {} (node :slice {:axis 0, :start 1, :stop (type/dim+ lb 1), :step 1}
                                 (:starts b))
                   (dim (form/nnz a)))]
    (form/made format (joined (:data a) (:data b)) (joined (:indices a) (:indices b))
               (joined (:starts a) more)
               (if (= :csr format) [lines width] [width lines])
               (side-by-side (if (= :csr format) 0 1) a b))))

(defn- beside
  "Two matrices of one format, each line of b behind that of a: their elements, sorted by place."
  [{:keys [format] :as a} b]
  (let [[la wa] (sparse/lines a), [lb wb] (sparse/lines b)
        lines (type/unify-dims "matrices side by side are equally long" la lb)
        width (type/dim+ wa wb)
        keys (joined (keys-of a width 0) (keys-of b width wa))
        order (node :argsort {:axis 0} keys)]
    (of-keys format (picked (joined (:data a) (:data b)) order) (picked keys order)
             (if (= :csr format) [lines width] [width lines])
             (side-by-side (if (= :csr format) 1 0) a b))))

(defn stacked
  "The matrices, a sequence, side by side along an axis, in the format of the first."
  [axis [{:keys [format]} :as all]]
  (reduce (if (= axis (if (= :csr format) 0 1)) behind beside)
          (map #(form/of-format format %) all)))
