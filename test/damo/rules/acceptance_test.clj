(ns damo.rules.acceptance-test
  "What the rules are there for: inputs on which the plain formula fails, gradients through choices,
  and updates in the one form that becomes gemm. In any order of the rules inside their sets."
  (:require [clojure.edn :as edn]
            [clojure.test :refer [deftest is testing]]
            [clojure.walk :as walk]
            [damo.compile.pass :as pass]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.graph :as graph]
            [damo.diff :as diff]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.ops.all]
            [damo.rule.engine :as engine]
            [damo.rules.canonicalize :as canonicalize]
            [damo.rules.specialize :as specialize]
            [damo.rules.stabilize :as stabilize])
  (:import [java.util ArrayList Collections Random]))

(set! *warn-on-reflection* true)

(def ^:private phases [canonicalize/rules stabilize/rules specialize/rules])

(defn- shuffled
  "The phases with the rules of each set in an order of that seed; nil keeps the order."
  [seed]
  (if (nil? seed)
    phases
    (map (fn [set]
           (update set :rules
                   #(let [rules (ArrayList. ^java.util.Collection %)]
                      (Collections/shuffle rules (Random. seed))
                      (vec rules))))
         phases)))

(def ^:private orders [nil 1 2 3 4 5])

(defn- through
  ([g phases] (through g phases {}))
  ([g phases opts] (reduce (fn [g set] (:graph (engine/run g [set] opts))) g phases)))

