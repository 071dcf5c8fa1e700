(ns damo.compile.pass-test
  "The passes between rules and schedule: composites expanded, indices checked, layouts of views,
  and copies where a view cannot do."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.pass.layout :as layout]
            [damo.compile.pass.guard :as guard]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.face.parse :as parse]
            [damo.laws.graphs :as graphs]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.ops.linear.blas]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]))

(set! *warn-on-reflection* true)

(defn- ops [{:keys [nodes]}] (map first nodes))

(defn- built
  "The graph of an expression of the inputs given as {name type}."
  [inputs expression]
  (parse/parse {:inputs inputs, :outputs {'out expression}}))

;; ## Expansion

(deftest composites-become-what-defines-them
  (let [g (built '{x [:f64 [n 3]]} '[:softmax x])
        expanded (pass/expand g)
        x (array/of :f64 [2 3] [1 2 3 0 0 1000])]
    (is (= [:input :max :sub :exp :sum :div] (ops expanded)))
    (is (= [(type/shape-of (graph/type-of g 1))] [(type/shape-of (graph/type-of expanded 5))]))
    (is (every? true? (map #(< (abs (- %1 %2)) 1e-12)
                           (array/values (first (eval/run g {'x x})))
                           (array/values (first (eval/run expanded {'x x}))))))))

(deftest nothing-composite-is-left
  (doseq [expression '[[:var x] [:cross-entropy x i] [:stack x x] [:one-hot {:classes 3} i]
                       [:outer i i]
                       [:logsumexp {:axis 0} x] [:std {:axis 1} x] [:dot x [:mean {:axis 0} x]]
                       [:mean [:flatten x]] [:argmax {:axis 1 :keepdims true} x]]
          :let [g (pass/expand (built '{x [:f64 [n 3]], i [:i64 [n]]} expression))]]
    (is (not-any? #(= :composite (op/kind %)) (ops g)) (pr-str expression))))

;; ## Indices

(deftest indices-are-checked-once
  (let [g (pass/check-indices (built '{x [:f64 [n 3]], i [:i64 [m]], y [:f64 [m 3]]}
                                     '[:inc-at x i [:mul y [:take x i]]]))]
    (is (= 1 (count (filter #{:check-index} (ops g)))) "the same index of the same axis")
    (is (= 'n (:extent (second (first (filter #(= :check-index (first %)) (:nodes g)))))))
    (testing "and not again when checked already"
      (is (= (:nodes g) (:nodes (pass/check-indices g)))))
    (testing "negative ones count from the end"
      (is (= [[5.0 6.0] [1.0 2.0]]
             (let [g (pass/check-indices (built '{x [:f64 [3 2]], i [:i32 [2]]} '[:take x i]))]
               (array/nested (first (eval/run g {'x (array/of :f64 [3 2] (range 1 7))
                                                 'i (array/of :i32 [2] [-1 0])})))))))))

;; ## Views

(deftest maps-of-simple-views
  (are [expected op attrs in out] (= expected (layout/view-map op attrs in out))
    [1 0] :transpose {:axes [1 0]} '[n m] '[m n]
    [2 0 1] :transpose {:axes [1 2 0]} '[n m 3] '[m 3 n]
    [0 2] :expand-dims {:axis [1]} '[n m] '[n 1 m]
    [0 nil 1] :squeeze {:axis [1]} '[n 1 m] '[n m]
    [1] :broadcast-to {:shape '[n m]} '[m] '[n m]
    [nil 1] :broadcast-to {:shape '[n m]} '[1 m] '[n m]
    [] :broadcast-to {:shape '[n m]} [] '[n m]
    [0 nil] :reshape {:shape '[n]} '[n 1] '[n]
    [0] :reshape {:shape '[n 1 1]} '[n] '[n 1 1]
    [0 1] :transpose {:axes [0 1]} '[n n] '[n n]
    [1 0] :transpose {:axes [1 0]} '[n n] '[n n])
  (testing "views that move or thin out elements have none"
    (are [op attrs in out] (nil? (layout/view-map op attrs in out))
      :reshape {:shape '[[:* m n]]} '[n m] '[[:* m n]]
      :reshape {:shape [3 2]} [6] [3 2]
      :slice {:axis 0 :start 1 :stop 'n :step 1} '[n] '[[:- n 1]]
      :slice {:axis 0 :start 0 :stop 2 :step 1} '[n] [2]
      :slice {:axis 0 :start 0 :stop 6 :step 2} [6] [3])))

(defn- element-at
  "The element of the base of node `id` that its layout finds at an index vector."
  [layouts values id index]
  (let [{:keys [base offset strides]} (layouts id)]
    (array/element (values base) (apply + offset (map * index strides)))))

(deftest layouts-find-the-elements
  (doseq [expression '[[:transpose x] [:slice {:axis 1 :start 1} x]
                       [:slice {:axis 0 :start 1 :stop 5 :step 2} [:transpose x]]
                       [:transpose {:axes [2 0 1]} [:reshape {:shape [2 2 5]} x]]
                       [:broadcast-to {:shape [3 4 5]} x]
                       [:squeeze [:slice {:axis 0 :start 2 :stop 3} x]]
                       [:expand-dims {:axis 1} [:transpose [:slice {:start 1} x]]]]
          :let [g (built '{x [:f64 [4 5]]} expression)
                env {'x (array/of :f64 [4 5] (range 20))}
                values (eval/all-values g env), layouts (layout/layouts g)
                out (first (:outputs g))]]
    (is (= 0 (:base (layouts out))))
    (is (= (array/values (values out))
           (map #(element-at layouts values out %) (array/indices (:shape (values out)))))
        (pr-str expression))))

;; ## Copies

(defn- copies
  "What is copied when the graph is materialized: the ops of the arguments of copies."
  [inputs expression]
  (let [{:keys [nodes]} (pass/prepare (built inputs expression))]
    (for [[op _ a] nodes :when (= op :copy)] (first (nodes a)))))

(deftest copies-where-they-are-needed
  (are [expected expression] (= expected (copies '{x [:f64 [4 5]], y [:f64 [5]], s [:f64 []],
                                                   i [:i64 [2]]} expression))
    [] [:exp 'x]
    [:input] 'x                                        ; outputs have memory of their own
    [:transpose] [:transpose 'x]
    [:transpose] [:exp [:reshape {:shape [20]} [:transpose 'x]]]   ; no strides for that
    [] [:exp [:reshape {:shape [20]} 'x]]
    [] [:exp [:reshape {:shape [5 1 4]} [:transpose 'x]]]          ; only an axis of 1
    [:broadcast-to] [:exp [:reshape {:shape [20]} [:broadcast-to {:shape [4 5]} 'y]]]
    [] [:matmul 'x [:transpose 'x]]
    [] [:matmul [:slice {:axis 0 :start 1 :step 2} 'x] [:transpose 'x]]
    [:slice] [:matmul [:transpose 'x] [:slice {:axis 1 :step 2} 'x]]
    [] [:matmul 'x [:broadcast-to {:shape [5 5]} 'y]]              ; a row that is read again
    [:broadcast-to] [:matmul 'x [:broadcast-to {:shape [5 2]} 's]]
    [:iota] [:take [:iota {:shape [4] :axis 0}] 'i]                ; a gather addresses memory
    [:broadcast-to] [:take [:broadcast-to {:shape [4]} 2.0] 'i]
    [] [:take [:broadcast-to {:shape [4]} 's] 'i]
    [] [:take [:transpose 'x] 'i]))

(deftest outputs-in-memory-of-their-own
  (let [g (parse/parse '{:inputs {x [:f64 [2]]} :let [y [:exp x]] :outputs {a y, b y, c x, d 1.0}})
        {:keys [nodes outputs]} (pass/prepare g)]
    (is (apply distinct? outputs))
    (is (= [:exp :copy :copy :copy] (map #(first (nodes %)) outputs)))))

(deftest outputs-that-show-all-of-what-is-computed-are-that
  (let [prepared (fn [outputs]
                   (let [{:keys [nodes outputs shown]}
                         (pass/prepare (parse/parse {:inputs '{x [:f64 [n 4]]}, :outputs outputs}))]
                     [(map #(first (nodes %)) outputs) shown]))]
    (are [ops shown outputs] (= [ops shown] (prepared outputs))
      [:exp] '{0 [:f64 [n 2 2]]} '{a [:reshape {:shape [n 2 2]} [:exp x]]}
      [:copy] nil '{a [:transpose [:exp x]]}
      [:copy] nil '{a [:slice {:axis 1 :stop 2} [:exp x]]}
      [:copy] nil '{a [:reshape {:shape [n 2 2]} x]}
      [:copy :exp] nil '{a [:reshape {:shape [n 2 2]} [:exp x]], b [:exp x]}
      [:exp :copy] '{0 [:f64 [n 2 2]]}
      '{a [:reshape {:shape [n 2 2]} [:exp x]], b [:reshape {:shape [2 n 2]} [:exp x]]}
      [:copy] nil '{a [:specify-shape {:shape [n 4] :told [[:<= 3 n]]} [:exp x]]})))

;; ## Passes that change nothing

(def ^:private passes
  {:expand pass/expand, :widen pass/widen, :check-indices pass/check-indices
   :materialize layout/materialize, :prepare pass/prepare, :guard #(guard/inserted % guard/options)
   :rules #(:graph (engine/run % [canonicalize/rules]))})

(deftest a-pass-that-changes-nothing-gives-the-graph-itself
  (let [twice (for [recipe (graphs/recipes 12 5), [pass-name pass] passes
                    :let [once (pass (graph/prune (:graph (graphs/graph recipe))))
                          again (pass once)]]
                [pass-name (cond (identical? once again) :itself
                                 (= (:nodes once) (:nodes again)) :copied
                                 :else :changed)])]
    (is (empty? (filter (comp #{:copied} second) twice)))
    (is (= (set (keys passes))
           (into #{} (keep (fn [[pass-name how]] (when (= :itself how) pass-name))) twice))
        "each finds something to leave as it is")))
