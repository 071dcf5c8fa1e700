(ns damo.rule.settled-test
  "What earlier sweeps have settled is passed over, and nothing else: sweep by sweep, graph and
  trace are those of sweeps that know nothing of earlier ones."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.core :as d]
            [damo.data.graph :as graph]
            [damo.laws.graphs :as graphs]
            [damo.rule.engine :as engine]
            [damo.rules.blas :as blas]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize]))

(set! *warn-on-reflection* true)

(def ^:private steps
  "The sweeps of a mode, and what is done between them."
  [[[stabilize/rules] {:fold false}] [[canonicalize/rules] {}] [[stabilize/rules] {}]
   [[specialize/rules] {}] :expand [[canonicalize/rules] {}] [[specialize/rules] {}]
   [[blas/rules] {}]])

(defn- after
  "What a step makes of the result of the one before."
  [{:keys [graph] :as result} step]
  (if (= :expand step)
    (assoc result :graph (pass/expand graph), :trace [])
    (let [[sets opts] step]
      (engine/run graph sets (merge (select-keys result [:trace :settled]) opts)))))

(defn- told [{:keys [graph trace]}]
  [(dissoc graph :notes) (map #(select-keys % [:rule :id :made :stopped :before :after]) trace)])

(defn- unlike
  "The first step after which sweeps that know of earlier ones give something else."
  [graph steps]
  (loop [[step & more] steps, knowing {:graph graph, :trace []}]
    (when step
      (let [next-one (after knowing step)]
        (if (= (told next-one) (told (after (dissoc knowing :settled) step)))
          (recur more next-one)
          step)))))

(deftest sweeps-that-know-of-earlier-ones-do-the-same
  (testing "random graphs, of all ops"
    (doseq [recipe (graphs/recipes 40 20260803)]
      (is (nil? (unlike (:graph (graphs/graph (assoc recipe :registry true))) steps)))))
  (testing "and of gradients"
    (doseq [recipe (graphs/recipes 15 20260804)]
      (is (nil? (unlike (:graph (graphs/gradients (assoc recipe :smooth true))) steps))))))

(deftest users-that-go-are-a-change
  (testing "a rule that wants a sole user applies once the other one is gone"
    (let [x (d/input 'x [:f64 [4 5]]), y (d/input 'y [:f64 [5 6]]), product (d/dot x y)
          g (d/graph [(d/index product [0 2]) (d/mul 0.0 (d/sum product))])
          twice [[[canonicalize/rules] {}] [[canonicalize/rules] {}]]]
      (is (nil? (unlike g twice)))
      (is (= [[] [:slice-product]]
             (map (fn [n] (filterv #{:slice-product}
                                   (map :rule (:trace (reduce after {:graph g, :trace []}
                                                              (take n twice))))))
                  [1 2]))))))

(deftest what-is-settled-is-not-swept-again
  (let [x (d/input 'x [:f64 ['n]])
        again #(engine/run (:graph %1) [%2] (select-keys %1 [:settled]))
        results (reductions again {:graph (d/graph (d/tanh (d/add (d/exp x) x)))}
                            [stabilize/rules stabilize/rules canonicalize/rules])
        [_ _ twice then-fewer-rules] results]
    (is (identical? (:graph twice) (:graph then-fewer-rules)))
    (is (identical? (:settled twice) (:settled then-fewer-rules)))))
