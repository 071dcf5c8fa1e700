(ns damo.ops.move.mask-test
  "Masks: what they choose, whose number is counted during the call; what is made of it, compiled
  and by reference; names of counted dims; derivatives; failures."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.data.array :as array]
            [damo.laws.running :as running]
            [damo.meaning.counted :as counted]
            [damo.meaning.eval :as eval]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private rows (d/input 'rows [:f64 ['n 3]]))
(def ^:private positive (d/gt x 0))
(def ^:private chosen (d/masked x positive))

(defn- agree?
  "Is what e gives for these arrays what the reference gives, with rules or without?"
  [e envs rules]
  (let [g (d/graph e), c (running/compile g {:rules rules})]
    (try (every? (fn [env] (every? true? (map #(running/close? 1e-12 1.0 %1 %2)
                                              (eval/run g env) (running/call! c env))))
                 envs)
         (finally (running/close! c)))))

(defn- env [n]
  {'x (array/build :f64 [n] #(- (mod (* 7 (long %)) 11) 5.0))
   'rows (array/build :f64 [n 3] #(/ (double %) 4))})

(def ^:private w (d/tensor [[1.0 2.0] [3.0 4.0] [5.0 6.0]]))

(deftest what-is-made-of-chosen-elements
  (doseq [[what e] {"themselves" chosen
                    "their sum" (d/sum chosen)
                    "their mean" (d/mean chosen)
                    "their number" (d/sum (d/ones-like chosen))
                    "a sum of two" (d/add chosen (d/mul 2 (d/masked (d/exp x) positive)))
                    "several outputs" [(d/sqr chosen) (d/sum x) (d/flatnonzero positive) chosen]
                    "a product" (d/dot (d/masked rows positive) w)
                    "a product the other way" (d/dot (d/transpose (d/masked rows positive))
                                                     (d/masked rows positive))
                    "a product with vectors" (d/dot chosen (d/masked rows positive))
                    "an outer product" (d/outer chosen chosen)
                    "softmax of rows" (d/softmax (d/masked rows positive))
                    "a join" (d/concatenate [x chosen x])
                    "masks of masks" (d/masked chosen (d/lt chosen 4))
                    "two masks" [(d/masked x (d/lt x 0)) chosen]
                    "a matrix's mask" (d/masked rows (d/gt (d/sin rows) 0))
                    "coordinates" (d/nonzero (d/gt (d/sin rows) 0))
                    "back in their places" (d/inc-at (d/zeros-like x) (d/flatnonzero positive)
                                                     chosen)}
          rules [false true]]
    (is (agree? e (map env [1 2 13 40]) rules) what)))

(deftest none-and-all
  (is (agree? [chosen (d/sum chosen) (d/dot (d/masked rows positive) w)]
              [(assoc (env 5) 'x (array/full :f64 [5] -1.0))
               (assoc (env 5) 'x (array/full :f64 [5] 1.0))
               (env 0)]
              true)))

(deftest results-have-the-shape-that-was-counted
  (let [f (d/function [x] chosen)]
    (is (= [3.0 4.0] @(f [-1 3 0 4])))
    (is (= [2] (d/shape (f [-1 3 0 4]))))
    (is (= [] @(f [-1])))
    (is (= [5.0] @(d/call-n f 3 [5.0 -5.0])))))

;; ## Names

(deftest equal-masks-have-equal-dims
  (is (= (d/shape chosen) (d/shape (d/masked (d/exp x) (d/gt x 0)))))
  (is (= (d/shape chosen) (d/shape (d/flatnonzero (d/gt x 0)))))
  (is (not= (d/shape chosen) (d/shape (d/masked x (d/lt x 0)))))
  (is (= '[k] (d/shape (d/masked x positive :as 'k))))
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"axis 0 does not broadcast"
                        (d/add chosen (d/masked x (d/lt x 0))))))

(deftest a-dim-that-is-known-is-checked
  (let [y (d/input 'y [:f64 ['k]])
        f (d/function [x y] (d/add (d/masked x positive :as 'k) y))
        g (d/function [x] (d/masked x positive :as 2))]
    (is (= [13.0 24.0] @(f [-1 3 4] [10 20])))
    (is (= [3.0 4.0] @(g [3 -1 4])))
    (doseq [call [#(f [1 3 4] [10 20]) #(f [-1 -3 4] [10 20]) #(g [1 2 3]) #(g [1])]]
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"flatnonzero" (call))))))

(deftest one-name-for-different-masks-is-checked
  (let [f (d/function [x] (d/add (d/masked x positive :as 'k) (d/masked x (d/lt x 0) :as 'k)))]
    (is (= [-1.0 -2.0] @(f [1 2 -2 -4])))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"flatnonzero" (f [1 2 3 -4])))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"flatnonzero" (f [1 -3 -4])))))

