(ns damo.ops.sparse.twin
  "What a sparse matrix gives, and beside it the same written with dense arrays. (sparse-twin fast
  dense) is `fast`, with its derivatives; the regular derivative by a sparse matrix is that of
  `dense`, which nobody computes otherwise."
  (:require [damo.op :as op :refer [defop]]
            [damo.op.gens :as gens]
            [damo.op.typing :as typing]))

(set! *warn-on-reflection* true)

(defop sparse-twin
  "`fast` itself, beside the same computed of dense arrays: where a derivative by a whole matrix is
  wanted, zeros included, `dense` takes its place before anything is differentiated."
  {:internal true
   :kind :composite, :args [?fast ?dense]
   :type (fn [_ [[dtype shape :as fast] [other dense]]]
           (when (= dtype other)
             (typing/unify-shapes "both are one array" shape dense))
           fast)
   :eval (fn [_ fast _] fast)
   :linear-in #{0}, :transpose [?g nil]
   :no-gradient {1 {:disconnected "it only says what the value is"}}
   :expand (fn [_] ?fast)
   :gen (gens/on-shapes (fn [n] [[{} [n] [n]] [{} [2 n] [2 n]]]))
   :examples [[[:sparse-twin 2.5 3.5] 2.5]]})
