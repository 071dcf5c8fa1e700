(ns damo.compile.pass.products
  "Which matrix products are :gemm steps of a program, and what dtypes their operands may have."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private widened
  "By the dtype of a product, those of operands that are widened where they are read."
  {:f32 #{:f16 :bf16}, :i32 #{:i8 :u8 :i16}, :i64 #{:i8 :u8 :i16 :i32}})

(defn widens?
  "Does a product of that dtype take operands of the dtype `from`?"
  [dtype from]
  (contains? (widened dtype) from))

(def ^:private least-size
  "Fewer rows, columns or terms of whole numbers are loops of a kernel: nothing is packed for them."
  8)

(defn step?
  "Is a product of that type, whose arguments end with two matrices of those types, a step? All of
  floats are; of whole numbers those that are not known to be small."
  [[dtype] & operands]
  (let [[[_ x] [_ y]] (take-last 2 operands)]
    (cond (type/float-dtype? dtype) true
          (contains? #{:i32 :i64} dtype)
          (and (every? #(< 1 (count %)) [x y])
               (not-any? #(and (integer? %) (< (long %) least-size))
                         [(peek (pop x)) (peek x) (peek y)])))))

(defn call?
  "Is a node of a graph, a product, a step?"
  [g id]
  (apply step? (map #(graph/type-of g %) (cons id (graph/args-at g id)))))
