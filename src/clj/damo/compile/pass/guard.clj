(ns damo.compile.pass.guard
  "The mode :nan-guard: every floating-point value of a rewritten graph goes through a guard, so
  that a call stops where a NaN arises and names that expression, not one that it has spread to.
  Graph in, graph out. (inserted g {:nan true :inf true})"
  (:require [damo.data.fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body]
            [damo.ops.watch.guard]))

(set! *warn-on-reflection* true)

(def options
  "What a guard refuses, unless a mode says otherwise: as Theano's NanGuardMode, but for large
  values."
  {:nan true, :inf true, :big nil})

(defn check-options
  "The options of a guard in `given`, the others filled in; fails on values that make no sense."
  [given]
  (let [{:keys [nan inf big] :as chosen} (merge options (select-keys given (keys options)))]
    (when-not (and (boolean? nan) (boolean? inf) (or (nil? big) (and (number? big) (pos? big))))
      (fail! :damo.guard/bad-guard
             (str "the mode :nan-guard takes :nan and :inf, true or false, and :big, a positive"
                  " number or nil; given " (pr-str chosen))
             {:given chosen}))
    (update chosen :big #(some-> % double))))

(defn- in-region?
  "Is a node, or the one that it is a result of, the holder of a graph that takes its place?"
  [g id]
  (case (op/kind (graph/op-at g id))
    :region true
    :part (recur g (first (graph/args-at g id)))
    false))

(defn- guards?
  "Is a node a value of its own, floating, that may be anything? Arguments of graphs in nodes are
  guarded outside, and their results inside."
  [g id]
  (let [op (graph/op-at g id), type (graph/type-of g id)]
    (and (type/float-dtype? (type/dtype-of type))
         (not (#{:view :generate :guard} (op/kind op)))
         (not (#{:const :param} op))
         (not (in-region? g id)))))

(defn inserted
  "The graph with each floating-point node, inputs and shared variables included, behind a guard
  that refuses what `opts` says (see `options`). A guard has the source position of its node."
  [g opts]
  (body/sweep g guards?
              (fn [b node args type note]
                (let [id (graph/keep-node! b node args type note)]
                  (graph/add-node! b [:guard opts id] type note)))))
