(ns damo.compile.lower.collapse-test
  "Merged loops do the same work in the same order: every element that is loaded and stored, by
  brute force over random nests; and those that can be merged are."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.compile.lower.collapse :as collapse]
            [damo.data.type :as type])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

;; ## Running a nest

(defn- accesses
  "The loads and stores of an expression or a statement that is no loop, in order: [what p
  element]."
  [env x]
  (cond (not (vector? x)) nil
        (= :load (first x)) [[:load (nth x 1) (type/dim-value env (nth x 2))]]
        (= :store (first x)) (concat (accesses env (nth x 3))
                                     [[:store (nth x 1) (type/dim-value env (nth x 2))]])
        (= :size (first x)) [[:size (type/dim-value env (nth x 1))]]
        :else (mapcat #(accesses env %) x)))

(defn- trace
  "What a body accesses, in order."
  [env body]
  (mapcat (fn [[head v extent & inner :as stmt]]
            (if (= :for head)
              (mapcat #(trace (assoc env v %) inner) (range (type/dim-value env extent)))
              (accesses env stmt)))
          body))

;; ## Random nests

(def ^:private extents '[n m 3 1 [:+ n 1] [:* 2 m]])

(defn- choose [^Random random coll] (nth coll (.nextInt random (count coll))))

(defn- strides
  "The strides of an operand of a nest with those extents: mostly dense, else broadcast, transposed
  or random."
  [^Random random extents]
  (let [dense (rest (reductions type/dim* 1 (reverse extents)))
        dense (reverse (cons 1 (butlast dense)))]
    (case (.nextInt random 6)
      (0 1 2) dense
      3 (map #(if (.nextBoolean random) % 0) dense)
      4 (reverse dense)
      5 (map (fn [_] (choose random '[0 1 2 n m [:* m n]])) extents))))

(defn- index [random vars extents]
  (apply type/dim+ (choose random '[0 0 1 n]) (map type/dim* (strides random extents) vars)))

(defn- nest [^Random random]
  (let [shape (vec (repeatedly (inc (.nextInt random 4)) #(choose random extents)))
        vars (mapv #(symbol (str "i." %)) (range (count shape)))
        load-of (fn [p] [:load p (index random vars shape)])
        value (case (.nextInt random 5)
                0 [:add (load-of 1) [:cast :f64 [:size (last vars)]]]
                [:add (load-of 1) (load-of 2)])
        inner [[:let 'v value] [:store 0 (index random vars shape) 'v]]
        inner (cond-> inner
                (zero? (.nextInt random 5)) (conj [:for 'z 2 [:store 3 'z (load-of 1)]]))]
    (first (reduce (fn [stmts [v extent]] [(into [:for v extent] stmts)])
                   inner (reverse (map vector vars shape))))))

(deftest merged-loops-access-the-same-elements-in-the-same-order
  (let [random (Random. 5)]
    (dotimes [_ 400]
      (let [body [(nest random)], merged (collapse/collapse body)]
        (doseq [env '[{n 2, m 3} {n 3, m 1} {n 1, m 2} {n 0, m 2} {n 2, m 0}]]
          (is (= (trace env body) (trace env merged)) (pr-str body merged)))))))

;; ## What is merged

(defn- depth [body]
  (let [[head _ _ & inner] (first body)] (if (= :for head) (inc (depth inner)) 0)))

(deftest dense-loops-are-merged-and-others-are-not
  (let [copy (fn [from to] [[:for 'i 'n [:for 'j 'm [:store 0 to [:load 1 from]]]]])
        row-major '[:+ [:* i m] j]]
    (is (= '[[:for i [:* m n] [:store 0 i [:load 1 i]]]]
           (collapse/collapse (copy row-major row-major))))
    (testing "every operand must be laid out alike"
      (is (= 2 (depth (collapse/collapse (copy 'j row-major)))) "a row for every row")
      (is (= 2 (depth (collapse/collapse (copy '[:+ [:* j n] i] row-major)))) "transposed")
      (is (= 1 (depth (collapse/collapse (copy 0 row-major)))) "one number for all"))
    (testing "an offset may be added"
      (is (= '[[:for i [:* m n] [:store 0 [:+ i 7] [:load 1 i]]]]
             (collapse/collapse (copy row-major '[:+ [:* i m] j 7])))))
    (testing "not when a variable is used by itself"
      (is (= 2 (depth (collapse/collapse
                       '[[:for i n [:for j m [:store 0 [:+ [:* i m] j] [:size j]]]]])))))
    (testing "three loops, or the inner two of three"
      (let [dense '[:+ [:* i 12] [:* j 4] k]
            copy (fn [from] [[:for 'i 2 [:for 'j 3 [:for 'k 4 [:store 0 dense [:load 1 from]]]]]])]
        (is (= '[[:for i 24 [:store 0 i [:load 1 i]]]] (collapse/collapse (copy dense))))
        (is (= 2 (depth (collapse/collapse (copy '[:+ [:* j 4] k])))) "a matrix for every i")))))
