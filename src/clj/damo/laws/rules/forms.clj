(ns damo.laws.rules.forms
  "Whether a rule does what its examples say: it is applied to them, gives the stated form, alone
  and in its set, and keeps types, of the dtypes and shapes of the examples and of others; integers
  keep their values. Each law gives texts of what is wrong.
  (unfired set rule) = (\"is not applied to [:log [:add 1 x]]\")."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.laws.rules.examples :as examples]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.all]
            [damo.rule.engine :as engine])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn structure
  "What a graph computes as text: NaN is equal to itself there, and the order in which nodes were
  made and arguments of commutative ops stand does not matter."
  [{:keys [nodes outputs]}]
  (let [texts (reduce (fn [texts [op attrs & args]]
                        (let [args (map texts args)]
                          (conj texts (pr-str op attrs (if (:commutes (op/entry op))
                                                         (sort args)
                                                         args)))))
                      [] nodes)]
    (map texts outputs)))

(defn swept
  "The graph after a sweep in which rules of every promise run."
  [g rule-sets]
  (:graph (engine/run g rule-sets examples/all-promises)))

(defn- graphs
  "[form stated names graph] of the examples of a rule."
  [{:keys [types examples]}]
  (for [[left _ right] examples :let [names (examples/names-in left)]]
    [left right names (examples/example-graph types names left)]))

(defn unfired
  "Examples to which the rule is not applied."
  [set {:keys [name] :as rule}]
  (for [[left _ _ g] (graphs rule)
        :when (not-any? #(= name (:rule %))
                        (mapcat #(:trace (engine/run g % examples/all-promises))
                                [(examples/alone rule) [set]]))]
    (str "it is not applied to " (pr-str left))))

(defn other-forms
  "Examples of which the set makes another form than is stated."
  [set {:keys [types] :as rule}]
  (for [[left right names g] (graphs rule)
        :let [stated (:graph (engine/run (examples/example-graph types names right) []))
              made (swept g [set])]
        :when (not= (structure stated) (structure made))]
    (str (pr-str left) " does not become " (pr-str right) ", but "
         (pr-str (mapv #(subvec % 0 (min 2 (count %))) (:nodes made))))))

(defn- type-problem [g rule-sets left]
  (let [result (swept g rule-sets)]
    (cond (not= (examples/output-types g) (examples/output-types result))
          (str (pr-str left) " of the type " (pr-str (first (examples/output-types g)))
               " becomes one of " (pr-str (first (examples/output-types result))))
          (not= (:nodes result) (:nodes (whole/check-types (graph/check result))))
          (str "what " (pr-str left) " becomes has types that its ops do not derive"))))

(defn- example-of
  "The graph of an example over inputs of one type, nil when its ops do not take that."
  [type left]
  (try (let [names (examples/names-in left)]
         (examples/example-graph (zipmap names (repeat type)) names left))
       (catch clojure.lang.ExceptionInfo _)))

(defn other-types
  "Examples whose type is not kept, of their own inputs and, where these have no types of their own,
  of single precision, named dims and another rank."
  [set {:keys [types examples] :as rule}]
  (keep identity
        (concat (for [[left _ _ g] (graphs rule), rule-sets [(examples/alone rule) [set]]]
                  (type-problem g rule-sets left))
                (for [[left] (when (nil? types) examples)
                      input '[[:f32 [2 3]] [:f32 [n 3]] [:f32 [3]]]
                      :let [g (example-of input left)] :when g]
                  (type-problem g [set] left)))))

(defn- any-integers
  "Arrays of integers for the inputs, the extremes of the dtype among them."
  [{:keys [nodes]} ^Random random]
  (into {}
        (for [[op {[dtype :as type] :type, name :name}] nodes :when (= op :input)
              :let [{:keys [lo hi]} (type/dtypes dtype)]]
          [name (examples/random-array type #(case (.nextInt random 4)
                                             0 lo
                                             1 hi
                                             (max (long lo) (- (.nextInt random 9) 3))))])))

(defn changed-integers
  "Examples that take integers and give them, whose values are not the same bits."
  [set {:keys [types examples] :as rule}]
  (for [[left] (when (nil? types) examples), dtype [:u8 :i8 :i32 :i64]
        :let [g (example-of [dtype [2 3]] left)]
        :when (and g (type/int-dtype? (ffirst (examples/output-types g))))
        :let [random (Random. 2)]
        rule-sets [(examples/alone rule) [set]] :let [result (swept g rule-sets)]
        _ (range 5)
        [before after] (examples/disagreements :bits g result (any-integers g random))]
    (str (pr-str left) " of " dtype " was " before " and becomes " after)))
