(ns damo.core-test
  "The public face, by compiling: values of expressions, also where naive formulas fail; tensors,
  shared variables, graphs out and in, derivatives in both modes."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d]
            [damo.data.fail :as fail])
  (:import [java.io File]))

(set! *warn-on-reflection* true)

(defn- error-of [f]
  (try (f) nil
       (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (fail/what e)])))

;; ## Values of expressions

(deftest formulas-that-overflow-or-cancel-when-taken-literally
  (let [x (d/input 'x [:f64 []]), v (d/input 'v [:f64 [2]])
        log1p-exp (d/log (d/add 1 (d/exp x)))]
    (testing "log(1 + e^x) at ±800, and its derivative"
      (is (= 800.0 @(d/eval log1p-exp {x 800.0})))
      (is (= 0.0 @(d/eval log1p-exp {x -800.0})))
      (is (= [1.0 0.0] (for [at [800.0 -800.0]] @(d/eval (d/grad log1p-exp x) {x at})))))
    (testing "log(softmax [0 1000])"
      (is (= [-1000.0 0.0] @(d/eval (d/log (d/softmax v)) {v [0.0 1000.0]}))))
    (testing "log(1 - sigmoid 50)"
      (is (= -50.0 @(d/eval (d/log (d/sub 1 (d/sigmoid x))) {x 50.0}))))
    (testing "the derivative of a branch that is not taken"
      (let [f (d/where (d/lt x 7) x (d/sqrt (d/sub x 7)))]
        (is (= 1.0 @(d/eval (d/grad f x) {x 5.0})))
        (is (= 0.25 @(d/eval (d/grad f x) {x 11.0})))))))

