(ns damo.compile.pass.loop.hoist-test
  "What moves out of the bodies of loops, and what into them. Nodes in and around them are counted,
  what they give is compared."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass.control :as control]
            [damo.compile.pass.loop.hoist :as hoist]
            [damo.compile.pass.loop.sample :as s]
            [damo.data.graph :as graph]))

(set! *warn-on-reflection* true)

(def ^:private inputs '{x [:f64 [n 2]], w [:f64 [2 2]], h [:f64 [1 2]], i [:i64 []], c [:f64 []]})

(def ^:private env
  {'n 3, 'x [[3 2] [1 2 3 4 5 6]], 'w [[2 2] [0.5 0.25 0.125 1]], 'h [[1 2] [1 2]]
   'i [[] [1] :i64], 'c [[] [0.5]]})

(defn- looped
  "The graph of a loop whose carry becomes this form of x, a row, the state, w, i and c."
  [attrs form]
  (s/graph inputs
           ['l [:loop (merge {:steps 'n, :carries [1], :results [[0 :all]]
                              :params '[[:each 0 0 1] [:carry 0 0] [:all 2] [:all 3] [:all 4]
                                        [:turn]]
                              :body (s/body '[x [:f64 [2]] a [:f64 [2]] w [:f64 [2 2]] i [:i64 []]
                                              c [:f64 []] k [:i64 []]]
                                            (if (:until attrs) [form '[:gt [:sum a] 99.0]] [form]))}
                             attrs)
                'x 'h 'w 'i 'c]]
           '[[:part {:at 0} l]]))

(defn- ops
  "The ops in the body of the only loop of a graph, and those around it."
  [g]
  (let [own (fn [nodes] (into #{} (comp (map first)
                                        (remove #{:param :input :const :part :loop})) nodes))
        inside (own (:nodes (:body (first (s/loops g)))))]
    [inside (own (map #(graph/node-at g %) (graph/live g)))]))

(deftest what-does-not-change-moves-out
  (are [form inside outside]
    (let [g (looped {} form), g' (hoist/hoisted g)]
      (and (= [inside outside] (ops g')) (= (s/values g env) (s/values g' env))
           (identical? g' (hoist/hoisted g'))))
    '[:mul a [:exp c]] #{:mul} #{:exp}
    '[:matmul a [:matmul w [:sin w]]] #{:matmul} #{:matmul :sin}
    '[:add x [:matmul a [:sin w]]] #{:add :matmul} #{:sin}
    ;; views and what is made where it is read stay
    '[:matmul a [:transpose {:axes [1 0]} w]] #{:matmul :transpose} #{}
    '[:mul a [:broadcast-to {:shape [2]} c]] #{:mul :broadcast-to} #{}
    ;; what changes stays
    '[:mul a [:exp [:cast {:dtype :f64} k]]] #{:mul :exp :cast} #{}
    '[:mul a [:exp x]] #{:mul :exp} #{}))

(deftest what-would-grow-stays
  (let [wide '[:mul [:reshape {:shape [2 2 1]} [:sin w]] [:reshape {:shape [1 2 2]} [:cos w]]]]
    (is (= [#{:mul :reshape :sum} #{:sin :cos}]
           (ops (hoist/hoisted (looped {} [:sum {:axis [0 1]} [:mul 'a wide]])))))
    (is (= [#{:mul} #{:sin :cos :mul :reshape :sum}]
           (ops (hoist/hoisted (looped {} [:mul 'a [:sum {:axis [0 1]} wide]])))))))

(deftest what-may-fail-stays
  (doseq [form '[[:mul a [:take w i]] [:mul a [:add 1.0 [:take w i]]]]
          :let [g (looped {} form), g' (hoist/hoisted g)]]
    (is (contains? (first (ops g')) :take))
    (testing "where no round is made nothing fails"
      (is (nil? (s/error g' (assoc env 'n 0, 'x [[0 2] []], 'i [[] [7] :i64])))))))

(deftest the-stop-does-not-matter-for-what-does-not-change
  (let [g (looped {:until true, :as 'm} '[:mul a [:exp c]]), g' (hoist/hoisted g)]
    (is (= #{:exp} (second (ops g'))))
    (is (= (s/values g env) (s/values g' env)))))

(deftest out-of-nested-loops-it-moves-out-of-both
  (let [inner [:loop {:steps 2, :params [[:carry 0 0] [:all 1]], :carries [0], :results [[0 1]]
                      :body (s/body '[a [:f64 [2]] w [:f64 [2 2]]] '[[:matmul a [:sin w]]])}
               [:reshape {:shape [1 2]} 'a] 'w]
        g (looped {} [:reshape {:shape [2]} [:part {:at 0} inner]])
        {g' :graph, :keys [names]} (control/improved g {:phase :late, :control #{:late}})]
    (is (contains? (set names) :loop-hoist))
    (is (contains? (second (ops g')) :sin))
    (is (= 1 (count (filter #{:sin} (mapcat #(map first (:nodes (:body %))) (s/loops g)))))
        "it was inside")
    (is (not-any? #{:sin} (mapcat #(map first (:nodes (:body %))) (s/loops g'))))
    (is (= (s/values g env) (s/values g' env)))))

(deftest constants-move-in
  (let [g (s/graph inputs
                   ['l [:loop {:steps 'n, :params '[[:each 0 0 1] [:all 1] [:carry 0 0]]
                               :carries [2], :results [[0 :all]]
                               :body (s/body '[x [:f64 [2]] w [:f64 [2]] a [:f64 [2]]]
                                             '[[:add a [:mul w x]]])}
                        '[:broadcast-to {:shape [n 2]} 2.0] '[:broadcast-to {:shape [2]} 3.0] 'h]]
                   '[[:part {:at 0} l]])
        g' (hoist/filled g), [{:keys [params body]}] (s/loops g')]
    (is (= '[[:carry 0 0]] params))
    (is (= #{2.0 3.0} (set (keep (comp :value second) (:nodes body)))))
    (is (= (s/values g env) (s/values g' env)))))
