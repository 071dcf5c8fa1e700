(ns damo.meaning.counted-test
  "Which nodes count dims, those that hold graphs among them."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.graph :as graph]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))

(deftest what-a-node-counts-inside
  (let [kept #(d/index % (d/gt % 0)), binders #(counted/binders (d/graph %))
        dim (first (second (d/type-of (kept x))))]
    (is (= [dim] (map :dim (binders (kept x)))))
    (testing "is counted by the node that holds the graph, where the result shows it"
      (let [g (d/graph ((d/as-op kept) x))]
        (is (= [{:id (first (:outputs g)), :dim dim, :max 'n}] (counted/binders g)))))
    (testing "and is nobody's business where it does not"
      (is (empty? (binders ((d/as-op #(d/sum (kept %))) x)))))))

(deftest a-node-that-counts-two-dims-comes-before-what-needs-both
  (let [b (graph/builder), emit! (fn [op attrs & ids] (op/emit! b op attrs (map op/->Id ids) nil))
        v (emit! :input {:name 'v, :type '[:f64 [n]]})
        t (emit! :input {:name 't, :type [:bool []]})
        case-of (fn [& starts]
                  (let [c (graph/builder), p (op/emit! c :param {:at 0, :type '[:f64 [n]]} [] nil)
                        cut #(op/emit! c :slice {:axis 0, :start %} [(op/->Id p)] nil)]
                    (:body (body/closed (graph/finish c (mapv cut starts))))))
        two (emit! :branch {:cases [(case-of 0 1) (case-of 1 0)], :as '{[0 0] k, [1 0] j}} t v)
        both (emit! :concatenate {:axis 0} (emit! :part {:at 0} two) (emit! :part {:at 1} two))
        g (graph/finish b [(emit! :flatnonzero {} (emit! :gt {} both both))])]
    (is (= (graph/live g) (counted/order g)))))