(deftest what-is-always-zero-is-not-computed
  (let [x (d/input 'x [:f64 ['n 'm]])
        f (d/function [x] (d/sub x x))
        [step :as steps] (:steps (d/program f))
        body (get-in (d/program f) [:kernels (:kernel step) :body])]
    (is (= [[0.0 0.0] [0.0 0.0] [0.0 0.0]] @(f [[1 2] [3 ##NaN] [5 6]])))
    (is (= 1 (count steps)))
    (is (not-any? #{:load :sub :add :mul} (flatten body)) (pr-str body))))

(deftest eval-takes-what-a-function-takes
  (let [x (d/input 'x [:f32 ['n]]), w (d/shared 'w [1 2 3])]
    (is (= [2.0 4.0] @(d/eval (d/mul x 2) {x [1 2]})))
    (is (= [2 4 6] @(d/eval (d/mul w 2))))
    (is (= 3 @(d/eval (d/add 1 2))))
    (is (= 5.5 @(d/eval 5.5)))
    (is (= [[1 2] [3 4]] @(d/eval (d/transpose [[1 3] [2 4]]))))
    (is (= 3.0 @(d/eval (d/sum x) {x [1 2], (d/input 'unused [:f64 []]) 0})))))

(deftest operators-and-indices
  (let [x (d/input 'x [:f64 [3]])]
    (are [value e] (= value @(d/eval e {x [1 2 4]}))
      [2.0 4.0 8.0] (d/+ x x)
      [0.0 0.0 0.0] (d/- x x)
      [-1.0 -2.0 -4.0] (d/- x)
      [1.0 4.0 16.0] (d/* x x)
      [1.0 1.0 1.0] (d// x x)
      [3.0 4.0 6.0] (d/+ x 1 1)
      4.0 (d/index x -1)
      [2.0 4.0] (d/index x [1 nil])
      [[1.0 2.0 4.0]] (d/index x :new)
      [4.0 1.0] (d/take x [-1 0]))))

;; ## Tensors and shared variables

(deftest tensors
  (are [value shape dtype t] (= [value shape dtype] [@t (d/shape t) (d/dtype t)])
    [[0.0 0.0]] [1 2] :f64 (d/zeros [1 2])
    [1 1] [2] :i32 (d/ones [2] :i32)
    [[1.0 0.0] [0.0 1.0]] [2 2] :f32 (d/eye 2 :f32)
    [0 1 2] [3] :i64 (d/arange 3)
    [0.0 0.5] [2] :f64 (d/arange 0 1 0.5)
    7.0 [] :f64 (d/full [] 7)
    [true false] [2] :bool (d/tensor [true false])
    [1.5] [1] :f32 (d/tensor [1.5] :f32)
    [] [0] :f64 (d/zeros [0]))
  (is (= [1.0 2.0] (vec (d/->array (d/tensor [1.0 2.0])))))
  (is (= :damo.tensors/unknown-dtype (first (error-of #(d/zeros [2] :f65)))))
  (is (= :damo/ragged (first (error-of #(d/tensor [[1] [2 3]]))))))

(deftest names-of-leaves-are-symbols
  (is (= :damo.core/bad-name (first (error-of #(d/input "x" [:f64 []])))))
  (is (= :damo.core/bad-name (first (error-of #(d/shared :w 1.0)))))
  (is (= :damo.type/bad-type (first (error-of #(d/input 'x [:f65 []]))))))

(deftest shared-variables-are-copied-in-and-out
  (let [t (d/tensor [1.0 2.0]), w (d/shared 'w t), before (d/value w)]
    (d/set-value! w [3 4])
    (is (= [[1.0 2.0] [1.0 2.0] [3.0 4.0]] [@t @before @(d/value w)]))
    (is (= [:f64 [2]] (d/type-of w)))))

;; ## Graphs

(deftest graphs-out-and-in
  (let [x (d/input 'x [:f64 ['n 2]]), w (d/shared 'w [[1.0] [2.0]])
        e (d/tanh (d/dot x w))
        g (d/graph e)
        file (File/createTempFile "graph" ".edn")]
    (try
      (d/write-graph file g)
      (is (= (:nodes g) (:nodes (d/read-graph file))))
      (let [again (d/expr (d/read-graph file) {'w w})]
        (is (= (d/type-of e) (d/type-of again)))
        (is (= @(d/eval e {x [[1 2] [3 4]]})
               @(d/eval again {(d/input 'x [:f64 ['n 2]]) [[1 2] [3 4]]}))))
      (finally (.delete file)))
    (is (= 2 (count (d/expr (d/graph [e x])))) "several outputs, several expressions")
    (is (= :damo.function/given-mismatch (first (error-of #(d/expr g {'w (d/shared 'w [1.0])})))))))

(deftest graph-files-are-data
  (let [file (File/createTempFile "graph" ".edn")
        reading (fn [text] (spit file text) (error-of #(d/read-graph file)))]
    (try
      (are [kind text] (= kind (first (reading text)))
        :damo.graph/not-edn "{:nodes [[:input"
        :damo.graph/not-edn "{} {}"
        :damo.graph/not-edn "#=(System/exit 3)"
        :damo.graph/bad-graph "[1 2]"
        :damo.graph/bad-node "{:nodes [[:neg {} 0]] :outputs [0]}"
        :damo.graph/bad-node "{:nodes [[:neg {} 1] [:neg {} 0]] :outputs [0]}"
        :damo.graph/bad-output "{:nodes [] :outputs [0]}"
        :damo.op/unknown-op "{:nodes [[:tanhh {}]] :outputs [0]}"
        :damo.op/wrong-arity "{:nodes [[:dim {:dim 2}] [:add {} 0]] :outputs [1]}")
      (finally (.delete file)))))

(deftest ops-describe-themselves
  (let [text (with-out-str (d/describe :log1p))]
    (is (every? #(str/includes? text %) ["log1p ?x (elementwise)" "log(1 + x)" "=> 0.0"])))
  (is (= :damo.op/unknown-op (first (error-of #(d/describe :tahn))))))

(deftest mistakes-are-reported-where-the-expression-is-built
  (let [x (d/input 'x [:f64 ['n 3]]), y (d/input 'y [:f64 ['m 4]])]
    (are [kind f] (let [[k message] (error-of f)]
                    (is (str/includes? (str message) "core_test.clj"))
                    (is (= kind k)))
      :damo.type/shape-mismatch #(d/add x y)
      :damo.op.linear/shape-mismatch #(d/dot x y)
      :damo.op/unknown-attribute #(d/sum x :axes 1)
      :damo.type/bad-axis #(d/sum x :axis 2)
      :damo.op/wrong-arity #(d/tanh x y))
    (are [kind f] (= kind (first (error-of f)))
      :damo/ragged #(d/add x [[1 2 3] [4]])
      :damo.expr/not-an-expression #(d/add x 'y)
      :damo.expr/not-an-expression #(d/grad (d/sum x) 7))))

;; ## Derivatives

(deftest both-modes
  (let [x (d/input 'x [:f64 [2]]), v (d/input 'v [:f64 [2]])
        y (d/stack [(d/mul (d/index x 0) (d/index x 1)) (d/sqr (d/index x 0))])
        at {x [3.0 5.0], v [1.0 10.0]}]
    (is (= [(+ 5.0 (* 10 6.0)) 3.0] @(d/eval (d/lop y x v) at)))
    (is (= [(+ (* 1 5.0) (* 10 3.0)) (* 1 6.0)] @(d/eval (d/rop y x v) at)))
    (testing "Hessian of x0² x1 times v"
      (let [cost (d/mul (d/sqr (d/index x 0)) (d/index x 1))]
        (is (= [(+ (* 2 5.0) (* 2 3.0 10)) (* 2 3.0)] @(d/eval (d/hvp cost x v) at)))))))

(deftest gradients-come-in-the-form-asked-for
  (let [x (d/input 'x [:f64 []]), w (d/shared 'w 3.0), cost (d/mul (d/sqr x) w)]
    (is (= 12.0 @(d/eval (d/grad cost x) {x 2.0})))
    (is (= [12.0 4.0] (mapv #(deref (d/eval % {x 2.0})) (d/grad cost [x w]))))
    (is (= :damo.diff/disconnected (first (error-of #(d/grad cost (d/input 'z [:f64 []]))))))
    (is (= 0.0 @(d/eval (d/grad cost (d/input 'z [:f64 []]) {:disconnected :ignore}) {x 2.0})))))

(deftest training-lowers-the-loss
  (let [x (d/input 'x [:f64 ['n 2]]), y (d/input 'y [:i64 ['n]])
        w (d/shared 'w [[0.1 -0.1] [0.0 0.2]]), b (d/shared 'b (d/zeros [2]))
        loss (d/mean (d/cross-entropy (d/add (d/dot x w) b) y))
        [dw db] (d/grad loss [w b])
        step (d/function [x y] loss {:updates {w (d/sub w (d/mul 0.5 dw))
                                               b (d/sub b (d/mul 0.5 db))}})
        losses (doall (repeatedly 30 #(deref (step [[1 0] [0 1] [1 1]] [0 1 1]))))]
    (is (apply > losses))
    (is (= @((d/function [x y] loss) [[1 0] [0 1] [1 1]] [0 1 1])
           @(d/call-n (d/function [x y] loss) 3 [[1 0] [0 1] [1 1]] [0 1 1]))
        "nothing changes without updates")))

(deftest quotient-and-remainder
  (let [x (d/input 'x [:f64 ['n]]), y (d/input 'y [:f64 ['n]])
        [q r] ((d/function [x y] (d/divmod x y))
               [1.0 -7.0 7.5 -1e-20 -5.0 1.0] [0.1 2.0 -2.0 3.0 ##Inf 0.0])]
    (is (= [9.0 -4.0 -4.0 -1.0 -1.0 ##Inf] @q))
    (is (= [0.09999999999999995 1.0 -0.5] (take 3 @r)))))

(deftest creators-of-all-dtypes
  (let [n (d/input 'n '[:f64 [k]])
        called (fn [e] (if (instance? damo.tensor.Tensor e)
                         e
                         ((d/function [n] e {:on-unused-input :ignore}) [1 2])))]
    (doseq [dtype [:f64 :f32 :f16 :bf16 :i64 :i32 :i16 :i8 :u8 :bool]
            :let [one (if (= dtype :bool) true 1), zero (if (= dtype :bool) false 0)
                  same? (fn [expected e]
                          (let [t (called e)]
                            (and (= dtype (d/dtype t))
                                 (= expected (if (= dtype :bool) @t (mapv long (flatten @t)))))))]
            shape [[2] ['k]]]
      (is (same? [zero zero] (d/zeros shape dtype)) (str dtype shape))
      (is (same? [one one] (d/ones shape dtype)) (str dtype shape))
      (is (same? [one one] (d/full shape 1 dtype)) (str dtype shape))
      (is (same? [one one] (d/full shape true dtype)) (str dtype shape)))))
