(ns damo.diff.loop.residue
  "What the derivative of a body needs of the body itself, in each round: read from the traces of
  the carries, kept by the forward loop, or computed again. In: a builder with the nodes of the body
  and of its derivative, the roots of the derivative. Out: {id token}, for the nodes at which the
  derivative is cut off, [:next c] for those that are the next row of carry c, [:kept id] for those
  that are kept; what lies between is computed again.

  Kept is what costs more than to read it: products, reductions, sorted and scattered things, loops
  and branches inside, and functions such as exp. Arithmetic, choices, views and reads at indices
  are computed again, and so is what is equal in all rounds, which the optimiser moves out, and what
  has an extent that is counted in the round."
  (:require [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op]
            [damo.op.body :as body])
  (:import [java.util BitSet]))

(set! *warn-on-reflection* true)

;; ## What depends on what

(defn- depending
  "The ids of a builder that depend on a parameter for whose position (from? at) holds."
  ^BitSet [b from?]
  (let [found (BitSet.)]
    (dotimes [id (graph/node-count b)]
      (let [[_ {:keys [at]} & args :as own] (graph/node b id)]
        (when (if (body/param? own) (from? at) (some #(.get found (int %)) args))
          (.set found (int id)))))
    found))

;; ## What is kept

(def ^:private instructions
  "The functions of scalars that a processor has as instructions."
  #{:add :sub :mul :div :neg :abs :sqrt :maximum :minimum :and :or :xor :not :eq :ne :lt :le :gt :ge
    :select :cast :floor :ceil :rint :trunc})

(defn- instructions?
  "Is an elementwise node a handful of instructions an element?"
  [b id]
  (let [[op attrs & args] (graph/node b id), {:keys [scalar]} (op/entry op)
        dtypes (mapv #(type/dtype-of (graph/node-type b %)) args)
        template (if (fn? scalar) (scalar attrs dtypes) scalar)
        called (fn [t] (cond (vector? t) [(first t)], (keyword? t) [t]))]
    (and (some? template)
         (every? instructions (mapcat called (tree-seq vector? rest template))))))

(defn- costly?
  "Does node id cost more than to write its value and to read it?"
  [b id]
  (let [[op _ x] (graph/node b id)]
    (case (op/kind op)
      (:view :generate :leaf :gather :check :guard :require :tuple) false
      :elementwise (not (instructions? b id))
      :part (costly? b x)
      true)))

(defn- counted-dims
  "The dims that nodes of a builder count."
  [b]
  (into #{}
        (mapcat (fn [id] (let [[op {:keys [as]}] (graph/node b id)]
                           (when (:counts (op/entry op))
                             (filter symbol? (if (map? as) (vals as) [as]))))))
        (range (graph/node-count b))))

(defn- keeps?
  "A function of ids: is the value of the node to be kept?"
  [b ^BitSet varying]
  (let [counted (counted-dims b)]
    (fn [id]
      (let [type (graph/node-type b id)]
        (and (.get varying (int id)) (not (tuple/type? type)) (costly? b id)
             (not-any? counted (type/symbols type)))))))

;; ## The cut

(defn cut
  "{id token} as above. `own?` tells of the positions of parameters those of the body itself, and
  `varies?` of these those that are not the same in all rounds; `nexts` has the ids of the next rows
  of carries, {id carry}. With `keep` false nothing but rows of carries is read."
  [b roots {:keys [own? varies? nexts keep]}]
  (let [derived (depending b (complement own?)), varying (depending b #(and (own? %) (varies? %)))
        keep? (if keep (keeps? b varying) (constantly false))
        token (fn [id] (cond (not (.get varying (int id))) nil
                             (nexts id) [:next (nexts id)]
                             (keep? id) [:kept id]))]
    (loop [[id & more] roots, seen #{}, found {}]
      (cond (nil? id) found
            (seen id) (recur more seen found)
            (body/param? (graph/node b id)) (recur more (conj seen id) found)
            :else (let [token (when-not (.get derived (int id)) (token id))]
                    (recur (if token more (into more (graph/args-of (graph/node b id))))
                           (conj seen id)
                           (cond-> found token (assoc id token))))))))
