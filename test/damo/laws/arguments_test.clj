(ns damo.laws.arguments-test
  "Whatever a public function is given, it returns a value or fails as Damo fails: with a message of
  its own, never with an exception of Clojure or the JVM. Calls that are right are spoiled one
  argument after the other; every function is called so."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is]]
            [damo.core :as d]
            [damo.face.parameters :as parameters]
            [damo.op :as op]
            [damo.op.gens :as gens]
            [damo.op.home :as home])
  (:import [clojure.lang ExceptionInfo]
           [java.io StringWriter]))

(set! *warn-on-reflection* true)

(def x (d/input 'x [:f32 ['n 3]]))
(def y (d/input 'y [:f32 ['n 3]]))
(def w (d/shared 'w (d/zeros [3] :f32)))
(def f (d/function [x] {:sum (d/sum x)}))
(def data (d/tensor [[1 2 3]] :f32))

(def ^:private folder
  (doto (io/file (System/getProperty "java.io.tmpdir") "damo-arguments-test") .mkdirs))

(defn- file [file-name] (str (io/file folder file-name)))

(def ^:private junk
  "Values of every kind that a user may have at hand."
  [nil 3 -1 0 0.5 1/2 true \c ##NaN (file "missing") :foo 'n {} {:a 1} {x x} [] [1 2] [[1] [2 3]]
   [:a nil] [x w] [nil] #{1} (fn [& _] 7) (Object.) x w (d/sum x) (d/tensor [1 2]) (float-array 2)
   (object-array [1 :a]) (map inc [1 2]) (list 1 2) f])

(defn- outcome
  "What a call comes to: :value, the :damo/error of a failure of Damo, or the class of what it
  threw."
  [g args]
  (try (binding [*out* (StringWriter.), *err* (StringWriter.)]
         (let [v (apply g args)] (when (seq? v) (doall v)))
         :value)
       (catch ExceptionInfo e (or (:damo/error (ex-data e)) (str "ex-info: " (ex-message e))))
       (catch Throwable e (str (.getName (class e)) ": " (ex-message e)))))

(defn- some-junk
  "So many of the values, others for each seed."
  [n seed]
  (take n (doto (java.util.ArrayList. ^java.util.Collection junk)
            (java.util.Collections/shuffle (java.util.Random. (hash seed))))))

(defn- spoiled
  "Calls [argument …], made from one that is right: each argument replaced n times, one more, one
  less."
  [n g-name args]
  (concat (for [i (range (count args)), j (some-junk n [g-name i])] (assoc args i j))
          (for [j (some-junk n g-name)] (conj args j))
          [[] (subvec args 0 (dec (count args))) (into args [1 2 3 4])]))

(defn- offences
  "The spoiled calls of g that end as they must not."
  [n g-name g args]
  (distinct (for [call (spoiled n g-name args)
                  :let [end (outcome g call)]
                  :when (string? end)]
              [g-name end (pr-str (map #(if (fn? %) 'function %) call))])))

;; ## Ops

(def ^:private public-ops
  (sort (filter home/function-var (keys @op/registry))))

(defn- right-call
  "A call of an op that is right, arguments and attributes, by keyword; nil for one that cannot be
  made up."
  [op-name]
  (when-let [{:keys [attrs args]} (first (keep #(gens/case op-name :f32 2 %) (range 4)))]
    (-> []
        (into (map-indexed (fn [i {:keys [dtype shape]}]
                             (d/input (symbol (str "x" i)) [dtype shape])))
              args)
        (into (mapcat identity) attrs))))

(defn- op-calls []
  (for [k public-ops, :let [call (right-call k)] :when call]
    [k @(home/function-var k) call]))

(deftest ops-fail-as-damo-does
  (let [calls (op-calls)]
    (is (< 170 (count calls)))
    (is (= [] (mapcat (fn [[k g call]] (offences 5 k g call)) calls)))))

(deftest ops-refuse-unknown-keywords
  (doseq [[k g call] (op-calls)]
    (is (= ::op/unknown-attribute (outcome g (conj call :foo 1))) (str k))
    (is (contains? #{::op/missing-value ::op/unknown-attribute :damo.expr/not-an-expression}
                   (outcome g (conj call :foo)))
        (str k))))

(deftest attributes-are-checked-by-kind
  (doseq [[k v] [[:keepdims 7] [:axis 0.5] [:axis "0"] [:dtype :f8] [:dtype "f32"]]]
    (is (= :damo.attribute/bad-value (outcome d/sum [x k v])) (pr-str k)))
  (is (= :damo.attribute/bad-value (outcome d/topk [x 2 :largest 1])))
  (is (= :damo/bad-data (outcome d/sum [x :axis (range)])) "a vector of axes has an end")
  (is (= :value (outcome d/sum [x {:axis 0, :keepdims true}])) "attributes as one map"))

;; ## Functions

(def ^:private calls
  "A call that is right for every public function that is no op. Those under :unspoiled have effects
  that a test does without, take long, or take none: their arguments are tried for themselves."
  {'* [x y], '+ [x y], '- [x y], '/ [x y], 'true-div [x y], 'neq [x y], 'divmod [x y]
   'invert [(d/cast x :i32)], 'ravel [x], 'digamma [x]
   '->array [data], 'arange [0 6 2 :i64],
   'as-op [(fn [a] (d/exp a)) :name 'e], 'batch-norm-test [x 1 0 0 1 :axes [0] :epsilon 0.1]
   'batch-norm-train [x 1 0 :axes [0] :epsilon 0.1 :momentum 0.5]
   'bincount [[0 1 1] :length 3], 'call-into [f [(d/tensor 0 :f32)] data], 'call-n [f 2 data]
   'consider-constant [x], 'copy-function [f :share? false :name "copy"], 'describe [:log1p]
   'dtype [x], 'einsum ["ij,ij->i" x y], 'eval [(d/sum x) {x data}], 'explain [f]
   'expr [(d/graph x) {'x x}], 'eye [3 :f32], 'full [[2 3] 1 :f32]
   'function [[x] (d/sum x) {:name "f" :on-unused-input :ignore}], 'grad [(d/sum x) x]
   'grad-clip [x -1 1], 'grad-scale [x 2], 'graph [x], 'hessian [(d/sum (d/sqr w)) w]
   'hvp [(d/sum (d/sqr w)) w w], 'inc-at [x 0 1], 'index [x 0 [1 nil]], 'indices [[2 3]]
   'input ['a [:f32 ['n]]], 'jacobian [w w], 'layer-norm [x 1 0 :axis -1 :epsilon 0.1]
   'load [(file "f.damo")], 'lop [(d/sqr x) x x], 'masked [x (d/gt x 0)]
   'max-and-argmax [x :axis 1]
   'meshgrid [[[1 2] [3 4]] :indexing :ij], 'nonzero [x :as 'k], 'ones [[2] :f32]
   'outputs-subset [f [:sum] data]
   'part [data 0 [1 nil]], 'random [:uniform [2] :seed 1]
   'parse ['{:inputs {x [:f32 [n]]} :outputs {y [:exp x]}}]
   'program [f], 'ravel-multi-index [[[0 1] [1 2]] [2 3]], 'read-graph [(file "graph.edn")]
   'rewritten [f], 'rop [(d/sqr x) x x], 'save [(file "f.damo") {:f f}], 'set-at [x 0 1]
   'set-value! [w [1 2 3]], 'shape [x], 'shape-i [x 0], 'shape-vector [x], 'shared ['s [1 2]]
   'split [x 3 :axis 1], 'tensor [[1 2] :f32 {:allow-downcast true}], 'type-of [x]
   'foldl [#(d/add %1 %2) 0 w], 'foldr [#(d/add %1 %2) 0 w], 'reduce-steps [#(d/add %1 %2) 0 w]
   'map-steps [#(d/exp %) x], 'ifelse [(d/gt (d/sum x) 0) x y], 'switch [(d/shape-i x 0) [x y]]
   'scan [{:sequences {:x x}, :state {:h w}} (fn [{:keys [x h]}] {:h (d/add x h), :y (d/sum x)})]
   'while-loop [1.0 #(d/lt % 9) #(d/mul % 2) {:max-steps 9}]
   'unique-all [x :as 'k], 'unravel-index [[0 1] [2 3]], 'value [w]
   'verify-grad [d/tanh [[0.1 0.2]] :n-tests 1], 'why [f 0]
   'with-derivative [d/tanh {:lop #(d/mul %3 1)}]
   'write-graph [(file "graph.edn") (d/graph x)], 'zeros [[2] :f32]
   :unspoiled {'check-op [:foo], 'check-rules [:foo], 'close [nil], 'remove-op! [:foo]
               'set-threads! [nil], 'code-cache [], 'describe-machine [],
               'threads [], 'set-code-cache! [nil]}})

(def ^:private slow "Functions that compile." '#{eval function copy-function verify-grad})

(defn- functions []
  (for [[s v] (sort-by key (ns-publics 'damo.core))
        :when (not (or (:macro (meta v)) (:op (meta v))))]
    [s @v]))

(deftest functions-fail-as-damo-does
  (d/save (file "f.damo") {:f f})
  (d/write-graph (file "graph.edn") (d/graph x))
  (doseq [[s g] (functions)]
    (if-let [call (calls s)]
      (do (is (= :value (outcome g call)) (str s))
          (is (= [] (offences (if (slow s) 8 100) s g call)) (str s)))
      (let [call (get-in calls [:unspoiled s])]
        (is (some? call) (str "no call of " s))
        (doseq [args [call [] (into call [1 2 3 4])]]
          (is (not (string? (outcome g args))) (str s)))))))

(deftest functions-refuse-unknown-keywords
  (doseq [s '[batch-norm-test batch-norm-train bincount copy-function function grad hessian hvp
              jacobian layer-norm lop max-and-argmax meshgrid nonzero
              random rop split tensor unique-all
              verify-grad]
          :let [g @(ns-resolve 'damo.core s), call (calls s)]]
    (is (contains? #{:damo.attribute/unknown-option ::op/unknown-attribute}
                   (outcome g (if (map? (peek call))
                                (conj (pop call) (assoc (peek call) :foo 1))
                                (conj call :foo 1))))
        (str s))))

(deftest counts-of-arguments
  (is (= :damo.face/wrong-arity (outcome d/grad [])))
  (is (= :damo.face/wrong-arity (outcome d/shape-i [x]))))
