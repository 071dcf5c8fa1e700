(ns damo.compile.plan.rounds-test
  "Values of compiled loops and branches beside those of the interpreter: ends that data decides,
  what bodies count, cases of unlike shapes, loops in branches in loops, products and kernels of the
  application in rounds, state that loops read and update."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.plan.written :refer [body graph looped part parts]]
            [damo.data.array :as array]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- agree?
  "Does the compiled graph, with those options, give what the interpreter says on each environment?"
  ([g envs] (agree? g {} envs))
  ([g options envs]
   (let [c (running/compile g options)]
     (try (every? true? (for [env envs]
                          (every? true? (map #(running/close? 1e-12 20.0 %1 %2)
                                             (eval/run g env) (running/call! c env)))))
          (finally (running/close! c))))))

(defn- failure
  "The message of a call of the compiled graph, \"\" when it does not fail."
  [g env]
  (let [c (running/compile g {})]
    (try (running/call! c env) "" (catch Exception e (ex-message e)) (finally (running/close! c)))))

(defn- f64 [shape xs] (array/of :f64 shape xs))

(deftest ends-that-data-decides
  (doseq [results [[[0 :all] [1 :all]] [[0 1] [1 1]] [[0 2] [1 2 :backwards]] [[1 :all :backwards]]]
          more [{:until true} {:until true, :unless 1} {:until true, :unless 1, :steps 4}
                {:unless 1, :steps 3}]
          :when (or (:steps more) (not-any? #{:all} (map second results)))
          :let [double (if (:until more)
                         (body '[[a [:f64 [2]]]] '[:add a a] '[:sum a] '[:gt [:sum a] 20.0])
                         (body '[[a [:f64 [2]]]] '[:add a a] '[:sum a]))
                g (apply graph '{h [:f64 [1 2]], off [:bool []]}
                         (concat (parts (count results)
                                        (looped (merge {:params '[[:carry 0 0]], :carries [0]
                                                        :results results}
                                                       more)
                                                double 'h 'off))
                                 '[off]))]]
    (is (agree? g (for [h [[1 2] [100 0] [0.5 0.25]], off [true false]]
                    {'h (f64 [1 2] h), 'off (array/of :bool [] [off])}))
        (pr-str results more))))

(def ^:private some-of-rows
  "The parts of the rows of x that are larger than s, all in one extent."
  (looped {:steps 'n, :params '[[:each 0 0 1] [:all 1]], :results [[0 :all] [1 :all] [0 1]]}
          (body '[[x [:f64 [4]]] [s [:f64 []]]]
                '[:compress {:as k} [:gt x s] x] '[:sum [:compress {:as k} [:gt x s] x]])
          'x 's))

(deftest what-a-body-counts
  (let [g (apply graph '{x [:f64 [n 4]], s [:f64 []]} (parts 3 some-of-rows))
        two (apply graph '{x [:f64 [n 4]], s [:f64 []]} (parts 2 some-of-rows))]
    (is (agree? two [{'x (f64 [2 4] [1 5 6 2, 7 0 1 8]), 's (f64 [] [4])}
                     {'x (f64 [3 4] (range 12)), 's (f64 [] [-1])}
                     {'x (f64 [0 4] []), 's (f64 [] [-1])}]))
    (is (agree? g [{'x (f64 [2 4] [1 5 6 2, 7 0 1 8]), 's (f64 [] [4])}]))
    (testing "all rounds must agree"
      (is (re-find #"iteration 1" (failure g {'x (f64 [2 4] [1 5 6 2, 7 0 1 3])
                                              's (f64 [] [4])}))))))

(deftest rows-of-as-many-elements-as-are-counted
  (doseq [results [[[0 1]] [[0 :all]] [[0 2 :backwards]]]
          :let [turned (body '[[a [:f64 [k]]]] '[:add [:flip {:axis 0} a] 1.0])
                counted (body '[[a [:f64 [k 2]]]] '[:add [:flip {:axis 0} a] 1.0])
                x '[:compress {:as k} [:gt x 0.0] x]
                attrs {:steps 3, :params '[[:carry 0 0]], :carries [0], :results results}
                g (graph '{x [:f64 [n]]}
                         (part 0 (looped attrs turned [:reshape {:shape '[1 k]} x]))
                         (part 0 (looped attrs counted [:reshape {:shape '[1 k 2]}
                                                        [:concatenate x x]])))]]
    (is (agree? g (for [xs [[1 2 -1 3] [-1] []]] {'x (f64 [(count xs)] xs)})) (pr-str results))))

(deftest cases-of-unlike-shapes
  (let [params '[[x [:f64 [n]]] [y [:f64 [m]]]]
        chosen [:branch {:as '{[0 0] k}, :cases [(body params '[:exp x] '[:sum x])
                                                 (body params 'y '[:sum y])
                                                 (body params '[:concatenate x y] '[:sum x])]}
                'i 'x 'y]
        g (apply graph '{x [:f64 [n]], y [:f64 [m]], i [:i64 []]} (parts 2 chosen))
        env (fn [i n m] {'i (array/of :i64 [] [i])
                         'x (f64 [n] (range n)), 'y (f64 [m] (range m))})]
    (is (agree? g (for [i [0 1 2], [n m] [[2 3] [0 4] [3 0]]] (env i n m))))
    (is (re-find #"the cases 0 to 2" (failure g (env 3 1 1))))))

(deftest loops-in-branches-in-loops
  (let [inner (looped {:steps 3, :params '[[:carry 0 0] [:turn]], :carries [0], :results [[0 1]]}
                      (body '[[a [:f64 [2]]] [t [:i64 []]]]
                            '[:add a [:cast {:dtype :f64} t]])
                      '[:reshape {:shape [1 2]} a])
        branch [:branch {:cases [(body '[[a [:f64 [2]]]] [:reshape {:shape [2]} (part 0 inner)])
                                 (body '[[a [:f64 [2]]]] '[:mul a -0.5])]}
                '[:gt [:sum a] 4.0] 'a]
        g (apply graph '{h [:f64 [1 2]], n [:f32 [n]]}
                 (concat (parts 2 (looped {:steps 'n, :params '[[:carry 0 0]], :carries [0]
                                           :results [[0 :all] [0 1]]}
                                          (body '[[a [:f64 [2]]]] (part 0 branch)) 'h))
                         '[n]))]
    (is (agree? g (for [n [0 1 2 9]] {'h (f64 [1 2] [1 2]), 'n (array/of :f32 [n] (range n))})))))

(deftest products-in-rounds
  (doseq [dtype [:f32 :f64 :i64]
          results [[[0 1]] [[0 :all]]]
          :let [g (graph {'h [dtype [1 2 3]], 'w [dtype [3 3]]}
                         (part 0 (looped {:steps 3, :params [[:carry 0 0] [:all 1]], :carries [0]
                                          :results results}
                                         (body [['h [dtype [2 3]]] ['w [dtype [3 3]]]]
                                               '[:matmul h [:transpose w]])
                                         'h 'w)))]]
    (is (agree? g [{'h (array/of dtype [1 2 3] (range 6)), 'w (array/of dtype [3 3] (range 9))}]))))

(deftest kernels-of-the-application-in-rounds
  (op/register! {:name ::thrice, :ns 'damo.compile.plan.rounds-test, :kind :host, :args '[?x]
                 :attrs {}, :type (fn [_ [type]] type)
                 :eval (fn [_ {:keys [dtype shape] :as x}]
                         (array/of dtype shape (map #(* 3 (array/element x %))
                                                    (range (array/size shape)))))})
  (try
    (is (agree? (graph '{h [:f64 [1 2]]}
                       (part 0 (looped {:steps 4, :params '[[:carry 0 0]], :carries [0]
                                        :results [[0 :all]]}
                                       (body '[[a [:f64 [2]]]] [::thrice 'a]) 'h)))
                [{'h (f64 [1 2] [1 2])}]))
    (finally (op/remove! ::thrice))))

(deftest state-that-loops-read-and-update
  (let [step (looped {:steps 'n, :params '[[:each 0 0 1] [:carry 0 0] [:all 2]], :carries [1]
                      :results [[0 1]]}
                     (body '[[x [:f64 []]] [s [:f64 [2]]] [v [:f64 [2]]]]
                           '[:add [:mul s x] v])
                     'x '[:reshape {:shape [1 2]} v] 'v)
        g (graph '{x [:f64 [n]], v [:f64 [2]]} '[:sum v] [:reshape {:shape [2]} (part 0 step)])
        g (update g :nodes (partial mapv (fn [[op {:keys [name]} :as node]]
                                           (if (= name 'v) (assoc node 0 :shared) node))))
        env {'x (f64 [3] [2 3 4]), 'v (f64 [2] [1 -1])}
        c (running/compile g {:updates '{v 1}})]
    (try (let [[total v] (eval/run g env)]
           (is (= [(array/nested total)] (map array/nested (running/call! c env))))
           (is (= (array/nested v) (array/nested ('v (running/state-values c))))))
         (finally (running/close! c)))))

(deftest failures-tell-the-round
  (let [g (graph '{x [:f64 [3]], i [:i64 [n]]}
                 (part 0 (looped {:steps 'n, :params '[[:all 0] [:each 1 0 1]], :results [[0 :all]]}
                                 (body '[[x [:f64 [3]]] [i [:i64 []]]] '[:take x i]) 'x 'i)))]
    (is (re-find #"iteration 2" (failure g {'x (f64 [3] [1 2 3])
                                            'i (array/of :i64 [4] [0 1 7 2])})))))
