(ns damo.compile.pass.control
  "The passes that change loops and branches where their users must be known, as data: each has a
  name and a promise, as rules have (see damo.rule/promises), so that modes leave it out by either.
  A pass is a function of a graph to a graph; it sees each graph in nodes as it sees the one around,
  inner ones first. (improved g {:phase :early :control #{:early}}) is {:graph g' :names [name …]}."
  (:require [damo.compile.pass.branch.sink :as sink]
            [damo.compile.pass.branch.tidy :as tidy]
            [damo.compile.pass.loop.after :as after]
            [damo.compile.pass.loop.batch :as batch]
            [damo.compile.pass.loop.carry :as carry]
            [damo.compile.pass.loop.hoist :as hoist]
            [damo.compile.pass.loop.row :as row]
            [damo.compile.pass.loop.unroll :as unroll]
            [damo.compile.pass.loop.unread :as unread]
            [damo.compile.pass.unite :as unite]
            [damo.data.graph :as graph]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.rule :as rule]))

(set! *warn-on-reflection* true)

(def passes
  "The passes in the order in which they run; :phases says when: :early, before the rules, :late,
  behind those that run before composites are expanded. Loops are united before rounds that nobody
  needs are left out: then their rounds may differ."
  [{:name :loop-unread, :of unread/dropped, :keeps :bits, :phases #{:early :late}
    :why "Results, outputs and carries that nobody reads are not computed."}
   {:name :branch-unread, :of tidy/dropped, :keeps :bits, :phases #{:early :late}
    :why "Results that nobody reads are not computed."}
   {:name :unite, :of unite/united, :keeps :bits, :phases #{:early :late}
    :why "Loops of equal rounds, and branches of one test, share what they read and compute."}
   {:name :loop-rows, :of row/fewer, :keeps :bits, :phases #{:early :late}
    :why "Only rows that are read are kept, and only rounds made that these need."}
   {:name :branch-decided, :of tidy/decided, :keeps :bits, :phases #{:early :late}
    :why "Where it is known which case is taken there is no branch."}
   {:name :branch-informed, :of tidy/informed, :keeps :bits, :phases #{:early :late}
    :why "A case knows what was decided, and the constants that it reads."}
   {:name :loop-filled, :of hoist/filled, :keeps :bits, :phases #{:early :late}
    :why "A body knows the constants that it reads."}
   {:name :loop-equal, :of carry/united, :keeps :bits, :phases #{:early :late}
    :why "Equal states are computed once."}
   {:name :loop-constant, :of carry/constant, :keeps :bits, :phases #{:early :late}
    :why "A state that does not change is an argument."}
   {:name :branch-sink, :of sink/sunk, :keeps :bits, :phases #{:early :late}
    :why "What one case alone needs is computed where that is taken."}
   {:name :loop-hoist, :of hoist/hoisted, :keeps :bits, :phases #{:late}
    :why "What does not change is computed once."}
   {:name :loop-batch, :of batch/batched, :keeps :value, :phases #{:late}
    :why "What needs no round before is computed for all rows at once, a product of matrices."}
   {:name :loop-sum, :of after/summed, :keeps :value, :phases #{:late}
    :why "A state that only adds products is one product behind the loop."}
   {:name :loop-trail, :of after/trailed, :keeps :value, :phases #{:late}
    :why "Products that no round needs are one product behind the loop."}
   {:name :loop-single, :of (unroll/written-out 1), :keeps :bits, :phases #{:early :late}
    :why "A loop of one round, or none, is what is in it."}
   {:name :loop-few, :of (unroll/written-out 4), :keeps :bits, :phases #{:late}
    :why "A few rounds cost less without what a loop costs, and rules see across them."}])

(def ^:private most-rounds
  "How often the passes of a phase follow each other, when each makes work for the others."
  6)

(def ^:private control-kinds #{:loop :branch})

(defn control?
  "Has a graph, or one in its nodes, a loop or a branch?"
  [{:keys [nodes]}]
  (boolean (some (fn [[op attrs]]
                   (or (control-kinds (op/kind op))
                       (some (comp control? second) (body/graphs op attrs))))
                 nodes)))

(defn- everywhere
  "The graph with what a pass makes of the graphs in its nodes, and then of itself."
  [pass g]
  (pass (body/inside (memoize #(everywhere pass %)) g)))

(defn- apart
  "A pass that leaves a graph as it is where nodes that count different things under one name, in
  bodies of their own, would come together."
  [pass]
  (fn [g]
    (let [after (pass g)]
      (if (every? (counted/clashes g) (counted/clashes after)) after g))))

(defn- round
  "[graph names] after each of these passes, with the names of those that changed it."
  [passes g names]
  (reduce (fn [[g names] {:keys [name of]}]
            (let [pass (if (counted/counts? g) (apart of) of)
                  after (counted/keep-binders (everywhere pass g))]
              (if (= (:nodes after) (:nodes g)) [g names] [after (conj names name)])))
          [g names] passes))

(defn improved
  "{:graph :names}: the graph after the passes of a phase, again and again until none changes it,
  and the names of those that did. Options are those of a mode that say which rules run, with
  :control, the phases that it has."
  [g {:keys [phase control] :as options}]
  (let [wanted (when (and (contains? control phase) (control? g))
                 (filter #(and (phase (:phases %)) (rule/wanted options %)) passes))]
    (if (empty? wanted)
      {:graph g, :names []}
      (loop [g (counted/keep-binders g), names [], rounds 1]
        (let [[after more] (round wanted g [])]
          (if (or (empty? more) (= rounds (long most-rounds)))
            {:graph after, :names (vec (distinct (into names more)))}
            (recur after (into names more) (inc rounds))))))))

(defn without-wishes
  "The graph whose loops have no wishes for their derivatives any more; itself where none has."
  [g]
  (if (control? g)
    (body/sweep g
                (fn [g id] (and (= :loop (op/kind (graph/op-at g id)))
                                (:grad (graph/attrs-at g id))))
                (fn [b [op attrs] args type note]
                  (graph/add-node! b (into [op (assoc attrs :grad nil)] args) type note)))
    g))
