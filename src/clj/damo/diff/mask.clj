(ns damo.diff.mask
  "Gradients that are 0 at places without influence. Where [:where c u 0] is multiplied by a slope
  that is not finite, 0 · ∞ is NaN, although the value that was not chosen has no influence: the
  gradient of where(x < 7, x, sqrt(x - 7)) at 5. So a contribution to what lies below a choice is
  computed from u and masked afterwards: [:where c [:mul u slope] 0]. What reads some elements of an
  array, as slice and take do, has a gradient among zeros, [:inc-at zeros i u]: of it u is
  multiplied by the slopes at these elements, [:inc-at zeros i [:mul u [:take slope i]]]. In: a
  node, its gradient, the template of its contribution. Out: the id of the contribution. Forward
  mode needs none of this: there the choice comes last."
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

(defn- emit-like!
  "The id of a node of that op and attributes on arguments, ids."
  [b from form args]
  (let [names (mapv #(symbol (str "?" %)) (range (count args)))]
    (node/emit-template! b from (zipmap names args) (into form names))))

(defn- stretched
  "The id of y, broadcast to a shape."
  [b from shape y]
  (if (= shape (type/shape-of (graph/node-type b y)))
    y
    (node/emit-template! b from {'?y y} [:broadcast-to {:shape shape} '?y])))

(defn- both
  "What two summands are, when f says that it is the same but for the gradients: that of the sum."
  [b id f]
  (let [[op _ x y] (graph/node b id)]
    (when (= op :add)
      (let [[p q] (map f [x y])]
        (when (and p (= (dissoc p :gradient) (dissoc q :gradient)))
          (assoc p :gradient (node/emit-template! b id {'?x (:gradient p), '?y (:gradient q)}
                                                  [:add '?x '?y])))))))

(defn- choice-of [b id]
  (let [[op _ c x y] (graph/node b id)]
    (cond (not= op :where) (both b id #(choice-of b %))
          (zero-node? b y) {:condition c, :then? true, :gradient x}
          (zero-node? b x) {:condition c, :then? false, :gradient y})))

;; ## Gradients among zeros
;; {:at [op attrs zeros index …], :gradient id}: the gradient at these elements, 0 elsewhere.

(defn- placed
  [b id]
  (let [[op _ zeros :as form] (graph/node b id)]
    (if (and (= :add (:write (op/entry op))) (zero-node? b zeros))
      {:at (pop form), :gradient (peek form), :type (graph/node-type b id)}
      (both b id #(placed b %)))))

(defn- put
  "The id of an array of zeros but for the elements of y."
  [b from {[op attrs _ & indices] :at, [_ shape] :type} y]
  (let [zeros (node/uniform! b from [(type/dtype-of (graph/node-type b y)) shape] 0)]
    (emit-like! b from [op attrs] (-> [zeros] (into indices) (conj y)))))

(defn- read-at
  "The id of the elements of y, which may be a scalar, at the places where y has a gradient."
  [b from {[op _ _ & indices] :at, [_ shape] :type :as placed} y]
  (if (empty? (type/shape-of (graph/node-type b y)))
    y
    (let [node (put b from placed (:gradient placed))
          whole (stretched b from shape y)
          template (peek (or (node/form-of b node :transpose) (node/form-of b node :lop)))]
      (node/emit-template! b from (assoc (op/bindings op (into [whole] indices)) '?g whole)
                           template))))

(declare mask-of)

(defn- condition-template [{:keys [then?]} c]
  (if then? c [:logical-not c]))

(defn- spread
  "The mask of a gradient among zeros: where there may be others."
  [b id]
  (when-let [{[_ shape] :type, g :gradient :as among} (placed b id)]
    (let [inner (mask-of b g), part (type/shape-of (graph/node-type b g))
          ones (if inner
                 (node/emit-template! b id {'?c (:condition inner)}
                                      [:cast {:dtype :f32} (condition-template inner '?c)])
                 (node/uniform! b id [:f32 part] 1))
          counts (put b id (assoc among :type [:f32 shape]) ones)]
      {:condition (node/emit-template! b id {'?n counts} [:gt '?n 0])
       :then? true, :gradient id, :spread true})))

(defn- through-view
  "The mask of a view of a masked gradient, or of what is gathered of it: the same of both."
  [b id {:keys [condition gradient] :as mask}]
  (let [[op attrs x & indices] (graph/node b id)
        shape (type/shape-of (graph/node-type b x))
        view (fn [y] (emit-like! b id [op attrs] (into [(stretched b id shape y)] indices)))]
    (assoc mask :condition (view condition) :gradient (view gradient))))

(defn- mask-of
  "The mask of a gradient, seen through views of it; nil when it has none."
  [b id]
  (loop [x id, views ()]
    (let [[op _ a] (graph/node b x)]
      (if (#{:view :gather} (op/kind op))
        (recur a (conj views x))
        (when-let [mask (or (choice-of b x) (spread b x))]
          (reduce (fn [mask view] (through-view b view mask)) mask views))))))

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
  (let [masks? (and (vector? template)
                    (linear-by-element? (op/entry (graph/op-of (graph/node b id)))))
        among (when masks? (placed b g)), mask (when (and masks? (not among)) (mask-of b g))
        from (fn [bindings g] (emit-contribution! b id (assoc bindings '?g g) template))]
    (cond among (put b id among (from (update-vals bindings #(if (= g %) % (read-at b id among %)))
                                      (:gradient among)))
          (:spread mask) (masked! b id mask (node/emit-template! b id bindings template))
          mask (masked! b id mask (from bindings (:gradient mask)))
          :else (node/emit-template! b id bindings template))))
