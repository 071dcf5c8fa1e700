(ns damo.compile.schedule-test
  "What runs together: which nodes share a loop nest, and which must not."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.schedule :as schedule]
            [damo.compile.schedule.reads :as reads]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.laws.graphs :as graphs]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.linear.blas]))

(set! *warn-on-reflection* true)

(def ^:private inputs
  '{x [:f64 [n m]], x2 [:f64 [n m]], e [:f64 [n n]], r [:f64 [m]], c [:f64 [n 1]]
    t [:f64 [2 n m]], i [:i64 [n]], k [:i64 [3 3]], one [:f64 [1 1]]})

(defn- scheduled [& expressions]
  (let [g (pass/prepare (parse/parse {:inputs inputs
                                      :outputs (zipmap (map #(symbol (str "out" %)) (range))
                                                       expressions)}))]
    (assoc (schedule/schedule g) :g g)))

(defn- units
  "The ops of each unit: [kind op …]."
  [& expressions]
  (let [{:keys [units g]} (apply scheduled expressions)]
    (mapv (fn [{:keys [kind nodes]}] (into [kind] (map #(first ((:nodes g) %))) nodes)) units)))

(deftest elementwise-chains-share-a-loop
  (is (= [[:kernel :exp :add :mul]] (units '[:mul [:add [:exp x] r] c])))
  (is (= [[:kernel :exp :log]] (units '[:exp x] '[:log x])) "two outputs of one shape")
  (is (= [[:kernel :exp] [:kernel :exp]] (units '[:exp x] '[:exp e])) "other extents"))

(deftest reductions-join-what-they-reduce
  (is (= [[:kernel :exp :sum]] (units '[:sum [:exp x]])))
  (testing "and what follows from them, over inner axes"
    (is (= [[:kernel :max :sub :exp :sum :div]] (units '[:softmax x])))
    (is (= [[:kernel :sum :add :tanh]]
           (units '[:tanh [:add x [:sum {:axis 1 :keepdims true} x]]]))))
  (testing "a sum over outer axes is known after the loops only"
    (is (= [[:kernel :exp :sum] [:kernel :sub]] (units '[:sub x [:sum {:axis 0} [:exp x]]])))))

(deftest transposed-values-of-a-kernel-are-read-from-memory
  (is (= [[:kernel :exp] [:kernel :add]] (units '[:add [:exp e] [:transpose [:exp e]]])))
  (is (= [[:kernel :add]] (units '[:add e [:transpose e]])) "inputs lie in memory")
  (is (= [[:kernel :exp :neg]] (units '[:neg [:transpose [:exp e]]])) "all reads agree"))

(deftest values-behind-views-that-move-elements-lie-in-memory
  (is (= [[:kernel :exp] [:kernel :neg]] (units '[:neg [:slice {:axis 0 :start 1} [:exp x]]])))
  (is (= [[:kernel :exp] [:kernel :neg]] (units '[:neg [:reshape {:shape [-1]} [:exp x]]])))
  (is (= [[:kernel :exp :neg]] (units '[:neg [:expand-dims {:axis 1} [:exp x]]]))))

(deftest products-and-joins-stand-alone
  (is (= [[:call :matmul] [:kernel :tanh]] (units '[:tanh [:matmul x [:transpose x]]])))
  (is (= [[:own :matmul]] (units '[:matmul k k])) "integers have no library")
  (is (= [[:own :exp :concatenate]] (units '[:concatenate x [:exp x]]))))

(deftest gathered-values-lie-in-memory-and-indices-need-not
  (is (= [[:kernel :lt :add :where :check-index :take :exp]] (units '[:exp [:take r i]])))
  (is (= [[:kernel :exp] [:kernel :lt :add :where :check-index :take]]
         (units '[:take [:exp r] i]))))

(deftest searches-across-lines-are-two-reductions
  (let [{:keys [units]} (scheduled '[:argmax {:axis 0} x])]
    (is (= '[[n m] [n m]] (map :axes units)))))

(deftest loops-run-along-memory
  (testing "a kernel of columns takes no rows, whose elements would lie inside of its loop"
    (is (= '[[n m] [m] [n m]]
           (let [{:keys [units]} (scheduled '[:sub x [:exp [:sum {:axis 0} x]]])]
             (map :axes units)))))
  (testing "but it takes columns"
    (is (= '[[m n]]
           (let [{:keys [units]} (scheduled '[:sub [:transpose x]
                                              [:expand-dims {:axis 1} [:exp r]]])]
             (map :axes units))))))

(deftest what-is-cheap-is-computed-again
  (let [made #(let [{:keys [units g stored]} (apply scheduled %&)]
                [(mapv (fn [{:keys [nodes again]}]
                         (mapv (fn [id] (cond-> (graph/op-at g id) (contains? again id) str))
                               nodes))
                       units)
                 (set (map (partial graph/op-at g) stored))])]
    (is (= [[[:neg :sum] [":neg" :sub]] #{:sum :sub}]
           (made '[:sub [:neg x] [:sum {:axis 0} [:neg x]]])))
    (testing "where that reads no more than it is, and takes no long"
      (is (= [[[:add :sum] [:sub]] #{:add :sum :sub}]
             (made '[:sub [:add x x2] [:sum {:axis 0} [:add x x2]]])))
      (is (= [[[:exp :sum] [:sub]] #{:exp :sum :sub}]
             (made '[:sub [:exp x] [:sum {:axis 0} [:exp x]]]))))
    (testing "an output is stored once"
      (is (= [[[:neg :sum] [":neg" :sub]] #{:neg :sum :sub}]
             (made '[:sub [:neg x] [:sum {:axis 0} [:neg x]]] '[:neg x]))))))

(deftest axes-of-one-are-no-loops
  (is (= [[]] (map :axes (:units (scheduled '[:exp one])))))
  (is (= '[[n]] (map :axes (:units (scheduled '[:exp c]))))))

(deftest kernels-are-capped
  (let [{:keys [units]} (scheduled (nth (iterate (fn [e] [:sin e]) 'x) 200))]
    (is (= 200 (count (mapcat :nodes units))))
    (is (every? #(<= (count (:nodes %)) 40) units))
    (is (= 5 (count units)))))

(defn- order-of [units]
  (into {} (for [[u unit] (map-indexed vector units)
                 [k id] (map-indexed vector (schedule/own-nodes unit))]
             [id [u k]])))

(deftest every-node-is-in-one-unit-behind-what-it-reads
  (doseq [recipe (graphs/recipes 60 11)
          :let [g (pass/prepare (:graph (graphs/graph recipe)))
                {:keys [units stored layouts unit-of] :as sched} (schedule/schedule g)
                at (order-of units)
                args-of #(graph/args-of ((:nodes g) %))
                scheduled? #(#{:loop :call :own} (reads/role g %))]]
    (is (= (sort (filter scheduled? (graph/live g))) (sort (mapcat schedule/own-nodes units))))
    (is (every? (fn [id] (every? #(neg? (compare (at %) (at id)))
                                 (filter at (map (comp :base layouts) (args-of id)))))
                (keys at)))
    (is (every? stored (:outputs g)))
    (testing "what another unit reads is stored"
      (is (every? (fn [{:keys [nodes]}]
                    (every? #(or (not (unit-of %)) (some #{%} nodes) (stored %))
                            (schedule/bases-read g sched {:nodes nodes})))
                  units)))
    (is (not-any? #(= :composite (op/kind (graph/op-of ((:nodes g) %)))) (graph/live g)))))
