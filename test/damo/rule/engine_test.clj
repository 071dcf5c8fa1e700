(ns damo.rule.engine-test
  "Tests of the engine: what it keeps (types, notes, sharing), what it folds and drops, how it
  stops, and what it tells."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule :as rule :refer [defrules]]
            [damo.rule.engine :as engine]
            [damo.rule.trace :as trace]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(defn- graph-of
  "The graph of forms over x y [:f64 [2 3]], r [:f32 [3]], s [:f64 []] and i [:i32 []]."
  [& forms]
  (let [b (graph/builder), emit (op/emitter b {:src {:file "model.clj" :line 3}})
        input (fn [s type] [s (emit :input {:name s :type type} [])])
        ids (into {} [(input 'x [:f64 [2 3]]) (input 'y [:f64 [2 3]]) (input 'r [:f32 [3]])
                      (input 's [:f64 []]) (input 'i [:i32 []])])]
    (graph/finish b (mapv #(op/instantiate! emit ids %) forms))))

(defn- forms-of
  "The outputs of a graph as forms, constants as numbers."
  [g]
  (mapv #(edn/read-string {:default vector} (pr-str (expr/form % 9))) (expr/from-graph g {} {})))

(defn- rewritten
  ([g] (rewritten g [canonicalize/rules] {}))
  ([g sets opts] (forms-of (:graph (engine/run g sets opts)))))

;; ## What is kept

(deftest replacements-have-the-type-of-what-they-replace
  (testing "broadcast when the operand is smaller than the result"
    (let [ones '[:broadcast-to {:shape [2 3]} [:cast {:dtype :f32} 1]]]
      (is (= '[(broadcast-to r :shape [2 3])] (rewritten (graph-of [:mul 'r ones]))))))
  (testing "a number takes the dtype and the shape"
    (let [{:keys [graph]} (engine/run (graph-of '[:sub r r]) [canonicalize/rules])]
      (is (= '[(broadcast-to 0.0 :shape [3])] (forms-of graph)))
      (is (= [:f32 [3]] (graph/type-of graph (first (:outputs graph)))))))
  (testing "cast when the dtype of the operand is another"
    (is (= '[(cast i :dtype :i64)] (rewritten (graph-of '[:sum i]))))))

(defrules shrinking
  "A rule whose right side does not fit."
  {:name :shrink, :lhs [:exp ?x], :rhs [:sum {:axis [0]} [:transpose ?x]], :keeps :value, :why "."
   :examples []})

(deftest a-replacement-that-does-not-fit-is-an-error
  (let [e (try (rewritten (graph-of '[:exp x]) [shrinking] {})
               (catch clojure.lang.ExceptionInfo e e))]
    (is (= :damo.rewrite/bad-rule (:damo/error (ex-data e))))
    (is (str/includes? (ex-message e) ":shrink made a node of shape [2]"))))

(deftest sharing
  (testing "equal nodes are one, also with swapped arguments"
    (let [{:keys [graph]} (engine/run (graph-of '[:mul [:add x y] [:add y x]]) [])]
      (is (= 1 (count (filter #(= :add (first %)) (:nodes graph)))))))
  (testing "what two uses are rewritten to is one node"
    (let [g (graph-of '[:log [:add 1 x]] '[:log [:add x 1.0]])
          {:keys [graph]} (engine/run g [stabilize/rules])]
      (is (apply = (:outputs graph))))))

(deftest notes
  (let [{:keys [graph]} (engine/run (graph-of '[:log [:add 1 x]]) [stabilize/rules])]
    (is (= {:src {:file "model.clj" :line 3}} ((:notes graph) (first (:outputs graph)))))
    (is (= [:f64 [2 3]] (graph/type-of graph (first (:outputs graph)))))))

;; ## What is folded and dropped

(deftest constants-are-folded
  (is (= [7.0] (rewritten (graph-of '[:add 3.0 [:mul 2.0 2.0]]) [] {})))
  (testing "in the dtype of the node"
    (is (= [(double (float 0.1))]
           (rewritten (graph-of '[:cast {:dtype :f32} 0.1]) [] {})))
    (is (= [44] (rewritten (graph-of '[:cast {:dtype :u8} 300]) [] {}))))
  (testing "to NaN as well"
    (is (NaN? (first (rewritten (graph-of '[:log -1.0]) [] {})))))
  (testing "small arrays; those of one value as that value"
    (let [pair [:const {:type [:f64 [2]] :value [1.0 2.0]}]
          {:keys [graph]} (engine/run (graph-of [:mul 2.0 pair] [:sub pair pair]) [])]
      (is (= [:const {:type [:f64 [2]] :value [2.0 4.0]}]
             (nth (:nodes graph) (first (:outputs graph)))))
      (is (= '(broadcast-to 0.0 :shape [2]) (second (forms-of graph))))))
  (testing "not an index out of range: the call reports it"
    (is (= '[(check-index 5 :extent 3)]
           (rewritten (graph-of '[:check-index {:extent 3} 5]) [] {}))))
  (testing "not what would be large"
    (is (= '[(neg (iota :axis 0 :dtype :i64 :shape [100000]))]
           (rewritten (graph-of '[:neg [:iota {:shape [100000] :axis 0}]]) [] {})))))

(deftest without-folding
  (let [without (fn [form] (rewritten (graph-of form) [stabilize/rules] {:fold false}))]
    (testing "the graph's own constants wait for the rules"
      (is (= '[(exp 800.0)] (without '[:exp 800.0])))
      (is (= [800.0] (without '[:log [:add 1.0 [:exp 800.0]]]))))
    (testing "what rules make is folded, so that they end"
      (is (= '[(add -2.0 x)] (without '[:sub x 2])))
      (is (= '[(mul -3.0 x)] (without '[:neg [:mul 3 x]]))))))

(deftest dead-nodes-are-dropped
  (let [g (graph-of '[:mul 0 [:exp [:matmul x [:transpose y]]]])]
    (is (= [:const :broadcast-to]
           (map first (:nodes (:graph (engine/run g [canonicalize/rules]))))))))

;; ## Which rules run

(deftest including-and-excluding
  (let [g (graph-of '[:sub x x] '[:neg [:neg x]])]
    (is (= '[(broadcast-to 0.0 :shape [2 3]) x] (rewritten g)))
    (testing "by name"
      (is (= '[(sub x x) x] (rewritten g [canonicalize/rules] {:exclude #{:sub-self}})))
      (is (= '[(sub x x) x] (rewritten g [canonicalize/rules] {:include #{:neg-neg}}))))
    (testing "by promise"
      (is (= '[(sub x x) x] (rewritten g [canonicalize/rules] {:exclude #{:drops-nan}})))
      (is (= '[(sub x x) x] (rewritten g [canonicalize/rules] {:include #{:bits}}))))))

(deftest sums-are-regrouped-where-that-is-exact-or-asked-for
  (let [floats (graph-of '[:sub [:add x y] x]), integers (graph-of '[:sub [:add i 7] i])
        of (fn [opts] (mapv #(first (rewritten % [canonicalize/rules] opts)) [floats integers]))
        written '(sub (add x y) x)]
    (is (= [written 7] (of {})))
    (is (= ['y 7] (of {:regroup true}) (of {:include #{:regroup}})
           (of {:include #{:cancel-terms}})))
    (is (= [written '(sub (add i 7) i)] (of {:exclude #{:regroup}, :regroup true})))))

;; ## Stopping

(defrules ping-pong
  "Two rules that undo each other."
  {:name :ping, :lhs [:sin ?x], :rhs [:cos ?x], :keeps :value, :why ".", :examples []}
  {:name :pong, :lhs [:cos ?x], :rhs [:sin ?x], :keeps :value, :why ".", :examples []})

(defrules growing
  "A rule that matches what it makes."
  {:name :grow, :lhs [:sin ?x], :rhs [:sin [:exp ?x]], :keeps :value, :why ".", :examples []})

(defn- stops
  "[forms reasons]: what a sweep makes of a form, and the rules that it did not apply."
  ([sets form] (stops sets form {}))
  ([sets form opts]
   (let [{:keys [graph trace]} (engine/run (graph-of form) sets opts)]
     [(forms-of graph) (map (juxt :rule :stopped) (filter :stopped trace))])))

(deftest a-sweep-ends-whatever-the-rules-are
  (testing "rules that undo each other: the last one is not applied"
    (is (= '[[(cos x)] ([:pong :cycle])] (stops [ping-pong] '[:sin x])))
    (is (= '[[(exp (sin x))] ([:ping :cycle])] (stops [ping-pong] '[:exp [:cos x]]))))
  (testing "a rule that makes what it matches inside of something larger"
    (is (= '[[(sin x)] ([:grow :growth])] (stops [growing] '[:sin x]))))
  (testing "no fuel left"
    (is (= '[[(add (cos x) (sin y))] ([:ping :fuel])]
           (stops [ping-pong] '[:add [:sin x] [:sin y]] {:exclude #{:pong} :fuel 1})))))

(deftest long-chains-need-no-stack
  (let [b (graph/builder), emit (op/emitter b nil)
        x (emit :input {:name 'x :type [:f64 [3]]} [])
        steps '[[:add ?x 0] [:log [:add 1 ?x]] [:mul ?x 2] [:tanh ?x] [:neg ?x]]
        y (reduce (fn [id template] (op/instantiate! emit {'?x id} template))
                  x (take 5000 (cycle steps)))
        {:keys [graph trace]} (engine/run (graph/finish b [y]) [stabilize/rules])]
    (is (= 1000 (count (filter #(#{:log1p :log1p-neg} (:rule %)) trace))))
    (is (= [:input :log1p :const :mul :tanh :neg :log1p] (mapv first (take 7 (:nodes graph)))))))

;; ## What it tells

(deftest traces
  (let [g (graph-of '[:log [:sub 1 [:sigmoid x]]])
        {:keys [graph trace]} (engine/run g [stabilize/rules])
        output (first (:outputs graph))]
    (is (= [:one-minus-sigmoid :log-sigmoid :neg-neg] (map :rule trace)))
    (is (= '{:rule :log-sigmoid, :before (log (sigmoid (neg x))), :after (neg (softplus x))}
           (select-keys (second trace) [:rule :before :after])))
    (testing "why: the rules that made a node"
      (is (= [:log-sigmoid] (map :rule (trace/why trace graph output))))
      (is (= :damo.rewrite/no-such-node
             (try (trace/why trace graph 99)
                  (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))))
    (testing "a later sweep carries the trace on, with the ids of its graph"
      (let [later (engine/run graph [canonicalize/rules] {:trace trace})
            output (first (:outputs (:graph later)))]
        (is (= [:log-sigmoid] (map :rule (trace/why (:trace later) (:graph later) output))))))))

(deftest describing-rules
  (is (every? #(and (:name %) (:lhs %) (:why %) (:set %)) (rule/describe stabilize/rules))))
