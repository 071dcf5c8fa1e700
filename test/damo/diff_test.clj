(ns damo.diff-test
  "Tests of derivatives: the rules of accumulation and the failures on small graphs.
  The laws of both modes of every op are in damo.laws.ops-test."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff :as diff]
            [damo.laws.modes :as modes]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.whole :as whole]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Small graphs

(defn- built
  "[graph {name id}] of let-like pairs name template; a template that is a type is an input of that
  name. The last name is the output."
  [& pairs]
  (let [b (graph/builder), emit (op/emitter b nil)
        ids (reduce (fn [ids [s t]]
                      (assoc ids s (cond (type/type? t) (emit :input {:name s :type t} [])
                                         (= :input (first t)) (emit :input (second t) [])
                                         :else (op/instantiate! emit ids t))))
                    {} (partition 2 pairs))]
    [(graph/finish b [(ids (last (butlast pairs)))]) ids]))

(defn- values
  "The values of the nodes `ids` of a graph; env maps names to nested vectors of :f64."
  [graph ids env]
  (let [dtypes (into {} (keep (fn [[_ {:keys [name type]}]] (when name [name (first type)])))
                     (:nodes graph))
        arrays (into {} (map (fn [[s x]] [s (array/from-nested (dtypes s) x)])) env)]
    (mapv array/nested (eval/run (assoc graph :outputs ids) arrays))))

(defn- grads-of [[g ids] cost wrt opts env]
  (let [{:keys [graph grads]} (diff/grad g (ids cost) (mapv ids wrt) opts)]
    (values graph grads env)))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (ex-message e)])))

