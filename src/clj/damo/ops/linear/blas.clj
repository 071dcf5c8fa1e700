(ns damo.ops.linear.blas
  "Ops that only passes insert: copies, and the accumulating matrix product of BLAS.
  [:gemm {} c alpha x y] is c + alpha · x y; it runs in c's memory when nobody else needs that."
  (:require [clojure.walk :as walk]
            [damo.data.array :as array]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.type :as type]
            [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]
            [damo.ops.linear.product]))

(set! *warn-on-reflection* true)

(defop copy
  "x itself, in memory of its own. :output tells copies for different outputs apart."
  {:internal true
   :kind :elementwise, :args [?x]
   :attrs {:output {:default nil, :is :integer
                    :doc "the position of the output that the copy is for"}}
   :type (fn [_ [x]] x)
   :eval identity
   :partials [1]
   :scalar '?x
   :examples [[[:copy 2.5] 2.5] [[:copy 3] 3]]})

(defn- gemm-type [attrs [c alpha x y]]
  (typing/check-dtype :float (type/dtype-of c))
  (let [product ((:type (op/entry :matmul)) attrs [x y])]
    (when-not (and (= c product) (= alpha [(type/dtype-of c) []]))
      (fail! :damo.op.blas/bad-gemm
             (str "gemm adds a scalar times a product to an array of the product's type; got "
                  (pr-str c) ", " (pr-str alpha) " and " (pr-str product))
             {:addend c, :alpha alpha, :product product}))
    c))

(defn- gemm-value
  "In doubles, rounded at the end."
  [attrs c alpha x y]
  (let [product ((:eval (op/entry :matmul)) attrs (array/cast :f64 x) (array/cast :f64 y))
        s (array/element alpha 0)]
    (array/map-elements (:dtype c) (fn [a p] (+ a (* s p))) [c product])))

(defn- scaled-gradients
  "The templates of the gradients by x and y: those of their product, of alpha·g."
  [types type]
  (let [templates ((:transpose (op/entry :matmul)) {:types (subvec types 2), :type type})]
    (walk/postwalk-replace {'?g [:mul '?alpha '?g]} templates)))

(defop gemm
  "c + alpha · (x y) for matrices, or stacks of them; alpha has no axes. Inserted by rules, see
  damo.rules.blas."
  {:internal true
   :kind :contract, :args [?c ?alpha ?x ?y]
   :type gemm-type
   :eval gemm-value
   :lop (fn [{:keys [types type]}]
          (into [?g [:sum [:mul ?g [:matmul ?x ?y]]]] (scaled-gradients types type)))
   :rop [:add [:gemm ?dc ?dalpha ?x ?y]
         [:mul ?alpha [:add [:matmul ?dx ?y] [:matmul ?x ?dy]]]]
   :batch (fn [_] [:add ?c [:mul ?alpha [:matmul ?x ?y]]])
   :gen (gens/on-shapes (fn [n] [[{} [n 2] [] [n 3] [3 2]] [{} [2 3 n] [] [3 2] [2 2 n]]]))
   :examples [[[:gemm [:ones {:shape [1 1]}] [:cast {:dtype :f32} 2.0]
                [:ones {:shape [1 3]}] [:ones {:shape [3 1]}]]
               [[7.0]]]]})
