(ns damo.face.scan-test
  "Scans as users write them, on the reference interpreter: taps, states, numbers of steps, ends,
  updates, nesting; and what is said of mistakes."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.face.interpreted :refer [compiled interpreted value]]))

(set! *warn-on-reflection* true)

(def ^:private x (d/input 'x [:f64 ['n]]))
(def ^:private y (d/input 'y [:f64 ['m]]))
(def ^:private n (d/input 'n [:i64 []]))

(defn- sums
  "The running sums of the elements of x, from 0, and the states doubled."
  [more]
  (d/scan (merge {:sequences {:x x}, :state {:h 0.0}} more)
          (fn [{:keys [x h]}] {:h (d/add x h), :y (d/mul 2 h)})))

(deftest a-scan-carries-states-and-gives-outputs
  (is (= {:h [1.0 3.0 6.0], :y [0.0 2.0 6.0]} (value (sums {}) {x [1 2 3]})))
  (testing "of one step and of none"
    (is (= {:h [7.0], :y [0.0]} (value (sums {}) {x [7]})))
    (is (= {:h [], :y []} (value (sums {}) {x []}))))
  (testing "its results are as long as it has steps"
    (is (= '[:f64 [n]] (d/type-of (:h (sums {})))))
    (is (= '[:f64 [n]] (d/type-of (:y (sums {:n-steps (d/shape-i x 0)})))))
    (is (= '[:f64 [k]] (d/type-of (:h (sums {:n-steps 'k})))))
    (is (= [:f64 [3]] (d/type-of (:h (sums {:n-steps 3})))))))

(deftest longer-sequences-are-cut
  (let [r (d/scan {:sequences {:x x, :y y}} (fn [{:keys [x y]}] {:s (d/add x y)}))]
    (is (= {:s [11.0 22.0]} (value r {x [1 2 3], y [10 20]})))
    (is (= '[:f64 [[:min m n]]] (d/type-of (:s r)))))
  (is (= {:h [1.0 3.0], :y [0.0 2.0]} (value (sums {:n-steps 2}) {x [1 2 3]})))
  (testing "which shorter ones are not, read or not"
    (is (thrown-with-msg? Exception #"reads 4 rows of a sequence that has 3"
                          (value (sums {:n-steps 4}) {x [1 2 3]})))
    (is (thrown-with-msg? Exception #"reads 4 rows of a sequence that has 3"
                          (value (d/scan {:sequences {:x x}, :n-steps 4}
                                         (fn [{:keys [x]}] {:y (d/zeros-like x)}))
                                 {x [1 2 3]})))))

(defn- neighbours [more]
  (d/scan (merge {:sequences {:x {:of x, :taps [-1 0 1]}}} more)
          (fn [{[a b c] :x}] {:y (d/add (d/mul 100 a) (d/mul 10 b) c)})))

(deftest taps-of-sequences-name-neighbours
  (is (= {:y [123.0 234.0 345.0]} (value (neighbours {}) {x [1 2 3 4 5]})))
  (is (= {:y []} (value (neighbours {}) {x [1 2]})))
  (is (= {:y []} (value (neighbours {}) {x []})))
  (testing "also backwards"
    (is (= {:y [345.0 234.0 123.0]} (value (neighbours {:go-backwards true}) {x [1 2 3 4 5]})))
    (is (= {:y [345.0]} (value (neighbours {:go-backwards true, :n-steps 1}) {x [1 2 3 4 5]})))
    (is (= {:y []} (value (neighbours {:go-backwards true}) {x []}))))
  (testing "one tap arrives bare, in the place that its sign says"
    (let [at (fn [k xs more]
               (:y (value (d/scan (merge {:sequences {:x {:of x, :taps [k]}}} more)
                                  (fn [{:keys [x]}] {:y x}))
                          {x xs})))]
      (is (= [2.0] (at 2 (range 20) {:n-steps 1})))
      (is (= [0.0 1.0] (at -2 [0 1 2 3] {})))
      (is (= [2.0 3.0] (at 2 [0 1 2 3] {})))
      (is (= [1.0 0.0] (at -2 [0 1 2 3] {:go-backwards true})))
      (is (= [3.0 2.0] (at 2 [0 1 2 3] {:go-backwards true}))))))

(deftest taps-of-states-look-further-back
  (let [r (d/scan {:state {:h {:init [0 1], :taps [-2 -1]}}, :n-steps 'n}
                  (fn [{[p q] :h}] {:h (d/add p q)}))
        z (d/input 'z [:f64 ['n]])
        along (fn [xs] (value (d/mul 1 (d/cast (:h r) :f64) (d/ones-like z)) {z xs}))]
    (is (= [1.0 2.0 3.0 5.0 8.0] (along [0 0 0 0 0])))
    (is (= [] (along []))))
  (testing "in the order that is given, with gaps"
    (is (= [1002.0 2003.0]
           (:h (value (d/scan {:state {:h {:init [1.0 2.0 3.0], :taps [-1 -3]}}, :n-steps 2}
                              (fn [{[q p] :h}]
                                {:h (d/add (d/mul 1000 p)
                                           (d/sub q (d/where (d/lt q 4) 1.0 999.0)))})))))))
  (testing "one tap that is not -1 needs the rows, too"
    (is (= [2.0 3.0 3.0 4.0]
           (:h (value (d/scan {:state {:h {:init [1.0 2.0], :taps [-2]}}, :n-steps 4}
                              (fn [{h :h}] {:h (d/add h 1)}))))))))

(deftest states-and-outputs-nest
  (let [r (d/scan {:sequences {:s {:a x, :b [x x]}}
                   :state {:h {:sum 0.0, :pair [(d/tensor [1.0 2.0]) 3.0]}}}
                  (fn [{{:keys [a], [b c] :b} :s, {:keys [sum], [u v] :pair} :h}]
                    {:h {:sum (d/add sum a), :pair [(d/add u b) (d/mul v c)]}
                     :out [{:deep a} sum]}))]
    (is (= {:h {:sum [2.0 5.0], :pair [[[3.0 4.0] [6.0 7.0]] [6.0 18.0]]}
            :out [{:deep [2.0 3.0]} [0.0 2.0]]}
           (value r {x [2 3]}))))
  (testing "a nested vector of numbers is one array"
    (is (= [:f64 [4 2 2]]
           (d/type-of (:h (d/scan {:state {:h [[1.0 2.0] [3.0 4.0]]}, :n-steps 4} identity)))))))

(deftest kept-rows-are-the-last
  (let [last-of (fn [k xs] (:h (value (d/scan {:sequences {:x x}, :state {:h {:init 0.0, :keep k}}}
                                              (fn [{:keys [x h]}] {:h (d/add x h)}))
                                      {x xs})))]
    (is (= [3.0 6.0] (last-of 2 [1 2 3])))
    (is (= [1.0] (last-of 2 [1])))
    (is (= [] (last-of 2 []))))
  (is (= '[:f64 [[:min 3 n]]]
         (d/type-of (:h (d/scan {:sequences {:x x}, :state {:h {:init 0.0, :keep 3}}}
                                (fn [{:keys [x h]}] {:h (d/add x h)})))))))

(deftest numbers-take-the-dtype-that-the-body-keeps
  (let [f32 (d/input 'f [:f32 ['n]])
        dtype-with (fn [init body] (first (d/type-of (:h (d/scan {:sequences {:x f32}
                                                                  :state {:h init}}
                                                                 body)))))]
    (is (= :f32 (dtype-with 0 (fn [{:keys [x h]}] {:h (d/add h x)}))))
    (is (= :f32 (dtype-with 0.5 (fn [{:keys [x h]}] {:h (d/mul h x)}))))
    (is (= :i64 (dtype-with 0 (fn [{:keys [h]}] {:h (d/add h 1)}))))
    (is (= :f64 (dtype-with 0 (fn [{:keys [h]}] {:h (d/mul h 0.5)}))))
    (is (= :bool (dtype-with false (fn [{:keys [x h]}] {:h (d/logical-or h (d/gt x 0))}))))
    (testing "also by way of another state"
      (is (= {:a :f32, :b :f32}
             (update-vals (d/scan {:sequences {:x f32}, :state {:a 0, :b 0}}
                                  (fn [{:keys [x a b]}] {:a (d/add b x), :b a}))
                          (comp first d/type-of))))))
  (testing "a narrower next value fits, a wider one does not"
    (let [h (d/input 'h [:f32 []]), i (d/input 'i [:i32 []])
          dtype (fn [init next-value]
                  (first (d/type-of (:h (d/scan {:state {:h init}, :n-steps 2}
                                                (fn [_] {:h next-value}))))))]
      (is (= :f64 (dtype (d/cast h :f64) h)))
      (is (= :f64 (dtype (d/cast h :f64) i)))
      (is (thrown-with-msg? Exception #"keeps its type: :h is of type \[:f32 \[\]\]"
                            (dtype h (d/cast h :f64))))
      (is (thrown-with-msg? Exception #"keeps its type" (dtype h i))))))

(deftest steps-may-be-what-a-call-computes
  (let [powers (fn [n] (:h (d/scan {:state {:h 1}, :n-steps n}
                                   (fn [{:keys [h]}] {:h (d/mul 2 h)}))))]
    (testing "an input and arithmetic on it"
      (is (= [2 4 8] (value (powers n) {n 3})))
      (is (= [2 4 8 16] (value (powers (d/add n 1)) {n 3})))
      (is (= [2 4] (value (powers (d/maximum 0 (d/sub (d/int-div n 2) 1))) {n 7})))
      (is (= [] (value (powers n) {n 0})))
      (is (= '[:i64 [[:+ n.value 1]]] (d/type-of (powers (d/add n 1))))))
    (testing "a value"
      (is (= [2 4 8] (interpreted (powers (d/cast (d/sum x) :i64)) {x [1 2]})))
      (is (thrown-with-msg? Exception #"at least 0"
                            (interpreted (powers (d/cast (d/sum x) :i64)) {x [1 -2]})))
      (testing "of which the memory of all states wants a bound"
        (is (thrown-with-msg? Exception #":max-steps"
                              (compiled (powers (d/cast (d/sum x) :i64)) {x [1 2]})))))
    (testing "a bound of it holds"
      (let [r (d/scan {:state {:h 1}, :n-steps (d/cast (d/sum x) :i64), :max-steps 4}
                      (fn [{:keys [h]}] {:h (d/mul 2 h)}))]
        (is (= {:h [2 4 8 16]} (value r {x [4]})))
        (is (thrown-with-msg? Exception #"at most 4" (value r {x [5]})))))
    (testing "in a loop around, anew in each round"
      (is (= [1 2 6 24]
             (:y (value (d/scan {:sequences {:k (d/tensor [0 1 2 3])}}
                                (fn [{:keys [k]}]
                                  {:y (d/foldl d/mul 1 (d/add 2 (d/iota :shape [9]))
                                               :n-steps k)})))))))))

(deftest what-a-body-counts-it-counts-in-each-round
  (let [a (d/input 'a [:f64 ['n 'm]]), rows [[1 -2 3] [1 2 3] [-1 -1 -1]]
        positive (fn [row] (d/index row (d/gt row 0)))]
    (is (= [4.0 6.0 0.0] (value (d/map-steps (comp d/sum positive) a) {a rows})))
    (testing "also where nothing but the number is needed"
      (is (= [2.0 3.0 0.0] (value (d/map-steps (comp d/sum d/ones-like positive) a) {a rows}))))
    (testing "and in one case of a branch in it"
      (is (= [2.0 3.0 0.5]
             (value (d/map-steps (fn [row] (d/ifelse (d/gt (d/sum row) 0)
                                                     (d/sum (d/ones-like (positive row)))
                                                     0.5))
                                 a)
                    {a rows}))))))

(deftest a-loop-ends-where-it-says
  (let [until (fn [xs more]
                (:y (value (d/scan (merge {:sequences {:x x}} more)
                                   (fn [{:keys [x]}] {:y x, :until (d/gt x 3)}))
                           {x xs})))]
    (is (= [1.0 2.0 5.0] (until [1 2 5 1 7] {})))
    (is (= [9.0] (until [9 1] {})))
    (is (= [1.0 2.0] (until [1 2] {})))
    (is (= [] (until [] {})))
    (is (= [1.0 2.0] (until [1 2 5 1 7] {:n-steps 2})))
    (testing "as Theano has it: the step for which it holds is the last"
      (is (= 24 (count (until (assoc (vec (repeat 50 0)) 23 4) {}))))))
  (testing "and says after how many steps"
    (let [y (:y (d/scan {:sequences {:x x}} (fn [{:keys [x]}] {:y x, :until (d/gt x 3)})))]
      (is (= [3 2.0] (value [(d/shape-i y 0) (d/div (d/sum y) (d/shape-i y 0))] {x [1 1 4 9]})))
      (is (= 2.0 (value (d/foldl d/add 0.0 x :n-steps (d/sub (d/shape-i y 0) 1)) {x [1 1 4 9]})))))
  (testing "a state ends with it"
    (is (= 55.0
           (value (d/index (:h (d/scan {:state {:h {:init [0.0 1.0], :taps [-2 -1]}}, :n-steps 1000}
                                       (fn [{[p q] :h}]
                                         {:h (d/add p q), :until (d/gt (d/add p q) 34)})))
                           -1))))))

(deftest shared-state-is-updated-step-by-step
  (let [s (d/shared 's 1.0)
        r (d/scan {:sequences {:x x}}
                  (fn [{:keys [x]}] {:y (d/mul s 10), :updates {s (d/add s x)}}))]
    (is (= [10.0 20.0 40.0] (value (:y r) {x [1 2 3]})))
    (is (= 7.0 (value (get-in r [:updates s]) {x [1 2 3]})))
    (is (= 1.0 (value (get-in r [:updates s]) {x []})))
    (testing "through a loop around"
      (let [outer (d/scan {:n-steps 2}
                          (fn [_] (let [{:keys [y updates]} (d/scan {:sequences {:x x}}
                                                                    (fn [{:keys [x]}]
                                                                      {:y s
                                                                       :updates {s (d/add s x)}}))]
                                    {:y y, :updates updates})))]
        (is (= [[1.0 2.0] [4.0 5.0]] (value (:y outer) {x [1 2]})))
        (is (= 7.0 (value (get-in outer [:updates s]) {x [1 2]})))))))

(deftest loops-nest
  (let [a (d/input 'a [:f64 ['n 'm]])
        r (d/scan {:sequences {:row a}, :state {:h 0.0}}
                  (fn [{:keys [row h]}]
                    {:h (d/foldl d/add h row)
                     :y (:c (d/scan {:sequences {:e row}, :state {:c h}}
                                    (fn [{:keys [e c]}] {:c (d/add c e)})))}))]
    (is (= {:h [3.0 10.0], :y [[1.0 3.0] [6.0 10.0]]} (value r {a [[1 2] [3 4]]})))
    (is (= '[:f64 [n m]] (d/type-of (:y r))))))

(deftest views-are-scans
  (is (= [1.0 4.0 9.0] (value (d/map-steps d/sqr x) {x [1 2 3]})))
  (is (= [9.0 4.0] (value (d/map-steps d/sqr x :go-backwards true, :n-steps 2) {x [1 2 3]})))
  (is (= {:s [11.0 22.0], :d [9.0 18.0]}
         (value (d/map-steps (fn [{:keys [a b]}] {:s (d/add a b), :d (d/sub b a)}) {:a x, :b y})
                {x [1 2], y [10 20]})))
  (is (= [[2.0 4.0] [3.0 7.0]]
         (value (d/map-steps (fn [[a b]] [b (d/add a b 1)]) {:of x, :taps [-1 0]}) {x [0 2 4]})))
  (is (= 123.0 (value (d/foldl (fn [acc x] (d/add (d/mul 10 acc) x)) 0.0 x) {x [1 2 3]})))
  (is (= 321.0 (value (d/foldr (fn [acc x] (d/add (d/mul 10 acc) x)) 0.0 x) {x [1 2 3]})))
  (is (= 6.0 (value (d/reduce-steps d/add 0.0 x) {x [1 2 3]})))
  (is (= 5.0 (value (d/reduce-steps d/add 5.0 x) {x []})))
  (is (= {:sum 6.0, :count 3}
         (value (d/foldl (fn [acc x] {:sum (d/add x (:sum acc)), :count (d/add 1 (:count acc))})
                         {:sum 0.0, :count 0} x)
                {x [1 2 3]}))))

(deftest strict-loops-mention-what-they-are-given
  (let [w (d/input 'w [:f64 []])
        scan (fn [more body] (d/scan (merge {:sequences {:x x}, :strict true} more) body))]
    (is (= [2.0 4.0]
           (value (:y (scan {:non-sequences {:w w}} (fn [{:keys [x w]}] {:y (d/mul x w 2)})))
                  {x [1 2], w 1})
           (value (:y (scan {:non-sequences {:w w}} (fn [{:keys [x]}] {:y (d/mul x (d/mul w 2))})))
                  {x [1 2], w 1})
           (value (:y (scan {} (fn [{:keys [x]}] {:y (d/mul x 2)}))) {x [1 2]})))
    (is (thrown-with-msg? Exception #"strict, and its body mentions.*w"
                          (scan {} (fn [{:keys [x]}] {:y (d/mul x w)}))))))

;; ## Graphs

(deftest loops-are-graphs
  (let [r (d/scan {:sequences {:x x}, :state {:h 0.0}}
                  (fn [{:keys [x h]}]
                    {:h (d/ifelse (d/gt x 0) (d/add x h) h)
                     :until (d/gt (d/while-loop (d/abs x) #(d/lt % 9) #(d/mul 2 %)) 15)}))
        g (d/graph (:h r))
        file (doto (java.io.File/createTempFile "loop" ".edn") .deleteOnExit)]
    (testing "that are expressions again, and go through files"
      (is (= [3.0 3.0 11.0] (value (:h r) {x [3 -3 8 4]})
             (value (d/expr g) {x [3 -3 8 4]})))
      (is (= g (d/graph (d/expr g)) (d/read-graph (d/write-graph file g)))))
    (testing "of other inputs, where they are put in"
      (let [z (d/input 'z [:f64 [4]])]
        (is (= [3.0 3.0 11.0] (value (d/expr g {'x z}) {z [3 -3 8 4]})))))
    (testing "in which names are positions"
      (let [sum (fn [a b] (d/scan {:sequences {a x}, :state {b 0.0}}
                                  (fn [m] {b (d/add (m a) (m b))})))]
        (is (= (dissoc (d/graph (:h (sum :x :h))) :notes)
               (dissoc (d/graph (:k (sum :y :k))) :notes))))))
  (testing "written by hand"
    (is (= [[1.0 3.0]]
           (let [g (d/parse '{:inputs {x [:f64 [n]]}
                              :let [l [:loop {:steps n, :params [[:each 0 0 1] [:carry 0 0]]
                                              :carries [1], :results [[0 n]]
                                              :body {:nodes [[:param {:at 0, :type [:f64 []]}]
                                                             [:param {:at 1, :type [:f64 []]}]
                                                             [:add {} 0 1]]
                                                     :outputs [2]}}
                                       x [:reshape {:shape [1]} 0.0]]]
                              :outputs {y [:part {:at 0} l]}})]
             [(value (d/expr g) {x [1 2]})])))))

;; ## Mistakes

(defmacro ^:private failure
  "[kind line-of-the-place message] of the failure of a form, the line counted from here."
  [form]
  `(try ~form [nil nil ""]
        (catch clojure.lang.ExceptionInfo e#
          (let [{error# :damo/error, :keys [~'file ~'line]} (ex-data e#)]
            [error# (when (= "scan_test.clj" ~'file) (- ~'line ~(:line (meta form))))
             (ex-message e#)]))))

(def ^:private f32-row (d/input 'r [:f32 [3]]))

(deftest mistakes-are-found-where-they-are-written
  (doseq [[what kind line text [found at message]]
          [["a state of another dtype" :damo.scan/state-mismatch 2 "d/cast x :dtype :f32"
            (failure (d/scan {:state {:h (d/cast 0 :f32)}, :n-steps 3}
                             (fn [{:keys [h]}]
                               {:h (d/add h (d/cast 1 :f64))})))]
           ["a state of another shape" :damo.scan/state-mismatch 2 "broadcast or reshape"
            (failure (d/scan {:state {:h 0.0}, :n-steps 3}
                             (fn [{:keys [h]}]
                               {:h (d/mul h f32-row)})))]
           ["a condition that is a number" :damo.scan/bad-condition 2 "(d/ne x 0)"
            (failure (d/scan {:sequences {:x x}}
                             (fn [{:keys [x]}]
                               {:y x, :until (d/sub x 1)})))]
           ["a condition with axes" :damo.scan/bad-condition 2 "any or all"
            (failure (d/scan {:n-steps 2}
                             (fn [_]
                               {:y 1, :until (d/gt x 1)})))]
           ["what is captured" :damo.scan/captured 1 "leave :strict out"
            (failure (d/scan {:sequences {:x x}, :strict true}
                             (fn [{:keys [x]}] {:y (d/mul x y)})))]
           ["a missing state" :damo.scan/wrong-form 0 "did you mean :hh"
            (failure (d/scan {:state {:h 0.0}, :n-steps 3} (fn [{:keys [h]}] {:hh h})))]
           ["no map" :damo.scan/wrong-form 0 "a map of next states"
            (failure (d/scan {:sequences {:x x}} (fn [_] 3)))]
           ["nothing" :damo.scan/wrong-form 0 "neither a next state nor an output"
            (failure (d/scan {:n-steps 3} (fn [_] {})))]
           ["a structure that differs" :damo.tree/other-structure 0 "the keys [:a]"
            (failure (d/scan {:state {:h {:a 0.0}}, :n-steps 3} (fn [{:keys [h]}] {:h [h]})))]
           ["a structure for an array" :damo.scan/wrong-form 0 "is one array"
            (failure (d/scan {:state {:h 0.0}, :n-steps 3} (fn [{:keys [h]}] {:h {:a h}})))]
           ["two arguments" :damo.scan/wrong-arity 0 "a function of one map"
            (failure (d/scan {:state {:h 0.0}, :n-steps 3} (fn [a b] {:h [a b]})))]
           ["an unknown key" :damo.scan/unknown-key 0 "did you mean :sequences?"
            (failure (d/scan {:sequence {:x x}} identity))]
           ["a misspelt tap" :damo.scan/unknown-key 0 "did you mean :taps?"
            (failure (d/scan {:sequences {:x {:of x, :tap [0 1]}}} identity))]
           ["no map of options" :damo.scan/bad-spec 0 "is asked for by a map"
            (failure (d/scan [x] identity))]
           ["taps twice" :damo.scan/bad-taps 0 "different integers"
            (failure (d/scan {:sequences {:x {:of x, :taps [0 0]}}} identity))]
           ["no taps" :damo.scan/bad-taps 0 "different integers"
            (failure (d/scan {:sequences {:x {:of x, :taps []}}} identity))]
           ["taps of a state into the future" :damo.scan/bad-taps 0 "below 0"
            (failure (d/scan {:state {:h {:init [0 1], :taps [-1 0]}}, :n-steps 2} identity))]
           ["too few first rows" :damo.scan/init-rows 0 "looks 3 steps back"
            (failure (d/scan {:state {:h {:init [0 1], :taps [-3 -1]}}, :n-steps 2} identity))]
           ["no first rows" :damo.scan/init-rows 0 "it has no axis"
            (failure (d/scan {:state {:h {:init 0, :taps [-2 -1]}}, :n-steps 2} identity))]
           ["no first value" :damo.scan/no-init 0 "no entry under :state"
            (failure (d/scan {:state {:h nil}, :n-steps 2} identity))]
           ["a sequence without axis" :damo.scan/not-a-sequence 0 ":x has no axis"
            (failure (d/scan {:sequences {:x n}} identity))]
           ["nothing to say how often" :damo.scan/no-steps 0 "neither :sequences nor :n-steps"
            (failure (d/scan {:state {:h 0.0}} identity))]
           ["steps that are no integer" :damo.scan/bad-steps 0 "this is no integer"
            (failure (d/scan {:state {:h 0.0}, :n-steps 2.5} identity))]
           ["steps that are a float" :damo.scan/bad-steps 0 "its dtype is :f64"
            (failure (d/scan {:state {:h 0.0}, :n-steps (d/sum x)} identity))]
           ["steps below 0" :damo.scan/bad-steps 0 "at least 0"
            (failure (d/scan {:state {:h 0.0}, :n-steps -1} identity))]
           ["steps with axes" :damo.scan/bad-steps 0 "has axes"
            (failure (d/scan {:state {:h 0.0}, :n-steps (d/tensor [1 2])} identity))]
           ["one name twice" :damo.scan/two-of-one-name 0 "called :h"
            (failure (d/scan {:sequences {:h x}, :state {:h 0.0}} identity))]
           ["a reserved name" :damo.scan/reserved-name 0 ":until"
            (failure (d/scan {:sequences {:until x}} identity))]
           ["a truncation that is no number" :damo.scan/bad-option 0 "at least 1"
            (failure (d/scan {:sequences {:x x}, :truncate-gradient 0} identity))]
           ["an update of another type" :damo.function/update-mismatch nil "update-mismatch"
            (failure (let [s (d/shared 's 1.0)]
                       (d/scan {:n-steps 2} (fn [_] {:updates {s x}}))))]]]
    (testing what
      (is (= kind found) message)
      (when line (is (= line at) message))
      (when-not (= "update-mismatch" text) (is (str/includes? message text) message)))))
