(ns damo.laws.limits-test
  "What is large in number: joins of many parts, long sums, deep expressions, many inputs, outputs,
  dims and shared variables, many axes. Each compiles and is right, or is refused with the limit
  and what to do."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.plan.limit :as limit]
            [damo.core :as d]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 []]))
(def ^:private xs (d/input 'xs '[:f64 [n]]))

(defn- times [k] (d/mul x (double k)))

(defn- named [prefix k] (symbol (str prefix k)))

(deftest many-parts
  (is (= (mapv #(* 2.0 %) (range 600)) @((d/function [x] (d/stack (mapv times (range 600)))) 2)))
  (let [joined (d/concatenate (mapv #(d/mul xs (double %)) (range 300)))
        f (d/function [xs] [joined (d/grad (d/sum (d/sqr joined)) xs)])
        squares (reduce + (map #(* % %) (range 300)))]
    (doseq [v [[] [3.0] [1.0 2.0]]
            :let [[all slope] (map deref (f v))]]
      (is (= (for [k (range 300), e v] (* k e)) all))
      (is (= (map #(* 2.0 squares %) v) slope)))))

(deftest many-names
  (let [inputs (mapv #(d/input (named "x" %) [:f64 []]) (range 300))
        vectors (mapv #(d/input (named "v" %) [:f64 [(named "n" %)]]) (range 60))
        states (mapv #(d/shared (named "s" %) (double %)) (range 300))
        sum (d/function inputs (reduce d/add inputs))
        join (d/function vectors (d/concatenate vectors))
        step (d/function [x] (mapv times (range 300))
                         {:updates (into {} (for [s states] [s (d/add s x)]))})]
    (is (= 44850.0 @(apply sum (range 300))))
    (is (= (mapcat #(repeat (mod % 3) (double %)) (range 60))
           @(apply join (map #(repeat (mod % 3) %) (range 60)))))
    (is (= (mapv double (range 300)) (mapv deref (step 1))))
    (is (= (mapv inc (range 300)) (mapv (comp long deref d/value) states)))))

(deftest long-and-deep
  (is (= 500500.0 @((d/function [x] (reduce d/add (map #(d/abs (times %)) (range 1001)))) -1)))
  (is (= 2001.0 @((d/function [x] (nth (iterate #(d/abs (d/add % x)) x) 2000)) 1))))

(deftest many-axes
  (let [q (d/input 'q [:f64 (vec (repeat 32 1))])]
    (is (= 2.0 (first (flatten @((d/function [q] (d/exp (d/log (d/transpose q))))
                                 (nth (iterate vector 2.0) 32))))))
    (is (= :damo.type/too-many-axes
           (try (d/expand-dims q :axis 0)
                (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e))))))))

(defn- refused [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e
                 [(:damo/error (ex-data e)) (boolean (:try (ex-data e)))])))

(deftest beyond-a-limit
  (testing "a graph is refused before a program is made of it"
    (are [kind dims memory] (= [kind true] (refused #(limit/check! {:nodes []} dims memory)))
      :damo.plan.limit/too-many-dimensions (mapv #(named "n" %) (range 1025)) []
      :damo.plan.limit/too-many-arrays [] (repeat 65537 [[:node nil] {:size 1, :kind :temp}])
      :damo.plan.limit/size-too-long
      [] [[[:node nil] {:size (into [:+] (repeat 16385 'n)), :kind :temp}]]))
  (is (nil? (limit/check! {:nodes []} '[n] [[[:node 0] {:size 'n, :kind :temp}]]))))
