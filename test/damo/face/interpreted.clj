(ns damo.face.interpreted
  "Values of what users write, for tests: by the reference interpreter and by a compiled function,
  which must agree. (value {:h e} {x [1 2]}) has the form of what is asked for, numbers and nested
  vectors at its leaves."
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

(defn- near? [a b]
  (cond (and (sequential? a) (sequential? b))
        (and (= (count a) (count b)) (every? true? (map near? a b)))
        (and (float? a) (float? b)) (or (= a b) (and (NaN? a) (NaN? b))
                                        (< (abs (- (double a) (double b)))
                                           (* 1e-12 (+ 1 (abs (double a))))))
        :else (= a b)))

(defn interpreted
  "The values of what is asked for, by the interpreter alone, with inputs and shared variables as
  `values` and they say."
  ([asked] (interpreted asked {}))
  ([asked values]
   (let [{:keys [leaves skeleton]} (tree/taken-apart asked)
         {:keys [graph states]} (expr/to-graph (mapv expr/whole leaves))]
     (tree/put-together skeleton
                        (mapv array/nested (eval/run graph (environment values states)))))))

(defn compiled
  "The same by a compiled function."
  [asked values]
  (let [{:keys [leaves skeleton]} (tree/taken-apart asked)]
    (tree/put-together skeleton (mapv deref (d/eval (mapv expr/whole leaves) values)))))

(defn value
  "The same by both; fails where they differ."
  ([asked] (value asked {}))
  ([asked values]
   (let [expected (interpreted asked values), given (compiled asked values)
         leaves (comp :leaves tree/taken-apart)]
     (when-not (every? true? (map near? (leaves expected) (leaves given)))
       (throw (ex-info (str "compiled it is " (pr-str given) ", interpreted " (pr-str expected))
                       {:expected expected, :given given})))
     expected)))
