(ns damo.ops.make.tuple
  "Nodes of several results: `part`, which takes one of them, and `tuple`, which puts arrays
  together as the results of one node: what an op of several results stands for ends in one."
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.tuple :as tuple]
            [damo.op :as op]
            [damo.op.gens :as gens]))

(set! *warn-on-reflection* true)

(defn- part-type [{:keys [at]} [type]]
  (let [types (when (tuple/type? type) (tuple/types type))]
    (when-not (and types (integer? at) (< -1 at (count types)))
      (fail! :damo.part/no-such-part
             (str "takes result :at of a node of several results; got " (pr-str at) " of "
                  (if types (str (count types) ", " (pr-str types)) (pr-str type)))
             {:at at, :given type}))
    (nth types at)))

(op/register!
 {:name :part, :kind :part, :ns 'damo.ops.make.tuple, :args '[?x], :type part-type
  :internal "functions whose results are those of one node"
  :attrs {:at {:is :integer, :own-check true, :doc "which result, from 0 on"}}
  :eval (fn [{:keys [at]} results] (nth results at))
  :examples [[[:part {:at 1} [:tuple 2.5 3.5]] 3.5]]
  :doc "Result :at of a node that has several."})

(op/register!
 {:name :tuple, :kind :tuple, :ns 'damo.ops.make.tuple, :args :variadic, :attrs {}
  :internal "expansions of ops that have several results"
  :type (fn [_ types] (tuple/of types)), :eval (fn [_ & results] (vec results))
  :gen (gens/on-shapes (fn [n] [[{} [n] [2 n]] [{} [] []]]))
  :examples [[[:part {:at 0} [:tuple 2.5 3.5]] 2.5]]
  :doc "Arrays as the results of one node."})
