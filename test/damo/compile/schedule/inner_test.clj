(ns damo.compile.schedule.inner-test
  "Values computed in the nest that writes them at indices, into blocks or into a join: which they
  are, and that they are what the reference says; and steps of tables at few rows."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass :as pass]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.schedule :as schedule]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.face.parse :as parse]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- types [dtype]
  {'w [dtype ['n 'k]], 'x [dtype ['n 'k]], 'y [dtype ['m 'k]], 'z [dtype ['m 'k]], 'r [dtype ['n]]
   's [dtype ['m]], 'u [dtype ['n 'm]], 'e [dtype ['n 'b 'k]], 'i [:i64 ['m]], 'j [:i32 ['m]]
   'h [:i64 ['n 'b]]})

(defn- parsed [dtype e]
  (parse/parse {:inputs (types dtype), :outputs {'out e}}))

(defn- random-values [^Random random dtype shape]
  (array/of dtype shape (repeatedly (array/size shape)
                                    #(if (#{:f32 :f64} dtype)
                                       (- (* 4 (.nextDouble random)) 2)
                                       (- (.nextInt random 9) 4)))))

(defn- env [dtype {:syms [n] :as dims} seed]
  (let [random (Random. seed)]
    (into {} (for [[leaf [d shape]] (types dtype), :let [shape (mapv #(dims %) shape)]]
               [leaf (if (#{'i 'j 'h} leaf)
                       (array/of d shape (repeatedly (array/size shape)
                                                     #(- (.nextInt random (int (* 2 n))) n)))
                       (random-values random d shape))]))))

(defn- unlike
  "The sizes for which the compiled expression is not what the reference says."
  [dtype e sizes mode]
  (let [g (parsed dtype e), c (running/compile g {:inputs (vec (types dtype)), :mode mode})]
    (try (vec (for [dims sizes
                    :let [env (env dtype dims 7)]
                    :when (not-every? true? (map #(running/close? 1e-5 8.0 %1 %2)
                                                 (eval/run g env) (running/call! c env)))]
                dims))
         (finally (running/close! c)))))

(def ^:private sizes
  (for [[n m k b] [[5 3 4 2] [2 9 33 3] [7 1 1 1] [4 0 3 2] [3 5 0 2] [40 50 17 0]]]
    {'n n, 'm m, 'k k, 'b b}))

(def ^:private writes
  '[[:inc-at w i [:mul 2 y]]
    [:inc-at w i [:sub [:mul y y] z]]
    [:inc-at w j [:take x i]]
    [:set-at w i [:add y [:reshape {:shape [1 k]} [:sum {:axis 0} z]]]]
    [:set-at w j [:neg [:maximum y z]]]
    [:inc-at [:mul w w] i [:mul y z]]
    [:inc-at w i [:mul 2 [:take w i]]]
    [:inc-at w h [:mul e [:add e 1]]]
    [:inc-at r i [:mul s s]]
    [:set-at {:axis 1} u [:mul 0 [:take {:axis 0} i [:iota {:shape [m]}]]] [:mul u 3]]
    [:inc-at {:axis [0 1]} u j [:iota {:shape [m]}] [:mul s 2]]
    [:set-slice {:start [0 0], :stop [n nil]} w [:mul x [:add x 1]]]
    [:concatenate {:axis 0} [:mul 2 [:transpose u]] [:transpose u] [:neg [:transpose u]]]
    [:concatenate {:axis 1} u [:mul x [:add w 1]]]
    ;; What a nest reads through a view as well has memory.
    [:concatenate {:axis 0} [:mul 2 x] [:flip {:axis [0]} [:mul 2 x]]]
    [:concatenate {:axis 0} [:neg r] [:slice {:axis 0, :start 0, :stop 2} [:neg r]]]
    [:concatenate {:axis 0} [:mul [:neg r] [:flip {:axis [0]} [:neg r]]] r]
    [:inc-at w i [:add [:mul y 2] [:flip {:axis [0]} [:mul y 2]]]]
    [:set-slice {:start [0 0], :stop [n nil]} w [:mul [:neg x] [:flip {:axis [1]} [:neg x]]]]
    ;; What a nest reads as well does not wait for who reads it behind the nest.
    [:mul [:neg x] [:sum [:concatenate {:axis 0} [:mul 3 [:neg x]] w]]]])

(deftest values-are-those-of-the-reference
  (doseq [[dtype e] (map vector (cycle [:f32 :i32 :f64]) writes)]
    (is (= [] (unlike dtype e sizes nil)) (pr-str dtype e))))

(deftest what-lies-in-one-memory-is-written-once
  (are [units e] (= units (let [g (pass/prepare (parsed :f32 e))]
                            (map (fn [{:keys [nodes]}] (mapv #(graph/op-at g %) nodes))
                                 (:units (schedule/schedule g)))))
    [[:lt :add :where :check-index] [:mul :inc-at]] '[:inc-at w i [:mul 2 y]]
    [[:lt :add :where :check-index] [:mul :sub :inc-at]] '[:inc-at w i [:sub [:mul y y] z]]
    [[:add :mul :concatenate]] '[:concatenate {:axis 0} w [:mul 2 [:add x 1]]])
  (testing "but not functions of many instructions where the nest has no loop along memory"
    (are [units e] (= units (let [g (pass/prepare (parsed :f32 e))]
                              (map (fn [{:keys [nodes]}] (graph/op-at g (peek nodes)))
                                   (:units (schedule/schedule g)))))
      [:exp :inc-at] '[:inc-at r [:check-index {:extent n} i] [:exp s]])))

;; ## Steps of tables

(def ^:private steps
  '[[:sub w [:mul 0.5 [:inc-at [:mul 0.0 [:zeros-like w]] i [:mul 2 y]]]]
    [:sub w [:mul [:inc-at [:zeros-like w] i [:sub [:take w i] y]] 0.25]]
    [:add w [:inc-at [:zeros-like w] j [:mul y [:take w i]]]]
    [:sub w [:inc-at [:zeros-like w] h [:mul e [:sum r]]]]
    [:add w [:mul [:sum r] [:inc-at [:zeros-like w] h [:mul e e]]]]
    [:sub r [:mul 0.5 [:inc-at [:zeros-like r] i s]]]
    [:add u [:mul 0.5 [:inc-at {:axis [1 0]} [:zeros-like u] [:iota {:shape [m]}] i s]]]])

(deftest steps-touch-rows-alone-and-are-right
  (doseq [[dtype e] (map vector (cycle [:f32 :f64]) steps)]
    (is (some #(= :step-at (first %))
              (:nodes (:graph (pipeline/optimized (parsed dtype e) :fast-run))))
        (pr-str e))
    (is (= [] (unlike dtype e sizes :fast-run)) (pr-str dtype e))))

(deftest a-step-is-one-nest-over-the-state
  (let [g (parse/parse '{:inputs {i [:i64 [m]], y [:f32 [m 2]]}, :params {w {:type [:f32 [3 2]]}}
                         :outputs {new [:sub w [:mul 0.5 [:inc-at [:zeros-like w] i
                                                          [:sub [:take w i] y]]]]}})
        c (running/compile g {:updates {'w 0}, :mode :fast-run})
        env {'i (array/of :i64 [4] [0 2 -1 0]), 'y (array/of :f32 [4 2] (range 8))
             'w (array/of :f32 [3 2] [1 -2 3 4 5 6])}]
    (try
      (is (= ["lt-add-where-check-index" "take-sub-step-at"]
             (map (comp :name (:kernels (:program c)) :kernel) (:steps (:program c)))))
      (running/call! c env)
      (is (= (array/values (first (eval/run g env)))
             (array/values ('w (running/state-values c)))))
      (testing "an index out of range leaves the state as it was"
        (let [bad (assoc env 'i (array/of :i64 [4] [0 1 3 0]))]
          (is (re-find #"the index 3 is not in -3 … 2"
                       (:fails (running/outcome #(running/call! c bad)))))
          (is (= (array/values (env 'w)) (array/values ('w (running/state-values c)))))))
      (finally (running/close! c)))))
