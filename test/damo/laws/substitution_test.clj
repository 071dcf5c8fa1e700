(ns damo.laws.substitution-test
  "Replacing inputs of random expressions by others whose dims are known or named otherwise: the
  types are those that the ops derive anew, and the values stay."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.face.substitute :as substitute]
            [damo.laws.graphs :as graphs]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(def ^:private renamings
  "What n and m are in the inputs that replace others."
  ['{n 3, m 2} '{n q, m 2} '{n q, m r} '{n m}])

(defn- replacement
  "A function that gives an input of a name and type, and one for its place."
  [dims]
  (fn [[name [dtype shape]]]
    [(d/input name [dtype shape])
     (d/input (symbol (str name ".new")) [dtype (mapv #(type/substitute dims %) shape)])]))

(defn- whole
  "The graph of the outputs of a recipe whose shared variables are inputs."
  [recipe]
  (let [{:keys [graph]} (graphs/graph recipe)]
    (update graph :nodes (partial mapv (fn [[op & more :as node]]
                                         (if (= op :shared) (into [:input] more) node))))))

(defn- same? [x y] (running/close? 1e-12 1.0 x y))

(deftest substitution-keeps-values-and-types
  (doseq [[k recipe] (map-indexed vector (graphs/recipes 60 15))
          :let [recipe (assoc recipe :holders (odd? k))]
          :let [dims (nth renamings (mod k (count renamings)))
                g (whole recipe)
                inputs (for [id (graph/live g) :let [[op {:keys [name type]}] (graph/node-at g id)]
                             :when (= op :input)]
                         [name type])
                env (graphs/env k (if (= '{n m} dims) '{n 3, m 3} '{n 3, m 2}))
                {out :exprs} (substitute/in-place-of (expr/from-graph g {} {})
                                                     (into {} (map (replacement dims)) inputs))
                found (:graph (expr/to-graph out))
                {expected :values} (running/outcome #(eval/run g env))
                other-env (into {} (map (fn [[name]] [(symbol (str name ".new")) (env name)]))
                                inputs)]]
    (when expected
      (is (= found (whole/check-types found)) (str recipe))
      (is (every? true? (map same? expected (eval/run found other-env))) (str recipe)))))

(deftest dims-are-solved
  (let [bound (fn [from to]
                (:dims (substitute/in-place-of
                        [] {(d/input 'x [:f64 from]) (d/input 'y [:f64 to])})))]
    (is (= '{n 10} (bound '[n 3] [10 3])))
    (is (= '{n m} (bound '[n] '[m])))
    (is (= '{m 3} (bound [3] '[m])))
    (is (= '{n 5} (bound '[[:* 2 n]] [10])))
    (is (= '{n [:/ m 2]} (bound '[[:* 2 n]] '[m])))
    (is (= '{n 9} (bound '[[:- n 1] n] [8 9])))
    (is (= '{} (bound '[[:* n m]] [12])) "left to the call")
    (doseq [[from to] '[[[3] [4]] [[n n] [3 4]] [[[:* 2 n]] [7]] [[n] [[:+ n 1]]] [[[:+ n 5]] [3]]]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"never equal" (bound from to))
          (pr-str from to)))))

(deftest minibatches-as-tutorials-write-them
  (let [data (vec (for [k (range 12)] [k (- 1 k) 2])), labels (vec (map #(mod % 3) (range 12)))
        xs (d/shared 'xs (d/tensor data :f64)), ys (d/shared 'ys (d/tensor labels))
        w (d/shared 'w (d/zeros [3 3]))
        x (d/input 'x '[:f64 [n 3]]), y (d/input 'y '[:i64 [n]]), i (d/input 'index [:i64 []])
        p (d/softmax (d/dot x w))
        cost (d/mean (d/neg (d/log (d/index p (d/arange (first (d/shape y))) y))))
        batch [(d/mul i 4) (d/mul (d/add i 1) 4)]
        options {:updates {w (d/sub w (d/mul 0.1 (d/grad cost w)))}}
        train (d/function [i] cost (assoc options :givens {x (d/index xs batch)
                                                           y (d/index ys batch)}))
        losses (mapv #(deref (train %)) [0 1 2])
        trained @(d/value w)]
    (d/set-value! w (d/zeros [3 3]))
    (let [by-hand (d/function [x y] cost options)
          part (fn [v k] (subvec v (* 4 k) (* 4 (inc k))))]
      (is (= losses (mapv #(deref (by-hand (part data %) (part labels %))) [0 1 2])))
      (is (= trained @(d/value w))))
    (doseq [k [3 -1]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"must lie between" (train k))))))
