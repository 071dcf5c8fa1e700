(ns damo.codegen.line-copy-test
  "Copies of lines, of any length: by vectors at every width, for elements of every size; nothing
  before or behind a line is written."
  (:require [clojure.test :refer [deftest is testing]]
            [damo.core :as d]
            [damo.jit.calling :as calling])
  (:import (damo.codegen Codegen)
           (damo.jit NativeCode)))

(set! *warn-on-reflection* true)

(defn- copying
  "A program that copies m lines of n elements to lines of two more, from the second element on."
  [dtype named?]
  (let [load [:load 0 [:+ [:* 'r 'n] 'c]], at [:+ [:* 'r [:+ 'n 2]] 'c 1]]
    (calling/program '[m n] [[dtype :in [:* 'm 'n]] [dtype :inout [:* 'm [:+ 'n 2]]]]
                     [[:for 'r 'm
                       (if named?
                         [:for 'c 'n [:let 'v load] [:store 1 at 'v]]
                         [:for 'c 'n [:store 1 at load]])]])))

(defn- value [dtype k]
  (case dtype
    :bool (odd? (Long/bitCount k))
    (:i8 :u8) (mod (* 7 k) 127)
    (:f16 :bf16 :f32 :f64) (double (mod (* 7 k) 251))
    k))

(def ^:private lengths [0 1 2 3 5 7 8 9 15 16 17 31 32 33 63 64 65 100 127 128 129 260 500 1030])

(defn- checked [^NativeCode code dtype]
  (with-open [code code]
    (doseq [n lengths, m [1 3]
            :let [x (mapv #(value dtype (inc %)) (range (* m n))), edge (value dtype 0)
                  {:keys [status buffers]}
                  (calling/run code (copying dtype true) [m n]
                               [x (repeat (* m (+ n 2)) edge) (repeat m 0) (repeat n 0)])]]
      (is (= [0 (into [] (mapcat #(concat [edge] % [edge]))
                      (if (zero? n) (repeat m []) (partition n x)))]
             [status (second buffers)]) [dtype m n]))))

(deftest lines-are-copied-test
  (doseq [bits [128 256 512], dtype [:f64 :f32 :i16 :u8]]
    (testing bits
      (checked (NativeCode/compile (Codegen/module (calling/read-program (copying dtype true))
                                                   bits))
               dtype))))

(deftest every-dtype-test
  (doseq [dtype [:f64 :f32 :f16 :bf16 :i64 :i32 :i16 :i8 :u8 :bool]]
    (checked (calling/compile-program (copying dtype false)) dtype)))

(deftest long-lines-test
  (let [x (d/input 'x [:f32 ['m 'n]]), f (d/function [x] (d/concatenate [x x] :axis 1))]
    (doseq [[m n] [[2 4095] [2 4096] [3 4097] [2 20000]]
            :let [row (fn [r] (map #(float (mod (+ (* 7 %) r) 1009)) (range n)))
                  rows (map row (range m))]]
      (is (= (map #(concat % %) rows) @(f (d/tensor rows :f32))) [m n]))))
