(ns damo.diff.loop.wishes
  "What :grad of a loop asks of its derivative in reverse mode, and how a loop is gone back through
  for it. {:truncate k}: what lies before the last k rounds is constant. {:checkpoint-every k}: of
  the states only every k-th window is kept, the rounds between are computed again.
  (instead! b 7) is the id of what is differentiated in the place of loop 7, or nil."
  (:require [damo.data.graph :as graph]
            [damo.diff.loop.segments :as segments]))

(set! *warn-on-reflection* true)

(def most-checkpoints
  "The checkpoints of a loop without a bound of its rounds that has no wishes: with 24 of them ten
  million rounds are gone back, each made again at most 8 times."
  24)

(defn checkpoints
  "How many checkpoints the derivative of a loop with these attributes has, which then reads no
  traces; nil of a loop that keeps them."
  [{:keys [steps] {:keys [checkpoints truncate]} :grad}]
  (when-not truncate
    (or checkpoints (when (nil? steps) most-checkpoints))))

(defn of-reverse
  "The wishes for the derivative of the reverse loop of a loop with these attributes, which is to be
  as sparing."
  [{:keys [grad] :as attrs}]
  (let [checkpoints (checkpoints attrs)]
    (cond checkpoints {:checkpoints checkpoints}
          (:keep grad) (select-keys grad [:keep]))))

(defn instead!
  "The id of the :tuple of the results of loop `id` that is differentiated in its place; nil where
  that is the loop itself."
  [b id]
  (let [{{:keys [checkpoint-every truncate]} :grad :as attrs} (graph/attrs-of (graph/node b id))]
    (when (and checkpoint-every (not truncate) (not (checkpoints attrs)))
      (segments/segmented! b id checkpoint-every))))
