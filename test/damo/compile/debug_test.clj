(ns damo.compile.debug-test
  "The mode :debug: right functions compute as always; a wrong rule, wrong machine code, a wrong
  expansion and a wrong update in place, planted here, are each named."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.compile.debug :as debug]
            [damo.compile.modes :as modes]
            [damo.compile.plan.update]
            [damo.core :as d]
            [damo.op :as op]
            [damo.rule :as rule :refer [defrules]]))

(set! *warn-on-reflection* true)

(defn- failure [f] (try (f) nil (catch clojure.lang.ExceptionInfo e e)))

(def ^:private x (d/input 'x [:f32 ['n 3]]))
(def ^:private labels (d/input 'labels [:i64 ['n]]))
(def ^:private w (d/shared 'w (d/tensor [[0.1 0.2] [0.3 -0.4] [0.5 0.6]] :f32)))
(def ^:private hidden (d/tanh x))          ; written on line 20
(def ^:private loss (d/mean (d/cross-entropy (d/dot hidden w) labels)))

(defn- step [mode]
  (d/function [x labels] loss
              {:mode mode, :updates {w (d/sub w (d/mul 0.1 (d/grad loss w)))}}))

(def ^:private points [[1 2 3] [-1 -2 3]])

(defn- with-entry
  "Runs f while the op has these keys of its entry changed."
  [op changes f]
  (let [entry (op/entry op)]
    (try (swap! op/registry update op merge changes)
         (f)
         (finally (swap! op/registry assoc op entry)))))

(deftest right-functions-compute-as-always
  (let [start @(d/value w), runs (fn [mode] (d/set-value! w (d/tensor start :f32))
                                   (let [f (step mode)]
                                     [@(f points [0 1]) @(f {'x points 'labels [1 1]})
                                      @(d/value w)]))]
    (is (= (runs :fast-run) (runs :debug)))
    (d/set-value! w (d/tensor start :f32))
    (testing "wrong arguments are reported as always, and infinities are no mistake"
      (is (= :damo/shape-mismatch (:damo/error (ex-data (failure #((step :debug) [[1 2]] [0]))))))
      (is (= :damo/index-out-of-bounds
             (:damo/error (ex-data (failure #((step :debug) points [0 7]))))))
      (let [y (d/input 'y [:f64 ['m]])
            f (d/function [y] [(d/log (d/add 1 (d/exp y))) (d/sub y y)] {:mode :debug})]
        (is (= [[800.0 ##Inf] [0.0 0.0]] (mapv deref (f [800.0 ##Inf]))))))))

(defrules wrong
  "A rule that is wrong."
  {:name :tanh-as-sigmoid, :lhs [:tanh ?x], :rhs [:sigmoid ?x], :keeps :value
   :why "It is a test.", :examples [[[:tanh x] => [:sigmoid x]]]})

(deftest a-wrong-rule-is-named-in-a-graph-that-a-node-holds
  (with-redefs [modes/modes (update-in modes/modes [:debug :before] conj [[wrong]])]
    (let [x (d/input 'x [:f64 ['n]])
          f (d/function [x] ((d/as-op d/tanh :name 'f) x) {:mode :debug})
          e (failure #(f [1 2]))]
      (is (= {:damo/error :damo.debug/wrong-rule, :rules [:tanh-as-sigmoid], :op :apply
              :expr "(f x)"}
             (select-keys (ex-data e) [:damo/error :rules :op :expr])))
      (is (= [[1 :body]] (map :path (:firings (ex-data e))))))))

(deftest a-wrong-rule-is-named
  (with-redefs [modes/modes (update-in modes/modes [:debug :before] conj [[wrong]])]
    (let [e (failure #((step :debug) points [0 1]))]
      (is (= {:damo/error :damo.debug/wrong-rule, :rules [:tanh-as-sigmoid], :op :tanh, :element 0
              :file "debug_test.clj", :line 20}
             (select-keys (ex-data e) [:damo/error :rules :op :element :file :line])))
      (is (str/starts-with?
           (ex-message e)
           (str "debug: the rule :tanh-as-sigmoid changed a value\n"
                "  :tanh-as-sigmoid: (tanh x) => (sigmoid x)\n"
                "  element 0 (row-major) of [:f32 [n 3]] should be 0.761594")))
      (is (str/ends-with? (ex-message e) ":exclude #{:tanh-as-sigmoid}}}")))))

;; A graph with a constant that is NaN, or a zero of either sign, is compiled to one program.
(deftest constants-that-are-equal-to-nothing
  (let [v (d/input 'v [:f64 ['n]])]
    (doseq [[expected e] [[[2.0 4.0] (d/where (d/gt v 0) v ##NaN)]
                          [[6.0 20.0] (let [s (d/sqrt (d/add v 0.0))]
                                        (d/mul (d/add v 1.0) (d/mul s s)))]
                          [[-0.0 -0.0] (d/where (d/gt v 0) -0.0 v)]]
            :let [got @((d/function [v] e {:mode :debug}) [2 4])]]
      (is (every? true? (map #(< (abs (- %1 %2)) 1e-12) expected got))))))

(deftest wrong-machine-code-is-named
  (with-entry :tanh {:scalar :sigmoid}
    #(let [e (failure (fn [] ((step :debug) points [0 1])))]
       (is (= {:damo/error :damo.debug/wrong-op, :op :tanh, :line 20}
              (select-keys (ex-data e) [:damo/error :op :line])))
       (is (str/includes? (ex-message e) "the machine code of the op tanh is wrong")))))

(deftest machine-code-that-gives-nan-is-named
  (with-entry :tanh {:scalar '[:div 0.0 [:sub ?x ?x]]}
    #(let [v (d/input 'v [:f64 ['n]])
           e (failure (fn [] ((d/function [v] (d/tanh v) {:mode :debug}) [1 2])))]
       (is (= [:damo.debug/wrong-op :tanh] ((juxt :damo/error :op) (ex-data e)))))))

(deftest wrong-integers-are-named
  (let [u (d/input 'u [:i64 ['n]]), v (d/input 'v [:i64 ['n]])]
    (with-entry :mul {:scalar '[:add ?x ?y]}
      #(is (= [:damo.debug/wrong-op 1]
              ((juxt :damo/error :element)
               (ex-data (failure (fn [] ((d/function [u v] (d/mul u v) {:mode :debug})
                                         [2 3] [2 2]))))))))
    (with-entry :lt {:scalar '[:le ?x ?y]}
      #(is (= :damo.debug/wrong-op
              (:damo/error
               (ex-data (failure (fn [] ((d/function [v] (d/lt v 3) {:mode :debug}) [2 3]))))))))))

(defn- overwrites
  "A kernel that returns what it should, and writes to the memory of its input."
  [_ ^damo.tensor.Tensor out ^damo.tensor.Tensor in]
  (.copyFrom out in false)
  (let [address (.address (.segment in))]
    (.set (.reinterpret (java.lang.foreign.MemorySegment/ofAddress address) 8)
          java.lang.foreign.ValueLayout/JAVA_DOUBLE 0 7.0)))

(deftest an-input-that-is-written-to-is-named
  (let [name :debug-test-overwrites, t (d/tensor [1.0 2.0])]
    (try
      (op/register! {:name name, :kind :host, :args ['?x], :type (fn [_ [x]] x)
                     :eval (fn [_ x] x), :kernel overwrites, :no-gradient "It is a test."})
      (let [v (d/input 'v [:f64 [2]])
            f (d/function [v] (op/node name {} [v]) {:mode :debug})
            e (failure #(f t))]
        (is (some? (:damo/error (ex-data e))) "it is refused, if not by name")
        (is (str/includes? (str (ex-message e)) "wrote to its input")))
      (finally (swap! op/registry dissoc name)))))

(deftest a-wrong-expansion-is-found
  (with-entry :mean {:expand (constantly '[:sum {:axis [0], :keepdims false} ?x])}
    #(let [v (d/input 'v [:f64 [2]]), f (d/function [v] (d/mean v) {:mode :debug})]
       (is (= :damo.debug/wrong-expansion (:damo/error (ex-data (failure (fn [] (f [1 3]))))))))))

(deftest a-wrong-update-in-place-is-found
  (with-redefs-fn {#'damo.compile.plan.turn/over? (constantly true)}
    #(let [v (d/shared 'v (d/tensor [1.0 2.0 3.0 4.0 5.0]))
           f (d/function [] [] {:mode :debug
                                :updates {v (d/add v (d/index v [nil nil -1]))}})
           e (failure f)]
       (is (= :damo.debug/wrong-fusion (:damo/error (ex-data e))))
       (is (str/includes? (ex-message e) "an update in place")))))

(deftest repeated-calls-and-calls-into-buffers-are-checked
  (let [f (d/function [x labels] loss {:mode :debug})
        wrong (fn [call] (with-entry :tanh {:eval (fn [x] (+ 0.5 (Math/tanh x)))}
                                     #(:damo/error (ex-data (failure call)))))]
    (is (= :damo.debug/wrong-op (wrong #(f points [0 1]))))
    (is (= :damo.debug/wrong-op (wrong #(d/call-n f 3 points [0 1]))))
    (is (= :damo.debug/wrong-op (wrong #(d/call-into f [(d/zeros [] :f32)] points [0 1])))))
  (let [n (d/shared 'n 0), f (d/function [] n {:updates {n (d/add n 1)}, :mode :debug})]
    (is (= [2 3] [@(d/call-n f 3) @(d/value n)]))))

(deftest dims-of-inputs-that-rules-leave-out
  (let [x (d/input 'x '[:f64 [n]]), y (d/input 'y '[:f64 [n m]])
        slope (fn [e] (d/grad (d/sum e) x))]
    (doseq [e [(slope x) (slope (d/mul x 0.0)) (slope (d/add x (d/sum y 1))) (d/ones-like x)
               (d/sum (d/zeros-like x)) (slope (d/index x [1 nil])) (slope (d/sub x x))
               (d/shape-i x 0) (slope (d/reshape x [-1 1]))]
            :let [f (d/function [x y] e {:mode :debug, :on-unused-input :ignore})
                  g (d/function [x y] e {:mode :none, :on-unused-input :ignore})]
            [a b] [[[] []] [[1.0] [[2.0 3.0]]] [[1.0 2.0 3.0] [[1.0] [2.0] [3.0]]]]
            :let [b (if (empty? a) (d/zeros [0 2]) b)]]
      (is (= @(g a b) @(f a b)) (str e)))))
