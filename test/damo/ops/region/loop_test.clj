(ns damo.ops.region.loop-test
  "What loops and branches mean, on the reference interpreter: rows, windows, ends, failures."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.meaning.eval :as eval]
            [damo.op.body :as body]
            [damo.op.whole :as whole]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- graph-of
  "The graph of these nodes, its outputs the last `n` of them."
  [n nodes]
  (whole/check-types {:nodes nodes, :outputs (range (- (count nodes) n) (count nodes))}))

(defn- body-of [outputs nodes]
  (body/check (whole/check-types {:nodes nodes, :outputs outputs})))

(defn- input [k type] [:input {:name k, :type type}])

(defn- run [g env] (mapv array/nested (eval/run g env)))

(defn- f64 [shape xs] (array/of :f64 shape xs))

(def ^:private scalar [:f64 []])

(def ^:private fibonacci
  "A state that looks two rounds back."
  {:params [[:carry 0 0] [:carry 0 1]], :carries [0]
   :body (body-of [2] [(body/param 0 scalar) (body/param 1 scalar) [:add {} 0 1]])})

(deftest windows-move-over-their-trace
  (let [g (fn [attrs]
            (graph-of 1 [(input 'h [:f64 [2]]) [:loop (merge fibonacci attrs) 0]
                         [:part {:at 0} 1]]))
        env {'h (f64 [2] [0 1])}]
    (is (= [[0.0 1.0 1.0 2.0 3.0 5.0]] (run (g {:steps 4, :results [[0 :all]]}) env)))
    (is (= [[3.0 5.0]] (run (g {:steps 4, :results [[0 2]]}) env)))
    (is (= [[5.0 3.0 2.0]] (run (g {:steps 4, :results [[0 3 :backwards]]}) env)))
    (is (= [[0.0 1.0]] (run (g {:steps 0, :results [[0 :all]]}) env)))
    (is (= [[0.0 1.0]] (run (g {:steps 0, :results [[0 9]]}) env)))))

(defn- over-rows
  "The graph of a loop over the rows of x, a vector, as `param` reads them, that keeps them."
  [param attrs]
  (graph-of 1 [(input 'x [:f64 '[n]])
               [:loop (merge {:params [param], :carries [], :results [[0 :all]]
                              :body (body-of [0] [(body/param 0 scalar)])}
                             attrs)
                0]
               [:part {:at 0} 1]]))

(deftest rows-are-read-in-both-directions
  (let [env {'x (f64 [5] [1 2 3 4 5])}]
    (is (= [[1.0 2.0 3.0 4.0 5.0]] (run (over-rows '[:each 0 0 1] '{:steps n}) env)))
    (is (= [[2.0 3.0]] (run (over-rows [:each 0 1 1] {:steps 2}) env)))
    (is (= [[5.0 4.0 3.0 2.0 1.0]] (run (over-rows '[:each 0 n -1] '{:steps n}) env)))
    (is (= [[]] (run (over-rows '[:each 0 n -1] '{:steps n}) {'x (f64 [0] [])})))
    (testing "a loop reads only rows that are there"
      (is (thrown-with-msg? Exception #"6 rows of a sequence that has 5"
                            (run (over-rows [:each 0 0 1] {:steps 6}) env)))
      (is (thrown-with-msg? Exception #"4 rounds reads 4 rows of a sequence that has 3"
                            (run (over-rows [:each 0 3 -1] {:steps 4}) env))))))

(def ^:private doubling
  "Doubles until what it has is above a limit."
  {:params [[:carry 0 0] [:all 1]], :carries [0], :until true, :as 'm
   :results [[0 :all]]
   :body (body-of [2 3] [(body/param 0 scalar) (body/param 1 scalar) [:add {} 0 0]
                         [:gt {} 2 1]])})

(deftest a-loop-ends-after-the-round-that-says-so
  (let [g (fn [attrs] (graph-of 1 [(input 'h [:f64 [1]]) (input 'limit scalar)
                                   [:loop (merge doubling attrs) 0 1] [:part {:at 0} 2]]))
        env {'h (f64 [1] [1]), 'limit (f64 [] [9])}]
    (is (= [[1.0 2.0 4.0 8.0 16.0]] (run (g {:steps 100}) env)))
    (is (= [[1.0 2.0 4.0 8.0 16.0]] (run (g {:steps nil}) env)))
    (is (= [[1.0 2.0 4.0]] (run (g {:steps 2}) env)))
    (is (= '[:f64 [[:+ m 1]]] (graph/type-of (g {:steps nil}) 3)))))

(deftest a-failure-tells-the-round
  (let [g (graph-of 1 [(input 'x [:f64 [3]]) (input 'i [:i64 [4]])
                       [:loop {:steps 4, :params [[:all 0] [:each 1 0 1]], :carries []
                               :results [[0 :all]]
                               :body (body-of [2] [(body/param 0 [:f64 [3]])
                                                   (body/param 1 [:i64 []])
                                                   [:take {:axis [0]} 0 1]])}
                        0 1]
                       [:part {:at 0} 2]])]
    (is (thrown-with-msg? Exception #"iteration 2: "
                          (run g {'x (f64 [3] [1 2 3]), 'i (array/of :i64 [4] [0 1 3 0])})))))

(deftest only-the-case-that-is-taken-runs
  (let [x [:f64 [3]], i [:i64 []]
        cases [(body-of [2] [(body/param 0 x) (body/param 1 i) [:take {:axis [0]} 0 1]])
               (body-of [1] [(body/param 0 x) [:sum {:axis [0]} 0]])]
        g (graph-of 1 [(input 'x x) (input 'i i) (input 'c [:bool []])
                       [:branch {:cases cases} 2 0 1] [:part {:at 0} 3]])
        env (fn [c i] {'x (f64 [3] [1 2 3]), 'i (array/of :i64 [] [i])
                       'c (array/of :bool [] [c])})]
    (is (= [6.0] (run g (env true 7))))
    (is (= [2.0] (run g (env false 1))))
    (is (thrown? Exception (run g (env false 7))))))

(deftest cases-may-differ-in-a-dim
  (let [x [:f64 '[n]]
        g (graph-of 1 [(input 'x x) (input 'c [:bool []])
                       [:branch {:cases [(body-of [0] [(body/param 0 x)])
                                         (body-of [1] [(body/param 0 x)
                                                       [:concatenate {:axis 0} 0 0]])]
                                 :as {[0 0] 'k}}
                        1 0]
                       [:part {:at 0} 2]])
        env (fn [c] {'x (f64 [2] [1 2]), 'c (array/of :bool [] [c])})]
    (is (= '[:f64 [k]] (graph/type-of g 3)))
    (is (= [[1.0 2.0]] (run g (env false))))
    (is (= [[1.0 2.0 1.0 2.0]] (run g (env true))))))
