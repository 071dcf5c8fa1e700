(ns damo.tensor.sequences-test
  "Data without an end is refused at a stated size, wherever data is taken; shapes that promise more
  than there can be likewise, and loops around nothing are no work."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d])
  (:import (damo.tensor Tensor)
           (java.util LinkedList)))

(set! *warn-on-reflection* true)

(defn- within
  "The value of the thunk, the message of what it throws, or :stuck after a minute."
  [f]
  (let [task (future (try (f) (catch Exception e (ex-message e))))]
    (deref task 60000 :stuck)))

(deftest endless-data
  (let [v (d/input 'v [:f64 ['n]])
        f (d/function [v] (d/sum v))]
    (doseq [[what thunk] {"tensor" #(d/tensor (repeat 1)), "counting" #(d/tensor (range))
                          "nested" #(d/tensor [[1 2] (cycle [1])])
                          "of endless ones" #(d/tensor (repeat (repeat 1)))
                          "mapped" #(d/tensor (map inc (iterate inc 0)))
                          "argument" #(f (range)), "named" #(f {:v (repeat 0.5)})
                          "shared" #(d/shared 'w (repeat 1)), "operand" #(d/add v (repeat 1))}]
      (is (str/includes? (within thunk) "a lazy sequence is taken as data up to") what))
    (is (str/includes? (within #(apply f (range))) "takes 1 argument") "endless arguments")
    (testing "what has an end is data, lazy or not"
      (doseq [data [(map inc (range 1000)) (range 1 1001) (vec (range 1 1001))
                    (apply list (range 1 1001)) (LinkedList. (range 1 1001))
                    (concat (range 1 500) (range 500 1001))]]
        (is (= 500500.0 @(f data)) (str (class data)))))))

(deftest endless-arguments
  (let [x (d/input 'x [:f64 []]), v (d/input 'v [:f64 ['n]]), y (d/input 'y [:f64 ['n 'm]])
        deep (fn deep [] (lazy-seq [(deep)]))]
    (doseq [[what thunk]
            {"concatenate" #(d/concatenate (repeat v)), "stack" #(d/stack (repeat x))
             "einsum" #(apply d/einsum "i,i" (repeat v)), "add" #(apply d/add (repeat x))
             "input" #(d/input 'q [:f64 (repeat 3)]), "a type" #(d/input 'q (repeat :f64))
             "inputs" #(d/function (repeat x) x), "outputs" #(d/function [x] (repeat x))
             "nested outputs" #(d/function [x] {:a [x (repeat x)]})
             "updates" #(d/function [x] x {:updates (repeat [x x])})
             "options" #(apply d/function [x] x (repeat :mode))
             "index" #(d/index v (range)), "indices" #(d/index v [(range)])
             "take" #(d/take v (range)), "reshape" #(d/reshape v (iterate inc 1))
             "axes" #(d/sum y (repeat 0)), "transpose" #(d/transpose y :axes (range))
             "pad" #(d/pad v (repeat [1 1])), "wrt" #(d/grad x (repeat x))
             "zeros" #(d/zeros (repeat 1)), "values" #(d/eval v {'v (range)})
             "cons" #(d/stack (cons x (repeat x)))
             "eduction" #(d/stack (eduction (map inc) (range)))}]
      (is (re-find #"argument.*a lazy sequence is taken as data up to" (str (within thunk))) what))
    (is (re-find #"argument 0.*deeper than 512" (str (within #(d/tensor (deep))))))
    (is (re-find #"argument 1.*more than 16777216 lists"
                 (str (within #(d/function [x] (nth (iterate (juxt identity identity) x) 60))))))
    (testing "what has an end is taken"
      (is (= [1.0 2.0 1.0 2.0] @(d/eval (d/concatenate (take 2 (repeat v))) {'v [1 2]})))
      (is (= [3.0 1.0] @(d/eval (d/take v (map dec [3 1])) {'v [1 2 3]}))))))

(deftest nothing-of-much
  (let [y (d/input 'y [:f64 ['n 'm]]), z (d/zeros [281474976710656 0])]
    (testing "in the mode :debug"
      (doseq [[e value] [[(d/sum y) 0.0] [(d/sum (d/exp y) 0) []] [(d/sum (d/cumsum y 0) 0) []]
                         [(d/sum (d/grad (d/sum (d/sqr y)) y) 0) []]]]
        (is (= value (within #(deref ((d/function [y] e {:mode :debug}) z)))))))
    (testing "as a constant"
      (is (= [] (within #(deref (d/eval (d/sum z 0))))))
      (is (= 1.0 (within #(deref (d/eval (d/add 1 (d/sum (d/mul z 2)))))))))
    (is (re-find #"empty, and its other axes have more places than any memory"
                 (str (within #(d/eval (d/sum (d/zeros [4611686018427387904 0]) 0))))))))

(deftest loops-around-nothing
  (let [y (d/input 'y [:f64 ['n 'm]])
        z (d/zeros [281474976710656 0])]
    (doseq [[what e shape] [[:sum (d/sum y 0) [0]] [:all (d/sum y) []] [:max (d/argmax y 0) [0]]
                            [:cumsum (d/cumsum y 0) :same] [:cumsum (d/cumsum y 1) :same]
                            [:transpose (d/transpose y) [0 281474976710656]]
                            [:dot (d/dot (d/transpose y) y) [0 0]]
                            [:grad (d/grad (d/sum (d/sqr y)) y) :same]
                            [:exp (d/exp (d/mul y (d/sum y 0))) :same]
                            [:sort (d/sort y) :same]]
            mode [:fast-run :fast-compile :none]
            :let [result (within #(vec (.shape ^Tensor ((d/function [y] e {:mode mode}) z))))]]
      (is (= (if (= :same shape) [281474976710656 0] shape) result) [what mode]))
    (is (re-find #"a call would take some 1\.\de\+19 steps of computation.*\[n, m\]"
                 (str (within #((d/function [y] (d/argsort y)) z)))))
    (testing "values as nested lists"
      (is (str/includes? (within #(deref z)) "too much for nested lists"))
      (is (str/includes? (within #(deref (d/zeros [65536 65536 0]))) "too much for nested lists"))
      (is (= [[] []] @(d/zeros [2 0]))))
    (testing "a shape that nothing can have"
      (is (str/includes? (within #(d/zeros [281474976710657 0]))
                         "is empty, and its other axes have more places than any memory")))))
