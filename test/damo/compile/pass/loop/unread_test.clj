(ns damo.compile.pass.loop.unread-test
  "What nobody reads of a loop: results, outputs, carries, rows, rounds. The loops are counted, what
  they give is compared."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass.loop.carry :as carry]
            [damo.compile.pass.loop.form :as form]
            [damo.compile.pass.loop.row :as row]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pass.loop.unread :as unread]))

(set! *warn-on-reflection* true)

(def ^:private t [:f64 []])

(def ^:private inputs '{x [:f64 [n]], h [:f64 [1]], k [:f64 [2]], i [:i64 [n]]})

(def ^:private env {'n 4, 'x [[4] [1 2 3 4]], 'h [[1] [0.5]], 'k [[2] [0.25 2]]})

(defn- same-values? [a b] (= (s/values a env) (s/values b env)))

;; ## Results, outputs, carries

(def ^:private four
  "Four states: a of x and itself; b of a; c of c, which nobody needs; d looks two rounds back."
  {:steps 'n
   :params '[[:each 0 0 1] [:carry 0 0] [:carry 1 0] [:carry 2 0] [:carry 3 0]]
   :carries [1 1 1 2]
   :results [[0 :all] [1 :all] [2 :all] [3 :all] [4 :all]]
   :body (s/body ['x t 'a t 'b t 'c t 'd t]
                 '[[:add x a] [:mul b a] [:add c 1.0] [:sin d] [:mul x c]])})

(defn- reading [parts]
  (s/graph inputs ['l [:loop four 'x 'h 'k]] (mapv (fn [at] [:part {:at at} 'l]) parts)))

(deftest what-no-result-needs-is-dropped
  (doseq [[parts carries outputs] [[[0] 1 1] [[1] 2 2] [[2] 1 1] [[3] 1 1] [[4] 1 2]
                                   [[0 2] 2 2] [[0 1 2 3 4] 4 5]]
          :let [g (reading parts), g' (unread/dropped g), [l & more] (s/loops g')]]
    (testing (pr-str parts)
      (is (empty? more))
      (is (= [carries outputs (count parts)]
             [(count (:carries l)) (count (:outputs (:body l))) (count (:results l))]))
      (is (same-values? g g'))
      (is (identical? g' (unread/dropped g')) "once"))))

(deftest a-loop-that-is-there-for-its-rounds-alone
  (let [g (s/graph inputs
                   ['l [:loop {:steps 'n, :params [[:each 0 0 1]], :carries [], :results [[0 :all]]
                               :until true, :as 'm
                               :body (s/body ['x t] '[[:mul x x] [:gt x 1.5]])}
                        'x]
                    'kept [:part {:at 0} 'l]]
                   '[[:dim {:dim m}] kept])
        g (assoc (update g :outputs subvec 0 1) :keep [(first (form/loops g))])]
    (is (= [2] (s/values g env) (s/values (unread/dropped g) env) (s/values (row/fewer g) env)))))

(deftest what-may-stop-a-call-is-kept
  (let [g (fn [out]
            (s/graph inputs
                     ['l [:loop {:steps 'n, :params '[[:each 0 0 1] [:carry 0 0] [:each 2 0 1]
                                                      [:all 0]]
                                 :carries [1], :results [[0 :all] [1 :all]]
                                 :body (s/body ['x t 'a t 'i [:i64 []] 'xs '[:f64 [n]]]
                                               ['[:add x a] out])}
                          'x 'h 'i]]
                     '[[:part {:at 0} l]]))
        outputs (fn [out] (count (:outputs (:body (first (s/loops (unread/dropped (g out))))))))]
    (is (= 1 (outputs '[:sin x])))
    (is (= 2 (outputs '[:take xs i])))
    (testing "a requirement of rows that nobody reads"
      (let [g (s/graph '{x [:f64 [n]], y [:f64 [m]]}
                       ['l [:loop {:steps 'n, :params [[:each 0 0 1] [:each 1 0 1]], :carries []
                                   :results [[0 :all] [1 :all]]
                                   :body (s/body ['x t 'y t] '[[:sin x] [:sin y]])}
                            'x 'y]]
                       '[[:part {:at 0} l]])
            g' (unread/dropped g)]
        (is (= 1 (count (:outputs (:body (first (s/loops g')))))))
        (is (= :damo.loop/too-few-rows
               (s/error g {'x [[2] [1 2]], 'y [[1] [1]]})
               (s/error g' {'x [[2] [1 2]], 'y [[1] [1]]})))))))

;; ## Equal carries

(deftest equal-carries-are-one
  (let [g (fn [body]
            (s/graph inputs
                     ['l [:loop {:steps 'n, :params '[[:each 0 0 1] [:carry 0 0] [:carry 1 0]
                                                      [:each 0 0 1]]
                                 :carries [1 1], :results [[0 :all] [1 :all] [1 1]], :body body}
                          'x 'h]]
                     '[[:part {:at 0} l] [:part {:at 1} l] [:part {:at 2} l]]))
        carries #(count (:carries (first (s/loops (carry/united %)))))
        crossed (g (s/body ['x t 'a t 'b t 'y t] '[[:add x [:mul a b]] [:add y [:mul b b]]]))
        differ (g (s/body ['x t 'a t 'b t 'y t] '[[:add x [:mul a b]] [:sub y [:mul b b]]]))]
    (is (= [2 2] (mapv carries [crossed differ])) "nothing that reads both is dropped yet")
    (is (= [1 2] (mapv #(-> % carry/united unread/dropped carries) [crossed differ])))
    (is (every? #(same-values? % (unread/dropped (carry/united %))) [crossed differ]))
    (is (= 2 (count (:results (first (s/loops (carry/united crossed)))))))))

(deftest a-carry-that-stays-what-it-was-is-no-carry
  (let [g (s/graph inputs
                   ['l [:loop {:steps 'n, :params '[[:each 0 0 1] [:carry 0 0] [:carry 1 0]]
                               :carries [1 1], :results [[0 :all] [1 :all] [0 1]]
                               :body (s/body ['x t 'a t 'b t] '[[:mul x [:add a b]] b])}
                        'x 'h]]
                   '[[:part {:at 0} l] [:part {:at 1} l] [:part {:at 2} l]])
        g' (carry/constant g), [l] (s/loops g')]
    (is (= [1 2] [(count (:carries l)) (count (:results l))]))
    (is (same-values? g g'))))

;; ## Rows

(defn- lengths
  "The rows of the results of the loop that is left where these outputs are read of `four`."
  [outputs]
  (let [g (s/graph (assoc inputs 'x [:f64 [20]], 'i [:i64 [20]])
                   ['l [:loop (assoc four :steps 20) 'x 'h 'k]
                    'a [:part {:at 0} 'l], 'd [:part {:at 3} 'l], 'e [:part {:at 4} 'l]]
                   outputs)
        env (assoc env 'x [[20] (range 20)])
        g' (unread/dropped (row/fewer (unread/dropped g))), [l] (s/loops g')]
    (is (= (s/values g env) (s/values g' env)))
    (is (identical? g' (row/fewer g')) "once")
    [(:steps l) (mapv second (:results l))]))

(deftest only-the-rows-that-are-read-are-kept
  (is (= [20 [1]] (lengths '[[:slice {:start 20} a]])))
  (is (= [20 [7 2 3]] (lengths '[[:slice {:start 14} a] [:slice {:start 20} d]
                                 [:slice {:start 17, :stop 19} e] [:sum [:slice {:start 18} e]]])))
  (testing "and only the rounds that make them"
    (is (= [18 [1]] (lengths '[[:slice {:start 18, :stop 19} a]])))
    (is (= [5 [:all]] (lengths '[[:slice {:stop 5} e]])))
    (is (= [4 [:all]] (lengths '[[:slice {:stop 5} a]])))
    (is (= [4 [3 :all]] (lengths '[[:slice {:start 2, :stop 4} a] [:slice {:start 2, :stop 6} d]])))
    (is (= [0 [:all]] (lengths '[[:slice {:stop 2} d]]))))
  (testing "but all where one reader sees all"
    (is (= [20 [:all]] (lengths '[[:slice {:stop 5} a] [:sum a]])))
    (is (= [20 [:all]] (lengths '[[:slice {:start 1} a] a])))))

(deftest rows-are-counted-in-dims
  (let [g (fn [& outs]
            (s/graph inputs
                     ['l [:loop four 'x 'h 'k], 'a [:part {:at 0} 'l], 'd [:part {:at 3} 'l]]
                     outs))
        after #(let [g' (unread/dropped (row/fewer (unread/dropped %))), [l] (s/loops g')]
                 (doseq [n [3 4 9]]
                   (is (= (s/values % (assoc env 'n n, 'x [[n] (range n)]))
                          (s/values g' (assoc env 'n n, 'x [[n] (range n)])))))
                 [(:steps l) (mapv second (:results l))])]
    (is (= '[n [1]] (after (g '[:slice {:start n} a]))))
    (is (= '[n [3]] (after (g '[:slice {:start [:- n 1]} d]))))
    (is (= '[n [3]] (after (g '[:slice {:start [:max 0 [:- n 1]]} d]))))
    (is (= '[[:min 3 n] [:all]] (after (g '[:slice {:stop [:+ 1 [:min 3 n]]} a]))))))

(deftest slices-of-slices-are-looked-through
  (let [g (fn [& outs]
            (s/graph inputs ['l [:loop four 'x 'h 'k], 'a [:part {:at 0} 'l]
                             'rows [:slice {:start 1} 'a]]
                     outs))
        after #(let [g' (unread/dropped (row/fewer (unread/dropped %))), [l] (s/loops g')]
                 (doseq [n [0 1 3 9] :let [env (assoc env 'n n, 'x [[n] (range n)])]]
                   (is (= (s/error % env) (s/error g' env)))
                   (when-not (s/error % env) (is (= (s/values % env) (s/values g' env)))))
                 (is (identical? g' (row/fewer g')))
                 (mapv second (:results l)))]
    (testing "the last row, that must be there"
      (is (= [1] (after (g '[:slice {:start [:- n 1]} rows]))))
      (is (= :damo.type/bad-dimension
             (s/error (row/fewer (g '[:slice {:start [:- n 1]} rows]))
                      (assoc env 'n 0, 'x [[0] []])))))
    (is (= [3] (after (g '[:slice {:start [:- n 1]} rows] '[:slice {:start [:- n 3]} rows]))))
    (is (= [3] (after (g '[:slice {:start [:max 0 [:- n 3]]} rows]))))
    (testing "not where another reader sees all of it"
      (is (= '[n] (after (g '[:slice {:start [:- n 1]} rows] '[:sum rows])))))))

(deftest rounds-are-kept-that-may-end-or-fail
  (let [g (fn [attrs body]
            (s/graph inputs
                     ['l [:loop (merge {:steps 'n, :carries [1], :results [[0 :all]], :body body
                                        :params '[[:each 0 0 1] [:carry 0 0] [:each 2 0 1]
                                                  [:all 0]]}
                                       attrs)
                          'x 'h 'i]
                      'a '[:part {:at 0} l]]
                     '[[:slice {:stop 1} a]]))
        types ['x t 'a t 'i [:i64 []] 'xs '[:f64 [n]]]
        steps #(:steps (first (s/loops (row/fewer %))))]
    (is (= 0 (steps (g {} (s/body types '[[:add x a]])))))
    (is (= 'n (steps (g {:until true, :as 'm} (s/body types '[[:add x a] [:lt a x]])))))
    (is (= 'n (steps (g {} (s/body types '[[:add a [:take xs i]]])))))))

(deftest a-loop-reads-only-some-rows-of-another
  (let [reader (fn [from by]
                 {:steps 2, :params [[:each 0 from by]], :carries [], :results [[0 :all]]
                  :body (s/body ['a t] '[[:sin a]])})
        inputs '{x [:f64 [9]], h [:f64 [1]], k [:f64 [2]]}, env (assoc env 'x [[9] (range 9)])
        g (fn [from by]
            (s/graph inputs ['l [:loop (assoc four :steps 9) 'x 'h 'k], 'a [:part {:at 0} 'l]
                             'm [:loop (reader from by) 'a]]
                     '[[:part {:at 0} m] [:slice {:start 9} a]]))
        after (fn [from by]
                (let [g (g from by), g' (row/fewer (unread/dropped g))]
                  (is (= (s/values g env) (s/values g' env)))
                  (mapv (juxt :steps :results #(first (filter (comp #{:each} first) (:params %))))
                        (s/loops g'))))]
    (testing "and needs only the rounds that make them"
      (let [g (update (g 7 1) :outputs subvec 0 1), g' (row/fewer (unread/dropped g))]
        (is (= (s/values g env) (s/values g' env)))
        (is (= [[8 [[0 2]]] [2 [[0 :all]]]] (mapv (juxt :steps :results) (s/loops g'))))))
    (is (= '[[9 [[0 3]] [:each 0 0 1]] [2 [[0 :all]] [:each 0 0 1]]] (after 7 1)))
    (is (= '[[9 [[0 2]] [:each 0 0 1]] [2 [[0 :all]] [:each 0 2 -1]]] (after 10 -1)))))
