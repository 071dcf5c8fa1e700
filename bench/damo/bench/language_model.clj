(ns damo.bench.language-model
  "Training a simple recurrent language model, written as a user would: a symbol's row of the input
  weights is its product, logistic hidden units, softmax over all symbols; back-propagation through
  a window, a step of gradient descent after each, the state carried over.
  ((stepper \"rnn:50:10\" :calls) 0) trains on the first window and returns the sum of its losses."
  (:require [damo.bench.loop-task :as loop-task]
            [damo.bench.step :as step]
            [damo.bench.task :as task]
            [damo.core :as d])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn- state
  "The shared variables of a model of n symbols."
  [n]
  (let [weights (for [[k numbers] (map vector '[wx wh wo] (loop-task/model-weights n))]
                  [(keyword k) (d/shared k (step/tensor-of numbers "f32" [n n]))])]
    (into {:h (d/shared 'h (d/zeros [n] :f32))} weights)))

(defn- loss-and-updates
  "[the sum of the losses of a window, updates of the state]: s are its symbols, t the next ones."
  [{:keys [wx wh wo h]} s t]
  (let [hs (:h (d/scan {:sequences {:xw (d/take wx s)}, :state {:h h}}
                 (fn [{:keys [xw h]}] {:h (d/sigmoid (d/add xw (d/dot h wh)))})))
        loss (d/sum (d/cross-entropy (d/dot hs wo) t))
        params [wx wh wo]
        stepped (map #(d/sub %1 (d/mul task/rate %2)) params (d/grad loss params))]
    [loss (into {h (d/index hs -1)} (map vector params stepped))]))

(def ^:private mode
  "A gradient's rows go straight into the weights, a few at a time, as in the other programs: sums
  of rows of one symbol are added in another order."
  {:regroup true})

(defn window-step
  "The compiled function [s t] → loss of a window of T symbols s and the T that follow them."
  [n]
  (let [s (d/input 's [:i64 ['t]]), t (d/input 't [:i64 ['t]])
        [loss updates] (loss-and-updates (state n) s t)]
    (d/function [s t] loss {:updates updates, :name "language-model", :mode mode})))

(defn- sequence-of ^Tensor [n]
  (step/tensor-of (loop-task/symbols n) "i64" [(inc loop-task/symbols-count)]))

(defn- call-stepper
  "One call a window, its symbols given."
  [n window]
  (let [step (window-step n), all (sequence-of n)
        windows (quot loop-task/symbols-count window)
        views (fn [from] (object-array (for [k (range windows), :let [at (+ from (* k window))]]
                                         (.slice all at (+ at window)))))
        now ^objects (views 0), after ^objects (views 1)]
    (fn [^long k]
      (let [k (rem k windows), ^Tensor loss (step (aget now k) (aget after k))]
        (.doubleValue loss)))))

(defn- native-function
  "A function without inputs that trains on the next window of all symbols, which it keeps; its
  output is the sum of all losses so far."
  [n window]
  (let [all (d/shared 'symbols (sequence-of n)), at (d/shared 'at 0)
        total (d/shared 'total 0.0)
        [s t] (map #(d/dynamic-slice all (d/add at %) :size window) [0 1])
        [loss updates] (loss-and-updates (state n) s t)
        summed (d/add total loss)
        last-start (- (* window (quot loop-task/symbols-count window)) window)]
    (d/function [] summed
                {:mode mode
                 :updates (assoc updates total summed
                                 at (d/where (d/lt at last-start) (d/add at window) 0))})))

(defn stepper
  "What performs windows in order and returns the sum of their losses. How: :calls, one call a
  window, (f k); :native, (f k n) performs n of them in one call."
  [task how]
  (let [[_ [n window]] (loop-task/parse task)]
    (if (= how :calls)
      (call-stepper n window)
      (let [f (native-function n window), before (volatile! 0.0)]
        (fn [_ k]
          (let [total (.doubleValue ^Tensor (d/call-n f k)), made (- total (double @before))]
            (vreset! before total)
            made))))))
