(ns damo.compile.pass.loop.batch-test
  "What moves out of loops for all rows at once, before them and behind them: loops and products are
  counted, in bodies and around them, and what they give is compared."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.pipeline :as pipeline]
            [damo.compile.pass.loop.after :as after]
            [damo.compile.pass.loop.batch :as batch]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pass.loop.unread :as unread]
            [damo.core :as d]
            [damo.data.graph :as graph]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(def ^:private inputs
  '{x [:f64 [n 2]], y [:f64 [n 2]], w [:f64 [2 3]], h [:f64 [1 3]], s [:f64 [1 2 2]]})

(def ^:private env
  {'n 3, 'x [[3 2] [1 2 3 4 5 6]], 'y [[3 2] [6 5 4 3 2 1]], 'w [[2 3] [0.5 0.25 0.125 1 2 4]]
   'h [[1 3] [1 2 3]], 's [[1 2 2] [1 2 3 4]]})

(defn- products [nodes] (count (filter #(= :contract (op/kind (first %))) nodes)))

(defn- counts
  "[loops, products in their bodies, products around them]."
  [g]
  (let [loops (s/loops g)]
    [(count loops) (reduce + (map (comp products :nodes :body) loops))
     (products (map #(graph/node-at g %) (graph/live g)))]))

(defn- near? [a b]
  (every? true? (map #(< (abs (- %1 %2)) 1e-9) (flatten a) (flatten b))))

(defn- same-values? [a b]
  (every? (fn [n]
            (let [env (assoc env 'n n, 'x [[n 2] (range (* 2 n))]
                             'y [[n 2] (map #(* 0.5 %) (range (* 2 n)))])]
              (near? (s/values a env) (s/values b env))))
          [0 1 3]))

(defn- looped
  "The graph of a loop over rows of x and y whose state h becomes the first of these forms, and
  which keeps the others."
  [attrs & forms]
  (let [{:keys [results] :as attrs}
        (merge {:steps 'n, :carries [3]
                :params '[[:each 0 0 1] [:each 1 0 1] [:all 2] [:carry 0 0] [:turn]]
                :results (vec (for [k (range (count forms))] [k :all]))
                :body (s/body '[x [:f64 [2]] y [:f64 [2]] w [:f64 [2 3]] h [:f64 [3]] k [:i64 []]]
                              (cond-> (vec forms) (:until attrs) (conj '[:gt [:sum h] 99.0])))}
               attrs)]
    (s/graph inputs ['l [:loop attrs 'x 'y 'w 'h]]
             (vec (for [j (range (count results))] [:part {:at j} 'l])))))

(defn- unchanged? [pass g] (let [g (graph/prune g)] (identical? g (pass g))))

;; ## Before the loop

(deftest products-of-rows-are-one-product
  (let [g (looped {} '[:tanh [:add h [:matmul x w]]]), g' (batch/batched g)]
    (is (= [[1 1 0] [1 0 1]] [(counts g) (counts g')]))
    (is (same-values? g g'))
    (is (identical? g' (batch/batched g'))))
  (testing "read from the end, and from a row on"
    (doseq [read '[[:each 0 n -1] [:each 0 3 -1] [:each 0 1 1]]
            :let [g (looped {:params [read [:each 1 0 1] [:all 2] [:carry 0 0] [:turn]]
                             :steps (if (= 'n (nth read 2)) 'n 2)}
                            '[:tanh [:add h [:matmul x w]]])
                  g' (batch/batched g)]]
      (is (= [1 0 1] (counts g')))
      (is (near? (s/values g env) (s/values g' env)))))
  (testing "with what is made of it"
    (let [g (looped {} '[:mul h [:exp [:matmul [:sin x] w]]]), g' (batch/batched g)]
      (is (not-any? #{:exp :sin} (map first (:nodes (:body (first (s/loops g')))))))
      (is (same-values? g g')))))

(deftest what-may-not-be-computed-for-all-rows-stays
  (are [g] (unchanged? batch/batched g)
    (looped {:until true, :as 'm} '[:add h [:matmul x w]])
    (looped {} '[:add h [:mul [:sum x] 2.0]])
    (looped {} '[:add h [:matmul [:take x [:stack k k]] w]])
    (looped {} '[:add h [:sum {:axis [0 1]} [:matmul [:reshape {:shape [2 1]} x]
                                             [:reshape {:shape [1 2]} y]]]])))

(deftest a-loop-with-nothing-left-is-none
  (doseq [form '[[:add x y] [:matmul x w] [:mul [:sum x] [:sin y]] x
                 [:mul x [:cast {:dtype :f64} k]] [:softmax x]]
          rows [[1 :all] [1 2] [1 :all :backwards]]
          :let [g (looped {:results [rows]} '[:sin h] form), g' (batch/batched g)]]
    (is (empty? (s/loops g')) (pr-str form rows))
    (is (same-values? g g') (pr-str form rows)))
  (testing "others stay, of less"
    (let [g (looped {} '[:sin h] '[:add x y]), g' (batch/batched g)]
      (is (= 1 (count (:results (first (s/loops g'))))))
      (is (same-values? g g'))))
  (testing "not where it may end early, or fail"
    (are [g] (= 1 (count (s/loops (batch/batched g))))
      (looped {:until true, :as 'm, :results [[1 :all]]} '[:sin h] '[:add x y])
      (looped {:results [[1 :all]]} '[:sin h] '[:take x k]))))

(deftest a-state-that-needs-none-is-a-sequence
  (doseq [rows '[[[0 :all]] [[0 :all] [0 2]] [[0 :all :backwards] [1 :all]] [[0 :all] [1 1]]]
          :let [g (s/graph inputs
                           ['l [:loop {:steps 'n, :carries [1 1], :results rows
                                       :params '[[:each 0 0 1] [:carry 0 0] [:carry 1 0]]
                                       :body (s/body '[x [:f64 [2]] h [:f64 [3]] k [:f64 [3]]]
                                                     '[[:broadcast-to {:shape [3]} [:sum x]]
                                                       [:tanh [:add h k]]])}
                                'x 'h]]
                           (vec (for [j (range (count rows))] [:part {:at j} 'l])))
                g' (unread/dropped (batch/batched g)), [l] (s/loops g')]]
    (is (= (if (some #{1} (map first rows)) 1 0) (count (:carries l)) (count (s/loops g'))))
    (is (same-values? g g')))
  (testing "but stays where its rows would only be kept for that"
    (let [g (looped {:results [[0 1]]} '[:broadcast-to {:shape [3]} [:sum x]])]
      (is (unchanged? batch/batched g)))))

;; ## Behind the loop

(defn- summing
  "A loop that adds up a product, of which the last sum is read."
  [attrs form]
  (s/graph inputs
           ['l [:loop (merge {:steps 'n, :carries [2 3], :results [[1 1]]
                              :params '[[:each 0 0 1] [:each 1 0 1] [:carry 1 0] [:carry 0 0]]
                              :body (s/body '[x [:f64 [2]] y [:f64 [2]] s [:f64 [2 2]] h [:f64 [3]]]
                                            ['[:tanh [:mul h [:sum x]]] form])}
                             attrs)
                'x 'y 'h 's]]
           (vec (for [j (range (count (:results attrs [[1 1]])))] [:part {:at j} 'l]))))

(deftest sums-of-products-are-one-product
  (let [outer '[:matmul [:reshape {:shape [2 1]} x] [:reshape {:shape [1 2]} y]]
        state '[:matmul [:reshape {:shape [2 1]} x] [:reshape {:shape [1 2]} [:slice {:start 1} h]]]
        both [:add [:add 's outer] state]]
    (doseq [[form left] [[[:add 's outer] 0] [[:add outer 's] 0] [[:add 's state] 1] [both 1]]
            :let [g (summing {} form), g' (after/summed g)]]
      (is (= [left 0] (take 2 (counts g'))) (pr-str form))
      (is (= (repeat left 1) (map (comp count :carries) (s/loops g'))))
      (is (same-values? g g')))
    (testing "read from the end in the order in which they lie"
      (let [g (summing {:params '[[:each 0 n -1] [:each 1 n -1] [:carry 1 0] [:carry 0 0]]}
                       [:add 's state])
            g' (after/summed g)]
        (is (= [1 0 1] (counts g')))
        (is (not-any? #{:flip} (map first (:nodes g'))))
        (is (same-values? g g'))))
    (testing "not where more is read than the last sum, or another order is meant"
      (are [g] (unchanged? after/summed g)
        (summing {:results [[1 :all]]} [:add 's outer])
        (summing {} [:add [:mul 's 2.0] outer])
        (summing {} [:add 's [:mul outer 's]])
        (summing {} [:add 's [:matmul [:reshape {:shape [2 1]} '[:slice {:start 1} h]]
                              [:reshape {:shape [1 2]} '[:slice {:stop 2} h]]]])))))

(deftest products-that-no-round-needs-are-one-product
  (let [g (looped {:results [[1 :all]]} '[:tanh [:add h [:sum x]]]
                  '[:matmul [:slice {:stop 2} h] w])
        g' (after/trailed g)]
    (is (= [[1 1 0] [1 0 1]] [(counts g) (counts g')]))
    (is (same-values? g g'))
    (is (= [1 0 1] (counts (after/trailed (looped {:results [[1 :all :backwards]]} '[:sin h]
                                                  '[:matmul [:slice {:stop 2} h] w])))))
    (is (same-values? g g')))
  (are [g] (unchanged? after/trailed g)
    (looped {:results [[1 1]]} '[:sin h] '[:matmul [:slice {:stop 2} h] w])
    (looped {:results [[0 :all]]} '[:matmul [:slice {:stop 2} h] w])
    (looped {:results [[1 :all]], :until true, :as 'm} '[:sin h]
            '[:matmul [:slice {:stop 2} h] w])))

;; ## Derivatives

(def ^:private xs (d/input 'x [:f64 '[n 5]]))
(def ^:private w (d/input 'w [:f64 [4 4]]))
(def ^:private v (d/input 'v [:f64 [5 4]]))

(defn- states [w]
  (:h (d/scan {:sequences {:x xs}, :state {:h (d/zeros [4])}}
              (fn [{:keys [h x]}] {:h (d/tanh (d/add (d/dot h w) (d/dot x v)))}))))

(defn- rewritten [es]
  (:graph (last (take-while #(not= "the expansion of composite ops" (:what %))
                            (pipeline/stages (d/graph es) :fast-run)))))

(deftest back-propagation-is-two-loops-of-one-product-each
  (let [hs (states w), g (rewritten (d/grad (d/sum (d/mul hs hs)) [w v]))]
    (is (= 2 (count (s/loops g))))
    (is (= [[1 1] [1 1]] (mapv (fn [{:keys [body carries]}]
                                 [(products (:nodes body)) (count carries)])
                               (s/loops g)))
        "h·w forward, and its transpose backward; dot(x_t, v) and both gradients lie outside")))

(deftest the-gauss-newton-product-is-two-loops
  (let [x (d/tensor (repeat 6 (repeat 4 1.0)))
        f (:h (d/scan {:sequences {:x x}, :state {:h (d/zeros [4])}}
                      (fn [{:keys [h x]}] {:h (d/tanh (d/add (d/dot h w) x))})))
        product (d/lop f w (d/rop f w (d/ones [4 4])))]
    (is (= 2 (count (s/loops (rewritten product)))))))
