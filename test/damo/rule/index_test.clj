(ns damo.rule.index-test
  "The index of rules: it leaves out no rule that applies, and rules that cannot apply cost nothing,
  however many there are. Costs are bytes that a sweep allocates, which no other work on the machine
  changes."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.cost :as cost]
            [damo.data.graph :as graph]
            [damo.laws.graphs :as graphs]
            [damo.op :as op]
            [damo.rule :as rule]
            [damo.rule.engine :as engine]
            [damo.rule.factors :as factors]
            [damo.rule.index :as index]
            [damo.rule.pattern :as pattern]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [damo.rule.index Candidate]))

(set! *warn-on-reflection* true)

;; ## Nothing that applies is left out

(defn- built [g] (doto (graph/builder) (graph/load-graph! g)))

(defn- left-out
  "The names of rules that match node `id` and are no candidates for it."
  [of-op none rules b parts id]
  (let [[op _ & args] (graph/node b id), root (rule/view b id)
        sides (when-let [group (factors/group-of op)] (mapv #(factors/ops-of parts group %) args))
        found (into #{} (map (fn [^Candidate c] (:name (.rule c))))
                    (index/candidates (of-op op)
                                      (mapv #(graph/op-of (graph/node b %)) (take 3 args)) sides
                                      none))]
    (for [{:keys [name head within] :as rule} rules
          :when (and (some #{head} [op (op/kind op) :any]) (not within) (not (found name))
                     (rule/try-rule rule root (constantly 1)))]
      name)))

(deftest candidates-are-all-that-apply
  (let [rules (mapcat :rules [stabilize/rules specialize/rules]), idx (index/index rules)]
    (is (= [] (for [recipe (graphs/recipes 60 20260802)
                    :let [b (built (:graph (graphs/graph (assoc recipe :registry true))))
                          parts (factors/parts b)]
                    id (range (graph/node-count b))
                    rule (left-out #(index/of-op idx %) (index/settled idx #{}) rules b parts id)]
                rule)))))

;; ## What rules cost

(defn- never
  "A rule of that left side that never applies."
  [i lhs]
  {:name (keyword (str "never-" i)), :head (first lhs), :lhs lhs, :keeps :bits
   :variants (pattern/variants lhs), :guards [(fn [_] false)], :build (fn [_] nil)})

(defn- many-rules
  "Ten thousand rules for ops that the graphs here have, whose arguments are of other ops."
  []
  (let [others (remove #{:mul :add :tanh :sub :input :const} (keys @op/registry))]
    (map never (range 10000)
         (cycle (for [other others, head [:mul :add :sub]
                      lhs [[head [other '?x] '?y] [head '?x [other '?y]]
                           [head [other '?x] [other '?y]]]]
                  lhs)))))

(defn- some-graph []
  (let [x (d/input 'x [:f64 ['n]]), y (d/input 'y [:f64 ['n]])]
    (d/graph (nth (iterate #(d/tanh (d/sub (d/mul % y) (d/add % x))) x) 60))))

(deftest rules-that-cannot-apply-cost-nothing
  (let [g (some-graph), more {:name :more, :doc "", :rules (vec (many-rules))}
        cost (fn [sets] (cost/bytes-of #(engine/run g sets)))
        alone (cost [canonicalize/rules])]
    (is (< (cost [canonicalize/rules more]) (* 1.05 alone)))
    (testing "and are found where they can"
      (let [found (volatile! 0)
            counting (assoc (never 1 [:mul [:tanh '?x] '?y])
                            :guards [(fn [_] (vswap! found inc) false)])]
        (engine/run g [canonicalize/rules {:name :one, :doc "", :rules [counting]} more])
        (is (<= 59 @found))))))

(defn- gradient [n]
  (let [h (d/input 'h [:f32 ['n 32]]), w (d/input 'w [:f32 [32]])
        end (nth (iterate #(d/tanh (d/add (d/mul % w) %)) h) n)]
    (d/graph (d/grad (d/sum end) w))))

(deftest what-factors-meet-in-sums-is-found-once
  (let [g (gradient 60), cost (fn [rules] (cost/bytes-of #(engine/run g [rules] {:fold false})))]
    (is (< (cost stabilize/rules) (* 3 (cost canonicalize/rules))))))
