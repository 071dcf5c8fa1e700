(ns damo.face.substitute
  "Expressions in the place of others. Their types are unified: symbols of what is replaced are
  bound to the dims of what replaces it, and the other way round, everywhere; what neither shows
  nor rules out is checked in the call. Only a contradiction is refused.
  (in-place-of [(sum x)] {x y}) = {:exprs [(sum y)] :dims {n 10}} for x of [n] and y of [10]."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.data.unify :as unify]
            [damo.meaning.counted :as counted]
            [damo.op :as op]
            [damo.op.whole :as whole]))

(set! *warn-on-reflection* true)

;; ## Types

(defn- mismatch! [[from to] what data]
  (fail! :damo.function/given-mismatch
         (str what "\n  replaced: " (expr/describe from) "\n  by: " (expr/describe to))
         (merge (expr/facts from) {:from from, :to to} data)))

(defn- check-kinds!
  "Fails unless an expression may replace another as far as dtype and rank go."
  [[from to :as pair]]
  (when-not (and (expr/expr? from) (expr/expr? to))
    (mismatch! pair "an expression is replaced by an expression" {}))
  (let [[dtype shape] (expr/type-of from), [other-dtype other] (expr/type-of to)]
    (when-not (and (= dtype other-dtype) (= (count shape) (count other)))
      (mismatch! pair "what replaces an expression has its dtype and as many axes" {}))))

(defn- counted
  "The dims that the nodes of a graph count; they have no other value."
  [{:keys [nodes]}]
  (into #{} (comp (filter (fn [[op]] (:counts (op/entry op))))
                  (mapcat (comp counted/names second)))
        nodes))

(defn- dims-of
  "The dims that make the types of each pair of expressions equal; fails when they cannot be."
  [pairs free]
  (let [shapes (fn [pair] (apply map vector (map expr/shape-of pair)))
        dims (unify/unified free (mapcat shapes pairs))]
    (when-let [[a b :as dims] (::unify/contradiction dims)]
      (mismatch! (first (filter #(some #{dims} (shapes %)) pairs))
                 (str "the shapes contradict each other: " (pr-str a) " and " (pr-str b)
                      " are never equal")
                 {:expected a, :given b}))
    dims))

;; ## Expressions

(defn- with-dims
  "The type with symbols of dims replaced as {symbol dim} says."
  [dims type]
  (tuple/map (fn [[dtype shape]] [dtype (mapv #(type/substitute dims %) shape)]) type))

(defn- adapter
  "The function that gives the attributes and the type of a node with dims replaced."
  [dims]
  (if (empty? dims)
    (fn [g id] [(graph/attrs-at g id) (graph/type-of g id)])
    (fn [g id]
      [(whole/node-with-dims #(type/substitute dims %) (graph/op-at g id) (graph/attrs-at g id)
                             (delay (graph/types-at g id)))
       (with-dims dims (graph/type-of g id))])))

(defn- stated
  "The expression `to` as one of the shape of `from`, dims replaced: where that does not show, a
  call checks it."
  [dims from to]
  (let [shape (type/shape-of (with-dims dims (expr/type-of from)))]
    (if (= shape (expr/shape-of to))
      to
      (op/node :specify-shape {:shape shape} [to]))))

(defn in-graph
  "{:exprs :dims}: the expressions of the outputs of a graph with those in the place of nodes that
  `known`, {id [from to]}, gives; `states` as `expr/from-graph` takes them."
  [g known states]
  (let [pairs (vals known)]
    (run! check-kinds! pairs)
    (let [others (expr/to-graph (map second pairs))
          fixed (into (counted g) (counted (:graph others)))
          dims (dims-of pairs (complement fixed))
          adapt (adapter dims)
          tos (expr/from-graph (:graph others) {} (:states others) adapt)]
      {:exprs (expr/from-graph g (zipmap (keys known) (map #(stated dims (first %1) %2) pairs tos))
                               states adapt)
       :dims dims})))

(defn in-place-of
  "{:exprs :dims}: the expressions with every use of a key of `givens` replaced by its value, and
  what symbols of dims were bound to."
  [exprs givens]
  (if (empty? givens)
    {:exprs (vec exprs), :dims {}}
    (let [froms (filter expr/expr? (keys givens))
          {:keys [graph id-of states]} (expr/to-graph (into (vec exprs) froms))
          known (into {} (map (fn [[from to]] [(when (expr/expr? from) (id-of from)) [from to]]))
                      givens)]
      (update (in-graph graph known states) :exprs #(vec (take (count exprs) %))))))

(defn input-of
  "An input with symbols of dims replaced."
  [dims e]
  (if (some dims (mapcat type/dim-symbols (expr/shape-of e)))
    (let [type (with-dims dims (expr/type-of e))]
      (expr/->Expr :input (assoc (expr/attrs-of e) :type type) [] type (expr/src-of e) nil))
    e))
