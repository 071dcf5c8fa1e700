(ns damo.diff.node
  "What both modes of differentiation share: emitting templates, what entries say of derivatives,
  adding contributions. All on a builder; ids in, ids out. New nodes carry the
  source position of the node that they differentiate.
  (uniform! b 3 [:f32 [2]] 0) is the id of two zeros, made for node 3."
  (:require [damo.data.expr :as expr]
            [damo.data.fail :as fail :refer [fail!]]
            [damo.data.form :as form]
            [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.op :as op])
  (:import [java.util HashMap]))

(set! *warn-on-reflection* true)

;; ## Nodes of the builder

(defn- form [b id] (form/form (form/of-builder b) 3 id))

(defn describe-node
  "The expression of a node, three levels deep, its type and source position, for messages."
  [b id]
  (let [{:keys [src]} (graph/note b id), [op {:keys [name]}] (graph/node b id)]
    (str (when (symbol? name) (str (clojure.core/name op) " "))
         (form/text (form b id)) " " (pr-str (graph/node-type b id))
         (when src (str ", written at " (fail/position-text src))))))

(defn facts
  "What a failure says of a node: its :id, :op, :type, the :expr as text, :file and :line."
  [b id]
  (assoc (form/facts (graph/op-of (graph/node b id)) (form b id) (graph/node-type b id)
                     (:src (graph/note b id)))
         :id id))

(defn emit-template!
  "The id of a template, a vector or a name; its nodes carry the source position of node `from`."
  [b from bindings template]
  (op/instantiate-over! (op/emitter b (select-keys (graph/note b from) [:src])) bindings template))

(defn uniform!
  "The id of a node of that type, all of whose elements are x."
  [b from [dtype shape] x]
  (let [attrs {:type [dtype []], :value (expr/const-value dtype x)}
        id (op/emit! b :const attrs [] (select-keys (graph/note b from) [:src]))]
    (if (empty? shape)
      id
      (emit-template! b from {'?x id} [:broadcast-to {:shape shape} '?x]))))

(defn gradient-type
  "The type of the gradients and tangents of a node: its own type, with the dtype of `type/float-of`
  for integers and booleans, which count as real numbers."
  [b id]
  (let [[dtype shape] (graph/node-type b id)]
    [(type/float-of dtype) shape]))

(defn found-or-zeros!
  "The gradient or tangent of node id, zeros when none was found."
  [b id ^HashMap found]
  (or (.get found id) (uniform! b id (gradient-type b id) 0)))

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
  "Is the node of a floating dtype, or one of its results where it has several?"
  [b id]
  (boolean (some (comp type/float-dtype? type/dtype-of) (tuple/types (graph/node-type b id)))))

(defn- wide-type
  "The type of a node in derivatives of node `of`: those of composites are computed as wide as they
  are themselves."
  [b of id]
  (let [[op] (graph/node b of), wide? (= :composite (op/kind op))]
    (tuple/map (fn [[dtype shape]] [(if wide? (type/computed dtype) dtype) shape])
               (graph/node-type b id))))

