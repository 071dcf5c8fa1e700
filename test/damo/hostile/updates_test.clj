(ns damo.hostile.updates-test
  "Random steps over matrices that are states and constants: products with them, of either side,
  rank-one and wider updates of them, in any order. Calls one by one, many in native code, on one
  thread and two, with rows or panels, agree with three loops, and with each other bit by bit.
  DAMO_ATTACKS sets their number."
  (:require [clojure.test :refer [deftest is]]
            [damo.runtime.programs :as programs])
  (:import [damo.lib Threads]
           [damo.runtime Function State]
           [damo.tensor DType Tensor]
           [java.util Random]))

(set! *warn-on-reflection* true)

(def ^:private attacks (or (some-> (System/getenv "DAMO_ATTACKS") parse-long) 10))

(def ^:private extent "Of the matrices: they may lie in panels, and their updates wait." 136)
(def ^:private calls "After so many calls a matrix lies as it helps." 6)

(defn- pick [^Random random xs] (nth xs (.nextInt random (count xs))))

;; ## Drawing

;; Buffers: two inputs, two states and a constant that are matrices, a factor, two temporaries and
;; the output; rows of those that are no matrices are `rows`.
(def ^:private matrices [2 3 4])
(def ^:private vectors [0 1 6 7 8])

(defn- gemm [{:keys [m n k]} [a a-strides] [b b-strides] [c c-strides] alpha beta]
  {:do :gemm, :dtype :f32, :m m, :n n, :k k, :alpha alpha, :beta beta
   :a {:buffer a :offset 0 :strides a-strides}
   :b {:buffer b :offset 0 :strides b-strides}
   :c {:buffer c :offset 0 :strides c-strides}})

(defn- product
  "A product of a matrix and rows, as its first operand or its second one."
  [random rows]
  (let [n extent, [w from] [(pick random matrices) (pick random vectors)]
        to (pick random (filterv (complement (hash-set 0 1 from)) vectors))
        lie (pick random [[n 1] [1 n]]), alpha (pick random [0.01 0.02 {:buffer 5}])
        beta (pick random [0.0 0.0 0.0 0.5])]
    (if (zero? (.nextInt ^Random random 2))
      (gemm {:m rows, :n n, :k n} [from [n 1]] [w lie] [to [n 1]] alpha beta)
      (gemm {:m n, :n rows, :k n} [w lie] [from [1 n]] [to [rows 1]] alpha beta))))

(defn- update-of
  "A matrix that is a state, updated by the product of rows, mostly added to."
  [random rows]
  (let [n extent, [a b] [(pick random vectors) (pick random vectors)]]
    (gemm {:m n, :n n, :k rows} [a [1 n]] [b [n 1]] [(pick random [2 3]) [n 1]]
          (pick random [0.1 -0.1 {:buffer 5}]) (pick random [1.0 1.0 1.0 1.0 0.5 0.0]))))

