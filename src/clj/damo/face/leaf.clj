(ns damo.face.leaf
  "Inputs and shared variables as users make them, and the values of the latter.
  (input 'x [:f32 ['n 784]]), (shared 'w (zeros [784 10]))."
  (:require [damo.data.explain :as explain]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.sparse :as sparse]
            [damo.data.thrown :as thrown]
            [damo.face.sparse.leaf :as matrices]
            [damo.face.tensors :as tensors]
            [damo.op :as op])
  (:import [damo.runtime State]
           [damo.tensor DType Tensor]))

(set! *warn-on-reflection* true)

(defn input
  "A value given at each call, named by a symbol. The type is [dtype [dim …]]; dims are integers, or
  symbols that stand for the same length wherever they appear: (input 'x [:f32 ['n 784]])."
  [input-name type]
  (when-not (symbol? input-name)
    (fail! :damo.core/bad-name
           (str "the name of an input is a symbol, 'x; got " (pr-str input-name))
           {:name input-name}))
  (op/node :input {:name input-name, :type type} []))

(defn- shared-array [shared-name value]
  (let [^Tensor t (explain/explaining :shared [shared-name value] #(tensors/tensor value))
        type [(keyword (.label ^DType (.dtype t))) (vec (.shape t))]]
    (expr/->Expr :shared {:name shared-name, :type type} [] type (fail/source-position)
                 (State/of (str shared-name) t (boolean-array 0)))))

(defn shared
  "A variable that keeps its value between calls; `value` is a tensor, a number, nested data or a
  sparse matrix. Its type, dtype and shape, stays; how many elements a sparse one stores does not.
  Read it with `value`, set it with `set-value!` or by :updates."
  [shared-name value]
  (when-not (symbol? shared-name)
    (fail! :damo.core/bad-name (str "the name of a shared variable is a symbol, 'w; got "
                                (pr-str shared-name))
           {:name shared-name}))
  (if (sparse/value? value)
    (matrices/shared shared-name value)
    (shared-array shared-name value)))

(defn- state-of ^State [s]
  (or (when (expr/expr? s) (expr/state-of s))
      (fail! :damo.core/not-shared
             (str "a shared variable is needed; got " (pr-str s)) {:given s})))

(defn value
  "A copy of the value of a shared variable, a tensor or a sparse matrix."
  [s]
  (thrown/translating (if (sparse/sparse? s) (matrices/value s) (.value (state-of s)))))

(defn set-value!
  "Sets a shared variable to a tensor, a number or nested data of its type, one that is a sparse
  matrix to a value of its shape; returns the variable."
  [s v]
  (explain/explaining :set-value! [s v]
                      #(thrown/translating (if (sparse/sparse? s)
                                             (matrices/set-value! s v)
                                             (.set (state-of s) v))))
  s)