;; Written first, `a` needs the dim that `b` counts.
(deftest counted-dimensions-come-in-order
  (let [z (d/input 'z [:f64 []])
        zs (d/broadcast-to z :shape ['k])
        a (d/masked zs (d/gt zs 0) :as 'j)
        b (d/masked x positive :as 'k)
        f (d/function [z x] [(d/sum a) a b])]
    (is (= [4.0 [2.0 2.0] [1.0 3.0]] (mapv deref (f 2 [1 -1 3]))))
    (is (= [0.0 [] [1.0]] (mapv deref (f -2 [1 -1 -3]))))))

(deftest a-dim-that-nothing-counts-is-refused
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"nothing tells the dimension k"
                        (d/function [x] (d/iota :shape ['k]) {:on-unused-input :ignore})))
  (is (thrown-with-msg?
       clojure.lang.ExceptionInfo #"needed before it is counted"
       (d/function [x] (d/masked x (d/gt (d/mul x (d/sum (d/iota :shape ['k]))) 0) :as 'k)))))

;; ## Derivatives, state, files

(deftest derivatives-go-to-the-chosen-places
  (let [f (d/function [x] (d/grad (d/sum (d/sqr chosen)) x))
        g (d/function [x] (d/rop (d/sqr chosen) x (d/ones-like x)))
        h (d/function [x] (d/hvp (d/sum (d/pow chosen 3)) x (d/ones-like x)))]
    (is (= [0.0 6.0 0.0 8.0] @(f [-1 3 0 4])))
    (is (= [6.0 8.0] @(g [-1 3 0 4])))
    (is (= [0.0 18.0 0.0 24.0] @(h [-1 3 0 4])))))

(deftest updates-of-state
  (let [s (d/shared 's 1.0)
        f (d/function [x] chosen {:updates {s (d/add s (d/sum chosen))}})]
    (is (= [2.0 3.0] @(f [2 -5 3])))
    (is (= 6.0 @(d/value s)))
    (is (= [1.0] @(d/call-n f 3 [1.0 -1.0])))
    (is (= 9.0 @(d/value s)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"the type of its variable"
                          (d/function [x] chosen {:updates {(d/shared 'v [1.0 2.0]) chosen}})))))

(deftest counted-functions-survive-a-file
  (let [file (java.io.File/createTempFile "counted" ".damo")]
    (try
      (d/save file {:f (d/function [x] [chosen (d/sum chosen)])})
      (is (= [[3.0] 3.0] (mapv deref ((:f (d/load file)) [-1 3]))))
      (finally (.delete file)))))

(deftest shapes-below-zero-stop-the-call
  (let [[k] (d/shape chosen), f (d/function [x] (d/slice chosen :start 1 :stop k))]
    (is (= [4.0] @(f [3 -1 4])))
    (is (= [] @(f [3])))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"flatnonzero" (f [-3])))))

;; ## Order

(deftest what-mentions-a-dim-comes-after-what-counts-it
  (let [g {:nodes '[[:input {:name x, :type [:f64 [n]]}]
                    [:iota {:shape [k], :axis 0, :dtype :i64}]
                    [:gt {} 0 0]
                    [:flatnonzero {:as k} 2]
                    [:add {} 1 3]]
           :types '[[:f64 [n]] [:i64 [k]] [:bool [n]] [:i64 [k]] [:i64 [k]]]
           :outputs [4]}]
    (is (= [0 2 3 1 4] (counted/order g)))
    (is (= '[{:id 3, :dim k, :max n}] (counted/binders g)))
    (is (= '{3 {:dim k, :max n}} (counted/counting g #{})))
    (is (= {} (counted/counting g '#{k})))
    (is (= '#{3} ((counted/needs g) 1)))))

(deftest derivatives-of-uniform-shape-keep-the-count
  (let [x (d/input 'x [:f64 ['n]]), y (d/masked x (d/gt x 0))
        value (fn [e mode] @((d/function [x] e {:mode mode}) [1 -2 3]))]
    (doseq [mode [:fast-run :fast-compile :debug :nan-guard :none]]
      (is (= [1.0 1.0] (value (d/grad (d/sum y) y) mode)) (str mode))
      (is (= [[1.0 0.0] [0.0 1.0]] (value (d/jacobian y y) mode)) (str mode))
      (is (= [[2.0 0.0] [0.0 2.0]] (value (d/hessian (d/sum (d/sqr y)) y) mode)) (str mode))
      (is (= [0.0 0.0] (value (d/grad (d/sum x) y {:disconnected :ignore}) mode)) (str mode)))
    (testing "and are differentiated again, as graphs and as expressions"
      (is (= [2.0 0.0 6.0]
             (value (d/grad (d/sum (d/sqr (d/mul (d/grad (d/sum y) y) y))) x) :fast-run)))
      (is (= [1.0 1.0]
             @(d/eval (d/expr (d/graph (d/grad (d/sum y) y)) {'x x}) {x [1 -2 3]}))))
    (is (= [1.0 1.0] @(d/eval (d/grad (d/sum y) y) {x [1 -2 3]})))))