(defn- built
  "[graph {name id}] of a form over leaves {name type}; names of shared variables are in `shared`."
  ([types form] (built types form #{}))
  ([types form shared]
   (let [b (graph/builder), emit (op/emitter b nil)
         leaf (fn [[s type]] [s (emit (if (shared s) :shared :input) {:name s :type type} [])])
         ids (into {} (map leaf) types)]
     [(graph/finish b [(op/instantiate! emit ids form)]) ids])))

(defn- gradient [[g ids] wrt]
  (let [{:keys [graph grads]} (diff/grad g (first (:outputs g)) [(ids wrt)] {})]
    (assoc graph :outputs grads)))

(defn- value [g env]
  (array/nested (first (eval/run g (update-vals env #(array/from-nested :f64 %))))))

(defn- form [g]
  (edn/read-string (pr-str (expr/form (first (expr/from-graph g {} {})) 12))))

(def ^:private inputs
  "[what type form value expected]: single values on which the plain formulas fail."
  '[["log(1 + e^x) does not overflow" [:f64 []] [:log [:add 1 [:exp x]]] 800.0 800.0]
    ["nor lose its tail" [:f64 []] [:log [:add 1 [:exp x]]] -800.0 0.0]
    ["log(1 - sigmoid x)" [:f64 []] [:log [:sub 1 [:sigmoid x]]] 50.0 -50.0]
    ["log(1 - sigmoid x), written out" [:f64 []]
     [:log [:sub 1 [:div 1 [:add 1 [:exp [:neg x]]]]]] 800.0 -800.0]
    ["log sigmoid" [:f64 []] [:log [:sigmoid x]] -800.0 -800.0]
    ["log(1 + x) of a small x" [:f64 []] [:log [:add x 1]] 1e-20 1e-20]
    ["e^x - 1 of a small x" [:f64 []] [:sub [:exp x] 1] 1e-20 1e-20]
    ["log softmax" [:f64 [2]] [:log [:softmax x]] [0.0 1000.0] [-1000.0 0.0]]
    ["log softmax, written out" [:f64 [2]] [:log [:div [:exp x] [:sum [:exp x]]]]
     [0.0 1000.0] [-1000.0 0.0]]
    ["softmax of rows, written out" [:f64 [1 2]]
     [:div [:exp x] [:sum {:axis 1 :keepdims true} [:exp x]]] [[0.0 1000.0]] [[0.0 1.0]]]
    ["log Σ e^x" [:f64 [2]] [:log [:sum [:exp x]]] [-1000.0 1000.0] 1000.0]
    ["log of a running sum" [:f64 [2]] [:log [:cumsum [:exp x]]] [-1000.0 1000.0] [-1000.0 1000.0]]
    ["two classes, sure and wrong" [:f64 []] [:binary-cross-entropy [:sigmoid x] 0.0] 800.0 800.0]
    ["classes, sure and wrong" [:f64 [2]]
     [:categorical-cross-entropy [:softmax x] [:neg [:argmin x]]] [0.0 1000.0] 1000.0]
    ["log(e^a + e^b)" [:f64 []] [:log [:add [:exp x] [:exp [:neg x]]]] 800.0 800.0]])

(deftest values-where-plain-formulas-fail
  (doseq [order orders, [what type formula x expected] inputs]
    (testing (str what ", order " order)
      (let [[g] (built {'x type} formula)]
        (is (= expected (value (through g (shuffled order)) {'x x})))))))

(def ^:private gradients
  "[what form x expected]: derivatives by x at a point."
  '[["the branch not taken does not matter" [:where [:lt x 7] x [:sqrt [:sub x 7]]] 5.0 1.0]
    ["nor does it when it is the first" [:where [:ge x 7] [:sqrt [:sub x 7]] x] 5.0 1.0]
    ["nor behind a quotient" [:where [:lt x 0] x [:div x [:sqrt x]]] -1.0 1.0]
    ["the branch taken counts" [:where [:lt x 7] x [:sqrt [:sub x 7]]] 11.0 0.25]
    ["softplus, written out" [:log [:add 1 [:exp x]]] 800.0 1.0]
    ["a loss of sigmoid, sure and wrong" [:binary-cross-entropy [:sigmoid x] 0.0] 800.0 1.0]
    ["the same at the other end" [:binary-cross-entropy [:sigmoid x] 1.0] -800.0 -1.0]
    ["x log x through a choice" [:where [:gt x 0] [:mul x [:log x]] 0] 0.0 0.0]])

(deftest gradients-through-choices
  (doseq [order orders, [what formula x expected] gradients]
    (testing (str what ", order " order)
      (let [g (gradient (built '{x [:f64 []]} formula) 'x)]
        (is (= expected (value (through g (shuffled order)) {'x x})))))))

(deftest the-gradient-at-a-label-through-softmax-is-finite
  (doseq [order orders]
    (let [types '{x [:f64 [2 3]], i [:i64 [2]]}
          g (gradient (built types '[:sum [:categorical-cross-entropy [:softmax x] i]]) 'x)
          env {'x (array/of :f64 [2 3] [0 0 1000 0 1000 0]), 'i (array/of :i64 [2] [0 1])}]
      (is (= [[-1.0 0.0 1.0] [0.0 0.0 0.0]]
             (array/nested (first (eval/run (through g (shuffled order)) env))))
          (str "order " order)))))

(deftest nothing-is-computed-for-x-minus-x
  (let [[g] (built '{x [:f64 [n 3]]} '[:sub x x])]
    (is (= '(broadcast-to 0.0 :shape [n 3]) (form (through g phases))))))

(def ^:private sums-of-nothing
  "[what form]: sums over m = 0 elements of what is scaled by 1/m."
  '[["a mean of nothing, then summed over nothing" [:sum {:axis 0} [:mean {:axis 1} x]]]
    ["a quotient by the number of elements" [:sum {:axis [0 1]} [:mul x [:div 1 c]]]]
    ["repeated, then summed" [:add [:sum x] [:sum [:broadcast-to {:shape [m]} [:div 1 c]]]]]
    ["in a product of matrices"
     [:sum [:matmul [:transpose [:div x c]] [:ones {:shape [n 2], :dtype :f64}]]]]])

(deftest a-sum-of-nothing-is-zero-whatever-it-is-scaled-by
  (doseq [order orders, [what sum-form] sums-of-nothing]
    (testing (str what ", order " order)
      (let [n-elements [:sum [:ones {:shape '[m], :dtype :f64}]]
            [g] (built '{x [:f64 [n m]]} (walk/postwalk-replace {'c n-elements} sum-form))
            rewritten (through (pass/expand (through g (shuffled order)))
                               [canonicalize/rules specialize/rules])
            value-of #(array/nested (first (eval/run % {'x (array/full :f64 [0 0] 0)})))]
        (is (= 0.0 (value-of g) (value-of rewritten)))))))

;; ## Updates

(def ^:private rate '[:mul 0.1 ?g])

(defn- update-form
  "The form of w - 0.1·(gradient of the mean of `loss`) after all phases, composites expanded and
  specialized again; leaves as for `built`."
  [types loss wrt opts]
  (let [[g ids] (built types [:mean loss] #{wrt})
        g (gradient [g ids] wrt)
        b (graph/builder), old (graph/load-graph! b g)
        out (op/instantiate! (op/emitter b nil) {'?w (old (ids wrt)) '?g (old (first (:outputs g)))}
                             [:sub '?w rate])]
    (form (through (pass/expand (through (graph/finish b [out]) phases opts))
                   [canonicalize/rules specialize/rules] opts))))

(deftest updates-have-one-form-when-products-are-regrouped
  (testing "a matrix of weights: w minus a scalar times a product with a transposed operand"
    (is (= '(sub w (mul (div 0.2 (cast (dim :dim [:max 1 [:* 4 n]]) :dtype :f64))
                        (matmul (transpose x :axes [1 0]) (matmul x w))))
           (update-form '{x [:f64 [n 3]], w [:f64 [3 4]]} '[:sqr [:dot x w]] 'w {:regroup true}))))
  (testing "an update against the gradient of a loss with a minus sign adds"
    (is (= '(add w (mul (div 0.2 (cast (dim :dim [:max 1 [:* 4 n]]) :dtype :f64))
                        (matmul (transpose x :axes [1 0]) (matmul x w))))
           (update-form '{x [:f64 [n 3]], w [:f64 [3 4]]} '[:neg [:sqr [:dot x w]]] 'w
                        {:regroup true}))))
  (testing "a row of biases: one scaled sum"
    (is (= '(sub b (mul (div 0.1 (cast (dim :dim [:max 1 [:* 3 n]]) :dtype :f64))
                        (sum (cos (add x b)) :axis [0])))
           (update-form '{x [:f64 [n 3]], b [:f64 [3]]} '[:sin [:add x b]] 'b {:regroup true})))))

(deftest updates-are-products-that-accumulate-in-any-case
  (doseq [[loss sign] '[[[:sqr [:dot x w]] sub] [[:neg [:sqr [:dot x w]]] sub]]]
    (let [types '{x [:f64 [n 3]], w [:f64 [3 4]]}
          [minus w [times rate [product]]] (update-form types loss 'w {})]
      (is (= [sign 'w 'mul 0.1 'matmul] [minus w times rate product])))))
