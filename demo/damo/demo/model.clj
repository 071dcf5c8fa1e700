(ns damo.demo.model
  "A classifier described by a file such as examples/mlp.edn, as expressions: its parameters with
  their first values, the scores, and the functions that train it and use it.
  (functions (build (read-model \"examples/mlp.edn\") 1) 0.1) => {:step f, :predict f}."
  (:require [damo.core :as d]
            [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph])
  (:import [damo.tensor Tensor]
           [java.util SplittableRandom]))

(set! *warn-on-reflection* true)

(defn- bad-model! [file message]
  (fail! ::bad-model (str file ": " message) {:file (str file)}))

;; ## First values

(defn- fans
  "How many numbers make one that a parameter gives, and how many one takes part in: the axes of a
  matrix; of kernels [out in height width] channels times places. nil of a vector."
  [[a b & places]]
  (when b
    (let [each (reduce * places)] [(* each (long a)) (* each (long b))])))

(defn- scale-of
  "The bound of the uniform distribution that an initialiser asks for; nil when it is none."
  [init shape]
  (cond (= init :zeros) 0.0
        (= init :glorot-uniform) (some->> (fans shape) (reduce +) (/ 6.0) Math/sqrt)
        (and (vector? init) (= :uniform (first init)) (= 2 (count init))
             (number? (second init)) (<= 0 (second init)))
        (double (second init))))

(defn- check-param [file param-name {:keys [type init] :as param}]
  (let [[dtype shape] (when (map? param) type)]
    (when-not (and (= :f32 dtype) (vector? shape) (every? pos-int? shape)
                   (scale-of init shape))
      (bad-model! file (str ":params " param-name ": expected {:type [:f32 [rows columns]],"
                            " :init :zeros, :glorot-uniform (of two axes or more) or"
                            " [:uniform r]},"
                            " got " (pr-str param))))))

(defn- first-value
  "The first value of a parameter: uniform numbers that depend on the seed and its name alone."
  ^Tensor [param-name {[_ shape] :type, :keys [init]} seed]
  (let [scale (double (scale-of init shape))
        random (SplittableRandom. (bit-xor (* 31 (long seed)) (hash (str param-name))))
        values (float-array (reduce * shape))]
    (dotimes [i (alength values)]
      (aset values i (float (* scale (- (* 2.0 (.nextDouble random)) 1.0)))))
    (.reshape ^Tensor (d/tensor values) (long-array shape))))

;; ## The file

(defn- check-inputs [file inputs]
  (let [[[_ [dtype shape]] :as all] (seq inputs)]
    (when-not (and (= 1 (count all)) (= :f32 dtype) (= 2 (count shape)) (symbol? (first shape))
                   (pos-int? (second shape)))
      (bad-model! file (str ":inputs: expected one input such as {x [:f32 [n 784]]}, got "
                            (pr-str inputs))))))

(def ^:private train-keys
  "How a model may say that it is to be trained, each with what its value is."
  {:epochs [pos-int? "an integer of at least 1"], :batch [pos-int? "an integer of at least 1"]
   :rate [#(and (number? %) (pos? %)) "a number above 0"]
   :momentum [#(and (number? %) (<= 0 % 1)) "a number from 0 to 1"]
   :decay [#(and (number? %) (< 0 %) (<= % 1)) "a number above 0, at most 1"]
   :shift [nat-int? "an integer of at least 0"]})

(defn- check-train [file train]
  (when-not (map? train)
    (bad-model! file (str ":train: expected a map such as {:epochs 10}, got " (pr-str train))))
  (doseq [[k v] train :let [[fits? expected] (train-keys k)]]
    (cond (nil? expected) (bad-model! file (str ":train: there is no " (pr-str k) "; there are "
                                                (vec (sort (keys train-keys)))))
          (not (fits? v)) (bad-model! file (str ":train " k ": expected " expected ", got "
                                                (pr-str v))))))

(defn read-model
  "The form of a model file with :file added, its inputs, parameters, outputs and :train checked.
  Fails with ::bad-model, naming the file and the entry. Never evaluates anything."
  [file]
  (let [{:keys [inputs params outputs train] :as form} (graph/read-edn file)]
    (when-not (and (map? form) (map? inputs) (map? params) (map? outputs))
      (bad-model! file "expected a map with the maps :inputs, :params and :outputs"))
    (check-inputs file inputs)
    (doseq [[param-name param] params] (check-param file param-name param))
    (some->> train (check-train file))
    (when-not (= '[logits] (keys outputs))
      (bad-model! file (str ":outputs: expected the one output logits, got " (pr-str outputs))))
    (assoc form :file (str file))))

;; ## Expressions

(defn- check-scores [file scores batch]
  (let [expected [:f32 [batch 10]]]
    (when-not (= expected (d/type-of scores))
      (bad-model! file (str "logits: expected the type " (pr-str expected) ", got "
                            (pr-str (d/type-of scores)))))))

(defn build
  "The expressions of a model: {:x input, :inputs how many numbers an example has, :params
  [shared …], :scores expr}. `seed` decides the parameters' first values. Fails as read-model and
  damo.core/parse do."
  [{:keys [file inputs params] :as form} seed]
  (let [graph (d/parse (dissoc form :file :train))
        [input-name [_ [batch width] :as type]] (first inputs)
        x (d/input input-name type)
        shared (into {} (for [[param-name param] params]
                          [param-name (d/shared param-name (first-value param-name param seed))]))
        scores (d/expr graph (assoc shared input-name x))]
    (check-scores file scores batch)
    {:x x, :inputs width, :params (mapv shared (sort (keys params))), :scores scores}))

(defn- velocity
  "State like a parameter, zeros first."
  [p]
  (let [[dtype shape] (d/type-of p)]
    (d/shared (symbol (str (:name (expr/attrs-of p)) "-velocity")) (d/zeros shape dtype))))

(defn- descent
  "The updates of a step of gradient descent, with momentum (Polyak 1964) where that is not 0."
  [params grads rate momentum]
  (into {}
        (mapcat (fn [[p g]]
                  (let [down (d/mul rate g)]
                    (if (zero? momentum)
                      [[p (d/sub p down)]]
                      (let [v (velocity p), next-v (d/sub (d/mul momentum v) down)]
                        [[v next-v] [p (d/add p next-v)]])))))
        (map vector params grads)))

(defn functions
  "{:step f, :predict f} of a built model. (step x y) is the mean loss of a batch, softmax
  cross-entropy, and moves the parameters against its gradient, `rate` times, a number or a 0-d
  expression; with :momentum, by that part of the last move too. (predict x) is the probability of
  each of the 10 classes, a row an example."
  ([built rate] (functions built rate 0))
  ([{:keys [x params scores]} rate momentum]
   (let [[_ [batch]] (d/type-of scores)
         y (d/input 'y [:i64 [batch]])
         loss (d/mean (d/cross-entropy scores y))
         updates (descent params (d/grad loss params) rate momentum)]
     {:step (d/function [x y] loss {:updates updates, :name "step"})
      :predict (d/function [x] (d/softmax scores) {:name "predict"})})))
