(ns damo.rules.blas
  "Products that accumulate into shared state, as one call of gemm, gemv or ger instead of a
  product, a scaling and a difference: w - 0.1 xᵀd touches w once. Runs last, on expanded graphs."
  (:require [damo.op :as op]
            [damo.op.typing :as typing]
            [damo.ops.all]
            [damo.ops.linear.blas]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- accumulates?
  "Is ?c a shared variable of the type of the product? Only there does the product write in place."
  [m ?c ?x ?y]
  (and (= :shared (rule/op-at m ?c))
       (rule/float? m ?c)
       (= (rule/dtype-of m ?c) (rule/dtype-of m ?x) (rule/dtype-of m ?y))
       (= (rule/type-of m ?c)
         ((:type (op/entry :matmul)) {} [(rule/type-of m ?x) (rule/type-of m ?y)]))))

(defn- one [m ?c x] (typing/const (rule/dtype-of m ?c) x))

(defrules products
  "Products that accumulate into state become :gemm."
  {:name :sub-scaled-product, :lhs [:sub ?c [:mul ?s [:matmul ?x ?y]]]
   :rhs [:gemm ?c [:neg ?s] ?x ?y]
   :when (fn [m] (and (rule/scalar? m ?s) (accumulates? m ?c ?x ?y)))
   :share :sole, :keeps :value
   :why "One pass over the state instead of three over arrays of its size."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]]}
   :examples [[[:sub w [:mul 0.5 [:matmul x y]]] => [:gemm w -0.5 x y]]]
   :refuses [[[:sub w [:mul z [:matmul x y]]] {z [:f64 [3 4]]}]
             [[:sub v [:mul 0.5 [:matmul x y]]] {v [:f64 [3 4]]}]]}
  {:name :add-scaled-product, :lhs [:add ?c [:mul ?s [:matmul ?x ?y]]], :rhs [:gemm ?c ?s ?x ?y]
   :when (fn [m] (and (rule/scalar? m ?s) (accumulates? m ?c ?x ?y)))
   :share :sole, :keeps :value
   :why "One pass over the state instead of three over arrays of its size."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]]}
   :examples [[[:add w [:mul 0.5 [:matmul x y]]] => [:gemm w 0.5 x y]]]
   :refuses [[[:add w [:mul z [:matmul x y]]] {z [:f64 [3 4]]}]
             [[:add v [:mul 0.5 [:matmul x y]]] {v [:f64 [3 4]]}]]}
  {:name :sub-product, :lhs [:sub ?c [:matmul ?x ?y]]
   :rhs (fn [m] [:gemm ?c (one m ?c -1.0) ?x ?y])
   :when (fn [m] (accumulates? m ?c ?x ?y))
   :share :sole, :keeps :value, :why "One pass over the state instead of two."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]]}
   :examples [[[:sub w [:matmul x y]] => [:gemm w -1.0 x y]]]
   :refuses [[[:sub v [:matmul x y]] {v [:f64 [3 4]]}]]}
  {:name :add-product, :lhs [:add ?c [:matmul ?x ?y]]
   :rhs (fn [m] [:gemm ?c (one m ?c 1.0) ?x ?y])
   :when (fn [m] (accumulates? m ?c ?x ?y))
   :share :sole, :keeps :value, :why "One pass over the state instead of two."
   :types {x [:f64 [3 2]], y [:f64 [2 4]], w [:shared [:f64 [3 4]]]}
   :examples [[[:add w [:matmul x y]] => [:gemm w 1.0 x y]]]
   :refuses [[[:add v [:matmul x y]] {v [:f64 [3 4]]}]]})

(def rules
  "The set of these rules."
  (rule/union :blas "Products that accumulate into state as calls of the library." [products]))
