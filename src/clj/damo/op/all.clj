(ns damo.op.all
  "All families of ops: requiring this namespace fills the registry."
  (:require [damo.op.arith]
            [damo.op.argmax]
            [damo.op.blas]
            [damo.op.compare]
            [damo.op.create]
            [damo.op.cumulative]
            [damo.op.einsum]
            [damo.op.exp]
            [damo.op.gamma]
            [damo.op.index]
            [damo.op.leaf]
            [damo.op.linear]
            [damo.op.reduce]
            [damo.op.shape]
            [damo.op.select]
            [damo.op.slice]
            [damo.op.softmax]
            [damo.op.stats]
            [damo.op.tensordot]
            [damo.op.trig]
            [damo.op.view]
            [damo.op.write]))

(set! *warn-on-reflection* true)
