(ns damo.data.explain
  "What failures say of the call of an op or a function that makes expressions: the arguments with
  their types, the expression, and where it was written. A failure is explained once, by the
  innermost op. (explaining :add [x y] #(make-it)) = the expression, or the failure of `add`."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.unify :as unify])
  (:import [damo.data.expr Expr]))

(set! *warn-on-reflection* true)

(defn call-facts
  "What a failure says of the call of an op: its :arguments as lines, their :types, :attrs, the
  :expr as text and the :file and :line of `src`."
  [op attrs args src]
  (let [arg-form #(if (expr/expr? %) (expr/form % 2) (symbol (fail/value-text %)))
        options (mapcat identity (if (map? attrs)
                                   (sort-by (comp str key) attrs)
                                   (partition-all 2 attrs)))
        text (binding [*print-length* 64, *print-level* 8]
               (pr-str (concat [(symbol (name op))] (map arg-form args) options)))]
    (merge {:arguments (mapv expr/describe args)
            :types (mapv #(when (expr/expr? %) (expr/type-of %)) args)
            :attrs (update-vals (if (map? attrs) attrs (into {} (map vec) (partition 2 attrs)))
                                fail/bounded)
            :expr (fail/short-text text)}
           src)))

(defn explain-node!
  "Throws the failure `e` of making a node again, with what `facts` says of it: a failure is
  explained once, by the innermost op."
  [e op facts]
  (if (some #(contains? (ex-data e) %) (if (:expr facts) [:expr] [:expr :types]))
    (throw e)
    (let [advice (unify/equal-advice (ex-data e))]
      (fail/explain! e (str (name op) ": ") (fail/facts-text facts)
                     (cond-> (assoc facts :op op) advice (assoc :try advice))))))

(defn explaining
  "What (make) returns; its failures say that the function named `op` was called with the arguments
  and attributes `given`, and where, unless they say so of an op inside."
  [op given make]
  (try (make)
       (catch clojure.lang.ExceptionInfo e
         (let [[args attrs] (split-with (complement keyword?) given)]
           (explain-node! e op (call-facts op attrs args (fail/source-position)))))))

(defn- as-written
  "The expression e, made by (function-name given …): it prints so."
  [^Expr e function-name given]
  (if (and (expr/expr? e) (not-any? #(identical? e %) given))
    (expr/->Expr (.op e) (.attrs e) (.args e) (.type e)
                 (assoc (.src e) :written (into [function-name] given)) (.state e))
    e))

(defn explained
  "The function f, which makes expressions under the name `op`, with failures as `explaining` has
  them; an expression that it gives prints as the call that was written."
  [op f]
  (fn [& given] (explaining op given #(as-written (apply f given) op given))))
