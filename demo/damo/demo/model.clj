(ns damo.demo.model
  "A classifier described by a file such as examples/mlp.edn, as expressions: its parameters with
  their first values, the scores, and the functions that train it and use it.
  (functions (build (read-model \"examples/mlp.edn\") 1) 0.1) => {:step f, :predict f}."
  (:require [damo.core :as d]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph])
  (:import [damo.tensor Tensor]
           [java.util SplittableRandom]))

(set! *warn-on-reflection* true)

(defn- bad-model! [file message]
  (fail! ::bad-model (str file ": " message) {:file (str file)}))

;; ## First values

(defn- scale-of
  "The bound of the uniform distribution that an initialiser asks for; nil when it is none."
  [init [rows columns]]
  (cond (= init :zeros) 0.0
        (= init :glorot-uniform) (when columns (Math/sqrt (/ 6.0 (+ rows columns))))
        (and (vector? init) (= :uniform (first init)) (= 2 (count init))
             (number? (second init)) (<= 0 (second init)))
        (double (second init))))

(defn- check-param [file param-name {:keys [type init] :as param}]
  (let [[dtype shape] (when (map? param) type)]
    (when-not (and (= :f32 dtype) (vector? shape) (every? pos-int? shape)
                   (scale-of init shape))
      (bad-model! file (str ":params " param-name ": expected {:type [:f32 [rows columns]],"
                            " :init :zeros, :glorot-uniform (of two axes) or [:uniform r]},"
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

(defn read-model
  "The form of a model file with :file added, its inputs, parameters and outputs checked. Fails with
  ::bad-model, naming the file and the entry. Never evaluates anything."
  [file]
  (let [{:keys [inputs params outputs] :as form} (graph/read-edn file)]
    (when-not (and (map? form) (map? inputs) (map? params) (map? outputs))
      (bad-model! file "expected a map with the maps :inputs, :params and :outputs"))
    (check-inputs file inputs)
    (doseq [[param-name param] params] (check-param file param-name param))
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
  (let [graph (d/parse (dissoc form :file))
        [input-name [_ [batch width] :as type]] (first inputs)
        x (d/input input-name type)
        shared (into {} (for [[param-name param] params]
                          [param-name (d/shared param-name (first-value param-name param seed))]))
        scores (d/expr graph (assoc shared input-name x))]
    (check-scores file scores batch)
    {:x x, :inputs width, :params (mapv shared (sort (keys params))), :scores scores}))

(defn functions
  "{:step f, :predict f} of a built model. (step x y) is the mean loss of a batch, softmax
  cross-entropy, and moves the parameters against its gradient, `rate` times; (predict x) is the
  probability of each of the 10 classes, a row an example."
  [{:keys [x params scores]} rate]
  (let [[_ [batch]] (d/type-of scores)
        y (d/input 'y [:i64 [batch]])
        loss (d/mean (d/cross-entropy scores y))
        updates (map (fn [p g] [p (d/sub p (d/mul rate g))]) params (d/grad loss params))]
    {:step (d/function [x y] loss {:updates (into {} updates), :name "step"})
     :predict (d/function [x] (d/softmax scores) {:name "predict"})}))
