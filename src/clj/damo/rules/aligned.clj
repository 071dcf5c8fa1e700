(ns damo.rules.aligned
  "Templates for rules that must know that two arrays stand side by side: x and what was summed
  along an axis of x, each behind views of its own. e^x / Σ e^x is a softmax however the sum was
  brought to the shape of x, and a part of one where parts were taken of both."
  (:require [damo.data.graph :as graph]
            [damo.data.type :as type]
            [damo.rule :as rule]
            [damo.rule.layers :as layers]))

(set! *warn-on-reflection* true)

(defn- node-type [{:keys [builder]} id] (graph/node-type builder id))

(defn- shape-of [m id] (type/shape-of (node-type m id)))

(defn- move? [{:keys [builder]}]
  #(layers/moves? (graph/op-of (graph/node builder %))))

(defn- stretched
  "The path of node `id` with its stretching to a shape in front."
  [m path id shape]
  (cond->> path (not= shape (shape-of m id)) (into [[:broadcast-to {:shape shape}]])))

(defn- beside
  "The path of node `id` with its stretching to the shape that it has beside another in front."
  [m path id other]
  (stretched m path id (type/broadcast-shapes (shape-of m id) (shape-of m other))))

(defn- path-to
  "The path of node `id` over node `target`, which stands among what it shows; else nil."
  [{:keys [builder] :as m} id target]
  (loop [path [], at id]
    (cond (= at target) path
          ((move? m) at) (recur (conj path (layers/layer builder at))
                                (first (graph/args-of (graph/node builder at)))))))

(defn- without [v axes]
  (into [] (keep-indexed (fn [i x] (when-not (some #{i} axes) x))) v))

(defn- kept-axes
  "The coordinates of a reduction by the axes of what it reduces that are left."
  [coordinates {:keys [axis keepdims]}]
  (if keepdims (without coordinates axis) coordinates))

(defn- reduction
  "{:path :reduced :attrs :arg} of what a node shows beside another, when that is a reduction by
  `op`; else nil."
  [{:keys [builder] :as m} id other op]
  (let [[path inner] (layers/under builder id (move? m))
        [own attrs arg] (graph/node builder inner)]
    (when (= own op) {:path (beside m path id other), :reduced inner, :attrs attrs, :arg arg})))

(defn- behind
  "The template with a path around it."
  [path form]
  (reduce (fn [form [op attrs & more]] (into [op attrs form] (map rule/argument) more))
          form (rseq (vec path))))

(defn- along-axes
  "The template of `op`, which has one :axis, along all the axes together of x, of that shape."
  [op x axes shape]
  (if (= 1 (count axes))
    [op {:axis (first axes)} x]
    (let [others (without (vec (range (count shape))) axes), order (into others axes)
          back (mapv #(.indexOf ^java.util.List order %) (range (count shape)))]
      [:transpose {:axes back}
       [:reshape {:shape (mapv shape order)}
        [op {:axis (count others)}
         [:reshape {:shape (conj (mapv shape others) (type/size (map shape axes)))}
          [:transpose {:axes order} x]]]]])))

(defn- side-by-side?
  "Has each element of u, behind `path`, the element of the reduction of u beside it that its own
  line was reduced to?"
  [{:keys [builder] :as m} path u {:keys [reduced attrs] :as found}]
  (let [own (layers/coordinates builder path (node-type m u))
        others (layers/coordinates builder (:path found) (node-type m reduced))]
    (and own others (= (without own (:axis attrs)) (kept-axes others attrs)))))

(defn- shapes-below
  "For each layer of a path around an array of that type the shape of what is below it."
  [{:keys [builder]} path arg-type]
  (->> (rseq (vec path))
       (reductions #(layers/result-type builder %2 %1) arg-type)
       butlast
       (map type/shape-of)
       reverse))

(defn- common
  "How many layers in front two paths around nodes have in common, of arrays of one shape."
  [m [p id] [q other]]
  (count (take-while true? (map = (map vector p (shapes-below m p (node-type m id)))
                                (map vector q (shapes-below m q (node-type m other)))))))

(defn normalized
  "The template of `op`, which has one :axis, such as :softmax: for x and a reduction of u by the op
  `by` beside it, when x shows u, and each element its own reduction. `argument` gives u of what is
  reduced, or nil."
  [m op ?x ?s by argument]
  (let [x (m ?x), {:keys [attrs arg reduced path]} (reduction m (m ?s) x by)
        u (when reduced (argument (graph/node (:builder m) arg) arg))
        own (when u (some->> (path-to m x u) (#(beside m % x (m ?s)))))]
    (when (and own (seq (:axis attrs)) (not-any? #(= 0 (nth (shape-of m u) %)) (:axis attrs)))
      (let [n (common m [own u] [path reduced])]
        (when (side-by-side? m (vec (drop n own)) u
                             {:reduced reduced, :attrs attrs, :path (vec (drop n path))})
          (behind own (along-axes op (rule/argument u) (:axis attrs) (shape-of m u))))))))

(defn exponent
  "What is raised of a node e^u, else nil."
  [[op _ u] _]
  (when (= :exp op) u))

(defn itself "The node itself." [_ id] id)

;; ## Shifts

(defn- shift-beside?
  "Does node ?m hold, beside each element of the reduction of x - n, the n that was taken off?"
  [{:keys [builder] :as m} [?m ?l] n {:keys [path reduced attrs arg]}]
  (let [[own inner] (layers/under builder n (move? m))
        [outer other] (layers/under builder (m ?m) (move? m))
        of-n (layers/coordinates builder (stretched m own n (shape-of m arg)) (node-type m inner))
        of-m (layers/coordinates builder (beside m outer (m ?m) (m ?l)) (node-type m other))
        lines (some-> (layers/coordinates builder path (node-type m reduced)) (kept-axes attrs))]
    (and (= inner other) of-n of-m lines
         (= of-m (layers/composed of-n (layers/put-back lines (:axis attrs)))))))

(defn unshifted
  "The template of log Σ e^x for m + log Σ e^(x - m), when m is alike along what is summed."
  [{:keys [builder] :as m} ?m ?l]
  (when-let [{:keys [path arg attrs] :as found} (reduction m (m ?l) (m ?m) :logsumexp)]
    (let [[op _ x n] (graph/node builder arg)]
      (when (and (= :sub op) (= (shape-of m x) (shape-of m arg)) (shift-beside? m [?m ?l] n found))
        (behind path [:logsumexp attrs (rule/argument x)])))))
