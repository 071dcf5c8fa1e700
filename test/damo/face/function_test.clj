(ns damo.face.function-test
  "Compiled functions as users meet them: the forms of arguments and results, updates of shared
  state, substitution, repeated calls, calls from many threads; and every kind of bad input, which
  fails with a message that names what was given and leaves the state as it was."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.compile.pipeline :as pipeline]
            [damo.core :as d]
            [damo.face.function :as function]
            [damo.runtime.programs :as programs])
  (:import [damo.program Programs]
           [damo.tensor Tensor]
           [java.util.concurrent Callable Executors Future]))

(set! *warn-on-reflection* true)

(defn- error-of
  "[kind message] of what f throws, or nil."
  [f]
  (try (f) nil
       (catch clojure.lang.ExceptionInfo e [(:damo/error (ex-data e)) (ex-message e)])))

(defmacro ^:private fails-with
  "Does the body fail with that kind and a message that contains the texts?"
  [kind texts & body]
  `(let [[kind# message#] (error-of (fn [] ~@body))]
     (is (= ~kind kind#) (str message#))
     (doseq [text# ~texts] (is (str/includes? (str message#) text#)))))

(defn- x-input [] (d/input 'x [:f64 ['n 3]]))

;; ## Forms

(deftest results-have-the-form-of-the-outputs
  (let [x (d/input 'x [:f64 []])]
    (is (= 4.0 @((d/function [x] (d/add x 1)) 3.0)))
    (is (= [4.0 2.0] (mapv deref ((d/function [x] [(d/add x 1) (d/sub x 1)]) 3.0))))
    (is (= [] ((d/function [x] [] {:on-unused-input :ignore}) 3.0)))
    (is (= {:up 4.0, "down" 2.0}
           (update-vals ((d/function [x] {:up (d/add x 1), "down" (d/sub x 1)}) 3.0) deref)))
    (is (= 7.0 @((d/function [x] 7.0 {:on-unused-input :ignore}) 3.0)) "a number is an output")))

(deftest outputs-may-be-inputs-views-and-duplicates
  (let [x (d/input 'x [:f64 [2 2]]), y (d/tanh x)
        f (d/function [x] [x (d/transpose x) y y (d/transpose y) (d/index x 0)])
        value [[1.0 2.0] [3.0 4.0]]
        t (d/tensor value)
        [a b c e g h] (f t)]
    (is (= [value [[1.0 3.0] [2.0 4.0]] [1.0 2.0]] [@a @b @h]))
    (is (= @c @e))
    (is (= (apply mapv vector @c) @g))
    (is (apply distinct? (map #(.segment ^Tensor %) [t a b c e g h])) "no two share memory")))

(deftest arguments-by-position-and-by-name
  (let [names '[a b c e g h i j]
        inputs (mapv #(d/input % [:f64 []]) names)
        weighted (reduce d/add (map d/mul inputs (iterate #(* 10 %) 1)))
        f (d/function inputs weighted)]
    (testing "more arguments than five"
      (is (= 87654321.0 @(f 1 2 3 4 5 6 7 8)))
      (is (= 87654321.0 @(apply f (range 1 9)))))
    (is (= 87654321.0 @(f (zipmap names (range 1 9)))) "symbols")
    (is (= 87654321.0 @(f (zipmap (map keyword names) (range 1 9)))) "keywords")
    (is (= 87654321.0 @(f (zipmap (map str names) (range 1 9)))) "strings")
    (fails-with :damo/arity-mismatch ["takes 8 arguments" "got 7"] (f 1 2 3 4 5 6 7))
    (fails-with :damo/arity-mismatch ["missing: [j]" "unknown: [z]"]
                (f (zipmap '[a b c e g h i z] (range 1 9))))))

(deftest functions-of-any-number-of-arguments
  (doseq [n [0 1 2 6 20 21 25]
          :let [inputs (mapv #(d/input (symbol (str "x" %)) [:f64 []]) (range n))
                f (d/function inputs (reduce d/add 0.5 inputs))
                total (+ 0.5 (reduce + (range n)))]]
    (is (= total @(apply f (range n))) (str n " arguments by apply"))
    (is (= total @((eval `(fn [f#] (f# ~@(range n)))) f)) (str n " arguments in a call"))))

(deftest arguments-of-many-kinds
  (let [f (d/function [(x-input)] (d/sum (x-input)))]
    (is (= 21.0 @(f [[1 2 3] [4 5 6]])))
    (is (= 21.0 @(f (into-array [(double-array [1 2 3]) (double-array [4 5 6])]))))
    (is (= 21.0 @(f (d/tensor [[1 2 3] [4 5 6]]))) "integers become floats")
    (is (= 0.0 @(f (d/zeros [0 3]))))))

;; ## What is wrong when a function is made

(deftest inputs-must-be-listed-once-and-used
  (let [x (d/input 'x [:f64 ['n]]), y (d/input 'y [:f64 ['n]])]
    (fails-with :damo.function/unused-input ["y [:f64 [n]]" "function_test.clj" ":on-unused-input"]
                (d/function [x y] (d/sum x)))
    (is (= 3.0 @((d/function [x y] (d/sum x) {:on-unused-input :ignore}) [1 2] [0 0])))
    (let [err (java.io.StringWriter.)]
      (is (= 3.0 (binding [*err* err]
                   @((d/function [x y] (d/sum x) {:on-unused-input :warn}) [1 2] [0 0]))))
      (is (str/includes? (str err) "WARNING: no output or update needs the input y")))
    (fails-with :damo.function/missing-input ["the input y [:f64 [n]]" "function_test.clj" "[x]"]
                (d/function [x] (d/add x y)))
    (fails-with :damo.function/duplicate-input ["x is listed twice"] (d/function [x x] (d/sum x)))
    (fails-with :damo.function/not-an-input ["(add x 1.0)"] (d/function [(d/add x 1)] x))
    (fails-with :damo.function/not-an-input ["7"] (d/function [7] x))
    (testing "two inputs of one name and different types"
      (is (some? (error-of #(d/function [x] (d/add (d/sum x) (d/sum (d/input 'x [:f32 [3]]))))))))))

(deftest what-is-no-function-input-or-option
  (let [x (d/input 'x [:f64 []]), f (d/function [x] x)]
    (fails-with :damo.function/not-an-input ["as a vector" "x [:f64 []]"] (d/function x x))
    (fails-with :damo.function/not-updates
                ["{shared expression}" "3"] (d/function [x] x {:updates 3}))
    (fails-with :damo.expr/not-an-expression ["\"text\""] (d/function [x] "text"))
    (fails-with :damo.function/not-a-function ["7"] (d/call-n 7 3))
    (fails-with :damo.function/not-a-function ["7"] (d/program 7))
    (fails-with ::d/not-tensors ["[3]"] (d/call-into f [3] 1.0))
    (is (some? (error-of #(d/function [x] x {:updatez {}}))))
    (is (some? (error-of #(d/function [x] x {:on-unused-input :perhaps}))))))

(deftest updates-must-fit
  (let [w (d/shared 'w (d/zeros [3])), x (d/input 'x [:f64 [3]])]
    (fails-with :damo.function/update-mismatch ["w [:f64 [3]]" "[:f64 []]"]
                (d/function [x] [] {:updates {w (d/sum x)}}))
    (fails-with :damo.function/update-mismatch ["w [:f64 [3]]" "[:f32 [3]]"]
                (d/function [x] [] {:updates {w (d/cast x :dtype :f32)}}))
    (fails-with :damo.function/not-shared ["x [:f64 [3]]"] (d/function [x] [] {:updates {x w}}))
    (fails-with :damo.function/not-shared ["7"] (d/function [x] (d/sum x) {:updates {7 w}}))
    (fails-with :damo.function/duplicate-update ["w"]
                (d/function [x] [] {:updates [[w x] [w (d/neg x)]]}))))

(deftest modes-and-givens-must-exist
  (let [x (x-input)]
    (fails-with :damo.run/unknown-mode
                [":fast" ":fast-run"] (d/function [x] (d/sum x) {:mode :fast}))
    (fails-with :damo.function/given-mismatch ["x [:f64 [n 3]]"]
                (d/function [x] (d/sum x) {:givens {x (d/input 'y [:f32 ['n 3]])}}))))

(deftest a-dimension-that-nothing-tells
  (let [x (d/input 'x [:f64 []])
        [kind message] (error-of #(d/function [x] (d/broadcast-to x :shape ['rows 2])))]
    (is (= :damo.plan/free-dimension kind))
    (is (str/includes? message "rows"))))

(deftest derivatives-of-what-is-no-scalar
  (let [x (x-input)]
    (fails-with :damo.diff/non-scalar-cost ["[:f64 [n 3]]" "sum or mean"] (d/grad (d/exp x) x))))

;; ## What is wrong with a call

(deftest conflicts-at-call-time-name-the-dimension
  (let [x (d/input 'x [:f64 ['batch 3]]), y (d/input 'y [:f32 ['batch]])
        f (d/function [x y] (d/add (d/sum x) (d/sum y)))]
    (fails-with :damo/shape-mismatch ["batch" "y"] (f [[1 2 3] [4 5 6]] (float-array 3)))
    (fails-with :damo/shape-mismatch ["x"] (f [[1 2] [4 5]] (float-array 2)))
    (fails-with :damo/shape-mismatch ["x"] (f [1 2 3] (float-array 1)))
    (fails-with :damo/dtype-mismatch ["y" "f32" "f64"] (f [[1 2 3]] (double-array 1)))
    (fails-with :damo/ragged ["x"] (f [[1 2 3] [4 5]] (float-array 2)))
    (is (some? (error-of #(f [["a" 2 3]] (float-array 1)))))
    (is (some? (error-of #(f nil (float-array 1)))))
    (testing "and the function still works"
      (is (= 6.0 @(f [[1 2 3]] (float-array 1)))))
    (testing "f64 data may be rounded when asked"
      (let [f (d/function [y] (d/sum y) {:allow-downcast true})]
        (is (= (double (float 0.1)) (double @(f (double-array [0.1])))))))))

(deftest legal-values-that-are-not-numbers-are-kept
  (let [x (d/input 'x [:f64 ['n]])]
    (is (= ["NaN" "Infinity" "NaN"]
           (map str @((d/function [x] (d/mul x 2)) [##NaN ##Inf ##NaN]))))
    (is (NaN? @((d/function [x] (d/max x)) [1.0 ##NaN 3.0])))
    (is (NaN? @((d/function [x] (d/log (d/sum x))) [-1.0])))))

(deftest a-label-out-of-range-leaves-the-weights-as-they-were
  (doseq [mode [:fast-run :fast-compile]
          :let [x (d/input 'x [:f64 ['n 2]]), y (d/input 'y [:i64 ['n]])
                w (d/shared 'w [[1.0 2.0 3.0] [4.0 5.0 6.0]]), b (d/shared 'b (d/zeros [3]))
                steps (d/shared 'steps 0)
                loss (d/mean (d/cross-entropy (d/add (d/dot x w) b) y))
                [dw db] (d/grad loss [w b])
                step (d/function [x y] loss {:mode mode
                                             :updates {w (d/sub w (d/mul 0.1 dw))
                                                       b (d/sub b (d/mul 0.1 db))
                                                       steps (d/add steps 1)}})
                state #(mapv (comp deref d/value) [w b steps])
                before (state)]]
    (doseq [bad [3 -4 Long/MAX_VALUE Long/MIN_VALUE]
            :let [[kind message] (error-of #(step [[1 2] [3 4]] [0 bad]))]]
      (is (= :damo/index-out-of-bounds kind) (str message))
      (is (str/includes? (str message) "function_test.clj"))
      (is (= before (state))))
    (is (some? (error-of #(d/call-n step 5 [[1 2] [3 4]] [0 3]))))
    (is (= before (state)) "nor do repeated calls")
    (step [[1 2] [3 4]] [0 2])
    (is (= 1 (last (state))))
    (is (not= before (state)))))

(deftest sizes-that-overflow-and-memory-that-cannot-be-had
  (let [s (d/input 's [:f64 []]), x (d/input 'x [:i8 ['n]]), y (d/input 'y [:i8 ['m]])
        z (d/input 'z [:i8 ['k]])
        wide (d/broadcast-to s :shape [(bit-shift-left 1 40) (bit-shift-left 1 40)])
        columns [(d/reshape x :shape ['n 1 1]) (d/reshape y :shape ['m 1]) z]
        f (d/function [x y z] (apply d/mul columns))
        large (byte-array (bit-shift-left 1 22))]
    (fails-with :damo.type/bad-dimension ["2^63-1" "function_test.clj"]
                (d/reshape wide :shape [-1]))
    (fails-with :damo/size-overflow ["n" "m" "k"] (f large large large))
    (fails-with :damo/out-of-memory ["bytes"] (f large large (byte-array 2)))
    (is (= [[[6]]] @(f [1] [2] [3])))))

;; ## State

(deftest updates-use-the-old-values-and-apply-together
  (let [a (d/shared 'a 1.0), b (d/shared 'b 2.0), x (d/input 'x [:f64 []])
        f (d/function [x] [a b] {:updates {a b, b (d/add a x)}})]
    (is (= [1.0 2.0] (map deref (f 10.0))) "outputs have the old values")
    (is (= [2.0 11.0] [@(d/value a) @(d/value b)]))
    (f 100.0)
    (is (= [11.0 102.0] [@(d/value a) @(d/value b)]))))

(deftest swapped-states
  (doseq [mode [:fast-run :fast-compile]
          :let [a (d/shared 'a [[1 2] [3 4]]), b (d/shared 'b [[5 6] [7 8]])
                swap (d/function [] [] {:mode mode, :updates {a b, b a}})
                turn (d/function [] [] {:mode mode
                                        :updates {a (d/transpose b), b (d/transpose a)}})]]
    (swap)
    (is (= [[[5 6] [7 8]] [[1 2] [3 4]]] [@(d/value a) @(d/value b)]))
    (turn)
    (is (= [[[1 3] [2 4]] [[5 7] [6 8]]] [@(d/value a) @(d/value b)]))
    (d/call-n turn 3)
    (is (= [[[5 6] [7 8]] [[1 2] [3 4]]] [@(d/value a) @(d/value b)]))))

(deftest two-states-of-one-name-are-two
  (let [a (d/shared 'w 1.0), b (d/shared 'w 2.0)
        f (d/function [] (d/add (d/mul 10 a) b) {:updates {a (d/add b 0.5)}})]
    (is (= 12.0 @(f)))
    (is (= [2.5 2.0] [@(d/value a) @(d/value b)]))
    (is (= 27.0 @(f)))))

(deftest an-update-may-be-a-value
  (let [w (d/shared 'w [1.0 2.0]), n (d/shared 'n 5)
        f (d/function [] [] {:updates {w [0 0], n 7}})]
    (f)
    (is (= [[0.0 0.0] 7] [@(d/value w) @(d/value n)]))
    (is (some? (error-of #(d/function [] [] {:updates {n 7.5}}))) "a float is no integer")))

(deftest functions-share-states
  (let [w (d/shared 'w 1.0), x (d/input 'x [:f64 []])
        add (d/function [x] [] {:updates {w (d/add w x)}}), get-w (d/function [] w)]
    (add 2.0)
    (is (= 3.0 @(get-w)))
    (d/set-value! w 10)
    (is (= 10.0 @(get-w)))
    (fails-with :damo/shape-mismatch ["w"] (d/set-value! w [1 2]))
    (fails-with ::d/not-shared ["x"] (d/set-value! x 3))
    (is (= 10.0 @(get-w)))))

;; ## Substitution

(deftest givens-replace-expressions
  (let [x (d/input 'x [:f64 []]), y (d/input 'y [:f64 []]), w (d/shared 'w 5.0)
        squared (d/sqr x)
        e (d/add squared (d/mul 10 w))]
    (is (= 59.0 @((d/function [y] e {:givens {x y}}) 3.0)) "an input by another")
    (is (= 53.0 @((d/function [y] e {:givens {squared y}}) 3.0)) "an inner expression")
    (is (= 39.0 @((d/function [x] e {:givens {w x}}) 3.0)) "a shared variable")
    (testing "in updates, too; the state that is updated stays"
      ((d/function [y] [] {:givens {x y}, :updates {w e}}) 3.0)
      (is (= 59.0 @(d/value w))))))

;; ## Repeated calls, buffers, threads

(deftest repeated-calls
  (let [n (d/shared 'n 0), f (d/function [] n {:updates {n (d/add n 1)}})]
    (is (= 9 @(d/call-n f 10)))
    (is (= 10 @(d/value n)))
    (fails-with :damo/bad-data ["got 0"] (d/call-n f 0))))

(deftest repeated-calls-of-which-one-fails-change-nothing
  (let [at (d/shared 'at 0), seen (d/shared 'seen 0.0), x (d/input 'x [:f64 ['n]])
        f (d/function [x] (d/take x at)
                      {:updates {at (d/add at 1), seen (d/add seen (d/take x at))}})]
    (is (= 3.0 @(d/call-n f 3 [1 2 3])))
    (is (= [3 6.0] [@(d/value at) @(d/value seen)]))
    (d/set-value! at 1)
    (fails-with :damo/index-out-of-bounds [] (d/call-n f 4 [1 2 3]))
    (is (= [1 6.0] [@(d/value at) @(d/value seen)]))))

(deftest calls-into-buffers
  (let [x (x-input), f (d/function [x] {:a (d/add x 1), :b (d/sum x)})
        [a b :as buffers] [(d/zeros [2 3]) (d/tensor 0.0)]
        result (d/call-into f buffers [[1 2 3] [4 5 6]])]
    (is (= [[[2.0 3.0 4.0] [5.0 6.0 7.0]] 21.0] [@a @b]))
    (is (identical? a (:a result)))
    (fails-with :damo/shape-mismatch ["output a"]
                (d/call-into f [(d/zeros [3 3]) b] [[1 2 3] [4 5 6]]))
    (fails-with :damo/aliasing ["output a" "input x"] (d/call-into f [a b] a))))

(defn- in-threads
  "The results of calling (f i) for i below `times`, from some threads at once."
  [times f]
  (let [pool (Executors/newFixedThreadPool 4)]
    (try (mapv (fn [^Future result] (.get result))
               (.invokeAll pool ^java.util.Collection
                           (mapv (fn [i] (reify Callable (call [_] (f i)))) (range times))))
         (finally (.shutdown pool)))))

(deftest one-function-called-from-many-threads
  (let [x (d/input 'x [:f64 ['n 3]]), w (d/shared 'w (d/ones [3 4]))
        f (d/function [x] (d/sum (d/softmax (d/dot x w))))]
    (is (= (map double (range 1 101))
           (in-threads 100 #(Math/rint @(f (d/ones [(inc %) 3])))))))
  (testing "no update is lost"
    (let [n (d/shared 'n 0), f (d/function [] n {:updates {n (d/add n 1)}})]
      (is (= (range 200) (sort (in-threads 200 (fn [_] @(f))))))
      (is (= 200 @(d/value n))))))

(deftest every-kind-of-step-is-explained
  (let [x (d/input 'x [:f64 ['n]]), w (d/input 'w [:f64 [3 3]])
        text (with-out-str
               (d/explain (d/function [x w] [(d/flatnonzero x :as 'k)
                                             (d/dot w w)])))]
    (is (re-find #"(?m)^  count   k; reads \d+$" text))
    (is (re-find #"(?m)^  product \[3 3\] x \[3 3\]; reads 1, writes \d+$" text))
    (is (re-find #"(?m)^  kernel  \S+; reads \d+, writes \d+ \d+$" text)))
  (is (= ["block" "  kernel  copy-a; reads 0, writes 2" "  kernel  copy-b; reads 1, writes 3"
          "block" "  call    dgesv; writes 4, updates 2 3"]
         (.lines (Programs/read (pr-str programs/solve))))))

(deftest what-is-printed
  (let [x (x-input), f (d/function [x] (d/sum (d/mul x 1)) {:name "total"})]
    (is (= "#damo/function total (x [:f64 [n 3]]) -> [:f64 []]" (pr-str f) (str f)))
    (is (str/includes? (with-out-str (d/explain f)) "mul-one"))
    (are [k] (contains? (d/program f) k) :buffers :steps :kernels)))
