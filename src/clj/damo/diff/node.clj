(ns damo.diff.node
  "What both modes of differentiation share: emitting templates, the nodes between `wrt` and what is
  differentiated, adding contributions. All on a builder; ids in, ids out. New nodes carry the
  source position of the node that they differentiate.
  (uniform! b 3 [:f32 [2]] 0) is the id of two zeros, made for node 3."
  (:require [damo.expr :as expr]
            [damo.fail :as fail :refer [fail!]]
            [damo.graph :as graph]
            [damo.op :as op]
            [damo.type :as type])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

;; ## Nodes of the builder

(defn describe-node
  "The op, type and source position of a node, for messages."
  [b id]
  (let [[op attrs] (graph/node b id), {:keys [type src]} (graph/note b id)]
    (str (name op) (when (:name attrs) (str " " (:name attrs))) " " (pr-str type)
         (when src (str ", written at " (fail/position-text src))))))

(defn emit-template!
  "The id of a template, a vector or a name; its nodes carry the source position of node `from`."
  [b from bindings template]
  (op/instantiate! (op/emitter b (select-keys (graph/note b from) [:src])) bindings template))

(defn uniform!
  "The id of a node of that type, all of whose elements are x."
  [b from [dtype shape] x]
  (let [attrs {:type [dtype []], :value (expr/const-value dtype x)}
        id (op/emit! b :const attrs [] (select-keys (graph/note b from) [:src]))]
    (if (empty? shape)
      id
      (emit-template! b from {'?x id} [:broadcast-to {:shape shape} '?x]))))

(defn found-or-zeros!
  "The gradient or tangent of node id, zeros when none was found."
  [b id ^HashMap found]
  (or (.get found id) (uniform! b id (graph/node-type b id) 0)))

(defn cast-to!
  "The id of node `id` in that dtype."
  [b from dtype id]
  (if (= dtype (type/dtype-of (graph/node-type b id)))
    id
    (emit-template! b from {'?x id} [:cast {:dtype dtype} '?x])))

(defn sum!
  "The id of x + y."
  [b from x y]
  (emit-template! b from {'?x x '?y y} [:add '?x '?y]))

(defn float-node?
  "Is the node of a floating dtype?"
  [b id]
  (type/float-dtype? (type/dtype-of (graph/node-type b id))))

(defn- wide-type
  "The type of a node in derivatives of node `of`: those of composites are computed as wide as they
  are themselves."
  [b of id]
  (let [[dtype shape] (graph/node-type b id), [op] (graph/node b of)]
    [(if (= :composite (op/kind op)) (type/computed dtype) dtype) shape]))

(defn widened!
  "The bindings of a template of node `of` with every id converted to the dtype that its derivative
  is computed in."
  [b of bindings]
  (update-vals bindings #(cast-to! b of (type/dtype-of (wide-type b of %)) %)))

(defn context
  "{:attrs :types :type} of a node, what the forms of its entry are functions of."
  [b id]
  (let [[_ attrs & args] (graph/node b id)]
    {:attrs attrs, :types (mapv #(wide-type b id %) args), :type (wide-type b id id)}))

(defn declared
  "The form that an entry declares under key k, for a node."
  [entry k ctx]
  (let [form (k entry)] (if (fn? form) (form ctx) form)))

(defn no-derivative!
  "Fails: the node cannot be differentiated, in that argument or at all (nil). Says why."
  [b id position]
  (let [[op] (graph/node b id), reason (:no-gradient (op/entry op))
        reason (if (map? reason) (reason position) reason)]
    (fail! :damo.diff/no-gradient
           (str "the op " (name op) " cannot be differentiated"
                (when position (str " in its argument " position))
                (when reason (str ": " reason)) "\n  at " (describe-node b id)
                "\n  use :consider-constant to leave this path out of the derivative")
           {:op op, :id id, :position position, :reason reason})))

(defn expansion!
  "The id of what a composite node stands for; fails when its entry does not say."
  [b id]
  (let [[op attrs & args] (graph/node b id), types (mapv #(graph/node-type b %) args)]
    (if-let [template (op/expansion op attrs types (graph/node-type b id))]
      (emit-template! b id (op/bindings op args) template)
      (no-derivative! b id nil))))

;; ## Which nodes lie between

(defn bits
  "The set of these ids."
  ^BitSet [ids]
  (let [s (BitSet.)] (doseq [id ids] (.set s (int id))) s))

(defn- below
  "The set of ids that the roots need, down to `floor`; arguments of `stops` are not followed."
  ^BitSet [b roots floor ^BitSet stops]
  (let [needed (bits roots)]
    (loop [id (.previousSetBit needed (int (reduce max -1 roots)))]
      (when (and (<= 0 id) (<= (long floor) id))
        (when-not (.get stops id)
          (doseq [a (graph/args-of (graph/node b id)) :when (<= (long floor) (long a))]
            (.set needed (int a))))
        (recur (.previousSetBit needed (dec id)))))
    needed))

(defn between
  "The set of ids that the roots need and that depend on `wrt` through floating-point nodes only."
  ^BitSet [b roots wrt ^BitSet stops]
  (let [needed (below b roots (reduce min Integer/MAX_VALUE wrt) stops)
        found (BitSet.), sources (bits wrt)]
    (loop [id (.nextSetBit needed 0)]
      (when (<= 0 id)
        (when (or (.get sources id)
                  (and (not (.get stops id)) (float-node? b id)
                       (some #(.get found (int %)) (graph/args-of (graph/node b id)))))
          (.set found id))
        (recur (.nextSetBit needed (inc id)))))
    found))

;; ## Contributions

(defn times
  "The template of factor · partial, for a template `partial`; 0, 1 and -1 are not multiplied by."
  [factor partial]
  (cond (not (number? partial)) [:mul factor partial]
        (== partial 0) 0
        (== partial 1) factor
        (== partial -1) [:neg factor]
        :else [:mul factor partial]))

(defn marked-positions
  "The positions of the arguments that are marked."
  [^BitSet marked args]
  (filterv #(.get marked (int (nth args %))) (range (count args))))

(defn add-gradient!
  "Adds g to what `grads` has for node id."
  [b ^HashMap grads id g]
  (.put grads id (if-some [h (.get grads id)]
                   (sum! b id h g)
                   g)))
