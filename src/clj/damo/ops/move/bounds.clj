(ns damo.ops.move.bounds
  "Bounds of slices that are expressions: sums and products of integers, dims and unknown values, as
  polynomials, so that the distance of two is seen where it does not depend on a value: from 600 i
  to 600 (i + 1) it is 600. (span (mul i 600) (mul (add i 1) 600)) = 600."
  (:require [clojure.string :as str]
            [damo.data.expr :as expr]
            [damo.data.poly :as poly]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- unknown
  "The name of what node `id` gives, which is no name of a dim."
  [id]
  (symbol "?" (str id)))

(defn- rounded
  "The polynomial of an op of two that are known, which rounds or chooses; nil of others."
  [op p q]
  (when-not (some #(some namespace (type/dim-symbols (poly/to-dim %))) [p q])
    (case op
      :int-div (when (pos-int? (poly/constant q)) (poly/quotient p q))
      :maximum (poly/larger p q)
      :minimum (poly/smaller p q))))

(defn- node-poly
  "The polynomial of a node, given those of the nodes before it."
  [input-dim types polys id [op {:keys [value dim dtype] :as attrs} & args]]
  (let [[p q] (map polys args), from (when (seq args) (first (types (first args))))]
    (case op
      :const (if (integer? value) (poly/of-dim value) (poly/of-dim (unknown id)))
      :input (poly/of-dim (or (input-dim attrs) (unknown id)))
      :dim (poly/of-dim dim)
      :add (poly/plus p q)
      :sub (poly/minus p q)
      :mul (poly/times p q)
      :neg (poly/scale -1 p)
      :counted-with p
      (:int-div :maximum :minimum) (or (rounded op p q) (poly/of-dim (unknown id)))
      :cast (if (and (type/int-dtype? from) (type/holds? dtype from)) p (poly/of-dim (unknown id)))
      (poly/of-dim (unknown id)))))

(defn- graph-polys
  "The polynomials of the 0-d integer nodes of a graph, by id, over dims and one name for each
  unknown value."
  [input-dim {:keys [nodes types]}]
  (reduce-kv (fn [ps id node] (conj ps (node-poly input-dim types ps id node))) [] nodes))

(defn- polys
  "The same of 0-d integer expressions."
  [input-dim exprs]
  (let [{:keys [outputs] :as g} (:graph (expr/to-graph exprs))]
    (map (graph-polys input-dim g) outputs)))

(defn- known
  "The dim of a polynomial without unknown values, nil where it has some or is below 0."
  [p]
  (let [d (poly/to-dim p)]
    (when-not (or (some namespace (type/dim-symbols d)) (and (integer? d) (neg? d))) d)))

(defn value-dim
  "The dim that the value of an input with these attributes is; nil where that is no integer."
  [{:keys [name], [dtype shape] :type}]
  (when (and (type/int-dtype? dtype) (empty? shape))
    (symbol (str (str/replace (str name) "/" ".") ".value"))))

(defn node-dims
  "For the nodes of a graph, by id, the dims that 0-d integers are, in terms of dims and the values
  of inputs; nil for those that depend on other values."
  [g]
  (mapv known (graph-polys value-dim g)))

(defn as-dim
  "The dim that a 0-d integer expression is, nil when it depends on a value. `input-dim` gives for
  the attributes of an input the dim that its value is, or nil."
  ([e] (as-dim e (constantly nil)))
  ([e input-dim] (known (first (polys input-dim [e])))))

(defn span
  "The dim stop - start of 0-d integer expressions, nil when it depends on a value."
  [start stop]
  (known (apply poly/minus (reverse (polys (constantly nil) [start stop])))))
