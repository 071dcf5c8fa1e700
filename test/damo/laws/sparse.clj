(ns damo.laws.sparse
  "Random expressions of sparse matrices, and the same of arrays. A plan is data, made from a seed;
  (built plan sparse-world leaves) and (built plan dense-world leaves) are its expressions."
  (:require [damo.core :as d]
            [damo.sparse :as sp])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Matrices

(defn random-triples
  "{:data :rows :cols :shape} of a random matrix without two elements in one place. Kinds: :empty
  stores nothing, :column all in one column, :power long rows first, :even each with the
  probability 1/3."
  [^Random random kind m n]
  (let [stored? (fn [i j]
                  (case kind
                    :empty false
                    :column (= j (quot n 2))
                    :power (< j (/ n (inc i)))
                    :even (< (.nextInt random 3) 1)))
        places (vec (for [i (range m), j (range n) :when (stored? i j)] [i j]))]
    {:rows (mapv first places), :cols (mapv second places), :shape [m n]
     :data (vec (repeatedly (count places) #(- (* 3.0 (.nextDouble random)) 1.5)))}))

(defn random-matrix
  "A random value, in a format."
  [random kind format m n]
  (sp/coo (assoc (random-triples random kind m n) :format format)))

;; ## Plans

(def ^:private unary [:neg :sqr :sin :tanh :transpose :csr :csc :sorted :cube :third])

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn matrix-plan
  "A plan of a square sparse matrix: nested vectors of names."
  [^Random random depth]
  (if (zero? depth)
    [(pick random [:a :b])]
    (let [sub #(matrix-plan random (dec depth))]
      (case (.nextInt random 12)
        (0 1 2 3) [(pick random unary) (sub)]
        4 [:mul-array (sub)]
        5 [(pick random [:mul-row :mul-column :scale-rows :scale-cols]) (sub)]
        6 [:add (sub) (sub)]
        7 [:sub (sub) (sub)]
        8 [:mul (sub) (sub)]
        9 [(pick random [:rows :slice :without-zeros]) (sub)]
        10 [(pick random [:hstack :vstack]) (sub) (sub)]
        11 [(pick random [:sampling :product]) (sub) (sub)]))))

(defn array-plan
  "A plan of an array made of a matrix."
  [random depth]
  (let [sub (matrix-plan random depth)]
    [(pick random [:times-vector :times-matrix :vector-times :matrix-times :sum :sum-0 :sum-1 :mean
                   :dense :plus-array :minus-array :diagonal])
     sub]))

;; ## What the steps are, of sparse matrices and of arrays

(defn- turned [n] (vec (cons (dec n) (range (dec n)))))

(def both
  "Steps that are written alike."
  (let [by (fn [f] (fn [_ & xs] (apply f xs)))]
    {:neg (by d/neg), :sqr (by d/sqr), :sin (by d/sin), :tanh (by d/tanh)
     :transpose (by d/transpose), :add (by d/add), :sub (by d/sub), :mul (by d/mul)
     :cube (fn [_ a] (d/pow a 3)), :third (fn [_ a] (d/div a 3))
     :a (fn [{:keys [a]}] a), :b (fn [{:keys [b]}] b)
     :mul-array (fn [{:keys [array]} a] (d/mul a array))
     :mul-row (fn [{:keys [x]} a] (d/mul x a))
     :mul-column (fn [{:keys [x n]} a] (d/mul a (d/reshape x [n 1])))
     :product (fn [_ a b] (d/dot a b))
     :times-vector (fn [{:keys [x]} a] (d/dot a x))
     :times-matrix (fn [{:keys [array]} a] (d/dot a array))
     :vector-times (fn [{:keys [x]} a] (d/dot x a))
     :matrix-times (fn [{:keys [array]} a] (d/matmul array a))
     :sum (by d/sum), :sum-0 (fn [_ a] (d/sum a :axis 0))
     :sum-1 (fn [_ a] (d/sum a :axis -1 :keepdims true)), :mean (fn [_ a] (d/mean a :axis 1))
     :plus-array (fn [{:keys [array]} a] (d/add a array))
     :minus-array (fn [{:keys [array]} a] (d/sub array a))}))

(def sparse-world
  "The steps of sparse matrices."
  (assoc both
         :csr (fn [_ a] (sp/to-csr a)), :csc (fn [_ a] (sp/to-csc a))
         :sorted (fn [_ a] (sp/ensure-sorted a))
         :scale-rows (fn [{:keys [x]} a] (sp/scale-rows a x))
         :scale-cols (fn [{:keys [x]} a] (sp/scale-cols a x))
         :rows (fn [{:keys [n]} a] (sp/rows a (turned n)))
         :slice (fn [{:keys [n]} a]
                  (sp/hstack [(sp/slice a [nil nil] [1 nil]) (sp/slice a [nil n] [0 1])]))
         :without-zeros (fn [_ a] (sp/remove-zeros a))
         :hstack (fn [{:keys [n]} a b] (sp/slice (sp/hstack [a b]) [nil nil] [1 (inc n)]))
         :vstack (fn [{:keys [n]} a b] (sp/slice (sp/vstack [a b]) [1 (inc n)]))
         :sampling (fn [{:keys [array]} a b] (sp/sampling-dot array (sp/to-dense b) a))
         :dense (fn [_ a] (sp/to-dense a)), :diagonal (fn [_ a] (sp/diagonal a))))

(def dense-world
  "The same steps of arrays."
  (assoc both
         :csr (fn [_ a] a), :csc (fn [_ a] a), :sorted (fn [_ a] a)
         :scale-rows (fn [{:keys [x n]} a] (d/mul (d/reshape x [n 1]) a))
         :scale-cols (fn [{:keys [x]} a] (d/mul a x))
         :rows (fn [{:keys [n]} a] (d/take a (turned n)))
         :slice (fn [{:keys [n]} a] (d/take a (mapv #(mod (inc %) n) (range n)) :axis 1))
         :without-zeros (fn [_ a] a)
         :hstack (fn [{:keys [n]} a b]
                   (d/slice (d/concatenate [a b] :axis 1) :axis 1 :start 1 :stop (inc n)))
         :vstack (fn [{:keys [n]} a b] (d/slice (d/concatenate [a b]) :start 1 :stop (inc n)))
         :sampling (fn [{:keys [array]} a b] (d/mul a (d/dot array (d/transpose b))))
         :dense (fn [_ a] a), :diagonal (fn [_ a] (d/diagonal a))))

(defn built
  "The expression of a plan in a world, of leaves {:a :b :x :array :n}."
  [[step & more] world leaves]
  (apply (world step) leaves (map #(built % world leaves) more)))
