(ns damo.face.spatial
  "Normalisation of images by what lies around a place or in a channel, of existing ops: functions
  of damo.nn. (local-response-norm x :size 5), x [n c h w]."
  (:require [damo.data.attribute :as attribute]
            [damo.data.expr :as expr]
            [damo.data.fail :refer [fail!]]
            [damo.op :as op]
            [damo.ops.nn.normalize :as normalize]))

(set! *warn-on-reflection* true)

(defn- rank-of [what x]
  (let [x (expr/whole x), [_ shape :as type] (expr/type-of x)]
    (when (< (count shape) 3)
      (fail! :damo.nn/no-channels
             (str what " takes images [n c h w], or other arrays whose axis 1 has the channels;"
                  " got " (pr-str type))
             {:given type}))
    [x (count shape)]))

(def ^:private response-options
  {:size {:default 5, :is :integer}, :alpha {:default 1e-4, :is :number}
   :beta {:default 0.75, :is :number}, :k {:default 1.0, :is :number}})

(defn local-response-norm
  "x [n c …] over (k + alpha·m)^beta, m the mean of the squares of the :size channels around each,
  as many before as behind or one less (Krizhevsky et al. 2012; channels that are not there are
  zeros and count). Options :size (5), :alpha (1e-4), :beta (0.75), :k (1.0), as PyTorch has them."
  [x & options]
  (let [{:keys [size alpha beta k]} (attribute/options response-options [] options)
        [x rank] (rank-of "local-response-norm" x)]
    (when-not (pos? (long size))
      (fail! :damo.nn/bad-size (str ":size is at least 1; got " size) {:given size}))
    (let [before (quot (long size) 2), behind (dec (- (long size) before))
          channels (nth (second (expr/type-of x)) 1)
          width (assoc (vec (repeat rank [0 0])) 1 [before behind])
          squares (op/call :pad [(op/call :sqr [x]) :width width])
          windows (op/call :windows [squares :axis [1] :extents [channels] :size [size]
                                     :strides [1] :dilation [1]])
          mean (op/call :mean [windows :axis [-1]])]
      (op/call :div [x (op/call :pow [(op/call :add [k (op/call :mul [alpha mean])]) beta])]))))

(defn spatial-batch-norm-train
  "Batch normalization of images x [n c h w] in training, with a mean and a variance for each
  channel: as batch-norm-train, whose options and results it has, over all axes but the channels."
  [x gamma beta & options]
  (rank-of "spatial-batch-norm-train" x)
  (apply normalize/batch-norm-train x gamma beta options))

(defn spatial-batch-norm-test
  "Batch normalization of images x [n c h w] with a known mean and variance of each channel, as
  batch-norm-test."
  [x gamma beta mean variance & options]
  (rank-of "spatial-batch-norm-test" x)
  (apply normalize/batch-norm-test x gamma beta mean variance options))
