(ns damo.compile.told-test
  "What is told of dims, through compiled functions: calls that contradict it are refused with both
  names, both inputs and the line, in all modes and whatever the rules left of the expressions."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [damo.core :as d])
  (:import [clojure.lang ExceptionInfo]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x '[:f64 [n]]))
(def ^:private y (d/input 'y '[:f64 [m]]))
(def ^:private z (d/input 'z '[:f64 [p]]))

(defn- refusal
  "The failure of a call, nil when it succeeds."
  [f & args]
  (try (apply f args) nil (catch ExceptionInfo e e)))

(def ^:private refused? (comp #{:damo/requirement-failed} :damo/error ex-data refusal))
(def ^:private told-below (d/with-dims '{n m} (d/add x y)))

;; ## Messages

(deftest what-a-refused-call-says
  (let [line (inc (long (:line (meta #'refused?))))
        f (d/function [x y] told-below {:name "f"}), e (refusal f [1 2] [3])]
    (is (= [[4.0 6.0] "#damo/expr [:f64 [m]] (add x y)"]
           [@(f [1 2] [3 4]) (pr-str told-below)]))
    (is (= (str "in f: with-dims: it is told that n = m, where n is axis 0 of x and m is axis 0 of"
                " y; n with n = 2 is more than m with m = 1\n  expression: x\n"
                "  written at: told_test.clj:" line)
           (ex-message e)))
    (is (= ["told_test.clj" line] ((juxt :file :line) (ex-data e))))))

(defn- advice [make] (:try (ex-data (refusal make))))

(deftest refusals-show-the-line-to-write
  (are [line make] (str/starts-with? (advice make) line)
    "(d/with-dims '{n m} …)" #(d/add x y)
    "(d/with-dims '{n m} …)" #(d/dot x y)
    "(d/with-dims '{n m} …)" #(d/einsum "i,i" x y)
    "(d/with-dims '{n 3} …)" #(d/add [1 2 3] x)
    "(d/with-dims '{n [:* 2 m]} …)" #(d/add (d/concatenate [y y]) x)
    "(d/with-dims '{n m} …)" #(d/rop (d/mul x x) x y)
    "(d/with-dims '{n 2} …)" #(d/function [x] x {:updates {(d/shared 's [1.0 2.0]) x}}))
  (testing "but not for what can never be equal"
    (is (not (str/includes? (advice #(d/add [1 2 3] [1 2])) "with-dims")))
    (is (not (str/includes? (advice #(d/add x (d/concatenate [x [1.0]]))) "with-dims"))))
  (testing "and the line is right"
    (is (= [4.0 6.0] @((d/function [x y] (d/with-dims '{n m} (d/add x y))) [1 2] [3 4])))))

;; ## The check stays

(def ^:private built
  "Expressions of which rules leave more or less, each in modes of its own."
  (d/with-dims '{n m}
    [["a sum" (d/add x y) [:fast-run :fast-compile :debug]]
     ["y goes away" (d/sub (d/add x y) y) [:fast-run :fast-compile :debug]]
     ["a product by zero" (d/mul 0 (d/add x y)) [:fast-run]]
     ["a shape" (d/shape-i (d/add x y) 0) [:debug]]
     ["a gradient" (d/grad (d/sum (d/mul x x y)) x) [:debug]]
     ["one that is constant" (d/grad (d/sum (d/add x y)) x) [:fast-run]]
     ["forward mode" (d/rop (d/mul x y) x y) [:fast-compile]]
     ["a Jacobian" (d/jacobian (d/mul x y) x) [:fast-run]]
     ["a Hessian" (d/hessian (d/sum (d/mul x x y)) x) [:fast-compile]]
     ["one name alone" (d/exp y) [:fast-run]]]))

(deftest the-check-outlives-what-was-rewritten
  (doseq [[what e modes] built, mode modes
          :let [f (d/function [x y] e {:mode mode, :on-unused-input :ignore})]]
    (testing (str what ", " mode)
      (is (some? (f [1 2] [3 4])))
      (is (refused? f [1 2] [3]))
      (is (refused? f [1] [3 4])))))

(deftest functions-made-of-functions-keep-the-check
  (let [told (d/with-dims '{n m} (d/add x y)), k (d/shared 'k 0.0)
        f (d/function [x y] {:a told, :b (d/sum x)} {:updates {k (d/add k 1)}})
        file (java.io.File/createTempFile "told" ".damo")]
    (d/save file {:f f})
    (doseq [[what f] {"outputs-subset" (fn [& args] (apply d/outputs-subset f [:a] args))
                      "copy-function" (d/copy-function f {:swap {k (d/shared 'j 1.0)}})
                      "call-n" #(d/call-n f 2 %1 %2), "load" (:f (d/load file))
                      "read back" (let [e (d/expr (d/graph told))
                                        inputs (into {} (map (juxt identity #(d/input % [:f64 [%]]))
                                                             '[x y]))]
                                    (d/function (mapv inputs '[x y])
                                                (d/expr (d/graph e) inputs)))}]
      (testing what
        (is (some? (f [1 2] [3 4])))
        (is (refused? f [1 2] [3]))))
    (.delete file)))

(deftest what-replaces-an-input-keeps-it
  (let [e (d/exp x), told (d/with-dims '{m p} (d/add y z))
        f (d/function [y z] e {:givens {x told}})]
    (is (some? (f [1 2] [3 4])))
    (is (refused? f [1 2] [3]))))

;; ## Which dims

(deftest names-that-no-input-has
  (testing "one side is enough"
    (is (= [1.0] @((d/function [x] (d/with-dims '{n m} (d/exp x))) [0]))))
  (testing "a name between two"
    (let [f (d/function [x z] (d/with-dims '{n m, m p} (d/add x z)))]
      (is (= [4.0] @(f [1] [3])))
      (is (refused? f [1 2] [3]))))
  (testing "what two parts tell of one name"
    (let [f (d/function [x z] [(d/with-dims '{n q} (d/exp x)) (d/with-dims '{p q} (d/exp z))])]
      (is (some? (f [1] [2])))
      (is (refused? f [1] [2 3])))))

(deftest compound-dims-and-numbers
  (doseq [told '[{n [:* 2 m]} {[:* 2 m] n} {m [:/ n 2]}]
          :let [f (d/function [x y] (d/with-dims told (d/add x (d/concatenate [y y]))))]]
    (testing (pr-str told)
      (is (= [11.0 22.0 13.0 24.0] @(f [1 2 3 4] [10 20])))
      (is (refused? f [1 2 3] [10]))
      (is (refused? f [1 2 3 4] [10]))))
  (let [f (d/function [x] (d/with-dims '{n 3} (d/add x [1 2 3])))]
    (is (= [1.0 2.0 3.0] @(f [0 0 0])))
    (is (refused? f [0 0]))))

(deftest counted-dims
  (let [kept (d/index x (d/gt x 0)), [k] (second (d/type-of kept))]
    (doseq [told [{k 'm} {'m k}]
            :let [f (d/function [x y] (d/with-dims told (d/add kept y)))]]
      (is (= [11.0 23.0] @(f [1 -2 3] [10 20])))
      (is (refused? f [1 2 3] [10 20]))
      (is (refused? f [-1 2 -3] [10 20]))
      (is (re-find #"count.*, told at told_test.clj:\d+"
                   (first (str/split-lines (ex-message (refusal f [1 2 3] [10 20])))))))))

(deftest contradictions
  (are [told] (thrown-with-msg? ExceptionInfo #"contradicts itself.*told at told_test.clj"
                                (d/with-dims told x))
    '{n 3, [:+ n 1] 5} '{n m, m [:+ n 1]} '{[:* 2 n] 7} '{n [:>= 3], m n, [:+ m 1] 2})
  (is (thrown-with-msg? ExceptionInfo #"n = 3, told at told_test.clj:\d+ and n = 4"
                        (d/function [x] [(d/with-dims '{n 3} (d/exp x))
                                         (d/with-dims '{n 4} (d/sin x))])))
  (is (thrown-with-msg? ExceptionInfo #"n = 3, .* and m = 4, .* and n = m"
                        (d/with-dims '{n 3, m 4} (d/with-dims '{n m} x)))))

(deftest what-is-not-told
  (are [told] (thrown-with-msg? ExceptionInfo #"what is told of" (d/with-dims told x))
    nil '[n m] '{n -1} '{n "m"} '{n [:>= 1 2]} '{n [:between 1 2]} {"n" 'm}))

;; ## Where it holds

(defn- elsewhere [a b] (d/add a b))

(deftest extent-of-what-is-told
  (testing "functions that are called, elements of lazy sequences, threads"
    (is (= '[:f64 [m]] (d/type-of (d/with-dims '{n m} (elsewhere x y)))))
    (is (= '[:f64 [m]] (d/type-of (first (d/with-dims '{n m} (map elsewhere [x] [y]))))))
    (is (= '[:f64 [m]] (d/type-of (:e (first (d/with-dims '{n m} [{:e (elsewhere x y)}]))))))
    (is (= '[:f64 [m]] (d/type-of @(d/with-dims '{n m} (future (elsewhere x y)))))))
  (testing "not beyond it"
    (is (thrown? ExceptionInfo (do (d/with-dims '{n m} (elsewhere x y)) (elsewhere x y))))
    (is (thrown-with-msg? ExceptionInfo #"lazy sequence"
                          (d/with-dims '{n m} (map elsewhere (repeat x) (repeat y))))))
  (testing "each inside the other"
    (is (= '[:f64 [p]] (d/type-of (d/with-dims '{n p} (d/with-dims '{m n} (d/add x y z)))))))
  (testing "what was made inside fits what is outside by the name on the right"
    (is (= '[:f64 [m]] (d/type-of (d/add (d/with-dims '{n m} (d/add x y)) y))))))

(deftest graphs-that-nodes-hold
  (let [both (d/as-op (fn [a b] (d/with-dims '{n m} (d/add a b))) :name 'both)
        plain (d/as-op (fn [a b] (d/add a b)) :name 'plain)
        times (d/with-derivative d/mul {:lop (fn [[a b] _ g] [(d/mul g b) (d/mul g a)])})]
    (doseq [[what e value] [["told inside" (both x y) [11.0 22.0]]
                            ["told outside" (d/with-dims '{n m} (plain x y)) [11.0 22.0]]
                            ["a declared derivative"
                             (d/with-dims '{n m} (d/grad (d/sum (times x y)) x)) [10.0 20.0]]]
            :let [f (d/function [x y] e {:on-unused-input :ignore})]]
      (testing what
        (is (= value @(f [1 2] [10 20])))
        (is (refused? f [1 2] [10]))))))

(deftest several-results
  (let [f (d/function [x y] (d/with-dims '{n m} (d/max-and-argmax (d/add x y))))]
    (is (= [22.0 1] (mapv deref (f [1 2] [10 20]))))
    (is (refused? f [1 2] [10]))))

;; ## Bounds

(defn- requires-in-kernels [f]
  (filter #(and (vector? %) (= :require (first %)))
          (tree-seq coll? seq (:kernels (d/program f)))))

(deftest bounds-of-dims
  (let [tail (fn [e] (d/index e [1 nil]))
        f (d/function [x] (d/with-dims '{n [:>= 1]} (tail x)))]
    (testing "the normal form knows them"
      (is (= '[:f64 [[:max 0 [:- n 1]]]] (d/type-of (tail x))))
      (is (= '[:f64 [[:- n 1]]] (d/type-of (d/with-dims '{n [:>= 1]} (tail x)))))
      (is (= '[:f64 [n]] (d/type-of (d/with-dims '{n [:<= m]}
                                      (d/broadcast-to 1.0 '[[:min n m]])))))
      (is (= '[:f64 [[:- m 1]]] (d/type-of (d/with-dims '{n m, m [:in 1 9]} (tail x))))))
    (testing "a call checks them"
      (is (= [2.0] @(f [1 2])))
      (is (= [] @(f [1])))
      (is (refused? f []))
      (is (refused? (d/function [x] (d/with-dims '{n [:<= 2]} (d/exp x))) [1 2 3])))
    (testing "what needs an element needs no check"
      (is (seq (requires-in-kernels (d/function [x] (d/max x)))))
      (is (empty? (requires-in-kernels (d/function [x] (d/with-dims '{n [:>= 1]} (d/max x))))))
      (is (empty? (requires-in-kernels
                   (d/function [x y] (d/with-dims '{n m, m [:>= 2]} (d/argmax x)))))))))

;; ## Branches of unlike lengths

(def ^:private t (d/input 't '[:bool []]))
(def ^:private once-or-twice (d/ifelse t x (d/concatenate [x x])))
(def ^:private its-length (first (second (d/type-of once-or-twice))))

(def ^:private of-branches
  "[what function calls-that-agree calls-that-do-not]: what is told of dims that branches count."
  [["stated to be another" (d/function [t x z] (d/add z (d/specify-shape once-or-twice ['p])))
    {[true [1 2] [3 4]] [4.0 6.0], [false [1] [3 4]] [4.0 5.0]}
    [[true [1 2] [3]] [false [1 2] [3 4]]]]
   ["told to be another" (d/function [t x z] (d/with-dims {its-length 'p} (d/add z once-or-twice)))
    {[true [1 2] [3 4]] [4.0 6.0], [false [1] [3 4]] [4.0 5.0]} [[true [1 2] [3]]]]
   ["its own" (d/function [t x] (d/add x (d/specify-shape once-or-twice ['n])))
    {[true [1 2]] [2.0 4.0]} [[false [1 2]]]]
   ["twice its own"
    (d/function [t x] (d/with-dims {its-length [:* 2 'n]}
                        (d/add (d/concatenate [x x]) once-or-twice)))
    {[false [1 2]] [2.0 4.0 2.0 4.0]} [[true [1 2]]]]
   ["a number" (d/function [t x] (d/specify-shape once-or-twice [2]))
    {[true [1 2]] [1.0 2.0], [false [1]] [1.0 1.0]} [[false [1 2]] [true [1]]]]
   ["of what a mask counts"
    (d/function [t x z]
      (let [some-of-x (d/compress (d/gt x 0) x)]
        (d/add z (d/specify-shape (d/ifelse t some-of-x (d/concatenate [some-of-x some-of-x]))
                                  ['p]))))
    {[true [1 -2] [3]] [4.0], [false [1 -2] [3 4]] [4.0 5.0]} [[false [1 2] [3]]]]
   ["in a case"
    (d/function [t x z]
      (d/ifelse (d/gt (d/sum x) 0)
                (d/add z (d/specify-shape (d/ifelse t x (d/concatenate [x x])) ['p]))
                z))
    {[true [1 2] [3 4]] [4.0 6.0], [false [1] [3 4]] [4.0 5.0], [true [-1 -2] [3]] [3.0]}
    [[true [1 2] [3]]]]
   ["of two results"
    (d/function [t x z]
      (let [[a b] (d/ifelse t [x (d/mul 2 z)] [(d/concatenate [x x]) z])]
        (d/add (d/specify-shape a ['p]) b)))
    {[true [1 2] [3 4]] [7.0 10.0], [false [1] [3 4]] [4.0 5.0]} [[false [1 2] [3 4]]]]])

(deftest branches-check-what-is-told-of-the-case-that-runs
  (doseq [[what f agreeing others] of-branches]
    (testing what
      (doseq [[call value] agreeing] (is (= value @(apply f call)) call))
      (doseq [call others] (is (apply refused? f call) call)))))

(deftest branches-in-loops-check-each-round
  (let [rows (d/input 'rows '[:f64 [k q]])
        f (d/function [rows]
            (d/map-steps (fn [row]
                           (d/add row (d/specify-shape (d/ifelse (d/gt (d/sum row) 0)
                                                                 row
                                                                 (d/concatenate [row row]))
                                                       ['q])))
                         rows))]
    (is (= [[2.0 4.0] [6.0 8.0]] @(f [[1 2] [3 4]])))
    (is (refused? f [[1 2] [-3 -4]]))))
