(ns damo.program.steps-test
  "Steps say what they touch and what they hold: every buffer in a step's text is among its
  accesses, and however the steps of a program are put into blocks, into each other, it is laid out,
  checked and does as before."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.test :refer [are deftest is testing]]
            [damo.program.sample :as sample]
            [damo.runtime.programs :as programs])
  (:import (damo DamoException)
           (damo.program Access Program Program$Port Programs Step Step$Block)
           (damo.verify Binding Bindings)
           (damo.runtime Function HostCall HostKernel OpKernels State)
           (damo.tensor DType Tensor)
           (java.util Map Random)))

(set! *warn-on-reflection* true)

(def ^:private root (System/getProperty "damo.root" "."))

(def ^:private counts
  "at [k] = x [n] where positive, twice; k is counted by a step, then used by a host and a call."
  '{:damo/program 1 :name "counts" :dims [n] :counted [{:dim k :max n}]
    :buffers [{:dtype :f64 :size n :kind :input} {:dtype :f64 :size k :kind :temp}
              {:dtype :i64 :size 1 :kind :temp} {:dtype :f64 :size k :kind :output}
              {:dtype :f64 :size 1 :kind :state} {:dtype :f64 :size 1 :kind :output}]
    :inputs [{:name "x" :dtype :f64 :shape [n] :buffer 0}]
    :state [{:name "s" :dtype :f64 :shape [] :buffer 4 :written true}]
    :outputs [{:name "at" :dtype :f64 :shape [k] :buffer 3}
              {:name "sum" :dtype :f64 :shape [] :buffer 5}]
    :kernels [{:name "some" :params [[:f64 :in] [:f64 :out] [:i64 :out]]
               :body [[:var c [:const :i64 0]]
                      [:for i n
                       [:if [:gt [:load 0 i] [:const :f64 0]]
                        [:index p c n 0] [:store 1 p [:load 0 i]]
                        [:set c [:add c [:const :i64 1]]]]]
                      [:store 2 0 c]]}
              {:name "add" :params [[:f64 :in] [:f64 :inout]]
               :body [[:store 1 0 [:add [:load 1 0] [:load 0 0]]]]}]
    :steps [{:do :kernel :kernel 0 :args [0 1 2]}
            {:do :count :dim k :buffer 2 :note 0}
            {:do :host :op "twice" :ins [{:buffer 1 :shape [k]}]
             :out {:buffer 3 :shape [k]} :note 0}
            {:do :call :routine "ddot"
             :args {:n k :x {:buffer 1} :incx 1 :y {:buffer 3} :incy 1 :value {:buffer 5}}}
            {:do :kernel :kernel 1 :args [5 4]}]
    :notes [{:op "some" :message "too many"}]})

