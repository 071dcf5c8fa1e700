(ns damo.linalg
  "Linear algebra: functions of matrices, the last two axes of their arguments; leading axes are
  batches. Names, signs and the order of results are SciPy's. (let [[values vectors] (la/eigh a)]
  …)"
  (:refer-clojure :exclude [cond])
  (:require [damo.op :as op]
            [damo.op.home :as home]
            [damo.ops.all]
            [damo.ops.linalg.build :as build]
            [damo.ops.linalg.eig :as eig]
            [damo.ops.linalg.lu :as lu]
            [damo.ops.linalg.norm :as norm]))

(set! *warn-on-reflection* true)

(home/export-ops)

(def ^{:arglists '([a]), :doc (:doc (meta #'eig/call-eig))} eig eig/call-eig)

(def ^{:arglists '([c] [c r]), :doc (:doc (meta #'build/call-toeplitz))} toeplitz
  build/call-toeplitz)

(def ^{:arglists '([a & attributes]), :doc (:doc (meta #'norm/call-norm))} norm norm/call-norm)

(def ^{:arglists '([factors b & attributes]), :doc (:doc (meta #'lu/call-lu-solve))} lu-solve
  lu/call-lu-solve)
