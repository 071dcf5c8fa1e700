(ns damo.math.near-test
  "Math functions without special cases, which loops use for blocks whose arguments are all near:
  an element has the same bits whatever stands beside it, at every width of vectors, and nothing is
  wrong where a loop writes what it reads."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)
           (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

(defn- resource [name] (edn/read-string (slurp (io/resource name))))

(def ^:private table (into {} (map #(resource (str "damo/" %))) (resource "damo/math.edn")))

(def ^:private functions
  "[[function dtype number of arguments] …] of those that have a form for near arguments."
  (for [[f definitions] table, [dtype {:keys [args near]}] definitions :when near]
    [f dtype (count args)]))

(defn- code ^NativeCode [program bits]
  (NativeCode/compile (Codegen/module (calling/read-program program) (int bits))))

(defn- program [f dtype arity n]
  (calling/program [] (conj (vec (repeat arity [dtype :in n])) [dtype :out n])
                   [[:for 'i n [:store arity 'i (into [f] (map (fn [k] [:load k 'i])
                                                               (range arity)))]]]))

(defn- bits [dtype values]
  (mapv (if (= dtype :f32) #(Float/floatToIntBits (unchecked-float %)) #(Double/doubleToLongBits %))
        values))

(defn- run
  "The bits that a program of one function makes of its arguments."
  [code program dtype arguments]
  (let [n (count (first arguments)), arguments (vec arguments)]
    (bits dtype (nth (:buffers (calling/run code program [] (conj arguments (repeat n 0.0))))
                     (count arguments)))))

(def ^:private far [0.0 -0.0 ##Inf ##-Inf ##NaN 1e30 -1e30 1e-44 -5.0])

(defn- numbers
  "n numbers from 0.01 to 100, and the same with one of `far` in each block but the last."
  [^SplittableRandom random n]
  (let [near (vec (repeatedly n #(Math/exp (.nextDouble random -4.6 4.6))))]
    [near (reduce (fn [xs i] (assoc xs i (far (mod i (count far)))))
                  near (range 100 (- n 300) 97))]))

(deftest what-stands-beside-an-element-changes-nothing
  (is (<= 8 (count functions)))
  (let [n 1700]
    (doseq [[f dtype arity] functions, width [128 256 512]
            :let [random (SplittableRandom. 11), program (program f dtype arity n)
                  arguments (repeatedly arity #(numbers random n))]]
      (with-open [code (code program width)]
        (let [near (run code program dtype (map first arguments))
              mixed (run code program dtype (map second arguments))
              same (fn [i] (every? (fn [[x y]] (= (x i) (y i))) arguments))]
          (is (empty? (for [i (range n) :when (and (same i) (not= (near i) (mixed i)))]
                        [(mapv #(get (first %) i) arguments) (near i) (mixed i)]))
              [f dtype width]))))))

(deftest both-forms-stand-in-a-loop
  (let [program #(calling/read-program (calling/program '[n] '[[:f32 :inout n]] %))
        text #(.text (Codegen/module (program %) 512))
        near? #(str/includes? (text %) "call float @damo.near.sin.f32")]
    (is (near? '[[:for i n [:store 0 i [:sin [:load 0 i]]]]]))
    (is (near? '[[:for i n [:let y [:add [:load 0 i] [:const :f32 1.0]]] [:store 0 i [:sin y]]]]))
    (testing "not where the arguments cost as much, or are what the loop makes"
      (is (not (near? '[[:for i n [:store 0 i [:sin [:exp [:load 0 i]]]]]])))
      (is (not (near? '[[:for i [:max 0 [:- n 1]]
                         [:store 0 [:+ i 1] [:sin [:load 0 i]]]]])))
      (is (not (near? '[[:var s [:const :f32 0.0]]
                        [:for i n [:set s [:sin s]] [:store 0 i s]]]))))))

(deftest a-loop-that-feeds-itself
  (let [n 600
        program (calling/program [] [[:f32 :inout n]]
                                 [[:for 'i (dec n)
                                   [:store 0 '[:+ i 1] [:mul [:const :f32 2.0]
                                                        [:sin [:load 0 'i]]]]]])
        expected (reductions (fn [x _] (* 2.0 (Math/sin x))) 50000.0 (range (dec n)))
        [got] (:buffers (calling/call program [] [(into [50000.0] (repeat (dec n) 0.0))]))]
    (is (every? true? (map #(< (abs (- (double %1) (double %2))) 1e-2) (take 20 got) expected)))))
