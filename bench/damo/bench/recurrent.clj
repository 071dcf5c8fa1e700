(ns damo.bench.recurrent
  "The other loops of `bin/damo bench rnn`, as damo.bench.loop-task names them: a scalar,
  h ← tanh(h·W + x) and an LSTM, forward and with gradients.
  ((runner \"scalar:10000\")) runs the loop once and returns its value."
  (:require [clojure.string :as str]
            [damo.bench.loop-task :as loop-task]
            [damo.bench.step :as step]
            [damo.core :as d])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn scalar-loop
  "The compiled function [x n] → the last of n steps x ← 2.8·x·(1 - x)."
  []
  (let [x (d/input 'x [:f64 []]), n (d/input 'n [:i64 []])
        xs (:x (d/scan {:state {:x x}, :n-steps n}
                 (fn [{:keys [x]}] {:x (d/mul 2.8 x (d/sub 1 x))})))]
    (d/function [x n] (d/index xs -1))))

(defn- tanh-loss [x w]
  (let [n (first (d/shape w))]
    (d/sum (d/index (:h (d/scan {:sequences {:x x}, :state {:h (d/zeros [n] :f32)}}
                          (fn [{:keys [x h]}] {:h (d/tanh (d/add (d/dot h w) x))})))
                    -1))))

(defn lstm-states
  "All states h of an LSTM: x [t b n], weights wx [n 4m] and wh [m 4m], bias [4m], with the gates
  i f g o side by side; it begins at zero."
  [x wx wh bias]
  (let [m (first (d/shape wh)), zero (d/zeros [(second (d/shape x)) m] :f32)
        gate (fn [z k] (d/index z :all [(* k m) (* (inc k) m)]))]
    (:h (d/scan {:sequences {:x x}, :state {:h zero, :c zero}}
          (fn [{:keys [x h c]}]
            (let [z (d/add (d/dot x wx) (d/dot h wh) bias)
                  c (d/add (d/mul (d/sigmoid (gate z 1)) c)
                           (d/mul (d/sigmoid (gate z 0)) (d/tanh (gate z 2))))]
              {:c c, :h (d/mul (d/sigmoid (gate z 3)) (d/tanh c))}))))))

(defn- lstm-loss [& args] (d/mean (apply lstm-states args)))

(defn lstm-training-step
  "A training step of an LSTM of n units, batch b, 100 steps: its function [x] → loss, compiled."
  [n b]
  (let [x (d/input 'x [:f32 [100 b n]])
        params (for [[k shape] [['wx [n (* 4 n)]] ['wh [n (* 4 n)]] ['b [(* 4 n)]]]]
                 (d/shared k (d/zeros shape :f32)))
        loss (apply lstm-loss x params)]
    (d/function [x] loss {:updates (zipmap params (map #(d/sub %1 (d/mul 0.01 %2)) params
                                                       (d/grad loss params)))})))

(defn nested
  "The gradient by w of `depth` loops of five steps within each other, of x ← tanh(w·x)."
  [depth]
  (let [w (d/input 'w [:f64 [4]]), x (d/input 'x [:f64 [4]])
        deeper (fn [f] (fn [x] (d/foldl (fn [x _] (f x)) x (d/arange 5))))
        last-x ((nth (iterate deeper #(d/tanh (d/mul w %))) depth) x)]
    (d/function [w x] (d/grad (d/sum last-x) w))))

(defn- array-loop
  "[function, arguments, output of which the value is read] of a loop over arrays."
  [kind grad? sizes]
  (let [data (for [[numbers shape] (loop-task/loop-data kind sizes)]
               (step/tensor-of numbers "f32" shape))
        inputs (vec (map-indexed #(d/input (symbol (str "a" %1)) [:f32 (d/shape %2)]) data))
        loss (apply (if (= kind "tanh") tanh-loss lstm-loss) inputs)
        outputs (if grad? (into [loss] (d/grad loss (subvec inputs 1))) [loss])]
    [(d/function inputs outputs) data]))

(defn runner
  "A function that runs a loop once and returns its value."
  [task]
  (let [[kind sizes] (loop-task/parse task)]
    (if (= kind "scalar")
      (let [f (scalar-loop)] #(.doubleValue ^Tensor (f 0.3 (first sizes))))
      (let [[f data] (array-loop (str/replace kind "-grad" "") (str/includes? kind "-grad") sizes)]
        #(.doubleValue ^Tensor (first (apply f data)))))))
