(ns damo.diff.loops
  "Loops and branches by hand, from functions of expressions: what a body mentions besides its
  parameters becomes an argument that it sees whole. Results are vectors of expressions.
  (looped {:steps 3, :params [[:carry 0 0]], :carries [0], :results [[0 1]]} [h0] d/sqr)."
  (:require [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.closing :as closing]
            [damo.op.looping :as looping]))

(set! *warn-on-reflection* true)

(defn- stand-in [type] (expr/stand-in (d/input 'stands-for type)))

(defn looped
  "The results of a loop with these attributes on these arguments, whose body is the function f of
  its parameters to the outputs, one or a vector."
  [attrs args f]
  (let [types (mapv expr/type-of args)
        stand-ins (mapv #(stand-in (looping/param-type attrs types %)) (:params attrs))
        given (apply f stand-ins), outputs (if (vector? given) given [given])
        {:keys [body captured]} (closing/closed (mapv expr/whole outputs) stand-ins)
        more (map (fn [k] [:all k]) (range (count args) (+ (count args) (count captured))))]
    (op/results (op/node :loop (-> attrs (update :params into more) (assoc :body body))
                         (into (vec args) captured)))))

(defn branched-as
  "The results of a branch of these functions of arguments, each to one expression or a vector; `as`
  names the dims that differ."
  [as test args & fs]
  (let [stand-ins (mapv #(stand-in (expr/type-of %)) args)
        closed (mapv (fn [f] (let [given (apply f stand-ins)]
                               (closing/closed (mapv expr/whole (if (vector? given) given [given]))
                                               stand-ins)))
                     fs)]
    (op/results (op/node :branch {:cases (mapv :body closed), :as as} (into [test] args)))))

(defn branched
  "The results of a branch of these functions, of like dims."
  [test args & fs]
  (apply branched-as nil test args fs))

(defn value
  "The numbers of an expression for the values of inputs, {input nested numbers or an
  array}, by the reference
  interpreter."
  [e values]
  (let [{:keys [graph]} (expr/to-graph [e])
        given (fn [[dtype shape] v] (if (every? integer? shape)
                                      (array/of dtype shape (flatten [v]))
                                      (array/from-nested dtype v)))
        env (into {} (for [[x v] values]
                       [(:name (expr/attrs-of x)) (if (map? v) v (given (expr/type-of x) v))]))]
    (array/nested (first (eval/run graph env)))))

(defn near?
  "Are all numbers of a and b, nested or not, equal up to rounding?"
  [a b]
  (let [a (flatten [a]), b (flatten [b])]
    (and (= (count a) (count b))
         (every? true? (map #(< (abs (- %1 %2)) (* 1e-9 (+ 1 (abs %1) (abs %2)))) a b)))))

(defn numbers
  "Nested vectors of that shape of random numbers."
  [^java.util.Random random [n & more]]
  (if n (vec (repeatedly n #(numbers random more))) (- (.nextDouble random) 0.5)))
