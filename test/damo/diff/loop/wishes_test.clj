(ns damo.diff.loop.wishes-test
  "What is wished of the derivatives of loops: rounds that are constant, by hand and after
  PyTensor's taps; checkpoints, which change no value, in either mode and to second order."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.type :as type]
            [damo.diff.loop.wishes :as wishes]
            [damo.diff.loops :refer [looped near? numbers value]]
            [damo.face.function :as function]))

(set! *warn-on-reflection* true)

;; ## Truncation

(deftest taps-until-truncated
  (let [[y] (looped {:steps 13, :until true, :params [[:each 0 0 1] [:each 0 2 1]], :carries []
                     :results [[0 :all]], :grad {:truncate 3}}
                    [(d/input 's [:f64 [15]])] (fn [x y] [(d/mul x y) (d/gt y 6.0)]))
        s (d/input 's [:f64 [15]]), values {s (mapv double (range 15))}]
    (is (= [0.0 0.0 0.0 5.0 6.0 10.0 4.0 5.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0]
           (value (d/grad (d/sum y) s) values)))))

(deftest the-last-rounds-of-any-number
  (let [x (d/input 'x [:f64 []])
        y (fn [k] (d/while-loop 1.0 (fn [h] (d/lt h 10.0)) (fn [h] (d/mul h x))
                                :truncate-gradient k))]
    (doseq [k [1 3 20] :let [g (d/grad (y k) x)]]
      (is (near? (* (min k 9) (Math/pow 1.3 8)) (value g {x 1.3})) (str k))
      (is (near? (* (min k 9) (Math/pow 1.3 8)) @(d/eval g {x 1.3})) (str k)))))

(defn- states
  "Of xs, h0 and w: all states of n rounds that look two back, of which derivatives see the last k."
  [n k xs h0 w]
  (first (looped {:steps n, :params [[:each 0 0 1] [:carry 0 0] [:carry 0 1]], :carries [1]
                  :results [[0 :all]], :grad (when k {:truncate k})}
                 [xs h0] (fn [x g h] (d/tanh (d/add x (d/mul w h) (d/mul 0.5 g)))))))

(defn- states-by-hand [n k xs h0 w]
  (let [row (fn [x i] (d/squeeze (d/slice x :start i :stop (inc i)) :axis 0))
        constant #(if (< (long k) (long n)) (d/consider-constant %) %)]
    (apply d/stack
           (reduce (fn [rows t]
                     (let [[g h] (take-last 2 rows)
                           next-row (d/tanh (d/add (row xs t) (d/mul w h) (d/mul 0.5 g)))]
                       (conj rows (if (< t (- n k)) (d/consider-constant next-row) next-row))))
                   [(constant (row h0 0)) (constant (row h0 1))] (range n)))))

(deftest the-last-rounds-alone
  (doseq [n [0 1 4], k [1 2 3 4 9]
          :let [xs (d/input 'xs [:f64 [n 2]]), h0 (d/input 'h0 [:f64 [2 2]])
                w (d/input 'w [:f64 [2]])
                random (java.util.Random. 5)
                values (into {} (for [e [xs h0 w]] [e (numbers random (second (d/type-of e)))]))
                wrt [xs h0 w], all #(mapv (fn [e] (value e values)) %)
                ignore {:disconnected :ignore}
                orders (fn [h] (let [cost (d/sum (d/mul h h)), g (d/grad cost wrt ignore)]
                                 (all (concat g [(d/rop cost wrt wrt ignore)]
                                              (d/grad (d/sum (d/sqr (g 2))) wrt ignore)))))]]
    (testing (str n " rounds, " k)
      (is (near? (orders (states-by-hand n k xs h0 w)) (orders (states n k xs h0 w)))))))

;; ## Checkpoints

(deftest checkpoints-change-nothing
  (let [random (java.util.Random. 9), xs (d/input 'xs [:f64 ['n 2]]), h0 (d/input 'h0 [:f64 [2 2]])
        w (d/input 'w [:f64 [2]])
        rnn (fn [wishes]
              (looped {:steps 'n, :carries [1], :grad wishes
                       :params [[:each 0 0 1] [:each 0 'n -1] [:carry 0 0] [:carry 0 1] [:turn]]
                       :results [[0 :all] [0 1] [1 :all :backwards] [0 3] [1 1] [0 2 :backwards]]}
                      [xs h0] (fn [x y g h t]
                                (let [h (d/tanh (d/add x (d/mul w h) (d/mul 0.5 g)))]
                                  [h (d/mul h y (d/add 1 t))]))))
        orders (fn [results values]
                 (let [cost (reduce d/add (map #(d/sum (d/mul %1 %1 %2)) results (range 1 9)))
                       wrt [xs h0 w], g (d/grad cost wrt)
                       gg (reduce d/add (map (comp d/sum d/sqr) g))]
                   (mapv #(value % values)
                         (concat results g [(d/rop cost wrt wrt)] (d/grad gg wrt)))))]
    (doseq [n [0 1 5 6]
            :let [values {xs (array/of :f64 [n 2] (flatten (numbers random [n 2])))
                          h0 (numbers random [2 2]), w [0.3 -0.7]}
                  plain (orders (rnn nil) values)]
            wishes (concat (for [k [1 2 3 7]] {:checkpoint-every k})
                           (for [c [1 2 4]] {:checkpoints c})
                           (for [bytes [1 64 300]] {:memory-budget bytes}))]
      (testing (str n " rounds, " wishes)
        (is (near? plain (orders (rnn wishes) values)))))))

(deftest what-a-budget-chooses
  (let [of (fn [attrs bytes memory]
             (wishes/chosen (assoc attrs :grad {:memory-budget bytes}) (delay memory)))
        state {:row 8000, :window 8000}]
    (is (nil? (of {:steps 100} 800000 state)) "everything may be kept")
    (is (= {:checkpoint-every 10} (of {:steps 100} 799999 state)) "the least, 2·√100 states")
    (is (= {:checkpoint-every 10} (of {:steps 100} 160000 state)))
    (is (= {:checkpoints 18} (of {:steps 100} 159999 state)) "19 states, one of them of the round")
    (is (= {:checkpoints 1} (of {:steps 100} 1 state)))
    (is (= {:checkpoint-every 4} (of {:steps 100} 790000 {:row 40000, :window 8000})))
    (is (= {:checkpoint-every '[:max 1 [:quot 1000 [:* 8 n]]]}
           (of {:steps 'm} 2000 {:row (type/dim* 8 'n), :window (type/dim* 8 'n)})))
    (is (= {:checkpoints 24} (wishes/chosen {:steps nil} (delay state))))
    (is (= {:checkpoints 9} (of {:steps nil} 80000 state)))))

;; ## Memory

(defn- temporaries
  "The elements of the temporaries of the gradient of the last state of n rounds."
  [wishes n]
  (let [xs (d/input 'xs '[:f64 [n 4]]), h0 (d/input 'h0 [:f64 [1 4]]), w (d/input 'w [:f64 [4 4]])
        [h] (looped {:steps 'n, :grad wishes, :params [[:each 0 0 1] [:carry 0 0]], :carries [1]
                     :results [[0 1]]}
                    [xs h0] (fn [x h] (d/tanh (d/add (d/dot h w) x))))
        f (d/function [xs w h0] (d/grad (d/sum (d/sqr h)) w))]
    (reduce + (for [{:keys [kind size]} (:buffers (:program (function/info f)))
                    :when (= :temp kind)]
                (type/dim-value {'n n} size)))))

(deftest memory-is-as-predicted
  (testing "a state, the slope of tanh and a gradient for each round"
    (is (<= 120000 (temporaries nil 10000) 120100)))
  (testing "the states of √n stretches, what one stretch keeps, and what remains"
    (is (<= (temporaries {:checkpoint-every 100} 10000) 2000))
    (is (<= (temporaries {:checkpoint-every 100} 10099) (+ 2000 (* 3 4 100)))))
  (testing "checkpoints, whatever the number of rounds"
    (is (= (temporaries {:checkpoints 10} 100) (temporaries {:checkpoints 10} 1000000)))
    (is (<= (temporaries {:checkpoints 10} 100) 400)))
  (testing "a budget of bytes"
    (is (<= (* 8 (temporaries {:memory-budget 40000} 20000)) 80000))))
