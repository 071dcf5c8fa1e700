(ns damo.diff.holders
  "Kinds of ops whose nodes hold graphs that run, and are differentiated as a whole: for each what
  it gives in either mode and on a batch. (of :loop) = {:pull-back f, :push-forward f, :batched f}."
  (:require [damo.data.later :as later]))

(set! *warn-on-reflection* true)

(def ^:private by-kind
  "By kind of op:
  :pull-back (f b id g positions) gives [argument gradient] pairs for {result gradient};
  :push-forward (f b id positions tangents) gives {result tangent} for the tangents {id tangent} of
  the arguments at these positions;
  :batched (f b id operands n) gives the counterpart that damo.diff.batch asks for."
  {:loop {:pull-back (later/of 'damo.diff.loop.reverse/contributions!)
          :push-forward (later/of 'damo.diff.loop.forward/tangents!)
          :batched (later/of 'damo.diff.loop.batch/counterpart!)}
   :branch {:pull-back (later/of 'damo.diff.branch/contributions!)
            :push-forward (later/of 'damo.diff.branch/tangents!)
            :batched (later/of 'damo.diff.branch.batch/counterpart!)}})

(defn of
  "What there is for a kind of op; nil for one that is not of these."
  [kind]
  (by-kind kind))
