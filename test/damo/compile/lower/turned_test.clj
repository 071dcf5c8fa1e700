(ns damo.compile.lower.turned-test
  "Loops that read across lines: which run over blocks, and that values are those of the reference,
  for extents around the sides of blocks, dtypes, permutations of axes, sums and states."
  (:require [clojure.test :refer [are deftest is testing]]
            [damo.compile.lower.turned :as turned]
            [damo.data.array :as array]
            [damo.face.parse :as parse]
            [damo.laws.running :as running]
            [damo.meaning.eval :as eval]
            [damo.ops.all])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## What is turned

(defn- locals
  "The local arrays in a body after the blocks of it, with their sizes."
  [body]
  (let [after (turned/blocks (constantly :f32) (constantly true) body)]
    (for [s (tree-seq vector? seq after) :when (and (vector? s) (= :local (first s)))]
      (peek s))))

(deftest maps-and-sums-across-lines-run-over-blocks
  (are [sizes body] (= sizes (locals body))
    [256 256 256 256]
    '[[:for i n [:for j m [:let x [:load 0 [:+ [:* i m] j]]] [:let y [:load 1 [:+ [:* j n] i]]]
                 [:store 2 [:+ [:* i m] j] [:add x y]]]]]
    [1024 1024 1024 1024]
    '[[:var a [:const :f64 0]]
      [:for i n [:for j m [:acc :add a [:mul [:load 0 [:+ [:* j n] i]]
                                        [:load 1 [:+ [:* i m] j]]]]]]]
    [256]
    '[[:for i 32 [:for k n [:for j 48 [:store 1 [:+ [:* 48 n i] [:* 48 k] j]
                                       [:neg [:load 0 [:+ [:* j n 32] [:* k 32] i]]]]]]]]))

(deftest others-run-as-they-stand
  (are [body] (= body (turned/blocks (constantly :f32) (constantly true) body))
    ;; along the lines
    '[[:for i n [:for j m [:store 1 [:+ [:* i m] j] [:neg [:load 0 [:+ [:* i m] j]]]]]]]
    ;; a copy, of which code is made that turns it
    '[[:for i n [:for j m [:store 1 [:+ [:* i m] j] [:load 0 [:+ [:* j n] i]]]]]]
    ;; few columns
    '[[:for i n [:for j 4 [:store 1 [:+ [:* i 4] j] [:neg [:load 0 [:+ [:* j n] i]]]]]]]
    ;; what is read across is written
    '[[:for i n [:for j n [:store 0 [:+ [:* i n] j] [:neg [:load 0 [:+ [:* j n] i]]]]]]]
    ;; a round that may stop
    '[[:for i n [:for j m [:index x [:load 2 j] 3 0]
                 [:store 1 [:+ [:* i m] j] [:neg [:load 0 [:+ [:* j n] i]]]]]]])
  (testing "and where an extent is not known when a call begins"
    (let [body '[[:for i n [:for j m [:store 1 [:+ [:* i m] j]
                                      [:neg [:load 0 [:+ [:* j n] i]]]]]]]]
      (is (= body (turned/blocks (constantly :f32) #{'n} body))))))

;; ## Values

(def ^:private expressions
  '[[:add x [:transpose y]]
    [:exp [:transpose y]]
    [:sub [:mul x [:transpose y]] [:mul [:transpose z] r]]
    [:sum [:mul x [:transpose y]]]
    [:sum {:axis 0} [:mul x [:transpose y]]]
    [:sum {:axis 1} [:mul x [:transpose y]]]
    [:maximum [:neg [:transpose {:axes [2 0 1]} t]] 0]
    [:add [:transpose {:axes [1 0 2]} t] [:reshape {:shape [m 1 1]} c]]
    [:add [:flip {:axis 0} x] [:transpose y]]
    [:softmax {:axis 0} [:mul 2 [:transpose y]]]
    [:matmul [:add x [:transpose y]] [:neg [:transpose x]]]
    [:concatenate {:axis 0} x [:neg [:transpose y]]]])

(defn- types [dtype]
  {'x [dtype '[n m]], 'y [dtype '[m n]], 'z [dtype '[m n]], 'r [dtype '[m]], 'c [dtype '[m]]
   't [dtype '[n m 3]]})

(defn- env [dtype dims]
  (let [random (Random. 5)]
    (into {} (for [[leaf [d shape]] (types dtype), :let [shape (mapv #(dims % %) shape)]]
               [leaf (array/of d shape (repeatedly (array/size shape)
                                                   #(if (#{:i32 :u8} dtype)
                                                      (.nextInt random 5)
                                                      (- (* 2 (.nextDouble random)) 1))))]))))

(defn- unlike
  "The sizes for which the compiled expression is not what the reference says."
  [dtype e]
  (let [g (parse/parse {:inputs (types dtype), :outputs {'out e}})
        c (running/compile g {:inputs (vec (types dtype)), :mode :fast-run})]
    (try (vec (for [[n m] [[40 33] [16 64] [5 70] [31 1] [0 20] [20 0] [17 16]]
                    :when (or (not= :softmax (first e)) (pos? (* n m)))
                    :let [env (env dtype {'n n, 'm m})]
                    :when (not-every? true? (map #(running/close? 2e-5 30.0 %1 %2)
                                                 (eval/run g env) (running/call! c env)))]
                [n m]))
         (finally (running/close! c)))))

(deftest values-are-those-of-the-reference
  (doseq [[dtype e] (map vector (cycle [:f32 :f64 :f32]) expressions)]
    (is (= [] (unlike dtype e)) (pr-str dtype e)))
  (doseq [[dtype e] [[:i32 '[:add x [:transpose y]]] [:u8 '[:add x [:transpose y]]]
                     [:f64 '[:add x [:transpose y]]] [:bf16 '[:transpose [:neg y]]]]]
    (is (= [] (unlike dtype e)) (pr-str dtype e))))
