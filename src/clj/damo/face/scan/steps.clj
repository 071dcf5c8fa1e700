(ns damo.face.scan.steps
  "How many rounds a loop makes: an integer, a dim, or a 0-d integer expression. What is arithmetic
  on dims and integer inputs becomes a dim; the inputs, and what depends on other values, are bound
  to dims by nodes of their own, which the loop needs. (wanted (d/shape-i xs 0) nil) = {:steps n}."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.told :as told]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.move.bounds :as bounds]))

(set! *warn-on-reflection* true)

;; ## Sequences

(defn trimmed
  "How many rounds a sequence of that extent allows: its taps reach from `lo` before the element of
  a round, at most 0, to `hi` behind it."
  [extent taps]
  (let [lo (min 0 (long (apply min taps))), hi (max 0 (long (apply max taps))), span (- hi lo)]
    (cond (zero? span) extent
          (integer? extent) (max 0 (- (long extent) span))
          :else (type/dim-max 0 (type/dim- extent span)))))

(defn shortest
  "The rounds that sequences with taps, [[extent taps] …], allow together; nil without any."
  [sequences]
  (when (seq sequences)
    (reduce type/dim-min (map (fn [[extent taps]] (trimmed extent taps)) sequences))))

;; ## What a user gives

(defn- refused! [option x why]
  (fail! :damo.scan/bad-steps
         (str option " is an integer of at least 0, a dim, or a 0-d integer expression; " why
              (expr/describe x))
         {:option option, :given (fail/bounded x)}))

(defn- inputs-below
  "The integer inputs without axes that expressions need, by the dims that their values are."
  [e]
  (let [{:keys [graph exprs]} (expr/to-graph [e])]
    (into {} (for [[id [op attrs]] (map-indexed vector (:nodes graph))
                   :let [dim (when (= op :input) (bounds/value-dim attrs))] :when dim]
               [dim (exprs id)]))))

(defn- counted-dim
  "The dim that an expression of :bind-dim counts, what is told of dims around it or not."
  [e]
  (if (= :bind-dim (expr/op-of e)) (:as (expr/attrs-of e)) (recur (first (expr/args-of e)))))

(defn- counting
  "The expression itself, in a vector, where it tells a dim that something counts, which a loop of
  so many rounds must need."
  [e]
  (if (some #(= :counted-with (first %)) (:nodes (:graph (expr/to-graph [e])))) [e] []))

(defn- of-expression
  "{:steps :needs} of an integer expression; `most` is no smaller, where it depends on a value."
  [e most]
  (if-let [d (bounds/as-dim e bounds/value-dim)]
    (let [inputs (inputs-below e)]
      {:steps d
       :needs (into (counting e) (map #(op/node :bind-dim {:as %} [(inputs %)]))
                    (sort (filter inputs (type/dim-symbols d))))})
    (let [bound (op/node :bind-dim {:max most} [e])]
      {:steps (counted-dim bound), :needs [bound]})))

(defn wanted
  "{:steps :needs} of what a user gives under an option as a number of rounds: the dim that it is,
  and expressions that must be computed for that. `most` is a dim, or nil."
  [option x most]
  (cond (type/dim? x) {:steps (told/canonical (type/dim+ x)), :needs []}
        (integer? x) (refused! option x "it is ")
        (number? x) (refused! option x "this is no integer: ")
        (or (keyword? x) (string? x) (map? x) (boolean? x) (nil? x)) (refused! option x "got ")
        :else
        (let [e (expr/whole x), [dtype shape] (expr/type-of e)]
          (when-not (type/int-dtype? dtype) (refused! option e (str "its dtype is " dtype ": ")))
          (when (seq shape) (refused! option e "this has axes: "))
          (of-expression e most))))
