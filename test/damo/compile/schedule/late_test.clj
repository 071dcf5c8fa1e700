(ns damo.compile.schedule.late-test
  "The order in which nodes find their units: all of them, each behind what it reads, those that
  wait right before their users."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.schedule :as schedule]
            [damo.compile.schedule.late :as late]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.laws.graphs :as graphs]
            [damo.meaning.counted :as counted]
            [damo.ops.all]))

(set! *warn-on-reflection* true)

(defn- ordered
  "The nodes of a prepared graph in their order, and in that of the schedule."
  [g]
  (let [ids (counted/order g), asked (schedule/schedule g)]
    [ids (late/late g asked (counted/needs g) ids)]))

(defn- ops-in-order
  ([outputs] (ops-in-order [] outputs))
  ([lets outputs]
   (let [g (pass/prepare (parse/parse {:inputs '{x [:f32 [n 3]], y [:f32 [3 4]], z [:f32 [n 4]]
                                                 r [:f32 [4]]}
                                       :let lets, :outputs (zipmap '[a b] outputs)}))]
     (into [] (comp (map #(graph/op-at g %)) (remove #{:input :const})) (second (ordered g))))))

(deftest nodes-wait-for-their-users
  (are [ops outputs] (= ops (ops-in-order outputs))
    [:matmul :tanh :add] '[[:add [:tanh z] [:matmul x y]]]
    [:matmul :sqr :exp :add] '[[:add [:exp [:sqr z]] [:matmul x y]]]
    [:matmul :exp :mul :sum] '[[:sum [:mul [:exp z] [:matmul x y]]]])
  (testing "a line of which the end is behind the product"
    (is (= [:matmul :exp :sin :add]
           (ops-in-order '[e [:exp z], p [:matmul x y], s [:sin e]] '[[:add s p]]))))
  (testing "but not for two, where nothing lies between, of another shape, or of what is computed"
    (are [ops outputs] (= ops (ops-in-order outputs))
      [:tanh :matmul :add :add] '[[:add [:tanh z] [:add [:tanh z] [:matmul x y]]]]
      [:tanh :add :matmul] '[[:add [:tanh z] z] [:matmul x y]]
      [:tanh :matmul :add] '[[:add [:tanh r] [:matmul x y]]]
      [:sum :add :matmul :mul] '[[:mul [:add z [:sum {:axis 0} z]] [:matmul x y]]])))

(deftest long-lines-wait-as-short-ones
  (let [names (map #(symbol (str "h" %)) (range 5000))]
    (is (= (concat [:matmul] (repeat 5000 :tanh) [:add])
           (ops-in-order (vec (mapcat (fn [h before] [h [:tanh before]]) names (cons 'z names)))
                         [[:add (last names) '[:matmul x y]]])))))

(deftest random-graphs-keep-their-order
  (doseq [recipe (graphs/recipes 60 20261201)
          :let [g (pass/prepare (:graph (graphs/graph recipe))), [ids late] (ordered g)
                place (zipmap late (range))]]
    (is (= (sort ids) (sort late)))
    (is (every? (fn [id] (every? #(< (long (place %)) (long (place id))) (graph/args-at g id)))
                late))))
