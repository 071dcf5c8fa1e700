(ns damo.face.interpreted
  "Values of expressions by the reference interpreter, for tests of what users write: (value {:h e}
  {x [1 2]}) has the form of what is asked for, numbers and nested vectors at its leaves."
  (:require [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.tree :as tree]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(defn- extents [x] (if (sequential? x) (into [(count x)] (extents (first x))) []))

(defn- as-array [dtype rank x]
  (let [shape (extents x), shape (into shape (repeat (- rank (count shape)) 0))]
    (array/of dtype shape (if (sequential? x) (flatten x) [x]))))

(defn- environment [values states]
  (into (into {} (for [[e v] values]
                   [(:name (expr/attrs-of e)) (as-array (first (d/type-of e))
                                                        (count (second (d/type-of e))) v)]))
        (for [[name state] states :let [t (d/value (expr/->Expr :shared {} [] nil nil state))]]
          [name (as-array (d/dtype t) (count (d/shape t)) @t)])))

(defn value
  "The values of what is asked for, with inputs and shared variables as `values` and they say."
  ([asked] (value asked {}))
  ([asked values]
   (let [{:keys [leaves skeleton]} (tree/taken-apart asked)
         {:keys [graph states]} (expr/to-graph (mapv expr/whole leaves))]
     (tree/put-together skeleton
                        (mapv array/nested (eval/run graph (environment values states)))))))
