(ns damo.codegen.loop-products-test
  "Small products of a vector and a matrix in loops: they are parts of the loop's function, with no
  call of a library or of another function, and have the values of rounds made one by one."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen LlvmModule LlvmModule$Text)))

(set! *warn-on-reflection* true)

(defn- product
  "The step b ← a·W, or b ← W·a, of vectors of n."
  [n a b dots?]
  {:do :gemm :dtype :f64 :m 1 :n n :k n :alpha 1.0 :beta 0.0
   :a {:buffer a :offset 0 :strides [n 1]}
   :b {:buffer 1 :offset 0 :strides (if dots? [1 n] [n 1])}
   :c {:buffer b :offset 0 :strides [n 1]}})

(defn- program
  "The state x ← (W (x W)) in each of r rounds."
  [n]
  (-> (calling/program '[r] [[:f64 :inout n] [:f64 :in (* n n)]] [])
      (update :buffers conj {:dtype :f64 :size n :kind :temp})
      (assoc :steps [{:do :loop :var 't :extent 'r
                      :steps [(product n 0 3 false) (product n 3 0 true)]}])))

(defn- loop-text ^String [n]
  (let [^LlvmModule m (Codegen/module (calling/read-program (program n)) 512)]
    (->> (.texts m)
         (map #(.ir ^LlvmModule$Text %))
         (filter #(re-find #"define hidden i32 @damo_loop" %))
         first)))

(deftest part-test
  (testing "small ones call nothing that is not in the text"
    (let [text (loop-text 50)]
      (is (= 2 (count (re-seq #"call void @damo\.(?:row|dot)\S+\.part\(" text))))
      (is (nil? (re-find #"declare void" text)))))
  (testing "for others a call is little"
    (let [text (loop-text 500)]
      (is (= 2 (count (re-seq #"call void @damo\.(?:row|dot)\.\d+xf64\(" text))))
      (is (nil? (re-find #"cblas" text))))))

(defn- times [n x w dots?]
  (vec (for [i (range n)]
         (reduce + (for [k (range n)]
                     (* (x k) (w (if dots? (+ (* i n) k) (+ (* k n) i)))))))))

(deftest rounds-test
  (doseq [n [1 2 7 8 9 50] rounds [0 1 3]
          :let [w (mapv #(- (mod (* 7 %) 5) 2.0) (range (* n n)))
                x (mapv #(double (- (mod % 3) 1)) (range n))
                result (calling/call (program n) [rounds] [x w (repeat rounds 0) (repeat n 0)])]]
    (is (= (nth (iterate #(times n (times n % w false) w true) x) rounds)
           (mapv double (get-in result [:buffers 0])))
        [n rounds])))
