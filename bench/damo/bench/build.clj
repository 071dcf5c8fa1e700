(ns damo.bench.build
  "How long it takes from expressions to machine code: building, differentiating, rewriting and
  compiling, the first time and when all is warm. The graphs: a training step, the gradient of long
  chains, many nodes of mixed ops, and loops."
  (:require [damo.bench.recurrent :as recurrent]
            [damo.bench.stages :as stages]
            [damo.bench.stats :as stats]
            [damo.bench.step :as step]
            [damo.core :as d])
  (:import [java.util Random]))

(set! *warn-on-reflection* true)

(defn- chain
  "The gradient with respect to w of the sum of h, after n times h ← tanh(h·w + h)."
  [n times w-type]
  (let [h (d/input 'h [:f32 ['n 32]]), w (d/input 'w w-type)
        last-h (nth (iterate #(d/tanh (d/add (times % w) %)) h) n)]
    (d/function [h w] (d/grad (d/sum last-h) w))))

(defn- mixed-node
  "Node number i of `mixed`, made of two earlier ones."
  [i a b w]
  (case (int (mod i 10))
    0 (d/dot a w)
    1 (d/add a b)
    2 (d/mul a b)
    3 (d/tanh a)
    4 (d/sub a (d/mean a :axis 1 :keepdims true))
    5 (d/maximum a b)
    6 (d/mul 0.5 a)
    7 (d/sigmoid b)
    8 (d/add a (d/sum b :axis 0))
    9 (d/where (d/gt a b) a b)))

(defn- mixed
  "A function of n calls of ten kinds of ops, each on two of the eight latest values, chosen by a
  fixed seed: products, reductions along both axes, elementwise functions."
  [n]
  (let [x (d/input 'x [:f32 ['n 16]]), w (d/input 'w [:f32 [16 16]])
        random (Random. 1)
        recent (fn [pool] (nth pool (- (count pool) 1 (.nextInt random (min 8 (count pool))))))
        values (reduce (fn [pool i] (conj pool (mixed-node i (recent pool) (recent pool) w)))
                       [(d/add x 1.0)] (range n))]
    (d/function [x w] [(peek values) (d/sum (reduce d/add (take-last 8 values)))])))

(defn- deep
  "The sum of a chain of n elementwise nodes."
  [n]
  (let [x (d/input 'x [:f32 ['n]])]
    (d/function [x] (d/sum (nth (iterate #(d/tanh (d/add % x)) x) (quot n 2))))))

(defn- firing
  "The sum of log(1 + k·x) for n numbers k: a rule applies to each."
  [n]
  (let [x (d/input 'x [:f64 ['n]])
        terms (map #(d/log (d/add 1.0 (d/mul x (+ 2.0 %)))) (range n))]
    (d/function [x] (d/sum (reduce d/add terms)))))

(def graphs
  "What is built: [name, function that builds it, times warm]."
  [["the MLP's training step" #(step/training-step "mlp") 21]
   ["gradient of 200 h ← tanh(h·w + h), w a matrix" #(chain 200 d/dot [:f32 [32 32]]) 5]
   ["gradient of 200 h ← tanh(h*w + h), elementwise" #(chain 200 d/mul [:f32 [32]]) 5]
   ["an LSTM's training step of 100 steps" #(recurrent/lstm-training-step 128 32) 5]
   ["the gradient through four nested loops" #(recurrent/nested 4) 5]
   ["1,000 nodes of mixed ops" #(mixed 1000) 5]
   ["400 firings of rules" #(firing 400) 5]
   ["10,000 nodes of mixed ops" #(mixed 10000) 1]
   ["a chain of 100,000 nodes" #(deep 100000) 1]])

(defn- milliseconds [f]
  (let [start (System/nanoTime)]
    (f)
    (/ (- (System/nanoTime) start) 1e6)))

(defn measure
  "{:first ms, :warm ms (median), :stages {stage {:ms :mb}} (medians)} to make a graph's function;
  :first tells of a process that has compiled nothing before only for the first graph that is
  measured in it."
  [[_ build times]]
  (let [run #(milliseconds build)
        first-time (run)]
    (dotimes [_ (quot times 2)] (run))
    {:first first-time
     :warm (stats/median (vec (repeatedly times run)))
     :stages (stages/medians (vec (repeatedly (min 5 times) #(stages/measured build))))}))
