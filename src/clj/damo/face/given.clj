(ns damo.face.given
  "What a user gives where an expression of a known type is wanted: numbers, nested vectors, Java
  arrays and tensors become constants of its dtype. (as-type [:f32 []] 0.5)."
  (:require [damo.data.expr :as expr]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- of-dtype
  "An expression made of numbers alone in that dtype; others as they are."
  [dtype x]
  (let [given (expr/type-of x)]
    (if (and (type/made-of given) (= dtype (type/beside given dtype)))
      (op/node :cast {:dtype dtype} [x])
      x)))

(defn of-numbers
  "An expression made of numbers alone in another dtype, as weak as `made-of` says; nil: it gives
  way to none."
  [e dtype made-of]
  (expr/weakened (if (= dtype (type/dtype-of (expr/type-of e)))
                   e
                   (or (expr/constant-as e dtype) (op/node :cast {:dtype dtype} [e])))
                 made-of))

(defn in-dtype
  "x as an expression, in that dtype where x is data or made of numbers alone; fails when data do
  not fit into it. Its shape is its own."
  [dtype x]
  (if (expr/expr? x) (of-dtype dtype x) (expr/tensor-constant (expr/tensor-of x dtype))))

(defn as-type
  "x as an expression, in the dtype of the type where x is data or made of numbers alone; fails when
  data do not fit into it. Symbolic dims are compared with those of data when the function runs.
  Other expressions are left as they are, for the caller to check, but for what is told of dims."
  [[dtype shape] x]
  (if (expr/expr? x)
    (expr/in-shape (of-dtype dtype x) shape)
    (let [c (in-dtype dtype x), given (expr/shape-of c)]
      (if (and (not= given shape) (= (count given) (count shape))
               (every? (fn [[d e]] (or (= d e) (not (integer? d)))) (map vector shape given)))
        (op/node :specify-shape {:shape shape} [c])
        c))))
