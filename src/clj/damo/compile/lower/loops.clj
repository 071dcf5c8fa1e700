(ns damo.compile.lower.loops
  "What is done to the loops of a kernel once they are written, in order: merged, those of copies
  put in order, sums over short rows made long, blocks of what lies across turned, short rows done
  side by side, what does not change moved out of loops. Kernel body in, kernel body out."
  (:require [damo.compile.lower.abreast :as abreast]
            [damo.compile.lower.collapse :as collapse]
            [damo.compile.lower.facing :as facing]
            [damo.compile.lower.hoist :as hoist]
            [damo.compile.lower.narrow :as narrow]
            [damo.compile.lower.turned :as turned]
            [damo.data.type :as type]))

(set! *warn-on-reflection* true)

(defn- known-in
  "Is an extent known when a call begins? Not what the call counts, nor the rounds of loops."
  [{:keys [counted regions]}]
  (let [later (into (set counted) (mapcat (juxt :var :as)) (vals regions))]
    (fn [extent] (not-any? later (type/dim-symbols extent)))))

(defn arranged
  "The body of a kernel that is being written with its loops as the machine likes them."
  [{:keys [g params]} body]
  (let [dtypes (:dtype @params), known? (known-in g)]
    (->> body collapse/collapse facing/facing (narrow/lines dtypes known?)
         (turned/blocks dtypes known?) (abreast/abreast dtypes known?) hoist/hoist)))
