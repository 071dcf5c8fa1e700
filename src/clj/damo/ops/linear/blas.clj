(ns damo.ops.linear.blas
  "Ops that only rules and passes insert: copies, and the matrix products of BLAS, with factors and
  an addend. [:gemm {} c beta alpha x y] is beta·c + alpha · x y; it runs in c's memory when nobody
  else needs that. Both products lie densely, so that they have any shape of as many elements."
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

;; ## Products with factors

(defn- matmul-type [x y] ((:type (op/entry :matmul)) {} [x y]))

(defn- check-product
  "Fails unless these are a product's: factors without axes, and as many elements in the result."
  [op [dtype shape :as result] factors x y]
  (typing/check-dtype :float dtype)
  (let [[product-dtype product-shape :as product] (matmul-type x y)]
    (when-not (and (= dtype product-dtype) (every? #{[dtype []]} factors)
                   (= (type/size shape) (type/size product-shape)))
      (fail! :damo.op.blas/bad-product
             (str op " makes " (pr-str result) " with the factors " (pr-str (vec factors))
                  ", which have no axes, of a product of as many elements; got the product "
                  (pr-str product))
             {:result result, :factors (vec factors), :product product}))))

(defn- product-value
  "x y in doubles, in that shape."
  [shape x y]
  (array/reshape ((:eval (op/entry :matmul)) {} (array/cast :f64 x) (array/cast :f64 y)) shape))

(defn- shaped [from to t] (if (= from to) t [:reshape {:shape to} t]))

(defn- like
  "The template of x y in the shape of the result."
  [{:keys [types], [_ shape] :type} x y]
  (shaped (type/shape-of (apply matmul-type (take-last 2 types))) shape [:matmul x y]))

(defn- product-gradients
  "The templates of the gradients by alpha, x and y."
  [{:keys [types], [_ shape] :type :as node}]
  (let [operands (vec (take-last 2 types)), product (apply matmul-type operands)
        templates ((:transpose (op/entry :matmul)) {:types operands, :type product})]
    (into [[:sum [:mul '?g (like node '?x '?y)]]]
          (walk/postwalk-replace {'?g [:mul '?alpha (shaped shape (type/shape-of product) '?g)]}
                                 templates))))

(defn- product-tangent
  "The template of the tangent of alpha · x y."
  [node]
  [:add [:mul '?dalpha (like node '?x '?y)]
   [:mul '?alpha [:add (like node '?dx '?y) (like node '?x '?dy)]]])

(defop scaled-matmul
  "alpha · (x y) for matrices, or stacks of them, in an array of that shape; alpha has no axes.
  Inserted by rules, see damo.rules.blas."
  {:internal true
   :kind :contract, :args [?alpha ?x ?y]
   :attrs {:shape {:is :shape, :doc "the shape, of as many elements as the product has"}}
   :type (fn [{:keys [shape]} [alpha x y]]
           (let [result [(type/dtype-of x) shape]]
             (check-product :scaled-matmul result [alpha] x y)
             result))
   :eval (fn [{:keys [shape]} alpha x y]
           (let [s (array/element alpha 0)]
             (array/map-elements (:dtype x) (fn [p] (* s p)) [(product-value shape x y)])))
   :lop product-gradients
   :rop product-tangent
   :batch (fn [node] [:mul ?alpha (like node ?x ?y)])
   :gen (gens/on-shapes (fn [n] [[{:shape [3 n]} [] [3 2] [2 n]]
                                 [{:shape [(* 2 n)]} [] [2 n 3] [3 1]]]))
   :examples [[[:scaled-matmul {:shape [1]} [:cast {:dtype :f32} 2.0] [:ones {:shape [1 3]}]
                [:ones {:shape [3 1]}]]
               [6.0]]]})

(defop gemm
  "beta · c + alpha · (x y) for matrices, or stacks of them, in the shape of c; alpha and beta have
  no axes. Where beta is 0, c is not read. Inserted by rules, see damo.rules.blas."
  {:internal true
   :kind :contract, :args [?c ?beta ?alpha ?x ?y]
   :type (fn [_ [c beta alpha x y]] (check-product :gemm c [beta alpha] x y) c)
   :eval (fn [_ c beta alpha x y]
           (let [t (array/element beta 0), s (array/element alpha 0)
                 total (if (zero? t) (fn [_ p] (* s p)) (fn [a p] (+ (* t a) (* s p))))]
             (array/map-elements (:dtype c) total [c (product-value (:shape c) x y)])))
   :lop (fn [node]
          (into [[:mul ?beta ?g] [:sum [:mul ?g ?c]]] (product-gradients node)))
   :rop (fn [node]
          [:add [:add [:mul ?beta ?dc] [:mul ?dbeta ?c]] (product-tangent node)])
   :batch (fn [node] [:add [:mul ?beta ?c] [:mul ?alpha (like node ?x ?y)]])
   :gen (gens/on-shapes (fn [n] [[{} [n 2] [] [] [n 3] [3 2]]
                                 [{} [(* 4 n)] [] [] [2 2 3] [3 n]]
                                 [{} [2 3 n] [] [] [3 2] [2 2 n]]]))
   :examples [[[:gemm [:ones {:shape [1 1]}] [:cast {:dtype :f32} 3.0] [:cast {:dtype :f32} 2.0]
                [:ones {:shape [1 3]}] [:ones {:shape [3 1]}]]
               [[9.0]]]]})
