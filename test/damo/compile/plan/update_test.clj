(ns damo.compile.plan.update-test
  "Updates in place: the legal cases, each illegal one, and that both give the right values."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.walk :as walk]
            [damo.compile.pass :as pass]
            [damo.compile.plan.update :as update]
            [damo.compile.schedule :as schedule]
            [damo.cost :as cost]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.ops.all]
            [damo.ops.linear.blas])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private leaves
  '{:inputs {x [:f64 [3 3]], y [:f64 [3 3]], i [:i64 [3]], r [:f64 [3]]}
    :params {w {:type [:f64 [3 3]]}, w2 {:type [:f64 [3 3]]}, v {:type [:f64 [3]]}}})

(defn- built
  "{:graph :updates} of :let pairs, expressions of outputs, and new values {state expression}."
  [lets outputs news]
  (let [named (fn [prefix es] (map-indexed (fn [k e] [(symbol (str prefix k)) e]) es))]
    {:graph (parse/parse (assoc leaves :let lets
                                :outputs (into (array-map) (concat (named "out" outputs)
                                                                   (named "new" (vals news))))))
     :updates (zipmap (keys news) (iterate inc (count outputs)))}))

(defn- in-place
  "The set of states whose new values are written over the old ones."
  [{:keys [graph updates]}]
  (let [g (pass/prepare graph)
        state-ids (into {} (for [[id [op {:keys [name]}]] (map-indexed vector (:nodes g))
                                 :when (= op :shared)] [name id]))
        updated (into {} (for [[s k] updates] [(nth (:outputs g) k) (state-ids s)]))
        {:keys [alias]} (update/arrange g (schedule/schedule g) updated)]
    (into #{} (for [[s k] updates :when (alias (nth (:outputs g) k))] s))))

(defn- random-env []
  (let [env (graphs/env 3 '{n 3, m 3})]
    {'x (env 'e), 'y (env 'u), 'r (env 'c)
     'i (array/of :i64 [3] [2 0 -1]), 'v (array/of :f64 [3] [1 -2 3])
     'w (array/of :f64 [3 3] (range 9)), 'w2 (array/of :f64 [3 3] (range 10 19))}))

(defn- right?
  "Does the compiled graph give the outputs and leave the states that the reference says?"
  [{:keys [graph updates] :as g}]
  (let [env (random-env)
        expected (eval/run graph env)
        c (running/compile graph (assoc g :inputs (vec (:inputs leaves))
                                        :states (vec (update-vals (:params leaves) :type))))
        close? (fn [x y] (running/close? 1e-12 20.0 x y))]
    (try
      (let [got (running/call! c env), after (running/state-values c)]
        (and (every? true? (map close? expected got))
             (every? (fn [[s x]] (close? (if-let [k (updates s)] (expected k) (env s)) x)) after)))
      (finally (running/close! c)))))

(def ^:private cases
  "[what lets outputs new-values states-in-place]"
  '[["elementwise, each element from itself" [] [] {w [:sub w [:mul 0.1 x]]} #{w}]
    ["through a chain" [h [:tanh [:add w x]]] [] {w [:add w [:mul h h]]} #{w}]
    ["states swapped in one loop" [] [] {w w2, w2 w} #{w w2}]
    ["momentum: one new value from another" [m [:add [:mul 0.9 w2] x]] [] {w2 m, w [:sub w m]}
     #{w w2}]
    ["the old value is an output, too" [] [w] {w [:add w x]} #{w}]
    ["readers that run before" [] [[:matmul w x]] {w [:add w x]} #{w}]
    ["a product that accumulates" [] [] {w [:gemm w 1.0 -0.1 x y]} #{w}]
    ["a product that reads another state" [] [] {w [:gemm w 1.0 -0.1 w2 y], w2 [:neg w2]} #{w w2}]
    ["joined from others" [] [w]
     {w [:concatenate {:axis 0} [:slice {:start 1} x] [:slice {:start 2} y]]} #{w}]
    ["joined from its own rows" [] []
     {w [:concatenate {:axis 0} [:slice {:start 1} w] [:slice {:start 2} y]]} #{}]
    ["a block of itself" [] [] {w [:inc-slice {:start [1 0]} w [:slice {:stop 2} x]]} #{w}]
    ["a block from its own values, computed before" [] []
     {w [:inc-slice {:start [1 0]} w [:mul 2 [:slice {:stop 2} w]]]} #{w}]
    ["a block from its own rows" [] [] {w [:set-slice {:start [1 0]} w [:slice {:stop 2} w]]} #{}]
    ["rows at indices" [] [] {w [:inc-at w i [:mul 2 x]]} #{w}]
    ["rows at indices from rows at indices" [] []
     {w [:set-at w i [:mul 2 [:take w i]]]} #{w}]
    ["rows at indices from its own memory" [] [] {w [:set-at w i [:transpose w]]} #{}]
    ["written twice" [] []
     {w [:inc-at [:set-slice {:start [1 0]} w [:slice {:stop 2} x]] i x]} #{w}]
    ["written twice, read in between" [h [:inc-at w i x]] [[:sum h]]
     {w [:inc-slice {:stop [1 nil]} h [:slice {:stop 1} [:mul 2 h]]]} #{w}]
    ["a block of another state" [] []
     {w [:inc-slice {:start [1 0]} w2 [:slice {:stop 2} x]], w2 [:neg w2]} nil]
    ["transposed reading in the same loop" [] [] {w [:add w [:transpose w]]} #{}]
    ["a row of the state in every row" [] [] {w [:add w [:slice {:axis 0 :start 0 :stop 1} w]]} #{}]
    ["a sum of the row beside the row" [] []
     {w [:sub w [:sum {:axis 1 :keepdims true} w]]} #{w}]
    ["the largest of all beside each" [] [] {w [:sub w [:max w]]} #{w}]
    ["sums of columns beside the rows" [] []
     {w [:sub w [:sum {:axis 0 :keepdims true} w]]} nil]
    ["softmax of rows of the state" [] [] {w [:softmax {:axis 1} w]} #{w}]
    ["the sum of what was written" [u [:mul 2 w]] [[:sum u]] {w u} nil]
    ["states swapped, one transposed" [] [] {w w2, w2 [:transpose w]} nil]
    ["a later product reads the old value" [u [:mul 2 w]] [[:matmul u w]] {w u} #{}]
    ["a later check may fail" [u [:mul 2 w]]
     [[:take r [:cast {:dtype :i64} [:sum {:axis 0} [:mul 0 u]]]]] {w u} #{}]
    ["a check in the same loop may fail" [] [] {v [:add v [:take r i]]} #{}]
    ["a reduction over outer axes" [] [] {v [:sum {:axis 0} x]} #{}]
    ["a product whose factor is the state" [] [] {w [:gemm w 1.0 0.5 w x]} #{}]
    ["a product with another addend" [] [w] {w [:gemm w2 1.0 0.5 x y]} #{w}]
    ["a product whose factor decays" [] [] {w [:gemm w 0.9 0.1 x y]} #{w}]
    ["a product whose factor is read from the state" [] [] {w [:gemm w [:sum w] 0.1 x y]} #{w}]
    ["a product into a state that another new value is made of" [] []
     {w2 [:gemm w2 0.9 -0.1 x y], w [:add w w2]} #{w w2}]
    ["a product onto the first rows of a value" []
     [[:gemm [:slice {:stop 3} [:concatenate {:axis 0} x y]] 1.0 1.0 x y]] {w [:add w 1.0]} #{w}]
    ["a product onto a view of all of the state" [] []
     {w [:gemm [:reshape {:shape [3 3]} [:reshape {:shape [9]} w]] 1.0 1.0 x y]} #{w}]
    ["one product after the other" [] [] {w [:gemm [:gemm w 0.5 1.0 x y] 1.0 -2.0 y x]} #{w}]
    ["the same, with the state in the second" [] [] {w [:gemm [:gemm w 0.5 1.0 x y] 1.0 -2.0 w x]}
     #{}]
    ["a sum of products" [] [w] {w [:gemm [:matmul x y] 1.0 -2.0 y x]} #{w}]
    ["a sum of products, of itself" [] [] {w [:gemm [:matmul w y] 1.0 -2.0 y x]} #{w}]
    ["a product" [] [w] {w [:matmul x y]} #{w}]
    ["a product of itself" [] [] {w [:matmul w y]} #{}]
    ["a product that another one needs" [p [:matmul x y]] [w w2] {w p, w2 [:gemm p 1.0 2.0 y x]}
     #{w2}]
    ["a plain product of the state" [] [] {w [:matmul w x]} #{}]])

(deftest updates-in-place-are-legal-and-right
  (doseq [[what lets outputs news expected] cases
          :let [g (built lets outputs news)]]
    (testing what
      (when expected (is (= expected (in-place g))))
      (is (right? g)))))

(deftest random-updates-that-are-in-place-are-many
  (let [found (for [recipe (graphs/recipes 80 21)
                    :let [{:keys [graph updates]} (graphs/graph recipe)
                          leaf? (fn [s] (some #(= s (:name (graph/attrs-of %)))
                                              (:nodes (pass/prepare graph))))]
                    :when (and (seq updates) (every? leaf? (keys updates)))]
                (count (in-place {:graph graph, :updates updates})))]
    (is (< 10 (reduce + found)) "so the laws of random graphs test them")))

;; ## Values that die

(defn- handed-on
  "How many values of a graph lie in the memory of one that is made of them."
  [{:keys [graph]}]
  (let [g (pass/prepare graph)]
    (count (:alias (update/arrange g (schedule/schedule g) {})))))

(def ^:private dying
  "[what lets outputs values-written-over]"
  '[["an activation" [] [[:matmul [:tanh [:matmul x y]] y]] 1]
    ["a softmax of scores" [] [[:matmul [:softmax {:axis 1} [:matmul x y]] y]] 1]
    ["rows less their largest" [p [:matmul x y]]
     [[:matmul [:sub p [:max {:axis 1 :keepdims true} p]] y]] 1]
    ["into an output" [] [[:exp [:matmul x y]]] 1]
    ["one after the other" [] [[:exp [:matmul [:tanh [:matmul x y]] y]]] 2]
    ["two values, one result" [] [[:mul [:matmul x y] [:matmul y x]]] 1]
    ["two values, two results" [p [:matmul x y], q [:matmul y x]]
     [[:matmul [:add p q] x] [:matmul [:sub p q] y]] 2]
    ["a value that is needed later" [p [:matmul x y]] [[:matmul [:exp p] y] [:matmul p x]] 0]
    ["a value that is returned" [p [:matmul x y]] [p [:matmul [:exp p] y]] 0]
    ["read across" [p [:matmul x y]] [[:add p [:transpose p]]] 0]
    ["a row in all rows" [p [:matmul x y]]
     [[:add p [:slice {:axis 0 :start 0 :stop 1} p]]] 0]
    ["of another dtype" [] [[:cast {:dtype :f32} [:matmul x y]]] 0]
    ["of an argument" [] [[:exp x]] 0]
    ["what a view shows" [p [:matmul x y]] [[:exp [:reshape {:shape [9]} p]]] nil]
    ["what is added to a transpose" [p [:matmul x y]]
     [[:inc-at {:axis [0]} [:transpose p] i y]] nil]
    ["what is added to a map's transpose" [p [:mul 2.0 x]]
     [[:inc-at {:axis [0]} [:transpose p] i y]] nil]
    ["sums of columns beside the rows" [p [:matmul x y]]
     [[:sub p [:sum {:axis 0 :keepdims true} p]]] nil]])

(deftest values-that-die-are-written-over
  (doseq [[what lets outputs expected] dying, :let [g (built lets outputs {})]]
    (testing what
      (when expected (is (= expected (handed-on g))))
      (is (right? g)))))

(defn- random-steps
  "A :let form of n nodes, each of one or two of the latest values, many of which lie in memory."
  [^Random random n]
  (let [pick (fn [xs] (nth xs (.nextInt random (count xs))))
        form (fn [a b]
               (walk/postwalk-replace
                {'a a, 'b b}
                (pick '[[:matmul a b] [:matmul a b] [:mul 0.5 [:add a b]] [:tanh a] [:tanh a]
                        [:sub a [:max {:axis 1 :keepdims true} a]] [:softmax {:axis 1} a]
                        [:softmax {:axis 0} a] [:sub a [:mean {:axis 0 :keepdims true} b]]
                        [:add a [:transpose a]] [:mul 0.5 [:sub a [:transpose b]]]
                        [:sub a [:mean a]] [:add a [:slice {:axis 0 :start 2 :stop 3} b]]
                        [:concatenate {:axis 0} [:slice {:stop 1} a] [:slice {:start 1} b]]
                        [:inc-slice {:start [1 0]} a [:slice {:stop 2} b]]])))]
    (loop [k 0, lets [], values '[x y w]]
      (if (= k n)
        [lets values]
        (let [value (symbol (str "v" k)), latest (vec (take-last 4 values))]
          (recur (inc k) (conj lets value (form (pick latest) (pick latest)))
                 (conj values value)))))))

(deftest random-values-that-die
  (let [random (Random. 11)
        found (for [_ (range 40)
                    :let [[lets values] (random-steps random 9)
                          g (built lets [(peek values) [:matmul (nth values 7) 'x]]
                                   {'w (nth values 6)})]]
                (do (is (right? g) (pr-str lets))
                    (handed-on g)))]
    (is (< 60 (reduce + found)))))

;; ## What it costs

(defn- many-updates
  "A chain of n products by states, each of which is updated by something of its own."
  [n]
  (let [name (fn [prefix k] (symbol (str prefix k))), states (map #(name 'w %) (range n))
        links (map #(vector (name 'h (inc %)) [:tanh [:matmul (name 'h %) (name 'w %)]]) (range n))
        graph (parse/parse {:inputs '{h0 [:f64 [3 3]]}
                            :params (into {} (for [s states] [s {:type [:f64 [3 3]]}]))
                            :let (vec (mapcat identity links))
                            :outputs (into (array-map 'out (name 'h n))
                                           (for [k (range n)]
                                             [(name 'new k) [:sub (name 'w k)
                                                             [:mul 0.1 (name 'h k)]]]))})]
    {:graph graph, :updates (zipmap states (iterate inc 1))}))

(deftest placing-many-updates-costs-no-more-for-each
  (let [per-update (fn [n] (let [built (many-updates n)]
                             (/ (cost/bytes-of #(in-place built)) n)))]
    (is (< (per-update 120) (* 1.5 (per-update 15))))))
