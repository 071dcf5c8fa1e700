(ns damo.face.region-test
  "Functions as ops: they mean what the functions mean, in values and derivatives of every order and
  mode, at special points too; how they show, what rules do inside, and what is said of mistakes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail]
            [damo.meaning.eval :as eval]
            [damo.op.body :as body]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private y (d/input 'y [:f64 ['n]]))
(def ^:private w (d/shared 'w -0.5))

(def ^:private functions
  {"composed" (fn [x y] (d/add (d/log (d/add 1 (d/exp x))) (d/mul y (d/tanh x))))
   "an argument alone" (fn [x _] x)
   "an argument twice" (fn [x y] (d/mul x x (d/sub x y)))
   "arguments in a choice" (fn [x y] (d/where (d/lt x y) (d/sqrt (d/sub y x)) 0.0))
   "captured state" (fn [x y] (d/mul w (d/exp w) (d/add x y)))
   "captured and reduced" (fn [x _] (d/mul x (d/sum (d/sqr w))))
   "a reduction" (fn [x y] (d/softmax (d/mul x y)))
   "indices" (fn [x y] (d/add (d/take y (d/argsort x)) (d/max x)))
   "counted dims" (fn [x y] (d/mul x (d/sum (d/sqr (d/index y (d/gt y 0))))))
   "a derivative" (fn [x y] (d/grad (d/sum (d/mul x x y)) x))
   "others inside" (fn [x y] (let [f (d/as-op (fn [a] (d/mul a w y)))
                                   g (d/as-op (fn [a b] (d/sub (f a) (d/exp b))) :name 'g)]
                               (g (f x) y)))})

(def ^:private points
  [[[0.3 -0.7 1.1] [0.9 0.2 -0.4]] [[800.0 -800.0 0.0] [0.0 0.5 -0.5]]])

(defn- results
  "What a function f of expressions comes to in a mode at the points: value, reverse and forward
  derivatives, and second derivatives, as text."
  [f mode]
  (let [z (f x y), cost (d/sum (d/mul z (d/sin z)))
        g (d/function [x y]
                      {:value z
                       :reverse (d/grad cost [x y] :disconnected :ignore)
                       :forward (d/rop z [x y] [y x] :disconnected :ignore)
                       :second (d/hvp cost [x y] [y x] :disconnected :ignore)
                       :state (d/grad cost w :disconnected :ignore)}
                      {:mode mode, :on-unused-input :ignore})]
    (mapv (fn [[a b]] (pr-str (update-vals (g a b) #(if (vector? %) (mapv deref %) @%)))) points)))

(deftest an-op-is-its-function
  (doseq [[what f] functions, mode [:fast-run :none :fast-compile]]
    (is (= (results f mode) (results (d/as-op f) mode)) (str what ", " mode))))

(deftest a-call-is-checked-in-the-modes-that-check
  (let [f (d/as-op (fn [x y] (d/add (d/softmax x) (d/mul y w) (d/log1p (d/exp x)))))]
    (doseq [mode [:debug :nan-guard]]
      (is (= @((d/function [x y] (f x y)) [1 2 3] [4 5 6])
             @((d/function [x y] (f x y) {:mode mode}) [1 2 3] [4 5 6]))))))

(deftest what-rules-meet-across-the-border
  (let [log (d/as-op d/log), softmax (d/as-op d/softmax), z [800.0 0.0 -800.0]]
    (is (= @(d/eval (d/log (d/softmax x)) {x z}) @(d/eval (log (softmax x)) {x z})
           @(d/eval (d/log (softmax x)) {x z}) [0.0 -800.0 -1600.0]))
    (is (= @(d/eval (d/grad (d/sum (d/log (d/softmax x))) x) {x z})
           @(d/eval (d/grad (d/sum (log (softmax x))) x) {x z})))
    (testing "constants are folded when nothing lies between"
      (is (= 800.0 @(d/eval (d/log (d/add 1 ((d/as-op (fn [] (d/exp 800.0))))))))))
    (testing "what may fail is not dropped"
      (let [f (d/as-op (fn [a] (d/take a 7)))]
        (is (thrown-with-msg? clojure.lang.ExceptionInfo #"index 7"
                              (d/eval (d/mul 0 (f x)) {x z})))))
    (testing "a choice outside masks an infinite slope inside"
      (let [f (d/as-op #(d/sqrt (d/sub % 7)))]
        (is (= [1.0] @(d/eval (d/grad (d/sum (d/where (d/lt x 7) x (f x))) x) {x [5.0]})))))))

(deftest counted-dims-are-those-of-the-function
  (let [f #(d/index % (d/gt % 0)), g (d/as-op f)]
    (is (= (d/type-of (f x)) (d/type-of (g x))))
    (is (= [2.0 4.0] @(d/eval (d/add (f x) (g x)) {x [1 -1 2]})))
    (is (= [1.0 2.0 5.0] @(d/eval (d/concatenate [(g x) (g y)]) {x [1 -1 2], y [-1 5 -2]})))))

(deftest numbers-are-as-weak-as-for-the-function
  (let [x (d/input 'x [:f32 [3]]), n (d/input 'n [:i8 [3]])]
    (doseq [f [(fn [a b] (d/mul a b)) (fn [a b] (d/add a (d/exp b))) (fn [_ b] (d/neg b))
               (fn [a b] (d/mul a 0.5 b))]
            [a b] [[x 2.5] [x (d/neg 2.5)] [n 2] [x [1 2 3]] [n 0.5]]
            :let [direct (f a b), op ((d/as-op f) a b)]]
      (is (= (d/type-of direct) (d/type-of op)))
      (is (= (d/type-of (d/sub x direct)) (d/type-of (d/sub x op)))))))

(deftest jacobians-of-ops
  (let [f #(d/mul (d/softmax %) w %)]
    (is (= @(d/eval (d/jacobian (f x) x) {x [1 2 3]})
           @(d/eval (d/jacobian ((d/as-op f) x) x) {x [1 2 3]})))))

(deftest results-have-the-form-that-the-function-gives
  (let [f (d/as-op (fn [x] {:both [(d/exp x) (d/neg x)], :one x})), {:keys [both one]} (f x)]
    (is (= [[1.0] [-0.0] [0.0]] (mapv deref ((d/function [x] (conj both one)) [0.0]))))
    (testing "each is a result of one node"
      (is (= [:input :apply :part :part :part] (map first (:nodes (d/graph (conj both one))))))))
  (testing "derivatives of several, of any order"
    (let [f (fn [x y] [(d/mul x y) (d/softmax (d/add x y)) (d/max y)]), g (d/as-op f)
          cost (fn [f] (let [[a b c] (f x y)] (d/add (d/sum (d/mul a b)) (d/mul c c))))]
      (doseq [of [#(d/grad (cost %) [x y]) #(vector (d/hvp (cost %) x y))
                  #(vector (d/rop (cost %) x y)) #(vector (d/jacobian (second (% x y)) x))]
              :let [value #(pr-str (mapv deref ((d/function [x y] (of %)) [0.5 1 2] [2 -1 1])))]]
        (is (= (value f) (value g)))))))

(defn- doubled [x] (d/add x x))

(deftest an-op-shows-as-one-node
  (let [f (d/as-op (fn [a] (d/log (d/add 1 (d/exp a)))) :name 'soft)
        g (d/function [x] (d/neg (f x)))]
    (is (= "(neg (soft (sqr x)))" (str (d/neg (f (d/sqr x))))))
    (is (= "(tanh x)" (str ((d/as-op d/tanh :name :tanh) x))))
    (is (= "(doubled x)" (str ((d/as-op doubled) x))) "it has the name of its function")
    (testing "through the rules, which look inside"
      (let [rewritten (d/rewritten g)
            at (first (keep-indexed #(when (= :apply (first %2)) %1) (:nodes rewritten)))
            inside (body/at rewritten [at :body])]
        (is (= [:param :softplus] (map first (:nodes inside))))
        (is (= [:log1p :softplus] (map :rule (d/why g 1 [at :body]))))
        (is (= [] (d/why g at)))
        (is (str/includes? (with-out-str (d/explain g)) "softplus"))))
    (testing "nothing of it is left in the program"
      (is (= 1 (count (:steps (d/program g))))))))

(deftest one-of-its-own-derivative
  (let [f (d/as-op d/exp :name 'f :lop (fn [_ out g] (d/mul 10 g out)))]
    (is (= "(f x)" (str (f x))))
    (is (= [10.0] @(d/eval (d/grad (d/sum (f x)) x) {x [0.0]})
           @(d/eval (d/rop (f x) x (d/ones-like x)) {x [0.0]})))))

(defn- failure [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (assoc (ex-data e) :what (fail/what e)))))

(deftest mistakes
  (testing "the number of arguments"
    (let [{:keys [what] error :damo/error} (failure #((d/as-op (fn [a b] (d/add a b)) :name 'f) x))]
      (is (= :damo.region/wrong-arity error))
      (is (str/includes? what "f does not take 1 argument"))))
  (testing "no function, no expression"
    (is (= :damo.face/bad-argument (:damo/error (failure #(d/as-op 3)))))
    (is (= :damo.expr/not-an-expression (:damo/error (failure #((d/as-op (fn [_] :no)) x))))))
  (testing "an argument that is kept"
    (let [kept (atom nil)]
      ((d/as-op (fn [a] (reset! kept a) (d/exp a))) x)
      (let [{:keys [expr] error :damo/error} (failure #(d/function [x] (d/sinh @kept)))]
        (is (= :damo.region/stray-argument error))
        (is (str/starts-with? expr "(sinh ")))))
  (testing "what a :strict one mentions"
    (let [{:keys [what captured] error :damo/error}
          (failure #((d/as-op (fn [a] (d/mul a (d/exp w))) :name 'f :strict true) x))]
      (is (= [:damo.region/captured ["(exp w)"]] [error captured]))
      (is (str/includes? what "f is :strict"))
      (is (nil? (failure #((d/as-op (fn [a] (d/mul a 2)) :strict true) x))))))
  (testing "types, where they are made, in the body"
    (let [{:keys [what line expr]} (failure #((d/as-op (fn [a] (d/dot a (d/zeros [4 2])))) y))]
      (is (int? line))
      (is (str/includes? what "dot"))
      (is (str/includes? expr "(dot y"))))
  (testing "a failure of a call names the line in the body, for the interpreter too"
    (let [f (d/as-op (fn [a] (d/take a 7)))
          called (f x), last-line (:line (expr/src-of called))
          {:keys [op line]} (failure #(d/eval called {x [1 2 3]}))]
      (is (= [:take (dec last-line)] [(keyword (name op)) line]))
      (is (= (dec last-line)
             (:line (failure #(eval/run (d/graph called) {'x (array/of :f64 [3] [1 2 3])}))))))))
