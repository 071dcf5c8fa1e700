(ns damo.laws.sparse-test
  "Expressions of sparse matrices have the values and the derivatives of the same expressions of
  arrays: both gradients, tangents of both kinds, second derivatives."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.laws.sparse :as laws]
            [damo.sparse :as sp])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- numbers [x] (flatten [@x]))

(defn- near? [x y]
  (let [xs (numbers x), ys (numbers y)]
    (and (= (d/shape x) (d/shape y))
         (every? true? (map #(<= (abs (- %1 %2)) (* 1e-9 (max 1.0 (abs %1) (abs %2)))) xs ys)))))

(defn- leaves-of [n]
  {:array (d/input 'array [:f64 [n n]]), :x (d/input 'x [:f64 [n]]), :n n})

(defn- dim-of
  "The dim of the leaves of a plan, a symbol where none of the steps needs a number."
  [plan n]
  (if (some #{:slice :hstack :vstack :rows} (flatten plan)) n 'n))

(defn- results
  "The cost of a plan and its derivatives, by name: of sparse leaves :pattern, the gradient of what
  is stored, and :along, the tangent along elements in the same places."
  [cost {:keys [a b x array tangent direction]} sparse?]
  (let [ws [a b], gradients (d/grad cost (conj ws x array) {:disconnected :ignore})
        dense #(if sparse? (sp/to-dense %) %)
        step (d/rop cost a direction {:disconnected :ignore})]
    (merge
     (zipmap [:a :b :x :array] (map dense gradients))
     {:cost cost
      :along (d/rop cost a tangent {:disconnected :ignore})
      :step step
      :curved (dense (d/grad step a {:disconnected :ignore}))}
     (when sparse?
       {:pattern (sp/to-dense (d/grad cost a {:sparse-gradient :structured
                                              :disconnected :ignore}))}))))

(defn- matrices [^Random random n]
  (let [kinds [:empty :column :power :even :even :even]
        pick #(nth % (.nextInt random (count %)))]
    (vec (repeatedly 2 #(laws/random-matrix random (pick kinds) (pick [:csr :csc]) n n)))))

(defn- drawn
  "What a seed stands for: a plan, values of the leaves, directions."
  [seed]
  (let [random (Random. seed), n (inc (.nextInt random 4))
        plan (laws/array-plan random (.nextInt random 3)), [a b] (matrices random n)
        draw (fn [] (vec (repeatedly n #(- (* 2 (.nextDouble random)) 1))))
        square (fn [] (vec (repeatedly n draw)))]
    {:plan plan, :n n, :dim (dim-of plan n), :given {'a a, 'b b, 'array (square), 'x (draw)}
     :direction (square), :tangent (d/eval (sp/structured d/cos a))}))

(defn- run
  "The results of a plan in one of the worlds; `leaf` makes an input for a matrix, `as-given` what
  it is given."
  [{:keys [plan n dim given direction tangent]} mode world sparse? leaf as-given]
  (let [{:keys [a b x array] :as leaves} (merge (leaves-of dim)
                                                {:a (leaf 'a (given 'a) dim)
                                                 :b (leaf 'b (given 'b) dim), :n n
                                                 :direction direction, :tangent (as-given tangent)})
        f (d/function [a b x array]
                      (results (d/sum (d/sin (laws/built plan world leaves))) leaves sparse?)
                      {:on-unused-input :ignore, :mode mode})]
    (f (-> given (update 'a as-given) (update 'b as-given)))))

(defn compared
  "Names of the results of a random plan that differ between sparse matrices and arrays."
  [seed mode]
  (let [{:keys [plan given] :as what} (drawn seed)
        sparse-leaf (fn [name value n] (sp/input name (:format value) [:f64 [n n]]))
        dense-leaf (fn [name _ n] (d/input name [:f64 [n n]]))
        of-sparse (run what mode laws/sparse-world true sparse-leaf identity)
        of-dense (run what :fast-compile laws/dense-world false dense-leaf sp/to-dense)
        stored (d/ne (sp/to-dense (sp/structured #(d/add (d/mul 0 %) 1) (given 'a))) 0)]
    (for [[k y] (assoc of-dense :pattern (d/eval (d/where stored (:a of-dense) 0)))
          :when (not (near? (of-sparse k) y))]
      [k plan])))

(deftest sparse-expressions-are-those-of-arrays
  (doseq [[mode seeds] {:fast-run (range 6), :fast-compile [6 7], :none [8]}, seed seeds]
    (testing (str "seed " seed " " mode)
      (is (empty? (compared seed mode))))))
