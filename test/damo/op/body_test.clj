(ns damo.op.body-test
  "Graphs as values: what is equal, what is refused, paths, files, dims."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.op.body :as body]
            [damo.op.closing :as closing]
            [damo.op.whole :as whole])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private y (d/input 'y [:f64 ['n]]))

(defn- closed [f & args]
  (let [stand-ins (mapv expr/stand-in args)]
    (closing/closed [(apply f stand-ins)] stand-ins)))

(defn- body-of [f & args] (:body (apply closed f args)))

(defn- error [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(deftest graphs-that-differ-in-names-and-order-are-equal
  (let [one (fn [a b] (let [p (d/exp a), q (d/log b)] (d/add p q)))
        two (fn [u v] (let [q (d/log v), p (d/exp u)] (d/add p q)))]
    (is (= (body-of one x y) (body-of two y x) (body-of two x x)))
    (is (not= (body-of one x y) (body-of #(one %2 %1) x y)))
    (testing "and so are the nodes that hold them"
      (let [[f g] (map d/as-op [one two])]
        (is (= 1 (count (filter #(= :apply (first %))
                                (:nodes (d/graph [(f x y) (g x y)]))))))))))

(deftest what-is-captured-is-cut-at-the-largest
  (let [w (d/shared 'w 2.0)
        {:keys [body captured]} (closed #(d/mul % (d/exp (d/neg w)) (d/exp 1.0)) x)]
    (is (= ["(exp (neg w))"] (map str captured)))
    (is (= {0 [:f64 ['n]], 1 [:f64 []]} (body/params body)))
    (is (some #{:const} (map first (:nodes body))) "what needs nothing stays inside")))

(deftest what-is-no-body-is-refused
  (let [t [:f64 []]
        g (fn [inner & args]
            {:nodes (into [[:input {:name 'x, :type t}] [:input {:name 'i, :type [:i64 []]}]]
                          [(into [:apply {:body inner}] args)])
             :outputs [2]})]
    (are [inner args kind] (= kind (error #(whole/check-types
                                            (graph/check (apply g inner args)))))
      {:nodes [[:input {:name 'z, :type t}]], :outputs [0]} [0] :damo.body/not-closed
      {:nodes [[:param {:at 0, :type t}] [:exp {} 3]], :outputs [1]} [0] :damo.graph/bad-node
      {:nodes [[:param {:at 0, :type t}] [:expp {} 0]], :outputs [1]} [0] :damo.op/unknown-op
      {:nodes [[:param {:at 0, :type t}]], :outputs [0]} [1] :damo.body/wrong-argument
      {:nodes [[:param {:at 1, :type t}]], :outputs [0]} [0] :damo.body/wrong-argument
      {:nodes [[:param {:at 0, :type t}]], :outputs [0]} [0] nil)))

(deftest graphs-written-by-hand-become-canonical
  (let [t [:f64 []]
        file (doto (File/createTempFile "body" ".edn") .deleteOnExit)
        f (d/as-op #(d/add (d/exp %) 1.0))
        g (d/graph (f (d/input 'x t)))]
    (is (= g (d/read-graph (d/write-graph file g))) "files hold them")
    (spit file (pr-str {:nodes [[:input {:name 'x, :type t}]
                                [:apply {:body {:nodes [[:const {:type t, :value 1.0}]
                                                        [:sin {} 0]
                                                        [:param {:at 0, :type t}]
                                                        [:exp {} 2] [:add {} 3 0]]
                                                :outputs [4]}} 0]]
                        :outputs [1]}))
    (is (= (:nodes g) (:nodes (d/read-graph file))))))

(deftest dims-are-replaced-inside
  (let [f (d/as-op #(d/add % (d/iota [(first (second (expr/type-of %)))] :dtype :f64)))
        e (d/expr (d/graph (f x)) {'x (d/input 'z [:f64 [3]])})]
    (is (= [:f64 [3]] (d/type-of e)))
    (is (not-any? #{'n} (tree-seq coll? seq (d/graph e))))
    (is (= [0.0 2.0 4.0] @(d/eval e {'z [0 1 2]})))
    (is (= [0.0 2.0 4.0] @((d/function [x] (f x)) [0 1 2])))))

(deftest paths-lead-to-graphs
  (let [inner (d/as-op d/exp), outer (d/as-op #(d/neg (inner %))), g (d/graph (outer x))]
    (is (= [:param :apply :neg] (map first (:nodes (body/at g [1 :body])))))
    (is (= [:param :exp] (map first (:nodes (body/at g [1 :body 1 :body])))))
    (is (= 7 (body/node-count g)))
    (is (= :damo.body/no-such-graph (error #(body/at g [0 :body]))))))
