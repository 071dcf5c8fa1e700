(ns damo.laws.rules.examples
  "The examples of rules as graphs, and whether the rules keep values there as they promise:
  (changed-values rule) is empty for a rule that does."
  (:require [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as engine])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Graphs

(defn names-in
  "The names in a form."
  [form]
  (distinct (filter symbol? (tree-seq sequential? seq form))))

(defn leaf!
  "The id of a new input, or of a shared variable when the type is [:shared type]."
  [b s type]
  (if (= :shared (first type))
    (op/emit! b :shared {:name s :type (second type)} [] nil)
    (op/emit! b :input {:name s :type type} [] nil)))

(defn example-graph
  "The graph of a form whose names are the leaves `names`, of these types (default [:f64 [2 3]])."
  [types names form]
  (let [b (graph/builder)
        ids (into {} (map (fn [s] [s (leaf! b s (get types s [:f64 [2 3]]))])) names)]
    (graph/finish b [(op/instantiate! (op/emitter b nil) ids form)])))

(defn output-types
  "The types of the outputs of a graph."
  [g] (map #(graph/type-of g %) (:outputs g)))

(defn alone
  "The rule set of one rule, whatever it promises."
  [rule] [{:rules [rule]}])

(def all-promises
  "The options of a sweep in which rules of every promise run."
  {:regroup true})

;; ## Values

(def ^:private special [0.0 -0.0 1.0 -1.0 2.5 ##Inf ##-Inf ##NaN])

(defn random-array
  "An array whose elements `draw` makes of a random source."
  [[dtype shape] draw]
  (array/of dtype shape (repeatedly (array/size shape) draw)))

(defn environment
  "Arrays for the leaves of a graph. `ranges` maps names to [lo hi], integers below hi."
  [{:keys [nodes]} ranges ^Random random specials?]
  (into {}
        (for [[op {:keys [name type]}] nodes :when (#{:input :shared} op)
              :let [[lo hi] (get ranges name [-3.0 3.0])]]
          [name (random-array type
                              (cond (type/int-dtype? (first type))
                                    #(+ (long lo) (.nextInt random (int (- hi lo))))
                                    specials? #(nth special (.nextInt random (count special)))
                                    :else #(+ lo (* (- hi lo) (.nextDouble random)))))])))

(defn- close? [x y]
  (or (= x y)
      (and (float? x) (float? y)
           (or (and (NaN? x) (NaN? y))
               (<= (Math/abs (- (double x) (double y)))
                   (* 1e-12 (+ 1.0 (Math/abs (double x)))))))))

(defn finite?
  "Is it no infinity or NaN?"
  [x]
  (or (not (float? x)) (< ##-Inf x ##Inf)))

(defn- agrees?
  "Does y keep x as promised?"
  [keeps x y]
  (case keeps
    :bits (if (and (float? x) (float? y)) (zero? (Double/compare x y)) (= x y))
    :value (close? x y)
    (:drops-nan :stabilizes :regroup) (or (not (finite? x)) (close? x y))))

(defn disagreements
  "Pairs [before after] of elements that a graph made of another does not keep as promised."
  [keeps g result env]
  (let [[before] (eval/run g env), [after] (eval/run result env)]
    (remove (fn [[x y]] (agrees? keeps x y))
            (map vector (array/values before) (array/values after)))))

(defn- changed
  "What a rule changes that it promised to keep, in `times` draws of one example."
  [{:keys [types keeps gen] :as rule} left times specials?]
  (let [g (example-graph types (names-in left) left), random (Random. 5)
        {result :graph} (engine/run g (alone rule) all-promises)]
    (mapcat (fn [_] (disagreements keeps g result (environment g gen random specials?)))
            (range times))))

(defn changed-values
  "The values [left before after] that a rule changes against its promise on its own examples, with
  random numbers and, unless it promises finite ones alone, zeros, infinities and NaN."
  [{:keys [examples keeps] :as rule}]
  (for [[left] examples, [times specials?] [[3 false] [(if (#{:bits :value} keeps) 20 0) true]]
        [before after] (changed rule left times specials?)]
    [left before after]))
