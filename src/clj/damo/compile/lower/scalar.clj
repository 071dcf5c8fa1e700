(ns damo.compile.lower.scalar
  "From an elementwise op's :scalar form to an expression of the kernel language (docs/program.md).
  (expression :log1p {} [[v :f32]] :f32) = [:log1p v]; numbers in templates take the dtype of their
  partner."
  (:require [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private bool-results #{:eq :ne :lt :le :gt :ge :isnan :isinf})

(defn- result-dtype [instruction dtype]
  (cond (bool-results instruction) :bool
        (= instruction :bits) ({:f32 :i32, :f64 :i64} dtype)
        (= instruction :float) ({:i32 :f32, :i64 :f64} dtype)
        :else dtype))

(defn- operand-dtype
  "The dtype of the operands of an instruction, from those that are not bare numbers; `default` when
  all are."
  [instruction typed default]
  (or (some second (if (= instruction :select) (rest typed) typed)) default))

(defn- build
  "[expression dtype] of a template; a bare number gives [number nil]."
  [template env default]
  (cond (symbol? template) (env template)
        (not (vector? template)) [template nil]
        :else
        (let [[head & more] template]
          (case head
            :cast (let [[dtype t] more] [[:cast dtype (first (build t env default))] dtype])
            :const [template (first more)]
            (let [typed (mapv #(build % env default) more)
                  dtype (operand-dtype head typed default)]
              [(into [head] (map (fn [[e d]] (if d e [:const dtype e]))) typed)
               (result-dtype head dtype)])))))

(def ^:private exact
  "Instructions that give a value of the storage dtype for operands of it."
  #{:neg :abs :select :maximum :minimum :floor :ceil :trunc :rint})

(defn- exact?
  "Is the value of an expression one of the storage dtype `out`, when its names are?"
  [out e]
  (or (symbol? e)
      (let [[head & more] e]
        (case head
          :const (= (second more) (array/convert out (second more)))
          :cast (= out (first more))
          :select (every? (partial exact? out) (rest more))
          (and (contains? exact head) (every? (partial exact? out) more))))))

(defn of-template
  "The kernel expression of a template of instructions, its names bound in `env` to [expression
  dtype], of dtype `out`. Storage dtypes are computed as :f32, and the result is rounded, so that it
  does not depend on what shares a kernel."
  [template env out]
  (let [env (update-vals env (fn [[e dtype]] [e (type/computed dtype)]))
        [e dtype] (build template env (type/computed out))
        e (if dtype e [:const (type/computed out) e])]
    (if (and (type/storage-dtype? out) (not (exact? out e))) [:cast out e] e)))

(defn- converted [from to e] (if (= from to) e [:cast to e]))

(defn- native-call
  "The call of an op's C function: arguments and result are converted to and from its dtypes."
  [op {:keys [args gives]} operands out]
  (converted gives out
             (into [:native (subs (str op) 1) gives]
                   (map (fn [[e dtype] arg] (converted dtype arg e)) operands args))))

(defn expression
  "The kernel expression of an elementwise op with these attributes on operands [[expression dtype]
  …], of dtype `out`."
  [op attrs operands out]
  (let [{:keys [scalar args native]} (op/entry op)
        dtypes (mapv (comp type/computed second) operands)
        form (if (fn? scalar) (scalar attrs dtypes) scalar)
        template (if (and (keyword? form) (not= form :identity)) (into [form] args) form)]
    (if scalar
      (of-template template (zipmap args operands) out)
      (native-call op native operands out))))

;; ## Accumulators

(defn acc-dtype
  "Sums and products of floats run in :f64: ten million 0.1s add up right."
  [combine dtype]
  (if (and (#{:add :mul} combine) (type/float-dtype? dtype)) :f64 dtype))

(defn worst
  "The value of a dtype that no other loses to under the comparison `better`."
  [dtype better]
  (let [{:keys [kind lo hi]} (type/dtypes dtype)
        [low high] (case kind :float [##-Inf ##Inf] :bool [false true] :int [lo hi])]
    (case better :gt low, :lt high)))
