(ns damo.bench.loop-task
  "The loops of `bin/damo bench rnn` as numbers, the same in every program that does them: names,
  data and weights from the hash of damo.bench.task, and check values.
  (parse \"rnn:50:10\") => [\"rnn\" [50 10]]."
  (:require [clojure.string :as str]
            [damo.bench.task :as task]))

(set! *warn-on-reflection* true)

(def ^:const symbols-count "How many symbols a language model reads before it begins again." 100000)
(def ^:const check-elements "Of how many first elements the mean loss is compared." 1000)

(defn parse
  "[kind sizes] of the name of a loop: rnn:N:T, a language model of N symbols and N hidden units,
  trained on windows of T; scalar:T, tanh:N:T, lstm:N:B:T, and tanh-grad, lstm-grad."
  [task]
  (let [[kind & sizes] (str/split task #":")]
    [kind (mapv parse-long sizes)]))

(defn length
  "How many elements or steps one run of a loop has."
  [task]
  (peek (second (parse task))))

(defn model?
  "Is it a language model?"
  [task]
  (= "rnn" (first (parse task))))

(defn kind
  "What a file of peers calls tasks of this kind: rnn10, rnn100, …, by the window, or loops."
  [task]
  (if (model? task) (str "rnn" (length task)) "loops"))

(defn models
  "The names of language models of those sizes and windows."
  [sizes windows]
  (for [window windows, n sizes] (str "rnn:" n ":" window)))

(def others
  "The other loops: a scalar, h ← tanh(h·W + x), an LSTM of batch 1 and 32."
  ["scalar:10000" "tanh:50:1000" "tanh-grad:50:1000"
   "lstm:128:1:100" "lstm-grad:128:1:100" "lstm:128:32:100" "lstm-grad:128:32:100"])

;; Mean losses an element in float64, by ../shared/peers/python/spec.py; the others by
;; bench/loops_peer.py check. Of language models that are not listed nothing is known.
(def ^:private expected-values
  {"rnn:10:10" 2.349541, "rnn:10:100" 2.352921, "rnn:50:10" 3.966532, "rnn:50:100" 3.975200
   "rnn:100:10" 4.674669, "rnn:100:100" 4.693454, "rnn:200:10" 5.412962, "rnn:200:100" 5.435608
   "rnn:500:10" 6.428096, "rnn:500:100" 6.474501, "rnn:1000:10" 7.246757
   "rnn:1000:100" 7.387437
   "scalar:10000" 0.6428571428571429, "tanh:50:1000" 1.0614837429401063
   "lstm:128:1:100" -0.003858036934441142, "lstm:128:32:100" -0.0016253906022175295})

(defn known?
  "Is this text the name of a loop?"
  [text]
  (let [[kind sizes] (parse text)]
    (and (every? #(and % (pos? %)) sizes)
         (= (count sizes) ({"rnn" 2, "scalar" 1, "tanh" 2, "tanh-grad" 2, "lstm" 3, "lstm-grad" 3}
                           kind)))))

(defn expected
  "The check value of a loop, with a gradient or without; nil where there is none."
  [task]
  (expected-values (str/replace task "-grad" "")))

;; ## Data

(defn model-weights
  "The initial weights of a language model, float arrays of n·n: input, recurrent, output."
  [n]
  (mapv #(task/uniform % (* n n) (Math/sqrt (/ 6.0 (* 2.0 n)))) [20 21 22]))

(defn symbols
  "The sequence that a language model of n symbols reads, and one more."
  ^longs [n]
  (long-array (map #(rem (task/hash32 3 %) n) (range (inc symbols-count)))))

(defn loop-data
  "[[numbers shape] …] of a tanh loop, x [t n] and W [n n], or of an LSTM, x [t b n], the weights
  of inputs and states [n 4n], i f g o side by side, and the bias [4n]."
  [kind sizes]
  (let [[n b t] (if (= 2 (count sizes)) [(sizes 0) nil (sizes 1)] sizes)
        data (fn [stream scale & shape] [(task/uniform stream (reduce * shape) scale) (vec shape)])
        width (Math/sqrt (/ 3.0 n))]
    (if (= kind "tanh")
      [(data 30 1.0 t n) (data 31 width n n)]
      [(data 30 1.0 t b n) (data 31 width n (* 4 n)) (data 32 width n (* 4 n))
       (data 33 0.1 (* 4 n))])))
