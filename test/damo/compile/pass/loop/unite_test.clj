(ns damo.compile.pass.loop.unite-test
  "Loops of equal rounds become one, where neither needs the other: loops are counted, values
  compared."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.pass.loop.sample :as s]
            [damo.compile.pass.loop.unread :as unread]
            [damo.compile.pass.unite :as unite]
            [damo.core :as d]))

(set! *warn-on-reflection* true)

(def ^:private t [:f64 []])

(def ^:private inputs '{x [:f64 [n]], y [:f64 [m]], h [:f64 [1]], lim [:f64 []], lim2 [:f64 []]})

(def ^:private env
  {'n 5, 'm 5, 'x [[5] [1 2 3 4 5]], 'y [[5] [5 4 3 2 1]], 'h [[1] [0.5]]
   'lim [[] [3]], 'lim2 [[] [4]]})

(defn- over-rows
  "A loop that keeps a function of the rows of x."
  [steps form x & {:as attrs}]
  [:loop (merge {:steps steps, :params [[:each 0 0 1]], :carries [], :results [[0 :all]]
                 :body (s/body ['x t] [form])} attrs)
   x])

(defn- summing
  "A loop that sums f of the rows of x."
  [steps form x]
  [:loop {:steps steps, :params [[:each 0 0 1] [:carry 0 0]], :carries [1], :results [[0 :all]]
          :body (s/body ['x t 'a t] [[:add 'a form]])}
   x 'h])

(defn- until
  "A loop that doubles, until what it has is larger than the limit."
  [as limit & {:keys [form], :or {form '[:mul a 2.0]}}]
  [:loop {:steps 'n, :params [[:carry 0 0] [:all 1]], :carries [0], :results [[0 :all]]
          :until true, :as as, :body (s/body ['a t 'c t] [form '[:lt c [:mul a 2.0]]])}
   'h limit])

(defn- counted
  "How many loops are left of these, each under a name, and whether the values are the same."
  [& lets]
  (let [names (take-nth 2 lets)
        g (s/graph inputs (vec lets) (mapv (fn [l] [:part {:at 0} l]) names)), g' (unite/united g)]
    (is (= (s/values g env) (s/values g' env)))
    (is (identical? g' (unite/united g')) "once")
    (count (s/loops g'))))

(deftest loops-of-equal-rounds-are-united
  (is (= 2 (counted 'a (over-rows 'n '[:add x 1.0] 'x) 'b (over-rows 'm '[:add x 1.0] 'y))))
  (is (= 2 (counted 'a (over-rows 2 '[:add x 1.0] 'x) 'b (over-rows 3 '[:add x 1.0] 'x))))
  (is (= 1 (counted 'a (over-rows 4 '[:add x 1.0] 'x) 'b (over-rows 4 '[:add x 1.0] 'y))))
  (is (= 1 (counted 'a (over-rows 'n '[:add x 1.0] 'x) 'b (over-rows 'n '[:add x 2.0] 'x))))
  (testing "wishes for the derivative do not matter any more"
    (is (= 1 (counted 'a (over-rows 'n '[:add x 1.0] 'x :grad {:truncate 1})
                      'b (over-rows 'n '[:add x 1.0] 'x)))))
  (is (= 1 (counted 'a (summing 'n 'x 'x) 'b (over-rows 'n '[:sin x] 'x)
                    'c (summing 'n '[:mul x x] 'x)))))

(deftest what-is-equal-in-two-bodies-is-once
  (let [g (s/graph inputs
                   ['a (summing 'n '[:sin x] 'x)
                    'b (assoc-in (summing 'n '[:sin x] 'x) [1 :results] [[0 1]])
                    'c (over-rows 'n '[:sin x] 'x)]
                   '[[:part {:at 0} a] [:part {:at 0} b] [:part {:at 0} c]])
        g' (unread/dropped (unite/united g)), [l & more] (s/loops g')]
    (is (= (s/values g env) (s/values g' env)))
    (is (empty? more))
    (is (= [1 2 1] [(count (:carries l)) (count (:outputs (:body l)))
                    (count (filter #{:sin} (map first (:nodes (:body l)))))]))))

(deftest no-loop-is-united-with-one-that-needs-it
  (is (= 2 (counted 'a (over-rows 'n '[:sin x] 'x) 'b (over-rows 'n '[:sin x] [:part {:at 0} 'a]))))
  (is (= 2 (counted 'a (over-rows 'n '[:sin x] 'x)
                    'b (over-rows 'n '[:sin x] [:exp [:part {:at 0} 'a]])
                    'c (over-rows 'n '[:cos x] 'x)))
      "by whatever way")
  (testing "nor do two unions need each other"
    (is (= 3 (counted 'a (over-rows 4 '[:sin x] 'x) 'b (over-rows 3 '[:sin x] [:part {:at 0} 'a])
                      'd2 (over-rows 3 '[:cos x] 'x)
                      'c2 (over-rows 4 '[:cos x]
                                     [:concatenate [:part {:at 0} 'd2] [:slice {:stop 1} 'y]]))))))

(deftest loops-that-end-early-are-united-when-they-end-together
  (is (= 1 (counted 'a (until 'k 'lim) 'b (until 'k 'lim :form '[:mul a 2.0]))))
  (is (= 1 (counted 'a (until 'k 'lim)
                    'b [:loop {:steps 'n, :params [[:carry 0 0] [:all 1] [:carry 1 0]]
                               :carries [0 0], :results [[1 :all]], :until true, :as 'k
                               :body (s/body ['a t 'c t 'b t]
                                             '[[:mul a 2.0] [:sin b] [:lt c [:mul a 2.0]]])}
                        'h 'lim]))
      "the condition is the same, though more is computed")
  (is (= 2 (counted 'a (until 'k 'lim) 'b (until 'l 'lim2))) "another limit")
  (is (= 2 (counted 'a (until 'k 'lim) 'b (until 'l 'lim :form '[:mul a 3.0]))) "another state")
  (testing "whatever the rounds are called"
    (is (= 2 (count (s/loops (unite/united (s/graph inputs ['a (until 'k 'lim) 'b (until 'k 'lim2)]
                                                    '[[:part {:at 0} a] [:part {:at 0} b]])))))))
  (is (= 2 (counted 'a (until 'k 'lim) 'b (over-rows 'n '[:sin x] 'x)))))

(deftest what-two-bodies-count-under-one-name-stays-apart
  (let [x (d/input 'x [:f64 '[n]])
        halved (fn [r] (d/while-loop r #(d/gt % 1) #(d/div % 2)))
        y (d/map-steps halved x), back (d/map-steps halved (d/flip x :axis 0))
        f (d/function [x] [y back (d/grad (d/sum y) x)])]
    (is (= [[0.625 -2.0 0.3 1.0] [1.0 0.3 -2.0 0.625] [0.125 1.0 1.0 0.0625]]
           (mapv deref (f [5 -2 0.3 16]))))))

(deftest rows-that-a-call-must-have-are-checked-without-the-loop
  (let [x (d/input 'x [:f64 '[n]]), s (d/input 's [:f64 []])
        f (d/function [x s] (:h (d/scan {:sequences {:x x}, :state {:h s}, :n-steps 9}
                                        (fn [{:keys [h]}] {:h h}))))]
    (is (= (repeat 9 3.0) @(f (range 9) 3)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"less than 9" (f [1 2] 3)))))
