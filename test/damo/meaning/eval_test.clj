(ns damo.meaning.eval-test
  "Tests of the reference interpreter: dimensions, failures, depth."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- failure [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (ex-data e))))

(defn- typed [nodes outputs]
  (whole/check-types {:nodes nodes, :outputs outputs, :notes {}}))

(def ^:private product
  (typed '[[:input {:name x, :type [:f32 [n 2]]}]
           [:shared {:name w, :type [:f32 [2 k]]}]
           [:matmul {} 0 1]
           [:zeros {:shape [n k], :dtype :f32}]
           [:add {} 2 3]]
         [4 2]))

(defn- ones [shape] (array/full :f32 shape 1))

(deftest symbolic-dimensions-come-from-the-arrays
  (is (= [[[2.0 2.0 2.0]] [[2.0 2.0 2.0]]]
         (map array/nested (eval/run product {'x (ones [1 2]), 'w (ones [2 3])}))))
  (is (= [[0 3] [0 3]] (map :shape (eval/run product {'x (ones [0 2]), 'w (ones [2 3])})))))

(deftest a-given-input-that-no-output-needs-still-binds-its-dimensions
  (let [g (typed '[[:input {:name x, :type [:f32 [n]]}] [:iota {:shape [n] :axis 0 :dtype :i64}]]
                 [1])]
    (is (= [0 1 2] (array/nested (first (eval/run g {'x (ones [3])})))))
    (is (= :damo.type/unbound-dimension (:damo/error (failure #(eval/run g {})))))))

(deftest arrays-that-do-not-fit
  (testing "a fixed extent"
    (is (= :damo.eval/wrong-type (:damo/error (failure #(eval/run product {'x (ones [4 5])
                                                                           'w (ones [2 3])}))))))
  (testing "a dtype"
    (is (= :damo.eval/wrong-input
           (:damo/error (failure #(eval/run product {'x (array/full :f64 [1 2] 1)
                                                     'w (ones [2 3])}))))))
  (testing "a missing input"
    (is (= :damo.eval/missing-input (:damo/error (failure #(eval/run product {'x (ones [1 2])}))))))
  (testing "a dimension with two extents"
    (let [g (typed '[[:input {:name x, :type [:f32 [n]]}] [:input {:name y, :type [:f32 [n]]}]
                     [:add {} 0 1]]
                   [2])]
      (is (= :damo.eval/shape-mismatch
             (:damo/error (failure #(eval/run g {'x (ones [3]), 'y (ones [4])}))))))))

(deftest failures-name-the-node
  (let [g (-> (typed '[[:input {:name x, :type [:i64 [n]]}] [:check-index {:extent 3} 0]] [1])
              (assoc-in [:notes 1 :src] {:file "model.clj", :line 7}))]
    (is (= (str "node 1, check-index, written at model.clj:7: the index 5 at position 1 is out of "
                "range: the extent is 3")
           (try (eval/run g {'x (array/of :i64 [2] [0 5])})
                (catch clojure.lang.ExceptionInfo e
                  (is (nil? (ex-cause e)) "a REPL shows the innermost cause: it must be this one")
                  (is (= [:check-index 1 "model.clj" 7] (map (ex-data e) [:op :id :file :line])))
                  (ex-message e)))))))

(deftest values-are-rounded-to-their-dtype-after-each-op
  (let [c (fn [dtype x] [:const {:type [dtype []], :value x}])
        value (fn [& nodes] (let [g (typed (vec nodes) [(dec (count nodes))])]
                              (array/nested (first (eval/run g {})))))]
    (is (= 0.0 (value (c :f32 16777216.0) (c :f32 1.0) [:add {} 0 1] [:sub {} 2 0])))
    (testing "integers wrap"
      (is (= 44 (value (c :u8 200) (c :u8 100) [:add {} 0 1]))))))

(deftest nodes-that-no-output-needs-are-not-evaluated
  (let [g (typed [[:const {:type [:i64 []], :value 9}] [:check-index {:extent 3} 0]] [0])]
    (is (= [9] (map array/nested (eval/run g {}))))))

(deftest deep-graphs-need-no-stack
  (let [b (graph/builder), type [:i64 []]
        one (graph/add-node! b [:const {:type type, :value 1}] type nil)
        add (fn [id _] (graph/add-node! b [:add {} id one] type nil))
        top (reduce add one (range 100000))]
    (is (= [100001] (map array/nested (eval/run (graph/finish b [top]) {}))))))

(deftest constants-of-one-op
  (let [value (comp array/nested eval/constant)]
    (is (= 7.0 (value :add {} [(array/full :f64 [] 3) (array/full :f64 [] 4)])))
    (is (= [[1 2] [3 4]] (value :const {:type [:i32 [2 2]], :value [1 2 3 4]} [])))))
