(ns damo.compile.lower.loops
  "What is done to the loops of a kernel once they are written, in order: merged, what does not
  change moved out of them. Kernel body in, kernel body out."
  (:require [damo.compile.lower.collapse :as collapse]
            [damo.compile.lower.hoist :as hoist]))

(set! *warn-on-reflection* true)

(defn arranged
  "The body with its loops as the machine likes them; see the namespace."
  [body]
  (-> body collapse/collapse hoist/hoist))