(deftest gradients-of-small-graphs
  (testing "contributions of several uses are added"
    (is (= [7.0] (grads-of (built 'x [:f64 []] 'y '[:add [:mul x x] x]) 'y '[x] {} {'x 3.0}))))
  (testing "what broadcasting stretched is summed"
    (is (= [[[1.0 10.0] [1.0 10.0]] [6.0 8.0]]
           (grads-of (built 'x [:f64 [2 2]] 'r [:f64 [2]] 'y '[:sum [:mul x r]])
                     'y '[x r] {} {'x [[1.0 2.0] [5.0 6.0]] 'r [1.0 10.0]}))))
  (testing "the cost by itself is 1"
    (is (= [1.0] (grads-of (built 'x [:f64 []] 'y '[:exp x]) 'y '[y] {} {'x 3.0}))))
  (testing "wrt may lie between: gradients are total"
    (is (= [4.0 2.0] (grads-of (built 'x [:f64 []] 'm '[:mul 2 x] 'y '[:mul 2 m])
                               'y '[x m] {} {'x 1.0}))))
  (testing "a derivative of 0 is connected, with zeros"
    (is (= [[0.0 0.0]] (grads-of (built 'x [:f64 [2]] 'y '[:sum [:floor x]])
                                 'y '[x] {} {'x [1.5 2.5]})))))

(deftest gradients-have-the-type-of-what-they-differentiate
  (let [[g ids] (built 'x [:f32 ['n]] 'w [:f64 []] 'y '[:sum [:mul [:cast {:dtype :f64} x] w]])
        {:keys [graph grads]} (diff/grad g (ids 'y) [(ids 'x) (ids 'w)] {})]
    (is (= [[:f32 ['n]] [:f64 []]] (map #(graph/type-of graph %) grads)))
    (is (= (:nodes g) (subvec (:nodes graph) 0 (count (:nodes g)))) "ids are kept")
    (is (= graph (graph/check graph)))
    (is (= (:nodes graph) (:nodes (whole/check-types graph))))))

(deftest options-of-grad
  (let [example (built 'x [:f64 []] 'm '[:mul x x] 'g [:f64 []] 'y '[:add m x])
        [_ ids] example]
    (testing "consider-constant cuts a path"
      (is (= [1.0] (grads-of example 'y '[x] {:consider-constant [(ids 'm)]} {'x 3.0}))))
    (testing "a known gradient replaces the computed one, with or without a cost"
      (is (= [601.0] (grads-of example 'y '[x] {:known-grads {(ids 'm) (ids 'g)}}
                               {'x 3.0 'g 100.0})))
      (let [[g] example
            {:keys [graph grads]} (diff/grad g nil [(ids 'x)] {:known-grads {(ids 'm) (ids 'g)}})]
        (is (= [600.0] (values graph grads {'x 3.0 'g 100.0})))))
    (testing "disconnected: ignored with zeros, or raised"
      (is (= [0.0] (grads-of example 'y '[g] {:disconnected :ignore} {'x 3.0 'g 5.0})))
      (is (= ::diff/disconnected
             (first (error-of #(grads-of example 'y '[g] {} {'x 3.0 'g 5.0}))))))
    (testing "disconnected: a warning names the node"
      (let [out (java.io.StringWriter.)]
        (binding [*err* out]
          (is (= [0.0] (grads-of example 'y '[g] {:disconnected :warn} {'x 3.0 'g 5.0}))))
        (is (str/includes? (str out) "input g"))))))

(deftest failures-of-grad
  (testing "the cost is one float"
    (let [[kind message] (error-of #(grads-of (built 'x [:f64 [3]] 'y '[:exp x]) 'y '[x] {} {}))]
      (is (= ::diff/non-scalar-cost kind))
      (is (str/includes? message "[:f64 [3]]"))
      (is (str/includes? message "sum or mean"))))
  (testing "a computed integer is no cost"
    (is (= ::diff/non-scalar-cost
           (first (error-of #(grads-of (built 'i [:i64 []] 'y '[:mul i i]) 'y '[i] {} {}))))))
  (testing "paths through integers do not count"
    (is (= ::diff/disconnected
           (first (error-of #(grads-of (built 'x [:f64 []] 'y '[:exp [:cast {:dtype :i64} x]])
                                       'y '[x] {} {}))))))
  (testing "a seed has the type of its node"
    (let [[g ids] (built 'x [:f64 [3]] 'u [:f64 [2]] 'y '[:exp x])]
      (is (= ::diff/bad-seed
             (first (error-of #(diff/lop g [(ids 'y)] [(ids 'u)] [(ids 'x)] {}))))))))

(deftest a-derivative-of-another-shape-is-an-error
  (let [name :diff-test-misfit]
    (try
      (op/register! {:name name, :kind :host, :args ['?x], :type (fn [_ [x]] x)
                     :eval (fn [_ x] x), :lop [[:expand-dims {:axis 0} '?g]], :rop '?dx})
      (let [[kind message] (error-of #(grads-of (built 'x [:f64 [3]] 'y [:sum [name 'x]]) 'y '[x]
                                                {} {}))]
        (is (= ::diff/bad-derivative kind))
        (is (str/includes? message "in argument 0 has the shape [1 3], the argument [3]")))
      (finally (swap! op/registry dissoc name)))))

(deftest an-op-without-gradient-says-why
  (let [name :diff-test-opaque]
    (try
      (op/register! {:name name, :kind :elementwise, :args ['?x], :type :float, :eval identity
                     :no-gradient "it is opaque"})
      (let [[kind message] (error-of #(grads-of (built 'x [:f64 []] 'y [name 'x]) 'y '[x] {} {}))]
        (is (= ::diff/not-implemented kind))
        (is (str/includes? message "it is opaque"))
        (is (str/includes? message "expression: (diff-test-opaque x)")))
      (is (= [1.0] (grads-of (built 'x [:f64 []] 'y [:add 'x [name 'x]]) 'y '[x]
                             {:consider-constant [1]} {'x 2.0})))
      (finally (swap! op/registry dissoc name)))))

(deftest three-outcomes
  (let [x [:f64 [2]]
        itself {:nodes [[:param {:at 0, :type x}]], :types [x], :outputs [0]}
        outcome (fn [y] [(first (error-of #(grads-of (built 'x x 'y y) 'y '[x] {} {'x [1.0 2.0]})))
                         (first (error-of #(let [[g ids] (built 'x x 'y y)]
                                             (diff/rop g [(ids 'y)] [(ids 'x)] [(ids 'x)] {}))))])]
    (is (= [::diff/disconnected ::diff/disconnected] (outcome '[:sum [:disconnected-grad x]])))
    (is (= [::diff/undefined ::diff/undefined] (outcome '[:sum [:undefined-grad x]])))
    (is (= [::diff/not-implemented ::diff/not-implemented]
           (outcome [:sum [:with-derivative {:body itself, :lop "none", :rop "none"} 'x]])))
    (is (= [nil nil] (outcome '[:sum [:zero-grad x]])))))

(deftest integers-count-as-real-numbers
  (testing "dx/dx is 1, and the gradient is a float"
    (is (= [1.0] (grads-of (built 'i [:i64 []] 'y '[:exp i]) 'i '[i] {} {'i 12})))
    (let [[g ids] (built 'i [:i8 [3]] 'y '[:sum [:sigmoid i]])
          {:keys [graph grads]} (diff/grad g (ids 'y) [(ids 'i)] {})]
      (is (= [:f32 [3]] (graph/type-of graph (first grads))))))
  (testing "the gradient by an integer is that by the float of its value"
    (let [by (fn [dtype x] (grads-of (built 'x [dtype [2]] 'w [:f64 [2 3]]
                                            'y '[:sum [:sigmoid [:dot x w]]])
                                     'y '[x w] {} {'x x 'w [[1.0 2.0 3.0] [4.0 5.0 -6.0]]}))]
      (is (= (by :f64 [1.0 -1.0]) (by :i64 [1 -1])))))
  (testing "computed integers pass nothing on, a cast from an integer does"
    (is (= [[2.0 2.0]] (grads-of (built 'i [:i64 [2]] 'y '[:sum [:add [:mul 2.0 i]
                                                                 [:cast {:dtype :f64} [:mul i i]]]])
                                 'y '[i] {} {'i [3 4]}))))
  (testing "x + cast(x, int) differentiates the first only"
    (is (= [1.0] (grads-of (built 'x [:f64 []] 'y '[:add x [:cast {:dtype :i64} x]])
                           'y '[x] {} {'x 2.5}))))
  (testing "with respect to a computed integer"
    (is (= [(Math/exp 6.0)] (grads-of (built 'i [:i64 []] 'm '[:mul i 2] 'y '[:exp m])
                                      'y '[m] {} {'i 3}))))
  (testing "an index has no gradient: it is disconnected"
    (let [example (built 'x [:f64 [3]] 'i [:i64 [2]] 'y '[:sum [:take x i]])]
      (is (= ::diff/disconnected (first (error-of #(grads-of example 'y '[i] {} {})))))
      (is (= [[1.0 0.0 1.0]] (grads-of example 'y '[x] {} {'x [1.0 2.0 3.0] 'i [0 2]})))))
  (testing "tangents of integers are floats"
    (let [[g ids] (built 'i [:i64 []] 'v [:f64 []] 'y '[:exp i])
          {:keys [graph grads]} (diff/rop g [(ids 'y)] [(ids 'i)] [(ids 'v)] {})]
      (is (= [(* 0.5 (Math/exp 2.0))] (values graph grads {'i 2 'v 0.5}))))))

(deftest what-is-not-chosen-has-no-gradient
  (let [slope (fn [y & xs] (ffirst (grads-of (built 'x [:f64 [1]] 'y [:sum y]) 'y '[x] {}
                                             {'x (vec xs)})))]
    (testing "where"
      (is (= 1.0 (slope '[:where [:lt x 7] x [:sqrt [:sub x 7]]] 5.0)))
      (is (= 0.5 (slope '[:where [:lt x 7] x [:sqrt [:sub x 7]]] 8.0)))
      (is (= 0.0 (slope '[:where [:gt x 0] [:log x] 0.0] 0.0)))
      (is (= 0.0 (slope '[:where [:gt x 0] 0.0 [:pow x 0.5]] 2.0))))
    (testing "through several steps, each with an infinite slope"
      (is (= 0.0 (slope '[:where [:gt x 0] [:log [:neg [:sqrt [:div 3.0 x]]]] 0.0] 0.0))))
    (testing "through views and casts"
      (is (= 1.0 (slope '[:add x [:sum [:where [:gt [:expand-dims {:axis 1} x] 0]
                                        [:cast {:dtype :f64} [:expand-dims {:axis 1} [:sqrt x]]]
                                        0.0]]]
                        0.0))))
    (testing "choices one inside the other"
      (is (= 0.0 (slope '[:where [:gt x 0] [:where [:gt x 1] [:log x] [:sqrt x]] 0.0] 0.0)))
      (is (= 0.0 (slope '[:relu [:log x]] 0.0)))
      (is (= 0.0 (slope '[:maximum 0.5 [:sqrt x]] 0.0)))
      (is (= 0.0 (slope '[:clip [:log x] -3.0 3.0] 0.0))))))

(deftest masked-gradients-stay-linear
  (let [chain (fn [n] (let [b (graph/builder), emit (op/emitter b nil)
                            x (emit :input {:name 'x :type [:f64 []]} [])
                            step #(op/instantiate! emit {'?x %} '[:relu [:mul ?x [:sqrt ?x]]])
                            y (nth (iterate step x) n)]
                        (-> (diff/grad (graph/finish b [y]) y [x] {}) :graph :nodes count)))
        [a b c] (map chain [100 200 300])]
    (is (= (- b a) (- c b)))))

(deftest new-nodes-carry-the-source-of-what-they-differentiate
  (let [[g ids] (built 'x [:f64 []] 'y '[:tanh x])
        g (assoc-in g [:notes (ids 'y) :src] {:file "model.clj" :line 7})
        {:keys [graph grads]} (diff/grad g (ids 'y) [(ids 'x)] {})]
    (is (= {:file "model.clj" :line 7} (get-in graph [:notes (first grads) :src])))))

(deftest only-nodes-between-are-differentiated
  (let [[g ids] (built 'x [:f64 [3]] 'z [:f64 [3]] 'y '[:sum [:mul x [:tanh [:exp z]]]])
        {:keys [graph]} (diff/grad g (ids 'y) [(ids 'x)] {})]
    (is (= 1 (count (filter #(= :tanh (first %)) (:nodes graph)))))
    (is (not-any? #{:sqr} (map first (:nodes graph))))))

(defn- chain [n]
  (let [b (graph/builder), emit (op/emitter b nil)
        x (emit :input {:name 'x :type [:f64 []]} [])
        y (loop [k 0, id x] (if (< k n) (recur (inc k) (emit :neg {} [(op/->Id id)])) id))]
    [(graph/finish b [y]) {'x x 'y y}]))

(deftest long-chains
  (testing "values, on 1000 nodes"
    (let [[g {:syms [x y]} :as example] (chain 1000)
          {:keys [graph grads]} (diff/rop g [y] [x] [x] {})]
      (is (= [1.0] (grads-of example 'y '[x] {} {'x 2.0})))
      (is (= [5.0] (values graph grads {'x 5.0})))))
  (testing "no recursion and one new node an old one, on 10000 nodes"
    (let [[g {:syms [x y]}] (chain 10000)]
      (is (= 20002 (count (:nodes (:graph (diff/grad g y [x] {}))))))
      (is (= 10001 (count (:nodes (:graph (diff/rop g [y] [x] [x] {})))))))))

(deftest forward-mode
  (let [[g ids] (built 'x [:f64 [2]] 'v [:f64 [2]] 'y '[:mul x [:sum x]])
        {:keys [graph grads]} (diff/rop g [(ids 'y)] [(ids 'x)] [(ids 'v)] {})]
    (is (= [[60.0 120.0]] (values graph grads {'x [1.0 2.0] 'v [10.0 20.0]}))
        "v Σx + x Σv = [30 60] + [30 60]"))
  (let [[g ids] (built 'x [:f64 [2]] 'z [:f64 [2]] 'y '[:exp x])]
    (is (= ::diff/disconnected
           (first (error-of #(diff/rop g [(ids 'y)] [(ids 'z)] [(ids 'z)] {})))))))

(def ^:private smooth-functions
  '[[:sum [:tanh [:mul x y]]]
    [:mean [:sqr [:sub [:softmax x] y]]]
    [:logsumexp [:mul [:exp x] [:sigmoid y]]]
    [:sum [:mul [:log-softmax x] y]]
    [:sum [:sqr [:matmul x [:transpose y]]]]
    [:sum [:var {:axis 1} [:mul x y]]]
    [:sum [:pow [:softplus x] [:sigmoid y]]]])

(deftest gradients-of-gradients
  (doseq [f smooth-functions]
    (testing (str f)
      (let [[g ids] (built 'x [:f64 [2 3]] 'y [:f64 [2 3]] 'f f)
            {:keys [graph grads]} (diff/grad g (ids 'f) [(ids 'x)] {})
            random (Random. 7)
            env {'x (modes/random-values random [2 3]), 'y (modes/random-values random [2 3])}]
        (is (= [] (modes/disagreements (assoc graph :outputs grads) env 7)))))))