(defn- between
  "A product of two matrices."
  [random]
  (let [n extent, [a b c] (pick random [[2 4 3] [3 3 2] [4 2 3]])
        lie #(pick random [[n 1] [1 n]])]
    (gemm {:m n, :n n, :k n} [a (lie)] [b (lie)] [c [n 1]] 0.01 (pick random [0.0 1.0]))))

(defn- touches? [matrix {:keys [a b c args]}]
  (some #{matrix} (concat (map :buffer [a b c]) args)))

(defn- around
  "Steps, none of which touches one of the states, between a product with it and an update of it:
  one that may wait for the next call."
  [steps random rows]
  (let [matrix (pick random [2 3])
        with (fn [draw] (first (filter #(touches? matrix %) (repeatedly #(draw random rows)))))]
    (-> (subvec steps 0 3)
        (conj (with product))
        (into (remove #(touches? matrix %)) (subvec steps 3))
        (conj (assoc (with update-of) :beta 1.0)))))

(defn- wide?
  "Is a step a product of matrices, which may lie in panels for it?"
  [{:keys [m n k]}]
  (= extent m n k))

;; An update by a column and a row is (alpha a) b in rows, alpha (a b) in panels: equal bits where a
;; product with alpha is exact.
(defn- exact [{:keys [k alpha] :as step}]
  (if (and (= 1 k) (number? alpha)) (assoc step :alpha (if (neg? alpha) -0.125 0.125)) step))

(defn- drawn [^Random random rows]
  (let [kernel (fn [from to] {:do :kernel, :kernel 0, :args [from to]})
        step #(case (int (.nextInt random 10))
                (0 1 2 3) (product random rows)
                (4 5 6) (update-of random rows)
                7 (kernel (pick random [0 1 6]) 7)
                8 (kernel (pick random [1 7]) 6)
                9 (if (zero? (.nextInt random 3)) (between random)
                      {:do :kernel, :kernel 1, :args [(pick random matrices) 8]}))]
    (as-> [(kernel 0 6) (kernel 1 7) (kernel 0 8)] steps
      (into steps (repeatedly (+ 2 (.nextInt random 5)) step))
      (if (.nextBoolean random) (around steps random rows) steps)
      (if (some wide? steps) (mapv exact steps) steps))))

(defn- numbers [^Random random n] (vec (repeatedly n #(* 0.125 (- (.nextInt random 17) 8)))))

(defn- program [rows steps constant]
  (let [n extent, square (* n n), some (* rows n)]
    {:damo/program 1, :name "updates", :dims []
     :buffers (mapv (fn [[kind size]] {:dtype :f32, :size size, :kind kind})
                    [[:input some] [:input some] [:state square] [:state square] [:const square]
                     [:const 1] [:temp some] [:temp some] [:output some]])
     :inputs [{:name "x" :dtype :f32 :shape [some] :buffer 0}
              {:name "y" :dtype :f32 :shape [some] :buffer 1}]
     :state [{:name "v" :dtype :f32 :shape [n n] :buffer 2 :written true}
             {:name "w" :dtype :f32 :shape [n n] :buffer 3 :written true}]
     :outputs [{:name "z" :dtype :f32 :shape [some] :buffer 8}]
     :consts [{:buffer 4 :data constant} {:buffer 5 :data [0.015625]}]
     :kernels [{:name "move" :params [[:f32 :in] [:f32 :out]]
                :body [[:for 'i some [:store 1 'i [:mul [:load 0 'i] [:const :f32 0.5]]]]]}
               {:name "row" :params [[:f32 :in] [:f32 :out]]
                :body [[:for 'i some [:store 1 'i [:load 0 [:mod 'i square]]]]]}]
     :steps steps}))

;; ## Meaning

(defn- by-loops! [memory {:keys [m n k alpha beta a b c]}]
  (let [value #(if (map? %) (aget ^doubles (memory (:buffer %)) 0) (double %))
        alpha (double (value alpha)), beta (double beta), [m n k] (map long [m n k])
        [[ar ac] [br bc] [cr]] (map #(map long (:strides %)) [a b c])
        [ar ac br bc cr] (map long [ar ac br bc cr])
        [^doubles av ^doubles bv ^doubles cv] (map (comp memory :buffer) [a b c])
        m (long m) n (long n) k (long k) ar (long ar) ac (long ac) br (long br) bc (long bc)
        cr (long cr)]
    (dotimes [i m]
      (dotimes [j n]
        (let [at (+ (* i cr) j)
              sum (loop [l 0, sum 0.0]
                    (if (< l k)
                      (recur (inc l) (+ sum (* (aget av (+ (* i ar) (* l ac)))
                                               (aget bv (+ (* l br) (* j bc))))))
                      sum))]
          (aset cv at (+ (* alpha (double sum)) (if (zero? beta) 0.0 (* beta (aget cv at))))))))))

(defn- step! [memory {:keys [do args kernel] :as step}]
  (if (= do :gemm)
    (by-loops! memory step)
    (let [[^doubles from ^doubles to] (map memory args), factor (if (= kernel 0) 0.5 1.0)]
      (dotimes [i (alength to)]
        (aset to i (* factor (aget from (rem i (alength from)))))))))

(defn- meant
  "The output and the states after the calls."
  [steps values]
  (let [memory (mapv double-array values)]
    (dotimes [_ calls] (run! #(step! memory %) steps))
    (mapv memory [8 2 3])))

;; ## Running

(defn- elements
  "The elements of a tensor."
  ^floats [^Tensor t]
  (.toArray (.segment t) java.lang.foreign.ValueLayout/JAVA_FLOAT))

(defn- got
  "The same as compiled, by calls of so many repetitions each, on so many threads."
  [form [x y v w] many threads]
  (let [state (fn [n values] (programs/state n (mapv vec (partition extent values)) DType/F32))
        [^State v ^State w :as states] (map state ["v" "w"] [v w])
        args (to-array (map float-array [x y]))]
    (with-open [f (programs/compiled form {"v" v "w" w})]
      (Threads/set threads)
      (try
        (let [out (last (repeatedly (quot calls (long many))
                                    #(vec (.callN ^Function f (long many) args))))]
          (mapv elements (into out (map #(.value ^State %) [v w]))))
        (finally (Threads/set 1) (run! #(.close ^State %) states))))))

(defn- near?
  "Are numbers as expected? Those that grow without bound are not looked at."
  [^doubles expected ^floats got]
  (loop [i 0]
    (or (= i (alength expected))
        (let [x (aget expected i)]
          (and (or (< (abs (- x (aget got i))) (* 1e-4 (+ 1 (abs x)))) (not (< (abs x) 1e6)))
               (recur (inc i)))))))

(defn failure
  "What is wrong with the steps of that seed; nil when nothing is."
  [seed]
  (let [random (Random. seed), rows (long (pick random [1 1 1 2 40])), steps (drawn random rows)
        [x y v w constant] (map #(numbers random %) (concat (repeat 2 (* rows (long extent)))
                                                            (repeat 3 (* 136 136))))
        form (program rows steps constant)
        zeros (vec (repeat (* rows (long extent)) 0.0))
        expected (meant steps [x y v w constant [0.015625] zeros zeros zeros])
        results (for [[many threads] [[1 1] [calls 1] [calls 2] [2 2] [1 2]]]
                  (got form [x y v w] many threads))]
    (cond (not-every? #(every? true? (map near? expected %)) results)
          [seed :values steps (mapv #(mapv near? expected %) results)]
          (and (= rows 1) (not (apply = (map #(mapv vec %) results))))
          [seed :bits steps])))

(deftest updates-and-products-agree-however-often-they-are-called
  (doseq [seed (range attacks)]
    (is (nil? (failure seed)))))

;; ## Steps that are products with one state and updates of another

(defn- added
  "A step c = one b + beta c, of rows of 9000 elements: a product with b, an update of c."
  [b c beta]
  (let [row (fn [buffer] {:buffer buffer :offset 0 :strides [9000 1]})]
    {:do :gemm, :dtype :f64, :m 1, :n 9000, :k 1, :alpha 1.0, :beta beta
     :a {:buffer 4 :offset 0 :strides [1 1]}, :b (row b), :c (row c)}))

(defn- of-rows
  "A program of an input, two states, an output and a 1, with these steps."
  [steps]
  {:damo/program 1, :name "rows", :dims [], :kernels [], :steps steps
   :buffers (mapv (fn [[kind size]] {:dtype :f64, :size size, :kind kind})
                  [[:input 9000] [:state 9000] [:state 9000] [:output 9000] [:const 1]])
   :inputs [{:name "x" :dtype :f64 :shape [9000] :buffer 0}]
   :state [{:name "v" :dtype :f64 :shape [1 9000] :buffer 1 :written true}
           {:name "w" :dtype :f64 :shape [1 9000] :buffer 2 :written true}]
   :outputs [{:name "y" :dtype :f64 :shape [9000] :buffer 3}]
   :consts [{:buffer 4 :data [1.0]}]})

(defn- sums
  "The first elements of the output and the states after three calls, by plain additions."
  [steps]
  (let [call #(reduce (fn [m {:keys [b c beta]}]
                        (update m (:buffer c) (fn [z] (+ (m (:buffer b)) (* beta z)))))
                      % steps)]
    (mapv (nth (iterate call [1.0 1.0 1.0 0.0]) 3) [3 1 2])))

(defn- sums-of-calls [steps many]
  (let [ones (vec (repeat 9000 1.0))
        [^State v ^State w] (map #(programs/state % [ones]) ["v" "w"])]
    (with-open [f (programs/compiled (of-rows steps) {"v" v "w" w})]
      (let [[y] (last (repeatedly (quot 3 (long many))
                                  #(vec (.callN ^Function f (long many) (to-array [ones])))))]
        (mapv (comp first flatten deref) [y (.value v) (.value w)])))))

(deftest a-step-belongs-to-one-pass
  (let [[y v+w w+x] [(added 1 3 0.0) (added 2 1 1.0) (added 0 2 1.0)]
        [z w+v v+x] [(added 2 3 0.0) (added 1 2 1.0) (added 0 1 1.0)]]
    (doseq [steps [[y v+w w+x] [z w+v v+x] [y v+x w+v] [z y v+w w+x] [y w+v v+x] [y w+x v+w]
                   [z v+w w+x] [y v+x z w+x] [y v+w w+v]]
            many [1 3]]
      (is (= (sums steps) (sums-of-calls steps many)) (str (pr-str steps) many)))))