(def ^:private twice
  (reify HostKernel
    (run [_ call] (Tensor/of (mapv #(* 2 (double %)) @(.input ^HostCall call 0)) DType/F64))))

(def ^:private corpus
  [sample/program programs/take-add programs/axpy programs/total programs/dot programs/solve counts
   (edn/read-string (slurp (io/file root "test/golden/mlp-step.edn")))])

(defn- read-program ^Program [form] (Programs/read (pr-str form)))

(defn- accesses [^Step step]
  (mapv (fn [^Access a] [(.buffer a) (keyword (.toLowerCase (str (.mode a))))]) (.accesses step)))

;; ## What steps touch

(defn- leaves [steps]
  (mapcat #(if (= :block (:do %)) (leaves (:steps %)) [%]) steps))

(deftest every-buffer-of-a-step-is-an-access
  (doseq [form (conj corpus programs/solve (assoc-in sample/program [:steps 0 :alpha] {:buffer 2}))]
    (is (= (for [step (leaves (:steps form))]
             (set (or (:args (when (= :kernel (:do step)) step))
                      (keep :buffer (tree-seq coll? seq step)))))
           (map #(set (map first (accesses %)))
                (remove #(instance? Step$Block %) (.all (read-program form)))))
        (:name form))))

(deftest how-steps-use-buffers
  (are [steps expected] (= expected (map accesses (.all (read-program steps))))
    sample/program [[[0 :read] [1 :read] [3 :write]] [[3 :read] [2 :read] [4 :write]]
                    [[4 :read] [5 :read] [6 :write]] [[4 :read] [2 :mixed]]]
    counts [[[0 :read] [1 :write] [2 :write]] [[2 :read]] [[1 :read] [3 :write]]
            [[1 :read] [3 :read] [5 :write]] [[5 :read] [4 :mixed]]])
  (testing "a product reads what it adds to, and its factors"
    (is (= [[0 :read] [1 :read] [2 :read] [2 :read] [3 :update]]
           (accesses (last (.all (read-program
                                  (update sample/program :steps
                                          (fn [[product & others]]
                                            (concat [product] others
                                                    [(assoc product :alpha {:buffer 2}
                                                            :beta {:buffer 2})])))))))))))

;; ## Steps inside steps

(defn- grouped
  "The steps, some runs of them in blocks, and so on inside of these."
  [^Random random steps depth]
  (loop [out [], left (vec steps)]
    (if (empty? left)
      (cond-> out (zero? (.nextInt random 4)) (conj {:do :block :steps []}))
      (let [n (inc (.nextInt random (count left))), part (subvec left 0 n)]
        (recur (if (and (pos? (long depth)) (.nextBoolean random))
                 (conj out {:do :block :steps (grouped random part (dec (long depth)))})
                 (into out part))
               (subvec left n))))))

(defn- value [^Random random dtype shape]
  (let [n (long (reduce * shape))]
    (.reshape (Tensor/of (vec (repeatedly n #(if (= dtype DType/I64) (.nextInt random 2)
                                                 (float (/ (.nextInt random 9) 8)))))
                         dtype true)
              (long-array shape))))

(defn- outcome
  "Outputs and states after two calls for these dims, with the same data for the same seed."
  [form dims seed]
  (let [random (Random. seed), p (read-program form)
        b (Bindings/bind p (long-array dims))
        values (fn [ports shapes] (mapv (fn [^Program$Port port shape]
                                          (value random (.dtype port) (vec shape))) ports shapes))
        states (into {} (map (fn [^Program$Port port v]
                               [(.name port)
                                (State/of (.name port) v (boolean-array (.rank ^Tensor v) true))])
                             (.state p) (values (.state p) (.stateShapes b))))]
    (with-open [f (Function/compile p ^Map states false (OpKernels/of ^Map {"twice" twice}))]
      (let [ins (to-array (values (.inputs p) (.inputShapes b)))
            result (fn [] (try (mapv deref (.call f ins))
                               (catch DamoException e (.getMessage e))))]
        [(result) (result) (update-vals states #(deref (.value ^State %)))]))))

(defn- layout [form dims]
  (let [^Binding b (Bindings/bind (read-program form) (long-array dims))]
    [(.arenaBytes b) (vec (.offsets b)) (.work b)]))

(deftest blocks-change-nothing
  (doseq [[k form] (map-indexed vector corpus)
          seed (range 3)
          :let [random (Random. (+ (* 10 (long k)) (long seed)))
                dims (vec (take (count (:dims form)) (cycle [[3 2] [0 1] [5 7]])))
                dims (mapv #(nth % (mod seed 2)) dims)
                blocks (update form :steps #(grouped random % 4))]]
    (testing (str (:name form) " " (pr-str (:steps blocks)))
      (is (= (layout form dims) (layout blocks dims)))
      (is (= (outcome form dims seed) (outcome blocks dims seed))))))

(deftest a-thousand-steps-in-blocks-of-blocks
  (let [inc-step {:do :kernel :kernel 1 :args [5 4]}
        thrice (fn [steps] [{:do :block :steps (vec (mapcat identity (repeat 3 steps)))}])
        nested (nth (iterate thrice (vec (repeat 9 inc-step))) 4)
        form (update counts :steps into nested)]
    (is (= (+ 5 1 3 9 27 (* 81 9)) (count (.all (read-program form)))) "in preorder")
    (is (= (outcome (update counts :steps into (repeat (* 81 9) inc-step)) [2] 1)
           (outcome form [2] 1)))))

(defn- blocked
  "The form around the steps from a to b: n blocks in each other."
  [form n a b]
  (update form :steps (fn [steps]
                        (-> (subvec steps 0 a)
                            (conj (first (nth (iterate (fn [s] [{:do :block :steps s}])
                                                       (subvec steps a b))
                                              n)))
                            (into (subvec steps b))))))

(defn- refusal [form]
  (second (programs/refusal #(read-program form))))

(deftest steps-have-numbers-in-preorder
  (is (re-find #"step 3: argument 1, buffer 5, is of :i64"
               (refusal (-> (blocked sample/program 1 1 3)
                            (assoc-in [:steps 1 :steps 1 :args] [4 5 6])
                            (assoc-in [:steps 1 :steps 1 :kernel] 0)))))
  (is (re-find #"step 5: .*buffer 5, is read before any step has written it"
               (refusal (-> (blocked counts 2 1 3)
                            (update :steps (fn [[a b call add]] [a b add call]))))))
  (is (re-find #"step 2: mentions the dimension k, which a later :count step binds"
               (refusal (update counts :steps
                                #(into [(% 0) {:do :block
                                               :steps [(assoc-in (% 3) [:args :y :buffer] 1)]}]
                                       (rest %))))))
  (testing "the host kernel of the step, wherever it stands"
    (let [broken (OpKernels/of ^Map {"twice" (reify HostKernel (run [_ _] (/ 1 0)))})]
      (with-open [f (Function/compile (read-program (blocked counts 3 1 4))
                                      ^Map {"s" (programs/state "s" 0.0)} false broken)]
        (is (re-find #"the kernel of the op twice failed"
                     (second (programs/refusal #(programs/call f [1.0 2.0])))))))))

(deftest levels-are-bounded
  (is (nil? (refusal (blocked sample/program 16 1 3))))
  (is (re-find #"step 17: more than 16 levels of steps inside steps"
               (refusal (blocked sample/program 17 1 3))))
  (is (re-find #"step 1: :steps is missing"
               (refusal (update-in (blocked sample/program 1 1 3) [:steps 1] dissoc :steps)))))

(deftest a-failure-inside-keeps-states
  (let [w (programs/state "w" [1.0 2.0])]
    (with-open [f (programs/compiled (blocked programs/take-add 3 0 2) {"w" w})]
      (is (re-find #"label of a row" (str (programs/refusal #(programs/call f [0 7] [1 1])))))
      (is (= [1.0 2.0] @(.value w)))
      (programs/call f [0 1] [1 1])
      (is (= [2.0 3.0] @(.value w))))))

(deftest calls-look-in-blocks-whether-they-shall-stop
  (let [looks (fn [form] (with-open [f (programs/compiled form)]
                           (count (re-seq #"load volatile i64" (.ir f)))))
        copies (fn [form] (update form :steps into (repeat 20 (first (:steps form)))))
        form (copies programs/dot)]
    (is (= 21 (looks form)) "between 21 steps, and in the loop around damo_call")
    (is (= 22 (looks (blocked form 1 1 21))) "the block is one more")))
