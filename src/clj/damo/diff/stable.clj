(ns damo.diff.stable
  "What is differentiated, in its stable form: the derivative of log(softmax x) written out is 0·∞
  where e^x overflows, that of log-softmax is not. In: a graph, the nodes to be differentiated and
  those that must stay as they are, such as what is differentiated by. Out: the graph with the
  stable forms added, and what took whose place.
  (forms graph [9] [0]) = {:graph g', :ids {9 14}}, or nil when there is nothing to make stable."
  (:require [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.rule.engine :as engine]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private rules
  "The rules that stabilise, without those that put in the place of an op what it stands for where
  its derivative is another, as that of zero-grad is, or of a part of derivatives."
  (let [guarded #(if (#{:unfold :part} (:name %))
                   (update % :guards conj (fn [m] (not (op/derivative-declared? (:op m)))))
                   %)]
    (update stabilize/rules :rules (partial mapv guarded))))

(def ^:private stabilizing
  "The names of the rules whose result has another derivative in floating point: those that
  stabilise, and those that drop or remove NaN."
  (into #{} (comp (remove #(and (#{:bits :value} (:keeps %)) (not= :stabilize (:set %))))
                  (map :name))
        (:rules rules)))

(defn- cut-off
  "The graph of one output, in which the nodes `cuts` below it are parameters, their ids the
  positions."
  [{:keys [nodes] :as graph} output cuts]
  (assoc (reduce #(assoc-in %1 [:nodes %2] (body/param %2 (graph/type-of graph %2)))
                 (dissoc graph :keep)
                 (filter #(and (not= output %) (seq (graph/args-of (nth nodes %)))) cuts))
         :outputs [output]))

(defn- added!
  "The id of the output of a graph that is added to a builder, nodes in the places of parameters."
  [b graph ids]
  (first (body/apply! graph (:notes graph) ids (partial graph/keep-node! b))))

(defn- depends-as-before?
  "Does each output depend on what it depended on?"
  [old new ids outputs cuts]
  (every? (fn [output]
            (let [below #(set (graph/live %1 [%2]))
                  before (below old output), after (below new (ids output))]
              (every? #(or (not (before %)) (after (ids % %))) cuts)))
          outputs))

(defn forms
  "{:graph g' :ids {id id'}}: the graph with the stable forms of the nodes `outputs` added, and for
  each of these and of the nodes `cuts` the one that took its place. Cuts are seen as inputs are:
  no rule looks into them. The ids of other nodes stay. Nil where no rule that stabilises applies,
  or where an output would no longer depend on a cut."
  [graph outputs cuts]
  (let [roots (sort (distinct (concat outputs (filter #(seq (graph/args-at graph %)) cuts))))
        swept (map #(engine/run (cut-off graph % cuts) [rules] {:fold false}) roots)]
    (when (some stabilizing (map :rule (mapcat :trace swept)))
      (let [b (graph/builder), _ (graph/load-graph! b graph)
            ids (reduce (fn [ids [root {g :graph}]] (assoc ids root (added! b g ids)))
                        {} (map vector roots swept))
            g (graph/finish b (:outputs graph) (:keep graph))]
        (when (depends-as-before? graph g ids outputs cuts)
          {:graph g, :ids ids})))))
