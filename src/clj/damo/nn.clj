(ns damo.nn
  "Networks for images and signals: convolutions, pooling, neighbours and spatial normalisation, as
  functions of expressions. (require '[damo.nn :as nn])
  (nn/max-pool2d (d/relu (nn/conv2d x w)) :window 2)."
  (:require [damo.core]
            [damo.data.explain :as explain]
            [damo.face.spatial :as spatial]
            [damo.op.home :as home]
            [damo.ops.conv.transposed :as transposed]))

(set! *warn-on-reflection* true)

(home/export-ops)

(defmacro ^:private export [& functions]
  `(do ~@(for [f functions, :let [{:keys [doc arglists]} (meta (resolve f))]]
           `(def ~(with-meta (symbol (name f)) {:doc doc, :arglists `'~arglists})
              (explain/explained ~(keyword (name f)) ~f)))))

(export transposed/separable-conv2d
        spatial/local-response-norm spatial/spatial-batch-norm-train
        spatial/spatial-batch-norm-test)
