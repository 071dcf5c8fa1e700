(ns damo.compile.lower.fourier
  "Kernels of discrete Fourier transforms along the last axis of arrays [… 2 n], real parts in the
  first line of each pair: by passes (damo.compile.lower.passes) where n is a number of small
  factors, by damo.compile.lower.chirp where it is not. (dft-body cx id) gives [statements
  scratch]."
  (:require [damo.compile.lower :as lower]
            [damo.compile.lower.chirp :as chirp]
            [damo.compile.lower.nests :as nests]
            [damo.compile.lower.passes :as passes]
            [damo.compile.lower.roots :as roots]
            [damo.data.array :as array]
            [damo.data.graph :as graph]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- line-memory
  "Reading of the operand and writing of the result for the line at `lead`."
  [{:keys [g] :as cx} id lead]
  (let [[_ _ x] (nth (:nodes g) id), [from shape] (graph/type-of g id)
        out (lower/param cx [:node id] from :out), strides (array/strides shape)
        place (fn [part i] (conj (vec lead) part i))]
    {:read (fn [body i] (mapv #(lower/read-at cx body (place % i) x (place % i)) [0 1]))
     :write (fn [body i value]
              (doseq [[part v] (map-indexed vector value)]
                (lower/emit! body [:store out (lower/dense-index 0 strides (place part i)) v])))}))

(defn- by-passes
  "The statements for a length that is a number of small factors."
  [{:keys [cx lead-shape] :as line} at-lead]
  (let [tables (passes/tables line)]
    (into (vec (:statements tables))
          (nests/statements cx lead-shape
                            (fn [body lead]
                              (let [memory (at-lead lead)]
                                (run! #(lower/emit! body %)
                                      (passes/statements line tables memory memory false))))))))

(defn- widened
  "Reading and writing of a line of a float dtype in :f64: the errors of a convolution are those of
  its largest element."
  [dtype {:keys [read write]}]
  (let [d (type/computed dtype)]
    {:read (fn [body i] (roots/cast-to d :f64 (read body i)))
     :write (fn [body i z] (write body i (roots/cast-to :f64 d z)))}))

(defn dft-body
  "[statements scratch] of the node :dft."
  [{:keys [g] :as cx} id]
  (let [[_ {:keys [inverse]}] (nth (:nodes g) id), [dtype shape] (graph/type-of g id)
        n (peek shape), at-lead #(line-memory cx id %)
        line {:cx cx, :id id, :n n, :d (type/computed dtype), :sign (if inverse 1 -1)
              :scratch (volatile! {}), :lead-shape (subvec shape 0 (- (count shape) 2))}
        statements (if (and (integer? n) (passes/factors n))
                     (by-passes line at-lead)
                     (chirp/statements (assoc line :d :f64) #(widened dtype (at-lead %))))]
    [statements @(:scratch line)]))
