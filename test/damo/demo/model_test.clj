(ns damo.demo.model-test
  "Model files and what is built from them; training and predicting on a small network."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.demo.digits :as digits]
            [damo.demo.idx :as idx]
            [damo.demo.model :as model]
            [damo.demo.train :as train])
  (:import [damo.tensor Tensor]
           [java.io File]))

(set! *warn-on-reflection* true)

(def ^:private small
  '{:inputs {x [:f32 [n 784]]}
    :params {w1 {:type [:f32 [784 20]], :init :glorot-uniform}
             b1 {:type [:f32 [20]], :init :zeros}
             w2 {:type [:f32 [20 10]], :init [:uniform 0.25]}}
    :let [h [:tanh [:add [:dot x w1] b1]]]
    :outputs {logits [:dot h w2]}})

(defn- read-form [form]
  (let [file (File/createTempFile "model" ".edn")]
    (try (spit file (if (string? form) form (pr-str form)))
         (model/read-model file)
         (finally (.delete file)))))

(deftest the-example-is-the-network-of-the-readme
  (let [{:keys [inputs params scores]} (model/build (model/read-model "examples/mlp.edn") 1)]
    (is (= 784 inputs))
    (is (= [[500] [10] [784 500] [500 10]] (map d/shape params)))
    (is (= '[:f32 [n 10]] (d/type-of scores)))))

(deftest the-network-of-kernels-is-what-its-file-says
  (let [{:keys [train] :as form} (model/read-model "examples/lenet.edn")
        {:keys [inputs params scores]} (model/build form 1)]
    (is (= 784 inputs))
    (is (= [[500] [10] [20 1 1] [50 1 1] [20 1 5 5] [50 20 5 5] [800 500] [500 10]]
           (map d/shape params)))
    (is (= '[:f32 [n 10]] (d/type-of scores)))
    (is (= 2 (:shift train)))))

(deftest bad-models-are-refused
  (doseq [[what form message]
          [["no EDN" "{:inputs" #"EDN"]
           ["no map" [1 2] #"expected a map with the maps :inputs, :params and :outputs"]
           ["two inputs" (assoc-in small [:inputs 'z] [:f32 ['n 3]]) #":inputs: expected one input"]
           ["integers" (assoc small :inputs '{x [:i64 [n 784]]}) #":inputs: expected one input"]
           ["a fixed batch" (assoc small :inputs '{x [:f32 [20 784]]}) #":inputs: expected one in"]
           ["no :init" (update-in small [:params 'w1] dissoc :init) #":params w1: expected .* :in"]
           ["unknown :init" (assoc-in small [:params 'w1 :init] :ones) #":params w1"]
           ["Glorot of one axis" (assoc-in small [:params 'b1 :init] :glorot-uniform) #":params b1"]
           ["a negative scale" (assoc-in small [:params 'w2 :init] [:uniform -1]) #":params w2"]
           ["a symbolic shape" (assoc-in small [:params 'b1 :type] '[:f32 [k]]) #":params b1"]
           ["another output" (assoc small :outputs '{y h}) #":outputs: expected the one output log"]
           ["wrong width" (assoc small :outputs '{logits h}) #"\[:f32 \[n 10\]\], got \[:f32 \[n 2"]
           ["unknown op" (assoc small :let '[h [:tanhh x]]) #"tanhh"]
           ["shapes that do not fit" (assoc small :let '[h [:dot w1 x]]) #"dot|matmul"]
           ["an unknown name" (assoc small :let '[h [:tanh q]]) #"nothing is called q"]
           ["an unknown key" (assoc small :leet []) #":leet"]
           ["a rate of 0" (assoc small :train {:rate 0}) #":train :rate: expected a number above 0"]
           ["no such training" (assoc small :train {:rates 1}) #":train: there is no :rates"]
           ["no training" (assoc small :train 3) #":train: expected a map"]]]
    (testing what
      (is (thrown-with-msg? Exception message (model/build (read-form form) 1))))))

(defn- first-values [seed]
  (map (comp vec d/->array d/value) (:params (model/build (read-form small) seed))))

(deftest first-values-depend-on-the-seed-and-keep-their-bounds
  (let [[b1 w1 w2 :as values] (first-values 1)]
    (is (= values (first-values 1)))
    (is (not= values (first-values 2)))
    (is (every? zero? b1))
    (is (<= (apply max (map abs w1)) (Math/sqrt (/ 6.0 804))))
    (is (< 0.2 (apply max (map abs w2)) 0.2500001))))

(deftest an-order-is-a-permutation-that-the-seed-decides
  (is (= (range 100) (sort (train/shuffled 100 1)) (vec (train/in-order 100))))
  (is (= (seq (train/shuffled 100 1)) (seq (train/shuffled 100 1))))
  (is (not= (seq (train/shuffled 100 1)) (seq (train/shuffled 100 2)) (range 100)))
  (is (= [] (vec (train/shuffled 0 1)))))

(deftest tensors-hold-the-examples-in-that-order
  (let [set {:count 2, :rows 1, :cols 2
             :pixels (byte-array [0 -1 51 102]), :labels (byte-array [7 8])}
        {:keys [x y]} (train/fill! (train/tensors set) set (int-array [1 0]))]
    (is (= (map float [0.2 0.4 0.0 1.0]) (seq (d/->array x))))
    (is (= [8 7] @y))))

(deftest images-are-moved-and-paper-comes-in
  (let [set {:count 1, :rows 2, :cols 2
             :pixels (byte-array [-1 51 102 -1]), :labels (byte-array 1)}
        moved (fn [shift] (map #(/ (Math/rint (* 5 (double %))) 5)
                               (d/->array (:x (train/fill! (train/tensors set) set (int-array [0])
                                                           (constantly shift))))))]
    (is (= [1.0 0.2 0.4 1.0] (moved [0 0])))
    (is (= [0.0 0.0 1.0 0.2] (moved [1 0])))
    (is (= [0.2 0.0 1.0 0.0] (moved [0 -1])))))

(deftest momentum-keeps-moving
  (let [{:keys [params] :as built} (model/build (read-form small) 1)
        {:keys [step]} (model/functions built 0.1 0.9)
        x (d/zeros [2 784] :f32), w #(d/->array (d/value (first params)))
        before (vec (w)), _ (step x [1 2]), one (vec (w)), _ (step x [1 2]), two (vec (w))]
    (is (not= before one))
    (is (< (abs (- (first before) (first one))) (abs (- (first one) (first two)))))))

(defn- trained [epochs]
  (let [data (idx/split (digits/draw-set {:name "drawn", :count 1000, :seed 1}))
        functions (model/functions (model/build (read-form small) 1) 0.2)
        states (atom [])
        history (train/train! functions data {:epochs epochs, :batch 30, :seed 1}
                              #(swap! states conj %))]
    {:functions functions, :history history, :states @states, :test (:test data)}))

(defn- predicted [{:keys [predict]} test]
  (train/predictions predict (train/fill! (train/tensors test) test
                                          (train/in-order (:count test)))))

(deftest training-learns-and-a-saved-model-predicts-the-same
  (let [{:keys [functions history states test]} (trained 4)
        file (File/createTempFile "model" ".damo")]
    (testing "the loss falls and the accuracy is far above chance"
      (is (apply > (map :loss history)))
      (is (< 0.6 (:accuracy (last history)))))
    (testing "every step is reported, the last batch is smaller"
      (is (= (* 4 28) (count states)))
      (is (= [30 800] ((juxt :done :total) (first states))))
      (is (= 4 (count (filter :accuracy states)))))
    (testing "saved and loaded"
      (d/save (str file) functions)
      (let [loaded (d/load (str file))]
        (is (= (predicted functions test) (predicted loaded test)))
        (is (instance? Tensor ((:step loaded) (vec (repeat 2 (vec (repeat 784 0.5)))) [1 2])))))
    (.delete file)))

(deftest training-is-reproducible
  (is (= (map :loss (:history (trained 1))) (map :loss (:history (trained 1))))))