(defn widened!
  "The bindings of a template of node `of` with every id converted to the dtype that its derivative
  is computed in."
  [b of bindings]
  (update-vals bindings #(cast-to! b of (type/dtype-of (wide-type b of %)) %)))

(defn part!
  "The id of result `at` of node `id`, which has several."
  [b id at]
  (emit-template! b id {'?x id} [:part {:at at} '?x]))

(defn- numbered-names
  "{?out0 (f 0), ?out1 (f 1) …} for the results of node `id` that are floats, or all."
  [prefix ats f]
  (into {} (map (fn [at] [(symbol (str "?" prefix at)) (f at)])) ats))

(defn result-bindings!
  "{?out id} of node `id`, or where it has several results those of its parts, ?out0 ?out1 …."
  [b id]
  (let [type (graph/node-type b id)]
    (if (tuple/type? type)
      (numbered-names "out" (range (count (tuple/types type))) #(part! b id %))
      {'?out id})))

(defn gradient-bindings!
  "{?g id} of the gradient g of node `id`, or where that has several results and g is
  {result gradient}, those of the floats among them, ?g0 …, zeros where there is none."
  [b id g]
  (let [type (graph/node-type b id)]
    (if (tuple/type? type)
      (numbered-names "g" (keep-indexed (fn [at [dtype]] (when (type/float-dtype? dtype) at))
                                        (tuple/types type))
                      #(or (get g %) (uniform! b id (nth (tuple/types type) %) 0)))
      {'?g g})))

(defn context
  "{:attrs :types :type} of a node, what the forms of its entry are functions of."
  [b id]
  (let [[_ attrs & args] (graph/node b id)]
    {:attrs attrs, :types (mapv #(wide-type b id %) args), :type (wide-type b id id)}))

(defn declared
  "The form that an entry declares under key k, for a node."
  [entry k ctx]
  (let [form (k entry)] (if (fn? form) (form ctx) form)))

(defn form-of
  "The form that the entry of node id declares under key k, nil when it does not."
  [b id k]
  (let [entry (op/entry (graph/op-of (graph/node b id)))]
    (when (k entry)
      (try (declared entry k (context b id))
           (catch clojure.lang.ExceptionInfo e
             (fail/explain! e "" (fail/facts-text (facts b id)) (facts b id)))))))

(defn missing-derivative
  "[kind reason] of an op that has no derivative in an argument, or at all (position nil):
  :undefined, :disconnected or :not-implemented, and the entry's words for it or nil."
  [entry position]
  (let [declared (:no-gradient entry)
        reason (if (map? declared) (or (get declared position) declared) declared)]
    (or (first (when (map? reason) (filter (comp #{:undefined :disconnected} key) reason)))
        [:not-implemented (when (string? reason) reason)])))

(defn no-derivative!
  "Fails: the node cannot be differentiated, in that argument or at all (nil). The failure is
  ::diff/undefined when the derivative does not exist, else ::diff/not-implemented."
  [b id position]
  (let [[op] (graph/node b id), [kind reason] (missing-derivative (op/entry op) position)
        where (when position (str " in its argument " position))]
    (fail! (if (= kind :undefined) :damo.diff/undefined :damo.diff/not-implemented)
           (str (if (= kind :undefined)
                  (str "the derivative of " (name op) where " does not exist")
                  (str "the derivative of " (name op) where " is not implemented"))
                (when reason (str ": " reason)) "\n  type: " (pr-str (graph/node-type b id))
                (fail/facts-text (facts b id)))
           (assoc (facts b id) :position position, :reason reason))))

(defn expansion-of
  "The template of what a node stands for, nil when its entry does not say."
  [b id]
  (let [[op attrs & args] (graph/node b id)]
    (op/expansion op attrs (mapv #(graph/node-type b %) args) (graph/node-type b id))))

(defn expansion!
  "The id of what a composite node stands for; fails when its entry does not say."
  [b id]
  (let [[op _ & args] (graph/node b id)]
    (if-let [template (expansion-of b id)]
      (emit-template! b id (op/bindings op args) template)
      (no-derivative! b id nil))))

;; ## What has a derivative

(defn form-at
  "What the entry of an op says of the argument at `position`: a template, a number, or nil when it
  has no derivative there; true when that is left to the expansion."
  [b id position]
  (let [{:keys [partials linear-in lop no-gradient]} (op/entry (graph/op-of (graph/node b id)))]
    (cond partials (nth (form-of b id :partials) position nil)
          linear-in (let [at (form-of b id :linear-in)] (or (= at :all) (at position)))
          lop (nth (form-of b id :lop) position nil)
          :else (not (and (map? no-gradient) (no-gradient position))))))

(defn check-derivable!
  "Fails when the entry of node id says that there is no derivative, at all or in one of these
  arguments, for which it has no template."
  [b id positions]
  (let [declared (:no-gradient (op/entry (graph/op-of (graph/node b id))))]
    (when (or (string? declared) (:undefined declared))
      (no-derivative! b id nil))
    (doseq [i positions :when (and (map? declared) (declared i) (not (form-at b id i)))]
      (no-derivative! b id i))))

;; ## Contributions

(defn times
  "The template of factor · partial, for a template `partial`; 0, 1 and -1 are not multiplied by."
  [factor partial]
  (cond (not (number? partial)) [:mul factor partial]
        (== partial 0) 0
        (== partial 1) factor
        (== partial -1) [:neg factor]
        :else [:mul factor partial]))

(defn total!
  "The sum of two gradients or tangents, ids or {result id} of a node of several results."
  [b from g h]
  (if (map? g) (merge-with #(sum! b from %1 %2) g h) (sum! b from g h)))

(defn add-gradient!
  "Adds g to what `grads` has for node id: a gradient or tangent, or {result gradient} of a node of
  several results."
  [b ^HashMap grads id g]
  (.put grads id (if-some [h (.get grads id)] (total! b id h g) g)))
