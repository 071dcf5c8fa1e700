(ns damo.bench.step
  "The training step of a benchmark task, written as a user would: expressions, gradients, one
  compiled function that updates the parameters in place.
  ((stepper \"mlp\" 60) 0) performs the first step and returns its loss."
  (:require [damo.bench.task :as task]
            [damo.core :as d])
  (:import [damo.tensor DType Tensor]
           [java.lang.foreign MemorySegment]))

(set! *warn-on-reflection* true)

(defn tensor-of
  "A tensor of a flat float or long array and a shape."
  ^Tensor [data dtype shape]
  (let [t (Tensor/uninitialized (DType/of dtype) (long-array shape))]
    (.copyFrom (.segment t) (if (= dtype "f32")
                              (MemorySegment/ofArray ^floats data)
                              (MemorySegment/ofArray ^longs data)))
    t))

(defn- parameters
  "The shared variables of a task, [[w b] …] by layer."
  [task]
  (vec (for [[layer [in out]] (map-indexed vector (partition 2 1 (task/sizes task)))]
         [(d/shared (symbol (str "w" layer))
                    (tensor-of (task/weights task layer) "f32" [in out]))
          (d/shared (symbol (str "b" layer)) (d/zeros [out] :f32))])))

(defn- network
  "The scores of a batch: tanh between the layers, none after the last."
  [x layers]
  (reduce (fn [h [w b]] (d/add (d/dot (d/tanh h) w) b))
          (let [[w b] (first layers)] (d/add (d/dot x w) b))
          (rest layers)))

(defn training-step
  "The compiled function [x y] → loss of a task that also updates the parameters by one step of
  gradient descent: x is [:f32 [n 784]], y [:i64 [n]] with labels 0-9, the loss a mean over n."
  [task]
  (let [x (d/input 'x [:f32 ['n task/inputs]])
        y (d/input 'y [:i64 ['n]])
        layers (parameters task)
        loss (d/mean (d/cross-entropy (network x layers) y))
        params (vec (flatten layers))
        updates (map (fn [p g] [p (d/sub p (d/mul task/rate g))]) params (d/grad loss params))]
    (d/function [x y] loss {:updates (into {} updates), :name (str task "-step")})))

(defn- batches
  "Views of the rows of a tensor, `size` rows each, in order; an object array."
  ^objects [^Tensor t size]
  (object-array (for [i (range (quot task/examples size))]
                  (.slice t (* i size) (* (inc i) size)))))

(defn stepper
  "A function of a step's number that performs it on its batch and returns the loss. The batches
  are views of the data, made once."
  [task batch]
  (let [step (training-step task)
        xs (batches (tensor-of (task/images) "f32" [task/examples task/inputs]) batch)
        ys (batches (tensor-of (task/labels) "i64" [task/examples]) batch)
        n (alength xs)]
    (fn [^long i]
      (let [b (rem i n)
            ^Tensor loss (step (aget xs b) (aget ys b))]
        (.doubleValue loss)))))
