(ns damo.diff.forward
  "Forward mode: tangents pushed from `wrt` to what is differentiated, node by node, from the forms
  :partials, :linear-in and :rop; an op without one is differentiated through its :expand.
  (push-forward! b [9] {0 tangent} stops) is {0 tangent … 9 id}."
  (:require [damo.data.graph :as graph]
            [damo.data.tuple :as tuple]
            [damo.data.type :as type]
            [damo.diff.holders :as holders]
            [damo.diff.node :as node]
            [damo.diff.reach :as reach]
            [damo.op :as op]
            [damo.rules.smooth :as smooth])
  (:import [java.util BitSet HashMap]))

(set! *warn-on-reflection* true)

(declare push-forward!)

(defn- tangent-name [s] (symbol (str "?d" (subs (name s) 1))))

(defn- tangent-bindings [b op args tangents]
  (let [values (op/bindings op args)]
    (into values
          (map (fn [[s id]] [(tangent-name s) (node/found-or-zeros! b id tangents)]))
          values)))

(defn- by-result
  "{result tangent} of the node `t`, the tangents of all results of node `id` in one."
  [b id t]
  (into {} (for [[at [dtype]] (map-indexed vector (tuple/types (graph/node-type b id)))
                 :when (type/float-dtype? dtype)]
             [at (node/part! b t at)])))

(defn- linear-tangent!
  "The tangent of a node that is linear in the arguments at `linear`: the same op on tangents."
  [b id linear positions ^HashMap tangents]
  (let [[op attrs & args] (graph/node b id), args (vec args)
        note (select-keys (graph/note b id) [:src])
        apply-to (fn [ids] (let [t (op/emit! b op attrs (mapv op/->Id ids) note)]
                             (if (tuple/type? (graph/node-type b t)) (by-result b id t) t)))]
    (if (= linear :all)
      (apply-to (mapv #(node/found-or-zeros! b % tangents) args))
      (->> positions
           (mapv (fn [i]
                   (when-not (linear i) (node/no-derivative! b id i))
                   (apply-to (assoc args i (.get tangents (nth args i))))))
           (reduce #(node/total! b id %1 %2))))))

(defn- partial-tangent! [b id partials positions ^HashMap tangents]
  (let [[op _ & args] (graph/node b id), bindings (assoc (op/bindings op args) '?out id)
        tangent-of #(.get tangents (nth args %))
        terms (for [i positions
                    :let [partial (nth partials i)
                          _ (when (nil? partial) (node/no-derivative! b id i))
                          template (node/times '?d partial)]
                    :when (not (and (number? template) (zero? template)))]
                (node/emit-template! b id (assoc bindings '?d (tangent-of i)) template))]
    (when (seq terms)
      (reduce #(node/sum! b id %1 %2) terms))))

(defn- tangent-of!
  "The tangent of the root of a template that stands for a node, over these sources; nil when it is
  zero."
  [b root sources ^HashMap tangents]
  (let [known (into {} (for [a sources :when (.get tangents a)] [a (.get tangents a)]))
        ^HashMap found (push-forward! b [root] known (reach/bits sources))]
    (.get found root)))

(defn- declared-tangent!
  "The tangent that the :rop of node `id` gives, or {result tangent} where it has several."
  [b id positions tangents]
  (let [[op _ & args] (graph/node b id)
        bindings (merge (tangent-bindings b op args tangents) (node/result-bindings! b id))
        bindings (node/widened! b id bindings), template (node/form-of b id :rop)
        made (fn [template]
               (cond (number? template) nil
                     template (node/emit-template! b id bindings template)
                     :else (node/no-derivative! b id (first positions))))]
    (if (tuple/type? (graph/node-type b id))
      (into {} (keep-indexed (fn [at t] (when-let [t (made t)] [at t]))) template)
      (made template))))

(defn- tangent!
  "The id of the tangent of node id, or nil when it is zero; {result tangent} where it has several
  results."
  [b id positions ^HashMap tangents]
  (let [[op {:keys [at]} & args] (graph/node b id), {:keys [kind] :as entry} (op/entry op)
        form (fn [k] (node/form-of b id k)), {:keys [push-forward]} (holders/of kind)]
    (node/check-derivable! b id positions)
    (cond (= :part kind) (get (.get tangents (first args)) at)
          (= :tuple kind) (into {} (map (fn [i] [i (.get tangents (nth args i))])) positions)
          push-forward (push-forward b id positions tangents)
          (:partials entry) (partial-tangent! b id (form :partials) positions tangents)
          (:linear-in entry) (linear-tangent! b id (form :linear-in) positions tangents)
          (:rop entry) (declared-tangent! b id positions tangents)
          :else (tangent-of! b (node/expansion! b id) (distinct args) tangents))))

(defn- fitted!
  "A tangent in the type of what it belongs to, a node or a result of node `id`."
  [b id [dtype shape] tangent]
  (let [tangent (node/cast-to! b id dtype tangent)]
    (if (= shape (type/shape-of (graph/node-type b tangent)))
      tangent
      (node/emit-template! b id {'?x tangent} [:broadcast-to {:shape shape} '?x]))))

(defn- stretched! [b id tangent]
  (let [type (graph/node-type b id)]
    (if (tuple/type? type)
      (into {} (map (fn [[at t]] [at (fitted! b id (nth (tuple/types type) at) t)])) tangent)
      (fitted! b id (node/gradient-type b id) tangent))))

(defn push-forward!
  "{id tangent} of the nodes between the tangents given, {id tangent}, and the roots; zero tangents
  are left out."
  [b roots given ^BitSet stops]
  (let [tangents (HashMap. ^java.util.Map given), marked (reach/between b roots (keys given) stops)
        fixed (into (set (keys given)) (reach/members stops))]
    (loop [id (.nextSetBit marked 0)]
      (when (<= 0 id)
        (let [args (graph/args-of (graph/node b id))
              positions (filterv #(.get tangents (nth args %))
                                 (reach/connected-positions b id marked))]
          (when-let [t (when (and (seq positions) (not (.get stops id)))
                         (if-let [{:keys [root sources]} (smooth/instead! b id fixed)]
                           (tangent-of! b root sources tangents)
                           (tangent! b id positions tangents)))]
            (node/add-gradient! b tangents id (stretched! b id t))))
        (recur (.nextSetBit marked (inc id)))))
    tangents))
