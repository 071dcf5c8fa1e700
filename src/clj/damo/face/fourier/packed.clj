(ns damo.face.fourier.packed
  "Transforms of real lines of even length n by complex ones of n/2, the even elements as real and
  the odd ones as imaginary parts (Press et al., Numerical Recipes, 12.3). Lines lie along the last
  axis. (forward x n) = [re im], of n/2 + 1 elements; (back [re im] n) is n times the real line."
  (:require [damo.data.expr :as expr]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

(defn- shape [e] (second (expr/type-of e)))
(defn- dtype [e] (first (expr/type-of e)))

(defn- cut [e start stop] (op/call :slice [e :axis -1 :start start :stop stop]))
(defn- joined [a b] (op/call :concatenate [[a b] :axis -1]))
(defn- reversed [e] (op/call :flip [e :axis [-1]]))
(defn- plus [a b] (op/call :add [a b]))
(defn- minus [a b] (op/call :sub [a b]))
(defn- times [a b] (op/call :mul [a b]))

(defn- halfturns
  "[cos sin] of 2πk/n for k ≤ n/2, vectors of a dtype."
  [n dtype]
  (let [k (op/call :iota [:shape [(inc (quot (long n) 2))] :axis 0 :dtype dtype])
        x (op/call :div [(times 2.0 k) (double n)])]
    [(op/call :cospi [x]) (op/call :sinpi [x])]))

(defn- part
  "The line k of the parts of an array [… 2 h]."
  [z k]
  (let [at (- (count (shape z)) 2)]
    (op/call :squeeze [(op/call :slice [z :axis at :start k :stop (inc (long k))]) :axis [at]])))

(defn forward
  "The first n/2 + 1 results of the transform of real lines of n elements, n an even number."
  [x n]
  (let [lead (pop (shape x)), rank (inc (count (shape x)))
        pairs (op/call :reshape [x :shape (conj lead (quot (long n) 2) 2)])
        z (op/call :dft [(op/call :swapaxes [pairs :axis1 (- rank 2) :axis2 (dec rank)])])
        around #(let [e (part z %)] (joined e (cut e 0 1)))
        [a b] [(around 0) (around 1)], [c d] [(reversed a) (reversed b)]
        [cos sin] (halfturns n (dtype x))
        dr (minus a c), di (plus b d)]
    [(times 0.5 (plus (plus a c) (minus (times di cos) (times dr sin))))
     (times 0.5 (minus (minus b d) (plus (times dr cos) (times di sin))))]))

(defn- real-end
  "An imaginary part with zeros at its ends, which no real line has otherwise."
  [im h]
  (let [zeros (op/call :zeros-like [(cut im 0 1)])]
    (op/call :concatenate [[zeros (cut im 1 h) zeros] :axis -1])))

(defn back
  "The real lines of n elements, n an even number, of which [re im] is the transform, times n."
  [[re im] n]
  (let [h (quot (long n) 2), im (real-end im h)
        [a b] [re im], [c d] [(reversed re) (reversed im)]
        [cos sin] (halfturns n (dtype re))
        dr (minus a c), di (plus b d)
        zr (minus (plus a c) (plus (times di cos) (times dr sin)))
        zi (plus (minus b d) (minus (times dr cos) (times di sin)))
        z (op/call :dft [(op/call :stack [[(cut zr 0 h) (cut zi 0 h)] :axis -2]) :inverse true])
        rank (count (shape z))]
    (op/call :reshape [(op/call :swapaxes [z :axis1 (- rank 2) :axis2 (dec rank)])
                       :shape (conj (pop (shape re)) n)])))
