(ns damo.diff.branch-test
  "Derivatives of branches: those of the case taken, zeros by what it does not mention, in both
  modes and orders; nothing of another case is computed."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.diff.loops :refer [branched branched-as looped near? value]]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 [3]]))
(def ^:private w (d/input 'w [:f64 [3]]))
(def ^:private i (d/input 'i [:i64 []]))

(def ^:private at {x [1.0 2.0 3.0], w [4.0 5.0 6.0]})

(def ^:private cases
  [(fn [x w] [(d/mul x w) (d/sum x)])
   (fn [x _] [(d/sin x) (d/sum (d/mul x x x))])
   (fn [x _] [(d/zeros-like x) (d/sum (d/sqrt (d/sub x 0.5)))])])

(deftest the-case-taken-is-differentiated
  (let [[y s] (apply branched i [x w] cases), cost (d/sum (d/mul w y y s))]
    (doseq [k [0 1 2], :let [values (assoc at i k), [y s] ((cases k) x w)
                             alone (d/sum (d/mul w y y s)), ignore {:disconnected :ignore}
                             both (fn [f]
                                    (is (near? (value (f alone) values) (value (f cost) values))
                                        (str k)))]]
      (doseq [wrt [x w]]
        (both #(d/grad % wrt ignore))
        (both #(d/rop % wrt wrt ignore))
        (both #(d/grad (d/sum (d/sqr (d/grad % wrt ignore))) x ignore))
        (both #(d/rop (d/grad % wrt ignore) x w ignore))))))

(deftest what-no-case-mentions-is-disconnected
  (let [[y] (branched (d/gt (d/sum w) 1) [x w] (fn [x _] (d/sin x)) (fn [_ _] (d/ones [3])))]
    (is (= [0.0 0.0 0.0] (value (d/grad (d/sum y) x) at)) "of a case that does not depend on it")
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"does not depend" (d/grad (d/sum y) w)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"does not depend" (d/rop y w w)))))

(deftest other-cases-do-not-run
  (let [j (d/input 'j [:i64 []])
        [y] (branched i [x j] (fn [x _] (d/sum x))
                      (fn [x j] (d/take (d/sqr x) j)))
        gradient (d/grad y x)]
    (is (= [1.0 1.0 1.0] (value gradient (assoc at i 0, j 99))))
    (is (= [0.0 4.0 0.0] (value gradient (assoc at i 1, j 1))))
    (is (thrown? clojure.lang.ExceptionInfo (value gradient (assoc at i 1, j 99))))))

(deftest cases-of-different-extents
  (let [[y] (branched-as '{[0 0] k} i [x w] (fn [x w] (d/mul x w))
                         (fn [x _] (d/concatenate [x (d/sin x)])))
        cost (d/sum (d/mul y y y))]
    (doseq [[k alone] [[0 (d/mul x w)] [1 (d/concatenate [x (d/sin x)])]]
            :let [alone (d/sum (d/mul alone alone alone)), values (assoc at i k)]
            f [#(d/grad % x) #(d/rop % x w) #(d/grad (d/sum (d/grad % x)) x)]]
      (is (near? (value (f alone) values) (value (f cost) values)) (str k)))))

(deftest cases-of-different-symbolic-extents
  (let [u (d/input 'u [:f64 '[n]]), c (d/input 'c [:bool []])
        e (d/ifelse c u (d/concatenate [u u])), cost #(d/sum (d/mul % % %))
        f (d/function [u c] [(d/grad (cost e) u) (d/grad (d/sum (d/grad (cost e) u)) u)])]
    (is (= [[[3.0 12.0] [6.0 12.0]] [[6.0 24.0] [12.0 24.0]]]
           (for [taken [true false]] (mapv deref (f [1 2] taken)))))))

(defn- twice
  "Makes h twice the sine of h · w, in a loop."
  [h w]
  (let [[h] (looped {:steps 2, :params [[:carry 0 0]], :carries [0], :results [[0 1]]}
                    [(d/expand-dims h :axis 0)] (fn [h] (d/sin (d/mul h w))))]
    (d/squeeze h :axis 0)))

(deftest branches-in-loops-and-loops-in-branches
  (let [round (fn [h t] (first (branched (d/mod t 2) [h w] d/mul twice)))
        [h] (looped {:steps 3, :params [[:carry 0 0] [:turn]], :carries [0], :results [[0 1]]}
                    [(d/expand-dims x :axis 0)] round)
        by-hand (fn [h] (d/mul (d/sin (d/mul (d/sin (d/mul h w w)) w)) w))
        cost (d/sum h), alone (d/sum (by-hand x))]
    (doseq [f [#(d/grad % x) #(d/grad % w) #(d/rop % [x w] [w x])
               #(d/grad (d/sum (d/grad % w)) x)]]
      (is (near? (value (f alone) at) (value (f cost) at))))))
