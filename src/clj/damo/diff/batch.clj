(ns damo.diff.batch
  "Nodes on a batch: what a part of a graph gives when some of its nodes have one more axis in
  front, over which nothing is summed. In: ids and their batched counterparts. Out: the counterparts
  of the roots. Elementwise ops broadcast as they are, others shift their axes; a composite without
  a way of its own is batched through its expansion; the rest is done element by element where the
  batch is fixed and small.
  (batched b [9] {4 seeds} n) is [9'] with the shape of node 9 and n in front."
  (:require [damo.data.fail :as fail :refer [fail!]]
            [damo.data.graph :as graph]
            [damo.data.kinds :as kinds]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.diff.holders :as holders]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.op :as op]
            [damo.op.indexing :as indexing]
            [damo.op.whole :as whole])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

(def ^:private most-elements
  "The largest batch of a node that is done element by element."
  256)

;; ## Operands

(defn- shape-of [b id] (type/shape-of (graph/node-type b id)))

(defn- in-front
  "The batched id with axes of extent 1 behind the batch axis until it has `rank` others."
  [b from id rank]
  (let [missing (- rank (dec (count (shape-of b id))))]
    (if (pos? missing)
      (node/emit-template! b from {'?x id}
                           [:expand-dims {:axis (vec (range 1 (inc missing)))} '?x])
      id)))

(defn- spread
  "An operand with a batch axis: its counterpart, or itself for each element of the batch."
  [b from {:keys [batched id]} n]
  (or batched
      (node/emit-template! b from {'?x id}
                           [:broadcast-to {:shape (into [n] (shape-of b id))} '?x])))

;; An operand is {:id id, :batched id'}; :batched is nil for what does not depend on the seeds.

(defn- emit [b from op attrs ids]
  (op/emit! b op attrs (mapv op/->Id ids) (select-keys (graph/note b from) [:src])))

;; ## Attributes

(defn- shifted [axis]
  (if (integer? axis) (inc axis) (mapv inc axis)))

(def ^:private changed
  "What the words that kinds of attributes have for a batch of n, and entries under :batch, make of
  an attribute."
  {:axes-behind (fn [axes _] (shifted axes))
   :order-behind (fn [order _] (into [0] (shifted order)))
   :shape-behind (fn [shape n] (into [n] shape))
   :starts-behind (fn [starts _] (into [0] starts))
   :steps-behind (fn [steps _] (into [1] steps))})

(defn- behind
  "The attributes of node `id` on a batch of n, the batch axis in front; nil where one that says
  where axes are is nil."
  [b id n]
  (let [[op attrs] (graph/node b id), {:keys [batch] schemas :attrs} (op/entry op)
        words (merge (kinds/behind schemas) (when (map? batch) (dissoc batch :operands)))]
    (when (every? #(some? (attrs %)) (keys words))
      (reduce-kv (fn [attrs k word] (update attrs k (changed word) n)) attrs words))))

;; ## Ways, by kind
;; Each is a function [b id operands n] → id, or nil when it does not apply.

(defn- broadcasting
  "Elementwise: operands are aligned at the last axis, so that the batch must stand before them
  all."
  [b id operands _]
  (let [rank (count (shape-of b id)), [op attrs] (graph/node b id)]
    (emit b id op attrs
          (mapv (fn [{:keys [batched id]}] (if batched (in-front b id batched rank) id))
                operands))))

(defn- along-shifted-axis
  "Ops of an :axis that take all operands with the batch axis in front."
  [b id operands n]
  (when-let [attrs (behind b id n)]
    (emit b id (graph/op-of (graph/node b id)) attrs (mapv #(spread b id % n) operands))))
(defn- axes-to
  "The template of t with its axis `from` moved to `to`."
  [rank from to t]
  (let [others (remove #{from} (range rank))]
    [:transpose {:axes (vec (concat (take to others) [from] (drop to others)))} t]))

(defn- batch-place
  "Where the batch axis stands in what index arrays read: 0, or behind their axes when the indexed
  axes are no neighbours, since then those of the index arrays go to the front."
  [b axes indices]
  (if (zero? (indexing/place axes))
    (reduce max 0 (map #(count (shape-of b (:id %))) indices))
    0))

(defn- reading
  "Gather at indices that are the same for the whole batch."
  [b id [x & indices] n]
  (when (not-any? :batched indices)
    (let [attrs (behind b id n)
          taken (emit b id (graph/op-of (graph/node b id)) attrs
                      (into [(spread b id x n)] (map :id) indices))
          place (batch-place b (:axis attrs) indices)]
      (if (zero? place)
        taken
        (node/emit-template! b id {'?x taken}
                             (axes-to (count (shape-of b taken)) place 0 '?x))))))

(defn- writing
  "Scatter at indices that are the same for the whole batch."
  [b id [x & more] n]
  (let [indices (butlast more), attrs (behind b id n)]
    (when (not-any? :batched indices)
      (let [y (spread b id (last more) n), place (batch-place b (:axis attrs) indices)
            moved (if (zero? place)
                    y
                    (node/emit-template! b id {'?y y}
                                         (axes-to (count (shape-of b y)) 0 place '?y)))]
        (emit b id (graph/op-of (graph/node b id)) attrs
              (-> [(spread b id x n)] (into (map :id) indices) (conj moved)))))))

(defn- rows-together
  "A batch of matrices times one matrix is one product of all their rows."
  [b id [x y] n]
  (let [[_ m k] (shape-of b (:batched x)), out (shape-of b id)]
    (node/emit-template! b id {'?x (:batched x), '?y (:id y)}
                         [:reshape {:shape (into [n] out)}
                          [:matmul [:reshape {:shape [(type/dim* n m) k]} '?x] '?y]])))

(defn- of-matrices
  "Products of two stacks of matrices: their leading axes broadcast."
  [b id [x y :as operands] n]
  (let [[op attrs] (graph/node b id)
        ranks (mapv #(count (shape-of b (:id %))) operands), rank (reduce max ranks)]
    (cond (not (and (= 2 (count operands)) (every? #(< 1 %) ranks))) nil
          (and (:batched x) (not (:batched y)) (= [2 2] ranks)) (rows-together b id operands n)
          :else (emit b id op attrs
                      (mapv (fn [{:keys [batched id]}]
                              (if batched (in-front b id batched rank) id))
                            operands)))))

;; ## Ways that entries declare

(defn- as-declared [b id declared operands n]
  (when-let [attrs (behind b id n)]
    (let [rank (count (shape-of b id))
          operand (fn [x] (let [x (spread b id x n)]
                            (if (= :broadcast (:operands declared)) (in-front b id x rank) x)))]
      (emit b id (graph/op-of (graph/node b id)) attrs (mapv operand operands)))))

;; ## Choosing a way

(declare batched)

(defn- through-template
  "The counterpart by a template that the node may stand for: the one under :batch, a function of
  the node, or its expansion; nil when there is none."
  [b id operands n]
  (let [[op & args] (graph/node b id), {:keys [batch]} (op/entry op)]
    (when-let [template (if (fn? batch) (node/form-of b id :batch) (node/expansion-of b id))]
      (let [seeds (into {} (keep (fn [{:keys [id batched]}] (when batched [id batched]))) operands)
            root (node/emit-template! b id (op/bindings op (rest args)) template)]
        (first (batched b [root] seeds n))))))

(defn- element [b from {:keys [batched id]} i]
  (if batched
    (node/emit-template! b from {'?x batched}
                         [:squeeze {:axis 0} [:slice {:axis 0, :start i, :stop (inc i)} '?x]])
    id))

(defn- element-by-element
  "The node made anew for each element of the batch, stacked. Fails when the batch is symbolic or
  large."
  [b id attrs operands n]
  (let [op (graph/op-of (graph/node b id))]
    (when-not (and (integer? n) (<= 1 n most-elements))
      (fail! :damo.diff/not-implemented
             (str "the op " (name op) " does not know what to do on a batch, and the batch of "
                  (pr-str n) " is not fixed or too large to go through it one by one"
                  (fail/facts-text (node/facts b id)))
             (assoc (node/facts b id) :batch n, :try
                    "lop or rop with one vector at a time, or a :batch in its entry")))
    (let [rows (mapv (fn [i] (emit b id op attrs (mapv #(element b id % i) operands))) (range n))
          type (graph/node-type b id), stacked (fn [rows] (emit b id :stack {:axis 0} rows))]
      (if (tuple/type? type)
        (emit b id :tuple {} (mapv (fn [at] (stacked (mapv #(node/part! b % at) rows)))
                                   (range (count (tuple/types type)))))
        (stacked rows)))))

(defn- of-results
  "A part of a batched node of several results; these put together, each batched."
  [b id operands n]
  (let [[op attrs] (graph/node b id)]
    (if (= :part (op/kind op))
      (let [batched (mapv :batched operands)]
        (or (whole/of-tuple b attrs batched) (emit b id op attrs batched)))
      (emit b id op attrs (mapv #(spread b id % n) operands)))))

(defn- counterpart! [b id operands n]
  (let [[op attrs] (graph/node b id), {:keys [kind batch]} (op/entry op)
        way (case kind
              (:elementwise :check) broadcasting
              (:reduce :arg-reduce :concat :cumulate) along-shifted-axis
              :gather reading
              :scatter (when-not batch writing)
              :contract of-matrices
              (:part :tuple) of-results
              nil)]
    (or (when-let [{way :batched} (holders/of kind)] (way b id operands n))
        (when (map? batch) (as-declared b id batch operands n))
        (when way (way b id operands n))
        (through-template b id operands n)
        (element-by-element b id attrs operands n))))

;; ## All nodes between

(defn batched
  "The counterparts of the roots, ids of nodes with the batch axis of n elements in front, when the
  nodes {id counterpart} of `seeds` have those. Linear in the nodes that lie between. Fails with
  ::diff/not-implemented."
  [b roots seeds n]
  (let [found (HashMap. ^java.util.Map seeds)
        ^BitSet between (reach/dependent b roots (keys seeds) (reach/bits (keys seeds))
                                         (fn [id ^BitSet found]
                                           (some #(.get found (int %))
                                                 (graph/args-of (graph/node b id)))))]
    (loop [id (.nextSetBit between 0)]
      (when (<= 0 id)
        (when-not (.get found id)
          (let [operands (mapv (fn [a] {:id a, :batched (.get found a)})
                               (graph/args-of (graph/node b id)))]
            (.put found id (counterpart! b id operands n))))
        (recur (.nextSetBit between (inc id)))))
    (mapv (fn [id] (spread b id {:id id, :batched (.get found id)} n)) roots)))
