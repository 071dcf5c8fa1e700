(ns damo.laws.parts-test
  "Nodes of several results: what they give, compiled and interpreted, is what ops of one result
  give, bit for bit, in derivatives of both modes, too; and they are computed once."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.data.graph :as graph]
            [damo.data.transfer :as transfer]
            [damo.data.tuple :as tuple]
            [damo.meaning.eval :as eval]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

(use-fixtures :each (fn [test]
                      (let [before @op/registry]
                        (try (test) (finally (reset! op/registry before))))))

(defn- error-of [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

(defn- result-of
  "What one output of a call is, printed, so that signs of zeros and NaN count."
  [t]
  (pr-str @t))

;; ## The single ops

(def ^:private pairs
  "Functions of several results, and the functions of each by itself."
  {"max-and-argmax" [d/max-and-argmax [d/max d/argmax] [[:axis 0] [:axis -1 :keepdims true] []]]
   "min-and-argmin" [d/min-and-argmin [d/min d/argmin] [[:axis 0] [:axis -1 :keepdims true] []]]
   "sort-and-argsort" [d/sort-and-argsort [d/sort d/argsort] [[:axis 0] [:descending true] []]]
   "topk-and-argtopk" [d/topk-and-argtopk [d/topk d/argtopk] [[2] [3 :axis 0 :largest false]]]})

(def ^:private numbers
  "Lines with ties, zeros of both signs, infinities and NaN; and such without NaN."
  [[[0.0 -0.0 3.5 3.5 ##NaN] [-0.0 0.0 ##Inf -2.0 ##-Inf] [1.0 ##NaN 1.0 ##NaN -0.0]]
   [[-0.0 -0.0 0.0 -1.5 -1.5] [0.0 -0.0 0.0 -0.0 0.0] [7.0 7.0 7.0 -7.0 -7.0]]])

(defn- data-of [dtype]
  (case dtype
    :bool [[[true false true false true] [false false false false false]
            [true true true true true]]]
    (:i64 :i8 :u8) [[[3 1 3 0 1] [7 7 7 7 7] [0 5 4 3 127]]]
    numbers))

(defn- meanings
  "What the reference says of single ops."
  [es x]
  (let [{:keys [graph]} (expr/to-graph es)] (mapv array/nested (eval/run graph {'x x}))))

(deftest results-are-those-of-the-single-ops
  (doseq [[what [both singles options]] pairs, dtype [:f64 :f32 :f16 :i64 :u8 :bool]
          shape ['[n m] [3 5]], given options, data (data-of dtype)
          :let [x (d/input 'x [dtype shape]), t (d/tensor data dtype)
                expected (meanings (mapv #(apply % x given) singles) (transfer/->array t))
                es (apply both x given)]
          mode [:fast-run :none]]
    (is (= (map pr-str expected) (map result-of ((d/function [x] es {:mode mode}) t)))
        (str what " " dtype " " shape " " (vec given) " " mode))))

(deftest long-lines-are-sorted-with-their-permutation
  (doseq [dtype [:f64 :f32 :i64 :i8 :bf16], n [1 2 383 385 5000], descending [false true]
          :let [numbers (map #(mod (* 7919 %) 251) (range n))
                t (d/tensor (map #(if (zero? (mod % 5)) 0 (quot (- % 125) 2))
                                 numbers)
                            dtype)
                x (d/input 'x [dtype ['n]])
                run (fn [es] (map deref ((d/function [x] es) t)))
                [sorted order] (run (d/sort-and-argsort x :descending descending))
                values @t]]
    (is (= sorted (map values order)) [dtype n descending])
    (is (= [sorted order] (concat (run [(d/sort x :descending descending)])
                                  (run [(d/argsort x :descending descending)])))
        (str dtype " " n " " descending))))

(defn- same-zeros
  "Data printed, with zeros of one sign: which of equal zeros is kept is not said."
  [data]
  (str/replace (pr-str data) "-0.0" "0.0"))

(deftest distinct-values-with-counts-and-places
  (doseq [dtype [:f64 :f32 :f16 :i64 :u8 :bool], shape ['[n m] [3 5]], data (data-of dtype)
          mode [:fast-run :none]
          :let [x (d/input 'x [dtype shape]), t (d/tensor data dtype)
                line (d/sort (d/flatten x)), values (d/unique x)
                place (fn [side] (d/searchsorted line values :side side))
                run (fn [es] (map deref ((d/function [x] es {:mode mode}) t)))
                {:keys [counts inverse] all :values} (d/unique-all x)]]
    (is (= (same-zeros (run [values (d/sub (place :right) (place :left))
                             (d/searchsorted values x)]))
           (same-zeros (run [all counts inverse])))
        (str dtype " " shape " " mode)))
  (testing "of nothing"
    (let [x (d/input 'x [:f64 ['n]]), {:keys [values counts inverse]} (d/unique-all x)]
      (is (= [[0] [0] [0]] (map d/shape ((d/function [x] [values counts inverse])
                                         (d/zeros [0]))))))))

;; ## Computed once

(defn- steps-of [es]
  (let [x (d/input 'x [:f64 ['n 'm]]), p (d/program (d/function [x] (es x)))]
    (into [] (keep (fn [{:keys [kernel]}] (some->> kernel (nth (:kernels p)) :name)))
          (:steps p))))

(deftest several-results-are-one-kernel
  (doseq [es [#(d/max-and-argmax % :axis 1) #(vector (d/argmax % :axis 1) (d/max % :axis 1))]]
    (is (= ["max-and-argmax"] (steps-of es))))
  (testing "but where elements of a line lie apart the place is a reduction that needs the element"
    (is (= (steps-of #(vector (d/max % :axis 0) (d/argmax % :axis 0)))
           (steps-of #(d/max-and-argmax % :axis 0)))))
  (doseq [es [d/sort-and-argsort #(vector (d/sort %) (d/argsort %))
              #(let [[sorted order] (d/sort-and-argsort %)] [(d/argsort %) sorted order])]]
    (is (= ["sort-and-argsort"] (take 1 (steps-of es)))))
  (is (= 1 (count (filter #{"sort-and-argsort"}
                          (steps-of #(vector (d/topk % 2) (d/argtopk % 2) (d/sort %)))))))
  (is (= 1 (count (filter #{"sort" "argsort" "sort-and-argsort"}
                          (steps-of (fn [x] (vals (d/unique-all x))))))))
  (testing "and a value is used in the loop that finds it"
    (is (= 1 (count (steps-of (fn [x] (let [[m i] (d/max-and-argmax x :axis 1 :keepdims true)]
                                        [(d/div x m) i (d/sum (d/sub x m) :axis 1)]))))))))

(deftest a-result-alone-is-what-its-op-computes
  (let [x (d/input 'x [:f64 ['n 'm]])
        program (fn [e] (dissoc (d/program (d/function [x] e)) :notes))]
    (doseq [[what [both singles options]] pairs, given options, at [0 1]
            :let [single (nth singles at)]]
      (is (= (program (apply single x given)) (program (nth (apply both x given) at)))
          (str what " " (vec given) " " at)))
    (is (= (program (d/unique x)) (program (:values (d/unique-all x)))))
    (is (= ["sort"] (filter #{"sort" "argsort" "sort-and-argsort"}
                            (steps-of (fn [x] [(:counts (d/unique-all x))])))))))

(deftest parts-of-constants-are-constants
  (let [c (d/tensor [3.0 1.0 2.0 1.0])]
    (doseq [[es values] [[(d/max-and-argmax c) [3.0 0]]
                         [(d/sort-and-argsort c) [[1.0 1.0 2.0 3.0] [1 3 2 0]]]]
            :let [f (d/function [] es)]]
      (is (= values (map deref (f))))
      (is (every? #{"copy"} (map :name (:kernels (d/program f))))))))

;; ## Derivatives

(defn- derivatives
  "Gradient, tangent, Jacobian and Hessian of costs made of the results (f x)."
  [f]
  (let [x (d/input 'x [:f64 ['n]]), w (d/input 'w [:f64 ['n]])
        [value index] (f x)
        weights (d/add 1 (d/cast index :f64))
        cost (d/sum (d/mul weights value value value))]
    (map deref ((d/function [x w] [(d/grad cost x) (d/rop value x w) (d/jacobian (d/sqr value) x)
                                   (d/hessian cost x) (d/rop (d/grad cost x) x w)])
                [3.5 -1.5 7.25 0.5 2.25] [1.0 -2.0 0.5 4.0 -0.25]))))

(deftest derivatives-are-those-of-the-single-ops
  (doseq [[what [both singles _]] pairs
          :let [given (if (= what "topk-and-argtopk") [3] [])
                split (fn [x] (mapv #(apply % x given) singles))]]
    (is (= (derivatives split) (derivatives #(apply both % given))) what))
  (is (= (derivatives (fn [x] [(d/unique x) (d/sub (d/argsort (d/unique x)) 0)]))
         (derivatives (fn [x] (let [{:keys [values counts]} (d/unique-all x)]
                                [values (d/mul (d/argsort values) counts)])))))
  (testing "of several results at once, and of one that has none"
    (let [x (d/input 'x [:f64 ['n]]), [value index] (d/max-and-argmax x)]
      (is (= [[0.0 1.0]] (map deref ((d/function [x] [(d/grad value x)]) [1 2]))))
      (is (= :damo.diff/disconnected (first (error-of #(d/grad (d/cast index :f64) x))))))))

;; ## Ops of several results of any sort

(defn- three-results!
  "An op of three results of different dtypes and shapes, one of counted extent."
  []
  (op/register!
   {:name :three, :kind :composite, :args '[?x ?y], :ns 'damo.ops.parts-test
    :doc "For a test.", :attrs {:as {:is :counted, :default nil, :doc "The dim."}}
    :counts {:of "three", :by [0], :dims (fn [{{:keys [as]} :attrs, [[_ [n]]] :types}] {as n})}
    :type (fn [{:keys [as]} [[dtype [n]] [_ [m]]]]
            (tuple/of [[dtype [as]] [:f32 [m n]] [:bool []]]))
    :expand (fn [{{:keys [as]} :attrs, [[_ [n]] [_ [m]]] :types}]
              [:tuple [:compress {:as as, :axis 0} [:gt '?x 0] '?x]
               [:mul [:reshape {:shape [m 1]} '?y] [:cast {:dtype :f32}
                                                    [:reshape {:shape [1 n]} '?x]]]
               [:any [:gt '?x 2]]])})
  (op/caller :three))

(deftest any-op-may-have-several-results
  (let [three (three-results!), x (d/input 'x [:f64 ['n]]), y (d/input 'y [:f32 ['m]])
        [kept product big :as es] (three x y)
        expected [[3.0 1.0] [[3.0 -1.0 1.0] [6.0 -2.0 2.0]] true]]
    (is (= [[:f32 '[m n]] [:bool []]] (map expr/type-of [product big])))
    (doseq [mode [:none :fast-compile :fast-run :debug :nan-guard]]
      (is (= expected (map deref ((d/function [x y] es {:mode mode}) [3 -1 1] [1 2]))) mode))
    (testing "in derivatives of both modes"
      (is (= [[[1.0 0.0 1.0] [9.0 9.0 9.0]] [1.0 1.0]]
             (d/eval [[(d/grad (d/sum kept) x)
                       (d/grad (d/sum (d/mul 3.0 (d/cast product :f64))) x)]
                      (d/rop kept x (d/ones-like x))]
                     {x [3 -1 1], y [1 2]}))))
    (testing "written and read"
      (let [{:keys [graph]} (expr/to-graph es), again (graph/check (edn/read-string (pr-str graph)))
            env {'x (array/of :f64 [3] [3 -1 1]), 'y (array/of :f32 [2] [1 2])}]
        (is (= graph again (whole/check-types again)))
        (is (= expected (map array/nested (eval/run again env))))))))

(deftest a-node-of-several-results-is-no-array
  (let [x (d/input 'x [:f64 ['n]]), both (op/node :sort-and-argsort {} [x])]
    (is (= [:damo.part/several-results true]
           (update (error-of #(d/neg both)) 1 #(boolean (re-find #"takes arrays; an argument has"
                                                                 %)))))
    (is (= :damo.part/no-such-part (first (error-of #(op/node :part {:at 2} [both])))))
    (is (= :damo.part/no-such-part (first (error-of #(op/node :part {:at 0} [x])))))))

(deftest kernels-of-the-application-have-one-result
  (op/register! {:name :two, :kind :host, :args '[?x], :ns 'damo.laws.parts-test
                 :doc "For a test.", :type (fn [_ [t]] (tuple/of [t t])), :eval (fn [_ x] [x x])})
  (let [x (d/input 'x [:f64 ['n]]), es ((op/caller :two) x)
        [kind message] (error-of #(d/function [x] es))]
    (is (= [[1.0 2.0] [1.0 2.0]]
           (mapv array/nested (eval/run (:graph (expr/to-graph es))
                                        {'x (array/of :f64 [2] [1 2])}))))
    (is (= :damo.plan/several-results kind))
    (is (re-find #"the op :two has 2 results, and is of the kind :host" message))
    (is (re-find #"written at: parts_test.clj:" message))))

(deftest dims-are-replaced-in-the-types-of-results
  (let [x (d/input 'x [:f64 ['n 'm]]), [m i] (d/max-and-argmax x :axis 1)
        y (d/input 'y [:f64 [2 3]])]
    (is (= [[3.0 6.0] [2 2]]
           (map deref ((d/function [y] [m i] {:givens {x y}}) [[1 2 3] [4 5 6]]))))))

(deftest updates-and-outputs-share-a-node
  (let [w (d/shared 'w [3.0 1.0 2.0]), x (d/input 'x [:f64 [3]])
        [sorted order] (d/sort-and-argsort (d/add w x))
        f (d/function [x] order {:updates {w sorted}})]
    (is (= [2 0 1] @(f [0 2 0.5])))
    (is (= [2.5 3.0 3.0] @w))))

(deftest generated-calls-choose-among-results
  (is (= #{0 1 2} (into #{} (keep #(:at (gens/case :unique-all :f64 3 %))) (range 40)))))
