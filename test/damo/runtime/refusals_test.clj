(ns damo.runtime.refusals-test
  "Every way to refuse a call, twice in a row, then a call that is right: a refusal leaves nothing
  behind in caches, frames and state. And what is a product for the BLAS is given to it."
  (:require [clojure.test :refer [deftest is]]
            [damo.core :as d])
  (:import [damo.tensor Tensor]))

(set! *warn-on-reflection* true)

(defn- refusal
  "The kind of the failure of the thunk, nil when there is none."
  [f]
  (try (f) nil (catch clojure.lang.ExceptionInfo e (:damo/error (ex-data e)))))

(defn- closed [& shape]
  (doto ^Tensor (d/zeros (vec shape)) (.close)))

(def ^:private wrong-arguments
  "Arguments for x [n 2], i an index of its rows, b [n]; and the kind of what is said of them."
  [[[] :damo/arity-mismatch]
   [[[[1 2]] 0] :damo/arity-mismatch]
   [[[1 2] 0 [1]] :damo/shape-mismatch]
   [[[[1 2 3]] 0 [1]] :damo/shape-mismatch]
   [[[[1 2] [3 4]] 0 [1]] :damo/shape-mismatch]
   [[[[1 2] [3]] 0 [1 2]] :damo/ragged]
   [[[[1 "2"]] 0 [1]] :damo/bad-data]
   [[nil 0 [1]] :damo/bad-data]
   [[[[1 2]] 0.5 [1]] :damo/dtype-mismatch]
   [[[[1 2]] "0" [1]] :damo/bad-data]
   [[[[1 2]] 1 [1]] :damo/index-out-of-bounds]
   [[[[1 2]] -2 [1]] :damo/index-out-of-bounds]
   [[(closed 1 2) 0 [1]] :damo/closed]
   [[[[1 2]] 0 (repeat 1)] :damo/bad-data]
   [[{'x [[1 2]] 'i 0}] :damo/arity-mismatch]
   [[{'x [[1 2]] 'i 0 'b [1] 'c 1}] :damo/arity-mismatch]])

(deftest after-every-refusal-the-right-call
  (let [x (d/input 'x [:f64 ['n 2]]), i (d/input 'i [:i64 []]), b (d/input 'b [:f64 ['n]])
        w (d/shared 'w [1.0 10.0]), k (d/shared 'k 0)
        f (d/function [x i b] {:row (d/mul w (d/index x i)), :sum (d/add (d/sum x) (d/sum b))}
                      {:updates {w (d/add w (d/index x i)), k (d/add k 1)}})
        state #(mapv (comp deref d/value) [w k])]
    (doseq [[n [args kind]] (map-indexed vector wrong-arguments)
            :let [before (state), [[w0 w1] k0] before, x0 (double n)]]
      (dotimes [_ 2]
        (is (= kind (refusal #(apply f args))) (str "the call " n))
        (is (= before (state))))
      (let [right [[[0 0] [x0 1] [2 2]] 1 [1 2 3]], result (apply f right)]
        (is (= {:row [(* w0 x0) w1], :sum (+ 11.0 x0)} (update-vals result deref)))
        (is (= [[(+ w0 x0) (+ w1 1)] (inc k0)] (state)))))))

(deftest products-are-for-the-blas
  (let [a (d/input 'a [:f32 [300 300]]), b (d/input 'b [:f32 [300 300]])
        m (d/input 'm [:f32 ['n 'k]]), v (d/input 'v [:f32 ['k]])]
    (doseq [[what inputs e products]
            [["matrices" [a b] (d/dot a b) 1]
             ["transposed" [a b] (d/dot (d/transpose a) b) 1]
             ["with what is around" [a b] (d/tanh (d/add 1 (d/mul 2 (d/dot a b)))) 1]
             ["a gradient" [a b] (d/grad (d/sum (d/sqr (d/dot a b))) [a b]) 3]
             ["symbolic" [m] (d/dot m (d/transpose m)) 1]
             ["einsum" [a b] (d/einsum "ij,jk->ik" a b) 1]
             ["a vector" [m v] (d/dot m v) 1]]]
      (let [{:keys [steps]} (d/program (d/function inputs e))]
        (is (= products (count (remove (comp #{:kernel} :do) steps))) what)))))
