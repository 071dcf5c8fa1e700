(ns damo.compile.pass.loop.unroll-test
  "Loops of few rounds are written out: loops are counted, values compared."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pass.control :as control]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pass.loop.unroll :as unroll]))

(set! *warn-on-reflection* true)

(def ^:private inputs '{x [:f64 [7]], h [:f64 [1]], k [:f64 [2]], i [:i64 []]})
(def ^:private env {'x [[7] [1 2 3 4 5 6 7]], 'h [[1] [0.5]], 'k [[2] [0.25 2]], 'i [[] [7] :i64]})

(def ^:private every-result
  '[[0 :all] [0 1] [0 9] [1 :all] [1 1] [1 2 :backwards] [1 3] [2 :all] [2 2] [2 :all :backwards]])

(defn- looped [attrs form]
  (let [{:keys [results] :as attrs}
        (merge {:carries [1 2], :results every-result
                :params '[[:each 0 1 1] [:each 0 5 -1] [:carry 0 0] [:carry 1 0] [:turn] [:all 0]]
                :body (s/body '[x [:f64 []] y [:f64 []] h [:f64 []] k [:f64 []] t [:i64 []]
                                all [:f64 [7]]]
                              (cond-> ['[:add h x] [:mul 'k form] '[:sub y h]]
                                (:until attrs) (conj '[:gt h 9.0])))}
               attrs)]
    (s/graph inputs ['l [:loop attrs 'x 'h 'k]]
             (vec (for [j (range (count results))] [:part {:at j} 'l])))))

(def ^:private form '[:add y [:cast {:dtype :f64} t]])

(deftest few-rounds-are-written-out
  (doseq [steps (range 5)
          :let [g (looped {:steps steps} form), g' ((unroll/written-out 4) g)]]
    (is (empty? (s/loops g')))
    (is (= (s/values g env) (s/values g' env)) steps))
  (testing "in loops too"
    (let [inner [:loop {:steps 2, :params [[:carry 0 0]], :carries [0], :results [[0 1]]
                        :body (s/body '[h [:f64 []]] '[[:sin h]])}
                 '[:reshape {:shape [1]} y]]
          g (looped {:steps 5} [:reshape {:shape []} [:part {:at 0} inner]])
          {g' :graph} (control/improved g {:phase :late, :control #{:late}})]
      (is (= [2 1] (mapv (comp count s/loops) [g g'])))
      (is (= (s/values g env) (s/values g' env))))))

(deftest more-rounds-are-not
  (are [g left] (= left (count (s/loops ((unroll/written-out 4) g))))
    (looped {:steps 5} form) 1
    (looped {:steps 2, :until true, :as 'm} form) 1
    (looped {:steps 2} '[:take all t]) 1
    ;; but as a loop says itself
    (looped {:steps 5, :unroll 5} form) 0
    (looped {:steps 3, :unroll 2} form) 1
    (looped {:steps 1, :unroll 0} form) 1)
  (testing "one round alone before the rules"
    (are [steps left] (= left (count (s/loops (:graph (control/improved
                                                       (looped {:steps steps} form)
                                                       {:phase :early, :control #{:early}})))))
      0 0, 1 0, 2 1)))

(deftest a-loop-that-always-fails-does-so-in-the-call
  (let [g (looped {:steps 4, :params '[[:each 0 6 1] [:each 0 5 -1] [:carry 0 0] [:carry 1 0]
                                       [:turn] [:all 0]]}
                  form)]
    (is (= 1 (count (s/loops (:graph (control/improved g {:phase :late, :control #{:late}}))))))))

(deftest what-may-fail-beside-stays
  (let [g (fn [steps]
            (s/graph inputs
                     ['l [:loop {:steps steps, :params '[[:each 0 0 1] [:all 1]], :carries []
                                 :results [[0 :all]], :body (s/body '[x [:f64 []]] '[[:sin x]])}
                          'x '[:take x i]]]
                     '[[:part {:at 0} l]]))]
    (doseq [steps [0 1 2]]
      (is (= :damo.array/index-out-of-range (s/error (g steps) env)
             (s/error ((unroll/written-out 4) (g steps)) env))))))
