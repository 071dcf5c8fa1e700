(ns damo.diff.mask
  "Gradients that a choice has masked. Where [:where c u 0] is multiplied by a slope that is not
  finite, 0 · ∞ is NaN, although the value that was not chosen has no influence: the gradient of
  where(x < 7, x, sqrt(x - 7)) at 5. So a contribution to what lies below a choice is computed from
  u and masked afterwards: [:where c [:mul u slope] 0]. In: a node, its gradient, the template of
  its contribution. Out: the id of the contribution. Forward mode needs none of this: there the
  choice comes last."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.diff.node :as node]
            [damo.op :as op]))

(set! *warn-on-reflection* true)

;; ## Masked gradients
;; {:condition id, :then? bool, :gradient id}: the gradient where the condition is `then?`, else 0.

(defn zero-node?
  "Is a node an array of zeros?"
  [b id]
  (let [[op {:keys [value]} x] (graph/node b id)]
    (case op
      :const (and (number? value) (zero? value))
      :broadcast-to (zero-node? b x)
      false)))

(defn- choice-of [b id]
  (let [[op _ c x y] (graph/node b id)]
    (when (= op :where)
      (cond (zero-node? b y) {:condition c, :then? true, :gradient x}
            (zero-node? b x) {:condition c, :then? false, :gradient y}))))

(defn- through-view
  "The mask of a view of a masked gradient: the same view of both."
  [b id {:keys [condition gradient] :as mask}]
  (let [[op attrs x] (graph/node b id)
        shape (type/shape-of (graph/node-type b x))
        view (fn [y] (node/emit-template! b id {'?y y}
                                          [op attrs [:broadcast-to {:shape shape} '?y]]))]
    (assoc mask :condition (view condition) :gradient (view gradient))))

(defn- mask-of
  "The mask of a gradient, seen through views of it; nil when it has none."
  [b id]
  (loop [x id, views ()]
    (let [[op _ a & more] (graph/node b x)]
      (if (and (= :view (op/kind op)) (empty? more))
        (recur a (conj views x))
        (when-let [mask (choice-of b x)]
          (reduce (fn [mask view] (through-view b view mask)) mask views))))))

(defn- condition-template [{:keys [then?]} c]
  (if then? c [:logical-not c]))

(defn- masked!
  "The id of `x` under the mask. A mask of x itself joins it: chains of choices stay one deep."
  [b from mask x]
  (let [inner (choice-of b x)
        bindings {'?x (:gradient inner x), '?c (:condition mask), '?d (:condition inner)}
        c (condition-template mask '?c)]
    (node/emit-template! b from bindings
                         [:where (if inner [:logical-and c (condition-template inner '?d)] c)
                          '?x 0])))

;; ## Contributions

(defn- linear-by-element?
  "Does the op multiply each element of its gradient by something, choosing at most?"
  [{:keys [kind partials lop surrogate]}]
  (and (= kind :elementwise) (or partials lop) (not surrogate)))

(defn emit-contribution!
  "The id of a contribution, the template over `bindings`, in which ?g is the gradient of node id."
  [b id {g '?g :as bindings} template]
  (let [entry (op/entry (graph/op-of (graph/node b id)))
        mask (when (and (vector? template) (linear-by-element? entry)) (mask-of b g))]
    (if mask
      (masked! b id mask
               (node/emit-template! b id (assoc bindings '?g (:gradient mask)) template))
      (node/emit-template! b id bindings template))))
