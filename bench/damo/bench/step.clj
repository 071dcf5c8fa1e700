(ns damo.bench.step
  "The training step of a benchmark task, written as a user would: expressions, gradients, one
  compiled function that updates the parameters in place.
  ((stepper \"mlp\" 60) 0) performs the first step and returns its loss, ((looper \"mlp\" 60) 0 9)
  nine steps in one call."
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

(defn- loss-and-updates
  "[loss updates] of a step of gradient descent on images x and labels y: the mean loss, and the new
  value of every parameter."
  [task x y]
  (let [layers (parameters task)
        loss (d/mean (d/cross-entropy (network x layers) y))
        params (vec (flatten layers))]
    [loss (into {} (map (fn [p g] [p (d/sub p (d/mul task/rate g))]) params
                        (d/grad loss params)))]))

(defn training-step
  "The compiled function [x y] → loss of a task that also updates the parameters by one step of
  gradient descent: x is [:f32 [n 784]], y [:i64 [n]] with labels 0-9, the loss a mean over n."
  [task]
  (let [x (d/input 'x [:f32 ['n task/inputs]])
        y (d/input 'y [:i64 ['n]])
        [loss updates] (loss-and-updates task x y)]
    (d/function [x y] loss {:updates updates, :name (str task "-step")})))

(defn image-data
  "All images as a tensor [6000 784]."
  ^Tensor []
  (tensor-of (task/images) "f32" [task/examples task/inputs]))

(defn label-data
  "All labels as a tensor."
  ^Tensor []
  (tensor-of (task/labels) "i64" [task/examples]))

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
        xs (batches (image-data) batch)
        ys (batches (label-data) batch)
        n (alength xs)]
    (fn [^long i]
      (let [b (rem i n)
            ^Tensor loss (step (aget xs b) (aget ys b))]
        (.doubleValue loss)))))

;; ## All steps in one call

(defn looped-step
  "A function without inputs that performs the next step of a task, on the next batch of all images,
  which it keeps; its output is the sum of all losses so far. `d/call-n` repeats it."
  [task batch]
  (let [images (d/shared 'images (image-data)), labels (d/shared 'labels (label-data))
        at (d/shared 'at 0), total (d/shared 'total 0.0)
        [x y] (map #(d/dynamic-slice % at :size batch) [images labels])
        [loss updates] (loss-and-updates task x y)
        summed (d/add total loss)
        last-start (* batch (dec (quot task/examples batch)))]
    (d/function [] summed
                {:name (str task "-steps")
                 :updates (assoc updates total summed
                                 at (d/where (d/lt at last-start) (d/add at batch) 0))})))

(defn looper
  "A function (run from n) that performs n steps in one call and returns the sum of their losses;
  they come in order, whatever `from` is."
  [task batch]
  (let [f (looped-step task batch), before (volatile! 0.0)]
    (fn [_ n]
      (let [total (.doubleValue ^Tensor (d/call-n f n)), made (- total (double @before))]
        (vreset! before total)
        made))))
